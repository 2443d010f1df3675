//! Going to objects and files, and saying where the tape stands.

use crate::conformance::{DriveBench, Found, assert_at, block, read, read_rest, record};
use crate::drive::{ObjectRange, SpaceOutcome, TapeDrive};
use crate::error::{Error, Result};
use crate::number::{BlockNumber, FileNumber};

pub(super) fn every_object_can_be_located(bench: &mut dyn DriveBench) -> Result<()> {
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

pub(super) fn every_file_can_be_located(bench: &mut dyn DriveBench) -> Result<()> {
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

/// From object, count, outcome, object and file there.
type Move = (u64, i32, SpaceOutcome, u64, u64);

fn check_move(
    drive: &mut dyn TapeDrive,
    (from, count, outcome, object, file): Move,
    space: impl Fn(&mut dyn TapeDrive, i32) -> Result<SpaceOutcome>,
) -> Result<()> {
    drive.locate(BlockNumber(from))?;
    assert_eq!(space(drive, count)?, outcome, "from {from} over {count}");
    let position = drive.position()?;
    assert_eq!((position.object.0, position.file.0), (object, file), "from {from} over {count}");
    Ok(())
}

pub(super) fn spacing_over_blocks(bench: &mut dyn DriveBench) -> Result<()> {
    let mut drive = bench.blank();
    record(&mut *drive, &[b"abc", b"de"])?;
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
    for one in moves {
        check_move(&mut *drive, one, |drive, count| drive.space_blocks(count))?;
    }
    Ok(())
}

pub(super) fn spacing_over_filemarks(bench: &mut dyn DriveBench) -> Result<()> {
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
    for one in moves {
        check_move(&mut *drive, one, |drive, count| drive.space_filemarks(count))?;
    }
    drive.rewind()?;
    drive.space_to_end_of_data()?;
    assert_at(&mut *drive, 7, 3, 1)
}

pub(super) fn orders_name_each_place_once(bench: &mut dyn DriveBench) -> Result<()> {
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
