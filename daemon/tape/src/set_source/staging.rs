//! How much all readers together may read ahead.

use std::sync::{Arc, Mutex, PoisonError};

use reel_store::cache::DiskCache;

/// What a chunk is taken to need: those of images have 4 MiB and a header.
pub(super) const USUAL_CHUNK_BYTES: u64 = (4 << 20) + 64;

/// Room for what was read ahead: a part of the cache on disk, and some memory.
pub struct Staging {
    pub(super) cache: Arc<DiskCache>,
    pub(super) memory_bytes: usize,
    pub(super) chunks_max: u64,
    given: Mutex<Given>,
}

#[derive(Default)]
struct Given {
    chunks: u64,
    readers: u64,
}

/// One reader's part.
#[derive(Debug, Default)]
pub(super) struct Share {
    pub(super) chunks: u64,
    counted: bool,
}

impl Staging {
    /// Uses three quarters of the cache, the rest is for what readers wait for; and `memory_bytes` of memory.
    pub fn new(cache: Arc<DiskCache>, memory_bytes: usize) -> Arc<Self> {
        let chunks_max = cache.limit_bytes() / 4 * 3 / USUAL_CHUNK_BYTES;
        Arc::new(Self { cache, memory_bytes, chunks_max, given: Mutex::default() })
    }

    /// How many chunks the memory holds.
    pub(super) fn chunks_in_memory(&self) -> usize {
        usize::try_from(self.memory_bytes as u64 / USUAL_CHUNK_BYTES).unwrap_or(0)
    }

    /// Whether just one reader reads ahead.
    pub(super) fn has_one_reader(&self) -> bool {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).readers <= 1
    }

    /// Changes a reader's part to what it wants, as far as there is room.
    pub(super) fn change(&self, share: &mut Share, wanted: u64) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.chunks -= share.chunks;
        given.readers -= u64::from(share.counted);
        share.counted = wanted > 0;
        given.readers += u64::from(share.counted);
        let even = self.chunks_max / given.readers.max(1);
        share.chunks = wanted.min(even).min(self.chunks_max.saturating_sub(given.chunks));
        given.chunks += share.chunks;
    }
}
