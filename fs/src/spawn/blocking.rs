//! Awaiting a closure that blocks: a one-shot slot between the blocking thread and the future.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::error::FsError;
use crate::guard::{guarded, locked};
use crate::spawn::Spawner;

/// Runs `work` where blocking is allowed. A panic in it, or an executor that gives up, is EIO.
pub(crate) fn run_blocking<T: Send + 'static, W>(
    spawner: &dyn Spawner,
    operation: &'static str,
    work: W,
) -> impl Future<Output = Result<T, FsError>> + Send + use<T, W>
where
    W: FnOnce() -> Result<T, FsError> + Send + 'static,
{
    let slot = Arc::new(Mutex::new(Slot { result: None, waker: None }));
    let filler = Filler { slot: Arc::clone(&slot), operation };
    spawner.spawn_blocking(Box::new(move || {
        let result = guarded(operation, work);
        filler.fill(result);
    }));
    Taker { slot }
}

struct Slot<T> {
    result: Option<Result<T, FsError>>,
    waker: Option<Waker>,
}

/// Fills the slot once; dropped unfilled, it says so, else the waiter would wait for ever.
struct Filler<T> {
    slot: Arc<Mutex<Slot<T>>>,
    operation: &'static str,
}

impl<T> Filler<T> {
    fn fill(self, result: Result<T, FsError>) {
        locked(&self.slot).result = Some(result);
    }
}

impl<T> Drop for Filler<T> {
    fn drop(&mut self) {
        let mut slot = locked(&self.slot);
        slot.result.get_or_insert_with(|| {
            Err(FsError::io(format!("{}: the program is shutting down", self.operation)))
        });
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

struct Taker<T> {
    slot: Arc<Mutex<Slot<T>>>,
}

impl<T> Future for Taker<T> {
    type Output = Result<T, FsError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = locked(&self.slot);
        if let Some(result) = slot.result.take() {
            return Poll::Ready(result);
        }
        slot.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;

    use super::*;
    use crate::spawn::ThreadPool;

    fn run<T: Send + 'static>(
        work: impl FnOnce() -> Result<T, FsError> + Send + 'static,
    ) -> Result<T, FsError> {
        let pool = ThreadPool::new(1);
        let (send, receive) = mpsc::channel();
        let future = run_blocking(&pool, "test", work);
        pool.spawn(async move { send.send(future.await).unwrap() }.boxed());
        receive.recv().unwrap()
    }

    #[test]
    fn a_result_comes_back() {
        assert_eq!(run(|| Ok(7)), Ok(7));
        assert_eq!(run::<()>(|| panic!("no")).unwrap_err().errno(), libc::EIO);
    }

    #[test]
    fn an_executor_that_drops_work_does_not_leave_the_waiter() {
        struct Dropper;
        impl Spawner for Dropper {
            fn spawn(&self, _: futures_util::future::BoxFuture<'static, ()>) {}
            fn spawn_blocking(&self, _: Box<dyn FnOnce() + Send>) {}
        }
        let result = run_blocking(&Dropper, "open", || Ok(())).now_or_never().unwrap();
        assert_eq!(result.unwrap_err().errno(), libc::EIO);
    }
}
