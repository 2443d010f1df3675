//! Mode parameters.

use reel_hw::scsi::mode::{
    BlockDescriptor, Compression, ControlDataProtection, DeviceConfiguration,
    DeviceConfigurationExtension, DeviceSpecific, MediumConfiguration, ModeData, ModePage,
    PageContent,
};
use reel_hw::scsi::protection::ProtectionMethod;
use reel_hw::scsi::{CdbForm, DeviceType, PageControl};

use super::{Context, Drive, parameters};
use crate::answer::{Answer, Outcome, Refusal, invalid_field, invalid_parameter, parameter_length};
use crate::cartridge::CartridgeKind;

/// Every page.
const ALL_PAGES: u8 = 0x3F;
/// Every subpage.
const ALL_SUBPAGES: u8 = 0xFF;

impl Drive {
    pub(super) fn mode_sense(
        &mut self,
        form: CdbForm,
        no_descriptor: bool,
        control: PageControl,
        page: (u8, u8),
    ) -> Outcome {
        if control == PageControl::Saved {
            return Err(crate::answer::check(reel_hw::scsi::SenseKey::IllegalRequest, 0x39, 0x00));
        }
        let pages: Vec<_> = self.pages().into_iter().filter(|one| is_asked(one, page)).collect();
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
        let mounted = self.mounted.as_ref();
        DeviceSpecific {
            write_protected: mounted.is_some_and(|one| one.cartridge.facts.write_protected),
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

    fn pages(&self) -> Vec<ModePage> {
        let kind = self.mounted.as_ref().map(|mounted| mounted.cartridge.facts.kind);
        let worm = kind == Some(CartridgeKind::Worm);
        let mut pages = vec![
            PageContent::Compression(Compression {
                enabled: self.modes.compression,
                capable: true,
                decompression: true,
                report_exceptions: 0,
                algorithm: 0xFF,
                decompression_algorithm: 0xFF,
            }),
            PageContent::DeviceConfiguration(DeviceConfiguration { bytes: [0; 14] }),
            PageContent::DeviceConfigurationExtension(DeviceConfigurationExtension::default()),
            PageContent::MediumConfiguration(MediumConfiguration {
                worm,
                label_restrictions: u8::from(worm),
                filemark_restrictions: if worm { 2 } else { 0 },
            }),
        ];
        if self.model.protects_blocks() {
            pages.insert(0, PageContent::ControlDataProtection(self.protection_page()));
        }
        pages.into_iter().map(ModePage::from).collect()
    }

    fn protection_page(&self) -> ControlDataProtection {
        match (self.modes.protect_writes, self.modes.protect_reads) {
            (false, false) => ControlDataProtection::OFF,
            (write, read) => ControlDataProtection::crc32c(write, read),
        }
    }

    pub(super) fn mode_select(
        &mut self,
        context: &Context<'_, '_>,
        form: CdbForm,
        length: u16,
    ) -> Outcome {
        if length == 0 {
            return Ok(Answer::Done);
        }
        let bytes = parameters(context, u32::from(length))?;
        let data = ModeData::decode_select(form, DeviceType::Tape, bytes);
        let data = data.map_err(|_| parameter_length())?;
        let mut modes = self.modes.clone();
        modes.buffered = data.device.buffered_mode != 0;
        if let Some(descriptor) = data.descriptor {
            modes.block_length = descriptor.block_length;
        }
        for page in &data.pages {
            match &page.content {
                PageContent::Compression(page) => modes.compression = page.enabled,
                PageContent::ControlDataProtection(page) if self.model.protects_blocks() => {
                    (modes.protect_writes, modes.protect_reads) = protection(page)?;
                }
                PageContent::DeviceConfiguration(_)
                | PageContent::DeviceConfigurationExtension(_)
                | PageContent::MediumConfiguration(_) => {}
                _ => return Err(invalid_parameter()),
            }
        }
        if modes != self.modes {
            self.modes = modes;
            self.attentions.raise(0x2A, 0x01, Some(context.initiator));
        }
        Ok(Answer::Done)
    }
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
