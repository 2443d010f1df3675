//! What a host of a given rate makes of an LTO-9 tape in simulated time: above the slowest speed of the tape it must
//! not stop for want of data, below it as often as the formula says (spec timing.md §4).

use std::sync::Arc;
use std::time::Duration;

use reel_emu::time::Column;
use reel_emu::{Device, Timing};
use reel_hw::lto::{LtoDrive, LtoOptions, ProtectionChoice};
use reel_hw::{Cancel, TapeDrive};

use crate::support::{BLOCK, library};

/// What hosts deliver, MB/s.
const RATES: [f64; 8] = [1000.0, 400.0, 300.0, 200.0, 178.0, 170.0, 100.0, 50.0];
/// What each of them writes, blocks: 52 GB.
const BLOCKS: u64 = 200_000;
/// Blocks of an archive, 4 GiB: a filemark that is not waited for ends it.
const ARCHIVE: u64 = 16_384;

/// Prints a table.
pub(crate) fn measure() {
    println!(
        "\n| host, MB/s | to tape, MB/s | expected | stops | for want of data | a TB | expected | \
         seen from the host |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
    );
    RATES.into_iter().for_each(write);
}

fn write(mb_s: f64) {
    let timing = Timing::simulated();
    let library = library(8, &timing);
    let clock = library.clock().unwrap().clone();
    let options = LtoOptions {
        protection: ProtectionChoice::Off,
        clock: Arc::new(clock.clone()),
        ..LtoOptions::default()
    };
    let transport = Box::new(library.transport(Device::Drive(0)));
    let mut drive = LtoDrive::open(transport, options, &Cancel::new()).unwrap();
    let (block, pause) = (vec![7; BLOCK], Duration::from_secs_f64(BLOCK as f64 / 1e6 / mb_s));
    let began_s = clock.now_s();
    for number in 1..=BLOCKS {
        clock.advance(pause);
        drive.write_block(&block).unwrap();
        if number % ARCHIVE == 0 {
            drive.write_filemarks(1, true).unwrap();
        }
    }
    let took_s = clock.now_s() - began_s;
    let counts = library.drive_counts(0).unwrap();
    let (figures, tb) = (Column::Lto9Full.figures(), BLOCKS as f64 * BLOCK as f64 / 1e12);
    let per_tb = figures.starving(mb_s).map_or(0.0, |starving| starving.stops_per_tb);
    println!(
        "| {mb_s:.0} | {:.1} | {:.1} | {} | {} | {:.0} | {per_tb:.0} | {} |",
        tb * 1e6 / took_s,
        figures.sustained_mb_s(mb_s),
        counts.stops,
        counts.underruns,
        counts.underruns as f64 / tb,
        drive.counters().underruns,
    );
}
