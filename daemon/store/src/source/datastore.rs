//! Chunks out of a datastore.
//!
//! A chunk is read once however many readers want it at a time, and the last ones read stay in a
//! small memory, so that readers that follow each other closely share the work. What is read ahead
//! lands there too and nowhere else: reading ahead can't take more memory than that, however many
//! readers there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use reel_types::Digest;

use super::{Blocking, Chunk, ChunkError, ChunkReader, ChunkSource};
use crate::byte_lru::ByteLru;
use crate::chunk_store::ChunkStore;
use crate::handover::Handover;

type Outcome = Result<Chunk, ChunkError>;

/// What a chunk usually takes, encoded and plain, where it is compressed to half its size; reads ahead beyond the
/// memory's size would push each other out before they are used.
const USUAL_CHUNK_BYTES: usize = 6 << 20;

/// A [`ChunkSource`] on a chunk store.
pub struct DatastoreSource(Arc<Shared>);

struct Shared {
    chunks: Arc<ChunkStore>,
    blocking: Arc<dyn Blocking>,
    state: Mutex<State>,
}

struct State {
    flights: HashMap<Digest, Flight>,
    recent: ByteLru<Digest, Chunk>,
}

/// A chunk that is being read or waits for a thread.
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

impl DatastoreSource {
    /// A source that keeps at most `memory_bytes` of chunks.
    pub fn new(chunks: Arc<ChunkStore>, blocking: Arc<dyn Blocking>, memory_bytes: usize) -> Self {
        let state = State { flights: HashMap::new(), recent: ByteLru::new(memory_bytes) };
        Self(Arc::new(Shared { chunks, blocking, state: Mutex::new(state) }))
    }
}

impl ChunkSource for DatastoreSource {
    fn reader(&self) -> Arc<dyn ChunkReader> {
        Arc::new(Reader { shared: self.0.clone(), wish: Mutex::new(Arc::new(Wish)) })
    }
}

struct Reader {
    shared: Arc<Shared>,
    wish: Mutex<Arc<Wish>>,
}

impl ChunkReader for Reader {
    fn ahead(&self, digests: &[Digest]) {
        let wish = Arc::new(Wish);
        for digest in digests {
            self.shared.want_soon(*digest, &wish);
        }
        // Only now the older wish goes, so that what is in both is not given up in between.
        *self.wish.lock().unwrap_or_else(PoisonError::into_inner) = wish;
    }

    fn chunk(&self, digest: Digest) -> BoxFuture<'static, Outcome> {
        self.shared.want_now(digest)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn want_now(self: &Arc<Self>, digest: Digest) -> BoxFuture<'static, Outcome> {
        let mut state = self.state();
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

    fn want_soon(self: &Arc<Self>, digest: Digest, wish: &Arc<Wish>) {
        let mut state = self.state();
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

    fn start(self: &Arc<Self>, digest: Digest) {
        let landing = Landing { shared: self.clone(), digest, landed: false };
        self.blocking.run(Box::new(move || landing.read()));
    }

    fn read(&self, digest: &Digest) -> Outcome {
        let (blob, plain) = self.chunks.read_verified(digest, None)?;
        Ok(Chunk { blob, plain })
    }
}

/// Ends a flight in any case, even when the work is dropped unrun or panics, so that nobody waits
/// for ever.
struct Landing {
    shared: Arc<Shared>,
    digest: Digest,
    landed: bool,
}

impl Landing {
    fn read(mut self) {
        if self.give_up_unwanted() {
            return;
        }
        let outcome = self.shared.read(&self.digest);
        self.land(outcome);
    }

    fn give_up_unwanted(&mut self) -> bool {
        let mut state = self.shared.state();
        let wanted = state.flights.get(&self.digest).is_some_and(Flight::is_wanted);
        if !wanted {
            state.flights.remove(&self.digest);
            self.landed = true;
        }
        !wanted
    }

    fn land(&mut self, outcome: Outcome) {
        self.landed = true;
        let mut state = self.shared.state();
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
            let reason = format!("reading chunk {} was given up; try again", self.digest);
            self.land(Err(ChunkError::new(libc::EINTR, reason)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::crypto::plain_digest;
    use crate::test_pool::block_on;

    type Work = Box<dyn FnOnce() + Send>;

    /// Keeps work until the test runs it.
    struct Held(Sender<Work>);

    impl Blocking for Held {
        fn run(&self, work: Work) {
            self.0.send(work).unwrap();
        }
    }

    struct Setup {
        _dir: tempfile::TempDir,
        digest: Digest,
        work: Receiver<Work>,
        source: DatastoreSource,
    }

    fn setup(memory_bytes: usize) -> Setup {
        let (dir, chunks) = crate::chunk_store::testing_store();
        let digest = plain_digest(b"x");
        let blob = crate::blob::DataBlob::encode(b"x", None, false).unwrap();
        chunks.insert(&blob, &digest).unwrap();
        let (sender, work) = channel();
        let source = DatastoreSource::new(Arc::new(chunks), Arc::new(Held(sender)), memory_bytes);
        Setup { _dir: dir, digest, work, source }
    }

    #[test]
    fn two_readers_share_one_read() {
        let Setup { digest, work, source, .. } = &setup(0);
        let (first, second) = (source.reader().chunk(*digest), source.reader().chunk(*digest));
        work.recv().unwrap()();
        assert!(work.try_recv().is_err());
        for wanted in [first, second] {
            assert_eq!(&block_on(wanted).unwrap().plain.unwrap()[..], b"x");
        }
    }

    #[test]
    fn what_nobody_wants_any_more_is_not_read() {
        let Setup { digest, work, source, .. } = &setup(64 << 20);
        drop(source.reader().chunk(*digest));
        work.recv().unwrap()();
        let reader = source.reader();
        let wanted = reader.chunk(*digest);
        work.try_recv().expect("the first read must have been given up")();
        assert!(block_on(wanted).is_ok());
    }

    #[test]
    fn reading_ahead_lands_in_the_memory() {
        let Setup { digest, work, source, .. } = &setup(64 << 20);
        let reader = source.reader();
        reader.ahead(&[*digest]);
        work.recv().unwrap()();
        assert!(block_on(reader.chunk(*digest)).is_ok());
        assert!(work.try_recv().is_err());
    }

    #[test]
    fn a_dropped_reader_wants_nothing_ahead() {
        let Setup { digest, work, source, .. } = &setup(64 << 20);
        source.reader().ahead(&[*digest]);
        work.recv().unwrap()();
        assert!(source.0.state().recent.get(digest).is_none());
    }

    #[test]
    fn work_that_never_runs_is_an_error_for_the_waiters() {
        let Setup { digest, work, source, .. } = &setup(0);
        let wanted = source.reader().chunk(*digest);
        drop(work.recv().unwrap());
        assert_eq!(block_on(wanted).unwrap_err().errno(), libc::EINTR);
    }

    #[test]
    fn a_missing_chunk_is_an_input_output_error() {
        let Setup { work, source, .. } = &setup(0);
        let missing = plain_digest(b"missing");
        let wanted = source.reader().chunk(missing);
        work.recv().unwrap()();
        let error = block_on(wanted).unwrap_err();
        assert_eq!(error.errno(), libc::EIO);
        assert!(error.to_string().contains(&missing.to_string()), "{error}");
    }
}
