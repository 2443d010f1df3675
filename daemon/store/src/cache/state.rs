//! What the cache knows without looking at its disk.

use std::collections::HashMap;

use lru::LruCache;
use reel_types::Digest;

/// What is known of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) bytes: u64,
    /// Whether this process has compared its data with the digest.
    pub(super) checked: bool,
}

pub(super) struct State {
    /// The files, in the order of use.
    entries: LruCache<Digest, Known>,
    used: u64,
    /// Room promised to files that are being written.
    promised: u64,
    bytes_max: u64,
    /// How often each blob is pinned, whether it is there or not.
    pins: HashMap<Digest, usize>,
    pinned_bytes: u64,
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

    /// Marks the chunk as used last; none where it isn't there.
    pub(super) fn touch(&mut self, digest: &Digest) -> Option<Known> {
        self.entries.get(digest).copied()
    }

    /// The data of a file have its digest.
    pub(super) fn note_checked(&mut self, digest: &Digest) {
        if let Some(known) = self.entries.peek_mut(digest) {
            known.checked = true;
        }
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
    pub(super) fn remember(&mut self, digest: Digest, bytes: u64, checked: bool) -> Vec<Digest> {
        self.forget(&digest);
        self.entries.put(digest, Known { bytes, checked });
        self.used += bytes;
        if self.pins.contains_key(&digest) {
            self.pinned_bytes += bytes;
        }
        self.drop_surplus()
    }

    /// Forgets a file that is gone.
    pub(super) fn forget(&mut self, digest: &Digest) {
        let Some(Known { bytes, .. }) = self.entries.pop(digest) else { return };
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
            .take_while(|(_, known)| {
                let needed = freed < surplus;
                freed += known.bytes;
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
            self.pinned_bytes += self.bytes_of(digest);
        }
    }

    pub(super) fn unpin(&mut self, digest: &Digest) {
        let Some(count) = self.pins.get_mut(digest) else { return };
        *count -= 1;
        if *count == 0 {
            self.pins.remove(digest);
            self.pinned_bytes -= self.bytes_of(digest);
        }
    }

    fn bytes_of(&self, digest: &Digest) -> u64 {
        self.entries.peek(digest).map_or(0, |known| known.bytes)
    }
}
