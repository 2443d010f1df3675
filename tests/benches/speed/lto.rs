//! Backup to an LTO-9 drive of an emulated library whose devices take as long as real ones: whether the tape streams.

use std::fs;
use std::path::Path;

use crate::support::{Options, incompressible};
use reel_emu::{CartridgeFacts, EmulatedLibrary, Generation, LibraryShape, Maker};
use reel_hw::VolumeTag;
use reel_tests::{Home, emulated};

/// What can be measured here.
pub(crate) const NAMES: [&str; 1] = ["lto9"];

/// The slowest speed at which an LTO-9 tape runs (spec timing.md §4).
const FLOOR_MB_S: f64 = 177.0;

/// Room on the medium, bytes: a smaller one would have shorter wraps, and turn more often than a real one.
const CAPACITY: u64 = 18_000_000_000_000;

/// Measures it.
pub(crate) fn measure(options: &Options) {
    let home = Home::below(&options.folder);
    make_library(&home.join("library"));
    incompressible(&home.join("disk.img"), options.size, 1);
    let daemon = home.start();
    let path = emulated::path(&home);
    daemon.ctl(&format!("changer create lib --path {path}"));
    daemon.ctl(&format!("drive create lto9 --path {path} --changer lib"));
    daemon.ctl(&format!("datastore create store1 {}", home.join("store1").display()));
    daemon.ctl(&format!(
        "snapshot create store1 vm/100 disk.img={} --time 2026-01-10T08:00:00Z",
        home.join("disk.img").display()
    ));
    fs::remove_file(home.join("disk.img")).unwrap();
    daemon.ctl("pool create lto");
    daemon.ctl("load-media BENCH1L9");
    daemon.ctl("label --label-text BENCH1L9 --pool lto");
    let log = daemon.ctl("backup store1 lto");
    let underruns = daemon.cat("drives/lto9/underruns");
    let rate = rate_of(&log);
    println!(
        "lto9: backup in the time of the drive: the tape had to stop {} times (goal 0); {rate:.0} MB/s with flushes and \
         waits for the medium, slowest tape {FLOOR_MB_S} MB/s, ratio {:.2}",
        underruns.trim(),
        rate / FLOOR_MB_S
    );
}

/// A library with one drive in real time, and one medium that was in a drive before.
fn make_library(folder: &Path) {
    let shape = LibraryShape {
        quickened: Some(1),
        ..LibraryShape::unique(1, Maker::Ibm, Generation::Lto9)
    };
    let tag = VolumeTag::new("BENCH1L9").unwrap();
    let medium = CartridgeFacts::labelled(&tag, Generation::Lto9, CAPACITY);
    EmulatedLibrary::create_with_media(folder, &shape, &[medium]).unwrap();
}

/// The fastest of the rates that the task tells, in MB/s.
fn rate_of(log: &str) -> f64 {
    let rates = log.lines().filter(|line| line.starts_with("wrote ")).filter_map(|line| {
        let (_, rate) = line.split_once(" MB at ")?;
        rate.split_once(" MB/s")?.0.parse().ok()
    });
    rates.fold(0.0, f64::max)
}
