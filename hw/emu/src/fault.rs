//! What goes wrong because a test wants it to.

mod garbage;

pub use garbage::Garbage;

use std::collections::BTreeSet;

use reel_hw::scsi::{Condition, Sense};

use crate::library::Device;

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

/// A planned failure, of a drive or of the robot.
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

/// A bit that flips on its way, counted from the beginning of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flip {
    /// In the next block that is written.
    ToDrive(u64),
    /// In the next block that is read.
    ToHost(u64),
}

impl Flip {
    /// Flips its bit; one behind the end does nothing.
    pub(crate) fn apply(self, bytes: &mut [u8]) {
        let (Self::ToDrive(bit) | Self::ToHost(bit)) = self;
        if let Some(byte) = usize::try_from(bit / 8).ok().and_then(|place| bytes.get_mut(place)) {
            *byte ^= 1 << (bit % 8);
        }
    }
}

/// When in a command a device goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vanish {
    /// Before it does anything.
    Before,
    /// When it has done everything but answer.
    After,
}

/// What is planned for one command.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Planned {
    pub(crate) fault: Option<Fault>,
    pub(crate) garbage: Option<Garbage>,
    pub(crate) vanish: Option<Vanish>,
}

/// All planned failures, and how many commands came.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    plan: Vec<Fault>,
    garbage: Vec<(Moment, Garbage)>,
    vanish: Vec<(u64, Vanish)>,
    gone: BTreeSet<Device>,
    flips: Vec<(usize, Flip)>,
    commands: u64,
}

impl Faults {
    pub(crate) fn plan(&mut self, fault: Fault) {
        self.plan.push(fault);
    }

    pub(crate) fn plan_garbage(&mut self, moment: Moment, garbage: Garbage) {
        self.garbage.push((moment, garbage));
    }

    pub(crate) fn plan_vanish(&mut self, command: u64, vanish: Vanish) {
        self.vanish.push((command, vanish));
    }

    pub(crate) fn plan_flip(&mut self, drive: usize, flip: Flip) {
        self.flips.push((drive, flip));
    }

    /// Forgets what is planned; what is gone stays so.
    pub(crate) fn clear(&mut self) {
        self.plan.clear();
        self.garbage.clear();
        self.vanish.clear();
        self.flips.clear();
    }

    pub(crate) fn commands(&self) -> u64 {
        self.commands
    }

    /// Counts a command; what is planned for it.
    pub(crate) fn next(&mut self) -> Planned {
        self.commands += 1;
        let number = self.commands;
        let garbage = self.garbage.iter().find(|(moment, _)| moment.has_come(number));
        let vanish = self.vanish.iter().find(|(command, _)| *command == number);
        Planned {
            fault: self.plan.iter().find(|fault| fault.moment.has_come(number)).copied(),
            garbage: garbage.map(|(_, garbage)| *garbage),
            vanish: vanish.map(|(_, vanish)| *vanish),
        }
    }

    /// A device goes away, or comes back.
    pub(crate) fn set_gone(&mut self, device: Device, gone: bool) {
        if gone {
            self.gone.insert(device);
        } else {
            self.gone.remove(&device);
        }
    }

    pub(crate) fn is_gone(&self, device: Device) -> bool {
        self.gone.contains(&device)
    }

    /// The flip that is planned for the next block on its way to the drive, or from it.
    pub(crate) fn flip(&self, drive: usize, to_drive: bool) -> Option<Flip> {
        self.flip_place(drive, to_drive).map(|place| self.flips[place].1)
    }

    /// The same, which happens now.
    pub(crate) fn take_flip(&mut self, drive: usize, to_drive: bool) -> Option<Flip> {
        let place = self.flip_place(drive, to_drive)?;
        Some(self.flips.remove(place).1)
    }

    fn flip_place(&self, drive: usize, to_drive: bool) -> Option<usize> {
        self.flips.iter().position(|(number, flip)| {
            *number == drive && matches!(flip, Flip::ToDrive(_)) == to_drive
        })
    }
}
