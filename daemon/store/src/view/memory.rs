//! The memory of decoded chunks that all views share.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use reel_types::Digest;

use super::ViewError;
use crate::byte_lru::ByteLru;
use crate::handover::Handover;
use crate::source::Blocking;

type Outcome = Result<Bytes, ViewError>;

/// Plain data of the chunks used last, bounded in bytes.
///
/// Digests name plain data whatever the chunk's origin, and those of encrypted chunks depend on the
/// key, so one memory serves all views. A view looks here only once it has the key that it needs.
pub struct ChunkMemory(Mutex<State>);

struct State {
    recent: ByteLru<Digest, Bytes>,
    /// What is being decoded: several reads of one chunk must not decrypt it several times.
    decoding: HashMap<Digest, Weak<Handover<Outcome>>>,
}

impl fmt::Debug for ChunkMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkMemory").finish_non_exhaustive()
    }
}

impl ChunkMemory {
    /// A memory of at most `bytes_max` bytes of plain data.
    pub fn new(bytes_max: usize) -> Arc<Self> {
        let state = State { recent: ByteLru::new(bytes_max), decoding: HashMap::new() };
        Arc::new(Self(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, digest: &Digest) -> Option<Bytes> {
        self.state().recent.get(digest)
    }

    pub(super) fn put(&self, digest: Digest, plain: Bytes) {
        let bytes = plain.len();
        self.state().recent.put(digest, plain, bytes);
    }

    /// The chunk's plain data: remembered, or from the `decode` that somebody already runs, or from
    /// this one.
    pub(super) fn decode_once(
        self: &Arc<Self>,
        digest: Digest,
        given_up: ViewError,
        blocking: &dyn Blocking,
        decode: impl FnOnce() -> Outcome + Send + 'static,
    ) -> BoxFuture<'static, Outcome> {
        let mut state = self.state();
        if let Some(plain) = state.recent.get(&digest) {
            return ready(Ok(plain)).boxed();
        }
        if let Some(running) = state.decoding.get(&digest).and_then(Weak::upgrade) {
            return running.wait().boxed();
        }
        let handover = Handover::new();
        state.decoding.insert(digest, Arc::downgrade(&handover));
        drop(state);
        let waiter = handover.wait();
        let decoding = Decoding { memory: self.clone(), digest, handover, given_up };
        blocking.run(Box::new(move || decoding.end(decode())));
        waiter.boxed()
    }
}

/// Ends in any case, even when the work is dropped unrun or panics, so that nobody waits for ever.
struct Decoding {
    memory: Arc<ChunkMemory>,
    digest: Digest,
    handover: Arc<Handover<Outcome>>,
    given_up: ViewError,
}

impl Decoding {
    fn end(&self, outcome: Outcome) {
        let mut state = self.memory.state();
        state.decoding.remove(&self.digest);
        if let Ok(plain) = &outcome {
            state.recent.put(self.digest, plain.clone(), plain.len());
        }
        drop(state);
        self.handover.deliver(outcome);
    }
}

impl Drop for Decoding {
    fn drop(&mut self) {
        let mut state = self.memory.state();
        let own = |weak: &Weak<_>| std::ptr::eq(weak.as_ptr(), Arc::as_ptr(&self.handover));
        if state.decoding.get(&self.digest).is_some_and(own) {
            state.decoding.remove(&self.digest);
        }
        drop(state);
        self.handover.deliver(Err(self.given_up.clone()));
    }
}
