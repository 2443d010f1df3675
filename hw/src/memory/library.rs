//! The library: what its handles share, and what a test may do to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::changer::MemoryChanger;
use super::drive::MemoryDrive;
use super::failure::{FailurePattern, Failures, Operation};
use super::medium::{MediumLimits, MemoryMedium};
use crate::drive::{EncryptionKey, TapeAlerts};
use crate::error::{Error, Result};
use crate::layout::Place;
use crate::number::{DriveNumber, SlotNumber, VolumeTag};

/// How many elements a library has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLibraryShape {
    /// Drives, numbered from 0.
    pub drives: u32,
    /// Storage slots, numbered from 1.
    pub storage_slots: u32,
    /// Import/export slots, numbered behind the storage slots.
    pub import_export_slots: u32,
}

/// A tape library in memory. Clones are the same library.
#[derive(Debug, Clone)]
pub struct MemoryLibrary(Arc<Mutex<State>>);

#[derive(Debug)]
pub(super) struct State {
    pub(super) slots: Vec<Slot>,
    pub(super) drives: Vec<DriveState>,
    pub(super) media: BTreeMap<VolumeTag, MemoryMedium>,
    pub(super) failures: Failures,
}

#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) import_export: bool,
    pub(super) medium: Option<VolumeTag>,
}

/// A drive as it is between handles: the medium stays in it, at its place.
#[derive(Debug, Default)]
pub(super) struct DriveState {
    pub(super) medium: Option<VolumeTag>,
    pub(super) loaded_slot: Option<SlotNumber>,
    /// Whether the medium is ready, not ejected.
    pub(super) ready: bool,
    pub(super) place: Place,
    pub(super) key: Option<EncryptionKey>,
    pub(super) alerts: TapeAlerts,
    pub(super) open: bool,
    /// A flush failed: what was written is lost, and no later flush may say otherwise.
    pub(super) flush_failed: bool,
}

impl MemoryLibrary {
    /// An empty library.
    pub fn new(shape: MemoryLibraryShape) -> Self {
        let slot = |import_export| Slot { import_export, medium: None };
        let storage = (0..shape.storage_slots).map(|_| slot(false));
        let import_export = (0..shape.import_export_slots).map(|_| slot(true));
        Self(Arc::new(Mutex::new(State {
            slots: storage.chain(import_export).collect(),
            drives: (0..shape.drives).map(|_| DriveState::default()).collect(),
            media: BTreeMap::new(),
            failures: Failures::default(),
        })))
    }

    /// A library of one drive with one blank medium loaded in it, and that drive.
    pub fn with_loaded_drive(tag: &VolumeTag, limits: MediumLimits) -> Result<(Self, MemoryDrive)> {
        let library =
            Self::new(MemoryLibraryShape { drives: 1, storage_slots: 8, import_export_slots: 1 });
        let slot = library.add_medium(tag, limits)?;
        library.lock().load_slot(slot, DriveNumber(0))?;
        let drive = library.drive(DriveNumber(0))?;
        Ok((library, drive))
    }

    /// Puts a blank medium into the first free storage slot.
    pub fn add_medium(&self, tag: &VolumeTag, limits: MediumLimits) -> Result<SlotNumber> {
        let mut state = self.lock();
        if state.media.contains_key(tag) {
            return Err(Error::MediumExists(tag.clone()));
        }
        let mut slots = state.slots.iter();
        let free = slots.position(|slot| slot.medium.is_none() && !slot.import_export);
        let index = free.ok_or(Error::NoFreeSlot(DriveNumber(0)))?;
        state.slots[index].medium = Some(tag.clone());
        let mut medium = MemoryMedium::default();
        medium.limits = limits;
        state.media.insert(tag.clone(), medium);
        Ok(SlotNumber::from_index(index))
    }

    /// Looks at a medium, or changes it behind everybody's back.
    pub fn medium<T>(
        &self,
        tag: &VolumeTag,
        look: impl FnOnce(&mut MemoryMedium) -> T,
    ) -> Result<T> {
        let mut state = self.lock();
        let medium = state.media.get_mut(tag);
        medium.map(look).ok_or_else(|| Error::MediumNotFound(tag.clone()))
    }

    /// Opens a drive; `Busy` while another handle has it open.
    pub fn drive(&self, number: DriveNumber) -> Result<MemoryDrive> {
        {
            let mut state = self.lock();
            let drive = state.drive(number)?;
            if drive.open {
                return Err(Error::Busy {
                    what: format!("drive {number}"),
                    waited: Duration::ZERO,
                });
            }
            drive.open = true;
        }
        Ok(MemoryDrive::new(self.clone(), number))
    }

    /// A handle of the changer.
    pub fn changer(&self) -> MemoryChanger {
        MemoryChanger::new(self.clone())
    }

    /// Lets chosen calls of an operation fail, whichever drive they go to.
    pub fn fail_at(
        &self,
        operation: Operation,
        pattern: FailurePattern,
        error: impl Fn() -> Error + Send + 'static,
    ) {
        let mut state = self.lock();
        state.failures.plan(operation, pattern, Box::new(error));
    }

    /// Forgets all failures asked for.
    pub fn clear_failures(&self) {
        self.lock().failures.clear();
    }

    /// How often an operation was called, failed calls included.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.lock().failures.calls(operation)
    }

    /// Sets the alert flags of a drive.
    pub fn set_alerts(&self, number: DriveNumber, alerts: TapeAlerts) -> Result<()> {
        self.lock().drive(number)?.alerts = alerts;
        Ok(())
    }

    /// Cuts the power of everything. Of what was written to each medium since its last flush, the first `kept`
    /// objects remain. Media stay in their drives, rewound; open handles go on as after a reset.
    pub fn cut_power(&self, kept: usize) {
        let mut state = self.lock();
        for medium in state.media.values_mut() {
            medium.cut_power(kept);
        }
        for drive in &mut state.drives {
            drive.place = Place::BEGINNING;
            drive.key = None;
            drive.flush_failed = false;
        }
    }

    /// A thread that panicked while it held the lock was a failing test; the state itself is whole.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn drive(&mut self, number: DriveNumber) -> Result<&mut DriveState> {
        let drive = self.drives.get_mut(number.0 as usize);
        drive.ok_or(Error::NoSuchDrive(number))
    }

    pub(super) fn slot(&mut self, number: SlotNumber) -> Result<&mut Slot> {
        let slots = self.slots.len();
        self.slots.get_mut(number.index()).ok_or(Error::NoSuchSlot { number, slots })
    }

    pub(super) fn load_slot(&mut self, slot: SlotNumber, drive: DriveNumber) -> Result<()> {
        let tag = self.slot(slot)?.medium.clone();
        let tag = tag.ok_or(Error::SlotEmpty(slot))?;
        let state = self.drive(drive)?;
        if let Some(loaded) = state.medium.clone() {
            return Err(Error::DriveFull {
                drive,
                content: crate::changer::ElementContent::VolumeTag(loaded),
            });
        }
        state.medium = Some(tag);
        state.loaded_slot = Some(slot);
        state.ready = true;
        state.flush_failed = false;
        state.place = Place::BEGINNING;
        self.slot(slot)?.medium = None;
        Ok(())
    }

    pub(super) fn unload_to(&mut self, drive: DriveNumber, slot: SlotNumber) -> Result<()> {
        let tag = self.drive(drive)?.medium.clone();
        let tag = tag.ok_or(Error::DriveEmpty(drive))?;
        let target = self.slot(slot)?;
        if target.medium.is_some() {
            return Err(Error::SlotFull(slot));
        }
        target.medium = Some(tag.clone());
        if let Some(medium) = self.media.get_mut(&tag) {
            medium.flush();
        }
        let state = self.drive(drive)?;
        state.medium = None;
        state.key = None;
        state.loaded_slot = None;
        state.ready = false;
        Ok(())
    }
}
