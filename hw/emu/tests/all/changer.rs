//! The changer of the emulated library, by the driver of `reel-hw`.

use reel_emu::{Device, EmulatedLibrary, Garbage, Generation, LibraryShape, Maker, Moment};
use reel_hw::{
    Cancel, Changer, ChangerOptions, DriveNumber, ElementContent, Error, ScsiChanger, SlotNumber,
    TapeDrive, VolumeTag,
};

use crate::support::{cartridge, model, open, shape};

const DRIVE: DriveNumber = DriveNumber(0);

fn slot(number: u32) -> SlotNumber {
    SlotNumber::new(number).unwrap()
}

fn tag(text: &str) -> VolumeTag {
    VolumeTag::new(text).unwrap()
}

fn with_media(ejects: bool) -> EmulatedLibrary {
    let library = EmulatedLibrary::new(&LibraryShape {
        import_export_slots: 2,
        ejects,
        ..shape(model(Maker::Ibm, Generation::Lto8))
    });
    for (slot, barcode) in [(0, "TEST01L8"), (2, "TEST02L8"), (3, "CLN001CU")] {
        library.put(slot, cartridge(barcode, Generation::Lto8, 1 << 30));
    }
    library
}

fn changer(library: &EmulatedLibrary, options: ChangerOptions) -> ScsiChanger {
    let transport = Box::new(library.transport(Device::Changer));
    ScsiChanger::open(transport, options, &Cancel::new()).unwrap()
}

#[test]
fn status_tells_slots_drives_and_what_lies_in_them() {
    let library = with_media(true);
    let options = ChangerOptions { export_slots: vec![slot(2)], ..Default::default() };
    let status = changer(&library, options).status().unwrap();
    let slots: Vec<_> = status
        .slots
        .iter()
        .map(|slot| (slot.number.get(), slot.import_export, slot.content.to_string()))
        .collect();
    let expected = [
        (1, false, "'TEST01L8'"),
        (2, true, "nothing"),
        (3, false, "'TEST02L8'"),
        (4, false, "'CLN001CU'"),
        (5, true, "nothing"),
        (6, true, "nothing"),
    ];
    assert_eq!(slots, expected.map(|(number, ie, text)| (number, ie, text.to_owned())));
    let [drive] = status.drives.as_slice() else { panic!("{status:?}") };
    assert_eq!(drive.content, ElementContent::Empty);
    assert_eq!(drive.drive_serial_number.as_deref(), Some("DRIVE0001"));
    assert_eq!(drive.model.as_deref(), Some("ULTRIUM-TD8"));
}

#[test]
fn media_are_loaded_used_and_brought_home() {
    let library = with_media(true);
    let mut changer = changer(&library, ChangerOptions::default());
    changer.load_media(&tag("TEST02L8"), DRIVE).unwrap();
    let status = changer.status().unwrap();
    assert_eq!(status.drives[0].content.to_string(), "'TEST02L8'");
    assert_eq!(status.drives[0].loaded_slot, Some(slot(3)));
    let mut drive = open(&library);
    assert!(drive.medium_loaded().unwrap());
    drop(drive);
    changer.load_media(&tag("TEST01L8"), DRIVE).unwrap();
    let status = changer.status().unwrap();
    assert_eq!(status.slot_of(&tag("TEST02L8")).unwrap().number, slot(3));
    assert_eq!(changer.unload(DRIVE, Some(slot(2))).unwrap(), slot(2));
    changer.transfer(slot(2), slot(1)).unwrap();
    assert_eq!(changer.export(&tag("TEST01L8"), DRIVE).unwrap(), Some(slot(5)));
    assert!(!changer.online_media().unwrap().contains(&tag("TEST01L8")));
}

#[test]
fn impossible_moves_are_refused_before_the_robot_moves() {
    let library = with_media(true);
    let mut changer = changer(&library, ChangerOptions::default());
    assert!(matches!(changer.load_slot(slot(2), DRIVE), Err(Error::SlotEmpty(_))));
    assert!(matches!(changer.load_slot(slot(9), DRIVE), Err(Error::NoSuchSlot { .. })));
    assert!(matches!(changer.load_slot(slot(1), DriveNumber(7)), Err(Error::NoSuchDrive(_))));
    assert!(matches!(changer.unload(DRIVE, None), Err(Error::DriveEmpty(_))));
    assert!(matches!(changer.transfer(slot(1), slot(3)), Err(Error::SlotFull(_))));
    changer.load_slot(slot(1), DRIVE).unwrap();
    assert!(matches!(changer.load_slot(slot(3), DRIVE), Err(Error::DriveFull { .. })));
    assert!(matches!(changer.unload(DRIVE, Some(slot(3))), Err(Error::SlotFull(_))));
    let cleaning = changer.load_media(&tag("CLN001CU"), DRIVE);
    assert!(matches!(cleaning, Err(Error::CleaningCartridge(_))));
}

#[test]
fn a_library_that_does_not_eject_wants_the_drive_to() {
    let library = with_media(false);
    let mut robot = changer(&library, ChangerOptions::default());
    robot.load_slot(slot(1), DRIVE).unwrap();
    let refused = robot.unload(DRIVE, None).unwrap_err().to_string();
    assert!(refused.contains("eject-before-unload"), "{refused}");
    let mut drive = open(&library).in_library(Box::new(robot), DRIVE, true);
    assert_eq!(Changer::unload(&mut drive, DRIVE, None).unwrap(), slot(1));
}

#[test]
fn an_opened_door_is_noticed() {
    let library = with_media(true);
    let mut changer = changer(&library, ChangerOptions::default());
    changer.status().unwrap();
    library.put(4, cartridge("NEW001L8", Generation::Lto8, 1 << 30));
    let status = changer.status().unwrap();
    assert!(status.slot_of(&tag("NEW001L8")).unwrap().import_export);
    library.take(0).unwrap();
    assert!(matches!(changer.load_media(&tag("TEST01L8"), DRIVE), Err(Error::MediumNotFound(_))));
}

#[test]
fn a_door_opened_behind_a_look_changes_what_is_moved() {
    let library = with_media(true);
    let mut changer = changer(&library, ChangerOptions::default());
    changer.status().unwrap();
    library.take(0).unwrap();
    assert!(matches!(changer.load_slot(slot(1), DRIVE), Err(Error::SlotEmpty(_))));
}

#[test]
fn which_elements_there_are_is_asked_again_once_something_was_told() {
    let library = with_media(true);
    let mut changer = changer(&library, ChangerOptions::default());
    let mut commands_of_a_look = || {
        let before = library.commands();
        changer.status().unwrap();
        library.commands() - before
    };
    let whole = commands_of_a_look();
    let contents = commands_of_a_look();
    assert!(contents < whole, "{contents} of {whole}");
    library.take(0).unwrap();
    assert!(commands_of_a_look() >= whole);
}

#[test]
fn two_media_with_one_bar_code_and_one_without() {
    let library = with_media(true);
    library.put(1, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    let mut blank = cartridge("X", Generation::Lto8, 1 << 30);
    blank.facts.barcode = None;
    library.put(4, blank);
    let status = changer(&library, ChangerOptions::default()).status().unwrap();
    assert_eq!(status.slots[4].content, ElementContent::Full);
    assert_eq!(status.online_media(), [tag("TEST01L8"), tag("TEST02L8")]);
}

#[test]
fn a_drive_is_no_changer_and_a_changer_no_drive() {
    let library = with_media(true);
    let transport = Box::new(library.transport(Device::Drive(0)));
    let refused = ScsiChanger::open(transport, ChangerOptions::default(), &Cancel::new());
    let text = refused.err().unwrap().to_string();
    assert!(text.contains("not a scsi changer device"), "{text}");
    let transport = Box::new(library.transport(Device::Changer));
    let refused = reel_hw::LtoDrive::open(transport, Default::default(), &Cancel::new());
    let text = refused.err().unwrap().to_string();
    assert!(text.contains("not a tape device (peripheral_type = 8)"), "{text}");
}

#[test]
fn spoiled_answers_do_not_mislead_about_where_media_lie() {
    let kinds = [
        Garbage::Cut(0),
        Garbage::Cut(9),
        Garbage::Longer,
        Garbage::TooMany,
        Garbage::Scrambled(1),
        Garbage::Scrambled(2),
        Garbage::Filled(0),
        Garbage::Filled(0xFF),
    ];
    let job = |garbage: Option<(u64, Garbage)>| {
        let library = with_media(true);
        let mut robot = changer(&library, ChangerOptions::default());
        if let Some((number, garbage)) = garbage {
            library.plan_garbage(Moment::Once(number), garbage);
        }
        let loaded = robot.load_media(&tag("TEST02L8"), DRIVE).is_ok();
        let found = library.cartridge(0, |one| one.facts.barcode.clone()).flatten();
        assert!(!loaded || found.as_deref() == Some("TEST02L8"), "{garbage:?}: {found:?}");
        let _ = (robot.status(), robot.unload(DRIVE, None));
        library.commands()
    };
    let commands = job(None);
    for kind in kinds {
        for number in 1..=commands {
            job(Some((number, kind)));
        }
    }
}
