//! The cache's files: `<root>/ab/cd/<digest>`, private to whoever runs the program.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use reel_types::Digest;

use crate::blob::{CHUNK_ENCODED_MAX, DataBlob};
use crate::failure::{FormatContext, IoContext, StoreError};
use crate::files::read_bounded;

const FOLDER_MODE: u32 = 0o700;
/// Shorter files can't hold a blob.
const FILE_BYTES_MIN: u64 = 12;

pub(super) struct Files {
    root: PathBuf,
}

/// A file that a former process left.
pub(super) struct Found {
    pub(super) digest: Digest,
    pub(super) bytes: u64,
    used: SystemTime,
}

impl Files {
    pub(super) fn open(root: &Path) -> Result<Self, StoreError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(FOLDER_MODE);
        builder.create(root).tried(|| format!("make the cache folder {root:?}"))?;
        Ok(Self { root: root.to_owned() })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.root.join(&name[..2]).join(&name[2..4]).join(&name)
    }

    /// All files of the cache, the one used longest ago first. What is no whole file is removed.
    pub(super) fn scan(&self) -> Result<Vec<Found>, StoreError> {
        let mut found = Vec::new();
        let tried = || format!("list the cache at {:?}", self.root);
        for outer in folders_in(&self.root).tried(tried)? {
            for inner in folders_in(&outer).tried(tried)? {
                scan_folder(&inner, &mut found).tried(tried)?;
            }
        }
        found.sort_by_key(|file| file.used);
        Ok(found)
    }

    /// Reads and checks a file, and marks it as used now.
    pub(super) fn read(&self, digest: &Digest) -> Result<DataBlob, StoreError> {
        let path = self.path(digest);
        let what = format!("cached chunk {digest}");
        let raw = read_bounded(&path, CHUNK_ENCODED_MAX as u64, &what)?;
        let blob = DataBlob::from_raw(Bytes::from(raw))
            .decoding(|| format!("read {what}"))
            .map_err(|error| error.advise("the file is removed and the chunk fetched again"))?;
        mark_used(&path);
        Ok(blob)
    }

    pub(super) fn write(&self, digest: &Digest, blob: &DataBlob) -> Result<(), StoreError> {
        self.try_write(digest, blob)
            .tried(|| format!("cache chunk {digest} at {:?}", self.root))
            .map_err(|error| {
                error.advise("chunks are not cached until there is room again, which is slower")
            })
    }

    fn try_write(&self, digest: &Digest, blob: &DataBlob) -> io::Result<()> {
        let path = self.path(digest);
        let dir = path.parent().unwrap_or(&self.root);
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(dir)?;
        let prefix = format!("{digest}.tmp_");
        let mut file = tempfile::Builder::new().prefix(&prefix).tempfile_in(dir)?;
        file.write_all(blob.raw())?;
        file.persist(&path)?;
        Ok(())
    }

    /// Removes a file; what can't be removed is found by the next start.
    pub(super) fn remove(&self, digest: &Digest) {
        let path = self.path(digest);
        if let Err(error) = crate::files::remove_file_if_there(&path) {
            tracing::warn!("remove {path:?} from the cache: {error}");
        }
    }
}

/// Only the order of use after a restart depends on this.
fn mark_used(path: &Path) {
    let (now, flags) = (TimeSpec::UTIME_NOW, UtimensatFlags::NoFollowSymlink);
    if let Err(error) = utimensat(nix::fcntl::AT_FDCWD, path, &now, &now, flags) {
        tracing::debug!("mark {path:?} as used: {error}");
    }
}

fn folders_in(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().len() == 2 && entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

fn scan_folder(dir: &Path, found: &mut Vec<Found>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|_| metadata.is_file()) else { continue };
        match name.parse() {
            Ok(digest) if metadata.len() >= FILE_BYTES_MIN => {
                found.push(Found { digest, bytes: metadata.len(), used: metadata.modified()? });
            }
            Err(_) if !name.contains(".tmp_") => {}
            _ => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}
