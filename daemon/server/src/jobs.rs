//! Jobs: work that runs by a schedule or by hand, one run of each at a time, with PBS's state files (`config.md` §10,
//! `sync.md` §11).

use std::sync::Arc;
use std::time::Duration;

use reel_types::{AuthId, CalendarEvent, Upid};

use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;
use crate::tasks::{JobState, Task, TaskEnd, TaskFailure, TaskStatus};

/// How long a run waits for another one to end.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// A clock that is set back by no more than this, in seconds, is waited for, so that nothing runs twice. More than that
/// would keep a job from running for long.
const CLOCK_STEP_S: i64 = 24 * 3600;

/// A job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job<'j> {
    /// Such as `syncjob`: of its state and of its tasks.
    pub(crate) kind: &'static str,
    /// Which one of them.
    pub(crate) name: &'j str,
}

impl Reeld {
    /// What is known of a job. A run that a killed daemon left counts as ended, as far as its log tells.
    pub(crate) fn job_state(&self, job: Job<'_>) -> Outcome<JobState> {
        let state = self.jobs.load(job.kind, job.name, self.clock.now())?;
        let JobState::Started { upid } = &state else { return Ok(state) };
        if self.tasks.running(upid).is_some() {
            return Ok(state);
        }
        let unknown =
            TaskEnd { time: i64::from(upid.parts().starttime), status: TaskStatus::Unknown };
        let end = self.tasks.end_of(upid).ok().flatten().unwrap_or(unknown);
        Ok(JobState::finished(upid.clone(), end))
    }

    /// Whether a job is to run now by its schedule.
    pub(crate) fn is_due(&self, job: Job<'_>, schedule: &CalendarEvent) -> Outcome<bool> {
        let state = self.job_state(job)?;
        let now = self.clock.now();
        if matches!(state, JobState::Started { .. }) {
            return Ok(false);
        }
        if state.last_run().saturating_sub(now) > CLOCK_STEP_S {
            tracing::warn!(
                job = job.name,
                "its last run lies in the future: the clock was set back; it is due from now on"
            );
            self.reschedule(job)?;
            return Ok(false);
        }
        Ok(schedule.next_after(state.last_run(), &self.zone).is_some_and(|next| next <= now))
    }

    /// Starts a run of a job as a task; fails where another one is under way.
    pub(crate) fn run_job<W>(
        self: &Arc<Self>,
        job: Job<'_>,
        worker_id: &str,
        who: &AuthId,
        work: W,
    ) -> Outcome<Upid>
    where
        W: FnOnce(&Task) -> Result<(), TaskFailure> + Send + 'static,
    {
        let Some(lock) = self.jobs.lock(job.kind, job.name, LOCK_WAIT)? else {
            let text = format!("job '{}' is running; wait for its end, or stop its task", job.name);
            return Err(Failure::new(nix::libc::EBUSY, text));
        };
        let (kind, name) = (job.kind, job.name.to_owned());
        let (starting, ending) = ((Arc::clone(self), name.clone()), (Arc::clone(self), name));
        let begin = move |task: &Task| {
            let (reeld, name) = starting;
            reeld.jobs.save(kind, &name, &JobState::Started { upid: task.upid().clone() })?;
            work(task)
        };
        let end = move |task: &Task, end: &TaskEnd| {
            let (reeld, name) = ending;
            if let Err(error) = reeld.keep_end(Job { kind, name: &name }, task.upid(), end) {
                tracing::error!(%error, job = name, "the end of a job can't be kept");
            }
            drop(lock);
        };
        Ok(self.tasks.start_then(kind, worker_id, who, begin, end)?)
    }

    /// Keeps how a run ended, unless the job was removed meanwhile: another one of its name has nothing to do with it.
    fn keep_end(&self, job: Job<'_>, upid: &Upid, end: &TaskEnd) -> Outcome<()> {
        let state = self.jobs.load(job.kind, job.name, self.clock.now())?;
        let is_its = matches!(&state, JobState::Started { upid: started } if started == upid);
        match is_its && self.jobs.is_kept(job.kind, job.name) {
            true => {
                let state = JobState::finished(upid.clone(), end.clone());
                Ok(self.jobs.save(job.kind, job.name, &state)?)
            }
            false => Ok(()),
        }
    }

    /// Notes that the schedule of a job was changed.
    pub(crate) fn reschedule(&self, job: Job<'_>) -> Outcome<()> {
        let state = self.job_state(job)?.rescheduled(self.clock.now());
        Ok(self.jobs.save(job.kind, job.name, &state)?)
    }
}
