//! Where the daemon keeps its things, and the lock that makes it the only one there.
//!
//! PBS's file names and grammar stand inside reelfs's own folders, or inside PBS's own with `--pbs`
//! (refused while a PBS runs on them). Every folder can be moved by a flag, which is how tests and
//! the demo live beside a real installation.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use thiserror::Error;

/// The folders of one daemon.
#[derive(Debug, Clone)]
pub struct Folders {
    /// Section files, keys (default `/etc/reelfs`).
    pub config: PathBuf,
    /// Inventory, catalogs, job states (default `/var/lib/reelfs`).
    pub state: PathBuf,
    /// What can be made again: verified chunks, indexes (default `/var/cache/reelfs`).
    pub cache: PathBuf,
    /// Socket, drive locks and states (default `/run/reeld`).
    pub run: PathBuf,
    /// Task logs (default `/var/log/reelfs`).
    pub log: PathBuf,
    /// PBS's own run folder, whose locks a PBS on the same datastore looks at
    /// (default `/run/proxmox-backup`).
    pub pbs_run: PathBuf,
}

/// A folder can't be used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// It could not be made or written.
    #[error("create the folder '{}': {source}", path.display())]
    Create {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another daemon holds it.
    #[error(
        "another reeld already runs on '{}'; stop it first, or give this one folders of its own",
        path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A Proxmox Backup Server runs on it.
    #[error(
        "a Proxmox Backup Server runs on '{}' ({program}, pid {pid}); \
         stop it before you start reeld with --pbs",
        path.display()
    )]
    PbsRuns {
        /// The folder.
        path: PathBuf,
        /// Which of its programs.
        program: &'static str,
        /// Its process id.
        pid: u32,
    },
}

impl Folders {
    /// Where an installed daemon keeps its things.
    pub fn installed() -> Self {
        Self {
            config: "/etc/reelfs".into(),
            state: "/var/lib/reelfs".into(),
            cache: "/var/cache/reelfs".into(),
            run: "/run/reeld".into(),
            log: "/var/log/reelfs".into(),
            pbs_run: "/run/proxmox-backup".into(),
        }
    }

    /// PBS's own folders; cache and socket stay reelfs's own.
    pub fn of_pbs() -> Self {
        Self {
            config: "/etc/proxmox-backup".into(),
            state: "/var/lib/proxmox-backup".into(),
            log: "/var/log/proxmox-backup".into(),
            ..Self::installed()
        }
    }

    /// All of them under one folder, as tests and the demo have them.
    pub fn below(base: &Path) -> Self {
        Self {
            config: base.join("etc"),
            state: base.join("state"),
            cache: base.join("cache"),
            run: base.join("run"),
            log: base.join("log"),
            pbs_run: base.join("run/proxmox-backup"),
        }
    }

    /// Media databases: `inventory.json`, catalogs, pool and set locks (`tape-state.md` §1).
    pub fn tape_state(&self) -> PathBuf {
        self.state.join("tape")
    }

    /// Job states (`config.md` §10).
    pub fn job_states(&self) -> PathBuf {
        self.state.join("jobstates")
    }

    /// What people are still to be told, and what they were.
    pub fn notifications(&self) -> PathBuf {
        self.state.join("reelfs-notifications")
    }

    /// Task logs (`config.md` §9.2).
    pub fn tasks(&self) -> PathBuf {
        self.log.join("tasks")
    }

    /// The socket of the API.
    pub fn socket(&self) -> PathBuf {
        self.run.join("api.sock")
    }

    /// Drive locks (`tape-state.md` §1).
    pub fn drive_locks(&self) -> PathBuf {
        self.pbs_run.join("drive-lock")
    }

    /// Makes what is missing.
    pub fn create(&self) -> Result<(), FolderError> {
        let drive_states = self.pbs_run.join("drive-state");
        let private = [&self.config, &self.state, &self.cache, &self.tape_state()];
        for path in private {
            create(path, 0o750)?;
        }
        for path in [&self.run, &self.log, &self.pbs_run, &self.job_states(), &self.tasks()] {
            create(path, 0o755)?;
        }
        for path in [&self.drive_locks(), &drive_states] {
            create(path, 0o750)?;
        }
        Ok(())
    }

    /// Refuses while a PBS runs on its own folders.
    pub fn refuse_running_pbs(&self) -> Result<(), FolderError> {
        for (file, program) in
            [("proxy.pid", "proxmox-backup-proxy"), ("api.pid", "proxmox-backup-api")]
        {
            let running = fs::read_to_string(self.pbs_run.join(file)).ok();
            let pid = running.and_then(|text| text.trim().parse::<u32>().ok());
            if let Some(pid) = pid.filter(|pid| Path::new(&format!("/proc/{pid}")).exists()) {
                return Err(FolderError::PbsRuns { path: self.config.clone(), program, pid });
            }
        }
        Ok(())
    }

    /// Takes the state and cache folders for this process alone, until the lock is dropped.
    pub fn lock(&self) -> Result<InstanceLock, FolderError> {
        Ok(InstanceLock { _locks: [take(&self.state)?, take(&self.cache)?] })
    }
}

/// Holds the daemon's folders against a second daemon.
#[derive(Debug)]
pub struct InstanceLock {
    _locks: [Flock<File>; 2],
}

fn create(path: &Path, mode: u32) -> Result<(), FolderError> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|source| FolderError::Create { path: path.into(), source })
}

fn take(folder: &Path) -> Result<Flock<File>, FolderError> {
    let path = folder.join(".reeld.lck");
    let failed = |source| FolderError::Create { path: path.clone(), source };
    let file = File::options().append(true).create(true).mode(0o600).open(&path).map_err(failed)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|_| FolderError::InUse { path: folder.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_daemon_at_a_time() {
        let base = tempfile::tempdir().unwrap();
        let folders = Folders::below(base.path());
        folders.create().unwrap();
        let lock = folders.lock().unwrap();
        assert!(matches!(folders.lock(), Err(FolderError::InUse { .. })));
        drop(lock);
        assert!(folders.lock().is_ok());
    }

    #[test]
    fn a_running_pbs_is_noticed_and_a_stale_pid_is_not() {
        let base = tempfile::tempdir().unwrap();
        let folders = Folders::below(base.path());
        folders.create().unwrap();
        assert!(folders.refuse_running_pbs().is_ok());
        fs::write(folders.pbs_run.join("api.pid"), "4294967294\n").unwrap();
        assert!(folders.refuse_running_pbs().is_ok());
        fs::write(folders.pbs_run.join("proxy.pid"), format!("{}\n", std::process::id())).unwrap();
        let error = folders.refuse_running_pbs().unwrap_err();
        assert!(error.to_string().contains("proxmox-backup-proxy"), "{error}");
    }
}
