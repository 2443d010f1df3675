//! A datastore: namespaces, groups, snapshots and their files on disk (`datastore.md` §§4–8).
//!
//! Whatever PBS or an administrator left in the folders must not stop a listing: names that can't be
//! are skipped and reported beside the result ([`Listing`]). What is asked for by name and isn't as it
//! should be is an error. Everything that changes something takes PBS's locks in PBS's order.

mod copy;
mod groups;
mod import;
mod listing;
mod local_files;
mod reader;
mod removal;
mod snapshots;
mod writer;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use reel_types::{Clock, Digest, GroupPath, Namespace, ParseError, SnapshotPath, StoreName};

use crate::chunk_store::{ChunkStore, SyncLevel};
use crate::failure::StoreError;
use crate::files::ServiceUser;
use crate::locks::{FolderLock, LockMode, ProcessLocks, RunDir, SharedGuard};

pub use copy::{CopiedFile, SnapshotCopy};
pub use import::SnapshotImport;
pub use listing::{Listing, Skipped, SnapshotEntry};
pub use local_files::{LocalBackup, LocalSource};
pub use reader::{BlobFile, SnapshotIndex, SnapshotReader};
pub use removal::{GroupRemoval, NamespaceRemoval};
pub use snapshots::SnapshotFile;
pub use writer::{ImageWriter, SnapshotWriter};

/// In which order many chunks are read (`datastore.md` §13.3, `chunk-order`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ChunkOrder {
    /// As the index has them.
    None,
    /// By inode number, which on a hard disk is about the order of the platter.
    #[default]
    Inode,
}

impl FromStr for ChunkOrder {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "none" => Ok(Self::None),
            "inode" => Ok(Self::Inode),
            _ => Err(ParseError::new("chunk-order", text, "must be 'none' or 'inode'")),
        }
    }
}

/// What the configuration says of a datastore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatastoreConfig {
    /// Its name.
    pub name: StoreName,
    /// Its absolute base path.
    pub path: PathBuf,
    /// When writes are forced to the disk.
    pub sync_level: SyncLevel,
    /// In which order many chunks are read.
    pub chunk_order: ChunkOrder,
}

/// What all datastores of a process share.
#[derive(Clone)]
pub struct StoreEnvironment {
    /// The register of process locks; one for the whole process.
    pub locks: ProcessLocks,
    /// PBS's run folder.
    pub run: RunDir,
    /// Who owns what is written.
    pub user: ServiceUser,
    /// Tells what time it is.
    pub clock: Arc<dyn Clock>,
}

/// An open datastore; share it by `Arc`.
pub struct Datastore {
    chunks: Arc<ChunkStore>,
    chunk_order: ChunkOrder,
    environment: StoreEnvironment,
}

impl std::fmt::Debug for Datastore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Datastore").field("chunks", &self.chunks).finish_non_exhaustive()
    }
}

impl Datastore {
    /// Opens the datastore; its base must hold `.chunks`.
    pub fn open(
        config: &DatastoreConfig,
        environment: &StoreEnvironment,
    ) -> Result<Arc<Self>, StoreError> {
        let DatastoreConfig { name, path, sync_level, chunk_order } = config;
        let StoreEnvironment { locks, user, .. } = environment;
        let chunks = ChunkStore::open(name, path, *sync_level, locks, *user)?;
        Ok(Arc::new(Self {
            chunks: Arc::new(chunks),
            chunk_order: *chunk_order,
            environment: environment.clone(),
        }))
    }

    /// Its name.
    pub fn name(&self) -> &StoreName {
        self.chunks.name()
    }

    /// Its base folder.
    pub fn base(&self) -> &Path {
        self.chunks.base()
    }

    /// Its chunks.
    pub fn chunks(&self) -> &Arc<ChunkStore> {
        &self.chunks
    }

    /// Keeps collections of garbage by other processes from beginning, as long as the guard is there: whoever uses chunks
    /// that are here takes it first.
    pub fn keep_chunks(&self) -> Result<SharedGuard, StoreError> {
        self.chunks.process_lock().shared(self.now())
    }

    /// Sorts chunks into the order in which they are best read: as configured, by inode number with
    /// those that aren't there last, or as they are.
    pub fn sort_for_reading(&self, digests: &mut [Digest]) {
        if self.chunk_order == ChunkOrder::Inode {
            let inode =
                |digest: &Digest| std::fs::metadata(self.chunks.path(digest)).map(|m| m.ino());
            digests.sort_by_cached_key(|digest| inode(digest).unwrap_or(u64::MAX));
        }
    }

    fn user(&self) -> ServiceUser {
        self.environment.user
    }

    fn now(&self) -> i64 {
        self.environment.clock.now()
    }

    fn namespace_dir(&self, namespace: &Namespace) -> PathBuf {
        self.base().join(namespace.path())
    }

    fn group_dir(&self, group: &GroupPath) -> PathBuf {
        self.base().join(group.path())
    }

    fn snapshot_dir(&self, snapshot: &SnapshotPath) -> PathBuf {
        self.base().join(snapshot.path())
    }

    /// `snapshot 'vm/100/…' of datastore 'store1'`.
    fn snapshot_text(&self, snapshot: &SnapshotPath) -> String {
        format!("snapshot '{snapshot}' of datastore '{}'", self.name())
    }

    /// `group 'vm/100' of datastore 'store1'`.
    fn group_text(&self, group: &GroupPath) -> String {
        format!("group '{group}' of datastore '{}'", self.name())
    }

    fn lock_group(&self, group: &GroupPath) -> Result<FolderLock, StoreError> {
        let dir = self.group_dir(group);
        FolderLock::take(&dir, LockMode::Exclusive, &self.group_text(group))
    }

    fn lock_snapshot(
        &self,
        snapshot: &SnapshotPath,
        mode: LockMode,
    ) -> Result<FolderLock, StoreError> {
        FolderLock::take(&self.snapshot_dir(snapshot), mode, &self.snapshot_text(snapshot))
    }
}

#[cfg(test)]
pub(crate) mod tests;
