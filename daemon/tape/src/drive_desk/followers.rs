//! Who follows the use of a drive: how it does is kept, and who waits for it to be idle is told.

use std::sync::Arc;

use reel_types::{DriveName, TaskContext};

use super::DriveHold;
use crate::health::HealthLog;

/// Is told when a drive was let go and nobody waits for it.
pub trait IdleWatch: Send + Sync {
    /// Nobody uses the drive any more. Called by the thread that did: it must not wait for anything.
    fn idle(&self, drive: &DriveName);
}

/// Is told what got worse with a drive or a medium.
pub trait HealthWatch: Send + Sync {
    /// This got worse, in a sentence; each is told once. It must not wait for anything.
    fn got_worse(&self, drive: &DriveName, what: &str);
}

/// Who follows the use of a drive.
#[derive(Clone)]
pub struct Followers {
    /// Keeps how drive and media do.
    pub health: Arc<HealthLog>,
    /// Makes use of a drive that nobody else wants.
    pub idle: Arc<dyn IdleWatch>,
    /// Tells people what got worse.
    pub worse: Arc<dyn HealthWatch>,
}

impl DriveHold {
    /// Looks how drive and medium do, and keeps that: to be called before a medium leaves the drive. Nothing fails by it.
    pub fn note_health(&mut self) {
        let Some(health) = self.desk().health().cloned() else { return };
        let Some(drive) = self.drive.as_mut().filter(|_| !self.looked) else { return };
        let told = drive.health();
        self.looked = true;
        let noted = match told {
            Ok(Some(told)) => health.note(self.name(), self.desk().loaded().as_ref(), &told),
            Ok(None) => return,
            Err(source) => Err(self.desk().failed(source)),
        };
        match noted {
            Ok(worse) => {
                self.tell_watch(&worse);
                self.worse.extend(worse);
            }
            Err(error) => {
                tracing::warn!(drive = %self.name(), %error, "the drive's health was not kept");
            }
        }
    }

    fn tell_watch(&self, worse: &[String]) {
        let Some(followers) = &self.desk().followers else { return };
        worse.iter().for_each(|what| followers.worse.got_worse(self.name(), what));
    }

    /// The last look in a task, whose log is told what got worse.
    pub fn finish(&mut self, task: &dyn TaskContext) {
        self.note_health();
        self.tell_worse(task);
    }

    /// Warns in the task's log of what got worse.
    pub fn tell_worse(&mut self, task: &dyn TaskContext) {
        for line in self.worse.drain(..) {
            task.warn(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Mutex;
    use std::time::Duration;

    use reel_hw::memory::{FailurePattern, MediumLimits, Operation};
    use reel_hw::{DriveNumber, MemoryLibrary, TapeAlerts, TapeDrive, VolumeTag};
    use reel_types::{Cancel, Clock, ManualClock, NoTask};

    use super::*;
    use crate::drive_desk::{DriveDesk, DriveOpener, Opening};
    use crate::health::HealthRecord;
    use crate::state_dir::StateDir;

    struct Opener(MemoryLibrary);

    impl DriveOpener for Opener {
        fn open(&self, _opening: &Opening) -> reel_hw::Result<Box<dyn TapeDrive>> {
            Ok(Box::new(self.0.drive(DriveNumber(0))?))
        }

        fn lock_path(&self) -> &std::path::Path {
            std::path::Path::new("/dev/x")
        }
    }

    /// Counts how often the drive was idle, and keeps what got worse.
    #[derive(Default)]
    struct Count(Mutex<usize>, Mutex<Vec<String>>);

    impl HealthWatch for Count {
        fn got_worse(&self, _drive: &DriveName, what: &str) {
            self.1.lock().unwrap().push(what.into());
        }
    }

    impl IdleWatch for Count {
        fn idle(&self, _drive: &DriveName) {
            *self.0.lock().unwrap() += 1;
        }
    }

    struct Rig {
        library: MemoryLibrary,
        idle: Arc<Count>,
        desk: Arc<DriveDesk>,
        _folder: tempfile::TempDir,
    }

    fn rig() -> Rig {
        let folder = tempfile::tempdir().unwrap();
        let run: PathBuf = folder.path().into();
        for name in ["drive-lock", "drive-state"] {
            std::fs::create_dir(run.join(name)).unwrap();
        }
        let tag = VolumeTag::new("A00001L8").unwrap();
        let (library, drive) = MemoryLibrary::with_loaded_drive(&tag, MediumLimits::NONE).unwrap();
        drop(drive);
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(0));
        let state = StateDir::new(&run);
        let health = HealthLog::open(&state, Arc::clone(&clock)).unwrap();
        let idle = Arc::new(Count::default());
        let followers = Followers {
            health: Arc::new(health),
            idle: Arc::clone(&idle) as Arc<dyn IdleWatch>,
            worse: Arc::clone(&idle) as Arc<dyn HealthWatch>,
        };
        let opener = Arc::new(Opener(library.clone()));
        let name = "drive0".parse().unwrap();
        let desk = DriveDesk::followed(name, opener, &run, clock, Some(followers));
        Rig { library, idle, desk, _folder: folder }
    }

    impl Rig {
        fn hold(&self) -> DriveHold {
            self.desk.hold("test", Duration::ZERO, &Cancel::new()).unwrap()
        }

        fn records(&self) -> Vec<HealthRecord> {
            self.desk.health().unwrap().of_drive(self.desk.name()).unwrap()
        }
    }

    #[test]
    fn a_drive_is_looked_at_once_when_it_is_let_go() {
        let rig = rig();
        rig.library.set_alerts(DriveNumber(0), TapeAlerts::from_flags(&[0x26])).unwrap();
        let mut hold = rig.hold();
        hold.note_health();
        hold.note_health();
        assert_eq!(rig.library.calls(Operation::TapeAlerts), 1, "nobody used it in between");
        assert_eq!(hold.worse.len(), 1, "{:?}", hold.worse);
        hold.tell_worse(&NoTask::default());
        assert_eq!(hold.worse, [""; 0], "it is told once");
        drop(hold);
        assert_eq!(rig.library.calls(Operation::TapeAlerts), 1);
        drop(rig.hold());
        assert_eq!(rig.library.calls(Operation::TapeAlerts), 2);
        assert_eq!(rig.records().len(), 1, "the second look showed nothing new");
        assert_eq!(rig.idle.1.lock().unwrap().len(), 1, "and people were told once");
        drop(rig.desk.look("test", Duration::ZERO, &Cancel::new()).unwrap());
        assert_eq!(rig.library.calls(Operation::TapeAlerts), 2, "nobody used the drive");
    }

    #[test]
    fn a_drive_that_tells_nothing_works_on() {
        let rig = rig();
        let error = || reel_hw::Error::NoMedium { what: "read tape alerts" };
        rig.library.fail_at(Operation::TapeAlerts, FailurePattern::From(1), error);
        let mut hold = rig.hold();
        hold.note_health();
        hold.drive().rewind().unwrap();
        drop(hold);
        assert_eq!(rig.records(), []);
        assert_eq!(rig.desk.state(), crate::DriveState::Ready);
    }

    #[test]
    fn only_a_drive_that_nobody_waits_for_is_idle() {
        let rig = rig();
        let first = rig.hold();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                drop(rig.desk.hold("second", Duration::from_secs(60), &Cancel::new()).unwrap());
            });
            while !rig.desk.is_wanted() {
                std::thread::yield_now();
            }
            drop(first);
            waiting.join().unwrap();
        });
        assert_eq!(*rig.idle.0.lock().unwrap(), 1, "after the second alone");
    }
}
