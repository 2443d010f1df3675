//! Every fuzz body over its seeds and over mutations of them, on stable Rust and from a fixed seed, so that
//! each test run fuzzes a little and always the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

type Body = fn(&[u8]);

macro_rules! bodies {
    ($($name:ident: $path:path),+ $(,)?) => {
        &[$((stringify!($name), stringify!($path), $path as Body)),+]
    };
}

/// Target, path of its body, body.
const BODIES: &[(&str, &str, Body)] = bodies! {
    blob: reel_store::fuzz::blob,
    fixed_index: reel_store::fuzz::fixed_index,
    dynamic_index: reel_store::fuzz::dynamic_index,
    manifest: reel_store::fuzz::manifest,
    key_file: reel_store::fuzz::key_file,
    labels: reel_tape::fuzz::fuzz_labels,
    chunk_archive: reel_tape::fuzz::fuzz_chunk_archive,
    snapshot_archive: reel_tape::fuzz::fuzz_snapshot_archive,
    catalog: reel_tape::fuzz::fuzz_catalog,
    inventory: reel_tape::fuzz::fuzz_inventory,
    time_span: reel_types::fuzz::time_span,
    calendar_event: reel_types::fuzz::calendar_event,
    byte_size: reel_types::fuzz::byte_size,
    upid: reel_types::fuzz::upid,
    property_string: reel_types::fuzz::property_string,
    group_filter: reel_types::fuzz::group_filter,
    ctl_line: reel_types::commands::fuzz::ctl_line,
    arguments: reel_types::commands::fuzz::arguments,
    section_file: reel_config::fuzz::section_file,
    acl: reel_config::fuzz::acl,
    key_files: reel_config::fuzz::key_files,
    block_stream: reel_hw::fuzz::fuzz_block_stream,
    content_header: reel_hw::fuzz::fuzz_content_header,
    scsi_data: reel_hw::fuzz::fuzz_scsi,
    run_file: reel_index::fuzz::run_file,
    request: reel_remote::serve::fuzz::request,
};

/// Mutations for each body; those that move whole blocks of a medium cost milliseconds each.
const MUTATIONS: usize = 3000;
const MUTATIONS_OF_SLOW_BODIES: usize = 150;
const SLOW_BODIES: &[&str] = &["block_stream"];

/// Longest input that is made, so that inserted pieces don't add up.
const INPUT_BYTES_MAX: usize = 64 << 10;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn names_in(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let stem = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    entries.map(|entry| stem(entry.unwrap().path())).collect()
}

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(root().join("fuzz/corpus").join(target)).unwrap();
    let mut seeds: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap())
        })
        .collect();
    seeds.sort();
    seeds
}

/// SplitMix64: small, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, or 0 where there is none.
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }
}

/// Values that lengths, counts and offsets like to stumble over.
const ODD_VALUES: &[u64] =
    &[0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX >> 1, u64::MAX];

fn mutate(data: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(data.len());
    let end = at + random.below((data.len() - at).min(64) + 1);
    match random.below(8) {
        0 if !data.is_empty() => data[at] ^= 1 << random.below(8),
        1 if !data.is_empty() => data[at] = random.next() as u8,
        2 => drop(data.drain(at..end)),
        3 => data.truncate(at),
        4 => {
            let piece = data[at..end].to_vec();
            data.splice(at..at, piece);
        }
        5 => {
            let from = random.below(other.len());
            let to = from + random.below((other.len() - from).min(64) + 1);
            data.splice(at..end, other[from..to].iter().copied());
        }
        6 => {
            let value = ODD_VALUES[random.below(ODD_VALUES.len())].to_le_bytes();
            let width = (1 << random.below(4)).min(data.len() - at);
            data[at..at + width].copy_from_slice(&value[..width]);
        }
        _ => data.insert(at, random.next() as u8),
    }
    data.truncate(INPUT_BYTES_MAX);
}

/// Runs a body, and says what it was given where it fails.
fn run(target: &str, body: Body, what: &str, data: &[u8]) {
    if catch_unwind(|| body(data)).is_err() {
        let hex: String = data.iter().take(4096).map(|byte| format!("{byte:02x}")).collect();
        panic!("{target} fails on {what}, {} bytes: {hex}", data.len());
    }
}

#[test]
fn every_body_has_a_target_and_seeds() {
    let known: BTreeSet<String> = BODIES.iter().map(|(name, ..)| (*name).into()).collect();
    assert_eq!(names_in("fuzz/fuzz_targets"), known, "targets");
    assert_eq!(names_in("fuzz/corpus"), known, "corpora");
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    for (name, path, _) in BODIES {
        let target =
            fs::read_to_string(root().join(format!("fuzz/fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!(" {path}(data)")), "{name}.rs runs another body");
        assert!(manifest.contains(&format!("\nname = \"{name}\"\n")), "{name} in Cargo.toml");
        assert!(!seeds(name).is_empty(), "no seeds of {name}");
    }
}

#[test]
fn every_body_of_the_crates_is_known_here() {
    let modules = [
        ("daemon/store/src/fuzz.rs", "reel_store::fuzz"),
        ("daemon/tape/src/fuzz.rs", "reel_tape::fuzz"),
        ("daemon/types/src/fuzz.rs", "reel_types::fuzz"),
        ("daemon/types/src/commands/fuzz.rs", "reel_types::commands::fuzz"),
        ("daemon/config/src/fuzz.rs", "reel_config::fuzz"),
        ("hw/src/fuzz.rs", "reel_hw::fuzz"),
        ("daemon/index/src/fuzz.rs", "reel_index::fuzz"),
        ("daemon/remote/src/serve/fuzz.rs", "reel_remote::serve::fuzz"),
    ];
    let mut found = BTreeSet::new();
    for (file, module) in modules {
        let source = fs::read_to_string(root().join(file)).unwrap();
        let functions = source.lines().filter_map(|line| line.strip_prefix("pub fn "));
        found.extend(functions.map(|text| {
            let name = text.split('(').next().unwrap();
            format!("{module}::{name}")
        }));
    }
    let known = BODIES.iter().map(|(_, path, _)| path.replace(' ', ""));
    assert_eq!(found, known.collect());
    let files = fuzz_modules(root(), &mut Vec::new()).len();
    assert_eq!(files, modules.len(), "a crate has a fuzz.rs that this test doesn't know");
}

/// All files called `fuzz.rs` in the sources of the crates.
fn fuzz_modules<'a>(folder: &Path, found: &'a mut Vec<PathBuf>) -> &'a mut Vec<PathBuf> {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "demo" {
            fuzz_modules(&path, found);
        } else if name == "fuzz.rs" {
            found.push(path);
        }
    }
    found
}

#[test]
fn no_body_minds_its_seeds() {
    for (name, _, body) in BODIES {
        for (seed, data) in seeds(name) {
            run(name, *body, &seed, &data);
        }
    }
}

#[test]
fn no_body_minds_mutations_of_its_seeds() {
    std::thread::scope(|scope| {
        for (name, _, body) in BODIES {
            scope.spawn(|| mutations(name, *body));
        }
    });
}

fn mutations(name: &str, body: Body) {
    let seeds = seeds(name);
    let slow = SLOW_BODIES.contains(&name);
    let mut random =
        Random(name.bytes().fold(1u64, |sum, byte| sum.rotate_left(8) ^ u64::from(byte)));
    for number in 0..if slow { MUTATIONS_OF_SLOW_BODIES } else { MUTATIONS } {
        let (seed, data) = &seeds[random.below(seeds.len())];
        let (_, other) = &seeds[random.below(seeds.len())];
        let mut data = data.clone();
        for _ in 0..=random.below(4) {
            mutate(&mut data, other, &mut random);
        }
        run(name, body, &format!("mutation {number} of {seed}"), &data);
    }
}
