//! A least-recently-used memory that is bounded in bytes.

use std::hash::Hash;

use lru::LruCache;

/// Keeps what was used last, up to a number of bytes.
#[derive(Debug)]
pub(crate) struct ByteLru<K: Hash + Eq, V> {
    entries: LruCache<K, (V, usize)>,
    used: usize,
    limit: usize,
}

impl<K: Hash + Eq, V: Clone> ByteLru<K, V> {
    /// An empty memory of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { entries: LruCache::unbounded(), used: 0, limit }
    }

    /// The value, which is now the one used last.
    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        self.entries.get(key).map(|(value, _)| value.clone())
    }

    /// Keeps a value of `bytes` bytes; one larger than the whole memory is not kept.
    pub(crate) fn put(&mut self, key: K, value: V, bytes: usize) {
        if bytes > self.limit {
            return;
        }
        if let Some((_, replaced)) = self.entries.put(key, (value, bytes)) {
            self.used -= replaced;
        }
        self.used += bytes;
        while self.used > self.limit
            && let Some((_, (_, freed))) = self.entries.pop_lru()
        {
            self.used -= freed;
        }
    }

    /// The most bytes that are kept.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut memory = ByteLru::new(10);
        memory.put('a', 1, 4);
        memory.put('b', 2, 4);
        assert_eq!(memory.get(&'a'), Some(1));
        memory.put('c', 3, 4);
        assert_eq!(
            (memory.get(&'a'), memory.get(&'b'), memory.get(&'c')),
            (Some(1), None, Some(3))
        );
        assert_eq!(memory.used, 8);
    }

    #[test]
    fn replacing_counts_once_and_giants_stay_out() {
        let mut memory = ByteLru::new(10);
        memory.put('a', 1, 4);
        memory.put('a', 2, 6);
        assert_eq!((memory.get(&'a'), memory.used), (Some(2), 6));
        memory.put('b', 3, 11);
        assert_eq!((memory.get(&'a'), memory.get(&'b')), (Some(2), None));
    }
}
