//! What a tape drive can do.
//!
//! The trait is written for an LTO drive; whatever imitates one keeps to it. The rules that matter most:
//!
//! * A medium is a list of objects: blocks of any length, and filemarks. [`BlockNumber`] counts both.
//! * Writing at a place cuts off everything behind it, as soon as the first object is written there.
//! * Written data may be lost with the power until [`TapeDrive::sync`] (or a filemark that is not `immediate`)
//!   has returned. Only then may anybody claim that it is on the medium.
//! * The early warning says that the end is near; the block that reports it *was* written, and so are those that
//!   follow, until [`Error::EndOfMedium`](crate::Error::EndOfMedium), whose block was not.
//! * After an error the position is only known once [`TapeDrive::position`] was asked.

mod access;
mod alerts;
mod facts;
mod feed;
mod health;

use std::fmt;

use zeroize::Zeroizing;

use crate::changer::Changer;
use crate::error::{Error, Result};
use crate::number::{BlockNumber, Capacity, DriveNumber, FileNumber};
use crate::scsi::attribute::AttributeList;
use crate::scsi::density::Density;
use crate::scsi::log::VolumeStatisticsPage;

pub use access::ObjectRange;
pub use alerts::TapeAlerts;
pub use facts::DriveFacts;
pub use feed::FeedWatch;
pub use health::{CleaningRequest, DriveHealth, DriveLife};

/// What a drive says to a block or filemark that it wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
    /// Written, with room behind it.
    Ok,
    /// Written, and the end of the medium is near.
    EarlyWarning,
}

/// What a read found at the position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOutcome {
    /// A block of that many bytes; the position is behind it.
    Block(usize),
    /// A filemark; the position is behind it.
    Filemark,
    /// Nothing is recorded here or further on; the position did not change.
    EndOfData,
}

/// Where spacing over objects ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpaceOutcome {
    /// All of them were passed.
    Done,
    /// Spacing over blocks met a filemark, and went over it: forward the position is behind it, backward before it.
    Filemark,
    /// The end of data came first; the position is there.
    EndOfData,
    /// The beginning of the medium came first; the position is there.
    BeginningOfMedium,
}

/// Where the head is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Blocks and filemarks between the beginning of the medium and here.
    pub object: BlockNumber,
    /// Filemarks between the beginning of the medium and here.
    pub file: FileNumber,
    /// Blocks between the last filemark and here; `None` where the drive cannot tell (LTO after a locate).
    pub block_in_file: Option<u64>,
}

/// What one handle of a drive did. Tests hold plans against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DriveCounters {
    /// Bytes of blocks read.
    pub bytes_read: u64,
    /// Bytes of blocks written.
    pub bytes_written: u64,
    /// Blocks read.
    pub blocks_read: u64,
    /// Blocks written.
    pub blocks_written: u64,
    /// Filemarks written.
    pub filemarks_written: u64,
    /// Calls of `locate` and `locate_file`.
    pub locates: u64,
    /// Calls of the three `space_…` methods.
    pub spaces: u64,
    /// Calls of `rewind`.
    pub rewinds: u64,
    /// Media loaded.
    pub loads: u64,
    /// Media unloaded.
    pub unloads: u64,
    /// Flushes: calls of `sync` and filemarks that were not immediate.
    pub syncs: u64,
    /// How often the tape must have stopped while it was written, because nothing came ([`FeedWatch`]).
    pub underruns: u64,
}

/// What the medium and the drive counted; `None` where they do not (spec scsi.md §7, page 17h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VolumeStatistics {
    /// Read since the medium was loaded.
    pub last_mount_bytes_read: Option<Capacity>,
    /// Written since the medium was loaded.
    pub last_mount_bytes_written: Option<Capacity>,
    /// Read in the medium's life.
    pub lifetime_bytes_read: Option<Capacity>,
    /// Written in the medium's life.
    pub lifetime_bytes_written: Option<Capacity>,
    /// Room on the medium, used or not.
    pub total_native_capacity: Option<Capacity>,
    /// Room that is used.
    pub total_used_native_capacity: Option<Capacity>,
    /// Whether the medium is write protected.
    pub write_protect: bool,
}

/// A key for the drive's own encryption (AES-256). Never printed; it has a place of its own, so that nothing of it stays
/// behind where the value is moved, and is overwritten when it goes.
#[derive(PartialEq, Eq)]
pub struct EncryptionKey(Box<Zeroizing<[u8; 32]>>);

impl EncryptionKey {
    /// Wraps the raw key.
    pub fn new(key: &[u8; 32]) -> Self {
        let mut kept = Box::new(Zeroizing::new([0; 32]));
        kept.copy_from_slice(key);
        Self(kept)
    }

    /// The raw key, for the command that hands it to the drive.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Clone for EncryptionKey {
    fn clone(&self) -> Self {
        Self::new(self.expose())
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey(…)")
    }
}

/// Attributes of the medium's own memory that a host sets (spec tape-format.md §13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum HostAttribute {
    /// Application vendor, 8 characters.
    ApplicationVendor = 0x0800,
    /// Application name, 32 characters.
    ApplicationName = 0x0801,
    /// Application version, 8 characters.
    ApplicationVersion = 0x0802,
    /// Label text, 160 bytes.
    UserMediumTextLabel = 0x0803,
    /// Media pool, 160 bytes.
    MediaPool = 0x0808,
}

/// One tape drive, held by one user.
pub trait TapeDrive: Send {
    /// Writes one block at the position.
    ///
    /// # Errors
    /// `EndOfMedium`: not written, the medium is full. `WriteProtected`, `NoMedium`, `WrongBlockSize`, `DiskFull`.
    fn write_block(&mut self, data: &[u8]) -> Result<WriteOutcome>;

    /// Reads the object at the position. A block longer than `buffer` is passed over and `WrongBlockSize`.
    fn read_block(&mut self, buffer: &mut [u8]) -> Result<ReadOutcome>;

    /// Writes `count` filemarks; unless `immediate`, returns only when they and all before is on the medium.
    fn write_filemarks(&mut self, count: u32, immediate: bool) -> Result<WriteOutcome>;

    /// Returns when everything written is on the medium and would survive a loss of power.
    ///
    /// Once this failed, what was written since the last success is lost, and every later call fails too until
    /// the medium is loaded again.
    fn sync(&mut self) -> Result<()>;

    /// Goes to the beginning of the medium.
    fn rewind(&mut self) -> Result<()>;

    /// Goes over `count` filemarks: forward to right behind the last of them, backward to right before it.
    fn space_filemarks(&mut self, count: i32) -> Result<SpaceOutcome>;

    /// Goes over `count` blocks of this file. A filemark in the way ends it, see [`SpaceOutcome::Filemark`].
    fn space_blocks(&mut self, count: i32) -> Result<SpaceOutcome>;

    /// Goes behind the last object.
    fn space_to_end_of_data(&mut self) -> Result<()>;

    /// Goes to the object with this number; the end of data is one such place, beyond it is
    /// `UnexpectedEndOfData`.
    fn locate(&mut self, object: BlockNumber) -> Result<()>;

    /// Goes right behind the `file`-th filemark (0: to the beginning); fewer filemarks than that is
    /// `UnexpectedEndOfData`.
    fn locate_file(&mut self, file: FileNumber) -> Result<()>;

    /// Where the head is.
    fn position(&mut self) -> Result<Position>;

    /// Makes the medium that lies in the drive ready, at its beginning.
    fn load(&mut self) -> Result<()>;

    /// Flushes, then ejects the medium. Nothing to do if there is none.
    fn unload(&mut self) -> Result<()>;

    /// Whether a medium is in the drive and ready.
    fn medium_loaded(&mut self) -> Result<bool>;

    /// Makes the medium blank and goes to its beginning. `fast` does not overwrite what was there.
    fn format_medium(&mut self, fast: bool) -> Result<()>;

    /// Makes the position the end of data: everything behind it is gone, durably.
    fn erase(&mut self) -> Result<()>;

    /// Whether the medium may not be written.
    fn write_protected(&mut self) -> Result<bool>;

    /// What medium and drive counted.
    fn statistics(&mut self) -> Result<VolumeStatistics>;

    /// What this handle did since it was opened.
    fn counters(&self) -> DriveCounters;

    /// Whether the drive has encryption of its own.
    ///
    /// # Errors
    /// Some drives tell only with a medium loaded: `NoMedium`.
    fn can_encrypt(&mut self) -> Result<bool>;

    /// Sets or clears the key of the drive's encryption. A drive without encryption takes `None` silently and
    /// refuses a key with `Unsupported`. The key is gone when the medium leaves the drive, and when the handle is dropped.
    fn set_encryption_key(&mut self, key: Option<&EncryptionKey>) -> Result<()>;

    /// Whether blocks are encrypted as they are written.
    fn encryption_active(&mut self) -> Result<bool>;

    /// Writes attributes to the medium's own memory; those without a value are deleted. Nothing happens where there is none.
    fn write_attributes(&mut self, attributes: &[(HostAttribute, Option<&str>)]) -> Result<()>;

    /// The alert flags that are set now.
    fn tape_alerts(&mut self) -> Result<TapeAlerts>;

    /// What drive and medium say of themselves, in one look.
    fn facts(&mut self) -> Result<DriveFacts> {
        let mut facts =
            DriveFacts { alerts: Some(self.tape_alerts()?), buffer_mode: 1, ..Default::default() };
        if self.medium_loaded()? {
            let statistics = self.statistics()?;
            facts.position = Some(self.position()?);
            facts.write_protect = Some(statistics.write_protect);
            facts.bytes_written = statistics.lifetime_bytes_written.map(Capacity::bytes);
            facts.bytes_read = statistics.lifetime_bytes_read.map(Capacity::bytes);
        }
        Ok(facts)
    }

    /// How drive and medium do; none where the drive is at work and could not tell at once. Looking changes nothing.
    fn health(&mut self) -> Result<Option<DriveHealth>> {
        let mut health = DriveHealth { alerts: self.tape_alerts()?, ..Default::default() };
        if self.medium_loaded()? {
            let statistics = self.statistics()?;
            health.volume = Some(VolumeStatisticsPage {
                lifetime_bytes_written: statistics.lifetime_bytes_written.map(Capacity::bytes),
                lifetime_bytes_read: statistics.lifetime_bytes_read.map(Capacity::bytes),
                ..Default::default()
            });
        }
        Ok(Some(health))
    }

    /// Everything on the medium's memory chip.
    fn cartridge_memory(&mut self) -> Result<AttributeList> {
        Err(Error::Unsupported { what: "cartridge memory", device: "this drive" })
    }

    /// Everything that was counted in the medium's life.
    fn volume_statistics(&mut self) -> Result<VolumeStatisticsPage> {
        Err(Error::Unsupported { what: "volume statistics", device: "this drive" })
    }

    /// Generation of the medium; none where the drive does not tell one.
    fn density(&mut self) -> Result<Option<Density>> {
        Ok(None)
    }

    /// In which order the drive would read these places from where it stands: indices, each once. It orders the first
    /// ones only where it takes no more in a list; who wants the rest asks again when these were read. None where the
    /// drive makes no orders (of LTO, only LTO-9 of full height does, spec scsi.md §19).
    ///
    /// # Errors
    /// An answer that is no order of these places; places where nothing is recorded.
    fn access_order(&mut self, _ranges: &[ObjectRange]) -> Result<Option<Vec<usize>>> {
        Ok(None)
    }

    /// The last object of each wrap that holds data, from the first wrap on; of the last one, where the data end. None
    /// where the drive does not tell.
    ///
    /// # Errors
    /// An answer that makes no sense.
    fn wrap_ends(&mut self) -> Result<Option<Vec<BlockNumber>>> {
        Ok(None)
    }

    /// The changer that moves media for this drive through this same handle, if the drive is its own.
    fn as_changer(&mut self) -> Option<&mut dyn Changer> {
        None
    }

    /// Which drive of that changer it is.
    fn number_in_changer(&self) -> DriveNumber {
        DriveNumber(0)
    }
}

/// Goes where the next file may be appended: to the end of data, closing an unfinished last file by a filemark,
/// durably (spec tape-format.md §10 step 5). Returns the number of the file that would be written next.
pub fn move_to_append_position<D: TapeDrive + ?Sized>(drive: &mut D) -> Result<FileNumber> {
    drive.space_to_end_of_data()?;
    let end = drive.position()?;
    if end.object == BlockNumber(0) {
        return Ok(end.file);
    }
    match drive.space_blocks(-1)? {
        SpaceOutcome::Filemark => must_be_done(drive.space_filemarks(1)?)?,
        SpaceOutcome::Done => {
            must_be_done(drive.space_blocks(1)?)?;
            drive.write_filemarks(1, false)?;
        }
        met @ (SpaceOutcome::EndOfData | SpaceOutcome::BeginningOfMedium) => must_be_done(met)?,
    }
    Ok(drive.position()?.file)
}

/// A drive that did not come back to the end must not write: it would hit what is recorded.
fn must_be_done(outcome: SpaceOutcome) -> Result<()> {
    if outcome == SpaceOutcome::Done {
        return Ok(());
    }
    let what = "go back to the end of data, where the next file begins".to_owned();
    Err(Error::UnexpectedEndOfData { what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_never_printed() {
        let key = EncryptionKey::new(&[0x5A; 32]);
        assert_eq!(format!("{key:?}"), "EncryptionKey(…)");
    }
}
