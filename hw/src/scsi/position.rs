//! READ POSITION data: where the head is (spec scsi.md §5, SSC-5 §7.7).

use super::cursor::{DecodeError, Decoded, Reader, Writer, flags};
use crate::drive::Position;
use crate::number::{BlockNumber, FileNumber};

/// Bytes of the long form.
pub const LONG_POSITION_BYTES: usize = 32;

/// The long form. Media have one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LongPosition {
    /// At the beginning of the partition (BOP).
    pub beginning: bool,
    /// Between early warning and the end of the partition (EOP).
    pub end: bool,
    /// The number of filemarks is not known (MPU).
    pub file_unknown: bool,
    /// The number of objects is not known (LONU).
    pub object_unknown: bool,
    /// Behind the programmable early warning (BPEW).
    pub early_warning: bool,
    /// Logical object number: blocks and filemarks in front.
    pub object: u64,
    /// Logical file identifier: filemarks in front.
    pub file: u64,
}

impl LongPosition {
    /// Decodes the long form.
    ///
    /// # Errors
    /// `got unexpected data len` for anything but 32 bytes, `partitioned tape` for another partition than the first.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        if bytes.len() != LONG_POSITION_BYTES {
            return Err(DecodeError::field("position", "got unexpected data len"));
        }
        let mut fields = Reader::new("position", bytes);
        let bits = fields.u32()? >> 24;
        refuse_partition(fields.u32()?)?;
        Ok(Self {
            beginning: bits & 0x80 != 0,
            end: bits & 0x40 != 0,
            file_unknown: bits & 0x08 != 0,
            object_unknown: bits & 0x04 != 0,
            early_warning: bits & 0x01 != 0,
            object: fields.u64()?,
            file: fields.u64()?,
        })
    }

    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let bits = [
            (self.beginning, 0x80),
            (self.end, 0x40),
            (self.file_unknown, 0x08),
            (self.object_unknown, 0x04),
            (self.early_warning, 0x01),
        ];
        Writer::new().u8(flags(&bits)).zeros(7).u64(self.object).u64(self.file).zeros(8).finish()
    }

    /// The position, if the drive knows it.
    pub fn known(&self) -> Option<Position> {
        (!self.file_unknown && !self.object_unknown).then_some(Position {
            object: BlockNumber(self.object),
            file: FileNumber(self.file),
            block_in_file: None,
        })
    }
}

/// The short form. Its numbers have 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShortPosition {
    /// At the beginning of the partition (BOP).
    pub beginning: bool,
    /// Between early warning and the end of the partition (EOP).
    pub end: bool,
    /// The number of blocks in the buffer is not known (LOCU).
    pub buffered_objects_unknown: bool,
    /// The number of bytes in the buffer is not known (BYCU).
    pub buffered_bytes_unknown: bool,
    /// The locations are not known (LOLU).
    pub location_unknown: bool,
    /// A location does not fit into 32 bits (PERR).
    pub overflow: bool,
    /// Behind the programmable early warning (BPEW).
    pub early_warning: bool,
    /// Object that the next READ or WRITE is about.
    pub first: u32,
    /// Object that the medium would continue with if the buffer were empty.
    pub last: u32,
    /// Objects in the buffer, 24 bits.
    pub buffered_objects: u32,
    /// Bytes in the buffer.
    pub buffered_bytes: u32,
}

impl ShortPosition {
    /// Decodes the short form, 20 bytes.
    ///
    /// # Errors
    /// `partitioned tape` for another partition than the first; fewer bytes.
    pub fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut fields = Reader::new("position", bytes);
        let bits = fields.u8()?;
        refuse_partition(u32::from(fields.u8()?))?;
        fields.skip(2)?;
        Ok(Self {
            beginning: bits & 0x80 != 0,
            end: bits & 0x40 != 0,
            buffered_objects_unknown: bits & 0x20 != 0,
            buffered_bytes_unknown: bits & 0x10 != 0,
            location_unknown: bits & 0x04 != 0,
            overflow: bits & 0x02 != 0,
            early_warning: bits & 0x01 != 0,
            first: fields.u32()?,
            last: fields.u32()?,
            buffered_objects: fields.u32()? & 0x00FF_FFFF,
            buffered_bytes: fields.u32()?,
        })
    }

    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let bits = [
            (self.beginning, 0x80),
            (self.end, 0x40),
            (self.buffered_objects_unknown, 0x20),
            (self.buffered_bytes_unknown, 0x10),
            (self.location_unknown, 0x04),
            (self.overflow, 0x02),
            (self.early_warning, 0x01),
        ];
        Writer::new()
            .u8(flags(&bits))
            .zeros(3)
            .u32(self.first)
            .u32(self.last)
            .u32(self.buffered_objects & 0x00FF_FFFF)
            .u32(self.buffered_bytes)
            .finish()
    }
}

fn refuse_partition(partition: u32) -> Decoded<()> {
    match partition {
        0 => Ok(()),
        _ => Err(DecodeError::field("position", "partitioned tape")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::assert_round_trip;
    use crate::scsi::test_bytes::hex;
    use proptest::prelude::*;

    /// Spec scsi.md §16.
    const VECTOR: &str = "00 000000 00000000 0000000000000010 0000000000000003 0000000000000000";

    #[test]
    fn long_form_of_the_spec() {
        let position = LongPosition::decode(&hex(VECTOR)).unwrap();
        assert_eq!(position, LongPosition { object: 16, file: 3, ..Default::default() });
        assert_eq!(position.encode(), hex(VECTOR));
        let known = position.known().unwrap();
        assert_eq!((known.object, known.file), (BlockNumber(16), FileNumber(3)));
    }

    #[test]
    fn other_partitions_and_lengths_are_refused() {
        let mut bytes = hex(VECTOR);
        bytes[7] = 1;
        let refused = LongPosition::decode(&bytes).unwrap_err();
        assert!(refused.to_string().contains("partitioned tape"));
        for length in [0, 31, 33] {
            bytes.resize(length, 0);
            let refused = LongPosition::decode(&bytes).unwrap_err();
            assert!(refused.to_string().contains("got unexpected data len"));
        }
        assert!(ShortPosition::decode(&[0; 19]).is_err());
        let mut short = [0; 20];
        assert!(ShortPosition::decode(&short).is_ok());
        short[1] = 1;
        let refused = ShortPosition::decode(&short).unwrap_err();
        assert!(refused.to_string().contains("partitioned tape"));
    }

    #[test]
    fn what_the_drive_does_not_know_is_no_position() {
        let lost = LongPosition { file_unknown: true, ..Default::default() };
        assert_eq!(lost.known(), None);
    }

    #[test]
    fn short_form_at_the_beginning() {
        let bytes = hex("80000000 00000007 00000005 00000002 00080000");
        let position = ShortPosition::decode(&bytes).unwrap();
        assert!(position.beginning && !position.end);
        assert_eq!((position.first, position.last, position.buffered_objects), (7, 5, 2));
        assert_eq!(position.encode(), bytes);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40), lead: u8) {
            assert_round_trip(&bytes, LongPosition::decode, LongPosition::encode);
            assert_round_trip(&bytes, ShortPosition::decode, ShortPosition::encode);
            let mut whole = bytes;
            whole.resize(LONG_POSITION_BYTES, 0);
            whole[..8].copy_from_slice(&[lead, 0, 0, 0, 0, 0, 0, 0]);
            assert_round_trip(&whole, LongPosition::decode, LongPosition::encode);
        }
    }
}
