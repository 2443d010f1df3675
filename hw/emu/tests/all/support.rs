//! Libraries and cartridges to test with, and hosts that send commands byte by byte.

use std::time::Duration;

use reel_emu::cartridge::objects::Block;
use reel_emu::cartridge::store::{MemoryStore, NullStore, TapeStore};
use reel_emu::{
    Cartridge, CartridgeFacts, Device, DriveModel, EmulatedLibrary, EmulatedTransport, Generation,
    LibraryShape, Maker, Timing,
};
use reel_hw::Cancel;
use reel_hw::lto::{LtoDrive, LtoOptions};
use reel_hw::scsi::{Cdb, Sense};
use reel_hw::transport::{Data, Reply, Status, Transport};

/// A drive of a maker and a generation.
pub(crate) fn model(maker: Maker, generation: Generation) -> DriveModel {
    DriveModel { maker, generation, full_height: true, serial: "DRIVE0001".into() }
}

/// A library of one drive, four slots and one more to import and export.
pub(crate) fn shape(model: DriveModel) -> LibraryShape {
    LibraryShape {
        serial: "ROBOT0001".into(),
        drives: vec![model],
        storage_slots: 4,
        import_export_slots: 1,
        ejects: true,
        quickened: None,
    }
}

/// The library of that shape, in which nothing takes time.
pub(crate) fn library(model: DriveModel) -> EmulatedLibrary {
    timed_library(model, &Timing::none())
}

/// The same, with devices that take their time.
pub(crate) fn timed_library(model: DriveModel, timing: &Timing) -> EmulatedLibrary {
    EmulatedLibrary::with_timing(&shape(model), timing)
}

/// A blank cartridge of a drive's own generation.
pub(crate) fn cartridge(barcode: &str, generation: Generation, capacity: u64) -> Cartridge {
    Cartridge::new(facts(barcode, generation, capacity), Box::new(MemoryStore::default()))
}

/// What a blank cartridge is.
pub(crate) fn facts(barcode: &str, generation: Generation, capacity: u64) -> CartridgeFacts {
    CartridgeFacts::blank(barcode, generation.density(), capacity)
}

/// A cartridge of a drive's own generation with its whole capacity and so many blocks of 256 KiB, all zeros.
pub(crate) fn recorded(generation: Generation, blocks: u64) -> Cartridge {
    let capacity = match generation {
        Generation::Lto5 => 1_500_000_000_000,
        Generation::Lto6 => 2_500_000_000_000,
        Generation::Lto7 => 6_000_000_000_000,
        Generation::Lto8 => 12_000_000_000_000,
        Generation::Lto9 => 18_000_000_000_000,
    };
    blank_tape(facts("TEST01L8", generation, capacity), blocks)
}

/// A cartridge with so many blocks of 256 KiB, all zeros; what is written reads as zeros too.
pub(crate) fn blank_tape(facts: CartridgeFacts, blocks: u64) -> Cartridge {
    let mut tape = NullStore::default();
    for _ in 0..blocks {
        tape.push_block(Block { length: 256 << 10, encrypted: false }, &[]).unwrap();
    }
    Cartridge::new(facts, Box::new(tape))
}

/// Opens drive 0.
pub(crate) fn open(library: &EmulatedLibrary) -> LtoDrive {
    let transport = Box::new(library.transport(Device::Drive(0)));
    LtoDrive::open(transport, LtoOptions::default(), &Cancel::new()).unwrap()
}

/// How a command ended that was sent byte by byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    Good(usize),
    Check(Sense),
    Other(Status),
}

impl Ended {
    /// Key, code and qualifier of the sense; zeros where there is none.
    pub(crate) fn triple(&self) -> (u8, u8, u8) {
        match self {
            Self::Check(sense) => (sense.key as u8, sense.asc, sense.ascq),
            _ => (0, 0, 0),
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        matches!(self, Self::Good(_))
    }
}

/// A host that sends bytes.
pub(crate) struct Host(pub(crate) EmulatedTransport);

impl Host {
    /// A host that has heard of everything that happened.
    pub(crate) fn new(library: &EmulatedLibrary, device: Device) -> Self {
        let mut host = Self(library.transport(device));
        host.hear();
        host
    }

    /// Takes all unit attentions.
    pub(crate) fn hear(&mut self) {
        while self.send(&[0; 6]).triple().0 == 6 {}
    }

    pub(crate) fn reply(&mut self, cdb: &[u8], data: Data<'_>) -> Reply {
        let cdb = Cdb::new(cdb).unwrap();
        self.0.execute(&cdb, data, Duration::from_secs(200_000)).unwrap()
    }

    pub(crate) fn exchange(&mut self, cdb: &[u8], data: Data<'_>) -> Ended {
        let reply = self.reply(cdb, data);
        match reply.status {
            Status::Good => Ended::Good(reply.transferred),
            Status::CheckCondition => Ended::Check(Sense::decode(&reply.sense).unwrap()),
            other => Ended::Other(other),
        }
    }

    pub(crate) fn send(&mut self, cdb: &[u8]) -> Ended {
        self.exchange(cdb, Data::None)
    }

    pub(crate) fn put(&mut self, cdb: &[u8], bytes: &[u8]) -> Ended {
        self.exchange(cdb, Data::Out(bytes))
    }

    /// Bytes of the answer, at most 64 KiB.
    pub(crate) fn ask(&mut self, cdb: &[u8]) -> Result<Vec<u8>, (u8, u8, u8)> {
        let mut buffer = vec![0; 1 << 16];
        match self.exchange(cdb, Data::In(&mut buffer)) {
            Ended::Good(length) => {
                buffer.truncate(length);
                Ok(buffer)
            }
            other => Err(other.triple()),
        }
    }

    pub(crate) fn locate(&mut self, object: u64) -> Ended {
        let mut cdb = vec![0x92, 0, 0, 0];
        cdb.extend(object.to_be_bytes());
        cdb.extend([0; 4]);
        self.send(&cdb)
    }

    /// Writes a block.
    pub(crate) fn write(&mut self, block: &[u8]) -> Ended {
        let length = (block.len() as u32).to_be_bytes();
        self.put(&[0x0A, 0, length[1], length[2], length[3], 0], block)
    }

    /// Reads a block, suppressing an incorrect length.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Ended {
        let length = (buffer.len() as u32).to_be_bytes();
        self.exchange(&[0x08, 2, length[1], length[2], length[3], 0], Data::In(buffer))
    }

    /// The object that the drive stands at.
    pub(crate) fn position(&mut self) -> u64 {
        let bytes = self.ask(&[0x34, 6, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        u64::from_be_bytes(bytes[8..16].try_into().unwrap())
    }

    /// A log page.
    pub(crate) fn log(&mut self, page: u8) -> Vec<u8> {
        self.ask(&[0x4D, 0, 0x40 | page, 0, 0, 0, 0, 0x20, 0, 0]).unwrap()
    }

    /// Moves a medium between two element addresses.
    pub(crate) fn move_medium(&mut self, from: u16, to: u16) -> Ended {
        let ([a, b], [c, d]) = (from.to_be_bytes(), to.to_be_bytes());
        self.send(&[0xA5, 0, 0, 0, a, b, c, d, 0, 0, 0, 0])
    }
}
