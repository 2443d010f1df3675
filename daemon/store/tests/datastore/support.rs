//! What the tests of this crate with real files and processes share.

use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use reel_store::ServiceUser;
use reel_store::chunk_store::SyncLevel;
use reel_store::datastore::{ChunkOrder, Datastore, DatastoreConfig, StoreEnvironment};
use reel_store::locks::{ProcessLocks, RunDir};
use reel_store::source::Blocking;
use reel_types::SystemClock;

/// The folder of real PBS data, unless it isn't there: then says so.
pub fn fixtures() -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures"));
    let folder = std::env::var_os("REELFS_FIXTURES").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no fixtures at {}", folder.display());
    None
}

/// Unpacks an archive of the fixtures once for all test runs; tests only read there.
pub fn unpacked(fixtures: &Path, archive: &str, folder: &str) -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join(archive);
    if !cache.is_dir() {
        fs::create_dir_all(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let fresh = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
        let status = Command::new("tar")
            .args(["--zstd", "--no-same-owner", "-xf"])
            .arg(fixtures.join(archive))
            .arg("-C")
            .arg(&fresh)
            .status()
            .unwrap();
        assert!(status.success(), "tar could not unpack {archive}");
        if fs::rename(&fresh, &cache).is_err() {
            // Another test run was first.
            fs::remove_dir_all(&fresh).unwrap();
        }
    }
    cache.join(folder)
}

/// Opens a datastore with locks of its own below `run`.
pub fn open(base: &Path, run: &Path) -> Arc<Datastore> {
    let config = DatastoreConfig {
        name: "store1".parse().unwrap(),
        path: base.to_owned(),
        sync_level: SyncLevel::None,
        chunk_order: ChunkOrder::Inode,
    };
    Datastore::open(&config, &environment(run)).unwrap()
}

pub fn environment(run: &Path) -> StoreEnvironment {
    let user = ServiceUser::current();
    StoreEnvironment {
        locks: ProcessLocks::new(),
        run: RunDir::new(run, user).with_patience(Duration::ZERO),
        user,
        clock: Arc::new(SystemClock),
    }
}

/// Runs the independent checker on a datastore; says so when it can't be run.
pub fn oracle_accepts(fixtures: &Path, base: &Path, arguments: &[&str]) {
    let oracle = fixtures.join("../tools/oracle/oracle.py");
    let usable = Command::new("python3").args(["-c", "import zstandard, cryptography"]).status();
    if !oracle.is_file() || !usable.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no oracle at {}, or no Python for it", oracle.display());
        return;
    }
    let output = Command::new("python3")
        .arg(oracle)
        .arg("datastore")
        .arg(base)
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the oracle refuses {}:\n{text}{errors}", base.display());
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future on this thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

type Work = Box<dyn FnOnce() + Send>;

/// A few threads for blocking work.
pub struct Pool(Mutex<Sender<Work>>);

impl Pool {
    pub fn new(threads: usize) -> Arc<Self> {
        let (sender, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..threads {
            let receiver = receiver.clone();
            std::thread::spawn(move || work_off(&receiver));
        }
        Arc::new(Self(Mutex::new(sender)))
    }
}

fn work_off(receiver: &Mutex<Receiver<Work>>) {
    loop {
        let work = receiver.lock().unwrap().recv();
        let Ok(work) = work else { return };
        work();
    }
}

impl Blocking for Pool {
    fn run(&self, work: Work) {
        self.0.lock().unwrap().send(work).unwrap();
    }
}
