//! Logical block protection: the CRC that travels with a block between host and drive (spec scsi.md §18, SSC-5 §4.2.29).
//!
//! The CRC-32C covers the data only and follows them at once, least significant byte first. It is not on the medium.

use super::cursor::{DecodeError, Decoded};

/// Bytes of the CRC behind the data.
pub const CRC_BYTES: usize = 4;

/// CRC-32C of any data followed by their own CRC.
const RESIDUE: u32 = 0x4867_4BC7;

/// Which CRC protects blocks (mode page 0Ah/F0h, VPD page B5h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ProtectionMethod {
    /// None.
    #[default]
    Off,
    /// The Reed-Solomon CRC of ECMA-319, which LTO-5 and -6 have.
    ReedSolomon,
    /// CRC-32C.
    Crc32c,
    /// A reserved one, or one of a vendor.
    Other(u8),
}

impl ProtectionMethod {
    /// From its number.
    pub fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Off,
            1 => Self::ReedSolomon,
            2 => Self::Crc32c,
            other => Self::Other(other),
        }
    }

    /// Its number.
    pub fn number(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::ReedSolomon => 1,
            Self::Crc32c => 2,
            Self::Other(number) => number,
        }
    }

    /// Bytes that it adds to a block, where they are known.
    pub fn information_bytes(self) -> u8 {
        match self {
            Self::ReedSolomon | Self::Crc32c => CRC_BYTES as u8,
            Self::Off | Self::Other(_) => 0,
        }
    }
}

/// The CRC-32C of data, which is not the CRC-32 of blobs.
pub fn crc32c(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
}

/// Appends the CRC of all that a block holds.
pub fn append_crc(block: &mut Vec<u8>) {
    let crc = crc32c(block);
    block.extend_from_slice(&crc.to_le_bytes());
}

/// The data of a block that came with its CRC.
///
/// # Errors
/// No data in front of the CRC, or data that it does not fit. A block that was cut because the buffer was too small
/// must not be checked: it has no CRC.
pub fn check(block: &[u8]) -> Decoded<&[u8]> {
    let Some((data, _)) =
        block.split_last_chunk::<CRC_BYTES>().filter(|(data, _)| !data.is_empty())
    else {
        let want = CRC_BYTES + 1;
        return Err(DecodeError::Short { what: "protected block", want, have: block.len() });
    };
    match crc32c(block) {
        RESIDUE => Ok(data),
        _ => Err(DecodeError::field("protected block", "the CRC does not fit the data")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BLOCK: usize = 262144;

    fn pattern() -> Vec<u8> {
        (0..BLOCK).map(|index| index as u8).collect()
    }

    fn flipped() -> Vec<u8> {
        let mut data = pattern();
        data[131072] ^= 1;
        data
    }

    /// The table of spec scsi.md §18.
    #[test]
    fn vectors() {
        let table: [(Vec<u8>, u32, [u8; 4]); 9] = [
            (b"123456789".to_vec(), 0xE306_9283, [0x83, 0x92, 0x06, 0xE3]),
            (vec![0], 0x527D_5351, [0x51, 0x53, 0x7D, 0x52]),
            (b"a".to_vec(), 0xC1D0_4330, [0x30, 0x43, 0xD0, 0xC1]),
            (vec![0; 32], 0x8A91_36AA, [0xAA, 0x36, 0x91, 0x8A]),
            (vec![0xFF; 32], 0x62A8_AB43, [0x43, 0xAB, 0xA8, 0x62]),
            (vec![0; BLOCK], 0xF032_BCF3, [0xF3, 0xBC, 0x32, 0xF0]),
            (vec![0xFF; BLOCK], 0x2B64_58A5, [0xA5, 0x58, 0x64, 0x2B]),
            (pattern(), 0x1CA1_B1D2, [0xD2, 0xB1, 0xA1, 0x1C]),
            (flipped(), 0x08A5_F014, [0x14, 0xF0, 0xA5, 0x08]),
        ];
        for (data, crc, appended) in table {
            assert_eq!(crc32c(&data), crc);
            let mut block = data.clone();
            append_crc(&mut block);
            assert_eq!(block[data.len()..], appended);
            assert_eq!(check(&block).unwrap(), data);
        }
    }

    #[test]
    fn blocks_without_data_are_refused() {
        assert!(check(&[]).is_err());
        assert!(check(&[0; 4]).is_err());
    }

    #[test]
    fn methods_keep_their_numbers() {
        for number in 0..=0xFF {
            assert_eq!(ProtectionMethod::from_number(number).number(), number);
        }
        assert_eq!(ProtectionMethod::Crc32c.information_bytes(), 4);
    }

    proptest! {
        #[test]
        fn every_flipped_bit_is_seen(
            data in proptest::collection::vec(any::<u8>(), 1..64), bit in any::<proptest::sample::Index>(),
        ) {
            let mut block = data.clone();
            append_crc(&mut block);
            prop_assert_eq!(check(&block).unwrap(), &data[..]);
            let bit = bit.index(block.len() * 8);
            block[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(check(&block).is_err());
        }
    }
}
