//! A SCSI drive that is told what to do, command by command.
//!
//! [`LtoDrive`](crate::LtoDrive) keeps a drive in the state that backups need; here it is left as it is, and sent the
//! commands that PBS's `pmt` sends. To be asked something it is opened as an `LtoDrive` that only looks.

use std::time::Duration;

use super::mt::{DriveModes, MtDrive};
use super::{ToolError, ToolResult};
use crate::cancel::Cancel;
use crate::device::{DeviceError, Done, ScsiDevice};
use crate::error::{Error, Result};
use crate::lto::commands::{self, COMPRESSION, FILEMARKS_MAX, load_unload};
use crate::lto::timeouts;
use crate::number::FileNumber;
use crate::scsi::mode::PageContent;
use crate::scsi::{Command, Condition, DeviceType, LocateTarget, SpaceCode};
use crate::transport::{Data, Transport};

type Attempt<T> = std::result::Result<T, DeviceError>;

/// A drive that is open and as it was.
pub(super) struct PlainDrive {
    device: ScsiDevice,
}

impl PlainDrive {
    /// Opens the drive behind a transport: it is asked what it is, and nothing else.
    ///
    /// # Errors
    /// `not a tape device (peripheral_type = n)`, or it does not answer.
    pub(super) fn open(transport: Box<dyn Transport>, cancel: &Cancel) -> Result<Self> {
        let mut device = ScsiDevice::new(transport, cancel.clone());
        let known = device.inquire(DeviceType::Tape);
        known.map_err(|error| Error::drive("open", device.name(), error))?;
        Ok(Self { device })
    }

    fn explain(&self, what: &'static str, error: DeviceError) -> Error {
        Error::drive(what, self.device.name(), error)
    }

    /// Has the drive do what depends on nothing that it may have to tell first.
    fn tell(&mut self, what: &'static str, command: Command, limit: Duration) -> Result<Done> {
        let done = self.device.ask(command, Data::None, limit);
        done.map_err(|error| self.explain(what, error))
    }

    /// Has the drive change what is recorded here. Where it first tells of another medium or a reset, "here" is not
    /// where the caller thinks: then it is not told again.
    fn tell_here(&mut self, what: &'static str, command: Command, limit: Duration) -> Result<()> {
        let done = self.device.send(command, Data::None, limit);
        done.map(drop).map_err(|error| self.explain(what, error))
    }

    fn space(&mut self, what: &'static str, code: SpaceCode, count: i32) -> ToolResult<()> {
        let command = commands::space(code, i64::from(count));
        let done = self.tell(what, command, timeouts::LOCATE)?;
        match done.sense.filter(|sense| sense.condition() != Condition::Fine) {
            Some(met) => Err(ToolError::Stopped { what, met }),
            None => Ok(()),
        }
    }

    /// LOCATE lands in front of the filemark, which is then passed (spec scsi.md §5).
    fn try_locate_file(&mut self, target: i128) -> ToolResult<FileNumber> {
        const WHAT: &str = "locate file";
        let target = LocateTarget::File(u64::try_from(target).unwrap_or(0));
        let command = Command::Locate16 { immediate: false, partition: None, target };
        self.tell(WHAT, command, timeouts::LOCATE)?;
        self.space(WHAT, SpaceCode::Filemarks, 1)?;
        let position = self.device.long_position().map_err(|error| self.explain(WHAT, error))?;
        Ok(FileNumber(position.file))
    }

    fn select_modes(&mut self, modes: DriveModes) -> Attempt<()> {
        let (form, mut data) = self.device.mode_sense(COMPRESSION, 0)?;
        let mut page = data.compression()?;
        page.enabled = modes.compression.unwrap_or(page.enabled);
        if let Some(buffered) = modes.buffer_mode {
            data.device.buffered_mode = u8::from(buffered);
        }
        if let (Some(length), Some(descriptor)) = (modes.blocksize, &mut data.descriptor) {
            descriptor.block_length = length;
        }
        data.pages = vec![PageContent::Compression(page).into()];
        self.device.mode_select(form, &data)
    }
}

impl MtDrive for PlainDrive {
    fn rewind(&mut self) -> Result<()> {
        self.tell("rewind", Command::Rewind { immediate: false }, timeouts::REWIND).map(drop)
    }

    fn load(&mut self) -> Result<()> {
        self.tell("load", load_unload(true), timeouts::LOAD).map(drop)
    }

    fn eject(&mut self) -> Result<()> {
        self.tell("eject", load_unload(false), timeouts::LOAD).map(drop)
    }

    fn space_filemarks(&mut self, count: i32) -> ToolResult<()> {
        self.space("space filemarks", SpaceCode::Filemarks, count)
    }

    fn space_blocks(&mut self, count: i32) -> ToolResult<()> {
        self.space("space blocks", SpaceCode::Blocks, count)
    }

    fn space_to_end_of_data(&mut self) -> ToolResult<()> {
        self.space("space to the end of data", SpaceCode::EndOfData, 0)
    }

    /// Drives disagree by one on what LOCATE to a file means: the second try goes by how far the first was off.
    fn locate_file(&mut self, file: FileNumber) -> ToolResult<()> {
        if file.0 <= 1 {
            self.rewind()?;
            return if file.0 == 0 { Ok(()) } else { self.space_filemarks(1) };
        }
        let target = i128::from(file.0) - 1;
        let there = self.try_locate_file(target)?;
        if there == file {
            return Ok(());
        }
        let offset = i128::from(file.0) - i128::from(there.0);
        let there = self.try_locate_file(target + offset)?;
        if there == file {
            return Ok(());
        }
        let problem =
            format!("it went to file {there} instead of {file}; compensating offset did not work");
        Err(self.explain("locate file", DeviceError::Refused(problem)).into())
    }

    fn write_filemarks(&mut self, count: u32) -> Result<()> {
        if count > FILEMARKS_MAX {
            let what = "writing more than 255 filemarks at once";
            return Err(Error::Unsupported { what, device: "a SCSI drive" });
        }
        let command = Command::WriteFilemarks { immediate: false, count };
        self.tell_here("write filemarks", command, timeouts::WRITE_FILEMARKS)
    }

    fn erase(&mut self, fast: bool) -> Result<()> {
        self.tell_here("erase", Command::Erase { immediate: false, long: !fast }, timeouts::ERASE)
    }

    fn prevent_removal(&mut self, prevent: bool) -> Result<()> {
        let what = if prevent { "lock the medium in" } else { "unlock the medium" };
        self.tell(what, Command::PreventRemoval { prevent }, timeouts::QUICK).map(drop)
    }

    fn change_modes(&mut self, modes: DriveModes) -> Result<()> {
        let changed = self.select_modes(modes);
        changed.map_err(|error| self.explain("change the drive's modes", error))
    }
}
