//! A tape that the real backup wrote, a drive that counts, and readers.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use reel_hw::memory::{MediumLimits, MemoryLibraryShape};
use reel_hw::number::{DriveNumber, VolumeTag};
use reel_hw::{
    BlockNumber, Changer, DriveCounters, EncryptionKey, FileNumber, HostAttribute, MemoryChanger,
    MemoryLibrary, Position, ReadOutcome, SpaceOutcome, TapeAlerts, TapeDrive, VolumeStatistics,
    WriteOutcome,
};
use reel_store::cache::DiskCache;
use reel_store::chunk_store::SyncLevel;
use reel_store::datastore::{
    ChunkOrder, Datastore, DatastoreConfig, LocalBackup, LocalSource, StoreEnvironment,
};
use reel_store::locks::{ProcessLocks, RunDir};
use reel_store::source::{Blocking, ChunkReader, ChunkSource};
use reel_store::{ServiceUser, plain_digest};
use reel_tape::backup::{BackupJob, BackupSummary, Selection, backup};
use reel_tape::medium::load_by_label;
use reel_tape::ops::label_medium;
use reel_tape::pool::{PoolRules, Site};
use reel_tape::queue::{DriveQueue, QueueListener, QueueOptions, QueueParts, ReadDamage};
use reel_tape::set_contents::{SetContents, SetMedium};
use reel_tape::set_source::{Library, MediaSetSource, SourceParts, Staging};
use reel_tape::{DriveDesk, DriveHold, DriveOpener, Error, Opening, Result, TapeEnv};
use reel_types::{
    Cancel, CommitPoints, Digest, LabelText, MediaId, MediaSetId, NoCommitPoints, NoTask, PoolName,
    SnapshotPath, StoreName, SystemClock, TimeZone,
};

pub const CHUNK: usize = 4 << 20;
pub const BLOCK: u64 = reel_hw::TAPE_BLOCK_SIZE as u64;
/// Blocks that a chunk of 4 MiB touches at most.
pub const BLOCKS_OF_CHUNK: u64 = 18;
/// Both labels.
pub const LABEL_BLOCKS: u64 = 2;

/// Whatever the tests need around the code under test.
pub struct Setup {
    pub folder: tempfile::TempDir,
    pub env: Arc<TapeEnv>,
    pub desk: Arc<DriveDesk>,
    pub drive: Arc<CountingOpener>,
    pub set: MediaSetId,
    pub store: StoreName,
    /// The chunks of the image in its order.
    pub chunks: Vec<(Digest, Vec<u8>)>,
}

/// A drive, and its changer where it isn't its own.
type Opened = reel_hw::Result<(Box<dyn TapeDrive>, Option<MemoryChanger>)>;

/// Opens drives whose counts live on.
pub struct CountingOpener {
    open: Box<dyn Fn() -> Opened + Send + Sync>,
    pub library: Option<MemoryLibrary>,
    counted: Arc<Mutex<DriveCounters>>,
    lock_path: PathBuf,
}

impl CountingOpener {
    pub fn memory(library: MemoryLibrary) -> Arc<Self> {
        let shared = library.clone();
        let open = move || {
            let drive: Box<dyn TapeDrive> = Box::new(shared.drive(DriveNumber(0))?);
            Ok((drive, Some(shared.changer())))
        };
        let library = Some(library);
        Arc::new(Self {
            open: Box::new(open),
            library,
            counted: Arc::default(),
            lock_path: "/dev/tape/by-id/memory".into(),
        })
    }

    pub fn of_virtual(folder: &Path) -> Arc<Self> {
        let options = reel_hw::VirtualOptions::new(folder);
        let open = move || {
            let drive = reel_hw::VirtualDrive::open(&options, &reel_hw::Cancel::default())?;
            let drive: Box<dyn TapeDrive> = Box::new(drive);
            Ok((drive, None))
        };
        Arc::new(Self {
            open: Box::new(open),
            library: None,
            counted: Arc::default(),
            lock_path: folder.into(),
        })
    }

    pub fn counted(&self) -> DriveCounters {
        *self.counted.lock().unwrap()
    }

    pub fn library(&self) -> &MemoryLibrary {
        self.library.as_ref().unwrap()
    }
}

impl DriveOpener for CountingOpener {
    fn open(&self, _opening: &Opening) -> reel_hw::Result<Box<dyn TapeDrive>> {
        let (drive, changer) = (self.open)()?;
        Ok(Box::new(CountedDrive { drive, changer, counted: self.counted.clone() }))
    }

    fn lock_path(&self) -> &Path {
        &self.lock_path
    }
}

/// Adds what it did to the counts when it is closed.
struct CountedDrive {
    drive: Box<dyn TapeDrive>,
    changer: Option<MemoryChanger>,
    counted: Arc<Mutex<DriveCounters>>,
}

impl Drop for CountedDrive {
    fn drop(&mut self) {
        let did = self.drive.counters();
        let mut counted = self.counted.lock().unwrap();
        counted.bytes_read += did.bytes_read;
        counted.locates += did.locates;
    }
}

impl TapeDrive for CountedDrive {
    fn write_block(&mut self, data: &[u8]) -> reel_hw::Result<WriteOutcome> {
        self.drive.write_block(data)
    }
    fn read_block(&mut self, buffer: &mut [u8]) -> reel_hw::Result<ReadOutcome> {
        self.drive.read_block(buffer)
    }
    fn write_filemarks(&mut self, count: u32, immediate: bool) -> reel_hw::Result<WriteOutcome> {
        self.drive.write_filemarks(count, immediate)
    }
    fn sync(&mut self) -> reel_hw::Result<()> {
        self.drive.sync()
    }
    fn rewind(&mut self) -> reel_hw::Result<()> {
        self.drive.rewind()
    }
    fn space_filemarks(&mut self, count: i32) -> reel_hw::Result<SpaceOutcome> {
        self.drive.space_filemarks(count)
    }
    fn space_blocks(&mut self, count: i32) -> reel_hw::Result<SpaceOutcome> {
        self.drive.space_blocks(count)
    }
    fn space_to_end_of_data(&mut self) -> reel_hw::Result<()> {
        self.drive.space_to_end_of_data()
    }
    fn locate(&mut self, object: BlockNumber) -> reel_hw::Result<()> {
        self.drive.locate(object)
    }
    fn locate_file(&mut self, file: FileNumber) -> reel_hw::Result<()> {
        self.drive.locate_file(file)
    }
    fn position(&mut self) -> reel_hw::Result<Position> {
        self.drive.position()
    }
    fn load(&mut self) -> reel_hw::Result<()> {
        self.drive.load()
    }
    fn unload(&mut self) -> reel_hw::Result<()> {
        self.drive.unload()
    }
    fn medium_loaded(&mut self) -> reel_hw::Result<bool> {
        self.drive.medium_loaded()
    }
    fn format_medium(&mut self, fast: bool) -> reel_hw::Result<()> {
        self.drive.format_medium(fast)
    }
    fn erase(&mut self) -> reel_hw::Result<()> {
        self.drive.erase()
    }
    fn write_protected(&mut self) -> reel_hw::Result<bool> {
        self.drive.write_protected()
    }
    fn statistics(&mut self) -> reel_hw::Result<VolumeStatistics> {
        self.drive.statistics()
    }
    fn counters(&self) -> DriveCounters {
        self.drive.counters()
    }
    fn can_encrypt(&mut self) -> reel_hw::Result<bool> {
        self.drive.can_encrypt()
    }
    fn set_encryption_key(&mut self, key: Option<&EncryptionKey>) -> reel_hw::Result<()> {
        self.drive.set_encryption_key(key)
    }
    fn encryption_active(&mut self) -> reel_hw::Result<bool> {
        self.drive.encryption_active()
    }
    fn write_attributes(
        &mut self,
        attributes: &[(HostAttribute, Option<&str>)],
    ) -> reel_hw::Result<()> {
        self.drive.write_attributes(attributes)
    }
    fn tape_alerts(&mut self) -> reel_hw::Result<TapeAlerts> {
        self.drive.tape_alerts()
    }
    fn as_changer(&mut self) -> Option<&mut dyn Changer> {
        match &mut self.changer {
            Some(changer) => Some(changer),
            None => self.drive.as_changer(),
        }
    }
}

pub fn tape_env(state: &Path, cache: &Path) -> Arc<TapeEnv> {
    tape_env_with(state, cache, Arc::new(NoCommitPoints))
}

pub fn tape_env_with(state: &Path, cache: &Path, points: Arc<dyn CommitPoints>) -> Arc<TapeEnv> {
    Arc::new(TapeEnv::open(state, cache, Arc::new(SystemClock), TimeZone::UTC, points).unwrap())
}

pub fn desk(opener: Arc<CountingOpener>, run: &Path) -> Arc<DriveDesk> {
    for folder in ["drive-lock", "drive-state"] {
        fs::create_dir_all(run.join(folder)).unwrap();
    }
    DriveDesk::new("drive0".parse().unwrap(), opener, run)
}

fn open_store(name: &str, base: &Path, run: &Path) -> Arc<Datastore> {
    let user = ServiceUser::current();
    let environment = StoreEnvironment {
        locks: ProcessLocks::new(),
        run: RunDir::new(run, user).with_patience(Duration::ZERO),
        user,
        clock: Arc::new(SystemClock),
    };
    let config = DatastoreConfig {
        name: name.parse().unwrap(),
        path: base.to_owned(),
        sync_level: SyncLevel::None,
        chunk_order: ChunkOrder::Inode,
    };
    Datastore::open(&config, &environment).unwrap()
}

/// Bytes that don't compress, the same each time.
pub fn incompressible(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(|_| word()).take(length).collect()
}

impl Setup {
    /// One medium with one snapshot of an image of `chunks` chunks.
    pub fn new(chunks: usize) -> Self {
        Self::on_media(chunks, MediumLimits::NONE, &["A00001L8"], &["store1"])
    }

    /// A set on these media, onto which datastores with one and the same snapshot were backed up one after the other.
    pub fn on_media(chunks: usize, limits: MediumLimits, labels: &[&str], stores: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        let drive = CountingOpener::memory(library_of(labels, limits));
        let desk = desk(drive.clone(), &base.join("run"));
        let env = tape_env(&base.join("state"), &base.join("cache"));
        let image = incompressible(chunks * CHUNK);
        labels.iter().for_each(|label| make_label(&env, &desk, label));
        let datastores: Vec<_> =
            stores.iter().map(|name| datastore_with(base, name, &image)).collect();
        let sets: Vec<_> = datastores.iter().map(|store| back_up(&env, &desk, store)).collect();
        assert!(sets.iter().all(|set| *set == sets[0]));
        let (set, datastore) = (sets[0], &datastores[0]);
        let chunks = image.chunks(CHUNK).map(|data| (plain_digest(data), data.to_vec()));
        let (store, chunks) = (datastore.name().clone(), chunks.collect());
        *drive.counted.lock().unwrap() = DriveCounters::default();
        Self { env, desk, drive, set, store, chunks, folder }
    }

    pub fn tag(&self) -> VolumeTag {
        VolumeTag::new("A00001L8").unwrap()
    }

    pub fn contents(&self) -> Arc<SetContents> {
        let inventory = self.env.inventory.load().unwrap();
        Arc::new(SetContents::open(&self.env, &inventory, self.set).unwrap())
    }

    pub fn medium(&self) -> MediaId {
        self.contents().members()[0].medium.id
    }

    pub fn hold(&self, what: &str) -> DriveHold {
        self.desk.hold(what, Duration::from_secs(60), &Cancel::new()).unwrap()
    }

    /// A reading side with a cache of `cache_bytes`.
    pub fn reading(&self, room: impl Into<Room>) -> Reading {
        Reading::new(self, &self.env, self.contents(), room)
    }

    /// A reading side whose queue keeps an idle drive for `linger`.
    pub fn reading_with_linger(&self, cache_bytes: u64, linger: Duration) -> Reading {
        let (store, folder) = (self.store.clone(), self.cache_folder());
        let options = QueueOptions { linger, ..QueueOptions::default() };
        Reading::with(&self.env, &self.desk, self.contents(), store, &folder, cache_bytes, options)
    }

    /// The queue of another drive, with a library of its own.
    pub fn another_queue(&self, library: MemoryLibrary) -> Arc<DriveQueue> {
        let cache = DiskCache::open(&self.cache_folder(), 0, Box::new(|_| {})).unwrap();
        DriveQueue::new(QueueParts {
            env: self.env.clone(),
            desk: desk(CountingOpener::memory(library), &self.folder.path().join("run-other")),
            cache: Arc::new(cache),
            listener: Arc::new(Damage::default()),
            options: QueueOptions::default(),
        })
    }

    fn cache_folder(&self) -> PathBuf {
        tempfile::tempdir_in(self.folder.path()).unwrap().keep()
    }
}

/// A library with blank media, the first of them in the drive.
pub fn library_of(labels: &[&str], limits: MediumLimits) -> MemoryLibrary {
    let tags: Vec<_> = labels.iter().map(|label| VolumeTag::new(label).unwrap()).collect();
    let slots = u32::try_from(labels.len()).unwrap();
    let shape = MemoryLibraryShape { drives: 1, storage_slots: slots, import_export_slots: 0 };
    let library = MemoryLibrary::new(shape);
    for tag in &tags {
        library.add_medium(tag, limits).unwrap();
    }
    library.changer().load_media(&tags[0], DriveNumber(0)).unwrap();
    library
}

fn make_label(env: &TapeEnv, desk: &Arc<DriveDesk>, label: &str) {
    let (label, pool): (LabelText, PoolName) = (label.parse().unwrap(), "daily".parse().unwrap());
    let mut hold = desk.hold("label", Duration::ZERO, &Cancel::new()).unwrap();
    load_by_label(&mut hold, &label).unwrap();
    label_medium(env, &mut hold, &label, Some(&pool), &NoTask::default()).unwrap();
}

pub fn datastore_with(base: &Path, name: &str, image: &[u8]) -> Arc<Datastore> {
    let store = base.join(name);
    // All 65536 folders would take longer than the test.
    for chunk in image.chunks(CHUNK) {
        let digest = plain_digest(chunk).to_string();
        fs::create_dir_all(store.join(".chunks").join(&digest[..4])).unwrap();
    }
    let datastore = open_store(name, &store, &base.join("run-store"));
    let (image_path, conf_path) = (base.join("image"), base.join("conf"));
    fs::write(&image_path, image).unwrap();
    fs::write(&conf_path, "name: test\n").unwrap();
    let source = |name: &str, path: &Path| -> LocalSource {
        format!("{name}={}", path.display()).parse().unwrap()
    };
    let sources = [source("disk.img", &image_path), source("vm.conf", &conf_path)];
    let actor = "root@pam".parse().unwrap();
    let backup = LocalBackup {
        sources: &sources,
        crypt: None,
        threads: NonZeroUsize::new(2).unwrap(),
        actor: &actor,
    };
    backup.run(&datastore, &snapshot(), &NoTask::default()).unwrap();
    datastore
}

pub fn snapshot() -> SnapshotPath {
    "vm/100/2022-01-01T00:00:00Z".parse().unwrap()
}

fn back_up(env: &TapeEnv, desk: &Arc<DriveDesk>, store: &Arc<Datastore>) -> MediaSetId {
    let mut hold = desk.hold("backup", Duration::ZERO, &Cancel::new()).unwrap();
    let mut done = BackupSummary::default();
    backup(env, &mut hold, &job(store), &mut done, &NoTask::default()).unwrap();
    done.set.unwrap()
}

/// A backup of all of a datastore to the pool `daily`.
pub fn job(store: &Arc<Datastore>) -> BackupJob {
    BackupJob {
        store: store.clone(),
        pool: PoolRules::new("daily".parse().unwrap()),
        site: Site::Anywhere,
        selection: Selection::default(),
        force_media_set: false,
        eject_media: false,
        export_media_set: false,
    }
}

/// A queue, a cache and a source on it.
pub struct Reading {
    pub queue: Option<Arc<DriveQueue>>,
    pub cache: Arc<DiskCache>,
    pub source: MediaSetSource,
    pub damage: Arc<Damage>,
    library: Arc<Drives>,
}

#[derive(Default)]
pub struct Damage(Mutex<Vec<ReadDamage>>);

impl Damage {
    pub fn all(&self) -> Vec<ReadDamage> {
        self.0.lock().unwrap().clone()
    }
}

impl QueueListener for Damage {
    fn damaged(&self, damage: &ReadDamage) {
        self.0.lock().unwrap().push(damage.clone());
    }

    fn medium_failed(&self, medium: &LabelText, error: &Error) {
        eprintln!("medium {medium} failed: {error}");
    }
}

/// All media are in one library, or none; those in `elsewhere` in another one. Of several drives, another one is the
/// best at each question.
#[derive(Default)]
struct Drives {
    all: Mutex<VecDeque<Arc<DriveQueue>>>,
    elsewhere: Mutex<HashMap<LabelText, Arc<DriveQueue>>>,
}

impl Library for Drives {
    fn queue_of(&self, medium: &SetMedium) -> Result<Arc<DriveQueue>> {
        if let Some(queue) = self.elsewhere.lock().unwrap().get(&medium.label_text) {
            return Ok(queue.clone());
        }
        let mut all = self.all.lock().unwrap();
        let queue = all.pop_front();
        all.extend(queue.clone());
        queue.ok_or_else(|| Error::MediumOffline { medium: medium.label_text.clone() })
    }

    fn can_reach(&self, queue: &DriveQueue, medium: &SetMedium) -> bool {
        match self.elsewhere.lock().unwrap().get(&medium.label_text) {
            Some(other) => std::ptr::eq(&**other, queue),
            None => self.all.lock().unwrap().iter().any(|one| std::ptr::eq(&**one, queue)),
        }
    }
}

pub struct Threads;

impl Blocking for Threads {
    fn run(&self, work: Box<dyn FnOnce() + Send>) {
        std::thread::spawn(work);
    }
}

/// Room for chunks on their way to readers.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    pub cache_bytes: u64,
    pub memory_bytes: usize,
}

impl From<u64> for Room {
    /// A cache of that size, and memory for three chunks of usual size.
    fn from(cache_bytes: u64) -> Self {
        Self { cache_bytes, memory_bytes: 16 << 20 }
    }
}

impl Reading {
    pub fn new(
        setup: &Setup,
        env: &Arc<TapeEnv>,
        contents: Arc<SetContents>,
        room: impl Into<Room>,
    ) -> Self {
        let (store, folder) = (setup.store.clone(), setup.cache_folder());
        let options = QueueOptions::default();
        Self::with(env, &setup.desk, contents, store, &folder, room, options)
    }

    pub fn with(
        env: &Arc<TapeEnv>,
        desk: &Arc<DriveDesk>,
        contents: Arc<SetContents>,
        store: StoreName,
        cache_folder: &Path,
        room: impl Into<Room>,
        options: QueueOptions,
    ) -> Self {
        let Room { cache_bytes, memory_bytes } = room.into();
        let cache = DiskCache::open(cache_folder, cache_bytes, Box::new(|_| {})).unwrap();
        let (cache, damage) = (Arc::new(cache), Arc::new(Damage::default()));
        let queue = DriveQueue::new(QueueParts {
            env: env.clone(),
            desk: desk.clone(),
            cache: cache.clone(),
            listener: damage.clone(),
            options,
        });
        let library = Arc::new(Drives::default());
        library.all.lock().unwrap().push_back(queue.clone());
        let source = MediaSetSource::new(SourceParts {
            env: env.clone(),
            contents,
            store,
            library: library.clone(),
            staging: Staging::new(cache.clone(), memory_bytes),
            blocking: Arc::new(Threads),
        });
        Self { queue: Some(queue), cache, source, damage, library }
    }

    /// From now on a medium is said to be in the library of `queue`.
    pub fn put_elsewhere(&self, label: &str, queue: Arc<DriveQueue>) {
        self.library.elsewhere.lock().unwrap().insert(label.parse().unwrap(), queue);
    }

    /// Another drive for all media.
    pub fn put_beside(&self, queue: Arc<DriveQueue>) {
        self.library.all.lock().unwrap().push_back(queue);
    }

    /// From now on no medium is in the library.
    pub fn take_media_away(&self) {
        self.library.all.lock().unwrap().clear();
    }

    pub fn reader(&self) -> Arc<dyn ChunkReader> {
        self.source.reader()
    }

    /// Waits until nothing is read any more and the drive is closed, so that its counts are final.
    pub fn finish(mut self) {
        self.take_media_away();
        let Some(queue) = self.queue.take() else { return };
        while Arc::strong_count(&queue) > 1 {
            std::thread::yield_now();
        }
        drop(queue);
    }
}

/// The chunk, which must be that one.
pub fn expect_chunk(reader: &dyn ChunkReader, (digest, data): &(Digest, Vec<u8>)) {
    let chunk = block_on(reader.chunk(*digest)).unwrap();
    assert!(chunk.plain.unwrap() == data.as_slice(), "chunk {digest} has other data");
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

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

/// Unpacks those members of an archive that fit a pattern.
pub fn unpack(archive: &Path, target: &Path, members: &str) {
    let status = std::process::Command::new("tar")
        .args(["--zstd", "--no-same-owner", "--wildcards", "-xf"])
        .arg(archive)
        .arg("-C")
        .arg(target)
        .arg(members)
        .status()
        .unwrap();
    assert!(status.success(), "tar can't unpack {}", archive.display());
}
