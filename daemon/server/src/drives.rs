//! The configured drives, each with the desk where its use is arranged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use reel_config::{ConfigDir, VirtualDrive, VirtualDrives};
use reel_hw::number::Capacity;
use reel_hw::virtual_drive::{
    self, VIRTUAL_LOCK_TIMEOUT_DEFAULT, VIRTUAL_MAX_SIZE_DEFAULT, VirtualLibrary, VirtualOptions,
};
use reel_hw::{Cancel, Changer, TapeDrive};
use reel_tape::{DriveDesk, DriveOpener};
use reel_types::{ChangerName, DriveName, LabelText};

use crate::failure::{Failure, Outcome};

/// Opens a `virtual:` drive.
struct VirtualOpener(VirtualOptions);

impl DriveOpener for VirtualOpener {
    fn open(&self, cancel: &Cancel) -> reel_hw::Result<Box<dyn TapeDrive>> {
        Ok(Box::new(virtual_drive::VirtualDrive::open(&self.0, cancel)?))
    }

    fn library(&self) -> Option<Box<dyn Changer>> {
        Some(Box::new(VirtualLibrary::new(self.0.clone(), Cancel::new())))
    }

    fn lock_path(&self) -> &Path {
        &self.0.path
    }
}

/// All configured drives.
pub struct Drives {
    config: ConfigDir,
    pbs_run: PathBuf,
    desks: Mutex<BTreeMap<DriveName, (VirtualDrive, Arc<DriveDesk>)>>,
}

impl Drives {
    /// The drives of `config`, with their locks in PBS's run folder.
    pub fn new(config: ConfigDir, pbs_run: PathBuf) -> Self {
        Self { config, pbs_run, desks: Mutex::default() }
    }

    /// What is configured, by name.
    pub fn configs(&self) -> Outcome<Vec<VirtualDrive>> {
        let (mut drives, _) = VirtualDrives::new(&self.config).list()?;
        drives.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(drives)
    }

    /// The desk of a drive.
    pub fn desk(&self, name: &DriveName) -> Outcome<Arc<DriveDesk>> {
        let config = VirtualDrives::new(&self.config).get(name).map_err(|error| match error {
            reel_config::ConfigError::NotFound { .. } => {
                Failure::not_found(format!("no such drive '{name}'"))
            }
            other => other.into(),
        })?;
        let mut desks = self.desks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, desk)) = desks.get(name).filter(|(known, _)| *known == config) {
            debug_assert_eq!(known.name, *name);
            return Ok(Arc::clone(desk));
        }
        let opener = Arc::new(VirtualOpener(options_of(&config)));
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
            [only] => self.desk(&only.name),
            _ => Err(Failure::invalid("unable to get (default) drive name; name one by '--drive'")),
        }
    }

    /// All desks.
    pub fn desks(&self) -> Outcome<Vec<Arc<DriveDesk>>> {
        self.configs()?.iter().map(|config| self.desk(&config.name)).collect()
    }

    /// Forgets the desks of drives that the configuration names no more, or names otherwise.
    pub fn let_go_of_unconfigured(&self) -> Outcome<()> {
        let configs = self.configs()?;
        let mut desks = self.desks.lock().unwrap_or_else(PoisonError::into_inner);
        desks.retain(|_, (known, _)| configs.contains(known));
        Ok(())
    }

    /// The name that a drive's library has in the inventory: a `virtual:` drive is its own.
    pub fn library_name(drive: &DriveName) -> Outcome<ChangerName> {
        Ok(drive.as_str().parse()?)
    }

    /// The drive in whose library media are online as `changer`.
    pub fn of_library(&self, changer: &ChangerName) -> Outcome<Option<Arc<DriveDesk>>> {
        let found = self.configs()?.into_iter().find(|c| c.name.as_str() == changer.as_str());
        found.map(|config| self.desk(&config.name)).transpose()
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
