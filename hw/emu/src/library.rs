//! The library: drives, changer and cartridges behind one door.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reel_hw::scsi::Cdb;
use reel_hw::transport::{Data, Reply, TransportError};

use crate::answer::{Outcome, Refusal, reply};
use crate::cartridge::Cartridge;
use crate::drive::{Context, Drive};
use crate::elements::{Bay, Elements, Slot};
use crate::fault::{Fault, Faults};
use crate::initiator::Initiator;
use crate::model::DriveModel;
use crate::robot::Robot;
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
    /// Serial number of the changer.
    pub serial: String,
    /// Its drives.
    pub drives: Vec<DriveModel>,
    /// Storage slots.
    pub storage_slots: usize,
    /// Import/export slots.
    pub import_export_slots: usize,
    /// Whether the library ejects a medium itself before it takes it out of a drive.
    pub ejects: bool,
}

/// A tape library. Clones are the same library.
#[derive(Clone)]
pub struct EmulatedLibrary(Arc<Mutex<State>>);

struct State {
    robot: Robot,
    elements: Elements,
    faults: Faults,
    initiators: u32,
}

impl EmulatedLibrary {
    /// A library without cartridges, just switched on.
    pub fn new(shape: &LibraryShape) -> Self {
        let slot = |import_export| Slot { import_export, ..Slot::default() };
        let storage = (0..shape.storage_slots).map(|_| slot(false));
        let import_export = (0..shape.import_export_slots).map(|_| slot(true));
        let bay = |model: &DriveModel| Bay { drive: Drive::new(model.clone()), home: None };
        let elements = Elements {
            bays: shape.drives.iter().map(bay).collect(),
            slots: storage.chain(import_export).collect(),
            ejects: shape.ejects,
        };
        Self(Arc::new(Mutex::new(State {
            robot: Robot::new(&shape.serial),
            elements,
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
        let Some(bay) = state.elements.bays.get_mut(drive) else { return Some(cartridge) };
        let before = bay.drive.mounted.take().map(|mounted| mounted.cartridge);
        bay.drive.insert(cartridge);
        bay.home = None;
        before
    }

    /// Puts a cartridge into a slot (storage slots first, from 0), as an operator would; what was in it comes out.
    pub fn put(&self, slot: usize, cartridge: Cartridge) -> Option<Cartridge> {
        let mut state = self.lock();
        let state = &mut *state;
        let Some(place) = state.elements.slots.get_mut(slot) else { return Some(cartridge) };
        let before = place.cartridge.replace(cartridge);
        place.by_operator = true;
        state.robot.opened(place.import_export);
        before
    }

    /// Takes a cartridge out of a slot, as an operator would.
    pub fn take(&self, slot: usize) -> Option<Cartridge> {
        let mut state = self.lock();
        let state = &mut *state;
        let place = state.elements.slots.get_mut(slot)?;
        state.robot.opened(place.import_export);
        place.cartridge.take()
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
        if let Some(bay) = self.lock().elements.bays.get_mut(drive) {
            reset(&mut bay.drive, None);
        }
    }

    /// Looks at the cartridge in a drive, or changes it behind everybody's back.
    pub fn cartridge<T>(&self, drive: usize, look: impl FnOnce(&mut Cartridge) -> T) -> Option<T> {
        let mut state = self.lock();
        let mounted = state.elements.bays.get_mut(drive)?.drive.mounted.as_mut()?;
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
        let mut context = Context { initiator, data: &mut data };
        let outcome = match device {
            Device::Changer => match fault {
                Some(fault) => Err(Refusal::Check(fault.sense)),
                None => {
                    let State { robot, elements, .. } = &mut *state;
                    robot.execute(elements, &mut context, cdb)
                }
            },
            Device::Drive(number) => {
                let bay = state.elements.bays.get_mut(number).ok_or(TransportError::Gone)?;
                match fault {
                    Some(fault) => fail(&mut bay.drive, initiator, fault),
                    None => bay.drive.execute(&mut context, cdb),
                }
            }
        };
        drop(state);
        Ok(reply(outcome, data))
    }

    pub(crate) fn forget(&self, device: Device, initiator: Initiator) {
        let mut state = self.lock();
        match device {
            Device::Changer => state.robot.forget(initiator),
            Device::Drive(number) => {
                if let Some(bay) = state.elements.bays.get_mut(number) {
                    bay.drive.forget(initiator);
                }
            }
        }
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
        drive.lose_buffer();
    }
    Err(Refusal::Check(fault.sense))
}

fn reset(drive: &mut Drive, cause: Option<Initiator>) {
    drive.reset();
    drive.attentions.raise(0x29, 0x00, cause);
}
