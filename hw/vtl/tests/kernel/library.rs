//! The emulated library behind the kernel. Its first drive is empty at first; the changer has the media
//! `TEST01L8`, `SMALL1L8`, which ends soon, and `PROT01L8`, write protected, with files of two blocks and of one.

use reel_hw::conformance::{DriveBench, block, check_drive};
use reel_hw::lto::{LtoDrive, LtoOptions};
use reel_hw::{
    Cancel, Changer, ChangerOptions, DriveNumber, Error, Result, ScsiChanger, TapeDrive, VolumeTag,
};

use super::support::device;

const DRIVE: DriveNumber = DriveNumber(0);

fn changer() -> ScsiChanger {
    let transport = device("REELFS_KERNEL_CHANGER");
    ScsiChanger::open(transport, ChangerOptions::default(), &Cancel::new()).unwrap()
}

fn open() -> LtoDrive {
    let transport = device("REELFS_KERNEL_DRIVE");
    LtoDrive::open(transport, LtoOptions::default(), &Cancel::new()).unwrap()
}

fn tag(barcode: &str) -> VolumeTag {
    VolumeTag::new(barcode).unwrap()
}

struct KernelBench {
    changer: ScsiChanger,
}

impl KernelBench {
    /// Empties the drive.
    fn emptied(&mut self) {
        match self.changer.unload(DRIVE, None) {
            Ok(_) | Err(Error::DriveEmpty(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn loaded(&mut self, barcode: &str) -> LtoDrive {
        let status = self.changer.status().unwrap();
        if status.drives[0].content.to_string() != format!("'{barcode}'") {
            self.changer.load_media(&tag(barcode), DRIVE).unwrap();
        }
        let mut drive = open();
        drive.rewind().unwrap();
        drive
    }

    fn formatted(&mut self, barcode: &str) -> Box<dyn TapeDrive> {
        let mut drive = self.loaded(barcode);
        drive.format_medium(true).unwrap();
        // Counters begin with the handle.
        drop(drive);
        Box::new(open())
    }
}

impl DriveBench for KernelBench {
    fn blank(&mut self) -> Box<dyn TapeDrive> {
        self.formatted("TEST01L8")
    }

    fn small(&mut self) -> Box<dyn TapeDrive> {
        self.formatted("SMALL1L8")
    }

    fn protected(&mut self) -> Box<dyn TapeDrive> {
        Box::new(self.loaded("PROT01L8"))
    }

    fn empty(&mut self) -> Box<dyn TapeDrive> {
        self.emptied();
        Box::new(open())
    }

    fn reopen(&mut self, drive: Box<dyn TapeDrive>) -> Box<dyn TapeDrive> {
        drop(drive);
        Box::new(open())
    }

    fn load_again(&mut self, drive: &mut Box<dyn TapeDrive>) -> Result<()> {
        drive.load()
    }
}

#[test]
#[ignore = "needs the emulated library behind the kernel"]
fn library_drives_conform() {
    let mut bench = KernelBench { changer: changer() };
    check_drive(&mut bench).unwrap();
    bench.emptied();
}

#[test]
#[ignore = "needs the emulated library behind the kernel"]
fn library_moves_media() {
    let mut changer = changer();
    let status = changer.status().unwrap();
    assert_eq!(status.drives.len(), 2);
    let home = status.slot_of(&tag("TEST01L8")).unwrap().number;
    changer.load_media(&tag("TEST01L8"), DRIVE).unwrap();
    let status = changer.status().unwrap();
    assert_eq!(status.drives[0].content.to_string(), "'TEST01L8'");
    assert_eq!(status.drives[0].loaded_slot, Some(home));
    assert_eq!(changer.unload(DRIVE, None).unwrap(), home);
}

/// The kernel's residual says nothing where sense comes without data: the sense must decide.
#[test]
#[ignore = "needs the emulated library behind the kernel"]
fn library_reads_what_is_shorter_and_nothing_where_there_is_nothing() {
    use reel_hw::ReadOutcome;
    let mut bench = KernelBench { changer: changer() };
    let mut drive = bench.formatted("TEST01L8");
    drive.write_block(&block(7)).unwrap();
    drive.write_block(&[9; 1000]).unwrap();
    drive.write_filemarks(1, false).unwrap();
    drive.rewind().unwrap();
    let mut buffer = block(0);
    let mut read = || drive.read_block(&mut buffer).unwrap();
    assert_eq!(read(), ReadOutcome::Block(block(0).len()));
    assert_eq!(read(), ReadOutcome::Block(1000));
    assert_eq!(read(), ReadOutcome::Filemark);
    assert_eq!(read(), ReadOutcome::EndOfData);
    drop(drive);
    bench.emptied();
}
