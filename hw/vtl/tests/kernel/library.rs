//! The emulated library behind the kernel. Its first drive is empty at first; the changer has the media
//! `TEST01L8`, `SMALL1L8`, which ends soon, and `PROT01L8`, write protected, with files of two blocks and of one.

use reel_hw::conformance::{DriveBench, block, check_drive};
use reel_hw::lto::{LtoDrive, LtoOptions};
use reel_hw::{
    Cancel, Changer, ChangerOptions, DriveNumber, EncryptionKey, Error, Result, ScsiChanger,
    TapeDrive, VolumeTag,
};

use super::support::{device, told};

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

/// Whether these bytes are anywhere in the library's folder.
fn is_in_the_folder(bytes: &[u8]) -> bool {
    let mut folders = vec![told("REELFS_KERNEL_LIBRARY")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read(&path).unwrap().windows(bytes.len()).any(|part| part == bytes) {
                return true;
            }
        }
    }
    false
}

/// A block that does not compress, with a word in it by which it is found.
fn telling_block(word: &[u8]) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    let mut bytes: Vec<u8> = block(0).iter().map(|_| next()).collect();
    bytes[1000..1000 + word.len()].copy_from_slice(word);
    bytes
}

#[test]
#[ignore = "needs the emulated library behind the kernel"]
fn library_encrypts_what_it_writes() {
    let mut bench = KernelBench { changer: changer() };
    let mut drive = bench.formatted("TEST01L8");
    let (plain, secret) = (telling_block(b"told to everybody"), telling_block(b"told to nobody"));
    drive.write_block(&plain).unwrap();
    drive.set_encryption_key(Some(&EncryptionKey::new(&[7; 32]))).unwrap();
    assert!(drive.encryption_active().unwrap());
    drive.write_block(&secret).unwrap();
    drive.write_filemarks(1, false).unwrap();
    assert!(is_in_the_folder(b"told to everybody") && !is_in_the_folder(b"told to nobody"));

    let mut buffer = block(0);
    let mut read = |drive: &mut dyn TapeDrive| {
        drive.locate(reel_hw::BlockNumber(1)).unwrap();
        drive.read_block(&mut buffer).map(|_| buffer == secret)
    };
    assert!(read(&mut *drive).unwrap(), "read with its key");
    // The key goes with the handle.
    let mut drive = bench.reopen(drive);
    assert!(!drive.encryption_active().unwrap());
    assert!(matches!(read(&mut *drive), Err(Error::WrongKey)));
    drive.set_encryption_key(Some(&EncryptionKey::new(&[8; 32]))).unwrap();
    assert!(matches!(read(&mut *drive), Err(Error::WrongKey)));
    drive.set_encryption_key(Some(&EncryptionKey::new(&[7; 32]))).unwrap();
    assert!(read(&mut *drive).unwrap(), "read with its key again");
    drop(drive);
    bench.emptied();
}
