//! The drive: one handle, its lock, and the tape that is loaded.

use std::fs::File;

use nix::fcntl::Flock;

use super::VirtualOptions;
use super::directory::Directory;
use super::medium::Medium;
use crate::cancel::Cancel;
use crate::changer::Changer;
use crate::drive::{
    DriveCounters, EncryptionKey, HostAttribute, Position, ReadOutcome, SpaceOutcome, TapeAlerts,
    TapeDrive, VolumeStatistics, WriteOutcome,
};
use crate::error::{Error, Result};
use crate::layout::Place;
use crate::number::{BlockNumber, Capacity, FileNumber, VolumeTag};

/// A handle of a `virtual:` drive, which holds the drive's lock. It is a [`TapeDrive`] and a [`Changer`].
#[derive(Debug)]
pub struct VirtualDrive {
    pub(super) directory: Directory,
    pub(super) medium: Option<Medium>,
    max_size: Capacity,
    counters: DriveCounters,
    /// Counters when the medium was loaded.
    at_load: DriveCounters,
    /// Held for as long as the handle lives.
    _lock: Flock<File>,
}

impl VirtualDrive {
    /// Opens the drive, waiting for its lock. The tape that `drive-status.json` names is loaded.
    ///
    /// # Errors
    /// `Busy` names the lock; `Corrupt` names the JSON file that cannot be read.
    pub fn open(options: &VirtualOptions, cancel: &Cancel) -> Result<Self> {
        let directory = Directory::open(&options.path)?;
        let lock = directory.lock(options.lock_timeout, cancel)?;
        let medium = match directory.loaded()? {
            Some((label, pos)) => Medium::open(&directory, &label, pos)?,
            None => None,
        };
        Ok(Self {
            directory,
            medium,
            max_size: options.max_size,
            counters: DriveCounters::default(),
            at_load: DriveCounters::default(),
            _lock: lock,
        })
    }

    /// The label of the loaded tape.
    pub fn loaded_label(&self) -> Option<&VolumeTag> {
        self.medium.as_ref().map(Medium::label)
    }

    /// Puts a tape of the directory into the empty drive.
    pub(super) fn insert(&mut self, label: &VolumeTag) -> Result<()> {
        let medium = Medium::open(&self.directory, label, 0)?;
        let medium = medium.ok_or_else(|| Error::MediumNotFound(label.clone()))?;
        self.directory.write_status(Some(medium.current()))?;
        self.medium = Some(medium);
        self.counters.loads += 1;
        self.at_load = self.counters;
        Ok(())
    }

    fn ready(&mut self, what: &'static str) -> Result<&mut Medium> {
        self.medium.as_mut().ok_or(Error::NoMedium { what })
    }

    fn go_to(&mut self, what: &'static str, place: Option<Place>, name: String) -> Result<()> {
        self.ready(what)?.place = place.ok_or(Error::UnexpectedEndOfData { what: name })?;
        Ok(())
    }
}

impl TapeDrive for VirtualDrive {
    fn write_block(&mut self, data: &[u8]) -> Result<WriteOutcome> {
        let max_size = self.max_size;
        let outcome = self.ready("write block")?.write_block(data, max_size)?;
        self.counters.blocks_written += 1;
        self.counters.bytes_written += data.len() as u64;
        Ok(outcome)
    }

    fn read_block(&mut self, buffer: &mut [u8]) -> Result<ReadOutcome> {
        let outcome = self.ready("read block")?.read_block(buffer)?;
        if let ReadOutcome::Block(length) = outcome {
            self.counters.blocks_read += 1;
            self.counters.bytes_read += length as u64;
        }
        Ok(outcome)
    }

    /// Filemarks take no room, and report no early warning.
    fn write_filemarks(&mut self, count: u32, immediate: bool) -> Result<WriteOutcome> {
        for _ in 0..count {
            self.ready("write filemark")?.write_filemark()?;
            self.counters.filemarks_written += 1;
        }
        if !immediate {
            self.sync()?;
        }
        Ok(WriteOutcome::Ok)
    }

    fn sync(&mut self) -> Result<()> {
        self.counters.syncs += 1;
        self.ready("sync")?.sync()
    }

    fn rewind(&mut self) -> Result<()> {
        self.counters.rewinds += 1;
        self.ready("rewind")?.place = Place::BEGINNING;
        Ok(())
    }

    fn space_filemarks(&mut self, count: i32) -> Result<SpaceOutcome> {
        self.counters.spaces += 1;
        let medium = self.ready("space over filemarks")?;
        let (place, outcome) = medium.layout.space_filemarks(medium.place, count);
        medium.place = place;
        Ok(outcome)
    }

    fn space_blocks(&mut self, count: i32) -> Result<SpaceOutcome> {
        self.counters.spaces += 1;
        let medium = self.ready("space over blocks")?;
        let (place, outcome) = medium.layout.space_blocks(medium.place, count);
        medium.place = place;
        Ok(outcome)
    }

    fn space_to_end_of_data(&mut self) -> Result<()> {
        self.counters.spaces += 1;
        let medium = self.ready("space to end of data")?;
        medium.place = medium.layout.end();
        Ok(())
    }

    fn locate(&mut self, object: BlockNumber) -> Result<()> {
        self.counters.locates += 1;
        let place = self.ready("locate")?.layout.place_of(object);
        self.go_to("locate", place, format!("locate object {object}"))
    }

    fn locate_file(&mut self, file: FileNumber) -> Result<()> {
        self.counters.locates += 1;
        let place = self.ready("locate file")?.layout.place_of_file(file);
        self.go_to("locate file", place, format!("locate file {file}"))
    }

    fn position(&mut self) -> Result<Position> {
        let medium = self.ready("read position")?;
        Ok(medium.layout.position(medium.place))
    }

    /// The tape in the drive is always ready: it is flushed and rewound. After a failed flush it is read anew, as
    /// the directory now shows it.
    fn load(&mut self) -> Result<()> {
        let medium = self.ready("load")?;
        if !medium.flush_failed() {
            medium.sync()?;
        }
        let label = medium.label().clone();
        self.medium = Medium::open(&self.directory, &label, 0)?;
        self.counters.loads += 1;
        self.at_load = self.counters;
        self.ready("load").map(|_| ())
    }

    /// The tape goes back to its slot.
    fn unload(&mut self) -> Result<()> {
        let Some(medium) = self.medium.as_mut() else {
            return Ok(());
        };
        let synced = medium.sync();
        self.directory.write_status(None)?;
        self.medium = None;
        self.counters.unloads += 1;
        synced
    }

    fn medium_loaded(&mut self) -> Result<bool> {
        Ok(self.medium.is_some())
    }

    fn format_medium(&mut self, _fast: bool) -> Result<()> {
        self.ready("format medium")?.format()
    }

    fn erase(&mut self) -> Result<()> {
        self.ready("erase")?.erase()
    }

    fn write_protected(&mut self) -> Result<bool> {
        self.ready("read write protection")?.write_protected()
    }

    fn statistics(&mut self) -> Result<VolumeStatistics> {
        let total = self.max_size;
        let read = self.counters.bytes_read - self.at_load.bytes_read;
        let written = self.counters.bytes_written - self.at_load.bytes_written;
        let medium = self.ready("read statistics")?;
        Ok(VolumeStatistics {
            last_mount_bytes_read: Some(Capacity(read)),
            last_mount_bytes_written: Some(Capacity(written)),
            lifetime_bytes_read: None,
            lifetime_bytes_written: None,
            total_native_capacity: Some(total),
            total_used_native_capacity: Some(medium.used()),
            write_protect: medium.write_protected()?,
        })
    }

    fn counters(&self) -> DriveCounters {
        self.counters
    }

    fn can_encrypt(&mut self) -> Result<bool> {
        Ok(false)
    }

    fn set_encryption_key(&mut self, key: Option<&EncryptionKey>) -> Result<()> {
        match key {
            None => Ok(()),
            Some(_) => Err(Error::Unsupported { what: "encryption", device: "virtual drives" }),
        }
    }

    fn encryption_active(&mut self) -> Result<bool> {
        Ok(false)
    }

    fn write_attributes(&mut self, _attributes: &[(HostAttribute, Option<&str>)]) -> Result<()> {
        Ok(())
    }

    fn tape_alerts(&mut self) -> Result<TapeAlerts> {
        Ok(TapeAlerts::default())
    }

    fn as_changer(&mut self) -> Option<&mut dyn Changer> {
        Some(self)
    }
}

impl Drop for VirtualDrive {
    /// Nobody is left to tell of an error: whoever must know whether data is durable calls `sync`.
    fn drop(&mut self) {
        if let Some(medium) = self.medium.as_mut() {
            let _ = medium.sync();
            let _ = self.directory.write_status(Some(medium.current()));
        }
    }
}
