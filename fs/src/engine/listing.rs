//! Listing folders: a snapshot of the names for each pass of a reader.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::attributes::{Caller, Entry, EntryKind, Stat};
use crate::engine::unavailable::unavailable;
use crate::engine::{Access, Attributes, FileSystem, NAME_BYTES_MAX, Seen};
use crate::error::FsError;
use crate::guard::{guarded, locked};
use crate::handles::{Handle, Open};
use crate::inodes::InodeNumber;

/// One name of a listing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// The name; `.` and `..` come first.
    pub name: OsString,
    /// Its kind.
    pub kind: EntryKind,
    /// The number that a look-up will give.
    pub ino: InodeNumber,
}

impl Listed {
    /// Whether it is `.` or `..`, which the kernel knows already.
    pub fn is_dot(&self) -> bool {
        self.name == "." || self.name == ".."
    }
}

/// The names of a folder at one moment.
pub type SharedDirectoryListing = Arc<Vec<Listed>>;

impl FileSystem {
    /// Opens a folder for listing.
    pub fn open_directory(&self, caller: &Caller, ino: InodeNumber) -> Result<u64, FsError> {
        let (inode, _) = self.directory(ino)?;
        self.authorizer.check(caller, &inode.path, Access::Read)?;
        let handle = Handle::Directory(Arc::new(Mutex::new(None)));
        Ok(self.handles.insert(Open { handle, opener: *caller, path: inode.path }))
    }

    /// The listing of an open folder: made anew at offset 0, the same one behind it.
    pub fn list(
        &self,
        ino: InodeNumber,
        handle: u64,
        offset: u64,
    ) -> Result<SharedDirectoryListing, FsError> {
        let Open { handle: Handle::Directory(slot), opener, .. } = self.handles.get(handle)? else {
            return Err(FsError::new(libc::ENOTDIR, "not a folder"));
        };
        let kept = locked(&slot).clone();
        if let Some(listing) = kept.filter(|_| offset > 0) {
            return Ok(listing);
        }
        let listing = Arc::new(self.make_listing(ino, &opener)?);
        *locked(&slot) = Some(Arc::clone(&listing));
        Ok(listing)
    }

    /// The attributes of a listed name; counts as a look-up. Where the look-up fails the name
    /// still gets an inode, so that the listing stays whole.
    pub fn look_up_listed(
        &self,
        caller: &Caller,
        directory: InodeNumber,
        listed: &Listed,
    ) -> Result<Stat, FsError> {
        self.lookup(caller, directory, &listed.name).or_else(|error| {
            let parent = self.inodes.get(directory)?;
            let path = parent.path.join(&listed.name);
            let seen = Seen {
                attributes: Attributes::with_mode(0),
                size: 0,
                allocated: 0,
                immutable: false,
            };
            let mut stat = self.introduce(&parent, path, unavailable(listed.kind, error), seen);
            stat.ttl = std::time::Duration::ZERO;
            Ok(stat)
        })
    }

    /// The names that `reader` may see.
    fn make_listing(&self, ino: InodeNumber, reader: &Caller) -> Result<Vec<Listed>, FsError> {
        let (inode, directory) = self.directory(ino)?;
        let entries = guarded("readdir", || directory.entries())?;
        let above = inode.path.parent().unwrap_or(Path::new(""));
        let dot = |name: &str, ino| Listed { name: name.into(), kind: EntryKind::Directory, ino };
        let mut listing = vec![dot(".", ino), dot("..", self.inodes.number(above))];
        let may_see = |name: &OsString| {
            self.authorizer.check(reader, &inode.path.join(name), Access::Look).is_ok()
        };
        let entries = entries.into_iter().filter(|entry| is_shown(&inode.path, entry));
        let seen = entries.filter(|entry| may_see(&entry.name));
        listing.extend(seen.map(|Entry { name, kind }| {
            let ino = self.inodes.number(&inode.path.join(&name));
            Listed { name, kind, ino }
        }));
        Ok(listing)
    }
}

/// A name that the kernel would refuse hides only itself, not its whole folder.
fn is_shown(directory: &Path, entry: &Entry) -> bool {
    let valid = is_valid(&entry.name);
    if !valid {
        let (directory, name) = (directory.display(), entry.name.display());
        tracing::warn!(%directory, %name, "left out a name that no file can have");
    }
    valid
}

fn is_valid(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    (1..=NAME_BYTES_MAX).contains(&bytes.len())
        && !bytes.contains(&b'/')
        && !bytes.contains(&0)
        && bytes != b"."
        && bytes != b".."
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn names_are_any_bytes_but_slash_and_nul() {
        let valid = |bytes: &[u8]| is_valid(OsStr::from_bytes(bytes));
        assert!(valid(b"2021-01-11T10:43:48Z"));
        assert!(valid(b"\xff\xfe\n "));
        assert!(valid(&[b'x'; 255]));
        assert!(!valid(&[b'x'; 256]));
        assert!(!valid(b""));
        assert!(!valid(b"."));
        assert!(!valid(b".."));
        assert!(!valid(b"a/b"));
        assert!(!valid(b"a\0b"));
    }
}
