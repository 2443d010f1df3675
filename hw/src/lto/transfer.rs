//! Reading and writing blocks and filemarks.

use super::{LtoDrive, Written};
use crate::device::Done;
use crate::drive::{ReadOutcome, WriteOutcome};
use crate::error::{Error, Result};
use crate::scsi::{Command, Condition, protection};
use crate::transport::Data;

/// The longest block of an LTO drive (READ BLOCK LIMITS), its CRC included.
const BLOCK_BYTES_MAX: usize = 0x80_0000;

/// How often a block whose CRC does not fit is transferred, in all.
const TRANSFERS_MAX: u32 = 3;

/// Filemarks that one command writes.
const FILEMARKS_MAX: u32 = 255;

impl LtoDrive {
    pub(super) fn write_one(&mut self, data: &[u8]) -> Result<WriteOutcome> {
        const WHAT: &str = "write block";
        self.may_write(WHAT)?;
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
        let mut outcome = self.transfer(what, command, Data::Out(&block));
        for _ in 1..TRANSFERS_MAX {
            if !guard_failed(&outcome) || protection::check(&block).is_err() {
                break;
            }
            self.guard_failures += 1;
            self.expect_place(what)?;
            outcome = self.transfer(what, command, Data::Out(&block));
        }
        self.buffer = block;
        outcome
    }

    pub(super) fn write_marks(&mut self, count: u32, immediate: bool) -> Result<WriteOutcome> {
        let what = if count == 0 { "flush" } else { "write filemark" };
        self.may_write(what)?;
        if count > FILEMARKS_MAX {
            return Err(Error::Unsupported {
                what: "writing more than 255 filemarks at once",
                device: "an LTO drive",
            });
        }
        let command = Command::WriteFilemarks { immediate, count };
        let done = self.transfer(what, command, Data::None)?;
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
        self.may_read(WHAT)?;
        let outcome = match self.protection.reads {
            false => {
                let done = self.read_into(WHAT, buffer)?;
                found(&done, buffer.len())?
            }
            true => self.read_protected_block(WHAT, buffer)?,
        };
        match outcome {
            ReadOutcome::EndOfData => {}
            ReadOutcome::Filemark => self.moved(1),
            ReadOutcome::Block(length) => {
                self.moved(1);
                self.counters.blocks_read += 1;
                self.counters.bytes_read += length as u64;
            }
        }
        Ok(outcome)
    }

    fn read_into(&mut self, what: &'static str, buffer: &mut [u8]) -> Result<Done> {
        let length = buffer.len().min(BLOCK_BYTES_MAX);
        let command = Command::Read { fixed: false, suppress_length: false, length: length as u32 };
        let buffer = buffer.get_mut(..length).unwrap_or_default();
        self.transfer(what, command, Data::In(buffer))
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
            buffer.iter_mut().zip(&block[..length]).for_each(|(to, from)| *to = *from);
        }
        self.buffer = block;
        outcome
    }

    fn read_checked(&mut self, what: &'static str, block: &mut [u8]) -> Result<ReadOutcome> {
        for _ in 0..TRANSFERS_MAX {
            let done = self.read_into(what, block)?;
            let ReadOutcome::Block(length) = found(&done, block.len())? else {
                return found(&done, block.len());
            };
            let whole = block.get(..length).unwrap_or_default();
            if length > protection::CRC_BYTES && protection::check(whole).is_ok() {
                return Ok(ReadOutcome::Block(length - protection::CRC_BYTES));
            }
            self.guard_failures += 1;
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
    let length = sense.information.map(|left| requested as i64 - left);
    match length.and_then(|length| usize::try_from(length).ok()) {
        Some(length) if length <= requested => Ok(ReadOutcome::Block(length)),
        length => Err(Error::WrongBlockSize {
            what: "read block",
            expected: requested,
            found: length.unwrap_or(done.transferred),
        }),
    }
}
