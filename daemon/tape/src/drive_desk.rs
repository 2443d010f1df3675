//! The one place where the use of a drive is arranged.
//!
//! A drive is one head: whoever uses it holds it. [`DriveDesk::hold`] waits in line inside this process,
//! then takes PBS's lock file against other programs, opens the device and writes into PBS's state file who
//! it is (`tape-state.md` §1, §2), so that a refusal can name the holder. Dropping the [`DriveHold`] undoes
//! all of it, in reverse order, the encryption key first.
//!
//! Those who read on behalf of many (the read queue) look at [`DriveDesk::is_wanted`] and give way.

mod followers;
mod hold;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use reel_hw::{RealClock, TapeDrive, Wait, WaitListener};
use reel_types::{Cancel, Clock, DriveName, LabelText, SystemClock, TaskStopped};

use crate::health::HealthLog;
use crate::{Error, Result};

pub use followers::{Followers, HealthWatch, IdleWatch};
pub use hold::DriveHold;

/// How often waiting looks at its flag and tries a lock file again.
const RETRY: Duration = Duration::from_millis(50);

/// What a drive is doing, as its `state` file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DriveState {
    /// No medium is in it.
    Empty,
    /// A medium is being loaded.
    Loading,
    /// A first load that takes up to two hours (LTO-9).
    Calibrating,
    /// Nobody uses it, and a medium is or may be in it.
    #[default]
    Ready,
    /// It goes to another place on the medium.
    Locating,
    /// It reads.
    Reading,
    /// It writes.
    Writing,
    /// It goes to the beginning of the medium.
    Rewinding,
    /// A cleaning cartridge is at work.
    Cleaning,
    /// Somebody holds it without moving it.
    Held,
    /// The last use ended with an error of the device.
    Failed,
}

impl DriveState {
    /// The word in the `state` file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Loading => "loading",
            Self::Calibrating => "calibrating",
            Self::Ready => "ready",
            Self::Locating => "locating",
            Self::Reading => "reading",
            Self::Writing => "writing",
            Self::Rewinding => "rewinding",
            Self::Cleaning => "cleaning",
            Self::Held => "held",
            Self::Failed => "failed",
        }
    }
}

/// For what a drive is opened.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// Ends any waiting.
    pub cancel: reel_hw::Cancel,
    /// Only to look at it: it is not waited for, and nothing is loaded or set, where it can be looked at so.
    pub only_status: bool,
    /// Hears what is waited for.
    pub on_wait: WaitListener,
}

/// How a configured drive is opened.
pub trait DriveOpener: Send + Sync {
    /// Opens the device.
    fn open(&self, opening: &Opening) -> reel_hw::Result<Box<dyn TapeDrive>>;

    /// The path that PBS derives the lock file's name from (`tape-state.md` §1).
    fn lock_path(&self) -> &Path;

    /// The time by which the device goes.
    fn clock(&self) -> Arc<dyn reel_hw::Clock> {
        Arc::new(RealClock)
    }
}

/// Arranges the use of one drive.
pub struct DriveDesk {
    name: DriveName,
    opener: Arc<dyn DriveOpener>,
    followers: Option<Followers>,
    clock: Arc<dyn Clock>,
    lock_path: PathBuf,
    state_path: PathBuf,
    line: Mutex<Line>,
    moved: Condvar,
}

/// What is known of the medium in a drive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Loaded {
    /// Nothing, or that one is in it which nobody has read.
    #[default]
    Unknown,
    /// None is in it.
    Nothing,
    /// The one with this label.
    Medium(LabelText),
}

/// Who waits and who holds.
#[derive(Default)]
struct Line {
    next_ticket: u64,
    waiting: VecDeque<u64>,
    held_for: Option<String>,
    state: DriveState,
    /// Since when, in UNIX seconds.
    since: i64,
    loaded: Loaded,
    /// What people were asked to put in.
    wanted: Option<LabelText>,
    underruns: u64,
}

impl Line {
    fn enter(&mut self, state: DriveState, now: i64) {
        if self.state != state {
            (self.state, self.since) = (state, now);
        }
    }
}

impl DriveDesk {
    /// The desk of drive `name`; locks and states lie in PBS's run folder `pbs_run`.
    pub fn new(name: DriveName, opener: Arc<dyn DriveOpener>, pbs_run: &Path) -> Arc<Self> {
        Self::followed(name, opener, pbs_run, Arc::new(SystemClock), None)
    }

    /// The same, by another clock and with somebody who follows the drive's use.
    pub fn followed(
        name: DriveName,
        opener: Arc<dyn DriveOpener>,
        pbs_run: &Path,
        clock: Arc<dyn Clock>,
        followers: Option<Followers>,
    ) -> Arc<Self> {
        let lock_name = lock_file_name(opener.lock_path());
        Arc::new(Self {
            lock_path: pbs_run.join("drive-lock").join(lock_name),
            state_path: pbs_run.join("drive-state").join(name.as_str()),
            name,
            opener,
            followers,
            line: Mutex::new(Line { since: clock.now(), ..Line::default() }),
            clock,
            moved: Condvar::new(),
        })
    }

    /// The drive's name.
    pub fn name(&self) -> &DriveName {
        &self.name
    }

    /// Where the health of the drive and its media is kept.
    pub fn health(&self) -> Option<&Arc<HealthLog>> {
        self.followers.as_ref().map(|followers| &followers.health)
    }

    /// The time by which the device goes.
    pub fn device_clock(&self) -> Arc<dyn reel_hw::Clock> {
        self.opener.clock()
    }

    /// What the drive is doing.
    pub fn state(&self) -> DriveState {
        self.line().state
    }

    /// What the drive is doing, and since when in UNIX seconds.
    pub fn state_since(&self) -> (DriveState, i64) {
        let line = self.line();
        (line.state, line.since)
    }

    /// Whether this process holds the drive.
    pub fn is_held(&self) -> bool {
        self.line().held_for.is_some()
    }

    /// What this process holds the drive for; none while it doesn't.
    pub fn held_for(&self) -> Option<String> {
        self.line().held_for.clone()
    }

    /// Who uses the drive, in this process or another: the text of the state file while the lock is held.
    pub fn activity(&self) -> Option<String> {
        self.held_for().or_else(|| self.foreign_holder())
    }

    /// The label of the medium that was last seen in the drive.
    pub fn loaded(&self) -> Option<LabelText> {
        match &self.line().loaded {
            Loaded::Medium(label) => Some(label.clone()),
            Loaded::Unknown | Loaded::Nothing => None,
        }
    }

    /// The label of the medium that whoever holds the drive waits for, and that somebody has to put in.
    pub fn wanted(&self) -> Option<LabelText> {
        self.line().wanted.clone()
    }

    pub(crate) fn set_wanted(&self, label: Option<LabelText>) {
        self.line().wanted = label;
    }

    /// Whether the last that was done with the drive left it empty.
    pub fn is_known_empty(&self) -> bool {
        self.line().loaded == Loaded::Nothing
    }

    /// How often the tape must have stopped since this desk was made, because data came too slowly.
    pub fn underruns(&self) -> u64 {
        self.line().underruns
    }

    /// Whether somebody waits to hold the drive.
    pub fn is_wanted(&self) -> bool {
        !self.line().waiting.is_empty()
    }

    /// Waits at most `patience` for the drive, then holds it for `what` (an UPID or a short text).
    pub fn hold(
        self: &Arc<Self>,
        what: &str,
        patience: Duration,
        cancel: &Cancel,
    ) -> Result<DriveHold> {
        self.hold_for(what, patience, cancel, false)
    }

    /// The same for a look that moves nothing: neither the drive nor a medium in it has to be ready.
    ///
    /// It waits for its turn all the same: what a drive has to tell, it tells once, and whoever uses it has to hear it.
    pub fn look(
        self: &Arc<Self>,
        what: &str,
        patience: Duration,
        cancel: &Cancel,
    ) -> Result<DriveHold> {
        self.hold_for(what, patience, cancel, true)
    }

    fn hold_for(
        self: &Arc<Self>,
        what: &str,
        patience: Duration,
        cancel: &Cancel,
        only_status: bool,
    ) -> Result<DriveHold> {
        // Where opening fails they drop from the last to the first.
        let lock = self.lock(what, patience, cancel)?;
        self.hold_locked(lock, cancel, only_status)
    }

    fn hold_locked(
        self: &Arc<Self>,
        lock: DriveLock,
        cancel: &Cancel,
        only_status: bool,
    ) -> Result<DriveHold> {
        let DriveLock { turn, _lock, _announced } = lock;
        let drive = self.open(cancel, only_status)?;
        Ok(DriveHold {
            drive: Some(drive),
            only_status,
            underruns_before: self.underruns(),
            worse: Vec::new(),
            looked: false,
            asking: None,
            brought: None,
            _announced,
            _lock,
            turn,
        })
    }

    fn open(self: &Arc<Self>, cancel: &Cancel, only_status: bool) -> Result<Box<dyn TapeDrive>> {
        let waiting = Arc::clone(self);
        let opening = Opening {
            cancel: reel_hw::Cancel::from(Arc::clone(cancel.flag())),
            only_status,
            on_wait: WaitListener::new(move |wait| waiting.enter(wait.into())),
        };
        let opened = self.opener.open(&opening);
        self.enter(if opened.is_ok() { DriveState::Held } else { DriveState::Failed });
        opened.map_err(|source| self.failed(source))
    }

    fn enter(&self, state: DriveState) {
        self.line().enter(state, self.clock.now());
    }

    /// Waits as [`hold`](Self::hold) does, and does not open the drive: for who uses the device as it is, or has the
    /// robot reach into it.
    pub fn lock(
        self: &Arc<Self>,
        what: &str,
        patience: Duration,
        cancel: &Cancel,
    ) -> Result<DriveLock> {
        self.lock_in_turn(self.line_up(), what, patience, cancel)
    }

    /// Takes the place at the end of the line, to be served in that order whenever one comes to wait.
    pub fn line_up(self: &Arc<Self>) -> PlaceInLine {
        let mut line = self.line();
        let ticket = line.next_ticket;
        line.next_ticket += 1;
        line.waiting.push_back(ticket);
        PlaceInLine { desk: Arc::clone(self), ticket }
    }

    /// Waits as [`hold`](Self::hold) does, by a place that was taken before. `cancel` ends the waiting and nothing
    /// else: whoever writes has to come to an end that counts.
    pub fn hold_in_turn(
        self: &Arc<Self>,
        place: PlaceInLine,
        what: &str,
        patience: Duration,
        cancel: &Cancel,
    ) -> Result<DriveHold> {
        let lock = self.lock_in_turn(place, what, patience, cancel)?;
        self.hold_locked(lock, &Cancel::new(), false)
    }

    fn lock_in_turn(
        self: &Arc<Self>,
        place: PlaceInLine,
        what: &str,
        patience: Duration,
        cancel: &Cancel,
    ) -> Result<DriveLock> {
        let deadline = Instant::now() + patience;
        let turn = self.wait_in_line(place, what, deadline, cancel)?;
        let lock = self.take_lock_file(deadline, cancel)?;
        fs::write(&self.state_path, what)
            .map_err(Error::io(format!("write '{}'", self.state_path.display())))?;
        let announced = Announced { state_path: self.state_path.clone() };
        Ok(DriveLock { _announced: announced, _lock: lock, turn })
    }

    fn failed(&self, source: reel_hw::Error) -> Error {
        Error::Drive { drive: self.name.clone(), source }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_in_line(
        self: &Arc<Self>,
        place: PlaceInLine,
        what: &str,
        deadline: Instant,
        cancel: &Cancel,
    ) -> Result<Turn> {
        let mut line = self.line();
        let served = loop {
            if line.held_for.is_none() && line.waiting.front() == Some(&place.ticket) {
                break Ok(());
            }
            if cancel.is_cancelled() {
                break Err(Error::Stopped(TaskStopped));
            }
            if Instant::now() >= deadline {
                let holder = line.held_for.clone().unwrap_or_else(|| "others that wait".into());
                break Err(Error::DriveBusy { drive: self.name.clone(), holder });
            }
            let waited = self.moved.wait_timeout(line, RETRY);
            line = waited.unwrap_or_else(PoisonError::into_inner).0;
        };
        if served.is_ok() {
            line.held_for = Some(what.into());
            line.enter(DriveState::Held, self.clock.now());
        }
        drop(line);
        drop(place);
        served.map(|()| Turn { desk: Arc::clone(self) })
    }

    fn take_lock_file(&self, deadline: Instant, cancel: &Cancel) -> Result<Flock<File>> {
        let mut file = self.open_lock_file()?;
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(lock),
                Err((_, error)) if error != nix::errno::Errno::EAGAIN => {
                    return Err(Error::io(self.lock_tried())(error.into()));
                }
                Err((unlocked, _)) => file = unlocked,
            }
            if cancel.is_cancelled() {
                return Err(Error::Stopped(TaskStopped));
            }
            if Instant::now() >= deadline {
                let holder = self.state_text().unwrap_or_else(|| "another program".into());
                return Err(Error::DriveBusy { drive: self.name.clone(), holder });
            }
            std::thread::sleep(RETRY);
        }
    }

    fn open_lock_file(&self) -> Result<File> {
        let mut options = File::options();
        options.append(true).create(true).mode(0o660);
        options.open(&self.lock_path).map_err(Error::io(self.lock_tried()))
    }

    fn lock_tried(&self) -> String {
        format!("lock the drive '{}' by '{}'", self.name, self.lock_path.display())
    }

    fn state_text(&self) -> Option<String> {
        fs::read_to_string(&self.state_path).ok().filter(|text| !text.trim().is_empty())
    }

    /// The state file's text, if the lock is held by another program now.
    fn foreign_holder(&self) -> Option<String> {
        let file = File::open(&self.lock_path).ok()?;
        match Flock::lock(file, FlockArg::LockSharedNonblock) {
            Ok(_) => None,
            Err(_) => Some(self.state_text().unwrap_or_else(|| "another program".into())),
        }
    }
}

/// A place in the line of those who wait for a drive; dropping it leaves the line.
pub struct PlaceInLine {
    desk: Arc<DriveDesk>,
    ticket: u64,
}

impl Drop for PlaceInLine {
    fn drop(&mut self) {
        self.desk.line().waiting.retain(|other| *other != self.ticket);
        self.desk.moved.notify_all();
    }
}

/// The right to use the drive inside this process.
struct Turn {
    desk: Arc<DriveDesk>,
}

impl Turn {
    fn note_holder(&self, what: &str) {
        self.desk.line().held_for = Some(what.into());
        if let Err(error) = fs::write(&self.desk.state_path, what) {
            tracing::warn!(drive = %self.desk.name, %error, "the drive's state file could not be written");
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut line = self.desk.line();
        line.held_for = None;
        if line.state != DriveState::Failed {
            let is_empty = line.loaded == Loaded::Nothing;
            let idle = if is_empty { DriveState::Empty } else { DriveState::Ready };
            line.enter(idle, self.desk.clock.now());
        }
        let is_idle = line.waiting.is_empty();
        drop(line);
        self.desk.moved.notify_all();
        if let Some(followers) = self.desk.followers.as_ref().filter(|_| is_idle) {
            followers.idle.idle(&self.desk.name);
        }
    }
}

/// What the state file tells others; only whoever has the lock may change it.
struct Announced {
    state_path: PathBuf,
}

impl Drop for Announced {
    fn drop(&mut self) {
        if let Err(error) = forget_holder(&self.state_path) {
            let path = self.state_path.display();
            tracing::warn!(%path, %error, "a drive's state file still tells of somebody");
        }
    }
}

fn forget_holder(path: &Path) -> io::Result<()> {
    match File::options().write(true).truncate(true).open(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A drive that nobody else uses. Fields drop in their order: what others are told, the lock, the turn.
pub struct DriveLock {
    _announced: Announced,
    _lock: Flock<File>,
    turn: Turn,
}

impl DriveLock {
    /// Notes what is in the drive.
    pub fn set_loaded(&self, loaded: Loaded) {
        self.turn.desk.line().loaded = loaded;
    }

    /// Tells others who holds the drive, once that has a name: the task's UPID.
    pub fn note_holder(&self, what: &str) {
        self.turn.note_holder(what);
    }
}

impl From<Wait> for DriveState {
    fn from(wait: Wait) -> Self {
        match wait {
            Wait::Loading => Self::Loading,
            Wait::Calibrating => Self::Calibrating,
        }
    }
}

/// PBS's name for a drive's lock file: the path escaped as systemd escapes unit names.
pub fn lock_file_name(path: &Path) -> String {
    let text = path.to_string_lossy();
    reel_types::escape_worker_id(text.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reel_hw::memory::MediumLimits;
    use reel_hw::{MemoryLibrary, number::VolumeTag};

    struct Opener(MemoryLibrary, PathBuf);

    impl DriveOpener for Opener {
        fn open(&self, _opening: &Opening) -> reel_hw::Result<Box<dyn TapeDrive>> {
            Ok(Box::new(self.0.drive(reel_hw::DriveNumber(0))?))
        }

        fn lock_path(&self) -> &Path {
            &self.1
        }
    }

    fn desk(run: &Path) -> Arc<DriveDesk> {
        let tag = VolumeTag::new("A00001L8").unwrap();
        let (library, drive) = MemoryLibrary::with_loaded_drive(&tag, MediumLimits::NONE).unwrap();
        drop(drive);
        fs::create_dir_all(run.join("drive-lock")).unwrap();
        fs::create_dir_all(run.join("drive-state")).unwrap();
        let opener = Arc::new(Opener(library, "/dev/tape/by-id/x".into()));
        DriveDesk::new("drive0".parse().unwrap(), opener, run)
    }

    #[test]
    fn lock_files_are_named_as_pbs_names_them() {
        let name = lock_file_name(Path::new("/dev/tape/by-id/scsi-12345-sg"));
        assert_eq!(name, r"dev-tape-by\x2did-scsi\x2d12345\x2dsg");
    }

    #[test]
    fn a_held_drive_is_busy_and_the_refusal_says_by_whom() {
        let run = tempfile::tempdir().unwrap();
        let desk = desk(run.path());
        let cancel = Cancel::new();
        let hold = desk.hold("load from slot 3", Duration::ZERO, &cancel).unwrap();
        let refused = desk.hold("other", Duration::ZERO, &cancel).map(|_| ()).unwrap_err();
        assert!(refused.to_string().contains("load from slot 3"), "{refused}");
        assert_eq!(refused.errno(), nix::errno::Errno::EBUSY as i32);
        assert_eq!(fs::read_to_string(&desk.state_path).unwrap(), "load from slot 3");
        drop(hold);
        assert_eq!(fs::read_to_string(&desk.state_path).unwrap(), "");
        assert!(desk.hold("other", Duration::ZERO, &cancel).is_ok());
    }

    #[test]
    fn a_lock_of_another_program_counts() {
        let run = tempfile::tempdir().unwrap();
        let desk = desk(run.path());
        let file = desk.open_lock_file().unwrap();
        let other = Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap();
        fs::write(&desk.state_path, "PBS task").unwrap();
        let refused = desk.hold("x", Duration::ZERO, &Cancel::new()).map(|_| ()).unwrap_err();
        assert!(refused.to_string().contains("PBS task"), "{refused}");
        assert_eq!(desk.activity().as_deref(), Some("PBS task"));
        drop(other);
        assert_eq!(desk.activity(), None);
        assert!(desk.hold("x", Duration::ZERO, &Cancel::new()).is_ok());
    }

    #[test]
    fn waiting_ends_when_it_is_cancelled() {
        let run = tempfile::tempdir().unwrap();
        let desk = desk(run.path());
        let _hold = desk.hold("x", Duration::ZERO, &Cancel::new()).unwrap();
        let cancel = Cancel::new();
        cancel.cancel();
        let refused = desk.hold("y", Duration::from_secs(3600), &cancel).map(|_| ()).unwrap_err();
        assert!(matches!(refused, Error::Stopped(_)));
        assert!(!desk.is_wanted());
    }
}
