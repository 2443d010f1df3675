//! What the benches share: their options, their data, the caches of the kernel, and a ratio for each line.
//!
//! A figure alone says more about the machine than about reelfs, so each measurement runs beside its limit, in
//! turns: in each round first the limit, then what is measured, and the best of each counts.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use reel_tests::run;

/// How often the memory of a daemon is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What the command line asks for.
pub(crate) struct Options {
    /// Bytes of content.
    pub(crate) size: u64,
    /// How often each is measured.
    pub(crate) rounds: u32,
    /// Only measurements whose name has this in it.
    pub(crate) only: String,
    /// Where everything is made: on the file system that is measured.
    pub(crate) folder: PathBuf,
}

impl Options {
    /// Reads `--size 2GiB --rounds 3 --only NAME --folder PATH`; whatever else `cargo bench` passes is left alone.
    pub(crate) fn from_command_line() -> Self {
        let folder = std::env::temp_dir();
        let mut options = Self { size: 2 << 30, rounds: 3, only: String::new(), folder };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
            match argument.as_str() {
                "--size" => options.size = bytes(&value()),
                "--rounds" => options.rounds = value().parse().expect("--rounds takes a number"),
                "--only" => options.only = value(),
                "--folder" => options.folder = value().into(),
                _ => {}
            }
        }
        options
    }

    /// Whether a measurement is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }

    /// Measures with cold caches, where this process may drop them, and with warm ones; prints a line for each.
    /// `prepare` runs before each round and doesn't count.
    pub(crate) fn compare(
        &self,
        what: &Comparison<'_>,
        mut prepare: impl FnMut(),
        mut limit: impl FnMut(),
        mut measured: impl FnMut(),
    ) {
        if !self.wants(what.name) {
            return;
        }
        for cold in [true, false] {
            let (mut best_limit, mut best) = (Duration::MAX, Duration::MAX);
            for _ in 0..self.rounds {
                prepare();
                let Some(time) = timed(cold, &mut limit) else { break };
                best_limit = best_limit.min(time);
                let Some(time) = timed(cold, &mut measured) else { break };
                best = best.min(time);
            }
            if best < Duration::MAX {
                what.print(if cold { "cold" } else { "warm" }, best, best_limit);
            }
        }
    }
}

/// How long `work` takes; none where the caches can't be dropped.
fn timed(cold: bool, work: &mut impl FnMut()) -> Option<Duration> {
    if cold && !drop_caches() {
        return None;
    }
    let started = Instant::now();
    work();
    Some(started.elapsed())
}

/// A measurement and what it stands beside.
pub(crate) struct Comparison<'a> {
    /// What is measured.
    pub(crate) name: &'a str,
    /// What does the limit.
    pub(crate) limit: &'a str,
    /// The ratio that is wanted.
    pub(crate) goal: f64,
    /// Bytes that both move.
    pub(crate) bytes: u64,
}

impl Comparison<'_> {
    fn print(&self, caches: &str, took: Duration, limit: Duration) {
        let Self { name, limit: beside, goal, bytes } = self;
        let rate = |took: Duration| *bytes as f64 / f64::from(1 << 20) / took.as_secs_f64();
        let ratio = limit.as_secs_f64() / took.as_secs_f64();
        println!(
            "{name} ({caches}): {:.0} MiB/s, limit ({beside}): {:.0} MiB/s, ratio {ratio:.2} (goal {goal:.2})",
            rate(took),
            rate(limit)
        );
    }
}

/// The bytes of a size such as `2GiB`, `512 MiB` or `1000`.
fn bytes(text: &str) -> u64 {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let unit = text.get(digits.len()..).unwrap_or_default().trim();
    let factor: u64 = match unit {
        "" => 1,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        _ => panic!("--size {text}: give it in MiB or GiB"),
    };
    digits.parse::<u64>().expect("--size takes a number and a unit") * factor
}

/// Empties the kernel's caches of files; false where this process may not.
pub(crate) fn drop_caches() -> bool {
    nix::unistd::sync();
    fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

/// Makes a file of `size` bytes that no compression makes smaller, the same for the same seed.
pub(crate) fn incompressible(path: &Path, size: u64, seed: u64) {
    let mut file = BufWriter::with_capacity(
        1 << 20,
        File::create(path).expect("create a file of random bytes"),
    );
    let mut state = seed;
    for _ in 0..size / 8 {
        file.write_all(&split_mix(&mut state).to_le_bytes()).expect("write random bytes");
    }
    file.into_inner().expect("write random bytes").sync_all().expect("flush random bytes");
}

/// The next number of a splitmix64 generator.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Runs a line of shell in `folder`; it must succeed.
pub(crate) fn shell(folder: &Path, line: &str) {
    run(Command::new("sh").arg("-ec").arg(line).current_dir(folder));
}

/// Bytes of all files below `folder`.
pub(crate) fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("list {folder:?}: {error}"));
    entries
        .map(|entry| {
            let entry = entry.expect("an entry");
            let metadata = entry.metadata().expect("an entry's metadata");
            if metadata.is_dir() { bytes_below(&entry.path()) } else { metadata.len() }
        })
        .sum()
}

/// Watches the memory that a process has for itself (`RssAnon`), for its peak.
pub(crate) struct PeakMemory {
    peak: Arc<AtomicU64>,
    done: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl PeakMemory {
    /// Watches process `pid`.
    pub(crate) fn of(pid: u32) -> Self {
        let (peak, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (seen, stop) = (Arc::clone(&peak), Arc::clone(&done));
        let watcher = std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                seen.fetch_max(anonymous_memory(pid).unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(LOOK);
            }
        });
        Self { peak, done, watcher: Some(watcher) }
    }

    /// The peak so far, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}

impl Drop for PeakMemory {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}

fn anonymous_memory(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib: u64 = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0);
    Ok(kib << 10)
}

/// Prints the peak of a daemon's memory beyond what its options give it for chunks.
pub(crate) fn print_memory(during: &str, peak: u64) {
    let beyond = (peak >> 20).saturating_sub(96);
    println!(
        "RssAnon of reeld, {during}: {beyond} MiB beyond its 96 MiB of chunk memory (goal below 256 MiB)"
    );
}
