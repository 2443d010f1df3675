//! An archive whose places nobody knows, with damage in its middle: only what is really lost fails.

use reel_tape::places::Place;

use crate::support::{Setup, block_on, expect_chunk};
use crate::{LARGE_CACHE, damage_object, digests, place_of};

/// The chunks in the order of the archive, with their places, which are forgotten then.
fn in_order(setup: &Setup) -> Vec<(Place, usize)> {
    let mut places: Vec<_> =
        digests(setup).iter().zip(0..).map(|(digest, at)| (place_of(setup, digest), at)).collect();
    places.sort();
    setup.env.places.forget(setup.medium()).unwrap();
    places
}

/// Reads all chunks by one reader; those that `lost` names, and no others, must fail.
fn expect_all_but(setup: &Setup, order: &[(Place, usize)], lost: &[usize]) {
    let reading = setup.reading(LARGE_CACHE);
    let reader = reading.reader();
    for (position, chunk) in setup.chunks.iter().enumerate() {
        if !lost.contains(&position) {
            expect_chunk(&*reader, chunk);
            continue;
        }
        let error = block_on(reader.chunk(chunk.0)).unwrap_err();
        assert_eq!(error.errno(), nix::libc::EIO);
        let text = error.to_string();
        for part in [&chunk.0.to_string(), "A00001L8", "file 2"] {
            assert!(text.contains(part), "'{part}' is not in: {text}");
        }
    }
    reading.finish();
    // What lies behind the damage was learned.
    let last = &setup.chunks[order.last().unwrap().1].0;
    assert_eq!(place_of(setup, last), order.last().unwrap().0);
}

#[test]
fn a_block_inside_a_chunk_costs_that_chunk() {
    let setup = Setup::new(6);
    let order = in_order(&setup);
    damage_object(&setup, order[2].0.object().0 + 5, |block| block[..16].fill(0));
    expect_all_but(&setup, &order, &[order[2].1]);
}

#[test]
fn a_block_with_the_end_of_a_chunk_and_the_head_of_the_next_costs_both() {
    let setup = Setup::new(6);
    let order = in_order(&setup);
    damage_object(&setup, order[3].0.object().0, |block| block[..16].fill(0));
    expect_all_but(&setup, &order, &[order[2].1, order[3].1]);
}

#[test]
fn a_first_block_costs_the_first_chunk() {
    let setup = Setup::new(4);
    let order = in_order(&setup);
    damage_object(&setup, order[0].0.archive_start.0, |block| block[..16].fill(0));
    expect_all_but(&setup, &order, &[order[0].1]);
}

#[test]
fn a_length_that_is_too_short_too_long_or_impossible_costs_its_chunk() {
    // A byte of the length in the entry's header: magic, digest, then eight bytes, the lowest first.
    for (byte, flip) in [(1, 0x40), (2, 0x40), (2, 0x80), (7, 0x80)] {
        let setup = Setup::new(6);
        let order = in_order(&setup);
        let place = order[1].0;
        let at = 16 + place.byte as usize + 40 + byte;
        assert!(at < reel_hw::TAPE_BLOCK_SIZE);
        damage_object(&setup, place.object().0, |block| block[at] ^= flip);
        expect_all_but(&setup, &order, &[order[1].1]);
    }
}
