//! How media and drives do over time, from what is kept: nothing here asks a device.

use std::collections::BTreeSet;

use reel_hw::{TapeAlerts, VolumeTag};
use reel_tape::InventoryEntry;
use reel_tape::health::thresholds::PASSES_OF_A_LIFE;
use reel_tape::health::{CleaningUse, Health, HealthRecord, VolumeCounters, verdict};
use reel_tape::ops::MediumName;
use reel_types::commands::results::{DriveHealthEntry, HealthEntry, MediaHealthEntry};
use reel_types::commands::{DriveHealth, MediaHealth};
use reel_types::{DriveName, LabelText, MediaId};

use super::Done;
use crate::failure::Outcome;
use crate::reeld::Reeld;

/// The verdict on what was never seen in a drive.
const UNKNOWN: &str = "unknown";

impl Reeld {
    pub(super) fn media_health(&self, command: &MediaHealth) -> Outcome<Done> {
        let MediaHealth { label_text, uuid } = command;
        let Some(label) = label_text.as_ref().filter(|_| uuid.is_none()) else {
            return match uuid {
                Some(uuid) => Done::data(self.medium_health(*uuid, true)?),
                None => Done::data(self.all_media_health()?),
            };
        };
        if let Some(tag) = VolumeTag::new(label.as_str()).filter(VolumeTag::is_cleaning) {
            return Done::data(self.cleaner_health(&tag, true)?);
        }
        let name = MediumName::of(Some(label), None)?;
        let medium = name.find(&self.tape.inventory.load()?)?;
        Done::data(self.medium_health(medium, true)?)
    }

    fn all_media_health(&self) -> Outcome<Vec<MediaHealthEntry>> {
        let inventory = self.tape.inventory.load()?;
        let media = inventory.iter().map(|medium| self.health_of_medium(medium, false));
        let cleaners = self.cleaners()?;
        let cleaners = cleaners.iter().map(|tag| self.cleaner_health(tag, false));
        media.chain(cleaners).collect()
    }

    /// The cleaning cartridges that were used, and those that lay in a library when it was last asked.
    fn cleaners(&self) -> Outcome<BTreeSet<VolumeTag>> {
        let mut tags: BTreeSet<_> = self.tape.health.used_cleaners()?.into_iter().collect();
        for changer in self.drives.changers()? {
            let Some(seen) = self.drives.seen(&changer.name) else { continue };
            tags.extend(seen.cleaning_cartridges().map(|(_, tag)| tag.clone()));
        }
        Ok(tags)
    }

    /// How a medium of the inventory does.
    pub(crate) fn medium_health(
        &self,
        medium: MediaId,
        with_history: bool,
    ) -> Outcome<MediaHealthEntry> {
        self.health_of_medium(self.tape.inventory.load()?.require(medium)?, with_history)
    }

    fn health_of_medium(
        &self,
        medium: &InventoryEntry,
        with_history: bool,
    ) -> Outcome<MediaHealthEntry> {
        let records = self.tape.health.of_medium(medium.uuid())?;
        let history = with_history.then(|| records.iter().map(entry_of).collect());
        let label = &medium.labels.label.label_text;
        Ok(MediaHealthEntry { history, ..medium_entry(label, medium.uuid(), &records) })
    }

    /// How a cleaning cartridge does.
    pub(crate) fn cleaner_health(
        &self,
        tag: &VolumeTag,
        with_history: bool,
    ) -> Outcome<MediaHealthEntry> {
        let uses = self.tape.health.uses_of_cleaner(tag)?;
        let cleaner = reel_tape::health::cleaner_of(&uses);
        let health = verdict::of_cleaner(tag, &cleaner);
        Ok(MediaHealthEntry {
            history: with_history.then(|| uses.iter().map(entry_of_use).collect()),
            kind: "cleaning".into(),
            last_drive: cleaner.last.as_ref().map(|last| last.drive.clone()),
            last_seen: cleaner.last.as_ref().map(|last| last.time),
            medium_wearout: Some(cleaner.wearout_percent() as f64 / 100.0),
            uses: Some(cleaner.uses),
            uses_left: Some(cleaner.uses_left()),
            ..judged(tag.to_string(), &health, false)
        })
    }

    pub(super) fn drive_health(&self, command: &DriveHealth) -> Outcome<Done> {
        if let Some(name) = &command.name {
            self.drives.config(name)?;
            return Done::data(self.health_of_drive(name, true)?);
        }
        let drives = self.drives.configs()?;
        let rows = drives.iter().map(|drive| self.health_of_drive(drive.name(), false));
        Done::data(rows.collect::<Outcome<Vec<_>>>()?)
    }

    /// How a drive does.
    pub(crate) fn health_of_drive(
        &self,
        name: &DriveName,
        with_history: bool,
    ) -> Outcome<DriveHealthEntry> {
        let records = self.tape.health.of_drive(name)?;
        let health = verdict::of_drive(&records, self.clock.now());
        let last = records.last();
        let count = |of: fn(&HealthRecord) -> Option<u64>| last.and_then(of);
        Ok(DriveHealthEntry {
            advice: health.advice(),
            auto_clean: self.is_cleaned_by_itself(name)?,
            cleaning: last.and_then(|last| last.cleaning).map(|wish| wish.as_str().into()),
            drive_cleanings: count(|last| last.drive_cleanings),
            drive_loads: count(|last| last.drive_loads),
            hard_read_errors: count(|last| last.hard_read_errors),
            hard_write_errors: count(|last| last.hard_write_errors),
            history: with_history.then(|| records.iter().map(entry_of).collect()),
            last_seen: last.map(|last| last.time),
            motion_hours: count(|last| last.motion_hours),
            motion_hours_since_cleaning: count(|last| last.motion_hours_since_cleaning),
            name: name.clone(),
            power_on_hours: count(|last| last.power_on_hours),
            serial: last.and_then(|last| last.drive_serial.clone()),
            verdict: verdict_of(&health, last.is_none()),
        })
    }
}

fn verdict_of(health: &Health, unseen: bool) -> String {
    if unseen { UNKNOWN } else { health.verdict().as_str() }.to_owned()
}

/// An entry with the judgement and nothing else.
fn judged(label_text: String, health: &Health, unseen: bool) -> MediaHealthEntry {
    MediaHealthEntry {
        advice: health.advice(),
        bytes_read: None,
        bytes_written: None,
        history: None,
        kind: "data".into(),
        label_text,
        last_drive: None,
        last_seen: None,
        medium_passes: None,
        medium_wearout: None,
        recovered_errors: None,
        serial: None,
        unrecovered_errors: None,
        uses: None,
        uses_left: None,
        uuid: None,
        verdict: verdict_of(health, unseen),
        volume_mounts: None,
    }
}

fn medium_entry(label: &LabelText, medium: MediaId, records: &[HealthRecord]) -> MediaHealthEntry {
    let last = records.last();
    let volume = last.and_then(|last| last.volume).unwrap_or_default();
    MediaHealthEntry {
        bytes_read: volume.bytes_read,
        bytes_written: volume.bytes_written,
        last_drive: last.map(|last| last.drive.clone()),
        last_seen: last.map(|last| last.time),
        medium_passes: volume.passes,
        medium_wearout: volume.passes.map(|passes| passes as f64 / PASSES_OF_A_LIFE as f64),
        recovered_errors: sum(volume.recovered_write_errors, volume.recovered_read_errors),
        serial: last.and_then(|last| last.medium_serial.clone()),
        unrecovered_errors: unrecovered(&volume),
        uuid: Some(medium),
        volume_mounts: volume.mounts,
        ..judged(label.to_string(), &verdict::of_medium(records), last.is_none())
    }
}

fn entry_of(record: &HealthRecord) -> HealthEntry {
    let volume = record.volume.unwrap_or_default();
    HealthEntry {
        alerts: names_of(record.tape_alerts()),
        bytes_read: volume.bytes_read,
        bytes_written: volume.bytes_written,
        cleaning: record.cleaning.map(|wish| wish.as_str().into()),
        drive: record.drive.clone(),
        label_text: record.label_text.clone(),
        medium_passes: volume.passes,
        read_corrected: record.read.corrected,
        read_uncorrected: record.read.uncorrected,
        time: record.time,
        unrecovered_errors: unrecovered(&volume),
        volume_mounts: volume.mounts,
        write_corrected: record.write.corrected,
        write_uncorrected: record.write.uncorrected,
    }
}

fn entry_of_use(one: &CleaningUse) -> HealthEntry {
    let expired = one.expired.then(|| "EXPIRED_CLEANING_MEDIA".to_owned());
    HealthEntry {
        alerts: expired.into_iter().collect(),
        bytes_read: None,
        bytes_written: None,
        cleaning: None,
        drive: one.drive.clone(),
        label_text: one.cartridge.parse().ok(),
        medium_passes: None,
        read_corrected: None,
        read_uncorrected: None,
        time: one.time,
        unrecovered_errors: None,
        volume_mounts: None,
        write_corrected: None,
        write_uncorrected: None,
    }
}

fn names_of(alerts: TapeAlerts) -> Vec<String> {
    alerts.names().map(ToOwned::to_owned).collect()
}

fn unrecovered(volume: &VolumeCounters) -> Option<u64> {
    sum(volume.unrecovered_write_errors, volume.unrecovered_read_errors)
}

/// The sum of what is known.
fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}
