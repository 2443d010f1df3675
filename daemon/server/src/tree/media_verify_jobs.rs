//! `media-verify-jobs/`: which media are verified by a schedule.

use std::ffi::OsStr;
use std::sync::Arc;

use reel_config::MediaVerifyJobs;
use reel_fs::{Entry, FnDir, Node};
use reel_types::JobId;
use reel_types::commands::{MediaVerifyJobShow, MediaVerifyJobStatus, Place};

use super::Tree;
use super::facts::{answer, fact, fs_error, no_such, parsed, utc};

/// The folder of all jobs that verify media.
pub(super) fn media_verify_jobs(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let listed = MediaVerifyJobs::new(&all.reeld.config).list();
        let (jobs, _) = listed.map_err(|error| fs_error(error.into()))?;
        Ok(jobs.iter().map(|job| Entry::directory(job.id.to_string())).collect())
    };
    let lookup = move |name: &OsStr| {
        let job: JobId = parsed(name)?;
        MediaVerifyJobs::new(&one.reeld.config).get(&job).map_err(|_| no_such(name))?;
        Ok(media_verify_job(&one, job))
    };
    let refusal =
        "'create ID pool=POOL drive=DRIVE' and 'remove ID' in media-verify-jobs/ctl do that";
    FnDir::new(entries, lookup).beside(tree.controlled(Place::MediaVerifyJobs, refusal)).node()
}

fn media_verify_job(tree: &Arc<Tree>, id: JobId) -> Node {
    let refusal = format!("'remove {id}' in the job's ctl takes it out of the configuration");
    let (reeld, of) = (Arc::clone(&tree.reeld), id.clone());
    tree.controlled(Place::MediaVerifyJob(id.clone()), refusal)
        .with_all(answer(tree, "config", MediaVerifyJobShow { id: id.clone() }))
        .with_all(answer(tree, "status", MediaVerifyJobStatus { id }))
        .with("next-run", fact(move || Ok(reeld.next_media_verification(&of)?.map(utc))))
        .node()
}
