//! Waits that a signal can end.
//!
//! The kernel tells a file system of a signalled reader by FUSE_INTERRUPT, but fuser answers that
//! with ENOSYS, after which the kernel leaves the process waiting for our reply, unkillable. So
//! we look ourselves: while requests wait, a watchdog thread reads `/proc/TID/status` of those
//! who made them, and where an unblocked signal is pending (or the thread is gone) it drops the
//! waiting future and the request is answered EINTR.
//!
//! The watchdog sleeps while nothing waits, and its sweeps take at most a twentieth of its time,
//! so a thousand waiting processes don't cost a core. A request that is answered within one
//! interval is never looked at.

mod signals;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::{AbortHandle, Abortable};

use crate::error::FsError;
use crate::guard::locked;

/// How often waiting processes are looked at: short for a person who pressed Ctrl-C.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);
/// A sweep that took long is followed by a pause this many times as long.
const SWEEP_PAUSE_FACTOR: u32 = 20;

/// The requests that wait, and the thread that watches over them.
pub(crate) struct Waiters {
    shared: Arc<Shared>,
}

struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    requests: HashMap<u64, Request>,
    closed: bool,
}

struct Request {
    pid: u32,
    abort: AbortHandle,
}

impl Waiters {
    /// Starts the watchdog thread, which ends when this is dropped.
    pub(crate) fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared { waiting: Mutex::default(), changed: Condvar::new() });
        let watched = Arc::downgrade(&shared);
        thread::Builder::new()
            .name("fs-watchdog".to_string())
            .spawn(move || watch_over(&watched))?;
        Ok(Self { shared })
    }

    /// A handle to wait through, for futures that outlive a borrow of the engine.
    pub(crate) fn watch(&self) -> Watch {
        Watch { shared: Arc::clone(&self.shared) }
    }

    /// Ends all waits, now and from now on: the mount goes away.
    pub(crate) fn close(&self) {
        let mut waiting = locked(&self.shared.waiting);
        waiting.closed = true;
        let aborts: Vec<AbortHandle> =
            waiting.requests.values().map(|request| request.abort.clone()).collect();
        drop(waiting);
        aborts.iter().for_each(AbortHandle::abort);
    }

    /// How many requests wait.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        locked(&self.shared.waiting).requests.len()
    }
}

impl Drop for Waiters {
    fn drop(&mut self) {
        self.close();
        self.shared.changed.notify_all();
    }
}

/// Puts waits under the watchdog.
#[derive(Clone)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
}

impl Watch {
    /// Awaits `future` on behalf of thread `pid`; EINTR, with the future dropped, where a signal
    /// came first.
    pub(crate) async fn until_signal<T>(
        &self,
        pid: u32,
        future: impl Future<Output = Result<T, FsError>>,
    ) -> Result<T, FsError> {
        let (abort, registration) = AbortHandle::new_pair();
        let ticket = self.register(pid, abort);
        let result = Abortable::new(future, registration).await;
        drop(ticket);
        result.unwrap_or_else(|_| Err(FsError::interrupted("a signal ended the wait")))
    }

    fn register(&self, pid: u32, abort: AbortHandle) -> Ticket {
        let mut waiting = locked(&self.shared.waiting);
        if waiting.closed {
            abort.abort();
        }
        let number = waiting.next;
        waiting.next += 1;
        let was_idle = waiting.requests.is_empty();
        waiting.requests.insert(number, Request { pid, abort });
        drop(waiting);
        if was_idle {
            self.shared.changed.notify_one();
        }
        Ticket { shared: Arc::clone(&self.shared), number }
    }
}

/// Takes the request off the list, however its wait ends.
struct Ticket {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        locked(&self.shared.waiting).requests.remove(&self.number);
    }
}

fn watch_over(watched: &Weak<Shared>) {
    let mut pause = SWEEP_INTERVAL;
    while let Some(shared) = watched.upgrade() {
        if !wait_for_work(&shared) {
            return;
        }
        drop(shared);
        thread::sleep(pause);
        let started = Instant::now();
        if let Some(shared) = watched.upgrade() {
            sweep(&shared);
        }
        pause = SWEEP_INTERVAL.max(started.elapsed() * SWEEP_PAUSE_FACTOR);
    }
}

/// Waits until a request waits; false when there will be none any more.
fn wait_for_work(shared: &Shared) -> bool {
    let waiting = locked(&shared.waiting);
    let waiting = shared
        .changed
        .wait_while(waiting, |waiting| waiting.requests.is_empty() && !waiting.closed)
        .unwrap_or_else(PoisonError::into_inner);
    !waiting.closed
}

/// Ends the waits of threads that have a signal to handle. `/proc` is read without the lock.
fn sweep(shared: &Shared) {
    let pids: HashSet<u32> =
        locked(&shared.waiting).requests.values().map(|request| request.pid).collect();
    let signalled: HashSet<u32> = pids.into_iter().filter(|pid| signals::must_stop(*pid)).collect();
    if signalled.is_empty() {
        return;
    }
    let aborts: Vec<AbortHandle> = locked(&shared.waiting)
        .requests
        .values()
        .filter(|request| signalled.contains(&request.pid))
        .map(|request| request.abort.clone())
        .collect();
    aborts.iter().for_each(AbortHandle::abort);
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::mpsc;

    use futures_util::FutureExt;
    use futures_util::future::pending;

    use super::*;
    use crate::spawn::{Spawner, ThreadPool};

    fn wait_for_ever(waiters: &Waiters, pid: u32) -> mpsc::Receiver<Result<(), FsError>> {
        let (send, receive) = mpsc::channel();
        let watch = waiters.watch();
        let wait = async move { send.send(watch.until_signal(pid, pending()).await).unwrap() };
        ThreadPool::new(1).spawn(wait.boxed());
        receive
    }

    #[test]
    fn a_thread_that_has_gone_ends_its_wait() {
        let waiters = Waiters::start().unwrap();
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let result = wait_for_ever(&waiters, child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(result.recv().unwrap().unwrap_err().errno(), libc::EINTR);
        assert_eq!(waiters.count(), 0);
    }

    #[test]
    fn closing_ends_all_waits_and_later_ones() {
        let waiters = Waiters::start().unwrap();
        let early = wait_for_ever(&waiters, std::process::id());
        waiters.close();
        let late = wait_for_ever(&waiters, std::process::id());
        assert_eq!(early.recv().unwrap().unwrap_err().errno(), libc::EINTR);
        assert_eq!(late.recv().unwrap().unwrap_err().errno(), libc::EINTR);
    }

    #[test]
    fn what_is_ready_passes() {
        let waiters = Waiters::start().unwrap();
        let watch = waiters.watch();
        let ready = watch.until_signal(0, async { Ok(5) }).now_or_never().unwrap();
        assert_eq!(ready, Ok(5));
        assert_eq!(waiters.count(), 0);
    }
}
