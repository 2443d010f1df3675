//! How many bytes of chunks are under way at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reel_types::{Cancel, TaskStopped};

use super::network::STOP_CHECK;

/// Bytes that wait for the processors and the disk here and there: what their caches can hold.
const AT_HAND: u64 = 24 << 20;
/// Bytes a second that the fastest line that counts carries: 4 Gbit/s.
const LINE_RATE: f64 = 500e6;

/// Bytes that all groups of a pull share.
#[derive(Clone)]
pub(super) struct Budget(Arc<Shared>);

struct Shared {
    max: AtomicU64,
    taken: Mutex<u64>,
    given_back: Condvar,
}

/// Bytes that are taken until this is dropped.
pub(super) struct Room {
    budget: Budget,
    bytes: u64,
}

impl Budget {
    pub(super) fn new(max: u64) -> Self {
        let (taken, given_back) = (Mutex::new(0), Condvar::new());
        Self(Arc::new(Shared { max: AtomicU64::new(max), taken, given_back }))
    }

    /// A question went to the server and back in this time: more need not be under way than the line can hold.
    pub(super) fn saw_round_trip(&self, took: Duration) {
        let on_the_line = took.as_secs_f64() * LINE_RATE;
        self.0.max.fetch_min(AT_HAND + on_the_line as u64, Ordering::Relaxed);
    }

    /// Waits until there is room. What is larger than all gets in alone.
    pub(super) fn take(&self, bytes: u64, cancel: &Cancel) -> Result<Room, TaskStopped> {
        let mut taken = self.taken();
        while *taken > 0 && *taken + bytes > self.0.max.load(Ordering::Relaxed) {
            if cancel.is_cancelled() {
                return Err(TaskStopped);
            }
            let waited = self.0.given_back.wait_timeout(taken, STOP_CHECK);
            taken = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *taken += bytes;
        Ok(Room { budget: self.clone(), bytes })
    }

    fn taken(&self) -> MutexGuard<'_, u64> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        *self.budget.taken() -= self.bytes;
        self.budget.0.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_gets_in_alone_and_a_stop_ends_the_wait() {
        let (budget, cancel) = (Budget::new(10), Cancel::new());
        let alone = budget.take(50, &cancel).unwrap();
        cancel.cancel();
        assert!(budget.take(1, &cancel).is_err());
        drop(alone);
        let first = budget.take(6, &cancel).unwrap();
        let second = budget.take(4, &cancel).unwrap();
        assert!(budget.take(1, &cancel).is_err());
        drop((first, second));
        assert_eq!(*budget.taken(), 0);
    }
}
