//! The configured drives, each with the desk where its use is arranged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use reel_config::{ChangerConfig, ConfigDir, ConfigPath, LtoDriveConfig, TapeConfig, VirtualDrive};
use reel_hw::number::{Capacity, VolumeTag};
use reel_hw::virtual_drive::{
    VIRTUAL_LOCK_TIMEOUT_DEFAULT, VIRTUAL_MAX_SIZE_DEFAULT, VirtualOptions,
};
use reel_hw::{Cancel, Changer, ChangerStatus, DriveNumber, ElementContent, VirtualLibrary};
use reel_tape::{DriveDesk, DriveOpener, Followers, Loaded, Site};
use reel_types::{ChangerName, Clock, DriveName, LabelText};

use crate::devices::{Devices, LtoOpener, VirtualOpener};
use crate::failure::{Failure, Outcome};
use crate::memo::{Memo, Stamp};

/// A drive as it is configured.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfiguredDrive {
    /// A folder of tapes, which is its own library.
    Virtual(VirtualDrive),
    /// An LTO drive, and the changer that it is in.
    Lto(LtoDriveConfig, Option<ChangerConfig>),
}

impl ConfiguredDrive {
    /// Its name.
    pub fn name(&self) -> &DriveName {
        match self {
            Self::Virtual(drive) => &drive.name,
            Self::Lto(drive, _) => &drive.name,
        }
    }

    /// Its path, as it is configured.
    pub fn path(&self) -> &ConfigPath {
        match self {
            Self::Virtual(drive) => &drive.path,
            Self::Lto(drive, _) => &drive.path,
        }
    }

    /// The name of its library in the inventory: a `virtual:` drive is its own, a drive in no changer has none.
    pub fn library_name(&self) -> Option<ChangerName> {
        match self {
            Self::Virtual(drive) => drive.name.as_str().parse().ok(),
            Self::Lto(drive, _) => drive.changer.clone(),
        }
    }

    /// The changer that it is in, and that has a configuration of its own.
    pub fn changer(&self) -> Option<&ChangerName> {
        match self {
            Self::Virtual(_) => None,
            Self::Lto(drive, _) => drive.changer.as_ref(),
        }
    }

    /// Its number in its library.
    pub fn number_in_changer(&self) -> u32 {
        match self {
            Self::Virtual(_) => 0,
            Self::Lto(drive, _) => u32::from(drive.changer_drivenum),
        }
    }

    fn opener(&self, devices: &Arc<Devices>) -> Arc<dyn DriveOpener> {
        match self {
            Self::Virtual(drive) => Arc::new(VirtualOpener(options_of(drive))),
            Self::Lto(drive, changer) => {
                Arc::new(LtoOpener::new(drive.clone(), changer.clone(), Arc::clone(devices)))
            }
        }
    }
}

/// What `tape.cfg` says, by name.
#[derive(Debug, PartialEq)]
struct Configured {
    drives: Vec<ConfiguredDrive>,
    changers: Vec<ChangerConfig>,
}

impl Configured {
    fn load(dir: &ConfigDir) -> Outcome<Arc<Self>> {
        let TapeConfig { virtual_drives, lto_drives, mut changers } = TapeConfig::load(dir)?;
        let with_changer = |drive: LtoDriveConfig| {
            let changer = changers.iter().find(|one| Some(&one.name) == drive.changer.as_ref());
            ConfiguredDrive::Lto(drive, changer.cloned())
        };
        let virtual_drives = virtual_drives.into_iter().map(ConfiguredDrive::Virtual);
        let mut drives: Vec<_> =
            virtual_drives.chain(lto_drives.into_iter().map(with_changer)).collect();
        drives.sort_by(|a, b| a.name().cmp(b.name()));
        changers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Arc::new(Self { drives, changers }))
    }

    fn is_in_use(&self, path: &ConfigPath) -> bool {
        self.changers.iter().any(|one| one.path == *path)
            || self.drives.iter().any(|drive| drive.path() == path)
    }
}

/// All configured drives.
pub struct Drives {
    config: ConfigDir,
    pbs_run: PathBuf,
    clock: Arc<dyn Clock>,
    followers: Followers,
    pub(crate) devices: Arc<Devices>,
    read: Memo<(), Option<Stamp>, Arc<Configured>>,
    desks: Mutex<BTreeMap<DriveName, (ConfiguredDrive, Arc<DriveDesk>)>>,
}

impl Drives {
    /// The drives of `config`, with their locks in PBS's run folder, and who follows their use.
    pub fn new(
        config: ConfigDir,
        pbs_run: PathBuf,
        clock: Arc<dyn Clock>,
        followers: Followers,
    ) -> Self {
        let read = Memo::new(1);
        let (devices, desks) = (Arc::default(), Mutex::default());
        Self { config, pbs_run, clock, followers, devices, read, desks }
    }

    fn configured(&self) -> Outcome<Arc<Configured>> {
        let path = self.config.file(TapeConfig::FILE_NAME);
        let stamp = Stamp::of(&path).map_err(|error| {
            let errno = error.raw_os_error().unwrap_or(nix::libc::EIO);
            Failure::new(errno, format!("look at '{}': {error}", path.display()))
        })?;
        self.read.get_or((), stamp, || Configured::load(&self.config))
    }

    /// What is configured, by name.
    pub fn configs(&self) -> Outcome<Vec<ConfiguredDrive>> {
        Ok(self.configured()?.drives.clone())
    }

    /// All changers, by name.
    pub fn changers(&self) -> Outcome<Vec<ChangerConfig>> {
        Ok(self.configured()?.changers.clone())
    }

    /// How a drive is configured.
    pub fn config(&self, name: &DriveName) -> Outcome<ConfiguredDrive> {
        let configured = self.configured()?;
        let found = configured.drives.iter().find(|drive| drive.name() == name);
        found.cloned().ok_or_else(|| Failure::not_found(format!("no such drive '{name}'")))
    }

    /// How a changer is configured.
    pub fn changer_config(&self, name: &ChangerName) -> Outcome<ChangerConfig> {
        let configured = self.configured()?;
        let found = configured.changers.iter().find(|changer| changer.name == *name);
        found.cloned().ok_or_else(|| Failure::not_found(format!("no such changer '{name}'")))
    }

    /// The desk of a drive.
    pub fn desk(&self, name: &DriveName) -> Outcome<Arc<DriveDesk>> {
        Ok(self.desk_of(&self.config(name)?))
    }

    /// The desk of a drive that is configured so.
    pub fn desk_of(&self, config: &ConfiguredDrive) -> Arc<DriveDesk> {
        let name = config.name();
        let mut desks = self.desks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, desk)) = desks.get(name).filter(|(known, _)| known == config) {
            return Arc::clone(desk);
        }
        let opener = config.opener(&self.devices);
        let followers = Some(self.followers.clone());
        let clock = Arc::clone(&self.clock);
        let desk = DriveDesk::followed(name.clone(), opener, &self.pbs_run, clock, followers);
        desks.insert(name.clone(), (config.clone(), Arc::clone(&desk)));
        desk
    }

    /// The drive that a command names, or the only one there is (`cli-tape.md` §2).
    pub fn chosen(&self, name: Option<&DriveName>) -> Outcome<Arc<DriveDesk>> {
        if let Some(name) = name {
            return self.desk(name);
        }
        match self.configured()?.drives.as_slice() {
            [only] => Ok(self.desk_of(only)),
            _ => Err(Failure::invalid("unable to get (default) drive name; name one by '--drive'")),
        }
    }

    /// Forgets the desks of drives that the configuration names no more, or names otherwise, and the robots that it
    /// knows no more.
    pub fn let_go_of_unconfigured(&self) -> Outcome<()> {
        let configured = self.configured()?;
        let mut desks = self.desks.lock().unwrap_or_else(PoisonError::into_inner);
        desks.retain(|_, (known, _)| configured.drives.contains(known));
        drop(desks);
        self.devices.keep_only(|path| configured.is_in_use(path));
        Ok(())
    }

    /// From where a drive takes its media.
    pub fn site(&self, drive: &DriveName) -> Outcome<Site> {
        Ok(self.config(drive)?.library_name().map_or(Site::Standalone, Site::Changer))
    }

    /// The drives of a library.
    pub fn drives_in(&self, library: &ChangerName) -> Outcome<Vec<ConfiguredDrive>> {
        let inside = |drive: &&ConfiguredDrive| drive.library_name().as_ref() == Some(library);
        Ok(self.configured()?.drives.iter().filter(inside).cloned().collect())
    }

    /// The desk of the drive with that number in a library, if it is configured.
    pub fn desk_at(
        &self,
        library: &ChangerName,
        number: DriveNumber,
    ) -> Outcome<Option<Arc<DriveDesk>>> {
        let drives = self.drives_in(library)?;
        let found = drives.iter().find(|drive| drive.number_in_changer() == number.0);
        Ok(found.map(|config| self.desk_of(config)))
    }

    /// The names of all libraries: changers, and `virtual:` drives, which are their own.
    pub fn library_names(&self) -> Outcome<BTreeSet<ChangerName>> {
        let configured = self.configured()?;
        let of_drives = configured.drives.iter().filter_map(ConfiguredDrive::library_name);
        let changers = configured.changers.iter().map(|changer| changer.name.clone());
        Ok(of_drives.chain(changers).collect())
    }

    /// A way to ask a library what it holds, and to move media in it.
    pub fn library(&self, name: &ChangerName) -> Outcome<Box<dyn Changer>> {
        let configured = self.configured()?;
        if let Some(changer) = configured.changers.iter().find(|changer| changer.name == *name) {
            return Ok(self.devices.robot(changer, &Cancel::new()));
        }
        let is_it = |drive: &&ConfiguredDrive| drive.library_name().as_ref() == Some(name);
        match configured.drives.iter().find(is_it) {
            Some(ConfiguredDrive::Virtual(drive)) => {
                Ok(Box::new(VirtualLibrary::new(options_of(drive), Cancel::new())))
            }
            _ => Err(Failure::not_found(format!("no such changer '{name}'"))),
        }
    }

    /// The labels that each library holds now; none where it can't be asked.
    pub fn online_labels(&self) -> Outcome<BTreeMap<ChangerName, Option<Vec<LabelText>>>> {
        let ask = |name: ChangerName| {
            let labels = labels_in(&name, &mut *self.library(&name)?);
            Ok((name, labels))
        };
        self.library_names()?.into_iter().map(ask).collect()
    }

    /// What lay where in a changer when it was last asked; none where it was not, or did not answer.
    pub fn seen(&self, changer: &ChangerName) -> Option<Arc<ChangerStatus>> {
        let config = self.changer_config(changer).ok()?;
        self.devices.queue(&config.path).seen()
    }
}

fn options_of(config: &VirtualDrive) -> VirtualOptions {
    VirtualOptions {
        path: config.path.as_path().to_owned(),
        max_size: config.max_size_bytes.map_or(VIRTUAL_MAX_SIZE_DEFAULT, Capacity),
        lock_timeout: VIRTUAL_LOCK_TIMEOUT_DEFAULT,
    }
}

/// The labels that a library holds now; none where it can't be asked.
fn labels_in(name: &ChangerName, library: &mut dyn Changer) -> Option<Vec<LabelText>> {
    match library.online_media() {
        Ok(tags) => Some(labels_of(&tags)),
        Err(error) => {
            tracing::warn!(library = %name, %error, "the library can't be asked what it holds");
            None
        }
    }
}

/// The tags that are labels.
pub fn labels_of(tags: &[VolumeTag]) -> Vec<LabelText> {
    tags.iter().filter_map(|tag| tag.as_str().parse().ok()).collect()
}

/// What lies in an element, once it is in a drive.
pub(crate) fn loaded(content: &ElementContent) -> Loaded {
    match content {
        ElementContent::Empty => Loaded::Nothing,
        ElementContent::Full => Loaded::Unknown,
        ElementContent::VolumeTag(tag) => {
            tag.as_str().parse().map_or(Loaded::Unknown, Loaded::Medium)
        }
    }
}
