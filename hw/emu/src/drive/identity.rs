//! What a drive says of itself.

use reel_hw::TapeAlerts;
use reel_hw::scsi::block_limits::BlockLimits;
use reel_hw::scsi::density::{Density, DensityDescriptor, DensitySupport};
use reel_hw::scsi::inquiry::{Designator, Inquiry, MethodDescriptor, VpdData, VpdPage};
use reel_hw::scsi::protection::{ProtectionMethod, crc32c};

use reel_hw::scsi::DeviceType;

use super::Drive;
use crate::answer::{Answer, Outcome, invalid_field};
use crate::media::{self, Use};
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
            pages.push(VpdPage::LogicalBlockProtection(vec![MethodDescriptor {
                method: ProtectionMethod::Crc32c,
                information_bytes: 4,
                write: true,
                read: true,
                recover: false,
            }]));
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
            vec![media::density(self.ready()?.cartridge.facts.density)]
        } else {
            media::readable(own).collect()
        };
        let descriptors = densities.into_iter().map(|density| descriptor(density, own)).collect();
        Ok(Answer::Data(DensitySupport { descriptors }.encode()))
    }
}

/// How a device names itself: vendor, product and serial number, and a world wide name made from the serial number.
pub(crate) fn designators(vendor: &str, product: &str, serial: &str) -> Vec<Designator> {
    let text = format!("{vendor:8}{product:16}{serial}");
    let name = 0x5000_E111_0000_0000 | u64::from(crc32c(serial.as_bytes()));
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

fn descriptor(density: Density, own: Generation) -> DensityDescriptor {
    let (number, capacity_mb) = media::nominal(density);
    DensityDescriptor {
        primary: density.code(),
        secondary: density.code(),
        writable: media::usable(own, density) == Use::Full,
        duplicate: false,
        default: density == own.recording(),
        bits_per_mm: 0,
        media_width: 127,
        tracks: 0,
        capacity_mb,
        organization: "LTO-CVE".to_owned(),
        name: format!("U-{number}16"),
        description: format!("Ultrium {number}/16T"),
    }
}
