//! A daemon of a test's own with the tree on top, and ways to look into it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::libc;
use reel_fs::{Answer, Caller, EngineOptions, EntryKind, FileSystem, FsError, InodeNumber, Stat};
use reel_store::plain_digest;
use reel_types::NoCommitPoints;
use reel_types::{ManualClock, TimeZone};
use reeld::rights::MountRights;
use reeld::runtime::Runtime;
use reeld::{Folders, Reeld, Surroundings, tree};

/// When the listings beside the fixtures were recorded: 2026-11-23T14:33:02Z.
const RECORDED: i64 = 1_795_444_382;
/// As a kernel asks.
const READ_BYTES: u32 = 1 << 20;

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

/// Unpacks an archive of the fixtures once for all test runs of all crates; tests only read there.
pub fn unpacked(fixtures: &Path, archive: &str) -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join(archive);
    if !cache.is_dir() {
        fs::create_dir_all(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let fresh = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
        unpack(&fixtures.join(archive), &fresh);
        if fs::rename(&fresh, &cache).is_err() {
            // Another test run was first.
            fs::remove_dir_all(&fresh).unwrap();
        }
    }
    cache
}

pub fn unpack(archive: &Path, into: &Path) {
    let mut tar = Command::new("tar");
    tar.args(["--zstd", "--no-same-owner", "-xf"]).arg(archive).arg("-C").arg(into);
    assert!(tar.status().unwrap().success(), "tar could not unpack {}", archive.display());
}

/// A daemon with its tree.
pub struct Daemon {
    pub engine: Arc<FileSystem>,
    clock: Arc<ManualClock>,
    pub reeld: Arc<Reeld>,
    runtime: tokio::runtime::Runtime,
    pub base: tempfile::TempDir,
    uid: AtomicU32,
}

/// Looks up name by name, as the kernel does: what a look-up needs is awaited first.
async fn find(engine: Arc<FileSystem>, me: Caller, path: PathBuf) -> Result<Stat, FsError> {
    let mut stat = engine.stat(&me, InodeNumber::ROOT, None)?;
    for name in path.iter() {
        if let Some(prepared) = engine.prepare_names(&me, stat.ino, Some(name)) {
            prepared.await?;
        }
        stat = engine.lookup(&me, stat.ino, name)?;
    }
    Ok(stat)
}

impl Daemon {
    /// A daemon whose folders `prepare` fills first.
    pub fn new(prepare: impl FnOnce(&Folders)) -> Self {
        let base = tempfile::tempdir().unwrap();
        let folders = Folders::below(base.path());
        folders.create().unwrap();
        prepare(&folders);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let blocking = Runtime::new(runtime.handle().clone());
        let clock = Arc::new(ManualClock::at(RECORDED));
        let reeld = Reeld::new(
            folders,
            Surroundings {
                clock: Arc::clone(&clock) as Arc<dyn reel_types::Clock>,
                zone: TimeZone::UTC,
                runtime: blocking.clone(),
                key_credential: None,
                export_state: None,
                commit_points: Arc::new(NoCommitPoints),
                chunk_cache_bytes: 64 << 20,
                chunk_memory_bytes: 32 << 20,
                ask_again: std::time::Duration::from_secs(5),
            },
        )
        .unwrap();
        let options = EngineOptions::default();
        let root = tree::root(Arc::clone(&reeld));
        let rights = Arc::new(MountRights::new(Arc::clone(&reeld)));
        let engine = FileSystem::new(root, Arc::new(blocking), rights, options).unwrap();
        Self { engine: Arc::new(engine), clock, reeld, runtime, base, uid: AtomicU32::new(0) }
    }

    /// A daemon with one datastore at `path`.
    pub fn with_store(name: &str, path: &Path) -> Self {
        Self::new(|folders| {
            let section = format!("datastore: {name}\n\tpath {}\n", path.display());
            fs::write(folders.config.join("datastore.cfg"), section).unwrap();
        })
    }

    fn me(&self) -> Caller {
        let uid = self.uid.load(Ordering::Relaxed);
        Caller { uid, gid: uid, pid: std::process::id() }
    }

    /// Looks and acts as this user of the system from here on.
    pub fn act_as(&self, uid: u32) {
        self.uid.store(uid, Ordering::Relaxed);
    }

    /// Where a mount of this daemon's tree runs its work.
    pub fn spawner(&self) -> Runtime {
        Runtime::new(self.runtime.handle().clone())
    }

    fn finish<T>(&self, answer: Answer<T>) -> Result<T, FsError> {
        match answer {
            Answer::Now(result) => result,
            Answer::Later(future) => self.runtime.block_on(future),
        }
    }

    pub fn find(&self, path: &str) -> Result<Stat, FsError> {
        self.runtime.block_on(find(Arc::clone(&self.engine), self.me(), path.into()))
    }

    /// Looks for a path, and leaves it at that.
    pub fn begin_look(&self, path: &str) -> tokio::task::JoinHandle<()> {
        let finding = find(Arc::clone(&self.engine), self.me(), path.into());
        self.runtime.spawn(async move { drop(finding.await) })
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Lets time pass for the daemon.
    pub fn pass_seconds(&self, seconds: i64) {
        self.clock.advance(seconds);
    }

    pub fn open(&self, path: &str, flags: i32) -> Result<u64, FsError> {
        let stat = self.find(path)?;
        Ok(self.finish(self.engine.open(&self.me(), stat.ino, flags))?.handle)
    }

    pub fn read(&self, handle: u64, offset: u64, size: u32) -> Result<Vec<u8>, FsError> {
        Ok(self.finish(self.engine.read(&self.me(), handle, offset, size))?.to_vec())
    }

    /// The whole of a file.
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>, FsError> {
        let handle = self.open(path, libc::O_RDONLY)?;
        let mut whole = Vec::new();
        let result = loop {
            match self.read(handle, whole.len() as u64, READ_BYTES) {
                Ok(piece) if piece.is_empty() => break Ok(whole),
                Ok(piece) => whole.extend(piece),
                Err(error) => break Err(error),
            }
        };
        self.engine.release(handle);
        result
    }

    pub fn cat(&self, path: &str) -> String {
        let bytes = self.bytes(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        String::from_utf8(bytes).unwrap()
    }

    pub fn sha256(&self, path: &str) -> Result<String, FsError> {
        Ok(plain_digest(&self.bytes(path)?).to_string())
    }

    pub fn errno(&self, path: &str) -> i32 {
        self.bytes(path).unwrap_err().errno()
    }

    /// What `echo LINE > PATH` does.
    pub fn echo(&self, line: &str, path: &str) -> Result<(), FsError> {
        let handle = self.open(path, libc::O_WRONLY | libc::O_TRUNC)?;
        let written =
            self.finish(self.engine.write(&self.me(), handle, format!("{line}\n").as_bytes()));
        self.engine.release(handle);
        written.map(drop)
    }

    /// The names in a folder with their kinds, in its order.
    pub fn list(&self, path: &str) -> Vec<(String, EntryKind)> {
        let ino = self.find(path).unwrap_or_else(|error| panic!("{path}: {error}")).ino;
        let handle = self
            .engine
            .open_directory(&self.me(), ino)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        if let Some(prepared) = self.engine.prepare_names(&self.me(), ino, None) {
            self.runtime.block_on(prepared).unwrap();
        }
        let listing = self.engine.list(ino, handle, 0).unwrap();
        let names = listing.iter().filter(|listed| !listed.is_dot()).map(|listed| {
            let stat = self.engine.look_up_listed(&self.me(), ino, listed).unwrap();
            (listed.name.to_str().unwrap().to_string(), stat.kind)
        });
        let names = names.collect();
        self.engine.release(handle);
        names
    }

    pub fn names(&self, path: &str) -> Vec<String> {
        self.list(path).into_iter().map(|(name, _)| name).collect()
    }

    /// All paths below a folder: folders with a `/` behind, links with `@`.
    pub fn walk(&self, path: &str) -> Vec<String> {
        let mut paths = Vec::new();
        for (name, kind) in self.list(path) {
            let below = if path.is_empty() { name } else { format!("{path}/{name}") };
            match kind {
                EntryKind::Directory => {
                    paths.push(format!("{below}/"));
                    paths.extend(self.walk(&below));
                }
                EntryKind::Symlink => paths.push(format!("{below}@")),
                _ => paths.push(below),
            }
        }
        paths
    }

    pub fn link(&self, path: &str) -> String {
        let ino = self.find(path).unwrap().ino;
        self.engine.read_link(&self.me(), ino).unwrap().display().to_string()
    }

    pub fn xattr(&self, path: &str, name: &str) -> String {
        let ino = self.find(path).unwrap().ino;
        let value = self.engine.xattr(&self.me(), ino, std::ffi::OsStr::new(name)).unwrap();
        String::from_utf8(value).unwrap()
    }

    /// Runs the task whose id is in `last-task` beside a `ctl` to its end, and tells how it ended.
    pub fn wait(&self, folder: &str) -> String {
        let upid = self.cat(&format!("{folder}/last-task"));
        self.cat(&format!("tasks/{}/wait", upid.trim()))
    }
}
