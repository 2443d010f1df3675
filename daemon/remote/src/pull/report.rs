//! What a pull did, and what it could not do.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reel_types::{TaskContext, human_bytes_binary};

use super::PullError;

/// Errors that are kept for the summary; all are in the log.
const ERRORS_KEPT: usize = 100;

/// What was removed because it is gone at the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Snapshots.
    pub snapshots: usize,
    /// Groups, whole.
    pub groups: usize,
    /// Namespaces.
    pub namespaces: usize,
}

/// What came of a pull.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullSummary {
    /// Groups that were gone through.
    pub groups: usize,
    /// Snapshots that were looked at, whether something of them was missing here or not.
    pub snapshots: usize,
    /// Chunks that came.
    pub chunks: u64,
    /// Their bytes, as they are stored.
    pub bytes: u64,
    /// Snapshots that were passed over.
    pub skipped: usize,
    /// What was removed here; none where nothing was to be.
    pub removed: Option<Removed>,
    /// What failed and why, the first ones.
    pub errors: Vec<String>,
    /// How much failed.
    pub error_count: usize,
    /// How long it took.
    pub took: Duration,
}

impl PullSummary {
    /// Bytes a second, as people read it.
    fn rate(&self) -> String {
        rate(self.bytes, self.took)
    }
}

/// `1.5 MiB/s`.
pub(super) fn rate(bytes: u64, took: Duration) -> String {
    let a_second = bytes as f64 / took.as_secs_f64().max(0.001);
    format!("{}/s", human_bytes_binary(a_second as u64))
}

impl fmt::Display for PullSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Summary: {} groups, {} snapshots", self.groups, self.snapshots)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        match self.bytes {
            0 => f.write_str("; no new data")?,
            bytes => write!(
                f,
                "; {} in {} chunks (average {})",
                human_bytes_binary(bytes),
                self.chunks,
                self.rate()
            )?,
        }
        if let Some(Removed { snapshots, groups, namespaces }) = self.removed {
            write!(f, "; removed {snapshots} snapshots, {groups} groups, {namespaces} namespaces")?;
        }
        if self.error_count > 0 {
            write!(f, "; {} errors", self.error_count)?;
        }
        Ok(())
    }
}

/// Counts while groups are pulled side by side.
pub(super) struct Report<'a> {
    task: &'a dyn TaskContext,
    summary: Mutex<PullSummary>,
    began: Instant,
}

impl<'a> Report<'a> {
    pub(super) fn new(task: &'a dyn TaskContext, counts_removed: bool) -> Self {
        let removed = counts_removed.then(Removed::default);
        let summary = Mutex::new(PullSummary { removed, ..PullSummary::default() });
        Self { task, summary, began: Instant::now() }
    }

    /// Changes the numbers.
    pub(super) fn count(&self, change: impl FnOnce(&mut PullSummary)) {
        change(&mut self.summary());
    }

    /// Counts what was removed.
    pub(super) fn removed(&self, change: impl FnOnce(&mut Removed)) {
        change(self.summary().removed.get_or_insert_default());
    }

    /// Tells of what failed, and that the rest goes on. A stop is no failure of its own.
    pub(super) fn failed(&self, what: &str, error: &PullError) {
        if error.is_stop() {
            return;
        }
        let line = format!("{what}: {error}");
        self.task.log(&format!("error: {line}"));
        let mut summary = self.summary();
        summary.error_count += 1;
        if summary.errors.len() < ERRORS_KEPT {
            summary.errors.push(line);
        }
    }

    pub(super) fn finish(self) -> PullSummary {
        let summary = self.summary.into_inner().unwrap_or_else(PoisonError::into_inner);
        PullSummary { took: self.began.elapsed(), ..summary }
    }

    /// What came so far.
    pub(super) fn so_far(&self) -> PullSummary {
        PullSummary { took: self.began.elapsed(), ..self.summary().clone() }
    }

    fn summary(&self) -> MutexGuard<'_, PullSummary> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_tells_what_there_is_to_tell() {
        let nothing = PullSummary { groups: 2, snapshots: 3, ..PullSummary::default() };
        assert_eq!(nothing.to_string(), "Summary: 2 groups, 3 snapshots; no new data");
        let much = PullSummary {
            skipped: 1,
            chunks: 5,
            bytes: 3 << 20,
            removed: Some(Removed { snapshots: 1, groups: 0, namespaces: 0 }),
            error_count: 1,
            took: Duration::from_secs(2),
            ..nothing
        };
        assert_eq!(
            much.to_string(),
            "Summary: 2 groups, 3 snapshots, 1 skipped; 3 MiB in 5 chunks (average 1.5 MiB/s); removed 1 snapshots, 0 groups, 0 namespaces; 1 errors"
        );
    }
}
