//! Drives, slots, and the moves between them.

use reel_hw::scsi::SenseKey;
use reel_hw::scsi::mode::{ElementAddresses, ElementRange};

use crate::answer::{Refusal, check};
use crate::cartridge::Cartridge;
use crate::drive::Drive;
use crate::folder::{DriveRecord, LibraryRecord, SlotRecord};
use crate::model::DriveModel;
use crate::robot::Shuttle;
use crate::time;
use crate::timing::Timing;

/// First addresses of the four kinds of elements.
const TRANSPORT: u16 = 0x0000;
const IMPORT_EXPORT: u16 = 0x0010;
const DRIVES: u16 = 0x0100;
const STORAGE: u16 = 0x1000;

/// So many of each kind have addresses.
pub(crate) const IMPORT_EXPORT_MAX: u16 = DRIVES - IMPORT_EXPORT;
pub(crate) const DRIVES_MAX: u16 = STORAGE - DRIVES;
pub(crate) const STORAGE_MAX: u16 = u16::MAX - STORAGE;

/// A slot.
#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) import_export: bool,
    pub(crate) cartridge: Option<Cartridge>,
    /// Whether an operator put it there.
    pub(crate) by_operator: bool,
    /// The reader cannot make out the bar code there.
    pub(crate) unreadable: bool,
}

/// A drive in its bay.
pub(crate) struct Bay {
    pub(crate) drive: Drive,
    /// Address of the slot that its cartridge came from.
    pub(crate) home: Option<u16>,
}

impl Bay {
    /// A drive with nothing in it.
    pub(crate) fn empty(model: &DriveModel, timing: &Timing) -> Self {
        Self { drive: Drive::new(model.clone(), timing), home: None }
    }
}

/// Where a move begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Transport,
    Slot(usize),
    Drive(usize),
}

/// All elements of a library: storage slots first, then import/export.
pub(crate) struct Elements {
    pub(crate) bays: Vec<Bay>,
    pub(crate) slots: Vec<Slot>,
    /// How many of the slots are for storage.
    storage: usize,
    /// What the robot has in its hand since a move failed, and the slot that it came from.
    pub(crate) hand: Option<(Cartridge, Option<u16>)>,
    /// Whether the library ejects a medium itself before it takes it out of a drive.
    pub(crate) ejects: bool,
    /// Something lies elsewhere than it was last kept.
    changed: bool,
}

impl Elements {
    /// Nothing of it has changed.
    pub(crate) fn new(
        bays: Vec<Bay>,
        slots: Vec<Slot>,
        hand: Option<Cartridge>,
        ejects: bool,
    ) -> Self {
        let storage = slots.iter().filter(|slot| !slot.import_export).count();
        let hand = hand.map(|cartridge| (cartridge, None));
        Self { bays, slots, storage, hand, ejects, changed: false }
    }

    /// Something was put elsewhere.
    pub(crate) fn touch(&mut self) {
        self.changed = true;
    }

    /// Whether something was put elsewhere, or threaded or ejected, since this was last asked.
    pub(crate) fn take_changed(&mut self) -> bool {
        let mut in_drives = false;
        for bay in &mut self.bays {
            in_drives |= std::mem::take(&mut bay.drive.threading_changed);
        }
        std::mem::take(&mut self.changed) || in_drives
    }

    /// Which addresses there are.
    pub(crate) fn addresses(&self) -> ElementAddresses {
        let range = |first, count: usize| ElementRange { first, count: count as u16 };
        ElementAddresses {
            transport: range(TRANSPORT, 1),
            storage: range(STORAGE, self.storage),
            import_export: range(IMPORT_EXPORT, self.slots.len() - self.storage),
            drives: range(DRIVES, self.bays.len()),
        }
    }

    /// Address of a slot, counted as `slots` does.
    pub(crate) fn slot_address(&self, index: usize) -> u16 {
        match index.checked_sub(self.storage) {
            Some(offset) => IMPORT_EXPORT + offset as u16,
            None => STORAGE + index as u16,
        }
    }

    /// Address of a drive.
    pub(crate) fn drive_address(index: usize) -> u16 {
        DRIVES + index as u16
    }

    /// What lies where.
    pub(crate) fn record(&self, before: &LibraryRecord) -> LibraryRecord {
        let name = |cartridge: &Cartridge| cartridge.name().map(str::to_owned);
        let drive = |bay: &Bay| {
            let mounted = bay.drive.mounted.as_ref();
            DriveRecord {
                model: bay.drive.model.clone(),
                cartridge: mounted.and_then(|mounted| name(&mounted.cartridge)),
                home: bay.home,
                threaded: mounted.is_some_and(|mounted| mounted.threaded),
            }
        };
        let slot = |slot: &Slot| SlotRecord {
            import_export: slot.import_export,
            cartridge: slot.cartridge.as_ref().and_then(name),
        };
        LibraryRecord {
            serial: before.serial.clone(),
            ejects: self.ejects,
            quickened: before.quickened,
            hand: self.hand.as_ref().and_then(|(cartridge, _)| name(cartridge)),
            drops_next: before.drops_next,
            drives: self.bays.iter().map(drive).collect(),
            slots: self.slots.iter().map(slot).collect(),
        }
    }

    /// What has an address.
    pub(crate) fn place(&self, address: u16) -> Result<Place, Refusal> {
        let addresses = self.addresses();
        let offset = |range: ElementRange| usize::from(address - range.first);
        if addresses.transport.contains(address) {
            Ok(Place::Transport)
        } else if addresses.storage.contains(address) {
            Ok(Place::Slot(offset(addresses.storage)))
        } else if addresses.import_export.contains(address) {
            Ok(Place::Slot(self.storage + offset(addresses.import_export)))
        } else if addresses.drives.contains(address) {
            Ok(Place::Drive(offset(addresses.drives)))
        } else {
            Err(check(SenseKey::IllegalRequest, 0x21, 0x01))
        }
    }

    /// Elements that an inventory looks at, from an address on, and how many of them have a medium.
    pub(crate) fn to_look_at(&self, first: u16, count: u16) -> (usize, usize) {
        let addresses = (0..self.slots.len()).map(|index| (self.slot_address(index), index));
        let wanted = addresses
            .filter(|(address, _)| address.checked_sub(first).is_some_and(|offset| offset < count));
        let full: Vec<_> = wanted.map(|(_, index)| self.slots[index].cartridge.is_some()).collect();
        (full.len(), full.iter().filter(|full| **full).count())
    }

    /// What lies at a place.
    pub(crate) fn content(&self, place: Place) -> Option<&Cartridge> {
        match place {
            Place::Transport => self.hand.as_ref().map(|(cartridge, _)| cartridge),
            Place::Slot(index) => self.slots.get(index)?.cartridge.as_ref(),
            Place::Drive(index) => {
                let mounted = self.bays.get(index)?.drive.mounted.as_ref()?;
                Some(&mounted.cartridge)
            }
        }
    }

    fn content_mut(&mut self, place: Place) -> Option<&mut Cartridge> {
        match place {
            Place::Transport => self.hand.as_mut().map(|(cartridge, _)| cartridge),
            Place::Slot(index) => self.slots.get_mut(index)?.cartridge.as_mut(),
            Place::Drive(index) => {
                let mounted = self.bays.get_mut(index)?.drive.mounted.as_mut()?;
                Some(&mut mounted.cartridge)
            }
        }
    }

    /// Moves a cartridge; one that slips stays in the robot's hand.
    pub(crate) fn move_medium(
        &mut self,
        shuttle: &mut Shuttle,
        from: u16,
        to: u16,
        slips: bool,
    ) -> Result<(), Refusal> {
        let (source, target) = (self.place(from)?, self.place(to)?);
        self.expect_full(source)?;
        if source == target {
            return Ok(());
        }
        self.expect_empty(target)?;
        if source != Place::Transport {
            self.expect_empty(Place::Transport)?;
        }
        let home = self.home(source, from);
        self.open_for(source, target)?;
        let Some(cartridge) = self.take(shuttle, source)? else { return Ok(()) };
        self.carry(shuttle, (source, target), (cartridge, home), slips)
    }

    /// Opens the tape of a cartridge that goes into a drive, so that one that is damaged stays where it is.
    fn open_for(&mut self, source: Place, target: Place) -> Result<(), Refusal> {
        let Place::Drive(_) = target else { return Ok(()) };
        let cartridge = self.content_mut(source);
        Ok(cartridge.map_or(Ok(()), Cartridge::open)?)
    }

    /// Moves a cartridge to where another lies, and that to a third place, which may be where the first came from. One
    /// that slips stays in the robot's hand, when the other has gone.
    pub(crate) fn exchange(
        &mut self,
        shuttle: &mut Shuttle,
        [from, to, away]: [u16; 3],
        slips: bool,
    ) -> Result<(), Refusal> {
        let (source, target, rest) = (self.place(from)?, self.place(to)?, self.place(away)?);
        self.expect_full(source)?;
        self.expect_full(target)?;
        if source == target || rest == target {
            return Err(check(SenseKey::IllegalRequest, 0x3B, 0x0D));
        }
        if rest != source {
            self.expect_empty(rest)?;
        }
        if ![source, target].contains(&Place::Transport) {
            self.expect_empty(Place::Transport)?;
        }
        self.open_for(source, target)?;
        self.open_for(target, rest)?;
        let (home, other_home) = (self.home(source, from), self.home(target, to));
        let Some(other) = self.take(shuttle, target)? else { return Ok(()) };
        let cartridge = match self.take(shuttle, source) {
            Ok(Some(cartridge)) => cartridge,
            refused => {
                self.put(shuttle, target, other, other_home);
                return refused.map(drop);
            }
        };
        self.carry(shuttle, (target, rest), (other, other_home), false)?;
        let slips = slips && rest != Place::Transport;
        self.carry(shuttle, (source, target), (cartridge, home), slips)
    }

    /// Carries a cartridge that was taken from a place to another.
    fn carry(
        &mut self,
        shuttle: &mut Shuttle,
        (source, target): (Place, Place),
        (cartridge, home): (Cartridge, Option<u16>),
        slips: bool,
    ) -> Result<(), Refusal> {
        shuttle.carry(self.kind(source), self.kind(target));
        if slips {
            self.put(shuttle, Place::Transport, cartridge, home);
            return Err(check(SenseKey::HardwareError, 0x15, 0x01));
        }
        self.put(shuttle, target, cartridge, home);
        Ok(())
    }

    fn expect_full(&self, place: Place) -> Result<(), Refusal> {
        let empty = || check(SenseKey::IllegalRequest, 0x3B, 0x0E);
        self.content(place).map(|_| ()).ok_or_else(empty)
    }

    fn expect_empty(&self, place: Place) -> Result<(), Refusal> {
        match self.content(place) {
            None => Ok(()),
            Some(_) => Err(check(SenseKey::IllegalRequest, 0x3B, 0x0D)),
        }
    }

    /// What a place is to the time model; the robot's hand is near any slot.
    fn kind(&self, place: Place) -> time::Place {
        match place {
            Place::Drive(_) => time::Place::Drive,
            Place::Slot(index) if self.slots.get(index).is_some_and(|slot| slot.import_export) => {
                time::Place::ImportExport
            }
            Place::Slot(_) | Place::Transport => time::Place::Slot,
        }
    }

    /// The slot that a cartridge comes from.
    fn home(&self, source: Place, address: u16) -> Option<u16> {
        match source {
            Place::Slot(_) => Some(address),
            Place::Drive(index) => self.bays.get(index).and_then(|bay| bay.home),
            Place::Transport => self.hand.as_ref().and_then(|(_, home)| *home),
        }
    }

    fn take(&mut self, shuttle: &mut Shuttle, place: Place) -> Result<Option<Cartridge>, Refusal> {
        match place {
            Place::Transport => Ok(self.hand.take().map(|(cartridge, _)| cartridge)),
            Place::Slot(index) => {
                Ok(self.slots.get_mut(index).and_then(|one| one.cartridge.take()))
            }
            Place::Drive(index) => {
                let Some(bay) = self.bays.get_mut(index) else { return Ok(None) };
                let (cartridge, out_s) = bay.drive.remove(self.ejects, shuttle.at_s())?;
                shuttle.wait_until(out_s);
                Ok(cartridge)
            }
        }
    }

    fn put(
        &mut self,
        shuttle: &Shuttle,
        place: Place,
        mut cartridge: Cartridge,
        home: Option<u16>,
    ) {
        self.touch();
        match place {
            Place::Transport => {
                cartridge.close();
                self.hand = Some((cartridge, home));
            }
            Place::Slot(index) => {
                if let Some(slot) = self.slots.get_mut(index) {
                    cartridge.close();
                    slot.cartridge = Some(cartridge);
                    slot.by_operator = false;
                }
            }
            Place::Drive(index) => {
                if let Some(bay) = self.bays.get_mut(index) {
                    bay.drive.insert(cartridge, shuttle.at_s());
                    bay.home = home;
                }
            }
        }
    }
}
