//! Threads that check chunks and store them, while the drive reads on.
//!
//! The drive's thread puts chunks in and waits only when enough of them are on their way; before it lets anybody
//! rely on them it waits until all are stored ([`ChunkIntake::settle`]). A chunk that is not what its digest says
//! is kept back and named; a failure of a datastore ends the restore.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reel_store::DataBlob;
use reel_types::{Digest, TaskContext};

use super::targets::{NotStored, Target};
use crate::{Error, Result};

/// Chunks that may wait: eight full-sized ones bridge the gaps between writes.
const WAITING_BYTES_MAX: usize = 32 << 20;
/// How often waiting looks whether the task was stopped.
const LOOK: Duration = Duration::from_millis(100);

/// How many threads are worth it: one drive gives no more than a few can check.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 4)
}

/// The chunks on their way to their datastores.
pub(super) struct ChunkIntake {
    state: Mutex<State>,
    /// Something was put in or the end came: for the threads.
    filled: Condvar,
    /// Something was stored: for the drive's thread.
    drained: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Chunk>,
    waiting_bytes: usize,
    busy: usize,
    closed: bool,
    failed: Option<Error>,
    bad: Vec<BadChunk>,
}

struct Chunk {
    target: Arc<Target>,
    digest: Digest,
    blob: DataBlob,
}

/// A chunk that must not be stored.
pub(super) struct BadChunk {
    pub(super) digest: Digest,
    pub(super) reason: String,
}

impl ChunkIntake {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), drained: Condvar::new() }
    }

    /// Hands a chunk over, once there is room.
    pub(super) fn put(
        &self,
        target: &Arc<Target>,
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

    /// Waits until all chunks are stored; those that could not be, since they are bad.
    pub(super) fn settle(&self, task: &dyn TaskContext) -> Result<Vec<BadChunk>> {
        let mut state = self.wait(task, |state| state.waiting.is_empty() && state.busy == 0)?;
        Ok(std::mem::take(&mut state.bad))
    }

    fn wait(
        &self,
        task: &dyn TaskContext,
        enough: impl Fn(&State) -> bool,
    ) -> Result<MutexGuard<'_, State>> {
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

    /// Stores chunks until the intake is closed.
    pub(super) fn work(&self) {
        while let Some(chunk) = self.next() {
            let busy = Busy(self);
            let stored = chunk.target.store_chunk(&chunk.digest, &chunk.blob);
            if let Err(not_stored) = stored {
                self.note(chunk.digest, not_stored);
            }
            drop(busy);
        }
    }

    fn next(&self) -> Option<Chunk> {
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

    fn note(&self, digest: Digest, not_stored: NotStored) {
        let mut state = self.state();
        match not_stored {
            NotStored::Bad(reason) => state.bad.push(BadChunk { digest, reason }),
            NotStored::Failed(error) => {
                state.failed.get_or_insert(error);
            }
        }
    }

    /// Ends the threads when the result is dropped, however that comes; what still waits is given up.
    pub(super) fn close_when_dropped(&self) -> Closing<'_> {
        Closing(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread has a chunk in its hands. Also a thread that panics lets go, and says that its chunk is not stored.
struct Busy<'a>(&'a ChunkIntake);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.busy -= 1;
        if std::thread::panicking() {
            let text = "a thread that stores chunks has failed; this is a bug".to_string();
            state.failed.get_or_insert(Error::InvalidInput(text));
        }
        drop(state);
        self.0.drained.notify_all();
    }
}

/// Ends the threads at last.
pub(super) struct Closing<'a>(&'a ChunkIntake);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.filled.notify_all();
    }
}
