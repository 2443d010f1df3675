//! Inode numbers: stable across restarts, because they come from the path.
//!
//! A number is a 64-bit hash of the path from the root; where two paths meet in one number the
//! later one takes the next free. The kernel counts how often it was told of a number, and tells
//! us when it forgets; a number that nobody knows any more is dropped.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::control::ControlLog;
use crate::error::FsError;
use crate::guard::locked;
use crate::node::Node;

/// The number of a node, as `ls -i` shows it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct InodeNumber(pub u64);

impl InodeNumber {
    /// The root folder.
    pub const ROOT: Self = Self(1);
}

/// A node that the kernel knows.
#[derive(Clone)]
pub(crate) struct Inode {
    pub(crate) number: InodeNumber,
    pub(crate) node: Node,
    /// From the root, without leading `/`; empty for the root.
    pub(crate) path: Arc<Path>,
    /// Where refusals in and below this node are noted.
    pub(crate) log: Option<Arc<ControlLog>>,
}

impl Inode {
    /// The last part of the path.
    pub(crate) fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or(OsStr::new("/"))
    }
}

struct Known {
    inode: Inode,
    lookups: u64,
    /// Which content the kernel's page cache may hold.
    cached_version: Option<u64>,
}

/// All inodes that the kernel knows.
pub(crate) struct Inodes {
    known: Mutex<HashMap<InodeNumber, Known>>,
    hash: fn(&[u8]) -> u64,
}

impl Inodes {
    pub(crate) fn new(root: Node, log: Option<Arc<ControlLog>>) -> Self {
        Self::with_hash(root, log, fnv1a)
    }

    fn with_hash(root: Node, log: Option<Arc<ControlLog>>, hash: fn(&[u8]) -> u64) -> Self {
        let path = Arc::from(Path::new(""));
        let inode = Inode { number: InodeNumber::ROOT, node: root, path, log };
        let root = Known { inode, lookups: 1, cached_version: None };
        Self { known: Mutex::new(HashMap::from([(InodeNumber::ROOT, root)])), hash }
    }

    /// ESTALE where the kernel was never told of it or has forgotten it.
    pub(crate) fn get(&self, number: InodeNumber) -> Result<Inode, FsError> {
        locked(&self.known)
            .get(&number)
            .map(|known| known.inode.clone())
            .ok_or_else(|| FsError::new(libc::ESTALE, format!("inode {} is gone", number.0)))
    }

    /// Counts a look-up of `path`, whose node is now `node`.
    pub(crate) fn remember(
        &self,
        path: PathBuf,
        node: Node,
        log: Option<Arc<ControlLog>>,
    ) -> Inode {
        let mut known = locked(&self.known);
        let number = number_for(&known, self.hash, &path);
        match known.entry(number) {
            Entry::Occupied(mut slot) => {
                let known = slot.get_mut();
                known.lookups += 1;
                known.inode.node = node;
                known.inode.log = log;
                known.inode.clone()
            }
            Entry::Vacant(slot) => {
                let inode = Inode { number, node, path: path.into(), log };
                let known = Known { inode: inode.clone(), lookups: 1, cached_version: None };
                slot.insert(known);
                inode
            }
        }
    }

    /// The number that `path` has or would get.
    pub(crate) fn number(&self, path: &Path) -> InodeNumber {
        if path.as_os_str().is_empty() {
            return InodeNumber::ROOT;
        }
        number_for(&locked(&self.known), self.hash, path)
    }

    /// The kernel forgets `count` look-ups.
    pub(crate) fn forget(&self, number: InodeNumber, count: u64) {
        if number == InodeNumber::ROOT {
            return;
        }
        let mut known = locked(&self.known);
        let Entry::Occupied(mut slot) = known.entry(number) else { return };
        let left = slot.get().lookups.saturating_sub(count);
        slot.get_mut().lookups = left;
        let gone = (left == 0).then(|| slot.remove());
        // A node's own drop must not run under our lock.
        drop(known);
        drop(gone);
    }

    /// Notes which content the page cache is about to hold; true where it holds it already.
    pub(crate) fn note_cached(&self, number: InodeNumber, version: u64) -> bool {
        locked(&self.known)
            .get_mut(&number)
            .is_some_and(|known| known.cached_version.replace(version) == Some(version))
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        locked(&self.known).len()
    }
}

/// The path's hash, or the next number behind it that no other path has. 0 and the root's number
/// are nobody's.
fn number_for(
    known: &HashMap<InodeNumber, Known>,
    hash: fn(&[u8]) -> u64,
    path: &Path,
) -> InodeNumber {
    let mut number = hash(path.as_os_str().as_bytes());
    loop {
        let taken = match known.get(&InodeNumber(number)) {
            Some(known) => *known.inode.path != *path,
            None => number <= InodeNumber::ROOT.0,
        };
        if !taken {
            return InodeNumber(number);
        }
        number = number.wrapping_add(1);
    }
}

/// 64-bit FNV-1a: the same in every release of everything, which std's hasher does not promise.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builders::text;

    fn inodes(hash: fn(&[u8]) -> u64) -> Inodes {
        Inodes::with_hash(text("root"), None, hash)
    }

    fn remember(inodes: &Inodes, path: &str) -> InodeNumber {
        inodes.remember(PathBuf::from(path), text("x"), None).number
    }

    #[test]
    fn fnv1a_is_fnv1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn numbers_come_from_the_path() {
        let number = remember(&inodes(fnv1a), "pools/p/status");
        assert_eq!(number, remember(&inodes(fnv1a), "pools/p/status"));
        assert_eq!(number.0, fnv1a(b"pools/p/status"));
    }

    #[test]
    fn paths_that_meet_get_numbers_of_their_own() {
        let inodes = inodes(|_| 0);
        let first = remember(&inodes, "a");
        let second = remember(&inodes, "b");
        assert_eq!((first.0, second.0), (2, 3), "0 and 1 are nobody's");
        assert_eq!(remember(&inodes, "b"), second);
        assert_eq!(inodes.number(Path::new("a")), first);
    }

    #[test]
    fn the_last_forget_drops_an_inode() {
        let inodes = inodes(fnv1a);
        let number = remember(&inodes, "a");
        remember(&inodes, "a");
        inodes.forget(number, 1);
        assert!(inodes.get(number).is_ok());
        inodes.forget(number, 1);
        assert_eq!(inodes.get(number).err().map(|error| error.errno()), Some(libc::ESTALE));
        inodes.forget(InodeNumber::ROOT, 100);
        assert!(inodes.get(InodeNumber::ROOT).is_ok());
        assert_eq!(inodes.count(), 1);
    }

    #[test]
    fn another_version_is_not_what_the_cache_holds() {
        let inodes = inodes(fnv1a);
        let number = remember(&inodes, "a");
        assert!(!inodes.note_cached(number, 1));
        assert!(inodes.note_cached(number, 1));
        assert!(!inodes.note_cached(number, 2));
    }
}
