//! Threads that check chunks, and store them where they belong, while the drive reads on.
//!
//! The drive's thread puts chunks in and waits only when enough of them are on their way; before it lets anybody
//! rely on them it waits until all are taken ([`ChunkIntake::settle`]). A chunk that is not what its digest says
//! is kept back and named; a failure of whoever takes them ends the job.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reel_store::{CHUNK_PLAIN_MAX, DataBlob, plain_digest};
use reel_types::{Digest, TaskContext};

use crate::{Error, Result};

/// Chunks that may wait: eight full-sized ones bridge the gaps between writes.
const WAITING_BYTES_MAX: usize = 32 << 20;
/// How often waiting looks whether the task was stopped.
const LOOK: Duration = Duration::from_millis(100);

/// How many threads are worth it: one drive gives no more than a few can check.
pub(crate) fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 4)
}

/// Where chunks go.
pub(crate) trait TakeChunk: Send + Sync {
    /// Checks a chunk and takes it.
    fn take_chunk(&self, digest: &Digest, blob: &DataBlob) -> Result<(), NotTaken>;
}

/// Why a chunk was not taken.
pub(crate) enum NotTaken {
    /// It is not what its digest says, or can't be the chunk of that digest.
    Bad(String),
    /// Whoever takes chunks failed.
    Failed(Error),
}

/// Whether a chunk has the content that its digest says. The CRC was checked when the blob was read; the digest of an
/// encrypted chunk takes its key.
pub(crate) fn check_digest(digest: &Digest, blob: &DataBlob) -> Result<(), String> {
    if blob.is_encrypted() {
        return Ok(());
    }
    let plain = blob.decode(None, CHUNK_PLAIN_MAX).map_err(|error| error.to_string())?;
    let computed = plain_digest(&plain);
    match computed == *digest {
        true => Ok(()),
        false => Err(format!("its data has the digest {computed}")),
    }
}

/// The chunks on their way.
pub(crate) struct ChunkIntake<T> {
    state: Mutex<State<T>>,
    /// Something was put in or the end came: for the threads.
    filled: Condvar,
    /// Something was taken: for the drive's thread.
    drained: Condvar,
}

struct State<T> {
    waiting: VecDeque<Chunk<T>>,
    waiting_bytes: usize,
    busy: usize,
    closed: bool,
    failed: Option<Error>,
    bad: Vec<BadChunk>,
}

impl<T> Default for State<T> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            busy: 0,
            closed: false,
            failed: None,
            bad: Vec::new(),
        }
    }
}

struct Chunk<T> {
    target: Arc<T>,
    digest: Digest,
    blob: DataBlob,
}

/// A chunk that is bad.
pub(crate) struct BadChunk {
    pub(crate) digest: Digest,
    pub(crate) reason: String,
}

impl<T> ChunkIntake<T> {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), drained: Condvar::new() }
    }

    /// Hands a chunk over, once there is room.
    pub(crate) fn put(
        &self,
        target: &Arc<T>,
        digest: Digest,
        blob: DataBlob,
        task: &dyn TaskContext,
    ) -> Result<()> {
        let mut state = self.wait(task, |state| state.waiting_bytes < WAITING_BYTES_MAX)?;
        state.waiting_bytes += blob.raw().len();
        state.waiting.push_back(Chunk { target: target.clone(), digest, blob });
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Waits until all chunks are taken; those that could not be, since they are bad.
    pub(crate) fn settle(&self, task: &dyn TaskContext) -> Result<Vec<BadChunk>> {
        let mut state = self.wait(task, |state| state.waiting.is_empty() && state.busy == 0)?;
        Ok(std::mem::take(&mut state.bad))
    }

    fn wait(
        &self,
        task: &dyn TaskContext,
        enough: impl Fn(&State<T>) -> bool,
    ) -> Result<MutexGuard<'_, State<T>>> {
        let mut state = self.state();
        loop {
            if let Some(error) = state.failed.take() {
                return Err(error);
            }
            if enough(&state) {
                return Ok(state);
            }
            task.check()?;
            let waited = self.drained.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Checks and stores chunks until the intake is closed.
    pub(crate) fn work(&self)
    where
        T: TakeChunk,
    {
        while let Some(chunk) = self.next() {
            let busy = Busy(self);
            let stored = chunk.target.take_chunk(&chunk.digest, &chunk.blob);
            if let Err(not_taken) = stored {
                self.note(chunk.digest, not_taken);
            }
            drop(busy);
        }
    }

    fn next(&self) -> Option<Chunk<T>> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if let Some(chunk) = state.waiting.pop_front() {
                state.waiting_bytes -= chunk.blob.raw().len();
                state.busy += 1;
                return Some(chunk);
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn note(&self, digest: Digest, not_taken: NotTaken) {
        let mut state = self.state();
        match not_taken {
            NotTaken::Bad(reason) => state.bad.push(BadChunk { digest, reason }),
            NotTaken::Failed(error) => {
                state.failed.get_or_insert(error);
            }
        }
    }

    /// Ends the threads when the result is dropped, however that comes; what still waits is given up.
    pub(crate) fn close_when_dropped(&self) -> Closing<'_, T> {
        Closing(self)
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread has a chunk in its hands. Also a thread that panics lets go, and says that its chunk is not taken.
struct Busy<'a, T>(&'a ChunkIntake<T>);

impl<T> Drop for Busy<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.busy -= 1;
        if std::thread::panicking() {
            let text = "a thread that takes chunks has failed; this is a bug".to_string();
            state.failed.get_or_insert(Error::InvalidInput(text));
        }
        drop(state);
        self.0.drained.notify_all();
    }
}

/// Ends the threads at last.
pub(crate) struct Closing<'a, T>(&'a ChunkIntake<T>);

impl<T> Drop for Closing<'_, T> {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.filled.notify_all();
    }
}
