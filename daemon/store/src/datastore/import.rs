//! Writing a snapshot whose files come ready-made from elsewhere, as a tape restore does
//! (`datastore.md` §5, `tape-format.md` §7).

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use reel_types::{ArchiveName, AuthId, SnapshotPath};

use super::Datastore;
use super::listing::MANIFEST_FILE;
use crate::failure::{IoContext, StoreError, StoreErrorKind};
use crate::files::{FILE_MODE, exists, remove_file_if_there};
use crate::locks::{FolderLock, LockMode, SharedGuard};
use crate::manifest::Manifest;

/// A snapshot that is being imported.
///
/// Chunks go to [`Datastore::chunks`] first, then files come here, the manifest last. Dropped
/// unfinished, it leaves nothing.
#[derive(Debug)]
pub struct SnapshotImport {
    store: Arc<Datastore>,
    snapshot: SnapshotPath,
    finished: bool,
    _guard: SharedGuard,
    _lock: FolderLock,
    _group_lock: FolderLock,
}

impl Datastore {
    /// Starts an import for `actor`, who must own the group or gets a new one.
    ///
    /// A finished snapshot of that name is `Exists`. What an earlier import left unfinished is written
    /// over. Its time may be any.
    pub fn import_snapshot(
        self: &Arc<Self>,
        snapshot: &SnapshotPath,
        actor: &AuthId,
    ) -> Result<SnapshotImport, StoreError> {
        let group = snapshot.group_path();
        let guard = self.chunks.process_lock().shared(self.now())?;
        let (owner, group_lock) = self.create_group(&group, actor)?;
        self.check_ownership(&group, &owner, actor)?;
        let dir = self.snapshot_dir(snapshot);
        let tried = || format!("create {}", self.snapshot_text(snapshot));
        self.user().make_dirs(&dir, 0o777).tried(tried)?;
        let lock = self.lock_snapshot(snapshot, LockMode::Exclusive)?;
        if exists(&dir.join(MANIFEST_FILE)).tried(tried)? {
            return Err(StoreError::new(StoreErrorKind::Exists, tried(), "it is there already"));
        }
        Ok(SnapshotImport {
            store: self.clone(),
            snapshot: snapshot.clone(),
            finished: false,
            _guard: guard,
            _lock: lock,
            _group_lock: group_lock,
        })
    }
}

impl SnapshotImport {
    /// Which snapshot it is.
    pub fn snapshot(&self) -> &SnapshotPath {
        &self.snapshot
    }

    /// Writes a file other than the manifest, which has its place in [`SnapshotImport::finish`];
    /// returns its length in bytes.
    pub fn add_file(&self, name: &ArchiveName, content: &mut dyn Read) -> Result<u64, StoreError> {
        let tried = || {
            let snapshot = self.store.snapshot_text(&self.snapshot);
            format!("write '{name}' of {snapshot}")
        };
        if name.as_str() == ArchiveName::MANIFEST {
            let reason = "the manifest is written last and by itself";
            return Err(StoreError::new(StoreErrorKind::InvalidInput, tried(), reason));
        }
        self.write(name, content).tried(tried)
    }

    fn write(&self, name: &ArchiveName, content: &mut dyn Read) -> io::Result<u64> {
        let path = self.dir().join(name.as_str());
        let temporary = path.with_extension("tmp");
        let mut file = File::create(&temporary)?;
        let written = io::copy(content, &mut file).and_then(|length| {
            file.set_permissions(std::fs::Permissions::from_mode(FILE_MODE))?;
            self.store.user().own(&file)?;
            std::fs::rename(&temporary, &path)?;
            Ok(length)
        });
        if written.is_err() {
            remove_file_if_there(&temporary)?;
        }
        written
    }

    /// Checks that every file of the manifest was written and writes it: the commit point.
    ///
    /// Nothing is synced; after the last import the caller calls
    /// [`crate::chunk_store::ChunkStore::sync_at_finish`].
    pub fn finish(mut self, manifest: &Manifest) -> Result<(), StoreError> {
        let tried = || format!("finish {}", self.store.snapshot_text(&self.snapshot));
        for file in manifest.files() {
            if !exists(&self.dir().join(file.name.as_str())).tried(tried)? {
                let reason = format!("'{}' of its manifest was not written", file.name);
                return Err(StoreError::new(StoreErrorKind::NotFound, tried(), reason));
            }
        }
        self.store.write_manifest(&self.snapshot, manifest)?;
        self.finished = true;
        Ok(())
    }

    fn dir(&self) -> PathBuf {
        self.store.snapshot_dir(&self.snapshot)
    }
}

impl Drop for SnapshotImport {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let dir = self.dir();
        if let Err(error) = std::fs::remove_dir_all(&dir) {
            tracing::error!("remove the unfinished snapshot at {dir:?}: {error}");
        }
    }
}
