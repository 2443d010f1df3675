//! A node: one of the kinds of file that a tree is made of.

use std::path::PathBuf;
use std::sync::Arc;

use crate::attributes::{Attributes, EntryKind};
use crate::content::Content;
use crate::control::ControlFile;
use crate::directory::Directory;
use crate::error::FsError;
use crate::fact::Fact;
use crate::wait::Wait;

/// What a name stands for. Cheap to clone.
#[derive(Clone)]
pub enum Node {
    /// A folder.
    Directory(Arc<dyn Directory>),
    /// Text made at open.
    Fact(Arc<dyn Fact>),
    /// The file that acts.
    Control(Arc<ControlFile>),
    /// Streamed bytes.
    Content(Arc<dyn Content>),
    /// Text that comes when something has happened.
    Wait(Arc<dyn Wait>),
    /// A symbolic link.
    Symlink(Arc<dyn Symlink>),
    /// A pipe, socket or device node inside an archive.
    Special(Special),
}

impl Node {
    /// The kind, as a listing shows it.
    pub fn kind(&self) -> EntryKind {
        match self {
            Node::Directory(_) => EntryKind::Directory,
            Node::Fact(_) | Node::Control(_) | Node::Content(_) | Node::Wait(_) => EntryKind::File,
            Node::Symlink(_) => EntryKind::Symlink,
            Node::Special(special) => special.kind.entry_kind(),
        }
    }

    /// Owner, permissions and time.
    pub fn attributes(&self) -> Attributes {
        match self {
            Node::Directory(node) => node.attributes(),
            Node::Fact(node) => node.attributes(),
            Node::Control(node) => node.attributes(),
            Node::Content(node) => node.attributes(),
            Node::Wait(node) => node.attributes(),
            Node::Symlink(node) => node.attributes(),
            Node::Special(special) => special.attributes,
        }
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Node::Directory(_) => "Directory",
            Node::Fact(_) => "Fact",
            Node::Control(_) => "Control",
            Node::Content(_) => "Content",
            Node::Wait(_) => "Wait",
            Node::Symlink(_) => "Symlink",
            Node::Special(_) => "Special",
        };
        f.write_str(name)
    }
}

/// A symbolic link whose target may change.
pub trait Symlink: Send + Sync + 'static {
    /// Where it points to, now.
    fn target(&self) -> Result<PathBuf, FsError>;

    /// Owner and time; the mode of a link means nothing.
    fn attributes(&self) -> Attributes {
        Attributes::SYMLINK
    }

    /// Whether the target can't change, so that the kernel may keep name and attributes.
    fn immutable(&self) -> bool {
        false
    }
}

/// A node that only archives hold. It can be looked at and copied, never opened.
#[derive(Clone, Copy, Debug)]
pub struct Special {
    /// Which sort.
    pub kind: SpecialKind,
    /// Owner, permissions, time.
    pub attributes: Attributes,
}

/// The sorts of [`Special`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SpecialKind {
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device with its device number as `st_rdev` has it.
    CharDevice(u32),
    /// A block device with its device number.
    BlockDevice(u32),
}

impl SpecialKind {
    pub(crate) fn entry_kind(self) -> EntryKind {
        match self {
            SpecialKind::Fifo => EntryKind::Fifo,
            SpecialKind::Socket => EntryKind::Socket,
            SpecialKind::CharDevice(_) => EntryKind::CharDevice,
            SpecialKind::BlockDevice(_) => EntryKind::BlockDevice,
        }
    }

    pub(crate) fn rdev(self) -> u32 {
        match self {
            SpecialKind::Fifo | SpecialKind::Socket => 0,
            SpecialKind::CharDevice(rdev) | SpecialKind::BlockDevice(rdev) => rdev,
        }
    }
}
