//! What all kinds of configured jobs have alike: their commands, their schedules, and what is told of their runs.

use std::sync::Arc;

use reel_config::{Entries, Entry};
use reel_types::commands::results::{JobListEntry, JobRuns, JobStateEntry};
use reel_types::{AuthId, CalendarEvent, Digest, JobId, Upid};
use serde::Serialize;
use serde_json::Value;

use super::{Done, config_digest};
use crate::failure::{Failure, Outcome};
use crate::jobs::Job;
use crate::reeld::Reeld;
use crate::tasks::JobState;

/// A kind of job: what the configuration says of one, what is shown of it, and how it is run.
pub(crate) trait JobKind: Entry<Name = JobId> {
    /// The name of its tasks, and of the files that keep the states of such jobs; PBS's, where it has such jobs.
    const TASK: &'static str;

    /// The object that `show` prints.
    type Settings: Serialize;

    /// What `show` prints of this job.
    fn settings(self) -> Self::Settings;

    /// When it runs by itself.
    fn schedule(&self) -> Option<&CalendarEvent>;

    /// Starts a run; `trigger` is the schedule that asked for it, none where somebody did.
    fn start(self, reeld: &Arc<Reeld>, who: &AuthId, trigger: Option<String>) -> Outcome<Upid>;

    /// The job of an id.
    fn job(id: &JobId) -> Job<'_> {
        Job { kind: Self::TASK, name: id.as_str() }
    }
}

impl Reeld {
    /// All jobs of a kind, by their ids.
    pub(super) fn jobs_by_id<J: JobKind>(&self) -> Outcome<Vec<J>> {
        let (mut jobs, _) = Entries::<J>::new(&self.config).list()?;
        jobs.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(jobs)
    }

    /// All jobs of a kind, each with its `state`.
    pub(super) fn list_jobs<J: JobKind, S: Serialize>(
        &self,
        state: impl Fn(&J) -> Outcome<S>,
    ) -> Outcome<Done> {
        let row = |job: J| {
            let state = state(&job)?;
            Ok(JobListEntry { config: job.settings(), state })
        };
        Done::data(self.jobs_by_id()?.into_iter().map(row).collect::<Outcome<Vec<_>>>()?)
    }

    pub(super) fn show_job<J: JobKind>(&self, id: &JobId) -> Outcome<Done> {
        Done::data(Entries::<J>::new(&self.config).get(id)?.settings())
    }

    pub(super) fn tell_job<J: JobKind, S: Serialize>(
        &self,
        id: &JobId,
        state: impl FnOnce(&J) -> Outcome<S>,
    ) -> Outcome<Done> {
        let job = Entries::<J>::new(&self.config).get(id)?;
        Done::data(JobStateEntry { id: id.clone(), state: state(&job)? })
    }

    pub(super) fn run_job_now<J: JobKind>(
        self: &Arc<Self>,
        id: &JobId,
        who: &AuthId,
    ) -> Outcome<Done> {
        let job = Entries::<J>::new(&self.config).get(id)?;
        self.expect_no_run(J::job(id))?;
        Ok(Done::Task(job.start(self, who, None)?))
    }

    pub(super) fn create_job<J: JobKind>(&self, job: &J) -> Outcome<Done> {
        Entries::new(&self.config).create(job)?;
        let Job { kind, name } = J::job(job.name());
        self.jobs.save(kind, name, &JobState::Created { time: self.clock.now() })?;
        Done::nothing()
    }

    /// Changes a job. One whose schedule is another then does not run at once for what lies behind.
    pub(super) fn update_job<J: JobKind>(
        &self,
        id: &JobId,
        delete: &[&str],
        digest: Option<&Digest>,
        change: impl FnOnce(&mut J),
    ) -> Outcome<Done> {
        let jobs = Entries::<J>::new(&self.config);
        let before = jobs.get(id)?;
        let after = jobs.update(id, delete, config_digest(digest)?.as_ref(), |job| {
            change(job);
            Ok(())
        })?;
        if after.schedule() != before.schedule() {
            self.reschedule(J::job(id))?;
        }
        Done::nothing()
    }

    pub(super) fn remove_job<J: JobKind>(
        &self,
        id: &JobId,
        digest: Option<&Digest>,
    ) -> Outcome<Done> {
        Entries::<J>::new(&self.config).remove(id, config_digest(digest)?.as_ref())?;
        let Job { kind, name } = J::job(id);
        self.jobs.remove(kind, name)?;
        Done::nothing()
    }

    /// How a job ran last, and when it runs next.
    pub(super) fn runs_of<J: JobKind>(&self, job: &J) -> Outcome<JobRuns> {
        let state = self.job_state(J::job(job.name()))?;
        let from = state.next_counts_from();
        let (upid, end) = state.last().unzip();
        let end = end.flatten();
        Ok(JobRuns {
            last_run_endtime: end.as_ref().map(|end| end.time),
            last_run_state: end.map(|end| end.status.to_string()),
            last_run_upid: upid.cloned(),
            next_run: job.schedule().and_then(|event| event.next_after(from, &self.zone)),
        })
    }

    /// When a job runs next by itself, UNIX seconds.
    pub(crate) fn next_run<J: JobKind>(&self, id: &JobId) -> Outcome<Option<i64>> {
        Ok(self.runs_of(&Entries::<J>::new(&self.config).get(id)?)?.next_run)
    }

    /// Starts the jobs of a kind that are due, in the order of the file. One that can't be started keeps none of the
    /// others from it.
    pub(crate) fn start_due<J: JobKind>(self: &Arc<Self>) {
        let jobs = match Entries::<J>::new(&self.config).list() {
            Ok((jobs, _)) => jobs,
            Err(error) => {
                tracing::error!(%error, "no {} can be started by its schedule", J::KIND);
                return;
            }
        };
        for job in jobs {
            let id = job.name().clone();
            if let Err(failure) = self.start_if_due(job) {
                tracing::error!(%failure, %id, "a {} can't be started by its schedule", J::KIND);
            }
        }
    }

    fn start_if_due<J: JobKind>(self: &Arc<Self>, job: J) -> Outcome<()> {
        let Some(schedule) = job.schedule().cloned() else { return Ok(()) };
        if self.tasks.is_stopping() || !self.is_due(J::job(job.name()), &schedule)? {
            return Ok(());
        }
        job.start(self, &AuthId::root(), Some(schedule.to_string())).map(drop)
    }

    /// Refuses a run by hand while the job runs, at once and by the name of that run's task.
    fn expect_no_run(&self, job: Job<'_>) -> Outcome<()> {
        let JobState::Started { upid } = self.job_state(job)? else { return Ok(()) };
        let text =
            format!("job '{}' is running as {upid}; wait for its end, or stop its task", job.name);
        Err(Failure::new(nix::libc::EBUSY, text))
    }
}

/// A job's settings, as news tell them: its id stands beside them.
pub(super) fn settings_of_job<J: JobKind + Clone>(job: &J) -> Value {
    let mut settings = serde_json::to_value(job.clone().settings()).unwrap_or_default();
    if let Some(settings) = settings.as_object_mut() {
        settings.remove("id");
    }
    settings
}

/// Names in news.
pub(super) fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}
