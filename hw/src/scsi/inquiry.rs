//! INQUIRY data: what a device is, and its vital product data pages (spec scsi.md §4 and §18, SPC-5 §6.7 and §7.7).

use super::command::DeviceType;
use super::cursor::{Decoded, Reader, Writer, flags};

mod vpd;

pub use vpd::{Designator, MethodDescriptor, VpdData, VpdPage};

/// Bytes of standard INQUIRY data that are encoded: as many as devices have that list versions.
const INQUIRY_BYTES: usize = 96;

/// Standard INQUIRY data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inquiry {
    /// Peripheral qualifier, 3 bits; 0 where the logical unit exists.
    pub qualifier: u8,
    /// Peripheral device type, 5 bits.
    pub peripheral_type: u8,
    /// Whether the medium can be removed.
    pub removable: bool,
    /// Version of SPC.
    pub version: u8,
    /// Whether blocks can carry protection information (PROTECT).
    pub protect: bool,
    /// Vendor, 8 characters.
    pub vendor: String,
    /// Product, 16 characters.
    pub product: String,
    /// Revision, 4 characters.
    pub revision: String,
}

impl Inquiry {
    /// Decodes the first 36 bytes; what follows is of no use.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut fields = Reader::new("INQUIRY data", bytes);
        let (device, removable, version) = (fields.u8()?, fields.u8()?, fields.u8()?);
        fields.skip(2)?;
        let protect = fields.u8()? & 0x01 != 0;
        fields.skip(2)?;
        Ok(Self {
            qualifier: device >> 5,
            peripheral_type: device & 0x1F,
            removable: removable & 0x80 != 0,
            version,
            protect,
            vendor: fields.ascii(8)?,
            product: fields.ascii(16)?,
            revision: fields.ascii(4)?,
        })
    }

    /// Encodes it, 96 bytes, in response data format 2.
    pub fn encode(&self) -> Vec<u8> {
        Writer::new()
            .u8(self.qualifier << 5 | self.peripheral_type & 0x1F)
            .u8(flags(&[(self.removable, 0x80)]))
            .u8(self.version)
            .u8(0x02)
            .u8((INQUIRY_BYTES - 5) as u8)
            .u8(flags(&[(self.protect, 0x01)]))
            .zeros(2)
            .text(&self.vendor, 8, b' ')
            .text(&self.product, 16, b' ')
            .text(&self.revision, 4, b' ')
            .zeros(INQUIRY_BYTES - 36)
            .finish()
    }

    /// The type of the device, if it is one that we use.
    pub fn device_type(&self) -> Option<DeviceType> {
        let known = [DeviceType::Tape, DeviceType::Changer];
        known.into_iter().find(|known| known.number() == self.peripheral_type)
    }

    /// The type of the device in the words of SPC-5.
    pub fn type_text(&self) -> &'static str {
        match self.peripheral_type {
            0x00 => "Disk",
            0x01 => "Tape",
            0x02 => "Printer",
            0x03 => "Processor",
            0x04 => "Write-once",
            0x05 => "CD/DVD",
            0x06 => "Scanner",
            0x07 => "Optical memory",
            0x08 => "Medium Changer",
            0x09 => "Communications",
            0x0C => "Storage array controller",
            0x0D => "Enclosure services",
            _ => "Unknown",
        }
    }

    /// That the device is of a type.
    ///
    /// # Errors
    /// `not a tape device (peripheral_type = n)`, `wrong device type (not a scsi changer device)`.
    pub fn expect(&self, device: DeviceType) -> Result<(), String> {
        if self.device_type() == Some(device) {
            return Ok(());
        }
        Err(match device {
            DeviceType::Tape => {
                format!("not a tape device (peripheral_type = {})", self.peripheral_type)
            }
            DeviceType::Changer => "wrong device type (not a scsi changer device)".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::assert_round_trip;
    use crate::scsi::test_bytes::hex;
    use proptest::prelude::*;

    /// What an emulated drive and changer told to PBS (recorded, see spec emulations.md).
    const DRIVE: &str =
        "01800602 5b000000 454d5543 4f525020 554c5452 49554d2d 48483820 20202020 45382e31";
    const CHANGER: &str =
        "08800502 5b000000 454d5543 4f525020 4c49422d 32342020 20202020 20202020 312e3031";

    #[test]
    fn a_drive() {
        let inquiry = Inquiry::decode(&hex(DRIVE)).unwrap();
        let texts = (&*inquiry.vendor, &*inquiry.product, &*inquiry.revision);
        assert_eq!(texts, ("EMUCORP", "ULTRIUM-HH8", "E8.1"));
        assert_eq!((inquiry.peripheral_type, inquiry.version), (1, 6));
        assert!(inquiry.removable && !inquiry.protect);
        assert_eq!(inquiry.encode()[..36], hex(DRIVE));
        assert!(inquiry.expect(DeviceType::Tape).is_ok());
        let refused = inquiry.expect(DeviceType::Changer).unwrap_err();
        assert_eq!(refused, "wrong device type (not a scsi changer device)");
    }

    #[test]
    fn a_changer() {
        let inquiry = Inquiry::decode(&hex(CHANGER)).unwrap();
        assert_eq!(inquiry.device_type(), Some(DeviceType::Changer));
        assert_eq!(inquiry.encode()[..36], hex(CHANGER));
        let refused = inquiry.expect(DeviceType::Tape).unwrap_err();
        assert_eq!(refused, "not a tape device (peripheral_type = 8)");
    }

    #[test]
    fn protection_is_told_in_byte_five() {
        let inquiry = Inquiry { protect: true, ..Default::default() };
        assert_eq!(inquiry.encode()[5], 1);
        assert!(Inquiry::decode(&inquiry.encode()).unwrap().protect);
        assert!(Inquiry::decode(&[1; 35]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            assert_round_trip(&bytes, Inquiry::decode, Inquiry::encode);
        }
    }
}
