//! The formulas (spec timing.md §3–§7).

use reel_hw::{BlockNumber, ObjectRange, TAPE_BLOCK_SIZE};

use super::course::{Course, Place};
use super::figures::{Figures, MediumKind, TURN_S};
use super::ratios::Ratios;

/// One move of the robot.
const ROBOT_MOVE_S: f64 = 10.0;
/// Reading both labels.
const LABELS_S: f64 = 1.0;

/// No locate is quicker, s before the scale.
const LOCATE_LEAST_S: f64 = 2.0;
const REWIND_LEAST_S: f64 = 0.1;
const REWIND_FIXED_S: f64 = 6.0;

/// More in one run than this has the tape tensioned anew, once; more than the second, or several runs, twice.
const RETENSION_BYTES: (u64, u64) = (5_000_000_000, 50_000_000_000);

/// Lists longer than this are left in their own order: finding a better one takes time by the square of their length.
const ORDERED_MAX: usize = 4000;

/// What a medium in a drive costs, seconds each.
#[derive(Debug, Clone, PartialEq)]
pub struct Costs {
    figures: &'static Figures,
    course: Course,
    ratios: Ratios,
}

/// What a mount has done with a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mount {
    /// Bytes read.
    pub bytes: u64,
    /// Runs that they lay in.
    pub runs: u64,
}

impl Costs {
    /// Of a medium of that kind, whose wraps end where the drive says, where it does.
    pub fn new(kind: MediumKind, wrap_ends: Option<&[BlockNumber]>, ratios: Ratios) -> Self {
        let figures = kind.figures();
        let nominal = || Course::nominal(figures);
        let course = wrap_ends.map_or_else(nominal, |ends| Course::told(figures, ends));
        Self { figures, course, ratios }
    }

    /// Going from one object to another.
    pub fn locate_s(&self, from: BlockNumber, to: BlockNumber) -> f64 {
        self.between_s(&self.course.place(from), &self.course.place(to))
    }

    fn between_s(&self, from: &Place, to: &Place) -> f64 {
        if from.object == to.object {
            return 0.0;
        }
        let is_outward = |place: &Place| place.wrap.is_multiple_of(2);
        let ahead = if is_outward(from) { to.lpos >= from.lpos } else { to.lpos <= from.lpos };
        let steps = [
            (6.69, from.wrap != to.wrap),
            (3.20, from.band != to.band),
            (-6.04, from.zone != to.zone),
            (5.22, is_outward(from) != is_outward(to)),
            (11.32, from.wrap == to.wrap && !ahead),
        ];
        let steps_s: f64 = steps.iter().filter(|(_, applies)| *applies).map(|(s, _)| s).sum();
        let raw_s = 4.29 + steps_s + self.figures.lpos_s * (from.lpos - to.lpos).abs();
        self.ratios.locate * self.figures.locate_scale * raw_s.max(LOCATE_LEAST_S)
    }

    /// Reading so many objects in one go.
    pub fn read_s(&self, from: BlockNumber, objects: u64) -> f64 {
        let end = from.0.saturating_add(objects);
        let turns = self.course.wrap_of(end).saturating_sub(self.course.wrap_of(from.0));
        let bytes = objects as f64 * TAPE_BLOCK_SIZE as f64;
        self.ratios.read * (bytes / 1e6 / self.figures.top_mb_s + turns as f64 * TURN_S)
    }

    /// Going back to the beginning.
    pub fn rewind_s(&self, from: BlockNumber) -> f64 {
        let (least, most) = self.figures.lpos;
        let way = (self.course.place(from).lpos - least) / (most - least);
        let run_s = REWIND_FIXED_S + 2.0 * (self.figures.mean_rewind_s - REWIND_FIXED_S) * way;
        self.ratios.locate * if from.0 == 0 { REWIND_LEAST_S } else { run_s }
    }

    /// Putting the medium away, from where it stands.
    pub fn unload_s(&self, from: BlockNumber, mount: Mount) -> f64 {
        let passes = match mount {
            _ if !self.figures.retensions || mount.bytes == 0 => 0.0,
            Mount { runs: 0 | 1, bytes } if bytes < RETENSION_BYTES.0 => 0.0,
            Mount { runs: 0 | 1, bytes } if bytes <= RETENSION_BYTES.1 => 1.0,
            _ => 2.0,
        };
        let drive_s = passes * self.figures.mean_rewind_s + self.figures.unload_s;
        self.rewind_s(from) + self.ratios.load * (drive_s + ROBOT_MOVE_S)
    }

    /// Fetching the medium into an empty drive, until its labels are read.
    pub fn load_s(&self) -> f64 {
        self.ratios.load * (ROBOT_MOVE_S + self.figures.load_s + LABELS_S)
    }

    /// Indices of the ranges in the order that costs least of those tried, from where the head stands: nearest first
    /// (of two alike the lower index), or as they come.
    pub fn order(&self, from: BlockNumber, ranges: &[ObjectRange]) -> Vec<usize> {
        let as_they_come: Vec<usize> = (0..ranges.len()).collect();
        if ranges.len() > ORDERED_MAX {
            return as_they_come;
        }
        let nearest = self.nearest_first(from, ranges);
        let cost_s = |order: &[usize]| self.locates_s(from, ranges, order);
        if cost_s(&nearest) < cost_s(&as_they_come) { nearest } else { as_they_come }
    }

    /// All locates of an order.
    pub fn locates_s(&self, from: BlockNumber, ranges: &[ObjectRange], order: &[usize]) -> f64 {
        let mut head = from;
        let mut sum_s = 0.0;
        for range in order.iter().filter_map(|index| ranges.get(*index)) {
            sum_s += self.locate_s(head, range.first);
            head = behind(range);
        }
        sum_s
    }

    fn nearest_first(&self, from: BlockNumber, ranges: &[ObjectRange]) -> Vec<usize> {
        let mut left: Vec<(usize, Place, Place)> = ranges
            .iter()
            .enumerate()
            .map(|(index, range)| {
                (index, self.course.place(range.first), self.course.place(behind(range)))
            })
            .collect();
        let mut head = self.course.place(from);
        let mut order = Vec::with_capacity(ranges.len());
        // The first of equals is taken, and removing keeps the rest in its order.
        while let Some(nearest) = (0..left.len()).min_by(|a, b| {
            let cost_s = |at: usize| self.between_s(&head, &left[at].1);
            cost_s(*a).total_cmp(&cost_s(*b))
        }) {
            let (index, _, end) = left.remove(nearest);
            head = end;
            order.push(index);
        }
        order
    }
}

fn behind(range: &ObjectRange) -> BlockNumber {
    BlockNumber(range.last.0.saturating_add(1))
}

/// The worked examples of spec timing.md §9.
#[cfg(test)]
mod tests {
    use super::*;

    fn nominal(kind: MediumKind) -> Costs {
        Costs::new(kind, None, Ratios::default())
    }

    const LTO9: MediumKind = MediumKind::Lto9 { full_height: true };

    fn assert_near(found_s: f64, expected_s: f64) {
        assert!((found_s - expected_s).abs() < 0.01, "{found_s} s instead of {expected_s} s");
    }

    #[test]
    fn locates() {
        let cases = [
            (MediumKind::Lto8, 0, 1_000_000, 61.647),
            (MediumKind::Lto8, 100_000, 105_000, 6.659),
            (MediumKind::Lto8, 105_000, 100_000, 17.979),
            (MediumKind::Lto8, 109_000, 111_500, 2.0),
            (LTO9, 5_000_000, 40_000_000, 45.292),
            (MediumKind::Lto7, 1_000_000, 1_300_000, 51.955),
            (MediumKind::Lto5, 2_000_000, 2_000_001, 4.420),
            (MediumKind::Lto8, 7, 7, 0.0),
        ];
        for (kind, from, to, expected_s) in cases {
            assert_near(nominal(kind).locate_s(BlockNumber(from), BlockNumber(to)), expected_s);
        }
    }

    #[test]
    fn the_average_locate_from_the_load_point() {
        let averages = [
            (MediumKind::Lto5, 60.3),
            (MediumKind::Lto6, 62.0),
            (MediumKind::Lto7, 55.9),
            (MediumKind::Lto7M8, 65.1),
            (MediumKind::Lto8, 65.1),
            (LTO9, 45.1),
            (MediumKind::Lto9 { full_height: false }, 65.2),
        ];
        for (kind, expected_s) in averages {
            let (costs, steps) = (nominal(kind), 100_000);
            let objects = kind.figures().capacity / TAPE_BLOCK_SIZE as u64;
            let place = |step| BlockNumber(objects * step / steps);
            let sum_s: f64 =
                (1..=steps).map(|step| costs.locate_s(BlockNumber(0), place(step))).sum();
            assert!((sum_s / steps as f64 - expected_s).abs() < 0.1, "{kind:?}: {sum_s}");
        }
    }

    #[test]
    fn reading() {
        assert_near(nominal(MediumKind::Lto8).read_s(BlockNumber(215_000), 16_384), 14.767);
        assert_near(nominal(MediumKind::Lto6).read_s(BlockNumber(100_000), 16_384), 26.317);
        let whole = |kind: MediumKind| {
            let objects = kind.figures().capacity / TAPE_BLOCK_SIZE as u64;
            nominal(kind).read_s(BlockNumber(0), objects)
        };
        assert!((whole(MediumKind::Lto8) - 33_497.7).abs() < 0.1);
        assert!((whole(LTO9) - 44_954.6).abs() < 0.1);
    }

    #[test]
    fn changing_the_medium() {
        let head = BlockNumber(30_000_000);
        let runs = [(4, 1), (6, 1), (60, 1), (4, 2)]
            .map(|(gb, runs)| Mount { bytes: gb * 1_000_000_000, runs });
        let change_s = |kind, mount| nominal(kind).unload_s(head, mount) + nominal(kind).load_s();
        for (mount, expected_s) in runs.into_iter().zip([106.719, 161.719, 216.719, 216.719]) {
            assert_near(change_s(LTO9, mount), expected_s);
            assert_near(change_s(MediumKind::Lto8, mount), 99.378);
        }
        assert_near(nominal(LTO9).rewind_s(head), 38.719);
        assert_near(nominal(LTO9).rewind_s(BlockNumber(0)), 0.1);
    }

    #[test]
    fn the_nearest_comes_first() {
        let firsts = [40_000_000, 9_000_000, 9_050_000, 23_000_000, 300_000, 31_500_000];
        let range =
            |first| ObjectRange { first: BlockNumber(first), last: BlockNumber(first + 63) };
        let ranges = firsts.map(range);
        let costs = nominal(MediumKind::Lto8);
        let order = costs.order(BlockNumber(0), &ranges);
        assert_eq!(order, [0, 3, 4, 2, 5, 1]);
        assert_near(costs.locates_s(BlockNumber(0), &ranges, &order), 191.890);
        assert_near(costs.locates_s(BlockNumber(0), &ranges, &[4, 1, 2, 3, 5, 0]), 322.419);
        assert_eq!(costs.order(BlockNumber(0), &[ranges[0]; 3]), [0, 1, 2]);
    }

    #[test]
    fn measured_drives_cost_what_they_were_measured_to() {
        let ratios = Ratios { locate: 1.1, read: 0.5, load: 2.0 };
        let (slow, plain) = (Costs::new(MediumKind::Lto8, None, ratios), nominal(MediumKind::Lto8));
        let (from, to) = (BlockNumber(0), BlockNumber(1_000_000));
        assert_near(slow.locate_s(from, to), 1.1 * plain.locate_s(from, to));
        assert_near(slow.read_s(from, 16_384), plain.read_s(from, 16_384) / 2.0);
        assert_near(slow.load_s(), 2.0 * plain.load_s());
    }
}
