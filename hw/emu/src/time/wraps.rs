//! Where on the tape an object lies (spec timing.md §2).
//!
//! A medium is written there and back in wraps: even ones run away from the beginning of the tape, odd ones
//! towards it. The table of where each wrap ends is all that is needed to place an object.

use reel_hw::BlockNumber;

use super::figures::Figures;

/// The way a wrap runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Away from the beginning of the tape: even wraps.
    Outward,
    /// Towards the beginning of the tape: odd wraps.
    Inward,
}

/// The physical place of an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TapePosition {
    /// The object.
    pub object: BlockNumber,
    /// Its wrap, from 0.
    pub wrap: u16,
    /// The band of that wrap, from 0.
    pub band: u16,
    /// Half of the tape: 0 near the beginning, 1 near the end.
    pub zone: u8,
    /// Longitudinal position, in words of the servo pattern.
    pub lpos: f64,
}

impl TapePosition {
    /// The way the tape runs there.
    pub fn direction(&self) -> Direction {
        if self.wrap.is_multiple_of(2) { Direction::Outward } else { Direction::Inward }
    }
}

/// Where the wraps of one medium end.
#[derive(Debug, Clone, PartialEq)]
pub struct WrapTable {
    /// The last object of each wrap, never falling; at least one.
    ends: Vec<u64>,
    wraps_per_band: u16,
    lpos_min: f64,
    lpos_max: f64,
}

impl WrapTable {
    /// The table that the capacity gives: all wraps alike.
    pub fn nominal(figures: &Figures) -> Self {
        let (objects, wraps) = (u128::from(figures.objects()), u128::from(figures.wraps.max(1)));
        let end = |wrap: u128| u64::try_from(objects * wrap / wraps).unwrap_or(u64::MAX);
        Self {
            ends: (1..=wraps).map(end).collect(),
            wraps_per_band: figures.wraps_per_band.max(1),
            lpos_min: figures.lpos_min,
            lpos_max: figures.lpos_max,
        }
    }

    /// The table of a medium whose wraps hold a `1 + deviation()` fold of their nominal count, one call for each
    /// wrap (§8).
    pub fn deviating(figures: &Figures, mut deviation: impl FnMut() -> f64) -> Self {
        let mut table = Self::nominal(figures);
        let (mut nominal_end, mut end) = (0, 0_u64);
        for slot in &mut table.ends {
            let nominal = *slot - nominal_end;
            nominal_end = *slot;
            end = end.saturating_add((nominal as f64 * (1.0 + deviation())).round() as u64);
            *slot = end;
        }
        table
    }

    /// The last object of each wrap, as READ END OF WRAP POSITION gives it for a full medium.
    pub fn ends(&self) -> &[u64] {
        &self.ends
    }

    /// Objects that fit on the medium.
    pub fn room(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The wrap of an object; what would lie beyond the medium counts to the last.
    pub fn wrap_of(&self, object: BlockNumber) -> usize {
        let last = self.ends.len().saturating_sub(1);
        self.ends.partition_point(|end| *end < object.0).min(last)
    }

    /// The place of an object; what would lie beyond the medium is at its end.
    pub fn position(&self, object: BlockNumber) -> TapePosition {
        let wrap = self.wrap_of(object);
        let run = self.share_of_wrap(object, wrap) * (self.lpos_max - self.lpos_min);
        let is_outward = wrap.is_multiple_of(2);
        let lpos = if is_outward { self.lpos_min + run } else { self.lpos_max - run };
        let wrap = u16::try_from(wrap).unwrap_or(u16::MAX);
        TapePosition {
            object,
            wrap,
            band: wrap / self.wraps_per_band,
            zone: u8::from(lpos >= f64::midpoint(self.lpos_min, self.lpos_max)),
            lpos,
        }
    }

    /// Wraps that end at or behind `object`, except the last, where no turn follows: the last object of each.
    pub fn turns_from(&self, object: BlockNumber) -> impl Iterator<Item = BlockNumber> {
        let turns = self.ends.len().saturating_sub(1);
        self.ends[self.wrap_of(object)..turns.max(self.wrap_of(object))]
            .iter()
            .map(|end| BlockNumber(*end))
    }

    /// How far through a wrap an object lies, from 0 to 1.
    fn share_of_wrap(&self, object: BlockNumber, wrap: usize) -> f64 {
        let start = wrap.checked_sub(1).map_or(0, |before| self.ends[before]);
        let end = self.ends[wrap];
        let into = object.0.min(end).saturating_sub(start);
        if into == 0 { 0.0 } else { into as f64 / (end - start) as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Column;

    fn table(generation: Column) -> WrapTable {
        WrapTable::nominal(generation.figures())
    }

    #[test]
    fn nominal_ends_are_those_of_the_spec() {
        let lto8 = table(Column::Lto8);
        assert_eq!(lto8.ends()[..2], [220_078, 440_157]);
        assert_eq!(lto8.room(), 45_776_367);
        let lto9 = table(Column::Lto9Full);
        assert_eq!(lto9.ends()[..2], [245_230, 490_461]);
        assert_eq!(lto9.room(), 68_664_550);
    }

    #[test]
    fn a_wrap_end_lies_on_the_wrap_that_it_ends() {
        let table = table(Column::Lto8);
        let (end, next) =
            (table.position(BlockNumber(220_078)), table.position(BlockNumber(220_079)));
        assert_eq!((end.wrap, end.lpos, end.zone), (0, 171_097.0, 1));
        assert_eq!((next.wrap, next.direction()), (1, Direction::Inward));
    }

    #[test]
    fn places_beyond_the_medium_are_its_end() {
        let table = table(Column::Lto8);
        let (end, beyond) =
            (table.position(BlockNumber(table.room())), table.position(BlockNumber(u64::MAX)));
        assert_eq!((end.wrap, end.lpos), (beyond.wrap, beyond.lpos));
        assert_eq!((end.wrap, end.band), (207, 3));
    }

    #[test]
    fn a_medium_with_fewer_objects_than_wraps_has_places_too() {
        let table = WrapTable::nominal(&Column::Lto8.figures().with_capacity(10 * 262_144));
        assert_eq!(table.room(), 10);
        assert_eq!(table.position(BlockNumber(0)).lpos, 2696.0);
        assert!((0..12).all(|n| table.position(BlockNumber(n)).lpos.is_finite()));
    }

    #[test]
    fn the_last_wrap_has_no_turn() {
        let table = table(Column::Lto8);
        assert_eq!(table.turns_from(BlockNumber(0)).count(), 207);
        assert_eq!(table.turns_from(BlockNumber(220_078)).next(), Some(BlockNumber(220_078)));
        assert_eq!(table.turns_from(BlockNumber(table.room())).count(), 0);
    }

    #[test]
    fn without_deviation_the_table_is_nominal() {
        let figures = Column::Lto6.figures();
        assert_eq!(WrapTable::deviating(figures, || 0.0), WrapTable::nominal(figures));
    }
}
