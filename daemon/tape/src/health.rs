//! How drives, media and cleaning cartridges do over time.
//!
//! Whenever a medium is about to leave a drive, and when a drive that was used is let go, it is asked for its alerts and
//! counters ([`HealthRecord`]). That is kept in a file for each drive and one for each medium (`Journal`), and judged
//! ([`verdict`]) by limits that stand in one place ([`thresholds`]). A drive whose health cannot be read works on: it
//! is only a warning.
//!
//! ```text
//! STATE/health/drives/NAME.jsonl      a line for each look at a drive
//! STATE/health/media/UUID.jsonl       a line for each look at a medium of the inventory
//! STATE/health/cleaning/TAG.jsonl     a line for each use of a cleaning cartridge
//! ```

mod alerts;
mod cleaning;
mod journal;
mod record;
pub mod thresholds;
pub mod verdict;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reel_hw::{DriveHealth, VolumeTag};
use reel_types::{Clock, DriveName, LabelText, MediaId, escape_worker_id};

use crate::inventory::InventoryFile;
use crate::state_dir::StateDir;
use crate::{Error, Result};

pub use cleaning::{Cleaner, CleaningUse, cleaner_of};
use journal::Journal;
pub use record::{CleaningWish, HealthRecord, Transfers, VolumeCounters};
pub use verdict::{Health, Verdict};

/// The records of one state folder.
pub struct HealthLog {
    drives: StateDir,
    media: StateDir,
    cleaning: StateDir,
    inventory: InventoryFile,
    clock: Arc<dyn Clock>,
    /// Two drives may tell of one medium, one after the other.
    writing: Mutex<()>,
}

impl HealthLog {
    /// The records in the state folder `state`, whose inventory says which medium has which label.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn open(state: &StateDir, clock: Arc<dyn Clock>) -> Result<Self> {
        let folder = |name| StateDir::open(state.path().join("health").join(name));
        Ok(Self {
            drives: folder("drives")?,
            media: folder("media")?,
            cleaning: folder("cleaning")?,
            inventory: InventoryFile::new(state.clone()),
            clock,
            writing: Mutex::default(),
        })
    }

    /// Keeps what a drive said, with the label of the medium that is thought to be in it. Gives what got worse, in
    /// sentences.
    ///
    /// # Errors
    /// A file that cannot be read or written; what could be kept before is.
    pub fn note(
        &self,
        drive: &DriveName,
        loaded: Option<&LabelText>,
        told: &DriveHealth,
    ) -> Result<Vec<String>> {
        let _writing = self.writing();
        let mut record = HealthRecord::of(drive, told, self.clock.now());
        if let Some(label) = loaded.filter(|_| told.volume.is_some()) {
            record.label_text = Some(label.clone());
            record.medium = self.medium_of(label, &record)?;
        }
        let mut worse = self.note_in(&self.drive_journal(drive), &record, |records| {
            verdict::of_drive(records, record.time)
        })?;
        if let Some(medium) = record.medium {
            worse.extend(self.note_in(
                &self.medium_journal(medium),
                &record,
                verdict::of_medium,
            )?);
        }
        Ok(worse)
    }

    fn note_in(
        &self,
        journal: &Journal<HealthRecord>,
        record: &HealthRecord,
        judge: impl Fn(&[HealthRecord]) -> Health,
    ) -> Result<Vec<String>> {
        let mut records = journal.read()?;
        let is_told = |last: &HealthRecord| last.says_the_same(record) || last.is_continued(record);
        if records.last().is_some_and(is_told) {
            return Ok(Vec::new());
        }
        let before = judge(&records);
        journal.append(record)?;
        records.push(record.clone());
        Ok(judge(&records).worse_than(&before))
    }

    /// The medium of that label; none where several have it, or where the drive tells another serial number than it
    /// told of that medium before: somebody has exchanged the cartridge meanwhile.
    fn medium_of(&self, label: &LabelText, record: &HealthRecord) -> Result<Option<MediaId>> {
        let inventory = self.inventory.load()?;
        let Ok(Some(entry)) = inventory.find_by_label_text(label) else { return Ok(None) };
        let uuid = entry.uuid();
        let before = self.medium_journal(uuid).read()?;
        let known = before.iter().rev().find_map(|record| record.medium_serial.as_ref());
        let is_other = match (known, &record.medium_serial) {
            (Some(known), Some(told)) => known != told,
            _ => false,
        };
        Ok((!is_other).then_some(uuid))
    }

    /// All that is kept of a drive, oldest first.
    pub fn of_drive(&self, drive: &DriveName) -> Result<Vec<HealthRecord>> {
        self.drive_journal(drive).read()
    }

    /// All that is kept of a medium, oldest first.
    pub fn of_medium(&self, medium: MediaId) -> Result<Vec<HealthRecord>> {
        self.medium_journal(medium).read()
    }

    /// Whether a drive asked to be cleaned when it was last looked at.
    pub fn cleaning_wish(&self, drive: &DriveName) -> Result<Option<CleaningWish>> {
        Ok(self.of_drive(drive)?.last().and_then(|record| record.cleaning))
    }

    /// Forgets a medium that was given up.
    pub fn forget_medium(&self, medium: MediaId) -> Result<()> {
        let _writing = self.writing();
        self.media.remove(self.medium_journal(medium).path())
    }

    /// Notes that a cleaning cartridge was in a drive to clean it; `expired` where the drive found it used up.
    pub fn note_cleaning(&self, tag: &VolumeTag, drive: &DriveName, expired: bool) -> Result<()> {
        let _writing = self.writing();
        self.cleaning_journal(tag).append(&CleaningUse {
            time: self.clock.now(),
            cartridge: tag.to_string(),
            drive: drive.clone(),
            expired,
        })
    }

    /// The uses of a cleaning cartridge, oldest first.
    pub fn uses_of_cleaner(&self, tag: &VolumeTag) -> Result<Vec<CleaningUse>> {
        self.cleaning_journal(tag).read()
    }

    /// What is known of a cleaning cartridge.
    pub fn cleaner(&self, tag: &VolumeTag) -> Result<Cleaner> {
        Ok(cleaner_of(&self.uses_of_cleaner(tag)?))
    }

    /// The tags of the cleaning cartridges that were used.
    pub fn used_cleaners(&self) -> Result<Vec<VolumeTag>> {
        let folder = self.cleaning.path();
        let tried = || format!("list the folder '{}'", folder.display());
        let mut tags = Vec::new();
        for item in std::fs::read_dir(folder).map_err(Error::io(tried()))? {
            let path = item.map_err(Error::io(tried()))?.path();
            let uses = Journal::<CleaningUse>::new(&self.cleaning, path).read()?;
            tags.extend(uses.last().and_then(|one| VolumeTag::new(&one.cartridge)));
        }
        tags.sort();
        Ok(tags)
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drive_journal(&self, drive: &DriveName) -> Journal<HealthRecord> {
        Journal::new(&self.drives, self.drives.path().join(format!("{drive}.jsonl")))
    }

    fn medium_journal(&self, medium: MediaId) -> Journal<HealthRecord> {
        Journal::new(&self.media, self.media.path().join(format!("{medium}.jsonl")))
    }

    fn cleaning_journal(&self, tag: &VolumeTag) -> Journal<CleaningUse> {
        let name = escape_worker_id(tag.as_str());
        Journal::new(&self.cleaning, self.cleaning.path().join(format!("{name}.jsonl")))
    }
}

#[cfg(test)]
mod tests;
