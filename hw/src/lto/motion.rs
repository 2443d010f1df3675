//! Going somewhere else on the tape, and knowing where that is.

use super::{LtoDrive, commands, timeouts};
use crate::device::{ATTENTIONS_MAX, DeviceError, Done};
use crate::drive::{Position, SpaceOutcome};
use crate::error::{Error, Result};
use crate::number::{BlockNumber, FileNumber};
use crate::scsi::{Command, Condition, LocateTarget, SpaceCode};
use crate::transport::Data;

impl LtoDrive {
    pub(super) fn rewind_now(&mut self) -> Result<()> {
        self.place = None;
        let command = Command::Rewind { immediate: false };
        self.motion("rewind", command, timeouts::REWIND)?;
        self.place = Some(BlockNumber(0));
        self.astray = false;
        Ok(())
    }

    pub(super) fn space(&mut self, code: SpaceCode, count: i64) -> Result<SpaceOutcome> {
        let done = self.motion("space", commands::space(code, count), timeouts::LOCATE)?;
        self.place = None;
        // A drive that went to the end of data has met nothing on its way: one that says so stands who knows where, and
        // what is written there could hit what is recorded.
        if let (SpaceCode::EndOfData, Some(sense)) = (code, done.sense)
            && sense.condition() != Condition::Fine
        {
            return Err(self.failed("space to the end of data", DeviceError::Sense(sense)));
        }
        let outcome = match done.condition() {
            Condition::Filemark => SpaceOutcome::Filemark,
            Condition::EndOfData => SpaceOutcome::EndOfData,
            Condition::BeginningOfMedium => SpaceOutcome::BeginningOfMedium,
            _ => SpaceOutcome::Done,
        };
        self.astray &= code != SpaceCode::EndOfData;
        self.behind_filemark = count > 0
            && match code {
                SpaceCode::Filemarks => outcome == SpaceOutcome::Done,
                _ => outcome == SpaceOutcome::Filemark,
            };
        Ok(outcome)
    }

    /// A command that moves the tape. What is in the drive's buffer is put onto the tape first, and that confirmed.
    fn motion(
        &mut self,
        what: &'static str,
        command: Command,
        timeout: std::time::Duration,
    ) -> Result<Done> {
        self.may_move(what)?;
        self.flush_buffered()?;
        self.transfer_within(what, command, Data::None, timeout)
    }

    pub(super) fn locate_object(&mut self, object: BlockNumber) -> Result<()> {
        const WHAT: &str = "locate";
        self.place = None;
        let target = LocateTarget::Object(object.0);
        let done = match self.locate_16(WHAT, target) {
            Err(error) if is_unsupported(&error) => {
                let object = u32::try_from(object.0).map_err(|_| error)?;
                let command = Command::Locate10 { immediate: false, object };
                self.motion(WHAT, command, timeouts::LOCATE)?
            }
            other => other?,
        };
        if done.condition() == Condition::EndOfData {
            return Err(Error::UnexpectedEndOfData { what: format!("locate object {object}") });
        }
        self.place = Some(object);
        self.expect_place(WHAT)
    }

    fn locate_16(&mut self, what: &'static str, target: LocateTarget) -> Result<Done> {
        let command = Command::Locate16 { immediate: false, partition: None, target };
        self.motion(what, command, timeouts::LOCATE)
    }

    /// Goes behind the `file`-th filemark (spec scsi.md §5, "locate file n").
    pub(super) fn go_to_file(&mut self, file: FileNumber) -> Result<()> {
        match file.0 {
            0 => self.rewind_now(),
            1 => {
                self.rewind_now()?;
                self.pass_filemark(file)?;
                self.position_now("locate file").map(drop)
            }
            _ => self.locate_file_by_number(file),
        }
    }

    /// Drives disagree by one on what LOCATE to a file means: the difference is learned at the first locate.
    fn locate_file_by_number(&mut self, file: FileNumber) -> Result<()> {
        self.try_locate_file(file)?;
        let there = self.position_now("locate file")?.file;
        if there == file {
            return Ok(());
        }
        self.file_offset += i128::from(file.0) - i128::from(there.0);
        self.try_locate_file(file)?;
        let there = self.position_now("locate file")?.file;
        if there == file {
            return Ok(());
        }
        let problem =
            format!("it went to file {there} instead of {file}; compensating offset did not work");
        Err(self.explain("locate file", DeviceError::Refused(problem)))
    }

    fn try_locate_file(&mut self, file: FileNumber) -> Result<()> {
        self.place = None;
        let target = i128::from(file.0) - 1 + self.file_offset;
        let target = LocateTarget::File(u64::try_from(target).unwrap_or(0));
        match self.locate_16("locate file", target) {
            Err(error) if is_unsupported(&error) => {
                self.rewind_now()?;
                self.pass_filemarks(file.0, file)
            }
            Err(error) => Err(error),
            // Some drives find the end first and still stand in front of the last filemark or behind it.
            Ok(_) => self.pass_filemark(file),
        }
    }

    fn pass_filemark(&mut self, file: FileNumber) -> Result<()> {
        self.pass_filemarks(1, file)
    }

    fn pass_filemarks(&mut self, count: u64, file: FileNumber) -> Result<()> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        match self.space(SpaceCode::Filemarks, count)? {
            SpaceOutcome::Done => Ok(()),
            _ => Err(Error::UnexpectedEndOfData { what: format!("locate file {file}") }),
        }
    }

    /// Asks the drive where it is. A drive that was reset would answer with the beginning of the tape, which who asked
    /// would take for the place where the last motion ended: so it goes back first.
    ///
    /// # Errors
    /// It stands somewhere else than it should.
    pub(super) fn position_now(&mut self, what: &'static str) -> Result<Position> {
        self.must_be_prepared(what)?;
        for _ in 0..ATTENTIONS_MAX {
            let mut position = self.ask_position().map_err(|error| self.explain(what, error))?;
            if let Some(sense) = self.device.take_unsettled() {
                self.restore(what, sense, true)?;
                continue;
            }
            let found = position.object;
            if let Some(expected) = self.place.replace(found).filter(|place| *place != found) {
                let problem = format!("it stands at object {found} instead of {expected}");
                return Err(self.failed(what, DeviceError::Refused(problem)));
            }
            self.astray = false;
            let begins_file = self.behind_filemark || found == BlockNumber(0);
            position.block_in_file = begins_file.then_some(0);
            return Ok(position);
        }
        Err(self.ever_more_to_tell(what))
    }

    pub(super) fn ask_position(&mut self) -> std::result::Result<Position, DeviceError> {
        let position = self.device.long_position()?.known();
        let unknown = || DeviceError::Refused("the drive does not know where it is".to_owned());
        position.ok_or_else(unknown)
    }

    /// Holds the drive's own position against where it should be.
    pub(super) fn expect_place(&mut self, what: &'static str) -> Result<()> {
        match self.place {
            Some(_) => self.position_now(what).map(drop),
            None => Ok(()),
        }
    }

    /// Back over the block that was just read.
    pub(super) fn step_back(&mut self, what: &'static str) -> Result<()> {
        let place = self.place;
        self.moved(1);
        let command = Command::Space6 { code: SpaceCode::Blocks, count: -1 };
        self.motion(what, command, timeouts::LOCATE)?;
        self.place = place;
        self.expect_place(what)
    }

    /// The position after a transfer of that many objects.
    pub(super) fn moved(&mut self, objects: u64) {
        self.place = self.place.map(|place| BlockNumber(place.0.saturating_add(objects)));
    }
}

fn is_unsupported(error: &Error) -> bool {
    error.condition().is_some_and(Condition::is_unsupported)
}
