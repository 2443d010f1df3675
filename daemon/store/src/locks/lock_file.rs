//! A lock on a file made for it, with a bounded wait (`datastore.md` §5).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::Flock;

use super::LockMode;
use crate::failure::{IoContext, StoreError, StoreErrorKind};
use crate::files::ServiceUser;

/// Mode of lock files made by PBS.
const LOCK_MODE: u32 = 0o660;

/// How often a held lock is tried again: short beside the seconds that may be waited, long beside
/// the microseconds that a try takes.
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// `flock` on a lock file, held until dropped.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct LockFile {
    _held: Flock<File>,
}

impl LockFile {
    /// Locks `path`, making the file (not its folder) when it is missing; waits for at most `wait`.
    /// `what` names the lock in messages.
    pub fn take(
        path: &Path,
        mode: LockMode,
        wait: Duration,
        user: ServiceUser,
        what: &str,
    ) -> Result<Self, StoreError> {
        let tried = || format!("lock {what} ({path:?})");
        let start = Instant::now();
        loop {
            if let Some(lock) = try_once(path, mode, user).tried(tried)? {
                return Ok(Self { _held: lock });
            }
            let left = wait.saturating_sub(start.elapsed());
            if left.is_zero() {
                let reason = format!("another process still holds it after {} s", wait.as_secs());
                return Err(StoreError::new(StoreErrorKind::Locked, tried(), reason)
                    .advise("try again when that is done"));
            }
            std::thread::sleep(left.min(RETRY_EVERY));
        }
    }
}

/// One try; none where the lock is held or its file was replaced meanwhile.
fn try_once(path: &Path, mode: LockMode, user: ServiceUser) -> io::Result<Option<Flock<File>>> {
    let Some(file) = open_or_make(path, user)? else { return Ok(None) };
    let lock = match Flock::lock(file, mode.without_waiting()) {
        Ok(lock) => lock,
        Err((_, nix::Error::EWOULDBLOCK)) => return Ok(None),
        Err((_, errno)) => return Err(errno.into()),
    };
    let locked = lock.metadata()?;
    let current = fs::metadata(path)
        .is_ok_and(|there| (there.dev(), there.ino()) == (locked.dev(), locked.ino()));
    Ok(current.then_some(lock))
}

fn open_or_make(path: &Path, user: ServiceUser) -> io::Result<Option<File>> {
    let open = || OpenOptions::new().read(true).append(true).open(path);
    match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            user.make_agreed(path, LOCK_MODE)?;
        }
        result => return result.map(Some),
    }
    match open() {
        // Removed again by its last user: the next try makes a new one.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn take(path: &Path, wait: Duration) -> Result<LockFile, StoreError> {
        LockFile::take(path, LockMode::Exclusive, wait, ServiceUser::current(), "test")
    }

    #[test]
    fn made_with_its_mode_and_held_until_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.lck");
        let held = take(&path, Duration::ZERO).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, LOCK_MODE);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        let error = take(&path, Duration::from_millis(30)).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Locked);
        drop(held);
        assert!(take(&path, Duration::ZERO).is_ok());
    }

    #[test]
    fn a_waiter_gets_it_when_the_holder_leaves() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.lck");
        let held = take(&path, Duration::ZERO).unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| take(&path, Duration::from_secs(60)));
            drop(held);
            assert!(waiter.join().unwrap().is_ok());
        });
    }

    #[test]
    fn no_folder_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let error = take(&dir.path().join("gone/a.lck"), Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NotFound);
    }
}
