//! The fault sweep: a job of fixed shape on an emulated library in simulated time (label two media, back three
//! snapshots up over them, restore, catalogue, export), in which one command fails, or each one from some point
//! on. Whatever happens, nothing panics or hangs, no wrong byte comes back, and what catalogs state afterwards can be
//! read back. In half of the cases the pool is encrypted: then nothing behind the labels is ever in the clear.
//!
//! Each run does a tenth of all cases, chosen by a seed; `REELFS_SWEEP=all` does all.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reel_config::ConfigDir;
use reel_emu::cartridge::store::MemoryStore;
use reel_emu::{
    Cartridge, CartridgeFacts, Device, EmulatedLibrary, Fault, Host, LibraryShape, Maker, Moment,
};
use reel_hw::scsi::{Sense, SenseKey};
use reel_hw::{
    Changer, ChangerOptions, Clock, DriveNumber, LtoDrive, LtoOptions, ScsiChanger, TapeDrive,
};
use reel_store::datastore::Datastore;
use reel_store::source::Chunk;
use reel_store::{ChunkIndex, DataBlob, FixedIndex, plain_digest};
use reel_tape::backup::{BackupJob, BackupSummary, Selection, backup};
use reel_tape::catalog_restore::{CatalogOptions, restore_catalog};
use reel_tape::medium::load_by_label;
use reel_tape::ops::label_medium;
use reel_tape::restore::{RestoreJob, restore};
use reel_tape::set_contents::SetContents;
use reel_tape::{
    DriveDesk, DriveHold, DriveOpener, Followers, HealthWatch, IdleWatch, Opening, PoolRules, Site,
    TapeEnv, TapeKeyFiles,
};
use reel_tests::emulated;
use reel_tests::in_process::{add_image, open_store, tape_env};
use reel_tests::tape_key::{self, FINGERPRINT};
use reel_types::commands::StoreMap;
use reel_types::{Cancel, DriveName, Fingerprint, LabelText, ManualClock, MediaSetId, NoTask};
use tempfile::TempDir;

const LABELS: [&str; 2] = ["SWP001L8", "SWP002L8"];
const SNAPSHOTS: [&str; 3] =
    ["vm/100/2026-01-01T00:00:00Z", "vm/100/2026-01-02T00:00:00Z", "vm/101/2026-01-01T00:00:00Z"];
/// Room of a medium: with its labels, two snapshots and a part of the third fit before the early warning.
const CAPACITY: u64 = 22 * (256 << 10);
/// Two blocks of a chunk archive.
const IMAGE_BYTES: usize = 300 << 10;

/// The time of all that is done, in UNIX seconds: 2026-01-10.
const NOW: i64 = 1_768_003_200;

/// The first object behind both labels.
const BEHIND_LABELS: u64 = 4;

/// What a device may say instead of doing what it was asked.
fn sense_kinds() -> Vec<Sense> {
    [
        (SenseKey::NotReady, 0x04, 0x01),
        (SenseKey::NotReady, 0x3A, 0x00),
        (SenseKey::UnitAttention, 0x28, 0x00),
        (SenseKey::UnitAttention, 0x29, 0x00),
        (SenseKey::UnitAttention, 0x2A, 0x01),
        (SenseKey::MediumError, 0x11, 0x00),
        (SenseKey::MediumError, 0x0C, 0x00),
        (SenseKey::BlankCheck, 0x00, 0x05),
        (SenseKey::VolumeOverflow, 0x00, 0x02),
        (SenseKey::IllegalRequest, 0x24, 0x00),
        (SenseKey::HardwareError, 0x04, 0x03),
        (SenseKey::AbortedCommand, 0x00, 0x00),
        (SenseKey::DataProtect, 0x27, 0x00),
    ]
    .into_iter()
    .map(|(key, asc, ascq)| Sense::new(key, asc, ascq))
    .collect()
}

/// Opens the drive with its robot, both in the time of the library.
struct Opener {
    library: EmulatedLibrary,
    host: Host,
    clock: Arc<dyn Clock>,
    lock_path: PathBuf,
}

impl Opener {
    fn robot(&self) -> reel_hw::Result<Box<dyn Changer>> {
        let options = ChangerOptions { clock: Arc::clone(&self.clock), ..Default::default() };
        let way = Box::new(self.library.transport_of(&self.host, Device::Changer));
        Ok(Box::new(ScsiChanger::open(way, options, &reel_hw::Cancel::new())?))
    }
}

impl DriveOpener for Opener {
    fn open(&self, opening: &Opening) -> reel_hw::Result<Box<dyn TapeDrive>> {
        let options = LtoOptions { clock: Arc::clone(&self.clock), ..Default::default() };
        let way = Box::new(self.library.transport_of(&self.host, Device::Drive(0)));
        let drive = LtoDrive::open(way, options, &opening.cancel)?;
        Ok(Box::new(drive.in_library(self.robot()?, DriveNumber(0), false)))
    }

    fn lock_path(&self) -> &Path {
        &self.lock_path
    }
}

/// Leaves a drive alone that nobody uses.
struct Nobody;

impl IdleWatch for Nobody {
    fn idle(&self, _drive: &DriveName) {}
}

impl HealthWatch for Nobody {
    fn got_worse(&self, _drive: &DriveName, _what: &str) {}
}

/// Simulated time for the drivers alone: whoever waits, waits no time.
#[derive(Debug, Default)]
struct NoTime(Mutex<Duration>);

impl Clock for NoTime {
    fn now(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn wait(&self, pause: Duration) {
        *self.0.lock().unwrap() += pause;
    }
}

fn new_library() -> EmulatedLibrary {
    let library = EmulatedLibrary::new(&LibraryShape {
        storage_slots: LABELS.len() + 1,
        import_export_slots: LABELS.len(),
        ..emulated::shape(&[Maker::Ibm])
    });
    for (slot, label) in LABELS.iter().enumerate() {
        let facts = CartridgeFacts { capacity: CAPACITY, ..emulated::medium(label) };
        library.put(slot, Cartridge::new(facts, Box::new(MemoryStore::default())));
    }
    library
}

/// The datastore that every case backs up: made once.
struct Source {
    _folder: TempDir,
    store: Arc<Datastore>,
    images: BTreeMap<&'static str, Vec<u8>>,
}

/// A folder whose name says what it is for: it stays where a test hangs and is killed.
fn scratch(what: &str) -> TempDir {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let prefix = format!("reelfs-sweep-{what}-");
    tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).unwrap()
}

impl Source {
    fn new() -> Self {
        let folder = scratch("source");
        let images: BTreeMap<_, _> = SNAPSHOTS
            .iter()
            .zip(1..)
            .map(|(snapshot, seed)| (*snapshot, reel_tests::noise(IMAGE_BYTES, seed)))
            .collect();
        let store = open_store(folder.path(), "store1", images.values());
        for (snapshot, image) in &images {
            add_image(&store, snapshot, image);
        }
        Self { _folder: folder, store, images }
    }
}

/// One run of the job.
struct Case {
    folder: TempDir,
    library: EmulatedLibrary,
    env: Arc<TapeEnv>,
    desk: Arc<DriveDesk>,
    /// Whether the pool is encrypted.
    encrypts: bool,
}

type Step = Result<(), String>;

/// The drive, held from one step to the next. After one that failed it is let go, and opened anew by the next.
struct UsedDrive<'a> {
    case: &'a Case,
    hold: Option<DriveHold>,
}

impl UsedDrive<'_> {
    fn step(&mut self, work: impl FnOnce(&mut DriveHold) -> Step) -> Step {
        let mut hold = self.hold.take().map_or_else(|| self.case.hold(), Ok)?;
        work(&mut hold)?;
        self.hold = Some(hold);
        Ok(())
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Case {
    fn new(what: &str, encrypts: bool) -> Self {
        let folder = scratch(what);
        let base = folder.path();
        // Media of one age are written in the order of their labels.
        let clock = Arc::new(ManualClock::at(NOW));
        let mut env = tape_env(base, clock.clone());
        if encrypts {
            tape_key::put(base);
            env = env.with_keys(TapeKeyFiles::of(ConfigDir::new(base)));
        }
        let library = new_library();
        let opener = Arc::new(Opener {
            host: library.new_host(),
            library: library.clone(),
            clock: Arc::new(NoTime::default()),
            lock_path: "/dev/sweep".into(),
        });
        let (idle, worse) = (Arc::new(Nobody), Arc::new(Nobody));
        let followers = Followers { health: Arc::clone(&env.health), idle, worse };
        let name = "drive0".parse().unwrap();
        let desk = DriveDesk::followed(name, opener, &base.join("run"), clock, Some(followers));
        Self { folder, library, env: Arc::new(env), desk, encrypts }
    }

    fn hold(&self) -> Result<DriveHold, String> {
        self.desk.hold("sweep", Duration::ZERO, &Cancel::new()).map_err(text)
    }

    /// The whole job; a step that fails does not keep the next from being tried, as an operator would.
    fn run(&self, source: &Source) -> Vec<Step> {
        let mut used = UsedDrive { case: self, hold: None };
        let mut steps = vec![
            used.step(|hold| self.label_all(hold)),
            used.step(|hold| self.back_up(source, hold, false)),
        ];
        used.hold = None;
        steps.extend([
            self.restore_all(source, "store2", &mut used).map(drop),
            used.step(|hold| self.catalogue(hold)),
            used.step(|hold| self.back_up(source, hold, true)),
        ]);
        steps
    }

    /// The medium that is written first is labelled last, so that it is in the drive then.
    fn label_all(&self, hold: &mut DriveHold) -> Step {
        let labelled: Vec<Step> =
            LABELS.iter().rev().map(|label| self.label(hold, label)).collect();
        labelled.into_iter().collect()
    }

    fn label(&self, hold: &mut DriveHold, label: &str) -> Step {
        let label: LabelText = label.parse().unwrap();
        let pool = "daily".parse().unwrap();
        load_by_label(hold, &label).map_err(text)?;
        let labelled = label_medium(&self.env, hold, &label, Some(&pool), &NoTask::default());
        labelled.map(drop).map_err(text)
    }

    fn back_up(&self, source: &Source, hold: &mut DriveHold, export: bool) -> Step {
        let job = BackupJob {
            store: Arc::clone(&source.store),
            pool: PoolRules {
                encrypt: self.encrypts.then(|| FINGERPRINT.parse::<Fingerprint>().unwrap()),
                ..PoolRules::new("daily".parse().unwrap())
            },
            site: Site::Anywhere,
            selection: Selection::default(),
            force_media_set: false,
            eject_media: false,
            export_media_set: export,
        };
        let mut done = BackupSummary::default();
        backup(&self.env, hold, &job, &mut done, &NoTask::default()).map_err(text)
    }

    fn catalogue(&self, hold: &mut DriveHold) -> Step {
        let options = CatalogOptions { force: true, scan: true, verbose: false };
        restore_catalog(&self.env, hold, options, &NoTask::default()).map_err(text)
    }

    fn sets(&self) -> BTreeSet<MediaSetId> {
        let inventory = self.env.inventory.load().unwrap();
        inventory.iter().filter_map(|entry| Some(entry.assigned_set()?.uuid)).collect()
    }

    /// Restores every set into a new datastore; the snapshots that it has then.
    fn restore_all(
        &self,
        source: &Source,
        name: &str,
        used: &mut UsedDrive<'_>,
    ) -> Result<Arc<Datastore>, String> {
        let store = open_store(self.folder.path(), name, source.images.values());
        for set in self.sets() {
            let map: StoreMap = name.parse().unwrap();
            let job = RestoreJob {
                sets: vec![set],
                map,
                stores: BTreeMap::from([(name.parse().unwrap(), Arc::clone(&store))]),
                snapshots: Vec::new(),
                namespaces: Vec::new(),
                owner: "root@pam".parse().unwrap(),
            };
            let restored = |hold: &mut DriveHold| {
                restore(&self.env, hold, &job, &NoTask::default()).map(drop).map_err(text)
            };
            used.step(restored)?;
        }
        Ok(store)
    }

    /// The snapshots that the catalogs state.
    fn stated(&self) -> BTreeSet<String> {
        let inventory = self.env.inventory.load().unwrap();
        let mut stated = BTreeSet::new();
        for set in self.sets() {
            let contents = SetContents::open(&self.env, &inventory, set).unwrap();
            stated
                .extend(contents.snapshots().into_iter().map(|snapshot| snapshot.path.to_string()));
        }
        stated
    }

    /// Whether all that lies on the media behind their labels is encrypted, as the drive notes it on their chips.
    fn nothing_is_clear(&self) -> Result<bool, String> {
        let mut hold = self.hold()?;
        for label in LABELS {
            load_by_label(&mut hold, &label.parse().unwrap()).map_err(text)?;
            let memory = hold.drive().cartridge_memory().map_err(text)?;
            let place = |id| memory.get(id).and_then(|attribute| attribute.number());
            hold.drive().space_to_end_of_data().map_err(text)?;
            let end = hold.drive().position().map_err(text)?.object.0;
            // The first encrypted block, and the first one behind it that is not; all ones for none.
            let (encrypted, clear) = (place(0x0224), place(0x0225));
            if clear != Some(u64::MAX) || end > BEHIND_LABELS && encrypted != Some(BEHIND_LABELS) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Brings all media back to where they can be loaded, as an operator would, and everything that failed to its end.
    fn put_right(&self) {
        self.library.clear_faults();
        for slot in LABELS.len() + 1..2 * LABELS.len() + 1 {
            let mut exported = self.library.take(slot);
            for free in 0..=LABELS.len() {
                let Some(cartridge) = exported.take() else { break };
                exported = self.library.put(free, cartridge);
                if let Some(before) = exported.take() {
                    exported = self.library.put(free, before);
                }
            }
        }
    }
}

/// Runs a case and judges it. How many commands it took, and how many steps failed.
fn judge(source: &Source, fault: Option<Fault>, encrypts: bool) -> (u64, usize) {
    let what = fault.map_or("none".to_owned(), |fault| name_of(&fault));
    let case = Case::new(&what, encrypts);
    if let Some(fault) = fault {
        case.library.plan_fault(fault);
    }
    let steps = case.run(source);
    let commands = case.library.commands();
    case.put_right();
    let stated = case.stated();
    let mut used = UsedDrive { case: &case, hold: None };
    let outcome = case.restore_all(source, "store3", &mut used).map(drop);
    drop(used);
    // A medium that was to be taken into the set and has no set label yet is named; nothing else is amiss.
    let named = |text: &String| text.contains("found it in no media set");
    assert!(outcome.as_ref().err().is_none_or(named), "{outcome:?} of {stated:?}; {steps:?}");
    for path in &stated {
        assert!(SNAPSHOTS.contains(&path.as_str()), "{path}");
        let back = is_back(source, &case.folder.path().join("store3"), path);
        assert_eq!(back, Ok(()), "{path} of {stated:?}: {outcome:?}; {steps:?}");
    }
    if encrypts {
        assert_eq!(case.nothing_is_clear(), Ok(true), "{steps:?}");
    }
    if fault.is_none() {
        assert!(steps.iter().all(Result::is_ok), "{steps:?}");
        assert_eq!(stated.len(), SNAPSHOTS.len());
    }
    (commands, steps.iter().filter(|step| step.is_err()).count())
}

/// Whether the snapshot is there, and its image is what was backed up.
fn is_back(source: &Source, folder: &Path, path: &str) -> Step {
    let index = File::open(folder.join(path).join("disk.img.fidx")).map_err(text)?;
    let index = FixedIndex::open(index).map_err(text)?;
    let digest = index.entries(0..1).next().unwrap().map_err(text)?.digest;
    if digest != plain_digest(&source.images[path]) {
        return Err("another image".to_owned());
    }
    let name = digest.to_string();
    let raw = fs::read(folder.join(".chunks").join(&name[..4]).join(name)).map_err(text)?;
    let blob = DataBlob::from_raw(raw.into()).map_err(text)?;
    Chunk::checked(blob, &digest).map(drop).map_err(text)
}

/// Sense and moment of a fault, as a part of a file's name.
fn name_of(fault: &Fault) -> String {
    let Sense { key, asc, ascq, .. } = fault.sense;
    format!("{key:?}-{asc:02x}-{ascq:02x}-{:?}", fault.moment)
}

/// All faults of a job of that many commands: for each sense and each command a pair, for that command and from it on.
fn faults(commands: u64) -> Vec<Fault> {
    let mut faults = Vec::new();
    for sense in sense_kinds() {
        for number in 1..=commands {
            faults.push(Fault { moment: Moment::Once(number), sense });
            faults.push(Fault { moment: Moment::From(number), sense });
        }
    }
    faults
}

/// Whether a case belongs to the part that each run does.
fn is_chosen(number: usize) -> bool {
    const SEED: u64 = 0x9E37_79B9_7F4A_7C15;
    let all = std::env::var("REELFS_SWEEP").is_ok_and(|value| value == "all");
    all || ((number as u64 + 1).wrapping_mul(SEED) >> 32).is_multiple_of(10)
}

/// Runs cases until none is left. How many it did, in how many some step failed, and what went wrong.
fn work(
    source: &Source,
    cases: &Mutex<impl Iterator<Item = (Fault, bool)>>,
) -> (u64, u64, Vec<String>) {
    let (mut done, mut failed, mut wrong) = (0, 0, Vec::new());
    loop {
        let Some((fault, encrypts)) = cases.lock().unwrap().next() else {
            return (done, failed, wrong);
        };
        let judged = catch_unwind(AssertUnwindSafe(|| judge(source, Some(fault), encrypts)));
        match judged {
            Ok((_, steps)) => failed += u64::from(steps > 0),
            Err(_) => {
                let case = format!("{}, encrypted: {encrypts}", name_of(&fault));
                eprintln!("wrong: {case}");
                wrong.push(case);
            }
        }
        done += 1;
    }
}

#[test]
fn no_failing_command_loses_what_catalogs_state() {
    let source = Source::new();
    let faultless = [false, true].map(|encrypts| judge(&source, None, encrypts));
    let commands = faultless.iter().map(|(commands, _)| *commands).max().unwrap();
    assert_eq!(faultless.map(|(_, failed)| failed), [0, 0]);
    assert!(commands <= 400, "the job takes {commands} commands");
    let faults = faults(commands);
    let total = faults.len();
    assert_eq!(total as u64, commands * 2 * sense_kinds().len() as u64);
    let chosen = faults.into_iter().enumerate().filter(|(number, _)| is_chosen(*number));
    // Half of the pairs of each command, and of each sense.
    let encrypts = |pair: u64| (pair / commands + pair % commands) % 2 == 1;
    let cases = Mutex::new(chosen.map(|(number, fault)| (fault, encrypts(number as u64 / 2))));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let results: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| work(&source, &cases))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let (done, failed) =
        results.iter().fold((0, 0), |(a, b), (done, failed, _)| (a + done, b + failed));
    let wrong: Vec<_> = results.into_iter().flat_map(|(_, _, wrong)| wrong).collect();
    println!("{done} of {total} cases, a job of {commands} commands; steps failed in {failed}");
    assert!(wrong.is_empty(), "{} wrong: {wrong:#?}", wrong.len());
}
