//! Writing a snapshot in PBS's order (`datastore.md` §6).
//!
//! Group and its lock, owner, base, folder and its lock, chunks and indexes, blobs, and last of all
//! the manifest: its presence is what makes a snapshot finished. A writer that is dropped before
//! [`SnapshotWriter::finish`] removes the folder; what a crash leaves is an unfinished snapshot, which
//! nobody reads and the next prune removes. Chunks stay for the garbage collection either way.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reel_types::{ArchiveKind, ArchiveName, AuthId, BackupType, Digest, SnapshotPath};

use super::Datastore;
use crate::blob::DataBlob;
use crate::chunk_store::Inserted;
use crate::crypto::CryptConfig;
use crate::failure::{FormatContext, IoContext, StoreError, StoreErrorKind};
use crate::files::{FILE_MODE, exists};
use crate::index::{FIXED_CHUNK_SIZE, FixedIndexWriter};
use crate::locks::{FolderLock, LockMode, SharedGuard};
use crate::manifest::{ChunkUploadStats, CryptMode, Manifest, ManifestFile, VerifyOutcome};

/// The newest finished snapshot of the group, held so that its chunks stay.
#[derive(Debug)]
struct Base {
    snapshot: SnapshotPath,
    _lock: FolderLock,
}

/// A snapshot that is being written.
#[derive(Debug)]
pub struct SnapshotWriter {
    store: Arc<Datastore>,
    snapshot: SnapshotPath,
    base: Option<Base>,
    content: Mutex<Content>,
    finished: bool,
    // In this order: the snapshot's lock is released before its group's.
    _lock: FolderLock,
    _group_lock: FolderLock,
}

#[derive(Debug, Default)]
struct Content {
    files: Vec<ManifestFile>,
    stats: ChunkUploadStats,
}

impl Datastore {
    /// Starts a snapshot for `actor`, who must own the group or gets a new one.
    ///
    /// Its time must lie behind that of the newest finished snapshot, unless the last verification of
    /// that one failed.
    pub fn create_snapshot(
        self: &Arc<Self>,
        snapshot: &SnapshotPath,
        actor: &AuthId,
    ) -> Result<SnapshotWriter, StoreError> {
        let group = snapshot.group_path();
        if group.group.kind == BackupType::Host && group.group.id.as_str() == "benchmark" {
            let reason = "this group is reserved for benchmarks, which keep nothing";
            let tried = format!("create {}", self.snapshot_text(snapshot));
            return Err(StoreError::new(StoreErrorKind::InvalidInput, tried, reason)
                .advise("choose another backup id"));
        }
        let (owner, group_lock) = self.create_group(&group, actor)?;
        self.check_ownership(&group, &owner, actor)?;
        let base = self.lock_base(snapshot)?;
        let lock = self.make_snapshot_dir(snapshot)?;
        Ok(SnapshotWriter {
            store: self.clone(),
            snapshot: snapshot.clone(),
            base,
            content: Mutex::default(),
            finished: false,
            _lock: lock,
            _group_lock: group_lock,
        })
    }

    fn lock_base(&self, snapshot: &SnapshotPath) -> Result<Option<Base>, StoreError> {
        let group = snapshot.group_path();
        let finished = self.snapshots(&group)?.items.into_iter().rfind(|entry| entry.finished);
        let Some(newest) = finished.map(|entry| group.at(entry.time)) else { return Ok(None) };
        if self.has_failed_verification(&newest) {
            return Ok(None);
        }
        if snapshot.snapshot.time <= newest.snapshot.time {
            let tried = format!("create {}", self.snapshot_text(snapshot));
            let reason = format!("snapshot '{newest}' is not older");
            return Err(StoreError::new(StoreErrorKind::InvalidInput, tried, reason)
                .advise("choose a later time"));
        }
        let lock = self.lock_snapshot(&newest, LockMode::Shared)?;
        Ok(Some(Base { snapshot: newest, _lock: lock }))
    }

    /// A state that can't be read counts as good.
    fn has_failed_verification(&self, snapshot: &SnapshotPath) -> bool {
        let state =
            self.manifest(snapshot).ok().and_then(|manifest| manifest.verify_state().ok()?);
        state.is_some_and(|state| state.state == VerifyOutcome::Failed)
    }

    fn make_snapshot_dir(&self, snapshot: &SnapshotPath) -> Result<FolderLock, StoreError> {
        let dir = self.snapshot_dir(snapshot);
        let tried = || format!("create {}", self.snapshot_text(snapshot));
        self.user().make_dir(&dir, 0o777).tried(tried).map_err(|error| match error.kind() {
            StoreErrorKind::Exists => error.advise("choose another time, or forget that snapshot"),
            _ => error,
        })?;
        self.lock_snapshot(snapshot, LockMode::Exclusive).inspect_err(|_| {
            if let Err(error) = fs::remove_dir(&dir) {
                tracing::warn!("remove the empty snapshot at {dir:?}: {error}");
            }
        })
    }
}

impl SnapshotWriter {
    /// Which snapshot it is.
    pub fn snapshot(&self) -> &SnapshotPath {
        &self.snapshot
    }

    /// The newest finished snapshot of the group before this one, if it can be built upon.
    pub fn base(&self) -> Option<&SnapshotPath> {
        self.base.as_ref().map(|base| &base.snapshot)
    }

    /// Stores a blob; one of the same name that was stored before is replaced.
    pub fn add_blob(
        &self,
        name: &ArchiveName,
        blob: &DataBlob,
        crypt_mode: CryptMode,
    ) -> Result<(), StoreError> {
        let tried = || self.writing(name);
        if name.kind() != ArchiveKind::Blob || name.as_str() == ArchiveName::MANIFEST {
            let reason = "a blob's name must end in '.blob' and not be the manifest's";
            return Err(StoreError::new(StoreErrorKind::InvalidInput, tried(), reason));
        }
        blob.verify_crc().decoding(tried)?;
        self.store
            .user()
            .replace(&self.dir(), name.as_str(), blob.raw(), FILE_MODE)
            .tried(tried)?;
        self.list(ManifestFile::of_blob(name.clone(), crypt_mode, blob.raw()));
        Ok(())
    }

    /// Starts an image of `size` bytes in chunks of 4 MiB.
    pub fn image(
        &self,
        name: &ArchiveName,
        size: u64,
        crypt_mode: CryptMode,
    ) -> Result<ImageWriter<'_>, StoreError> {
        let tried = || self.writing(name);
        if name.kind() != ArchiveKind::Fixed {
            let reason = "an image's name must end in '.fidx'";
            return Err(StoreError::new(StoreErrorKind::InvalidInput, tried(), reason));
        }
        let guard = self.store.chunks.process_lock().shared(self.store.now())?;
        let temporary = TemporaryFile(self.dir().join(name.as_str()).with_extension("tmp_fidx"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let file = options.open(&temporary.0).tried(tried)?;
        self.store.user().own(&file).tried(tried)?;
        let uuid = uuid::Uuid::new_v4().into_bytes();
        let index = FixedIndexWriter::create(file, size, FIXED_CHUNK_SIZE, uuid, self.store.now())
            .decoding(tried)?;
        Ok(ImageWriter {
            snapshot: self,
            name: name.clone(),
            crypt_mode,
            index: Mutex::new(index),
            temporary,
            _guard: guard,
        })
    }

    /// Writes the manifest, signed where there is a key, and makes everything durable as the sync
    /// level says. Only after this the snapshot is there.
    pub fn finish(mut self, crypt: Option<&CryptConfig>) -> Result<ChunkUploadStats, StoreError> {
        let tried = || format!("finish {}", self.store.snapshot_text(&self.snapshot));
        let Content { files, stats } = std::mem::take(&mut *self.content());
        if files.is_empty() {
            let reason = "nothing was stored in it";
            return Err(StoreError::new(StoreErrorKind::InvalidInput, tried(), reason));
        }
        self.check_base()?;
        let mut manifest = Manifest::new(self.snapshot.snapshot.clone());
        for file in files {
            manifest.add_file(file).decoding(tried)?;
        }
        manifest.set_chunk_upload_stats(&stats);
        if let Some(crypt) = crypt {
            manifest.sign(crypt).decoding(tried)?;
        }
        let lock = self.store.environment.run.lock_manifest(self.store.name(), &self.snapshot)?;
        self.store.write_manifest(&self.snapshot, &manifest)?;
        drop(lock);
        self.store.chunks.sync_at_finish()?;
        self.finished = true;
        Ok(stats)
    }

    /// Chunks that the new snapshot shares with a base that was removed by force may be gone.
    fn check_base(&self) -> Result<(), StoreError> {
        let Some(base) = &self.base else { return Ok(()) };
        let tried = || format!("finish {}", self.store.snapshot_text(&self.snapshot));
        if exists(&self.store.snapshot_dir(&base.snapshot)).tried(tried)? {
            return Ok(());
        }
        let reason = format!("its base '{}' was removed meanwhile", base.snapshot);
        Err(StoreError::new(StoreErrorKind::NotFound, tried(), reason).advise("back up again"))
    }

    fn list(&self, file: ManifestFile) {
        let files = &mut self.content().files;
        match files.iter_mut().find(|known| known.name == file.name) {
            Some(known) => *known = file,
            None => files.push(file),
        }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dir(&self) -> PathBuf {
        self.store.snapshot_dir(&self.snapshot)
    }

    fn writing(&self, name: &ArchiveName) -> String {
        format!("write '{name}' of {}", self.store.snapshot_text(&self.snapshot))
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let dir = self.dir();
        if let Err(error) = fs::remove_dir_all(&dir) {
            tracing::error!("remove the unfinished snapshot at {dir:?}: {error}");
        }
    }
}

/// A file that goes unless it got its final name.
#[derive(Debug)]
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn rename(&self, to: &Path) -> std::io::Result<()> {
        fs::rename(&self.0, to)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if let Err(error) = crate::files::remove_file_if_there(&self.0) {
            tracing::warn!("remove {:?}: {error}", self.0);
        }
    }
}

/// An image that is being written; chunks may come in any order, from any thread.
#[derive(Debug)]
pub struct ImageWriter<'a> {
    snapshot: &'a SnapshotWriter,
    name: ArchiveName,
    crypt_mode: CryptMode,
    index: Mutex<FixedIndexWriter<File>>,
    temporary: TemporaryFile,
    _guard: SharedGuard,
}

impl ImageWriter<'_> {
    /// Stores the chunk of `length` plain bytes that ends at `end` of the image.
    pub fn add(
        &self,
        end: u64,
        length: u64,
        digest: &Digest,
        blob: &DataBlob,
    ) -> Result<Inserted, StoreError> {
        let inserted = self.snapshot.store.chunks.insert(blob, digest)?;
        self.refer(end, length, digest)?;
        let stats = &mut self.snapshot.content().stats;
        stats.count += 1;
        stats.size += length;
        stats.compressed_size += inserted.size();
        stats.duplicates += u64::from(matches!(inserted, Inserted::Duplicate(_)));
        Ok(inserted)
    }

    /// Uses once more a chunk that was stored in this snapshot.
    pub fn refer(&self, end: u64, length: u64, digest: &Digest) -> Result<(), StoreError> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        index.add(end, length, digest).decoding(|| self.snapshot.writing(&self.name))
    }

    /// Completes the index and gives it its name.
    pub fn close(self) -> Result<(), StoreError> {
        let tried = || self.snapshot.writing(&self.name);
        let index = self.index.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (summary, _file) = index.finish(None).decoding(tried)?;
        self.temporary.rename(&self.snapshot.dir().join(self.name.as_str())).tried(tried)?;
        self.snapshot.list(ManifestFile {
            name: self.name.clone(),
            crypt_mode: self.crypt_mode,
            size: summary.size,
            csum: summary.csum,
        });
        Ok(())
    }
}
