//! A gate: futures wait at it until a test opens it, and the test sees who waits and who left.

use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};

#[derive(Default)]
struct State {
    open: bool,
    waiting: usize,
    left: usize,
    wakers: Vec<Waker>,
}

#[derive(Default)]
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

impl Gate {
    /// A future that resolves when the gate opens.
    pub fn pass(self: &Arc<Self>) -> Pass {
        Pass { gate: Arc::clone(self), counted: false }
    }

    pub fn open(&self) {
        let mut state = self.state.lock().unwrap();
        state.open = true;
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Returns when at least `count` futures wait.
    pub fn until_waiting(&self, count: usize) {
        self.until(|state| state.waiting >= count);
    }

    /// Returns when at least `count` futures were dropped before the gate opened.
    pub fn until_left(&self, count: usize) {
        self.until(|state| state.left >= count);
    }

    pub fn until_nobody_waits(&self) {
        self.until(|state| state.waiting == 0);
    }

    pub fn waiting(&self) -> usize {
        self.state.lock().unwrap().waiting
    }

    fn until(&self, reached: impl Fn(&State) -> bool) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| !reached(state)).unwrap());
    }
}

pub struct Pass {
    gate: Arc<Gate>,
    counted: bool,
}

impl Future for Pass {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let gate = Arc::clone(&self.gate);
        let mut state = gate.state.lock().unwrap();
        if state.open {
            return Poll::Ready(());
        }
        state.wakers.push(context.waker().clone());
        if !self.counted {
            self.counted = true;
            state.waiting += 1;
            gate.changed.notify_all();
        }
        Poll::Pending
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.gate.state.lock().unwrap();
        if self.counted {
            state.waiting -= 1;
            state.left += usize::from(!state.open);
        }
        self.gate.changed.notify_all();
    }
}
