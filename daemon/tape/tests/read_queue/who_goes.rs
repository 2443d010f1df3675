//! Readers that are killed or go: nothing of theirs stays, neither wishes nor pinned chunks nor the drive.

use std::time::Duration;

use reel_tape::DriveState;
use reel_types::Digest;

use crate::support::{CHUNK, Room, Setup, expect_chunk};
use crate::{LARGE_CACHE, digests, until_waiting};

#[test]
fn readers_that_go_while_they_wait_leave_no_wish_and_move_no_tape() {
    let setup = Setup::new(6);
    let reading = setup.reading(LARGE_CACHE);
    let writer = setup.hold("backup");
    let (first, second) = (reading.reader(), reading.reader());
    first.ahead(&digests(&setup)[..3]);
    let waiting: Vec<_> = digests(&setup)[2..].iter().map(|digest| second.chunk(*digest)).collect();
    until_waiting(&reading, 6);
    drop((waiting, first, second));
    drop(writer);
    let queue = reading.queue.clone().unwrap();
    while queue.waiting() > 0 {
        std::thread::yield_now();
    }
    drop(queue);
    reading.finish();
    assert_eq!(setup.drive.counted().bytes_read, 0);
}

#[test]
fn a_reader_that_is_dropped_in_the_middle_leaves_nothing_pinned() {
    let setup = Setup::new(8);
    // Room for four chunks in the cache, of which readers may have three ahead, and none in memory.
    let reading = setup.reading(Room { cache_bytes: 4 * (CHUNK as u64 + 1024), memory_bytes: 0 });
    let all = digests(&setup);
    let until_cached = |wanted: &[Digest]| {
        while !wanted.iter().all(|digest| reading.cache.contains(digest)) {
            std::thread::yield_now();
        }
    };
    // Were anything of one round still pinned, the chunks of the next would find no room and never be there.
    for round in [&all[..3], &all[3..6], &all[5..8], &all[..3]] {
        let reader = reading.reader();
        reader.ahead(round);
        let interrupted = reader.chunk(round[1]);
        until_cached(round);
        drop(interrupted);
        drop(reader);
    }
    assert!(reading.cache.used_bytes() <= reading.cache.limit_bytes());
}

#[test]
fn the_drive_is_given_back_when_nothing_more_comes() {
    let setup = Setup::new(2);
    let reading = setup.reading_with_linger(LARGE_CACHE, Duration::from_millis(1));
    let reader = reading.reader();
    expect_chunk(&*reader, &setup.chunks[0]);
    drop(reader);
    while setup.desk.activity().is_some() {
        std::thread::yield_now();
    }
    assert_eq!(setup.desk.state(), DriveState::Ready);
    assert!(setup.desk.loaded().is_some());
    // And had again for the next.
    expect_chunk(&*reading.reader(), &setup.chunks[1]);
}
