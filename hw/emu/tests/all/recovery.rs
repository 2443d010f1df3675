//! What a drive tells between two commands, and what an LTO drive's driver makes of it: never a write at another place
//! than the caller means, and never a loss that nobody hears of.

use reel_emu::{Device, EmulatedLibrary, EmulatedTransport, Fault, Generation, Maker, Moment};
use reel_hw::conformance::{block, record};
use reel_hw::lto::{LtoDrive, LtoOptions};
use reel_hw::scsi::{Cdb, Sense, SenseKey};
use reel_hw::transport::Reply;
use reel_hw::{
    BlockNumber, Cancel, EncryptionKey, Error, FileNumber, ReadOutcome, TapeDrive,
    move_to_append_position,
};

use crate::meddling::{Meddling, check};
use crate::support::{Host, blank_tape, cartridge, facts, library, model};

const REWIND: u8 = 0x01;
const READ: u8 = 0x08;
const WRITE: u8 = 0x0A;
const SPACE: u8 = 0x11;
const MODE_SENSE: u8 = 0x5A;

/// A drive of a library, with one medium, that somebody else of the same host can use too.
struct Rig {
    library: EmulatedLibrary,
    meddling: Meddling,
    host: reel_emu::Host,
}

impl Rig {
    /// With closed files of these marks; the drive stands behind them.
    fn recorded(files: &[&[u8]]) -> (Self, LtoDrive) {
        let library = library(model(Maker::Ibm, Generation::Lto8));
        library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
        let rig = Self::of(library);
        let mut drive = rig.open(LtoOptions::default()).unwrap();
        record(&mut drive, files).unwrap();
        drive.sync().unwrap();
        (rig, drive)
    }

    fn of(library: EmulatedLibrary) -> Self {
        Self { host: library.new_host(), meddling: Meddling::default(), library }
    }

    /// Another way of the host to the drive.
    fn way(&self) -> EmulatedTransport {
        self.library.transport_of(&self.host, Device::Drive(0))
    }

    /// Opens the drive for the host.
    fn open(&self, options: LtoOptions) -> reel_hw::Result<LtoDrive> {
        LtoDrive::open(self.meddling.on(self.way()), options, &Cancel::new())
    }

    fn meddle(&self, mut meddler: impl FnMut(&Cdb) -> Option<Reply> + Send + 'static) {
        self.meddling.set(move |cdb, _| meddler(cdb));
    }

    /// Does something once, before the drive gets the next command with that operation code.
    fn before(
        &self,
        opcode: u8,
        mut act: impl FnMut(&EmulatedLibrary) -> Option<Reply> + Send + 'static,
    ) {
        let (library, mut done) = (self.library.clone(), false);
        self.meddle(move |cdb| {
            if done || cdb.opcode() != opcode {
                return None;
            }
            done = true;
            act(&library)
        });
    }

    fn objects(&self) -> u64 {
        self.library.cartridge(0, |cartridge| cartridge.objects().count()).unwrap()
    }

    /// Bytes of the blocks in front of an object.
    fn bytes_before(&self, object: u64) -> u64 {
        self.library.cartridge(0, |tape| tape.objects().bytes_before(object)).unwrap()
    }
}

fn attention(asc: u8, ascq: u8) -> Sense {
    Sense::new(SenseKey::UnitAttention, asc, ascq)
}

fn reset(library: &EmulatedLibrary) -> Option<Reply> {
    library.reset_drive(0);
    None
}

fn read(drive: &mut LtoDrive) -> Result<u8, Error> {
    let mut buffer = block(0);
    match drive.read_block(&mut buffer)? {
        ReadOutcome::Block(_) => Ok(buffer[0]),
        other => panic!("{other:?}"),
    }
}

fn assert_says(outcome: Result<(), Error>, words: &str) {
    let text = outcome.unwrap_err().to_string();
    assert!(text.contains(words), "{text}");
}

#[test]
fn a_reset_on_the_way_to_where_files_are_appended_cuts_nothing_off() {
    let (rig, mut drive) = Rig::recorded(&[b"abc", b"d"]);
    rig.before(SPACE, reset);
    drop(move_to_append_position(&mut drive));
    assert_eq!(rig.objects(), 6);
    for skipped in 1..4 {
        drive.rewind().unwrap();
        let mut passed = 0;
        let library = rig.library.clone();
        rig.meddle(move |cdb| {
            passed += u32::from(cdb.opcode() == SPACE);
            if passed == skipped {
                library.reset_drive(0);
                passed += 1;
            }
            None
        });
        if let Ok(next) = move_to_append_position(&mut drive) {
            assert_eq!(next, FileNumber(2), "reset at SPACE number {skipped}");
        }
        assert_eq!(rig.objects(), 6, "reset at SPACE number {skipped}");
    }
}

#[test]
fn a_drive_that_was_reset_at_the_end_of_data_does_not_write_at_the_beginning() {
    let (rig, mut drive) = Rig::recorded(&[b"abc"]);
    for write in [
        (|drive| drive.write_block(&block(b'x')).map(drop)) as fn(&mut LtoDrive) -> _,
        |drive| drive.write_filemarks(1, false).map(drop),
        |drive| drive.erase(),
        |drive| drive.space_blocks(1).map(drop),
    ] {
        drive.space_to_end_of_data().unwrap();
        rig.library.reset_drive(0);
        assert_says(write(&mut drive), "where it stood before is not known");
        assert_eq!(rig.objects(), 4);
    }
    drive.space_to_end_of_data().unwrap();
    drive.write_block(&block(b'd')).unwrap();
    drive.sync().unwrap();
    assert_eq!(rig.objects(), 5);
}

#[test]
fn a_reset_behind_a_locate_teaches_no_wrong_offset() {
    let (rig, mut drive) = Rig::recorded(&[b"a", b"b", b"c", b"d"]);
    rig.before(SPACE, reset);
    assert_says(drive.locate_file(FileNumber(3)), "where it stood before is not known");
    drive.locate_file(FileNumber(3)).unwrap();
    assert_eq!(read(&mut drive).unwrap(), b'd');
}

#[test]
fn a_motion_to_a_place_of_its_own_is_repeated_after_a_reset() {
    let (rig, mut drive) = Rig::recorded(&[b"abc"]);
    drive.space_to_end_of_data().unwrap();
    rig.library.reset_drive(0);
    drive.space_to_end_of_data().unwrap();
    assert_eq!(drive.position().unwrap().object, BlockNumber(4));
    rig.library.reset_drive(0);
    drive.locate(BlockNumber(2)).unwrap();
    assert_eq!(read(&mut drive).unwrap(), b'c');
    rig.library.reset_drive(0);
    drive.rewind().unwrap();
    assert_eq!(read(&mut drive).unwrap(), b'a');
}

#[test]
fn a_reset_is_not_forgotten_over_a_lesser_thing_that_is_told_behind_it() {
    for lesser in [attention(0x2A, 0x01), attention(0x2A, 0x11)] {
        let (rig, mut drive) = Rig::recorded(&[b"ab"]);
        drive.write_block(&block(b'c')).unwrap();
        let next = rig.library.commands() + 1;
        rig.library.plan_fault(Fault { moment: Moment::Once(next), sense: attention(0x29, 0) });
        let mut commands = 0;
        rig.meddle(move |_| {
            commands += 1;
            if commands == 2 { check(lesser) } else { None }
        });
        drive.tape_alerts().unwrap();
        assert!(drive.write_block(&block(b'd')).is_err());
        assert!(drive.sync().is_err(), "what was in the buffer is gone");
        assert_eq!(rig.objects(), 3);
    }
}

#[test]
fn another_medium_is_noticed_behind_whatever_else_is_told() {
    for first in [attention(0x29, 0x00), attention(0x2A, 0x01), attention(0x2A, 0x11)] {
        for buffered in [false, true] {
            let (rig, mut drive) = Rig::recorded(&[b"abc"]);
            if buffered {
                drive.write_block(&block(b'd')).unwrap();
            }
            let other = facts("TEST02L8", Generation::Lto8, 1 << 30);
            rig.library.insert(0, blank_tape(other, 10));
            rig.before(WRITE, move |_| check(first));
            assert!(drive.write_block(&block(b'x')).is_err(), "{first}");
            assert_eq!(rig.objects(), 10, "{first}: nothing is written on the other medium");
            assert_eq!(drive.sync().is_err(), buffered, "{first}");
        }
    }
}

#[test]
fn a_reset_that_is_heard_of_while_a_key_is_put_back_takes_the_place_too() {
    let (rig, mut drive) = Rig::recorded(&[b"abc"]);
    drive.set_encryption_key(Some(&EncryptionKey::new([7; 32]))).unwrap();
    rig.before(WRITE, |library| {
        library.reset_drive(0);
        check(attention(0x2A, 0x11))
    });
    drive.write_block(&block(b'd')).unwrap();
    drive.sync().unwrap();
    assert_eq!(rig.objects(), 5, "it went back to where it stood");
    drive.locate(BlockNumber(4)).unwrap();
    assert_eq!(read(&mut drive).unwrap(), b'd');
}

#[test]
fn a_block_with_its_crc_does_not_reach_a_drive_that_no_longer_checks_it() {
    let (rig, mut drive) = Rig::recorded(&[b"a"]);
    let (library, mut done) = (rig.library.clone(), false);
    rig.meddle(move |cdb| {
        if !done && cdb.opcode() == WRITE {
            library.reset_drive(0);
            done = true;
        }
        let about_protection = cdb.opcode() == MODE_SENSE && cdb.as_bytes()[2..4] == [0x0A, 0xF0];
        let unknown = Sense::new(SenseKey::IllegalRequest, 0x24, 0x00);
        if done && about_protection { check(unknown) } else { None }
    });
    assert_says(drive.write_block(&block(b'b')).map(drop), "block protection");
    assert_eq!(rig.objects(), 2);
    drive.space_to_end_of_data().unwrap();
    drive.write_block(&block(b'b')).unwrap();
    drive.sync().unwrap();
    assert_eq!(rig.bytes_before(3), 2 * 262_144, "the next block goes without");
}

#[test]
fn a_drive_that_stands_elsewhere_has_not_flushed_what_it_was_given() {
    let (rig, mut drive) = Rig::recorded(&[b"abc"]);
    let mut somebody = Host(rig.way());
    drive.write_block(&block(b'd')).unwrap();
    assert!(somebody.send(&[REWIND, 0, 0, 0, 0, 0]).is_good());
    assert_says(drive.position().map(drop), "it stands at object 0 instead of 5");
    assert!(drive.sync().is_err());
    drive.load().unwrap();
    drive.space_to_end_of_data().unwrap();
    drive.write_block(&block(b'e')).unwrap();
    assert!(somebody.send(&[REWIND, 0, 0, 0, 0, 0]).is_good());
    rig.before(WRITE, |_| check(attention(0x3F, 0x0E)));
    assert!(drive.write_block(&block(b'f')).is_err());
    assert!(drive.sync().is_err());
}

#[test]
fn a_block_that_is_too_long_is_passed_over() {
    let (_rig, mut drive) = Rig::recorded(&[b"a"]);
    drive.write_block(&vec![2; 400_000]).unwrap();
    drive.write_block(&block(b'c')).unwrap();
    drive.locate(BlockNumber(2)).unwrap();
    let long = drive.read_block(&mut block(0));
    assert!(matches!(long, Err(Error::WrongBlockSize { .. })), "{long:?}");
    assert_eq!(drive.position().unwrap().object, BlockNumber(3));
    assert_eq!(read(&mut drive).unwrap(), b'c');
}

#[test]
fn a_block_that_fails_its_check_as_it_is_read_leaves_the_place_unknown() {
    let (rig, mut drive) = Rig::recorded(&[b"abc"]);
    drive.rewind().unwrap();
    let mut somebody = Host(rig.way());
    rig.before(READ, move |_| {
        assert!(somebody.send(&[SPACE, 0, 0, 0, 1, 0]).is_good());
        check(Sense::new(SenseKey::HardwareError, 0x10, 0x01))
    });
    assert!(read(&mut drive).is_err());
    assert_eq!(drive.position().unwrap().object, BlockNumber(1));
}
