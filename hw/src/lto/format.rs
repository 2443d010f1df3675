//! Erasing and formatting (spec scsi.md §9).

use super::{LtoDrive, timeouts};
use crate::device::DeviceError;
use crate::drive::HostAttribute;
use crate::error::Result;
use crate::number::BlockNumber;
use crate::scsi::density::Density;
use crate::scsi::{Command, SpaceCode};
use crate::transport::Data;

const MEDIUM_CONFIGURATION: u8 = 0x1D;

/// What a host may have written to the medium's memory.
const HOST_ATTRIBUTES: [HostAttribute; 5] = [
    HostAttribute::ApplicationVendor,
    HostAttribute::ApplicationName,
    HostAttribute::ApplicationVersion,
    HostAttribute::UserMediumTextLabel,
    HostAttribute::MediaPool,
];

impl LtoDrive {
    pub(super) fn format_now(&mut self, fast: bool) -> Result<()> {
        let (density, worm) = self.medium_kind();
        if worm {
            return self.expect_blank_worm();
        }
        self.rewind_now()?;
        match density {
            Some(
                Density::Lto5 | Density::Lto6 | Density::Lto7 | Density::Lto7M8 | Density::Lto8,
            ) => {
                self.format_command(false)?;
                if !fast {
                    self.erase_now(true)?;
                }
            }
            Some(Density::Lto9) if !fast => {
                self.format_command(true)?;
                self.erase_now(true)?;
            }
            _ => self.erase_now(!fast)?,
        }
        self.delete_attributes();
        match self.place {
            Some(BlockNumber(0)) => Ok(()),
            _ => self.rewind_now(),
        }
    }

    /// Generation of the medium, and whether it is written once; a drive that does not tell has neither.
    fn medium_kind(&mut self) -> (Option<Density>, bool) {
        let Ok((_, data)) = self.device.mode_sense(MEDIUM_CONFIGURATION, 0) else {
            return (None, false);
        };
        let code = data.descriptor.map(|descriptor| descriptor.density);
        let worm = data.medium_configuration().is_ok_and(|page| page.worm);
        (code.and_then(|code| Density::from_code(code).ok()), worm)
    }

    /// A WORM medium is not formatted; it may be used if nothing is on it.
    fn expect_blank_worm(&mut self) -> Result<()> {
        const WHAT: &str = "format";
        self.space(SpaceCode::EndOfData, 0)?;
        let end = self.position_now(WHAT)?.object;
        if end == BlockNumber(0) {
            return Ok(());
        }
        let problem = "detected WORM media with data".to_owned();
        Err(self.explain(WHAT, DeviceError::Refused(problem)))
    }

    /// FORMAT MEDIUM; with `immediate` the drive answers at once and is waited for, up to two hours.
    fn format_command(&mut self, immediate: bool) -> Result<()> {
        const WHAT: &str = "format";
        let command = Command::FormatMedium { immediate, verify: false, format: 0, length: 0 };
        self.transfer_within(WHAT, command, Data::None, timeouts::FORMAT)?;
        if immediate {
            self.expect_ready(WHAT, timeouts::CALIBRATION)?;
        }
        self.rewind_now()
    }

    /// Makes the position the end of data; a long erase overwrites all behind it.
    pub(super) fn erase_now(&mut self, long: bool) -> Result<()> {
        const WHAT: &str = "erase";
        self.may_move(WHAT)?;
        self.know_place(WHAT)?;
        let place = self.place;
        let command = Command::Erase { immediate: false, long };
        self.transfer_within(WHAT, command, Data::None, timeouts::ERASE)?;
        self.place = if long { None } else { place };
        Ok(())
    }

    /// What the medium's memory says of a content that is gone. The medium is formatted all the same where it cannot be
    /// deleted.
    fn delete_attributes(&mut self) {
        let _ = self.set_attributes(&HOST_ATTRIBUTES.map(|attribute| (attribute, None)));
    }
}
