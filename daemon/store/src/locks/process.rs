//! The process lock `.lock` of a datastore (`datastore.md` §3).
//!
//! It is a POSIX record lock, and those belong to the process: closing *any* descriptor of the file
//! drops all of them. So there must be one open description for each lock file and process, whoever
//! opens the store and however often. [`ProcessLocks`] is that register; the program owns one and
//! passes it to every store. Files are told apart by device and inode, because two paths may name one.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::fcntl::{FcntlArg, fcntl};

use crate::failure::{IoContext, StoreError, StoreErrorKind};
use crate::files::{FILE_MODE, ServiceUser};

type FileId = (u64, u64);

/// All `.lock` files that this process holds open; clones share the register.
#[derive(Debug, Clone, Default)]
pub struct ProcessLocks(Arc<Mutex<HashMap<FileId, Arc<Inner>>>>);

impl ProcessLocks {
    /// An empty register; there must be only one in a process that uses the same stores.
    pub fn new() -> Self {
        Self::default()
    }

    /// The lock of the store whose lock file is `path`, which is made when it is missing.
    pub fn open(&self, path: &Path, user: ServiceUser) -> Result<ProcessLock, StoreError> {
        let mut register = guard(&self.0);
        register.retain(|_, inner| Arc::strong_count(inner) > 1);
        if let Ok(metadata) = fs::metadata(path)
            && let Some(known) = register.get(&id_of(&metadata))
        {
            return Ok(ProcessLock(known.clone()));
        }
        let tried = || format!("open the lock file {path:?}");
        let (file, id) = open_lock_file(path, user).tried(tried)?;
        if let Some(known) = register.get(&id) {
            // The file came into being between stat and open. Closing it would drop the locks.
            guard(&known.state).spare.push(file);
            return Ok(ProcessLock(known.clone()));
        }
        let inner = Arc::new(Inner { file, path: path.to_owned(), state: Mutex::default() });
        register.insert(id, inner.clone());
        Ok(ProcessLock(inner))
    }

    /// Closes the lock files of stores that nobody has open any more, so that their file systems can
    /// be unmounted.
    pub fn close_unused(&self) {
        guard(&self.0).retain(|_, inner| Arc::strong_count(inner) > 1);
    }
}

fn open_lock_file(path: &Path, user: ServiceUser) -> io::Result<(File, FileId)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let file = match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let file = options.create(true).truncate(false).mode(FILE_MODE).open(path)?;
            user.own(&file)?;
            file
        }
        result => result?,
    };
    let id = id_of(&file.metadata()?);
    Ok((file, id))
}

fn id_of(metadata: &fs::Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

/// A poisoned register is still a true one: every change to it is a single step.
fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Inner {
    file: File,
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    exclusive: bool,
    /// When each live shared guard was taken, UNIX seconds.
    shared: BTreeMap<u64, i64>,
    next_guard: u64,
    /// Further descriptors that must not be closed as long as a lock may be held.
    spare: Vec<File>,
}

/// The process lock of one datastore; clones are the same lock.
#[derive(Debug, Clone)]
pub struct ProcessLock(Arc<Inner>);

impl ProcessLock {
    /// Takes the lock shared, as every writer of indexes does; `now` is UNIX seconds.
    ///
    /// Fails at once with [`StoreErrorKind::Locked`] while another process collects garbage.
    pub fn shared(&self, now: i64) -> Result<SharedGuard, StoreError> {
        let mut state = guard(&self.0.state);
        if state.shared.is_empty() && !state.exclusive {
            self.record_lock(
                libc::F_RDLCK,
                "another process holds it, likely for garbage collection",
            )?;
        }
        let id = state.next_guard;
        state.next_guard += 1;
        state.shared.insert(id, now);
        Ok(SharedGuard { lock: self.clone(), id })
    }

    /// Takes the lock exclusively against other processes, as garbage collection does. Shared guards
    /// of this process may stay and may come.
    pub fn exclusive(&self) -> Result<ExclusiveGuard, StoreError> {
        let mut state = guard(&self.0.state);
        if state.exclusive {
            return Err(self.refused("this process already holds it for garbage collection"));
        }
        self.record_lock(libc::F_WRLCK, "another process reads or writes this datastore")?;
        state.exclusive = true;
        Ok(ExclusiveGuard { lock: self.clone() })
    }

    /// When the oldest live shared guard of this process was taken, UNIX seconds.
    pub fn oldest_shared(&self) -> Option<i64> {
        guard(&self.0.state).shared.values().min().copied()
    }

    fn release_shared(&self, id: u64) {
        let mut state = guard(&self.0.state);
        state.shared.remove(&id);
        if state.shared.is_empty() && !state.exclusive {
            self.give_up(libc::F_UNLCK);
        }
    }

    fn release_exclusive(&self) {
        let mut state = guard(&self.0.state);
        state.exclusive = false;
        self.give_up(if state.shared.is_empty() { libc::F_UNLCK } else { libc::F_RDLCK });
    }

    fn give_up(&self, kind: libc::c_int) {
        if let Err(error) = set_record_lock(&self.0.file, kind) {
            tracing::error!("release the lock {:?}: {error}", self.0.path);
        }
    }

    fn record_lock(&self, kind: libc::c_int, held: &str) -> Result<(), StoreError> {
        match set_record_lock(&self.0.file, kind) {
            Ok(()) => Ok(()),
            Err(nix::Error::EAGAIN | nix::Error::EACCES) => Err(self.refused(held)),
            Err(errno) => Err(errno).tried(|| format!("lock {:?}", self.0.path)),
        }
    }

    fn refused(&self, held: &str) -> StoreError {
        StoreError::new(StoreErrorKind::Locked, format!("lock {:?}", self.0.path), held)
            .advise("try again when it is done")
    }
}

/// Sets the record lock on the whole file without waiting.
fn set_record_lock(file: &File, kind: libc::c_int) -> Result<(), nix::Error> {
    // The constants are small and positive wherever this builds; only their C type differs.
    let whole_file = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_SETLK(&whole_file)).map(drop)
}

/// The lock is held shared until this is dropped.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct SharedGuard {
    lock: ProcessLock,
    id: u64,
}

impl Drop for SharedGuard {
    fn drop(&mut self) {
        self.lock.release_shared(self.id);
    }
}

/// The lock is held against other processes until this is dropped.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct ExclusiveGuard {
    lock: ProcessLock,
}

impl Drop for ExclusiveGuard {
    fn drop(&mut self) {
        self.lock.release_exclusive();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock() -> (tempfile::TempDir, ProcessLocks, ProcessLock) {
        let dir = tempfile::tempdir().unwrap();
        let locks = ProcessLocks::new();
        let lock = locks.open(&dir.path().join(".lock"), ServiceUser::current()).unwrap();
        (dir, locks, lock)
    }

    #[test]
    fn one_process_may_hold_both_in_either_order() {
        let (_dir, _locks, lock) = lock();
        let shared = lock.shared(1).unwrap();
        let exclusive = lock.exclusive().unwrap();
        assert_eq!(lock.exclusive().unwrap_err().kind(), StoreErrorKind::Locked);
        let later = lock.shared(2).unwrap();
        drop((shared, exclusive, later));
        assert!(lock.exclusive().is_ok());
    }

    #[test]
    fn oldest_moves_forward() {
        let (_dir, _locks, lock) = lock();
        assert_eq!(lock.oldest_shared(), None);
        let first = lock.shared(10).unwrap();
        let second = lock.shared(20).unwrap();
        assert_eq!(lock.oldest_shared(), Some(10));
        drop(first);
        assert_eq!(lock.oldest_shared(), Some(20));
        drop(second);
        assert_eq!(lock.oldest_shared(), None);
    }

    #[test]
    fn two_paths_to_one_file_share_the_description() {
        let (dir, locks, lock) = lock();
        let alias = dir.path().join("alias");
        fs::hard_link(dir.path().join(".lock"), &alias).unwrap();
        let other = locks.open(&alias, ServiceUser::current()).unwrap();
        assert!(Arc::ptr_eq(&lock.0, &other.0));
        drop((lock, other));
        locks.close_unused();
        assert!(guard(&locks.0).is_empty());
    }
}
