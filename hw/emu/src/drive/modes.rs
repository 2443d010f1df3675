//! Mode parameters: MODE SENSE and MODE SELECT.

use reel_hw::scsi::block_limits::BlockLimits;
use reel_hw::scsi::mode::{
    BlockDescriptor, ControlDataProtection, DeviceConfiguration, DeviceConfigurationExtension,
    DeviceSpecific, ModeData, ModePage, PageContent,
};
use reel_hw::scsi::protection::ProtectionMethod;
use reel_hw::scsi::{CdbForm, DeviceType, PageControl, SenseKey};

use super::{Context, Drive, mode_pages, parameters};
use crate::answer::{
    Answer, Outcome, Refusal, check, invalid_field, invalid_parameter, parameter_length,
};
use crate::cartridge::CartridgeKind;

/// Every page.
const ALL_PAGES: u8 = 0x3F;
/// Every subpage.
const ALL_SUBPAGES: u8 = 0xFF;

/// What MODE SELECT sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Modes {
    pub(crate) compression: bool,
    /// Block length in fixed mode; 0 in variable mode.
    pub(crate) block_length: u32,
    pub(crate) buffered: bool,
    /// The CRC goes with blocks that are written.
    pub(crate) protect_writes: bool,
    /// The CRC goes with blocks that are read.
    pub(crate) protect_reads: bool,
    /// Sense is in descriptor format (D_SENSE).
    pub(crate) descriptor_sense: bool,
    /// Nothing is overwritten unless ALLOW OVERWRITE came before.
    pub(crate) append_only: bool,
    /// A host protects the medium (SWP).
    pub(crate) software_protect: bool,
    /// How long data may wait in the buffer, in tenths of a second; only told.
    pub(crate) write_delay: u16,
    /// Programmable early warning: so many MB in front of the medium's own.
    pub(crate) early_warning_mb: u16,
}

impl Modes {
    /// The zone of the programmable early warning, bytes.
    pub(super) fn early_warning_bytes(&self) -> u64 {
        u64::from(self.early_warning_mb) * 1_000_000
    }
}

impl Default for Modes {
    fn default() -> Self {
        Self {
            compression: true,
            block_length: 0,
            buffered: true,
            protect_writes: false,
            protect_reads: false,
            descriptor_sense: false,
            append_only: false,
            software_protect: false,
            write_delay: 100,
            early_warning_mb: 0,
        }
    }
}

impl Drive {
    pub(super) fn mode_sense(
        &mut self,
        form: CdbForm,
        no_descriptor: bool,
        control: PageControl,
        page: (u8, u8),
    ) -> Outcome {
        let worm = self.mounted.as_ref().map(|mounted| mounted.cartridge.facts.kind)
            == Some(CartridgeKind::Worm);
        let all = match control {
            PageControl::Current => mode_pages::pages(&self.model, &self.modes, worm),
            PageControl::Default => mode_pages::pages(&self.model, &Modes::default(), worm),
            PageControl::Changeable => mode_pages::changeable(&self.model),
            PageControl::Saved => return Err(check(SenseKey::IllegalRequest, 0x39, 0x00)),
        };
        let pages: Vec<_> = all.into_iter().filter(|one| is_asked(one, page)).collect();
        // Page 0 alone asks for header and descriptor.
        if pages.is_empty() && page.0 != 0 {
            return Err(invalid_field());
        }
        let data = ModeData {
            medium_type: 0,
            device: self.device_specific(),
            descriptor: (!no_descriptor).then(|| self.block_descriptor()),
            pages,
        };
        Ok(Answer::Data(data.encode(form)))
    }

    fn device_specific(&self) -> DeviceSpecific {
        DeviceSpecific {
            write_protected: self.modes.software_protect
                || self.mounted.as_ref().is_some_and(super::Mounted::is_protected),
            buffered_mode: u8::from(self.modes.buffered),
            speed: 0,
        }
    }

    fn block_descriptor(&self) -> BlockDescriptor {
        let density = self.mounted.as_ref().map(|mounted| mounted.cartridge.facts.density);
        BlockDescriptor {
            density: density.unwrap_or(0),
            blocks: 0,
            block_length: self.modes.block_length,
        }
    }

    pub(super) fn mode_select(
        &mut self,
        context: &Context<'_, '_>,
        form: CdbForm,
        (page_format, save): (bool, bool),
        length: u16,
    ) -> Outcome {
        if length == 0 {
            return Ok(Answer::Done);
        }
        if !page_format || save {
            return Err(invalid_field());
        }
        let bytes = parameters(context, u32::from(length))?;
        let data = ModeData::decode_select(form, DeviceType::Tape, bytes);
        let modes = self.modes_after(&data.map_err(|_| parameter_length())?)?;
        if modes != self.modes {
            self.modes = modes;
            self.hosts.tell(0x2A, 0x01, Some(context.initiator));
        }
        Ok(Answer::Done)
    }

    fn modes_after(&self, data: &ModeData) -> Result<Modes, Refusal> {
        let mut modes = self.modes.clone();
        modes.buffered = match data.device.buffered_mode {
            0 => false,
            1 | 2 => true,
            _ => return Err(invalid_parameter()),
        };
        if let Some(descriptor) = data.descriptor {
            if descriptor.block_length > BlockLimits::LTO.length_max {
                return Err(invalid_parameter());
            }
            modes.block_length = descriptor.block_length;
        }
        data.pages.iter().try_for_each(|page| self.take_page(&mut modes, &page.content))?;
        Ok(modes)
    }

    fn take_page(&self, modes: &mut Modes, page: &PageContent) -> Result<(), Refusal> {
        match page {
            PageContent::Compression(page) => modes.compression = page.enabled,
            PageContent::ControlDataProtection(page) if self.model.protects_blocks() => {
                (modes.protect_writes, modes.protect_reads) = protection(page)?;
            }
            PageContent::DeviceConfiguration(page) => configuration(modes, page),
            PageContent::DeviceConfigurationExtension(page) => extension(modes, page)?,
            PageContent::MediumConfiguration(_) => {}
            PageContent::Other { code: mode_pages::CONTROL, subpage: None, content }
                if content.len() == 10 =>
            {
                modes.descriptor_sense = content[0] & mode_pages::DESCRIPTOR_SENSE != 0;
            }
            _ => return Err(invalid_parameter()),
        }
        Ok(())
    }
}

fn configuration(modes: &mut Modes, page: &DeviceConfiguration) {
    modes.write_delay = page.write_delay_time();
    modes.software_protect = page.software_write_protect();
    modes.compression = page.bytes[12] != 0;
}

fn extension(modes: &mut Modes, page: &DeviceConfigurationExtension) -> Result<(), Refusal> {
    modes.append_only = match page.write_mode {
        0 => false,
        mode_pages::APPEND_ONLY => true,
        _ => return Err(invalid_parameter()),
    };
    modes.early_warning_mb = page.early_warning_mb;
    Ok(())
}

fn is_asked(one: &ModePage, (page, subpage): (u8, u8)) -> bool {
    let (code, own_subpage) = one.content.code();
    let subpage_fits = subpage == ALL_SUBPAGES || own_subpage.unwrap_or(0) == subpage;
    (page == ALL_PAGES || page == code) && subpage_fits
}

/// Writes and reads with CRC-32C, or none.
fn protection(page: &ControlDataProtection) -> Result<(bool, bool), Refusal> {
    match page.method {
        ProtectionMethod::Off if *page == ControlDataProtection::OFF => Ok((false, false)),
        ProtectionMethod::Crc32c if page.information_bytes == 4 && !page.recover => {
            Ok((page.write, page.read))
        }
        _ => Err(invalid_parameter()),
    }
}
