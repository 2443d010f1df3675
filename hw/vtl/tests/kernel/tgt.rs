//! A tape of Debian's tgt, which does not tell its position: it is used with what makes that good.
//!
//! The environment also names a program that makes the medium `VT0001L8` blank while it lies in its slot: the drive
//! knows no command for that.

use std::process::Command;

use reel_hw::conformance::{DriveBench, check_data_path};
use reel_hw::lto::{LtoDrive, LtoOptions};
use reel_hw::{
    Cancel, Changer, ChangerOptions, DriveNumber, Error, Result, ScsiChanger, TapeDrive, VolumeTag,
};

use super::support::{device, told};

const DRIVE: DriveNumber = DriveNumber(0);
const MEDIUM: &str = "VT0001L8";

fn open() -> Box<dyn TapeDrive> {
    let transport = device("REELFS_KERNEL_DRIVE");
    Box::new(LtoDrive::open(transport, LtoOptions::default(), &Cancel::new()).unwrap())
}

struct TgtBench {
    changer: ScsiChanger,
}

impl TgtBench {
    fn new() -> Self {
        let transport = device("REELFS_KERNEL_CHANGER");
        let changer = ScsiChanger::open(transport, ChangerOptions::default(), &Cancel::new());
        Self { changer: changer.unwrap() }
    }

    fn emptied(&mut self) {
        match self.changer.unload(DRIVE, None) {
            Ok(_) | Err(Error::DriveEmpty(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

impl DriveBench for TgtBench {
    fn blank(&mut self) -> Box<dyn TapeDrive> {
        self.emptied();
        let made = Command::new(told("REELFS_KERNEL_BLANK")).arg(MEDIUM).status().unwrap();
        assert!(made.success(), "{made}");
        self.changer.load_media(&VolumeTag::new(MEDIUM).unwrap(), DRIVE).unwrap();
        open()
    }

    fn reopen(&mut self, drive: Box<dyn TapeDrive>) -> Box<dyn TapeDrive> {
        drop(drive);
        open()
    }

    fn small(&mut self) -> Box<dyn TapeDrive> {
        unreachable!("its media do not warn")
    }

    fn protected(&mut self) -> Box<dyn TapeDrive> {
        unreachable!("nor are they protected")
    }

    fn empty(&mut self) -> Box<dyn TapeDrive> {
        unreachable!("nor does it eject")
    }

    fn load_again(&mut self, _: &mut Box<dyn TapeDrive>) -> Result<()> {
        unreachable!("so none is put back")
    }
}

#[test]
#[ignore = "needs a library of tgt"]
fn tgt_has_a_data_path() {
    let mut bench = TgtBench::new();
    check_data_path(&mut bench).unwrap();
    bench.emptied();
}

/// The drive is the same, but its INQUIRY data name another.
#[test]
#[ignore = "needs a library of tgt"]
fn tgt_by_another_name_has_none() {
    let mut bench = TgtBench::new();
    bench.emptied();
    bench.changer.load_media(&VolumeTag::new(MEDIUM).unwrap(), DRIVE).unwrap();
    let transport = device("REELFS_KERNEL_DRIVE");
    let opened = LtoDrive::open(transport, LtoOptions::default(), &Cancel::new());
    let error = opened.map(drop).unwrap_err().to_string();
    assert!(error.contains("Invalid command operation code"), "{error}");
    bench.emptied();
}
