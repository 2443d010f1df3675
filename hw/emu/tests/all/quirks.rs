//! What makes the lacks of a tape of software good, on an emulated drive that is made to lack the same.

use std::time::Duration;

use reel_emu::{Device, EmulatedLibrary, EmulatedTransport, Generation, Maker};
use reel_hw::conformance::{DriveBench, block, check_data_path};
use reel_hw::lto::{LtoDrive, LtoOptions};
use reel_hw::scsi::inquiry::Inquiry;
use reel_hw::scsi::{Cdb, Command, Condition, DeviceType, Sense, SenseKey, SpaceCode};
use reel_hw::transport::{Data, Reply, Transport, TransportError};
use reel_hw::{Cancel, Result, TapeDrive, quirks};

use crate::meddling::{answer, check, good};
use crate::support::{cartridge, library, model};

/// A drive as tgt has it: its position is always 0, it knows neither LOCATE nor MODE SELECT, and blocks are spaced over
/// as filemarks are.
struct Positionless {
    drive: EmulatedTransport,
    product: &'static str,
}

impl Transport for Positionless {
    fn execute(
        &mut self,
        cdb: &Cdb,
        data: Data<'_>,
        timeout: Duration,
    ) -> std::result::Result<Reply, TransportError> {
        match Command::from_cdb(DeviceType::Tape, cdb).unwrap() {
            Command::Inquiry { page: None, .. } => {
                let inquiry = Inquiry {
                    peripheral_type: 1,
                    vendor: "IET".into(),
                    product: self.product.into(),
                    ..Inquiry::default()
                };
                Ok(answer(data, &inquiry.encode()).unwrap())
            }
            Command::ReadPosition { .. } => Ok(answer(data, &[0; 32]).unwrap()),
            Command::Locate10 { .. }
            | Command::Locate16 { .. }
            | Command::Space16 { .. }
            | Command::ModeSelect { .. } => {
                Ok(check(Sense::new(SenseKey::IllegalRequest, 0x20, 0x00)))
            }
            Command::Space6 { code: SpaceCode::Blocks, count: -1 } => {
                let reply = self.drive.execute(cdb, data, timeout)?;
                let met = Sense::decode(&reply.sense).map(|sense| sense.condition());
                Ok(if met == Ok(Condition::Filemark) { good(0) } else { reply })
            }
            Command::Space6 { .. } => panic!("only steps back are sent"),
            _ => self.drive.execute(cdb, data, timeout),
        }
    }

    fn device(&self) -> &str {
        self.drive.device()
    }
}

struct Bench {
    product: &'static str,
    library: EmulatedLibrary,
}

impl Bench {
    fn new(product: &'static str) -> Self {
        Self { product, library: library(model(Maker::Ibm, Generation::Lto5)) }
    }

    fn opened(&self) -> Result<LtoDrive> {
        let drive = self.library.transport(Device::Drive(0));
        let way = quirks::made_good(Box::new(Positionless { drive, product: self.product }));
        LtoDrive::open(way, LtoOptions::default(), &Cancel::new())
    }

    fn open(&self) -> Box<dyn TapeDrive> {
        Box::new(self.opened().unwrap())
    }
}

impl DriveBench for Bench {
    fn blank(&mut self) -> Box<dyn TapeDrive> {
        *self = Self::new(self.product);
        self.library.insert(0, cartridge("TEST01L5", Generation::Lto5, 1 << 30));
        self.open()
    }

    fn reopen(&mut self, drive: Box<dyn TapeDrive>) -> Box<dyn TapeDrive> {
        drop(drive);
        self.open()
    }

    fn small(&mut self) -> Box<dyn TapeDrive> {
        unreachable!("its media do not end")
    }

    fn protected(&mut self) -> Box<dyn TapeDrive> {
        unreachable!("nor are they protected")
    }

    fn empty(&mut self) -> Box<dyn TapeDrive> {
        unreachable!("nor are they taken out")
    }

    fn load_again(&mut self, _: &mut Box<dyn TapeDrive>) -> Result<()> {
        unreachable!("so none is put back")
    }
}

#[test]
fn a_known_drive_without_positions_has_a_data_path() {
    check_data_path(&mut Bench::new("VIRTUAL-TAPE")).unwrap();
}

#[test]
fn where_it_is_not_certain_the_count_begins_anew() {
    let mut bench = Bench::new("VIRTUAL-TAPE");
    let mut drive = bench.blank();
    drive.write_block(&block(1)).unwrap();
    drive.write_block(&block(2)).unwrap();
    drive.sync().unwrap();
    // A reset takes the tape to its beginning; the drive goes back to where it was.
    bench.library.reset(Device::Drive(0));
    drive.write_block(&block(3)).unwrap();
    assert_eq!(drive.position().unwrap().object.0, 3);
    drive.rewind().unwrap();
    let mut buffer = block(0);
    for mark in 1..=3 {
        drive.read_block(&mut buffer).unwrap();
        assert_eq!(buffer[0], mark);
    }
}

#[test]
fn an_unknown_drive_without_positions_is_no_use_for_data() {
    let bench = Bench::new("OTHER-TAPE");
    bench.library.insert(0, cartridge("TEST01L5", Generation::Lto5, 1 << 30));
    let mut drive = bench.open();
    drive.write_block(&block(1)).unwrap();
    let error = drive.sync().unwrap_err().to_string();
    assert!(error.contains("it stands at object 0 instead of 1"), "{error}");
}
