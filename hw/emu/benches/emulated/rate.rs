//! How quickly blocks go with their CRCs through the driver and the emulated drive on one core, beside what nobody can
//! save: to copy each block once, and to compute its CRC on either side of the transport.

use std::hint::black_box;
use std::time::{Duration, Instant};

use reel_emu::{Device, Timing};
use reel_hw::lto::{LtoDrive, LtoOptions, ProtectionChoice};
use reel_hw::scsi::protection::crc32c;
use reel_hw::{Cancel, ReadOutcome, TapeDrive, WriteOutcome};

use crate::support::{BLOCK, library};

/// So many blocks, one behind the other, are more than caches hold.
const BLOCKS: usize = 512;
/// How often all of them go in a round.
const PASSES: usize = 8;
const ROUNDS: usize = 5;
/// What one core has to do, MB/s.
const GOAL_MB_S: f64 = 1500.0;

/// Measures limits, writing and reading in turns; the best of each counts.
pub(crate) fn measure() {
    let content: Vec<u8> = (0..BLOCKS * BLOCK).map(|place| ((place * 31) >> 7) as u8).collect();
    let (mut drive, mut buffer) = (open(), vec![0; BLOCK]);
    let mut best = [Duration::MAX; 5];
    for _ in 0..ROUNDS {
        let took = [
            passes(&content, |block| copy(block, &mut buffer)),
            passes(&content, check),
            passes(&content, |block| {
                copy(block, &mut buffer);
                check(&buffer);
                check(&buffer);
            }),
            write(&mut drive, &content),
            read(&mut drive, &content, &mut buffer),
        ];
        best = std::array::from_fn(|place| best[place].min(took[place]));
    }
    let [copying, checking, limit, writing, reading] = best;
    println!(
        "limits: {:.0} MB/s to copy the blocks, {:.0} MB/s for one CRC of each",
        mb_s(copying),
        mb_s(checking)
    );
    for (what, took) in [("write", writing), ("read", reading)] {
        println!(
            "{what}: {:.0} MB/s (goal {GOAL_MB_S:.0}), limit (a copy and two CRCs): {:.0} MB/s, ratio {:.2}",
            mb_s(took),
            mb_s(limit),
            limit.as_secs_f64() / took.as_secs_f64()
        );
    }
}

fn open() -> LtoDrive {
    let library = library(8, &Timing::none());
    let options = LtoOptions { protection: ProtectionChoice::On, ..LtoOptions::default() };
    let transport = Box::new(library.transport(Device::Drive(0)));
    LtoDrive::open(transport, options, &Cancel::new()).unwrap()
}

fn write(drive: &mut LtoDrive, content: &[u8]) -> Duration {
    drive.rewind().unwrap();
    passes(content, |block| assert_eq!(drive.write_block(block).unwrap(), WriteOutcome::Ok))
}

fn read(drive: &mut LtoDrive, content: &[u8], buffer: &mut [u8]) -> Duration {
    drive.rewind().unwrap();
    passes(content, |_| {
        assert_eq!(drive.read_block(buffer).unwrap(), ReadOutcome::Block(BLOCK));
    })
}

fn copy(block: &[u8], buffer: &mut [u8]) {
    buffer.copy_from_slice(block);
    black_box(buffer);
}

fn check(block: &[u8]) {
    black_box(crc32c(block));
}

fn passes(content: &[u8], mut each: impl FnMut(&[u8])) -> Duration {
    let started = Instant::now();
    for _ in 0..PASSES {
        content.chunks(BLOCK).for_each(&mut each);
    }
    started.elapsed()
}

fn mb_s(took: Duration) -> f64 {
    (PASSES * BLOCKS * BLOCK) as f64 / 1e6 / took.as_secs_f64()
}
