//! Drives and the library that a drive is (`cli-tape.md` §§5, 6).

use std::time::Duration;

use reel_config::{Entry, VirtualDrive, VirtualDrives};
use reel_hw::ElementContent;
use reel_hw::stream::TAPE_BLOCK_SIZE;
use reel_tape::DriveHold;
use reel_types::Cancel;
use reel_types::commands::results::{
    ChangerStatusEntry, DriveConfigEntry, DriveListEntry, DriveStatusEntry,
};
use reel_types::commands::{ChangerStatus, DriveConfig, DriveCreate, DriveRemove, DriveStatus};

use super::Done;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

/// How long a command waits for a drive that is busy (`tape-state.md` §2).
pub(super) const DRIVE_WAIT: Duration = Duration::from_secs(10);

impl Reeld {
    pub(super) fn drive_list(&self) -> Outcome<Done> {
        let mut entries = Vec::new();
        for config in self.drives.configs()? {
            let desk = self.drives.desk(&config.name)?;
            entries.push(DriveListEntry {
                path: config.path.to_string(),
                changer: None,
                changer_drivenum: None,
                vendor: None,
                model: None,
                serial: None,
                state: desk.activity(),
                activity: Some(desk.state().as_str().into()),
                name: config.name,
            });
        }
        Done::data(entries)
    }

    pub(super) fn drive_config(&self, command: &DriveConfig) -> Outcome<Done> {
        let config = VirtualDrives::new(&self.config).get(&command.name)?;
        Done::data(DriveConfigEntry {
            path: config.path.to_string(),
            changer: None,
            changer_drivenum: None,
            max_size: config.max_size_bytes.map(|bytes| bytes.to_string()),
            name: config.name,
        })
    }

    pub(super) fn drive_create(&self, command: &DriveCreate) -> Outcome<Done> {
        let folder = command.path.folder();
        let taken = self.drives.configs()?.into_iter().find(|drive| drive.path.as_path() == folder);
        if let Some(other) = taken {
            let text = format!("'{}' is drive '{}' already", folder.display(), other.name);
            return Err(Failure::new(nix::libc::EEXIST, text));
        }
        std::fs::create_dir_all(folder).map_err(|error| {
            let errno = error.raw_os_error().unwrap_or(nix::libc::EIO);
            Failure::new(errno, format!("create the folder '{}': {error}", folder.display()))
        })?;
        let text = folder.to_str().ok_or_else(|| Failure::invalid("the path must be UTF-8"))?;
        let config = VirtualDrive {
            name: command.name.clone(),
            path: text.parse()?,
            max_size_bytes: command.max_size.map(|size| size.bytes()),
        };
        VirtualDrives::new(&self.config).create(&config)?;
        Done::nothing()
    }

    pub(super) fn drive_remove(&self, command: &DriveRemove) -> Outcome<Done> {
        let desk = self.drives.desk(&command.name)?;
        if let Some(holder) = desk.activity() {
            let text = format!(
                "{} '{}' is busy ({holder}); try again later",
                VirtualDrive::KIND,
                command.name
            );
            return Err(Failure::new(nix::libc::EBUSY, text));
        }
        VirtualDrives::new(&self.config).remove(&command.name, None)?;
        Done::nothing()
    }

    pub(super) fn drive_status(&self, command: &DriveStatus) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let activity = Some(desk.state().as_str().to_string());
        let mut hold = desk.hold("reading drive status", DRIVE_WAIT, &Cancel::new())?;
        Done::data(status_of(&mut hold, activity)?)
    }

    pub(super) fn changer_status(&self, command: &ChangerStatus) -> Outcome<Done> {
        let name = match &command.name {
            Some(name) => Some(name.as_str().parse()?),
            None => command.drive.clone(),
        };
        let desk = self.drives.chosen(name.as_ref())?;
        let mut library = desk.library().ok_or_else(|| {
            Failure::invalid(format!("drive '{}' has no associated changer device", desk.name()))
        })?;
        let status = library.status()?;
        self.refresh_online_status()?;
        let drives = status.drives.iter().map(|drive| ChangerStatusEntry {
            entry_kind: "drive".into(),
            entry_id: u64::from(drive.number.0),
            label_text: label_of(&drive.content),
            loaded_slot: drive.loaded_slot.map(|slot| u64::from(slot.get())),
            state: desk.activity(),
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
}

/// The label in an element; empty for a medium without a readable bar code, none for no medium.
fn label_of(content: &ElementContent) -> Option<String> {
    match content {
        ElementContent::Empty => None,
        ElementContent::Full => Some(String::new()),
        ElementContent::VolumeTag(tag) => Some(tag.as_str().into()),
    }
}

fn status_of(hold: &mut DriveHold, drive_activity: Option<String>) -> Outcome<DriveStatusEntry> {
    let loaded = hold.drive().medium_loaded()?;
    let position = loaded.then(|| hold.drive().position()).transpose()?;
    let statistics = loaded.then(|| hold.drive().statistics()).transpose()?;
    let alerts = hold.drive().tape_alerts()?;
    let flags: Vec<String> = alerts.flags().map(|flag| format!("{flag:#04x}")).collect();
    Ok(DriveStatusEntry {
        alert_flags: loaded.then(|| format!("({})", flags.join(" | "))),
        block_number: position.map(|position| position.object.0),
        blocksize: TAPE_BLOCK_SIZE as u64,
        buffer_mode: 1,
        bytes_read: statistics.as_ref().and_then(|s| s.lifetime_bytes_read).map(|b| b.bytes()),
        bytes_written: statistics
            .as_ref()
            .and_then(|s| s.lifetime_bytes_written)
            .map(|b| b.bytes()),
        compression: false,
        density: None,
        drive_activity,
        file_number: position.map(|position| position.file.0),
        manufactured: None,
        medium_passes: None,
        medium_wearout: None,
        product: "virtual".into(),
        revision: env!("CARGO_PKG_VERSION").into(),
        vendor: "reelfs".into(),
        volume_mounts: None,
        write_protect: statistics.as_ref().map(|statistics| statistics.write_protect),
    })
}
