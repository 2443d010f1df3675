//! The library: drives, changer and cartridges behind one door.

mod execution;
mod hooks;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reel_hw::VolumeTag;

use crate::cartridge::{CAPACITY_DEFAULT, Cartridge, CartridgeFacts};
use crate::elements::{Bay, DRIVES_MAX, Elements, IMPORT_EXPORT_MAX, STORAGE_MAX, Slot};
use crate::fault::Faults;
use crate::folder::{FolderError, LibraryFolder, LibraryRecord, SlotRecord};
use crate::initiator::Initiator;
use crate::model::{DriveModel, Generation, Maker};
use crate::robot::Robot;
use crate::time::EmuClock;
use crate::timing::{DriveCounts, RobotCounts, Timing};
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

/// A host that a library knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host(Initiator);

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
    /// How much faster than real ones its devices work, where it is opened without a clock: 1 is real time. Without
    /// it nothing takes time.
    pub quickened: Option<u32>,
}

impl LibraryShape {
    /// So many full-height drives of a kind and eight slots. No other library has their serial numbers.
    pub fn unique(drives: u16, maker: Maker, generation: Generation) -> Self {
        let serial = format!("{:06X}", RandomState::new().hash_one(0) & 0xFF_FFFF);
        let drive = |number| DriveModel {
            maker,
            generation,
            full_height: true,
            serial: format!("{serial}D{number:02}"),
        };
        Self {
            drives: (0..drives).map(drive).collect(),
            storage_slots: 8,
            import_export_slots: 0,
            ejects: true,
            quickened: None,
            serial: format!("{serial}LIB"),
        }
    }

    /// Whether all its elements have addresses of their own, and so many media a slot each.
    pub(crate) fn check(&self, media: usize) -> Result<(), FolderError> {
        let parts = [
            ("drives", self.drives.len(), DRIVES_MAX.into()),
            ("storage slots", self.storage_slots, STORAGE_MAX.into()),
            ("import/export slots", self.import_export_slots, IMPORT_EXPORT_MAX.into()),
            ("media in storage slots", media, self.storage_slots),
        ];
        for (what, wanted, most) in parts {
            if wanted > most {
                return Err(FolderError::TooMany { what, wanted, most });
            }
        }
        Ok(())
    }
}

/// A tape library. Clones are the same library.
#[derive(Clone)]
pub struct EmulatedLibrary {
    state: Arc<Mutex<State>>,
    clock: Option<EmuClock>,
}

struct State {
    robot: Robot,
    elements: Elements,
    faults: Faults,
    initiators: u32,
    /// Where it is kept, and what was kept last.
    folder: Option<(LibraryFolder, LibraryRecord)>,
}

impl EmulatedLibrary {
    /// A library without cartridges, just switched on, kept nowhere, in which nothing takes time.
    pub fn new(shape: &LibraryShape) -> Self {
        Self::with_timing(shape, &Timing::none())
    }

    /// The same with devices that take their time.
    pub fn with_timing(shape: &LibraryShape, timing: &Timing) -> Self {
        let record = LibraryRecord::of(shape);
        let bays = record.drives.iter().map(|drive| Bay::empty(&drive.model, timing)).collect();
        let slot =
            |slot: &SlotRecord| Slot { import_export: slot.import_export, ..Slot::default() };
        let slots = record.slots.iter().map(slot).collect();
        let elements = Elements::new(bays, slots, None, record.ejects);
        Self::of(&record.serial, elements, timing, None)
    }

    /// Makes a library without cartridges in a folder.
    ///
    /// # Errors
    /// There is one already; the folder cannot be written.
    pub fn create(folder: &Path, shape: &LibraryShape) -> Result<(), FolderError> {
        Self::create_with_media(folder, shape, &[])
    }

    /// Makes a library in a folder, with these media in its storage slots: whole, or none. An attempt that was
    /// stopped can be made again.
    ///
    /// # Errors
    /// There is one already; the media do not fit; the folder cannot be written.
    pub fn create_with_media(
        folder: &Path,
        shape: &LibraryShape,
        media: &[CartridgeFacts],
    ) -> Result<(), FolderError> {
        LibraryFolder::create(folder, shape, media)
    }

    /// Makes the library in a folder that one gets who asks for nothing else: two LTO-8 drives, eight slots and two
    /// to import and export, six media for data and one that cleans.
    ///
    /// # Errors
    /// There is one already; the folder cannot be written.
    pub fn create_default(folder: &Path) -> Result<(), FolderError> {
        let generation = Generation::Lto8;
        let shape = LibraryShape {
            import_export_slots: 2,
            ..LibraryShape::unique(2, Maker::Ibm, generation)
        };
        let barcodes = (1..=6).map(|number| format!("REEL{number:02}L8"));
        let media = barcodes
            .chain(["CLN001CU".to_owned()])
            .filter_map(|barcode| VolumeTag::new(&barcode))
            .map(|barcode| CartridgeFacts::labelled(&barcode, generation, CAPACITY_DEFAULT));
        Self::create_with_media(folder, &shape, &media.collect::<Vec<_>>())
    }

    /// Switches a library on that is kept in a folder. Media are where they were left; drives have forgotten
    /// everything else. Its devices take the time that its shape says.
    ///
    /// # Errors
    /// There is none; another program has it open; a file is damaged.
    pub fn open(folder: &Path) -> Result<Self, FolderError> {
        let (folder, record) = LibraryFolder::open(folder)?;
        let clock = record.quickened.map(EmuClock::quickened);
        Self::switch_on(folder, record, &clock.map_or_else(Timing::none, Timing::on))
    }

    fn switch_on(
        folder: LibraryFolder,
        record: LibraryRecord,
        timing: &Timing,
    ) -> Result<Self, FolderError> {
        let bays = record.drives.iter().map(|drive| folder.bay(drive, timing));
        let slots = record.slots.iter().map(|slot| folder.slot(slot));
        let elements = Elements::new(
            bays.collect::<Result<_, _>>()?,
            slots.collect::<Result<_, _>>()?,
            folder.hand(&record)?,
            record.ejects,
        );
        let (serial, drops_next) = (record.serial.clone(), record.drops_next);
        let library = Self::of(&serial, elements, timing, Some((folder, record)));
        library.lock().robot.drops_next = drops_next;
        Ok(library)
    }

    fn of(
        serial: &str,
        elements: Elements,
        timing: &Timing,
        folder: Option<(LibraryFolder, LibraryRecord)>,
    ) -> Self {
        let (robot, faults) = (Robot::new(serial, timing), Faults::default());
        let state = State { robot, elements, faults, initiators: 0, folder };
        Self { state: Arc::new(Mutex::new(state)), clock: timing.clock.clone() }
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
        state.elements.touch();
        state.robot.opened(false);
        state.keep()
    }

    /// A way to one of its devices, as from a host of its own that is switched off when the way is given up.
    pub fn transport(&self, device: Device) -> EmulatedTransport {
        EmulatedTransport::new(self.clone(), device, self.new_initiator(), true)
    }

    /// A host, which stays what it is over all ways that it takes: so do its reservations.
    pub fn new_host(&self) -> Host {
        Host(self.new_initiator())
    }

    /// A way of a host to one of its devices.
    pub fn transport_of(&self, host: &Host, device: Device) -> EmulatedTransport {
        EmulatedTransport::new(self.clone(), device, host.0, false)
    }

    fn new_initiator(&self) -> Initiator {
        let mut state = self.lock();
        state.initiators += 1;
        Initiator(state.initiators)
    }

    /// Puts a cartridge into a drive, as a hand would; what was in it comes out, or the cartridge itself where its
    /// tape cannot be opened.
    pub fn insert(&self, drive: usize, mut cartridge: Cartridge) -> Option<Cartridge> {
        let mut state = self.lock();
        let Some(bay) = state.elements.bays.get_mut(drive) else { return Some(cartridge) };
        if cartridge.open().is_err() {
            return Some(cartridge);
        }
        let before = bay.drive.pull_out();
        bay.drive.insert(cartridge, 0.0);
        bay.home = None;
        state.elements.touch();
        before
    }

    /// Puts a cartridge into a slot (storage slots first, from 0), as an operator would; what was in it comes out, or
    /// the cartridge itself where a host has locked the door.
    pub fn put(&self, slot: usize, mut cartridge: Cartridge) -> Option<Cartridge> {
        let mut state = self.lock();
        let state = &mut *state;
        let Some(place) = state.elements.slots.get_mut(slot) else { return Some(cartridge) };
        if place.import_export && state.robot.is_locked() {
            return Some(cartridge);
        }
        cartridge.close();
        let before = place.cartridge.replace(cartridge);
        place.by_operator = true;
        state.robot.opened(place.import_export);
        state.elements.touch();
        before
    }

    /// Takes a cartridge out of a slot, as an operator would; none where a host has locked the door.
    pub fn take(&self, slot: usize) -> Option<Cartridge> {
        let mut state = self.lock();
        let state = &mut *state;
        let place = state.elements.slots.get_mut(slot)?;
        if place.import_export && state.robot.is_locked() {
            return None;
        }
        state.robot.opened(place.import_export);
        let taken = place.cartridge.take();
        state.elements.touch();
        taken
    }

    /// How many commands its devices got.
    pub fn commands(&self) -> u64 {
        self.lock().faults.commands()
    }

    /// Looks at the cartridge in a drive, or changes it behind everybody's back.
    pub fn cartridge<T>(&self, drive: usize, look: impl FnOnce(&mut Cartridge) -> T) -> Option<T> {
        let mut state = self.lock();
        let mounted = state.elements.bays.get_mut(drive)?.drive.mounted.as_mut()?;
        Some(look(&mut mounted.cartridge))
    }

    /// Its devices with their serial numbers, the changer first.
    pub fn devices(&self) -> Vec<(Device, String)> {
        let state = self.lock();
        let drives = state.elements.bays.iter().enumerate();
        let drives =
            drives.map(|(number, bay)| (Device::Drive(number), bay.drive.model.serial.clone()));
        std::iter::once((Device::Changer, state.robot.serial.clone())).chain(drives).collect()
    }

    /// Its clock; none where nothing takes time.
    pub fn clock(&self) -> Option<&EmuClock> {
        self.clock.as_ref()
    }

    /// What a drive did with its time.
    pub fn drive_counts(&self, drive: usize) -> Option<DriveCounts> {
        Some(self.lock().elements.bays.get(drive)?.drive.clockwork.counts)
    }

    /// What the robot did with its time.
    pub fn robot_counts(&self) -> RobotCounts {
        self.lock().robot.shuttle.counts
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counters of media in drives are kept when a program ends as it should, and what could not be kept before.
impl Drop for State {
    fn drop(&mut self) {
        self.elements.bays.iter().for_each(|bay| bay.drive.save_medium());
        let _ = self.keep_record();
    }
}

impl State {
    /// Keeps what lies where, if something was moved. Where that fails it is tried again after the next move.
    fn keep(&mut self) -> Result<(), FolderError> {
        if self.elements.take_changed() { self.keep_record() } else { Ok(()) }
    }

    fn keep_record(&mut self) -> Result<(), FolderError> {
        let Some((folder, kept)) = &mut self.folder else { return Ok(()) };
        let drops_next = self.robot.drops_next;
        let record = LibraryRecord { drops_next, ..self.elements.record(kept) };
        if record == *kept {
            return Ok(());
        }
        folder.save(&record)?;
        *kept = record;
        Ok(())
    }
}
