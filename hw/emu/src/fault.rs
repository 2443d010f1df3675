//! Commands that fail because a test wants them to.

use reel_hw::scsi::{Condition, Sense};

/// When a planned failure happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// At the command with this number alone, counted from 1 over all devices of the library.
    Once(u64),
    /// At this command and each one after it.
    From(u64),
}

impl Moment {
    fn has_come(self, number: u64) -> bool {
        match self {
            Self::Once(wanted) => number == wanted,
            Self::From(first) => number >= first,
        }
    }
}

/// A planned failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// When.
    pub moment: Moment,
    /// What the device says instead of doing it.
    pub sense: Sense,
}

impl Fault {
    /// Whether what the drive had in its buffer is lost: after a reset, and where the drive could not write it.
    pub(crate) fn loses_buffer(&self) -> bool {
        let condition = self.sense.condition();
        self.sense.deferred
            || matches!(
                condition,
                Condition::Reset | Condition::WriteError | Condition::HardwareError
            )
    }

    /// Whether the device begins anew, as after power on.
    pub(crate) fn resets(&self) -> bool {
        self.sense.condition() == Condition::Reset
    }
}

/// All planned failures, and how many commands came.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    plan: Vec<Fault>,
    commands: u64,
}

impl Faults {
    pub(crate) fn plan(&mut self, fault: Fault) {
        self.plan.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.plan.clear();
    }

    pub(crate) fn commands(&self) -> u64 {
        self.commands
    }

    /// Counts a command; the failure that is planned for it.
    pub(crate) fn next(&mut self) -> Option<Fault> {
        self.commands += 1;
        self.plan.iter().find(|fault| fault.moment.has_come(self.commands)).copied()
    }
}
