//! Sets of several media: who is served when, and copies of a chunk elsewhere.

use futures_util::FutureExt;
use reel_hw::memory::{MediumLimits, Operation};
use reel_hw::number::Capacity;
use reel_tape::set_contents::Target;

use crate::support::{Setup, block_on, expect_chunk, library_of};
use crate::{LARGE_CACHE, until_waiting};

const LABELS: [&str; 2] = ["A00001L8", "A00002L8"];

/// Media with room for five chunks or so.
fn small() -> MediumLimits {
    MediumLimits { early_warning: Capacity(22 << 20), end: Capacity(30 << 20) }
}

fn targets(setup: &Setup, chunk: usize) -> Vec<Target> {
    let digest = &setup.chunks[chunk].0;
    setup.contents().targets(&setup.env.places, &setup.store, digest).unwrap()
}

/// The chunks by the medium that they are read from.
fn by_medium(setup: &Setup) -> [Vec<usize>; 2] {
    LABELS.map(|label| {
        let is_on = |chunk: &usize| targets(setup, *chunk)[0].medium.label_text.as_str() == label;
        (0..setup.chunks.len()).filter(is_on).collect()
    })
}

#[test]
fn two_media_are_loaded_once_each() {
    let setup = Setup::on_media(8, small(), &LABELS, &["store1"]);
    let [first, second] = by_medium(&setup);
    assert!(first.len() >= 2 && second.len() >= 2, "{first:?} {second:?}");
    let reading = setup.reading(LARGE_CACHE);
    let writer = setup.hold("backup");
    let (one, other) = (reading.reader(), reading.reader());
    // Wanted by turns, served medium by medium.
    let wanted: Vec<_> = first
        .iter()
        .zip(second.iter().rev())
        .flat_map(|(on_first, on_second)| [(&one, *on_first), (&other, *on_second)])
        .map(|(reader, chunk)| (chunk, reader.chunk(setup.chunks[chunk].0)))
        .collect();
    until_waiting(&reading, wanted.len());
    let loads_before = setup.drive.library().calls(Operation::ChangerLoad);
    drop(writer);
    for (chunk, wanted) in wanted {
        assert!(block_on(wanted).unwrap().plain.unwrap() == setup.chunks[chunk].1.as_slice());
    }
    reading.finish();
    assert!(setup.drive.library().calls(Operation::ChangerLoad) - loads_before <= 2);
}

#[test]
fn a_reader_of_one_medium_does_not_wait_while_others_keep_reading_another() {
    let setup = Setup::on_media(8, small(), &LABELS, &["store1"]);
    let [first, second] = by_medium(&setup);
    // Nothing is kept, so each chunk that is wanted again is read again.
    let reading = setup.reading(0);
    let (busy, patient) = (reading.reader(), reading.reader());
    expect_chunk(&*busy, &setup.chunks[first[0]]);
    let mut wanted = patient.chunk(setup.chunks[second[0]].0);
    let mut rounds = first.iter().cycle();
    let served = loop {
        let again = setup.chunks[*rounds.next().unwrap()].0;
        assert!(block_on(busy.chunk(again)).is_ok());
        if let Some(served) = (&mut wanted).now_or_never() {
            break served;
        }
    };
    assert!(served.unwrap().plain.unwrap() == setup.chunks[second[0]].1.as_slice());
}

/// A chunk that is on both media, each time for another datastore, and its place on the first.
fn chunk_on_both(setup: &Setup) -> (usize, Target) {
    let on_both = |chunk: &usize| {
        let targets = targets(setup, *chunk);
        let labels: Vec<_> = targets.iter().map(|t| t.medium.label_text.as_str()).collect();
        labels.first() == Some(&LABELS[0]) && labels.contains(&LABELS[1])
    };
    let chunk = (0..setup.chunks.len()).find(on_both).unwrap();
    (chunk, targets(setup, chunk)[0].clone())
}

fn damage(setup: &Setup, target: &Target) {
    let object = target.place.unwrap().object().0 + 3;
    let change = |block: &mut Vec<u8>| block[1000] ^= 1;
    let tag = reel_hw::number::VolumeTag::new(target.medium.label_text.as_str()).unwrap();
    let library = setup.drive.library();
    let damaged =
        library.medium(&tag, |medium| medium.damage_block(reel_hw::BlockNumber(object), change));
    assert!(damaged.unwrap());
}

#[test]
fn a_damaged_chunk_is_read_from_its_copy_on_another_medium() {
    let setup = Setup::on_media(4, small(), &LABELS, &["store1", "store2"]);
    let (chunk, target) = chunk_on_both(&setup);
    damage(&setup, &target);
    let reading = setup.reading(LARGE_CACHE);
    expect_chunk(&*reading.reader(), &setup.chunks[chunk]);
    let told = reading.damage.all();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].digest, told[0].medium.as_str()), (setup.chunks[chunk].0, LABELS[0]));
}

#[test]
fn a_medium_that_its_library_lacks_is_replaced_by_one_in_another_library() {
    let setup = Setup::on_media(4, small(), &LABELS, &["store1", "store2"]);
    let (chunk, _) = chunk_on_both(&setup);
    let reading = setup.reading(LARGE_CACHE);
    // Said to be there, and it isn't.
    let other = library_of(&["B00001L8"], MediumLimits::NONE);
    reading.put_elsewhere(LABELS[0], setup.another_queue(other));
    let reader = reading.reader();
    expect_chunk(&*reader, &setup.chunks[chunk]);
    // What is on that medium alone fails as it should.
    let only = (0..4).find(|chunk| {
        targets(&setup, *chunk).iter().all(|target| target.medium.label_text.as_str() == LABELS[0])
    });
    if let Some(only) = only {
        let error = block_on(reader.chunk(setup.chunks[only].0)).unwrap_err();
        assert_eq!(error.errno(), nix::libc::ENOMEDIUM, "{error}");
    }
}

#[test]
fn which_of_two_drives_is_the_best_may_change_between_two_questions() {
    let setup = Setup::on_media(4, small(), &LABELS, &["store1", "store2"]);
    for chunk in 0..4 {
        let reading = setup.reading(LARGE_CACHE);
        let other = library_of(&["B00001L8"], MediumLimits::NONE);
        reading.put_beside(setup.another_queue(other));
        // What the other drive lacks may fail there; nobody waits for ever.
        let read = block_on(reading.reader().chunk(setup.chunks[chunk].0));
        assert!(read.is_ok_and(|read| read.plain.unwrap() == setup.chunks[chunk].1.as_slice()));
    }
}
