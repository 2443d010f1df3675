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
use std::time::{Duration, SystemTime};

/// The kernel dates changes by ticks of up to 10 ms; two in one tick look alike.
const TICKS: Duration = Duration::from_millis(20);

/// Tells one state of a file or folder from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    /// When it was looked at, if that was so soon behind a change that another one may look the same: such a stamp
    /// is like no other.
    too_soon: Option<SystemTime>,
}

impl Stamp {
    /// The state of what stands at `path` now; none where nothing does.
    pub(crate) fn of(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            metadata => Ok(Some(Self::seen_at(&metadata?, SystemTime::now()))),
        }
    }

    fn seen_at(metadata: &fs::Metadata, now: SystemTime) -> Self {
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        let age = now.duration_since(time_of(changed)).unwrap_or_default();
        Self {
            inode: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed,
            too_soon: (age < TICKS).then_some(now),
        }
    }
}

/// A time of a file; one that can't be told is taken for 1970.
fn time_of((seconds, nanoseconds): (i64, i64)) -> SystemTime {
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let nanoseconds = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0));
    let time = SystemTime::UNIX_EPOCH.checked_add(seconds);
    time.and_then(|time| time.checked_add(nanoseconds)).unwrap_or(SystemTime::UNIX_EPOCH)
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
        let later = SystemTime::now() + Duration::from_secs(60);
        let stamp = || Stamp::seen_at(&fs::metadata(&path).unwrap(), later);
        let first = stamp();
        assert_eq!(first, stamp());
        fs::write(&path, "ab").unwrap();
        assert_ne!(first, stamp());
    }

    #[test]
    fn right_behind_a_change_nothing_is_taken_for_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let metadata = fs::metadata(folder.path()).unwrap();
        let changed = time_of((metadata.ctime(), metadata.ctime_nsec()));
        let seen = |after_ms| Stamp::seen_at(&metadata, changed + Duration::from_millis(after_ms));
        assert_ne!(seen(1), seen(2));
        assert_ne!(seen(1), seen(100));
        assert_eq!(seen(100), seen(200));
    }
}
