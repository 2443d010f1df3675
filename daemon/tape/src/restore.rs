//! Restore of a media set into datastores (`tape-state.md` §10).
//!
//! Everything of the set goes in one pass over each medium ([`full`]); a choice of snapshots or namespaces is
//! looked up in the catalogs, and only what the targets lack is read ([`list`]). Both hand chunks to a few
//! threads that check and store them ([`crate::chunk_intake`]) and import a snapshot only when every chunk that it needs is
//! in its datastore, the manifest last. So whatever stops a restore, each snapshot that can be seen is whole, and
//! running it again goes on where it stopped.
//!
//! Unlike PBS, damage, a medium that can't be had and a group of somebody else end neither mode: what they concern is
//! left out and named, the rest is restored, and the job ends with an error. Chunks that a set does not give are taken
//! from other sets ([`other_sets`]). The set stays locked for the whole job.

mod chunk_plan;
mod chunks;
pub(crate) mod content;
mod full;
mod import;
mod list;
mod members;
mod other_sets;
mod read_chunks;
mod read_snapshots;
mod report;
mod select;
mod targets;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reel_store::datastore::Datastore;
use reel_types::commands::{NamespaceMap, StoreMap, TapeSnapshot};
use reel_types::{AuthId, MediaSetId, StoreName, TaskContext};

use crate::chunk_intake::{self, ChunkIntake};
use crate::drive_desk::DriveHold;
use crate::env::TapeEnv;
use crate::state_dir::Patience;
use crate::{Error, Result};

use members::Members;
use report::Report;
use targets::{Target, Targets};

/// What a restore is to do.
pub struct RestoreJob {
    /// The media sets, in the order in which they are restored; what one gave is not taken from the next.
    pub sets: Vec<MediaSetId>,
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

/// Finds out, without a drive, what would make the job fail at once: an unknown set, two mappings of one namespace, a
/// target that isn't open.
pub fn check(env: &TapeEnv, job: &RestoreJob) -> Result<()> {
    let inventory = env.inventory.load()?;
    for set in &job.sets {
        Members::of_set(&inventory, *set)?;
    }
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
    let targets = Targets::open(env, job)?;
    let intake = ChunkIntake::new();
    let mut report = Report::new(task);
    std::thread::scope(|scope| {
        for _ in 0..chunk_intake::threads() {
            scope.spawn(|| intake.work());
        }
        let _until_here = intake.close_when_dropped();
        for (number, set) in (1..).zip(&job.sets) {
            let _set = env.state.lock_media_set(*set, Patience::of_task(task))?;
            let members = Members::of_set(&env.inventory.load()?, *set)?;
            let is_last_set = number == job.sets.len();
            let (members, targets, intake) = (&members, &targets, &intake);
            let run = Run { env, job, set: *set, is_last_set, task, members, targets, intake };
            run.restore(hold, &mut report)?;
        }
        Ok::<_, Error>(())
    })?;
    targets.sync_all()?;
    let summary = report.finish()?;
    for set in &job.sets {
        task.log(&format!("Restore mediaset '{set}' done"));
    }
    Ok(summary)
}

/// What all parts of a running restore work with.
struct Run<'a> {
    env: &'a TapeEnv,
    job: &'a RestoreJob,
    /// The set that is being restored.
    set: MediaSetId,
    is_last_set: bool,
    task: &'a dyn TaskContext,
    members: &'a Members,
    targets: &'a Targets,
    intake: &'a ChunkIntake<Target>,
}

impl Run<'_> {
    fn restore(&self, hold: &mut DriveHold, report: &mut Report<'_>) -> Result<()> {
        self.task.log(&format!("Mediaset '{}'", self.set));
        self.task.log(&format!("Pool: {}", self.members.pool()));
        match self.job.is_choice() {
            true => list::restore_choice(self, hold, report),
            false => full::restore_all(self, hold, report),
        }
    }
}
