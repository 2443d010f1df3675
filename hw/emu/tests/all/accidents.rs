//! What happens in a library beside commands: doors, magazines, labels, media that slip, devices that go away, bits that
//! flip.

use reel_emu::{Device, EmulatedLibrary, Fault, Flip, Garbage, Generation, Maker, Moment, Vanish};
use reel_hw::conformance::{block, record};
use reel_hw::lto::{LtoDrive, LtoOptions, ProtectionChoice};
use reel_hw::scsi::element::{Element, ElementStatus, ElementType};
use reel_hw::scsi::{Sense, SenseKey};
use reel_hw::{
    Cancel, Changer, ChangerOptions, DriveNumber, ElementContent, ReadOutcome, ScsiChanger,
    SlotNumber, TapeDrive, VolumeTag,
};

use crate::support::{Host, cartridge, facts, library, model, open, shape};

const SLOT: u16 = 0x1000;
const DOOR: u16 = 0x10;
const DRIVE: u16 = 0x100;
const HAND: u16 = 0;

/// A medium in the first slot, and a host of the robot.
fn stocked() -> (EmulatedLibrary, Host) {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    library.put(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    let robot = Host::new(&library, Device::Changer);
    (library, robot)
}

fn changer(library: &EmulatedLibrary) -> ScsiChanger {
    let transport = Box::new(library.transport(Device::Changer));
    ScsiChanger::open(transport, ChangerOptions::default(), &Cancel::new()).unwrap()
}

fn elements(robot: &mut Host) -> Vec<(ElementType, Element)> {
    let bytes = robot.ask(&[0xB8, 0x10, 0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0, 0, 0]).unwrap();
    let status = ElementStatus::decode(&bytes, 0).unwrap();
    status.elements().map(|(kind, element)| (kind, element.clone())).collect()
}

#[test]
fn a_medium_that_slips_stays_in_the_robots_hand() {
    let (library, mut robot) = stocked();
    library.put(1, cartridge("TEST02L8", Generation::Lto8, 1 << 30));
    robot.hear();
    library.plan_drop();
    assert_eq!(robot.move_medium(SLOT, DRIVE).triple(), (4, 0x15, 1));
    let hand = elements(&mut robot).into_iter().find(|(kind, _)| *kind == ElementType::Transport);
    let hand = hand.unwrap().1;
    assert_eq!((hand.content().to_string(), hand.source), ("'TEST01L8'".to_owned(), Some(SLOT)));
    let mut driver = changer(&library);
    let status = driver.status().unwrap();
    assert!(status.slot_of(&VolumeTag::new("TEST01L8").unwrap()).is_none());
    assert_eq!(robot.move_medium(SLOT + 1, DRIVE).triple(), (5, 0x3B, 0x0D), "the hand is full");
    assert!(robot.move_medium(HAND, SLOT).is_good());
    assert!(robot.move_medium(SLOT, DRIVE).is_good());
    assert_eq!(driver.status().unwrap().drives[0].loaded_slot, Some(SlotNumber::new(1).unwrap()));
}

#[test]
fn what_the_hand_holds_is_put_away_before_anything_else_moves() {
    let (library, mut robot) = stocked();
    library.put(1, cartridge("TEST02L8", Generation::Lto8, 1 << 30));
    robot.hear();
    let mut driver = changer(&library);
    let slot = |number| SlotNumber::new(number).unwrap();
    library.plan_drop();
    let slipped = driver.load_slot(slot(1), DriveNumber(0)).unwrap_err().to_string();
    assert!(slipped.contains("Mechanical positioning error"), "{slipped}");
    driver.load_slot(slot(2), DriveNumber(0)).unwrap();
    let status = driver.status().unwrap();
    let tag = |text| VolumeTag::new(text).unwrap();
    assert_eq!(status.slot_of(&tag("TEST01L8")).unwrap().number, slot(1));
    assert_eq!(status.drive_of(&tag("TEST02L8")).unwrap().number, DriveNumber(0));
    assert!(status.transports.iter().all(|hand| hand.content.is_empty()));

    // Who wants just that medium gets it.
    driver.unload(DriveNumber(0), None).unwrap();
    library.plan_drop();
    driver.load_media(&tag("TEST01L8"), DriveNumber(0)).unwrap_err();
    assert!(driver.status().unwrap().online_media().contains(&tag("TEST01L8")));
    driver.load_media(&tag("TEST01L8"), DriveNumber(0)).unwrap();

    // Nowhere to put it: it is named, and nothing else is moved.
    driver.unload(DriveNumber(0), None).unwrap();
    library.plan_drop();
    driver.load_slot(slot(1), DriveNumber(0)).unwrap_err();
    let free: Vec<_> = driver.status().unwrap().slots;
    for empty in free.iter().filter(|slot| slot.content.is_empty() && !slot.import_export) {
        let index = empty.number.get() as usize - 1;
        let name = format!("MORE{index:02}L8");
        library.put(index, cartridge(&name, Generation::Lto8, 1 << 30));
    }
    let told = driver.load_slot(slot(2), DriveNumber(0)).unwrap_err().to_string();
    assert!(told.contains("'TEST01L8'") && told.contains("make room"), "{told}");
}

#[test]
fn a_medium_in_the_hand_outlives_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let shape = shape(model(Maker::Ibm, Generation::Lto8));
    EmulatedLibrary::create(folder.path(), &shape).unwrap();
    let library = EmulatedLibrary::open(folder.path()).unwrap();
    library.add_cartridge(facts("TEST01L8", Generation::Lto8, 1 << 30)).unwrap();
    library.plan_drop();
    drop(library);
    let library = EmulatedLibrary::open(folder.path()).unwrap();
    let mut robot = Host::new(&library, Device::Changer);
    assert_eq!(robot.move_medium(SLOT, SLOT + 1).triple(), (4, 0x15, 1));
    drop((library, robot));
    let library = EmulatedLibrary::open(folder.path()).unwrap();
    let mut robot = Host::new(&library, Device::Changer);
    assert!(robot.move_medium(HAND, SLOT + 1).is_good(), "it slips once");
    assert_eq!(library.take(1).unwrap().facts.barcode.as_deref(), Some("TEST01L8"));
}

#[test]
fn an_open_door_stops_the_robot_and_is_told_of_when_it_is_closed() {
    let (library, mut robot) = stocked();
    assert!(library.set_door(true));
    assert_eq!(robot.send(&[0; 6]).triple(), (2, 0x3A, 2));
    assert_eq!(robot.move_medium(SLOT, DRIVE).triple(), (2, 0x3A, 2));
    let text = changer(&library)
        .load_slot(SlotNumber::new(1).unwrap(), DriveNumber(0))
        .unwrap_err()
        .to_string();
    assert!(text.contains("close the import/export door"), "{text}");
    assert!(library.set_door(false));
    assert_eq!(robot.move_medium(SLOT, DRIVE).triple(), (6, 0x28, 1));
    assert!(robot.move_medium(SLOT, DRIVE).is_good());
}

#[test]
fn a_host_can_lock_the_door_and_open_it() {
    let (library, mut robot) = stocked();
    let mut other = Host::new(&library, Device::Changer);
    robot.send(&[0x1E, 0, 0, 0, 1, 0]);
    assert!(!library.set_door(true));
    assert!(library.put(4, cartridge("NEW001L8", Generation::Lto8, 1 << 30)).is_some());
    let open = [0x1B, 0, 0, DOOR as u8, 0, 0];
    assert_eq!(other.send(&open).triple(), (5, 0x53, 2));
    robot.send(&[0x1E, 0, 0, 0, 0, 0]);
    assert!(other.send(&open).is_good());
    assert_eq!(other.send(&[0x1B, 0, 0x10, 0, 0, 0]).triple(), (5, 0x21, 1));
    assert_eq!(other.move_medium(SLOT, DRIVE).triple(), (2, 0x3A, 2));
    assert!(other.send(&[0x1B, 0, 0, DOOR as u8, 1, 0]).is_good());
}

#[test]
fn a_magazine_that_is_out_takes_the_library_off_line() {
    let (library, mut robot) = stocked();
    library.set_magazine(true);
    assert_eq!(robot.move_medium(SLOT, DRIVE).triple(), (2, 0x04, 0x12));
    library.take(0).unwrap();
    library.set_magazine(false);
    assert_eq!(robot.send(&[0; 6]).triple(), (6, 0x28, 0));
    assert_eq!(robot.move_medium(SLOT, DRIVE).triple(), (5, 0x3B, 0x0E));
}

#[test]
fn a_label_that_cannot_be_made_out_is_an_exception() {
    let (library, mut robot) = stocked();
    library.set_unreadable(0, true);
    let found = elements(&mut robot).into_iter().find(|(_, element)| element.address == SLOT);
    let element = found.unwrap().1;
    assert!(element.full && element.exception && element.tag.is_none());
    assert_eq!(element.sense_code, (0x83, 0x02));
    assert_eq!(changer(&library).status().unwrap().slots[0].content, ElementContent::Full);
}

#[test]
fn a_full_library_has_no_place_to_unload_to() {
    let (library, _robot) = stocked();
    let mut driver = changer(&library);
    driver.load_slot(SlotNumber::new(1).unwrap(), DriveNumber(0)).unwrap();
    for slot in 0..5 {
        library.put(slot, cartridge(&format!("FULL0{slot}L8"), Generation::Lto8, 1 << 30));
    }
    assert!(driver.unload(DriveNumber(0), None).is_err());
    let mut robot = Host::new(&library, Device::Changer);
    assert_eq!(robot.move_medium(DRIVE, SLOT).triple(), (5, 0x3B, 0x0D));
}

#[test]
fn media_are_exchanged() {
    let (library, mut robot) = stocked();
    library.put(1, cartridge("TEST02L8", Generation::Lto8, 1 << 30));
    robot.hear();
    let exchange = |from: u16, to: u16, away: u16| {
        let [a, b, c] = [from, to, away].map(u16::to_be_bytes);
        [0xA6, 0, 0, 0, a[0], a[1], b[0], b[1], c[0], c[1], 0, 0]
    };
    assert_eq!(robot.send(&exchange(SLOT, DRIVE, SLOT)).triple(), (5, 0x3B, 0x0E));
    assert!(robot.move_medium(SLOT, DRIVE).is_good());
    assert_eq!(robot.send(&exchange(SLOT + 1, DRIVE, DRIVE)).triple(), (5, 0x3B, 0x0D));
    assert!(robot.send(&exchange(SLOT + 1, DRIVE, SLOT)).is_good());
    assert!(robot.send(&exchange(SLOT, DRIVE, SLOT)).is_good(), "each to the other's place");
    let status = changer(&library).status().unwrap();
    assert_eq!(status.drives[0].content.to_string(), "'TEST01L8'");
    assert_eq!(status.slots[0].content.to_string(), "'TEST02L8'");
}

#[test]
fn an_exchange_loses_no_medium() {
    let exchange = [0xA6, 0, 0, 0, 0x10, 1, 1, 0, 0x10, 0, 0, 0];
    let (library, mut robot) = stocked();
    assert!(robot.move_medium(SLOT, DRIVE).is_good());
    for slot in [1, 2] {
        library.put(slot, cartridge(&format!("MORE0{slot}L8"), Generation::Lto8, 1 << 30));
    }
    robot.hear();
    library.plan_drop();
    assert_eq!(robot.send(&exchange).triple(), (4, 0x15, 1));
    let content = |robot: &mut Host| {
        let full = elements(robot).into_iter().filter(|(_, element)| element.full);
        full.map(|(_, element)| (element.address, element.content().to_string()))
            .collect::<Vec<_>>()
    };
    let slipped = [(HAND, "MORE01L8"), (SLOT, "TEST01L8"), (SLOT + 2, "MORE02L8")];
    assert_eq!(content(&mut robot), slipped.map(|(at, label)| (at, format!("'{label}'"))));
    assert!(robot.move_medium(SLOT, SLOT + 1).triple() == (5, 0x3B, 0x0D), "the hand is full");
    assert!(robot.move_medium(HAND, DRIVE).is_good());
    library.plan_drop();
    assert_eq!(robot.move_medium(SLOT + 2, SLOT + 1).triple(), (4, 0x15, 1));
    library.put(1, cartridge("MORE03L8", Generation::Lto8, 1 << 30));
    library.take(0);
    robot.hear();
    assert_eq!(robot.send(&exchange).triple(), (5, 0x3B, 0x0D), "the hand is full");
    assert_eq!(content(&mut robot).len(), 3);
}

#[test]
fn ranges_of_an_inventory_are_checked() {
    let (_library, mut robot) = stocked();
    assert!(robot.send(&[0x37, 1, 0x10, 0, 0, 0, 0, 2, 0, 0]).is_good());
    assert_eq!(robot.send(&[0x37, 1, 0x20, 0, 0, 0, 0, 2, 0, 0]).triple(), (5, 0x21, 1));
    let nothing = robot.ask(&[0xB5, 0x10, 0, 0, 0, 9, 0, 0, 1, 0, 0, 0]).unwrap();
    assert_eq!(nothing, [0; 8], "no volume was searched for");
}

#[test]
fn a_robot_can_fail_as_a_drive_can() {
    let (library, mut robot) = stocked();
    let sense = Sense::new(SenseKey::HardwareError, 0x15, 0x01);
    library.plan_fault(Fault { moment: Moment::Once(library.commands() + 1), sense });
    assert_eq!(robot.move_medium(SLOT, DRIVE).triple(), (4, 0x15, 1));
    assert!(robot.move_medium(SLOT, DRIVE).is_good(), "nothing had moved");
}

fn loaded(protection: ProtectionChoice) -> (EmulatedLibrary, LtoDrive) {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    let options = LtoOptions { protection, ..LtoOptions::default() };
    let transport = Box::new(library.transport(Device::Drive(0)));
    let drive = LtoDrive::open(transport, options, &Cancel::new()).unwrap();
    (library, drive)
}

fn is_whole(drive: &mut LtoDrive, mark: u8) -> bool {
    let mut buffer = block(0);
    assert_eq!(drive.read_block(&mut buffer).unwrap(), ReadOutcome::Block(buffer.len()));
    buffer == block(mark)
}

#[test]
fn a_bit_that_flips_is_seen_with_protection_and_lands_on_the_medium_without() {
    for (choice, seen) in [(ProtectionChoice::On, true), (ProtectionChoice::Off, false)] {
        let (library, mut drive) = loaded(choice);
        library.plan_flip(0, Flip::ToDrive(1_000_003));
        record(&mut drive, &[b"ab"]).unwrap();
        drive.sync().unwrap();
        drive.rewind().unwrap();
        assert_eq!(is_whole(&mut drive, b'a'), seen);
        library.plan_flip(0, Flip::ToHost(77));
        assert_eq!(is_whole(&mut drive, b'b'), seen);
        drive.rewind().unwrap();
        assert_eq!(is_whole(&mut drive, b'a'), seen);
        assert!(is_whole(&mut drive, b'b'), "on the medium it was right");
    }
}

#[test]
fn a_flip_waits_for_a_block_to_move() {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    let (mut one, mut other) =
        (Host::new(&library, Device::Drive(0)), Host::new(&library, Device::Drive(0)));
    library.plan_flip(0, Flip::ToDrive(0));
    assert!(one.send(&[0x16, 0, 0, 0, 0, 0]).is_good());
    assert!(!other.write(&block(b'a')).is_good(), "reserved");
    library.reset(Device::Drive(0));
    assert_eq!(one.write(&block(b'a')).triple(), (6, 0x29, 0));
    assert!(one.write(&block(b'a')).is_good());
    assert!(one.send(&[0x10, 0, 0, 0, 1, 0]).is_good());
    one.locate(1);
    library.plan_flip(0, Flip::ToHost(1));
    assert_eq!(one.read(&mut block(0)).triple(), (0, 0, 1), "a filemark");
    one.locate(0);
    let mut buffer = block(0);
    assert!(one.read(&mut buffer).is_good());
    assert_eq!(buffer[0], b'a' ^ 0b11);
    assert_eq!(buffer[1..], block(b'a')[1..]);
}

#[test]
fn a_drive_that_forgets_protection_between_two_writes_does_not_get_long_blocks() {
    for told in [true, false] {
        let (library, mut drive) = loaded(ProtectionChoice::On);
        record(&mut drive, &[b"a"]).unwrap();
        drive.sync().unwrap();
        drive.write_block(&block(b'b')).unwrap();
        library.forget_protection(0, told);
        let written = drive.write_block(&block(b'c')).and_then(|_| drive.sync());
        assert!(written.is_err(), "told: {told}");
        assert!(drive.sync().is_err());
    }
}

#[test]
fn a_device_that_goes_away_in_mid_command_ends_the_job() {
    for vanish in [Vanish::Before, Vanish::After] {
        let (library, mut drive) = loaded(ProtectionChoice::Auto);
        drive.write_block(&block(b'a')).unwrap();
        library.plan_vanish(library.commands() + 1, vanish);
        let text = drive.write_block(&block(b'b')).unwrap_err().to_string();
        assert!(text.contains("the device is gone"), "{text}");
        assert!(drive.sync().is_err());
        drop(drive);
        let transport = Box::new(library.transport(Device::Drive(0)));
        assert!(LtoDrive::open(transport, LtoOptions::default(), &Cancel::new()).is_err());
        library.bring_back(Device::Drive(0));
        assert_eq!(library.cartridge(0, |tape| tape.objects().count()), Some(0), "{vanish:?}");
    }
}

#[test]
fn an_answer_that_is_too_long_or_too_short_is_no_answer() {
    let (library, mut robot) = stocked();
    for (garbage, length) in [(Garbage::Cut(3), 3), (Garbage::Longer, 1 << 16)] {
        library.plan_garbage(Moment::Once(library.commands() + 1), garbage);
        assert_eq!(robot.ask(&[0x12, 0, 0, 0, 36, 0]).unwrap().len(), length);
    }
    let mut driver = changer(&library);
    let next = library.commands() + 1;
    library.plan_garbage(Moment::From(next), Garbage::Scrambled(7));
    assert!(driver.status().is_err());
    library.clear_faults();
    driver.status().unwrap();
}

#[test]
fn the_tab_of_a_cartridge_counts_while_it_is_loaded() {
    let (library, drive) = loaded(ProtectionChoice::Auto);
    drop(drive);
    library.set_write_protection(0, true);
    let mut drive = open(&library);
    assert!(drive.write_protected().unwrap());
    assert!(drive.write_block(&block(b'a')).is_err());
}
