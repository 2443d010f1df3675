//! Mode pages.

use super::WHAT;
use crate::scsi::command::DeviceType;
use crate::scsi::cursor::{DecodeError, Decoded, Reader, Writer, flags};
use crate::scsi::protection::ProtectionMethod;

/// Data compression, page 0Fh (SSC-5 §8.5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compression {
    /// What is written is compressed (DCE).
    pub enabled: bool,
    /// The drive can compress (DCC).
    pub capable: bool,
    /// What is read is decompressed (DDE).
    pub decompression: bool,
    /// What a change of decompression reports (RED), 2 bits.
    pub report_exceptions: u8,
    /// Compression algorithm; FFh for that of LTO.
    pub algorithm: u32,
    /// Decompression algorithm.
    pub decompression_algorithm: u32,
}

impl Compression {
    fn decode(mut fields: Reader<'_>) -> Decoded<Self> {
        let (compression, decompression) = (fields.u8()?, fields.u8()?);
        Ok(Self {
            enabled: compression & 0x80 != 0,
            capable: compression & 0x40 != 0,
            decompression: decompression & 0x80 != 0,
            report_exceptions: decompression >> 5 & 3,
            algorithm: fields.u32()?,
            decompression_algorithm: fields.u32()?,
        })
    }

    fn encode(&self) -> Writer {
        Writer::new()
            .u8(flags(&[(self.enabled, 0x80), (self.capable, 0x40)]))
            .u8(flags(&[(self.decompression, 0x80)]) | (self.report_exceptions & 3) << 5)
            .u32(self.algorithm)
            .u32(self.decompression_algorithm)
            .zeros(4)
    }
}

/// Medium configuration of a tape drive, page 1Dh (SSC-5 §8.5.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MediumConfiguration {
    /// The medium is written once (WORMM).
    pub worm: bool,
    /// Which labels of a WORM medium may be overwritten.
    pub label_restrictions: u8,
    /// Which filemarks of a WORM medium may be overwritten.
    pub filemark_restrictions: u8,
}

impl MediumConfiguration {
    fn decode(mut fields: Reader<'_>) -> Decoded<Self> {
        let worm = fields.u8()? & 0x01 != 0;
        fields.skip(1)?;
        Ok(Self { worm, label_restrictions: fields.u8()?, filemark_restrictions: fields.u8()? })
    }

    fn encode(&self) -> Writer {
        Writer::new()
            .u8(flags(&[(self.worm, 0x01)]))
            .u8(0)
            .u8(self.label_restrictions)
            .u8(self.filemark_restrictions)
            .zeros(26)
    }
}

/// Device configuration, page 10h (SSC-5 §8.5.3), kept as it is so that a read-modify-write changes nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceConfiguration {
    /// All behind the header.
    pub bytes: [u8; 14],
}

impl DeviceConfiguration {
    /// How long data may wait in the buffer, in tenths of a second.
    pub fn write_delay_time(&self) -> u16 {
        u16::from_be_bytes([self.bytes[4], self.bytes[5]])
    }

    /// Whether objects have identifiers on the medium (LOIS).
    pub fn has_object_identifiers(&self) -> bool {
        self.bytes[6] & 0x40 != 0
    }

    /// Whether the buffer is written out at the early warning (SEW).
    pub fn syncs_at_early_warning(&self) -> bool {
        self.bytes[8] & 0x08 != 0
    }

    /// Whether a host protects the medium from being written (SWP).
    pub fn software_write_protect(&self) -> bool {
        self.bytes[8] & 0x04 != 0
    }
}

/// Device configuration extension, page 10h, subpage 01h (SSC-5 §8.5.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceConfigurationExtension {
    /// How TapeAlert flags are treated (TARPF, TASER, TARPC, TAPLSD).
    pub alert_flags: u8,
    /// Write mode, 4 bits: 0 overwriting is allowed, 1 only appending.
    pub write_mode: u8,
    /// Short erase mode, 4 bits.
    pub short_erase_mode: u8,
    /// Size of the programmable early warning in units of 1000000 bytes.
    pub early_warning_mb: u16,
}

impl DeviceConfigurationExtension {
    fn decode(mut fields: Reader<'_>) -> Decoded<Self> {
        let (alert_flags, modes) = (fields.u8()?, fields.u8()?);
        Ok(Self {
            alert_flags,
            write_mode: modes >> 4,
            short_erase_mode: modes & 0xF,
            early_warning_mb: fields.u16()?,
        })
    }

    fn encode(&self) -> Writer {
        Writer::new()
            .u8(self.alert_flags)
            .u8(self.write_mode << 4 | self.short_erase_mode & 0xF)
            .u16(self.early_warning_mb)
            .zeros(24)
    }
}

/// Control data protection, page 0Ah, subpage F0h (spec scsi.md §18, SSC-5 §8.5.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ControlDataProtection {
    /// The method.
    pub method: ProtectionMethod,
    /// Bytes that it adds to a block, 6 bits.
    pub information_bytes: u8,
    /// Protection in WRITE data (LBP_W).
    pub write: bool,
    /// Protection in READ data (LBP_R).
    pub read: bool,
    /// Protection in RECOVER BUFFERED DATA (RBDP); LTO has none.
    pub recover: bool,
}

impl ControlDataProtection {
    /// No protection: method, length and bits are 0.
    pub const OFF: Self = Self {
        method: ProtectionMethod::Off,
        information_bytes: 0,
        write: false,
        read: false,
        recover: false,
    };

    /// Protection by CRC-32C of what is written or read or both; [`Self::OFF`] for neither.
    pub fn crc32c(write: bool, read: bool) -> Self {
        if !write && !read {
            return Self::OFF;
        }
        let method = ProtectionMethod::Crc32c;
        let information_bytes = method.information_bytes();
        Self { method, information_bytes, write, read, recover: false }
    }

    fn decode(mut fields: Reader<'_>) -> Decoded<Self> {
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

    fn encode(&self) -> Writer {
        let bits = [(self.write, 0x80), (self.read, 0x40), (self.recover, 0x20)];
        Writer::new()
            .u8(self.method.number())
            .u8(self.information_bytes & 0x3F)
            .u8(flags(&bits))
            .zeros(25)
    }
}

/// Elements of one type: consecutive addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ElementRange {
    /// Address of the first.
    pub first: u16,
    /// How many.
    pub count: u16,
}

impl ElementRange {
    /// Whether an address is among them.
    pub fn contains(&self, address: u16) -> bool {
        address.checked_sub(self.first).is_some_and(|index| index < self.count)
    }

    fn decode(fields: &mut Reader<'_>) -> Decoded<Self> {
        Ok(Self { first: fields.u16()?, count: fields.u16()? })
    }
}

/// Element address assignment of a changer, page 1Dh (spec scsi.md §12, SMC-3 §7.3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ElementAddresses {
    /// Robots.
    pub transport: ElementRange,
    /// Slots inside.
    pub storage: ElementRange,
    /// Slots that an operator reaches.
    pub import_export: ElementRange,
    /// Drives.
    pub drives: ElementRange,
}

impl ElementAddresses {
    fn decode(mut fields: Reader<'_>) -> Decoded<Self> {
        Ok(Self {
            transport: ElementRange::decode(&mut fields)?,
            storage: ElementRange::decode(&mut fields)?,
            import_export: ElementRange::decode(&mut fields)?,
            drives: ElementRange::decode(&mut fields)?,
        })
    }

    fn encode(&self) -> Writer {
        let ranges = [self.transport, self.storage, self.import_export, self.drives];
        let pairs = |writer: Writer, range: &ElementRange| writer.u16(range.first).u16(range.count);
        ranges.iter().fold(Writer::new(), pairs).zeros(2)
    }
}

/// What a page holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageContent {
    /// 0Fh.
    Compression(Compression),
    /// 1Dh of a tape drive.
    MediumConfiguration(MediumConfiguration),
    /// 10h.
    DeviceConfiguration(DeviceConfiguration),
    /// 10h/01h.
    DeviceConfigurationExtension(DeviceConfigurationExtension),
    /// 0Ah/F0h.
    ControlDataProtection(ControlDataProtection),
    /// 1Dh of a changer.
    ElementAddresses(ElementAddresses),
    /// Another page.
    Other {
        /// Its code, 6 bits.
        code: u8,
        /// Its subpage, in the form that has one.
        subpage: Option<u8>,
        /// All behind the header.
        content: Vec<u8>,
    },
}

impl PageContent {
    /// Page code and subpage.
    pub fn code(&self) -> (u8, Option<u8>) {
        match self {
            Self::Compression(_) => (0x0F, None),
            Self::MediumConfiguration(_) | Self::ElementAddresses(_) => (0x1D, None),
            Self::DeviceConfiguration(_) => (0x10, None),
            Self::DeviceConfigurationExtension(_) => (0x10, Some(0x01)),
            Self::ControlDataProtection(_) => (0x0A, Some(0xF0)),
            Self::Other { code, subpage, .. } => (*code & 0x3F, *subpage),
        }
    }

    fn decode(device: DeviceType, page: (u8, Option<u8>), mut fields: Reader<'_>) -> Decoded<Self> {
        check_length(device, page, fields.remaining())?;
        Ok(match (device, page) {
            (_, (0x0A, Some(0xF0))) => {
                Self::ControlDataProtection(ControlDataProtection::decode(fields)?)
            }
            (_, (0x0F, None)) => Self::Compression(Compression::decode(fields)?),
            (_, (0x10, None)) => {
                Self::DeviceConfiguration(DeviceConfiguration { bytes: fields.array()? })
            }
            (_, (0x10, Some(0x01))) => {
                Self::DeviceConfigurationExtension(DeviceConfigurationExtension::decode(fields)?)
            }
            (DeviceType::Tape, (0x1D, None)) => {
                Self::MediumConfiguration(MediumConfiguration::decode(fields)?)
            }
            (DeviceType::Changer, (0x1D, None)) => {
                Self::ElementAddresses(ElementAddresses::decode(fields)?)
            }
            (_, (code, subpage)) => Self::Other { code, subpage, content: fields.rest().to_vec() },
        })
    }

    fn encode(&self) -> Vec<u8> {
        let writer = match self {
            Self::Compression(page) => page.encode(),
            Self::MediumConfiguration(page) => page.encode(),
            Self::DeviceConfiguration(page) => Writer::new().bytes(&page.bytes),
            Self::DeviceConfigurationExtension(page) => page.encode(),
            Self::ControlDataProtection(page) => page.encode(),
            Self::ElementAddresses(page) => page.encode(),
            Self::Other { content, .. } => Writer::new().bytes(content),
        };
        writer.finish()
    }
}

/// That a page has the length that it must have, behind the header; unknown pages have any.
fn check_length(device: DeviceType, page: (u8, Option<u8>), length: usize) -> Decoded<()> {
    let wanted = match (device, page) {
        (_, (0x0F | 0x10, None)) => 0x0E,
        (_, (0x0A, Some(0xF0)) | (0x10, Some(0x01))) => 0x1C,
        (DeviceType::Tape, (0x1D, None)) => 0x1E,
        (DeviceType::Changer, (0x1D, None)) => 0x12,
        _ => return Ok(()),
    };
    if length == wanted {
        return Ok(());
    }
    Err(DecodeError::field(WHAT, format!("wrong page length ({length}, page {:02X}h)", page.0)))
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModePage {
    /// Can be saved by the device (PS); only MODE SENSE tells.
    pub saveable: bool,
    /// What it holds.
    pub content: PageContent,
}

impl From<PageContent> for ModePage {
    fn from(content: PageContent) -> Self {
        Self { saveable: false, content }
    }
}

impl ModePage {
    pub(super) fn decode(device: DeviceType, fields: &mut Reader<'_>) -> Decoded<Self> {
        let first = fields.u8()?;
        let (subpage, length) = match first & 0x40 {
            0 => (None, usize::from(fields.u8()?)),
            _ => (Some(fields.u8()?), usize::from(fields.u16()?)),
        };
        let fields = fields.part(length)?;
        let content = PageContent::decode(device, (first & 0x3F, subpage), fields)?;
        Ok(Self { saveable: first & 0x80 != 0, content })
    }

    pub(super) fn encode(&self, writer: Writer) -> Writer {
        self.encode_with(writer, flags(&[(self.saveable, 0x80)]))
    }

    pub(super) fn encode_select(&self, writer: Writer) -> Writer {
        self.encode_with(writer, 0)
    }

    fn encode_with(&self, writer: Writer, bits: u8) -> Writer {
        let (code, subpage) = self.content.code();
        let content = self.content.encode();
        let header = match subpage {
            None => writer.u8(bits | code).u8(content.len() as u8),
            Some(subpage) => writer.u8(bits | 0x40 | code).u8(subpage).u16(content.len() as u16),
        };
        header.bytes(&content)
    }
}
