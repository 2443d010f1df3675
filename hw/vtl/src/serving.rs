//! Serving a device: entries of its ring go to a unit, one behind the other, and answers back.

use std::io;

use reel_hw::scsi::{Cdb, Command, SenseKey};
use reel_hw::transport::{Data, Reply, SENSE_BYTES_MAX};

use crate::cdb;
use crate::entry::{Answer, Entry, Management, Request, SENSE_BYTES};
use crate::ring::{Ring, RingError};
use crate::uio::{Uio, Woken};
use crate::unit::{Unit, objection};

const _: () = assert!(SENSE_BYTES_MAX <= SENSE_BYTES, "all sense bytes reach the initiator");

/// Why a device is served no longer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServingError {
    /// Its ring cannot be used.
    #[error(transparent)]
    Ring(#[from] RingError),

    /// The kernel cannot be reached.
    #[error("wait for commands: {0}")]
    Uio(#[from] io::Error),
}

/// A device that is served.
pub(crate) struct Server<U> {
    uio: Uio,
    ring: Ring,
    unit: U,
    /// Data of one command: the emulator wants them in one piece, and the kernel may write where they lie.
    buffer: Vec<u8>,
}

impl<U: Unit> Server<U> {
    /// A device whose ring is behind a file.
    pub(crate) fn new(uio: Uio, unit: U) -> Result<Self, RingError> {
        let ring = Ring::map(uio.file(), uio.length)?;
        Ok(Self { uio, ring, unit, buffer: Vec::new() })
    }

    /// Answers commands until the device is removed.
    pub(crate) fn serve(&mut self) -> Result<(), ServingError> {
        loop {
            // The ring first: what came before the file was opened wakes nobody.
            if self.handle_all()? == Woken::ByRemoval || self.uio.wait()? == Woken::ByRemoval {
                return Ok(());
            }
        }
    }

    fn handle_all(&mut self) -> Result<Woken, ServingError> {
        while let Some(waiting) = self.ring.next()? {
            match &waiting.entry {
                Entry::Command(request) => {
                    let answer = self.carry_out(request)?;
                    self.ring.answer(&waiting, &answer)?;
                }
                Entry::Management(Management::Reset) => self.unit.reset(),
                Entry::Management(Management::Abort) | Entry::Skip => {}
            }
            self.ring.advance(&waiting)?;
            if self.uio.notify()? == Woken::ByRemoval {
                return Ok(Woken::ByRemoval);
            }
        }
        Ok(Woken::ByEntries)
    }

    fn carry_out(&mut self, request: &Request) -> Result<Answer, RingError> {
        let length = self.ring.data_length(&request.areas)?;
        let Some(cdb) = self.cdb(request.cdb)? else {
            return Ok(answer(&objection(SenseKey::IllegalRequest, 0x20, 0x00), 0));
        };
        self.buffer.resize(length, 0);
        let command = Command::from_cdb(self.unit.device_type(), &cdb);
        if command.is_some_and(|command| command.sends_data()) {
            self.ring.read_data(&request.areas, &mut self.buffer)?;
            let reply = self.unit.execute(&cdb, Data::Out(&self.buffer));
            return Ok(answer(&reply, 0));
        }
        let reply = self.unit.execute(&cdb, Data::In(&mut self.buffer));
        let read = self.buffer.get(..reply.transferred).unwrap_or(&self.buffer);
        if read.is_empty() {
            // The initiator gets the whole buffer then, which holds what others read or wrote.
            self.ring.zero_data(&request.areas)?;
        }
        self.ring.write_data(&request.areas, read)?;
        Ok(answer(&reply, read.len()))
    }

    /// The CDB; `None` if it is longer than any that a device knows.
    fn cdb(&self, offset: u64) -> Result<Option<Cdb>, RingError> {
        const SHORTEST: usize = 6;
        let mut head = [0; 8];
        self.ring.read_cdb(offset, &mut head[..SHORTEST])?;
        if cdb::length(&head) > SHORTEST {
            self.ring.read_cdb(offset, &mut head)?;
        }
        let mut bytes = vec![0; cdb::length(&head)];
        self.ring.read_cdb(offset, &mut bytes)?;
        Ok(Cdb::new(&bytes))
    }
}

/// Sense goes with a check condition alone: the kernel drops it with any other status.
fn answer(reply: &Reply, read: usize) -> Answer {
    let read = u32::try_from(read).unwrap_or(u32::MAX);
    Answer { status: reply.status.to_byte(), read, sense: reply.sense.clone() }
}
