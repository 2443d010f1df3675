//! The mode pages of a drive, as they are for given settings (spec scsi.md §6, §18).

use reel_hw::scsi::mode::{
    Compression, ControlDataProtection, DeviceConfiguration, DeviceConfigurationExtension,
    MediumConfiguration, ModePage, PageContent,
};

use super::Modes;
use crate::model::DriveModel;

/// Control, page 0Ah.
pub(super) const CONTROL: u8 = 0x0A;
/// Descriptor sense (D_SENSE), in the first byte of that page's content.
pub(super) const DESCRIPTOR_SENSE: u8 = 0x04;
/// Overwriting is not allowed: the write mode of page 10h, subpage 01h.
pub(super) const APPEND_ONLY: u8 = 1;
/// A host protects the medium (SWP), in byte 10 of page 10h.
pub(super) const SOFTWARE_PROTECT: u8 = 0x04;
/// The buffer is written out at the early warning (SEW), in byte 10 of page 10h.
const SYNC_AT_EARLY_WARNING: u8 = 0x08;
/// Objects have identifiers (LOIS), in byte 8 of page 10h.
const OBJECT_IDENTIFIERS: u8 = 0x40;

/// All pages, ascending.
pub(super) fn pages(model: &DriveModel, modes: &Modes, worm: bool) -> Vec<ModePage> {
    let protection = model.protects_blocks().then(|| {
        PageContent::ControlDataProtection(ControlDataProtection::crc32c(
            modes.protect_writes,
            modes.protect_reads,
        ))
    });
    let pages = [
        Some(control(if modes.descriptor_sense { DESCRIPTOR_SENSE } else { 0 })),
        protection,
        Some(PageContent::Compression(compression(modes.compression, true, 0xFF))),
        Some(PageContent::DeviceConfiguration(configuration(modes))),
        Some(PageContent::DeviceConfigurationExtension(extension(modes))),
        Some(PageContent::MediumConfiguration(MediumConfiguration {
            worm,
            label_restrictions: u8::from(worm),
            filemark_restrictions: if worm { 2 } else { 0 },
        })),
    ];
    pages.into_iter().flatten().map(ModePage::from).collect()
}

/// The same pages as masks of what can be changed.
pub(super) fn changeable(model: &DriveModel) -> Vec<ModePage> {
    let mut bytes = [0; 14];
    bytes[4..6].fill(0xFF);
    bytes[8] = SOFTWARE_PROTECT;
    bytes[12] = 0xFF;
    let all = ControlDataProtection {
        method: reel_hw::scsi::protection::ProtectionMethod::from_number(0xFF),
        information_bytes: 0x3F,
        write: true,
        read: true,
        recover: false,
    };
    let pages = [
        Some(control(DESCRIPTOR_SENSE)),
        model.protects_blocks().then_some(PageContent::ControlDataProtection(all)),
        Some(PageContent::Compression(compression(true, false, 0))),
        Some(PageContent::DeviceConfiguration(DeviceConfiguration { bytes })),
        Some(PageContent::DeviceConfigurationExtension(DeviceConfigurationExtension {
            write_mode: 0xF,
            early_warning_mb: 0xFFFF,
            ..Default::default()
        })),
        Some(PageContent::MediumConfiguration(MediumConfiguration::default())),
    ];
    pages.into_iter().flatten().map(ModePage::from).collect()
}

fn control(flags: u8) -> PageContent {
    let mut content = vec![0; 10];
    content[0] = flags;
    PageContent::Other { code: CONTROL, subpage: None, content }
}

fn compression(enabled: bool, rest: bool, algorithm: u32) -> Compression {
    Compression {
        enabled,
        capable: rest,
        decompression: rest,
        report_exceptions: 0,
        algorithm,
        decompression_algorithm: algorithm,
    }
}

/// SSC-5 §8.5.3. The content begins at byte 2 of the page.
fn configuration(modes: &Modes) -> DeviceConfiguration {
    let mut bytes = [0; 14];
    bytes[4..6].copy_from_slice(&modes.write_delay.to_be_bytes());
    bytes[6] = OBJECT_IDENTIFIERS;
    bytes[8] = SYNC_AT_EARLY_WARNING | if modes.software_protect { SOFTWARE_PROTECT } else { 0 };
    bytes[12] = u8::from(modes.compression);
    DeviceConfiguration { bytes }
}

fn extension(modes: &Modes) -> DeviceConfigurationExtension {
    DeviceConfigurationExtension {
        write_mode: if modes.append_only { APPEND_ONLY } else { 0 },
        early_warning_mb: modes.early_warning_mb,
        ..DeviceConfigurationExtension::default()
    }
}
