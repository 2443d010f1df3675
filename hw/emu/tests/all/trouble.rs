//! An LTO drive in trouble: resets, lost writes, wrong keys, reservations, flipped bits.

use reel_emu::{Device, EmulatedLibrary, Fault, Generation, Maker, Moment, Timing};
use reel_hw::conformance::{block, record};
use reel_hw::lto::{LtoDrive, LtoOptions, ProtectionChoice};
use reel_hw::scsi::{Cdb, Sense, SenseKey};
use reel_hw::transport::{Data, Transport};
use reel_hw::{BlockNumber, Cancel, EncryptionKey, Error, ReadOutcome, TapeDrive};
use std::time::Duration;

use crate::support::{Host, cartridge, library, model, open, timed_library};

fn loaded() -> (EmulatedLibrary, LtoDrive) {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    let drive = open(&library);
    (library, drive)
}

fn sense(key: SenseKey, asc: u8, ascq: u8) -> Sense {
    Sense::new(key, asc, ascq)
}

/// Lets the next command fail.
fn fail_next(library: &EmulatedLibrary, sense: Sense) {
    library.plan_fault(Fault { moment: Moment::Once(library.commands() + 1), sense });
}

fn objects(library: &EmulatedLibrary) -> u64 {
    library.cartridge(0, |cartridge| cartridge.objects().count()).unwrap()
}

fn read(drive: &mut LtoDrive) -> Result<u8, Error> {
    let mut buffer = block(0);
    match drive.read_block(&mut buffer)? {
        ReadOutcome::Block(_) => Ok(buffer[0]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_drive_that_refuses_to_let_a_key_go_is_not_taken_for_one_without_a_key() {
    let (library, mut drive) = loaded();
    drive.set_encryption_key(Some(&EncryptionKey::new(&[7; 32]))).unwrap();
    fail_next(&library, sense(SenseKey::IllegalRequest, 0x24, 0x00));
    assert!(drive.set_encryption_key(None).is_err());
    drive.set_encryption_key(None).unwrap();
    record(&mut drive, &[b"a"]).unwrap();
    drop(drive);
    let mut other = open(&library);
    other.rewind().unwrap();
    assert_eq!(read(&mut other).unwrap(), b'a', "written in the clear");
}

#[test]
fn a_reset_in_mid_write_loses_what_was_not_flushed_and_says_so() {
    let (library, mut drive) = loaded();
    record(&mut drive, &[b"ab"]).unwrap();
    drive.sync().unwrap();
    drive.write_block(&block(b'c')).unwrap();
    library.reset(Device::Drive(0));
    assert!(drive.write_block(&block(b'd')).is_err());
    assert_eq!(objects(&library), 3, "what was flushed is there, and no more");
    let refused = [
        drive.sync(),
        drive.write_block(&block(b'e')).map(drop),
        drive.write_filemarks(1, false).map(drop),
        drive.rewind(),
    ];
    for outcome in refused {
        let text = outcome.unwrap_err().to_string();
        assert!(text.contains("is lost; load the medium again"), "{text}");
    }
    drive.load().unwrap();
    drive.space_to_end_of_data().unwrap();
    assert_eq!(drive.position().unwrap().object, BlockNumber(3));
}

#[test]
fn a_block_that_is_only_in_the_buffer_is_lost_with_it() {
    for timing in [Timing::none(), Timing::simulated()] {
        let library = timed_library(model(Maker::Ibm, Generation::Lto8), &timing);
        library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
        library.wait_until_idle(0);
        let mut host = Host::new(&library, Device::Drive(0));
        assert!(host.write(&block(b'a')).is_good());
        assert!(host.send(&[0x10, 0, 0, 0, 1, 0]).is_good());
        assert!(host.write(&block(b'b')).is_good());
        library.reset(Device::Drive(0));
        assert_eq!(objects(&library), 2);
    }
}

#[test]
fn a_reset_between_reads_is_made_good() {
    let (library, mut drive) = loaded();
    record(&mut drive, &[b"abc"]).unwrap();
    drive.set_encryption_key(Some(&EncryptionKey::new(&[7; 32]))).unwrap();
    drive.write_block(&block(b'd')).unwrap();
    drive.sync().unwrap();
    drive.locate(BlockNumber(1)).unwrap();
    assert_eq!(read(&mut drive).unwrap(), b'b');
    library.reset(Device::Drive(0));
    assert_eq!(read(&mut drive).unwrap(), b'c', "position and settings are put back");
    drive.locate(BlockNumber(4)).unwrap();
    library.reset(Device::Drive(0));
    assert_eq!(read(&mut drive).unwrap(), b'd', "and so is the key");
}

#[test]
fn a_deferred_write_error_is_never_reported_as_written() {
    let (library, mut drive) = loaded();
    record(&mut drive, &[b"a"]).unwrap();
    drive.sync().unwrap();
    drive.write_block(&block(b'b')).unwrap();
    let mut deferred = sense(SenseKey::MediumError, 0x0C, 0x00);
    deferred.deferred = true;
    fail_next(&library, deferred);
    let text = drive.write_block(&block(b'c')).unwrap_err().to_string();
    assert!(text.contains("deferred from an earlier command"), "{text}");
    assert!(drive.sync().is_err());
    assert_eq!(objects(&library), 2);
}

#[test]
fn another_medium_in_the_drive_is_noticed() {
    let (library, mut drive) = loaded();
    drive.write_block(&block(b'a')).unwrap();
    library.insert(0, cartridge("TEST02L8", Generation::Lto8, 1 << 30));
    assert!(drive.write_block(&block(b'b')).is_err());
    assert!(drive.sync().is_err());
    assert_eq!(objects(&library), 0, "nothing of the job is on the new medium");
}

#[test]
fn encrypted_blocks_need_their_key() {
    let (library, mut drive) = loaded();
    drive.write_block(&block(b'l')).unwrap();
    drive.set_encryption_key(Some(&EncryptionKey::new(&[1; 32]))).unwrap();
    assert!(drive.encryption_active().unwrap());
    drive.write_block(&block(b's')).unwrap();
    drive.sync().unwrap();
    drive.rewind().unwrap();
    assert_eq!(read(&mut drive).unwrap(), b'l', "mixed: clear blocks are read too");
    assert_eq!(read(&mut drive).unwrap(), b's');
    drop(drive);
    let mut drive = open(&library);
    assert!(!drive.encryption_active().unwrap(), "the key went with the handle");
    drive.locate(BlockNumber(1)).unwrap();
    assert!(matches!(read(&mut drive), Err(Error::WrongKey)));
    drive.set_encryption_key(Some(&EncryptionKey::new(&[2; 32]))).unwrap();
    drive.locate(BlockNumber(1)).unwrap();
    assert!(matches!(read(&mut drive), Err(Error::WrongKey)));
    drive.set_encryption_key(Some(&EncryptionKey::new(&[1; 32]))).unwrap();
    drive.locate(BlockNumber(1)).unwrap();
    assert_eq!(read(&mut drive).unwrap(), b's');
}

#[test]
fn one_host_has_the_drive_for_itself() {
    let (library, drive) = loaded();
    let transport = || Box::new(library.transport(Device::Drive(0)));
    let second = LtoDrive::open(transport(), LtoOptions::default(), &Cancel::new());
    let text = second.err().unwrap().to_string();
    assert!(text.contains("reserved by another host (reservation key 7265656c66730001)"), "{text}");
    drop(drive);
    LtoDrive::open(transport(), LtoOptions::default(), &Cancel::new()).unwrap();
}

#[test]
fn block_protection_is_used_where_the_drive_has_it_and_off_afterwards() {
    let (library, mut drive) = loaded();
    drive.write_block(&block(b'a')).unwrap();
    drive.sync().unwrap();
    drop(drive);
    let mut transport = library.transport(Device::Drive(0));
    let mut page = [0; 48];
    let cdb = Cdb::new(&[0x5A, 0, 0x0A, 0xF0, 0, 0, 0, 0, 48, 0]).unwrap();
    for _ in 0..3 {
        let limit = Duration::from_secs(1);
        let _ = transport.execute(&cdb, Data::In(&mut page), limit).unwrap();
    }
    assert_eq!(page[16..24], [0x4A, 0xF0, 0, 0x1C, 0, 0, 0, 0]);
    let length = library.cartridge(0, |cartridge| cartridge.objects().bytes_before(1)).unwrap();
    assert_eq!(length, 262_144, "the blocks on the medium are unchanged");
}

#[test]
fn protection_that_the_drive_does_not_have_is_refused_only_if_it_must_be() {
    let library = library(model(Maker::Hp, Generation::Lto8));
    library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    let options = LtoOptions { protection: ProtectionChoice::On, ..LtoOptions::default() };
    let transport = Box::new(library.transport(Device::Drive(0)));
    let text = LtoDrive::open(transport, options, &Cancel::new()).err().unwrap().to_string();
    assert!(text.contains("no logical block protection"), "{text}");
    open(&library);
}

#[test]
fn a_block_that_the_drive_did_not_accept_is_sent_again() {
    let (library, mut drive) = loaded();
    fail_next(&library, sense(SenseKey::HardwareError, 0x10, 0x01));
    drive.write_block(&block(b'a')).unwrap();
    drive.write_block(&block(b'b')).unwrap();
    drive.sync().unwrap();
    drive.rewind().unwrap();
    assert_eq!((read(&mut drive).unwrap(), read(&mut drive).unwrap()), (b'a', b'b'));
    assert_eq!(objects(&library), 2);
}

#[test]
fn blocks_of_other_lengths_are_told_by_their_length() {
    let (library, drive) = loaded();
    drop(drive);
    let options = LtoOptions { protection: ProtectionChoice::Off, ..LtoOptions::default() };
    for options in [options, LtoOptions::default()] {
        let transport = Box::new(library.transport(Device::Drive(0)));
        let mut drive = LtoDrive::open(transport, options, &Cancel::new()).unwrap();
        drive.rewind().unwrap();
        drive.write_block(&[1; 1000]).unwrap();
        drive.write_block(&vec![2; 400_000]).unwrap();
        drive.write_block(&block(3)).unwrap();
        drive.rewind().unwrap();
        let mut buffer = block(0);
        assert_eq!(drive.read_block(&mut buffer).unwrap(), ReadOutcome::Block(1000));
        let long = drive.read_block(&mut buffer);
        assert!(matches!(long, Err(Error::WrongBlockSize { .. })), "{long:?}");
        drive.locate(BlockNumber(2)).unwrap();
        assert_eq!(read(&mut drive).unwrap(), 3);
    }
}

#[test]
fn conditions_that_an_operator_can_act_on_say_how() {
    let cases = [
        (sense(SenseKey::MediumError, 0x30, 0x00), "this drive cannot use this kind of medium"),
        (sense(SenseKey::MediumError, 0x52, 0x00), "put the cartridge aside"),
        (sense(SenseKey::MediumError, 0x11, 0x00), "clean the drive"),
        (sense(SenseKey::HardwareError, 0x44, 0x00), "tape alerts"),
    ];
    for (fault, words) in cases {
        let (library, mut drive) = loaded();
        record(&mut drive, &[b"a"]).unwrap();
        drive.rewind().unwrap();
        fail_next(&library, fault);
        let text = read(&mut drive).unwrap_err().to_string();
        assert!(text.contains("read block on emulated drive 0"), "{text}");
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn a_reset_that_a_harmless_command_hears_of_takes_settings_all_the_same() {
    let (library, mut drive) = loaded();
    record(&mut drive, &[b"a"]).unwrap();
    drive.sync().unwrap();
    library.reset(Device::Drive(0));
    drive.tape_alerts().unwrap();
    drive.space_to_end_of_data().unwrap();
    drive.write_block(&block(b'b')).unwrap();
    drive.sync().unwrap();
    let length = library.cartridge(0, |cartridge| cartridge.objects().bytes_before(3)).unwrap();
    assert_eq!(length, 2 * 262_144, "no block with a CRC in it");
}

#[test]
fn a_reset_drive_does_not_pass_the_beginning_off_as_where_it_stood() {
    let (library, mut drive) = loaded();
    record(&mut drive, &[b"abc"]).unwrap();
    drive.sync().unwrap();
    drive.locate(BlockNumber(2)).unwrap();
    library.reset(Device::Drive(0));
    assert_eq!(drive.position().unwrap().object, BlockNumber(2), "it was known, and gone back to");
    drive.space_to_end_of_data().unwrap();
    library.reset(Device::Drive(0));
    let text = drive.position().unwrap_err().to_string();
    assert!(text.contains("where it stood before is not known"), "{text}");
    drive.space_to_end_of_data().unwrap();
    assert_eq!(drive.position().unwrap().object, BlockNumber(4));
    assert_eq!(objects(&library), 4);
}

/// One unit attention or error at every command of a small job: whatever is reported as flushed can be read.
#[test]
fn no_failure_at_any_command_loses_what_was_reported_as_written() {
    let kinds = [
        sense(SenseKey::UnitAttention, 0x29, 0x00),
        sense(SenseKey::UnitAttention, 0x2A, 0x01),
        sense(SenseKey::UnitAttention, 0x28, 0x00),
        sense(SenseKey::UnitAttention, 0x3F, 0x0E),
        sense(SenseKey::NotReady, 0x04, 0x01),
        sense(SenseKey::NotReady, 0x3A, 0x00),
        sense(SenseKey::MediumError, 0x0C, 0x00),
        sense(SenseKey::MediumError, 0x11, 0x00),
        sense(SenseKey::HardwareError, 0x04, 0x03),
        sense(SenseKey::IllegalRequest, 0x24, 0x00),
        sense(SenseKey::AbortedCommand, 0x00, 0x00),
        sense(SenseKey::DataProtect, 0x27, 0x00),
        sense(SenseKey::BlankCheck, 0x00, 0x05),
        sense(SenseKey::VolumeOverflow, 0x00, 0x02),
    ];
    let trace = job(None).2;
    assert!((20..100).contains(&trace), "{trace} commands");
    for kind in kinds {
        for number in 1..=trace {
            let (library, flushed, _) =
                job(Some(Fault { moment: Moment::Once(number), sense: kind }));
            library.clear_faults();
            let mut drive = open(&library);
            drive.rewind().unwrap();
            for mark in &flushed {
                let found = read(&mut drive);
                assert_eq!(
                    found.as_ref().ok(),
                    Some(mark),
                    "{kind} at command {number}: {found:?}"
                );
            }
        }
    }
}

/// Writes blocks in three flushed parts. The library, the blocks that were reported as flushed, commands sent.
fn job(fault: Option<Fault>) -> (EmulatedLibrary, Vec<u8>, u64) {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    if let Some(fault) = fault {
        library.plan_fault(fault);
    }
    let mut flushed = Vec::new();
    let transport = Box::new(library.transport(Device::Drive(0)));
    if let Ok(mut drive) = LtoDrive::open(transport, LtoOptions::default(), &Cancel::new()) {
        for part in [b"ab", b"cd", b"ef"] {
            let written =
                part.iter().try_for_each(|mark| drive.write_block(&block(*mark)).map(drop));
            if written.and_then(|()| drive.sync()).is_err() {
                break;
            }
            flushed.extend(part);
        }
    }
    let commands = library.commands();
    (library, flushed, commands)
}
