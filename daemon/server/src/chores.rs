//! What the daemon does by itself: at midnight it rotates the archive of tasks, as a task, with PBS's job state
//! (`config.md` §9.2, §10). Where it didn't run at midnight it does so when it is started next.

use std::sync::Arc;
use std::time::Duration;

use reel_types::{AuthId, CalendarEvent, TaskContext, Upid};

use crate::failure::Outcome;
use crate::reeld::Reeld;
use crate::tasks::{JobState, Task, TaskEnd, TaskFailure, TaskStatus};

/// PBS's names of the job.
const JOB_KIND: &str = "logrotate";
const JOB_NAME: &str = "access-log_and_task-archive";
/// Midnight, local time.
const SCHEDULE: &str = "daily";
/// How often it is looked whether the job is due: a clock that was set, or a computer that slept, is noticed soon.
const LOOK_EVERY: Duration = Duration::from_secs(60);

impl Reeld {
    /// Does what is due, now and ever after. To be started once; dropping it ends it.
    pub fn do_chores(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        self.look_after_tasks();
        let reeld = Arc::clone(self);
        async move {
            let looking = Arc::clone(&reeld);
            drop(tokio::task::spawn_blocking(move || looking.look_into_changers()));
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let reeld = Arc::clone(&reeld);
                let _ = tokio::task::spawn_blocking(move || reeld.look_after_tasks()).await;
            }
        }
    }

    /// Asks each changer once what it holds, so that the tree can show it.
    fn look_into_changers(&self) {
        for changer in self.drives.changers().unwrap_or_default() {
            self.look_into(&changer.name);
        }
    }

    fn look_after_tasks(self: &Arc<Self>) {
        if let Err(failure) = self.rotate_if_due() {
            tracing::error!(%failure, "the archive of tasks can't be rotated");
        }
    }

    fn rotate_if_due(self: &Arc<Self>) -> Outcome<()> {
        let now = self.clock.now();
        let state = self.jobs.load(JOB_KIND, JOB_NAME, now)?;
        let event: CalendarEvent = SCHEDULE.parse()?;
        if event.next_after(state.last_run(), &self.zone).is_some_and(|due| due <= now) {
            self.start_rotation()?;
        } else if !self.jobs.is_kept(JOB_KIND, JOB_NAME) {
            // Midnights count from the first start on.
            self.jobs.save(JOB_KIND, JOB_NAME, &state)?;
        }
        Ok(())
    }

    fn start_rotation(self: &Arc<Self>) -> Outcome<Upid> {
        let reeld = Arc::clone(self);
        let upid = self.tasks.start(JOB_KIND, "", &AuthId::root(), move |task| {
            let upid = task.upid().clone();
            reeld.jobs.save(JOB_KIND, JOB_NAME, &JobState::Started { upid: upid.clone() })?;
            let rotated = reeld.rotate(task);
            let status = match &rotated {
                Ok(()) => TaskStatus::Ok,
                Err(error) => TaskStatus::Error(error.to_string()),
            };
            let end = TaskEnd { time: reeld.clock.now(), status };
            reeld.jobs.save(JOB_KIND, JOB_NAME, &JobState::finished(upid, end))?;
            rotated
        })?;
        Ok(upid)
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
