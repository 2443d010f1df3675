//! Cleaning cartridges.

use std::time::Duration;

use reel_emu::{
    CartridgeFacts, CartridgeKind, CleaningWish, Device, EmulatedLibrary, Generation, Maker, Timing,
};
use reel_hw::scsi::log::{self, DeviceActivity, DeviceStatus, LogPage};

use crate::support::{Host, blank_tape, cartridge, facts, library, model, shape, timed_library};

const CLEANER: u16 = 0x1000;
const DRIVE: u16 = 0x100;

fn cleaner(uses: u32) -> CartridgeFacts {
    CartridgeFacts {
        kind: CartridgeKind::Cleaning { uses },
        ..facts("CLN001CU", Generation::Lto8, 0)
    }
}

fn uses(library: &EmulatedLibrary) -> CartridgeKind {
    library.take(0).unwrap().facts.kind
}

fn alerts(host: &mut Host) -> String {
    log::decode_alert_response(&host.log(0x12)).unwrap().to_string()
}

#[test]
fn a_drive_is_cleaned_and_then_lets_the_cartridge_go() {
    let library = timed_library(model(Maker::Ibm, Generation::Lto8), &Timing::simulated());
    library.put(0, blank_tape(cleaner(3), 0));
    library.want_cleaning(0, CleaningWish::Now);
    let mut robot = Host::new(&library, Device::Changer);
    let mut host = Host::new(&library, Device::Drive(0));
    assert_eq!(alerts(&mut host), "CLEAN_NOW");
    assert!(robot.move_medium(CLEANER, DRIVE).is_good());
    let clock = library.clock().unwrap();
    clock.advance(Duration::from_secs(60));
    let status = DeviceStatus::decode(&host.log(0x11)).unwrap();
    assert_eq!(status.activity, DeviceActivity::Cleaning);
    assert!(status.wants_cleaning());
    assert_eq!(robot.move_medium(DRIVE, CLEANER).triple(), (5, 0x53, 2));
    for command in [[0; 6], [0x01, 0, 0, 0, 0, 0], [0x1B, 0, 0, 0, 0, 0]] {
        assert_eq!(host.send(&command).triple(), (2, 0x30, 3), "{command:?}");
    }
    library.wait_until_idle(0);
    assert!((clock.now_s() - 130.0).abs() < 0.1, "{}", clock.now_s());
    assert_eq!(host.send(&[0; 6]).triple(), (2, 0x30, 3), "it sits there still");
    assert_eq!(alerts(&mut host), "(empty)");
    assert!(!DeviceStatus::decode(&host.log(0x11)).unwrap().wants_cleaning());
    assert_eq!(LogPage::decode(&host.log(0x14)).unwrap().counter(1).unwrap(), Some(1));
    assert!(robot.move_medium(DRIVE, CLEANER).is_good());
    assert_eq!(host.send(&[0; 6]).triple(), (2, 0x3A, 0));
    assert_eq!(uses(&library), CartridgeKind::Cleaning { uses: 2 });
}

#[test]
fn a_used_up_cartridge_cleans_nothing() {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    library.put(0, blank_tape(cleaner(0), 0));
    library.want_cleaning(0, CleaningWish::Soon);
    let mut robot = Host::new(&library, Device::Changer);
    let mut host = Host::new(&library, Device::Drive(0));
    assert!(robot.move_medium(CLEANER, DRIVE).is_good());
    assert_eq!(host.send(&[0; 6]).triple(), (2, 0x30, 7));
    assert_eq!(host.write(&[0; 100]).triple(), (2, 0x30, 7));
    assert_eq!(alerts(&mut host), "CLEAN_PERIODIC | EXPIRED_CLEANING_MEDIA");
    assert!(robot.move_medium(DRIVE, CLEANER).is_good());
    assert_eq!(uses(&library), CartridgeKind::Cleaning { uses: 0 });
    library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    host.hear();
    assert_eq!(alerts(&mut host), "CLEAN_PERIODIC", "the next medium is another");
}

#[test]
fn uses_are_kept_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let shape = shape(model(Maker::Ibm, Generation::Lto8));
    EmulatedLibrary::create(folder.path(), &shape).unwrap();
    let library = EmulatedLibrary::open(folder.path()).unwrap();
    library.add_cartridge(cleaner(2)).unwrap();
    for expected in [1, 0, 0] {
        let library = library.clone();
        let mut robot = Host::new(&library, Device::Changer);
        assert!(robot.move_medium(CLEANER, DRIVE).is_good());
        assert!(robot.move_medium(DRIVE, CLEANER).is_good());
        drop(robot);
        let text = std::fs::read(folder.path().join("cartridges/CLN001CU/cartridge.json")).unwrap();
        let facts: CartridgeFacts = serde_json::from_slice(&text).unwrap();
        assert_eq!(facts.kind, CartridgeKind::Cleaning { uses: expected });
    }
}
