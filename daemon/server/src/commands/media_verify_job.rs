//! Jobs that verify the media of a pool by a schedule.

use std::sync::Arc;

use reel_config::{MediaVerifyJobConfig, MediaVerifyJobs};
use reel_tape::verify::{VerifyJob, verify};
use reel_types::commands::results::{
    MediaVerifyJobEntry, MediaVerifyJobListEntry, MediaVerifyJobState, MediaVerifyJobStateEntry,
};
use reel_types::commands::{
    MediaVerifyJobCreate, MediaVerifyJobRemove, MediaVerifyJobRun, MediaVerifyJobShow,
    MediaVerifyJobStatus, MediaVerifyJobUpdate,
};
use reel_types::{AuthId, DriveName, JobId, PoolName, TaskContext, Upid};

use super::media_verify::Choice;
use super::{Done, FOR_EVER, config_digest, kept};
use crate::failure::Outcome;
use crate::jobs::Job;
use crate::reeld::Reeld;
use crate::tasks::{JobState, Task, TaskFailure};

/// The job of an id.
fn job_of(id: &JobId) -> Job<'_> {
    Job { kind: "media-verify-job", name: id.as_str() }
}

impl Reeld {
    pub(super) fn media_verify_job_list(&self) -> Outcome<Done> {
        let (mut jobs, _) = MediaVerifyJobs::new(&self.config).list()?;
        jobs.sort_by(|a, b| a.id.cmp(&b.id));
        let row = |job: MediaVerifyJobConfig| {
            let state = self.state_of_verify_job(&job)?;
            Ok(MediaVerifyJobListEntry { config: entry(job), state })
        };
        Done::data(jobs.into_iter().map(row).collect::<Outcome<Vec<_>>>()?)
    }

    pub(super) fn media_verify_job_show(&self, command: &MediaVerifyJobShow) -> Outcome<Done> {
        Done::data(entry(MediaVerifyJobs::new(&self.config).get(&command.id)?))
    }

    pub(super) fn media_verify_job_status(&self, command: &MediaVerifyJobStatus) -> Outcome<Done> {
        let job = MediaVerifyJobs::new(&self.config).get(&command.id)?;
        let state = self.state_of_verify_job(&job)?;
        Done::data(MediaVerifyJobStateEntry { id: job.id, state })
    }

    pub(super) fn media_verify_job_create(&self, command: &MediaVerifyJobCreate) -> Outcome<Done> {
        let MediaVerifyJobCreate { id, pool, drive, .. } = command.clone();
        self.expect_pool_and_drive(Some(&pool), Some(&drive))?;
        let job = MediaVerifyJobConfig {
            outdated_after: command.outdated_after.map(|days| days.get()),
            limit: command.limit.map(|count| count.get()),
            schedule: command.schedule.clone(),
            comment: command.comment.as_ref().and_then(kept),
            ..MediaVerifyJobConfig::new(id, pool, drive)
        };
        MediaVerifyJobs::new(&self.config).create(&job)?;
        let created = JobState::Created { time: self.clock.now() };
        let Job { kind, name } = job_of(&job.id);
        self.jobs.save(kind, name, &created)?;
        Done::nothing()
    }

    pub(super) fn media_verify_job_update(&self, command: &MediaVerifyJobUpdate) -> Outcome<Done> {
        let jobs = MediaVerifyJobs::new(&self.config);
        let before = jobs.get(&command.id)?.schedule;
        self.expect_pool_and_drive(command.pool.as_ref(), command.drive.as_ref())?;
        let digest = config_digest(command.digest.as_ref())?;
        let delete: Vec<&str> = command.delete.iter().map(|key| key.as_str()).collect();
        let after = jobs.update(&command.id, &delete, digest.as_ref(), |job| {
            change(job, command.clone());
            Ok(())
        })?;
        if after.schedule != before {
            self.reschedule(job_of(&command.id))?;
        }
        Done::nothing()
    }

    pub(super) fn media_verify_job_remove(&self, command: &MediaVerifyJobRemove) -> Outcome<Done> {
        let digest = config_digest(command.digest.as_ref())?;
        MediaVerifyJobs::new(&self.config).remove(&command.id, digest.as_ref())?;
        let Job { kind, name } = job_of(&command.id);
        self.jobs.remove(kind, name)?;
        Done::nothing()
    }

    pub(super) fn media_verify_job_run(
        self: &Arc<Self>,
        command: &MediaVerifyJobRun,
        who: &AuthId,
    ) -> Outcome<Done> {
        let config = MediaVerifyJobs::new(&self.config).get(&command.id)?;
        Ok(Done::Task(self.start_verify_job(config, who, None)?))
    }

    /// Starts the jobs that are due.
    pub(crate) fn start_due_media_verify_jobs(self: &Arc<Self>) -> Outcome<()> {
        for config in MediaVerifyJobs::new(&self.config).list()?.0 {
            let Some(schedule) = config.schedule.clone() else { continue };
            let id = config.id.clone();
            let started = self.is_due(job_of(&id), &schedule).and_then(|is_due| {
                if is_due && !self.tasks.is_stopping() {
                    self.start_verify_job(config, &AuthId::root(), Some(schedule.to_string()))?;
                }
                Ok(())
            });
            if let Err(failure) = started {
                tracing::error!(%failure, %id, "a job that verifies media can't be started");
            }
        }
        Ok(())
    }

    /// When a job runs next by itself, UNIX seconds.
    pub(crate) fn next_media_verification(&self, id: &JobId) -> Outcome<Option<i64>> {
        let job = MediaVerifyJobs::new(&self.config).get(id)?;
        Ok(self.state_of_verify_job(&job)?.next_run)
    }

    /// A run waits for its drive behind whoever came before it, as long as that takes.
    fn start_verify_job(
        self: &Arc<Self>,
        config: MediaVerifyJobConfig,
        who: &AuthId,
        schedule: Option<String>,
    ) -> Outcome<Upid> {
        let desk = self.drives.desk(&config.drive)?;
        let place = desk.line_up();
        let (reeld, id) = (Arc::clone(self), config.id.clone());
        let worker_id = format!("{}:{}:{id}", config.pool, config.drive);
        self.run_job(job_of(&id), &worker_id, who, move |task| {
            task.log(&format!("Starting media verify job '{}'", config.id));
            if let Some(event) = schedule {
                task.log(&format!("task triggered by schedule '{event}'"));
            }
            if desk.activity().is_some() {
                task.log("waiting for drive lock...");
            }
            let mut hold =
                desk.hold_in_turn(place, task.upid().as_str(), FOR_EVER, task.cancel())?;
            let done = reeld.verify_by_job(&config, &mut hold, task);
            hold.finish(task);
            done
        })
    }

    fn verify_by_job(
        &self,
        config: &MediaVerifyJobConfig,
        hold: &mut reel_tape::DriveHold,
        task: &Task,
    ) -> Result<(), TaskFailure> {
        task.log("update media online status");
        self.refresh_online_status()?;
        let choice = Choice {
            pool: Some(&config.pool),
            outdated_after: config.outdated_after,
            limit: config.limit,
            only_in_library: true,
            ..Choice::default()
        };
        let media = self.media_to_verify(&choice)?;
        if media.is_empty() {
            task.log("nothing to verify: all media in the library were verified lately enough");
            return Ok(());
        }
        for set in self.sets_of(&media)? {
            self.require_key(set, &config.drive)?;
        }
        verify(&self.tape, hold, &VerifyJob { media, skip_missing: true }, task)?;
        Ok(())
    }

    fn expect_pool_and_drive(
        &self,
        pool: Option<&PoolName>,
        drive: Option<&DriveName>,
    ) -> Outcome<()> {
        pool.map(|pool| self.pool_rules(pool)).transpose()?;
        drive.map(|drive| self.drives.config(drive)).transpose()?;
        Ok(())
    }

    fn state_of_verify_job(&self, job: &MediaVerifyJobConfig) -> Outcome<MediaVerifyJobState> {
        let state = self.job_state(job_of(&job.id))?;
        let from = state.next_counts_from();
        let next_run = job.schedule.as_ref().and_then(|event| event.next_after(from, &self.zone));
        let (upid, end) = state.last().unzip();
        let end = end.flatten();
        Ok(MediaVerifyJobState {
            last_run_endtime: end.as_ref().map(|end| end.time),
            last_run_state: end.map(|end| end.status.to_string()),
            last_run_upid: upid.cloned(),
            next_run,
        })
    }
}

/// What is given replaces what was there.
fn change(job: &mut MediaVerifyJobConfig, new: MediaVerifyJobUpdate) {
    job.pool = new.pool.unwrap_or(job.pool.clone());
    job.drive = new.drive.unwrap_or(job.drive.clone());
    job.outdated_after = new.outdated_after.map(|days| days.get()).or(job.outdated_after);
    job.limit = new.limit.map(|count| count.get()).or(job.limit);
    job.schedule = new.schedule.or(job.schedule.take());
    if let Some(comment) = &new.comment {
        job.comment = kept(comment);
    }
}

fn entry(job: MediaVerifyJobConfig) -> MediaVerifyJobEntry {
    MediaVerifyJobEntry {
        comment: job.comment,
        drive: job.drive,
        id: job.id,
        limit: job.limit,
        outdated_after: job.outdated_after,
        pool: job.pool,
        schedule: job.schedule,
    }
}
