//! Any command with any data: no device panics, and what it answers holds together.

use proptest::collection::vec;
use proptest::prelude::*;
use reel_emu::time::Seed;
use reel_emu::{Cartridge, CartridgeKind, Device, EmulatedLibrary, Generation, Maker, Timing};
use reel_hw::scsi::Sense;
use reel_hw::transport::{Data, Status};

use crate::support::{Host, cartridge, model, timed_library};

/// A command, and which way its data go.
#[derive(Debug, Clone)]
struct Shot {
    to_robot: bool,
    cdb: Vec<u8>,
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    None,
    In(usize),
    Out(Vec<u8>),
}

/// Every opcode that some device knows, and some that none does.
const OPCODES: [u8; 54] = [
    0x00, 0x01, 0x03, 0x04, 0x05, 0x07, 0x08, 0x0A, 0x0F, 0x10, 0x11, 0x12, 0x13, 0x15, 0x16, 0x17,
    0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x2B, 0x34, 0x37, 0x44, 0x4C, 0x4D, 0x55, 0x56, 0x57, 0x5A,
    0x5E, 0x5F, 0x82, 0x8C, 0x8D, 0x91, 0x92, 0xA0, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xB5, 0xB8, 0xE7,
    0x80, 0x9F, 0xD1, 0x7F, 0x0B, 0xFF,
];

fn opcode() -> impl Strategy<Value = u8> {
    prop_oneof![
        4 => prop::sample::select(&OPCODES[..]),
        // Those that fill and move a tape come more often.
        3 => prop::sample::select(&[0x0A, 0x0A, 0x10, 0x08, 0x11, 0x92, 0x01][..]),
        1 => any::<u8>(),
    ]
}

/// Mostly small numbers, so that some of them fit.
fn field() -> impl Strategy<Value = u8> {
    prop_oneof![6 => Just(0_u8), 3 => 0..8_u8, 1 => any::<u8>()]
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        1 => Just(Way::None),
        2 => (0..600_usize).prop_map(Way::In),
        2 => vec(field(), 0..600).prop_map(Way::Out),
    ]
}

fn shot() -> impl Strategy<Value = Shot> {
    (prop::bool::weighted(0.2), opcode(), vec(field(), 0..17), way()).prop_map(
        |(to_robot, opcode, fields, way)| Shot {
            to_robot,
            cdb: [vec![opcode], fields].concat(),
            way,
        },
    )
}

fn stocked(maker: Maker, generation: Generation, timing: &Timing) -> EmulatedLibrary {
    let library = timed_library(model(maker, generation), timing);
    let medium = |barcode, kind| {
        let mut medium: Cartridge = cartridge(barcode, generation, 8 << 20);
        medium.facts.kind = kind;
        medium
    };
    library.put(0, medium("TEST02L8", CartridgeKind::Worm));
    library.put(1, medium("CLN001CU", CartridgeKind::Cleaning { uses: 2 }));
    library.insert(0, medium("TEST01L8", CartridgeKind::Data));
    library.wait_until_idle(0);
    library
}

fn timing(choice: u8, seed: u64) -> Timing {
    match choice {
        0 => Timing::none(),
        1 => Timing::simulated(),
        _ => Timing::simulated().seeded(Seed(seed)),
    }
}

/// Objects on the medium in the drive, and where it stands if it says so.
fn state(library: &EmulatedLibrary, host: &mut Host) -> (u64, Option<u64>) {
    let count = library.cartridge(0, |tape| tape.objects().count()).unwrap_or(0);
    host.hear();
    let bytes = host.ask(&[0x34, 6, 0, 0, 0, 0, 0, 0, 0, 0]).ok();
    (count, bytes.map(|bytes| u64::from_be_bytes(bytes[8..16].try_into().unwrap())))
}

/// Sends it and checks what holds for every answer. Whether it was done.
fn fire(host: &mut Host, shot: &Shot) -> (bool, usize) {
    let mut buffer = [0xA5; 600];
    let (data, room) = match &shot.way {
        Way::None => (Data::None, 0),
        Way::In(room) => (Data::In(&mut buffer[..*room]), *room),
        Way::Out(bytes) => (Data::Out(bytes), bytes.len()),
    };
    let reply = host.reply(&shot.cdb, data);
    assert!(reply.transferred <= room, "{} of {room} bytes", reply.transferred);
    match reply.status {
        Status::Good => assert!(reply.sense.is_empty()),
        Status::CheckCondition => drop(Sense::decode(&reply.sense).unwrap()),
        other => assert_eq!(other, Status::ReservationConflict),
    }
    if matches!(shot.way, Way::In(_)) {
        assert!(buffer[room..].iter().all(|byte| *byte == 0xA5));
    }
    (reply.status == Status::Good, reply.transferred)
}

/// What a command that was done does to the number of objects and to the position.
fn check_numbers(shot: &Shot, before: (u64, u64), after: (u64, u64), moved: usize) {
    let ((count, place), (end, there)) = (before, after);
    assert!(there <= end, "at {there} of {end}");
    let byte = |offset: usize| u64::from(shot.cdb.get(offset).copied().unwrap_or(0));
    let number = byte(2) << 16 | byte(3) << 8 | byte(4);
    let is_fixed = byte(1) & 1 == 1;
    match shot.cdb[0] {
        0x0A if is_fixed => assert_eq!(there - place, number),
        0x0A => assert_eq!(there, place + u64::from(number > 0)),
        0x10 => assert_eq!(there, place + number),
        0x08 if !is_fixed => assert_eq!(there, place + u64::from(number > 0)),
        0x08 => assert!(there - place <= number && moved as u64 >= there - place),
        0x01 => assert_eq!((end, there), (count, 0)),
        0x11 if byte(1) & 0xF == 3 => assert_eq!((end, there), (count, count)),
        0x19 => assert_eq!((end, there), (place, place)),
        0x04 => assert_eq!((end, there), (0, 0)),
        _ => assert_eq!(end, count),
    }
    if matches!(shot.cdb[0], 0x0A | 0x10) && there != place {
        assert_eq!(end, there, "what is written is the end");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        rng_seed: prop::test_runner::RngSeed::Fixed(0x5EED),
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_command_breaks_a_library(
        shots in vec(shot(), 100),
        maker in prop::sample::select(&[Maker::Ibm, Maker::Hp][..]),
        generation in prop::sample::select(&[Generation::Lto6, Generation::Lto8, Generation::Lto9][..]),
        choice in 0..3_u8,
        seed: u64,
    ) {
        let library = stocked(maker, generation, &timing(choice, seed));
        let mut robot = Host::new(&library, Device::Changer);
        let mut drive = Host::new(&library, Device::Drive(0));
        for shot in &shots {
            let before = state(&library, &mut drive);
            robot.hear();
            let host = if shot.to_robot { &mut robot } else { &mut drive };
            let (done, moved) = fire(host, shot);
            library.wait_until_idle(0);
            let after = state(&library, &mut drive);
            let places = (before.1, after.1);
            if let ((Some(place), Some(there)), true, false) = (places, done, shot.to_robot) {
                check_numbers(shot, (before.0, place), (after.0, there), moved);
            }
        }
    }
}
