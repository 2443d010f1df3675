//! Snapshots that we write: read back, refused where they should be, and judged by the independent
//! checker.

use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reel_store::chunk_store::ChunkStore;
use reel_store::datastore::{Datastore, LocalBackup, LocalSource};
use reel_store::key::KeyTime;
use reel_store::source::{ChunkSource, DatastoreSource};
use reel_store::view::{ChunkMemory, ImageView, Seek, ViewContext, ViewParts};
use reel_store::{ChunkUploadStats, CryptConfig, KeyFile, ServiceUser, StoreError, StoreErrorKind};
use reel_types::{AuthId, Cancel, NoTask, SnapshotPath, TaskContext, TaskStopped};

use crate::support::{Pool, block_on, fixtures, open, oracle_accepts};

const CHUNK: u64 = 4 << 20;
/// Two chunks of data, a hole, a chunk of written zeros, and a short one.
const IMAGE_SIZE: u64 = 4 * CHUNK + 1234;

struct Setup {
    dir: tempfile::TempDir,
    store: Arc<Datastore>,
}

impl Setup {
    fn new() -> Self {
        Self::with(|base| {
            let name = "store1".parse().unwrap();
            ChunkStore::create(&name, base, ServiceUser::current()).unwrap();
        })
    }

    fn with(create: impl FnOnce(&Path)) -> Self {
        // Making and removing 65536 folders takes minutes on a slow disk and a second in memory.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let base = dir.path().join("store1");
        create(&base);
        let store = open(&base, &dir.path().join("run"));
        Self { dir, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn sources(&self) -> Vec<LocalSource> {
        let image = self.path("disk.raw");
        write_image(&image);
        fs::write(self.path("vm.conf"), b"cores: 2\n").unwrap();
        let image = format!("drive-scsi0.img={}", image.display());
        let config = format!("qemu-server.conf={}", self.path("vm.conf").display());
        vec![image.parse().unwrap(), config.parse().unwrap()]
    }

    fn back_up(
        &self,
        snapshot: &str,
        sources: &[LocalSource],
        crypt: Option<&CryptConfig>,
        task: &dyn TaskContext,
    ) -> Result<ChunkUploadStats, StoreError> {
        let threads = NonZeroUsize::new(2).unwrap();
        let actor: AuthId = "alice@pbs".parse().unwrap();
        LocalBackup { sources, crypt, threads, actor: &actor }.run(
            &self.store,
            &snapshot.parse().unwrap(),
            task,
        )
    }
}

fn write_image(path: &Path) {
    let file = File::create(path).unwrap();
    file.set_len(IMAGE_SIZE).unwrap();
    let noise: Vec<u8> =
        (0..2 * CHUNK).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect();
    file.write_all_at(&noise, 0).unwrap();
    file.write_all_at(&vec![0; CHUNK as usize], 3 * CHUNK).unwrap();
    file.write_all_at(&[9; 1234], 4 * CHUNK).unwrap();
}

const FIRST: &str = "vm/100/2024-06-05T08:00:00Z";
const SECOND: &str = "vm/100/2024-06-06T08:00:00Z";
const ENCRYPTED: &str = "ns/a/vm/100/2024-06-05T08:00:00Z";

/// One test, because making a datastore's 65536 folders takes its time.
#[test]
fn local_files_become_snapshots() {
    let setup = Setup::new();
    changing_files_and_stopped_tasks_leave_nothing(&setup);
    snapshots_read_back(&setup);
}

fn snapshots_read_back(setup: &Setup) {
    let sources = setup.sources();
    setup.store.create_namespace(&"a".parse().unwrap()).unwrap();
    let stats = setup.back_up(FIRST, &sources, None, &NoTask::default()).unwrap();
    // The chunks of the stopped backups before are there already.
    assert_eq!(stats.count, 4);
    let stats = setup.back_up(SECOND, &sources, None, &NoTask::default()).unwrap();
    assert_eq!((stats.count, stats.duplicates), (4, 4));
    let key = Arc::new(CryptConfig::new([5; 32]).unwrap());
    setup.back_up(ENCRYPTED, &sources, Some(&key), &NoTask::default()).unwrap();

    let want = fs::read(setup.path("disk.raw")).unwrap();
    for (snapshot, crypt) in [(FIRST, None), (SECOND, None), (ENCRYPTED, Some(&key))] {
        let view = image(setup, snapshot, crypt);
        let content = block_on(view.read(0, want.len())).unwrap();
        assert!(content == want, "{snapshot} reads differently");
        assert_eq!(view.seek_hole_data(0, Seek::Hole).unwrap(), 2 * CHUNK);
        assert_eq!(view.seek_hole_data(2 * CHUNK, Seek::Data).unwrap(), 4 * CHUNK);
    }
    judge(setup, &key);
    setup.store.forget_snapshot(&SECOND.parse().unwrap()).unwrap();
    setup.store.forget_group(&"vm/100".parse().unwrap()).unwrap();
    judge(setup, &key);
}

fn image(setup: &Setup, snapshot: &str, crypt: Option<&Arc<CryptConfig>>) -> ImageView {
    let snapshot: SnapshotPath = snapshot.parse().unwrap();
    let reader = setup.store.open_snapshot(&snapshot).unwrap();
    let name = "drive-scsi0.img.fidx".parse().unwrap();
    let opened = reader.index(&name).unwrap();
    let blocking = Pool::new(2);
    let source = DatastoreSource::new(setup.store.chunks().clone(), blocking.clone(), 32 << 20);
    let context = ViewContext { memory: ChunkMemory::new(16 << 20), blocking, ahead_chunks: 2 };
    let parts = ViewParts {
        what: reader.text(&name),
        index: opened.index,
        crypt_mode: opened.crypt_mode,
        crypt: crypt.cloned(),
        reader: source.reader(),
    };
    ImageView::open(parts, &context).unwrap()
}

fn judge(setup: &Setup, key: &CryptConfig) {
    let Some(fixtures) = fixtures() else { return };
    let time = KeyTime::at(1_700_000_000, &jiff::tz::TimeZone::UTC).unwrap();
    let text = KeyFile::unprotected(key, time, time).to_json().unwrap();
    let path = setup.path("key.json");
    fs::write(&path, text).unwrap();
    let key = path.to_str().unwrap();
    oracle_accepts(&fixtures, setup.store.base(), &["--modes", "--key", key]);
}

/// A task that does something to the file when it is first asked whether to go on.
struct Meddler<F> {
    meddle: F,
    done: AtomicBool,
    cancel: Cancel,
}

impl<F: Fn(&Cancel) + Send + Sync> Meddler<F> {
    fn new(meddle: F) -> Self {
        Self { meddle, done: AtomicBool::new(false), cancel: Cancel::new() }
    }
}

impl<F: Fn(&Cancel) + Send + Sync> TaskContext for Meddler<F> {
    fn log(&self, _line: &str) {}

    fn warn(&self, _line: &str) {}

    fn progress(&self, _done: u64, _total: u64, _what: &str) {}

    fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    fn check(&self) -> Result<(), TaskStopped> {
        if !self.done.swap(true, Ordering::SeqCst) {
            (self.meddle)(&self.cancel);
        }
        if self.cancel.is_cancelled() { Err(TaskStopped) } else { Ok(()) }
    }

    fn wait(&self, _duration: Duration) -> Result<(), TaskStopped> {
        self.check()
    }
}

fn changing_files_and_stopped_tasks_leave_nothing(setup: &Setup) {
    let resize = |size: u64| {
        let path = setup.path("disk.raw");
        let sources = setup.sources();
        let task = Meddler::new(move |_: &Cancel| {
            File::options().write(true).open(&path).unwrap().set_len(size).unwrap();
        });
        setup.back_up(FIRST, &sources, None, &task).unwrap_err()
    };
    for size in [IMAGE_SIZE - 1, CHUNK, IMAGE_SIZE + 1] {
        let error = resize(size);
        assert_eq!(error.kind(), StoreErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains("disk.raw"), "{error}");
    }
    let task = Meddler::new(Cancel::cancel);
    let error = setup.back_up(FIRST, &setup.sources(), None, &task).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Stopped);
    assert!(setup.store.snapshots(&"vm/100".parse().unwrap()).unwrap().items.is_empty());
}

#[test]
fn what_cannot_be_backed_up_changes_nothing() {
    let setup = Setup::with(|base| fs::create_dir_all(base.join(".chunks")).unwrap());
    let good = setup.sources();
    fs::write(setup.path("empty"), b"").unwrap();
    let source = |name: &str, path: &str| -> LocalSource {
        format!("{name}={}", setup.path(path).display()).parse().unwrap()
    };
    let cases = [
        (vec![], StoreErrorKind::InvalidInput),
        (vec![good[0].clone(), good[0].clone()], StoreErrorKind::InvalidInput),
        (vec![source("a.img", "empty")], StoreErrorKind::InvalidInput),
        (vec![source("a.img", "")], StoreErrorKind::InvalidInput),
        (vec![source("a.img", "missing")], StoreErrorKind::NotFound),
        (vec![source("client.log", "empty")], StoreErrorKind::InvalidInput),
    ];
    for (sources, want) in cases {
        let error = setup.back_up(FIRST, &sources, None, &NoTask::default()).unwrap_err();
        assert_eq!(error.kind(), want, "{sources:?}: {error}");
    }
    assert!(!setup.store.base().join("vm").exists());
    for text in ["a.img", "a.img=", "=x", "a.pxar=x", "a=x", "../a.img=x", "a b.img=x"] {
        assert!(text.parse::<LocalSource>().is_err(), "{text}");
    }
}
