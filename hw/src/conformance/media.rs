//! What becomes of a whole medium: blanked, full, protected, taken out and put back.

use crate::conformance::{
    DriveBench, Found, SMALL_BLOCKS_MAX, assert_at, block, read, read_all, read_rest, record,
};
use crate::drive::{TapeDrive, WriteOutcome};
use crate::error::{Error, Result};
use crate::number::{BlockNumber, FileNumber};
use crate::stream::{BlockReader, BlockWriter, OpenedFile, WrittenFile};

pub(super) fn erasing_cuts_off_the_rest(bench: &mut dyn DriveBench) -> Result<()> {
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

pub(super) fn formatting_blanks(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    record(&mut *drive, &[b"ab", b"c"])?;
    drive.format_medium(true)?;
    assert_at(&mut *drive, 0, 0, 0)?;
    assert_eq!(read(&mut *drive)?, Found::EndOfData);
    record(&mut *drive, &[b"d"])?;
    assert_eq!(read_all(&mut *drive)?, "d|");
    Ok(())
}

pub(super) fn early_warning_comes_before_the_end(bench: &mut dyn DriveBench) -> Result<()> {
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

fn write_until_warning(drive: &mut dyn TapeDrive) -> Result<WrittenFile> {
    let mut writer = BlockWriter::new(drive);
    let slice = block(b'y');
    while writer.write_until_warning(&slice)? == slice.len() && !writer.early_warning() {}
    writer.finish(false)
}

pub(super) fn protected_media_are_read_only(bench: &mut dyn DriveBench) -> Result<()> {
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

pub(super) fn empty_drives_say_so(bench: &mut dyn DriveBench) -> Result<()> {
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

pub(super) fn unloading_keeps_what_was_written(bench: &mut dyn DriveBench) -> Result<()> {
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

pub(super) fn reopening_keeps_what_was_synced(bench: &mut dyn DriveBench) -> Result<()> {
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
