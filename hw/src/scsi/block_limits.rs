//! READ BLOCK LIMITS data: which block lengths a drive takes (spec scsi.md §4, SSC-5 §7.6).

use super::cursor::{Decoded, Reader, Writer};

/// The limits of a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockLimits {
    /// Lengths are multiples of two to this power, in bytes.
    pub granularity: u8,
    /// Longest block in bytes, 24 bits; 0 means no limit.
    pub length_max: u32,
    /// Shortest block in bytes.
    pub length_min: u16,
}

impl BlockLimits {
    /// Those of every LTO drive.
    pub const LTO: Self = Self { granularity: 0, length_max: 0x80_0000, length_min: 1 };

    /// Decodes the six bytes.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut fields = Reader::new("block limits", bytes);
        Ok(Self {
            granularity: fields.u8()? & 0x1F,
            length_max: fields.u24()?,
            length_min: fields.u16()?,
        })
    }

    /// Encodes them.
    pub fn encode(&self) -> Vec<u8> {
        Writer::new().u8(self.granularity & 0x1F).u24(self.length_max).u16(self.length_min).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::assert_round_trip;
    use proptest::prelude::*;

    #[test]
    fn limits_of_lto() {
        let bytes = [0, 0x80, 0, 0, 0, 1];
        assert_eq!(BlockLimits::decode(&bytes).unwrap(), BlockLimits::LTO);
        assert_eq!(BlockLimits::LTO.encode(), bytes);
        assert!(BlockLimits::decode(&bytes[..5]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..8)) {
            assert_round_trip(&bytes, BlockLimits::decode, BlockLimits::encode);
        }
    }
}
