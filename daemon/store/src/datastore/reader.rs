//! Reading a finished snapshot (`formats.md` §9, steps 1 and 2).

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use reel_types::{ArchiveKind, ArchiveName, SnapshotPath};

use super::Datastore;
use super::snapshots::BLOB_FILE_BYTES_MAX;
use crate::blob::DataBlob;
use crate::failure::{FormatContext, IoContext, StoreError, StoreErrorKind};
use crate::files::{exists, open_regular, read_bounded};
use crate::index::{ChunkIndex, Index};
use crate::locks::{FolderLock, LockMode};
use crate::manifest::{CryptMode, Manifest};

const ADVICE_OTHER_COPY: &str = "restore the snapshot from another copy";

/// An index that agrees with its snapshot's manifest.
#[derive(Debug, Clone)]
pub struct SnapshotIndex {
    /// The index.
    pub index: Arc<Index<File>>,
    /// Whether its chunks are encrypted, and whether they are signed for.
    pub crypt_mode: CryptMode,
}

/// A blob that agrees with its snapshot's manifest.
#[derive(Debug, Clone)]
pub struct BlobFile {
    /// The blob; its CRC is right.
    pub blob: DataBlob,
    /// The mode of the backup run. The blob itself tells whether it is encrypted: it need not be,
    /// whatever the mode (`formats.md` §5).
    pub crypt_mode: CryptMode,
}

/// A snapshot held for reading: nobody can remove it until this is dropped.
///
/// Indexes are checked against the manifest when they are first opened and then kept open; blobs are
/// read and checked each time.
#[derive(Debug)]
pub struct SnapshotReader {
    store: Arc<Datastore>,
    snapshot: SnapshotPath,
    manifest: Manifest,
    manifest_raw: Bytes,
    indexes: Mutex<HashMap<ArchiveName, SnapshotIndex>>,
    _lock: FolderLock,
}

impl Datastore {
    /// Opens a finished snapshot for reading and locks it shared.
    pub fn open_snapshot(
        self: &Arc<Self>,
        snapshot: &SnapshotPath,
    ) -> Result<SnapshotReader, StoreError> {
        self.require_snapshot(snapshot)?;
        let lock = self.lock_snapshot(snapshot, LockMode::Shared)?;
        let (manifest, manifest_raw) = self.manifest_and_raw(snapshot)?;
        Ok(SnapshotReader {
            store: self.clone(),
            snapshot: snapshot.clone(),
            manifest,
            manifest_raw,
            indexes: Mutex::default(),
            _lock: lock,
        })
    }
}

impl SnapshotReader {
    /// Which snapshot it is.
    pub fn snapshot(&self) -> &SnapshotPath {
        &self.snapshot
    }

    /// The datastore that it lies in.
    pub fn store(&self) -> &Arc<Datastore> {
        &self.store
    }

    /// The manifest as it was when the snapshot was opened; its signature is not checked.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The bytes of the manifest's file.
    pub fn manifest_raw(&self) -> &Bytes {
        &self.manifest_raw
    }

    /// All stored files in the order of a snapshot archive on tape: the manifest, what it lists, the
    /// client's log if there is one (`tape-format.md` §7).
    pub fn stored_files(&self) -> Result<Vec<ArchiveName>, StoreError> {
        let mut names = vec![well_known(ArchiveName::MANIFEST)?];
        names.extend(self.manifest.files().iter().map(|file| file.name.clone()));
        let log = well_known(ArchiveName::CLIENT_LOG)?;
        if exists(&self.path(&log)).tried(|| self.opening(&log))? {
            names.push(log);
        }
        Ok(names)
    }

    /// Opens a file as it is stored; nothing about it is checked but that it is a regular file.
    pub fn open_stored(&self, name: &ArchiveName) -> Result<File, StoreError> {
        open_regular(&self.path(name), &self.text(name))
            .map_err(|error| error.advise(ADVICE_OTHER_COPY))
    }

    /// Opens an index and compares its size and csum with the manifest.
    pub fn index(&self, name: &ArchiveName) -> Result<SnapshotIndex, StoreError> {
        // Held over the check, so that many readers of one file don't all compute its csum.
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = indexes.get(name) {
            return Ok(known.clone());
        }
        let opened = self.open_index(name)?;
        indexes.insert(name.clone(), opened.clone());
        Ok(opened)
    }

    fn open_index(&self, name: &ArchiveName) -> Result<SnapshotIndex, StoreError> {
        let tried = || self.opening(name);
        let listed = self.manifest.file(name.as_str()).decoding(tried)?;
        let index = Index::open(name.kind(), self.open_stored(name)?)
            .and_then(|index| index.verify(listed.size, &listed.csum).map(|()| index))
            .decoding(tried)
            .map_err(|error| error.advise(ADVICE_OTHER_COPY))?;
        Ok(SnapshotIndex { index: Arc::new(index), crypt_mode: listed.crypt_mode })
    }

    /// Opens a blob, checks its CRC and compares it with the manifest, which lists all but the
    /// client's log.
    pub fn blob(&self, name: &ArchiveName) -> Result<BlobFile, StoreError> {
        let tried = || self.opening(name);
        if name.kind() != ArchiveKind::Blob {
            let reason = "it is an index, not a blob";
            return Err(StoreError::new(StoreErrorKind::InvalidInput, tried(), reason));
        }
        let listed = match name.as_str() {
            ArchiveName::CLIENT_LOG | ArchiveName::MANIFEST => None,
            listed => Some(self.manifest.file(listed).decoding(tried)?),
        };
        let raw = read_bounded(&self.path(name), BLOB_FILE_BYTES_MAX, &self.text(name))
            .map(Bytes::from)
            .map_err(|error| error.advise(ADVICE_OTHER_COPY))?;
        let blob = listed
            .map_or(Ok(()), |listed| listed.verify_blob(&raw))
            .and_then(|()| DataBlob::from_raw(raw))
            .decoding(tried)
            .map_err(|error| error.advise(ADVICE_OTHER_COPY))?;
        let crypt_mode = listed.map_or(CryptMode::None, |listed| listed.crypt_mode);
        Ok(BlobFile { blob, crypt_mode })
    }

    fn path(&self, name: &ArchiveName) -> std::path::PathBuf {
        self.store.snapshot_dir(&self.snapshot).join(name.as_str())
    }

    /// `file 'disk.img.fidx' of snapshot '…' of datastore '…'`.
    pub fn text(&self, name: &ArchiveName) -> String {
        format!("file '{name}' of {}", self.store.snapshot_text(&self.snapshot))
    }

    fn opening(&self, name: &ArchiveName) -> String {
        format!("open {}", self.text(name))
    }
}

/// Names that are part of the format always parse; the error is for the compiler's sake.
pub(super) fn well_known(name: &str) -> Result<ArchiveName, StoreError> {
    name.parse().map_err(|cause: reel_types::ParseError| {
        StoreError::new(StoreErrorKind::InvalidInput, "use a file's name", cause.to_string())
            .caused_by(cause)
    })
}
