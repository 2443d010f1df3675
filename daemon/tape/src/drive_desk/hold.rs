//! A drive in somebody's hands.

use std::fs::File;
use std::sync::Arc;

use nix::fcntl::Flock;
use reel_hw::{Changer, DriveNumber, TapeDrive};
use reel_types::{DriveName, LabelText};

use super::{Announced, DriveDesk, DriveState, Loaded, Turn};
use crate::Error;
use crate::media_requests::Asking;

/// A drive in use, open and locked. Fields drop in their order: the device, what others are told, the lock, the turn.
pub struct DriveHold {
    pub(super) drive: Option<Box<dyn TapeDrive>>,
    pub(super) only_status: bool,
    /// Those of the desk when the hold began.
    pub(super) underruns_before: u64,
    /// What got worse and was told nobody yet.
    pub(super) worse: Vec<String>,
    /// Whether nobody has used the drive since its health was looked at.
    pub(super) looked: bool,
    /// How media are asked for that are not there.
    pub(super) asking: Option<Asking>,
    /// The bar code by which the changer brought what is in the drive, in this hold.
    pub(super) brought: Option<LabelText>,
    pub(super) _announced: Announced,
    pub(super) _lock: Flock<File>,
    pub(super) turn: Turn,
}

impl DriveHold {
    /// The device.
    ///
    /// It is there from [`DriveDesk::hold`] until the hold is dropped.
    pub fn drive(&mut self) -> &mut dyn TapeDrive {
        self.looked = false;
        match &mut self.drive {
            Some(drive) => &mut **drive,
            None => unreachable!("the device goes with the hold"),
        }
    }

    /// The changer that moves media for this drive; none for a drive on its own.
    pub fn changer(&mut self) -> Option<&mut dyn Changer> {
        self.drive().as_changer()
    }

    /// Which drive of that changer it is.
    pub fn drive_number(&mut self) -> DriveNumber {
        self.drive().number_in_changer()
    }

    /// The desk that lent the drive.
    pub fn desk(&self) -> &Arc<DriveDesk> {
        &self.turn.desk
    }

    /// The drive's name.
    pub fn name(&self) -> &DriveName {
        &self.turn.desk.name
    }

    /// Tells others who holds the drive, once that has a name: the task's UPID.
    pub fn note_holder(&self, what: &str) {
        self.turn.note_holder(what);
    }

    /// Has people asked for media that are not there, from now on, and waits for them. Whoever does not call this gets an
    /// error at once.
    pub fn ask_for_media(&mut self, asking: Asking) {
        self.asking = Some(asking);
    }

    /// How media are asked for that are not there; none where that is an error.
    pub fn asking(&self) -> Option<&Asking> {
        self.asking.as_ref()
    }

    /// Says what the drive is doing from now on.
    pub fn set_state(&self, state: DriveState) {
        self.turn.desk.enter(state);
    }

    /// Notes what is in the drive.
    pub fn set_loaded(&self, loaded: Loaded) {
        self.turn.desk.line().loaded = loaded;
    }

    /// Notes by which bar code the changer brought what is in the drive; none where something else has happened.
    pub(crate) fn set_brought(&mut self, label_text: Option<&LabelText>) {
        self.brought = label_text.cloned();
    }

    /// Whether the changer brought what is in the drive by that bar code.
    pub(crate) fn has_brought(&self, label_text: &LabelText) -> bool {
        self.brought.as_ref() == Some(label_text)
    }

    /// How often the tape must have stopped in this hold, because data came too slowly; the desk tells it from now on.
    pub fn note_underruns(&mut self) -> u64 {
        let underruns = self.drive.as_ref().map_or(0, |drive| drive.counters().underruns);
        self.turn.desk.line().underruns = self.underruns_before + underruns;
        underruns
    }

    fn clear_key(&mut self) {
        let cleared = self.drive.as_mut().map_or(Ok(()), |drive| drive.set_encryption_key(None));
        if let Err(error) = cleared {
            tracing::error!(drive = %self.name(), %error, "the drive's encryption key may still be set");
        }
    }

    /// Names the drive in an error of its device, and notes that the device failed.
    pub fn failed(&self, source: reel_hw::Error) -> Error {
        self.set_state(DriveState::Failed);
        self.turn.desk.failed(source)
    }
}

impl Drop for DriveHold {
    fn drop(&mut self) {
        self.note_underruns();
        if !self.only_status {
            self.clear_key();
            if !std::thread::panicking() {
                self.note_health();
            }
        }
        for line in &self.worse {
            tracing::warn!("{line}");
        }
        self.drive = None;
    }
}
