//! Waiting for a medium to be ready, loading and ejecting.

use std::time::Duration;

use super::{LtoDrive, Written, timeouts};
use crate::device::DeviceError;
use crate::error::Result;
use crate::number::BlockNumber;
use crate::scsi::{Command, Condition, NextStep, Sense};
use crate::transport::Data;

/// How often a drive that is not ready is asked again.
const POLL: Duration = Duration::from_secs(1);

/// What a drive says when it is asked whether it is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// A medium is loaded.
    Ready,
    /// It will be, in a while.
    Coming(Sense),
    /// A medium sits there, and has to be loaded.
    NeedsLoad,
    /// No medium.
    Empty,
}

impl LtoDrive {
    /// Asks once.
    pub(super) fn readiness(&mut self) -> std::result::Result<Readiness, DeviceError> {
        match self.device.ask(Command::TestUnitReady, Data::None, timeouts::IMMEDIATE) {
            Ok(_) => Ok(Readiness::Ready),
            Err(DeviceError::Sense(sense)) => match sense.condition() {
                Condition::NoMedium => Ok(Readiness::Empty),
                Condition::NeedsLoad => Ok(Readiness::NeedsLoad),
                condition if condition.next_step() == NextStep::Wait => {
                    Ok(Readiness::Coming(sense))
                }
                _ => Err(DeviceError::Sense(sense)),
            },
            Err(error) => Err(error),
        }
    }

    /// Waits while the drive is getting ready: as long as the options say, or as long as a calibration takes where
    /// it says that it calibrates. Does not wait for a medium that nobody put in.
    pub(super) fn wait_ready(&mut self) -> std::result::Result<Readiness, DeviceError> {
        let started = self.device.now();
        loop {
            let readiness = self.readiness()?;
            let Readiness::Coming(sense) = readiness else { return Ok(readiness) };
            let limit = if self.is_calibrating() {
                timeouts::CALIBRATION
            } else {
                self.options.ready_limit
            };
            if self.device.now().saturating_sub(started) >= limit {
                return Err(DeviceError::Sense(sense));
            }
            self.device.pause(POLL)?;
        }
    }

    /// Loads the medium that sits in the drive and waits until it is ready.
    pub(super) fn load_now(&mut self) -> Result<()> {
        const WHAT: &str = "load";
        self.forget_medium();
        let command = Command::LoadUnload {
            immediate: false,
            hold: false,
            end_of_tape: false,
            retension: false,
            load: true,
        };
        let loaded = self.device.ask(command, Data::None, timeouts::LOAD);
        match loaded {
            Ok(_) => {}
            Err(DeviceError::Sense(sense)) if sense.condition().next_step() == NextStep::Wait => {}
            Err(error) => return Err(self.explain(WHAT, error)),
        }
        let ready = self.wait_ready().map_err(|error| self.explain(WHAT, error))?;
        if ready != Readiness::Ready {
            return Err(crate::Error::NoMedium { what: WHAT });
        }
        self.apply_settings().map_err(|error| self.explain(WHAT, error))?;
        self.counters.loads += 1;
        self.place = Some(BlockNumber(0));
        Ok(())
    }

    /// Flushes and ejects the medium. Key and block protection go before the medium does.
    pub(super) fn unload_now(&mut self) -> Result<()> {
        const WHAT: &str = "unload";
        let readiness = self.readiness().map_err(|error| self.explain(WHAT, error))?;
        if readiness == Readiness::Empty {
            self.forget_medium();
            return Ok(());
        }
        if self.written == Written::Buffered {
            self.write_marks(0, false)?;
        }
        self.clear_settings().map_err(|error| self.explain(WHAT, error))?;
        let command = Command::LoadUnload {
            immediate: false,
            hold: false,
            end_of_tape: false,
            retension: false,
            load: false,
        };
        self.device
            .ask(command, Data::None, timeouts::LOAD)
            .map_err(|error| self.explain(WHAT, error))?;
        self.counters.unloads += 1;
        self.forget_medium();
        Ok(())
    }

    /// Nothing is known of what is in the drive.
    pub(super) fn forget_medium(&mut self) {
        self.device.medium_may_be_another();
        self.place = None;
        self.written = Written::Flushed;
    }
}
