//! Folders: they find their children when asked and hold none.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use crate::attributes::{Attributes, Entry};
use crate::control::ControlLog;
use crate::error::FsError;
use crate::node::Node;
use crate::spawn::Preparation;

/// A folder, computed on demand.
///
/// Look-ups and listings run on the threads that serve the kernel: they may read files, but must
/// not wait for people, devices or networks. What comes over a network is waited for in
/// [`prepare`](Self::prepare).
pub trait Directory: Send + Sync + 'static {
    /// The child of this name. ENOENT where there is none.
    fn lookup(&self, name: &OsStr) -> Result<Node, FsError>;

    /// All names with their kinds, in the order to show.
    fn entries(&self) -> Result<Vec<Entry>, FsError>;

    /// What is awaited before this name is looked up, or before the names are listed where there
    /// is none; nothing where all is at hand.
    fn prepare(&self, _name: Option<&OsStr>) -> Option<Preparation> {
        None
    }

    /// Owner, permissions and time.
    fn attributes(&self) -> Attributes {
        Attributes::DIRECTORY
    }

    /// How long the kernel may keep this folder's own name and attributes.
    fn freshness(&self) -> Freshness {
        Freshness::Computed
    }

    /// Names of the extended attributes.
    fn xattr_names(&self) -> Result<Vec<std::ffi::OsString>, FsError> {
        Ok(Vec::new())
    }

    /// One extended attribute, `None` where it isn't set.
    fn xattr(&self, _name: &OsStr) -> Result<Option<Vec<u8>>, FsError> {
        Ok(None)
    }

    /// Where refusals below this folder are noted; `None` is the next folder above that has one.
    fn control_log(&self) -> Option<Arc<ControlLog>> {
        None
    }

    /// The answer to a file verb that would change the tree. It is noted in the control log, so
    /// its sentence should name the control verb to use instead.
    fn refuse(&self, attempt: &Attempt<'_>) -> FsError {
        attempt.refusal()
    }

    /// Moves the child `name` to `new_name` in the folder at `new_parent`, a path from the root: gives what does it,
    /// which may block for as long as that takes.
    ///
    /// The kernel holds both folders meanwhile. A caller who interrupts it leaves; the move goes on.
    fn rename(&self, name: &OsStr, _new_parent: &Path, _new_name: &OsStr) -> Result<Move, FsError> {
        Err(not_movable(name))
    }
}

/// The refusal to move what is no cartridge.
pub(crate) fn not_movable(name: &OsStr) -> FsError {
    let message = format!("move {}: only cartridges can be moved", name.display());
    FsError::new(libc::EXDEV, message)
}

/// A move that was begun.
pub type Move = Box<dyn FnOnce() -> Result<(), FsError> + Send>;

/// How long the kernel may believe a look-up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Freshness {
    /// Made anew each time: the kernel asks again at each use.
    Computed,
    /// What can't change but by disappearing: the kernel may keep it for a while.
    Immutable,
}

/// A file verb that this tree does not do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Attempt<'a> {
    /// `rm`
    Remove(&'a OsStr),
    /// `rmdir`
    RemoveDirectory(&'a OsStr),
    /// `mkdir`
    MakeDirectory(&'a OsStr),
    /// `touch`, `>` on a new name, `mknod`
    Create(&'a OsStr),
    /// `ln`, `ln -s`
    Link(&'a OsStr),
    /// `>` on something that is no control file
    Write(&'a OsStr),
    /// `chmod`, `chown`, `touch`, `truncate`, `setfattr`
    Change(&'a OsStr),
}

impl Attempt<'_> {
    /// The verb, as a shell spells it.
    pub fn verb(&self) -> &'static str {
        match self {
            Attempt::Remove(_) => "rm",
            Attempt::RemoveDirectory(_) => "rmdir",
            Attempt::MakeDirectory(_) => "mkdir",
            Attempt::Create(_) => "create",
            Attempt::Link(_) => "ln",
            Attempt::Write(_) => "write",
            Attempt::Change(_) => "change",
        }
    }

    /// The name in the folder that it was tried on.
    pub fn name(&self) -> &OsStr {
        match self {
            Attempt::Remove(name)
            | Attempt::RemoveDirectory(name)
            | Attempt::MakeDirectory(name)
            | Attempt::Create(name)
            | Attempt::Link(name)
            | Attempt::Write(name)
            | Attempt::Change(name) => name,
        }
    }

    /// The refusal where a folder has nothing better to say.
    pub fn refusal(&self) -> FsError {
        FsError::not_permitted(
            "file verbs change nothing here; 'cat ctl' lists the commands that do",
        )
    }
}
