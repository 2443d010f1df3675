//! The state folder: its files and locks (`tape-state.md` §1, §2).
//!
//! Reel and PBS may use the same folder one after the other, so names, modes and the kind of lock
//! (`flock`) are PBS's. Files belong to whoever owns the folder, also when root writes them.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reel_types::{Cancel, MediaId, MediaSetId, PoolName, TaskContext, TaskStopped};

use crate::{Error, Result};

/// How long PBS waits for a lock, and we too.
pub const LOCK_WAIT: Duration = Duration::from_secs(10);

/// How often a lock that is held is tried again: often enough that short holders cost no time that
/// anybody notices, seldom enough that waiting costs no processor.
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// How the name of a file ends until it replaces another.
const NEW_SUFFIX: &str = ".new";

const LOCK_MODE: u32 = 0o660;
const DATABASE_MODE: u32 = 0o640;

/// How a lock is waited for that a job may hold for hours.
#[derive(Debug, Clone)]
pub struct Patience {
    most: Duration,
    cancel: Cancel,
}

impl Patience {
    /// Waits [`LOCK_WAIT`] at most, and no longer once the task was asked to stop.
    pub fn of_task(task: &dyn TaskContext) -> Self {
        Self { most: LOCK_WAIT, cancel: task.cancel().clone() }
    }

    /// The longest wait.
    pub fn most(&self) -> Duration {
        self.most
    }
}

impl From<Duration> for Patience {
    /// Waits that long, whatever happens.
    fn from(most: Duration) -> Self {
        Self { most, cancel: Cancel::new() }
    }
}

impl From<&Patience> for Patience {
    fn from(patience: &Patience) -> Self {
        patience.clone()
    }
}

/// A state folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    path: PathBuf,
}

/// A lock; it is held until this value goes away.
#[derive(Debug)]
#[must_use = "the lock is let go as soon as this value is dropped"]
pub struct StateLock {
    _file: File,
}

impl StateDir {
    /// The folder at `path`, which must exist by the time something is written.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The folder at `path`, made where it is missing, without what a killed process was writing.
    pub(crate) fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let folder = Self::new(path);
        fs::create_dir_all(&folder.path)
            .map_err(Error::io(format!("create the folder '{}'", folder.path.display())))?;
        folder.remove_leftovers()?;
        Ok(folder)
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The inventory.
    pub fn inventory(&self) -> PathBuf {
        self.path.join("inventory.json")
    }

    /// The catalog of a medium.
    pub fn catalog(&self, medium: MediaId) -> PathBuf {
        self.path.join(format!("{medium}.log"))
    }

    /// The catalog of a medium while it is being built.
    pub fn catalog_being_built(&self, medium: MediaId) -> PathBuf {
        self.path.join(format!("{medium}.tmp"))
    }

    /// The list of snapshots in the catalog of a medium.
    pub fn snapshot_cache(&self, medium: MediaId) -> PathBuf {
        self.path.join(format!("{medium}.index"))
    }

    /// The media that have a catalog, in the order of their UUIDs.
    pub fn media_with_catalog(&self) -> Result<Vec<MediaId>> {
        let tried = || format!("list the state folder '{}'", self.path.display());
        let mut media = Vec::new();
        for item in fs::read_dir(&self.path).map_err(Error::io(tried()))? {
            let name = item.map_err(Error::io(tried()))?.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(".log"));
            media.extend(stem.and_then(|stem| stem.parse::<MediaId>().ok()));
        }
        media.sort();
        Ok(media)
    }

    /// Locks the inventory for one update.
    pub fn lock_inventory(&self, wait: Duration) -> Result<StateLock> {
        self.lock(".inventory.lck", wait)
    }

    /// Locks a pool.
    pub fn lock_pool(&self, pool: &PoolName, wait: impl Into<Patience>) -> Result<StateLock> {
        self.lock(&format!(".pool-{pool}.lck"), wait)
    }

    /// Locks the media that belong to no pool.
    pub fn lock_unassigned_pool(&self, wait: impl Into<Patience>) -> Result<StateLock> {
        self.lock(".pool-__UNASSIGNED__.lck", wait)
    }

    /// Locks a media set.
    pub fn lock_media_set(&self, set: MediaSetId, wait: impl Into<Patience>) -> Result<StateLock> {
        self.lock(&format!(".media-set-{set}.lck"), wait)
    }

    fn lock(&self, name: &str, wait: impl Into<Patience>) -> Result<StateLock> {
        let path = self.path.join(name);
        let tried = || format!("open the lock file '{}'", path.display());
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(LOCK_MODE)
            .open(&path)
            .map_err(Error::io(tried()))?;
        self.hand_over(&file, &path)?;
        wait_for_lock(&file, &path, &wait.into())?;
        Ok(StateLock { _file: file })
    }

    /// Reads a whole file; none where there is no such file.
    pub(crate) fn read_if_there(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        let tried = || format!("read '{}'", path.display());
        let mut file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(Error::io(tried()))?,
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(Error::io(tried()))?;
        Ok(Some(bytes))
    }

    /// Replaces a file whole: after a crash either the old or the new content is there.
    pub(crate) fn replace(&self, path: &Path, content: &[u8]) -> Result<()> {
        let tried = || format!("write '{}'", path.display());
        let mut temporary = tempfile::Builder::new()
            .prefix(".")
            .suffix(NEW_SUFFIX)
            .permissions(fs::Permissions::from_mode(DATABASE_MODE))
            .tempfile_in(&self.path)
            .map_err(Error::io(tried()))?;
        temporary.write_all(content).map_err(Error::io(tried()))?;
        self.hand_over(temporary.as_file(), path)?;
        temporary.as_file().sync_all().map_err(Error::io(tried()))?;
        temporary.persist(path).map_err(|error| Error::io(tried())(error.error))?;
        self.sync()
    }

    /// Removes what a killed process was writing: files that had not got their names, catalogs that were being built.
    ///
    /// Only for a start, before anything writes here.
    pub(crate) fn remove_leftovers(&self) -> Result<()> {
        let tried = || format!("list the state folder '{}'", self.path.display());
        for item in fs::read_dir(&self.path).map_err(Error::io(tried()))? {
            let item = item.map_err(Error::io(tried()))?;
            if item.file_name().to_str().is_some_and(is_leftover) {
                self.remove(&item.path())?;
            }
        }
        Ok(())
    }

    /// Makes renames and removals in the folder last.
    pub(crate) fn sync(&self) -> Result<()> {
        File::open(&self.path)
            .and_then(|folder| folder.sync_all())
            .map_err(Error::io(format!("sync the state folder '{}'", self.path.display())))
    }

    /// Removes a file; a missing one is fine.
    pub(crate) fn remove(&self, path: &Path) -> Result<()> {
        match fs::remove_file(path) {
            Ok(()) => self.sync(),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io(format!("remove '{}'", path.display()))(error)),
        }
    }

    /// Gives a file that root created to the owner of the folder.
    pub(crate) fn hand_over(&self, file: &File, path: &Path) -> Result<()> {
        if !nix::unistd::geteuid().is_root() {
            return Ok(());
        }
        let tried = || format!("give '{}' to the owner of its folder", path.display());
        let folder = fs::metadata(&self.path).map_err(Error::io(tried()))?;
        let now = file.metadata().map_err(Error::io(tried()))?;
        if (now.uid(), now.gid()) == (folder.uid(), folder.gid()) {
            return Ok(());
        }
        fchown(file, Some(folder.uid()), Some(folder.gid())).map_err(Error::io(tried()))
    }
}

fn is_leftover(name: &str) -> bool {
    let is_catalog = |stem: &str| stem.parse::<MediaId>().is_ok();
    name.starts_with('.') && name.ends_with(NEW_SUFFIX)
        || name.strip_suffix(".tmp").is_some_and(is_catalog)
}

/// Takes an exclusive `flock`, waiting at most `wait` for other holders.
pub(crate) fn lock_file(file: &File, path: &Path, wait: Duration) -> Result<()> {
    wait_for_lock(file, path, &wait.into())
}

fn wait_for_lock(file: &File, path: &Path, patience: &Patience) -> Result<()> {
    let start = Instant::now();
    let wait = patience.most;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => {
                return Err(Error::io(format!("lock '{}'", path.display()))(error));
            }
            Err(TryLockError::WouldBlock) if patience.cancel.is_cancelled() => {
                return Err(Error::Stopped(TaskStopped));
            }
            Err(TryLockError::WouldBlock) if start.elapsed() >= wait => {
                return Err(Error::Locked { path: path.into(), wait_s: wait.as_secs() });
            }
            Err(TryLockError::WouldBlock) => {
                std::thread::sleep(LOCK_RETRY.min(wait.saturating_sub(start.elapsed())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> (tempfile::TempDir, StateDir) {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path());
        (folder, state)
    }

    #[test]
    fn names_are_those_of_pbs() {
        let state = StateDir::new("/state");
        let medium: MediaId = "7f42c4dd-9626-4d89-9f2b-c7bc6da7d533".parse().unwrap();
        let name = |path: PathBuf| path.to_str().unwrap().to_owned();
        let stem = "/state/7f42c4dd-9626-4d89-9f2b-c7bc6da7d533";
        assert_eq!(name(state.inventory()), "/state/inventory.json");
        assert_eq!(name(state.catalog(medium)), format!("{stem}.log"));
        assert_eq!(name(state.catalog_being_built(medium)), format!("{stem}.tmp"));
        assert_eq!(name(state.snapshot_cache(medium)), format!("{stem}.index"));
    }

    #[test]
    fn a_lock_keeps_others_out_until_it_goes() {
        let (folder, state) = state();
        let pool: PoolName = "daily".parse().unwrap();
        let held = state.lock_pool(&pool, Duration::ZERO).unwrap();
        let busy = state.lock_pool(&pool, Duration::ZERO).unwrap_err();
        assert!(matches!(busy, Error::Locked { .. }), "{busy}");
        drop(state.lock_unassigned_pool(Duration::ZERO).unwrap());
        let stopped = Patience::from(Duration::MAX);
        stopped.cancel.cancel();
        assert!(matches!(state.lock_pool(&pool, &stopped), Err(Error::Stopped(_))));
        drop(held);
        drop(state.lock_pool(&pool, Duration::ZERO).unwrap());
        let file = folder.path().join(".pool-daily.lck");
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777 & !0o660, 0);
    }

    #[test]
    fn what_a_killed_process_was_writing_goes_and_nothing_else() {
        let (folder, state) = state();
        let medium: MediaId = "7f42c4dd-9626-4d89-9f2b-c7bc6da7d533".parse().unwrap();
        let kept = [state.inventory(), state.catalog(medium), state.path().join("other.tmp")];
        let left = [state.catalog_being_built(medium), state.path().join(".Ab3dE9.new")];
        kept.iter().chain(&left).for_each(|path| fs::write(path, "").unwrap());
        state.remove_leftovers().unwrap();
        assert!(kept.iter().all(|path| path.exists()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), kept.len());
    }

    #[test]
    fn replacing_leaves_one_file_with_the_mode_of_databases() {
        let (folder, state) = state();
        let path = state.inventory();
        assert_eq!(state.read_if_there(&path).unwrap(), None);
        state.replace(&path, b"one").unwrap();
        state.replace(&path, b"two").unwrap();
        assert_eq!(state.read_if_there(&path).unwrap().unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        state.remove(&path).unwrap();
        state.remove(&path).unwrap();
        assert_eq!(state.read_if_there(&path).unwrap(), None);
    }
}
