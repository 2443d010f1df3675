//! Commands to a tape drive that its driver and the tools send alike.

use super::timeouts;
use crate::device::{DeviceError, ScsiDevice};
use crate::scsi::mode::ModeData;
use crate::scsi::position::{LONG_POSITION_BYTES, LongPosition};
use crate::scsi::{CdbForm, Command, Condition, DeviceType, PageControl, SpaceCode};
use crate::transport::Data;

/// Mode page of data compression.
pub(crate) const COMPRESSION: u8 = 0x0F;

/// Filemarks that one command writes.
pub(crate) const FILEMARKS_MAX: u32 = 255;

/// READ POSITION in its long form.
const LONG_FORM: u8 = 6;

/// Counts of SPACE(6).
const SHORT_COUNT_MAX: u64 = 0x7F_FFFF;

/// Answers of MODE SENSE(10) are no longer; a byte counts those of MODE SENSE(6).
const MODE_BYTES: u16 = 4096;
const MODE_BYTES_SHORT: u16 = 0xFF;

type Attempt<T> = Result<T, DeviceError>;

/// LOAD or UNLOAD that is done when it is answered.
pub(crate) fn load_unload(load: bool) -> Command {
    Command::LoadUnload {
        immediate: false,
        hold: false,
        end_of_tape: false,
        retension: false,
        load,
    }
}

/// SPACE, in the short form where the count fits it.
pub(crate) fn space(code: SpaceCode, count: i64) -> Command {
    match i32::try_from(count) {
        Ok(short) if count.unsigned_abs() <= SHORT_COUNT_MAX => {
            Command::Space6 { code, count: short }
        }
        _ => Command::Space16 { code, count },
    }
}

impl ScsiDevice {
    /// Where a tape drive says that it is.
    pub(crate) fn long_position(&mut self) -> Attempt<LongPosition> {
        let command = Command::ReadPosition { service_action: LONG_FORM, allocation: 0 };
        let bytes = self.ask_data(command, LONG_POSITION_BYTES, timeouts::IMMEDIATE)?;
        Ok(LongPosition::decode(&bytes)?)
    }

    /// A mode page of a tape drive in force, in the long form or, where the drive does not know that, in the short one.
    pub(crate) fn mode_sense(&mut self, page: u8, subpage: u8) -> Attempt<(CdbForm, ModeData)> {
        match self.mode_sense_as(CdbForm::Ten, page, subpage) {
            Err(DeviceError::Sense(sense)) if sense.condition() == Condition::UnknownCommand => {
                self.mode_sense_as(CdbForm::Six, page, subpage)
            }
            other => other,
        }
    }

    fn mode_sense_as(
        &mut self,
        form: CdbForm,
        page: u8,
        subpage: u8,
    ) -> Attempt<(CdbForm, ModeData)> {
        let allocation = match form {
            CdbForm::Six => MODE_BYTES_SHORT,
            CdbForm::Ten => MODE_BYTES,
        };
        let command = Command::ModeSense {
            form,
            no_descriptor: false,
            control: PageControl::Current,
            page,
            subpage,
            allocation,
        };
        let bytes = self.ask_data(command, usize::from(allocation), timeouts::QUICK)?;
        Ok((form, ModeData::decode(form, DeviceType::Tape, &bytes)?))
    }

    /// Sets the modes of a tape drive until it is reset.
    pub(crate) fn mode_select(&mut self, form: CdbForm, data: &ModeData) -> Attempt<()> {
        let bytes = data.encode_select(form);
        let length = bytes.len() as u16;
        let command = Command::ModeSelect { form, page_format: true, save: false, length };
        self.ask(command, Data::Out(&bytes), timeouts::WRITE).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_beyond_three_bytes_go_in_the_long_form() {
        let code = SpaceCode::Blocks;
        for count in [0, 1, -1, 0x7F_FFFF, -0x7F_FFFF] {
            assert_eq!(space(code, count), Command::Space6 { code, count: count as i32 });
        }
        for count in [0x80_0000, -0x80_0000, i64::from(i32::MIN), i64::MAX, i64::MIN] {
            assert_eq!(space(code, count), Command::Space16 { code, count });
        }
    }
}
