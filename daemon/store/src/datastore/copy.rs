//! A snapshot whose files are taken over byte for byte from another datastore, as a sync does (`sync.md` §7).
//!
//! Files get their names one by one, the manifest last. What an interrupted copy left stays where it is: the next one
//! finds which files are whole and goes on from there.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use reel_types::{ArchiveKind, ArchiveName, SnapshotPath};

use super::Datastore;
use super::listing::MANIFEST_FILE;
use super::snapshots::BLOB_FILE_BYTES_MAX;
use crate::failure::{FormatContext, IoContext, StoreError, StoreErrorKind};
use crate::files::{FILE_MODE, open_regular, read_bounded};
use crate::index::{ChunkIndex, Index};
use crate::locks::{FolderLock, LockMode};
use crate::manifest::{Manifest, ManifestFile};

/// A snapshot that becomes the copy of another; nobody else changes or removes it meanwhile.
#[derive(Debug)]
pub struct SnapshotCopy {
    store: Arc<Datastore>,
    snapshot: SnapshotPath,
    is_new: bool,
    _lock: FolderLock,
}

/// A file of a copy that has not got its name yet.
#[derive(Debug)]
pub struct CopiedFile {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    what: String,
}

impl Datastore {
    /// Makes the folder of a snapshot, or goes on with the one that is there. The group must be there, and the caller
    /// hold its lock.
    ///
    /// # Errors
    /// `Locked` where somebody reads the snapshot or is about to remove it.
    pub fn copy_snapshot(
        self: &Arc<Self>,
        snapshot: &SnapshotPath,
    ) -> Result<SnapshotCopy, StoreError> {
        let is_new = match self.user().make_dir(&self.snapshot_dir(snapshot), 0o777) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) => {
                let tried = format!("create {}", self.snapshot_text(snapshot));
                return Err(StoreError::io(tried, error));
            }
        };
        let lock = self.lock_snapshot(snapshot, LockMode::Exclusive)?;
        Ok(SnapshotCopy { store: self.clone(), snapshot: snapshot.clone(), is_new, _lock: lock })
    }
}

impl SnapshotCopy {
    /// Whether nothing was there before.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The manifest as it stands here; none while the snapshot is not finished.
    pub fn manifest_raw(&self) -> Result<Option<Bytes>, StoreError> {
        let what = format!("the manifest of {}", self.text());
        match read_bounded(&self.dir().join(MANIFEST_FILE), BLOB_FILE_BYTES_MAX, &what) {
            Ok(raw) => Ok(Some(raw.into())),
            Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a file of this name is there, whatever is in it.
    pub fn is_there(&self, name: &ArchiveName) -> Result<bool, StoreError> {
        let path = self.dir().join(name.as_str());
        crate::files::exists(&path).tried(|| format!("look for {}", self.file_text(name)))
    }

    /// Whether the file that is here is the one that `listed` tells of, by its size and csum.
    ///
    /// # Errors
    /// `NotFound` where there is none, and where it can't be read.
    pub fn is_same(&self, listed: &ManifestFile) -> Result<bool, StoreError> {
        let what = self.file_text(&listed.name);
        let path = self.dir().join(listed.name.as_str());
        same_content(&path, listed, &what)
    }

    /// Begins a file anew, beside whatever has its name.
    pub fn begin(&self, name: &ArchiveName) -> Result<CopiedFile, StoreError> {
        let path = self.dir().join(name.as_str());
        let what = self.file_text(name);
        let temporary = path.with_extension("tmp");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .custom_flags(libc::O_NOFOLLOW)
            .mode(FILE_MODE)
            .open(&temporary)
            .and_then(|file| self.store.user().own(&file).map(|()| file))
            .tried(|| format!("create {what}"))?;
        Ok(CopiedFile { file, temporary, path, what })
    }

    /// Gives the manifest its name, which makes the snapshot a finished one, after all else is on the disk.
    ///
    /// # Errors
    /// `NotFound` where a file that it lists is not here.
    pub fn finish(&self, manifest: &Manifest, file: CopiedFile) -> Result<(), StoreError> {
        for listed in manifest.files() {
            if !self.is_there(&listed.name)? {
                let tried = format!("finish {}", self.text());
                let reason = format!("'{}' of its manifest is missing", listed.name);
                return Err(StoreError::new(StoreErrorKind::NotFound, tried, reason));
            }
        }
        self.store.chunks().sync_at_finish()?;
        file.place()
    }

    /// Removes what does not belong to a finished snapshot: files of an earlier content, and those that an interrupted
    /// copy left. What begins with a dot stays, as the mark of protection does (`sync.md` §12).
    pub fn remove_strangers(&self, manifest: &Manifest) -> Result<(), StoreError> {
        let tried = || format!("tidy up {}", self.text());
        let belongs = |name: &str| {
            name.starts_with('.')
                || [MANIFEST_FILE, ArchiveName::CLIENT_LOG].contains(&name)
                || manifest.files().iter().any(|file| file.name.as_str() == name)
        };
        for entry in fs::read_dir(self.dir()).tried(tried)? {
            let entry = entry.tried(tried)?;
            let is_stranger = !entry.file_name().to_str().is_some_and(belongs);
            if is_stranger && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                // It is in nobody's way.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// Removes a snapshot that is not finished, with all that was copied.
    pub fn undo(self) -> Result<(), StoreError> {
        fs::remove_dir_all(self.dir()).tried(|| format!("remove the unfinished {}", self.text()))
    }

    fn dir(&self) -> PathBuf {
        self.store.snapshot_dir(&self.snapshot)
    }

    fn text(&self) -> String {
        self.store.snapshot_text(&self.snapshot)
    }

    fn file_text(&self, name: &ArchiveName) -> String {
        format!("file '{name}' of {}", self.text())
    }
}

impl CopiedFile {
    /// Where its content goes.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The index that was written.
    pub fn index(&self, kind: ArchiveKind) -> Result<Index<File>, StoreError> {
        let tried = || format!("read {}", self.what);
        let file = open_regular(&self.temporary, &self.what)?;
        Index::open(kind, file).decoding(tried)
    }

    /// Fails where what was written is not what the manifest tells.
    pub fn verify(&self, listed: &ManifestFile) -> Result<(), StoreError> {
        if same_content(&self.temporary, listed, &self.what)? {
            return Ok(());
        }
        let reason = "its size or checksum is not the one that the manifest tells";
        Err(StoreError::new(StoreErrorKind::Checksum, format!("copy {}", self.what), reason))
    }

    /// Gives the file its name, in the place of what had it.
    pub fn place(self) -> Result<(), StoreError> {
        fs::rename(&self.temporary, &self.path).tried(|| format!("write {}", self.what))
    }

    /// Removes what was written.
    pub fn discard(self) -> Result<(), StoreError> {
        fs::remove_file(&self.temporary).tried(|| format!("remove {}", self.what))
    }
}

fn same_content(path: &Path, listed: &ManifestFile, what: &str) -> Result<bool, StoreError> {
    let tried = || format!("read {what}");
    if listed.name.kind() == ArchiveKind::Blob {
        let length = fs::metadata(path).tried(tried)?.len();
        return Ok(length == listed.size
            && listed.verify_blob(&read_bounded(path, BLOB_FILE_BYTES_MAX, what)?).is_ok());
    }
    let index = Index::open(listed.name.kind(), open_regular(path, what)?).decoding(tried)?;
    Ok(index.size() == listed.size && index.csum().decoding(tried)? == listed.csum)
}
