//! What the cache knows without looking at its disk.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use lru::LruCache;
use reel_types::Digest;

use crate::blob::DataBlob;
use crate::handover::Handover;
use crate::source::ChunkError;

pub(super) type Outcome = Result<DataBlob, ChunkError>;

pub(super) struct State {
    /// Bytes of each file, in the order of use.
    entries: LruCache<Digest, u64>,
    used: u64,
    /// Room promised to files that are being written.
    promised: u64,
    bytes_max: u64,
    /// How often each blob is pinned, whether it is there or not.
    pins: HashMap<Digest, usize>,
    pinned_bytes: u64,
    waiting: HashMap<Digest, Weak<Handover<Outcome>>>,
    /// Whether the last write failed.
    pub(super) failing: bool,
}

impl State {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self {
            entries: LruCache::unbounded(),
            used: 0,
            promised: 0,
            bytes_max,
            pins: HashMap::new(),
            pinned_bytes: 0,
            waiting: HashMap::new(),
            failing: false,
        }
    }

    pub(super) fn used(&self) -> u64 {
        self.used
    }

    pub(super) fn limit(&self) -> u64 {
        self.bytes_max
    }

    pub(super) fn contains(&self, digest: &Digest) -> bool {
        self.entries.contains(digest)
    }

    /// Marks the blob as used last; false where it isn't there.
    pub(super) fn touch(&mut self, digest: &Digest) -> bool {
        self.entries.promote(digest)
    }

    /// Promises room for `bytes`; the blobs that must go for it, or none where what is pinned or
    /// promised leaves too little.
    pub(super) fn make_room(&mut self, bytes: u64) -> Option<Vec<Digest>> {
        let fixed = self.pinned_bytes.saturating_add(self.promised);
        if fixed.saturating_add(bytes) > self.bytes_max {
            return None;
        }
        self.promised += bytes;
        Some(self.drop_surplus())
    }

    /// Takes a promise back.
    pub(super) fn return_room(&mut self, bytes: u64) {
        self.promised -= bytes;
    }

    /// Notes a file that is on disk now; the blobs that must go because it is more than allowed.
    pub(super) fn remember(&mut self, digest: Digest, bytes: u64) -> Vec<Digest> {
        self.forget(&digest);
        self.entries.put(digest, bytes);
        self.used += bytes;
        if self.pins.contains_key(&digest) {
            self.pinned_bytes += bytes;
        }
        self.drop_surplus()
    }

    /// Forgets a file that is gone.
    pub(super) fn forget(&mut self, digest: &Digest) {
        let Some(bytes) = self.entries.pop(digest) else { return };
        self.used -= bytes;
        if self.pins.contains_key(digest) {
            self.pinned_bytes -= bytes;
        }
    }

    fn drop_surplus(&mut self) -> Vec<Digest> {
        let surplus = (self.used + self.promised).saturating_sub(self.bytes_max);
        let mut freed = 0;
        let dropped: Vec<Digest> = self
            .entries
            .iter()
            .rev()
            .filter(|(digest, _)| !self.pins.contains_key(*digest))
            .take_while(|(_, bytes)| {
                let needed = freed < surplus;
                freed += **bytes;
                needed
            })
            .map(|(digest, _)| *digest)
            .collect();
        dropped.iter().for_each(|digest| self.forget(digest));
        dropped
    }

    pub(super) fn pin(&mut self, digest: &Digest) {
        let count = self.pins.entry(*digest).or_insert(0);
        *count += 1;
        if *count == 1 {
            self.pinned_bytes += self.entries.peek(digest).copied().unwrap_or(0);
        }
    }

    pub(super) fn unpin(&mut self, digest: &Digest) {
        let Some(count) = self.pins.get_mut(digest) else { return };
        *count -= 1;
        if *count == 0 {
            self.pins.remove(digest);
            self.pinned_bytes -= self.entries.peek(digest).copied().unwrap_or(0);
        }
    }

    /// Where those wait who want a blob that isn't there.
    pub(super) fn waiters(&mut self, digest: &Digest) -> Arc<Handover<Outcome>> {
        if let Some(waiting) = self.waiting.get(digest).and_then(Weak::upgrade) {
            return waiting;
        }
        self.waiting.retain(|_, waiting| waiting.strong_count() > 0);
        let handover = Handover::new();
        self.waiting.insert(*digest, Arc::downgrade(&handover));
        handover
    }

    pub(super) fn take_waiters(&mut self, digest: &Digest) -> Option<Arc<Handover<Outcome>>> {
        self.waiting.remove(digest)?.upgrade()
    }
}
