//! Reading images through the mount: out of a media set beside a restore of it, and out of a datastore beside
//! decoding its chunks in process.

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Comparison, Options, PeakMemory, incompressible, print_memory, shell};
use reel_store::source::Chunk;
use reel_store::{ChunkIndex, DataBlob, FixedIndex};
use reel_tests::{Daemon, Home};
use reel_types::Digest;

/// What can be measured here.
pub(crate) const NAMES: [&str; 2] = ["copy", "image"];

const SNAPSHOT: &str = "vm/100/2026-01-10T08:00:00Z";

/// Measures both.
pub(crate) fn measure(options: &Options) {
    let home = Home::below(&options.folder);
    fs::create_dir(home.join("tapes")).unwrap();
    incompressible(&home.join("disk.img"), options.size, 1);
    let set = {
        let daemon = home.start();
        fill(options, &home, &daemon)
    };
    fs::remove_file(home.join("disk.img")).unwrap();
    out_of_media_set(options, &home, &set);
    out_of_datastore(options, &home);
}

/// A datastore with one image, and a medium with all of it; the media set.
fn fill(options: &Options, home: &Home, daemon: &Daemon<'_>) -> String {
    daemon.ctl(&format!("datastore create store1 {}", home.join("store1").display()));
    daemon.ctl(&format!(
        "snapshot create store1 vm/100 disk.img={} --time 2026-01-10T08:00:00Z",
        home.join("disk.img").display()
    ));
    daemon.ctl(&format!(
        "drive create drive1 --path virtual:{} --max-size {}MiB",
        home.join("tapes").display(),
        (options.size * 2 + (1 << 30)) >> 20
    ));
    daemon.ctl("pool create bench");
    daemon.ctl("label --label-text BENCH1L8 --pool bench");
    daemon.ctl("backup store1 bench");
    for number in 0..options.rounds * 4 {
        let path = home.join(&format!("restored{number}"));
        daemon.ctl(&format!("datastore create restored{number} {}", path.display()));
    }
    let media = daemon.json("media list");
    media[0]["media-set-uuid"].as_str().unwrap().to_string()
}

/// A daemon that starts anew with empty caches for each round, and its memory.
struct Fresh<'a> {
    home: &'a Home,
    daemon: RefCell<Option<Daemon<'a>>>,
    peak: Cell<u64>,
}

impl<'a> Fresh<'a> {
    fn new(home: &'a Home) -> Self {
        Self { home, daemon: RefCell::default(), peak: Cell::new(0) }
    }

    fn restart(&self) {
        drop(self.daemon.take());
        let _ = fs::remove_dir_all(self.home.join("cache/chunks"));
        self.daemon.replace(Some(self.home.start()));
    }

    /// Does something with the daemon, its memory watched.
    fn watched(&self, work: impl FnOnce(&Daemon<'_>)) {
        let daemon = self.daemon.borrow();
        let daemon = daemon.as_ref().unwrap();
        let memory = PeakMemory::of(daemon.pid());
        work(daemon);
        self.peak.set(self.peak.get().max(memory.bytes()));
    }
}

/// Once as a user copies, once flushed as the restore flushes what it wrote.
fn out_of_media_set(options: &Options, home: &Home, set: &str) {
    let next = Cell::new(0);
    let fresh = Fresh::new(home);
    let file = format!("mnt/media-sets/{set}/store1/{SNAPSHOT}/disk.img");
    let copies = [
        ("reelctl restore of the same image", format!("cp --sparse=never {file} out.img")),
        (
            "the same, the copy flushed too",
            format!("cp --sparse=never {file} out.img; sync out.img"),
        ),
    ];
    for (limit, line) in copies {
        let what = Comparison { name: "copy", limit, goal: 0.8, bytes: options.size };
        options.compare(
            &what,
            || {
                let _ = fs::remove_file(home.join("out.img"));
                fresh.restart();
            },
            || {
                let number = next.replace(next.get() + 1);
                fresh
                    .watched(|daemon| drop(daemon.ctl(&format!("restore {set} restored{number}"))));
            },
            || fresh.watched(|_| shell(home.path(), &line)),
        );
    }
    print_memory("restore and cp out of a media set", fresh.peak.get());
}

/// Once with one thread on either side, once with one for each processor.
fn out_of_datastore(options: &Options, home: &Home) {
    let index = home.join(&format!("store1/{SNAPSHOT}/disk.img.fidx"));
    let digests = digests(&index);
    let fresh = Fresh::new(home);
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    for threads in [1, processors] {
        let what = Comparison {
            name: "image",
            limit: &format!("decoding it in process, {threads} thread(s) on either side"),
            goal: 0.8,
            bytes: options.size,
        };
        options.compare(
            &what,
            || fresh.restart(),
            || decode(&home.join("store1/.chunks"), &digests, threads),
            || {
                fresh.watched(|daemon| {
                    let path = daemon.at(&format!("datastores/store1/{SNAPSHOT}/disk.img"));
                    read_all(&path, options.size, threads);
                });
            },
        );
    }
    print_memory("image of a datastore", fresh.peak.get());
}

fn digests(index: &Path) -> Vec<Digest> {
    let index = FixedIndex::open(File::open(index).unwrap()).unwrap();
    index.entries(0..index.chunk_count()).map(|entry| entry.unwrap().digest).collect()
}

/// Reads and checks all chunks.
fn decode(chunks: &Path, digests: &[Digest], threads: usize) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(digest) = digests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let raw = fs::read(chunk_path(chunks, digest)).unwrap();
                    Chunk::checked(DataBlob::from_raw(raw.into()).unwrap(), digest).unwrap();
                }
            });
        }
    });
}

fn chunk_path(chunks: &Path, digest: &Digest) -> PathBuf {
    let name = digest.to_string();
    chunks.join(&name[..4]).join(name)
}

/// Reads a file, each thread its part.
fn read_all(path: &Path, size: u64, threads: usize) {
    let part = size.div_ceil(threads as u64);
    std::thread::scope(|scope| {
        for number in 0..threads as u64 {
            let (start, end) = (number * part, size.min((number + 1) * part));
            scope.spawn(move || read_part(path, start, end - start));
        }
    });
}

fn read_part(path: &Path, start: u64, length: u64) {
    let mut file = File::open(path).unwrap();
    file.seek(SeekFrom::Start(start)).unwrap();
    let mut file = file.take(length);
    let mut buffer = vec![0; 1 << 20];
    let mut total = 0;
    loop {
        let count = file.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        total += count as u64;
    }
    assert_eq!(total, length);
}
