//! One block of a file: header and used payload (spec tape-format.md §3).

use std::ops::Range;

/// Size of every block of every file: 256 KiB.
pub const TAPE_BLOCK_SIZE: usize = 262_144;
/// Bytes of a block in front of its payload.
pub const TAPE_BLOCK_HEADER_SIZE: usize = 16;
/// Bytes of content that fit into one block.
pub const TAPE_BLOCK_PAYLOAD_SIZE: usize = TAPE_BLOCK_SIZE - TAPE_BLOCK_HEADER_SIZE;
/// First bytes of every block.
pub const TAPE_BLOCK_MAGIC: [u8; 8] = [0xdc, 0xbd, 0xaf, 0xca, 0xeb, 0xa0, 0xa5, 0x28];

/// Offset in a file's content at which the payload of block `sequence` begins.
pub const fn content_offset(sequence: u32) -> u64 {
    sequence as u64 * TAPE_BLOCK_PAYLOAD_SIZE as u64
}

const END_OF_STREAM: u8 = 0x01;
const INCOMPLETE: u8 = 0x02;

/// The rule of the block format that a block breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Not a whole block.
    #[error("unexpected block length ({0} != {TAPE_BLOCK_SIZE})")]
    Length(usize),
    /// Not a block of this format.
    #[error(
        "unknown magic number: the medium was not written by Proxmox Backup, or is of an incompatible LTO generation"
    )]
    UnknownMagic,
    /// Flags that no version of the format defines, or that contradict each other.
    #[error("unknown flags {0:#04x}")]
    Flags(u8),
    /// More payload than fits.
    #[error("payload size {0} is larger than a block")]
    Size(u32),
    /// Only the last block may be empty.
    #[error("empty block that is not the last one of its file")]
    Empty,
    /// Blocks are missing, or this is not the block that was looked for.
    #[error("wrong sequence number {found}, expected {expected}")]
    Sequence {
        /// The number that belongs here.
        expected: u32,
        /// The number in the block.
        found: u32,
    },
}

/// What the header of a block says: magic, flags u8, payload size u24, sequence number u32, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockHeader {
    /// The last block of its file.
    pub end_of_stream: bool,
    /// The writer gave up; only in the last block.
    pub incomplete: bool,
    /// Used bytes of the payload, at most [`TAPE_BLOCK_PAYLOAD_SIZE`].
    pub size: u32,
    /// Number of the block in its file, from 0.
    pub sequence: u32,
}

impl BlockHeader {
    /// The header as it stands in front of the payload.
    pub fn to_bytes(self) -> [u8; TAPE_BLOCK_HEADER_SIZE] {
        let [m0, m1, m2, m3, m4, m5, m6, m7] = TAPE_BLOCK_MAGIC;
        let [l0, l1, l2, _] = self.size.to_le_bytes();
        let [s0, s1, s2, s3] = self.sequence.to_le_bytes();
        let flag = |set, bit| if set { bit } else { 0 };
        let flags = flag(self.end_of_stream, END_OF_STREAM) | flag(self.incomplete, INCOMPLETE);
        [m0, m1, m2, m3, m4, m5, m6, m7, flags, l0, l1, l2, s0, s1, s2, s3]
    }

    /// Reads a header and checks everything that can be said of it alone.
    pub fn from_bytes(bytes: &[u8; TAPE_BLOCK_HEADER_SIZE]) -> Result<Self, BlockError> {
        let [m0, m1, m2, m3, m4, m5, m6, m7, flags, l0, l1, l2, s0, s1, s2, s3] = *bytes;
        if [m0, m1, m2, m3, m4, m5, m6, m7] != TAPE_BLOCK_MAGIC {
            return Err(BlockError::UnknownMagic);
        }
        let end_of_stream = flags & END_OF_STREAM != 0;
        let incomplete = flags & INCOMPLETE != 0;
        if flags & !(END_OF_STREAM | INCOMPLETE) != 0 || (incomplete && !end_of_stream) {
            return Err(BlockError::Flags(flags));
        }
        let size = u32::from_le_bytes([l0, l1, l2, 0]);
        if size as usize > TAPE_BLOCK_PAYLOAD_SIZE {
            return Err(BlockError::Size(size));
        }
        if size == 0 && !end_of_stream {
            return Err(BlockError::Empty);
        }
        Ok(Self { end_of_stream, incomplete, size, sequence: u32::from_le_bytes([s0, s1, s2, s3]) })
    }

    /// Reads the header of a whole block and checks that it is the one expected at this place.
    pub fn of_block(block: &[u8], sequence: u32) -> Result<Self, BlockError> {
        let header = match block.first_chunk() {
            Some(header) if block.len() == TAPE_BLOCK_SIZE => Self::from_bytes(header)?,
            _ => return Err(BlockError::Length(block.len())),
        };
        if header.sequence != sequence {
            return Err(BlockError::Sequence { expected: sequence, found: header.sequence });
        }
        Ok(header)
    }

    /// Where the used payload stands in the block.
    pub fn payload(self) -> Range<usize> {
        TAPE_BLOCK_HEADER_SIZE..TAPE_BLOCK_HEADER_SIZE + self.size as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(end_of_stream: bool, incomplete: bool, size: u32, sequence: u32) -> BlockHeader {
        BlockHeader { end_of_stream, incomplete, size, sequence }
    }

    #[test]
    fn golden_headers() {
        let cases = [
            (header(true, false, 0, 0), "dcbdafcaeba0a5280100000000000000"),
            (header(true, false, 3, 0), "dcbdafcaeba0a5280103000000000000"),
            (header(true, true, 3, 0), "dcbdafcaeba0a5280303000000000000"),
            (header(false, false, 262_128, 0), "dcbdafcaeba0a52800f0ff0300000000"),
            (header(true, false, 0, 1), "dcbdafcaeba0a5280100000001000000"),
        ];
        for (header, expected) in cases {
            let hex: String = header.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected);
            assert_eq!(BlockHeader::from_bytes(&header.to_bytes()), Ok(header));
        }
    }

    #[test]
    fn each_broken_rule_has_its_error() {
        let good = header(false, false, 7, 5).to_bytes();
        let with = |at: usize, value: u8| {
            let mut bytes = good;
            bytes[at] = value;
            BlockHeader::from_bytes(&bytes)
        };
        assert_eq!(with(0, 0), Err(BlockError::UnknownMagic));
        assert_eq!(with(8, 4), Err(BlockError::Flags(4)));
        assert_eq!(with(8, 2), Err(BlockError::Flags(2)));
        assert_eq!(with(9, 0), Err(BlockError::Empty));
        assert_eq!(with(11, 4), Err(BlockError::Size(0x4_0007)));
        let mut block = vec![0; TAPE_BLOCK_SIZE];
        block[..16].copy_from_slice(&good);
        let wrong = BlockError::Sequence { expected: 4, found: 5 };
        assert_eq!(BlockHeader::of_block(&block, 4), Err(wrong));
        assert_eq!(BlockHeader::of_block(&block[1..], 5), Err(BlockError::Length(262_143)));
        assert_eq!(BlockHeader::of_block(&block, 5).map(BlockHeader::payload), Ok(16..23));
    }

    proptest! {
        #[test]
        fn headers_round_trip(
            end in any::<bool>(),
            incomplete in any::<bool>(),
            size in 1u32..=262_128,
            sequence in any::<u32>(),
        ) {
            let header = header(end, incomplete && end, size, sequence);
            prop_assert_eq!(BlockHeader::from_bytes(&header.to_bytes()), Ok(header));
        }

        #[test]
        fn what_is_accepted_is_written_back_unchanged(mut bytes in any::<[u8; 16]>(), ours in any::<bool>()) {
            if ours {
                bytes[..8].copy_from_slice(&TAPE_BLOCK_MAGIC);
                bytes[8] &= 3;
                bytes[11] &= 3;
            }
            if let Ok(header) = BlockHeader::from_bytes(&bytes) {
                prop_assert_eq!(header.to_bytes(), bytes);
            }
        }
    }
}
