//! The runtime that moves the bytes of a pull, and threads that wait for it.

use std::time::Duration;

use reel_types::{Cancel, TaskStopped};
use tokio::runtime::{Builder, Handle, Runtime};

use super::PullError;
use crate::RemoteError;

/// How often a wait looks whether the task was stopped.
pub(super) const STOP_CHECK: Duration = Duration::from_millis(100);
/// Threads that decrypt and count: what 10 Gbit/s keep busy.
const THREADS_MAX: usize = 4;

/// A runtime that ends with its pull, whatever is under way.
pub(super) struct Network {
    runtime: Option<Runtime>,
    cancel: Cancel,
}

impl Network {
    pub(super) fn new(cancel: &Cancel) -> Result<Self, PullError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.min(THREADS_MAX))
            .thread_name("pull-net")
            .enable_all()
            .build()?;
        Ok(Self { runtime: Some(runtime), cancel: cancel.clone() })
    }

    /// Where futures are started that nobody waits for here.
    pub(super) fn handle(&self) -> Option<&Handle> {
        self.runtime.as_ref().map(Runtime::handle)
    }

    /// Waits for an answer, and no longer than the task runs.
    pub(super) fn wait<T>(
        &self,
        asked: impl Future<Output = Result<T, RemoteError>>,
    ) -> Result<T, PullError> {
        let Some(runtime) = &self.runtime else { return Err(TaskStopped.into()) };
        runtime.block_on(async {
            tokio::select! {
                answer = asked => Ok(answer?),
                () = self.stopped() => Err(TaskStopped.into()),
            }
        })
    }

    async fn stopped(&self) {
        while !self.cancel.is_cancelled() {
            tokio::time::sleep(STOP_CHECK).await;
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
