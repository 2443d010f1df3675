//! Counting calls and letting chosen ones fail.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::{Error, Result};

/// The operations of a drive and its changer that are counted and can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is the method of the same name")]
pub enum Operation {
    WriteBlock,
    ReadBlock,
    WriteFilemarks,
    Sync,
    Rewind,
    SpaceFilemarks,
    SpaceBlocks,
    SpaceToEndOfData,
    Locate,
    LocateFile,
    Position,
    Load,
    Unload,
    FormatMedium,
    Erase,
    Statistics,
    SetEncryptionKey,
    WriteAttributes,
    TapeAlerts,
    ChangerStatus,
    ChangerLoad,
    ChangerUnload,
    ChangerTransfer,
}

/// Which calls fail, counted from the moment the failure was asked for; the next call is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailurePattern {
    /// Only that call.
    Once(u64),
    /// That call and all later ones.
    From(u64),
}

struct Failure {
    operation: Operation,
    calls_before: u64,
    pattern: FailurePattern,
    error: Box<dyn Fn() -> Error + Send>,
}

/// Calls seen and failures asked for.
#[derive(Default)]
pub(super) struct Failures {
    calls: BTreeMap<Operation, u64>,
    planned: Vec<Failure>,
}

impl Failures {
    pub(super) fn calls(&self, operation: Operation) -> u64 {
        self.calls.get(&operation).copied().unwrap_or(0)
    }

    pub(super) fn plan(
        &mut self,
        operation: Operation,
        pattern: FailurePattern,
        error: Box<dyn Fn() -> Error + Send>,
    ) {
        let calls_before = self.calls(operation);
        self.planned.push(Failure { operation, calls_before, pattern, error });
    }

    pub(super) fn clear(&mut self) {
        self.planned.clear();
    }

    /// Counts a call, and fails it if a failure was asked for.
    pub(super) fn call(&mut self, operation: Operation) -> Result<()> {
        let calls = self.calls.entry(operation).or_default();
        *calls += 1;
        let calls = *calls;
        let hit = self
            .planned
            .iter()
            .find(|failure| failure.operation == operation && failure.hits(calls));
        hit.map_or(Ok(()), |failure| Err((failure.error)()))
    }
}

impl Failure {
    fn hits(&self, calls: u64) -> bool {
        let call = calls - self.calls_before;
        match self.pattern {
            FailurePattern::Once(n) => call == n,
            FailurePattern::From(n) => call >= n,
        }
    }
}

impl fmt::Debug for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failures")
            .field("calls", &self.calls)
            .field("planned", &self.planned.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(failures: &mut Failures, calls: usize) -> Vec<bool> {
        (0..calls).map(|_| failures.call(Operation::WriteBlock).is_err()).collect()
    }

    #[test]
    fn failures_count_from_when_they_are_asked_for() {
        let mut failures = Failures::default();
        assert_eq!(failing(&mut failures, 2), [false, false]);
        failures.plan(
            Operation::WriteBlock,
            FailurePattern::Once(2),
            Box::new(|| Error::Cancelled),
        );
        assert!(failures.call(Operation::Sync).is_ok());
        assert_eq!(failing(&mut failures, 3), [false, true, false]);
        failures.plan(
            Operation::WriteBlock,
            FailurePattern::From(2),
            Box::new(|| Error::Cancelled),
        );
        assert_eq!(failing(&mut failures, 3), [false, true, true]);
        failures.clear();
        assert_eq!(failing(&mut failures, 1), [false]);
        assert_eq!(failures.calls(Operation::WriteBlock), 9);
    }
}
