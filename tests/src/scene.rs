//! What the tests of trouble set up again and again: a datastore with something in it, and media to take it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use crate::{Daemon, Home, noise};

/// The snapshots in a datastore that [`fill`] made.
pub const SNAPSHOTS: [&str; 2] = ["vm/100/2026-01-10T08:00:00Z", "vm/100/2026-01-11T08:00:00Z"];

/// The small file of each snapshot here, `vm.conf`.
pub const CONFIGURATION: &str = "memory: 2048\n";

/// Makes the datastore `store` with two snapshots, each with an image of its own of `image_mib` and a small file.
pub fn fill(home: &Home, daemon: &Daemon<'_>, store: &str, image_mib: usize) {
    daemon.ctl(&format!("datastore create {store} {}", home.join(store).display()));
    fs::create_dir_all(home.join("source")).expect("a folder for images");
    fs::write(home.join("source/vm.conf"), CONFIGURATION).expect("a small file");
    for (snapshot, seed) in SNAPSHOTS.into_iter().zip(1..) {
        let image = home.join("source/disk.img");
        fs::write(&image, noise(image_mib << 20, seed)).expect("an image");
        add_snapshot(daemon, store, snapshot, &image);
    }
}

/// Makes the datastore `store1` with the first of [`SNAPSHOTS`], whose image of `image_mib` is `disk.img` in the home.
pub fn one_snapshot(home: &Home, daemon: &Daemon<'_>, image_mib: usize) {
    daemon.ctl(&format!("datastore create store1 {}", home.join("store1").display()));
    let image = home.join("disk.img");
    fs::write(&image, noise(image_mib << 20, 1)).expect("an image");
    fs::write(home.join("vm.conf"), CONFIGURATION).expect("a small file");
    add_snapshot(daemon, "store1", SNAPSHOTS[0], &image);
}

/// Adds a snapshot with an image and the `vm.conf` beside it.
pub fn add_snapshot(daemon: &Daemon<'_>, store: &str, snapshot: &str, image: &Path) {
    let (group, time) = snapshot.rsplit_once('/').expect("TYPE/ID/TIME");
    let (image, conf) = (image.display(), image.with_file_name("vm.conf"));
    let files = format!("disk.img={image} vm.conf={}", conf.display());
    daemon.ctl(&format!("snapshot create {store} {group} {files} --time {time}"));
}

/// Makes a drive with media of `max_size`, and the pool `daily` with the media `labels`.
pub fn library(home: &Home, daemon: &Daemon<'_>, max_size: &str, labels: &[&str]) {
    let tapes = home.join("tapes");
    daemon.ctl(&format!(
        "drive create drive1 --path virtual:{} --max-size {max_size}",
        tapes.display()
    ));
    daemon.ctl("pool create daily --allocation continue --retention keep");
    for label in labels {
        daemon.ctl(&format!("label --label-text {label} --pool daily"));
        daemon.ctl("unload");
    }
}

/// The only media set there is.
pub fn only_set(daemon: &Daemon<'_>) -> String {
    let sets = daemon.json("media-set list");
    let uuids: Vec<&str> = sets
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|set| set["media-set-uuid"].as_str())
        .collect();
    assert_eq!(uuids.len(), 1, "{sets}");
    uuids[0].into()
}

/// Forgets what was read from tape, so that the next daemon reads it from there again.
pub fn forget_chunks(home: &Home) {
    let chunks = home.join("cache/chunks");
    if chunks.is_dir() {
        fs::remove_dir_all(chunks).expect("forget chunks");
    }
}

/// Holds the only drive that was used yet as another program would, by PBS's lock file.
pub fn hold_drive(home: &Home) -> Flock<File> {
    let folder = home.join("run/proxmox-backup/drive-lock");
    let mut locks =
        fs::read_dir(folder).expect("locks").map(|entry| entry.expect("an entry").path());
    let path = locks.next().expect("the drive's lock file");
    assert_eq!(locks.next(), None, "one drive has one lock");
    let file = File::options().write(true).open(path).expect("open the lock file");
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno).expect("lock the drive")
}

/// Every file below `folder` with a hash of its content: what must not change.
pub fn hashes(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    add_hashes(folder, &mut found);
    found
}

fn add_hashes(folder: &Path, found: &mut BTreeMap<PathBuf, u64>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("ls {}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            add_hashes(&path, found);
            continue;
        }
        let mut hasher = DefaultHasher::new();
        fs::read(&path)
            .unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
            .hash(&mut hasher);
        found.insert(path, hasher.finish());
    }
}

/// Asserts that both datastores hold the snapshots of [`fill`] with equal content.
pub fn stores_agree(daemon: &Daemon<'_>, one: &str, other: &str) {
    for snapshot in SNAPSHOTS {
        for file in ["disk.img", "vm.conf"] {
            let read = |store: &str| {
                let path = daemon.at(&format!("datastores/{store}/{snapshot}/{file}"));
                fs::read(&path).unwrap_or_else(|error| panic!("cat {}: {error}", path.display()))
            };
            assert!(
                read(one) == read(other),
                "{snapshot}/{file} differs between {one} and {other}"
            );
        }
    }
}

/// A datastore with two small snapshots, and media that take them.
pub fn off_tape(home: &Home) -> Daemon<'_> {
    let daemon = home.start();
    fill(home, &daemon, "store1", 8);
    library(home, &daemon, "64MiB", &["T1", "T2"]);
    daemon
}

/// A datastore with two small snapshots that are on tape, all on T1; T2 is empty.
pub fn on_tape(home: &Home) -> Daemon<'_> {
    let daemon = off_tape(home);
    daemon.ctl("backup store1 daily");
    daemon
}

/// A datastore that nothing was restored into yet.
pub fn target(home: &Home, daemon: &Daemon<'_>) {
    daemon.ctl(&format!("datastore create store2 {}", home.join("store2").display()));
}

/// Changes a file for as long as `look` runs.
pub fn with_bytes(path: &Path, change: impl FnOnce(&mut Vec<u8>), look: impl FnOnce()) {
    let good = fs::read(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()));
    let mut bad = good.clone();
    change(&mut bad);
    assert!(good != bad, "nothing was changed");
    fs::write(path, bad).expect("write the damaged file");
    look();
    fs::write(path, good).expect("write the good file");
}

/// What is on the tapes of a folder, wherever the drive stands.
pub fn content_of(tapes: &Path) -> BTreeMap<PathBuf, u64> {
    let mut files = hashes(tapes);
    files.remove(&tapes.join("drive-status.json"));
    files
}

/// Where `needle` is in `bytes`.
pub fn place_of(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).position(|part| part == needle).expect("the bytes to damage")
}

/// Asserts that a text has all of these parts.
pub fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "'{part}' is not in: {text}");
    }
}

/// What a call was refused with; 0 where it was not.
pub fn errno<T>(result: io::Result<T>) -> i32 {
    result.err().and_then(|error| error.raw_os_error()).unwrap_or(0)
}
