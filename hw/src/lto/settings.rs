//! Settings of the drive: put there at open, put back after a reset, taken away at the end.

use super::commands::COMPRESSION;
use super::open::ProtectionChoice;
use super::{LtoDrive, Written};
use crate::device::{ATTENTIONS_MAX, DeviceError, Taken, worse};
use crate::error::{Error, Result};
use crate::scsi::density::Density;
use crate::scsi::mode::{ControlDataProtection, ModeData, PageContent};
use crate::scsi::protection::{CRC_BYTES, ProtectionMethod};
use crate::scsi::{CdbForm, Condition, Sense};

const CONTROL: u8 = 0x0A;
const DATA_PROTECTION: u8 = 0xF0;

/// Buffered: a write is done when the drive has it.
const BUFFERED: u8 = 1;

/// In which direction blocks carry a CRC now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Protection {
    /// From the host.
    pub(super) writes: bool,
    /// To the host.
    pub(super) reads: bool,
}

impl Protection {
    pub(super) const OFF: Self = Self { writes: false, reads: false };

    /// Bytes that a block grows by on its way to the drive.
    pub(super) fn write_bytes(self) -> usize {
        if self.writes { CRC_BYTES } else { 0 }
    }
}

const RESET_AGAIN_AND_AGAIN: &str = "it is reset again and again";

type Attempt<T> = std::result::Result<T, DeviceError>;

impl LtoDrive {
    /// Prepares the drive for whatever medium is in it. What it has to tell from before is of no interest.
    pub(super) fn prepare(&mut self) -> Attempt<()> {
        self.prepared = false;
        self.protection_page = None;
        for _ in 0..ATTENTIONS_MAX {
            self.device.take_unsettled();
            self.encryption = None;
            self.apply_settings()?;
            match self.device.take_unsettled() {
                // A reset in between took some of it away again.
                Some(sense) if sense.condition() != Condition::MediumChanged => {}
                _ => {
                    self.be_prepared();
                    return Ok(());
                }
            }
        }
        Err(DeviceError::Refused(RESET_AGAIN_AND_AGAIN.to_owned()))
    }

    fn be_prepared(&mut self) {
        self.prepared = true;
        if (self.options.protection, self.protection) == (ProtectionChoice::Auto, Protection::OFF) {
            tracing::info!(
                drive = self.device.name(),
                "the drive has no logical block protection by CRC-32C: blocks go without"
            );
        }
    }

    /// Sets everything as the options want it. Block protection and key are first taken away, whoever left them: a
    /// label that is read or written with another's settings is worse than none.
    fn apply_settings(&mut self) -> Attempt<()> {
        self.protection_off()?;
        self.set_modes()?;
        self.set_key_again()?;
        self.protection_on()
    }

    /// That the drive still has block protection as it was set: one that forgot it writes the CRC to the medium.
    pub(super) fn confirm_protection(&mut self, what: &'static str) -> Result<()> {
        if self.protection == Protection::OFF {
            return Ok(());
        }
        let Protection { writes, reads } = self.protection;
        let found = self.protection_in_force().map_err(|error| self.failed(what, error))?;
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

    /// Compression, variable blocks, buffering: as they are, if that is as they should be.
    fn set_modes(&mut self) -> Attempt<()> {
        let (form, mut data) = self.device.mode_sense(COMPRESSION, 0)?;
        self.write_protected = Some(self.device.note(data.device.write_protected));
        let mut page = data.compression()?;
        let mut is_set =
            page.enabled == self.options.compression && data.device.buffered_mode == BUFFERED;
        page.enabled = self.options.compression;
        data.device.buffered_mode = BUFFERED;
        if let Some(descriptor) = &mut data.descriptor {
            let density = Density::from_code(descriptor.density).unwrap_or(Density::Unknown);
            self.feed.restart(density);
            is_set &= descriptor.block_length == 0;
            descriptor.block_length = 0;
        }
        if is_set {
            return Ok(());
        }
        data.pages = vec![PageContent::Compression(page).into()];
        self.device.mode_select(form, &data)
    }

    /// Off, as the drive itself says; one without block protection is so already.
    fn protection_off(&mut self) -> Attempt<()> {
        if let Some((form, data)) = self.known_protection_page()?
            && data.data_protection()?.method != ProtectionMethod::Off
        {
            self.select_protection(form, data, ControlDataProtection::OFF)?;
            let now = self.protection_in_force()?;
            if now.is_some_and(|page| page.method != ProtectionMethod::Off) {
                let problem = "it does not switch block protection off";
                return Err(DeviceError::Refused(problem.to_owned()));
            }
        }
        self.protection = Protection::OFF;
        Ok(())
    }

    fn protection_on(&mut self) -> Attempt<()> {
        let (writes, reads) = match self.options.protection {
            ProtectionChoice::Off => return Ok(()),
            ProtectionChoice::Read => (false, true),
            ProtectionChoice::Write => (true, false),
            ProtectionChoice::On | ProtectionChoice::Auto => (true, true),
        };
        // From here on the drive may have it, whatever its answer is, so that it is taken away at the end.
        self.protection = Protection { writes, reads };
        if self.try_protection(ControlDataProtection::crc32c(writes, reads))? {
            return Ok(());
        }
        self.protection_off()?;
        if self.options.protection == ProtectionChoice::Auto {
            return Ok(());
        }
        let problem = "the drive has no logical block protection by CRC-32C; do without";
        Err(DeviceError::Refused(problem.to_owned()))
    }

    /// Whether the drive took it: only what it says afterwards counts.
    fn try_protection(&mut self, wanted: ControlDataProtection) -> Attempt<bool> {
        let Some((form, data)) = self.known_protection_page()? else { return Ok(false) };
        match self.select_protection(form, data, wanted) {
            Err(error) if error.is_unsupported() => return Ok(false),
            other => other?,
        }
        Ok(self.protection_in_force()? == Some(wanted))
    }

    /// What the drive says of its protection; `None` where it has none.
    fn protection_in_force(&mut self) -> Attempt<Option<ControlDataProtection>> {
        let page = self.protection_page()?;
        Ok(page.map(|(_, data)| data.data_protection()).transpose()?)
    }

    /// The page as the drive last told it, unless something came between.
    fn known_protection_page(&mut self) -> Attempt<Option<(CdbForm, ModeData)>> {
        match self.device.recall(&self.protection_page) {
            Some(page) => Ok(Some(page.clone())),
            None => self.protection_page(),
        }
    }

    /// The page in force; `None` where the drive has none.
    fn protection_page(&mut self) -> Attempt<Option<(CdbForm, ModeData)>> {
        self.protection_page = None;
        match self.device.mode_sense(CONTROL, DATA_PROTECTION) {
            Ok(page) => {
                self.protection_page = Some(self.device.note(page.clone()));
                Ok(Some(page))
            }
            Err(error) if error.is_unsupported() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn select_protection(
        &mut self,
        form: CdbForm,
        mut data: ModeData,
        page: ControlDataProtection,
    ) -> Attempt<()> {
        self.protection_page = None;
        data.pages = vec![PageContent::ControlDataProtection(page).into()];
        self.device.mode_select(form, &data)
    }

    /// Something came between: puts back what it took, as far as that can be. Before a command that `counts_from_here`
    /// the drive goes back to where it stood.
    pub(super) fn restore(
        &mut self,
        what: &'static str,
        sense: Sense,
        counts_from_here: bool,
    ) -> Result<()> {
        if self.restoring {
            return Err(self.failed(what, DeviceError::Sense(sense)));
        }
        self.restoring = true;
        let (mut worst, protection) = (sense, self.protection);
        let restored = match self.put_back(&mut worst) {
            Err(error) => {
                // It is tried again, and must then be as it was.
                self.protection = protection;
                Err(self.not_restored(what, worst, error))
            }
            // A block that already carries its CRC would be written with it, or without.
            Ok(()) if self.protection != protection => {
                let problem = "block protection is not as it was before the drive was reset";
                Err(self.not_restored(what, worst, DeviceError::Refused(problem.to_owned())))
            }
            Ok(()) => self.go_back(what, worst, counts_from_here),
        };
        self.restoring = false;
        restored
    }

    /// What could not be put back must be before anything else is done; a medium that may be another is loaded first.
    fn not_restored(&mut self, what: &'static str, told: Sense, error: DeviceError) -> Error {
        match Taken::by(&told) {
            Some(Taken::Medium) => self.prepared = false,
            Some(Taken::Data) | None => {}
            Some(_) => self.device.unsettle(told),
        }
        self.failed(what, error)
    }

    /// Reservation, settings and key, until the drive has no more to tell. `worst` becomes the worst that it told.
    fn put_back(&mut self, worst: &mut Sense) -> Attempt<()> {
        for _ in 0..ATTENTIONS_MAX {
            self.put_back_after(*worst)?;
            match self.device.take_unsettled() {
                Some(sense) => *worst = worse(*worst, sense),
                None => return Ok(()),
            }
        }
        Err(DeviceError::Refused(RESET_AGAIN_AND_AGAIN.to_owned()))
    }

    fn put_back_after(&mut self, sense: Sense) -> Attempt<()> {
        match Taken::by(&sense) {
            None => return Ok(()),
            Some(Taken::Key) => return self.set_key_again(),
            Some(Taken::Settings) => {}
            Some(Taken::Place) if self.written != Written::Flushed => {
                return Err(DeviceError::Sense(sense));
            }
            Some(Taken::Reservation | Taken::Place) => {
                self.wait_ready()?;
                self.reserve_again()?;
            }
            Some(Taken::Medium | Taken::Data) => return Err(DeviceError::Sense(sense)),
        }
        self.apply_settings()
    }

    /// To where the drive stood before it told of something.
    fn go_back(&mut self, what: &'static str, told: Sense, counts_from_here: bool) -> Result<()> {
        if !counts_from_here {
            self.place = None;
            return Ok(());
        }
        let may_have_moved = Taken::by(&told) >= Some(Taken::Reservation);
        match self.place {
            Some(place) if may_have_moved && self.written == Written::Flushed => {
                self.locate_object(place)
            }
            Some(_) => self.expect_place(what),
            None if !may_have_moved => Ok(()),
            None => {
                let problem = format!("where it stood before is not known, and it says: {told}");
                Err(self.failed(what, DeviceError::Refused(problem)))
            }
        }
    }
}
