//! What the daemon does by itself: each full minute it starts the jobs that are due (`sync.md` §11) and sends
//! what people could not be told before, at midnight it rotates
//! the archive of tasks (`config.md` §9.2). What was due while it did not run it does once when it is started next.

use std::sync::Arc;
use std::time::Duration;

use reel_config::{MediaVerifyJobConfig, SyncJobConfig, TapeJobConfig};
use reel_types::{AuthId, TaskContext};

use crate::failure::Outcome;
use crate::jobs::Job;
use crate::reeld::Reeld;
use crate::tasks::{Task, TaskFailure};

/// PBS's names of the job.
const ROTATION: Job<'_> = Job { kind: "logrotate", name: "access-log_and_task-archive" };
/// Midnight, local time.
const SCHEDULE: &str = "daily";
/// Seconds between two looks, which are at full minutes: a clock that was set, or a computer that slept, is noticed soon.
const LOOK_EVERY: i64 = 60;

impl Reeld {
    /// Does what is due, now and ever after. To be started once; dropping it ends it.
    pub fn do_chores(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        self.do_what_is_due();
        let reeld = Arc::clone(self);
        async move {
            let looking = Arc::clone(&reeld);
            drop(tokio::task::spawn_blocking(move || looking.look_into_changers()));
            loop {
                tokio::time::sleep(until_full_minute(reeld.clock.now())).await;
                let reeld = Arc::clone(&reeld);
                let _ = tokio::task::spawn_blocking(move || reeld.do_what_is_due()).await;
            }
        }
    }

    /// Asks each changer once what it holds, so that the tree can show it.
    fn look_into_changers(&self) {
        for changer in self.drives.changers().unwrap_or_default() {
            self.look_into(&changer.name);
        }
    }

    fn do_what_is_due(self: &Arc<Self>) {
        self.start_due::<SyncJobConfig>();
        self.start_due::<TapeJobConfig>();
        self.start_due::<MediaVerifyJobConfig>();
        self.notifications.try_again();
        if let Err(failure) = self.rotate_if_due() {
            tracing::error!(%failure, "the archive of tasks can't be rotated");
        }
    }

    fn rotate_if_due(self: &Arc<Self>) -> Outcome<()> {
        if self.is_due(ROTATION, &SCHEDULE.parse()?)? {
            let reeld = Arc::clone(self);
            self.run_job(ROTATION, "", &AuthId::root(), move |task| reeld.rotate(task))?;
        } else if !self.jobs.is_kept(ROTATION.kind, ROTATION.name) {
            // Midnights count from the first start on.
            let state = self.job_state(ROTATION)?;
            self.jobs.save(ROTATION.kind, ROTATION.name, &state)?;
        }
        Ok(())
    }

    fn rotate(&self, task: &Task) -> Result<(), TaskFailure> {
        let told = match self.tasks.rotate()? {
            true => "the archive of tasks was rotated",
            false => "the archive of tasks is short enough",
        };
        task.log(told);
        Ok(())
    }
}

/// How long it is to the next full minute.
fn until_full_minute(now: i64) -> Duration {
    Duration::from_secs((LOOK_EVERY - now.rem_euclid(LOOK_EVERY)).unsigned_abs())
}
