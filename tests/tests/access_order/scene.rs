//! A tape on which snapshots lie far apart, and drives that behave well or badly.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use reel_emu::cartridge::objects::{Block, Object, Objects};
use reel_emu::cartridge::store::TapeStore;
use reel_emu::time::{EmuClock, Seed};
use reel_emu::{
    Cartridge, CartridgeFacts, Device, DriveModel, EmulatedLibrary, EmulatedTransport, Generation,
    Host, LibraryShape, Timing,
};
use reel_hw::scsi::{Cdb, Sense, SenseFormat, SenseKey};
use reel_hw::transport::{Data, Reply, Status, Transport, TransportError};
use reel_hw::{
    BlockNumber, Changer, ChangerOptions, Clock, DriveNumber, LtoDrive, LtoOptions, ObjectRange,
    ScsiChanger, TAPE_BLOCK_SIZE, TapeDrive,
};
use reel_store::cache::DiskCache;
use reel_store::datastore::Datastore;
use reel_store::plain_digest;
use reel_store::source::{Blocking, ChunkSource};
use reel_tape::backup::{BackupJob, BackupSummary, Selection, backup};
use reel_tape::medium::{load_by_label, unload_medium};
use reel_tape::ops::label_medium;
use reel_tape::plan::Planner;
use reel_tape::queue::{DriveQueue, QueueListener, QueueOptions, QueueParts, ReadDamage};
use reel_tape::set_contents::{SetContents, SetMedium};
use reel_tape::set_source::{Library, MediaSetSource, SourceParts, Staging};
use reel_tape::{
    DriveDesk, DriveHold, DriveOpener, Error, Opening, PoolRules, Result, Site, TapeEnv,
};
use reel_tests::emulated;
use reel_tests::in_process::{add_image, open_store, tape_env};
use reel_types::{Cancel, Digest, DriveName, LabelText, MediaSetId, NoTask, SystemClock};
use tempfile::TempDir;

const SNAPSHOTS: usize = 40;
/// Blocks between the archives of two snapshots: 26 GB.
const GAP_BLOCKS: u64 = 100_000;
const IMAGE_BYTES: usize = 1 << 20;

const RECOMMENDED_ORDER: u8 = 0x1D;
const WRAP_ENDS: u8 = 0x1F;
const DESCRIPTOR_BYTES: usize = 32;
const HEADER_BYTES: usize = 8;

/// How a drive answers when it is asked for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As the emulated one does.
    AsItIs,
    /// It knows neither orders nor ends of wraps.
    WithoutOrders,
    /// It takes seven places in a list.
    TakesFew,
    /// It names a place twice, and another not at all.
    Doubles,
    /// It names a place that was not sent.
    Invents,
    /// It leaves the last place out.
    Forgets,
    /// It sends bytes that mean nothing.
    Raves,
    /// It takes the list, and has none to give back.
    Refuses,
}

impl Manner {
    /// Answers that are no order.
    pub const SENSELESS: [Self; 5] =
        [Self::Doubles, Self::Invents, Self::Forgets, Self::Raves, Self::Refuses];
}

/// A way to a drive that spoils what it says of orders, and notes where it was sent.
struct Way {
    drive: EmulatedTransport,
    asked: Arc<Asked>,
    manner: Manner,
}

/// What a drive was asked.
#[derive(Default)]
struct Asked {
    located: Mutex<Vec<u64>>,
    orders: AtomicUsize,
}

impl Transport for Way {
    fn execute(
        &mut self,
        cdb: &Cdb,
        mut data: Data<'_>,
        timeout: Duration,
    ) -> std::result::Result<Reply, TransportError> {
        match (cdb.opcode(), cdb.byte(1) & 0x1F) {
            (0x92, _) => self.asked.located.lock().unwrap().push(cdb.uint(4, 8)),
            (0xA4, RECOMMENDED_ORDER) => {
                self.asked.orders.fetch_add(1, Ordering::Relaxed);
            }
            (0xA3, RECOMMENDED_ORDER | WRAP_ENDS) if self.manner == Manner::WithoutOrders => {
                return Ok(refusal(0x20));
            }
            _ => {}
        }
        let mut reply = self.drive.execute(cdb, data.reborrow(), timeout)?;
        let is_list = (cdb.opcode(), cdb.byte(1)) == (0xA3, RECOMMENDED_ORDER);
        let is_limits = (cdb.opcode(), cdb.byte(1)) == (0xA3, 0x80 | RECOMMENDED_ORDER);
        match (data, self.manner) {
            (Data::In(limits), Manner::TakesFew) if is_limits => {
                limits[..2].copy_from_slice(&[0, 7])
            }
            (Data::In(list), manner) if is_list => spoil(list, &mut reply, manner),
            _ => {}
        }
        Ok(reply)
    }

    fn device(&self) -> &str {
        self.drive.device()
    }
}

fn refusal(asc: u8) -> Reply {
    let sense = Sense::new(SenseKey::IllegalRequest, asc, 0).encode(SenseFormat::Fixed);
    Reply { status: Status::CheckCondition, transferred: 0, sense }
}

/// Makes an order of at least two places none.
fn spoil(list: &mut [u8], reply: &mut Reply, manner: Manner) {
    match manner {
        Manner::Doubles => {
            let second = HEADER_BYTES + DESCRIPTOR_BYTES;
            list.copy_within(HEADER_BYTES..second, second);
        }
        Manner::Invents => list[HEADER_BYTES + 5..HEADER_BYTES + 8].copy_from_slice(b"777"),
        Manner::Forgets => {
            reply.transferred -= DESCRIPTOR_BYTES;
            let left = (reply.transferred - HEADER_BYTES) as u32;
            list[4..8].copy_from_slice(&left.to_be_bytes());
        }
        Manner::Raves => list[..reply.transferred].fill(0xFF),
        Manner::Refuses => *reply = refusal(0x2C),
        Manner::AsItIs | Manner::WithoutOrders | Manner::TakesFew => {}
    }
}

/// A tape that has a long file of zeros behind each filemark at which writing ends.
#[derive(Default)]
struct SpacedTape {
    objects: Objects,
    /// The bytes of the blocks that are no gap, by where they begin.
    blocks: BTreeMap<u64, Vec<u8>>,
    filemarks: u64,
}

impl SpacedTape {
    fn end(&self) -> u64 {
        self.objects.bytes_before(self.objects.count())
    }
}

impl TapeStore for SpacedTape {
    fn objects(&self) -> &Objects {
        &self.objects
    }

    fn push_block(&mut self, block: Block, stored: &[u8]) -> io::Result<()> {
        self.blocks.insert(self.end(), stored.to_vec());
        self.objects.push(Object::Block(block));
        Ok(())
    }

    /// Who writes on cuts the gap off again; who comes back later goes behind it.
    fn push_filemark(&mut self) -> io::Result<()> {
        self.objects.push(Object::Filemark);
        self.filemarks += 1;
        // Behind both labels.
        if self.filemarks > 2 {
            let zeros = Block { length: TAPE_BLOCK_SIZE as u32, encrypted: false };
            (0..GAP_BLOCKS).for_each(|_| self.objects.push(Object::Block(zeros)));
            self.objects.push(Object::Filemark);
        }
        Ok(())
    }

    fn read(&self, offset: u64, stored: &mut [u8]) -> io::Result<()> {
        stored.fill(0);
        if let Some((begin, block)) = self.blocks.range(..=offset).next_back()
            && let Some(rest) = block.get((offset - begin) as usize..)
        {
            let length = rest.len().min(stored.len());
            stored[..length].copy_from_slice(&rest[..length]);
        }
        Ok(())
    }

    fn cut(&mut self, number: u64) -> io::Result<()> {
        let end = self.objects.bytes_before(number);
        self.objects.cut(number);
        self.blocks.split_off(&end);
        self.filemarks = self.objects.filemarks_before(number);
        Ok(())
    }
}

/// Opens the drive with its robot, in the time of the library.
struct Opener {
    library: EmulatedLibrary,
    host: Host,
    clock: EmuClock,
    manner: Manner,
    asked: Arc<Asked>,
    lock_path: PathBuf,
}

impl Opener {
    fn robot(&self) -> reel_hw::Result<Box<dyn Changer>> {
        let options = ChangerOptions { clock: self.time(), ..Default::default() };
        let way = Box::new(self.library.transport_of(&self.host, Device::Changer));
        Ok(Box::new(ScsiChanger::open(way, options, &reel_hw::Cancel::new())?))
    }

    fn time(&self) -> Arc<dyn Clock> {
        Arc::new(self.clock.clone())
    }
}

impl DriveOpener for Opener {
    fn open(&self, opening: &Opening) -> reel_hw::Result<Box<dyn TapeDrive>> {
        let options = LtoOptions { clock: self.time(), ..Default::default() };
        let drive = self.library.transport_of(&self.host, Device::Drive(0));
        let way = Way { drive, asked: Arc::clone(&self.asked), manner: self.manner };
        let drive = LtoDrive::open(Box::new(way), options, &opening.cancel)?;
        Ok(Box::new(drive.in_library(self.robot()?, DriveNumber(0), false)))
    }

    fn lock_path(&self) -> &Path {
        &self.lock_path
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.time()
    }
}

/// A medium with snapshots far apart, in a drive of simulated time.
pub struct Scene {
    folder: TempDir,
    library: EmulatedLibrary,
    env: Arc<TapeEnv>,
    store: Arc<Datastore>,
    label: LabelText,
    /// The only chunk of each snapshot.
    chunks: Vec<(Digest, Vec<u8>)>,
    /// Whether reading begins with the medium in the drive, else in its slot.
    pub is_in_drive: bool,
}

/// How reading went.
pub struct Read {
    /// By the library's clock.
    pub took_s: f64,
    /// Where the drive was sent.
    pub located: Vec<u64>,
    /// How often it was asked for an order.
    pub orders: usize,
    /// How often it was told that there is none to be had.
    pub complaints: usize,
}

impl Scene {
    /// In a drive and with a medium that are as they should be.
    pub fn new(model: DriveModel) -> Self {
        Self::with_timing(model, &Timing::simulated())
    }

    /// In a drive and with a medium that deviate by a seed.
    pub fn deviating(model: DriveModel, seed: u64) -> Self {
        Self::with_timing(model, &Timing::simulated().seeded(Seed(seed)))
    }

    /// Backs the snapshots up, one job each.
    fn with_timing(model: DriveModel, timing: &Timing) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        let label = label_of(model.generation);
        let images: Vec<_> =
            (1..=SNAPSHOTS as u64).map(|n| reel_tests::noise(IMAGE_BYTES, n)).collect();
        let chunks: Vec<_> =
            images.into_iter().map(|image| (plain_digest(&image), image)).collect();
        let scene = Self {
            library: library(model, &label, timing),
            env: Arc::new(tape_env(base, Arc::new(SystemClock))),
            store: open_store(base, "store1", chunks.iter().map(|(_, image)| image)),
            label,
            chunks,
            folder,
            is_in_drive: true,
        };
        scene.fill();
        scene
    }

    fn fill(&self) {
        let mut hold = self.hold();
        let pool = "daily".parse().unwrap();
        load_by_label(&mut hold, &self.label).unwrap();
        label_medium(&self.env, &mut hold, &self.label, Some(&pool), &NoTask::default()).unwrap();
        for number in 0..SNAPSHOTS {
            self.add_snapshot(number);
            let job = BackupJob {
                store: Arc::clone(&self.store),
                pool: PoolRules::new(pool.clone()),
                site: Site::Anywhere,
                selection: Selection::default(),
                force_media_set: false,
                eject_media: false,
                export_media_set: false,
            };
            let mut done = BackupSummary::default();
            backup(&self.env, &mut hold, &job, &mut done, &NoTask::default()).unwrap();
        }
    }

    fn add_snapshot(&self, number: usize) {
        let snapshot = format!("vm/{}/2026-01-01T00:00:00Z", 100 + number);
        add_image(&self.store, &snapshot, &self.chunks[number].1);
    }

    fn desk(&self, manner: Manner) -> (Arc<DriveDesk>, Arc<Asked>) {
        let asked = Arc::new(Asked::default());
        let opener = Opener {
            host: self.library.new_host(),
            library: self.library.clone(),
            clock: self.library.clock().unwrap().clone(),
            manner,
            asked: Arc::clone(&asked),
            lock_path: "/dev/access-order".into(),
        };
        let run = self.folder.path().join("run");
        (DriveDesk::new("drive0".parse().unwrap(), Arc::new(opener), &run), asked)
    }

    /// Holds the drive as it is.
    pub fn hold(&self) -> DriveHold {
        self.desk(Manner::AsItIs).0.hold("test", Duration::ZERO, &Cancel::new()).unwrap()
    }

    fn now_s(&self) -> f64 {
        self.library.clock().unwrap().now_s()
    }

    fn contents(&self) -> Arc<SetContents> {
        let inventory = self.env.inventory.load().unwrap();
        let set: MediaSetId =
            inventory.iter().find_map(|entry| Some(entry.assigned_set()?.uuid)).unwrap();
        Arc::new(SetContents::open(&self.env, &inventory, set).unwrap())
    }

    /// Reads the chunks of these snapshots, wanted in this order, from the beginning of the tape.
    pub fn read(&self, wanted: &[usize], manner: Manner) -> Read {
        let (desk, asked) = self.desk(manner);
        let cache_folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        let cache = DiskCache::open(cache_folder.path(), 1 << 30, Box::new(|_| {})).unwrap();
        let (cache, complaints) = (Arc::new(cache), Arc::new(Complaints::default()));
        let queue = DriveQueue::new(QueueParts {
            env: Arc::clone(&self.env),
            desk: Arc::clone(&desk),
            cache: Arc::clone(&cache),
            listener: complaints.clone(),
            options: QueueOptions { linger: Duration::ZERO, ..QueueOptions::default() },
        });
        let source = MediaSetSource::new(SourceParts {
            env: Arc::clone(&self.env),
            contents: self.contents(),
            store: self.store.name().clone(),
            library: Arc::new(OneDrive(Arc::clone(&queue))),
            staging: Staging::new(cache, 0),
            blocking: Arc::new(Threads),
        });
        let mut hold = desk.hold("test", Duration::ZERO, &Cancel::new()).unwrap();
        if self.is_in_drive {
            hold.drive().rewind().unwrap();
        } else {
            unload_medium(&mut hold, &NoTask::default()).unwrap();
        }
        let reader = source.reader();
        let waiting: Vec<_> =
            wanted.iter().map(|number| reader.chunk(self.chunks[*number].0)).collect();
        while queue.waiting() < wanted.len() {
            std::thread::yield_now();
        }
        asked.located.lock().unwrap().clear();
        let began_s = self.now_s();
        drop(hold);
        for (number, chunk) in wanted.iter().zip(waiting) {
            let chunk = block_on(chunk).unwrap().plain.unwrap();
            assert!(chunk == self.chunks[*number].1.as_slice(), "snapshot {number}");
        }
        let took_s = self.now_s() - began_s;
        drop((reader, source));
        drop(queue);
        let located = asked.located.lock().unwrap().clone();
        let orders = asked.orders.load(Ordering::Relaxed);
        Read { took_s, located, orders, complaints: complaints.0.load(Ordering::Relaxed) }
    }

    /// How long a plan says that reading these snapshots takes, s.
    pub fn planned_s(&self, wanted: &[usize]) -> f64 {
        let contents = self.contents();
        let mut planner = Planner::default();
        for number in wanted {
            let digest = &self.chunks[*number].0;
            let targets = contents.targets(&self.env.places, self.store.name(), digest).unwrap();
            planner.add(targets.first(), IMAGE_BYTES as u64, false);
        }
        let mut plan = planner.finish();
        let drive = "drive0".parse().unwrap();
        let by = |medium: &SetMedium| {
            self.env.times.reckoning(Some(&drive), medium.id, &medium.label_text)
        };
        plan.reckon(by, |_| self.is_in_drive);
        plan.media[0].seconds.unwrap()
    }

    /// Where the chunk of a snapshot lies.
    pub fn range_of(&self, number: usize) -> ObjectRange {
        let digest = &self.chunks[number].0;
        let targets = self.contents().targets(&self.env.places, self.store.name(), digest).unwrap();
        let first = targets[0].place.unwrap().object();
        let blocks = (IMAGE_BYTES / TAPE_BLOCK_SIZE) as u64;
        ObjectRange { first, last: BlockNumber(first.0 + blocks) }
    }

    /// What reading these snapshots takes by hand in the order that the drive recommends, from the beginning of the
    /// tape, the labels read.
    pub fn cost_of_recommended(&self, wanted: &[usize]) -> f64 {
        let ranges: Vec<_> = wanted.iter().map(|number| self.range_of(*number)).collect();
        let mut hold = self.hold();
        hold.drive().rewind().unwrap();
        let began_s = self.now_s();
        reel_tape::medium::read_labels(&mut hold).unwrap();
        let drive = hold.drive();
        let order = drive.access_order(&ranges).unwrap().unwrap();
        let mut buffer = vec![0; TAPE_BLOCK_SIZE];
        for range in order.into_iter().map(|index| ranges[index]) {
            drive.locate(range.first).unwrap();
            for _ in range.first.0..=range.last.0 {
                drive.read_block(&mut buffer).unwrap();
            }
        }
        self.now_s() - began_s
    }
}

fn label_of(generation: Generation) -> LabelText {
    format!("RAO001L{}", generation.number()).parse().unwrap()
}

fn library(model: DriveModel, label: &LabelText, timing: &Timing) -> EmulatedLibrary {
    let capacity = match model.generation {
        Generation::Lto9 => 18_000_000_000_000,
        _ => 12_000_000_000_000,
    };
    let facts = CartridgeFacts::blank(label.as_str(), model.generation.density(), capacity);
    let shape = LibraryShape { drives: vec![model], ..emulated::shape(&[]) };
    let library = EmulatedLibrary::with_timing(&shape, timing);
    library.put(0, Cartridge::new(facts, Box::new(SpacedTape::default())));
    library
}

struct OneDrive(Arc<DriveQueue>);

impl Library for OneDrive {
    fn queue_of(&self, _medium: &SetMedium) -> Result<Arc<DriveQueue>> {
        Ok(Arc::clone(&self.0))
    }

    fn can_reach(&self, _queue: &DriveQueue, _medium: &SetMedium) -> bool {
        true
    }
}

/// How often it was told that no order is to be had.
#[derive(Default)]
struct Complaints(AtomicUsize);

impl QueueListener for Complaints {
    fn damaged(&self, damage: &ReadDamage) {
        eprintln!("{damage}");
    }

    fn medium_failed(&self, medium: &LabelText, error: &Error) {
        eprintln!("medium {medium} failed: {error}");
    }

    fn without_order(&self, _drive: &DriveName, _error: &reel_hw::Error) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Threads;

impl Blocking for Threads {
    fn run(&self, work: Box<dyn FnOnce() + Send>) {
        std::thread::spawn(work);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
