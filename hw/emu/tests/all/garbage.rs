//! The driver against a drive whose answers are spoiled: no panic, no hang, no wrong byte that passes for a good one,
//! nothing lost that was reported as flushed.

use reel_emu::{Device, EmulatedLibrary, Garbage, Generation, Maker, Moment};
use reel_hw::conformance::block;
use reel_hw::lto::{LtoDrive, LtoOptions, ProtectionChoice};
use reel_hw::{BlockNumber, Cancel, EncryptionKey, HostAttribute, ReadOutcome, Result, TapeDrive};

use crate::support::{cartridge, library, model, open};

/// What a job that ran into garbage did.
struct Trace {
    library: EmulatedLibrary,
    /// Marks of the blocks that were reported as flushed.
    flushed: Vec<u8>,
    commands: u64,
}

fn loaded(
    options: LtoOptions,
    garbage: Option<(Moment, Garbage)>,
) -> (EmulatedLibrary, Result<LtoDrive>) {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    if let Some((moment, garbage)) = garbage {
        library.plan_garbage(moment, garbage);
    }
    let transport = Box::new(library.transport(Device::Drive(0)));
    let drive = LtoDrive::open(transport, options, &Cancel::new());
    (library, drive)
}

/// Everything that a backup and a restore do, in small. Whatever fails, the job goes on with the next thing.
fn job(protection: ProtectionChoice, garbage: Option<(Moment, Garbage)>) -> Trace {
    let options = LtoOptions { protection, ..LtoOptions::default() };
    let (library, drive) = loaded(options, garbage);
    let mut flushed = Vec::new();
    if let Ok(mut drive) = drive {
        if write(&mut drive, b"ab").is_ok() {
            flushed.extend(b"ab");
            let _ = drive.set_encryption_key(Some(&EncryptionKey::new(&[5; 32])));
            let is_keyed = drive.encryption_active().unwrap_or(false);
            if is_keyed && write(&mut drive, b"cd").is_ok() {
                flushed.extend(b"cd");
            }
        }
        read_back(&mut drive, &flushed);
        ask_around(&mut drive);
        let _ = drive.unload();
    }
    let commands = library.commands();
    Trace { library, flushed, commands }
}

fn write(drive: &mut LtoDrive, marks: &[u8]) -> Result<()> {
    for mark in marks {
        drive.write_block(&block(*mark))?;
    }
    drive.sync()
}

/// A block that is read where another should be is a wrong byte.
fn read_back(drive: &mut LtoDrive, flushed: &[u8]) {
    for first in [0, 1] {
        if drive.locate(BlockNumber(first as u64)).is_err() {
            continue;
        }
        for mark in flushed.iter().skip(first) {
            let mut buffer = block(0);
            match drive.read_block(&mut buffer) {
                Ok(ReadOutcome::Block(length)) if length == buffer.len() => {
                    assert!(buffer == block(*mark), "found {:?} instead of {mark}", buffer[0]);
                }
                Ok(ReadOutcome::Block(length)) => assert!(length < buffer.len()),
                _ => break,
            }
        }
    }
}

fn ask_around(drive: &mut LtoDrive) {
    let _ = (drive.statistics(), drive.tape_alerts(), drive.position());
    let _ = (drive.write_protected(), drive.medium_loaded());
    let _ = drive.write_attributes(&[(HostAttribute::MediaPool, Some("pool"))]);
    let _ = drive.locate_file(reel_hw::FileNumber(0));
}

/// After the garbage: what was reported as flushed is on the medium.
fn check_medium(trace: &Trace, what: &str) {
    trace.library.clear_faults();
    let mut drive = open(&trace.library);
    drive.set_encryption_key(Some(&EncryptionKey::new(&[5; 32]))).unwrap();
    drive.rewind().unwrap();
    for mark in &trace.flushed {
        let mut buffer = block(0);
        let found = drive.read_block(&mut buffer);
        assert!(matches!(found, Ok(ReadOutcome::Block(_))), "{what}: {found:?}");
        assert!(buffer == block(*mark), "{what}: {:?} instead of {mark}", buffer[0]);
    }
}

fn run(protection: ProtectionChoice, kinds: &[Garbage]) {
    let clean = job(protection, None);
    assert_eq!(clean.flushed, b"abcd");
    check_medium(&clean, "without garbage");
    assert!((40..150).contains(&clean.commands), "{} commands", clean.commands);
    for kind in kinds {
        for number in 1..=clean.commands {
            let what = format!("{kind:?} at command {number}");
            println!("{what}");
            check_medium(&job(protection, Some((Moment::Once(number), *kind))), &what);
        }
    }
}

#[test]
fn answers_that_are_cut_or_too_long() {
    let kinds = [
        Garbage::Cut(0),
        Garbage::Cut(1),
        Garbage::Cut(7),
        Garbage::Cut(200),
        Garbage::Longer,
        Garbage::TooMany,
    ];
    run(ProtectionChoice::Auto, &kinds);
    run(ProtectionChoice::Off, &kinds);
}

#[test]
fn answers_of_junk() {
    let kinds = [
        Garbage::Scrambled(1),
        Garbage::Scrambled(2),
        Garbage::Scrambled(3),
        Garbage::Filled(0),
        Garbage::Filled(0xFF),
    ];
    run(ProtectionChoice::Auto, &kinds);
}

#[test]
fn senses_of_junk() {
    let mut kinds = vec![Garbage::NoSense, Garbage::Status(0x40), Garbage::Status(0x77)];
    kinds.extend((0..6).map(|seed| Garbage::JunkSense(18, seed)));
    kinds.extend((6..9).map(|seed| Garbage::JunkSense(60, seed)));
    kinds.extend([Garbage::JunkSense(1, 1), Garbage::JunkSense(7, 2)]);
    run(ProtectionChoice::Auto, &kinds);
    run(ProtectionChoice::Off, &kinds[..6]);
}

#[test]
fn answers_that_are_never_right_again() {
    let kinds = [
        Garbage::Cut(0),
        Garbage::Cut(20),
        Garbage::TooMany,
        Garbage::Scrambled(9),
        Garbage::Filled(0),
        Garbage::NoSense,
        Garbage::Status(0x40),
    ];
    let commands = job(ProtectionChoice::On, None).commands;
    for kind in kinds {
        for number in (1..=commands).step_by(3) {
            job(ProtectionChoice::On, Some((Moment::From(number), kind)));
        }
    }
}
