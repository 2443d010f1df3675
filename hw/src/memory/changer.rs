//! The changer of a library in memory.

use super::failure::Operation;
use super::library::{MemoryLibrary, State};
use crate::changer::{Changer, ChangerStatus, DriveElement, ElementContent, SlotElement};
use crate::error::{Error, Result};
use crate::number::{DriveNumber, ElementAddress, SlotNumber, VolumeTag};

/// A handle of the changer of a [`MemoryLibrary`].
#[derive(Debug)]
pub struct MemoryChanger {
    library: MemoryLibrary,
}

/// Element addresses as many small libraries have them.
const FIRST_DRIVE_ADDRESS: u16 = 0x0100;
const FIRST_SLOT_ADDRESS: u16 = 0x1000;

impl MemoryChanger {
    pub(super) fn new(library: MemoryLibrary) -> Self {
        Self { library }
    }
}

impl Changer for MemoryChanger {
    fn status(&mut self) -> Result<ChangerStatus> {
        let mut state = self.library.lock();
        state.failures.call(Operation::ChangerStatus)?;
        Ok(status_of(&state))
    }

    fn load_slot(&mut self, slot: SlotNumber, drive: DriveNumber) -> Result<()> {
        let mut state = self.library.lock();
        state.failures.call(Operation::ChangerLoad)?;
        state.load_slot(slot, drive)
    }

    fn unload(&mut self, drive: DriveNumber, slot: Option<SlotNumber>) -> Result<SlotNumber> {
        let mut state = self.library.lock();
        state.failures.call(Operation::ChangerUnload)?;
        let target = match slot {
            Some(slot) => slot,
            None => status_of(&state).unload_target(drive)?,
        };
        state.unload_to(drive, target)?;
        Ok(target)
    }

    fn transfer(&mut self, from: SlotNumber, to: SlotNumber) -> Result<()> {
        let mut state = self.library.lock();
        state.failures.call(Operation::ChangerTransfer)?;
        if state.slot(to)?.medium.is_some() {
            return Err(Error::SlotFull(to));
        }
        let tag = state.slot(from)?.medium.take();
        let tag = tag.ok_or(Error::SlotEmpty(from))?;
        state.slot(to)?.medium = Some(tag);
        Ok(())
    }
}

fn status_of(state: &State) -> ChangerStatus {
    let address = |first: u16, index: usize| {
        ElementAddress(first.saturating_add(u16::try_from(index).unwrap_or(u16::MAX)))
    };
    let drives = state.drives.iter().enumerate();
    let slots = state.slots.iter().enumerate();
    ChangerStatus {
        drives: drives
            .map(|(index, drive)| DriveElement {
                number: DriveNumber(u32::try_from(index).unwrap_or(u32::MAX)),
                content: content(drive.medium.as_ref()),
                loaded_slot: drive.loaded_slot,
                address: address(FIRST_DRIVE_ADDRESS, index),
                drive_serial_number: None,
                vendor: None,
                model: None,
            })
            .collect(),
        slots: slots
            .map(|(index, slot)| SlotElement {
                number: SlotNumber::from_index(index),
                import_export: slot.import_export,
                content: content(slot.medium.as_ref()),
                address: address(FIRST_SLOT_ADDRESS, index),
            })
            .collect(),
        transports: Vec::new(),
    }
}

fn content(medium: Option<&VolumeTag>) -> ElementContent {
    medium.map_or(ElementContent::Empty, |tag| ElementContent::VolumeTag(tag.clone()))
}
