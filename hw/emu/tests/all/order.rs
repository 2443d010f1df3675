//! Recommended access order and the ends of wraps (spec scsi.md §19).

use reel_emu::{Device, DriveModel, EmulatedLibrary, Generation, Maker};
use reel_hw::scsi::access_order::{
    AccessOrderLimits, AccessOrderList, AccessOrderRequest, AccessSegment, WrapEnds,
};

use crate::support::{Host, library, model, recorded};

const LIMITS: [u8; 12] = [0xA3, 0x9D, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0];

fn loaded(model: DriveModel, blocks: u64) -> (EmulatedLibrary, Host) {
    let generation = model.generation;
    let library = library(model);
    library.insert(0, recorded(generation, blocks));
    let host = Host::new(&library, Device::Drive(0));
    (library, host)
}

fn generate(host: &mut Host, process: u8, bytes: &[u8]) -> (u8, u8, u8) {
    let [a, b, c, d] = (bytes.len() as u32).to_be_bytes();
    host.put(&[0xA4, 0x1D, process, 0, 0, 0, a, b, c, d, 0, 0], bytes).triple()
}

fn receive(host: &mut Host) -> Result<AccessOrderList, (u8, u8, u8)> {
    let bytes = host.ask(&[0xA3, 0x1D, 0, 0, 0, 0, 0, 0, 0xFF, 0, 0, 0])?;
    Ok(AccessOrderList::decode(&bytes).unwrap())
}

fn request(places: &[(u64, u64)]) -> AccessOrderRequest {
    let numbered = places.iter().enumerate();
    let segment = |(number, (first, last)): (usize, &(u64, u64))| {
        AccessSegment::numbered(number, *first, *last)
    };
    AccessOrderRequest { segments: numbered.map(segment).collect() }
}

#[test]
fn a_drive_orders_by_what_its_locates_cost() {
    let (_library, mut host) = loaded(model(Maker::Ibm, Generation::Lto9), 2_000_000);
    let limits = AccessOrderLimits::decode(&host.ask(&LIMITS).unwrap()).unwrap();
    assert_eq!((limits.segments_max, limits.descriptor_bytes_max), (2700, 32));
    let sent = request(&[(1_900_000, 1_900_063), (10, 73), (490_000, 490_063), (500, 563)]);
    assert_eq!(generate(&mut host, 2, &sent.encode()), (0, 0, 0));
    let list = receive(&mut host).unwrap();
    assert_eq!(list.process, 2);
    let order = list.order_of(&sent.segments).unwrap();
    assert_eq!(order[..2], [1, 3], "{order:?}");
    assert_eq!(generate(&mut host, 1, &sent.encode()), (0, 0, 0));
    assert_eq!(receive(&mut host).unwrap().order_of(&sent.segments).unwrap(), [0, 1, 2, 3]);
}

#[test]
fn a_long_list_can_be_read_in_parts() {
    let (_library, mut host) = loaded(model(Maker::Ibm, Generation::Lto9), 1000);
    generate(&mut host, 2, &request(&[(1, 2), (3, 4)]).encode());
    let whole = host.ask(&[0xA3, 0x1D, 0, 0, 0, 0, 0, 0, 0xFF, 0, 0, 0]).unwrap();
    let head = host.ask(&[0xA3, 0x1D, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0]).unwrap();
    let tail = host.ask(&[0xA3, 0x1D, 0, 0, 0, 40, 0, 0, 0xFF, 0, 0, 0]).unwrap();
    assert_eq!([head, tail].concat(), whole);
    let odd = host.ask(&[0xA3, 0x1D, 0, 0, 0, 3, 0, 0, 0xFF, 0, 0, 0]);
    assert_eq!(odd, Err((5, 0x24, 0)));
}

#[test]
fn lists_that_make_no_sense_are_refused() {
    let (_library, mut host) = loaded(model(Maker::Ibm, Generation::Lto9), 3000);
    let good = request(&[(1, 2), (3, 4)]);
    let mut cut = good.encode();
    cut.truncate(50);
    assert_eq!(generate(&mut host, 2, &cut), (5, 0x26, 0));
    assert_eq!(generate(&mut host, 2, &[0; 4]), (5, 0x1A, 0));
    let unwritten = request(&[(2990, 3000)]);
    assert_eq!(generate(&mut host, 2, &unwritten.encode()), (5, 0x26, 0));
    let many: Vec<_> = (0..2701).map(|n| (n, n)).collect();
    assert_eq!(generate(&mut host, 2, &request(&many).encode()), (5, 0x26, 0));
    assert_eq!(generate(&mut host, 2, &request(&many[1..]).encode()), (0, 0, 0));
    assert_eq!(generate(&mut host, 3, &good.encode()), (5, 0x24, 0));
}

#[test]
fn a_list_is_lost_with_unload_reset_and_the_next_one() {
    let (library, mut host) = loaded(model(Maker::Ibm, Generation::Lto9), 1000);
    let list = request(&[(1, 2), (3, 4)]).encode();
    assert_eq!(receive(&mut host), Err((5, 0x2C, 0)));
    let losses: [&dyn Fn(&mut Host); 3] = [
        &|host| assert_eq!(generate(host, 2, &[]), (0, 0, 0)),
        &|host| {
            host.send(&[0x1B, 0, 0, 0, 0, 0]);
            host.send(&[0x1B, 0, 0, 0, 1, 0]);
        },
        &|host| {
            library.reset(Device::Drive(0));
            host.hear();
        },
    ];
    for lose in losses {
        assert_eq!(generate(&mut host, 2, &list), (0, 0, 0));
        assert!(receive(&mut host).is_ok());
        lose(&mut host);
        assert_eq!(receive(&mut host), Err((5, 0x2C, 0)));
    }
    host.send(&[0x1B, 0, 0, 0, 0, 0]);
    assert_eq!(generate(&mut host, 2, &list), (2, 0x04, 0x02));
}

#[test]
fn other_drives_know_neither() {
    let half = DriveModel { full_height: false, ..model(Maker::Ibm, Generation::Lto9) };
    for model in [half, model(Maker::Ibm, Generation::Lto8)] {
        let (_library, mut host) = loaded(model, 10);
        assert_eq!(host.ask(&LIMITS), Err((5, 0x20, 0)));
        assert_eq!(generate(&mut host, 2, &request(&[(1, 2)]).encode()), (5, 0x20, 0));
    }
    for model in [model(Maker::Hp, Generation::Lto8), model(Maker::Ibm, Generation::Lto6)] {
        let (_library, mut host) = loaded(model, 10);
        let all = host.ask(&[0xA3, 0x1F, 0x45, 2, 0, 0, 0, 0, 0x20, 0, 0, 0]);
        assert_eq!(all, Err((5, 0x20, 0)));
    }
}

#[test]
fn wraps_are_told_as_far_as_data_go() {
    let (_library, mut host) = loaded(model(Maker::Ibm, Generation::Lto8), 500_000);
    let answer = host.ask(&[0xA3, 0x1F, 0x45, 2, 0, 0, 0, 0, 0x20, 0, 0, 0]).unwrap();
    let ends: Vec<_> =
        WrapEnds::decode(&answer).unwrap().wraps.iter().map(|end| end.object).collect();
    assert_eq!(ends, [220_078, 440_157, 500_000]);
    let single = |host: &mut Host, flags, wrap| {
        host.ask(&[0xA3, 0x1F, 0x45, flags, 0, wrap, 0, 0, 0, 64, 0, 0])
            .map(|bytes| WrapEnds::decode_single(&bytes).unwrap())
    };
    assert_eq!(single(&mut host, 1, 1), Ok(440_157));
    assert_eq!(single(&mut host, 1, 3), Err((5, 0x24, 0)));
    assert_eq!(single(&mut host, 3, 1), Err((5, 0x24, 0)));
    host.locate(450_000);
    assert_eq!(single(&mut host, 0, 0), Ok(500_000));
    let sense = host.ask(&[0x03, 0, 0, 0, 0xFC, 0]).unwrap();
    assert_eq!((sense.len(), sense[7], sense[29]), (96, 88, 2));
}
