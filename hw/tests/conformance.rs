//! The conformance suite on the drives of this crate.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use reel_hw::conformance::{DriveBench, check_drive, record};
use reel_hw::memory::{MediumLimits, MemoryLibraryShape};
use reel_hw::stream::TAPE_BLOCK_SIZE;
use reel_hw::{
    Cancel, Capacity, DriveNumber, MemoryLibrary, Result, SlotNumber, TapeDrive, VirtualDrive,
    VirtualOptions, VolumeTag,
};
use tempfile::TempDir;

fn tag() -> VolumeTag {
    VolumeTag::new("TEST01L8").unwrap()
}

/// Keeps the directories of the drives it made until the end; the last one belongs to the drive in use.
#[derive(Default)]
struct VirtualBench {
    directories: Vec<TempDir>,
    max_size: Option<Capacity>,
}

impl VirtualBench {
    fn options(&self) -> VirtualOptions {
        let directory = self.directories.last().unwrap();
        let mut options = VirtualOptions::new(directory.path());
        options.max_size = self.max_size.unwrap_or(options.max_size);
        options.lock_timeout = Duration::ZERO;
        options
    }

    fn open(&self) -> VirtualDrive {
        VirtualDrive::open(&self.options(), &Cancel::new()).unwrap()
    }

    fn new_drive(&mut self, max_size: Option<Capacity>) -> VirtualDrive {
        self.directories.push(tempfile::tempdir().unwrap());
        self.max_size = max_size;
        self.open()
    }

    fn loaded(&mut self, max_size: Option<Capacity>) -> VirtualDrive {
        let mut drive = self.new_drive(max_size);
        let changer = drive.as_changer().unwrap();
        changer.create_media(&tag()).unwrap();
        changer.load_media(&tag(), DriveNumber(0)).unwrap();
        drive
    }
}

impl DriveBench for VirtualBench {
    fn blank(&mut self) -> Box<dyn TapeDrive> {
        Box::new(self.loaded(None))
    }

    fn small(&mut self) -> Box<dyn TapeDrive> {
        Box::new(self.loaded(Some(Capacity(5 * TAPE_BLOCK_SIZE as u64))))
    }

    fn protected(&mut self) -> Box<dyn TapeDrive> {
        let mut drive = self.loaded(None);
        record(&mut drive, &[b"ab", b"c"]).unwrap();
        drive.sync().unwrap();
        let index = self.options().path.join("tape-TEST01L8.json");
        fs::set_permissions(index, fs::Permissions::from_mode(0o444)).unwrap();
        Box::new(drive)
    }

    fn empty(&mut self) -> Box<dyn TapeDrive> {
        Box::new(self.new_drive(None))
    }

    fn reopen(&mut self, drive: Box<dyn TapeDrive>) -> Box<dyn TapeDrive> {
        drop(drive);
        Box::new(self.open())
    }

    fn load_again(&mut self, drive: &mut Box<dyn TapeDrive>) -> Result<()> {
        let changer = drive.as_changer().unwrap();
        changer.load_slot(SlotNumber::new(1).unwrap(), DriveNumber(0))
    }
}

#[derive(Default)]
struct MemoryBench {
    library: Option<MemoryLibrary>,
}

impl MemoryBench {
    fn loaded(&mut self, limits: MediumLimits) -> Box<dyn TapeDrive> {
        let (library, drive) = MemoryLibrary::with_loaded_drive(&tag(), limits).unwrap();
        self.library = Some(library);
        Box::new(drive)
    }
}

impl DriveBench for MemoryBench {
    fn blank(&mut self) -> Box<dyn TapeDrive> {
        self.loaded(MediumLimits::NONE)
    }

    fn small(&mut self) -> Box<dyn TapeDrive> {
        self.loaded(MediumLimits {
            early_warning: Capacity(5 * TAPE_BLOCK_SIZE as u64),
            end: Capacity(9 * TAPE_BLOCK_SIZE as u64),
        })
    }

    fn protected(&mut self) -> Box<dyn TapeDrive> {
        let mut drive = self.blank();
        record(&mut *drive, &[b"ab", b"c"]).unwrap();
        let library = self.library.as_ref().unwrap();
        library.medium(&tag(), |medium| medium.write_protected = true).unwrap();
        drive
    }

    fn empty(&mut self) -> Box<dyn TapeDrive> {
        let library = MemoryLibrary::new(MemoryLibraryShape {
            drives: 1,
            storage_slots: 1,
            import_export_slots: 0,
        });
        Box::new(library.drive(DriveNumber(0)).unwrap())
    }

    fn reopen(&mut self, drive: Box<dyn TapeDrive>) -> Box<dyn TapeDrive> {
        drop(drive);
        let library = self.library.as_ref().unwrap();
        Box::new(library.drive(DriveNumber(0)).unwrap())
    }

    fn load_again(&mut self, drive: &mut Box<dyn TapeDrive>) -> Result<()> {
        drive.load()
    }
}

#[test]
fn virtual_drive_conforms() {
    check_drive(&mut VirtualBench::default()).unwrap();
}

#[test]
fn memory_drive_conforms() {
    check_drive(&mut MemoryBench::default()).unwrap();
}
