//! The chunk store: `<base>/.chunks/xxxx/<digest>`, one encoded blob a file (`datastore.md` §§1, 2).
//!
//! Writers in other processes, PBS's garbage collection among them, work on the same files. What
//! keeps that safe: a chunk appears under its name whole (temporary file, rename); whoever finds a
//! chunk already there touches its access time before relying on it; and one mutex for each store
//! and process stands around each insertion, the one that a sweep takes for each file.

mod create;
mod insert;
mod read;
mod set_aside;
mod walk;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Mutex;

use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use reel_types::{Digest, ParseError, StoreName};

use crate::failure::{IoContext, StoreError, StoreErrorKind};
use crate::files::ServiceUser;
use crate::locks::{ProcessLock, ProcessLocks};

#[cfg(test)]
pub(crate) use read::tests::store as testing_store;

pub use insert::Inserted;
pub use walk::{ChunkWalk, FoundChunk};

/// When written chunks are forced to the disk (`datastore.md` §2.7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SyncLevel {
    /// Never.
    None,
    /// All at once when a backup is finished.
    #[default]
    Filesystem,
    /// Each chunk before it gets its name.
    File,
}

impl FromStr for SyncLevel {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "none" => Ok(Self::None),
            "filesystem" => Ok(Self::Filesystem),
            "file" => Ok(Self::File),
            _ => Err(ParseError::new("sync-level", text, "must be 'none', 'filesystem' or 'file'")),
        }
    }
}

/// The chunks of one datastore.
#[derive(Debug)]
pub struct ChunkStore {
    name: StoreName,
    base: PathBuf,
    chunks: PathBuf,
    sync: SyncLevel,
    user: ServiceUser,
    process_lock: ProcessLock,
    /// Held around each insertion and, per file, by a sweep.
    change: Mutex<()>,
}

impl ChunkStore {
    /// Opens the chunk store of datastore `name` at `base`, making a missing `.lock`.
    pub fn open(
        name: &StoreName,
        base: &Path,
        sync: SyncLevel,
        locks: &ProcessLocks,
        user: ServiceUser,
    ) -> Result<Self, StoreError> {
        check_absolute(name, base)?;
        let chunks = base.join(".chunks");
        let tried = || format!("open datastore '{name}' at {base:?}");
        let metadata = std::fs::metadata(&chunks).map_err(|cause| {
            let reason = format!("the chunk folder {chunks:?} cannot be read: {cause}");
            let kind = StoreError::io("", cause).kind();
            StoreError::new(kind, tried(), reason)
                .advise("check that the path is a datastore's and that its file system is mounted")
        })?;
        if !metadata.is_dir() {
            let reason = format!("{chunks:?} is not a folder");
            return Err(StoreError::new(StoreErrorKind::Corrupt, tried(), reason));
        }
        let process_lock = locks.open(&base.join(".lock"), user)?;
        Ok(Self {
            name: name.clone(),
            base: base.to_owned(),
            chunks,
            sync,
            user,
            process_lock,
            change: Mutex::new(()),
        })
    }

    /// The datastore's name.
    pub fn name(&self) -> &StoreName {
        &self.name
    }

    /// The datastore's base folder.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The lock that keeps garbage collections of other processes away.
    pub fn process_lock(&self) -> &ProcessLock {
        &self.process_lock
    }

    /// Where the chunk is or would be.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.chunks.join(&name[..4]).join(&name)
    }

    /// Marks the chunk as used now; it must be there (`datastore.md` §2.4).
    pub fn touch(&self, digest: &Digest) -> Result<(), StoreError> {
        if self.contains(digest)? {
            return Ok(());
        }
        let reason = "the chunk file is missing";
        Err(StoreError::new(StoreErrorKind::NotFound, self.doing("touch", digest), reason)
            .advise(ADVICE_RENEW))
    }

    /// Whether the chunk is there; if so it is marked as used now, so that no garbage collection that
    /// starts later removes it before its index is written.
    pub fn contains(&self, digest: &Digest) -> Result<bool, StoreError> {
        match touch_path(&self.path(digest)) {
            Ok(()) => Ok(true),
            Err(nix::Error::ENOENT) => Ok(false),
            Err(errno) => Err(errno).tried(|| self.doing("touch", digest)),
        }
    }

    /// Forces everything written to the file system to the disk where the sync level asks for that
    /// at the end of a backup.
    pub fn sync_at_finish(&self) -> Result<(), StoreError> {
        if self.sync != SyncLevel::Filesystem {
            return Ok(());
        }
        let tried =
            || format!("flush the file system of datastore '{}' at {:?}", self.name, self.base);
        let base = File::open(&self.base).tried(tried)?;
        nix::unistd::syncfs(base).tried(tried)
    }

    /// `read chunk ab12… of datastore 'store1'`.
    fn doing(&self, verb: &str, digest: &Digest) -> String {
        format!("{verb} chunk {digest} of datastore '{}'", self.name)
    }
}

/// What helps against a chunk that is gone or damaged.
const ADVICE_RENEW: &str = "restore the snapshot from another copy, or back its source up again, which writes the chunk anew";

fn check_absolute(name: &StoreName, base: &Path) -> Result<(), StoreError> {
    if base.is_absolute() {
        return Ok(());
    }
    let tried = format!("use {base:?} for datastore '{name}'");
    Err(StoreError::new(StoreErrorKind::InvalidInput, tried, "the path must be absolute"))
}

fn touch_path(path: &Path) -> nix::Result<()> {
    let here = nix::fcntl::AT_FDCWD;
    let (now, omit) = (TimeSpec::UTIME_NOW, TimeSpec::UTIME_OMIT);
    utimensat(here, path, &now, &omit, UtimensatFlags::NoFollowSymlink)
}
