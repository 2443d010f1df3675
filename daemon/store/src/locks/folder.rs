//! Locks on group and snapshot folders (`datastore.md` §5).

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use crate::failure::{IoContext, StoreError, StoreErrorKind};

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Beside other shared holders.
    Shared,
    /// Alone.
    Exclusive,
}

impl LockMode {
    pub(super) fn without_waiting(self) -> FlockArg {
        match self {
            Self::Shared => FlockArg::LockSharedNonblock,
            Self::Exclusive => FlockArg::LockExclusiveNonblock,
        }
    }
}

/// `flock` on a folder itself, held until dropped.
///
/// It survives a rename of the folder, but not its removal: a folder made anew at the same path is
/// another one, whose lock is free.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct FolderLock {
    _held: Flock<File>,
}

impl FolderLock {
    /// Locks the folder at `path`, called `what` in messages, at once or not at all.
    pub fn take(path: &Path, mode: LockMode, what: &str) -> Result<Self, StoreError> {
        let tried = || format!("lock {what}");
        let folder = File::open(path).tried(tried)?;
        let lock = match Flock::lock(folder, mode.without_waiting()) {
            Ok(lock) => lock,
            Err((_, nix::Error::EWOULDBLOCK)) => {
                let reason = "a running backup, restore, verification or removal holds it";
                return Err(StoreError::new(StoreErrorKind::Locked, tried(), reason)
                    .advise("try again when that is done"));
            }
            Err((_, errno)) => return Err(errno).tried(tried),
        };
        let locked = lock.metadata().tried(tried)?;
        let there = fs::metadata(path).tried(tried)?;
        if !locked.is_dir() || (locked.dev(), locked.ino()) != (there.dev(), there.ino()) {
            let reason = "the folder was replaced meanwhile";
            return Err(StoreError::new(StoreErrorKind::NotFound, tried(), reason));
        }
        Ok(Self { _held: lock })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_beside_shared_and_exclusive_alone() {
        let dir = tempfile::tempdir().unwrap();
        let take = |mode| FolderLock::take(dir.path(), mode, "snapshot");
        let first = take(LockMode::Shared).unwrap();
        let second = take(LockMode::Shared).unwrap();
        assert_eq!(take(LockMode::Exclusive).unwrap_err().kind(), StoreErrorKind::Locked);
        drop((first, second));
        let alone = take(LockMode::Exclusive).unwrap();
        assert_eq!(take(LockMode::Shared).unwrap_err().kind(), StoreErrorKind::Locked);
        drop(alone);
        assert!(take(LockMode::Exclusive).is_ok());
    }

    #[test]
    fn what_is_missing_is_not_found() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone");
        let error = FolderLock::take(&gone, LockMode::Shared, "snapshot vm/1").unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NotFound);
        assert!(error.to_string().starts_with("lock snapshot vm/1"), "{error}");
    }
}
