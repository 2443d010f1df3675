//! What the operator was promised, computed from nothing but what the test itself has seen.
//!
//! The model keeps all labels that were ever written and reads the rules of `tape-state.md` §§5-7 from the text alone; it
//! shares no code with what it judges.

use std::collections::BTreeMap;

use reel_types::{MediaId, MediaSetId};

pub const DAY: i64 = 86_400;

/// When a pool begins a new set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    Continue,
    Always,
    /// At midnight, UTC.
    Daily,
    /// On Mondays at midnight, UTC.
    Weekly,
}

/// How long what a pool wrote is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    Keep,
    Overwrite,
    Days(i64),
}

#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub allocation: Allocation,
    pub retention: Retention,
}

/// A set label, as the inventory has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetLabel {
    pub set: MediaSetId,
    pub pool: usize,
    pub seq_nr: u64,
    pub ctime: i64,
}

/// A tape, as the inventory knows it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tape {
    pub label: Option<SetLabel>,
    /// The pool of its own label.
    pub pool: Option<usize>,
    /// Marked damaged or retired.
    pub given_up: bool,
    pub in_vault: bool,
    /// When something was last written to it.
    pub written: i64,
}

/// All tapes that the inventory knows.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub tapes: BTreeMap<MediaId, Tape>,
}

impl Model {
    /// From when on a tape may be written over by its pool; none for never.
    pub fn expires_at(&self, label: SetLabel, rules: Rules) -> Option<i64> {
        let until = self.used_until(label, rules.allocation);
        match rules.retention {
            Retention::Keep => None,
            Retention::Overwrite => until,
            Retention::Days(days) => Some(until? + days * DAY),
        }
    }

    fn used_until(&self, label: SetLabel, allocation: Allocation) -> Option<i64> {
        let members = || self.labels().filter(|other| other.set == label.set);
        let start = members().find(|other| other.seq_nr == 0).map_or(label.ctime, |one| one.ctime);
        // The first one in the order of identities, which the inventory is in.
        let first = members().next()?.ctime;
        let others = self.labels().filter(|other| other.set != label.set);
        let next = others
            .filter(|other| other.pool == label.pool && other.ctime > first)
            .map(|other| other.ctime)
            .min();
        match (allocation, next) {
            (Allocation::Always, _) => Some(start),
            (_, Some(next)) => Some(next),
            (Allocation::Continue, None) => None,
            (Allocation::Daily, None) => Some((start.div_euclid(DAY) + 1) * DAY),
            (Allocation::Weekly, None) => Some(next_monday(start)),
        }
    }

    /// Labels in the order of their media's identities.
    pub fn labels(&self) -> impl Iterator<Item = SetLabel> {
        self.tapes.values().filter_map(|tape| tape.label)
    }

    /// The last time at which something was written to any tape of a set.
    pub fn last_written(&self, set: MediaSetId) -> i64 {
        let members = self.tapes.values().filter(|tape| tape.label.is_some_and(|l| l.set == set));
        members.map(|tape| tape.written).max().unwrap_or(i64::MIN)
    }
}

/// 1970-01-01 was a Thursday.
fn next_monday(time: i64) -> i64 {
    let day = time.div_euclid(DAY) + 1;
    let to_monday = (4 - day).rem_euclid(7);
    (day + to_monday) * DAY
}
