//! A stand-in for a listed name whose look-up failed.
//!
//! A listing with attributes must give each name an inode. The stand-in has no lifetime in the
//! kernel's caches, so whoever uses the name looks it up again and gets the true error.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::attributes::{Attributes, Entry, EntryKind};
use crate::directory::Directory;
use crate::error::FsError;
use crate::fact::Fact;
use crate::node::{Node, Symlink};

struct Unavailable(FsError);

pub(super) fn unavailable(kind: EntryKind, error: FsError) -> Node {
    let stand_in = Arc::new(Unavailable(error));
    match kind {
        EntryKind::Directory => Node::Directory(stand_in),
        EntryKind::Symlink => Node::Symlink(stand_in),
        _ => Node::Fact(stand_in),
    }
}

impl Directory for Unavailable {
    fn lookup(&self, _name: &OsStr) -> Result<Node, FsError> {
        Err(self.0.clone())
    }

    fn entries(&self) -> Result<Vec<Entry>, FsError> {
        Err(self.0.clone())
    }

    fn attributes(&self) -> Attributes {
        Attributes::with_mode(0)
    }
}

impl Fact for Unavailable {
    fn render(&self) -> Result<Vec<u8>, FsError> {
        Err(self.0.clone())
    }

    fn attributes(&self) -> Attributes {
        Attributes::with_mode(0)
    }
}

impl Symlink for Unavailable {
    fn target(&self) -> Result<PathBuf, FsError> {
        Err(self.0.clone())
    }
}
