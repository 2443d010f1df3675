//! Drives that ask for it are cleaned without a command, where `reelfs.cfg` says so: when a drive is let go and nobody
//! waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use reel_config::DriveCare;
use reel_tape::ops::clean_drive;
use reel_tape::{Error, IdleWatch};
use reel_types::{AuthId, DriveName, TaskContext};

use crate::commands::DRIVE_WAIT;
use crate::failure::Outcome;
use crate::reeld::Reeld;
use crate::tasks::{Task, TaskFailure};

/// How long a drive is left alone after a cleaning was tried, in seconds: a cartridge that does not help is not used up
/// by it, and an operator has time to put in another.
const TRY_AGAIN_S: i64 = 3600;

/// Cleans drives that nobody uses.
#[derive(Default)]
pub(crate) struct AutoClean {
    reeld: OnceLock<Weak<Reeld>>,
    /// When a cleaning of each drive was last tried, in seconds since 1970.
    tried: Mutex<HashMap<DriveName, i64>>,
}

impl AutoClean {
    /// From now on drives of this daemon are cleaned.
    pub(crate) fn begin(&self, reeld: &Arc<Reeld>) {
        // Only the first daemon counts; each has a watch of its own.
        let _ = self.reeld.set(Arc::downgrade(reeld));
    }

    fn tried(&self) -> MutexGuard<'_, HashMap<DriveName, i64>> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clean_if_wanted(&self, reeld: &Arc<Reeld>, drive: &DriveName) -> Outcome<()> {
        if reeld.tasks.is_stopping()
            || !reeld.is_cleaned_by_itself(drive)?
            || reeld.tape.health.cleaning_wish(drive)?.is_none()
        {
            return Ok(());
        }
        if !self.is_due(drive, reeld.clock.now()) {
            return Ok(());
        }
        let (name, daemon) = (drive.clone(), Arc::clone(reeld));
        let started = reeld.tasks.start("clean-drive", drive.as_str(), &AuthId::root(), {
            move |task| daemon.clean_by_itself(&name, task)
        });
        started.map(drop).map_err(Into::into)
    }

    /// Whether no cleaning was tried lately; one is now.
    fn is_due(&self, drive: &DriveName, now: i64) -> bool {
        let mut tried = self.tried();
        if tried.get(drive).is_some_and(|last| now.saturating_sub(*last) < TRY_AGAIN_S) {
            return false;
        }
        tried.insert(drive.clone(), now);
        true
    }

    /// The drive was wanted by somebody else: the next time that it is let go will do.
    fn put_off(&self, drive: &DriveName) {
        self.tried().remove(drive);
    }
}

impl IdleWatch for AutoClean {
    fn idle(&self, drive: &DriveName) {
        let Some(reeld) = self.reeld.get().and_then(Weak::upgrade) else { return };
        if let Err(failure) = self.clean_if_wanted(&reeld, drive) {
            tracing::error!(%drive, %failure, "the drive asks to be cleaned, which could not be begun");
        }
    }
}

impl Reeld {
    /// Whether a drive is cleaned without a command.
    pub(crate) fn is_cleaned_by_itself(&self, drive: &DriveName) -> Outcome<bool> {
        Ok(DriveCare::of(&self.config, drive)?.auto_clean)
    }

    fn clean_by_itself(&self, drive: &DriveName, task: &Task) -> Result<(), TaskFailure> {
        task.log("the drive asks to be cleaned");
        let desk = self.drives.desk(drive)?;
        let mut hold = match desk.hold(task.upid().as_str(), DRIVE_WAIT, task.cancel()) {
            Err(error @ Error::DriveBusy { .. }) => {
                self.auto_clean.put_off(drive);
                return Err(error.into());
            }
            held => held?,
        };
        if self.tape.health.cleaning_wish(drive)?.is_none() {
            task.log("it has been cleaned meanwhile");
            return Ok(());
        }
        let cleaned = clean_drive(&mut hold, task);
        hold.finish(task);
        Ok(cleaned?)
    }
}

#[cfg(test)]
mod tests;
