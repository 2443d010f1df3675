//! What one command costs the processor, from the transport to the answer.

use std::time::{Duration, Instant};

use reel_emu::{Device, EmulatedTransport, Timing};
use reel_hw::scsi::Cdb;
use reel_hw::transport::{Data, Status, Transport};

use crate::support::{BLOCK, library, medium};

/// Each is sent so often in a round; the best round counts.
const TIMES: u32 = 2000;
const ROUNDS: u32 = 5;

/// Prints a table.
pub(crate) fn measure() {
    println!("\n| command | µs |\n| --- | --- |");
    of_drive();
    of_changer(8);
    of_changer(1000);
}

fn of_drive() {
    let library = library(8, &Timing::none());
    let mut drive = Initiator::new(library.transport(Device::Drive(0)));
    let (block, mut buffer) = (vec![7; BLOCK], vec![0; 1 << 16]);
    let mut room = vec![0; BLOCK];
    drive.time("WRITE of 256 KiB", &[0x0A, 0, 4, 0, 0, 0], Data::Out(&block));
    drive.time("WRITE of 512 bytes", &[0x0A, 0, 0, 2, 0, 0], Data::Out(&block[..512]));
    drive.time("WRITE FILEMARKS, immediate", &[0x10, 1, 0, 0, 1, 0], Data::None);
    drive.time("WRITE FILEMARKS(0), a flush", &[0x10, 0, 0, 0, 0, 0], Data::None);
    drive.once(&[0x01, 0, 0, 0, 0, 0], Data::None);
    drive.time("READ of 256 KiB", &[0x08, 2, 4, 0, 0, 0], Data::In(&mut room));
    drive.time("TEST UNIT READY", &[0; 6], Data::None);
    drive.time("READ POSITION", &[0x34, 6, 0, 0, 0, 0, 0, 0, 0, 0], Data::In(&mut buffer));
    drive.time("REQUEST SENSE", &[3, 0, 0, 0, 252, 0], Data::In(&mut buffer));
    drive.time("INQUIRY", &[0x12, 0, 0, 0, 36, 0], Data::In(&mut buffer));
    let log = |page: u8| [0x4D, 0, 0x40 | page, 0, 0, 0, 0, 0x20, 0, 0];
    drive.time("LOG SENSE, device status", &log(0x11), Data::In(&mut buffer));
    drive.time("LOG SENSE, volume statistics", &log(0x17), Data::In(&mut buffer));
    let modes = [0x5A, 0, 0x3F, 0, 0, 0, 0, 0x10, 0, 0];
    drive.time("MODE SENSE, all pages", &modes, Data::In(&mut buffer));
    let attributes = [0x8C, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0];
    drive.time("READ ATTRIBUTE, all", &attributes, Data::In(&mut buffer));
    drive.time("SPACE to the end of data", &[0x11, 3, 0, 0, 0, 0], Data::None);
    let locate = [0x92, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0];
    drive.time("LOCATE to an object", &locate, Data::None);
    drive.time("REWIND", &[1, 0, 0, 0, 0, 0], Data::None);
}

fn of_changer(slots: usize) {
    let library = library(slots, &Timing::none());
    for slot in 0..slots {
        library.put(slot, medium(&format!("B{slot:05}L9")));
    }
    let mut robot = Initiator::new(library.transport(Device::Changer));
    let mut buffer = vec![0; 1 << 20];
    let status = [0xB8, 0x10, 0, 0, 0xFF, 0xFF, 0, 0x10, 0, 0, 0, 0];
    let what = format!("READ ELEMENT STATUS, {slots} slots");
    robot.time(&what, &status, Data::In(&mut buffer));
    let step = |from: u16, to: u16| {
        let ([a, b], [c, d]) = (from.to_be_bytes(), to.to_be_bytes());
        [0xA5, 0, 0, 0, a, b, c, d, 0, 0, 0, 0]
    };
    let free = 0x1000 + slots as u16 - 1;
    library.take(slots - 1);
    robot.hear();
    let started = Instant::now();
    for _ in 0..TIMES / 2 {
        robot.once(&step(0x100, free), Data::None);
        robot.once(&step(free, 0x100), Data::None);
    }
    row(&format!("MOVE MEDIUM of a drive, {slots} slots"), started.elapsed());
}

struct Initiator(EmulatedTransport);

impl Initiator {
    fn new(transport: EmulatedTransport) -> Self {
        let mut initiator = Self(transport);
        initiator.hear();
        initiator
    }

    /// Takes all unit attentions.
    fn hear(&mut self) {
        while self.send(&[0; 6], Data::None) != Status::Good {}
    }

    fn send(&mut self, cdb: &[u8], data: Data<'_>) -> Status {
        let limit = Duration::from_secs(1000);
        self.0.execute(&Cdb::new(cdb).unwrap(), data, limit).unwrap().status
    }

    fn once(&mut self, cdb: &[u8], data: Data<'_>) {
        assert_eq!(self.send(cdb, data), Status::Good, "{cdb:02X?}");
    }

    fn time(&mut self, what: &str, cdb: &[u8], mut data: Data<'_>) {
        let mut round = || {
            let started = Instant::now();
            for _ in 0..TIMES / ROUNDS {
                self.once(cdb, data.reborrow());
            }
            started.elapsed() * ROUNDS
        };
        row(what, (0..ROUNDS).map(|_| round()).min().unwrap_or_default());
    }
}

fn row(what: &str, took: Duration) {
    println!("| {what} | {:.2} |", took.as_secs_f64() * 1e6 / f64::from(TIMES));
}
