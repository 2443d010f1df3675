//! Entry points for fuzzers: each takes any bytes, must never panic, and asserts what must hold for all input.

use std::fmt::Debug;

use crate::drive::TapeDrive;
use crate::memory::{MediumLimits, MemoryLibrary};
use crate::number::VolumeTag;
use crate::scsi::Decoded;
use crate::stream::{
    BlockHeader, BlockReader, CONTENT_HEADER_SIZE, ContentHeader, OpenedFile,
    TAPE_BLOCK_HEADER_SIZE, TAPE_BLOCK_MAGIC, TAPE_BLOCK_SIZE,
};

/// Bytes of input that make one object of the medium: what it is, and the header of the block.
const STEP: usize = 1 + TAPE_BLOCK_HEADER_SIZE;

/// Objects at most, so that one input costs milliseconds and not gigabytes.
const STEPS_MAX: usize = 16;

/// Records a medium as the input says (whole blocks with arbitrary headers, blocks of other lengths,
/// filemarks) and reads all of its files, once for their content and once skipping.
pub fn fuzz_block_stream(data: &[u8]) {
    for skip in [false, true] {
        let Some(mut drive) = recorded(data) else {
            return;
        };
        while read_file(&mut drive, skip) {}
    }
}

/// Decodes block and content headers; what is accepted must encode to the same bytes.
pub fn fuzz_content_header(data: &[u8]) {
    if let Some(bytes) = data.first_chunk::<CONTENT_HEADER_SIZE>()
        && let Ok(header) = ContentHeader::from_bytes(bytes)
    {
        assert_eq!(header.to_bytes()[..44], bytes[..44]);
    }
    if let Some(bytes) = data.first_chunk::<TAPE_BLOCK_HEADER_SIZE>()
        && let Ok(header) = BlockHeader::from_bytes(bytes)
    {
        assert_eq!(header.to_bytes(), *bytes);
        assert!(header.payload().end <= TAPE_BLOCK_SIZE);
    }
}

/// Asserts that what is decoded from `bytes`, if it is accepted, is also decoded from its own encoding.
pub(crate) fn assert_round_trip<T: PartialEq + Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Decoded<T>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    if let Ok(value) = decode(bytes) {
        assert_eq!(decode(&encode(&value)), Ok(value));
    }
}

fn recorded(data: &[u8]) -> Option<impl TapeDrive> {
    let tag = VolumeTag::new("FUZZ")?;
    let (_, mut drive) = MemoryLibrary::with_loaded_drive(&tag, MediumLimits::NONE).ok()?;
    let mut block = vec![0; TAPE_BLOCK_SIZE];
    for step in data.chunks_exact(STEP).take(STEPS_MAX) {
        let (kind, header) = step.split_first()?;
        block[..TAPE_BLOCK_HEADER_SIZE].copy_from_slice(header);
        if kind & 1 != 0 {
            block[..TAPE_BLOCK_MAGIC.len()].copy_from_slice(&TAPE_BLOCK_MAGIC);
        }
        match kind >> 1 & 7 {
            0 => drive.write_filemarks(1, true).map(|_| ()).ok()?,
            1 => drive.write_block(header).map(|_| ()).ok()?,
            _ => drive.write_block(&block).map(|_| ()).ok()?,
        }
    }
    drive.rewind().ok()?;
    Some(drive)
}

/// Reads one file; `false` at the end of data or after an error.
fn read_file(drive: &mut impl TapeDrive, skip: bool) -> bool {
    let mut reader = match BlockReader::open(drive) {
        Ok(OpenedFile::Data(reader)) => reader,
        Ok(OpenedFile::EndOfFile) => return true,
        Ok(OpenedFile::EndOfStream) | Err(_) => return false,
    };
    if skip {
        return reader.skip_data().is_ok() && reader.has_end_marker().is_ok();
    }
    loop {
        match reader.fill().map(<[u8]>::len) {
            Ok(0) => return reader.has_end_marker().is_ok_and(|marked| marked),
            Ok(length) => reader.consume_bytes(length),
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_medium_panics_the_reader(
            steps in proptest::collection::vec((any::<u8>(), 0u8..4, 0u32..300_000, 0u32..3), 0..6),
        ) {
            let mut data = Vec::new();
            for (kind, flags, size, sequence) in steps {
                data.push(kind | 1);
                data.extend([0; 8]);
                data.push(flags);
                data.extend(&size.to_le_bytes()[..3]);
                data.extend(sequence.to_le_bytes());
            }
            fuzz_block_stream(&data);
        }

        #[test]
        fn no_bytes_panic_the_decoders(data in proptest::collection::vec(any::<u8>(), 0..64)) {
            fuzz_content_header(&data);
            fuzz_block_stream(&data);
        }
    }
}
