//! What is remembered of a job's last run, in PBS's files (`config.md` §10).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};

use reel_types::Upid;
use serde::{Deserialize, Serialize};

use super::status::{JobEnd, TaskEnd};

/// A job without a state file counts as created so long ago, in seconds.
const CREATED_BEFORE: i64 = 30;
/// How often a lock is tried again.
const LOCK_LOOK: Duration = Duration::from_millis(50);

/// The last that is known of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// It never ran.
    Created {
        /// When it was created, UNIX seconds.
        time: i64,
    },
    /// It runs, as this task.
    Started {
        /// The task.
        upid: Upid,
    },
    /// It ran.
    Finished(FinishedJob),
}

/// A job's last run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishedJob {
    upid: Upid,
    state: JobEnd,
    updated: Option<i64>,
}

impl JobState {
    /// When it last ran, as far as its schedule goes: the start of its last run (`config.md` §10), UNIX seconds.
    pub fn last_run(&self) -> i64 {
        match self {
            Self::Created { time } => *time,
            Self::Started { upid } => i64::from(upid.parts().starttime),
            Self::Finished(FinishedJob { upid, updated, .. }) => {
                updated.unwrap_or(i64::from(upid.parts().starttime))
            }
        }
    }

    /// From when on the next run is told: the end of the last one (`config.md` §10), UNIX seconds.
    pub fn next_counts_from(&self) -> i64 {
        match self {
            Self::Finished(job) => job.updated.unwrap_or(job.state.time()),
            other => other.last_run(),
        }
    }

    /// Its last run, if it had one: the task, and how it ended if it has.
    pub fn last(&self) -> Option<(&Upid, Option<TaskEnd>)> {
        match self {
            Self::Created { .. } => None,
            Self::Started { upid } => Some((upid, None)),
            Self::Finished(job) => Some((&job.upid, Some(job.state.clone().into()))),
        }
    }

    /// The state after its schedule was changed at `now`: it does not run at once for what lies behind.
    pub fn rescheduled(self, now: i64) -> Self {
        match self {
            Self::Created { .. } => Self::Created { time: now },
            Self::Finished(job) => Self::Finished(FinishedJob { updated: Some(now), ..job }),
            running => running,
        }
    }

    /// The state after the task `upid` ended.
    pub fn finished(upid: Upid, end: TaskEnd) -> Self {
        Self::Finished(FinishedJob { upid, state: end.into(), updated: None })
    }
}

/// A job that no second run of begins, until this is dropped.
#[derive(Debug)]
pub struct JobLock {
    _held: Flock<File>,
}

/// The folder `jobstates`.
#[derive(Debug, Clone)]
pub struct JobStates {
    folder: PathBuf,
}

impl JobStates {
    /// Uses `folder`, which is created where it is missing.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(&folder)?;
        Ok(Self { folder })
    }

    /// The state of the job `name` of type `kind`; `now` dates a job without a file.
    pub fn load(&self, kind: &str, name: &str, now: i64) -> io::Result<JobState> {
        let path = self.path(kind, name);
        match fs::read(&path) {
            Ok(json) => serde_json::from_slice(&json).map_err(|error| {
                io::Error::other(format!("state of the job '{name}' ({}): {error}", path.display()))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(JobState::Created { time: now - CREATED_BEFORE })
            }
            Err(error) => Err(error),
        }
    }

    /// Whether there is a file about a job.
    pub fn is_kept(&self, kind: &str, name: &str) -> bool {
        self.path(kind, name).exists()
    }

    /// Replaces the state of a job.
    pub fn save(&self, kind: &str, name: &str, state: &JobState) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&serde_json::to_vec(state)?)?;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(self.path(kind, name)).map_err(|error| error.error)?;
        File::open(&self.folder)?.sync_all()
    }

    /// Waits until no run of the job is under way, at most for `patience`; none where one still is.
    pub fn lock(&self, kind: &str, name: &str, patience: Duration) -> io::Result<Option<JobLock>> {
        let began = Instant::now();
        loop {
            if let Some(lock) = self.try_lock(kind, name)? {
                return Ok(Some(lock));
            }
            if began.elapsed() >= patience {
                return Ok(None);
            }
            std::thread::sleep(LOCK_LOOK);
        }
    }

    fn try_lock(&self, kind: &str, name: &str) -> io::Result<Option<JobLock>> {
        let path = self.folder.join(format!("{kind}-{name}.lck"));
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).mode(0o660).open(path)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => Ok(Some(JobLock { _held: held })),
            Err((_, nix::Error::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno.into()),
        }
    }

    /// Forgets a job. The lock of a run that is under way stays: another job of that name waits for its end.
    pub fn remove(&self, kind: &str, name: &str) -> io::Result<()> {
        let lock = self.folder.join(format!("{kind}-{name}.lck"));
        let held = self.try_lock(kind, name)?;
        let lock = held.is_some().then_some(lock);
        for path in [self.path(kind, name)].into_iter().chain(lock) {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn path(&self, kind: &str, name: &str) -> PathBuf {
        self.folder.join(format!("{kind}-{name}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::TaskStatus;

    const UPID: &str =
        "UPID:pbs1:000020F3:0003CD51:00000002:6B044099:garbage_collection:s1:root@pam:";

    #[test]
    fn states_are_pbs_json_and_survive() {
        let folder = tempfile::tempdir().unwrap();
        let states = JobStates::open(folder.path().join("jobstates")).unwrap();
        let created = states.load("garbage_collection", "store1", 100).unwrap();
        assert_eq!(created, JobState::Created { time: 70 });
        let end = TaskEnd { time: 9, status: TaskStatus::Ok };
        let state = JobState::finished(UPID.parse().unwrap(), end);
        assert!(!states.is_kept("garbage_collection", "store1"));
        states.save("garbage_collection", "store1", &state).unwrap();
        assert!(states.is_kept("garbage_collection", "store1"));
        assert_eq!(states.load("garbage_collection", "store1", 100).unwrap(), state);
        let text = fs::read_to_string(states.path("garbage_collection", "store1")).unwrap();
        assert_eq!(
            text,
            format!(
                r#"{{"finished":{{"upid":"{UPID}","state":{{"OK":{{"endtime":9}}}},"updated":null}}}}"#
            )
        );
    }

    #[test]
    fn a_schedule_goes_on_from_the_start_of_the_last_run() {
        let upid: Upid = UPID.parse().unwrap();
        let start = 0x6B04_4099;
        assert_eq!(JobState::Created { time: 70 }.last_run(), 70);
        assert_eq!(JobState::Started { upid: upid.clone() }.last_run(), start);
        let end = TaskEnd { time: start + 9, status: TaskStatus::Ok };
        let JobState::Finished(mut job) = JobState::finished(upid, end) else { panic!() };
        assert_eq!(JobState::Finished(job.clone()).last_run(), start);
        job.updated = Some(start + 60);
        assert_eq!(JobState::Finished(job).last_run(), start + 60);
    }

    #[test]
    fn garbage_is_an_error_that_names_the_job() {
        let folder = tempfile::tempdir().unwrap();
        let states = JobStates::open(folder.path().to_path_buf()).unwrap();
        fs::write(states.path("syncjob", "nightly"), "{").unwrap();
        let error = states.load("syncjob", "nightly", 0).unwrap_err().to_string();
        assert!(error.contains("nightly"), "{error}");
    }
}
