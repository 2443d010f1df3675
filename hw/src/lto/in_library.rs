//! A drive that stands in a library: the robot moves its media by the same handle, so that each knows what the other
//! does. Before the robot takes a medium, the drive flushes and forgets its key; after it has brought one, the drive
//! waits until that is ready.

use super::LtoDrive;
use super::ready::Readiness;
use crate::changer::{Changer, ChangerStatus};
use crate::error::{Error, Result};
use crate::number::{DriveNumber, SlotNumber};

/// The robot, and where the drive stands.
pub(super) struct Robot {
    pub(super) changer: Box<dyn Changer>,
    pub(super) number: DriveNumber,
    /// The drive ejects the medium before the robot takes it.
    pub(super) ejects: bool,
    /// By what the changer tells the number is not another drive's.
    is_checked: bool,
}

impl LtoDrive {
    /// Puts the drive into a library, as drive `number` of `changer`. With `ejects` it ejects its medium itself before
    /// the robot takes it (`eject-before-unload`).
    ///
    /// Nothing is moved where by the serial numbers that the changer tells the drive has another number: media for it
    /// would come into another drive.
    pub fn in_library(
        mut self,
        changer: Box<dyn Changer>,
        number: DriveNumber,
        ejects: bool,
    ) -> Self {
        self.robot = Some(Robot { changer, number, ejects, is_checked: false });
        self
    }

    fn robot(&mut self) -> Result<&mut Robot> {
        self.robot.as_mut().ok_or(Error::Unsupported {
            what: "moving media",
            device: "a drive that is in no changer",
        })
    }

    /// The robot, once the drive's number was checked.
    fn checked_robot(&mut self) -> Result<&mut Robot> {
        self.must_be_ours("move media")?;
        if !self.robot()?.is_checked {
            self.status()?;
        }
        self.robot()
    }

    fn check_number(&mut self, status: &ChangerStatus) -> Result<()> {
        let configured = self.robot()?.number;
        let serial = self.serial()?;
        let number = serial.as_deref().and_then(|serial| status.drive_with_serial(serial));
        if let (Some(serial), Some(number)) =
            (serial, number.filter(|number| *number != configured))
        {
            let known = status.drive(configured).ok();
            let other = known.and_then(|drive| drive.drive_serial_number.clone());
            let (device, other) = (self.device.name().to_owned(), other.unwrap_or_default());
            return Err(Error::WrongDriveNumber { device, serial, number, configured, other });
        }
        self.robot()?.is_checked = true;
        Ok(())
    }

    fn is_own(&self, number: DriveNumber) -> bool {
        self.robot.as_ref().is_some_and(|robot| robot.number == number)
    }

    /// Nothing of ours is left in the drive when the robot comes.
    fn hand_out(&mut self) -> Result<()> {
        if self.robot.as_ref().is_some_and(|robot| robot.ejects) {
            return self.eject_for_robot();
        }
        self.flush_buffered()?;
        self.clear_settings().map_err(|error| self.explain("unload", error))?;
        self.counters.unloads += 1;
        self.forget_medium();
        Ok(())
    }

    /// Some drives do not eject what they cannot use, such as a cleaning cartridge: the robot may get it all the same.
    fn eject_for_robot(&mut self) -> Result<()> {
        let readiness = self.readiness();
        match self.unload_now() {
            Err(_) if matches!(readiness, Ok(Readiness::Unusable(_))) => {
                self.forget_medium();
                Ok(())
            }
            ejected => ejected,
        }
    }

    /// The robot has brought a medium.
    fn take_in(&mut self) -> Result<()> {
        const WHAT: &str = "load";
        self.forget_medium();
        match self.wait_ready().map_err(|error| self.explain(WHAT, error))? {
            Readiness::Ready => {}
            unusable @ Readiness::Unusable(_) => return Err(self.not_ready(WHAT, unusable)),
            _ => return self.load_now(),
        }
        self.prepare().map_err(|error| self.explain(WHAT, error))?;
        self.counters.loads += 1;
        self.position_now(WHAT).map(drop)
    }
}

impl Changer for LtoDrive {
    fn status(&mut self) -> Result<ChangerStatus> {
        let status = self.robot()?.changer.status()?;
        if !self.robot()?.is_checked {
            self.check_number(&status)?;
        }
        Ok(status)
    }

    fn load_slot(&mut self, slot: SlotNumber, drive: DriveNumber) -> Result<()> {
        self.checked_robot()?.changer.load_slot(slot, drive)?;
        if self.is_own(drive) {
            self.take_in()?;
        }
        Ok(())
    }

    fn unload(&mut self, drive: DriveNumber, slot: Option<SlotNumber>) -> Result<SlotNumber> {
        self.checked_robot()?;
        if self.is_own(drive) {
            self.hand_out()?;
        }
        self.robot()?.changer.unload(drive, slot)
    }

    fn transfer(&mut self, from: SlotNumber, to: SlotNumber) -> Result<()> {
        self.checked_robot()?.changer.transfer(from, to)
    }

    fn empty_hand(&mut self) -> Result<()> {
        self.checked_robot()?.changer.empty_hand()
    }

    fn clean_drive(&mut self, drive: DriveNumber, slot: Option<SlotNumber>) -> Result<()> {
        if self.is_own(drive) && !self.status()?.drive(drive)?.content.is_empty() {
            self.unload(drive, None)?;
        }
        self.checked_robot()?.changer.clean_drive(drive, slot)
    }

    /// A medium that is in the drive already, but ejected or not loaded by this handle, is loaded.
    fn make_ready(&mut self, drive: DriveNumber) -> Result<()> {
        if !self.is_own(drive) {
            return Ok(());
        }
        let readiness = self.readiness().map_err(|error| self.explain("load", error))?;
        if self.prepared && readiness == Readiness::Ready {
            return Ok(());
        }
        self.take_in()
    }
}
