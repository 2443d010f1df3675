//! Opening a drive in whatever state it is: to use it, or only to look.

use std::time::Duration;

use reel_emu::{
    CartridgeFacts, CartridgeKind, Device, DriveModel, EmulatedLibrary, Generation, LibraryShape,
    Maker, Timing,
};
use reel_hw::conformance::block;
use reel_hw::lto::{LtoDrive, LtoOptions};
use reel_hw::scsi::position::LongPosition;
use reel_hw::{
    Cancel, Changer, ChangerOptions, DriveNumber, Error, ScsiChanger, SlotNumber, TapeDrive,
    VolumeTag,
};

use crate::meddling::{Meddling, answer};
use crate::support::{
    Host, blank_tape, cartridge, facts, library, model, open, shape, timed_library,
};

const CLEANER: u16 = 0x1000;
const DRIVE: u16 = 0x100;
const READ_POSITION: u8 = 0x34;
const UNLOAD: [u8; 6] = [0x1B, 0, 0, 0, 0, 0];

fn open_as(library: &EmulatedLibrary, options: LtoOptions) -> reel_hw::Result<LtoDrive> {
    let way = Box::new(library.transport(Device::Drive(0)));
    LtoDrive::open(way, options, &Cancel::new())
}

fn look_at(library: &EmulatedLibrary) -> LtoDrive {
    open_as(library, LtoOptions { only_status: true, ..LtoOptions::default() }).unwrap()
}

fn in_library(library: &EmulatedLibrary, ejects: bool) -> LtoDrive {
    let way = Box::new(library.transport(Device::Changer));
    let robot = ScsiChanger::open(way, ChangerOptions::default(), &Cancel::new()).unwrap();
    open(library).in_library(Box::new(robot), DriveNumber(0), ejects)
}

/// A drive with a cleaning cartridge in it, as a cleaning leaves it that was cut short.
fn with_cleaner() -> EmulatedLibrary {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    let cleaner = CartridgeFacts {
        kind: CartridgeKind::Cleaning { uses: 3 },
        ..facts("CLN001CU", Generation::Lto8, 0)
    };
    library.put(0, blank_tape(cleaner, 0));
    assert!(Host::new(&library, Device::Changer).move_medium(CLEANER, DRIVE).is_good());
    library
}

/// A drive with a medium that it cannot use.
fn with_foreign_medium() -> EmulatedLibrary {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    library.insert(0, cartridge("OLD001L5", Generation::Lto5, 1 << 30));
    library
}

#[test]
fn what_is_of_no_use_can_be_taken_out() {
    for library in [with_cleaner(), with_foreign_medium()] {
        for ejects in [false, true] {
            let mut drive = in_library(&library, ejects);
            assert!(!drive.medium_loaded().unwrap());
            assert_eq!(drive.facts().unwrap().position, None);
            assert!(drive.write_block(&block(b'a')).is_err());
            let slot = SlotNumber::new(2).unwrap();
            assert_eq!(Changer::unload(&mut drive, DriveNumber(0), Some(slot)).unwrap(), slot);
            assert!(matches!(drive.rewind(), Err(Error::NoMedium { .. })));
            let loaded = drive.load_slot(slot, DriveNumber(0)).unwrap_err().to_string();
            assert!(
                loaded.contains("cleaning cartridge") || loaded.contains("cannot use"),
                "{loaded}"
            );
        }
    }
}

#[test]
fn a_medium_whose_position_is_not_known_can_be_taken_out() {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    let unknown = LongPosition { object_unknown: true, ..LongPosition::default() };
    let meddling = Meddling::default();
    meddling.set(move |cdb, data| match cdb.opcode() {
        READ_POSITION => answer(data, &unknown.encode()),
        _ => None,
    });
    let way = meddling.on(library.transport(Device::Drive(0)));
    let mut drive = LtoDrive::open(way, LtoOptions::default(), &Cancel::new()).unwrap();
    assert!(drive.position().is_err());
    drive.rewind().unwrap();
    TapeDrive::unload(&mut drive).unwrap();
}

#[test]
fn a_drive_that_calibrates_is_looked_at_and_not_waited_for() {
    let timing = Timing { poll: Duration::from_secs(1), ..Timing::simulated() };
    let library = timed_library(model(Maker::Ibm, Generation::Lto9), &timing);
    let mut tape = cartridge("NEW001L9", Generation::Lto9, 1 << 30);
    tape.facts.initialized = false;
    library.insert(0, tape);
    let clock = library.clock().unwrap();
    clock.advance(Duration::from_secs(1800));
    let began_s = clock.now_s();
    let mut drive = look_at(&library);
    let facts = drive.facts().unwrap();
    assert_eq!(facts.activity.as_deref(), Some("calibrating"));
    assert!((0.4..0.6).contains(&facts.progress.unwrap()), "{facts:?}");
    assert!(clock.now_s() - began_s < 60.0, "{}", clock.now_s() - began_s);
    library.wait_until_idle(0);
    assert_eq!(drive.facts().unwrap().activity.as_deref(), Some("no-activity"));
}

#[test]
fn looking_changes_nothing() {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    let mut user = open(&library);
    user.write_block(&block(b'a')).unwrap();
    let mut looker = look_at(&library);
    looker.tape_alerts().unwrap();
    looker.volume_statistics().unwrap();
    drop(user);
    assert!(looker.facts().unwrap().position.is_some());
    let refused = [
        looker.write_block(&block(b'x')).map(drop),
        looker.rewind(),
        looker.sync(),
        looker.load(),
        TapeDrive::unload(&mut looker),
        looker.erase(),
        looker.format_medium(true),
        looker.set_encryption_key(None),
        looker.position().map(drop),
        looker.load_slot(SlotNumber::new(1).unwrap(), DriveNumber(0)),
    ];
    for outcome in refused {
        let text = outcome.unwrap_err().to_string();
        assert!(text.contains("to look at it only"), "{text}");
    }
    let mut host = Host::new(&library, Device::Drive(0));
    assert!(host.send(&UNLOAD).is_good());
    look_at(&library).facts().unwrap();
    assert_eq!(host.send(&[0; 6]).triple(), (2, 4, 2), "nobody has loaded it again");
}

#[test]
fn a_medium_that_was_put_in_by_hand_is_loaded_before_it_is_used() {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    let mut drive = open(&library);
    library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    for _ in 0..2 {
        let text = drive.write_block(&block(b'a')).unwrap_err().to_string();
        assert!(text.contains("load it first"), "{text}");
    }
    drive.load().unwrap();
    drive.write_block(&block(b'a')).unwrap();
    drive.sync().unwrap();
}

#[test]
fn a_drive_with_anothers_number_is_refused() {
    let serials = ["DRIVE0001", "DRIVE0002-LONGER"];
    let ibm = model(Maker::Ibm, Generation::Lto8);
    let drives = serials.map(|serial| DriveModel { serial: serial.into(), ..ibm.clone() });
    let library = EmulatedLibrary::new(&LibraryShape { drives: drives.into(), ..shape(ibm) });
    let put = |drive: usize, number: DriveNumber| {
        let way = Box::new(library.transport(Device::Changer));
        let robot = ScsiChanger::open(way, ChangerOptions::default(), &Cancel::new()).unwrap();
        let way = Box::new(library.transport(Device::Drive(drive)));
        let drive = LtoDrive::open(way, LtoOptions::default(), &Cancel::new()).unwrap();
        drive.in_library(Box::new(robot), number, false)
    };
    library.put(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    let slot = SlotNumber::new(1).unwrap();
    for drive in 0..2 {
        let number = DriveNumber(drive as u32);
        let mut right = put(drive, number);
        right.load_slot(slot, number).unwrap();
        Changer::unload(&mut right, number, None).unwrap();
        drop(right);
        let other = 1 - drive;
        let mut wrong = put(drive, DriveNumber(other as u32));
        let told = &serials[other][..serials[other].len().min(10)];
        let serial = serials[drive];
        let expected = format!(
            "emulated drive {drive} has serial number '{serial}', and is drive {drive} of the changer, not drive \
             {other} (which has serial number '{told}'); correct its number (changer-drivenum)"
        );
        let refused = [
            wrong.load_slot(slot, DriveNumber(other as u32)),
            wrong.load_media(&VolumeTag::new("TEST01L8").unwrap(), DriveNumber(other as u32)),
            Changer::status(&mut wrong).map(drop),
        ];
        for outcome in refused {
            assert_eq!(outcome.unwrap_err().to_string(), expected);
        }
    }
}
