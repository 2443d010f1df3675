//! Datastores, tapes and a task for the tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reel_hw::TapeDrive;
use reel_hw::number::{Capacity, VolumeTag};
use reel_hw::virtual_drive::{VirtualDrive, VirtualOptions};
use reel_store::chunk_store::SyncLevel;
use reel_store::datastore::{ChunkOrder, Datastore, DatastoreConfig, StoreEnvironment};
use reel_store::locks::{ProcessLocks, RunDir};
use reel_store::{CryptMode, DataBlob, FIXED_CHUNK_SIZE, ServiceUser, plain_digest};
use reel_types::{
    ArchiveName, AuthId, Cancel, Digest, LabelText, ManualClock, MediaSetId, Namespace, PoolName,
    SnapshotPath, StoreName, TaskContext, TaskStopped,
};

use super::super::members::{Member, Members};
use super::{RestoreJob, RestoreSummary, restore};
use crate::backup::{BackupJob, BackupSummary, Selection, backup};
use crate::drive_desk::{DriveDesk, DriveOpener, Opening};
use crate::env::TapeEnv;
use crate::media_catalog::CatalogRecord;
use crate::medium::load_by_label;
use crate::ops::label_medium;
use crate::pool::{PoolRules, Site};
use crate::{Error, Result};
use reel_types::CommitPoints;

/// Room for a few chunks, so that sets need several media.
const TAPE_BYTES: u64 = 4 << 20;
/// How much of a chunk is random: about its size on tape, four blocks.
const RANDOM_BYTES: usize = 900 << 10;
/// Contents of chunks that tests use.
const SEEDS: std::ops::RangeInclusive<u8> = 1..=8;

pub(crate) fn owner() -> AuthId {
    "bob@pbs".parse().unwrap()
}

/// The content of a chunk: random at first, then zeros that cost nothing on tape.
pub(crate) fn content(seed: u8) -> Vec<u8> {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut content = Vec::new();
    while content.len() < RANDOM_BYTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend(state.to_le_bytes());
    }
    content.resize(FIXED_CHUNK_SIZE as usize, 0);
    content
}

/// A library of tapes in a folder.
struct Library {
    options: VirtualOptions,
}

impl DriveOpener for Library {
    fn open(&self, opening: &Opening) -> reel_hw::Result<Box<dyn TapeDrive>> {
        Ok(Box::new(VirtualDrive::open(&self.options, &opening.cancel)?))
    }

    fn lock_path(&self) -> &Path {
        &self.options.path
    }
}

/// Keeps lines; may be cancelled.
#[derive(Default)]
pub(crate) struct TestTask {
    pub(crate) cancel: Cancel,
    lines: Mutex<Vec<String>>,
}

impl TestTask {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub(crate) fn has_warning(&self, part: &str) -> bool {
        self.lines().iter().any(|line| line.starts_with("WARN: ") && line.contains(part))
    }
}

impl TaskContext for TestTask {
    fn log(&self, line: &str) {
        self.lines.lock().unwrap().push(line.into());
    }

    fn warn(&self, line: &str) {
        self.log(&format!("WARN: {line}"));
    }

    fn progress(&self, done: u64, total: u64, _what: &str) {
        assert!(done <= total);
    }

    fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    fn wait(&self, _duration: Duration) -> std::result::Result<(), TaskStopped> {
        self.check()
    }
}

/// Stops the task at a commit point, as if the daemon were asked to end there.
#[derive(Default)]
struct StopAt {
    point: Mutex<Option<&'static str>>,
    cancel: Cancel,
}

impl CommitPoints for StopAt {
    fn reached(&self, name: &'static str) {
        if *self.point.lock().unwrap() == Some(name) {
            self.cancel.cancel();
        }
    }
}

pub(crate) struct Rig {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) env: TapeEnv,
    pub(crate) desk: Arc<DriveDesk>,
    pub(crate) source: Arc<Datastore>,
    pub(crate) target: Arc<Datastore>,
    pub(crate) task: TestTask,
    stop: Arc<StopAt>,
    clock: Arc<ManualClock>,
    set: Mutex<Option<MediaSetId>>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let folder = temporary_folder();
        let base = folder.path();
        let library = base.join("vtape");
        fs::create_dir(&library).unwrap();
        let digests: Vec<Digest> = SEEDS.map(|seed| plain_digest(&content(seed))).collect();
        let stop = Arc::new(StopAt::default());
        let clock = Arc::new(ManualClock::at(1_720_000_000));
        let rig = Self {
            env: tape_env(&base.join("state"), &base.join("cache"), clock.clone(), stop.clone()),
            desk: desk(&library, Capacity(TAPE_BYTES), base),
            source: make_store(base, "store1", &digests),
            target: make_store(base, "store2", &digests),
            task: TestTask { cancel: stop.cancel.clone(), lines: Mutex::default() },
            stop,
            clock,
            set: Mutex::default(),
            folder,
        };
        for number in 1..=6 {
            rig.label(&format!("T0000{number}L8").parse().unwrap());
        }
        rig
    }

    fn label(&self, label: &LabelText) {
        let mut hold = self.desk.hold("test", Duration::ZERO, &Cancel::new()).unwrap();
        let tag = VolumeTag::new(label.as_str()).unwrap();
        hold.changer().unwrap().create_media(&tag).unwrap();
        load_by_label(&mut hold, label).unwrap();
        label_medium(&self.env, &mut hold, label, Some(&pool()), &self.task).unwrap();
    }

    /// Makes a snapshot with an image of these chunks and a configuration.
    pub(crate) fn snapshot(&self, path: &str, chunks: &[u8]) {
        let path: SnapshotPath = path.parse().unwrap();
        make_namespaces(&self.source, &path.namespace);
        let writer = self.source.create_snapshot(&path, &owner()).unwrap();
        let size = FIXED_CHUNK_SIZE * chunks.len() as u64;
        let disk: ArchiveName = "disk.img.fidx".parse().unwrap();
        let image = writer.image(&disk, size, CryptMode::None).unwrap();
        for (number, seed) in (1..).zip(chunks) {
            let content = content(*seed);
            let blob = DataBlob::encode(&content, None, true).unwrap();
            let digest = plain_digest(&content);
            image.add(number * FIXED_CHUNK_SIZE, FIXED_CHUNK_SIZE, &digest, &blob).unwrap();
        }
        image.close().unwrap();
        let blob = DataBlob::encode(format!("{path}").as_bytes(), None, true).unwrap();
        writer.add_blob(&"vm.conf.blob".parse().unwrap(), &blob, CryptMode::None).unwrap();
        writer.finish(None).unwrap();
    }

    pub(crate) fn back_up(&self) {
        self.back_up_to(false);
    }

    /// Writes everything to a set of its own.
    pub(crate) fn back_up_anew(&self) {
        self.clock.advance(3600);
        self.back_up_to(true);
    }

    fn back_up_to(&self, force_media_set: bool) {
        let mut hold = self.desk.hold("test", Duration::ZERO, &Cancel::new()).unwrap();
        let job = BackupJob {
            store: self.source.clone(),
            pool: PoolRules::new(pool()),
            site: Site::Standalone,
            selection: Selection::default(),
            force_media_set,
            eject_media: false,
            export_media_set: false,
        };
        let mut done = BackupSummary::default();
        backup(&self.env, &mut hold, &job, &mut done, &self.task).unwrap();
        *self.set.lock().unwrap() = done.set;
    }

    /// The set that the last backup wrote.
    pub(crate) fn set(&self) -> MediaSetId {
        self.set.lock().unwrap().unwrap()
    }

    /// A restore of everything into the target.
    pub(crate) fn job(&self) -> RestoreJob {
        RestoreJob {
            sets: vec![self.set()],
            map: "store1=store2".parse().unwrap(),
            stores: [(self.target.name().clone(), self.target.clone())].into(),
            snapshots: Vec::new(),
            namespaces: Vec::new(),
            owner: owner(),
        }
    }

    pub(crate) fn restore(&self, job: &RestoreJob) -> Result<RestoreSummary> {
        self.task.lines.lock().unwrap().clear();
        let mut hold = self.desk.hold("test", Duration::ZERO, &Cancel::new()).unwrap();
        restore(&self.env, &mut hold, job, &self.task)
    }

    pub(crate) fn members(&self) -> std::vec::IntoIter<Member> {
        let inventory = self.env.inventory.load().unwrap();
        let members = Members::of_set(&inventory, self.set()).unwrap();
        members.iter().cloned().collect::<Vec<_>>().into_iter()
    }

    /// The catalog without the UUIDs of archives.
    pub(crate) fn catalog_records(&self, member: &Member) -> Vec<CatalogRecord> {
        let mut records = Vec::new();
        member
            .visit_catalog(&self.env, |record| {
                records.push(record);
                Ok(())
            })
            .unwrap();
        records
    }

    pub(crate) fn chunk_path(&self, store: &Datastore, seed: u8) -> PathBuf {
        store.chunks().path(&plain_digest(&content(seed)))
    }

    pub(crate) fn tape_file(&self, label: &LabelText, file: u64) -> PathBuf {
        self.folder.path().join("vtape").join(format!("tapefile-{file}-{label}.json"))
    }

    /// Takes a tape out of the library.
    pub(crate) fn hide_tape(&self, label: &LabelText) {
        let library = self.folder.path().join("vtape");
        fs::rename(library.join(format!("tape-{label}.json")), self.shelf(label)).unwrap();
        let _ = fs::remove_file(library.join("drive-status.json"));
    }

    /// Puts it back.
    pub(crate) fn show_tape(&self, label: &LabelText) {
        let library = self.folder.path().join("vtape");
        fs::rename(self.shelf(label), library.join(format!("tape-{label}.json"))).unwrap();
    }

    fn shelf(&self, label: &LabelText) -> PathBuf {
        self.folder.path().join(format!("shelf-{label}"))
    }

    pub(crate) fn stop_at(&self, point: &'static str) {
        *self.stop.point.lock().unwrap() = Some(point);
    }

    pub(crate) fn stop_nowhere(&self) {
        *self.stop.point.lock().unwrap() = None;
        self.stop.cancel.flag().store(false, std::sync::atomic::Ordering::SeqCst);
    }

    pub(crate) fn target_chunks(&self) -> BTreeSet<String> {
        chunk_names(self.target.base())
    }

    pub(crate) fn finished_in_target(&self) -> Vec<SnapshotPath> {
        let mut finished = Vec::new();
        for namespace in self.target.namespaces(&Namespace::root(), None).unwrap().items {
            for group in self.target.groups(&namespace).unwrap().items {
                let group = reel_types::GroupPath { namespace: namespace.clone(), group };
                let listed = self.target.snapshots(&group).unwrap().items;
                let done = listed.iter().filter(|entry| entry.finished);
                finished.extend(done.map(|entry| group.at(entry.time)));
            }
        }
        finished
    }

    /// Snapshots and their chunks are the same in both datastores.
    pub(crate) fn assert_same<'a>(&self, snapshots: impl IntoIterator<Item = &'a str>) {
        for path in snapshots {
            let path: SnapshotPath = path.parse().unwrap();
            assert_same_snapshot(&self.source, &path, &self.target, &path);
        }
    }

    /// The independent reader finds nothing wrong with the target.
    pub(crate) fn oracle(&self) {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/oracle/oracle.py");
        let has_python = Command::new("python3")
            .args(["-c", "import zstandard, cryptography"])
            .status()
            .is_ok_and(|status| status.success());
        if !has_python || !program.exists() {
            eprintln!("skipped: no independent reader at {}", program.display());
            return;
        }
        for prefix in 0..=u16::MAX {
            let chunks = self.target.base().join(".chunks");
            fs::create_dir_all(chunks.join(format!("{prefix:04x}"))).unwrap();
        }
        let mut command = Command::new("python3");
        command.arg("-B").arg(program).arg("datastore").arg(self.target.base());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
    }
}

/// Forcing files to the disk is what takes long in these tests, so they run in memory where that can be.
pub(crate) fn temporary_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn pool() -> PoolName {
    "pool1".parse().unwrap()
}

pub(crate) fn tape_env(
    state: &Path,
    cache: &Path,
    clock: Arc<ManualClock>,
    points: Arc<dyn CommitPoints>,
) -> TapeEnv {
    TapeEnv::open(state, cache, clock, reel_types::TimeZone::UTC, points).unwrap()
}

pub(crate) fn desk(library: &Path, max_size: Capacity, base: &Path) -> Arc<DriveDesk> {
    let run = base.join("run");
    fs::create_dir_all(run.join("drive-lock")).unwrap();
    fs::create_dir_all(run.join("drive-state")).unwrap();
    let options = VirtualOptions { max_size, ..VirtualOptions::new(library) };
    DriveDesk::new("vt0".parse().unwrap(), Arc::new(Library { options }), &run)
}

/// A datastore with chunk folders for these digests alone.
pub(crate) fn make_store(base: &Path, name: &str, digests: &[Digest]) -> Arc<Datastore> {
    let path = base.join(name);
    for digest in digests {
        fs::create_dir_all(path.join(".chunks").join(&digest.to_string()[..4])).unwrap();
    }
    let config = DatastoreConfig {
        name: name.parse::<StoreName>().unwrap(),
        path,
        sync_level: SyncLevel::None,
        chunk_order: ChunkOrder::None,
    };
    let user = ServiceUser::current();
    let environment = StoreEnvironment {
        locks: ProcessLocks::new(),
        run: RunDir::new(base.join("run"), user),
        user,
        clock: Arc::new(ManualClock::at(1_720_000_000)),
    };
    Datastore::open(&config, &environment).unwrap()
}

fn make_namespaces(store: &Datastore, namespace: &Namespace) {
    let mut made = Namespace::root();
    for component in namespace.components() {
        made = made.child(component).unwrap();
        let _ = store.create_namespace(&made);
    }
}

pub(crate) fn chunk_names(base: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in fs::read_dir(base.join(".chunks")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            names.insert(file.unwrap().file_name().into_string().unwrap());
        }
    }
    names
}

pub(crate) fn assert_same_snapshot(
    source: &Arc<Datastore>,
    from: &SnapshotPath,
    target: &Arc<Datastore>,
    to: &SnapshotPath,
) {
    let (ours, theirs) = (target.open_snapshot(to).unwrap(), source.open_snapshot(from).unwrap());
    let json = |manifest: &reel_store::Manifest| manifest.without_verify_state().to_json().unwrap();
    assert_eq!(json(ours.manifest()), json(theirs.manifest()), "{to}");
    let names = theirs.stored_files().unwrap();
    assert_eq!(ours.stored_files().unwrap(), names);
    for name in names.iter().filter(|name| name.as_str() != ArchiveName::MANIFEST) {
        let read = |store: &Datastore, path: &SnapshotPath| {
            fs::read(store.base().join(path.path()).join(name.as_str())).unwrap()
        };
        assert_eq!(read(target, to), read(source, from), "{to} {name}");
        if name.kind() == reel_types::ArchiveKind::Blob {
            continue;
        }
        let index = theirs.index(name).unwrap().index;
        for entry in reel_store::ChunkIndex::entries(&*index, 0..u64::MAX) {
            let digest = entry.unwrap().digest;
            let read = |store: &Datastore| fs::read(store.chunks().path(&digest)).unwrap();
            assert_eq!(read(target), read(source), "{digest}");
        }
    }
}

pub(crate) fn is_stop(error: &Error) -> bool {
    matches!(error, Error::Stopped(_))
}
