//! Bad places of a medium (spec timing.md §8): slow to read and to write, rarely worse.

use reel_hw::BlockNumber;

use super::figures::{BLOCK_MB, Figures};

/// What becomes of a read in a bad spot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpotReading {
    /// It succeeds, slowly.
    Slow,
    /// It fails twice, and then succeeds.
    ThirdTry,
    /// It never succeeds: medium error 3/11/00.
    Unreadable,
}

/// A stretch of tape that is bad.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BadSpot {
    /// Its first object.
    pub first: BlockNumber,
    /// Objects in it.
    pub objects: u64,
    /// Rate there as a share of the top speed, 0.05 to 0.5.
    pub speed_share: f64,
    /// Room that an object written there takes, in objects, 1.05 to 1.5.
    pub room_per_object: f64,
    /// What becomes of a read there.
    pub reading: SpotReading,
}

impl BadSpot {
    /// The object behind it.
    pub fn end(&self) -> BlockNumber {
        BlockNumber(self.first.0.saturating_add(self.objects))
    }

    /// Time that passing `objects` of it takes longer than a good place, without the stop at its beginning, s.
    pub fn slow_s(&self, objects: u64, figures: &Figures) -> f64 {
        let good_s = objects as f64 * BLOCK_MB / figures.top_mb_s;
        good_s * (1.0 / self.speed_share.clamp(0.01, 1.0) - 1.0)
    }

    /// Objects of it among `count` from `from` on.
    pub fn overlap(&self, from: BlockNumber, count: u64) -> u64 {
        let end = from.0.saturating_add(count).min(self.end().0);
        end.saturating_sub(from.0.max(self.first.0))
    }
}

/// The bad spots of one medium, in the order of the tape.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BadSpots(Vec<BadSpot>);

impl BadSpots {
    /// Sorts spots; one that begins inside another is left out.
    pub fn new(mut spots: Vec<BadSpot>) -> Self {
        spots.sort_by_key(|spot| spot.first);
        spots.dedup_by(|next, before| next.first < before.end());
        Self(spots)
    }

    /// All of them.
    pub fn as_slice(&self) -> &[BadSpot] {
        &self.0
    }

    /// The spot in which an object lies.
    pub fn at(&self, object: BlockNumber) -> Option<&BadSpot> {
        let next = self.0.partition_point(|spot| spot.first <= object);
        self.0[..next].last().filter(|spot| object < spot.end())
    }

    /// Those that end behind an object.
    pub fn ending_behind(&self, object: BlockNumber) -> &[BadSpot] {
        &self.0[self.0.partition_point(|spot| spot.end() <= object)..]
    }

    /// Time lost on the way over `count` objects: the slowness, and one stop where a spot begins, s.
    pub fn lost_s(&self, from: BlockNumber, count: u64, figures: &Figures) -> f64 {
        let end = from.0.saturating_add(count);
        let passed = self.ending_behind(from).iter().take_while(|spot| spot.first.0 < end);
        passed.fold(0.0, |lost_s, spot| {
            let stop_s = if spot.first >= from { figures.backhitch_s } else { 0.0 };
            lost_s + stop_s + spot.slow_s(spot.overlap(from, count), figures)
        })
    }

    /// Room that is lost when `count` objects are written, in objects.
    pub fn lost_room(&self, from: BlockNumber, count: u64) -> f64 {
        let end = from.0.saturating_add(count);
        let passed = self.ending_behind(from).iter().take_while(|spot| spot.first.0 < end);
        passed.fold(0.0, |lost, spot| {
            lost + spot.overlap(from, count) as f64 * (spot.room_per_object - 1.0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Column;

    fn spot(first: u64, objects: u64) -> BadSpot {
        BadSpot {
            first: BlockNumber(first),
            objects,
            speed_share: 0.25,
            room_per_object: 1.5,
            reading: SpotReading::Slow,
        }
    }

    fn spots() -> BadSpots {
        BadSpots::new(vec![spot(500, 50), spot(100, 20), spot(110, 40)])
    }

    #[test]
    fn spots_are_found_by_object() {
        let spots = spots();
        let first = |object| spots.at(BlockNumber(object)).map(|spot| spot.first.0);
        assert_eq!(
            [first(99), first(100), first(119), first(120)],
            [None, Some(100), Some(100), None]
        );
        assert_eq!(first(549), Some(500));
    }

    #[test]
    fn what_is_lost_does_not_depend_on_the_pieces() {
        let (spots, figures) = (spots(), Column::Lto8.figures());
        let lost_s = |from, count| spots.lost_s(BlockNumber(from), count, figures);
        let pieces: f64 = (0..1000).map(|object| lost_s(object, 1)).sum();
        assert!((lost_s(0, 1000) - pieces).abs() < 1e-9);
        assert!((pieces - 8.0 - 70.0 * BLOCK_MB / 365.0 * 3.0).abs() < 1e-9);
        assert_eq!(spots.lost_room(BlockNumber(0), 1000), 35.0);
        assert_eq!(lost_s(120, 380), 0.0);
    }
}
