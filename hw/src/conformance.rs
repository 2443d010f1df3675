//! What every tape drive must do, as checks that take any drive.
//!
//! A drive joins by a [`DriveBench`] that makes drives in the states the checks start from, and one call of
//! [`check_drive`] in a test. Checks panic (by `assert!`) where a drive misbehaves, and return errors that a
//! drive should not have given.
//!
//! All blocks are whole tape blocks, the only size every drive takes. Where a drive may differ (a block number
//! inside a file that it does not know) the checks do not look.

use crate::drive::{
    EncryptionKey, ObjectRange, Position, ReadOutcome, SpaceOutcome, TapeDrive, WriteOutcome,
};
use crate::error::{Error, Result};
use crate::move_to_append_position;
use crate::number::{BlockNumber, FileNumber};
use crate::stream::{BlockReader, BlockWriter, OpenedFile, TAPE_BLOCK_SIZE};

/// Blocks that [`DriveBench::blank`] must take before it warns.
pub const ROOM_BLOCKS: u64 = 32;
/// Blocks that [`DriveBench::small`] must have ended within.
pub const SMALL_BLOCKS_MAX: u64 = 1024;

type Drive = Box<dyn TapeDrive>;

/// Makes drives for the checks. Each is a new one, with a medium of its own.
pub trait DriveBench {
    /// A blank medium loaded, with room for [`ROOM_BLOCKS`].
    fn blank(&mut self) -> Drive;
    /// A blank medium loaded that ends within [`SMALL_BLOCKS_MAX`].
    fn small(&mut self) -> Drive;
    /// A medium with two closed files, of two blocks and of one ([`record`]), write protected.
    fn protected(&mut self) -> Drive;
    /// No medium.
    fn empty(&mut self) -> Drive;
    /// Closes a handle and opens the same drive again, with the medium in it.
    fn reopen(&mut self, drive: Drive) -> Drive;
    /// Brings the medium back that was unloaded from `drive`, and makes it ready.
    fn load_again(&mut self, drive: &mut Drive) -> Result<()>;
}

/// Runs all checks.
pub fn check_drive(bench: &mut dyn DriveBench) -> Result<()> {
    check_data_path(bench)?;
    let checks: [fn(&mut dyn DriveBench) -> Result<()>; 10] = [
        erasing_cuts_off_the_rest,
        formatting_blanks,
        early_warning_comes_before_the_end,
        protected_media_are_read_only,
        empty_drives_say_so,
        unloading_keeps_what_was_written,
        reopening_keeps_what_was_synced,
        counters_count,
        orders_name_each_place_once,
        encrypted_blocks_need_their_key,
    ];
    checks.into_iter().try_for_each(|check| check(bench))
}

/// Runs the checks of writing, reading and positions, for a drive that cannot do the rest. Takes [`DriveBench::blank`]
/// and [`DriveBench::reopen`] alone.
pub fn check_data_path(bench: &mut dyn DriveBench) -> Result<()> {
    let checks: [fn(&mut dyn DriveBench) -> Result<()>; 12] = [
        blank_medium_holds_nothing,
        writing_moves_on,
        reading_meets_blocks_filemarks_and_the_end,
        empty_files_are_filemarks_alone,
        blocks_may_end_the_medium_without_filemark,
        every_object_can_be_located,
        every_file_can_be_located,
        spacing_over_blocks,
        spacing_over_filemarks,
        overwriting_cuts_off_the_rest,
        appending_repairs_a_missing_filemark,
        files_can_be_entered_in_the_middle,
    ];
    checks.into_iter().try_for_each(|check| check(bench))
}

/// A block that is full of `mark`.
pub fn block(mark: u8) -> Vec<u8> {
    vec![mark; TAPE_BLOCK_SIZE]
}

/// Records closed files, each of blocks with these marks.
pub fn record(drive: &mut dyn TapeDrive, files: &[&[u8]]) -> Result<()> {
    for marks in files {
        for mark in *marks {
            drive.write_block(&block(*mark))?;
        }
        drive.write_filemarks(1, true)?;
    }
    Ok(())
}

/// What the next read finds: the mark of a block, or the outcome.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Mark(u8),
    Filemark,
    EndOfData,
}

fn read(drive: &mut dyn TapeDrive) -> Result<Found> {
    let mut buffer = block(0xEE);
    Ok(match drive.read_block(&mut buffer)? {
        ReadOutcome::Filemark => Found::Filemark,
        ReadOutcome::EndOfData => Found::EndOfData,
        ReadOutcome::Block(length) => {
            assert_eq!(length, TAPE_BLOCK_SIZE);
            let mark = buffer.first().copied().unwrap_or_default();
            assert!(buffer.iter().all(|byte| *byte == mark), "a block mixed up");
            Found::Mark(mark)
        }
    })
}

/// Everything from the position to the end of data, filemarks as `|`.
fn read_rest(drive: &mut dyn TapeDrive) -> Result<String> {
    let mut text = String::new();
    loop {
        match read(drive)? {
            Found::Mark(mark) => text.push(char::from(mark)),
            Found::Filemark => text.push('|'),
            Found::EndOfData => return Ok(text),
        }
    }
}

fn read_all(drive: &mut dyn TapeDrive) -> Result<String> {
    drive.rewind()?;
    read_rest(drive)
}

fn assert_at(drive: &mut dyn TapeDrive, object: u64, file: u64, block_in_file: u64) -> Result<()> {
    let position = drive.position()?;
    let expected = Position {
        object: BlockNumber(object),
        file: FileNumber(file),
        block_in_file: position.block_in_file.map(|_| block_in_file),
    };
    assert_eq!(position, expected);
    Ok(())
}

fn blank_medium_holds_nothing(bench: &mut dyn DriveBench) -> Result<()> {
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

fn writing_moves_on(bench: &mut dyn DriveBench) -> Result<()> {
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

fn reading_meets_blocks_filemarks_and_the_end(bench: &mut dyn DriveBench) -> Result<()> {
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

fn empty_files_are_filemarks_alone(bench: &mut dyn DriveBench) -> Result<()> {
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

fn blocks_may_end_the_medium_without_filemark(bench: &mut dyn DriveBench) -> Result<()> {
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

fn every_object_can_be_located(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    record(&mut *drive, &[b"ab", b"", b"cde"])?;
    let all = "ab||cde|";
    for backward in [false, true] {
        for step in 0..=all.len() {
            let object = if backward { all.len() - step } else { step };
            drive.locate(BlockNumber(object as u64))?;
            assert_eq!(drive.position()?.object, BlockNumber(object as u64));
            assert_eq!(read_rest(&mut *drive)?, all.get(object..).unwrap_or_default());
        }
    }
    let beyond = drive.locate(BlockNumber(all.len() as u64 + 1));
    assert!(matches!(beyond, Err(Error::UnexpectedEndOfData { .. })), "{beyond:?}");
    Ok(())
}

fn every_file_can_be_located(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    record(&mut *drive, &[b"ab", b"", b"c"])?;
    let places = [(3, 6, ""), (0, 0, "ab||c|"), (2, 4, "c|"), (1, 3, "|c|")];
    for (file, object, rest) in places {
        drive.locate_file(FileNumber(file))?;
        assert_at(&mut *drive, object, file, 0)?;
        assert_eq!(read_rest(&mut *drive)?, rest);
    }
    let beyond = drive.locate_file(FileNumber(4));
    assert!(matches!(beyond, Err(Error::UnexpectedEndOfData { .. })), "{beyond:?}");
    Ok(())
}

fn spacing_over_blocks(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    record(&mut *drive, &[b"abc", b"de"])?;
    // from object, count, outcome, object and file there
    let moves = [
        (0, 0, SpaceOutcome::Done, 0, 0),
        (0, 3, SpaceOutcome::Done, 3, 0),
        (0, 4, SpaceOutcome::Filemark, 4, 1),
        (3, 1, SpaceOutcome::Filemark, 4, 1),
        (4, 2, SpaceOutcome::Done, 6, 1),
        (7, 1, SpaceOutcome::EndOfData, 7, 2),
        (3, -3, SpaceOutcome::Done, 0, 0),
        (2, -3, SpaceOutcome::BeginningOfMedium, 0, 0),
        (4, -1, SpaceOutcome::Filemark, 3, 0),
        (6, -2, SpaceOutcome::Done, 4, 1),
        (6, -9, SpaceOutcome::Filemark, 3, 0),
        (7, -1, SpaceOutcome::Filemark, 6, 1),
    ];
    for (from, count, outcome, object, file) in moves {
        drive.locate(BlockNumber(from))?;
        assert_eq!(drive.space_blocks(count)?, outcome, "from {from} over {count}");
        let position = drive.position()?;
        assert_eq!(
            (position.object.0, position.file.0),
            (object, file),
            "from {from} over {count}"
        );
    }
    Ok(())
}

fn spacing_over_filemarks(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    record(&mut *drive, &[b"ab", b"", b"c"])?;
    drive.write_block(&block(b'd'))?;
    let moves = [
        (0, 0, SpaceOutcome::Done, 0, 0),
        (1, 1, SpaceOutcome::Done, 3, 1),
        (0, 3, SpaceOutcome::Done, 6, 3),
        (0, 4, SpaceOutcome::EndOfData, 7, 3),
        (6, 1, SpaceOutcome::EndOfData, 7, 3),
        (7, -1, SpaceOutcome::Done, 5, 2),
        (7, -2, SpaceOutcome::Done, 3, 1),
        (7, -3, SpaceOutcome::Done, 2, 0),
        (7, -4, SpaceOutcome::BeginningOfMedium, 0, 0),
        (3, -1, SpaceOutcome::Done, 2, 0),
        (1, -1, SpaceOutcome::BeginningOfMedium, 0, 0),
    ];
    for (from, count, outcome, object, file) in moves {
        drive.locate(BlockNumber(from))?;
        assert_eq!(drive.space_filemarks(count)?, outcome, "from {from} over {count}");
        let position = drive.position()?;
        assert_eq!(
            (position.object.0, position.file.0),
            (object, file),
            "from {from} over {count}"
        );
    }
    drive.rewind()?;
    drive.space_to_end_of_data()?;
    assert_at(&mut *drive, 7, 3, 1)
}

fn overwriting_cuts_off_the_rest(bench: &mut dyn DriveBench) -> Result<()> {
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

fn erasing_cuts_off_the_rest(bench: &mut dyn DriveBench) -> Result<()> {
    for (object, expected) in [(0, ""), (1, "a"), (3, "ab|"), (5, "ab|c|")] {
        let mut drive = bench.blank();
        record(&mut *drive, &[b"ab", b"c"])?;
        drive.locate(BlockNumber(object))?;
        drive.erase()?;
        assert_eq!(drive.position()?.object, BlockNumber(object));
        assert_eq!(read(&mut *drive)?, Found::EndOfData);
        let mut drive = bench.reopen(drive);
        assert_eq!(read_all(&mut *drive)?, expected, "at object {object}");
    }
    Ok(())
}

fn formatting_blanks(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    record(&mut *drive, &[b"ab", b"c"])?;
    drive.format_medium(true)?;
    assert_at(&mut *drive, 0, 0, 0)?;
    assert_eq!(read(&mut *drive)?, Found::EndOfData);
    record(&mut *drive, &[b"d"])?;
    assert_eq!(read_all(&mut *drive)?, "d|");
    Ok(())
}

fn appending_repairs_a_missing_filemark(bench: &mut dyn DriveBench) -> Result<()> {
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

fn early_warning_comes_before_the_end(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.small();
    let mut outcomes = Vec::new();
    let error = loop {
        assert!(outcomes.len() as u64 <= SMALL_BLOCKS_MAX, "the medium never ends");
        match drive.write_block(&block(b'x')) {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => break error,
        }
    };
    assert!(error.is_end_of_medium(), "{error}");
    let first = outcomes.iter().position(|outcome| *outcome == WriteOutcome::EarlyWarning);
    let warned = outcomes.split_off(first.unwrap_or(outcomes.len()));
    assert!(warned.len() >= 2, "room for one more block behind the one that warned");
    assert!(warned.iter().all(|outcome| *outcome == WriteOutcome::EarlyWarning));
    let blocks = (outcomes.len() + warned.len()) as u64;
    drive.write_filemarks(1, false)?;
    assert_at(&mut *drive, blocks + 1, 1, 0)?;
    assert_eq!(read_all(&mut *drive)?.len() as u64, blocks + 1, "all but the refused block");

    let mut drive = bench.small();
    let warned = write_until_warning(&mut *drive)?;
    assert!(warned.early_warning && warned.blocks == outcomes.len() as u64 + 2);
    drive.rewind()?;
    let OpenedFile::Data(mut reader) = BlockReader::open(&mut *drive)? else {
        return Err(Error::StreamState("the file that was just written is missing"));
    };
    reader.skip_data()?;
    assert!(reader.has_end_marker()? && !reader.is_incomplete()?);
    Ok(())
}

fn write_until_warning(drive: &mut dyn TapeDrive) -> Result<crate::stream::WrittenFile> {
    let mut writer = BlockWriter::new(drive);
    let slice = block(b'y');
    while writer.write_until_warning(&slice)? == slice.len() && !writer.early_warning() {}
    writer.finish(false)
}

fn protected_media_are_read_only(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.protected();
    assert!(drive.write_protected()?);
    assert!(drive.statistics()?.write_protect);
    drive.rewind()?;
    let before = read_rest(&mut *drive)?;
    assert_eq!(before.split('|').map(str::len).collect::<Vec<_>>(), [2, 1, 0]);
    drive.locate(BlockNumber(1))?;
    let refused = [
        drive.write_block(&block(b'X')).map(|_| ()),
        drive.write_filemarks(1, true).map(|_| ()),
        drive.erase(),
        drive.format_medium(true),
    ];
    for result in refused {
        assert!(matches!(result, Err(Error::WriteProtected { .. })), "{result:?}");
    }
    assert_eq!(read_all(&mut *drive)?, before);
    drive.sync()
}

fn empty_drives_say_so(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.empty();
    assert!(!drive.medium_loaded()?);
    let mut buffer = block(0);
    let refused = [
        drive.write_block(&buffer).map(|_| ()),
        drive.read_block(&mut buffer).map(|_| ()),
        drive.write_filemarks(1, true).map(|_| ()),
        drive.sync(),
        drive.rewind(),
        drive.space_filemarks(1).map(|_| ()),
        drive.space_blocks(1).map(|_| ()),
        drive.space_to_end_of_data(),
        drive.locate(BlockNumber(0)),
        drive.locate_file(FileNumber(0)),
        drive.position().map(|_| ()),
        drive.load(),
        drive.format_medium(true),
        drive.erase(),
        drive.write_protected().map(|_| ()),
        drive.statistics().map(|_| ()),
    ];
    for result in refused {
        assert!(matches!(result, Err(Error::NoMedium { .. })), "{result:?}");
    }
    drive.set_encryption_key(None)?;
    drive.unload()
}

fn unloading_keeps_what_was_written(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    record(&mut *drive, &[b"ab"])?;
    drive.unload()?;
    assert!(!drive.medium_loaded()?);
    let position = drive.position();
    assert!(matches!(position, Err(Error::NoMedium { .. })), "{position:?}");
    bench.load_again(&mut drive)?;
    assert!(drive.medium_loaded()?);
    assert_at(&mut *drive, 0, 0, 0)?;
    assert_eq!(read_rest(&mut *drive)?, "ab|");
    Ok(())
}

fn reopening_keeps_what_was_synced(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    record(&mut *drive, &[b"ab", b"c"])?;
    drive.sync()?;
    drive.locate_file(FileNumber(1))?;
    let mut drive = bench.reopen(drive);
    assert_eq!(drive.counters(), Default::default());
    assert_at(&mut *drive, 3, 1, 0)?;
    assert_eq!(read_all(&mut *drive)?, "ab|c|");
    Ok(())
}

fn encrypted_blocks_need_their_key(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    let key = EncryptionKey::new([0xA5; 32]);
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
    for other in [None, Some(EncryptionKey::new([0x5A; 32]))] {
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

fn files_can_be_entered_in_the_middle(bench: &mut dyn DriveBench) -> Result<()> {
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
        let offset = crate::stream::content_offset(sequence) as usize;
        assert!(rest == content.get(offset..).unwrap_or_default(), "from block {sequence}");
    }
    drive.locate(BlockNumber(3))?;
    let wrong = BlockReader::resume_at(&mut *drive, 2).map(|_| ());
    assert!(wrong.is_err_and(|error| error.block_error().is_some()));
    Ok(())
}

fn orders_name_each_place_once(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    record(&mut *drive, &[b"ab", b"c", b"defg"])?;
    drive.sync()?;
    drive.locate(BlockNumber(3))?;
    let range = |(first, last)| ObjectRange { first: BlockNumber(first), last: BlockNumber(last) };
    for places in [&[(5, 8), (0, 1), (3, 3)][..], &[(0, 1)], &[]] {
        let ranges: Vec<_> = places.iter().copied().map(range).collect();
        let Some(mut order) = drive.access_order(&ranges)? else { continue };
        order.sort_unstable();
        assert_eq!(order, (0..places.len()).collect::<Vec<_>>());
    }
    if let Some(ends) = drive.wrap_ends()? {
        assert!(ends.is_sorted_by(|a, b| a < b), "{ends:?}");
        assert_eq!(ends.last(), Some(&BlockNumber(10)), "the last wrap ends where the data do");
    }
    assert_at(&mut *drive, 3, 1, 0)?;
    assert_eq!(read(&mut *drive)?, Found::Mark(b'c'));
    Ok(())
}

fn counters_count(bench: &mut dyn DriveBench) -> Result<()> {
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
