//! What a drive says of itself.

use reel_hw::TapeAlerts;
use reel_hw::scsi::block_limits::BlockLimits;
use reel_hw::scsi::density::{DensityDescriptor, DensitySupport};
use reel_hw::scsi::inquiry::{Designator, Inquiry, MethodDescriptor, VpdData, VpdPage};
use reel_hw::scsi::protection::ProtectionMethod;

use reel_hw::scsi::DeviceType;

use super::Drive;
use crate::answer::{Answer, Outcome, invalid_field};
use crate::model::Generation;

impl Drive {
    pub(super) fn inquiry(&self, page: Option<u8>) -> Outcome {
        let Some(page) = page else { return Ok(Answer::Data(self.standard_inquiry().encode())) };
        let pages = self.vital_pages();
        let page = match page {
            0x00 => {
                let codes = pages.iter().map(VpdPage::code);
                VpdPage::Supported(std::iter::once(0x00).chain(codes).collect())
            }
            page => {
                let mut pages = pages.into_iter();
                pages.find(|one| one.code() == page).ok_or_else(invalid_field)?
            }
        };
        Ok(Answer::Data(VpdData { device: DeviceType::Tape.number(), page }.encode()))
    }

    /// All pages but the list of them, ascending.
    fn vital_pages(&self) -> Vec<VpdPage> {
        let serial = &self.model.serial;
        let mut pages = vec![
            VpdPage::UnitSerialNumber(serial.clone()),
            VpdPage::DeviceIdentification(designators(
                self.model.vendor(),
                &self.model.product(),
                serial,
            )),
        ];
        let protects = self.model.protects_blocks();
        if protects {
            pages.push(VpdPage::ExtendedInquiry { protection_types: 1 });
        }
        pages.push(VpdPage::SequentialAccess { worm: true, alert_statistics: false });
        pages.push(VpdPage::ManufacturerSerialNumber(serial.clone()));
        pages.push(VpdPage::SupportedAlerts(TapeAlerts(u64::MAX)));
        if protects {
            pages.push(VpdPage::LogicalBlockProtection(vec![
                method(ProtectionMethod::ReedSolomon),
                method(ProtectionMethod::Crc32c),
            ]));
        }
        pages
    }

    fn standard_inquiry(&self) -> Inquiry {
        Inquiry {
            qualifier: 0,
            peripheral_type: 1,
            removable: true,
            version: 6,
            protect: self.model.protects_blocks(),
            vendor: self.model.vendor().to_owned(),
            product: self.model.product(),
            revision: "0107".to_owned(),
        }
    }

    pub(super) fn block_limits(&self) -> Outcome {
        Ok(Answer::Data(BlockLimits::LTO.encode()))
    }

    pub(super) fn density_support(&mut self, of_medium: bool) -> Outcome {
        let own = self.model.generation;
        let densities = if of_medium {
            vec![self.ready()?.cartridge.facts.density]
        } else {
            readable(own).map(Generation::density).collect()
        };
        let descriptors = densities.into_iter().map(|code| descriptor(code, own)).collect();
        Ok(Answer::Data(DensitySupport { descriptors }.encode()))
    }
}

fn method(method: ProtectionMethod) -> MethodDescriptor {
    MethodDescriptor { method, information_bytes: 4, write: true, read: true, recover: false }
}

/// How a device names itself: vendor, product and serial number, and a world wide name made from the serial number.
pub(crate) fn designators(vendor: &str, product: &str, serial: &str) -> Vec<Designator> {
    let text = format!("{vendor:8}{product:16}{serial}");
    let name = 0x5000_E111_0000_0000 | u64::from(crc32c::crc32c(serial.as_bytes()));
    vec![
        Designator { protocol: None, code_set: 2, association: 0, kind: 1, value: text.into() },
        Designator {
            protocol: None,
            code_set: 1,
            association: 0,
            kind: 3,
            value: name.to_be_bytes().to_vec(),
        },
    ]
}

/// Generations whose media a drive reads.
fn readable(own: Generation) -> impl Iterator<Item = Generation> {
    const ALL: [Generation; 5] =
        [Generation::Lto5, Generation::Lto6, Generation::Lto7, Generation::Lto8, Generation::Lto9];
    let back = if own < Generation::Lto8 { 2 } else { 1 };
    ALL.into_iter().filter(move |media| *media <= own && media.number() + back >= own.number())
}

fn descriptor(code: u8, own: Generation) -> DensityDescriptor {
    let generation = readable(own).find(|media| media.density() == code).unwrap_or(own);
    let number = generation.number();
    let writable = number + 1 >= own.number();
    DensityDescriptor {
        primary: code,
        secondary: code,
        writable,
        duplicate: false,
        default: generation == own,
        bits_per_mm: 0,
        media_width: 127,
        tracks: 0,
        capacity_mb: nominal_capacity_mb(generation),
        organization: "LTO-CVE".to_owned(),
        name: format!("U-{number}16"),
        description: format!("Ultrium {number}/16T"),
    }
}

fn nominal_capacity_mb(generation: Generation) -> u32 {
    match generation {
        Generation::Lto5 => 1_500_000,
        Generation::Lto6 => 2_500_000,
        Generation::Lto7 => 6_000_000,
        Generation::Lto8 => 12_000_000,
        Generation::Lto9 => 18_000_000,
    }
}
