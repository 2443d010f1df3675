//! A cache of checked chunks on disk, keyed by digest and bounded in bytes.
//!
//! What came from a tape or over a network lands here, so that reading it again is cheap, also after
//! a restart: a file `ab/cd/<digest>` holds one encoded blob, its modification time says when it was
//! used last, and opening the cache rebuilds the order from that. Nothing is synced; a file that a
//! crash tore is found by its CRC when it is read, and removed.
//!
//! The cache never stands in a reader's way: one smaller than a file, or a full disk, makes things slower and
//! nothing else. What somebody will still need is pinned ([`DiskCache::pin`]) and never dropped.
//!
//! Chunks come in checked ([`Chunk`]). What this process put is checked by CRC when it is read; what was found at
//! the start by its digest, too, the first time.

mod files;
mod state;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reel_types::Digest;

use crate::failure::{FormatContext, StoreError};
use crate::locks::{FolderLock, LockMode};
use crate::source::Chunk;
use files::Files;
use state::{Known, State};

/// What became of a chunk that was put into the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is in the cache.
    Stored,
    /// There is no room, or writing failed.
    PassedThrough,
}

/// Told when the cache can't be written or held a damaged file.
pub type WarningHook = Box<dyn Fn(&StoreError) + Send + Sync>;

/// See the module's head. Share it by `Arc`.
pub struct DiskCache {
    files: Files,
    state: Mutex<State>,
    warn: WarningHook,
    _lock: FolderLock,
}

impl DiskCache {
    /// Opens the cache in the folder `root`, which is made when it is missing, with at most
    /// `bytes_max` bytes of files. Only one process may use it.
    pub fn open(root: &Path, bytes_max: u64, warn: WarningHook) -> Result<Self, StoreError> {
        let files = Files::open(root)?;
        let lock = FolderLock::take(root, LockMode::Exclusive, &format!("the cache at {root:?}"))?;
        let mut state = State::new(bytes_max);
        for found in files.scan()? {
            for dropped in state.remember(found.digest, found.bytes, false) {
                files.remove(&dropped);
            }
        }
        Ok(Self { files, state: Mutex::new(state), warn, _lock: lock })
    }

    /// The chunk, if it is in the cache and whole.
    pub fn get(&self, digest: &Digest) -> Option<Chunk> {
        let known = self.state().touch(digest)?;
        match self.read(digest, known) {
            Ok(chunk) => Some(chunk),
            Err(error) => {
                let mut state = self.state();
                state.forget(digest);
                self.files.remove(digest);
                drop(state);
                (self.warn)(&error);
                None
            }
        }
    }

    fn read(&self, digest: &Digest, known: Known) -> Result<Chunk, StoreError> {
        let blob = self.files.read(digest)?;
        let tried = || format!("decode cached chunk {digest}");
        if known.checked {
            return Chunk::decoded(blob).decoding(tried);
        }
        let chunk = Chunk::checked(blob, digest).decoding(tried)?;
        self.state().note_checked(digest);
        Ok(chunk)
    }

    /// Whether the chunk is in the cache, as far as known without reading it.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.state().contains(digest)
    }

    /// Keeps the chunk if there is room beside what is pinned.
    pub fn put(&self, digest: &Digest, chunk: &Chunk) -> Kept {
        let blob = &chunk.blob;
        let bytes = blob.raw().len() as u64;
        let mut state = self.state();
        if state.touch(digest).is_some() {
            return Kept::Stored;
        }
        let Some(dropped) = state.make_room(bytes) else { return Kept::PassedThrough };
        // Removed under the lock, or a file put anew meanwhile would be hit.
        dropped.iter().for_each(|dropped| self.files.remove(dropped));
        drop(state);
        let written = self.files.write(digest, blob);
        let mut state = self.state();
        state.return_room(bytes);
        let Err(error) = written else {
            state.failing = false;
            let dropped = state.remember(*digest, bytes, true);
            dropped.iter().for_each(|dropped| self.files.remove(dropped));
            return Kept::Stored;
        };
        let first = !std::mem::replace(&mut state.failing, true);
        drop(state);
        if first {
            (self.warn)(&error);
        }
        Kept::PassedThrough
    }

    /// Keeps these chunks, those that come later included, from being dropped as long as the pin
    /// lives.
    pub fn pin(self: &Arc<Self>, digests: impl IntoIterator<Item = Digest>) -> Pin {
        let digests: Vec<Digest> = digests.into_iter().collect();
        let mut state = self.state();
        digests.iter().for_each(|digest| state.pin(digest));
        drop(state);
        Pin { cache: self.clone(), digests }
    }

    /// Bytes of the files in the cache.
    pub fn used_bytes(&self) -> u64 {
        self.state().used()
    }

    /// Bytes of files that it may hold at most.
    pub fn limit_bytes(&self) -> u64 {
        self.state().limit()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Chunks that are not dropped from the cache until this is.
#[must_use = "the chunks are pinned only as long as this lives"]
pub struct Pin {
    cache: Arc<DiskCache>,
    digests: Vec<Digest>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut state = self.cache.state();
        self.digests.iter().for_each(|digest| state.unpin(digest));
    }
}

#[cfg(test)]
mod tests;
