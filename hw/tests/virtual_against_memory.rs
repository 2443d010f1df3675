//! The `virtual:` drive and the drive in memory do the same, whatever is done to them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::path::Path;

use proptest::prelude::*;
use reel_hw::conformance::block;
use reel_hw::memory::MediumLimits;
use reel_hw::{
    BlockNumber, Cancel, Changer, DriveNumber, FileNumber, MemoryLibrary, Position, TapeDrive,
    VirtualDrive, VirtualOptions, VolumeTag, move_to_append_position,
};
use tempfile::TempDir;

fn tag() -> VolumeTag {
    VolumeTag::new("A").unwrap()
}

fn open(directory: &Path) -> VirtualDrive {
    VirtualDrive::open(&VirtualOptions::new(directory), &Cancel::new()).unwrap()
}

fn blank_tape() -> (TempDir, VirtualDrive) {
    let directory = tempfile::tempdir().unwrap();
    let mut drive = open(directory.path());
    drive.create_media(&tag()).unwrap();
    drive.load_media(&tag(), DriveNumber(0)).unwrap();
    (directory, drive)
}

/// What one step did to a drive, in a form in which two drives can be compared.
type Step = (Result<String, String>, Position);

#[derive(Debug, Clone)]
enum Operation {
    Write(u8),
    Filemarks(u32, bool),
    Read,
    Rewind,
    EndOfData,
    SpaceBlocks(i32),
    SpaceFilemarks(i32),
    Locate(u64),
    LocateFile(u64),
    Sync,
    Erase,
    Append,
    Reopen,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => any::<u8>().prop_map(Operation::Write),
        3 => (0u32..3, any::<bool>()).prop_map(|(count, now)| Operation::Filemarks(count, now)),
        3 => Just(Operation::Read),
        1 => Just(Operation::Rewind),
        1 => Just(Operation::EndOfData),
        2 => (-4i32..4).prop_map(Operation::SpaceBlocks),
        2 => (-3i32..3).prop_map(Operation::SpaceFilemarks),
        2 => (0u64..16).prop_map(Operation::Locate),
        2 => (0u64..8).prop_map(Operation::LocateFile),
        1 => Just(Operation::Sync),
        1 => Just(Operation::Erase),
        1 => Just(Operation::Append),
        1 => Just(Operation::Reopen),
    ]
}

fn run(drive: &mut dyn TapeDrive, operation: &Operation) -> Step {
    let mut buffer = block(0);
    let result = match *operation {
        Operation::Write(mark) => drive.write_block(&block(mark)).map(|done| format!("{done:?}")),
        Operation::Filemarks(count, now) => {
            drive.write_filemarks(count, now).map(|done| format!("{done:?}"))
        }
        Operation::Read => {
            let outcome = drive.read_block(&mut buffer);
            outcome.map(|outcome| format!("{outcome:?} {}", buffer[0]))
        }
        Operation::Rewind => drive.rewind().map(|()| String::new()),
        Operation::EndOfData => drive.space_to_end_of_data().map(|()| String::new()),
        Operation::SpaceBlocks(count) => drive.space_blocks(count).map(|end| format!("{end:?}")),
        Operation::SpaceFilemarks(count) => {
            drive.space_filemarks(count).map(|end| format!("{end:?}"))
        }
        Operation::Locate(object) => drive.locate(BlockNumber(object)).map(|()| String::new()),
        Operation::LocateFile(file) => drive.locate_file(FileNumber(file)).map(|()| String::new()),
        Operation::Sync => drive.sync().map(|()| String::new()),
        Operation::Erase => drive.erase().map(|()| String::new()),
        Operation::Append => move_to_append_position(drive).map(|file| file.to_string()),
        Operation::Reopen => Ok(String::new()),
    };
    (result.map_err(|error| error.to_string()), drive.position().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn both_drives_do_the_same(operations in proptest::collection::vec(operation(), 1..24)) {
        let (directory, drive) = blank_tape();
        let mut drive = Some(drive);
        let (_library, mut memory) =
            MemoryLibrary::with_loaded_drive(&tag(), MediumLimits::NONE).unwrap();
        for operation in &operations {
            if matches!(operation, Operation::Reopen) {
                drop(drive.take());
                memory.rewind().unwrap();
                let mut reopened = open(directory.path());
                reopened.rewind().unwrap();
                drive = Some(reopened);
            }
            let drive = drive.as_mut().unwrap();
            prop_assert_eq!(run(drive, operation), run(&mut memory, operation), "{:?}", operation);
        }
        drop(drive);
        let mut drive = open(directory.path());
        drive.rewind().unwrap();
        memory.rewind().unwrap();
        loop {
            let step = run(&mut memory, &Operation::Read);
            prop_assert_eq!(run(&mut drive, &Operation::Read), step.clone());
            if step.0.is_ok_and(|outcome| outcome.starts_with("EndOfData")) {
                break;
            }
        }
    }
}
