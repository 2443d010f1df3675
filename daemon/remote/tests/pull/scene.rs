//! Two datastores and pulls from one into the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reel_remote::pull::{NamespaceMapping, PullError, PullJob, PullSummary, Source, WORKERS, pull};
use reel_store::chunk_store::SyncLevel;
use reel_store::datastore::{ChunkOrder, Datastore, DatastoreConfig, StoreEnvironment};
use reel_store::locks::{ProcessLocks, RunDir};
use reel_store::{CryptConfig, CryptMode, DataBlob, ServiceUser, plain_digest};
use reel_types::{
    AuthId, Authorizer, Cancel, Digest, ManualClock, NoCommitPoints, Privilege, Snapshot,
    SnapshotPath, TaskContext, TaskStopped,
};
use tempfile::TempDir;

/// Bytes of a chunk of test images: the smallest that a fixed index has.
pub const CHUNK: usize = 4 << 20;

/// A datastore in a temporary folder; its chunks may have any digest.
pub struct Store {
    pub store: Arc<Datastore>,
    pub base: PathBuf,
}

/// Two datastores.
pub struct Scene {
    pub source: Store,
    pub target: Store,
    _dir: TempDir,
}

/// What a pull said and came to.
pub struct Pulled {
    pub result: Result<PullSummary, PullError>,
    pub log: Vec<String>,
}

impl Pulled {
    pub fn summary(&self) -> &PullSummary {
        self.result.as_ref().unwrap()
    }

    /// The summary of a pull in which nothing failed.
    pub fn clean(&self) -> &PullSummary {
        let summary = self.summary();
        assert_eq!(summary.errors, [""; 0], "{:#?}", self.log);
        summary
    }

    /// The only error.
    pub fn error(&self) -> &str {
        let summary = self.summary();
        assert_eq!(summary.errors.len(), 1, "{:#?}", self.log);
        &summary.errors[0]
    }

    pub fn has_said(&self, part: &str) -> bool {
        self.log.iter().any(|line| line.contains(part))
    }
}

/// Keeps the log.
#[derive(Default)]
pub struct Listening {
    pub log: Mutex<Vec<String>>,
    pub cancel: Cancel,
}

impl TaskContext for Listening {
    fn log(&self, line: &str) {
        self.log.lock().unwrap().push(line.into());
    }

    fn warn(&self, line: &str) {
        self.log(&format!("warning: {line}"));
    }

    fn progress(&self, done: u64, total: u64, _what: &str) {
        assert!(done <= total, "{done} of {total}");
    }

    fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    fn wait(&self, _duration: Duration) -> Result<(), TaskStopped> {
        self.check()
    }
}

/// Everybody may do everything, but what is listed: ACL paths and privileges.
pub struct AllBut(pub Vec<(&'static str, Privilege)>);

impl Authorizer for AllBut {
    fn allows(&self, _who: &AuthId, path: &str, privilege: Privilege) -> bool {
        !self.0.contains(&(path, privilege))
    }
}

fn open(dir: &Path, name: &str) -> Store {
    let base = dir.join(name);
    fs::create_dir_all(base.join(".chunks")).unwrap();
    let config = DatastoreConfig {
        name: name.parse().unwrap(),
        path: base.clone(),
        sync_level: SyncLevel::None,
        chunk_order: ChunkOrder::None,
    };
    let user = ServiceUser::current();
    let environment = StoreEnvironment {
        locks: ProcessLocks::new(),
        run: RunDir::new(dir.join("run"), user).with_patience(Duration::ZERO),
        user,
        clock: Arc::new(ManualClock::at(1_700_000_000)),
    };
    Store { store: Datastore::open(&config, &environment).unwrap(), base }
}

pub fn owner() -> AuthId {
    "sync@pbs".parse().unwrap()
}

pub fn snapshot(text: &str) -> SnapshotPath {
    text.parse().unwrap()
}

/// `vm/100` at the n-th second.
pub fn vm100(second: i64) -> String {
    let time = reel_types::BackupTime::from_epoch(second).unwrap();
    format!("vm/100/{time}")
}

impl Store {
    /// Makes the folder of a chunk: all 65,536 would take longer than a test.
    pub fn make_room(&self, digest: &Digest) {
        let folder = self.base.join(".chunks").join(&digest.to_string()[..4]);
        fs::create_dir_all(folder).unwrap();
    }

    /// A finished snapshot of `owner` with a configuration, and an image of one chunk for each of `chunks`.
    pub fn add(&self, path: &str, owner: &AuthId, chunks: &[u8]) {
        self.add_with_key(path, owner, chunks, None);
    }

    pub fn add_with_key(
        &self,
        path: &str,
        owner: &AuthId,
        chunks: &[u8],
        key: Option<&CryptConfig>,
    ) {
        let path = snapshot(path);
        let mode = key.map_or(CryptMode::None, |_| CryptMode::Encrypt);
        let writer = self.store.create_snapshot(&path, owner).unwrap();
        let config = DataBlob::encode(path.to_string().as_bytes(), key, true).unwrap();
        writer.add_blob(&"qemu-server.conf.blob".parse().unwrap(), &config, mode).unwrap();
        if !chunks.is_empty() {
            let size = (chunks.len() * CHUNK) as u64;
            let name = "drive-scsi0.img.fidx".parse().unwrap();
            let image = writer.image(&name, size, mode).unwrap();
            for (fill, end) in chunks.iter().zip((CHUNK as u64..).step_by(CHUNK)) {
                let (digest, blob) = chunk(*fill, key);
                self.make_room(&digest);
                image.add(end, CHUNK as u64, &digest, &blob).unwrap();
            }
            image.close().unwrap();
        }
        writer.finish(key).unwrap();
    }

    /// Everything in it but chunks, locks and temporary names, with the content.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.base.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let entry = entry.unwrap();
                let path = entry.path();
                let name = path.strip_prefix(&self.base).unwrap().to_owned();
                if name.starts_with(".chunks") || name.starts_with(".lock") {
                    continue;
                }
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(path),
                    false => drop(files.insert(name, fs::read(path).unwrap())),
                }
            }
        }
        files
    }

    /// The digests of all chunks.
    pub fn chunks(&self) -> BTreeSet<Digest> {
        self.store.chunks().walk().map(|found| found.unwrap().digest).collect()
    }

    /// The snapshots with a manifest, of all groups of a namespace.
    pub fn snapshots(&self, namespace: &str) -> Vec<String> {
        let namespace: reel_types::Namespace = namespace.parse().unwrap();
        let mut found = Vec::new();
        for group in self.store.groups(&namespace).unwrap().items {
            let path = reel_types::GroupPath { namespace: namespace.clone(), group: group.clone() };
            for entry in self.store.snapshots(&path).unwrap().items {
                if entry.finished {
                    found.push(Snapshot { group: group.clone(), time: entry.time }.to_string());
                }
            }
        }
        found
    }
}

/// A chunk of bytes `fill`.
pub fn chunk(fill: u8, key: Option<&CryptConfig>) -> (Digest, DataBlob) {
    let data = vec![fill; CHUNK];
    let digest = key.map_or_else(|| plain_digest(&data), |key| key.chunk_digest(&data));
    (digest, DataBlob::encode(&data, key, true).unwrap())
}

impl Scene {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { source: open(dir.path(), "source"), target: open(dir.path(), "target"), _dir: dir }
    }

    /// A pull of everything from the other datastore of this computer.
    pub fn job(&self) -> PullJob {
        PullJob {
            source: Source::Local(Arc::clone(&self.source.store)),
            target: Arc::clone(&self.target.store),
            anchors: NamespaceMapping { source: "".parse().unwrap(), target: "".parse().unwrap() },
            max_depth: None,
            owner: owner(),
            filters: Vec::new(),
            remove_vanished: false,
            transfer_last: None,
            resync_corrupt: false,
            workers: WORKERS,
            rights: Arc::new(AllBut(Vec::new())),
            commit_points: Arc::new(NoCommitPoints),
        }
    }

    /// Pulls, with a folder for each chunk that the source has.
    pub fn pull(&self, change: impl FnOnce(&mut PullJob)) -> Pulled {
        for digest in self.source.chunks() {
            self.target.make_room(&digest);
        }
        let mut job = self.job();
        change(&mut job);
        let task = Listening::default();
        let result = pull(&job, &task);
        Pulled { result, log: task.log.into_inner().unwrap() }
    }
}
