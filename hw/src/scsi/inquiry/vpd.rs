//! Vital product data pages.

use crate::drive::TapeAlerts;
use crate::scsi::cursor::{DecodeError, Decoded, Reader, Writer, flags};
use crate::scsi::protection::ProtectionMethod;

/// Bytes of page 86h behind the header.
const EXTENDED_INQUIRY_BYTES: usize = 60;

/// A name of a device, port or target (page 83h).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Designator {
    /// Transport protocol that it speaks of, if it does.
    pub protocol: Option<u8>,
    /// Code set: 1 binary, 2 ASCII, 3 UTF-8.
    pub code_set: u8,
    /// What it names: 0 logical unit, 1 port, 2 target.
    pub association: u8,
    /// Its kind: 1 T10 vendor identification, 3 NAA, 8 SCSI name string.
    pub kind: u8,
    /// The name, at most 255 bytes.
    pub value: Vec<u8>,
}

impl Designator {
    fn decode(fields: &mut Reader<'_>) -> Decoded<Self> {
        let (first, second) = (fields.u8()?, fields.u8()?);
        fields.skip(1)?;
        let length = usize::from(fields.u8()?);
        Ok(Self {
            protocol: (second & 0x80 != 0).then_some(first >> 4),
            code_set: first & 0xF,
            association: second >> 4 & 3,
            kind: second & 0xF,
            value: fields.bytes(length)?.to_vec(),
        })
    }

    fn encode(&self, writer: Writer) -> Writer {
        let valid = flags(&[(self.protocol.is_some(), 0x80)]);
        writer
            .u8(self.protocol.unwrap_or(0) << 4 | self.code_set & 0xF)
            .u8(valid | (self.association & 3) << 4 | self.kind & 0xF)
            .u8(0)
            .u8(self.value.len() as u8)
            .bytes(&self.value)
    }
}

/// A method of logical block protection that a drive has (page B5h, spec scsi.md §18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodDescriptor {
    /// The method.
    pub method: ProtectionMethod,
    /// Bytes that it adds to a block, 6 bits.
    pub information_bytes: u8,
    /// Can be used in WRITE data (LBP_W).
    pub write: bool,
    /// Can be used in READ data (LBP_R).
    pub read: bool,
    /// Can be used in RECOVER BUFFERED DATA (RBDP).
    pub recover: bool,
}

impl MethodDescriptor {
    /// Bytes behind the length byte.
    const REST_BYTES: u8 = 7;

    fn decode(fields: &mut Reader<'_>) -> Decoded<Self> {
        let length = usize::from(fields.u8()?);
        let mut fields = fields.part(length)?;
        let method = ProtectionMethod::from_number(fields.u8()?);
        let information_bytes = fields.u8()? & 0x3F;
        let bits = fields.u8()?;
        Ok(Self {
            method,
            information_bytes,
            write: bits & 0x80 != 0,
            read: bits & 0x40 != 0,
            recover: bits & 0x20 != 0,
        })
    }

    fn encode(&self, writer: Writer) -> Writer {
        let bits = [(self.write, 0x80), (self.read, 0x40), (self.recover, 0x20)];
        writer
            .u8(Self::REST_BYTES)
            .u8(self.method.number())
            .u8(self.information_bytes & 0x3F)
            .u8(flags(&bits))
            .zeros(4)
    }
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VpdPage {
    /// 00h: the pages that there are.
    Supported(Vec<u8>),
    /// 80h: serial number of the unit.
    UnitSerialNumber(String),
    /// 83h: names of the device.
    DeviceIdentification(Vec<Designator>),
    /// 86h: what kinds of protection there are (SPT, 3 bits; 1 for logical block protection on tape).
    ExtendedInquiry {
        /// Supported protection types (SPT).
        protection_types: u8,
    },
    /// B0h: what a tape drive can do.
    SequentialAccess {
        /// Writes WORM media.
        worm: bool,
        /// Tells a host of alerts, so that it need not ask (TSMC).
        alert_statistics: bool,
    },
    /// B1h: serial number that the manufacturer gave.
    ManufacturerSerialNumber(String),
    /// B2h: TapeAlert flags that the drive may set.
    SupportedAlerts(TapeAlerts),
    /// B3h: serial number that the library gave.
    AutomationSerialNumber(String),
    /// B5h: methods of logical block protection.
    LogicalBlockProtection(Vec<MethodDescriptor>),
    /// Another page.
    Other {
        /// Its code.
        code: u8,
        /// All behind the header.
        content: Vec<u8>,
    },
}

impl VpdPage {
    /// Its code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Supported(_) => 0x00,
            Self::UnitSerialNumber(_) => 0x80,
            Self::DeviceIdentification(_) => 0x83,
            Self::ExtendedInquiry { .. } => 0x86,
            Self::SequentialAccess { .. } => 0xB0,
            Self::ManufacturerSerialNumber(_) => 0xB1,
            Self::SupportedAlerts(_) => 0xB2,
            Self::AutomationSerialNumber(_) => 0xB3,
            Self::LogicalBlockProtection(_) => 0xB5,
            Self::Other { code, .. } => *code,
        }
    }

    fn decode(code: u8, mut fields: Reader<'_>) -> Decoded<Self> {
        Ok(match code {
            0x00 => Self::Supported(fields.rest().to_vec()),
            0x80 => Self::UnitSerialNumber(all_ascii(fields)?),
            0x83 => Self::DeviceIdentification(list(fields, Designator::decode)?),
            0x86 => Self::ExtendedInquiry { protection_types: fields.u8()? >> 3 & 7 },
            0xB0 => {
                let bits = fields.u8()?;
                Self::SequentialAccess { worm: bits & 1 != 0, alert_statistics: bits & 2 != 0 }
            }
            0xB1 => Self::ManufacturerSerialNumber(all_ascii(fields)?),
            0xB2 => Self::SupportedAlerts(TapeAlerts::from_wire(fields.u64()?)),
            0xB3 => Self::AutomationSerialNumber(all_ascii(fields)?),
            0xB5 => {
                fields.skip(4)?;
                Self::LogicalBlockProtection(list(fields, MethodDescriptor::decode)?)
            }
            _ => Self::Other { code, content: fields.rest().to_vec() },
        })
    }

    fn content(&self) -> Vec<u8> {
        let writer = Writer::new();
        let writer = match self {
            Self::Supported(codes) => writer.bytes(codes),
            Self::UnitSerialNumber(text)
            | Self::ManufacturerSerialNumber(text)
            | Self::AutomationSerialNumber(text) => writer.bytes(text.as_bytes()),
            Self::DeviceIdentification(designators) => {
                designators.iter().fold(writer, |writer, designator| designator.encode(writer))
            }
            Self::ExtendedInquiry { protection_types } => {
                writer.u8((protection_types & 7) << 3).zeros(EXTENDED_INQUIRY_BYTES - 1)
            }
            Self::SequentialAccess { worm, alert_statistics } => {
                writer.u8(flags(&[(*worm, 1), (*alert_statistics, 2)])).u8(0)
            }
            Self::SupportedAlerts(alerts) => writer.u64(alerts.to_wire()),
            Self::LogicalBlockProtection(methods) => {
                methods.iter().fold(writer.zeros(4), |writer, method| method.encode(writer))
            }
            Self::Other { content, .. } => writer.bytes(content),
        };
        writer.finish()
    }
}

/// A page as a device sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpdData {
    /// Peripheral qualifier and device type, as in the first byte of standard data.
    pub device: u8,
    /// The page.
    pub page: VpdPage,
}

impl VpdData {
    /// Decodes a page.
    ///
    /// # Errors
    /// Fewer bytes than announced, or than the page must have.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut fields = Reader::new("vital product data", bytes);
        let (device, code) = (fields.u8()?, fields.u8()?);
        let length = usize::from(fields.u16()?);
        Ok(Self { device, page: VpdPage::decode(code, fields.part(length)?)? })
    }

    /// Decodes the page with that code.
    ///
    /// # Errors
    /// `wrong page code`: some devices answer with standard data. What [`VpdData::decode`] refuses.
    pub fn decode_page(bytes: &[u8], code: u8) -> Decoded<VpdPage> {
        match bytes.get(1) {
            Some(other) if *other != code => {
                Err(DecodeError::field("vital product data", "wrong page code"))
            }
            _ => Self::decode(bytes).map(|data| data.page),
        }
    }

    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let content = self.page.content();
        let header = Writer::new().u8(self.device).u8(self.page.code());
        header.u16(content.len() as u16).bytes(&content).finish()
    }
}

fn all_ascii(mut fields: Reader<'_>) -> Decoded<String> {
    fields.ascii(fields.remaining())
}

fn list<T>(mut fields: Reader<'_>, one: fn(&mut Reader<'_>) -> Decoded<T>) -> Decoded<Vec<T>> {
    let mut all = Vec::new();
    while fields.remaining() > 0 {
        all.push(one(&mut fields)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::assert_round_trip;
    use crate::scsi::test_bytes::hex;
    use proptest::prelude::*;

    fn golden(text: &str, page: VpdPage) {
        let data = VpdData { device: 1, page };
        assert_eq!(data.encode(), hex(text));
        assert_eq!(VpdData::decode(&hex(text)).unwrap(), data);
        assert!(VpdData::decode(&hex(text)[..hex(text).len() - 1]).is_err(), "{text}");
    }

    #[test]
    fn pages_to_the_byte() {
        golden("01 00 0003 00 80 83", VpdPage::Supported(vec![0x00, 0x80, 0x83]));
        golden("01 80 0004 41424344", VpdPage::UnitSerialNumber("ABCD".into()));
        golden(
            "01 B0 0002 01 00",
            VpdPage::SequentialAccess { worm: true, alert_statistics: false },
        );
        golden("01 B1 0002 5859", VpdPage::ManufacturerSerialNumber("XY".into()));
        golden(
            "01 B2 0008 8000000000000001",
            VpdPage::SupportedAlerts(TapeAlerts::from_flags(&[1, 64])),
        );
        golden("01 B3 0001 31", VpdPage::AutomationSerialNumber("1".into()));
        golden("01 C0 0002 0102", VpdPage::Other { code: 0xC0, content: vec![1, 2] });
    }

    #[test]
    fn names_of_a_device() {
        let naa = Designator {
            protocol: None,
            code_set: 1,
            association: 0,
            kind: 3,
            value: hex("5000E11100000001"),
        };
        let port = Designator { protocol: Some(6), association: 1, ..naa.clone() };
        golden(
            "01 83 0018 01030008 5000E11100000001 61930008 5000E11100000001",
            VpdPage::DeviceIdentification(vec![naa, port]),
        );
    }

    /// Spec scsi.md §18.
    #[test]
    fn methods_of_protection() {
        let method = |method| MethodDescriptor {
            method,
            information_bytes: 4,
            write: true,
            read: true,
            recover: false,
        };
        let methods = vec![method(ProtectionMethod::ReedSolomon), method(ProtectionMethod::Crc32c)];
        golden(
            "01 B5 0014 00000000 07 01 04 C0 00000000 07 02 04 C0 00000000",
            VpdPage::LogicalBlockProtection(methods),
        );
    }

    #[test]
    fn protection_types_are_bits_three_to_five() {
        let data = VpdData { device: 1, page: VpdPage::ExtendedInquiry { protection_types: 1 } };
        let bytes = data.encode();
        assert_eq!((bytes.len(), &bytes[..5]), (64, &[1, 0x86, 0, 60, 0x08][..]));
        assert_eq!(VpdData::decode(&bytes).unwrap(), data);
    }

    #[test]
    fn standard_data_are_no_page() {
        let refused = VpdData::decode_page(&[0x01, 0x80, 0x06, 0x02], 0x83).unwrap_err();
        assert!(refused.to_string().contains("wrong page code"));
        assert!(VpdData::decode_page(&[], 0x83).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(
            code in proptest::sample::select(vec![0u8, 0x80, 0x83, 0x86, 0xB0, 0xB1, 0xB2, 0xB3, 0xB5, 0xC0]),
            content in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let mut bytes = vec![1, code, 0, content.len() as u8];
            bytes.extend(&content);
            assert_round_trip(&bytes, VpdData::decode, VpdData::encode);
            assert_round_trip(&content, VpdData::decode, VpdData::encode);
        }
    }
}
