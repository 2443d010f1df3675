//! What is known of a node without opening it, and who asks.

use std::ffi::OsString;
use std::time::{Duration, SystemTime};

use crate::inodes::InodeNumber;

/// Owner, permissions and time of a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Attributes {
    /// Permission bits, with setuid, setgid and sticky: at most `0o7777`.
    pub mode: u16,
    /// Owner and group; `None` is whoever runs the daemon.
    pub owner: Option<(u32, u32)>,
    /// When the node last changed; `None` is when the file system was started.
    pub modified: Option<SystemTime>,
    /// How many names the node has.
    pub links: u32,
}

impl Attributes {
    /// The usual folder: everyone looks, nobody writes.
    pub const DIRECTORY: Self = Self::with_mode(0o555);
    /// The usual fact or content: everyone reads.
    pub const FILE: Self = Self::with_mode(0o444);
    /// The usual control file: only its owner acts.
    pub const CONTROL: Self = Self::with_mode(0o600);
    /// A symbolic link, whose mode means nothing.
    pub const SYMLINK: Self = Self::with_mode(0o777);

    /// These permission bits, everything else left open.
    pub const fn with_mode(mode: u16) -> Self {
        Self { mode, owner: None, modified: None, links: 1 }
    }

    /// The same with an owner and a group.
    pub const fn owned_by(self, uid: u32, gid: u32) -> Self {
        Self { owner: Some((uid, gid)), ..self }
    }

    /// The same with a time of last change.
    pub const fn modified_at(self, time: SystemTime) -> Self {
        Self { modified: Some(time), ..self }
    }
}

/// Who makes a request.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Caller {
    /// The user, as the kernel reports it.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The thread that waits for the answer; 0 where the kernel itself asks.
    pub pid: u32,
}

/// What kind of thing a name stands for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum EntryKind {
    /// A folder.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

/// One name in a folder, cheap to list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Any bytes but `/` and NUL, 1 to 255 of them.
    pub name: OsString,
    /// Its kind; must agree with the node that a look-up gives.
    pub kind: EntryKind,
}

impl Entry {
    /// A name with its kind.
    pub fn new(name: impl Into<OsString>, kind: EntryKind) -> Self {
        Self { name: name.into(), kind }
    }

    /// A folder of this name.
    pub fn directory(name: impl Into<OsString>) -> Self {
        Self::new(name, EntryKind::Directory)
    }

    /// A regular file of this name.
    pub fn file(name: impl Into<OsString>) -> Self {
        Self::new(name, EntryKind::File)
    }

    /// A symbolic link of this name.
    pub fn symlink(name: impl Into<OsString>) -> Self {
        Self::new(name, EntryKind::Symlink)
    }
}

/// What `stat(2)` tells, and for how long the kernel may believe it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stat {
    /// The inode number.
    pub ino: InodeNumber,
    /// The kind.
    pub kind: EntryKind,
    /// Permission bits.
    pub mode: u16,
    /// Number of names.
    pub links: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device node, else 0.
    pub rdev: u32,
    /// Bytes.
    pub size: u64,
    /// Bytes that are not holes.
    pub allocated: u64,
    /// Time of last change.
    pub modified: SystemTime,
    /// How long the kernel may keep name and attributes.
    pub ttl: Duration,
}
