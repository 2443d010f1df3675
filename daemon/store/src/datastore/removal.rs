//! Removing snapshots and groups (`datastore.md` §8).

use std::fs;

use reel_types::{GroupPath, SnapshotPath};

use super::Datastore;
use super::listing::{MANIFEST_FILE, PROTECTED_FILE};
use crate::failure::{IoContext, StoreError};
use crate::files::{exists, remove_file_if_there};
use crate::locks::LockMode;

/// What the removal of a group left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupRemoval {
    /// Snapshots that were removed.
    pub removed: usize,
    /// Protected snapshots, which stay and keep the group.
    pub protected: usize,
}

impl Datastore {
    /// Removes a snapshot; its chunks stay for the garbage collection.
    pub fn forget_snapshot(&self, snapshot: &SnapshotPath) -> Result<(), StoreError> {
        self.require_snapshot(snapshot)?;
        let _snapshot_lock = self.lock_snapshot(snapshot, LockMode::Exclusive)?;
        let _manifest_lock = self.environment.run.lock_manifest(self.name(), snapshot)?;
        self.remove_snapshot_dir(snapshot)
    }

    /// Removes the folder of a snapshot whose lock the caller holds. The protection is checked here
    /// too.
    pub(super) fn remove_snapshot_dir(&self, snapshot: &SnapshotPath) -> Result<(), StoreError> {
        self.refuse_protected(snapshot)?;
        let dir = self.snapshot_dir(snapshot);
        // First of all the manifest: what a crash leaves then is an unfinished snapshot, not one that
        // seems whole.
        remove_file_if_there(&dir.join(MANIFEST_FILE))
            .and_then(|()| fs::remove_dir_all(&dir))
            .tried(|| format!("remove {}", self.snapshot_text(snapshot)))?;
        self.environment.run.remove_manifest_lock(self.name(), snapshot);
        Ok(())
    }

    /// Removes all snapshots of a group but the protected ones, and the group itself when none of
    /// those is left.
    pub fn forget_group(&self, group: &GroupPath) -> Result<GroupRemoval, StoreError> {
        let _lock = self.lock_group(group)?;
        let mut result = GroupRemoval::default();
        let listing = self.snapshots(group)?;
        for leftover in &listing.skipped {
            let marker = leftover.path.join(PROTECTED_FILE);
            if exists(&marker).tried(|| format!("remove {}", self.group_text(group)))? {
                result.protected += 1;
            }
        }
        for entry in listing.items {
            if entry.protected {
                result.protected += 1;
                continue;
            }
            self.forget_snapshot(&group.at(entry.time))?;
            result.removed += 1;
        }
        if result.protected == 0 {
            fs::remove_dir_all(self.group_dir(group))
                .tried(|| format!("remove {}", self.group_text(group)))?;
        }
        Ok(result)
    }
}
