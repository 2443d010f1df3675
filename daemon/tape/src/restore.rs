//! Restore of a media set into datastores (`tape-state.md` §10).
//!
//! Everything of the set goes in one pass over each medium ([`full`]); a choice of snapshots or namespaces is
//! looked up in the catalogs, and only what the targets lack is read ([`list`]). Both hand chunks to a few
//! threads that check and store them ([`intake`]) and import a snapshot only when every chunk that it needs is
//! in its datastore, the manifest last. So whatever stops a restore, each snapshot that can be seen is whole, and
//! running it again goes on where it stopped.
//!
//! Unlike PBS, damage and a group of somebody else end neither mode: what they concern is left out and named, the
//! rest is restored, and the job ends with an error. The set stays locked for the whole job.

mod chunk_plan;
mod content;
mod full;
mod import;
mod intake;
mod list;
mod members;
mod read_chunks;
mod read_snapshots;
mod report;
mod select;
mod targets;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reel_store::datastore::Datastore;
use reel_types::commands::{NamespaceMap, StoreMap, TapeSnapshot};
use reel_types::{AuthId, MediaSetId, StoreName, TaskContext};

use crate::drive_desk::DriveHold;
use crate::env::TapeEnv;
use crate::state_dir::Patience;
use crate::{Error, Result};

use intake::ChunkIntake;
use members::Members;
use report::Report;
use targets::Targets;

/// What a restore is to do.
pub struct RestoreJob {
    /// The media set.
    pub set: MediaSetId,
    /// Which datastore on tape goes where.
    pub map: StoreMap,
    /// The datastores that `map` names as targets, open.
    pub stores: BTreeMap<StoreName, Arc<Datastore>>,
    /// Only these snapshots.
    pub snapshots: Vec<TapeSnapshot>,
    /// Only these namespaces, or where the `snapshots` go.
    pub namespaces: Vec<NamespaceMap>,
    /// Who owns groups that are made.
    pub owner: AuthId,
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RestoreSummary {
    /// Snapshots that were restored.
    pub restored: usize,
    /// Snapshots that were passed over, since they are there already, are not on the set or have no target.
    pub skipped: Vec<String>,
    /// Chunks that came from tape.
    pub chunks: u64,
    /// Their bytes as they are stored.
    pub bytes: u64,
}

impl RestoreJob {
    /// Whether only a part of the set is wanted.
    fn is_choice(&self) -> bool {
        !self.snapshots.is_empty() || !self.namespaces.is_empty()
    }
}

/// Finds out, without a drive, what would make the job fail at once: an unknown or incomplete set, two mappings
/// of one namespace, a target that isn't open.
pub fn check(env: &TapeEnv, job: &RestoreJob) -> Result<()> {
    Members::of_set(&env.inventory.load()?, job.set)?;
    if let Some(store) =
        job.map.targets().into_iter().find(|store| !job.stores.contains_key(*store))
    {
        return Err(Error::InvalidInput(format!("target datastore '{store}' is not open")));
    }
    let mut sources = BTreeSet::new();
    match job.namespaces.iter().find(|map| !sources.insert((&map.store, &map.source))) {
        Some(map) => Err(Error::InvalidInput(format!(
            "namespace mapping '{map}': its source is mapped by another one already; name it once"
        ))),
        None => Ok(()),
    }
}

/// Restores from the drive that `hold` holds.
///
/// # Errors
/// [`Error::Unfinished`] where something could not be restored; all else is.
pub fn restore(
    env: &TapeEnv,
    hold: &mut DriveHold,
    job: &RestoreJob,
    task: &dyn TaskContext,
) -> Result<RestoreSummary> {
    check(env, job)?;
    let _set = env.state.lock_media_set(job.set, Patience::of_task(task))?;
    let members = Members::of_set(&env.inventory.load()?, job.set)?;
    task.log(&format!("Mediaset '{}'", job.set));
    task.log(&format!("Pool: {}", members.pool()));
    let targets = Targets::open(env, job)?;
    let intake = ChunkIntake::new();
    let run = Run { env, job, task, members: &members, targets: &targets, intake: &intake };
    let report = std::thread::scope(|scope| {
        for _ in 0..intake::threads() {
            scope.spawn(|| intake.work());
        }
        let _until_here = intake.close_when_dropped();
        match job.is_choice() {
            true => list::restore_choice(&run, hold),
            false => full::restore_all(&run, hold),
        }
    })?;
    targets.sync_all()?;
    let summary = report.finish()?;
    task.log(&format!("Restore mediaset '{}' done", job.set));
    Ok(summary)
}

/// What all parts of a running restore work with.
struct Run<'a> {
    env: &'a TapeEnv,
    job: &'a RestoreJob,
    task: &'a dyn TaskContext,
    members: &'a Members,
    targets: &'a Targets,
    intake: &'a ChunkIntake,
}

impl Run<'_> {
    fn report(&self) -> Report<'_> {
        Report::new(self.task)
    }
}
