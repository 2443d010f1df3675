//! Changers (`cli-tape.md` §5).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use reel_config::{ChangerConfig as Config, Changers, ConfigPath};
use reel_emu::{EmulatedLibrary, FolderError};
use reel_hw::scsi::DeviceType;
use reel_hw::{ElementContent, device, tool};
use reel_types::commands::results::{ChangerConfigEntry, ChangerListEntry, ChangerStatusEntry};
use reel_types::commands::{
    ChangerConfig, ChangerCreate, ChangerPath, ChangerRemove, ChangerStatus, ChangerTransfer,
    ChangerUpdate,
};
use reel_types::{ChangerName, DriveName};

use super::drive::{found_devices, vendor_model_serial};
use super::tape::slot_number;
use super::{Done, config_digest};
use crate::drives::labels_of;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

impl Reeld {
    pub(super) fn changer_scan(&self) -> Outcome<Done> {
        Ok(Done::Data(tool::scan(DeviceType::Changer)?))
    }

    pub(super) fn changer_list(&self) -> Outcome<Done> {
        let known = found_devices(DeviceType::Changer);
        let entry = |config: Config| {
            let (vendor, model, serial) =
                vendor_model_serial(self.drives.devices.identify_changer(&config.path, &known));
            ChangerListEntry {
                path: config.path.to_string(),
                export_slots: slots_text(&config),
                eject_before_unload: config.eject_before_unload.then_some(true),
                name: config.name,
                vendor,
                model,
                serial,
            }
        };
        Done::data(self.drives.changers()?.into_iter().map(entry).collect::<Vec<_>>())
    }

    pub(super) fn changer_config(&self, command: &ChangerConfig) -> Outcome<Done> {
        let config = self.drives.changer_config(&command.name)?;
        Done::data(ChangerConfigEntry {
            path: config.path.to_string(),
            eject_before_unload: config.eject_before_unload.then_some(true),
            export_slots: slots_text(&config),
            name: config.name,
        })
    }

    pub(super) fn changer_create(&self, command: &ChangerCreate) -> Outcome<Done> {
        let config = Config {
            name: command.name.clone(),
            path: command.path.to_string().parse()?,
            export_slots: command.export_slots.clone().unwrap_or_default(),
            eject_before_unload: command.eject_before_unload.unwrap_or(false),
        };
        match &command.path {
            ChangerPath::Emulated(folder) => self.create_emulated(&config, folder.as_path())?,
            ChangerPath::Device(_) => {
                self.expect_changer(&config.path)?;
                Changers::new(&self.config).create(&config)?;
            }
        }
        self.look_into(&config.name);
        Done::nothing()
    }

    /// Asks a changer what it holds, so that the tree can show it. One that does not answer now may do so later.
    pub(crate) fn look_into(&self, name: &ChangerName) {
        let looked = self
            .drives
            .library(name)
            .and_then(|mut changer| Ok(changer.status()?))
            .and_then(|status| self.note_seen(name, &status));
        if let Err(failure) = looked {
            tracing::warn!(changer = %name, %failure, "the changer can't be asked what it holds");
        }
    }

    /// Configures an emulated library; a folder without one gets one, once its entry is accepted.
    fn create_emulated(&self, config: &Config, folder: &Path) -> Outcome<()> {
        let changers = Changers::new(&self.config);
        changers.create(config)?;
        let made = make_library(folder);
        if made.is_err() {
            changers.remove(&config.name, None)?;
        }
        made
    }

    pub(super) fn changer_update(&self, command: &ChangerUpdate) -> Outcome<Done> {
        let digest = config_digest(command.digest.as_ref())?;
        let path: Option<ConfigPath> =
            command.path.as_ref().map(|path| path.to_string().parse()).transpose()?;
        if let Some(path) = &path {
            self.expect_changer(path)?;
        }
        let delete: Vec<&str> = command.delete.iter().map(|key| key.as_str()).collect();
        Changers::new(&self.config).update(&command.name, &delete, digest.as_ref(), |config| {
            config.path = path.unwrap_or(config.path.clone());
            if let Some(slots) = &command.export_slots {
                config.export_slots = slots.clone();
            }
            config.eject_before_unload =
                command.eject_before_unload.unwrap_or(config.eject_before_unload);
            Ok(())
        })?;
        self.drives.let_go_of_unconfigured()?;
        self.look_into(&command.name);
        Done::nothing()
    }

    pub(super) fn changer_remove(&self, command: &ChangerRemove) -> Outcome<Done> {
        Changers::new(&self.config).remove(&command.name, None)?;
        self.drives.let_go_of_unconfigured()?;
        Done::nothing()
    }

    /// Fails where nothing at the path answers as a changer.
    fn expect_changer(&self, path: &ConfigPath) -> Outcome<()> {
        let transport = self.drives.devices.changer(path)?;
        Ok(device::identify(DeviceType::Changer, transport).map(drop)?)
    }

    pub(super) fn changer_transfer(&self, command: &ChangerTransfer) -> Outcome<Done> {
        let name = self.changer_by(command.name.as_ref(), command.drive.as_ref())?;
        let (from, to) = (slot_number(&command.from)?, slot_number(&command.to)?);
        let mut changer = self.drives.library(&name)?;
        changer.transfer(from, to)?;
        self.note_seen(&name, &*changer.known_status()?)?;
        Done::nothing()
    }

    pub(super) fn changer_status(&self, command: &ChangerStatus) -> Outcome<Done> {
        let name = self.changer_by(command.name.as_ref(), command.drive.as_ref())?;
        let mut library = self.drives.library(&name)?;
        let status = match command.cache {
            true => library.known_status()?,
            false => Arc::new(library.status()?),
        };
        self.note_seen(&name, &status)?;
        let states = self.drive_states(&name)?;
        Done::data(status_entries(&status, &states))
    }

    /// Brings the locations of media up to date with what lies in a changer.
    pub(crate) fn note_seen(
        &self,
        name: &ChangerName,
        status: &reel_hw::ChangerStatus,
    ) -> Outcome<()> {
        let mut labels: BTreeMap<_, _> =
            self.drives.library_names()?.into_iter().map(|library| (library, None)).collect();
        labels.insert(name.clone(), Some(labels_of(&status.online_media())));
        self.note_online(&labels)
    }

    /// What each drive of a changer is held for.
    fn drive_states(&self, changer: &ChangerName) -> Outcome<BTreeMap<u32, String>> {
        let mut states = BTreeMap::new();
        for config in self.drives.drives_in(changer)? {
            if let Some(activity) = self.drives.desk_of(&config).activity() {
                states.insert(config.number_in_changer(), activity);
            }
        }
        Ok(states)
    }

    /// The changer of that name, else that of the drive, else the only one there is (`cli-tape.md` §2).
    fn changer_by(
        &self,
        name: Option<&ChangerName>,
        drive: Option<&DriveName>,
    ) -> Outcome<ChangerName> {
        match (name, drive) {
            (None, Some(drive)) => self.changer_of_drive(drive),
            (name, _) => self.chosen_changer(name),
        }
    }

    pub(crate) fn changer_of_drive(&self, drive: &DriveName) -> Outcome<ChangerName> {
        let library = self.drives.config(drive)?.library_name();
        library.ok_or_else(|| {
            Failure::invalid(format!("drive '{drive}' has no associated changer device"))
        })
    }

    /// The changer that a command names, or the only one there is.
    pub(super) fn chosen_changer(&self, name: Option<&ChangerName>) -> Outcome<ChangerName> {
        if let Some(name) = name {
            return Ok(name.clone());
        }
        let names = self.drives.library_names()?;
        match names.first() {
            Some(only) if names.len() == 1 => Ok(only.clone()),
            _ => Err(Failure::invalid("unable to get (default) changer name; name one")),
        }
    }
}

/// Drives, then slots; `states` says what each drive is held for.
fn status_entries(
    status: &reel_hw::ChangerStatus,
    states: &BTreeMap<u32, String>,
) -> Vec<ChangerStatusEntry> {
    let drives = status.drives.iter().map(|drive| ChangerStatusEntry {
        entry_kind: "drive".into(),
        entry_id: u64::from(drive.number.0),
        label_text: label_of(&drive.content),
        loaded_slot: drive.loaded_slot.map(|slot| u64::from(slot.get())),
        state: states.get(&drive.number.0).cloned(),
    });
    let slots = status.slots.iter().map(|slot| ChangerStatusEntry {
        entry_kind: if slot.import_export { "import-export" } else { "slot" }.into(),
        entry_id: u64::from(slot.number.get()),
        label_text: label_of(&slot.content),
        loaded_slot: None,
        state: None,
    });
    drives.chain(slots).collect()
}

fn slots_text(config: &Config) -> Option<String> {
    Some(&config.export_slots).filter(|slots| !slots.is_empty()).map(ToString::to_string)
}

/// The label in an element; empty for a medium without a readable bar code, none for no medium.
fn label_of(content: &ElementContent) -> Option<String> {
    match content {
        ElementContent::Empty => None,
        ElementContent::Full => Some(String::new()),
        ElementContent::VolumeTag(tag) => Some(tag.as_str().into()),
    }
}

/// Makes a library in a folder, unless there is one.
fn make_library(folder: &Path) -> Outcome<()> {
    match EmulatedLibrary::create_default(folder) {
        Ok(()) | Err(FolderError::Exists { .. }) => Ok(()),
        Err(error) => {
            Err(Failure::new(error.errno(), format!("make an emulated library: {error}")))
        }
    }
}
