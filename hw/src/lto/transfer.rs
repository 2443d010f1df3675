//! Reading and writing blocks and filemarks.

use super::commands::FILEMARKS_MAX;
use super::{LtoDrive, Written};
use crate::device::{DeviceError, Done};
use crate::drive::{ReadOutcome, WriteOutcome};
use crate::error::{Error, Result};
use crate::scsi::block_limits::BlockLimits;
use crate::scsi::{Command, Condition, protection};
use crate::transport::Data;

/// The longest block of an LTO drive, its CRC included.
const BLOCK_BYTES_MAX: usize = BlockLimits::LTO.length_max as usize;

/// How often a block whose CRC does not fit is transferred, in all.
const TRANSFERS_MAX: u32 = 3;

impl LtoDrive {
    pub(super) fn write_one(&mut self, data: &[u8]) -> Result<WriteOutcome> {
        const WHAT: &str = "write block";
        self.may_move(WHAT)?;
        self.know_place(WHAT)?;
        let length = data.len() + self.protection.write_bytes();
        if data.is_empty() || length > BLOCK_BYTES_MAX {
            let expected = BLOCK_BYTES_MAX - self.protection.write_bytes();
            return Err(Error::WrongBlockSize { what: WHAT, expected, found: data.len() });
        }
        let command = Command::Write { fixed: false, length: length as u32 };
        let done = match self.protection.writes {
            false => self.transfer(WHAT, command, Data::Out(data))?,
            true => self.write_protected_block(WHAT, command, data)?,
        };
        // What a transport says of the bytes that went with a check condition is not to be trusted.
        if done.sense.is_none() && done.transferred != length {
            let problem = format!("only {} of {length} bytes reached it", done.transferred);
            return Err(self.failed(WHAT, DeviceError::Refused(problem)));
        }
        self.moved(1);
        self.written = Written::Buffered;
        self.counters.blocks_written += 1;
        self.counters.bytes_written += data.len() as u64;
        Ok(outcome(&done))
    }

    /// Sends a block with its CRC; the drive refuses it where they do not fit, and it is sent again.
    fn write_protected_block(
        &mut self,
        what: &'static str,
        command: Command,
        data: &[u8],
    ) -> Result<Done> {
        let mut block = std::mem::take(&mut self.buffer);
        block.clear();
        block.extend_from_slice(data);
        protection::append_crc(&mut block);
        let outcome = self.send_protected_block(what, command, &block);
        self.buffer = block;
        outcome
    }

    fn send_protected_block(
        &mut self,
        what: &'static str,
        command: Command,
        block: &[u8],
    ) -> Result<Done> {
        let mut transfers = 0;
        loop {
            let outcome = self.transfer(what, command, Data::Out(block));
            transfers += 1;
            if !guard_failed(&outcome) {
                return outcome;
            }
            self.warn_of_guard_failure("to");
            // A block that no longer fits its own CRC has changed in our memory.
            if transfers == TRANSFERS_MAX || protection::check(block).is_err() {
                return outcome;
            }
            self.expect_place(what)?;
        }
    }

    fn warn_of_guard_failure(&self, direction: &str) {
        let drive = self.device.name();
        tracing::warn!(
            drive,
            "the CRC of a block on its way {direction} the drive is wrong; check cable and adapter"
        );
    }

    /// Asks where the tape stands, unless that is known: what is written is held against it. Nothing is written where a
    /// command has failed and nobody has asked since.
    pub(super) fn know_place(&mut self, what: &'static str) -> Result<()> {
        if self.astray {
            let problem = "where the tape stands is not known since an error; go somewhere first";
            return Err(self.explain(what, DeviceError::Refused(problem.to_owned())));
        }
        match self.place {
            Some(_) => Ok(()),
            None => self.position_now(what).map(drop),
        }
    }

    /// Flushes what the drive may still have in its buffer.
    pub(super) fn flush_buffered(&mut self) -> Result<()> {
        match self.written {
            Written::Buffered => self.write_marks(0, false).map(drop),
            Written::Flushed | Written::Lost => Ok(()),
        }
    }

    pub(super) fn write_marks(&mut self, count: u32, immediate: bool) -> Result<WriteOutcome> {
        let what = if count == 0 { "flush" } else { "write filemark" };
        self.may_move(what)?;
        if count > FILEMARKS_MAX {
            return Err(Error::Unsupported {
                what: "writing more than 255 filemarks at once",
                device: "an LTO drive",
            });
        }
        if count > 0 {
            self.know_place(what)?;
        }
        let behind_filemark = count > 0 || self.behind_filemark;
        let command = Command::WriteFilemarks { immediate, count };
        let done = self.transfer(what, command, Data::None)?;
        self.behind_filemark = behind_filemark;
        self.moved(u64::from(count));
        self.counters.filemarks_written += u64::from(count);
        if immediate {
            self.written = Written::Buffered;
        } else {
            self.counters.syncs += 1;
            self.confirm_written(what)?;
        }
        Ok(outcome(&done))
    }

    /// After a flush: the drive must stand behind all that it took.
    fn confirm_written(&mut self, what: &'static str) -> Result<()> {
        if self.written == Written::Buffered {
            let confirmed = self.confirm_protection(what).and_then(|()| self.expect_place(what));
            if confirmed.is_err() || self.device.take_unsettled().is_some() {
                self.written = Written::Lost;
                confirmed?;
                return Err(self.lost(what));
            }
        }
        self.written = Written::Flushed;
        Ok(())
    }

    pub(super) fn read_one(&mut self, buffer: &mut [u8]) -> Result<ReadOutcome> {
        const WHAT: &str = "read block";
        self.may_move(WHAT)?;
        let outcome = match self.protection.reads {
            false => self.read_into(WHAT, buffer),
            true => self.read_protected_block(WHAT, buffer),
        };
        match outcome {
            Ok(ReadOutcome::EndOfData) => {}
            Ok(ReadOutcome::Filemark) => {
                self.moved(1);
                self.behind_filemark = true;
            }
            // A block that is too long is passed over.
            Err(Error::WrongBlockSize { .. }) => self.moved(1),
            Ok(ReadOutcome::Block(length)) => {
                self.moved(1);
                self.counters.blocks_read += 1;
                self.counters.bytes_read += length as u64;
            }
            Err(_) => {}
        }
        outcome
    }

    fn read_into(&mut self, what: &'static str, buffer: &mut [u8]) -> Result<ReadOutcome> {
        let length = buffer.len().min(BLOCK_BYTES_MAX);
        let command = Command::Read { fixed: false, suppress_length: false, length: length as u32 };
        let buffer = buffer.get_mut(..length).unwrap_or_default();
        let done = self.transfer(what, command, Data::In(buffer))?;
        found(&done, length)
    }

    /// Reads a block with its CRC; where they do not fit it is read again.
    fn read_protected_block(
        &mut self,
        what: &'static str,
        buffer: &mut [u8],
    ) -> Result<ReadOutcome> {
        let mut block = std::mem::take(&mut self.buffer);
        block.resize(buffer.len() + protection::CRC_BYTES, 0);
        let outcome = self.read_checked(what, &mut block);
        if let Ok(ReadOutcome::Block(length)) = outcome {
            buffer[..length].copy_from_slice(&block[..length]);
        }
        self.buffer = block;
        outcome
    }

    fn read_checked(&mut self, what: &'static str, block: &mut [u8]) -> Result<ReadOutcome> {
        for _ in 0..TRANSFERS_MAX {
            let outcome = self.read_into(what, block)?;
            let ReadOutcome::Block(length) = outcome else { return Ok(outcome) };
            let whole = block.get(..length).unwrap_or_default();
            if length > protection::CRC_BYTES && protection::check(whole).is_ok() {
                return Ok(ReadOutcome::Block(length - protection::CRC_BYTES));
            }
            self.warn_of_guard_failure("from");
            self.confirm_protection(what)?;
            self.step_back(what)?;
        }
        Err(Error::Corrupt {
            what: format!("a block on its way from {}", self.device.name()),
            reason: format!(
                "its checksum is wrong, {TRANSFERS_MAX} times in a row; check cable and adapter"
            ),
        })
    }
}

/// What a write was answered with.
fn outcome(done: &Done) -> WriteOutcome {
    match done.condition() {
        Condition::EarlyWarning => WriteOutcome::EarlyWarning,
        _ => WriteOutcome::Ok,
    }
}

fn guard_failed(outcome: &Result<Done>) -> bool {
    matches!(outcome, Err(error) if error.condition() == Some(Condition::GuardCheckFailed))
}

/// What a READ of `requested` bytes found. Where the length is another the sense decides: what a transport says of
/// the bytes that came with a check condition is not to be trusted.
fn found(done: &Done, requested: usize) -> Result<ReadOutcome> {
    let Some(sense) = done.sense else { return Ok(ReadOutcome::Block(done.transferred)) };
    match sense.condition() {
        Condition::Filemark => return Ok(ReadOutcome::Filemark),
        Condition::EndOfData => return Ok(ReadOutcome::EndOfData),
        _ => {}
    }
    if !sense.incorrect_length {
        return Ok(ReadOutcome::Block(done.transferred));
    }
    let length = sense.information.and_then(|left| (requested as i64).checked_sub(left));
    match length.and_then(|length| usize::try_from(length).ok()) {
        Some(length) if length <= requested => Ok(ReadOutcome::Block(length)),
        length => Err(Error::WrongBlockSize {
            what: "read block",
            expected: requested,
            found: length.unwrap_or(done.transferred),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scsi::{Sense, SenseKey};

    #[test]
    fn no_length_that_a_drive_tells_is_believed_beyond_reason() {
        for (left, length) in [(0, Some(512)), (12, Some(500)), (512, Some(0)), (513, None)] {
            let mut sense = Sense::new(SenseKey::NoSense, 0, 0);
            (sense.incorrect_length, sense.information) = (true, Some(left));
            let outcome = found(&Done { transferred: 512, sense: Some(sense) }, 512);
            assert_eq!(outcome.ok(), length.map(ReadOutcome::Block), "{left}");
        }
        for left in [-1, i64::MIN, i64::MAX] {
            let mut sense = Sense::new(SenseKey::NoSense, 0, 0);
            (sense.incorrect_length, sense.information) = (true, Some(left));
            let outcome = found(&Done { transferred: 512, sense: Some(sense) }, 512);
            assert!(matches!(outcome, Err(Error::WrongBlockSize { .. })), "{left}");
        }
    }
}
