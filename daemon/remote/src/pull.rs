//! The pull: what a datastore of a server, or of this one, has and another lacks goes over (`sync.md` §§3–10).
//!
//! The work is done by plain threads, a group each, because it waits for disks: each goes through its snapshots in
//! order, and through the chunks of an index in order. What is missing here is asked for ahead, and as much as
//! [`MEMORY_MAX`] allows is under way at once; [`writers`] check what came and store it. A runtime of its own moves the
//! bytes of all connections.
//!
//! On disk a snapshot comes to be in the order of `sync.md` §7: the chunks of an index, the index, the manifest. Each
//! step can be the last one before the power fails: what is there is found and used by the next pull.

mod archive;
mod budget;
mod error;
mod group;
mod known;
mod namespaces;
mod network;
mod report;
mod run;
mod selection;
mod snapshot;
mod source;
mod vanished;
mod writers;

use std::sync::Arc;

use reel_store::datastore::Datastore;
use reel_types::{
    AuthId, Authorizer, CommitPoints, GroupFilter, Namespace, NamespaceDepth, TaskContext,
};

pub use error::PullError;
pub use namespaces::{NamespaceMapping, NamespacePair};
pub use report::{PullSummary, Removed};
pub use selection::{Selection, SkipReason, Skipped, select};
pub use source::Source;

/// Groups that are pulled at once, each over a connection of its own, where nothing else is asked for: as many as a
/// line with 150 ms needs to be full, whatever one of its streams may carry.
pub const WORKERS: usize = 4;

/// Bytes of chunks that are under way at once, all groups together. It is more than 1 Gbit/s takes in 150 ms, five
/// times, and little enough for a small computer.
pub const MEMORY_MAX: u64 = 96 << 20;

/// Points after which something is on disk that the next pull must understand.
pub const COMMIT_POINTS: [&str; 9] = [
    "pull: group made",
    "pull: snapshot made",
    "pull: manifest received",
    "pull: index received",
    "pull: chunk stored",
    "pull: chunks stored",
    "pull: file stored",
    "pull: manifest stored",
    "pull: snapshot removed",
];

/// What is pulled, and into what.
pub struct PullJob {
    /// Where it comes from.
    pub source: Source,
    /// The datastore that it goes into.
    pub target: Arc<Datastore>,
    /// Below which namespaces.
    pub anchors: NamespaceMapping,
    /// How many levels of namespaces; none is all, or what an old server has.
    pub max_depth: Option<NamespaceDepth>,
    /// Whose the groups become that are made, and who must own those that are there.
    pub owner: AuthId,
    /// Which groups; none is all.
    pub filters: Vec<GroupFilter>,
    /// Whether what is gone at the source goes here too.
    pub remove_vanished: bool,
    /// Only so many of the newest snapshots of each group.
    pub transfer_last: Option<u64>,
    /// Whether snapshots that a verification found damaged are pulled anew.
    pub resync_corrupt: bool,
    /// How many groups at once.
    pub workers: usize,
    /// What the owner may do.
    pub rights: Arc<dyn Authorizer>,
    /// Is told of [`COMMIT_POINTS`].
    pub commit_points: Arc<dyn CommitPoints>,
}

impl PullJob {
    /// What must hold before anything is asked (`sync.md` §1).
    pub fn check(&self) -> Result<(), PullError> {
        if let Source::Local(store) = &self.source
            && store.name() == self.target.name()
        {
            return Err(PullError::Refused("can't sync a datastore to itself".into()));
        }
        let levels = self.max_depth.map_or(0, NamespaceDepth::levels);
        let full = NamespaceDepth::FULL.levels();
        for anchor in [&self.anchors.source, &self.anchors.target] {
            if anchor.depth() + levels > full {
                return Err(PullError::Refused(format!(
                    "namespace '{anchor}' is {} levels deep and 'max-depth' {levels}, together more than {full}",
                    anchor.depth()
                )));
            }
        }
        Ok(())
    }
}

/// Pulls. Whatever concerns a single group or namespace is told, and the rest goes on; the summary has it all.
///
/// # Errors
/// What concerns everything: the source can't be asked, the datastore is being collected, the task was stopped. Then
/// what came so far stays and is used by the next pull.
pub fn pull(job: &PullJob, task: &dyn TaskContext) -> Result<PullSummary, PullError> {
    job.check()?;
    let _kept = job.target.keep_chunks()?;
    run::run(job, task)
}

/// `root namespace` or `namespace 'a/b'`.
fn namespace_text(namespace: &Namespace) -> String {
    if namespace.is_root() {
        return "root namespace".into();
    }
    format!("namespace '{namespace}'")
}
