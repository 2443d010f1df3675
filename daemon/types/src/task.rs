//! What long work sees of the task it runs in.

use std::time::Duration;

use thiserror::Error;

use crate::Cancel;

/// The task was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("abort requested - aborting task")]
pub struct TaskStopped;

/// The task that some long work belongs to: its log, its progress, and whether it should stop.
///
/// Work calls [`TaskContext::check`] at least once a second and waits by [`TaskContext::wait`] alone,
/// so that an abort is honoured within a second wherever it is.
pub trait TaskContext: Send + Sync {
    /// Writes a line to the task's log.
    fn log(&self, line: &str);

    /// Writes a line that counts as a warning.
    fn warn(&self, line: &str);

    /// Tells how far the work has come: `done` of `total` in any unit, the unit's name in `what`.
    fn progress(&self, done: u64, total: u64, what: &str);

    /// Tells what the work waits for that somebody has to do; nothing from now on where it is none.
    fn waits_for(&self, _what: Option<&str>) {}

    /// The flag that an abort sets.
    fn cancel(&self) -> &Cancel;

    /// Fails once the task was asked to stop.
    fn check(&self) -> Result<(), TaskStopped> {
        if self.cancel().is_cancelled() { Err(TaskStopped) } else { Ok(()) }
    }

    /// Waits for `duration` or until the task was asked to stop.
    fn wait(&self, duration: Duration) -> Result<(), TaskStopped>;
}

/// A context for work that nobody watches: lines are dropped, nothing stops it but its own flag.
#[derive(Debug, Clone, Default)]
pub struct NoTask(pub Cancel);

impl TaskContext for NoTask {
    fn log(&self, _line: &str) {}

    fn warn(&self, _line: &str) {}

    fn progress(&self, _done: u64, _total: u64, _what: &str) {}

    fn cancel(&self) -> &Cancel {
        &self.0
    }

    fn wait(&self, duration: Duration) -> Result<(), TaskStopped> {
        self.check()?;
        std::thread::sleep(duration);
        self.check()
    }
}
