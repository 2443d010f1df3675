//! Entries of the ring as bytes: what the kernel asks, and what it is answered.
//!
//! | entry | bytes |
//! | --- | --- |
//! | every | 0 `u32` kind in the low 3 bits, length in the rest; 4 `u16` id; 6 flags of the kernel; 7 ours |
//! | a command | 8 `u32` number of data areas; 24 `u64` offset of the CDB; 48 areas: `u64` offset, `u64` length |
//! | its answer | 8 status; 12 `u32` bytes that were read; 16 sense, 96 bytes |
//! | management | 8 what is asked |
//!
//! All little-endian, offsets from the start of the mapping. An answer lies over the question.

/// Bytes of the header that all entries have; padding may have no more.
pub(crate) const HEADER_BYTES: usize = 8;
/// Where an answer ends: no command is shorter.
pub(crate) const ANSWER_END: usize = 112;
/// Where an answer begins: with our flags.
pub(crate) const ANSWER_START: usize = 7;
/// Sense bytes of an answer.
pub(crate) const SENSE_BYTES: usize = 96;

const AREAS_START: usize = 48;
const AREA_BYTES: usize = 16;
const FLAG_READ_LENGTH: u8 = 2;

/// A piece of the mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// A SCSI command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// Where its CDB lies in the mapping.
    pub(crate) cdb: u64,
    /// Where its data lie, in order.
    pub(crate) areas: Vec<Area>,
}

/// What the kernel asks of a device beside commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Management {
    /// To be as after a reset.
    Reset,
    /// To give up commands: all that are answered in order are given up by then.
    Abort,
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A command, to be answered.
    Command(Request),
    /// A notice, not to be answered.
    Management(Management),
    /// Nothing: room at the end of the ring, or a kind that came later.
    Skip,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// SCSI status.
    pub(crate) status: u8,
    /// Bytes that were read; 0 cannot be told apart from "all of them" (spec emulations.md, "Answers and residuals").
    pub(crate) read: u32,
    /// Sense, cut or filled with zeros to 96 bytes.
    pub(crate) sense: Vec<u8>,
}

/// Why an entry cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// A field lies behind its end.
    #[error("an entry of {0} bytes is too short for what it says")]
    Short(usize),
}

/// The length of an entry, from its first word.
pub(crate) fn entry_length(first: u32) -> u32 {
    first & !7
}

impl Entry {
    /// Reads a whole entry.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        const COMMAND: u32 = 1;
        const MANAGEMENT: u32 = 2;
        match u32_at(bytes, 0)? & 7 {
            COMMAND => Request::decode(bytes).map(Self::Command),
            MANAGEMENT => Management::decode(bytes),
            _ => Ok(Self::Skip),
        }
    }
}

impl Request {
    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() < ANSWER_END {
            return Err(Malformed::Short(bytes.len()));
        }
        let count = u32_at(bytes, 8)? as usize;
        let room = bytes[AREAS_START..].as_chunks::<AREA_BYTES>().0;
        let areas = room.get(..count).ok_or(Malformed::Short(bytes.len()))?;
        Ok(Self { cdb: u64_at(bytes, 24)?, areas: areas.iter().map(Area::decode).collect() })
    }
}

impl Area {
    fn decode(bytes: &[u8; AREA_BYTES]) -> Self {
        let value = u128::from_le_bytes(*bytes);
        Self { offset: value as u64, length: (value >> 64) as u64 }
    }
}

impl Management {
    /// Types of the kernel's `target_core_user.h`; those that are about single commands are all alike here.
    fn decode(bytes: &[u8]) -> Result<Entry, Malformed> {
        const UNIT_RESET: u8 = 5;
        const TARGET_RESETS: [u8; 2] = [6, 7];
        const UNIT_RESET_PRO: u8 = 128;
        let kind = *bytes.get(8).ok_or(Malformed::Short(bytes.len()))?;
        let resets = [UNIT_RESET, UNIT_RESET_PRO].contains(&kind) || TARGET_RESETS.contains(&kind);
        Ok(Entry::Management(if resets { Self::Reset } else { Self::Abort }))
    }
}

impl Answer {
    /// Bytes [`ANSWER_START`] to [`ANSWER_END`] of the answered entry.
    pub(crate) fn encode(&self) -> [u8; ANSWER_END - ANSWER_START] {
        let mut bytes = [0; ANSWER_END - ANSWER_START];
        let (head, sense) = bytes.split_at_mut(16 - ANSWER_START);
        head[0] = if self.read > 0 { FLAG_READ_LENGTH } else { 0 };
        head[1] = self.status;
        head[5..9].copy_from_slice(&self.read.to_le_bytes());
        sense.iter_mut().zip(&self.sense).for_each(|(to, from)| *to = *from);
        bytes
    }
}

fn u32_at(bytes: &[u8], offset: usize) -> Result<u32, Malformed> {
    Ok(u32::from_le_bytes(field(bytes, offset)?))
}

fn u64_at(bytes: &[u8], offset: usize) -> Result<u64, Malformed> {
    Ok(u64::from_le_bytes(field(bytes, offset)?))
}

fn field<const N: usize>(bytes: &[u8], offset: usize) -> Result<[u8; N], Malformed> {
    let field = bytes.get(offset..).and_then(|rest| rest.first_chunk());
    field.copied().ok_or(Malformed::Short(bytes.len()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A command as the kernel writes it, with its CDB behind the areas.
    pub(crate) fn command(at: u64, cdb: &[u8], areas: &[Area]) -> Vec<u8> {
        let fixed = (AREAS_START + areas.len() * AREA_BYTES).max(ANSWER_END);
        let length = (fixed + cdb.len()).next_multiple_of(8);
        let mut bytes = vec![0; length];
        bytes[0..4].copy_from_slice(&(length as u32 | 1).to_le_bytes());
        bytes[8..12].copy_from_slice(&(areas.len() as u32).to_le_bytes());
        bytes[24..32].copy_from_slice(&(at + fixed as u64).to_le_bytes());
        for (index, area) in areas.iter().enumerate() {
            let place = AREAS_START + index * AREA_BYTES;
            bytes[place..place + 8].copy_from_slice(&area.offset.to_le_bytes());
            bytes[place + 8..place + 16].copy_from_slice(&area.length.to_le_bytes());
        }
        bytes[fixed..fixed + cdb.len()].copy_from_slice(cdb);
        bytes
    }

    /// A notice of the kernel.
    pub(crate) fn management(kind: u8) -> Vec<u8> {
        let mut bytes = vec![0; 40];
        bytes[0..4].copy_from_slice(&(40u32 | 2).to_le_bytes());
        bytes[8] = kind;
        bytes
    }

    #[test]
    fn commands_come_with_their_areas() {
        let areas = [Area { offset: 4096, length: 512 }, Area { offset: 1 << 40, length: 7 }];
        let bytes = command(128, &[0x08, 0, 0, 2, 7, 0], &areas);
        let expected = Request { cdb: 128 + 112, areas: areas.to_vec() };
        assert_eq!(Entry::decode(&bytes), Ok(Entry::Command(expected)));
        assert_eq!(entry_length(u32_at(&bytes, 0).unwrap()) as usize, bytes.len());
    }

    #[test]
    fn padding_and_kinds_of_later_are_skipped() {
        for kind in [0, 3, 7] {
            assert_eq!(Entry::decode(&[8 | kind, 0, 0, 0, 0, 0, 0, 0]), Ok(Entry::Skip));
        }
    }

    #[test]
    fn resets_and_aborts_are_told_apart() {
        for (kind, asked) in [(1, Management::Abort), (5, Management::Reset)] {
            assert_eq!(Entry::decode(&management(kind)), Ok(Entry::Management(asked)));
        }
    }

    #[test]
    fn more_areas_than_there_is_room_for_are_refused() {
        let mut bytes = command(0, &[0; 6], &[]);
        bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Entry::decode(&bytes), Err(Malformed::Short(120)));
        assert_eq!(Entry::decode(&[41, 0, 0, 0]), Err(Malformed::Short(4)));
    }

    #[test]
    fn an_answer_is_laid_out_as_the_kernel_reads_it() {
        let answer = Answer { status: 2, read: 0x01_0203, sense: vec![0x70; 200] };
        let mut entry = [0xFF; ANSWER_END];
        entry[ANSWER_START..].copy_from_slice(&answer.encode());
        assert_eq!(entry[7..16], [2, 2, 0, 0, 0, 0x03, 0x02, 0x01, 0]);
        assert_eq!(entry[16..], [0x70; SENSE_BYTES]);
        let nothing = Answer { status: 0, read: 0, sense: Vec::new() }.encode();
        assert_eq!(nothing, [0; ANSWER_END - ANSWER_START]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_entry_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Entry::decode(&bytes);
        }
    }
}
