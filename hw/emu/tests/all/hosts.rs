//! Several hosts of one device: reservations, locks, resets, keys.

use reel_emu::{Device, EmulatedLibrary, Generation, Maker};
use reel_hw::conformance::block;
use reel_hw::scsi::reservation::{KeysReport, OutParameters};
use reel_hw::transport::Status;

use crate::support::{Ended, Host, cartridge, library, model};

const DEVICES: [Device; 2] = [Device::Changer, Device::Drive(0)];
const CONFLICT: Ended = Ended::Other(Status::ReservationConflict);

fn loaded() -> EmulatedLibrary {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    library
}

/// PERSISTENT RESERVE OUT.
fn persistent(host: &mut Host, action: u8, key: u64, new_key: u64) -> Ended {
    let list = OutParameters { key, new_key }.encode();
    host.put(&[0x5F, action, 1, 0, 0, 0, 0, 0, list.len() as u8, 0], &list)
}

fn keys(host: &mut Host) -> KeysReport {
    KeysReport::decode(&host.ask(&[0x5E, 0, 0, 0, 0, 0, 0, 1, 0, 0]).unwrap()).unwrap()
}

/// MODE SENSE, which a reservation forbids to all others.
fn ask(host: &mut Host) -> Ended {
    host.send(&[0x1A, 0, 0x3F, 0, 0xFF, 0])
}

#[test]
fn a_reset_ends_reservations_and_locks_and_is_told() {
    for device in DEVICES {
        let library = loaded();
        let (mut one, mut other) = (Host::new(&library, device), Host::new(&library, device));
        assert!(one.send(&[0x16, 0, 0, 0, 0, 0]).is_good());
        assert!(one.send(&[0x1E, 0, 0, 0, 1, 0]).is_good());
        assert_eq!(ask(&mut other), CONFLICT, "{device}");
        library.reset(device);
        assert_eq!(ask(&mut other).triple(), (6, 0x29, 0), "{device}");
        assert_eq!(ask(&mut one).triple(), (6, 0x29, 0), "{device}");
        assert!(ask(&mut other).is_good(), "{device}");
        assert!(library.set_door(true));
        let mut drive = Host::new(&library, Device::Drive(0));
        assert!(drive.send(&[0x1B, 0, 0, 0, 0, 0]).is_good(), "nobody prevents it");
    }
}

#[test]
fn a_device_that_comes_back_tells_of_it() {
    for device in DEVICES {
        let library = loaded();
        let mut host = Host::new(&library, device);
        library.bring_back(device);
        assert_eq!(ask(&mut host).triple(), (6, 0x29, 0), "{device}");
    }
}

#[test]
fn who_loses_a_registration_hears_of_it() {
    for device in DEVICES {
        let library = loaded();
        let (mut one, mut other) = (Host::new(&library, device), Host::new(&library, device));
        assert!(persistent(&mut one, 6, 0, 1).is_good());
        assert!(persistent(&mut other, 6, 0, 2).is_good());
        assert!(persistent(&mut one, 1, 1, 0).is_good());
        assert_eq!(ask(&mut other), CONFLICT);
        assert!(persistent(&mut other, 4, 2, 1).is_good(), "preempts");
        assert_eq!(ask(&mut one).triple(), (6, 0x2A, 5), "{device}");
        assert_eq!(ask(&mut one), CONFLICT);
        assert_eq!((keys(&mut other).generation, keys(&mut other).keys), (3, vec![2]));
        assert!(persistent(&mut one, 6, 0, 1).is_good());
        assert!(persistent(&mut other, 3, 2, 0).is_good(), "clears");
        assert_eq!(ask(&mut one).triple(), (6, 0x2A, 3), "{device}");
        assert!(ask(&mut one).is_good() && ask(&mut other).is_good());
        assert_eq!((keys(&mut other).generation, keys(&mut other).keys), (5, vec![]));
    }
}

/// SECURITY PROTOCOL OUT with a key: controls and decryption mode are the given ones.
fn set_key(host: &mut Host, controls: u8, decryption: u8) -> Ended {
    let mut list = vec![0, 0x10, 0, 0x30, 0x40, controls, 2, decryption, 1];
    list.resize(18, 0);
    list.extend([0, 32]);
    list.extend([7; 32]);
    host.put(&[0xB5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 52, 0, 0], &list)
}

/// The modes of encryption and decryption, and how often the key changed.
fn encryption(host: &mut Host) -> ((u8, u8), u32) {
    let page = host.ask(&[0xA2, 0x20, 0, 0x20, 0, 0, 0, 0, 0x20, 0, 0, 0]).unwrap();
    ((page[5], page[6]), u32::from_be_bytes(page[8..12].try_into().unwrap()))
}

#[test]
fn a_key_stays_over_an_unload_unless_the_host_wants_it_gone() {
    for (controls, after) in [(0, ((2, 3), 1)), (0x04, ((0, 0), 2))] {
        let library = loaded();
        let mut host = Host::new(&library, Device::Drive(0));
        assert!(set_key(&mut host, controls, 3).is_good());
        assert_eq!(encryption(&mut host), ((2, 3), 1));
        assert!(host.send(&[0x1B, 0, 0, 0, 0, 0]).is_good());
        assert!(host.send(&[0x1B, 0, 0, 0, 1, 0]).is_good());
        host.hear();
        assert_eq!(encryption(&mut host), after);
        library.reset(Device::Drive(0));
        host.hear();
        assert_eq!(encryption(&mut host), ((0, 0), 2));
    }
}

#[test]
fn a_drive_that_only_decrypts_refuses_clear_blocks() {
    let library = loaded();
    let mut host = Host::new(&library, Device::Drive(0));
    assert!(host.write(&block(b'a')).is_good());
    assert!(set_key(&mut host, 0, 2).is_good());
    assert_eq!(encryption(&mut host), ((2, 2), 1));
    assert!(host.write(&block(b'b')).is_good());
    host.locate(0);
    assert_eq!(host.read(&mut block(0)).triple(), (7, 0x74, 2));
    host.locate(1);
    let mut buffer = block(0);
    assert!(host.read(&mut buffer).is_good());
    assert_eq!(buffer, block(b'b'));
}
