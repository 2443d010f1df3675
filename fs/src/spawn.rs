//! Where work runs that can't be answered at once.
//!
//! The program gives its own executor through [`Spawner`]; `reeld` gives tokio. [`ThreadPool`]
//! is a small one for programs and tests without an async runtime.

mod blocking;
mod pool;

pub(crate) use blocking::run_blocking;
pub use pool::ThreadPool;

use futures_util::future::BoxFuture;

/// What is awaited, on no thread, before a node is asked something that it then answers at once: it brings what comes
/// from far away. It doesn't fail; the node's own answer tells what went wrong. A dropped one is a caller that left.
pub type Preparation = BoxFuture<'static, ()>;

/// The executor of the program that mounts.
pub trait Spawner: Send + Sync + 'static {
    /// Runs a future to its end. Thousands may wait at once.
    fn spawn(&self, future: BoxFuture<'static, ()>);

    /// Runs a closure where it may block for a moment (disk I/O), off the event loops.
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send + 'static>);
}
