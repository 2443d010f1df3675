//! The border between the synchronous core and tokio.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

/// Runs what blocks on tokio's threads for that, and futures on its workers.
#[derive(Debug, Clone)]
pub struct Runtime(Handle);

impl Runtime {
    /// Uses the runtime behind `handle`.
    pub fn new(handle: Handle) -> Self {
        Self(handle)
    }
}

impl Runtime {
    /// Runs a future to its end, whether or not anybody waits.
    pub(crate) fn run_future(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.spawn(future));
    }

    /// Runs a future to its end; what is returned ends when it has, and may be dropped.
    pub(crate) fn run_on(
        &self,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> BoxFuture<'static, ()> {
        // A future that panicked has ended, too.
        self.0.spawn(future).map(drop).boxed()
    }
}

impl reel_store::source::Blocking for Runtime {
    fn run(&self, work: Box<dyn FnOnce() + Send>) {
        self.0.spawn_blocking(work);
    }
}

impl reel_fs::Spawner for Runtime {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        self.0.spawn(future);
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send + 'static>) {
        self.0.spawn_blocking(work);
    }
}
