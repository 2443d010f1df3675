//! Sync jobs (`cli-manager.md` §3.2).

use std::sync::Arc;

use reel_config::{ConfigLock, Remotes, SyncJobConfig, SyncJobs, SyncLimits};
use reel_types::commands::results::SyncJobEntry;
use reel_types::commands::{SyncJobCreate, SyncJobUpdate};
use reel_types::{AuthId, CalendarEvent, RemoteName, Upid};

use super::configured_jobs::JobKind;
use super::{Done, kept};
use crate::failure::Outcome;
use crate::reeld::Reeld;

impl JobKind for SyncJobConfig {
    const TASK: &'static str = "syncjob";
    type Settings = SyncJobEntry;

    fn settings(self) -> SyncJobEntry {
        let size = |size: Option<reel_types::ByteSize>| size.map(|size| size.to_string());
        SyncJobEntry {
            burst_in: size(self.limits.burst_in),
            burst_out: size(self.limits.burst_out),
            comment: self.comment,
            group_filter: Some(self.group_filter).filter(|filters| !filters.is_empty()),
            id: self.id,
            max_depth: self.max_depth,
            ns: self.ns,
            owner: self.owner,
            rate_in: size(self.limits.rate_in),
            rate_out: size(self.limits.rate_out),
            remote: self.remote,
            remote_ns: self.remote_ns,
            remote_store: self.remote_store,
            remove_vanished: self.remove_vanished,
            resync_corrupt: self.resync_corrupt,
            schedule: self.schedule,
            store: self.store,
            transfer_last: self.transfer_last,
            worker_threads: self.worker_threads,
        }
    }

    fn schedule(&self) -> Option<&CalendarEvent> {
        self.schedule.as_ref()
    }

    fn start(self, reeld: &Arc<Reeld>, who: &AuthId, trigger: Option<String>) -> Outcome<Upid> {
        reeld.start_sync_job(self, who, trigger)
    }
}

impl Reeld {
    pub(super) fn sync_job_list(&self) -> Outcome<Done> {
        let jobs = self.jobs_by_id::<SyncJobConfig>()?;
        Done::data(jobs.into_iter().map(JobKind::settings).collect::<Vec<_>>())
    }

    pub(super) fn sync_job_create(&self, command: &SyncJobCreate) -> Outcome<Done> {
        let _remotes = self.keep_source(command.remote.as_ref())?;
        let (store, remote_store) = (command.store.clone(), command.remote_store.clone());
        let job = SyncJobConfig {
            ns: command.ns.clone(),
            remote: command.remote.clone(),
            remote_ns: command.remote_ns.clone(),
            owner: command.owner.clone(),
            remove_vanished: command.remove_vanished,
            max_depth: command.max_depth,
            group_filter: command.group_filter.clone(),
            limits: SyncLimits {
                rate_in: command.rate_in,
                burst_in: command.burst_in,
                rate_out: command.rate_out,
                burst_out: command.burst_out,
            },
            transfer_last: command.transfer_last.map(|count| count.get()),
            resync_corrupt: command.resync_corrupt,
            worker_threads: command.worker_threads.map(|count| count.get()),
            schedule: command.schedule.clone(),
            comment: command.comment.as_ref().and_then(kept),
            ..SyncJobConfig::new(command.id.clone(), store, remote_store)
        };
        self.create_job(&job)
    }

    pub(super) fn sync_job_update(&self, command: &SyncJobUpdate) -> Outcome<Done> {
        let _remotes = self.keep_source(command.remote.as_ref())?;
        let had_schedule = SyncJobs::new(&self.config).get(&command.id)?.schedule.is_some();
        let delete: Vec<&str> = command.delete.iter().map(|key| key.as_str()).collect();
        let done = self.update_job(&command.id, &delete, command.digest.as_ref(), |job| {
            change(job, command.clone());
        })?;
        // PBS compares with what was given: an absent one counts as another.
        if had_schedule && command.schedule.is_none() {
            self.reschedule(SyncJobConfig::job(&command.id))?;
        }
        Ok(done)
    }

    /// Keeps the remote that a job is to use from being removed meanwhile. Fails where there is none.
    fn keep_source(&self, remote: Option<&RemoteName>) -> Outcome<Option<ConfigLock>> {
        let Some(remote) = remote else { return Ok(None) };
        let remotes = Remotes::new(&self.config);
        let lock = remotes.lock()?;
        remotes.get(remote)?;
        Ok(Some(lock))
    }
}

/// What is given replaces what was there.
fn change(job: &mut SyncJobConfig, new: SyncJobUpdate) {
    job.store = new.store.unwrap_or(job.store.clone());
    job.remote_store = new.remote_store.unwrap_or(job.remote_store.clone());
    job.remote = new.remote.or(job.remote.take());
    job.ns = new.ns.or(job.ns.take());
    job.remote_ns = new.remote_ns.or(job.remote_ns.take());
    job.owner = new.owner.or(job.owner.take());
    job.schedule = new.schedule.or(job.schedule.take());
    job.remove_vanished = new.remove_vanished.or(job.remove_vanished);
    job.max_depth = new.max_depth.or(job.max_depth);
    if !new.group_filter.is_empty() {
        job.group_filter = new.group_filter;
    }
    job.limits = SyncLimits {
        rate_in: new.rate_in.or(job.limits.rate_in),
        burst_in: new.burst_in.or(job.limits.burst_in),
        rate_out: new.rate_out.or(job.limits.rate_out),
        burst_out: new.burst_out.or(job.limits.burst_out),
    };
    job.transfer_last = new.transfer_last.map(|count| count.get()).or(job.transfer_last);
    job.resync_corrupt = new.resync_corrupt.or(job.resync_corrupt);
    job.worker_threads = new.worker_threads.map(|count| count.get()).or(job.worker_threads);
    if let Some(comment) = &new.comment {
        job.comment = kept(comment);
    }
}
