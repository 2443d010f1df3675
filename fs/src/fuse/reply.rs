//! Answering now or later, and logging what went wrong.

use fuser::{Errno, PollNotifier};

use crate::attributes::Caller;
use crate::engine::{Answer, Prepared};
use crate::error::{FsError, errno_name};
use crate::spawn::Spawner;
use crate::wait::PollWaker;

/// Gives the answer to `reply`, now or from the executor.
pub(super) fn answer<T: 'static>(
    spawner: &dyn Spawner,
    operation: &'static str,
    caller: Caller,
    answer: Answer<T>,
    reply: impl FnOnce(Result<T, Errno>) + Send + 'static,
) {
    let log = move |result: Result<T, FsError>| {
        result.map_err(|error| log_error(operation, &caller, &error))
    };
    match answer {
        Answer::Now(result) => reply(log(result)),
        Answer::Later(result) => spawner.spawn(Box::pin(async move { reply(log(result.await)) })),
    }
}

/// Does `work`, which answers, now or once what it needs has come.
pub(super) fn after(
    spawner: &dyn Spawner,
    prepared: Option<Prepared>,
    work: impl FnOnce(Result<(), FsError>) + Send + 'static,
) {
    match prepared {
        None => work(Ok(())),
        Some(prepared) => spawner.spawn(Box::pin(async move { work(prepared.await) })),
    }
}

/// The one place that logs a refused request. What every shell does all day (looking for names
/// and attributes that aren't there) is only traced; a failure of ours is a warning.
pub(super) fn log_error(operation: &str, caller: &Caller, error: &FsError) -> Errno {
    let (uid, pid, errno) = (caller.uid, caller.pid, errno_name(error.errno()));
    match error.errno() {
        libc::ENOENT | libc::ENODATA | libc::ENXIO => {
            tracing::trace!(operation, uid, pid, errno, "{error}");
        }
        libc::EIO => tracing::warn!(operation, uid, pid, errno, "{error}"),
        _ => tracing::debug!(operation, uid, pid, errno, "{error}"),
    }
    Errno::from_i32(error.errno())
}

/// An offset as `lseek(2)` returns it.
pub(super) fn number_or_error(result: Result<u64, FsError>) -> Result<i64, FsError> {
    i64::try_from(result?).map_err(|_| FsError::new(libc::EOVERFLOW, "the offset is too large"))
}

pub(super) fn poll_waker(notifier: PollNotifier) -> PollWaker {
    Box::new(move || {
        if let Err(error) = notifier.notify() {
            tracing::debug!(%error, "a poll could not be woken");
        }
    })
}
