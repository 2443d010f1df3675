//! Mounting and unmounting.
//!
//! fuser's session runs in a thread of ours, not in its own background session: that one unmounts a second time when
//! it is dropped, and would take away what somebody else has mounted on the same folder by then.
//!
//! A mount point must be an empty folder: files below a mount are hidden, and someone would miss
//! them. Unmounting never leaves a mount that nobody serves: where a program still has a file
//! open, the mount is detached and its connection aborted, and that program gets ENOTCONN.

mod readahead;
mod stale;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use fuser::{Config, INodeNo, MountOption, Notifier, Session, SessionACL, SessionUnmounter};
use nix::mount::{MntFlags, umount2};

pub use stale::recover_stale_mount;

use crate::directory::Directory;
use crate::engine::{Authorizer, EngineOptions, FileSystem};
use crate::fuse::Adapter;
use crate::spawn::Spawner;

/// Event loops where nothing else is asked for: look-ups and facts that read a disk run on them,
/// and a few may wait for it at once.
const THREADS_DEFAULT: usize = 8;

/// Who may use the mount at all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Acl {
    /// Whoever runs the daemon.
    #[default]
    Owner,
    /// The same, and root.
    RootAndOwner,
    /// Everyone, as modes and the authorizer allow.
    All,
}

/// How to mount.
#[derive(Clone, Debug)]
pub struct MountOptions {
    /// The source that `mount` and `df` show.
    pub fs_name: String,
    /// Who may use it.
    pub acl: Acl,
    /// Event loops; each has a buffer of 16 MiB, used only as far as requests are large.
    pub threads: usize,
    /// Whether the kernel checks owners and modes by itself. Else only the authorizer does.
    pub kernel_permissions: bool,
    /// How the engine behaves.
    pub engine: EngineOptions,
}

impl Default for MountOptions {
    fn default() -> Self {
        Self {
            fs_name: "reel-fs".to_string(),
            acl: Acl::Owner,
            threads: THREADS_DEFAULT,
            kernel_permissions: true,
            engine: EngineOptions::default(),
        }
    }
}

/// Why a mount was not made or not undone.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// There is no such folder.
    #[error("mount on {path}: {source}; make an empty folder there first")]
    Missing {
        /// The mount point.
        path: PathBuf,
        /// What the look said.
        source: io::Error,
    },
    /// It is no folder, or files are in it.
    #[error("mount on {path}: {what}; give an empty folder")]
    NotEmpty {
        /// The mount point.
        path: PathBuf,
        /// What is there.
        what: &'static str,
    },
    /// The kernel or its helper refused.
    #[error(
        "mount on {path}: {source}; this user must be allowed to open /dev/fuse (mode 0666) and, unless it is root, \
         needs the program fusermount3"
    )]
    Refused {
        /// The mount point.
        path: PathBuf,
        /// What they said.
        source: io::Error,
    },
    /// Unmounting failed.
    #[error("unmount {path}: {source}")]
    Unmount {
        /// The mount point.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl MountError {
    /// The errno for those who need one.
    pub fn errno(&self) -> i32 {
        match self {
            MountError::NotEmpty { .. } => libc::ENOTEMPTY,
            MountError::Missing { source, .. }
            | MountError::Refused { source, .. }
            | MountError::Unmount { source, .. } => source.raw_os_error().unwrap_or(libc::EIO),
        }
    }
}

/// How long event loops may take to end. They end at once, but where a user without root rights unmounts what programs
/// still use: the name goes then, and the connection stays.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// A mounted file system. Dropping it unmounts.
pub struct Mounted {
    path: PathBuf,
    engine: Arc<FileSystem>,
    session: Option<Running>,
}

/// The event loops, and how to end them.
struct Running {
    unmounter: SessionUnmounter,
    notifier: Notifier,
    ended: Receiver<io::Result<()>>,
}

/// Mounts `root` on the empty folder `mountpoint`.
pub fn mount(
    root: Arc<dyn Directory>,
    mountpoint: &Path,
    spawner: Arc<dyn Spawner>,
    authorizer: Arc<dyn Authorizer>,
    options: &MountOptions,
) -> Result<Mounted, MountError> {
    check_mountpoint(mountpoint)?;
    let refused = |source| MountError::Refused { path: mountpoint.to_path_buf(), source };
    let engine = FileSystem::new(root, spawner, authorizer, options.engine.clone());
    let engine = Arc::new(engine.map_err(refused)?);
    let adapter = Adapter { engine: Arc::clone(&engine) };
    let session = Running::start(adapter, mountpoint, &session_config(options)).map_err(refused)?;
    readahead::raise(mountpoint);
    Ok(Mounted { path: mountpoint.to_path_buf(), engine, session: Some(session) })
}

fn check_mountpoint(path: &Path) -> Result<(), MountError> {
    let missing = |source| MountError::Missing { path: path.to_path_buf(), source };
    let not_empty = |what| MountError::NotEmpty { path: path.to_path_buf(), what };
    if !path.metadata().map_err(missing)?.is_dir() {
        return Err(not_empty("it is not a folder"));
    }
    if path.read_dir().map_err(missing)?.next().is_some() {
        return Err(not_empty("files are in it, or something is mounted there already"));
    }
    Ok(())
}

fn session_config(options: &MountOptions) -> Config {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName(options.fs_name.clone()),
        MountOption::Subtype("reelfs".to_string()),
        MountOption::NoAtime,
        MountOption::NoSuid,
        MountOption::NoDev,
    ];
    if options.kernel_permissions {
        config.mount_options.push(MountOption::DefaultPermissions);
    }
    config.acl = match options.acl {
        Acl::Owner => SessionACL::Owner,
        Acl::RootAndOwner => SessionACL::RootAndOwner,
        Acl::All => SessionACL::All,
    };
    config.n_threads = Some(options.threads.max(1));
    config.clone_fd = true;
    config
}

impl Running {
    fn start(adapter: Adapter, mountpoint: &Path, config: &Config) -> io::Result<Self> {
        let mut session = Session::new(adapter, mountpoint, config)?;
        let (unmounter, notifier) = (session.unmount_callable(), session.notifier());
        let (end, ended) = mpsc::sync_channel(1);
        thread::Builder::new().name("fuse".into()).spawn(move || {
            // Nobody listens where the mount was left behind.
            let _ = end.send(session.run());
        })?;
        Ok(Self { unmounter, notifier, ended })
    }

    /// Waits until the last event loop has ended, which the end of the mount makes it do.
    fn join(self) -> io::Result<()> {
        self.ended.recv_timeout(END_PATIENCE).unwrap_or_else(|error| {
            Err(io::Error::other(match error {
                RecvTimeoutError::Timeout => {
                    "programs still use it, and only root may cut them off; they are when this process ends"
                }
                RecvTimeoutError::Disconnected => "an event loop panicked",
            }))
        })
    }
}

impl Mounted {
    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The engine behind it.
    pub fn engine(&self) -> &Arc<FileSystem> {
        &self.engine
    }

    /// Tells the kernel of changes in what it may keep.
    pub fn invalidator(&self) -> Option<Invalidator> {
        let notifier = self.session.as_ref()?.notifier.clone();
        Some(Invalidator { engine: Arc::clone(&self.engine), notifier })
    }

    /// Unmounts, ends all waits, and returns when the last event loop has ended.
    ///
    /// # Errors
    /// The kernel refused, or programs keep it and this user may not cut them off.
    pub fn unmount(mut self) -> Result<(), MountError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), MountError> {
        let Some(mut session) = self.session.take() else { return Ok(()) };
        self.engine.close();
        let detached = session.unmounter.unmount().or_else(|error| self.detach_busy(error));
        let ended = detached.and_then(|()| session.join());
        ended.map_err(|source| MountError::Unmount { path: self.path.clone(), source })
    }

    /// Someone still has a file open: the name goes now (`MNT_DETACH`), and the connection is cut
    /// (`MNT_FORCE`), else its event loops would live as long as that program.
    fn detach_busy(&self, refused: io::Error) -> io::Result<()> {
        match refused.raw_os_error() {
            // Someone unmounted it already.
            Some(libc::EINVAL) => return Ok(()),
            Some(libc::EBUSY) => {}
            _ => return Err(refused),
        }
        tracing::warn!(path = %self.path.display(), "unmounted while programs use it");
        let flags = MntFlags::MNT_FORCE | MntFlags::MNT_DETACH;
        umount2(&self.path, flags).map_err(io::Error::from)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::error!(%error, "the mount was left behind");
        }
    }
}

/// Tells the kernel what it must no longer believe. Not to be used while holding a lock that a
/// node needs: the kernel may have to wait for requests first.
#[derive(Clone)]
pub struct Invalidator {
    engine: Arc<FileSystem>,
    notifier: Notifier,
}

impl Invalidator {
    /// The name at `path` (from the root) is gone or means something else now.
    pub fn entry(&self, path: &Path) -> io::Result<()> {
        let parent = path.parent().unwrap_or(Path::new(""));
        let Some(name) = path.file_name() else { return Ok(()) };
        self.notifier.inval_entry(self.number(parent), name)
    }

    /// The attributes and bytes at `path` have changed.
    pub fn content(&self, path: &Path) -> io::Result<()> {
        // From offset 0, with a length of 0 for everything.
        self.notifier.inval_inode(self.number(path), 0, 0)
    }

    fn number(&self, path: &Path) -> INodeNo {
        let path = path.strip_prefix(OsStr::new("/")).unwrap_or(path);
        INodeNo(self.engine.number(path).0)
    }
}
