//! `backup-jobs/`: what is backed up to tape, and when.

use std::ffi::OsStr;
use std::sync::Arc;

use reel_config::TapeJobs;
use reel_fs::{Entry, FnDir, Node};
use reel_types::JobId;
use reel_types::commands::{BackupJobShow, BackupJobStatus, Place};

use super::Tree;
use super::facts::{answer, fact, fs_error, no_such, parsed, utc};

/// The folder of all backup jobs.
pub(super) fn backup_jobs(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let listed = TapeJobs::new(&all.reeld.config).list();
        let (jobs, _) = listed.map_err(|error| fs_error(error.into()))?;
        Ok(jobs.iter().map(|job| Entry::directory(job.id.to_string())).collect())
    };
    let lookup = move |name: &OsStr| {
        let job: JobId = parsed(name)?;
        TapeJobs::new(&one.reeld.config).get(&job).map_err(|_| no_such(name))?;
        Ok(backup_job(&one, job))
    };
    let refusal =
        "'create ID store=STORE pool=POOL drive=DRIVE' and 'remove ID' in backup-jobs/ctl do that";
    FnDir::new(entries, lookup).beside(tree.controlled(Place::BackupJobs, refusal)).node()
}

fn backup_job(tree: &Arc<Tree>, id: JobId) -> Node {
    let refusal = format!("'remove {id}' in the job's ctl takes it out of the configuration");
    tree.controlled(Place::BackupJob(id.clone()), refusal)
        .with_all(answer(tree, "config", BackupJobShow { id: id.clone() }))
        .with_all(answer(tree, "status", BackupJobStatus { id: id.clone() }))
        .with("next-run", next_run(tree, id))
        .node()
}

/// When the job runs next by itself; empty where it does not.
fn next_run(tree: &Arc<Tree>, id: JobId) -> Node {
    let reeld = Arc::clone(&tree.reeld);
    fact(move || Ok(reeld.next_backup(&id)?.map(utc)))
}
