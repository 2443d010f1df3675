//! Writing, reading, and what is behind what was written.

use crate::conformance::{DriveBench, Found, assert_at, block, read, read_all, record};
use crate::drive::{EncryptionKey, SpaceOutcome, WriteOutcome};
use crate::error::{Error, Result};
use crate::move_to_append_position;
use crate::number::{BlockNumber, FileNumber};
use crate::stream::{BlockReader, BlockWriter, OpenedFile, TAPE_BLOCK_SIZE, content_offset};

pub(super) fn blank_medium_holds_nothing(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    assert!(drive.medium_loaded()?);
    assert!(!drive.write_protected()?);
    assert_at(&mut *drive, 0, 0, 0)?;
    assert_eq!(read(&mut *drive)?, Found::EndOfData);
    drive.space_to_end_of_data()?;
    assert_at(&mut *drive, 0, 0, 0)?;
    assert_eq!(drive.space_blocks(1)?, SpaceOutcome::EndOfData);
    assert_eq!(drive.space_filemarks(1)?, SpaceOutcome::EndOfData);
    assert_eq!(drive.space_blocks(-1)?, SpaceOutcome::BeginningOfMedium);
    assert_eq!(move_to_append_position(&mut *drive)?, FileNumber(0));
    let end = drive.locate(BlockNumber(1));
    assert!(matches!(end, Err(Error::UnexpectedEndOfData { .. })), "{end:?}");
    Ok(())
}

pub(super) fn writing_moves_on(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    assert_eq!(drive.write_block(&block(b'a'))?, WriteOutcome::Ok);
    assert_at(&mut *drive, 1, 0, 1)?;
    drive.write_block(&block(b'b'))?;
    assert_at(&mut *drive, 2, 0, 2)?;
    drive.write_filemarks(0, false)?;
    assert_at(&mut *drive, 2, 0, 2)?;
    drive.write_filemarks(1, true)?;
    assert_at(&mut *drive, 3, 1, 0)?;
    drive.write_block(&block(b'c'))?;
    drive.write_filemarks(2, false)?;
    assert_at(&mut *drive, 6, 3, 0)?;
    drive.sync()?;
    assert_at(&mut *drive, 6, 3, 0)?;
    drive.rewind()?;
    assert_at(&mut *drive, 0, 0, 0)
}

pub(super) fn reading_meets_blocks_filemarks_and_the_end(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    record(&mut *drive, &[b"ab", b"c"])?;
    drive.rewind()?;
    let expected = [
        (Found::Mark(b'a'), (1, 0, 1)),
        (Found::Mark(b'b'), (2, 0, 2)),
        (Found::Filemark, (3, 1, 0)),
        (Found::Mark(b'c'), (4, 1, 1)),
        (Found::Filemark, (5, 2, 0)),
        (Found::EndOfData, (5, 2, 0)),
        (Found::EndOfData, (5, 2, 0)),
    ];
    for (found, (object, file, block_in_file)) in expected {
        assert_eq!(read(&mut *drive)?, found);
        assert_at(&mut *drive, object, file, block_in_file)?;
    }
    Ok(())
}

pub(super) fn empty_files_are_filemarks_alone(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    record(&mut *drive, &[b"", b"a", b"", b""])?;
    drive.sync()?;
    let mut drive = bench.reopen(drive);
    assert_eq!(read_all(&mut *drive)?, "|a|||");
    drive.locate_file(FileNumber(2))?;
    assert_at(&mut *drive, 3, 2, 0)?;
    assert!(matches!(BlockReader::open(&mut *drive)?, OpenedFile::EndOfFile));
    assert_at(&mut *drive, 4, 3, 0)
}

pub(super) fn blocks_may_end_the_medium_without_filemark(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    record(&mut *drive, &[b"a"])?;
    drive.write_block(&block(b'b'))?;
    assert_eq!(read_all(&mut *drive)?, "a|b");
    assert_at(&mut *drive, 3, 1, 1)?;
    drive.write_block(&block(b'c'))?;
    drive.sync()?;
    let mut drive = bench.reopen(drive);
    assert_eq!(read_all(&mut *drive)?, "a|bc");
    drive.write_block(&block(b'd'))?;
    drive.write_filemarks(1, true)?;
    assert_eq!(read_all(&mut *drive)?, "a|bcd|");
    Ok(())
}

pub(super) fn overwriting_cuts_off_the_rest(bench: &mut dyn DriveBench) -> Result<()> {
    // object to write at, what is there after a block and its filemark
    let places = [(0, "X|"), (1, "aX|"), (2, "abX|"), (3, "ab|X|"), (4, "ab|cX|"), (5, "ab|c|X|")];
    for (object, expected) in places {
        let mut drive = bench.blank();
        record(&mut *drive, &[b"ab", b"c"])?;
        drive.sync()?;
        drive.locate(BlockNumber(object))?;
        drive.write_block(&block(b'X'))?;
        assert_eq!(read(&mut *drive)?, Found::EndOfData, "at object {object}");
        drive.write_filemarks(1, false)?;
        assert_eq!(read_all(&mut *drive)?, expected, "at object {object}");
        let mut drive = bench.reopen(drive);
        assert_eq!(read_all(&mut *drive)?, expected, "at object {object}, reopened");
    }
    let mut drive = bench.blank();
    record(&mut *drive, &[b"ab", b"c"])?;
    drive.locate(BlockNumber(1))?;
    drive.write_filemarks(1, false)?;
    assert_eq!(read_all(&mut *drive)?, "a|", "a filemark cuts off as a block does");
    Ok(())
}

pub(super) fn appending_repairs_a_missing_filemark(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    record(&mut *drive, &[b"a", b"b"])?;
    drive.rewind()?;
    assert_eq!(move_to_append_position(&mut *drive)?, FileNumber(2));
    assert_at(&mut *drive, 4, 2, 0)?;
    assert_eq!(drive.counters().filemarks_written, 2, "nothing to repair");
    drive.write_block(&block(b'c'))?;
    drive.rewind()?;
    assert_eq!(move_to_append_position(&mut *drive)?, FileNumber(3));
    assert_eq!(read_all(&mut *drive)?, "a|b|c|");
    Ok(())
}

pub(super) fn files_can_be_entered_in_the_middle(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    record(&mut *drive, &[b"a"])?;
    let content: Vec<u8> = (0..800_000u32).map(|n| (n % 251) as u8).collect();
    let mut writer = BlockWriter::new(&mut *drive);
    writer.write_all(&content)?;
    assert_eq!(writer.finish(false)?.blocks, 4);
    for sequence in [3, 1, 2, 0] {
        drive.locate(BlockNumber(2 + u64::from(sequence)))?;
        let mut reader = BlockReader::resume_at(&mut *drive, sequence)?;
        let mut rest = Vec::new();
        while !reader.fill()?.is_empty() {
            let unread = reader.fill()?;
            rest.extend_from_slice(unread);
            let length = unread.len();
            reader.consume_bytes(length);
        }
        let offset = content_offset(sequence) as usize;
        assert!(rest == content.get(offset..).unwrap_or_default(), "from block {sequence}");
    }
    drive.locate(BlockNumber(3))?;
    let wrong = BlockReader::resume_at(&mut *drive, 2).map(|_| ());
    assert!(wrong.is_err_and(|error| error.block_error().is_some()));
    Ok(())
}

pub(super) fn encrypted_blocks_need_their_key(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    let key = EncryptionKey::new(&[0xA5; 32]);
    if !drive.can_encrypt()? {
        assert!(drive.set_encryption_key(Some(&key)).is_err(), "a key that does nothing");
        assert!(!drive.encryption_active()?);
        return drive.set_encryption_key(None);
    }
    record(&mut *drive, &[b"a"])?;
    drive.set_encryption_key(Some(&key))?;
    assert!(drive.encryption_active()?);
    record(&mut *drive, &[b"bc"])?;
    assert_eq!(read_all(&mut *drive)?, "a|bc|");
    for other in [None, Some(EncryptionKey::new(&[0x5A; 32]))] {
        drive.set_encryption_key(other.as_ref())?;
        assert_eq!(drive.encryption_active()?, other.is_some());
        drive.rewind()?;
        assert_eq!(read(&mut *drive)?, Found::Mark(b'a'), "blocks in the clear need no key");
        drive.locate_file(FileNumber(1))?;
        let refused = read(&mut *drive);
        assert!(matches!(refused, Err(Error::WrongKey)), "{refused:?}");
    }
    drive.set_encryption_key(Some(&key))?;
    assert_eq!(read_all(&mut *drive)?, "a|bc|");
    drive.unload()?;
    bench.load_again(&mut drive)?;
    assert!(!drive.encryption_active()?, "the key stayed behind the medium");
    Ok(())
}

pub(super) fn counters_count(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    let start = drive.counters();
    record(&mut *drive, &[b"ab", b"c"])?;
    drive.sync()?;
    assert_eq!(read_all(&mut *drive)?, "ab|c|");
    drive.locate(BlockNumber(1))?;
    drive.locate_file(FileNumber(1))?;
    drive.space_blocks(1)?;
    drive.space_filemarks(-1)?;
    drive.space_to_end_of_data()?;
    let bytes = 3 * TAPE_BLOCK_SIZE as u64;
    let end = drive.counters();
    assert_eq!(end.bytes_written - start.bytes_written, bytes);
    assert_eq!(end.blocks_written - start.blocks_written, 3);
    assert_eq!(end.filemarks_written - start.filemarks_written, 2);
    assert_eq!(end.bytes_read - start.bytes_read, bytes);
    assert_eq!(end.blocks_read - start.blocks_read, 3);
    assert_eq!(end.locates - start.locates, 2);
    assert_eq!(end.spaces - start.spaces, 3);
    assert_eq!(end.rewinds - start.rewinds, 1);
    assert_eq!(end.syncs - start.syncs, 1);
    let used = drive.statistics()?.total_used_native_capacity;
    assert!(used.is_none_or(|used| used.bytes() >= bytes));
    drive.unload()?;
    assert_eq!(drive.counters().unloads - start.unloads, 1);
    Ok(())
}
