//! The folder of lock files that PBS and reelfs share.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reel_types::{SnapshotPath, StoreName};

use super::{LockFile, LockMode};
use crate::failure::{IoContext, StoreError};
use crate::files::ServiceUser;

/// How long a manifest's lock is waited for; it is held for a rewrite of one small file.
const MANIFEST_WAIT: Duration = Duration::from_secs(5);

/// PBS's run folder, `/run/proxmox-backup` unless moved.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
    user: ServiceUser,
    pub(super) patience: Option<Duration>,
}

impl RunDir {
    /// Where PBS has it.
    pub const DEFAULT_PATH: &'static str = "/run/proxmox-backup";

    /// The run folder at `path`; it is made when the first lock is taken.
    pub fn new(path: impl Into<PathBuf>, user: ServiceUser) -> Self {
        Self { path: path.into(), user, patience: None }
    }

    /// The same folder with every wait cut to `wait`.
    #[must_use]
    pub fn with_patience(self, wait: Duration) -> Self {
        Self { patience: Some(wait), ..self }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn user(&self) -> ServiceUser {
        self.user
    }

    pub(super) fn wait(&self, usual: Duration) -> Duration {
        self.patience.map_or(usual, |patience| patience.min(usual))
    }

    /// Locks the manifest of `snapshot` for a change; waits up to 5 seconds.
    pub fn lock_manifest(
        &self,
        store: &StoreName,
        snapshot: &SnapshotPath,
    ) -> Result<LockFile, StoreError> {
        let path = self.manifest_lock_path(store, snapshot);
        let what = format!("the manifest of snapshot '{snapshot}' of datastore '{store}'");
        if let Some(dir) = path.parent() {
            self.user
                .make_dirs(dir, 0o755)
                .tried(|| format!("make the folder {dir:?} to lock {what}"))?;
        }
        LockFile::take(&path, LockMode::Exclusive, self.wait(MANIFEST_WAIT), self.user, &what)
    }

    /// Removes the lock file of a snapshot that is gone; failures don't matter.
    pub(crate) fn remove_manifest_lock(&self, store: &StoreName, snapshot: &SnapshotPath) {
        let path = self.manifest_lock_path(store, snapshot);
        if let Err(error) = fs::remove_file(&path) {
            tracing::debug!("remove lock file {path:?}: {error}");
        }
    }

    fn manifest_lock_path(&self, store: &StoreName, snapshot: &SnapshotPath) -> PathBuf {
        let file = format!("{}.index.json.lck", snapshot.snapshot.time);
        self.path.join("locks").join(store).join(snapshot.path()).join(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_that_pbs_uses() {
        let run = RunDir::new(RunDir::DEFAULT_PATH, ServiceUser::current());
        let snapshot = "ns/a/vm/100/2020-06-26T13:56:05Z".parse().unwrap();
        assert_eq!(
            run.manifest_lock_path(&"store1".parse().unwrap(), &snapshot),
            Path::new(
                "/run/proxmox-backup/locks/store1/ns/a/vm/100/2020-06-26T13:56:05Z/\
                 2020-06-26T13:56:05Z.index.json.lck"
            )
        );
    }

    #[test]
    fn a_run_folder_that_cannot_be_made_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, b"").unwrap();
        let run = RunDir::new(file.join("run"), ServiceUser::current());
        let snapshot = "vm/100/2020-06-26T13:56:05Z".parse().unwrap();
        let error = run.lock_manifest(&"store1".parse().unwrap(), &snapshot).unwrap_err();
        assert!(error.to_string().contains("vm/100/2020-06-26T13:56:05Z"), "{error}");
    }
}
