//! Files whose read waits until something has happened.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{AbortHandle, BoxFuture};

use crate::attributes::Attributes;
use crate::error::FsError;
use crate::fact::slice;
use crate::guard::{guarded_async, locked};

/// A file that blocks its reader until an event, and then tells how it went.
pub trait Wait: Send + Sync + 'static {
    /// Resolves when it has happened. Each reader and poller has a future of its own; a dropped
    /// one is a reader that went away.
    fn wait(&self) -> BoxFuture<'static, Waited>;

    /// Owner, permissions and time.
    fn attributes(&self) -> Attributes {
        Attributes::FILE
    }
}

/// What had been waited for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Waited {
    /// The text to read.
    pub text: Vec<u8>,
    /// Makes the reader fail after the text: `cat` prints the text and exits with an error.
    pub failure: Option<FsError>,
}

impl Waited {
    /// It went well; `line` gets its newline here.
    pub fn succeeded(line: impl Into<String>) -> Self {
        Self { text: (line.into() + "\n").into_bytes(), failure: None }
    }

    /// It failed: the reader sees `line`, then the errno.
    pub fn failed(line: impl Into<String>, failure: FsError) -> Self {
        Self { failure: Some(failure), ..Self::succeeded(line) }
    }
}

/// What an open handle knows once the event has happened.
#[derive(Clone)]
struct Happened {
    text: Bytes,
    failure: Option<FsError>,
}

impl Happened {
    fn read(&self, offset: u64, size: u32) -> Result<Bytes, FsError> {
        let piece = slice(&self.text, offset, size);
        match &self.failure {
            Some(failure) if piece.is_empty() && size > 0 => Err(failure.clone()),
            _ => Ok(piece),
        }
    }
}

/// Wakes a `poll(2)`.
pub(crate) type PollWaker = Box<dyn FnOnce() + Send>;

/// An open wait file: one event, the same for all reads of the handle.
pub(crate) struct WaitHandle {
    wait: Arc<dyn Wait>,
    state: Mutex<WaitState>,
}

#[derive(Default)]
struct WaitState {
    happened: Option<Happened>,
    poll: Option<PollWaker>,
    poller: Option<AbortHandle>,
}

impl WaitHandle {
    pub(crate) fn open(wait: Arc<dyn Wait>) -> Self {
        Self { wait, state: Mutex::default() }
    }

    pub(crate) async fn read(&self, offset: u64, size: u32) -> Result<Bytes, FsError> {
        let known = locked(&self.state).happened.clone();
        let happened = match known {
            Some(happened) => happened,
            None => self.wait_for_it().await,
        };
        happened.read(offset, size)
    }

    /// Waits, and lets all later reads of this handle see the same.
    async fn wait_for_it(&self) -> Happened {
        let waited = guarded_async("wait", async { Ok(self.wait.wait().await) })
            .await
            .unwrap_or_else(|failure| Waited { text: Vec::new(), failure: Some(failure) });
        let happened = Happened { text: waited.text.into(), failure: waited.failure };
        let mut state = locked(&self.state);
        let happened = state.happened.get_or_insert(happened).clone();
        let poll = state.poll.take();
        drop(state);
        if let Some(wake) = poll {
            wake();
        }
        happened
    }

    /// Whether a read would return at once; else `waker` is kept and called when it would.
    /// The second value is a future to run where nobody waits for this handle's polls yet.
    pub(crate) fn poll(
        self: &Arc<Self>,
        waker: Option<PollWaker>,
    ) -> (bool, Option<BoxFuture<'static, ()>>) {
        let mut state = locked(&self.state);
        if state.happened.is_some() {
            return (true, None);
        }
        if waker.is_none() {
            return (false, None);
        }
        state.poll = waker;
        if state.poller.is_some() {
            return (false, None);
        }
        let (abort, registration) = AbortHandle::new_pair();
        state.poller = Some(abort);
        drop(state);
        let handle = Arc::clone(self);
        let waiting = async move { drop(handle.wait_for_it().await) };
        let waiting = futures_util::future::Abortable::new(waiting, registration);
        (false, Some(waiting.map(|_| ()).boxed()))
    }

    /// Ends the waiting for polls: the handle is closed.
    pub(crate) fn close(&self) {
        let poller = locked(&self.state).poller.take();
        if let Some(abort) = poller {
            abort.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures_util::future::{pending, ready};

    use super::*;

    struct Done(Waited);
    impl Wait for Done {
        fn wait(&self) -> BoxFuture<'static, Waited> {
            ready(self.0.clone()).boxed()
        }
    }

    struct Never;
    impl Wait for Never {
        fn wait(&self) -> BoxFuture<'static, Waited> {
            pending().boxed()
        }
    }

    fn read(handle: &WaitHandle, offset: u64) -> Option<Result<Bytes, FsError>> {
        handle.read(offset, 100).now_or_never()
    }

    #[test]
    fn text_then_end() {
        let handle = WaitHandle::open(Arc::new(Done(Waited::succeeded("OK"))));
        assert_eq!(read(&handle, 0), Some(Ok("OK\n".into())));
        assert_eq!(read(&handle, 3), Some(Ok("".into())));
    }

    #[test]
    fn text_then_failure() {
        let failure = FsError::io("the task failed");
        let handle = WaitHandle::open(Arc::new(Done(Waited::failed("no", failure.clone()))));
        assert_eq!(read(&handle, 0), Some(Ok("no\n".into())));
        assert_eq!(read(&handle, 3), Some(Err(failure)));
    }

    #[test]
    fn a_poll_is_woken_once_it_happened() {
        let woken = Arc::new(AtomicBool::new(false));
        let wake = Arc::clone(&woken);
        let handle = Arc::new(WaitHandle::open(Arc::new(Done(Waited::succeeded("OK")))));
        let (ready, work) = handle.poll(Some(Box::new(move || wake.store(true, Ordering::SeqCst))));
        assert!(!ready);
        work.unwrap().now_or_never().unwrap();
        assert!(woken.load(Ordering::SeqCst));
        assert!(handle.poll(None).0);
    }

    #[test]
    fn closing_ends_the_wait_of_a_poll() {
        let handle = Arc::new(WaitHandle::open(Arc::new(Never)));
        let (_, work) = handle.poll(Some(Box::new(|| ())));
        let mut work = work.unwrap();
        assert!((&mut work).now_or_never().is_none());
        assert!(handle.poll(Some(Box::new(|| ()))).1.is_none(), "one poller is enough");
        handle.close();
        assert!(work.now_or_never().is_some());
    }
}
