//! Handing one result to everybody who waits for it.
//!
//! Blocking work runs on threads, readers wait in futures, and several may want the same thing. A
//! [`Handover`] joins them without knowing any runtime: whoever has the result delivers it once, all
//! waiters get a clone, and those who come later too. Dropping a waiter costs nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// A result that comes once, for any number of waiters.
#[derive(Debug)]
pub struct Handover<T>(Mutex<State<T>>);

#[derive(Debug)]
enum State<T> {
    Waiting { wakers: Vec<(u64, Waker)>, next_waiter: u64 },
    Done(T),
}

impl<T: Clone + Send + 'static> Handover<T> {
    /// One that waits for its result.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State::Waiting { wakers: Vec::new(), next_waiter: 0 })))
    }

    /// Gives the result; a second one is dropped.
    pub fn deliver(&self, value: T) {
        let wakers = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let State::Waiting { wakers, .. } = &mut *state else { return };
            let wakers = std::mem::take(wakers);
            *state = State::Done(value);
            wakers
        };
        wakers.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Waits for the result.
    pub fn wait(self: &Arc<Self>) -> Waiter<T> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = match &mut *state {
            State::Waiting { next_waiter, .. } => {
                *next_waiter += 1;
                *next_waiter
            }
            State::Done(_) => 0,
        };
        Waiter { handover: self.clone(), id }
    }
}

/// A future that ends with the result of a [`Handover`].
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct Waiter<T> {
    handover: Arc<Handover<T>>,
    id: u64,
}

impl<T: Clone> Future for Waiter<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut state = self.handover.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Done(value) => Poll::Ready(value.clone()),
            State::Waiting { wakers, .. } => {
                match wakers.iter_mut().find(|(id, _)| *id == self.id) {
                    Some((_, waker)) => waker.clone_from(context.waker()),
                    None => wakers.push((self.id, context.waker().clone())),
                }
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Waiter<T> {
    fn drop(&mut self) {
        let mut state = self.handover.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Waiting { wakers, .. } = &mut *state {
            wakers.retain(|(id, _)| *id != self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_pool::block_on;

    #[test]
    fn all_waiters_get_the_first_result() {
        let handover = Handover::new();
        let (first, second) = (handover.wait(), handover.wait());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| block_on(first));
            handover.deliver(7);
            handover.deliver(8);
            assert_eq!(waiting.join().unwrap(), 7);
        });
        assert_eq!(block_on(second), 7);
        assert_eq!(block_on(handover.wait()), 7);
    }

    #[test]
    fn a_dropped_waiter_leaves_nothing() {
        let handover = Handover::<()>::new();
        let mut waiter = handover.wait();
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut waiter).poll(&mut context).is_pending());
        drop(waiter);
        let state = handover.0.lock().unwrap();
        assert!(matches!(&*state, State::Waiting { wakers, .. } if wakers.is_empty()));
    }
}
