//! Chunks that are got one by one, from wherever, and shared by all who want them.
//!
//! A chunk is got once however many readers want it at a time, and the last ones got stay in a
//! small memory, so that readers that follow each other closely share the work. What is got ahead
//! lands there too and nowhere else: reading ahead can't take more memory than that, however many
//! readers there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use reel_types::Digest;

use super::{Chunk, ChunkError, ChunkReader, ChunkSource};
use crate::byte_lru::ByteLru;
use crate::handover::Handover;

type Outcome = Result<Chunk, ChunkError>;

/// What a chunk usually takes, encoded and plain, where it is compressed to half its size; reads ahead beyond the
/// memory's size would push each other out before they are used.
const USUAL_CHUNK_BYTES: usize = 6 << 20;

/// Where a [`SharedSource`] gets a chunk.
pub trait Origin: Send + Sync + 'static {
    /// Begins to get a chunk and lands it later, not on this thread.
    fn begin(self: Arc<Self>, landing: Landing);

    /// As [`ChunkReader::ahead_bytes_max`].
    fn ahead_bytes_max(&self) -> u64 {
        0
    }
}

/// A [`ChunkSource`] whose chunks come from an [`Origin`].
pub struct SharedSource<O>(Arc<Shared<O>>);

struct Shared<O> {
    origin: Arc<O>,
    flights: Arc<Flights>,
}

struct Flights(Mutex<State>);

struct State {
    flights: HashMap<Digest, Flight>,
    recent: ByteLru<Digest, Chunk>,
}

/// A chunk that is being got or waits for its turn.
#[derive(Default)]
struct Flight {
    waiters: Weak<Handover<Outcome>>,
    /// Wishes of readers that want it soon.
    ahead: Vec<Weak<Wish>>,
}

impl Flight {
    fn is_wanted(&self) -> bool {
        self.waiters.strong_count() > 0 || self.ahead.iter().any(|wish| wish.strong_count() > 0)
    }
}

/// Lives as long as a reader still wants what it read ahead.
struct Wish;

impl<O: Origin> SharedSource<O> {
    /// A source that keeps at most `memory_bytes` of chunks.
    pub fn new(origin: Arc<O>, memory_bytes: usize) -> Self {
        let state = State { flights: HashMap::new(), recent: ByteLru::new(memory_bytes) };
        Self(Arc::new(Shared { origin, flights: Arc::new(Flights(Mutex::new(state))) }))
    }

    #[cfg(test)]
    pub(super) fn remembers(&self, digest: &Digest) -> bool {
        self.0.flights.state().recent.get(digest).is_some()
    }
}

impl<O: Origin> ChunkSource for SharedSource<O> {
    fn reader(&self) -> Arc<dyn ChunkReader> {
        Arc::new(Reader { shared: Arc::clone(&self.0), wish: Mutex::new(Arc::new(Wish)) })
    }
}

struct Reader<O> {
    shared: Arc<Shared<O>>,
    wish: Mutex<Arc<Wish>>,
}

impl<O: Origin> ChunkReader for Reader<O> {
    fn ahead(&self, digests: &[Digest]) {
        let wish = Arc::new(Wish);
        for digest in digests {
            self.shared.want_soon(*digest, &wish);
        }
        // Only now the older wish goes, so that what is in both is not given up in between.
        *self.wish.lock().unwrap_or_else(PoisonError::into_inner) = wish;
    }

    fn ahead_bytes_max(&self) -> u64 {
        self.shared.origin.ahead_bytes_max()
    }

    fn chunk(&self, digest: Digest) -> BoxFuture<'static, Outcome> {
        self.shared.want_now(digest)
    }
}

impl Flights {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O: Origin> Shared<O> {
    fn want_now(&self, digest: Digest) -> BoxFuture<'static, Outcome> {
        let mut state = self.flights.state();
        if let Some(chunk) = state.recent.get(&digest) {
            return ready(Ok(chunk)).boxed();
        }
        let is_new = !state.flights.contains_key(&digest);
        let flight = state.flights.entry(digest).or_default();
        let handover = flight.waiters.upgrade().unwrap_or_else(|| {
            let handover = Handover::new();
            flight.waiters = Arc::downgrade(&handover);
            handover
        });
        drop(state);
        if is_new {
            self.start(digest);
        }
        handover.wait().boxed()
    }

    fn want_soon(&self, digest: Digest, wish: &Arc<Wish>) {
        let mut state = self.flights.state();
        if state.recent.get(&digest).is_some() {
            return;
        }
        let is_new = !state.flights.contains_key(&digest);
        if is_new && state.flights.len() >= state.recent.limit() / USUAL_CHUNK_BYTES {
            return;
        }
        let flight = state.flights.entry(digest).or_default();
        flight.ahead.retain(|other| other.strong_count() > 0);
        flight.ahead.push(Arc::downgrade(wish));
        drop(state);
        if is_new {
            self.start(digest);
        }
    }

    fn start(&self, digest: Digest) {
        let landing = Landing { flights: Arc::clone(&self.flights), digest, landed: false };
        Arc::clone(&self.origin).begin(landing);
    }
}

/// A chunk that is wanted. It ends in any case, even when the work is dropped unrun or panics, so
/// that nobody waits for ever.
pub struct Landing {
    flights: Arc<Flights>,
    digest: Digest,
    landed: bool,
}

impl Landing {
    /// Which chunk.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Gives it up where nobody wants it any more; else it is still to be got.
    pub fn if_wanted(mut self) -> Option<Self> {
        if self.give_up_unwanted() { None } else { Some(self) }
    }

    /// Hands it, or why it could not be had, to all who wait.
    pub fn land(mut self, outcome: Result<Chunk, ChunkError>) {
        self.hand_over(outcome);
    }

    fn give_up_unwanted(&mut self) -> bool {
        let mut state = self.flights.state();
        let wanted = state.flights.get(&self.digest).is_some_and(Flight::is_wanted);
        if !wanted {
            state.flights.remove(&self.digest);
            self.landed = true;
        }
        !wanted
    }

    fn hand_over(&mut self, outcome: Outcome) {
        self.landed = true;
        let mut state = self.flights.state();
        if let Ok(chunk) = &outcome {
            state.recent.put(self.digest, chunk.clone(), chunk.memory_bytes());
        }
        let waiters =
            state.flights.remove(&self.digest).and_then(|flight| flight.waiters.upgrade());
        drop(state);
        if let Some(waiters) = waiters {
            waiters.deliver(outcome);
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if !self.landed {
            let reason = format!("getting chunk {} was given up; try again", self.digest);
            self.hand_over(Err(ChunkError::new(libc::EINTR, reason)));
        }
    }
}
