//! How drives and media do, as the LTO driver asks them.

use std::time::Duration;

use reel_emu::{
    CartridgeFacts, CartridgeKind, CleaningWish, Device, EmulatedLibrary, Fault, Generation, Maker,
    Moment, Timing,
};
use reel_hw::scsi::{Sense, SenseKey};
use reel_hw::{CleaningRequest, LtoDrive, TapeDrive};

use crate::support::{Host, blank_tape, cartridge, facts, library, model, open, timed_library};

fn written() -> (EmulatedLibrary, LtoDrive) {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    let mut drive = open(&library);
    drive.write_block(&[7; 1000]).unwrap();
    (library, drive)
}

#[test]
fn drives_of_both_makers_tell_of_themselves_and_of_their_medium() {
    for maker in [Maker::Ibm, Maker::Hp] {
        let library = library(model(maker, Generation::Lto8));
        let mut drive = open(&library);
        let empty = drive.health().unwrap().unwrap();
        assert_eq!(empty.serial.as_deref(), Some("DRIVE0001"));
        assert_eq!((empty.cleaning, empty.volume), (None, None));
        library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
        drive.load().unwrap();
        drive.write_block(&[7; 1000]).unwrap();
        drive.sync().unwrap();
        library.want_cleaning(0, CleaningWish::Soon);
        let health = drive.health().unwrap().unwrap();
        assert_eq!(health.cleaning, Some(CleaningRequest::Soon));
        assert_eq!(health.alerts.to_string(), "CLEAN_PERIODIC");
        assert_eq!((health.write.bytes, health.write.uncorrected), (Some(1000), Some(0)));
        assert_eq!((health.life.loads, health.life.cleanings), (Some(1), Some(0)));
        let volume = health.volume.clone().unwrap();
        assert_eq!(volume.serial.as_deref().map(str::trim), Some("TEST01L8"));
        assert_eq!(volume.volume_mounts, Some(1));
        assert_eq!(drive.health().unwrap().unwrap(), health, "looking clears nothing");
    }
}

#[test]
fn a_drive_at_work_is_not_asked() {
    let library = timed_library(model(Maker::Ibm, Generation::Lto8), &Timing::simulated());
    let kind = CartridgeKind::Cleaning { uses: 3 };
    let cleaner = CartridgeFacts { kind, ..facts("CLN001CU", Generation::Lto8, 0) };
    library.put(0, blank_tape(cleaner, 0));
    let mut drive = open(&library);
    let mut robot = Host::new(&library, Device::Changer);
    assert!(robot.move_medium(0x1000, 0x100).is_good());
    library.clock().unwrap().advance(Duration::from_secs(60));
    assert_eq!(drive.health().unwrap(), None);
    library.wait_until_idle(0);
    assert_eq!(drive.health().unwrap().unwrap().life.cleanings, Some(1));
}

#[test]
fn a_look_does_not_hide_that_a_write_was_lost() {
    let (library, mut drive) = written();
    let sense = Sense { deferred: true, ..Sense::new(SenseKey::MediumError, 0x0C, 0x00) };
    library.plan_fault(Fault { moment: Moment::Once(library.commands() + 1), sense });
    assert!(drive.health().is_err());
    assert!(drive.sync().is_err(), "the drive has told it already");

    let (library, mut drive) = written();
    library.reset(Device::Drive(0));
    assert!(drive.health().unwrap().is_some(), "it depends on nothing that a reset takes");
    assert!(drive.sync().is_err(), "what was in the buffer is gone");

    let (_library, mut drive) = written();
    let before = drive.position().unwrap();
    drive.health().unwrap();
    assert_eq!(drive.position().unwrap(), before);
    drive.sync().unwrap();
}

#[test]
fn pages_that_a_drive_does_not_have_are_only_absent() {
    let refused = Sense::new(SenseKey::IllegalRequest, 0x24, 0x00);
    let (library, mut drive) = written();
    library.plan_fault(Fault { moment: Moment::From(library.commands() + 1), sense: refused });
    let health = drive.health().unwrap().unwrap();
    assert_eq!(health, reel_hw::DriveHealth::default());
    library.clear_faults();
    drive.sync().unwrap();
}
