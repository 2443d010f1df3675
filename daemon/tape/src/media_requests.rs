//! Asking people for a medium that is not where it is wanted, and waiting until it comes (`tape-state.md` §13).
//!
//! Who holds a drive says by [`DriveHold::ask_for_media`] that somebody may be asked, and by whom they are told; without
//! that, what cannot be loaded now is an error at once. Each new reason is told once, as long as one wait lasts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reel_types::{ChangerName, DriveName, LabelText, TaskContext};

use crate::drive_desk::{DriveHold, DriveState};
use crate::label::MediaLabels;
use crate::medium::Gift;
use crate::{Error, Result};

/// Where a medium is to be put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestDevice {
    /// Into the library.
    Changer(ChangerName),
    /// Into the drive itself.
    Drive(DriveName),
}

impl RequestDevice {
    /// PBS's word for its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Changer(_) => "changer",
            Self::Drive(_) => "drive",
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Changer(name) => name.as_str(),
            Self::Drive(name) => name.as_str(),
        }
    }
}

impl fmt::Display for RequestDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} '{}'", self.kind(), self.name())
    }
}

/// A medium that somebody has to put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRequest<'r> {
    /// Its label.
    pub label_text: &'r LabelText,
    /// Where it is wanted.
    pub device: &'r RequestDevice,
    /// Why it can't be loaded as things are.
    pub reason: &'r str,
}

/// Tells people which media are wanted. Nothing here may fail a job, or take long.
pub trait MediaRequests: Send + Sync {
    /// A medium is wanted, for a reason that was not told yet.
    fn wanted(&self, request: &MediaRequest<'_>);

    /// It is wanted no more: it came, or whoever waited was stopped.
    fn settled(&self, label_text: &LabelText, device: &RequestDevice);
}

/// How somebody who holds a drive asks for media.
#[derive(Clone)]
pub struct Asking {
    /// Where media are to be put.
    pub device: RequestDevice,
    /// Who is told.
    pub requests: Arc<dyn MediaRequests>,
    /// How long to wait before the device is tried again.
    pub again_after: Duration,
}

impl Asking {
    /// Tries `load` until the medium is in the drive; ends early where the task is stopped, or where nobody could help.
    pub(crate) fn until_loaded(
        &self,
        hold: &mut DriveHold,
        label_text: &LabelText,
        task: &dyn TaskContext,
        load: impl Fn(&mut DriveHold) -> Result<MediaLabels>,
    ) -> Result<MediaLabels> {
        task.log(&match self.device {
            RequestDevice::Changer(_) => {
                format!("trying to load media '{label_text}' into drive '{}'", hold.name())
            }
            RequestDevice::Drive(_) => {
                format!("Checking for media '{label_text}' in drive '{}'", hold.name())
            }
        });
        let (told, gift) = Default::default();
        let mut wait = Wait { asking: self, label_text, task, told, gift };
        let loaded = loop {
            match load(hold) {
                Err(error) if is_for_people(&error) => wait.tell(hold, &error),
                other => break other,
            }
            if let Err(stopped) = task.wait(self.again_after) {
                break Err(stopped.into());
            }
            if let Err(error) = self.look_again(hold) {
                hold.set_state(DriveState::Held);
                tracing::debug!(drive = %hold.name(), %error, "the drive was asked again");
            }
        };
        wait.end(hold);
        loaded
    }

    /// What somebody put into a drive by hand since it was opened has to be loaded by it.
    fn look_again(&self, hold: &mut DriveHold) -> reel_hw::Result<()> {
        match self.device {
            RequestDevice::Drive(_) if hold.drive().medium_loaded()? => hold.drive().load(),
            _ => Ok(()),
        }
    }
}

/// A wait for one medium.
struct Wait<'w> {
    asking: &'w Asking,
    label_text: &'w LabelText,
    task: &'w dyn TaskContext,
    told: Vec<String>,
    /// Whoever holds the drive that has the medium may wait for what is in this one.
    gift: Gift,
}

impl Wait<'_> {
    fn tell(&mut self, hold: &mut DriveHold, error: &Error) {
        let reason = error.to_string();
        hold.set_state(DriveState::Held);
        if self.told.last() != Some(&reason) {
            self.ask(hold, reason);
        }
        if is_elsewhere(error) {
            self.gift.give(hold, self.task);
        }
    }

    fn ask(&mut self, hold: &DriveHold, reason: String) {
        let Self { asking: Asking { device, requests, .. }, label_text, task, .. } = *self;
        let request = format!("Please insert media '{label_text}' into {device}");
        task.log(&reason);
        task.log(&request);
        task.waits_for(Some(&format!("media '{label_text}' in {device}: {reason}")));
        hold.desk().set_wanted(Some(label_text.clone()));
        if !self.told.contains(&reason) {
            requests.wanted(&MediaRequest { label_text, device, reason: &reason });
        }
        self.told.push(reason);
    }

    fn end(self, hold: &DriveHold) {
        if self.told.is_empty() {
            return;
        }
        self.task.waits_for(None);
        hold.desk().set_wanted(None);
        self.asking.requests.settled(self.label_text, &self.asking.device);
    }
}

/// Whether somebody at the library can help: a medium that isn't there, is another one or can't be read, a robot or a
/// drive that does not do its work. What was asked for by mistake, a stop and a lost key are not for them.
fn is_for_people(error: &Error) -> bool {
    match error {
        Error::MediumOffline { .. }
        | Error::InsertMedium { .. }
        | Error::WrongMedium { .. }
        | Error::MediumBlank
        | Error::FilemarkAtBeginning
        | Error::Format { .. }
        | Error::Json { .. } => true,
        Error::Io { source, .. } => source.raw_os_error().is_none(),
        Error::Device(source) | Error::Drive { source, .. } => !matches!(
            source,
            reel_hw::Error::Cancelled
                | reel_hw::Error::CleaningCartridge(_)
                | reel_hw::Error::WrongDriveNumber { .. }
                | reel_hw::Error::WrongKey
        ),
        _ => false,
    }
}

/// Whether the medium is in the library, where this drive can't get it: in another drive, or at the door.
fn is_elsewhere(error: &Error) -> bool {
    let (Error::Device(source) | Error::Drive { source, .. }) = error else { return false };
    matches!(source, reel_hw::Error::MediumElsewhere { .. })
}

#[cfg(test)]
mod tests;
