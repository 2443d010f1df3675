//! What every tape drive must do, as checks that take any drive.
//!
//! A drive joins by a [`DriveBench`] that makes drives in the states the checks start from, and one call of
//! [`check_drive`] in a test. Checks panic (by `assert!`) where a drive misbehaves, and return errors that a
//! drive should not have given.
//!
//! All blocks are whole tape blocks, the only size every drive takes. Where a drive may differ (a block number
//! inside a file that it does not know) the checks do not look.

mod data;
mod media;
mod positions;

use crate::drive::{Position, ReadOutcome, TapeDrive};
use crate::error::Result;
use crate::number::{BlockNumber, FileNumber};
use crate::stream::TAPE_BLOCK_SIZE;

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
        media::erasing_cuts_off_the_rest,
        media::formatting_blanks,
        media::early_warning_comes_before_the_end,
        media::protected_media_are_read_only,
        media::empty_drives_say_so,
        media::unloading_keeps_what_was_written,
        media::reopening_keeps_what_was_synced,
        data::counters_count,
        positions::orders_name_each_place_once,
        data::encrypted_blocks_need_their_key,
    ];
    checks.into_iter().try_for_each(|check| check(bench))
}

/// Runs the checks of writing, reading and positions, for a drive that cannot do the rest. Takes [`DriveBench::blank`]
/// and [`DriveBench::reopen`] alone.
pub fn check_data_path(bench: &mut dyn DriveBench) -> Result<()> {
    let checks: [fn(&mut dyn DriveBench) -> Result<()>; 12] = [
        data::blank_medium_holds_nothing,
        data::writing_moves_on,
        data::reading_meets_blocks_filemarks_and_the_end,
        data::empty_files_are_filemarks_alone,
        data::blocks_may_end_the_medium_without_filemark,
        positions::every_object_can_be_located,
        positions::every_file_can_be_located,
        positions::spacing_over_blocks,
        positions::spacing_over_filemarks,
        data::overwriting_cuts_off_the_rest,
        data::appending_repairs_a_missing_filemark,
        data::files_can_be_entered_in_the_middle,
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
