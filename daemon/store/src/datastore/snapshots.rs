//! One snapshot's manifest, notes, protection and files (`datastore.md` §§4.5, 7).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use bytes::Bytes;
use reel_types::{ArchiveName, SnapshotPath};

use super::Datastore;
use super::listing::{Listing, MANIFEST_FILE, PROTECTED_FILE};
use crate::blob::CHUNK_ENCODED_MAX;
use crate::failure::{FormatContext, IoContext, StoreError, StoreErrorKind};
use crate::files::{FILE_MODE, open_regular, read_bounded, remove_file_if_there};
use crate::locks::{FolderLock, LockMode};
use crate::manifest::Manifest;

/// A blob file has at most the size of an encoded chunk (`formats.md` §1.4).
pub(super) const BLOB_FILE_BYTES_MAX: u64 = CHUNK_ENCODED_MAX as u64;

/// A file in a snapshot's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Its name.
    pub name: ArchiveName,
    /// Bytes of the file itself, not of what it stands for.
    pub stored_bytes: u64,
}

impl Datastore {
    /// Loads the manifest; CRC and structure are checked, the signature isn't.
    pub fn manifest(&self, snapshot: &SnapshotPath) -> Result<Manifest, StoreError> {
        Ok(self.manifest_and_raw(snapshot)?.0)
    }

    /// The manifest and the bytes of its file.
    pub(super) fn manifest_and_raw(
        &self,
        snapshot: &SnapshotPath,
    ) -> Result<(Manifest, Bytes), StoreError> {
        let dir = self.require_snapshot(snapshot)?;
        let what = format!("the manifest of {}", self.snapshot_text(snapshot));
        let raw = read_bounded(&dir.join(MANIFEST_FILE), BLOB_FILE_BYTES_MAX, &what)
            .map(Bytes::from)
            .map_err(|error| error.advise("without its manifest a snapshot is not finished"))?;
        let manifest = Manifest::from_raw(raw.clone())
            .decoding(|| format!("read {what}"))
            .map_err(|error| error.advise("restore the snapshot from another copy"))?;
        Ok((manifest, raw))
    }

    /// Size of a finished snapshot as PBS shows it: what its files stand for and the manifest itself,
    /// in bytes.
    pub fn snapshot_size(&self, snapshot: &SnapshotPath) -> Result<u64, StoreError> {
        let (manifest, raw) = self.manifest_and_raw(snapshot)?;
        let files = manifest.files().iter().map(|file| file.size);
        Ok(files.fold(raw.len() as u64, u64::saturating_add))
    }

    /// Changes the manifest under its lock. Only its unprotected part may be changed, or its
    /// signature no longer fits.
    pub fn update_manifest(
        &self,
        snapshot: &SnapshotPath,
        change: impl FnOnce(&mut Manifest),
    ) -> Result<(), StoreError> {
        self.require_snapshot(snapshot)?;
        let _lock = self.environment.run.lock_manifest(self.name(), snapshot)?;
        let mut manifest = self.manifest(snapshot)?;
        change(&mut manifest);
        self.write_manifest(snapshot, &manifest)
    }

    pub(super) fn write_manifest(
        &self,
        snapshot: &SnapshotPath,
        manifest: &Manifest,
    ) -> Result<(), StoreError> {
        let tried = || format!("write the manifest of {}", self.snapshot_text(snapshot));
        let blob = manifest.to_blob().decoding(tried)?;
        let dir = self.snapshot_dir(snapshot);
        self.user().replace(&dir, MANIFEST_FILE, blob.raw(), FILE_MODE).tried(tried)
    }

    /// The snapshot's notes; empty where there are none.
    pub fn notes(&self, snapshot: &SnapshotPath) -> Result<String, StoreError> {
        Ok(self.manifest(snapshot)?.notes().unwrap_or_default().to_owned())
    }

    /// Replaces the snapshot's notes.
    pub fn set_notes(&self, snapshot: &SnapshotPath, notes: &str) -> Result<(), StoreError> {
        self.update_manifest(snapshot, |manifest| manifest.set_notes(notes))
    }

    /// Whether the snapshot is protected from removal.
    pub fn is_protected(&self, snapshot: &SnapshotPath) -> Result<bool, StoreError> {
        Ok(self.snapshot_entry(snapshot)?.protected)
    }

    /// Protects the snapshot from removal, or no longer; nobody else may hold it.
    pub fn set_protected(
        &self,
        snapshot: &SnapshotPath,
        protected: bool,
    ) -> Result<(), StoreError> {
        self.require_snapshot(snapshot)?;
        let _lock = self.lock_snapshot(snapshot, LockMode::Exclusive)?;
        let path = self.snapshot_dir(snapshot).join(PROTECTED_FILE);
        let result = if protected { self.make_marker(&path) } else { remove_file_if_there(&path) };
        result.tried(|| format!("change the protection of {}", self.snapshot_text(snapshot)))
    }

    fn make_marker(&self, path: &Path) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(FILE_MODE).open(path)?;
        self.user().own(&file)
    }

    /// Keeps a snapshot, finished or not, from being removed while the lock is held.
    pub fn hold_snapshot(&self, snapshot: &SnapshotPath) -> Result<FolderLock, StoreError> {
        self.require_snapshot(snapshot)?;
        self.lock_snapshot(snapshot, LockMode::Shared)
    }

    /// Opens a file of a snapshot, finished or not, as it is stored; nothing about it is checked but that it is a
    /// regular file.
    pub fn open_stored(
        &self,
        snapshot: &SnapshotPath,
        name: &ArchiveName,
    ) -> Result<File, StoreError> {
        let what = format!("file '{name}' of {}", self.snapshot_text(snapshot));
        open_regular(&self.snapshot_dir(snapshot).join(name.as_str()), &what)
    }

    /// The regular files in the snapshot's folder that can belong to it, by name.
    pub fn files(&self, snapshot: &SnapshotPath) -> Result<Listing<SnapshotFile>, StoreError> {
        let dir = self.require_snapshot(snapshot)?;
        let tried = || format!("list the files of {}", self.snapshot_text(snapshot));
        let mut listing = Listing::default();
        for entry in fs::read_dir(&dir).tried(tried)? {
            let entry = entry.tried(tried)?;
            if !is_archive_name(&entry.file_name()) {
                continue;
            }
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata.tried(tried)?,
            };
            let name = entry.file_name().into_string().map(|name| name.parse());
            match name {
                _ if !metadata.is_file() => {}
                Ok(Ok(name)) => {
                    listing.items.push(SnapshotFile { name, stored_bytes: metadata.len() });
                }
                Ok(Err(error)) => listing.skip(entry.path(), error),
                Err(_) => listing.skip(entry.path(), "the name is not UTF-8"),
            }
        }
        listing.items.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listing)
    }

    /// Fails with a kind of its own where the snapshot is protected.
    pub(super) fn refuse_protected(&self, snapshot: &SnapshotPath) -> Result<(), StoreError> {
        if !self.is_protected(snapshot)? {
            return Ok(());
        }
        let tried = format!("remove {}", self.snapshot_text(snapshot));
        Err(StoreError::new(StoreErrorKind::Protected, tried, "it is protected")
            .advise("unprotect it first"))
    }
}

fn is_archive_name(name: &std::ffi::OsStr) -> bool {
    let name = name.as_encoded_bytes();
    [&b".fidx"[..], b".didx", b".blob"].iter().any(|extension| name.ends_with(extension))
}
