//! The small files of a snapshot on tape, as they were kept in the cache.
//!
//! They came from tape with the archive's own checks; that they agree with their manifest is checked here, because
//! a tape may be somebody else's and a cache's disk may fail.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use nix::libc;
use reel_store::view::SharedIndex;
use reel_store::{CHUNK_ENCODED_MAX, ChunkIndex, CryptMode, DataBlob, Index, Manifest};
use reel_types::{ArchiveName, SnapshotPath, StoreName};

use super::cannot;
use crate::failure::{Failure, Outcome};

/// Files of a snapshot in a folder.
pub(super) struct KeptFiles {
    folder: PathBuf,
    /// `snapshot '…' of datastore '…' in media set …`.
    text: String,
    manifest: Manifest,
    manifest_raw: Bytes,
}

impl KeptFiles {
    /// Reads the manifest in `folder`.
    pub(super) fn open(
        folder: &Path,
        text: String,
        path: &SnapshotPath,
        store: &StoreName,
    ) -> Outcome<Self> {
        let manifest_raw = read_blob_file(&folder.join(ArchiveName::MANIFEST), &text)?;
        let manifest = Manifest::from_raw(manifest_raw.clone()).map_err(|error| {
            Failure::new(error.errno(), format!("read the manifest of {text}: {error}"))
        })?;
        if *manifest.snapshot() != path.snapshot {
            let other = manifest.snapshot();
            let reason =
                format!("the manifest of {text} describes '{other}'; it is not of '{store}'");
            return Err(Failure::new(libc::EIO, reason));
        }
        Ok(Self { folder: folder.into(), text, manifest, manifest_raw })
    }

    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(super) fn manifest_raw(&self) -> &Bytes {
        &self.manifest_raw
    }

    pub(super) fn text(&self, name: &ArchiveName) -> String {
        format!("file '{name}' of {}", self.text)
    }

    pub(super) fn index(&self, name: &ArchiveName) -> Outcome<(SharedIndex, CryptMode)> {
        let tried = format!("open {}", self.text(name));
        let refuse = |error: reel_store::FormatError| {
            super::as_damage(Failure::new(error.errno(), format!("{tried}: {error}")))
        };
        let listed = self.manifest.file(name.as_str()).map_err(refuse)?;
        let file =
            File::open(self.folder.join(name.as_str())).map_err(|error| cannot(&tried, &error))?;
        let index = Index::open(name.kind(), file).map_err(refuse)?;
        index.verify(listed.size, &listed.csum).map_err(refuse)?;
        Ok((Arc::new(index), listed.crypt_mode))
    }

    pub(super) fn blob(&self, name: &ArchiveName) -> Outcome<DataBlob> {
        let text = self.text(name);
        let raw = read_blob_file(&self.folder.join(name.as_str()), &text)?;
        let checked = match name.as_str() {
            ArchiveName::CLIENT_LOG => Ok(()),
            listed => self.manifest.file(listed).and_then(|file| file.verify_blob(&raw)),
        };
        checked.and_then(|()| DataBlob::from_raw(raw)).map_err(|error| {
            super::as_damage(Failure::new(error.errno(), format!("open {text}: {error}")))
        })
    }
}

fn read_blob_file(path: &Path, text: &str) -> Outcome<Bytes> {
    let tried =
        |error: io::Error| cannot(&format!("read {text} from '{}'", path.display()), &error);
    let length = fs::metadata(path).map_err(tried)?.len();
    if length > CHUNK_ENCODED_MAX as u64 {
        let reason = format!("read {text}: '{}' is too large for a blob", path.display());
        return Err(Failure::new(libc::EIO, reason));
    }
    fs::read(path).map(Bytes::from).map_err(tried)
}
