//! A media changer, by SCSI commands (spec scsi.md §12, tape-state.md §13).
//!
//! Slots are numbered from 1, storage elements first, then those to import and export; drives from 0 in the order of
//! their addresses. What lies where is asked before each move, unless that was done moments ago: an operator may have
//! opened a door in between. Which elements there are is asked again once the changer has had something to tell.

mod elements;

use std::sync::Arc;
use std::time::Duration;

use crate::cancel::Cancel;
use crate::changer::{Changer, ChangerStatus};
use crate::clock::{Clock, RealClock};
use crate::device::{DeviceError, ScsiDevice, Told};
use crate::error::{Error, Result};
use crate::number::{DriveNumber, ElementAddress, SlotNumber};
use crate::scsi::inquiry::Inquiry;
use crate::scsi::{Command, DeviceType, NextStep, SenseKey};
use crate::transport::{Data, Transport};
use elements::Layout;

/// How long a changer may take to move or to tell (spec scsi.md §12).
const MOVE_TIMEOUT: Duration = Duration::from_secs(300);
/// How long it may take to look at every slot.
const INVENTORY_TIMEOUT: Duration = Duration::from_secs(1800);
/// TEST UNIT READY is answered at once.
const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a changer that does not answer is asked again.
const RETRY_LIMIT: Duration = Duration::from_secs(5);
/// The same for one that says it is getting ready.
const READY_LIMIT: Duration = Duration::from_secs(300);
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// So long nobody can have opened a door and exchanged a medium since it was asked what lies where.
const SEEN_LIMIT: Duration = Duration::from_secs(5);

/// How a changer is to be used.
#[derive(Debug, Clone)]
pub struct ChangerOptions {
    /// Storage slots that count as import/export slots.
    pub export_slots: Vec<SlotNumber>,
    /// By what waiting goes.
    pub clock: Arc<dyn Clock>,
}

impl Default for ChangerOptions {
    fn default() -> Self {
        Self { export_slots: Vec::new(), clock: Arc::new(RealClock) }
    }
}

/// A changer that is open.
pub struct ScsiChanger {
    device: ScsiDevice,
    options: ChangerOptions,
    layout: Option<Told<Layout>>,
    /// What lay where, and when.
    seen: Option<Told<(ChangerStatus, Duration)>>,
}

type Attempt<T> = std::result::Result<T, DeviceError>;

const PUT_AWAY: &str = "put away the medium in the robot's hand";

/// Unit attentions that a changer may have to tell at once.
const ATTENTIONS_MAX: usize = 16;

impl ScsiChanger {
    /// Opens the changer behind a transport.
    ///
    /// # Errors
    /// `wrong device type (not a scsi changer device)`.
    pub fn open(
        transport: Box<dyn Transport>,
        options: ChangerOptions,
        cancel: &Cancel,
    ) -> Result<Self> {
        let device =
            ScsiDevice::new(transport, cancel.clone()).with_clock(Arc::clone(&options.clock));
        let mut changer = Self { device, options, layout: None, seen: None };
        let identified = changer.device.inquire(DeviceType::Changer);
        identified.map_err(|error| changer.explain("open", error))?;
        Ok(changer)
    }

    /// Asks again for a while where the changer does not answer, longer where it says that it is getting ready.
    fn patiently<T>(&mut self, mut ask: impl FnMut(&mut Self) -> Attempt<T>) -> Attempt<T> {
        let started = self.device.now();
        let mut limit = RETRY_LIMIT;
        loop {
            let error = match ask(self) {
                Err(DeviceError::Sense(sense)) => {
                    if sense.condition().next_step() == NextStep::Wait {
                        limit = READY_LIMIT;
                    }
                    DeviceError::Sense(sense)
                }
                other => return other,
            };
            if self.device.now().saturating_sub(started) >= limit {
                return Err(error);
            }
            self.device.pause(RETRY_PAUSE)?;
        }
    }

    /// Moves a medium as `plan` says: where from, where to, and what is told when it is done. A changer that has something
    /// to tell has not moved it, and what lies where is asked again.
    fn carry_out<T>(
        &mut self,
        what: &'static str,
        plan: impl Fn(&ChangerStatus) -> Result<(ElementAddress, ElementAddress, T)>,
    ) -> Result<T> {
        for _ in 0..ATTENTIONS_MAX {
            let status = self.recent_status()?;
            let Some(status) = self.with_empty_hand(status)? else { continue };
            let (source, destination, told) = plan(&status)?;
            match self.move_medium(&status, source, destination) {
                Ok(()) => {
                    self.note(status.after_move(source, destination));
                    return Ok(told);
                }
                Err(DeviceError::Sense(sense)) if sense.key == SenseKey::UnitAttention => {}
                Err(error) => {
                    // Whether the medium has left its place nobody knows.
                    self.seen = None;
                    return Err(self.explain(what, error));
                }
            }
        }
        Err(self.endless_attentions(what))
    }

    fn endless_attentions(&self, what: &'static str) -> Error {
        let problem = "it has ever more unit attentions to tell";
        self.explain(what, DeviceError::Refused(problem.to_owned()))
    }

    /// Puts away what a robot has kept in its hand since a move failed, into the first free storage slot: nothing else
    /// can be moved before. What lies where then; none where the changer had something to tell and has not moved it.
    fn with_empty_hand(&mut self, status: ChangerStatus) -> Result<Option<ChangerStatus>> {
        let Some(hand) = status.transports.iter().find(|hand| !hand.content.is_empty()) else {
            return Ok(Some(status));
        };
        let mut storage = status.slots.iter().filter(|slot| !slot.import_export);
        let Some(slot) = storage.find(|slot| slot.content.is_empty()) else {
            let problem =
                format!("it holds {}, and no storage slot is free; make room", hand.content);
            return Err(self.explain(PUT_AWAY, DeviceError::Refused(problem)));
        };
        let (source, destination) = (hand.address, slot.address);
        tracing::warn!(content = %hand.content, slot = %slot.number, "the robot's hand is emptied into a slot");
        let moved = self.move_medium(&status, source, destination);
        // What robots hold is asked with the layout.
        (self.layout, self.seen) = (None, None);
        match moved {
            Ok(()) => self.status().map(Some),
            Err(DeviceError::Sense(sense)) if sense.key == SenseKey::UnitAttention => Ok(None),
            Err(error) => Err(self.explain(PUT_AWAY, error)),
        }
    }

    /// By the first robot; address 0 where the changer tells of none (spec scsi.md §12).
    fn move_medium(
        &mut self,
        status: &ChangerStatus,
        source: ElementAddress,
        destination: ElementAddress,
    ) -> Attempt<()> {
        let transport = status.transports.first().map_or(0, |transport| transport.address.0);
        let command = Command::MoveMedium {
            transport,
            source: source.0,
            destination: destination.0,
            invert: false,
        };
        self.device.send(command, Data::None, MOVE_TIMEOUT).map(drop)
    }

    /// What lies where: as it was seen moments ago, if the changer has told of nothing since.
    fn recent_status(&mut self) -> Result<ChangerStatus> {
        let now = self.device.now();
        match self.device.recall(&self.seen) {
            Some((status, at)) if now.saturating_sub(*at) < SEEN_LIMIT => Ok(status.clone()),
            _ => self.status(),
        }
    }

    fn note(&mut self, status: ChangerStatus) {
        self.seen = Some(self.device.note((status, self.device.now())));
    }

    fn expect_medium_in(&mut self, slot: SlotNumber) -> Result<()> {
        match self.recent_status()?.slot(slot)?.content.is_empty() {
            true => Err(Error::SlotEmpty(slot)),
            false => Ok(()),
        }
    }

    fn explain(&self, what: &'static str, error: DeviceError) -> Error {
        Error::device(what, self.device.name(), error)
    }
}

impl Changer for ScsiChanger {
    fn status(&mut self) -> Result<ChangerStatus> {
        let status = self.read_status();
        let status = status.map_err(|error| self.explain("read element status", error))?;
        self.note(status.clone());
        Ok(status)
    }

    fn may_have_changed(&mut self) -> Result<bool> {
        let mut changed = false;
        for _ in 0..ATTENTIONS_MAX {
            match self.device.send(Command::TestUnitReady, Data::None, TEST_TIMEOUT) {
                Ok(_) => return Ok(changed),
                Err(DeviceError::Sense(sense)) if sense.key == SenseKey::UnitAttention => {
                    changed = true;
                }
                Err(_) => break,
            }
        }
        // Whoever looks is told what is wrong with it.
        Ok(true)
    }

    fn load_slot(&mut self, slot: SlotNumber, drive: DriveNumber) -> Result<()> {
        self.carry_out("load medium", |status| {
            let (source, target) = (status.slot(slot)?, status.drive(drive)?);
            if source.content.is_empty() {
                return Err(Error::SlotEmpty(slot));
            }
            if !target.content.is_empty() {
                return Err(Error::DriveFull { drive, content: target.content.clone() });
            }
            Ok((source.address, target.address, ()))
        })
    }

    fn unload(&mut self, drive: DriveNumber, slot: Option<SlotNumber>) -> Result<SlotNumber> {
        self.carry_out("unload medium", |status| {
            let source = status.drive(drive)?;
            if source.content.is_empty() {
                return Err(Error::DriveEmpty(drive));
            }
            let target = slot.map_or_else(|| status.unload_target(drive), Ok)?;
            let destination = status.slot(target)?;
            if !destination.content.is_empty() {
                return Err(Error::SlotFull(target));
            }
            Ok((source.address, destination.address, target))
        })
    }

    fn empty_hand(&mut self) -> Result<()> {
        for _ in 0..ATTENTIONS_MAX {
            let status = self.recent_status()?;
            if self.with_empty_hand(status)?.is_some() {
                return Ok(());
            }
        }
        Err(self.endless_attentions(PUT_AWAY))
    }

    fn initialize(&mut self) -> Result<()> {
        let command = Command::InitializeElementStatus;
        self.seen = None;
        let done = self.device.ask(command, Data::None, INVENTORY_TIMEOUT);
        done.map(drop).map_err(|error| self.explain("take inventory", error))
    }

    fn identity(&mut self) -> Result<Inquiry> {
        let inquiry = self.device.inquire(DeviceType::Changer);
        inquiry.map_err(|error| self.explain("identify", error))
    }

    fn pause(&mut self, pause: Duration) -> Result<()> {
        self.device.pause(pause).map_err(|error| self.explain("wait", error))
    }

    fn transfer(&mut self, from: SlotNumber, to: SlotNumber) -> Result<()> {
        if from == to {
            return self.expect_medium_in(from);
        }
        self.carry_out("transfer medium", |status| {
            let (source, destination) = (status.slot(from)?, status.slot(to)?);
            if source.content.is_empty() {
                return Err(Error::SlotEmpty(from));
            }
            if !destination.content.is_empty() {
                return Err(Error::SlotFull(to));
            }
            Ok((source.address, destination.address, ()))
        })
    }
}
