//! The configured drives, each with the desk where its use is arranged.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use reel_config::{ChangerConfig, Changers, ConfigDir, LtoDriveConfig, LtoDrives};
use reel_config::{VirtualDrive, VirtualDrives};
use reel_hw::number::Capacity;
use reel_hw::virtual_drive::{
    VIRTUAL_LOCK_TIMEOUT_DEFAULT, VIRTUAL_MAX_SIZE_DEFAULT, VirtualOptions,
};
use reel_tape::{DriveDesk, DriveOpener, Site};
use reel_types::{ChangerName, DriveName, LabelText};

use crate::devices::{Devices, LtoOpener, VirtualOpener};
use crate::failure::{Failure, Outcome};

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
    pub fn path(&self) -> &reel_config::ConfigPath {
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

    fn is_in_library(&self, folder: &Path) -> bool {
        let changer = match self {
            Self::Virtual(_) => return false,
            Self::Lto(_, changer) => changer.as_ref(),
        };
        let paths = [Some(self.path()), changer.map(|changer| &changer.path)];
        paths.into_iter().flatten().any(|path| path.emulated_folder() == Some(folder))
    }
}

/// All configured drives.
pub struct Drives {
    config: ConfigDir,
    pbs_run: PathBuf,
    pub(crate) devices: Arc<Devices>,
    desks: Mutex<BTreeMap<DriveName, (ConfiguredDrive, Arc<DriveDesk>)>>,
}

impl Drives {
    /// The drives of `config`, with their locks in PBS's run folder.
    pub fn new(config: ConfigDir, pbs_run: PathBuf) -> Self {
        Self { config, pbs_run, devices: Arc::default(), desks: Mutex::default() }
    }

    /// What is configured, by name.
    pub fn configs(&self) -> Outcome<Vec<ConfiguredDrive>> {
        let (virtual_drives, _) = VirtualDrives::new(&self.config).list()?;
        let (lto_drives, _) = LtoDrives::new(&self.config).list()?;
        let changers = self.changers()?;
        let with_changer = |drive: LtoDriveConfig| {
            let changer = changers.iter().find(|one| Some(&one.name) == drive.changer.as_ref());
            ConfiguredDrive::Lto(drive, changer.cloned())
        };
        let mut drives: Vec<_> = virtual_drives
            .into_iter()
            .map(ConfiguredDrive::Virtual)
            .chain(lto_drives.into_iter().map(with_changer))
            .collect();
        drives.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(drives)
    }

    /// All changers, by name.
    pub fn changers(&self) -> Outcome<Vec<ChangerConfig>> {
        let (mut changers, _) = Changers::new(&self.config).list()?;
        changers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(changers)
    }

    /// How a drive is configured.
    pub fn config(&self, name: &DriveName) -> Outcome<ConfiguredDrive> {
        let found = self.configs()?.into_iter().find(|drive| drive.name() == name);
        found.ok_or_else(|| Failure::not_found(format!("no such drive '{name}'")))
    }

    /// How a changer is configured.
    pub fn changer_config(&self, name: &ChangerName) -> Outcome<ChangerConfig> {
        let found = self.changers()?.into_iter().find(|changer| changer.name == *name);
        found.ok_or_else(|| Failure::not_found(format!("no such changer '{name}'")))
    }

    /// The desk of a drive.
    pub fn desk(&self, name: &DriveName) -> Outcome<Arc<DriveDesk>> {
        let config = self.config(name)?;
        let mut desks = self.desks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, desk)) = desks.get(name).filter(|(known, _)| *known == config) {
            return Ok(Arc::clone(desk));
        }
        let opener = config.opener(&self.devices);
        let desk = DriveDesk::new(name.clone(), opener, &self.pbs_run);
        desks.insert(name.clone(), (config, Arc::clone(&desk)));
        Ok(desk)
    }

    /// The drive that a command names, or the only one there is (`cli-tape.md` §2).
    pub fn chosen(&self, name: Option<&DriveName>) -> Outcome<Arc<DriveDesk>> {
        if let Some(name) = name {
            return self.desk(name);
        }
        match self.configs()?.as_slice() {
            [only] => self.desk(only.name()),
            _ => Err(Failure::invalid("unable to get (default) drive name; name one by '--drive'")),
        }
    }

    /// Forgets the desks of drives that the configuration names no more, or names otherwise.
    pub fn let_go_of_unconfigured(&self) -> Outcome<()> {
        let (configs, changers) = (self.configs()?, self.changers()?);
        let mut desks = self.desks.lock().unwrap_or_else(PoisonError::into_inner);
        desks.retain(|_, (known, _)| configs.contains(known));
        drop(desks);
        self.devices.keep_only(|folder| {
            configs.iter().any(|drive| drive.is_in_library(folder))
                || changers.iter().any(|one| one.path.emulated_folder() == Some(folder))
        });
        Ok(())
    }

    /// From where a drive takes its media.
    pub fn site(&self, drive: &DriveName) -> Outcome<Site> {
        Ok(self.config(drive)?.library_name().map_or(Site::Standalone, Site::Changer))
    }

    /// A desk of each library, with the library's name.
    pub fn libraries(&self) -> Outcome<BTreeMap<ChangerName, Arc<DriveDesk>>> {
        let mut libraries = BTreeMap::new();
        for config in self.configs()? {
            let Some(library) = config.library_name() else { continue };
            if let Entry::Vacant(free) = libraries.entry(library) {
                free.insert(self.desk(config.name())?);
            }
        }
        Ok(libraries)
    }

    /// The drive by which a medium of a library is best read: the one that has it loaded, else one that nobody uses,
    /// else the first.
    pub fn for_medium(
        &self,
        library: &ChangerName,
        label: &LabelText,
    ) -> Outcome<Option<Arc<DriveDesk>>> {
        let configs = self.configs()?.into_iter();
        let inside = configs.filter(|config| config.library_name().as_ref() == Some(library));
        let desks = inside.map(|config| self.desk(config.name())).collect::<Outcome<Vec<_>>>()?;
        let holder = self.holder_of(library, label);
        let has_it = |desk: &&Arc<DriveDesk>| {
            desk.loaded().as_ref() == Some(label) || Some(desk.name()) == holder.as_ref()
        };
        let found = desks.iter().find(has_it);
        let found = found.or_else(|| desks.iter().find(|desk| desk.held_for().is_none()));
        Ok(found.or_else(|| desks.first()).cloned())
    }

    /// The drive in which the robot saw a medium last.
    fn holder_of(&self, library: &ChangerName, label: &LabelText) -> Option<DriveName> {
        let seen = self.devices.queue(library).seen()?;
        let in_it = |drive: &&reel_hw::DriveElement| {
            drive.content.tag().is_some_and(|tag| tag.as_str() == label.as_str())
        };
        let number = seen.drives.iter().find(in_it)?.number.0;
        let configs = self.configs().ok()?.into_iter();
        let mut inside = configs.filter(|config| config.library_name().as_ref() == Some(library));
        inside.find(|config| config.number_in_changer() == number).map(|one| one.name().clone())
    }
}

fn options_of(config: &VirtualDrive) -> VirtualOptions {
    VirtualOptions {
        path: config.path.as_path().to_owned(),
        max_size: config.max_size_bytes.map_or(VIRTUAL_MAX_SIZE_DEFAULT, Capacity),
        lock_timeout: VIRTUAL_LOCK_TIMEOUT_DEFAULT,
    }
}

/// The labels that a drive's library holds now; none where it can't be asked.
pub fn labels_in_library(desk: &DriveDesk) -> Option<Vec<LabelText>> {
    let mut library = desk.library()?;
    match library.online_media() {
        Ok(tags) => Some(tags.iter().filter_map(|tag| tag.as_str().parse().ok()).collect()),
        Err(error) => {
            tracing::warn!(drive = %desk.name(), %error, "the library can't be asked what it holds");
            None
        }
    }
}
