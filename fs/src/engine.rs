//! The engine: what the file system answers, without a word of FUSE.
//!
//! It owns inode numbers and handles, asks nodes, and keeps the rules that hold for every tree:
//! what shells send to control files, that nothing is destroyed by file verbs, that a node's
//! panic is EIO and nothing worse. Requests come in as plain values and go out as [`Answer`]s;
//! tests drive it without a mount. `fuse.rs` joins it to the kernel.
//!
//! Look-ups, listings and facts are answered on the thread that asks, once what they come from
//! has been brought where that is far away. Content, waits, commands, moves and what brings
//! something are futures for the program's executor, under a watchdog that drops them when the
//! asking process gets a signal.

mod listing;
mod open;
mod refusals;
mod unavailable;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

pub use listing::{Listed, SharedDirectoryListing};
pub use open::{Opened, PollState};

use crate::attributes::{Attributes, Caller, Stat};
use crate::content::Caching;
use crate::directory::{Directory, Freshness};
use crate::error::FsError;
use crate::guard::{guarded, guarded_async};
use crate::handles::Handles;
use crate::inodes::{Inode, InodeNumber, Inodes};
use crate::node::Node;
use crate::spawn::{Preparation, Spawner};
use crate::waiters::Waiters;

/// The longest name that programs expect (`NAME_MAX`).
pub(crate) const NAME_BYTES_MAX: usize = 255;
/// What a control file shows as its size, as sysfs does. The kernel takes no exclusive lock for
/// direct writes inside the size.
const CONTROL_SIZE: u64 = 4096;
/// Permission bits, without those of the kind.
const MODE_BITS: u16 = 0o7777;

/// An answer now, or a future for the executor. Dropping the future withdraws the request.
pub enum Answer<T> {
    /// Known at once.
    Now(Result<T, FsError>),
    /// May take its time.
    Later(BoxFuture<'static, Result<T, FsError>>),
}

/// Ends when something can be asked for, or fails where the caller got a signal first.
pub type Prepared = BoxFuture<'static, Result<(), FsError>>;

/// What a caller is about to do with a path.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Access {
    /// See that it is there, and its attributes.
    Look,
    /// Read its text, content, names or extended attributes.
    Read,
    /// Write commands to it, or move it.
    Act,
}

/// Decides who may do what, at each operation, besides the kernel's own check of modes.
pub trait Authorizer: Send + Sync + 'static {
    /// Allows by `Ok`. `path` is from the root, without a leading `/`. For reads and writes of an
    /// open handle the caller is who opened it.
    fn check(&self, caller: &Caller, path: &Path, access: Access) -> Result<(), FsError>;

    /// The permission bits that the caller is shown of a node that has `mode`. Whoever changes them must keep the kernel
    /// from remembering attributes.
    fn shown_mode(&self, _caller: &Caller, _path: &Path, mode: u16) -> u16 {
        mode
    }
}

/// Leaves everything to the kernel's check of modes.
pub struct AllowAll;

impl Authorizer for AllowAll {
    fn check(&self, _: &Caller, _: &Path, _: Access) -> Result<(), FsError> {
        Ok(())
    }
}

/// How an engine behaves.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// How long the kernel keeps names and attributes of computed nodes but folders. Zero, the
    /// default, makes every command's effect visible to the next `stat`.
    pub computed_ttl: Duration,
    /// The same for computed folders. Each step of each path asks for its folder, so with zero a
    /// listing of 100,000 files asks 100,000 times and more for the same few folders. The default
    /// is a second: a new folder shows at once, a removed one is gone at the latest then, and at
    /// once where its name is invalidated.
    pub directory_ttl: Duration,
    /// The same for what can't change but by disappearing. The default, a minute, carries a
    /// listing of 100,000 snapshots through one `ls -lR`, and shows a forgotten snapshot no
    /// longer than that where the daemon does not invalidate it.
    pub immutable_ttl: Duration,
    /// The time shown where a node has none of its own.
    pub started: SystemTime,
    /// Owner and group where a node has none of its own.
    pub owner: (u32, u32),
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            computed_ttl: Duration::ZERO,
            directory_ttl: Duration::from_secs(1),
            immutable_ttl: Duration::from_secs(60),
            started: SystemTime::now(),
            owner: (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw()),
        }
    }
}

/// The engine.
pub struct FileSystem {
    inodes: Arc<Inodes>,
    handles: Arc<Handles>,
    waiters: Waiters,
    spawner: Arc<dyn Spawner>,
    authorizer: Arc<dyn Authorizer>,
    options: EngineOptions,
}

impl FileSystem {
    /// A file system of this root. Fails where no thread can be started.
    pub fn new(
        root: Arc<dyn Directory>,
        spawner: Arc<dyn Spawner>,
        authorizer: Arc<dyn Authorizer>,
        options: EngineOptions,
    ) -> std::io::Result<Self> {
        let log = root.control_log();
        Ok(Self {
            inodes: Arc::new(Inodes::new(Node::Directory(root), log)),
            handles: Arc::default(),
            waiters: Waiters::start()?,
            spawner,
            authorizer,
            options,
        })
    }

    pub(crate) fn spawner(&self) -> &dyn Spawner {
        self.spawner.as_ref()
    }

    /// The inode number that a path from the root has or would get.
    pub(crate) fn number(&self, path: &Path) -> InodeNumber {
        self.inodes.number(path)
    }

    /// Ends all waits, now and from now on. Their callers get EINTR.
    pub fn close(&self) {
        self.waiters.close();
    }

    /// What is to be awaited before a name is looked up ([`lookup`](Self::lookup)) or, without
    /// one, before the names are listed ([`list`](Self::list)); nothing where all is at hand, or
    /// where the caller may not ask.
    pub fn prepare_names(
        &self,
        caller: &Caller,
        parent: InodeNumber,
        name: Option<&OsStr>,
    ) -> Option<Prepared> {
        let (inode, directory) = self.directory(parent).ok()?;
        let path = name.map_or_else(|| inode.path.to_path_buf(), |name| inode.path.join(name));
        self.authorizer.check(caller, &path, Access::Look).ok()?;
        let preparation = guarded("lookup", || Ok(directory.prepare(name))).ok().flatten()?;
        Some(self.until_signal(caller, preparation))
    }

    fn until_signal(&self, caller: &Caller, preparation: Preparation) -> Prepared {
        let (watch, pid) = (self.waiters.watch(), caller.pid);
        let preparation = guarded_async("prepare", preparation.map(Ok));
        async move { watch.until_signal(pid, preparation).await }.boxed()
    }

    /// Finds a name. The kernel now knows the inode and will forget it later.
    pub fn lookup(
        &self,
        caller: &Caller,
        parent: InodeNumber,
        name: &OsStr,
    ) -> Result<Stat, FsError> {
        if name.len() > NAME_BYTES_MAX {
            let message = format!("the name has more than {NAME_BYTES_MAX} bytes");
            return Err(FsError::new(libc::ENAMETOOLONG, message));
        }
        let (parent, directory) = self.directory(parent)?;
        let path = parent.path.join(name);
        self.authorizer.check(caller, &path, Access::Look)?;
        let node = guarded("lookup", || directory.lookup(name))?;
        let seen = guarded("lookup", || self.look_at(&node))?;
        let mode = self.authorizer.shown_mode(caller, &path, seen.attributes.mode);
        let mut stat = self.introduce(&parent, path, node, seen);
        stat.mode = mode & MODE_BITS;
        Ok(stat)
    }

    /// The kernel forgets `count` look-ups of an inode.
    pub fn forget(&self, ino: InodeNumber, count: u64) {
        self.inodes.forget(ino, count);
    }

    /// `stat(2)`. With an open handle the size is that of what the handle shows.
    pub fn stat(
        &self,
        caller: &Caller,
        ino: InodeNumber,
        handle: Option<u64>,
    ) -> Result<Stat, FsError> {
        let inode = self.inodes.get(ino)?;
        self.authorizer.check(caller, &inode.path, Access::Look)?;
        let seen = guarded("stat", || self.look_at(&inode.node))?;
        let mut stat = self.stat_of(ino, &inode.node, &seen);
        stat.mode = self.authorizer.shown_mode(caller, &inode.path, stat.mode) & MODE_BITS;
        if let Some(size) = handle.and_then(|handle| self.size_in_handle(handle)) {
            stat.size = size;
        }
        Ok(stat)
    }

    /// Where a symbolic link points to.
    pub fn read_link(&self, caller: &Caller, ino: InodeNumber) -> Result<PathBuf, FsError> {
        let inode = self.inodes.get(ino)?;
        self.authorizer.check(caller, &inode.path, Access::Look)?;
        match &inode.node {
            Node::Symlink(link) => guarded("readlink", || link.target()),
            _ => Err(FsError::invalid("not a symbolic link")),
        }
    }

    /// Names of the extended attributes, each followed by NUL as `listxattr(2)` wants them.
    pub fn xattr_names(&self, caller: &Caller, ino: InodeNumber) -> Result<Vec<u8>, FsError> {
        let inode = self.inodes.get(ino)?;
        self.authorizer.check(caller, &inode.path, Access::Look)?;
        let names = guarded("listxattr", || match &inode.node {
            Node::Content(content) => content.xattr_names(),
            Node::Directory(directory) => directory.xattr_names(),
            _ => Ok(Vec::new()),
        })?;
        Ok(names.iter().flat_map(|name| [name.as_encoded_bytes(), b"\0"].concat()).collect())
    }

    /// One extended attribute; ENODATA where it isn't set.
    pub fn xattr(
        &self,
        caller: &Caller,
        ino: InodeNumber,
        name: &OsStr,
    ) -> Result<Vec<u8>, FsError> {
        let inode = self.inodes.get(ino)?;
        self.authorizer.check(caller, &inode.path, Access::Look)?;
        let value = guarded("getxattr", || match &inode.node {
            Node::Content(content) => content.xattr(name),
            Node::Directory(directory) => directory.xattr(name),
            _ => Ok(None),
        })?;
        value.ok_or_else(|| FsError::new(libc::ENODATA, format!("no attribute {}", name.display())))
    }

    /// `access(2)`, where the kernel does not decide itself.
    pub fn access(&self, caller: &Caller, ino: InodeNumber, wanted: Access) -> Result<(), FsError> {
        let inode = self.inodes.get(ino)?;
        self.authorizer.check(caller, &inode.path, wanted)
    }

    fn directory(&self, ino: InodeNumber) -> Result<(Inode, Arc<dyn Directory>), FsError> {
        let inode = self.inodes.get(ino)?;
        match &inode.node {
            Node::Directory(directory) => {
                let directory = Arc::clone(directory);
                Ok((inode, directory))
            }
            _ => Err(FsError::new(libc::ENOTDIR, "not a folder")),
        }
    }

    /// Gives a node its inode and counts the look-up.
    fn introduce(&self, parent: &Inode, path: PathBuf, node: Node, seen: Seen) -> Stat {
        let log = match &node {
            Node::Directory(directory) => guarded("lookup", || Ok(directory.control_log())),
            Node::Control(file) => Ok(Some(Arc::clone(file.log()))),
            _ => Ok(None),
        };
        let log = log.unwrap_or(None).or_else(|| parent.log.clone());
        let path = match &node {
            Node::Content(content) => content.link_identity().unwrap_or(path),
            _ => path,
        };
        let inode = self.inodes.remember(path, node, log);
        self.stat_of(inode.number, &inode.node, &seen)
    }

    fn look_at(&self, node: &Node) -> Result<Seen, FsError> {
        let (size, allocated, immutable) = match node {
            Node::Directory(node) => (0, 0, node.freshness() == Freshness::Immutable),
            Node::Fact(node) if node.cheap() => {
                let size = node.render()?.len() as u64;
                (size, size, false)
            }
            Node::Fact(_) | Node::Wait(_) => (0, 0, false),
            Node::Control(_) => (CONTROL_SIZE, 0, false),
            Node::Content(node) => {
                (node.size()?, node.allocated()?, node.caching() != Caching::Never)
            }
            Node::Symlink(node) => (node.target()?.as_os_str().len() as u64, 0, node.immutable()),
            Node::Special(_) => (0, 0, true),
        };
        Ok(Seen { attributes: node.attributes(), size, allocated, immutable })
    }

    fn stat_of(&self, ino: InodeNumber, node: &Node, seen: &Seen) -> Stat {
        let attributes = &seen.attributes;
        let (uid, gid) = attributes.owner.unwrap_or(self.options.owner);
        let ttl = match (seen.immutable, node) {
            (true, _) => self.options.immutable_ttl,
            (false, Node::Directory(_)) => self.options.directory_ttl,
            (false, _) => self.options.computed_ttl,
        };
        Stat {
            ino,
            kind: node.kind(),
            mode: attributes.mode & MODE_BITS,
            links: attributes.links,
            uid,
            gid,
            rdev: match node {
                Node::Special(special) => special.kind.rdev(),
                _ => 0,
            },
            size: seen.size,
            allocated: seen.allocated,
            modified: attributes.modified.unwrap_or(self.options.started),
            ttl,
        }
    }
}

/// What a node says of itself, before it has a number.
struct Seen {
    attributes: Attributes,
    size: u64,
    allocated: u64,
    immutable: bool,
}
