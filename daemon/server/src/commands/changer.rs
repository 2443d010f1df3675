//! Changers (`cli-tape.md` §5).

use std::collections::BTreeMap;
use std::path::Path;

use reel_config::{ChangerConfig as Config, Changers, ConfigPath};
use reel_emu::{
    CartridgeFacts, CartridgeKind, DriveModel, EmulatedLibrary, FolderError, Generation,
    LibraryShape, Maker,
};
use reel_hw::scsi::DeviceType;
use reel_hw::{Cancel, Changer, ElementContent, SlotNumber};
use reel_types::ChangerName;
use reel_types::commands::results::{ChangerConfigEntry, ChangerListEntry, ChangerStatusEntry};
use reel_types::commands::{
    ChangerConfig, ChangerCreate, ChangerPath, ChangerRemove, ChangerStatus, ChangerTransfer,
    ChangerUpdate, SlotParam,
};

use super::Done;
use super::drive::scan;
use super::tape::slot_number;
use crate::drives::ConfiguredDrive;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

impl Reeld {
    pub(super) fn changer_scan(&self) -> Outcome<Done> {
        Done::data(scan(DeviceType::Changer)?)
    }

    pub(super) fn changer_list(&self) -> Outcome<Done> {
        let entries = self.drives.changers()?.into_iter().map(|config| {
            let identity = self.drives.devices.identify_changer(&config);
            ChangerListEntry {
                path: config.path.to_string(),
                export_slots: slots_text(&config),
                eject_before_unload: config.eject_before_unload.then_some(true),
                name: config.name,
                vendor: identity.vendor,
                model: identity.model,
                serial: identity.serial,
            }
        });
        Done::data(entries.collect::<Vec<_>>())
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
            path: self.changer_path(&command.path)?,
            export_slots: command.export_slots.clone().unwrap_or_default().slots().to_vec(),
            eject_before_unload: command.eject_before_unload.unwrap_or(false),
        };
        Changers::new(&self.config).create(&config)?;
        Done::nothing()
    }

    pub(super) fn changer_update(&self, command: &ChangerUpdate) -> Outcome<Done> {
        let path = command.path.as_ref().map(|path| self.changer_path(path)).transpose()?;
        let delete: Vec<&str> = command.delete.iter().map(|key| key.as_str()).collect();
        Changers::new(&self.config).update(&command.name, &delete, None, |config| {
            if let Some(path) = path {
                config.path = path;
            }
            if let Some(slots) = &command.export_slots {
                config.export_slots = slots.slots().to_vec();
            }
            config.eject_before_unload =
                command.eject_before_unload.unwrap_or(config.eject_before_unload);
            Ok(())
        })?;
        self.drives.let_go_of_unconfigured()?;
        Done::nothing()
    }

    pub(super) fn changer_remove(&self, command: &ChangerRemove) -> Outcome<Done> {
        reel_config::remove_changer(&self.config, &command.name)?;
        self.drives.let_go_of_unconfigured()?;
        Done::nothing()
    }

    /// A device must be a changer; the folder of an emulated library gets one if it has none.
    fn changer_path(&self, path: &ChangerPath) -> Outcome<ConfigPath> {
        let config_path: ConfigPath = path.to_string().parse()?;
        match path {
            ChangerPath::Emulated(folder) => make_library(folder.as_path())?,
            ChangerPath::Device(_) => {
                let opened = self.drives.devices.changer(&config_path)?;
                reel_hw::ScsiChanger::open(opened, Default::default(), &Cancel::new())?;
            }
        }
        Ok(config_path)
    }

    pub(super) fn changer_transfer(&self, command: &ChangerTransfer) -> Outcome<Done> {
        let name = self.chosen_changer(command.name.as_ref())?;
        let (from, to) = (slot(&command.from)?, slot(&command.to)?);
        self.changer(&name)?.transfer(from, to)?;
        self.refresh_online_status()?;
        Done::nothing()
    }

    pub(super) fn changer_status(&self, command: &ChangerStatus) -> Outcome<Done> {
        let name = match (&command.name, &command.drive) {
            (Some(name), _) => name.clone(),
            (None, Some(drive)) => self.changer_of_drive(drive)?,
            (None, None) => self.chosen_changer(None)?,
        };
        let status = self.changer(&name)?.status()?;
        self.refresh_online_status()?;
        let states = self.drive_states(&name)?;
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
        Done::data(drives.chain(slots).collect::<Vec<_>>())
    }

    /// What each drive of a changer is held for.
    fn drive_states(&self, changer: &ChangerName) -> Outcome<BTreeMap<u32, String>> {
        let mut states = BTreeMap::new();
        for config in self.drives.configs()? {
            if config.library_name().as_ref() != Some(changer) {
                continue;
            }
            if let Some(activity) = self.drives.desk(config.name())?.activity() {
                states.insert(config.number_in_changer(), activity);
            }
        }
        Ok(states)
    }

    fn changer_of_drive(&self, drive: &reel_types::DriveName) -> Outcome<ChangerName> {
        let library = self.drives.config(drive)?.library_name();
        library.ok_or_else(|| {
            Failure::invalid(format!("drive '{drive}' has no associated changer device"))
        })
    }

    /// The changer that a command names, or the only one there is.
    fn chosen_changer(&self, name: Option<&ChangerName>) -> Outcome<ChangerName> {
        if let Some(name) = name {
            return Ok(name.clone());
        }
        let mut names: Vec<_> = self.drives.libraries()?.into_keys().collect();
        names.extend(self.drives.changers()?.into_iter().map(|changer| changer.name));
        names.sort();
        names.dedup();
        match names.as_slice() {
            [only] => Ok(only.clone()),
            _ => Err(Failure::invalid("unable to get (default) changer name; name one")),
        }
    }

    /// A changer by its name; a `virtual:` drive is one too.
    pub(crate) fn changer(&self, name: &ChangerName) -> Outcome<Box<dyn Changer>> {
        let changers = self.drives.changers()?;
        if let Some(config) = changers.iter().find(|config| config.name == *name) {
            return Ok(self.drives.devices.robot(config, None, &Cancel::new())?);
        }
        let drive = self.drives.configs()?.into_iter().find(|drive| {
            matches!(drive, ConfiguredDrive::Virtual(_)) && drive.name().as_str() == name.as_str()
        });
        let Some(drive) = drive else {
            return Err(Failure::not_found(format!("no such changer '{name}'")));
        };
        let library = self.drives.desk(drive.name())?.library();
        library.ok_or_else(|| Failure::not_found(format!("no such changer '{name}'")))
    }
}

fn slot(slot: &SlotParam) -> Outcome<SlotNumber> {
    slot_number(slot)
}

fn slots_text(config: &Config) -> Option<String> {
    let slots: Vec<_> = config.export_slots.iter().map(u32::to_string).collect();
    (!slots.is_empty()).then(|| slots.join(","))
}

/// The label in an element; empty for a medium without a readable bar code, none for no medium.
fn label_of(content: &ElementContent) -> Option<String> {
    match content {
        ElementContent::Empty => None,
        ElementContent::Full => Some(String::new()),
        ElementContent::VolumeTag(tag) => Some(tag.as_str().into()),
    }
}

/// Makes a library of two drives, eight slots and a few media in a folder, unless there is one.
pub(super) fn make_library(folder: &Path) -> Outcome<()> {
    let drive = |number: u32| DriveModel {
        maker: Maker::Ibm,
        generation: Generation::Lto8,
        full_height: true,
        serial: format!("REELDR{number:04}"),
    };
    let shape = LibraryShape {
        serial: "REELLIB001".into(),
        drives: (0..2).map(drive).collect(),
        storage_slots: 8,
        import_export_slots: 2,
        ejects: true,
    };
    match EmulatedLibrary::create(folder, &shape) {
        Err(FolderError::Exists { .. }) => return Ok(()),
        made => made.map_err(library_failed)?,
    }
    let library = EmulatedLibrary::open(folder).map_err(library_failed)?;
    let data = (1..=6).map(|number| (format!("REEL{number:02}L8"), CartridgeKind::Data));
    let cleaning = ("CLN001CU".to_owned(), CartridgeKind::Cleaning { uses: 50 });
    for (barcode, kind) in data.chain([cleaning]) {
        library.add_cartridge(blank(&barcode, kind)).map_err(library_failed)?;
    }
    Ok(())
}

fn blank(barcode: &str, kind: CartridgeKind) -> CartridgeFacts {
    let seed = barcode.bytes().fold(7, |seed: u64, byte| seed * 31 + u64::from(byte));
    let capacity = reel_emu::cartridge::CAPACITY_DEFAULT;
    let blank = CartridgeFacts::blank(barcode, Generation::Lto8.density(), capacity);
    CartridgeFacts { kind, seed, ..blank }
}

fn library_failed(error: FolderError) -> Failure {
    Failure::new(nix::libc::EIO, format!("make an emulated library: {error}"))
}
