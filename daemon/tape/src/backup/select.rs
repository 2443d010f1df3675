//! What a backup takes: groups in PBS's order, snapshots oldest first (`tape-state.md` §9).

use reel_store::datastore::Datastore;
use reel_types::{GroupFilter, GroupPath, Namespace, SnapshotPath, TaskContext, filters_accept};

use crate::Result;

/// Which part of a datastore is wanted.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The namespace to begin in.
    pub namespace: Namespace,
    /// How many levels below it; all where it is none.
    pub depth_max: Option<usize>,
    /// Which groups; all where there are no filters.
    pub filters: Vec<GroupFilter>,
    /// Only the newest snapshot of each group.
    pub latest_only: bool,
}

impl Selection {
    /// Whether snapshots outside the root namespace may be among them (`tape-format.md` §8).
    pub fn may_have_namespaces(&self) -> bool {
        !self.namespace.is_root() || self.depth_max != Some(0)
    }

    /// The groups that are wanted, by type and id whatever their namespace, and how many there are.
    pub fn groups(
        &self,
        store: &Datastore,
        task: &dyn TaskContext,
    ) -> Result<(Vec<GroupPath>, usize)> {
        let namespaces = store.namespaces(&self.namespace, self.depth_max)?;
        let mut groups = Vec::new();
        let mut skipped = namespaces.skipped;
        for namespace in namespaces.items {
            let found = store.groups(&namespace)?;
            skipped.extend(found.skipped);
            let with_path = |group| GroupPath { namespace: namespace.clone(), group };
            groups.extend(found.items.into_iter().map(with_path));
        }
        for entry in skipped {
            task.warn(&format!("skip '{}': {}", entry.path.display(), entry.reason));
        }
        groups.sort_by(|a, b| a.group.cmp(&b.group));
        let total = groups.len();
        groups.retain(|group| filters_accept(&self.filters, &group.group));
        Ok((groups, total))
    }

    /// The finished snapshots of a group that are wanted, oldest first.
    pub fn snapshots(&self, store: &Datastore, group: &GroupPath) -> Result<Vec<SnapshotPath>> {
        let listed = store.snapshots(group)?;
        let finished = listed.items.iter().filter(|entry| entry.finished);
        let mut snapshots: Vec<_> = finished.map(|entry| group.at(entry.time)).collect();
        if self.latest_only {
            snapshots.drain(..snapshots.len().saturating_sub(1));
        }
        Ok(snapshots)
    }
}
