//! The CRC-32C that goes with a block between host and drive (spec scsi.md §18).

/// Bytes of the CRC, least significant first.
pub(crate) const CRC_BYTES: usize = 4;

/// The block without its CRC; `None` where that does not fit it.
pub(crate) fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (block, crc) = bytes.split_last_chunk::<CRC_BYTES>()?;
    (crc32c::crc32c(block) == u32::from_le_bytes(*crc)).then_some(block)
}

/// Appends the CRC of a block to it.
pub(crate) fn append(block: &mut Vec<u8>) {
    let crc = crc32c::crc32c(block);
    block.extend_from_slice(&crc.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_is_seen() {
        let mut block = b"123456789".to_vec();
        append(&mut block);
        assert_eq!(block[9..], [0x83, 0x92, 0x06, 0xE3]);
        assert_eq!(checked(&block), Some(&b"123456789"[..]));
        block[3] ^= 0x10;
        assert_eq!(checked(&block), None);
        assert_eq!(checked(&[1, 2, 3]), None);
    }
}
