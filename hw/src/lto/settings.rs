//! Settings of the drive: put there at open, put back after a reset, taken away at the end.

use super::open::ProtectionChoice;
use super::{ATTENTIONS_MAX, LtoDrive, Written, timeouts};
use crate::device::DeviceError;
use crate::error::Result;
use crate::scsi::mode::{ControlDataProtection, ModeData, PageContent};
use crate::scsi::protection::{CRC_BYTES, ProtectionMethod};
use crate::scsi::{CdbForm, Command, Condition, DeviceType, PageControl, Sense};
use crate::transport::Data;

const COMPRESSION: u8 = 0x0F;
const CONTROL: u8 = 0x0A;
const DATA_PROTECTION: u8 = 0xF0;

/// Answers of MODE SENSE(10) are no longer; a byte counts those of MODE SENSE(6).
const MODE_BYTES: u16 = 4096;
const MODE_BYTES_SHORT: u16 = 0xFF;

/// Buffered: a write is done when the drive has it.
const BUFFERED: u8 = 1;

/// In which direction blocks carry a CRC now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protection {
    /// From the host.
    pub writes: bool,
    /// To the host.
    pub reads: bool,
}

impl Protection {
    pub(super) const OFF: Self = Self { writes: false, reads: false };

    /// Bytes that a block grows by on its way to the drive.
    pub(super) fn write_bytes(self) -> usize {
        if self.writes { CRC_BYTES } else { 0 }
    }
}

type Attempt<T> = std::result::Result<T, DeviceError>;

impl LtoDrive {
    /// Sets everything as the options want it. Block protection and key are first taken away, whoever left them: a
    /// label that is read or written with another's settings is worse than none.
    pub(super) fn apply_settings(&mut self) -> Attempt<()> {
        for _ in 0..ATTENTIONS_MAX {
            self.device.take_unsettled();
            self.protection_off()?;
            self.set_modes()?;
            self.set_key_again()?;
            self.protection_on()?;
            // A reset in between took some of it away again.
            match self.device.take_unsettled() {
                None => return Ok(()),
                Some(sense) if sense.condition() == Condition::MediumChanged => return Ok(()),
                Some(_) => {}
            }
        }
        Err(DeviceError::Refused("it is reset again and again".to_owned()))
    }

    /// That the drive still has block protection as it was set: one that forgot it writes the CRC to the medium.
    pub(super) fn confirm_protection(&mut self, what: &'static str) -> Result<()> {
        if self.protection == Protection::OFF {
            return Ok(());
        }
        let Protection { writes, reads } = self.protection;
        let found = self.protection_page().map_err(|error| self.failed(what, error))?;
        let found = found.and_then(|(_, data)| data.data_protection().ok());
        if found == Some(ControlDataProtection::crc32c(writes, reads)) {
            return Ok(());
        }
        let problem = "the drive no longer checks blocks by their CRC, and nobody said why";
        Err(self.failed(what, DeviceError::Refused(problem.to_owned())))
    }

    /// Takes key and block protection away.
    pub(super) fn clear_settings(&mut self) -> Attempt<()> {
        let key = if self.key.is_some() { self.clear_key() } else { Ok(()) };
        let protection =
            if self.protection == Protection::OFF { Ok(()) } else { self.protection_off() };
        key.and(protection)
    }

    /// Compression, variable blocks, buffering.
    fn set_modes(&mut self) -> Attempt<()> {
        let (form, mut data) = self.mode_sense(COMPRESSION, 0)?;
        let mut page = data.compression()?;
        page.enabled = self.options.compression;
        data.device.buffered_mode = BUFFERED;
        if let Some(descriptor) = &mut data.descriptor {
            descriptor.block_length = 0;
        }
        data.pages = vec![PageContent::Compression(page).into()];
        self.mode_select(form, &data)
    }

    /// Off; a drive without block protection is so already.
    fn protection_off(&mut self) -> Attempt<()> {
        self.protection = Protection::OFF;
        let Some((form, data)) = self.protection_page()? else { return Ok(()) };
        if data.data_protection()?.method == ProtectionMethod::Off {
            return Ok(());
        }
        self.select_protection(form, data, ControlDataProtection::OFF)
    }

    fn protection_on(&mut self) -> Attempt<()> {
        let (writes, reads) = match self.options.protection {
            ProtectionChoice::Off => return Ok(()),
            ProtectionChoice::Read => (false, true),
            ProtectionChoice::Write => (true, false),
            ProtectionChoice::On | ProtectionChoice::Auto => (true, true),
        };
        let taken = self.try_protection(ControlDataProtection::crc32c(writes, reads))?;
        if taken {
            self.protection = Protection { writes, reads };
            return Ok(());
        }
        if self.options.protection == ProtectionChoice::Auto {
            return Ok(());
        }
        let problem =
            "the drive has no logical block protection by CRC-32C; set lbp to auto or off";
        Err(DeviceError::Refused(problem.to_owned()))
    }

    /// Whether the drive took it: only what it says afterwards counts.
    fn try_protection(&mut self, wanted: ControlDataProtection) -> Attempt<bool> {
        let Some((form, data)) = self.protection_page()? else { return Ok(false) };
        match self.select_protection(form, data, wanted) {
            Err(error) if is_unsupported(&error) => return Ok(false),
            other => other?,
        }
        let now = self.protection_page()?;
        now.map_or(Ok(false), |(_, data)| Ok(data.data_protection()? == wanted))
    }

    /// The page in force; `None` where the drive has none.
    fn protection_page(&mut self) -> Attempt<Option<(CdbForm, ModeData)>> {
        match self.mode_sense(CONTROL, DATA_PROTECTION) {
            Ok(page) => Ok(Some(page)),
            Err(error) if is_unsupported(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn select_protection(
        &mut self,
        form: CdbForm,
        mut data: ModeData,
        page: ControlDataProtection,
    ) -> Attempt<()> {
        data.pages = vec![PageContent::ControlDataProtection(page).into()];
        self.mode_select(form, &data)
    }

    /// A mode page in force, in the long form or, where the drive does not know that, in the short one.
    pub(super) fn mode_sense(&mut self, page: u8, subpage: u8) -> Attempt<(CdbForm, ModeData)> {
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
        let bytes = self.device.ask_data(command, usize::from(allocation), timeouts::QUICK)?;
        Ok((form, ModeData::decode(form, DeviceType::Tape, &bytes)?))
    }

    fn mode_select(&mut self, form: CdbForm, data: &ModeData) -> Attempt<()> {
        let bytes = data.encode_select(form);
        let command = Command::ModeSelect {
            form,
            page_format: true,
            save: false,
            length: bytes.len() as u16,
        };
        self.device.ask(command, Data::Out(&bytes), timeouts::WRITE).map(drop)
    }

    /// Something came between: puts back what it took, as far as that can be.
    pub(super) fn restore(&mut self, what: &'static str, sense: Sense) -> Result<()> {
        if self.restoring {
            return Err(self.failed(what, DeviceError::Sense(sense)));
        }
        self.restoring = true;
        let restored = self.put_back(what, sense);
        self.restoring = false;
        restored
    }

    fn put_back(&mut self, what: &'static str, sense: Sense) -> Result<()> {
        match sense.condition() {
            Condition::ModeChanged => {
                self.apply_settings().map_err(|error| self.failed(what, error))
            }
            Condition::EncryptionChanged => {
                self.set_key_again().map_err(|error| self.failed(what, error))
            }
            Condition::Reset if self.written == Written::Flushed => self.after_reset(what),
            _ => Err(self.failed(what, DeviceError::Sense(sense))),
        }
    }

    /// Nothing of ours was in the drive's buffer: settings and key again, and back to where we were.
    fn after_reset(&mut self, what: &'static str) -> Result<()> {
        let place = self.place;
        self.wait_ready().map_err(|error| self.failed(what, error))?;
        self.apply_settings().map_err(|error| self.failed(what, error))?;
        match place {
            Some(place) => self.locate_object(place),
            None => Ok(()),
        }
    }
}

/// Whether the drive does not have what was asked for.
pub(super) fn is_unsupported(error: &DeviceError) -> bool {
    let DeviceError::Sense(sense) = error else { return false };
    matches!(sense.condition(), Condition::UnknownCommand | Condition::InvalidField)
}
