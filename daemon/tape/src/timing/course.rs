//! Where on the tape an object lies (spec timing.md §2): it is written there and back, in wraps.

use reel_hw::{BlockNumber, TAPE_BLOCK_SIZE};

use super::figures::Figures;

/// Bands of a tape, which its wraps divide evenly.
const BANDS: u16 = 4;

/// Where the wraps of a medium end.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// The last object of each wrap, ascending; never empty.
    ends: Vec<u64>,
    wraps_per_band: u16,
    lpos: (f64, f64),
}

/// The place of an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) object: u64,
    pub(super) wrap: usize,
    pub(super) band: usize,
    /// Which half of the tape: 1 is the one away from its beginning.
    pub(super) zone: u8,
    pub(super) lpos: f64,
}

impl Course {
    /// All wraps alike: what is known of a medium that no drive has told of. Media differ from it by some percent, so
    /// that it says how far places lie apart on the average, and nothing of two certain ones.
    pub fn nominal(figures: &Figures) -> Self {
        let objects = figures.capacity / TAPE_BLOCK_SIZE as u64;
        let wraps = u64::from(figures.wraps.max(1));
        let ends = (1..=wraps).map(|wrap| objects * wrap / wraps).collect();
        Self::with_ends(figures, ends)
    }

    /// By the ends of those wraps that hold data, as a drive tells them. The last of them is the end of the data, not
    /// of the wrap, which is taken to be as long as the ones before are on the average.
    pub fn told(figures: &Figures, ends: &[BlockNumber]) -> Self {
        let full: Vec<u64> =
            ends.iter().take(ends.len().saturating_sub(1)).map(|end| end.0).collect();
        let Some(last) = full.last().copied().filter(|last| *last > 0) else {
            return Self::nominal(figures);
        };
        let mean = (last / full.len() as u64).max(1);
        let missing = usize::from(figures.wraps).saturating_sub(full.len()) as u64;
        let rest = (1..=missing).map(|wrap| last.saturating_add(mean.saturating_mul(wrap)));
        Self::with_ends(figures, full.iter().copied().chain(rest).collect())
    }

    fn with_ends(figures: &Figures, ends: Vec<u64>) -> Self {
        Self { ends, wraps_per_band: (figures.wraps / BANDS).max(1), lpos: figures.lpos }
    }

    /// What lies beyond the last wrap counts to it.
    pub(super) fn wrap_of(&self, object: u64) -> usize {
        self.ends.partition_point(|end| *end < object).min(self.ends.len().saturating_sub(1))
    }

    pub(super) fn place(&self, object: BlockNumber) -> Place {
        let (wrap, (least, most)) = (self.wrap_of(object.0), self.lpos);
        let end = self.ends.get(wrap).copied().unwrap_or(0);
        let begin = wrap.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let begin = begin.unwrap_or(0);
        let share = object.0.min(end).saturating_sub(begin) as f64
            / end.saturating_sub(begin).max(1) as f64;
        let way = share * (most - least);
        let lpos = if wrap.is_multiple_of(2) { least + way } else { most - way };
        Place {
            object: object.0,
            wrap,
            band: wrap / usize::from(self.wraps_per_band),
            zone: u8::from(lpos >= f64::midpoint(least, most)),
            lpos,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::MediumKind;
    use super::*;

    #[test]
    fn nominal_wraps_are_those_of_the_spec() {
        let course = Course::nominal(MediumKind::Lto8.figures());
        assert_eq!(course.ends[..2], [220_078, 440_157]);
        assert_eq!(course.ends.last(), Some(&45_776_367));
        let place = course.place(BlockNumber(1_000_000));
        assert_eq!((place.wrap, place.band, place.zone), (4, 0, 1));
        assert!((place.lpos - 94_277.85).abs() < 0.1, "{}", place.lpos);
    }

    #[test]
    fn the_last_wrap_that_holds_data_is_as_long_as_others() {
        let figures = MediumKind::Lto7.figures();
        let course = Course::told(figures, &[208_310, 416_271, 500_000].map(BlockNumber));
        assert_eq!(course.ends[..4], [208_310, 416_271, 624_406, 832_541]);
        assert_eq!(course.ends.len(), 112);
        for few in [&[][..], &[BlockNumber(7)], &[BlockNumber(0), BlockNumber(7)]] {
            assert_eq!(Course::told(figures, few), Course::nominal(figures));
        }
        assert_eq!(course.place(BlockNumber(u64::MAX)).wrap, 111);
    }
}
