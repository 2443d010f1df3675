//! A pull from one daemon into another: over loopback beside a copy of the same files, over a long line beside what the
//! line carries, and one of which everything is here already beside touching the same files.

use std::cell::Cell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use reel_remote::pull::{NamespaceMapping, PullJob, Source, WORKERS, pull};
use reel_store::datastore::Datastore;
use reel_store::{CryptMode, FIXED_CHUNK_SIZE, FixedIndexWriter, Manifest, ManifestFile};
use reel_tests::in_process::open_store;
use reel_tests::relay::{Line, Relay};
use reel_tests::serving::{Serving, remote_of};
use reel_tests::{Daemon, Home};
use reel_types::{AuthId, Authorizer, Digest, NoCommitPoints, NoTask, Privilege, Snapshot};

use crate::support::{Comparison, Options, PeakMemory, incompressible, print_memory, shell};

/// What can be measured here.
pub(crate) const NAMES: [&str; 3] = ["pull", "line", "present"];

/// 1 Gbit/s, bytes a second.
const GIGABIT: u64 = 125_000_000;
/// There and back.
const ROUND_TRIP: Duration = Duration::from_millis(150);
/// Chunks that are here already: of an image of 800 GB.
const PRESENT: u64 = 200_000;

/// Measures all three.
pub(crate) fn measure(options: &Options) {
    if options.wants("pull") || options.wants("line") {
        between_daemons(options);
    }
    if options.wants("present") {
        all_present(options);
    }
}

fn between_daemons(options: &Options) {
    let (source, target) = (Home::below(&options.folder), Home::below(&options.folder));
    incompressible(&source.join("disk.img"), options.size, 1);
    let serving = Serving::start(&source);
    fill(&source, &serving.daemon);
    let daemon = target.start();
    for number in 0..options.rounds * 2 + 1 {
        let path = target.join(&format!("store{number}"));
        daemon.ctl(&format!("datastore create store{number} {}", path.display()));
    }
    over_loopback(options, &source, &serving, &daemon);
    over_a_line(options, &serving, &daemon);
}

/// A datastore with four images in groups of their own, and all its chunk files in one folder.
fn fill(home: &Home, daemon: &Daemon<'_>) {
    daemon.ctl(&format!("datastore create store1 {}", home.join("store1").display()));
    let size = fs::metadata(home.join("disk.img")).unwrap().len();
    shell(home.path(), &format!("split -n 4 -d disk.img part; rm disk.img; test {size} -gt 0"));
    for part in 0..4 {
        daemon.ctl(&format!(
            "snapshot create store1 vm/10{part} disk.img={} --time 2026-01-10T08:00:00Z",
            home.join(&format!("part0{part}")).display()
        ));
    }
    shell(home.path(), "mkdir plain; find store1/.chunks -type f -exec ln -t plain {} +");
}

fn over_loopback(options: &Options, home: &Home, serving: &Serving<'_>, daemon: &Daemon<'_>) {
    remote_of(serving, daemon, "source", serving.address);
    let next = Cell::new(0);
    let memory = PeakMemory::of(daemon.pid());
    let what = Comparison {
        name: "pull",
        limit: "cp -r of the same chunk files, flushed",
        goal: 0.75,
        bytes: options.size,
    };
    options.compare(
        &what,
        || shell(home.path(), "rm -rf copy"),
        || shell(home.path(), "cp -r plain copy; sync -f copy"),
        || {
            daemon.ctl(&format!("pull source store1 store{}", next.get()));
            next.set(next.get() + 1);
        },
    );
    print_memory("during pulls", memory.bytes());
}

fn over_a_line(options: &Options, serving: &Serving<'_>, daemon: &Daemon<'_>) {
    if !options.wants("line") {
        return;
    }
    let line = Line { delay: ROUND_TRIP / 2, bandwidth: Some(GIGABIT) };
    let relay = Relay::start(serving.address, line).unwrap();
    remote_of(serving, daemon, "far", relay.address());
    let began = Instant::now();
    daemon.ctl(&format!("pull far store1 store{}", options.rounds * 2));
    let took = began.elapsed().as_secs_f64();
    let rate = relay.down_bytes() as f64 / took;
    println!(
        "line (150 ms, 1 Gbit/s): {:.1} s, {:.0} MB/s, ratio {:.2} of the line (goal 0.80)",
        took,
        rate / 1e6,
        rate / GIGABIT as f64
    );
}

/// Everybody may do everything.
struct Everything;

impl Authorizer for Everything {
    fn allows(&self, _who: &AuthId, _path: &str, _privilege: Privilege) -> bool {
        true
    }
}

/// An index of chunks that are files without content: nothing of them is read.
fn all_present(options: &Options) {
    let folder = tempfile::tempdir_in(&options.folder).unwrap();
    let none: [&Vec<u8>; 0] = [];
    for name in ["source", "target"] {
        fs::create_dir_all(folder.path().join(name).join(".chunks")).unwrap();
    }
    let source = open_store(folder.path(), "source", none);
    let target = open_store(folder.path(), "target", none);
    let paths = make_chunks(&target);
    let next = Cell::new(0);
    let what = Comparison {
        name: "present",
        limit: "utimensat of the same paths",
        goal: 1.0 / 1.3,
        bytes: PRESENT * FIXED_CHUNK_SIZE,
    };
    options.compare(
        &what,
        || {
            next.set(next.get() + 1);
            add_snapshot(&source, next.get());
        },
        || paths.iter().for_each(|path| touch(path)),
        || {
            let summary = pull(&job(&source, &target), &NoTask::default()).unwrap();
            assert_eq!((summary.snapshots, summary.chunks, summary.error_count), (1, 0, 0));
        },
    );
}

fn digest(number: u64) -> Digest {
    reel_store::plain_digest(&number.to_le_bytes())
}

fn make_chunks(store: &Arc<Datastore>) -> Vec<PathBuf> {
    let path = |number| store.chunks().path(&digest(number));
    let paths: Vec<_> = (0..PRESENT).map(path).collect();
    for path in &paths {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        File::create(path).unwrap();
    }
    paths
}

fn touch(path: &Path) {
    let here = nix::fcntl::AT_FDCWD;
    let (now, omit) = (TimeSpec::UTIME_NOW, TimeSpec::UTIME_OMIT);
    utimensat(here, path, &now, &omit, UtimensatFlags::NoFollowSymlink).unwrap();
}

/// A snapshot of a group of its own, whose image has all chunks.
fn add_snapshot(store: &Arc<Datastore>, number: u32) {
    let snapshot: Snapshot = format!("vm/{number}/2026-01-10T08:00:00Z").parse().unwrap();
    let folder = store.base().join(snapshot.path());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.parent().unwrap().join("owner"), "root@pam\n").unwrap();
    let size = PRESENT * FIXED_CHUNK_SIZE;
    let mut options = File::options();
    let options = options.read(true).write(true).create(true).truncate(true);
    let file = options.open(folder.join("disk.img.fidx")).unwrap();
    let mut index = FixedIndexWriter::create(file, size, FIXED_CHUNK_SIZE, [7; 16], 0).unwrap();
    for number in 0..PRESENT {
        index.add((number + 1) * FIXED_CHUNK_SIZE, FIXED_CHUNK_SIZE, &digest(number)).unwrap();
    }
    let (summary, _) = index.finish(None).unwrap();
    let mut manifest = Manifest::new(snapshot);
    let listed = ManifestFile {
        name: "disk.img.fidx".parse().unwrap(),
        crypt_mode: CryptMode::None,
        size,
        csum: summary.csum,
    };
    manifest.add_file(listed).unwrap();
    fs::write(folder.join("index.json.blob"), manifest.to_blob().unwrap().raw()).unwrap();
}

/// Of everything; the groups of earlier rounds have no changes.
fn job(source: &Arc<Datastore>, target: &Arc<Datastore>) -> PullJob {
    let newest = source.groups(&Default::default()).unwrap().items.len();
    let only = format!("group:vm/{newest}").parse().unwrap();
    PullJob {
        source: Source::Local(Arc::clone(source)),
        target: Arc::clone(target),
        anchors: NamespaceMapping { source: Default::default(), target: Default::default() },
        max_depth: None,
        owner: AuthId::root(),
        filters: vec![only],
        remove_vanished: false,
        transfer_last: None,
        resync_corrupt: false,
        workers: WORKERS,
        rights: Arc::new(Everything),
        commit_points: Arc::new(NoCommitPoints),
    }
}
