//! An LTO drive, by SCSI commands (spec scsi.md).
//!
//! Two things are kept beside what the drive knows: the number of the object it should stand at, which is held
//! against its own position before the first write, after each locate and flush, and whether something was written that
//! no flush has confirmed. Where a reset, another medium or a deferred error comes in between, such writes are lost:
//! every later call says so until the medium is loaded again, and nothing claims that they are on tape.
//!
//! A command that counts from where the tape stands is never sent to a drive that may have been rewound: after a reset
//! the drive first goes back, and where the place was not known that is an error.

mod access;
pub(crate) mod commands;
mod encryption;
mod format;
mod health;
mod in_library;
mod motion;
mod open;
mod ready;
mod settings;
mod status;
pub(crate) mod timeouts;
mod transfer;

use std::time::Duration;

use in_library::Robot;

use crate::changer::Changer;
use crate::device::{ATTENTIONS_MAX, DeviceError, Done, ScsiDevice, Told};
use crate::drive::{
    DriveCounters, DriveFacts, DriveHealth, EncryptionKey, FeedWatch, HostAttribute, ObjectRange,
    Position, ReadOutcome, SpaceOutcome, TapeAlerts, TapeDrive, VolumeStatistics, WriteOutcome,
};
use crate::error::{Error, Result};
use crate::number::{BlockNumber, DriveNumber, FileNumber};
use crate::scsi::attribute::AttributeList;
use crate::scsi::density::Density;
use crate::scsi::encryption::EncryptionMode;
use crate::scsi::log::VolumeStatisticsPage;
use crate::scsi::mode::ModeData;
use crate::scsi::{CdbForm, Command, Condition, NextStep, Sense, SpaceCode};
use crate::transport::Data;

pub use open::{LtoOptions, ProtectionChoice, Wait, WaitListener};

/// What became of what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// All of it is on the medium.
    Flushed,
    /// Some may be in the drive's buffer.
    Buffered,
    /// Some is gone.
    Lost,
}

/// An LTO drive that is open.
pub struct LtoDrive {
    device: ScsiDevice,
    options: LtoOptions,
    /// Where the drive should stand; unknown after errors and motions whose end only the drive knows.
    place: Option<BlockNumber>,
    /// Whether a command has failed since anybody knew where the tape stands.
    astray: bool,
    /// Whether it stands right behind a filemark, where that is known.
    behind_filemark: bool,
    written: Written,
    /// Settings and position are being put back after a reset: another reset in between is one too many.
    restoring: bool,
    /// The drive is set for the medium in it.
    prepared: bool,
    /// Whether the medium may not be written.
    write_protected: Option<Told<bool>>,
    protection: settings::Protection,
    /// What the drive last said of its protection.
    protection_page: Option<Told<(CdbForm, ModeData)>>,
    key: Option<EncryptionKey>,
    /// What the drive last said of its encryption.
    encryption: Option<Told<EncryptionMode>>,
    /// Index of the algorithm to encrypt with, once the drive has told it.
    algorithm: Option<u8>,
    /// The drive's serial number, once it has told it.
    serial: Option<String>,
    /// What this drive's LOCATE to a file is off by.
    file_offset: i128,
    /// A block and its CRC.
    buffer: Vec<u8>,
    counters: DriveCounters,
    feed: FeedWatch,
    /// Whether the drive is reserved for us.
    reserved: bool,
    /// The library that it stands in.
    robot: Option<Robot>,
}

impl LtoDrive {
    /// A command that moves data or tape, within the time that its kind takes.
    fn transfer(&mut self, what: &'static str, command: Command, data: Data<'_>) -> Result<Done> {
        let timeout = match command {
            Command::Read { .. } => timeouts::READ,
            Command::Write { .. } => timeouts::WRITE,
            _ => timeouts::WRITE_FILEMARKS,
        };
        self.transfer_within(what, command, data, timeout)
    }

    /// A command that depends on settings, key and position: where something took these away they are put back
    /// before it is sent again, and where that cannot be it fails.
    fn transfer_within(
        &mut self,
        what: &'static str,
        command: Command,
        mut data: Data<'_>,
        timeout: Duration,
    ) -> Result<Done> {
        self.must_be_prepared(what)?;
        self.behind_filemark = false;
        for _ in 0..ATTENTIONS_MAX {
            if let Some(sense) = self.device.take_unsettled() {
                self.restore(what, sense, counts_from_here(command))?;
                continue;
            }
            let error = match self.device.send(command, data.reborrow(), timeout) {
                Ok(done) => {
                    self.watch_feed(command);
                    return Ok(done);
                }
                Err(error) => error,
            };
            let DeviceError::Sense(sense) = &error else {
                return Err(self.failed(what, error));
            };
            match sense.condition().next_step() {
                // A drive that did it all the same stands somewhere else now.
                NextStep::Repeat if !sense.deferred => self.expect_place(what)?,
                NextStep::Restore if !sense.deferred => self.device.unsettle(*sense),
                _ => return Err(self.failed_at(what, command, error)),
            }
        }
        Err(self.ever_more_to_tell(what))
    }

    /// A command that moves data or tape was carried out.
    fn watch_feed(&mut self, command: Command) {
        let now = self.options.clock.now();
        match command {
            Command::Write { length, .. } => self.feed.took(now, length as usize),
            Command::WriteFilemarks { immediate: true, .. } => {}
            _ => self.feed.flushed(now),
        }
        self.counters.underruns = self.feed.underruns();
    }

    fn ever_more_to_tell(&mut self, what: &'static str) -> Error {
        let problem = "it has ever more unit attentions to tell";
        self.failed(what, DeviceError::Refused(problem.to_owned()))
    }

    /// A command failed. Unless the drive says that it did not move, see [`failed`](Self::failed).
    fn failed_at(&mut self, what: &'static str, command: Command, error: DeviceError) -> Error {
        match &error {
            DeviceError::Sense(sense) if keeps_place(command, *sense) => self.explain(what, error),
            _ => self.failed(what, error),
        }
    }

    /// Where the tape stands is unknown from here on, and what was in the drive's buffer counts as lost.
    fn failed(&mut self, what: &'static str, error: DeviceError) -> Error {
        self.place = None;
        self.astray = true;
        if self.written == Written::Buffered {
            self.written = Written::Lost;
        }
        self.explain(what, error)
    }

    /// Puts the reason of a failure into words that name the drive.
    fn explain(&self, what: &'static str, error: DeviceError) -> Error {
        Error::drive(what, self.device.name(), error)
    }

    /// Whether tape and data may move: not once something was lost, since whoever moves flushes first.
    fn may_move(&self, what: &'static str) -> Result<()> {
        match self.written {
            Written::Lost => Err(self.lost(what)),
            _ => Ok(()),
        }
    }

    fn lost(&self, what: &'static str) -> Error {
        let problem = "what was written since the last flush is lost; load the medium again";
        self.explain(what, DeviceError::Refused(problem.to_owned()))
    }
}

/// Whether what a command does depends on where the tape stands.
fn counts_from_here(command: Command) -> bool {
    !matches!(
        command,
        Command::Rewind { .. }
            | Command::Locate10 { .. }
            | Command::Locate16 { .. }
            | Command::Space6 { code: SpaceCode::EndOfData, .. }
            | Command::Space16 { code: SpaceCode::EndOfData, .. }
    )
}

/// Whether the tape has not moved where a drive says this to a command.
fn keeps_place(command: Command, sense: Sense) -> bool {
    if sense.deferred {
        return false;
    }
    match sense.condition() {
        Condition::EndOfMedium
        | Condition::WriteProtected
        | Condition::WormProtected
        | Condition::UnknownCommand
        | Condition::InvalidField => true,
        // A block that does not fit its CRC is not accepted; one that is read has passed the head.
        Condition::GuardCheckFailed => matches!(command, Command::Write { .. }),
        _ => false,
    }
}

impl TapeDrive for LtoDrive {
    fn write_block(&mut self, data: &[u8]) -> Result<WriteOutcome> {
        self.write_one(data)
    }

    fn read_block(&mut self, buffer: &mut [u8]) -> Result<ReadOutcome> {
        self.read_one(buffer)
    }

    fn write_filemarks(&mut self, count: u32, immediate: bool) -> Result<WriteOutcome> {
        self.write_marks(count, immediate)
    }

    fn sync(&mut self) -> Result<()> {
        match self.write_marks(0, false) {
            // Some drives refuse even a flush, which has nothing to write here.
            Err(Error::WriteProtected { .. }) if self.written == Written::Flushed => Ok(()),
            other => other.map(drop),
        }
    }

    fn rewind(&mut self) -> Result<()> {
        self.counters.rewinds += 1;
        self.rewind_now()
    }

    fn space_filemarks(&mut self, count: i32) -> Result<SpaceOutcome> {
        self.counters.spaces += 1;
        self.space(SpaceCode::Filemarks, i64::from(count))
    }

    fn space_blocks(&mut self, count: i32) -> Result<SpaceOutcome> {
        self.counters.spaces += 1;
        self.space(SpaceCode::Blocks, i64::from(count))
    }

    fn space_to_end_of_data(&mut self) -> Result<()> {
        self.counters.spaces += 1;
        self.space(SpaceCode::EndOfData, 0).map(drop)
    }

    fn locate(&mut self, object: BlockNumber) -> Result<()> {
        self.counters.locates += 1;
        self.locate_object(object)
    }

    fn locate_file(&mut self, file: FileNumber) -> Result<()> {
        self.counters.locates += 1;
        self.go_to_file(file)
    }

    fn position(&mut self) -> Result<Position> {
        self.position_now("read position")
    }

    fn load(&mut self) -> Result<()> {
        self.load_now()
    }

    fn unload(&mut self) -> Result<()> {
        self.unload_now()
    }

    fn medium_loaded(&mut self) -> Result<bool> {
        let readiness = self.readiness();
        let readiness = readiness.map_err(|error| self.explain("ask for a medium", error))?;
        Ok(readiness == ready::Readiness::Ready)
    }

    fn format_medium(&mut self, fast: bool) -> Result<()> {
        self.format_now(fast)
    }

    fn erase(&mut self) -> Result<()> {
        self.erase_now(false)
    }

    fn write_protected(&mut self) -> Result<bool> {
        self.ask_write_protection()
    }

    fn statistics(&mut self) -> Result<VolumeStatistics> {
        self.ask_statistics()
    }

    fn counters(&self) -> DriveCounters {
        self.counters
    }

    fn can_encrypt(&mut self) -> Result<bool> {
        self.has_encryption()
    }

    fn set_encryption_key(&mut self, key: Option<&EncryptionKey>) -> Result<()> {
        self.set_key(key)
    }

    fn encryption_active(&mut self) -> Result<bool> {
        Ok(self.ask_encryption())
    }

    fn write_attributes(&mut self, attributes: &[(HostAttribute, Option<&str>)]) -> Result<()> {
        self.set_attributes(attributes)
    }

    fn tape_alerts(&mut self) -> Result<TapeAlerts> {
        self.ask_alerts()
    }

    fn facts(&mut self) -> Result<DriveFacts> {
        self.look().map_err(|error| self.explain("read the drive's status", error))
    }

    fn health(&mut self) -> Result<Option<DriveHealth>> {
        self.ask_health()
    }

    fn cartridge_memory(&mut self) -> Result<AttributeList> {
        self.attributes().map_err(|error| self.explain("read cartridge memory", error))
    }

    fn volume_statistics(&mut self) -> Result<VolumeStatisticsPage> {
        let page = self.ask_volume_statistics();
        page.map_err(|error| self.explain("read volume statistics", error))
    }

    fn density(&mut self) -> Result<Option<Density>> {
        self.ask_density().map_err(|error| self.explain("read the density", error))
    }

    fn access_order(&mut self, ranges: &[ObjectRange]) -> Result<Option<Vec<usize>>> {
        let order = self.ask_order(ranges);
        order.map_err(|error| self.explain("ask for an access order", error))
    }

    fn wrap_ends(&mut self) -> Result<Option<Vec<BlockNumber>>> {
        let ends = self.ask_wrap_ends();
        ends.map_err(|error| self.explain("ask where wraps end", error))
    }

    fn as_changer(&mut self) -> Option<&mut dyn Changer> {
        if self.robot.is_some() { Some(self) } else { None }
    }

    fn number_in_changer(&self) -> DriveNumber {
        self.robot.as_ref().map_or(DriveNumber(0), |robot| robot.number)
    }
}

impl Drop for LtoDrive {
    fn drop(&mut self) {
        self.leave();
    }
}
