//! What keeps one broken node from harming the whole mount: a panic becomes EIO and a tracing
//! error, and a lock that a panic left behind is used on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;

use crate::error::FsError;

/// Calls into a node.
///
/// Unwind safety is asserted because no state of this crate is half changed while a node runs:
/// nodes are called without any of its locks held.
pub(crate) fn guarded<T>(
    operation: &str,
    call: impl FnOnce() -> Result<T, FsError>,
) -> Result<T, FsError> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|panic| Err(panicked(operation, panic.as_ref())))
}

/// Awaits a node's future.
pub(crate) async fn guarded_async<T>(
    operation: &str,
    future: impl Future<Output = Result<T, FsError>>,
) -> Result<T, FsError> {
    AssertUnwindSafe(future)
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| Err(panicked(operation, panic.as_ref())))
}

fn panicked(operation: &str, panic: &(dyn Any + Send)) -> FsError {
    let what = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_string());
    tracing::error!(operation, panic = what, "a node panicked");
    FsError::io(format!("{operation}: internal error: {what}; please report it"))
}

/// Locks; a lock poisoned by a panic still guards plain data that is whole.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_eio() {
        let error = guarded::<()>("read", || panic!("on {}", "purpose")).unwrap_err();
        assert_eq!(error.errno(), libc::EIO);
        assert!(error.message().contains("on purpose"), "{error}");
    }

    #[test]
    fn results_pass() {
        assert_eq!(guarded("read", || Ok(1)), Ok(1));
    }
}
