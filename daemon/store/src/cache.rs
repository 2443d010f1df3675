//! A cache of checked chunks on disk, keyed by digest and bounded in bytes.
//!
//! What came from a tape or over a network lands here, so that reading it again is cheap, also after
//! a restart: a file `ab/cd/<digest>` holds one encoded blob, its modification time says when it was
//! used last, and opening the cache rebuilds the order from that. Nothing is synced; a file that a
//! crash tore is found by its CRC when it is read, and removed.
//!
//! The cache never stands in a reader's way. Whoever waits for a chunk ([`DiskCache::want`]) gets it
//! when it is put, whether it could be kept or not; so a cache smaller than one file, or a full disk,
//! makes things slower and nothing else. What somebody will still need is pinned ([`DiskCache::pin`])
//! and never dropped.

mod files;
mod state;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use reel_types::Digest;

use crate::blob::DataBlob;
use crate::failure::StoreError;
use crate::handover::Waiter;
use crate::locks::{FolderLock, LockMode};
use crate::source::ChunkError;
use files::Files;
use state::{Outcome, State};

/// What became of a blob that was put into the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is in the cache.
    Stored,
    /// There is no room, or writing failed: whoever waited got it, nobody else will.
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
            for dropped in state.remember(found.digest, found.bytes) {
                files.remove(&dropped);
            }
        }
        Ok(Self { files, state: Mutex::new(state), warn, _lock: lock })
    }

    /// The blob, if it is in the cache and whole.
    pub fn get(&self, digest: &Digest) -> Option<DataBlob> {
        if !self.state().touch(digest) {
            return None;
        }
        match self.files.read(digest) {
            Ok(blob) => Some(blob),
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

    /// Whether the blob is in the cache, as far as known without reading it.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.state().contains(digest)
    }

    /// The blob as soon as it is there: now if it is in the cache, else when it is put.
    ///
    /// Nobody is asked to bring it: that is the caller's next step.
    pub fn want(&self, digest: &Digest) -> BoxFuture<'static, Outcome> {
        while self.state().contains(digest) {
            if let Some(blob) = self.get(digest) {
                return ready(Ok(blob)).boxed();
            }
        }
        match self.wait_unless_there(digest) {
            Some(waiter) => waiter.boxed(),
            None => self.want(digest),
        }
    }

    /// Looks and waits in one step, so that no put slips in between.
    fn wait_unless_there(&self, digest: &Digest) -> Option<Waiter<Outcome>> {
        let mut state = self.state();
        (!state.contains(digest)).then(|| state.waiters(digest).wait())
    }

    /// Hands the blob, which the caller has checked, to everybody who waits for it, and keeps it if
    /// there is room beside what is pinned.
    pub fn put(&self, digest: &Digest, blob: &DataBlob) -> Kept {
        self.settle(digest, &Ok(blob.clone()));
        let kept = self.keep(digest, blob);
        // Those who came while the file was written.
        self.settle(digest, &Ok(blob.clone()));
        kept
    }

    /// Tells everybody who waits for the blob that it can't be had.
    pub fn fail(&self, digest: &Digest, error: &ChunkError) {
        self.settle(digest, &Err(error.clone()));
    }

    fn settle(&self, digest: &Digest, outcome: &Outcome) {
        let waiting = self.state().take_waiters(digest);
        if let Some(waiting) = waiting {
            waiting.deliver(outcome.clone());
        }
    }

    fn keep(&self, digest: &Digest, blob: &DataBlob) -> Kept {
        let bytes = blob.raw().len() as u64;
        let mut state = self.state();
        if state.touch(digest) {
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
            let dropped = state.remember(*digest, bytes);
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

    /// Keeps these blobs, those that come later included, from being dropped as long as the pin
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

/// Blobs that are not dropped from the cache until this is.
#[must_use = "the blobs are pinned only as long as this lives"]
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
