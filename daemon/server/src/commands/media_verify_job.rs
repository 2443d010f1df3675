//! Jobs that verify the media of a pool by a schedule.

use std::sync::Arc;

use reel_config::MediaVerifyJobConfig;
use reel_tape::verify::{VerifySummary, verify};
use reel_tape::{DriveDesk, DriveHold};
use reel_types::commands::results::MediaVerifyJobEntry;
use reel_types::commands::{MediaVerifyJobCreate, MediaVerifyJobUpdate};
use reel_types::{AuthId, CalendarEvent, DriveName, PoolName, TaskContext, Upid, UserId};

use super::backup::hold_for_task;
use super::configured_jobs::JobKind;
use super::media_verify::{Choice, VerifyNews};
use super::{Done, kept};
use crate::failure::Outcome;
use crate::reeld::Reeld;
use crate::tasks::{Task, TaskFailure};

impl JobKind for MediaVerifyJobConfig {
    const TASK: &'static str = "media-verify-job";
    type Settings = MediaVerifyJobEntry;

    fn settings(self) -> MediaVerifyJobEntry {
        MediaVerifyJobEntry {
            comment: self.comment,
            drive: self.drive,
            id: self.id,
            limit: self.limit,
            notification_mode: self.notification_mode,
            notify_user: self.notify_user,
            outdated_after: self.outdated_after,
            pool: self.pool,
            schedule: self.schedule,
        }
    }

    fn schedule(&self) -> Option<&CalendarEvent> {
        self.schedule.as_ref()
    }

    fn start(self, reeld: &Arc<Reeld>, who: &AuthId, trigger: Option<String>) -> Outcome<Upid> {
        reeld.start_verify_job(self, who, trigger)
    }
}

impl Reeld {
    pub(super) fn media_verify_job_create(&self, command: &MediaVerifyJobCreate) -> Outcome<Done> {
        let MediaVerifyJobCreate { id, pool, drive, .. } = command.clone();
        self.expect_verify_parts(Some(&pool), Some(&drive), command.notify_user.as_ref())?;
        self.create_job(&MediaVerifyJobConfig {
            outdated_after: command.outdated_after.map(|days| days.get()),
            limit: command.limit.map(|count| count.get()),
            notify_user: command.notify_user.clone(),
            notification_mode: command.notification_mode,
            schedule: command.schedule.clone(),
            comment: command.comment.as_ref().and_then(kept),
            ..MediaVerifyJobConfig::new(id, pool, drive)
        })
    }

    pub(super) fn media_verify_job_update(&self, command: &MediaVerifyJobUpdate) -> Outcome<Done> {
        let MediaVerifyJobUpdate { pool, drive, notify_user, .. } = command;
        self.expect_verify_parts(pool.as_ref(), drive.as_ref(), notify_user.as_ref())?;
        let delete: Vec<&str> = command.delete.iter().map(|key| key.as_str()).collect();
        self.update_job(&command.id, &delete, command.digest.as_ref(), |job| {
            change(job, command.clone());
        })
    }

    /// A run waits for its drive behind whoever came before it, as long as that takes.
    fn start_verify_job(
        self: &Arc<Self>,
        config: MediaVerifyJobConfig,
        who: &AuthId,
        trigger: Option<String>,
    ) -> Outcome<Upid> {
        // The place in the line is taken here, in the order of starts. A drive that is not there fails the task.
        let desk = self.drives.desk(&config.drive);
        let place = desk.as_ref().ok().map(DriveDesk::line_up);
        let (reeld, id) = (Arc::clone(self), config.id.clone());
        let worker_id = format!("{}:{}:{id}", config.pool, config.drive);
        self.run_job(MediaVerifyJobConfig::job(&id), &worker_id, who, move |task| {
            reeld.verify_and_tell(&VerifyNews::of_job(&config), task, |summary| {
                task.log(&format!("Starting media verify job '{}'", config.id));
                if let Some(event) = trigger {
                    task.log(&format!("task triggered by schedule '{event}'"));
                }
                let mut hold = hold_for_task(desk, place, task)?;
                let done = reeld.verify_by_job(&config, &mut hold, summary, task);
                hold.finish(task);
                done
            })
        })
    }

    fn verify_by_job(
        &self,
        config: &MediaVerifyJobConfig,
        hold: &mut DriveHold,
        summary: &mut VerifySummary,
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
        Ok(verify(&self.tape, hold, &media, summary, task)?)
    }

    /// Fails where a job is to use what isn't there.
    fn expect_verify_parts(
        &self,
        pool: Option<&PoolName>,
        drive: Option<&DriveName>,
        user: Option<&UserId>,
    ) -> Outcome<()> {
        pool.map(|pool| self.pool_rules(pool)).transpose()?;
        drive.map(|drive| self.drives.config(drive)).transpose()?;
        self.expect_user(user)
    }
}

/// What is given replaces what was there.
fn change(job: &mut MediaVerifyJobConfig, new: MediaVerifyJobUpdate) {
    job.pool = new.pool.unwrap_or(job.pool.clone());
    job.drive = new.drive.unwrap_or(job.drive.clone());
    job.outdated_after = new.outdated_after.map(|days| days.get()).or(job.outdated_after);
    job.limit = new.limit.map(|count| count.get()).or(job.limit);
    job.notify_user = new.notify_user.or(job.notify_user.take());
    job.notification_mode = new.notification_mode.or(job.notification_mode);
    job.schedule = new.schedule.or(job.schedule.take());
    if let Some(comment) = &new.comment {
        job.comment = kept(comment);
    }
}
