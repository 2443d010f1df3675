//! The library: drives, changer and cartridges behind one door.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reel_hw::scsi::{Cdb, SenseFormat};
use reel_hw::transport::{Data, Reply, TransportError};

use crate::answer::{Outcome, Refusal, reply};
use crate::cartridge::Cartridge;
use crate::drive::{Context, Drive};
use crate::fault::{Fault, Faults};
use crate::initiator::Initiator;
use crate::model::DriveModel;
use crate::transport::EmulatedTransport;

/// A device of a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Device {
    /// The robot.
    Changer,
    /// A drive, from 0.
    Drive(usize),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changer => f.write_str("changer"),
            Self::Drive(number) => write!(f, "drive {number}"),
        }
    }
}

/// What a library is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryShape {
    /// Its drives.
    pub drives: Vec<DriveModel>,
    /// Storage slots.
    pub storage_slots: usize,
    /// Import/export slots.
    pub import_export_slots: usize,
}

/// A tape library. Clones are the same library.
#[derive(Clone)]
pub struct EmulatedLibrary(Arc<Mutex<State>>);

struct State {
    drives: Vec<Drive>,
    slots: Vec<Slot>,
    faults: Faults,
    initiators: u32,
}

struct Slot {
    import_export: bool,
    cartridge: Option<Cartridge>,
}

impl EmulatedLibrary {
    /// A library without cartridges, just switched on.
    pub fn new(shape: &LibraryShape) -> Self {
        let slot = |import_export| Slot { import_export, cartridge: None };
        let storage = (0..shape.storage_slots).map(|_| slot(false));
        let import_export = (0..shape.import_export_slots).map(|_| slot(true));
        Self(Arc::new(Mutex::new(State {
            drives: shape.drives.iter().cloned().map(Drive::new).collect(),
            slots: storage.chain(import_export).collect(),
            faults: Faults::default(),
            initiators: 0,
        })))
    }

    /// A way to one of its devices, as from a host of its own.
    pub fn transport(&self, device: Device) -> EmulatedTransport {
        let mut state = self.lock();
        state.initiators += 1;
        let initiator = Initiator(state.initiators);
        drop(state);
        EmulatedTransport::new(self.clone(), device, initiator)
    }

    /// Puts a cartridge into a drive, as a hand would; what was in it comes out.
    pub fn insert(&self, drive: usize, cartridge: Cartridge) -> Option<Cartridge> {
        let mut state = self.lock();
        let Some(drive) = state.drives.get_mut(drive) else { return Some(cartridge) };
        let before = drive.mounted.take().map(|mounted| mounted.cartridge);
        drive.insert(cartridge);
        before
    }

    /// Lets a command fail.
    pub fn plan_fault(&self, fault: Fault) {
        self.lock().faults.plan(fault);
    }

    /// Forgets all failures that were planned.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// How many commands its devices got.
    pub fn commands(&self) -> u64 {
        self.lock().faults.commands()
    }

    /// Resets a drive, as a bus reset would; everybody is told.
    pub fn reset_drive(&self, drive: usize) {
        if let Some(drive) = self.lock().drives.get_mut(drive) {
            reset(drive, None);
        }
    }

    /// Looks at the cartridge in a drive, or changes it behind everybody's back.
    pub fn cartridge<T>(&self, drive: usize, look: impl FnOnce(&mut Cartridge) -> T) -> Option<T> {
        let mut state = self.lock();
        let mounted = state.drives.get_mut(drive)?.mounted.as_mut()?;
        Some(look(&mut mounted.cartridge))
    }

    pub(crate) fn execute(
        &self,
        device: Device,
        initiator: Initiator,
        cdb: &Cdb,
        mut data: Data<'_>,
    ) -> Result<Reply, TransportError> {
        let mut state = self.lock();
        let fault = state.faults.next();
        let (outcome, format) = match device {
            Device::Changer => return Err(TransportError::Gone),
            Device::Drive(number) => {
                let drive = state.drives.get_mut(number).ok_or(TransportError::Gone)?;
                let mut context = Context { initiator, data: &mut data };
                let outcome = match fault {
                    Some(fault) => fail(drive, initiator, fault),
                    None => drive.execute(&mut context, cdb),
                };
                (outcome, drive.modes.sense_format)
            }
        };
        drop(state);
        let allocation = data.length();
        Ok(reply(outcome, data, allocation, format))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a planned failure does to a drive.
fn fail(drive: &mut Drive, initiator: Initiator, fault: Fault) -> Outcome {
    if fault.resets() {
        reset(drive, Some(initiator));
    } else if fault.loses_buffer() {
        let _ = drive.lose_buffer();
    }
    Err(Refusal::Check(fault.sense))
}

fn reset(drive: &mut Drive, cause: Option<Initiator>) {
    let _ = drive.reset();
    drive.attentions.raise(0x29, 0x00, cause);
}
