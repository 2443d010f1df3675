//! `remotes/` and `sync-jobs/`: other servers, and what is pulled from them.

use std::ffi::OsStr;
use std::sync::Arc;

use reel_config::{Remotes, SyncJobs};
use reel_fs::{Entry, FnDir, Node};
use reel_types::commands::{Place, RemoteShow, SyncJobShow, SyncJobStatus};
use reel_types::{JobId, RemoteName};

use super::facts::{answer, fact, fs_error, no_such, parsed, utc};
use super::{Tree, live};

/// The folder of all remotes.
pub(super) fn remotes(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let listed = Remotes::new(&all.reeld.config).list();
        let (remotes, _) = listed.map_err(|error| fs_error(error.into()))?;
        Ok(remotes.iter().map(|remote| Entry::directory(remote.name.to_string())).collect())
    };
    let lookup = move |name: &OsStr| {
        let remote: RemoteName = parsed(name)?;
        Remotes::new(&one.reeld.config).get(&remote).map_err(|_| no_such(name))?;
        Ok(self::remote(&one, remote))
    };
    let refusal = "'create NAME host=HOST auth-id=USER password-file=FILE' and 'remove NAME' in remotes/ctl do that";
    FnDir::new(entries, lookup).beside(tree.controlled(Place::Remotes, refusal)).node()
}

fn remote(tree: &Arc<Tree>, name: RemoteName) -> Node {
    let refusal = format!("'remove {name}' in the remote's ctl takes it out of the configuration");
    tree.controlled(Place::Remote(name.clone()), refusal)
        .with_all(answer(tree, "config", RemoteShow { name: name.clone() }))
        .with_all(live::status(tree, &name))
        .with("datastores", live::datastores(tree, &name))
        .node()
}

/// The folder of all sync jobs.
pub(super) fn sync_jobs(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let listed = SyncJobs::new(&all.reeld.config).list();
        let (jobs, _) = listed.map_err(|error| fs_error(error.into()))?;
        Ok(jobs.iter().map(|job| Entry::directory(job.id.to_string())).collect())
    };
    let lookup = move |name: &OsStr| {
        let job: JobId = parsed(name)?;
        SyncJobs::new(&one.reeld.config).get(&job).map_err(|_| no_such(name))?;
        Ok(sync_job(&one, job))
    };
    let refusal = "'create ID store=STORE remote=REMOTE remote-store=STORE' and 'remove ID' in sync-jobs/ctl do that";
    FnDir::new(entries, lookup).beside(tree.controlled(Place::SyncJobs, refusal)).node()
}

fn sync_job(tree: &Arc<Tree>, id: JobId) -> Node {
    let refusal = format!("'remove {id}' in the job's ctl takes it out of the configuration");
    tree.controlled(Place::SyncJob(id.clone()), refusal)
        .with_all(answer(tree, "config", SyncJobShow { id: id.clone() }))
        .with_all(answer(tree, "status", SyncJobStatus { id: id.clone() }))
        .with("next-run", next_run(tree, id))
        .node()
}

/// When the job runs next by itself; empty where it does not.
fn next_run(tree: &Arc<Tree>, id: JobId) -> Node {
    let reeld = Arc::clone(&tree.reeld);
    fact(move || Ok(reeld.next_run(&id)?.map(utc)))
}
