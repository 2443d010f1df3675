//! A small executor: a few threads that poll futures, and a thread for each blocking closure.
//!
//! A task that is woken while it is polled is queued again afterwards, so no wake is lost.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::guard::locked;
use crate::spawn::Spawner;

/// A few threads that run futures. Its threads end when it and all its tasks are dropped.
pub struct ThreadPool {
    queue: Sender<Arc<Task>>,
}

impl ThreadPool {
    /// A pool of `threads` threads, at least one.
    pub fn new(threads: usize) -> Self {
        let (queue, tasks) = mpsc::channel();
        let tasks = Arc::new(Mutex::new(tasks));
        for _ in 0..threads.max(1) {
            let tasks = Arc::clone(&tasks);
            thread::spawn(move || run_tasks(&tasks));
        }
        Self { queue }
    }
}

impl Spawner for ThreadPool {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        let task = Task { future: Mutex::new(Some(future)), queue: self.queue.clone() };
        Arc::new(task).wake();
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send + 'static>) {
        thread::spawn(work);
    }
}

struct Task {
    future: Mutex<Option<BoxFuture<'static, ()>>>,
    queue: Sender<Arc<Task>>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let queue = self.queue.clone();
        if queue.send(self).is_err() {
            tracing::debug!("the pool has ended; a task is dropped");
        }
    }
}

fn run_tasks(tasks: &Mutex<Receiver<Arc<Task>>>) {
    while let Some(task) = next_task(tasks) {
        poll_task(task);
    }
}

fn next_task(tasks: &Mutex<Receiver<Arc<Task>>>) -> Option<Arc<Task>> {
    locked(tasks).recv().ok()
}

fn poll_task(task: Arc<Task>) {
    let waker = Waker::from(Arc::clone(&task));
    let mut slot = locked(&task.future);
    let Some(mut future) = slot.take() else { return };
    let polled = std::panic::AssertUnwindSafe(|| {
        future.poll_unpin(&mut Context::from_waker(&waker)).is_pending()
    });
    match std::panic::catch_unwind(polled) {
        Ok(true) => *slot = Some(future),
        Ok(false) => {}
        Err(_) => tracing::error!("a task panicked"),
    }
}
