//! What drives and media say of their state (`cli-tape.md` §3).

use reel_hw::scsi::attribute::Attribute;
use reel_hw::scsi::log::VolumeStatisticsPage;
use reel_hw::{DriveFacts, TapeAlerts};
use reel_tape::DriveState;
use reel_tape::ops::clean_drive;
use reel_types::commands::results::{
    AlertFlagsEntry, DriveStatusEntry, MemoryEntry, VolumeStatisticsEntry,
};
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
        let mut hold = desk.hold("reading drive status", DRIVE_WAIT, &Cancel::new())?;
        Done::data(status_of(hold.drive().facts()?, state))
    }

    pub(super) fn cartridge_memory(&self, command: &CartridgeMemory) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let mut hold = desk.hold("reading cartridge memory", DRIVE_WAIT, &Cancel::new())?;
        let memory = hold.drive().cartridge_memory()?;
        Done::data(memory.attributes.iter().filter_map(memory_entry).collect::<Vec<_>>())
    }

    pub(super) fn volume_statistics(&self, command: &VolumeStatistics) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let mut hold = desk.hold("reading volume statistics", DRIVE_WAIT, &Cancel::new())?;
        Done::data(statistics_entry(hold.drive().volume_statistics()?))
    }

    pub(super) fn tape_alert_flags(&self, command: &TapeAlertFlags) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let mut hold = desk.hold("reading tape alerts", DRIVE_WAIT, &Cancel::new())?;
        let alerts: TapeAlerts = hold.drive().tape_alerts()?;
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

/// An attribute that PBS knows, as it prints it.
fn memory_entry(attribute: &Attribute) -> Option<MemoryEntry> {
    let info = attribute.info()?;
    Some(MemoryEntry {
        id: u64::from(attribute.id),
        name: info.name.to_owned(),
        value: attribute.render()?,
    })
}

fn statistics_entry(page: VolumeStatisticsPage) -> VolumeStatisticsEntry {
    VolumeStatisticsEntry {
        beginning_of_medium_passes: page.beginning_of_medium_passes,
        last_load_read_compression_ratio: page.last_load_read_compression_ratio,
        last_load_write_compression_ratio: page.last_load_write_compression_ratio,
        last_mount_bytes_read: page.last_mount_bytes_read,
        last_mount_bytes_written: page.last_mount_bytes_written,
        last_mount_unrecovered_read_errors: page.last_mount_unrecovered_read_errors,
        last_mount_unrecovered_write_errors: page.last_mount_unrecovered_write_errors,
        lifetime_bytes_read: page.lifetime_bytes_read,
        lifetime_bytes_written: page.lifetime_bytes_written,
        medium_mount_time: page.medium_mount_time,
        medium_ready_time: page.medium_ready_time,
        middle_of_tape_passes: page.middle_of_tape_passes,
        serial: page.serial,
        total_native_capacity: page.total_native_capacity,
        total_used_native_capacity: page.total_used_native_capacity,
        volume_datasets_read: page.volume_datasets_read,
        volume_datasets_written: page.volume_datasets_written,
        volume_mounts: page.volume_mounts,
        volume_recovered_read_errors: page.volume_recovered_read_errors,
        volume_recovered_write_data_errors: page.volume_recovered_write_data_errors,
        volume_unrecovered_read_errors: page.volume_unrecovered_read_errors,
        volume_unrecovered_write_data_errors: page.volume_unrecovered_write_data_errors,
        volume_unrecovered_write_servo_errors: page.volume_unrecovered_write_servo_errors,
        volume_write_servo_errors: page.volume_write_servo_errors,
        worm: page.worm,
        write_protect: page.write_protect,
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
