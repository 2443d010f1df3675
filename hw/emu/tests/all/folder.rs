//! A library that is kept in a folder.

use std::path::Path;

use reel_emu::{Device, EmulatedLibrary, FolderError, Generation, Maker};
use reel_hw::conformance::{block, record};
use reel_hw::{
    BlockNumber, Cancel, Changer, ChangerOptions, DriveNumber, ReadOutcome, ScsiChanger, TapeDrive,
    VolumeTag,
};

use crate::support::{facts, model, open, shape};

fn create(folder: &Path) -> Result<(), FolderError> {
    EmulatedLibrary::create(folder, &shape(model(Maker::Ibm, Generation::Lto8)))
}

#[test]
fn media_and_their_places_outlive_the_program() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path()).unwrap();
    let library = EmulatedLibrary::open(folder.path()).unwrap();
    for barcode in ["TEST01L8", "TEST02L8"] {
        library.add_cartridge(facts(barcode, Generation::Lto8, 1 << 30)).unwrap();
    }
    let robot = Box::new(library.transport(Device::Changer));
    let mut robot = ScsiChanger::open(robot, ChangerOptions::default(), &Cancel::new()).unwrap();
    robot.load_media(&VolumeTag::new("TEST02L8").unwrap(), DriveNumber(0)).unwrap();
    let mut drive = open(&library);
    record(&mut drive, &[b"ab", b"c"]).unwrap();
    drive.sync().unwrap();
    let before = robot.status().unwrap();
    drop((drive, robot, library));

    let library = EmulatedLibrary::open(folder.path()).unwrap();
    let robot = Box::new(library.transport(Device::Changer));
    let mut robot = ScsiChanger::open(robot, ChangerOptions::default(), &Cancel::new()).unwrap();
    assert_eq!(robot.status().unwrap(), before);
    let mut drive = open(&library);
    assert_eq!(drive.position().unwrap().object, BlockNumber(0));
    let mut buffer = block(0);
    drive.locate(BlockNumber(3)).unwrap();
    assert_eq!(drive.read_block(&mut buffer).unwrap(), ReadOutcome::Block(buffer.len()));
    assert_eq!(buffer[0], b'c');
}

#[test]
fn one_program_at_a_time_and_one_library_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path()).unwrap();
    let again = create(folder.path());
    assert!(matches!(again, Err(FolderError::Exists { .. })));
    let _library = EmulatedLibrary::open(folder.path()).unwrap();
    assert!(matches!(EmulatedLibrary::open(folder.path()), Err(FolderError::InUse { .. })));
}

#[test]
fn an_encrypted_medium_holds_no_plain_byte() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path()).unwrap();
    let library = EmulatedLibrary::open(folder.path()).unwrap();
    library.add_cartridge(facts("TEST01L8", Generation::Lto8, 1 << 30)).unwrap();
    let robot = Box::new(library.transport(Device::Changer));
    let mut robot = ScsiChanger::open(robot, ChangerOptions::default(), &Cancel::new()).unwrap();
    robot.load_media(&VolumeTag::new("TEST01L8").unwrap(), DriveNumber(0)).unwrap();
    let mut drive = open(&library);
    drive.set_encryption_key(Some(&reel_hw::EncryptionKey::new(&[3; 32]))).unwrap();
    drive.write_block(&block(b'S')).unwrap();
    drive.sync().unwrap();
    let data = std::fs::read(folder.path().join("cartridges/TEST01L8/data")).unwrap();
    assert!(!data.windows(4).any(|window| window == b"SSSS"));
}
