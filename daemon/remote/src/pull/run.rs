//! All namespaces of a pull, one after the other (`sync.md` §§3, 10).

use std::collections::HashSet;
use std::sync::Arc;
use std::thread;

use reel_types::{AuthId, Namespace, NamespaceDepth, Privilege, StoreName, TaskContext};

use super::budget::Budget;
use super::known::{ChunksUnderWay, KnownChunks};
use super::network::Network;
use super::report::Report;
use super::writers::{Shared, Writers};
use super::{MEMORY_MAX, NamespacePair, PullError, PullJob, PullSummary, namespace_text};

/// What all parts of a pull share.
pub(super) struct Run<'r> {
    pub(super) job: &'r PullJob,
    pub(super) task: &'r dyn TaskContext,
    pub(super) network: Network,
    pub(super) shared: Arc<Shared>,
    pub(super) writers: Writers,
    pub(super) budget: Budget,
    pub(super) report: Report<'r>,
}

/// What goes where, and how deep.
struct Plan {
    pairs: Vec<NamespacePair>,
    /// As asked for, or no level where the server has no namespaces.
    depth: Option<NamespaceDepth>,
}

pub(super) fn run(job: &PullJob, task: &dyn TaskContext) -> Result<PullSummary, PullError> {
    let network = Network::new(task.cancel())?;
    let shared = Arc::new(Shared {
        chunks: Arc::clone(job.target.chunks()),
        known: KnownChunks::default(),
        under_way: ChunksUnderWay::default(),
        commit_points: Arc::clone(&job.commit_points),
    });
    thread::scope(|scope| {
        let writers = Writers::start(scope, Arc::clone(&shared));
        let report = Report::new(task, job.remove_vanished);
        let budget = Budget::new(MEMORY_MAX);
        let run = Run { job, task, network, shared, writers, budget, report };
        run.all_namespaces()?;
        Ok(run.report.finish())
    })
}

impl Run<'_> {
    fn all_namespaces(&self) -> Result<(), PullError> {
        let plan = self.plan()?;
        let mut synced = HashSet::new();
        for pair in &plan.pairs {
            self.task.check()?;
            self.task.log("----");
            let (source, target) = (namespace_text(&pair.source), namespace_text(&pair.target));
            self.task.log(&format!("syncing {source} into {target}"));
            synced.insert(pair.target.clone());
            if let Err(error) = self.one_namespace(pair) {
                error_or_stop(&error)?;
                self.report.failed(&target, &error);
            }
            if plan.depth != Some(NamespaceDepth::ITSELF) {
                self.task.log(&format!("so far: {}", self.report.so_far()));
            }
        }
        if self.job.remove_vanished {
            self.remove_vanished_namespaces(&synced, plan.depth)?;
        }
        Ok(self.task.check()?)
    }

    fn one_namespace(&self, pair: &NamespacePair) -> Result<(), PullError> {
        self.have_namespace(&pair.target)?;
        self.require(&pair.target, Privilege::DatastoreBackup)?;
        self.all_groups(pair)
    }

    /// Which namespaces there are at the source (`sync.md` §3).
    fn plan(&self) -> Result<Plan, PullError> {
        let (anchors, depth) = (&self.job.anchors, self.job.max_depth);
        let only_root = vec![Namespace::root()];
        if anchors.source.is_root() && depth == Some(NamespaceDepth::ITSELF) {
            return Ok(Plan { pairs: anchors.pairs(only_root)?, depth });
        }
        match self.job.source.namespaces(&self.network, &anchors.source, depth) {
            Ok(listed) => Ok(Plan { pairs: anchors.pairs(listed)?, depth }),
            Err(error) if !error.is_missing() => Err(error),
            Err(_) if anchors.source.is_root() && depth.is_none() => {
                self.fall_back_to_root();
                Ok(Plan { pairs: anchors.pairs(only_root)?, depth: Some(NamespaceDepth::ITSELF) })
            }
            Err(_) => Err(PullError::Refused(
                "the remote knows no namespaces, and some were asked for; set max-depth to 0 and no remote-ns, or upgrade it"
                    .into(),
            )),
        }
    }

    /// Everything goes over, but the run counts as failed: nobody said that the root is all.
    fn fall_back_to_root(&self) {
        self.task.warn("the remote can't list namespaces (404): only the root namespace is pulled");
        self.task.warn("set max-depth to 0 to say that this is meant, or upgrade the remote");
        let reason = PullError::Refused("the remote can't list namespaces".into());
        self.report.failed("namespaces", &reason);
    }

    /// Makes the namespace where it is missing; its parent must be there.
    fn have_namespace(&self, namespace: &Namespace) -> Result<(), PullError> {
        let target = &self.job.target;
        let Some(parent) = namespace.parent() else { return Ok(()) };
        if target.has_namespace(namespace)? {
            return Ok(());
        }
        self.require(&parent, Privilege::DatastoreModify)?;
        if !target.has_namespace(&parent)? {
            let parent = namespace_text(&parent);
            return Err(PullError::Refused(format!(
                "can't create {}: its parent {parent} does not exist; create that first",
                namespace_text(namespace)
            )));
        }
        target.create_namespace(namespace)?;
        self.task.log(&format!("created {}", namespace_text(namespace)));
        Ok(())
    }

    /// Fails unless the owner of the pull has a privilege here.
    pub(super) fn require(
        &self,
        namespace: &Namespace,
        privilege: Privilege,
    ) -> Result<(), PullError> {
        let store = self.job.target.name();
        if self.may(store, namespace, privilege) {
            return Ok(());
        }
        Err(PullError::Refused(format!(
            "'{}' lacks the privilege {privilege} on '{}'",
            self.job.owner,
            acl_path(store, namespace)
        )))
    }

    pub(super) fn may(
        &self,
        store: &StoreName,
        namespace: &Namespace,
        privilege: Privilege,
    ) -> bool {
        self.job.rights.allows(self.owner(), &acl_path(store, namespace), privilege)
    }

    pub(super) fn owner(&self) -> &AuthId {
        &self.job.owner
    }
}

/// `/datastore/store1/a/b`.
fn acl_path(store: &StoreName, namespace: &Namespace) -> String {
    if namespace.is_root() {
        return format!("/datastore/{store}");
    }
    format!("/datastore/{store}/{namespace}")
}

/// A stop ends everything; other errors end a part.
pub(super) fn error_or_stop(error: &PullError) -> Result<(), PullError> {
    match error {
        PullError::Stopped(stopped) => Err(PullError::Stopped(*stopped)),
        _ => Ok(()),
    }
}
