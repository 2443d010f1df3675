//! Waiting for a medium to be ready, loading and ejecting.

use std::time::Duration;

use super::commands::load_unload;
use super::open::Wait;
use super::{LtoDrive, Written, timeouts};
use crate::device::DeviceError;
use crate::error::{Error, Result};
use crate::number::BlockNumber;
use crate::scsi::{Command, Condition, NextStep, Sense};
use crate::transport::Data;

type Attempt<T> = std::result::Result<T, DeviceError>;

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
    /// What is in it cannot be used, only taken out: a cleaning cartridge, a medium of another kind or a broken one.
    Unusable(Sense),
}

/// Whether a drive says that of what is in it.
fn is_about_the_cartridge(condition: Condition) -> bool {
    matches!(
        condition,
        Condition::CleaningCartridge
            | Condition::CleaningFailed
            | Condition::IncompatibleMedium
            | Condition::CartridgeFault
            | Condition::MediumError
            | Condition::ReadError
    )
}

impl LtoDrive {
    /// Asks once.
    pub(super) fn readiness(&mut self) -> Attempt<Readiness> {
        match self.device.ask(Command::TestUnitReady, Data::None, timeouts::IMMEDIATE) {
            Ok(_) => Ok(Readiness::Ready),
            Err(DeviceError::Sense(sense)) => match sense.condition() {
                Condition::NoMedium => Ok(Readiness::Empty),
                Condition::NeedsLoad => Ok(Readiness::NeedsLoad),
                condition if condition.next_step() == NextStep::Wait => {
                    Ok(Readiness::Coming(sense))
                }
                condition if is_about_the_cartridge(condition) => Ok(Readiness::Unusable(sense)),
                _ => Err(DeviceError::Sense(sense)),
            },
            Err(error) => Err(error),
        }
    }

    /// Waits while the drive is getting ready: as long as the options say, or as long as a calibration takes where
    /// it says that it calibrates. Does not wait for a medium that nobody put in.
    pub(super) fn wait_ready(&mut self) -> Attempt<Readiness> {
        self.wait_ready_within(self.options.ready_limit)
    }

    /// The same with another limit.
    pub(super) fn wait_ready_within(&mut self, limit: Duration) -> Attempt<Readiness> {
        let started = self.device.now();
        loop {
            let readiness = self.readiness()?;
            let Readiness::Coming(sense) = readiness else { return Ok(readiness) };
            let (wait, limit) = match self.is_calibrating() {
                true => (Wait::Calibrating, timeouts::CALIBRATION),
                false => (Wait::Loading, limit),
            };
            self.options.on_wait.tell(wait);
            if self.device.now().saturating_sub(started) >= limit {
                return Err(DeviceError::Sense(sense));
            }
            self.device.pause(POLL)?;
        }
    }

    /// Loads the medium that sits in the drive and waits until it is ready.
    pub(super) fn load_now(&mut self) -> Result<()> {
        const WHAT: &str = "load";
        self.must_be_ours(WHAT)?;
        self.flush_buffered()?;
        self.forget_medium();
        match self.load_unload(true) {
            Ok(()) => {}
            Err(DeviceError::Sense(sense)) if sense.condition().next_step() == NextStep::Wait => {}
            Err(error) => return Err(self.explain(WHAT, error)),
        }
        self.expect_ready(WHAT, self.options.ready_limit)?;
        self.prepare().map_err(|error| self.explain(WHAT, error))?;
        self.counters.loads += 1;
        self.place = Some(BlockNumber(0));
        Ok(())
    }

    /// Waits for a medium that must be there and of use.
    pub(super) fn expect_ready(&mut self, what: &'static str, limit: Duration) -> Result<()> {
        match self.wait_ready_within(limit).map_err(|error| self.explain(what, error))? {
            Readiness::Ready => Ok(()),
            other => Err(self.not_ready(what, other)),
        }
    }

    /// Flushes and ejects the medium. Key and block protection go before the medium does.
    pub(super) fn unload_now(&mut self) -> Result<()> {
        const WHAT: &str = "unload";
        self.must_be_ours(WHAT)?;
        // Whatever else is wrong with the drive or the medium, it may still be able to give it out.
        if matches!(self.readiness(), Ok(Readiness::Empty)) {
            return self.medium_was_taken(WHAT);
        }
        self.flush_buffered()?;
        self.clear_settings().map_err(|error| self.explain(WHAT, error))?;
        self.load_unload(false).map_err(|error| self.explain(WHAT, error))?;
        self.counters.unloads += 1;
        self.forget_medium();
        Ok(())
    }

    /// No medium is there, and we have not ejected it.
    fn medium_was_taken(&mut self, what: &'static str) -> Result<()> {
        if self.written == Written::Buffered {
            self.written = Written::Lost;
            return Err(self.lost(what));
        }
        self.forget_medium();
        Ok(())
    }

    fn load_unload(&mut self, load: bool) -> Attempt<()> {
        self.device.ask(load_unload(load), Data::None, timeouts::LOAD).map(drop)
    }

    /// Nothing is known of what is in the drive.
    pub(super) fn forget_medium(&mut self) {
        self.device.medium_may_be_another();
        self.place = None;
        self.astray = false;
        self.behind_filemark = false;
        self.written = Written::Flushed;
        self.prepared = false;
        self.write_protected = None;
        self.protection_page = None;
        self.encryption = None;
    }

    /// That the medium in the drive was loaded by this handle, which has set the drive for it.
    pub(super) fn must_be_prepared(&mut self, what: &'static str) -> Result<()> {
        if self.prepared {
            return Ok(());
        }
        self.must_be_ours(what)?;
        let readiness = self.readiness().map_err(|error| self.explain(what, error))?;
        Err(self.not_ready(what, readiness))
    }

    /// Why a medium cannot be used.
    pub(super) fn not_ready(&self, what: &'static str, readiness: Readiness) -> Error {
        match readiness {
            Readiness::Empty | Readiness::NeedsLoad => Error::NoMedium { what },
            Readiness::Coming(sense) | Readiness::Unusable(sense) => {
                self.explain(what, DeviceError::Sense(sense))
            }
            Readiness::Ready => {
                let problem = "another medium may have been put in; load it first";
                self.explain(what, DeviceError::Refused(problem.to_owned()))
            }
        }
    }

    /// That the drive may be used and not only looked at.
    pub(super) fn must_be_ours(&self, what: &'static str) -> Result<()> {
        if !self.options.only_status {
            return Ok(());
        }
        let problem = "it was opened to look at it only";
        Err(self.explain(what, DeviceError::Refused(problem.to_owned())))
    }
}
