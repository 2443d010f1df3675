//! Densities of LTO and REPORT DENSITY SUPPORT data (spec scsi.md §4, SSC-5 §7.9).

use std::fmt;

use super::cursor::{DecodeError, Decoded, Reader, Writer, flags};

/// A recording density of LTO, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Density {
    /// None is told: no medium, or an unformatted one.
    Unknown,
    /// LTO-1.
    Lto1,
    /// LTO-2.
    Lto2,
    /// LTO-3.
    Lto3,
    /// LTO-4.
    Lto4,
    /// LTO-5.
    Lto5,
    /// LTO-6.
    Lto6,
    /// LTO-7.
    Lto7,
    /// An LTO-7 medium formatted by an LTO-8 drive.
    Lto7M8,
    /// LTO-8.
    Lto8,
    /// LTO-9.
    Lto9,
}

impl Density {
    /// All of them, oldest first.
    pub const ALL: [Self; 11] = [
        Self::Unknown,
        Self::Lto1,
        Self::Lto2,
        Self::Lto3,
        Self::Lto4,
        Self::Lto5,
        Self::Lto6,
        Self::Lto7,
        Self::Lto7M8,
        Self::Lto8,
        Self::Lto9,
    ];

    /// The density with that code.
    ///
    /// # Errors
    /// `unknown tape density code 0x..`.
    pub fn from_code(code: u8) -> Decoded<Self> {
        let found = Self::ALL.into_iter().find(|density| density.code() == code);
        found.ok_or_else(|| {
            DecodeError::field("density", format!("unknown tape density code {code:#04x}"))
        })
    }

    /// Its code.
    pub fn code(self) -> u8 {
        match self {
            Self::Unknown => 0x00,
            Self::Lto1 => 0x40,
            Self::Lto2 => 0x42,
            Self::Lto3 => 0x44,
            Self::Lto4 => 0x46,
            Self::Lto5 => 0x58,
            Self::Lto6 => 0x5A,
            Self::Lto7 => 0x5C,
            Self::Lto7M8 => 0x5D,
            Self::Lto8 => 0x5E,
            Self::Lto9 => 0x60,
        }
    }

    /// The name that PBS prints.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Lto1 => "LTO1",
            Self::Lto2 => "LTO2",
            Self::Lto3 => "LTO3",
            Self::Lto4 => "LTO4",
            Self::Lto5 => "LTO5",
            Self::Lto6 => "LTO6",
            Self::Lto7 => "LTO7",
            Self::Lto7M8 => "LTO7M8",
            Self::Lto8 => "LTO8",
            Self::Lto9 => "LTO9",
        }
    }
}

impl fmt::Display for Density {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Bytes of a density support descriptor.
const DESCRIPTOR_BYTES: usize = 52;

/// What a drive says of one density.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DensityDescriptor {
    /// Primary density code.
    pub primary: u8,
    /// Secondary density code.
    pub secondary: u8,
    /// Can be written (WRTOK).
    pub writable: bool,
    /// Has more than one descriptor (DUP).
    pub duplicate: bool,
    /// Is the default (DEFLT).
    pub default: bool,
    /// Bits per millimetre, 24 bits.
    pub bits_per_mm: u32,
    /// Width of the medium in tenths of a millimetre.
    pub media_width: u16,
    /// Tracks.
    pub tracks: u16,
    /// Capacity in units of 1000000 bytes.
    pub capacity_mb: u32,
    /// Assigning organization, 8 characters.
    pub organization: String,
    /// Density name, 8 characters.
    pub name: String,
    /// Description, 20 characters.
    pub description: String,
}

impl DensityDescriptor {
    fn decode(fields: &mut Reader<'_>) -> Decoded<Self> {
        let (primary, secondary, bits) = (fields.u8()?, fields.u8()?, fields.u8()?);
        fields.skip(2)?;
        Ok(Self {
            primary,
            secondary,
            writable: bits & 0x80 != 0,
            duplicate: bits & 0x40 != 0,
            default: bits & 0x20 != 0,
            bits_per_mm: fields.u24()?,
            media_width: fields.u16()?,
            tracks: fields.u16()?,
            capacity_mb: fields.u32()?,
            organization: fields.ascii(8)?,
            name: fields.ascii(8)?,
            description: fields.ascii(20)?,
        })
    }

    fn encode(&self, writer: Writer) -> Writer {
        let bits = [(self.writable, 0x80), (self.duplicate, 0x40), (self.default, 0x20)];
        writer
            .u8(self.primary)
            .u8(self.secondary)
            .u8(flags(&bits))
            .zeros(2)
            .u24(self.bits_per_mm)
            .u16(self.media_width)
            .u16(self.tracks)
            .u32(self.capacity_mb)
            .text(&self.organization, 8, b' ')
            .text(&self.name, 8, b' ')
            .text(&self.description, 20, b' ')
    }
}

/// REPORT DENSITY SUPPORT data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DensitySupport {
    /// All densities of the drive, or of the medium in it.
    pub descriptors: Vec<DensityDescriptor>,
}

impl DensitySupport {
    /// Decodes it. A last descriptor that the allocation length has cut is left out.
    ///
    /// # Errors
    /// No whole header.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut fields = Reader::new("density support", bytes);
        let length = usize::from(fields.u16()?).saturating_sub(2);
        fields.skip(2)?;
        let mut fields = fields.part_at_most(length);
        let mut descriptors = Vec::new();
        while fields.remaining() >= DESCRIPTOR_BYTES {
            descriptors.push(DensityDescriptor::decode(&mut fields)?);
        }
        Ok(Self { descriptors })
    }

    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let length = 2 + DESCRIPTOR_BYTES * self.descriptors.len();
        let header = Writer::new().u16(length as u16).zeros(2);
        self.descriptors.iter().fold(header, |writer, density| density.encode(writer)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::assert_round_trip;
    use proptest::prelude::*;

    fn lto(density: Density) -> DensityDescriptor {
        DensityDescriptor {
            primary: density.code(),
            secondary: density.code(),
            writable: true,
            bits_per_mm: 19107,
            media_width: 127,
            tracks: 6656,
            capacity_mb: 12_000_000,
            organization: "LTO-CVE".into(),
            name: "U-832".into(),
            description: "Ultrium 8/32T".into(),
            ..Default::default()
        }
    }

    #[test]
    fn densities_are_ordered_by_age() {
        assert!(Density::ALL.is_sorted());
        for density in Density::ALL {
            assert_eq!(Density::from_code(density.code()).unwrap(), density);
        }
        assert!(Density::Lto7 < Density::Lto7M8 && Density::Lto7M8 < Density::Lto8);
    }

    #[test]
    fn codes_of_other_tapes_are_refused() {
        let refused = Density::from_code(0x51).unwrap_err();
        assert!(refused.to_string().contains("unknown tape density code 0x51"));
    }

    #[test]
    fn densities_are_listed() {
        let support = DensitySupport { descriptors: vec![lto(Density::Lto8), lto(Density::Lto7)] };
        let bytes = support.encode();
        assert_eq!(bytes.len(), 4 + 2 * 52);
        assert_eq!(bytes[..7], [0, 106, 0, 0, 0x5E, 0x5E, 0x80]);
        assert_eq!(bytes[16..20], 12_000_000u32.to_be_bytes());
        assert_eq!(&bytes[20..36], b"LTO-CVE U-832   ");
        let decoded = DensitySupport::decode(&bytes).unwrap();
        assert_eq!(decoded, support);
    }

    #[test]
    fn a_cut_descriptor_is_left_out() {
        let support = DensitySupport { descriptors: vec![lto(Density::Lto7), lto(Density::Lto8)] };
        let bytes = support.encode();
        assert_eq!(DensitySupport::decode(&bytes[..100]).unwrap().descriptors.len(), 1);
        assert!(DensitySupport::decode(&bytes[..3]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            assert_round_trip(&bytes, DensitySupport::decode, DensitySupport::encode);
        }
    }
}
