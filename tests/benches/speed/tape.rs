//! Backup, restore and scan of a `virtual:` tape beside what `cat` and `cp` do with the same bytes.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::support::{
    Comparison, Options, PeakMemory, bytes_below, incompressible, print_memory, shell,
};
use reel_store::{DataBlob, plain_digest};
use reel_tests::{Daemon, Home};

/// What can be measured here.
pub(crate) const NAMES: [&str; 4] = ["backup", "scan", "restore", "small"];

/// Snapshots of nothing but small blobs.
const SMALL_SNAPSHOTS: u32 = 3000;
/// Milliseconds that one of them may take: half of what PBS needs.
const SMALL_SNAPSHOT_MS: f64 = 2.5;
/// When the first of them was made; the others follow a minute apart.
const FIRST_TIME: i64 = 1_767_225_600;

/// Measures all of them.
pub(crate) fn measure(options: &Options) {
    let home = Home::below(&options.folder);
    fs::create_dir(home.join("tapes")).unwrap();
    incompressible(&home.join("disk.img"), options.size, 1);
    let daemon = home.start();
    let memory = PeakMemory::of(daemon.pid());
    daemon.ctl(&format!("datastore create store1 {}", home.join("store1").display()));
    daemon.ctl(&format!(
        "snapshot create store1 vm/100 disk.img={} --time 2026-01-10T08:00:00Z",
        home.join("disk.img").display()
    ));
    fs::remove_file(home.join("disk.img")).unwrap();
    // Looking through the 65,536 folders for them is not part of any limit.
    shell(home.path(), "find store1/.chunks -type f -print0 >chunks");
    let room = options.size * 2 + (1 << 30);
    let tapes = home.join("tapes");
    daemon.ctl(&format!(
        "drive create drive1 --path virtual:{} --max-size {}MiB",
        tapes.display(),
        room >> 20
    ));
    let media = Media { daemon: &daemon, count: Cell::new(0) };
    backup(options, &home, &media);
    let label = media.blank();
    daemon.ctl(&format!("backup store1 {label}"));
    scan(options, &home, &daemon, &label);
    restore(options, &home, &daemon, &label);
    print_memory("backup, scan and restore", memory.bytes());
    drop(memory);
    if options.wants("small") {
        small_snapshots(&home, &media);
    }
}

/// Blank media, each in a pool of its name.
struct Media<'a> {
    daemon: &'a Daemon<'a>,
    count: Cell<u32>,
}

impl Media<'_> {
    /// The next one, loaded.
    fn blank(&self) -> String {
        let label = format!("BENCH{:03}L8", self.count.get());
        if self.count.replace(self.count.get() + 1) > 0 {
            self.daemon.ctl("unload");
        }
        self.daemon.ctl(&format!("pool create {label}"));
        self.daemon.ctl(&format!("label --label-text {label} --pool {label}"));
        label
    }
}

fn backup(options: &Options, home: &Home, media: &Media<'_>) {
    let what = Comparison {
        name: "backup",
        limit: "cat of the chunks into one flushed file",
        goal: 0.9,
        bytes: bytes_below(&home.join("store1/.chunks")),
    };
    let next = Cell::new(None);
    options.compare(
        &what,
        || {
            let _ = fs::remove_file(home.join("cat.out"));
            next.set(Some(media.blank()));
        },
        || shell(home.path(), "xargs -0 cat <chunks >cat.out; sync cat.out"),
        || {
            let label: String = next.take().unwrap();
            media.daemon.ctl(&format!("backup store1 {label}"));
        },
    );
}

fn scan(options: &Options, home: &Home, daemon: &Daemon<'_>, label: &str) {
    let what = Comparison {
        name: "scan",
        limit: "cat of the tape's files",
        goal: 0.9,
        bytes: bytes_of_tape(&home.join("tapes"), label),
    };
    let line = format!("cat tapes/tapefile-*-{label}.json >/dev/null");
    options.compare(
        &what,
        || {},
        || shell(home.path(), &line),
        || drop(daemon.ctl("catalog --scan --force")),
    );
}

fn bytes_of_tape(tapes: &Path, label: &str) -> u64 {
    let files = fs::read_dir(tapes).unwrap().map(Result::unwrap);
    let of_tape = files.filter(|file| file.file_name().to_string_lossy().contains(label));
    of_tape.map(|file| file.metadata().unwrap().len()).sum()
}

fn restore(options: &Options, home: &Home, daemon: &Daemon<'_>, pool: &str) {
    if !options.wants("restore") {
        return;
    }
    let set = set_of(daemon, pool);
    let what = Comparison {
        name: "restore",
        limit: "cp -r of the chunks, flushed",
        goal: 0.7,
        bytes: bytes_below(&home.join("store1/.chunks")),
    };
    // Making the 65,536 folders of a new datastore is not part of either.
    let stores = options.rounds * 2;
    for number in 0..stores {
        let path = home.join(&format!("restored{number}"));
        daemon.ctl(&format!("datastore create restored{number} {}", path.display()));
    }
    let next = Cell::new(0);
    options.compare(
        &what,
        || {
            let _ = fs::remove_dir_all(home.join("copy"));
            fs::create_dir(home.join("copy")).unwrap();
        },
        || shell(home.path(), "xargs -0 cp -r -t copy <chunks; sync -f copy"),
        || {
            let number = next.replace(next.get() + 1);
            daemon.ctl(&format!("restore {set} restored{number}"));
        },
    );
}

fn set_of(daemon: &Daemon<'_>, pool: &str) -> String {
    let media = daemon.json("media list");
    let of_pool = media.as_array().unwrap().iter().find(|medium| medium["pool"] == pool);
    of_pool.unwrap()["media-set-uuid"].as_str().unwrap().to_string()
}

fn small_snapshots(home: &Home, media: &Media<'_>) {
    let store = home.join("small");
    media.daemon.ctl(&format!("datastore create small {}", store.display()));
    for number in 0..SMALL_SNAPSHOTS {
        write_small_snapshot(&store, number);
    }
    let label = media.blank();
    let memory = PeakMemory::of(media.daemon.pid());
    let started = Instant::now();
    media.daemon.ctl(&format!("backup small {label}"));
    let each = started.elapsed().as_secs_f64() * 1000.0 / f64::from(SMALL_SNAPSHOTS);
    println!(
        "small snapshots: {each:.2} ms each, limit (half of what PBS needs): {SMALL_SNAPSHOT_MS} ms, ratio {:.2} (goal 1.00)",
        SMALL_SNAPSHOT_MS / each
    );
    print_memory("backup of small snapshots", memory.bytes());
}

/// A snapshot with one blob, in one of 30 groups.
fn write_small_snapshot(store: &Path, number: u32) {
    let (id, time) = (100 + number / 100, FIRST_TIME + i64::from(number % 100) * 60);
    let name = folder_name(time);
    let folder = store.join(format!("vm/{id}/{name}"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(store.join(format!("vm/{id}/owner")), "root@pam\n").unwrap();
    let config = format!("name: machine{number}\nmemory: 2048\n");
    let blob = DataBlob::encode(config.as_bytes(), None, false).unwrap();
    fs::write(folder.join("vm.conf.blob"), blob.raw()).unwrap();
    let manifest = serde_json::json!({
        "backup-type": "vm",
        "backup-id": id.to_string(),
        "backup-time": time,
        "files": [{
            "filename": "vm.conf.blob",
            "size": blob.raw().len(),
            "csum": plain_digest(blob.raw()).to_string(),
            "crypt-mode": "none",
        }],
        "signature": null,
        "unprotected": {},
    });
    let manifest = DataBlob::encode(manifest.to_string().as_bytes(), None, true).unwrap();
    fs::write(folder.join("index.json.blob"), manifest.raw()).unwrap();
}

/// The name of a snapshot of the first day.
fn folder_name(time: i64) -> String {
    let minutes = (time - FIRST_TIME) / 60;
    format!("2026-01-01T{:02}:{:02}:00Z", minutes / 60, minutes % 60)
}
