//! Blocks of a fixed length: a command that ends early says how many it did not transfer.

use reel_emu::cartridge::Cartridge;
use reel_emu::time::{BadSpot, BadSpots, SpotReading};
use reel_emu::{Device, EmulatedLibrary, Generation, Maker};
use reel_hw::BlockNumber;
use reel_hw::scsi::Sense;
use reel_hw::transport::{Data, Reply, Status};

use crate::support::{Host, cartridge, library, model};

const BLOCK: usize = 256 << 10;

/// A drive in fixed mode.
fn fixed(cartridge: Cartridge) -> (EmulatedLibrary, Host) {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    library.insert(0, cartridge);
    let mut host = Host::new(&library, Device::Drive(0));
    let parameters = [0, 0, 0x10, 8, 0, 0, 0, 0, 0, 4, 0, 0];
    assert!(host.put(&[0x15, 0x10, 0, 0, 12, 0], &parameters).is_good());
    (library, host)
}

fn sense(reply: &Reply) -> Sense {
    assert_eq!(reply.status, Status::CheckCondition);
    Sense::decode(&reply.sense).unwrap()
}

/// Key, code and qualifier, how many blocks were not read, and how many bytes came.
fn read(host: &mut Host, count: u8) -> ((u8, u8, u8), Option<i64>, usize) {
    let mut buffer = vec![0; usize::from(count) * BLOCK];
    let reply = host.reply(&[0x08, 1, 0, 0, count, 0], Data::In(&mut buffer));
    if reply.status == Status::Good {
        return ((0, 0, 0), None, reply.transferred);
    }
    let sense = sense(&reply);
    ((sense.key as u8, sense.asc, sense.ascq), sense.information, reply.transferred)
}

#[test]
fn what_was_read_before_something_else_came_is_handed_over() {
    let mut tape = cartridge("TEST01L8", Generation::Lto8, 1 << 30);
    tape.spots = Some(BadSpots::new(vec![BadSpot {
        first: BlockNumber(6),
        objects: 1,
        speed_share: 0.5,
        room_per_object: 1.0,
        reading: SpotReading::Unreadable,
    }]));
    let (_library, mut host) = fixed(tape);
    assert!(host.put(&[0x0A, 1, 0, 0, 3, 0], &vec![7; 3 * BLOCK]).is_good());
    assert!(host.send(&[0x10, 0, 0, 0, 1, 0]).is_good());
    assert!(host.put(&[0x0A, 1, 0, 0, 2, 0], &vec![7; 2 * BLOCK]).is_good());
    host.send(&[1, 0, 0, 0, 0, 0]);
    assert_eq!(read(&mut host, 1), ((0, 0, 0), None, BLOCK));
    assert_eq!(read(&mut host, 5), ((0, 0, 1), Some(3), 2 * BLOCK), "a filemark");
    assert_eq!(read(&mut host, 4), ((8, 0, 5), Some(2), 2 * BLOCK), "end of data");
    assert_eq!(read(&mut host, 4), ((8, 0, 5), Some(4), 0));
    assert!(host.put(&[0x0A, 1, 0, 0, 2, 0], &vec![7; 2 * BLOCK]).is_good());
    host.locate(4);
    assert_eq!(read(&mut host, 4), ((3, 0x11, 0), Some(2), 2 * BLOCK), "a bad spot");
    let alerts = reel_hw::scsi::log::decode_alert_response(&host.log(0x12)).unwrap();
    assert_eq!(alerts.to_string(), "HARD_ERROR | READ_FAILURE");
}

#[test]
fn what_did_not_fit_is_told() {
    let (_library, mut host) = fixed(cartridge("TEST01L8", Generation::Lto8, 5 * BLOCK as u64));
    let reply = host.reply(&[0x0A, 1, 0, 0, 8, 0], Data::Out(&vec![7; 8 * BLOCK]));
    let sense = sense(&reply);
    assert_eq!((sense.key as u8, sense.asc, sense.ascq), (0x0D, 0, 2));
    let written = host.position();
    assert!(written > 0, "some did");
    assert_eq!(sense.information, Some(8 - written as i64));
    let reply = host.reply(&[0x0A, 0, 4, 0, 0, 0], Data::Out(&vec![7; BLOCK]));
    assert_eq!(self::sense(&reply).information, Some(BLOCK as i64));
}
