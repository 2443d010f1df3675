//! The library in memory: its changer, its failures on demand, its power cuts.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use reel_hw::conformance::{block, record};
use reel_hw::memory::{FailurePattern, MediumLimits, MemoryLibraryShape, Operation};
use reel_hw::{
    BlockNumber, Changer, DriveNumber, Error, FileNumber, HostAttribute, MemoryLibrary,
    ReadOutcome, SlotNumber, TapeAlerts, TapeDrive, VolumeTag, move_to_append_position,
};

const FIRST: DriveNumber = DriveNumber(0);
const SECOND: DriveNumber = DriveNumber(1);

fn tag(text: &str) -> VolumeTag {
    VolumeTag::new(text).unwrap()
}

fn slot(number: u32) -> SlotNumber {
    SlotNumber::new(number).unwrap()
}

/// Two drives, three storage slots with A, B and C, two import/export slots.
fn library() -> MemoryLibrary {
    let library = MemoryLibrary::new(MemoryLibraryShape {
        drives: 2,
        storage_slots: 3,
        import_export_slots: 2,
    });
    for label in ["A", "B", "C"] {
        library.add_medium(&tag(label), MediumLimits::NONE).unwrap();
    }
    library
}

fn objects(drive: &mut dyn TapeDrive) -> String {
    drive.rewind().unwrap();
    let mut buffer = block(0);
    let mut found = String::new();
    loop {
        match drive.read_block(&mut buffer).unwrap() {
            ReadOutcome::Block(_) => found.push(char::from(buffer[0])),
            ReadOutcome::Filemark => found.push('|'),
            ReadOutcome::EndOfData => return found,
        }
    }
}

#[test]
fn media_move_between_slots_and_drives() {
    let library = library();
    let mut changer = library.changer();
    changer.load_media(&tag("B"), FIRST).unwrap();
    changer.load_media(&tag("B"), FIRST).unwrap();
    assert!(matches!(changer.load_media(&tag("B"), SECOND), Err(Error::MediumElsewhere { .. })));
    changer.load_slot(slot(3), SECOND).unwrap();
    assert!(matches!(changer.load_slot(slot(1), SECOND), Err(Error::DriveFull { .. })));

    changer.transfer(slot(1), slot(2)).unwrap();
    assert!(matches!(changer.transfer(slot(1), slot(3)), Err(Error::SlotEmpty(_))));
    assert!(matches!(changer.unload(FIRST, Some(slot(2))), Err(Error::SlotFull(_))));
    assert_eq!(changer.unload(FIRST, None).unwrap(), slot(1), "its own slot 2 is taken");
    assert!(matches!(changer.unload(FIRST, None), Err(Error::DriveEmpty(_))));

    changer.load_media(&tag("A"), SECOND).unwrap();
    let status = changer.status().unwrap();
    assert_eq!(status.slot_of(&tag("C")).unwrap().number, slot(3), "unloaded to make room");
    assert_eq!(status.drive(SECOND).unwrap().loaded_slot, Some(slot(2)));
    assert!(matches!(changer.load_slot(slot(6), FIRST), Err(Error::NoSuchSlot { .. })));
    assert!(matches!(changer.load_slot(slot(1), DriveNumber(2)), Err(Error::NoSuchDrive(_))));
}

#[test]
fn exported_media_are_offline() {
    let library = library();
    let mut changer = library.changer();
    changer.load_media(&tag("B"), FIRST).unwrap();
    changer.load_media(&tag("C"), SECOND).unwrap();
    assert_eq!(changer.export(&tag("A"), FIRST).unwrap(), Some(slot(4)));
    assert_eq!(changer.export(&tag("A"), FIRST).unwrap(), None, "exported already");
    assert_eq!(changer.export(&tag("C"), FIRST).unwrap(), None, "in another drive");
    assert_eq!(changer.export(&tag("B"), FIRST).unwrap(), Some(slot(5)));
    assert!(matches!(changer.export(&tag("C"), SECOND), Err(Error::NoFreeExportSlot)));
    assert_eq!(changer.online_media().unwrap(), [tag("C")]);
    assert!(matches!(changer.load_media(&tag("A"), FIRST), Err(Error::MediumElsewhere { .. })));
}

#[test]
fn a_drive_has_one_handle_and_keeps_its_place() {
    let library = library();
    library.changer().load_media(&tag("A"), FIRST).unwrap();
    let mut drive = library.drive(FIRST).unwrap();
    assert!(matches!(library.drive(FIRST), Err(Error::Busy { .. })));
    record(&mut drive, &[b"ab"]).unwrap();
    drive.locate(BlockNumber(1)).unwrap();
    drop(drive);
    let mut drive = library.drive(FIRST).unwrap();
    assert_eq!(drive.position().unwrap().object, BlockNumber(1));
}

#[test]
fn media_outlive_drives() {
    let library = library();
    let mut changer = library.changer();
    changer.load_media(&tag("A"), FIRST).unwrap();
    record(&mut library.drive(FIRST).unwrap(), &[b"a"]).unwrap();
    changer.unload(FIRST, None).unwrap();
    changer.load_media(&tag("A"), SECOND).unwrap();
    assert_eq!(objects(&mut library.drive(SECOND).unwrap()), "a|");
}

#[test]
fn chosen_calls_fail_and_change_nothing() {
    let library = library();
    library.changer().load_media(&tag("A"), FIRST).unwrap();
    let mut drive = library.drive(FIRST).unwrap();
    record(&mut drive, &[b"a"]).unwrap();
    let broken = || Error::Corrupt { what: "head".into(), reason: "dirty".into() };
    library.fail_at(Operation::WriteBlock, FailurePattern::Once(2), broken);
    drive.write_block(&block(b'b')).unwrap();
    let error = drive.write_block(&block(b'c')).unwrap_err();
    assert_eq!(error.to_string(), "head is damaged: dirty");
    drive.write_block(&block(b'd')).unwrap();
    assert_eq!(library.calls(Operation::WriteBlock), 4);
    library.fail_at(Operation::ChangerLoad, FailurePattern::From(1), || Error::Cancelled);
    assert!(library.changer().load_slot(slot(2), SECOND).is_err());
    library.clear_failures();
    assert!(library.changer().load_slot(slot(2), SECOND).is_ok());
    assert_eq!(objects(&mut drive), "a|bd");
}

#[test]
fn a_failed_flush_is_never_taken_back() {
    let library = library();
    library.changer().load_media(&tag("A"), FIRST).unwrap();
    let mut drive = library.drive(FIRST).unwrap();
    record(&mut drive, &[b"a"]).unwrap();
    drive.sync().unwrap();
    record(&mut drive, &[b"b"]).unwrap();
    library.fail_at(Operation::Sync, FailurePattern::Once(1), || Error::Cancelled);
    assert!(drive.sync().is_err());
    assert!(drive.sync().is_err(), "what the first one lost is not there now");
    library.cut_power(0);
    assert_eq!(objects(&mut drive), "a|");
    drive.sync().unwrap();
}

#[test]
fn a_power_cut_takes_what_was_not_flushed() {
    for (kept, expected, next_file) in
        [(0, "a|", 1), (1, "a|b", 2), (2, "a|bc", 2), (3, "a|bc|", 2)]
    {
        let library = library();
        library.changer().load_media(&tag("A"), FIRST).unwrap();
        let mut drive = library.drive(FIRST).unwrap();
        record(&mut drive, &[b"a"]).unwrap();
        drive.sync().unwrap();
        record(&mut drive, &[b"bc"]).unwrap();
        library.cut_power(kept);
        assert_eq!(drive.position().unwrap().object, BlockNumber(0));
        assert_eq!(objects(&mut drive), expected);
        assert_eq!(move_to_append_position(&mut drive).unwrap(), FileNumber(next_file));
    }
}

#[test]
fn attributes_stay_with_the_medium_and_alerts_with_the_drive() {
    let library = library();
    library.changer().load_media(&tag("A"), FIRST).unwrap();
    let mut drive = library.drive(FIRST).unwrap();
    drive.write_attributes(&[(HostAttribute::MediaPool, Some("daily"))]).unwrap();
    drive.write_attributes(&[(HostAttribute::ApplicationName, Some("x"))]).unwrap();
    drive.write_attributes(&[(HostAttribute::ApplicationName, None)]).unwrap();
    let attributes = library.medium(&tag("A"), |medium| medium.attributes.clone()).unwrap();
    assert_eq!(
        attributes.into_iter().collect::<Vec<_>>(),
        [(HostAttribute::MediaPool, "daily".into())]
    );
    library.set_alerts(FIRST, TapeAlerts::from_flags(&[4])).unwrap();
    assert!(drive.tape_alerts().unwrap().is_critical());
}
