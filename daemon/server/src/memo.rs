//! Remembering what was read from a file for as long as the file stays the same.
//!
//! A memo holds two generations: what is asked for moves into the younger one, and when that is full it becomes the
//! older one, whose content is forgotten. So what is in use stays and the whole is bounded.

use std::collections::HashMap;
use std::fs;
use std::hash::Hash;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Tells one state of a file or folder from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The state of what stands at `path` now; none where nothing does.
    pub(crate) fn of(path: &Path) -> io::Result<Option<Self>> {
        let metadata = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            metadata => metadata?,
        };
        Ok(Some(Self {
            inode: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }))
    }
}

/// Values by key, each good for one state of its source.
pub(crate) struct Memo<K, S, V> {
    generation_max: usize,
    generations: Mutex<Generations<K, (S, V)>>,
}

struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, S: PartialEq, V: Clone> Memo<K, S, V> {
    /// Remembers at most twice `generation_max` values.
    pub(crate) fn new(generation_max: usize) -> Self {
        let generations = Generations { young: HashMap::new(), old: HashMap::new() };
        Self { generation_max, generations: Mutex::new(generations) }
    }

    /// What is remembered for `key` in the state `stamp`, or what `make` makes, which is remembered unless it fails.
    ///
    /// Take the stamp before the source is read: then a change in between is noticed the next time.
    pub(crate) fn get_or<E>(
        &self,
        key: K,
        stamp: S,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        if let Some(value) = self.get(&key, &stamp) {
            return Ok(value);
        }
        let value = make()?;
        self.put(key, stamp, value.clone());
        Ok(value)
    }

    fn get(&self, key: &K, stamp: &S) -> Option<V> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, value)) = generations.young.get(key) {
            return (known == stamp).then(|| value.clone());
        }
        let (key, (known, value)) = generations.old.remove_entry(key)?;
        let found = (known == *stamp).then(|| value.clone());
        generations.keep(key, (known, value), self.generation_max);
        found
    }

    fn put(&self, key: K, stamp: S, value: V) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.keep(key, (stamp, value), self.generation_max);
    }
}

impl<K: Eq + Hash, V> Generations<K, V> {
    fn keep(&mut self, key: K, value: V, max: usize) {
        if self.young.len() >= max && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(memo: &Memo<u32, u32, u32>, key: u32, stamp: u32, fresh: u32) -> u32 {
        memo.get_or(key, stamp, || Ok::<_, ()>(fresh)).unwrap()
    }

    #[test]
    fn a_value_is_good_for_one_state() {
        let memo = Memo::new(4);
        assert_eq!(ask(&memo, 1, 1, 10), 10);
        assert_eq!(ask(&memo, 1, 1, 11), 10);
        assert_eq!(ask(&memo, 1, 2, 12), 12);
        assert_eq!(ask(&memo, 1, 2, 13), 12);
        assert_eq!(memo.get_or(1, 3, || Err(())), Err(()));
        assert_eq!(ask(&memo, 1, 3, 14), 14);
    }

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let memo = Memo::new(2);
        for key in 0..100 {
            ask(&memo, key, 0, key);
            assert_eq!(ask(&memo, 0, 0, 1000), 0, "after {key}");
        }
        let generations = memo.generations.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= 4);
    }

    #[test]
    fn a_file_that_changes_has_another_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(Stamp::of(&path).unwrap(), None);
        fs::write(&path, "a").unwrap();
        let first = Stamp::of(&path).unwrap();
        assert_eq!(first, Stamp::of(&path).unwrap());
        fs::write(&path, "ab").unwrap();
        assert_ne!(first, Stamp::of(&path).unwrap());
    }
}
