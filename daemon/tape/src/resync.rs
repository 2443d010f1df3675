//! Going on behind damage in a chunk archive.
//!
//! Entries lie back to back, and the length of one tells where the next begins. Where a block can't be read or a
//! header is garbage that chain is broken; but every entry begins with a magic number and is checked as a whole, so
//! it can be taken up again: the blocks behind are searched for the magic, over those that can't be read. Bytes
//! inside a chunk may look like an entry (somebody backs up virtual tapes). That costs nothing but time: what seems
//! to be a chunk is checked like any other, and where the chain breaks again it is searched on.

use reel_hw::stream::{BlockReader, TAPE_BLOCK_PAYLOAD_SIZE, content_offset};
use reel_hw::{BlockNumber, TapeDrive};

use crate::archive::CHUNK_ENTRY_MAGIC;
use crate::archive::chunk::ContentOffset;
use crate::queue::is_damage;
use crate::{Error, Result};

/// So many blocks that can't be read are passed over in one search, 8 MiB; a drive may try for minutes at each, and
/// where that many are bad, all behind is.
const BAD_BLOCKS_MAX: u32 = 32;

type TapeReader<'d> = BlockReader<'d, dyn TapeDrive + 'd>;

/// Opens an archive, whose first block is object `start` of the medium, in its middle.
pub(crate) fn open_at<'d>(
    drive: &'d mut (dyn TapeDrive + 'd),
    start: BlockNumber,
    at: ContentOffset,
) -> reel_hw::Result<TapeReader<'d>> {
    drive.locate(BlockNumber(start.0.saturating_add(at.block())))?;
    // Blocks of a file are numbered by 32 bits; an offset beyond is at the end of it.
    let mut reader = BlockReader::resume_at(drive, u32::try_from(at.block()).unwrap_or(u32::MAX))?;
    reader.consume_bytes(at.byte_in_block());
    Ok(reader)
}

/// Finds the first entry at or behind `from` that can be read; none where the archive ends before, or too many
/// blocks are bad.
///
/// # Errors
/// Those of the drive; damage is none.
pub(crate) fn find_entry(
    drive: &mut dyn TapeDrive,
    start: BlockNumber,
    from: ContentOffset,
) -> Result<Option<ContentOffset>> {
    let mut from = from;
    for _ in 0..=BAD_BLOCKS_MAX {
        let (bad_block, error) = match search(drive, start, from) {
            Ok(found) => return Ok(found),
            Err(broken) => broken,
        };
        if is_end(&error) {
            return Ok(None);
        }
        let error = Error::Device(error);
        if !is_damage(&error) {
            return Err(error);
        }
        from = ContentOffset(content_offset(bad_block.saturating_add(1)));
    }
    Ok(None)
}

/// Searches as far as blocks can be read; the first that can't ends it.
fn search(
    drive: &mut dyn TapeDrive,
    start: BlockNumber,
    from: ContentOffset,
) -> Result<Option<ContentOffset>, (u32, reel_hw::Error)> {
    let first_block = u32::try_from(from.block()).unwrap_or(u32::MAX);
    let mut reader = open_at(drive, start, from).map_err(|error| (first_block, error))?;
    let mut window: Vec<u8> = Vec::with_capacity(TAPE_BLOCK_PAYLOAD_SIZE + CHUNK_ENTRY_MAGIC.len());
    let mut window_start = from.0;
    loop {
        let bad_block = reader.next_sequence();
        let bytes = reader.fill().map_err(|error| (bad_block, error))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let count = bytes.len();
        window.extend_from_slice(bytes);
        reader.consume_bytes(count);
        if let Some(found) = position_of_magic(&window) {
            return Ok(Some(ContentOffset(window_start + found as u64)));
        }
        // A magic may lie across two blocks.
        let passed = window.len().saturating_sub(CHUNK_ENTRY_MAGIC.len() - 1);
        window.drain(..passed);
        window_start += passed as u64;
    }
}

fn position_of_magic(bytes: &[u8]) -> Option<usize> {
    bytes.windows(CHUNK_ENTRY_MAGIC.len()).position(|window| window == CHUNK_ENTRY_MAGIC)
}

/// Whether the file, or what is recorded at all, ends here.
fn is_end(error: &reel_hw::Error) -> bool {
    use reel_hw::Error::{UnexpectedEndOfData, UnexpectedFilemark};
    matches!(error, UnexpectedEndOfData { .. } | UnexpectedFilemark { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use reel_hw::memory::MediumLimits;
    use reel_hw::number::VolumeTag;
    use reel_hw::stream::BlockWriter;
    use reel_hw::{MemoryLibrary, memory::MemoryDrive};

    const PAYLOAD: u64 = TAPE_BLOCK_PAYLOAD_SIZE as u64;

    /// A file of `blocks` full blocks of nothing, with the magic at these places.
    fn tape(blocks: u64, magics: &[u64]) -> (MemoryLibrary, MemoryDrive) {
        let tag = VolumeTag::new("A00001L8").unwrap();
        let (library, mut drive) =
            MemoryLibrary::with_loaded_drive(&tag, MediumLimits::NONE).unwrap();
        let mut content = vec![0; (blocks * PAYLOAD) as usize];
        for at in magics {
            content[*at as usize..][..8].copy_from_slice(&CHUNK_ENTRY_MAGIC);
        }
        let mut writer = BlockWriter::new(&mut drive);
        writer.write_all(&content).unwrap();
        writer.finish(false).unwrap();
        (library, drive)
    }

    fn find(drive: &mut MemoryDrive, from: u64) -> Option<u64> {
        find_entry(drive, BlockNumber(0), ContentOffset(from)).unwrap().map(|found| found.0)
    }

    fn damage(library: &MemoryLibrary, blocks: std::ops::Range<u64>) {
        let tag = VolumeTag::new("A00001L8").unwrap();
        for block in blocks {
            let change = |bytes: &mut Vec<u8>| bytes[..8].fill(0);
            assert!(
                library
                    .medium(&tag, |medium| medium.damage_block(BlockNumber(block), change))
                    .unwrap()
            );
        }
    }

    #[test]
    fn entries_are_found_wherever_they_begin() {
        let magics = [48, PAYLOAD - 3, 2 * PAYLOAD, 3 * PAYLOAD - 8];
        let (_library, mut drive) = tape(4, &magics);
        let mut from = 0;
        for magic in magics {
            assert_eq!(find(&mut drive, from), Some(magic));
            assert_eq!(find(&mut drive, magic), Some(magic));
            from = magic + 1;
        }
        assert_eq!(find(&mut drive, from), None);
        assert_eq!(find(&mut drive, 50 * PAYLOAD), None);
    }

    #[test]
    fn bad_blocks_are_passed_over_but_not_without_end() {
        let bad = u64::from(BAD_BLOCKS_MAX);
        let (library, mut drive) = tape(bad + 10, &[PAYLOAD + 5, (bad + 3) * PAYLOAD]);
        damage(&library, 1..bad + 1);
        assert_eq!(find(&mut drive, 60), Some((bad + 3) * PAYLOAD));
        damage(&library, bad + 1..bad + 2);
        assert_eq!(find(&mut drive, 60), None);
        damage(&library, bad + 2..bad + 10);
        assert_eq!(find(&mut drive, (bad + 3) * PAYLOAD), None);
    }

    #[test]
    fn an_entry_is_opened_at_its_first_byte() {
        let (_library, mut drive) = tape(3, &[PAYLOAD + 100]);
        let mut reader = open_at(&mut drive, BlockNumber(0), ContentOffset(PAYLOAD + 100)).unwrap();
        assert!(reader.fill().unwrap().starts_with(&CHUNK_ENTRY_MAGIC));
    }
}
