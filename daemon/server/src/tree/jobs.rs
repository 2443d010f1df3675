//! `sync-jobs/`, `backup-jobs/`, `media-verify-jobs/`: what runs by a schedule, and when.

use std::ffi::OsStr;
use std::sync::Arc;

use reel_config::{Entries, MediaVerifyJobConfig, SyncJobConfig, TapeJobConfig};
use reel_fs::{Entry, FnDir, Node};
use reel_types::JobId;
use reel_types::commands::{
    BackupJobShow, BackupJobStatus, Command, MediaVerifyJobShow, MediaVerifyJobStatus, Place,
    SyncJobShow, SyncJobStatus,
};

use super::Tree;
use super::facts::{answer, fact, fs_error, no_such, parsed, utc};
use crate::commands::JobKind;

/// Where the jobs of a kind stand, and what is asked of one.
#[derive(Clone)]
struct Places {
    all: Place,
    one: fn(JobId) -> Place,
    show: fn(JobId) -> Command,
    status: fn(JobId) -> Command,
    /// Why nothing can be made or removed there by file operations.
    refusal: &'static str,
}

/// The folder of all sync jobs.
pub(super) fn sync_jobs(tree: &Arc<Tree>) -> Node {
    let places = Places {
        all: Place::SyncJobs,
        one: Place::SyncJob,
        show: |id| SyncJobShow { id }.into(),
        status: |id| SyncJobStatus { id }.into(),
        refusal: "'create ID store=STORE remote=REMOTE remote-store=STORE' and 'remove ID' in sync-jobs/ctl do that",
    };
    jobs::<SyncJobConfig>(tree, places)
}

/// The folder of all jobs that back datastores up to tape.
pub(super) fn backup_jobs(tree: &Arc<Tree>) -> Node {
    let places = Places {
        all: Place::BackupJobs,
        one: Place::BackupJob,
        show: |id| BackupJobShow { id }.into(),
        status: |id| BackupJobStatus { id }.into(),
        refusal: "'create ID store=STORE pool=POOL drive=DRIVE' and 'remove ID' in backup-jobs/ctl do that",
    };
    jobs::<TapeJobConfig>(tree, places)
}

/// The folder of all jobs that verify media.
pub(super) fn media_verify_jobs(tree: &Arc<Tree>) -> Node {
    let places = Places {
        all: Place::MediaVerifyJobs,
        one: Place::MediaVerifyJob,
        show: |id| MediaVerifyJobShow { id }.into(),
        status: |id| MediaVerifyJobStatus { id }.into(),
        refusal: "'create ID pool=POOL drive=DRIVE' and 'remove ID' in media-verify-jobs/ctl do that",
    };
    jobs::<MediaVerifyJobConfig>(tree, places)
}

fn jobs<J: JobKind + 'static>(tree: &Arc<Tree>, places: Places) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let control = tree.controlled(places.all.clone(), places.refusal);
    let entries = move || {
        let listed = Entries::<J>::new(&all.reeld.config).list();
        let (jobs, _) = listed.map_err(|error| fs_error(error.into()))?;
        Ok(jobs.iter().map(|job| Entry::directory(job.name().to_string())).collect())
    };
    let lookup = move |name: &OsStr| {
        let id: JobId = parsed(name)?;
        Entries::<J>::new(&one.reeld.config).get(&id).map_err(|_| no_such(name))?;
        Ok(job::<J>(&one, &places, id))
    };
    FnDir::new(entries, lookup).beside(control).node()
}

fn job<J: JobKind + 'static>(tree: &Arc<Tree>, places: &Places, id: JobId) -> Node {
    let refusal = format!("'remove {id}' in the job's ctl takes it out of the configuration");
    tree.controlled((places.one)(id.clone()), refusal)
        .with_all(answer(tree, "config", (places.show)(id.clone())))
        .with_all(answer(tree, "status", (places.status)(id.clone())))
        .with("next-run", next_run::<J>(tree, id))
        .node()
}

/// When the job runs next by itself; empty where it does not.
fn next_run<J: JobKind + 'static>(tree: &Arc<Tree>, id: JobId) -> Node {
    let reeld = Arc::clone(&tree.reeld);
    fact(move || Ok(reeld.next_run::<J>(&id)?.map(utc)))
}
