//! How far ahead a view asks for chunks.
//!
//! A reader that goes forward gets the next few asked for. Where the source says that more is worth it
//! (on a tape the order of chunks is not the image's, so that few at a time means going back and forth),
//! the window doubles as long as the reader goes on: never much more is asked for than was read already,
//! so that reading a piece of a large image stays cheap and reading all of it takes few rounds.

use std::ops::Range;

/// More chunks than this are never asked for at a time: 16 GiB of an image.
const CHUNKS_MAX: u64 = 4096;

/// Reads beside each other come in any order: so many chunks before or behind the expected one are still the same
/// reader going forward. What the kernel has in flight for one reader is less.
const SCATTER: u64 = 3;

/// So many chunks a reader that began in the middle must go forward before any is asked for ahead: what the kernel
/// reads beyond a single piece is no sign of more.
const STEPS_MIN: u64 = 2;

/// Where one view's reader is and what was asked for on its behalf.
#[derive(Debug)]
pub(super) struct ReadAhead {
    chunks_min: u64,
    /// Position of the chunk that comes next when the reader goes on forward; none before the first read.
    expected: Option<u64>,
    /// How many more chunks the reader must take before it counts as going forward.
    steps_left: u64,
    /// How many chunks were asked for last.
    asked: u64,
    asked_until: u64,
}

impl ReadAhead {
    /// Asks for at least `chunks_min` at a time.
    pub(super) fn new(chunks_min: u64) -> Self {
        Self { chunks_min, expected: None, steps_left: 0, asked: 0, asked_until: 0 }
    }

    /// The reader takes these chunks. What is to be asked for ahead from now on, instead of what was;
    /// none where nothing changes.
    pub(super) fn step(&mut self, taken: Range<u64>, chunks_max: u64) -> Option<Range<u64>> {
        let next = taken.end;
        let expected = self.expected.unwrap_or(0);
        let scatter = if self.expected.is_some() { SCATTER } else { 0 };
        if self.expected.is_some() && next <= expected && next + scatter >= expected {
            return None;
        }
        let goes_forward = next > expected && taken.start <= expected.saturating_add(scatter);
        self.expected = Some(next);
        if !goes_forward {
            (self.steps_left, self.asked, self.asked_until) = (STEPS_MIN, 0, next);
            return Some(next..next);
        }
        self.steps_left = self.steps_left.saturating_sub(next - expected);
        if self.steps_left > 0 {
            return None;
        }
        let left = self.asked_until.saturating_sub(next);
        if left >= self.chunks_min.max(self.asked / 2) {
            return None;
        }
        let grown = self.asked.saturating_mul(2).min(chunks_max).min(CHUNKS_MAX);
        self.asked = grown.max(self.chunks_min);
        self.asked_until = next.saturating_add(self.asked);
        Some(next..self.asked_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is asked for when chunks are read one by one from `start` on.
    fn asked(start: u64, count: u64, chunks_max: u64) -> Vec<Range<u64>> {
        let mut ahead = ReadAhead::new(2);
        (start..start + count)
            .filter_map(|chunk| ahead.step(chunk..chunk + 1, chunks_max))
            .collect()
    }

    #[test]
    fn without_a_bound_above_it_the_window_keeps_its_size() {
        assert_eq!(asked(0, 4, 0), [1..3, 2..4, 3..5, 4..6]);
    }

    #[test]
    fn the_window_doubles_while_the_reader_goes_on_and_stops_at_the_bound() {
        assert_eq!(asked(0, 12, 8), [1..3, 2..6, 5..13, 10..18]);
        assert!(
            asked(0, 50_000, u64::MAX).iter().all(|range| range.end - range.start <= CHUNKS_MAX)
        );
        assert!(asked(0, 256, u64::MAX).len() < 10);
    }

    #[test]
    fn reads_that_come_in_another_order_are_one_reader() {
        let mut ahead = ReadAhead::new(2);
        ahead.step(0..1, 64);
        for chunk in [2, 1, 4, 3, 5, 8, 7, 6] {
            let asked = ahead.step(chunk..chunk + 1, 64);
            assert!(asked.is_none_or(|range| !range.is_empty()), "given up at {chunk}");
        }
        assert!(ahead.asked >= 8, "the window grew: {ahead:?}");
    }

    #[test]
    fn a_piece_in_the_middle_asks_for_nothing_and_a_jump_starts_small_again() {
        assert!(asked(7, 1, 64).iter().eq([&(8..8)]));
        let mut ahead = ReadAhead::new(2);
        for chunk in 0..10 {
            ahead.step(chunk..chunk + 1, 64);
        }
        assert_eq!(ahead.step(40..41, 64), Some(41..41));
        assert_eq!(ahead.step(41..42, 64), None);
        assert_eq!(ahead.step(42..43, 64), Some(43..45));
    }
}
