//! The files of a snapshot as the mount shows them.

use std::ffi::{OsStr, OsString};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reel_fs::{Attributes, Caching, Caller, Content, ContentHandle, ControlLog, FsError, Seek};
use reel_store::view;
use reel_store::{CryptConfig, ManifestFile};
use reel_types::{ArchiveKind, ArchiveName};

use super::Tree;
use super::facts::{fs_error, system_time};
use super::listing::{ListedFile, SnapshotListing};
use super::snapshot::SnapshotPlace;
use crate::content::{OpenContent, open_file};
use crate::failure::{Failure, Outcome};

/// A file of a snapshot, decoded.
pub(super) struct DecodedFile {
    pub(super) tree: Arc<Tree>,
    pub(super) place: Arc<dyn SnapshotPlace>,
    pub(super) listing: Arc<SnapshotListing>,
    pub(super) file: ListedFile,
}

impl DecodedFile {
    fn is_manifest(&self) -> bool {
        self.file.name.as_str() == ArchiveName::MANIFEST
    }

    /// The key that the snapshot needs, if it was given.
    fn key(&self) -> Option<Arc<CryptConfig>> {
        let manifest = &self.listing.manifest.as_ref().ok()?.manifest;
        self.place.key(&manifest.key_fingerprint().ok()??)
    }

    fn blob_size(&self) -> Option<u64> {
        if self.is_manifest() {
            return self.listing.manifest.as_ref().ok().map(|read| read.json.len() as u64);
        }
        let path = self.place.folder().ok()?.join(self.file.name.as_str());
        self.tree.sizes.of_blob(&path, self.file.listed.as_ref(), || self.key())
    }

    fn open_content(&self) -> Outcome<OpenContent> {
        let folder = self.place.folder()?;
        let snapshot = self.tree.held_snapshot(folder, || self.place.open())?;
        open_file(&snapshot, &self.file.name, &self.tree.reeld.views)
    }
}

impl Content for DecodedFile {
    fn size(&self) -> Result<u64, FsError> {
        let stored = self.file.stored_bytes.unwrap_or(0);
        Ok(match (self.file.name.kind(), &self.file.listed) {
            (ArchiveKind::Blob, _) => self.blob_size().unwrap_or(stored),
            (_, Some(listed)) => listed.size,
            (_, None) => stored,
        })
    }

    fn attributes(&self) -> Attributes {
        Attributes::FILE.modified_at(system_time(self.place.time().epoch()))
    }

    fn allocated(&self) -> Result<u64, FsError> {
        let size = self.size()?;
        let Some(listed) =
            self.file.listed.as_ref().filter(|file| file.name.kind() == ArchiveKind::Fixed)
        else {
            return Ok(size);
        };
        let path = self.place.folder().map_err(fs_error)?.join(self.file.name.as_str());
        Ok(self.tree.sizes.allocated(&path, listed, || self.key()).unwrap_or(size))
    }

    /// What the manifest lists can't change; the manifest itself and the client's log can.
    fn caching(&self) -> Caching {
        self.file.listed.as_ref().map_or(Caching::Never, immutable)
    }

    fn open(&self, caller: &Caller) -> Result<Arc<dyn ContentHandle>, FsError> {
        let faults = Faults::new(self.place.log(), *caller, &self.file.name);
        let opened = self.open_content().map_err(unfinished);
        let content = opened.map_err(|failure| faults.noted(failure))?;
        Ok(Arc::new(Handle::new(content, faults)))
    }

    fn xattr_names(&self) -> Result<Vec<OsString>, FsError> {
        Ok(self.place.xattr_names(&self.file.name).iter().map(OsString::from).collect())
    }

    fn xattr(&self, name: &OsStr) -> Result<Option<Vec<u8>>, FsError> {
        let names = self.place.xattr_names(&self.file.name);
        let Some(name) = names.iter().find(|known| name == **known) else { return Ok(None) };
        let value = self.place.xattr(&self.file.name, name).map_err(fs_error)?;
        Ok(value.map(String::into_bytes))
    }
}

/// The kernel may keep what a manifest lists, as long as it lists the same.
pub(super) fn immutable(listed: &ManifestFile) -> Caching {
    let bytes = listed.csum.iter().take(8);
    Caching::Immutable { version: bytes.fold(0, |version, byte| version << 8 | u64::from(*byte)) }
}

/// The name was listed, so what is missing is content.
pub(super) fn unfinished(failure: Failure) -> Failure {
    match failure.errno {
        nix::libc::ENOENT => Failure { errno: nix::libc::EIO, ..failure },
        _ => failure,
    }
}

/// A file of a snapshot as it is stored.
pub(super) struct StoredFile {
    pub(super) tree: Arc<Tree>,
    pub(super) place: Arc<dyn SnapshotPlace>,
    pub(super) name: ArchiveName,
    pub(super) stored_bytes: u64,
}

impl Content for StoredFile {
    fn size(&self) -> Result<u64, FsError> {
        Ok(self.stored_bytes)
    }

    fn attributes(&self) -> Attributes {
        Attributes::FILE.modified_at(system_time(self.place.time().epoch()))
    }

    fn open(&self, caller: &Caller) -> Result<Arc<dyn ContentHandle>, FsError> {
        let faults = Faults::new(self.place.log(), *caller, &self.name);
        let open = || {
            let path = self.place.folder()?.join(self.name.as_str());
            OpenContent::stored(path, Arc::clone(&self.tree.reeld.views.blocking))
        };
        let content = open().map_err(|failure| faults.noted(failure))?;
        Ok(Arc::new(Handle::new(content, faults)))
    }
}

/// An open file of either kind.
pub(super) struct Handle {
    content: OpenContent,
    faults: Arc<Faults>,
}

impl Handle {
    /// A handle that notes what can't be read.
    pub(super) fn new(content: OpenContent, faults: Faults) -> Self {
        Self { content, faults: Arc::new(faults) }
    }
}

impl ContentHandle for Handle {
    fn read(&self, offset: u64, size: u32) -> BoxFuture<'static, Result<Bytes, FsError>> {
        let faults = Arc::clone(&self.faults);
        let read = self.content.read(offset, size as usize);
        read.map(move |read| read.map_err(|failure| faults.noted(failure))).boxed()
    }

    fn seek_hole_data(&self, offset: u64, whence: Seek) -> Result<Option<u64>, FsError> {
        let whence = match whence {
            Seek::Data => view::Seek::Data,
            Seek::Hole => view::Seek::Hole,
        };
        let found = self.content.seek_hole_data(offset, whence);
        found.map_err(|failure| self.faults.noted(failure))
    }
}

/// Notes in the snapshot's `last-error` what could not be read, each fault once a handle: the kernel asks for a bad
/// piece several times.
pub(super) struct Faults {
    log: Arc<ControlLog>,
    caller: Caller,
    command: String,
    last: Mutex<Option<String>>,
}

impl Faults {
    pub(super) fn new(log: Arc<ControlLog>, caller: Caller, name: &ArchiveName) -> Self {
        Self { log, caller, command: format!("read {name}"), last: Mutex::default() }
    }

    pub(super) fn noted(&self, failure: Failure) -> FsError {
        let error = fs_error(failure);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_deref() != Some(error.message()) {
            self.log.refused(&self.caller, &self.command, &error);
            *last = Some(error.message().into());
        }
        error
    }
}
