//! The virtual drive as its own changer: one drive, and a fixed slot for each tape.

use super::VirtualOptions;
use super::directory::Directory;
use super::drive::VirtualDrive;
use crate::cancel::Cancel;
use crate::changer::{Changer, ChangerStatus, DriveElement, ElementContent, SlotElement};
use crate::drive::TapeDrive;
use crate::error::{Error, Result};
use crate::number::{DriveNumber, ElementAddress, SlotNumber, VolumeTag};

/// The only drive.
const DRIVE: DriveNumber = DriveNumber(0);

/// Slots are shown in rows of that many, as PBS pads them.
const SLOTS_MULTIPLE: usize = 8;

/// The changer of a virtual drive, for when no handle of the drive is open.
///
/// Its status needs no lock and can be asked at any time; each move opens the drive for as long as it takes.
/// Whoever holds a [`VirtualDrive`] moves media with [`TapeDrive::as_changer`] instead.
#[derive(Debug, Clone)]
pub struct VirtualLibrary {
    options: VirtualOptions,
    cancel: Cancel,
}

impl VirtualLibrary {
    /// The changer of the drive with these options; `cancel` stops its waiting for the lock.
    pub fn new(options: VirtualOptions, cancel: Cancel) -> Self {
        Self { options, cancel }
    }

    fn drive(&self) -> Result<VirtualDrive> {
        VirtualDrive::open(&self.options, &self.cancel)
    }
}

impl Changer for VirtualLibrary {
    fn status(&mut self) -> Result<ChangerStatus> {
        let directory = Directory::open(&self.options.path)?;
        let loaded = directory.loaded()?.map(|(label, _)| label);
        Ok(status_of(&directory.labels()?, loaded.as_ref()))
    }

    fn load_slot(&mut self, slot: SlotNumber, drive: DriveNumber) -> Result<()> {
        self.drive()?.load_slot(slot, drive)
    }

    fn unload(&mut self, drive: DriveNumber, slot: Option<SlotNumber>) -> Result<SlotNumber> {
        Changer::unload(&mut self.drive()?, drive, slot)
    }

    fn transfer(&mut self, from: SlotNumber, to: SlotNumber) -> Result<()> {
        self.drive()?.transfer(from, to)
    }

    /// Files gather no dust.
    fn clean_drive(&mut self, _drive: DriveNumber, _slot: Option<SlotNumber>) -> Result<()> {
        Ok(())
    }

    fn create_media(&mut self, tag: &VolumeTag) -> Result<()> {
        self.drive()?.create_media(tag)
    }
}

impl Changer for VirtualDrive {
    fn status(&mut self) -> Result<ChangerStatus> {
        Ok(status_of(&self.directory.labels()?, self.loaded_label()))
    }

    fn load_slot(&mut self, slot: SlotNumber, drive: DriveNumber) -> Result<()> {
        let status = Changer::status(self)?;
        let content = &status.drive(drive)?.content;
        if !content.is_empty() {
            return Err(Error::DriveFull { drive, content: content.clone() });
        }
        match status.slot(slot)?.content.tag() {
            Some(label) => self.insert(label),
            None => Err(Error::SlotEmpty(slot)),
        }
    }

    /// Tapes have fixed slots: the tape goes to its own, whichever is asked for.
    fn unload(&mut self, drive: DriveNumber, _slot: Option<SlotNumber>) -> Result<SlotNumber> {
        let status = Changer::status(self)?;
        let home = status.drive(drive)?.loaded_slot;
        let home = home.ok_or(Error::DriveEmpty(drive))?;
        TapeDrive::unload(self)?;
        Ok(home)
    }

    fn transfer(&mut self, _from: SlotNumber, _to: SlotNumber) -> Result<()> {
        Err(Error::Unsupported { what: "moving media between slots", device: "virtual drives" })
    }

    /// Files gather no dust.
    fn clean_drive(&mut self, _drive: DriveNumber, _slot: Option<SlotNumber>) -> Result<()> {
        Ok(())
    }

    fn create_media(&mut self, tag: &VolumeTag) -> Result<()> {
        if self.directory.exists(tag)? {
            return Err(Error::MediumExists(tag.clone()));
        }
        self.directory.must_have_no_data(tag, "is missing")?;
        self.directory.write_index(tag, 0)
    }
}

/// Slots in the order of the labels, padded with empty ones; the slot of the loaded tape is empty.
fn status_of(labels: &[VolumeTag], loaded: Option<&VolumeTag>) -> ChangerStatus {
    let is_loaded = |label: &VolumeTag| Some(label) == loaded;
    let loaded_slot = labels.iter().position(is_loaded).map(SlotNumber::from_index);
    let slots = labels.len().max(1).next_multiple_of(SLOTS_MULTIPLE);
    let in_slot = |index: usize| labels.get(index).filter(|label| !is_loaded(label));
    ChangerStatus {
        drives: vec![DriveElement {
            number: DRIVE,
            content: content(loaded),
            loaded_slot,
            address: ElementAddress(0),
            drive_serial_number: None,
            vendor: None,
            model: None,
        }],
        slots: (0..slots)
            .map(|index| SlotElement {
                number: SlotNumber::from_index(index),
                import_export: false,
                content: content(in_slot(index)),
                address: ElementAddress(u16::try_from(index + 1).unwrap_or(u16::MAX)),
            })
            .collect(),
        transports: Vec::new(),
    }
}

fn content(label: Option<&VolumeTag>) -> ElementContent {
    label.map_or(ElementContent::Empty, |label| ElementContent::VolumeTag(label.clone()))
}
