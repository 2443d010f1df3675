//! What is under way in one direction: pieces with the time when each arrives, bounded in bytes.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Bytes and when they arrive; none are the end of the stream.
pub(super) type Piece = (Instant, Vec<u8>);

/// A queue with one thread at each end.
pub(super) struct Queue {
    bytes_max: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<Piece>,
    bytes: u64,
    is_closed: bool,
}

impl Queue {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { bytes_max, state: Mutex::default(), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a piece as soon as there is room; false where nobody takes any more.
    pub(super) fn push(&self, piece: Piece) -> bool {
        let mut state = self.state();
        while !state.is_closed && state.bytes > 0 && state.bytes >= self.bytes_max {
            state = self.wait(state);
        }
        if state.is_closed {
            return false;
        }
        state.bytes += piece.1.len() as u64;
        state.pieces.push_back(piece);
        self.changed.notify_all();
        true
    }

    /// Takes the first piece as soon as there is one; none when the queue is closed.
    pub(super) fn pop(&self) -> Option<Piece> {
        let mut state = self.state();
        while state.pieces.is_empty() && !state.is_closed {
            state = self.wait(state);
        }
        let piece = state.pieces.pop_front()?;
        state.bytes -= piece.1.len() as u64;
        self.changed.notify_all();
        Some(piece)
    }

    /// Forgets what is under way, and lets go of whoever waits.
    pub(super) fn break_off(&self) {
        *self.state() = State { is_closed: true, ..State::default() };
        self.changed.notify_all();
    }

    /// Lets go of whoever waits.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }
}
