//! Going to a place, to the beginning, into the drive and out of it (spec timing.md §3, §5).

use reel_hw::BlockNumber;

use super::figures::{Column, Figures};
use super::seed::DriveFactors;
use super::spots::BadSpots;
use super::wraps::{Direction, TapePosition, WrapTable};

/// Locate on one wrap, before the way itself, s.
const LOCATE_S: f64 = 4.29;
/// More for another wrap, s.
const OTHER_WRAP_S: f64 = 6.69;
/// More for another band, s.
const OTHER_BAND_S: f64 = 3.20;
/// More for the other half of the tape: less, in the fit, s.
const OTHER_ZONE_S: f64 = -6.04;
/// More for the other direction, s.
const OTHER_DIRECTION_S: f64 = 5.22;
/// More for a place behind the head on the same wrap, s.
const STEP_BACK_S: f64 = 11.32;
/// The fit falls below zero just across the middle; nothing is quicker than this, s.
const LOCATE_MIN_S: f64 = 2.0;

/// Rewind at the beginning of the tape, s.
const REWIND_MIN_S: f64 = 0.1;
/// The part of a rewind that does not depend on the way, s.
const REWIND_FIXED_S: f64 = 6.0;

/// Below so much in one run, an LTO-9 medium is not re-tensioned.
const RETENSION_BYTES: u64 = 5_000_000_000;
/// Up to so much in one run, it is re-tensioned once.
const RETENSION_TWICE_BYTES: u64 = 50_000_000_000;
/// Transfers that lie wholly in the first objects read or write labels, and are no run of their own.
const LABEL_OBJECTS: u64 = 8;

/// A medium in a drive, as it really is: what the emulator's times come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Mechanism {
    figures: Figures,
    wraps: WrapTable,
    spots: BadSpots,
    motion: f64,
}

impl Mechanism {
    /// The figures of the spec, unbent.
    pub fn nominal(figures: &Figures) -> Self {
        let wraps = WrapTable::nominal(figures);
        Self::new(figures, wraps, BadSpots::default(), DriveFactors::default())
    }

    /// A medium with these wraps and spots in a drive that deviates by these factors (§8).
    pub fn new(figures: &Figures, wraps: WrapTable, spots: BadSpots, drive: DriveFactors) -> Self {
        let figures = Figures {
            top_mb_s: figures.top_mb_s * drive.top_speed,
            turn_s: figures.turn_s * drive.motion,
            ..*figures
        };
        Self { figures, wraps, spots, motion: drive.motion }
    }

    /// The figures with the drive's own top speed and turn time.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Where the medium's wraps end.
    pub fn wraps(&self) -> &WrapTable {
        &self.wraps
    }

    /// The medium's bad spots.
    pub fn spots(&self) -> &BadSpots {
        &self.spots
    }

    /// LOCATE or SPACE from where the head stands to an object, s (§3).
    pub fn locate_s(&self, from: BlockNumber, to: BlockNumber) -> f64 {
        self.locate_between_s(&self.wraps.position(from), &self.wraps.position(to))
    }

    /// The same between places that are known already, s.
    pub fn locate_between_s(&self, from: &TapePosition, to: &TapePosition) -> f64 {
        if from.object == to.object {
            return 0.0;
        }
        let way_s = self.figures.lpos_s * (from.lpos - to.lpos).abs();
        let raw_s = LOCATE_S + steps_s(from, to) + way_s;
        self.motion * self.figures.locate_scale * raw_s.max(LOCATE_MIN_S)
    }

    /// REWIND from an object, s (§5).
    pub fn rewind_s(&self, from: BlockNumber) -> f64 {
        if from.0 == 0 {
            return self.motion * REWIND_MIN_S;
        }
        let Figures { lpos_min, lpos_max, mean_rewind_s, .. } = self.figures;
        let way = (self.wraps.position(from).lpos - lpos_min) / (lpos_max - lpos_min);
        self.motion * (REWIND_FIXED_S + 2.0 * (mean_rewind_s - REWIND_FIXED_S) * way)
    }

    /// UNLOAD from an object: rewind, re-tension, unload, s (§5).
    pub fn unload_s(&self, from: BlockNumber, retension: Retension) -> f64 {
        let passes = if self.figures.is_thin { retension.passes() } else { 0.0 };
        let rest_s = passes * self.figures.mean_rewind_s + self.figures.unload_s;
        self.rewind_s(from) + self.motion * rest_s
    }

    /// From the end of the robot's move to ready, for a medium that was loaded before, s (§5).
    pub fn load_s(&self) -> f64 {
        self.motion * self.figures.load_s
    }
}

/// What the discrete steps of a locate add, s.
fn steps_s(from: &TapePosition, to: &TapePosition) -> f64 {
    let steps = [
        (OTHER_WRAP_S, from.wrap != to.wrap),
        (OTHER_BAND_S, from.band != to.band),
        (OTHER_ZONE_S, from.zone != to.zone),
        (OTHER_DIRECTION_S, from.direction() != to.direction()),
        (STEP_BACK_S, is_step_back(from, to)),
    ];
    steps.iter().filter(|(_, applies)| *applies).map(|(s, _)| s).sum()
}

/// Whether the place lies behind the head on its own wrap.
fn is_step_back(from: &TapePosition, to: &TapePosition) -> bool {
    let is_behind = match from.direction() {
        Direction::Outward => from.lpos > to.lpos,
        Direction::Inward => from.lpos < to.lpos,
    };
    from.wrap == to.wrap && is_behind
}

/// The mechanism with the figures of a column, unbent.
impl From<Column> for Mechanism {
    fn from(generation: Column) -> Self {
        Self::nominal(generation.figures())
    }
}

/// How an LTO-9 drive evens the tape's tension before it gives a medium back (§5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Retension {
    /// Not at all.
    #[default]
    None,
    /// One pass over the tape.
    Once,
    /// Two passes.
    Twice,
}

impl Retension {
    /// Passes, each as long as the mean rewind.
    fn passes(self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Once => 1.0,
            Self::Twice => 2.0,
        }
    }
}

/// What was done with a medium since it was loaded, as far as unloading it depends on that (§5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MountUse {
    bytes: u64,
    runs: u32,
    next: Option<BlockNumber>,
}

impl MountUse {
    /// Notes that `objects` of together `bytes` were read or written from an object on. Labels do not count, and
    /// what goes on where the last transfer ended belongs to its run.
    pub fn transfer(&mut self, from: BlockNumber, objects: u64, bytes: u64) {
        let end = from.0.saturating_add(objects);
        let goes_on = self.next == Some(from);
        if !goes_on && end <= LABEL_OBJECTS {
            return;
        }
        self.runs = self.runs.saturating_add(u32::from(!goes_on));
        self.bytes = self.bytes.saturating_add(bytes);
        self.next = Some(BlockNumber(end));
    }

    /// The re-tension that this use asks for.
    pub fn retension(&self) -> Retension {
        match (self.runs, self.bytes) {
            (0, _) => Retension::None,
            (1, bytes) if bytes < RETENSION_BYTES => Retension::None,
            (1, bytes) if bytes <= RETENSION_TWICE_BYTES => Retension::Once,
            _ => Retension::Twice,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standing_still_takes_no_time() {
        let lto8 = Mechanism::from(Column::Lto8);
        assert_eq!(lto8.locate_s(BlockNumber(7), BlockNumber(7)), 0.0);
        assert_eq!(lto8.rewind_s(BlockNumber(0)), 0.1);
    }

    #[test]
    fn a_rewind_from_mid_tape_takes_the_mean() {
        let lto8 = Mechanism::from(Column::Lto8);
        assert!((lto8.rewind_s(BlockNumber(110_039)) - 59.0).abs() < 0.001);
    }

    #[test]
    fn only_lto_9_is_retensioned() {
        let unload_s =
            |generation, retension| Mechanism::from(generation).unload_s(BlockNumber(0), retension);
        assert_eq!(unload_s(Column::Lto8, Retension::Twice), 24.1);
        assert_eq!(unload_s(Column::Lto9Half, Retension::Twice), 180.1);
    }

    #[test]
    fn labels_and_one_short_run_are_not_retensioned() {
        let mut mount = MountUse::default();
        mount.transfer(BlockNumber(0), 2, 300_000);
        mount.transfer(BlockNumber(2), 2, 300_000);
        assert_eq!(mount, MountUse::default());
        mount.transfer(BlockNumber(1000), 10, 4_999_999_999);
        assert_eq!(mount.retension(), Retension::None);
        mount.transfer(BlockNumber(1010), 1, 1);
        assert_eq!(mount.retension(), Retension::Once);
        mount.transfer(BlockNumber(1011), 1, 45_000_000_000);
        assert_eq!(mount.retension(), Retension::Once);
        mount.transfer(BlockNumber(1012), 1, 1);
        assert_eq!(mount.retension(), Retension::Twice);
    }

    #[test]
    fn two_places_are_retensioned_twice() {
        let mut mount = MountUse::default();
        mount.transfer(BlockNumber(1000), 1, 1);
        mount.transfer(BlockNumber(2000), 1, 1);
        assert_eq!(mount.retension(), Retension::Twice);
    }
}
