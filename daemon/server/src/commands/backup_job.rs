//! How backup jobs are configured, and how they do (`cli-tape.md` §10).

use std::sync::Arc;

use reel_config::{Entries, TapeJobConfig, UserConfig};
use reel_tape::{Inventory, PoolView};
use reel_types::commands::results::{BackupJobEntry, BackupJobState};
use reel_types::commands::{BackupJobCreate, BackupJobStatus, BackupJobUpdate};
use reel_types::{AuthId, CalendarEvent, DriveName, LabelText, PoolName, StoreName, Upid, UserId};

use super::configured_jobs::JobKind;
use super::{Done, kept};
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

impl JobKind for TapeJobConfig {
    const TASK: &'static str = "tape-backup-job";
    type Settings = BackupJobEntry;

    fn settings(self) -> BackupJobEntry {
        BackupJobEntry {
            comment: self.comment,
            drive: self.drive,
            eject_media: self.eject_media,
            export_media_set: self.export_media_set,
            group_filter: Some(self.group_filter).filter(|filters| !filters.is_empty()),
            id: self.id,
            latest_only: self.latest_only,
            max_depth: self.max_depth,
            notification_mode: self.notification_mode,
            notify_user: self.notify_user,
            ns: self.ns,
            pool: self.pool,
            schedule: self.schedule,
            store: self.store,
        }
    }

    fn schedule(&self) -> Option<&CalendarEvent> {
        self.schedule.as_ref()
    }

    fn start(self, reeld: &Arc<Reeld>, who: &AuthId, trigger: Option<String>) -> Outcome<Upid> {
        reeld.start_backup_job(self, who, trigger)
    }
}

impl Reeld {
    pub(super) fn backup_job_list(&self) -> Outcome<Done> {
        let inventory = self.tape.inventory.load()?;
        self.list_jobs(|job| self.state_of(job, &inventory))
    }

    pub(super) fn backup_job_status(&self, command: &BackupJobStatus) -> Outcome<Done> {
        let inventory = self.tape.inventory.load()?;
        self.tell_job(&command.id, |job| self.state_of(job, &inventory))
    }

    pub(super) fn backup_job_create(&self, command: &BackupJobCreate) -> Outcome<Done> {
        let BackupJobCreate { id, store, pool, drive, .. } = command.clone();
        self.expect_parts(Some(&store), Some(&pool), Some(&drive), command.notify_user.as_ref())?;
        let job = TapeJobConfig {
            ns: command.ns.clone(),
            max_depth: command.max_depth,
            group_filter: command.group_filter.clone(),
            latest_only: command.latest_only,
            eject_media: command.eject_media,
            export_media_set: command.export_media_set,
            notify_user: command.notify_user.clone(),
            notification_mode: command.notification_mode,
            schedule: command.schedule.clone(),
            comment: command.comment.as_ref().and_then(kept),
            ..TapeJobConfig::new(id, store, pool, drive)
        };
        self.create_job(&job)
    }

    pub(super) fn backup_job_update(&self, command: &BackupJobUpdate) -> Outcome<Done> {
        let BackupJobUpdate { store, pool, drive, notify_user, .. } = command;
        self.expect_parts(store.as_ref(), pool.as_ref(), drive.as_ref(), notify_user.as_ref())?;
        let delete: Vec<&str> = command.delete.iter().map(|key| key.as_str()).collect();
        self.update_job(&command.id, &delete, command.digest.as_ref(), |job| {
            change(job, command.clone());
        })
    }

    /// Fails where a job is to use what isn't there.
    fn expect_parts(
        &self,
        store: Option<&StoreName>,
        pool: Option<&PoolName>,
        drive: Option<&DriveName>,
        user: Option<&UserId>,
    ) -> Outcome<()> {
        if let Some(store) = store {
            reel_config::Datastores::new(&self.config).get(store)?;
        }
        if let Some(pool) = pool {
            self.pool_rules(pool)?;
        }
        if let Some(drive) = drive {
            self.drives.config(drive)?;
        }
        self.expect_user(user)
    }

    /// Fails where somebody is to be told of whom nothing is known.
    pub(super) fn expect_user(&self, user: Option<&UserId>) -> Outcome<()> {
        let Some(user) = user else { return Ok(()) };
        Entries::<UserConfig>::new(&self.config).get(user).map(drop).map_err(|error| {
            let Failure { errno, message, .. } = error.into();
            Failure::new(errno, format!("notify-user: {message}"))
        })
    }

    fn state_of(&self, job: &TapeJobConfig, inventory: &Inventory) -> Outcome<BackupJobState> {
        let runs = self.runs_of(job)?;
        let at = runs.next_run.unwrap_or_else(|| self.clock.now());
        Ok(BackupJobState { next_media_label: self.next_medium(job, inventory, at), runs })
    }

    /// The medium that a job would write first at `at`, as far as one can tell (`tape-state.md` §6.3).
    fn next_medium(
        &self,
        job: &TapeJobConfig,
        inventory: &Inventory,
        at: i64,
    ) -> Option<LabelText> {
        let pool = self.pool_rules(&job.pool).ok()?;
        let site = self.drives.site(&job.drive).ok()?;
        let view = PoolView::of_job_at(&pool, inventory, &site, &self.zone, at).ok()?;
        view.guess_next_medium(at).cloned()
    }
}

/// What is given replaces what was there.
fn change(job: &mut TapeJobConfig, new: BackupJobUpdate) {
    job.store = new.store.unwrap_or(job.store.clone());
    job.pool = new.pool.unwrap_or(job.pool.clone());
    job.drive = new.drive.unwrap_or(job.drive.clone());
    job.ns = new.ns.or(job.ns.take());
    job.max_depth = new.max_depth.or(job.max_depth);
    if !new.group_filter.is_empty() {
        job.group_filter = new.group_filter;
    }
    job.latest_only = new.latest_only.or(job.latest_only);
    job.eject_media = new.eject_media.or(job.eject_media);
    job.export_media_set = new.export_media_set.or(job.export_media_set);
    job.notify_user = new.notify_user.or(job.notify_user.take());
    job.notification_mode = new.notification_mode.or(job.notification_mode);
    job.schedule = new.schedule.or(job.schedule.take());
    if let Some(comment) = &new.comment {
        job.comment = kept(comment);
    }
}
