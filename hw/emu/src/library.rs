//! The library: drives, changer and cartridges behind one door.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reel_hw::scsi::Cdb;
use reel_hw::transport::{Data, Reply, TransportError};

use crate::answer::{Outcome, Refusal, reply};
use crate::cartridge::{Cartridge, CartridgeFacts};
use crate::drive::{Context, Drive};
use crate::elements::{Bay, Elements, Slot};
use crate::fault::{Fault, Faults};
use crate::folder::{FolderError, LibraryFolder, LibraryRecord, SlotRecord};
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
    /// Where it is kept, and what was kept last.
    folder: Option<(LibraryFolder, LibraryRecord)>,
}

impl EmulatedLibrary {
    /// A library without cartridges, just switched on, kept nowhere.
    pub fn new(shape: &LibraryShape) -> Self {
        let record = LibraryRecord::of(shape);
        let drives = record.drives.iter().map(|drive| Bay::empty(&drive.model)).collect();
        let slot =
            |slot: &SlotRecord| Slot { import_export: slot.import_export, ..Slot::default() };
        let slots = record.slots.iter().map(slot).collect();
        let elements = Elements { bays: drives, slots, ejects: record.ejects };
        Self::of(Robot::new(&record.serial), elements, None)
    }

    /// Makes a library without cartridges in a folder.
    ///
    /// # Errors
    /// There is one already; the folder cannot be written.
    pub fn create(folder: &Path, shape: &LibraryShape) -> Result<(), FolderError> {
        LibraryFolder::create(folder, shape)
    }

    /// Switches a library on that is kept in a folder. Media are where they were left; drives have forgotten
    /// everything else.
    ///
    /// # Errors
    /// There is none; another program has it open; a file is damaged.
    pub fn open(folder: &Path) -> Result<Self, FolderError> {
        let (folder, record) = LibraryFolder::open(folder)?;
        let bays = record.drives.iter().map(|drive| folder.bay(drive));
        let slots = record.slots.iter().map(|slot| folder.slot(slot));
        let elements = Elements {
            bays: bays.collect::<Result<_, _>>()?,
            slots: slots.collect::<Result<_, _>>()?,
            ejects: record.ejects,
        };
        Ok(Self::of(Robot::new(&record.serial), elements, Some((folder, record))))
    }

    fn of(
        robot: Robot,
        elements: Elements,
        folder: Option<(LibraryFolder, LibraryRecord)>,
    ) -> Self {
        let faults = Faults::default();
        Self(Arc::new(Mutex::new(State { robot, elements, faults, initiators: 0, folder })))
    }

    /// Puts a new cartridge into the first free storage slot of a library that is kept in a folder.
    ///
    /// # Errors
    /// No free slot, a library that is kept nowhere, a folder that cannot be written.
    pub fn add_cartridge(&self, facts: CartridgeFacts) -> Result<(), FolderError> {
        let mut state = self.lock();
        let state = &mut *state;
        let Some((folder, _)) = &state.folder else { return Err(FolderError::NotKept) };
        let mut slots = state.elements.slots.iter_mut();
        let free = slots.find(|slot| !slot.import_export && slot.cartridge.is_none());
        let slot = free.ok_or(FolderError::NoFreeSlot)?;
        slot.cartridge = Some(folder.new_cartridge(facts)?);
        state.robot.opened(false);
        state.keep()
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
        let kept = state.keep();
        drop(state);
        match kept {
            Ok(()) => Ok(reply(outcome, data)),
            Err(error) => Err(TransportError::System(io::Error::other(error))),
        }
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

impl State {
    /// Keeps what lies where, if that has changed.
    fn keep(&mut self) -> Result<(), FolderError> {
        let Some((folder, kept)) = &mut self.folder else { return Ok(()) };
        if self.elements.are_as_in(kept) {
            return Ok(());
        }
        let record = self.elements.record(&kept.serial);
        folder.save(&record)?;
        *kept = record;
        Ok(())
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
