//! What becomes of the bytes: they outlive a power cut once that was said, and a store that fails is heard of.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use reel_emu::cartridge::objects::{Block, Objects};
use reel_emu::cartridge::store::{MemoryStore, TapeStore};
use reel_emu::{
    Cartridge, CartridgeKind, Device, EmulatedLibrary, FolderError, Generation, LibraryShape, Maker,
};
use reel_hw::conformance::{block, record};
use reel_hw::scsi::Cdb;
use reel_hw::transport::{Data, Transport, TransportError};
use reel_hw::{Cancel, Changer, ChangerOptions, ScsiChanger, TapeDrive};

use crate::support::{Host, facts, library, model, open};

/// A store that counts how often it was flushed, and fails when it is told to.
#[derive(Default, Clone)]
struct Watch {
    syncs: Arc<AtomicU64>,
    fails: Arc<AtomicBool>,
}

struct WatchedStore(MemoryStore, Watch);

impl Watch {
    fn check(&self) -> io::Result<()> {
        match self.fails.load(Ordering::Relaxed) {
            true => Err(io::Error::from_raw_os_error(28)),
            false => Ok(()),
        }
    }
}

impl TapeStore for WatchedStore {
    fn objects(&self) -> &Objects {
        self.0.objects()
    }

    fn push_block(&mut self, block: Block, stored: &[u8]) -> io::Result<()> {
        self.1.check()?;
        self.0.push_block(block, stored)
    }

    fn push_filemark(&mut self) -> io::Result<()> {
        self.1.check()?;
        self.0.push_filemark()
    }

    fn read(&self, offset: u64, stored: &mut [u8]) -> io::Result<()> {
        self.1.check()?;
        self.0.read(offset, stored)
    }

    fn cut(&mut self, number: u64) -> io::Result<()> {
        self.0.cut(number)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.1.syncs.fetch_add(1, Ordering::Relaxed);
        self.1.check()
    }
}

fn watched() -> (EmulatedLibrary, Watch) {
    let (library, watch) = (library(model(Maker::Ibm, Generation::Lto8)), Watch::default());
    let store = Box::new(WatchedStore(MemoryStore::default(), watch.clone()));
    library.insert(0, Cartridge::new(facts("TEST01L8", Generation::Lto8, 1 << 30), store));
    (library, watch)
}

#[test]
fn what_was_flushed_is_on_disk() {
    let (library, watch) = watched();
    let mut drive = open(&library);
    let syncs = || watch.syncs.load(Ordering::Relaxed);
    drive.write_block(&block(b'a')).unwrap();
    drive.write_filemarks(1, true).unwrap();
    assert_eq!(syncs(), 0);
    drive.sync().unwrap();
    assert_eq!(syncs(), 1);
    drive.sync().unwrap();
    drive.rewind().unwrap();
    assert_eq!(syncs(), 1, "nothing had changed");
    drive.write_block(&block(b'b')).unwrap();
    watch.fails.store(true, Ordering::Relaxed);
    assert!(drive.sync().is_err());
    assert_eq!(syncs(), 2);
}

#[test]
fn who_runs_the_library_hears_why_its_store_failed() {
    let (library, watch) = watched();
    let mut host = Host::new(&library, Device::Drive(0));
    assert!(host.write(&block(b'a')).is_good());
    watch.fails.store(true, Ordering::Relaxed);
    let mut send = |cdb: &[u8], data: Data<'_>| {
        let (cdb, limit) = (Cdb::new(cdb).unwrap(), Duration::from_secs(60));
        host.0.execute(&cdb, data, limit)
    };
    let write = send(&[0x0A, 0, 4, 0, 0, 0], Data::Out(&block(b'b')));
    let Err(TransportError::System(error)) = write else { panic!("{write:?}") };
    let text = error.to_string();
    assert!(text.contains("write TEST01L8: No space left on device"), "{text}");
    assert!(text.contains("make room"), "{text}");
    send(&[1, 0, 0, 0, 0, 0], Data::None).unwrap_err();
    watch.fails.store(false, Ordering::Relaxed);
    send(&[1, 0, 0, 0, 0, 0], Data::None).unwrap();
}

fn shape(storage_slots: usize) -> LibraryShape {
    LibraryShape { storage_slots, ..LibraryShape::unique(1, Maker::Ibm, Generation::Lto8) }
}

fn media(count: u32) -> Vec<reel_emu::CartridgeFacts> {
    let barcode = |number| format!("M{number:05}L8");
    (0..count).map(|number| facts(&barcode(number), Generation::Lto8, 1 << 30)).collect()
}

fn labels(folder: &Path) -> Vec<String> {
    let library = EmulatedLibrary::open(folder).unwrap();
    let robot = Box::new(library.transport(Device::Changer));
    let mut robot = ScsiChanger::open(robot, ChangerOptions::default(), &Cancel::new()).unwrap();
    let status = robot.status().unwrap();
    status.slots.iter().map(|slot| slot.content.to_string()).collect()
}

#[test]
fn a_library_is_made_whole_or_not_at_all() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("library");
    let many = EmulatedLibrary::create_with_media(&folder, &shape(2), &media(3));
    let text = many.unwrap_err().to_string();
    assert!(text.contains("3 media in storage slots do not fit"), "{text}");
    assert!(!folder.exists());
    for (slots, doors) in [(61_440, 0), (8, 241)] {
        let shape = LibraryShape { import_export_slots: doors, ..shape(slots) };
        let refused = EmulatedLibrary::create(&folder, &shape);
        assert!(matches!(refused, Err(FolderError::TooMany { .. })), "{slots} {doors}");
    }
    // As of one who was stopped before the last step.
    EmulatedLibrary::create_with_media(&folder, &shape(4), &media(2)).unwrap();
    fs::remove_file(folder.join("library.json")).unwrap();
    EmulatedLibrary::create_with_media(&folder, &shape(4), &media(3)).unwrap();
    assert_eq!(labels(&folder), ["'M00000L8'", "'M00001L8'", "'M00002L8'", "nothing"]);
    assert_eq!(fs::read_dir(folder.join("cartridges")).unwrap().count(), 3);
}

#[test]
fn a_library_that_is_made_anew_takes_no_recorded_tape_for_a_blank_one() {
    let folder = tempfile::tempdir().unwrap();
    EmulatedLibrary::create_with_media(folder.path(), &shape(4), &media(1)).unwrap();
    let data = folder.path().join("cartridges/M00000L8/data");
    fs::write(&data, b"precious").unwrap();
    fs::remove_file(folder.path().join("library.json")).unwrap();
    EmulatedLibrary::create_with_media(folder.path(), &shape(4), &media(1)).unwrap();
    assert_eq!(fs::read(&data).unwrap(), b"precious");
    assert!(folder.path().join("cartridges/M00000L8-2").exists());
}

#[test]
fn the_default_library_is_like_no_other() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let json = |folder: &Path| fs::read_to_string(folder.join("library.json")).unwrap();
    for folder in [&one, &other] {
        EmulatedLibrary::create_default(folder.path()).unwrap();
        let again = EmulatedLibrary::create_default(folder.path()).unwrap_err();
        assert_eq!(again.errno(), libc::EEXIST);
    }
    assert_ne!(json(one.path()), json(other.path()), "serial numbers");
    let mut expected: Vec<_> = (1..=6).map(|number| format!("'REEL{number:02}L8'")).collect();
    expected.extend(["'CLN001CU'", "nothing", "nothing", "nothing"].map(str::to_owned));
    assert_eq!(labels(one.path()), expected);
    let library = EmulatedLibrary::open(one.path()).unwrap();
    assert_eq!(library.take(0).unwrap().facts.kind, CartridgeKind::Data);
    assert_eq!(library.take(6).unwrap().facts.kind, CartridgeKind::Cleaning { uses: 50 });
}

#[test]
fn where_there_is_no_library_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let Err(error) = EmulatedLibrary::open(folder.path()) else { panic!("there is none") };
    assert_eq!(error.errno(), libc::ENOENT);
    assert!(error.to_string().contains("make one with 'reel-vtl create "), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn only_tapes_in_drives_are_open() {
    let folder = tempfile::tempdir().unwrap();
    EmulatedLibrary::create_with_media(folder.path(), &shape(4), &media(3)).unwrap();
    let library = EmulatedLibrary::open(folder.path()).unwrap();
    let open_below = || {
        let files = fs::read_dir("/proc/self/fd").unwrap();
        let targets = files.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
        targets.filter(|target| target.starts_with(folder.path().join("cartridges"))).count()
    };
    assert_eq!(open_below(), 0);
    let mut robot = Host::new(&library, Device::Changer);
    assert!(robot.move_medium(0x1001, 0x100).is_good());
    assert_eq!(open_below(), 2);
    record(&mut open(&library), &[b"a"]).unwrap();
    assert!(robot.move_medium(0x100, 0x1001).is_good());
    assert_eq!(open_below(), 0);
    assert!(robot.move_medium(0x1001, 0x100).is_good());
    assert_eq!(library.cartridge(0, |tape| tape.objects().count()), Some(2));
}

#[test]
fn a_damaged_tape_stays_in_its_slot() {
    let folder = tempfile::tempdir().unwrap();
    EmulatedLibrary::create_with_media(folder.path(), &shape(4), &media(1)).unwrap();
    fs::write(folder.path().join("cartridges/M00000L8/index"), [b'X'; 16]).unwrap();
    let library = EmulatedLibrary::open(folder.path()).unwrap();
    let mut robot = Host::new(&library, Device::Changer);
    let cdb = Cdb::new(&[0xA5, 0, 0, 0, 0x10, 0, 1, 0, 0, 0, 0, 0]).unwrap();
    let moved = robot.0.execute(&cdb, Data::None, Duration::from_secs(60));
    let Err(TransportError::System(error)) = moved else { panic!("{moved:?}") };
    assert!(error.to_string().contains("index is damaged"), "{error}");
    assert!(library.take(0).is_some());
}

#[test]
fn counters_of_a_loaded_medium_outlive_the_program() {
    let folder = tempfile::tempdir().unwrap();
    EmulatedLibrary::create_with_media(folder.path(), &shape(4), &media(1)).unwrap();
    let library = EmulatedLibrary::open(folder.path()).unwrap();
    let mut robot = Host::new(&library, Device::Changer);
    assert!(robot.move_medium(0x1000, 0x100).is_good());
    let mut drive = open(&library);
    record(&mut drive, &[b"ab"]).unwrap();
    drive.rewind().unwrap();
    drive.read_block(&mut block(0)).unwrap();
    drop((robot, drive, library));
    let library = EmulatedLibrary::open(folder.path()).unwrap();
    let bytes = library.cartridge(0, |tape| (tape.facts.bytes_written, tape.facts.bytes_read));
    assert_eq!(bytes, Some((2 << 18, 1 << 18)));
}
