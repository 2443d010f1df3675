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

/// What a kind of job is called in the tree, and what is asked of one.
trait JobInTree: JobKind + 'static {
    /// The folder of all of them.
    const PLACE: Place;
    /// Why nothing can be made or removed there by file operations.
    const REFUSAL: &'static str;

    fn place(id: JobId) -> Place;
    fn show(id: JobId) -> Command;
    fn status(id: JobId) -> Command;
}

impl JobInTree for SyncJobConfig {
    const PLACE: Place = Place::SyncJobs;
    const REFUSAL: &'static str = "'create ID store=STORE remote=REMOTE remote-store=STORE' and 'remove ID' in sync-jobs/ctl do that";

    fn place(id: JobId) -> Place {
        Place::SyncJob(id)
    }

    fn show(id: JobId) -> Command {
        SyncJobShow { id }.into()
    }

    fn status(id: JobId) -> Command {
        SyncJobStatus { id }.into()
    }
}

impl JobInTree for TapeJobConfig {
    const PLACE: Place = Place::BackupJobs;
    const REFUSAL: &'static str =
        "'create ID store=STORE pool=POOL drive=DRIVE' and 'remove ID' in backup-jobs/ctl do that";

    fn place(id: JobId) -> Place {
        Place::BackupJob(id)
    }

    fn show(id: JobId) -> Command {
        BackupJobShow { id }.into()
    }

    fn status(id: JobId) -> Command {
        BackupJobStatus { id }.into()
    }
}

impl JobInTree for MediaVerifyJobConfig {
    const PLACE: Place = Place::MediaVerifyJobs;
    const REFUSAL: &'static str =
        "'create ID pool=POOL drive=DRIVE' and 'remove ID' in media-verify-jobs/ctl do that";

    fn place(id: JobId) -> Place {
        Place::MediaVerifyJob(id)
    }

    fn show(id: JobId) -> Command {
        MediaVerifyJobShow { id }.into()
    }

    fn status(id: JobId) -> Command {
        MediaVerifyJobStatus { id }.into()
    }
}

/// The folder of all sync jobs.
pub(super) fn sync_jobs(tree: &Arc<Tree>) -> Node {
    jobs::<SyncJobConfig>(tree)
}

/// The folder of all jobs that back datastores up to tape.
pub(super) fn backup_jobs(tree: &Arc<Tree>) -> Node {
    jobs::<TapeJobConfig>(tree)
}

/// The folder of all jobs that verify media.
pub(super) fn media_verify_jobs(tree: &Arc<Tree>) -> Node {
    jobs::<MediaVerifyJobConfig>(tree)
}

fn jobs<J: JobInTree>(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let listed = Entries::<J>::new(&all.reeld.config).list();
        let (jobs, _) = listed.map_err(|error| fs_error(error.into()))?;
        Ok(jobs.iter().map(|job| Entry::directory(job.name().to_string())).collect())
    };
    let lookup = move |name: &OsStr| {
        let id: JobId = parsed(name)?;
        Entries::<J>::new(&one.reeld.config).get(&id).map_err(|_| no_such(name))?;
        Ok(job::<J>(&one, id))
    };
    FnDir::new(entries, lookup).beside(tree.controlled(J::PLACE, J::REFUSAL)).node()
}

fn job<J: JobInTree>(tree: &Arc<Tree>, id: JobId) -> Node {
    let refusal = format!("'remove {id}' in the job's ctl takes it out of the configuration");
    tree.controlled(J::place(id.clone()), refusal)
        .with_all(answer(tree, "config", J::show(id.clone())))
        .with_all(answer(tree, "status", J::status(id.clone())))
        .with("next-run", next_run::<J>(tree, id))
        .node()
}

/// When the job runs next by itself; empty where it does not.
fn next_run<J: JobInTree>(tree: &Arc<Tree>, id: JobId) -> Node {
    let reeld = Arc::clone(&tree.reeld);
    fact(move || Ok(reeld.next_run::<J>(&id)?.map(utc)))
}
