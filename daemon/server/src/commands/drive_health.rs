//! What drives and media say of their state (`cli-tape.md` §3).

use reel_hw::{DriveFacts, tool};
use reel_tape::DriveState;
use reel_tape::ops::clean_drive;
use reel_types::commands::results::{AlertFlagsEntry, DriveStatusEntry};
use reel_types::commands::{
    CartridgeMemory, Clean, DriveStatus, EndOfData, TapeAlertFlags, VolumeStatistics,
};
use reel_types::{AuthId, Cancel};

use super::Done;
use super::drive::DRIVE_WAIT;
use crate::failure::Outcome;
use crate::reeld::Reeld;

impl Reeld {
    pub(super) fn drive_status(&self, command: &DriveStatus) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let state = desk.state().as_str().to_string();
        let mut hold = desk.look("reading drive status", DRIVE_WAIT, &Cancel::new())?;
        Done::data(status_of(hold.drive().facts()?, state))
    }

    pub(super) fn cartridge_memory(&self, command: &CartridgeMemory) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let mut hold = desk.look("reading cartridge memory", DRIVE_WAIT, &Cancel::new())?;
        let memory = hold.drive().cartridge_memory()?;
        Ok(Done::Data(tool::memory(&memory)))
    }

    pub(super) fn volume_statistics(&self, command: &VolumeStatistics) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let mut hold = desk.look("reading volume statistics", DRIVE_WAIT, &Cancel::new())?;
        Done::data(hold.drive().volume_statistics()?)
    }

    pub(super) fn tape_alert_flags(&self, command: &TapeAlertFlags) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let mut hold = desk.look("reading tape alerts", DRIVE_WAIT, &Cancel::new())?;
        let alerts = hold.drive().tape_alerts()?;
        Done::data(AlertFlagsEntry { tape_alert_flags: alerts.to_string() })
    }

    pub(super) fn end_of_data(&self, command: &EndOfData) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let mut hold = desk.hold("moving to eom", DRIVE_WAIT, &Cancel::new())?;
        hold.set_state(DriveState::Locating);
        hold.drive().space_to_end_of_data()?;
        Done::nothing()
    }

    pub(super) fn clean(&self, command: &Clean, who: &AuthId) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        self.drive_task(&desk, "clean-drive", desk.name().as_str(), who, |hold, task| {
            Ok(clean_drive(hold, task)?)
        })
    }
}

/// `state` stands for a drive that does not say what it is doing, as a `virtual:` one.
fn status_of(facts: DriveFacts, state: String) -> DriveStatusEntry {
    let own = |text: String, instead: &str| if text.is_empty() { instead.to_owned() } else { text };
    DriveStatusEntry {
        alert_flags: facts.alerts.map(|alerts| alerts.to_string()),
        block_number: facts.position.map(|position| position.object.0),
        blocksize: u64::from(facts.block_length),
        buffer_mode: u64::from(facts.buffer_mode),
        bytes_read: facts.bytes_read,
        bytes_written: facts.bytes_written,
        compression: facts.compression,
        density: facts.density.clone(),
        file_number: facts.position.map(|position| position.file.0),
        manufactured: facts.manufactured,
        medium_passes: facts.medium_passes,
        medium_wearout: facts.wearout(),
        volume_mounts: facts.volume_mounts,
        write_protect: facts.write_protect,
        drive_activity: Some(facts.activity.unwrap_or(state)),
        product: own(facts.product, "virtual"),
        revision: own(facts.revision, env!("CARGO_PKG_VERSION")),
        vendor: own(facts.vendor, "reelfs"),
    }
}
