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

use crate::meddling::{Meddling, check, good};
use crate::support::{Host, blank_tape, cartridge, facts, library, model};

const TEST_UNIT_READY: u8 = 0x00;
const REWIND: u8 = 0x01;
const READ: u8 = 0x08;
const WRITE: u8 = 0x0A;
const WRITE_FILEMARKS: u8 = 0x10;
const SPACE: u8 = 0x11;
const MODE_SENSE: u8 = 0x5A;
const SECURITY_PROTOCOL_IN: u8 = 0xA2;
const SECURITY_PROTOCOL_OUT: u8 = 0xB5;

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
    library.reset(Device::Drive(0));
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
                library.reset(Device::Drive(0));
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
        rig.library.reset(Device::Drive(0));
        assert_says(write(&mut drive), "where it stood before is not known");
        let again = drive.write_block(&block(b'x')).map(drop);
        assert_says(again, "where the tape stands is not known since an error");
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
    rig.library.reset(Device::Drive(0));
    drive.space_to_end_of_data().unwrap();
    assert_eq!(drive.position().unwrap().object, BlockNumber(4));
    rig.library.reset(Device::Drive(0));
    drive.locate(BlockNumber(2)).unwrap();
    assert_eq!(read(&mut drive).unwrap(), b'c');
    rig.library.reset(Device::Drive(0));
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
            (commands == 2).then(|| check(lesser))
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
            rig.before(WRITE, move |_| Some(check(first)));
            assert!(drive.write_block(&block(b'x')).is_err(), "{first}");
            assert_eq!(rig.objects(), 10, "{first}: nothing is written on the other medium");
            assert!(drive.sync().is_err(), "{first}: it has to be loaded first");
        }
    }
}

#[test]
fn a_reset_that_is_heard_of_while_a_key_is_put_back_takes_the_place_too() {
    let (rig, mut drive) = Rig::recorded(&[b"abc"]);
    drive.set_encryption_key(Some(&EncryptionKey::new(&[7; 32]))).unwrap();
    rig.before(WRITE, |library| {
        library.reset(Device::Drive(0));
        Some(check(attention(0x2A, 0x11)))
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
            library.reset(Device::Drive(0));
            done = true;
        }
        let unknown = Sense::new(SenseKey::IllegalRequest, 0x24, 0x00);
        (done && is_about_protection(cdb)).then(|| check(unknown))
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
    rig.before(WRITE, |_| Some(check(attention(0x3F, 0x0E))));
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
        Some(check(Sense::new(SenseKey::HardwareError, 0x10, 0x01)))
    });
    assert!(read(&mut drive).is_err());
    assert_eq!(drive.position().unwrap().object, BlockNumber(1));
}

#[test]
fn a_reservation_that_was_taken_away_is_not_written_without() {
    let (rig, mut drive) = Rig::recorded(&[b"a"]);
    let mut other = Host::new(&rig.library, Device::Drive(0));
    let ours = u64::from_be_bytes(*b"reelfs\0\x01");
    assert!(other.put(&reserve_out(6), &keys(0, 7)).is_good());
    assert!(other.put(&reserve_out(4), &keys(7, ours)).is_good());
    rig.before(WRITE, |_| Some(check(attention(0x2A, 0x03))));
    assert_says(drive.write_block(&block(b'b')).map(drop), "reservation key 0000000000000007");
    for _ in 0..2 {
        assert_says(drive.rewind(), "reservation key 0000000000000007");
    }
    assert_eq!(rig.objects(), 2);
    assert!(other.put(&reserve_out(3), &keys(7, 0)).is_good());
    drive.rewind().unwrap();
    other.hear();
    assert!(!other.write(&block(b'x')).is_good(), "it is ours again");
}

#[test]
fn a_reservation_that_a_reset_took_is_made_again() {
    let (rig, mut drive) = Rig::recorded(&[b"a"]);
    let ours = u64::from_be_bytes(*b"reelfs\0\x01");
    let mut other = Host::new(&rig.library, Device::Drive(0));
    let mut somebody = Host(rig.way());
    assert!(somebody.put(&reserve_out(3), &keys(ours, 0)).is_good());
    rig.library.reset(Device::Drive(0));
    drive.write_block(&block(b'b')).unwrap();
    other.hear();
    assert!(!other.write(&block(b'x')).is_good(), "nobody else writes");
    drive.sync().unwrap();
    drop(drive);
    other.hear();
    assert!(other.write(&block(b'x')).is_good());
}

/// PERSISTENT RESERVE OUT of a service action, for exclusive access.
fn reserve_out(action: u8) -> [u8; 10] {
    [0x5F, action, 3, 0, 0, 0, 0, 0, 24, 0]
}

/// Its parameters.
fn keys(key: u64, other: u64) -> Vec<u8> {
    [&key.to_be_bytes()[..], &other.to_be_bytes(), &[0; 8]].concat()
}

#[test]
fn what_was_in_the_buffer_is_not_forgotten_with_the_medium() {
    for take in [LtoDrive::unload as fn(&mut LtoDrive) -> _, LtoDrive::load] {
        let (rig, mut drive) = Rig::recorded(&[b"a"]);
        drive.write_block(&block(b'b')).unwrap();
        rig.meddle(|cdb| match cdb.opcode() {
            TEST_UNIT_READY | WRITE_FILEMARKS => {
                Some(check(Sense::new(SenseKey::NotReady, 0x3A, 0)))
            }
            _ => None,
        });
        assert!(take(&mut drive).is_err());
        assert_says(drive.sync(), "is lost");
    }
}

#[test]
fn a_block_that_did_not_go_through_whole_is_not_written() {
    let (rig, mut drive) = Rig::recorded(&[b"a"]);
    rig.before(WRITE, |_| Some(good(1000)));
    assert_says(drive.write_block(&block(b'b')).map(drop), "only 1000 of 262148 bytes");
    assert!(drive.write_block(&block(b'c')).is_err());
}

#[test]
fn block_protection_does_not_stay_on_where_it_was_doubtful() {
    for doubtful in 1..4 {
        let library = library(model(Maker::Ibm, Generation::Lto8));
        library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
        let rig = Rig::of(library);
        let mut asked = 0;
        rig.meddle(move |cdb| {
            asked += u32::from(is_about_protection(cdb));
            let broken = Sense::new(SenseKey::HardwareError, 0x44, 0);
            (asked == doubtful && is_about_protection(cdb)).then(|| check(broken))
        });
        drop(rig.open(LtoOptions::default()));
        let page = Host(rig.way()).ask(&[MODE_SENSE, 0, 0x0A, 0xF0, 0, 0, 0, 0, 48, 0]).unwrap();
        assert_eq!(page[20], 0, "asked {doubtful} times");
    }
}

fn is_about_protection(cdb: &Cdb) -> bool {
    cdb.opcode() == MODE_SENSE && cdb.as_bytes()[2..4] == [0x0A, 0xF0]
}

#[test]
fn a_key_that_could_not_be_put_back_is_put_back_before_anything_is_written() {
    let (rig, mut drive) = Rig::recorded(&[b"a"]);
    drive.set_encryption_key(Some(&EncryptionKey::new(&[7; 32]))).unwrap();
    rig.library.reset(Device::Drive(0));
    rig.before(SECURITY_PROTOCOL_OUT, |_| {
        Some(check(Sense::new(SenseKey::HardwareError, 0x44, 0)))
    });
    assert!(drive.write_block(&block(b'b')).is_err());
    drive.space_to_end_of_data().unwrap();
    drive.write_block(&block(b'b')).unwrap();
    drive.sync().unwrap();
    drive.set_encryption_key(None).unwrap();
    drive.locate(BlockNumber(2)).unwrap();
    assert!(matches!(read(&mut drive), Err(Error::WrongKey)), "it is encrypted");
}

#[test]
fn a_key_that_cannot_be_cleared_is_no_cleared_key() {
    let (rig, mut drive) = Rig::recorded(&[b"a"]);
    rig.library.reset(Device::Drive(0));
    assert!(drive.medium_loaded().unwrap(), "from here on nothing is known of keys");
    let busy = Sense::new(SenseKey::HardwareError, 0x44, 0);
    rig.meddle(move |cdb| (cdb.opcode() == SECURITY_PROTOCOL_IN).then(|| check(busy)));
    assert!(drive.set_encryption_key(None).is_err(), "another program may have set one");
    let unknown = Sense::new(SenseKey::IllegalRequest, 0x20, 0);
    rig.meddle(move |cdb| (cdb.opcode() == SECURITY_PROTOCOL_IN).then(|| check(unknown)));
    drive.set_encryption_key(None).unwrap();
    let key = EncryptionKey::new(&[7; 32]);
    let refused = drive.set_encryption_key(Some(&key));
    assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
}

#[test]
fn a_drive_that_stands_at_the_beginning_of_a_file_knows_it() {
    let (_rig, mut drive) = Rig::recorded(&[b"a", b"bc", b"d"]);
    let begins = |drive: &mut LtoDrive| drive.position().unwrap().block_in_file == Some(0);
    assert!(begins(&mut drive), "a filemark was written");
    drive.rewind().unwrap();
    assert!(begins(&mut drive));
    assert_eq!(read(&mut drive).unwrap(), b'a');
    assert!(!begins(&mut drive));
    assert_eq!(drive.read_block(&mut block(0)).unwrap(), ReadOutcome::Filemark);
    assert!(begins(&mut drive));
    drive.sync().unwrap();
    assert!(begins(&mut drive), "nothing moved");
    drive.space_filemarks(1).unwrap();
    assert!(begins(&mut drive));
    drive.space_filemarks(-1).unwrap();
    assert!(!begins(&mut drive));
    drive.locate_file(FileNumber(2)).unwrap();
    assert!(begins(&mut drive));
    drive.locate(BlockNumber(5)).unwrap();
    assert!(!begins(&mut drive), "it may be one, but that was not looked at");
}
