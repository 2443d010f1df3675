//! A datastore and the state of tape work in the test's own process, without a daemon.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reel_store::chunk_store::SyncLevel;
use reel_store::datastore::{
    ChunkOrder, Datastore, DatastoreConfig, LocalBackup, LocalSource, StoreEnvironment,
};
use reel_store::locks::{ProcessLocks, RunDir};
use reel_store::{ServiceUser, plain_digest};
use reel_tape::TapeEnv;
use reel_types::{Clock, NoCommitPoints, NoTask, SystemClock, TimeZone};

/// Opens the datastore `name` in the folder of that name below `base`, which need not be there. `images` are all that it
/// can get, of one chunk each: a folder for each of 65,536 chunks would take longer than a test.
pub fn open_store<'i>(
    base: &Path,
    name: &str,
    images: impl IntoIterator<Item = &'i Vec<u8>>,
) -> Arc<Datastore> {
    let path = base.join(name);
    for image in images {
        let digest = plain_digest(image).to_string();
        fs::create_dir_all(path.join(".chunks").join(&digest[..4])).expect("a folder for chunks");
    }
    let user = ServiceUser::current();
    let environment = StoreEnvironment {
        locks: ProcessLocks::new(),
        run: RunDir::new(base.join("run-store"), user).with_patience(Duration::ZERO),
        user,
        clock: Arc::new(SystemClock),
    };
    let config = DatastoreConfig {
        name: name.parse().expect("a name"),
        path,
        sync_level: SyncLevel::None,
        chunk_order: ChunkOrder::Inode,
    };
    Datastore::open(&config, &environment).expect("a datastore")
}

/// Adds `snapshot` with this `disk.img` to a datastore.
pub fn add_image(store: &Arc<Datastore>, snapshot: &str, image: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("disk.img");
    fs::write(&path, image).expect("an image");
    let source: LocalSource = format!("disk.img={}", path.display()).parse().expect("a source");
    let actor = "root@pam".parse().expect("a user");
    let backup =
        LocalBackup { sources: &[source], crypt: None, threads: NonZeroUsize::MIN, actor: &actor };
    let snapshot = snapshot.parse().expect("a snapshot");
    backup.run(store, &snapshot, &NoTask::default()).expect("a backup");
}

/// The state of tape work in folders below `base`, by a clock, and folders of `base/run` for the locks of drives.
pub fn tape_env(base: &Path, clock: Arc<dyn Clock>) -> TapeEnv {
    for part in ["run/drive-lock", "run/drive-state"] {
        fs::create_dir_all(base.join(part)).expect("a folder for locks");
    }
    let (state, cache) = (base.join("state"), base.join("cache"));
    TapeEnv::open(&state, &cache, clock, TimeZone::UTC, Arc::new(NoCommitPoints))
        .expect("the state")
}
