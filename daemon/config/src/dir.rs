//! The folder of the configuration: its locks, its files, their owners (`config.md` §1).

use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{Gid, Group, Uid, User, geteuid};
use openssl::sha::sha256;
use reel_types::{Digest, ParseError};

use crate::ConfigError;
use crate::error::io_error;
use crate::replace::{Owner, replace_file};

/// How long a lock is waited for (`config.md` §1).
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// How often a held lock is tried again: short beside what a person notices, long beside a system call.
const LOCK_RETRY: Duration = Duration::from_millis(50);
/// The system user and group that PBS's unprivileged part runs as.
const BACKUP_USER: &str = "backup";

/// Who may read a file of the configuration (`config.md` §1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileClass {
    /// `root:backup`, 0640.
    Normal,
    /// `root:root`, 0600.
    Secret,
    /// `backup:backup`, 0640: what PBS's unprivileged part must read and write.
    Service,
}

/// SHA-256 over the bytes of a configuration file: whoever changes it tells what they had seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConfigDigest(Digest);

impl ConfigDigest {
    /// The digest of a file with this content; a missing file is empty.
    pub fn of(content: &[u8]) -> Self {
        Self(Digest(sha256(content)))
    }
}

impl fmt::Display for ConfigDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ConfigDigest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        text.parse().map(Self)
    }
}

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub struct ConfigLock {
    _file: Flock<File>,
}

/// A folder of configuration files.
#[derive(Debug, Clone)]
pub struct ConfigDir {
    path: PathBuf,
    lock_wait: Duration,
    backup: Option<(Uid, Gid)>,
}

impl ConfigDir {
    /// The folder at `path`. Files are given to PBS's users if we are root and the system knows them,
    /// else they are ours.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), lock_wait: LOCK_WAIT, backup: backup_user() }
    }

    /// The same folder with another patience for locks that somebody else holds.
    pub fn with_lock_wait(self, lock_wait: Duration) -> Self {
        Self { lock_wait, ..self }
    }

    /// The path of the file `name`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Takes the lock file `name`, which is made if it is missing and never removed.
    pub fn lock(&self, name: &str) -> Result<ConfigLock, ConfigError> {
        let path = self.file(name);
        let mut file = self.open_lock_file(&path)?;
        let deadline = Instant::now() + self.lock_wait;
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => return Ok(ConfigLock { _file: file }),
                Err((_, errno)) if errno != nix::errno::Errno::EWOULDBLOCK => {
                    return Err(io_error("lock", &path)(errno.into()));
                }
                Err(_) if Instant::now() >= deadline => {
                    return Err(ConfigError::Locked { path, waited: self.lock_wait });
                }
                Err((unlocked, _)) => file = unlocked,
            }
            thread::sleep(LOCK_RETRY.min(deadline.saturating_duration_since(Instant::now())));
        }
    }

    /// The content of the file `name`; a missing file is empty.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, ConfigError> {
        let path = self.file(name);
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read.map_err(io_error("read", &path)),
        }
    }

    /// Replaces the file `name` whole; whatever fails leaves the old one.
    pub fn replace(&self, name: &str, content: &[u8], class: FileClass) -> Result<(), ConfigError> {
        let (mode, owner) = self.access(class);
        replace_file(&self.file(name), mode, owner, |file| file.write_all(content))
    }

    /// Mode and owner of the files of a class.
    pub(crate) fn access(&self, class: FileClass) -> (u32, Owner) {
        match (class, self.backup) {
            (FileClass::Normal, Some((_, group))) => {
                (0o640, Owner { user: Some(Uid::from_raw(0)), group: Some(group) })
            }
            (FileClass::Service, Some((user, group))) => {
                (0o640, Owner { user: Some(user), group: Some(group) })
            }
            (FileClass::Normal | FileClass::Service, None) => (0o640, Owner::default()),
            (FileClass::Secret, _) => (0o600, Owner::default()),
        }
    }

    /// Opens a lock file, after making it if need be: under a temporary name first, so that nobody ever
    /// sees it with another mode or owner.
    fn open_lock_file(&self, path: &Path) -> Result<File, ConfigError> {
        let open = || OpenOptions::new().read(true).append(true).open(path);
        match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.create_lock_file(path).map_err(io_error("create the lock file", path))?;
                open().map_err(io_error("open the lock file", path))
            }
            opened => opened.map_err(io_error("open the lock file", path)),
        }
    }

    fn create_lock_file(&self, path: &Path) -> io::Result<()> {
        let file = tempfile::NamedTempFile::new_in(&self.path)?;
        file.as_file().set_permissions(Permissions::from_mode(0o660))?;
        let (user, group) = self.backup.unzip();
        Owner { user, group }.give(file.as_file())?;
        match file.persist_noclobber(path) {
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
            _ => Ok(()),
        }
    }
}

fn backup_user() -> Option<(Uid, Gid)> {
    if !geteuid().is_root() {
        return None;
    }
    let user = User::from_name(BACKUP_USER).ok()??;
    let group = Group::from_name(BACKUP_USER).ok()??;
    Some((user.uid, group.gid))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::MetadataExt;
    use std::process::{Child, Command, Stdio};

    use super::*;

    fn folder() -> (tempfile::TempDir, ConfigDir) {
        let folder = tempfile::tempdir().unwrap();
        let dir = ConfigDir::new(folder.path()).with_lock_wait(Duration::ZERO);
        (folder, dir)
    }

    /// Another process that holds the lock until its standard input is closed.
    fn holder(path: &Path) -> Option<Child> {
        let mut child = Command::new("flock")
            .arg(path)
            .args(["sh", "-c", "echo held; read line"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
        (line == "held\n").then_some(child)
    }

    #[test]
    fn a_lock_held_by_another_process_is_named() {
        let (_folder, dir) = folder();
        drop(dir.lock(".datastore.lck").unwrap());
        let Some(mut child) = holder(&dir.file(".datastore.lck")) else {
            eprintln!("skipped: no flock(1) on this computer");
            return;
        };
        let error = dir.lock(".datastore.lck").unwrap_err();
        assert_eq!(error.errno(), nix::libc::EBUSY);
        assert!(error.to_string().contains("/.datastore.lck"), "{error}");
        drop(child.stdin.take());
        child.wait().unwrap();
        dir.lock(".datastore.lck").unwrap();
    }

    #[test]
    fn a_lock_excludes_within_the_process_and_frees_itself() {
        let (_folder, dir) = folder();
        let held = dir.lock(".tape.lck").unwrap();
        assert!(matches!(dir.lock(".tape.lck"), Err(ConfigError::Locked { .. })));
        dir.lock(".media-pool.lck").unwrap();
        drop(held);
        dir.lock(".tape.lck").unwrap();
    }

    #[test]
    fn a_lock_is_waited_for() {
        let (_folder, dir) = folder();
        let held = dir.lock(".tape.lck").unwrap();
        let patient = dir.clone().with_lock_wait(Duration::from_secs(60));
        let waiter = thread::spawn(move || patient.lock(".tape.lck").map(drop));
        drop(held);
        waiter.join().unwrap().unwrap();
    }

    #[test]
    fn modes_and_owners() {
        let (_folder, dir) = folder();
        dir.lock(".a.lck").unwrap();
        dir.replace("a.cfg", b"x", FileClass::Normal).unwrap();
        dir.replace("a.json", b"x", FileClass::Secret).unwrap();
        let look = |name: &str| fs::metadata(dir.file(name)).unwrap();
        let mode = |name: &str| look(name).mode() & 0o7777;
        assert_eq!((mode(".a.lck"), mode("a.cfg"), mode("a.json")), (0o660, 0o640, 0o600));
        if let Some((user, group)) = backup_user() {
            assert_eq!(
                (look(".a.lck").uid(), look(".a.lck").gid()),
                (user.as_raw(), group.as_raw())
            );
            assert_eq!((look("a.cfg").uid(), look("a.cfg").gid()), (0, group.as_raw()));
            assert_eq!((look("a.json").uid(), look("a.json").gid()), (0, 0));
        }
    }

    #[test]
    fn a_missing_file_is_empty_and_a_missing_folder_an_error() {
        let (folder, dir) = folder();
        assert_eq!(dir.read("a.cfg").unwrap(), b"");
        let nowhere = ConfigDir::new(folder.path().join("none"));
        assert_eq!(nowhere.lock(".a.lck").unwrap_err().errno(), nix::libc::ENOENT);
        assert_eq!(
            nowhere.replace("a.cfg", b"", FileClass::Normal).unwrap_err().errno(),
            nix::libc::ENOENT
        );
    }

    #[test]
    fn digests_are_strict() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(ConfigDigest::of(b"").to_string(), empty);
        assert_eq!(empty.parse(), Ok(ConfigDigest::of(b"")));
        for bad in ["", &empty.to_uppercase(), &empty[1..], &format!("{empty}0")] {
            assert!(bad.parse::<ConfigDigest>().is_err(), "{bad}");
        }
    }
}
