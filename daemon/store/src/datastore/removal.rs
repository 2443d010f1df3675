//! Removing snapshots and groups (`datastore.md` §8).

use std::fs;
use std::io;

use reel_types::{BackupType, GroupPath, Namespace, SnapshotPath};

use super::Datastore;
use super::listing::{MANIFEST_FILE, PROTECTED_FILE};
use crate::failure::{IoContext, StoreError, StoreErrorKind};
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

/// What the removal of namespaces took, and left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NamespaceRemoval {
    /// Snapshots that were removed.
    pub snapshots: usize,
    /// Groups that were removed whole.
    pub groups: usize,
    /// Namespaces that were removed.
    pub namespaces: usize,
    /// Protected snapshots, which stay and keep their groups and namespaces.
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

    /// Removes a namespace with all groups and namespaces below it, but what is protected and what keeps that.
    pub fn forget_namespace(&self, namespace: &Namespace) -> Result<NamespaceRemoval, StoreError> {
        let tried = || format!("remove namespace '{namespace}' of datastore '{}'", self.name());
        if namespace.is_root() {
            let reason = "the root namespace can't be removed";
            return Err(StoreError::new(StoreErrorKind::InvalidInput, tried(), reason));
        }
        let mut result = NamespaceRemoval::default();
        // Children first.
        for below in self.namespaces(namespace, None)?.items.into_iter().rev() {
            for group in self.groups(&below)?.items {
                let removal = self.forget_group(&GroupPath { namespace: below.clone(), group })?;
                result.snapshots += removal.removed;
                result.protected += removal.protected;
                result.groups += usize::from(removal.protected == 0);
            }
            result.namespaces += usize::from(self.remove_empty_namespace(&below).tried(tried)?);
        }
        Ok(result)
    }

    /// Whether it was empty, and so was removed.
    fn remove_empty_namespace(&self, namespace: &Namespace) -> io::Result<bool> {
        let dir = self.namespace_dir(namespace);
        let types = BackupType::ALL.map(BackupType::as_str);
        let folders = types.into_iter().chain(["ns"]).map(|name| dir.join(name));
        for folder in folders.chain([dir.clone()]) {
            match fs::remove_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => return Ok(false),
                result => result?,
            }
        }
        Ok(true)
    }
}
