//! What a drive counts since it was switched on or its counters were reset.

use std::collections::VecDeque;

use reel_hw::scsi::Sense;
use reel_hw::scsi::log::{ErrorCounters, SequentialAccess};

/// Hard errors that are remembered.
const HISTORY: usize = 8;

/// Errors in one direction, and what went well.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Transfers {
    /// Bytes of hosts.
    pub(super) bytes: u64,
    /// Errors that were corrected.
    pub(super) corrected: u64,
    /// Those that were not.
    pub(super) uncorrected: u64,
}

/// An error that a drive remembers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HardError {
    pub(super) sense: Sense,
    pub(super) opcode: u8,
}

/// All counters of a drive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters {
    pub(super) write: Transfers,
    pub(super) read: Transfers,
    /// Media loaded.
    pub(super) loads: u64,
    /// The last hard errors, newest first.
    pub(super) history: VecDeque<HardError>,
}

impl Transfers {
    pub(super) fn page(&self) -> ErrorCounters {
        ErrorCounters {
            corrected_fast: Some(0),
            corrected_slow: Some(self.corrected),
            retries: Some(self.corrected + self.uncorrected),
            corrected: Some(self.corrected),
            corrections: Some(self.corrected + self.uncorrected),
            bytes: Some(self.bytes),
            uncorrected: Some(self.uncorrected),
        }
    }
}

impl Counters {
    pub(super) fn remember(&mut self, error: HardError) {
        self.history.push_front(error);
        self.history.truncate(HISTORY);
    }

    /// Nothing is compressed here, so host and medium see the same bytes.
    pub(super) fn sequential_access(&self, wants_cleaning: bool) -> SequentialAccess {
        SequentialAccess {
            host_bytes_written: Some(self.write.bytes),
            medium_bytes_written: Some(self.write.bytes),
            medium_bytes_read: Some(self.read.bytes),
            host_bytes_read: Some(self.read.bytes),
            cleaning_requested: Some(u64::from(wants_cleaning)),
        }
    }
}
