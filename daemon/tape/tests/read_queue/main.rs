//! Reading single chunks and snapshots' files back from tapes that the real backup, or PBS, wrote.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail their test")]

mod behind_damage;
mod early_warning;
mod pbs_tapes;
mod several_media;
mod support;
mod who_goes;

use std::sync::Arc;

use reel_hw::BlockNumber;
use reel_hw::memory::{FailurePattern, Operation};
use reel_store::source::{ChunkReader, ChunkSource};
use reel_store::view::{ChunkMemory, ImageView, ViewContext, ViewParts};
use reel_store::{CryptMode, Index};
use reel_tape::fetch::{FetchSummary, fetch};
use reel_tape::places::Place;
use reel_tape::plan::Planner;
use reel_tape::snapshot_files::SnapshotOnSet;
use reel_types::{ArchiveKind, ArchiveName, Digest, NoTask};

use support::{
    BLOCK, BLOCKS_OF_CHUNK, CHUNK, LABEL_BLOCKS, Reading, Setup, Threads, block_on, expect_chunk,
    snapshot,
};

const LARGE_CACHE: u64 = 1 << 30;

fn place_of(setup: &Setup, digest: &Digest) -> Place {
    let found = setup.env.places.find(setup.medium(), setup.set, digest).unwrap();
    assert_eq!(found.len(), 1);
    found[0]
}

fn damage_object(setup: &Setup, object: u64, change: impl FnOnce(&mut Vec<u8>)) {
    let library = setup.drive.library();
    let object = BlockNumber(object);
    assert!(library.medium(&setup.tag(), |medium| medium.damage_block(object, change)).unwrap());
}

fn digests(setup: &Setup) -> Vec<Digest> {
    setup.chunks.iter().map(|(digest, _)| *digest).collect()
}

/// Waits, while the test holds the drive, until so many chunks stand in the queue.
fn until_waiting(reading: &Reading, chunks: usize) {
    let queue = reading.queue.as_ref().unwrap();
    while queue.waiting() < chunks || !queue.desk().is_wanted() {
        std::thread::yield_now();
    }
}

#[test]
fn a_piece_reads_about_itself_and_a_second_time_nothing() {
    let setup = Setup::new(8);
    let contents = setup.contents();
    let reading = setup.reading(LARGE_CACHE);
    let wanted = &setup.chunks[5];
    let mut planner = Planner::default();
    let targets = contents.targets(&setup.env.places, &setup.store, &wanted.0).unwrap();
    planner.add(targets.first(), CHUNK as u64, false);
    let plan = planner.finish();
    expect_chunk(&*reading.reader(), wanted);
    expect_chunk(&*reading.reader(), wanted);
    reading.finish();
    let counted = setup.drive.counted();
    let announced = plan.media[0].bytes + LABEL_BLOCKS * BLOCK;
    assert!((counted.bytes_read..=counted.bytes_read + BLOCK).contains(&announced));
    assert!(counted.bytes_read <= (BLOCKS_OF_CHUNK + LABEL_BLOCKS) * BLOCK);
}

#[test]
fn readers_beside_each_other_wait_for_the_drive_and_share_one_pass() {
    let setup = Setup::new(10);
    let loads = || setup.drive.library().calls(Operation::ChangerLoad);
    let loads_before = loads();
    let reading = setup.reading(LARGE_CACHE);
    let writer = setup.hold("backup");
    let (forward, backward) = (reading.reader(), reading.reader());
    let wanted: Vec<_> = setup.chunks.iter().map(|(digest, _)| forward.chunk(*digest)).collect();
    let again: Vec<_> =
        setup.chunks.iter().rev().map(|(digest, _)| backward.chunk(*digest)).collect();
    until_waiting(&reading, 10);
    drop(writer);
    for ((wanted, again), position) in wanted.into_iter().zip(again).zip(0..) {
        let chunk = block_on(wanted).unwrap().plain.unwrap();
        assert!(chunk == setup.chunks[position].1.as_slice());
        let chunk = block_on(again).unwrap().plain.unwrap();
        assert!(chunk == setup.chunks[9 - position].1.as_slice());
    }
    reading.finish();
    let counted = setup.drive.counted();
    assert!(counted.bytes_read <= (10 * BLOCKS_OF_CHUNK + LABEL_BLOCKS) * BLOCK, "{counted:?}");
    assert!(counted.locates <= 1, "{counted:?}");
    assert_eq!(loads(), loads_before);
}

#[test]
fn pieces_of_a_chunk_that_are_wanted_at_a_time_share_one_check() {
    let setup = Setup::new(1);
    let reading = setup.reading(LARGE_CACHE);
    let reader = reading.reader();
    expect_chunk(&*reader, &setup.chunks[0]);
    let digest = setup.chunks[0].0;
    let (first, second) = (reader.chunk(digest), reader.chunk(digest));
    // Both at a time, or the second could take the memory of the first.
    let [first, second] = [first, second].map(|wanted| block_on(wanted).unwrap().plain.unwrap());
    assert_eq!(first.as_ptr(), second.as_ptr(), "the chunk was read from the cache twice");
}

#[test]
fn what_is_asked_ahead_is_read_in_one_pass_and_waits_in_the_cache() {
    let setup = Setup::new(10);
    let reading = setup.reading(LARGE_CACHE);
    let writer = setup.hold("backup");
    let (first, second) = (reading.reader(), reading.reader());
    first.ahead(&digests(&setup));
    second.ahead(&digests(&setup));
    until_waiting(&reading, 10);
    drop(writer);
    for (one, other) in setup.chunks.iter().zip(setup.chunks.iter().rev()) {
        expect_chunk(&*first, one);
        expect_chunk(&*second, other);
    }
    reading.finish();
    let counted = setup.drive.counted();
    assert!(counted.bytes_read <= (10 * BLOCKS_OF_CHUNK + LABEL_BLOCKS) * BLOCK, "{counted:?}");
    assert!(counted.locates <= 1, "{counted:?}");
}

#[test]
fn in_the_order_on_tape_chunks_come_through_memory() {
    let setup = Setup::new(10);
    let reading = setup.reading(LARGE_CACHE);
    let mut chunks: Vec<_> = setup.chunks.iter().collect();
    chunks
        .sort_by_key(|(digest, _)| (place_of(&setup, digest).block, place_of(&setup, digest).byte));
    let digests: Vec<Digest> = chunks.iter().map(|(digest, _)| *digest).collect();
    let reader = reading.reader();
    for (position, chunk) in chunks.iter().enumerate() {
        expect_chunk(&*reader, chunk);
        if position % 4 == 0 {
            reader.ahead(&digests[position + 1..]);
        }
        expect_chunk(&*reader, chunk);
    }
    let cached = reading.cache.used_bytes();
    // The drive may pass the next ones before anybody has said that they are wanted.
    let before_the_wish = 3 * (CHUNK as u64 + 1000);
    assert!(cached <= before_the_wish, "more than the first went over the cache: {cached}");
    drop(reader);
    reading.finish();
    let counted = setup.drive.counted();
    assert!(counted.bytes_read <= (12 * BLOCKS_OF_CHUNK + LABEL_BLOCKS) * BLOCK, "{counted:?}");
}

#[test]
fn a_damaged_chunk_fails_alone_and_is_named() {
    let setup = Setup::new(6);
    let bad_content = place_of(&setup, &setup.chunks[1].0);
    damage_object(&setup, bad_content.object().0 + 3, |block| block[1000] ^= 1);
    let bad_block = place_of(&setup, &setup.chunks[4].0);
    damage_object(&setup, bad_block.object().0 + 5, |block| block[..16].fill(0));
    let reading = setup.reading(LARGE_CACHE);
    let reader = reading.reader();
    reader.ahead(&digests(&setup));
    for (position, chunk) in setup.chunks.iter().enumerate() {
        let (place, reason) = match position {
            1 => (bad_content, "CRC"),
            4 => (bad_block, "magic"),
            _ => {
                expect_chunk(&*reader, chunk);
                continue;
            }
        };
        let error = block_on(reader.chunk(chunk.0)).unwrap_err();
        assert_eq!(error.errno(), nix::libc::EIO);
        let text = error.to_string();
        let digest = chunk.0.to_string();
        let at = format!("file {}, block {}", place.file, place.block);
        for part in [digest.as_str(), "A00001L8", &at, reason] {
            assert!(text.contains(part), "'{part}' is not in: {text}");
        }
    }
    let damaged = reading.damage.all();
    assert!(
        damaged
            .iter()
            .all(|damage| { [setup.chunks[1].0, setup.chunks[4].0].contains(&damage.digest) })
    );
    assert!(damaged.len() >= 2);
}

#[test]
fn any_cache_serves_a_file_larger_than_itself() {
    let setup = Setup::new(6);
    for cache_bytes in [0, CHUNK as u64 / 2, 2 * CHUNK as u64 + 1000] {
        let reading = setup.reading(cache_bytes);
        let reader = reading.reader();
        assert!(reader.ahead_bytes_max() <= cache_bytes);
        for (position, chunk) in setup.chunks.iter().enumerate() {
            reader.ahead(&digests(&setup)[position + 1..]);
            expect_chunk(&*reader, chunk);
        }
        assert!(reading.cache.used_bytes() <= cache_bytes);
    }
}

#[test]
fn a_medium_that_is_in_no_library_is_an_error_at_once() {
    let setup = Setup::new(1);
    let reading = setup.reading(LARGE_CACHE);
    reading.take_media_away();
    let _writer = setup.hold("backup");
    let error = block_on(reading.reader().chunk(setup.chunks[0].0)).unwrap_err();
    assert_eq!(error.errno(), nix::libc::ENOMEDIUM);
    let text = error.to_string();
    assert!(text.contains("A00001L8") && text.contains(&setup.chunks[0].0.to_string()), "{text}");
}

#[test]
fn a_chunk_that_no_catalog_names_is_an_error_at_once() {
    let setup = Setup::new(1);
    let reading = setup.reading(LARGE_CACHE);
    let error = block_on(reading.reader().chunk(Digest([7; 32]))).unwrap_err();
    assert_eq!(error.errno(), nix::libc::EIO);
    assert!(error.to_string().contains("no catalog names it"), "{error}");
}

#[test]
fn a_medium_that_can_not_be_read_at_all_fails_its_readers() {
    let setup = Setup::new(2);
    let gone = || reel_hw::Error::NoMedium { what: "read block" };
    setup.drive.library().fail_at(Operation::ReadBlock, FailurePattern::From(1), gone);
    let reading = setup.reading(LARGE_CACHE);
    let error = block_on(reading.reader().chunk(setup.chunks[0].0)).unwrap_err();
    assert_eq!(error.errno(), nix::libc::ENOMEDIUM, "{error}");
}

#[test]
fn what_a_reader_dropped_is_not_read() {
    let setup = Setup::new(8);
    let reading = setup.reading(LARGE_CACHE);
    let writer = setup.hold("backup");
    let dropped = reading.reader();
    dropped.ahead(&digests(&setup));
    let waiting: Vec<_> =
        setup.chunks[1..].iter().map(|(digest, _)| dropped.chunk(*digest)).collect();
    until_waiting(&reading, 8);
    drop((waiting, dropped));
    let reader = reading.reader();
    let wanted = reader.chunk(setup.chunks[0].0);
    drop(writer);
    assert!(block_on(wanted).unwrap().plain.unwrap() == setup.chunks[0].1.as_slice());
    reading.finish();
    let counted = setup.drive.counted();
    assert!(counted.bytes_read <= (BLOCKS_OF_CHUNK + 2 * LABEL_BLOCKS) * BLOCK, "{counted:?}");
}

#[test]
fn places_that_are_missing_are_learned_on_the_way() {
    let setup = Setup::new(6);
    let places: Vec<Place> =
        digests(&setup).iter().map(|digest| place_of(&setup, digest)).collect();
    let last = (0..6).max_by_key(|position| places[*position]).unwrap();
    setup.env.places.forget(setup.medium()).unwrap();
    let reading = setup.reading(0);
    expect_chunk(&*reading.reader(), &setup.chunks[last]);
    reading.finish();
    let first_time = setup.drive.counted().bytes_read;
    assert!(first_time > 5 * CHUNK as u64);
    for (position, digest) in digests(&setup).iter().enumerate() {
        assert_eq!(place_of(&setup, digest), places[position]);
    }
    let reading = setup.reading(0);
    expect_chunk(&*reading.reader(), &setup.chunks[last]);
    reading.finish();
    let second_time = setup.drive.counted().bytes_read - first_time;
    assert!(second_time <= (BLOCKS_OF_CHUNK + LABEL_BLOCKS) * BLOCK, "{second_time}");
}

#[test]
fn a_wrong_place_is_only_a_detour() {
    let setup = Setup::new(3);
    let places: Vec<Place> =
        digests(&setup).iter().map(|digest| place_of(&setup, digest)).collect();
    setup.env.places.forget(setup.medium()).unwrap();
    let mut learner = setup.env.places.learn(setup.medium(), setup.set).unwrap();
    learner.begin_archive(places[0].file, places[0].archive_start);
    learner.chunk(&setup.chunks[0].0, 12_345);
    let offset = u64::from(places[2].block) * reel_hw::TAPE_BLOCK_PAYLOAD_SIZE as u64;
    learner.chunk(&setup.chunks[1].0, offset + u64::from(places[2].byte));
    learner.end_archive().unwrap();
    setup.env.places.store(&mut learner).unwrap();
    let reading = setup.reading(LARGE_CACHE);
    for chunk in &setup.chunks {
        expect_chunk(&*reading.reader(), chunk);
    }
    assert!(reading.damage.all().is_empty());
}

#[test]
fn a_set_without_catalogs_reads_by_our_own_index() {
    let setup = Setup::new(2);
    std::fs::remove_file(setup.env.state.catalog(setup.medium())).unwrap();
    let contents = setup.contents();
    assert!(contents.members()[0].problem().is_some());
    let reading = Reading::new(&setup, &setup.env, contents, LARGE_CACHE);
    setup.chunks.iter().for_each(|chunk| expect_chunk(&*reading.reader(), chunk));
}

#[test]
fn a_dropped_queue_fails_its_waiters() {
    let setup = Setup::new(1);
    let reading = setup.reading(LARGE_CACHE);
    let writer = setup.hold("backup");
    let reader = reading.reader();
    let wanted = reader.chunk(setup.chunks[0].0);
    until_waiting(&reading, 1);
    reading.finish();
    assert_eq!(block_on(wanted).unwrap_err().errno(), nix::libc::ECANCELED);
    drop(writer);
}

#[test]
fn snapshots_are_fetched_once() {
    let setup = Setup::new(1);
    let on_set = SnapshotOnSet { set: setup.set, store: setup.store.clone(), path: snapshot() };
    let name: ArchiveName = "disk.img.fidx".parse().unwrap();
    let before = std::fs::read(setup.env.snapshots.get(&on_set).unwrap().path(&name)).unwrap();
    setup.env.snapshots.forget(setup.set).unwrap();
    let mut hold = setup.hold("fetch");
    let mut run = || fetch(&setup.env, &mut hold, &setup.contents(), |_| true, &NoTask::default());
    assert_eq!(run().unwrap(), FetchSummary { fetched: 1, present: 0 });
    assert_eq!(run().unwrap(), FetchSummary { fetched: 0, present: 1 });
    let after = std::fs::read(setup.env.snapshots.get(&on_set).unwrap().path(&name)).unwrap();
    assert!(before == after);
}

#[test]
fn a_damaged_snapshot_archive_leaves_the_fetch_unfinished() {
    let setup = Setup::new(1);
    setup.env.snapshots.forget(setup.set).unwrap();
    // Both labels, the chunk archive, and the filemark behind each.
    let place = place_of(&setup, &setup.chunks[0].0);
    let blocks = (48 + 23 + 48 + 12 + CHUNK as u64) / reel_hw::TAPE_BLOCK_PAYLOAD_SIZE as u64 + 1;
    damage_object(&setup, place.archive_start.0 + blocks + 1, |block| block[80..].fill(0));
    let mut hold = setup.hold("fetch");
    let contents = setup.contents();
    let error = fetch(&setup.env, &mut hold, &contents, |_| true, &NoTask::default()).unwrap_err();
    assert!(matches!(error, reel_tape::Error::Unfinished(_)), "{error}");
    let on_set = SnapshotOnSet { set: setup.set, store: setup.store.clone(), path: snapshot() };
    assert!(setup.env.snapshots.get(&on_set).is_none());
}

#[test]
fn an_image_reads_through_its_view_in_few_passes() {
    let setup = Setup::new(12);
    let on_set = SnapshotOnSet { set: setup.set, store: setup.store.clone(), path: snapshot() };
    let file = setup.env.snapshots.get(&on_set).unwrap();
    let file = file.open(&"disk.img.fidx".parse().unwrap()).unwrap();
    let reading = setup.reading(LARGE_CACHE);
    let parts = ViewParts {
        what: "disk.img".into(),
        index: Arc::new(Index::open(ArchiveKind::Fixed, file).unwrap()),
        crypt_mode: CryptMode::None,
        crypt: None,
        reader: reading.reader(),
    };
    let (memory, blocking) = (ChunkMemory::new(2 * CHUNK), Arc::new(Threads));
    let context = ViewContext { memory, blocking, ahead_chunks: 2 };
    let view = ImageView::open(parts, &context).unwrap();
    for (position, (_, data)) in setup.chunks.iter().enumerate() {
        let offset = (position * CHUNK) as u64;
        assert!(block_on(view.read(offset, CHUNK)).unwrap() == data.as_slice());
    }
    drop(view);
    reading.finish();
    let counted = setup.drive.counted();
    // Gaps of one chunk are read over, also where that chunk turns out to be the next one asked for.
    assert!(counted.bytes_read <= 2 * 12 * BLOCKS_OF_CHUNK * BLOCK, "{counted:?}");
    assert!(counted.locates <= 12, "{counted:?}");
}

#[test]
fn a_source_and_its_readers_may_go_in_any_order() {
    let setup = Setup::new(1);
    let reading = setup.reading(LARGE_CACHE);
    let reader: Arc<dyn ChunkReader> = reading.source.reader();
    let wanted = reader.chunk(setup.chunks[0].0);
    drop(reader);
    assert!(block_on(wanted).is_ok());
}
