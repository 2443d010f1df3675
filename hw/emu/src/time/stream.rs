//! Reading and writing by formulas (spec timing.md §4).

use reel_hw::BlockNumber;

use super::buffer::Halt;
use super::figures::{BLOCK_MB, Figures};
use super::locate::Mechanism;

/// What a host slower than the slowest tape speed makes of the stream: run, stop, run again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Starving {
    /// The tape runs for `tw`, s.
    pub run_s: f64,
    /// It stands for `ti`, s.
    pub idle_s: f64,
    /// Written or read in each run, MB.
    pub cycle_mb: f64,
    /// Over all, MB/s.
    pub rate_mb_s: f64,
    /// Stops for each TB.
    pub stops_per_tb: f64,
}

/// What a pause of the host costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stall {
    /// The tape goes on for `te` after the host paused, s.
    pub runs_on_s: f64,
    /// If it stopped: when it runs again after the host paused, `tr`, s.
    pub restarts_s: Option<f64>,
    /// Tape time lost, s.
    pub lost_s: f64,
}

/// What a synchronous flush costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flush {
    /// Until everything is on the tape, s.
    pub drain_s: f64,
    /// What the next write loses at least, s.
    pub restart_s: f64,
}

impl Figures {
    /// The cycle of a stream whose host does `host_mb_s`; `None` where the tape need not stop.
    pub fn starving(&self, host_mb_s: f64) -> Option<Starving> {
        if host_mb_s >= self.floor_mb_s {
            return None;
        }
        let host_mb_s = host_mb_s.max(0.0);
        let run_s = self.restart_mb() / (self.floor_mb_s - host_mb_s);
        let idle_s = self.backhitch_s.max(self.restart_mb() / host_mb_s);
        let cycle_mb = self.floor_mb_s * run_s;
        Some(Starving {
            run_s,
            idle_s,
            cycle_mb,
            rate_mb_s: cycle_mb / (run_s + idle_s),
            stops_per_tb: 1e6 / cycle_mb,
        })
    }

    /// What a host sustains that could do `host_mb_s`, wraps' turns aside, MB/s.
    pub fn sustained_mb_s(&self, host_mb_s: f64) -> f64 {
        let starving = self.starving(host_mb_s);
        starving.map_or(host_mb_s.min(self.top_mb_s), |starving| starving.rate_mb_s)
    }

    /// The host pauses for `pause_s` while the tape runs at `tape_mb_s` with `level_mb` in the buffer, and comes
    /// back with `resume_mb_s`.
    pub fn stall(&self, tape_mb_s: f64, level_mb: f64, pause_s: f64, resume_mb_s: f64) -> Stall {
        let runs_on_s = time_s(level_mb, tape_mb_s);
        if pause_s <= runs_on_s {
            return Stall { runs_on_s, restarts_s: None, lost_s: 0.0 };
        }
        let filled_s = pause_s + time_s(self.restart_mb(), resume_mb_s);
        let restarts_s = filled_s.max(runs_on_s + self.backhitch_s);
        Stall { runs_on_s, restarts_s: Some(restarts_s), lost_s: restarts_s - runs_on_s }
    }

    /// A flush with `level_mb` in the buffer while the tape runs at `tape_mb_s`; the host goes on with
    /// `resume_mb_s`.
    pub fn flush(&self, level_mb: f64, tape_mb_s: f64, resume_mb_s: f64) -> Flush {
        let filled_s = time_s(self.restart_mb(), resume_mb_s);
        Flush { drain_s: time_s(level_mb, tape_mb_s), restart_s: self.backhitch_s.max(filled_s) }
    }

    /// What a turn costs a host that does `host_mb_s`, s: nothing while the buffer hides it.
    fn turn_cost_s(&self, host_mb_s: f64) -> f64 {
        if host_mb_s >= self.top_mb_s {
            return self.turn_s;
        }
        (self.turn_s - time_s(self.restart_mb(), host_mb_s)).max(0.0)
    }
}

impl Mechanism {
    /// Reading or writing `objects` from one on with a host that does `host_mb_s` (infinite: as fast as the tape),
    /// with what the medium's bad spots cost, s.
    pub fn stream_s(&self, from: BlockNumber, objects: u64, host_mb_s: f64) -> f64 {
        if objects == 0 {
            return 0.0;
        }
        let figures = self.figures();
        let host_mb_s = host_mb_s.max(0.0);
        let end = BlockNumber(from.0.saturating_add(objects));
        let turns = self.wraps().wrap_of(end) - self.wraps().wrap_of(from);
        let tape_s = objects as f64 * BLOCK_MB / figures.sustained_mb_s(host_mb_s);
        let spots_s = self.spots().lost_s(from, objects, figures);
        tape_s + turns as f64 * figures.turn_cost_s(host_mb_s) + spots_s
    }

    /// Where a tape that runs from an object on will be held up: at the turns and in the bad spots.
    pub fn halts_from(&self, from: BlockNumber) -> Vec<Halt> {
        let away_mb = |place: BlockNumber| place.0.saturating_sub(from.0) as f64 * BLOCK_MB;
        let turns = self.wraps().turns_from(from).map(|end| Halt {
            at_mb: away_mb(end),
            pause_s: self.figures().turn_s,
            is_stop: false,
        });
        let spots = self.spots().ending_behind(from).iter().map(|spot| {
            let start = spot.first.max(from);
            let objects = spot.end().0.saturating_sub(start.0);
            Halt {
                at_mb: away_mb(start),
                pause_s: self.spots().lost_s(start, objects, self.figures()),
                is_stop: start == spot.first,
            }
        });
        let mut halts: Vec<_> = turns.chain(spots).collect();
        halts.sort_by(|a, b| a.at_mb.total_cmp(&b.at_mb));
        halts
    }
}

/// Time that an amount takes at a rate; no rate takes for ever.
fn time_s(mb: f64, mb_s: f64) -> f64 {
    if mb <= 0.0 { 0.0 } else { mb / mb_s.max(0.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Column, Perturbation, Seed};

    #[test]
    fn the_buffer_hides_turns_from_slow_hosts() {
        let lto9 = Column::Lto9Full.figures();
        assert_eq!(lto9.turn_cost_s(178.9), 0.0);
        assert!((lto9.turn_cost_s(300.0) - 1.2104).abs() < 1e-3);
        assert_eq!(lto9.turn_cost_s(700.0), 3.0);
    }

    #[test]
    fn a_host_that_never_comes_takes_for_ever() {
        let lto8 = Mechanism::from(Column::Lto8);
        assert_eq!(lto8.stream_s(BlockNumber(0), 1, 0.0), f64::INFINITY);
        assert_eq!(lto8.stream_s(BlockNumber(0), 1, f64::NAN), f64::INFINITY);
        assert_eq!(lto8.stream_s(BlockNumber(0), 0, 0.0), 0.0);
    }

    #[test]
    fn halts_cost_what_the_formula_says() {
        let figures = Column::Lto9Half.figures();
        let bent = Perturbation::seeded(Seed(3)).mechanism(figures, "A00001L9", "drive 0");
        let spot = bent.spots().as_slice()[0];
        for from in [BlockNumber(0), BlockNumber(spot.first.0 + 1)] {
            let objects = bent.wraps().room() - from.0;
            let pauses_s: f64 = bent.halts_from(from).iter().map(|halt| halt.pause_s).sum();
            let tape_s = objects as f64 * BLOCK_MB / bent.figures().top_mb_s;
            let expected_s = bent.stream_s(from, objects, f64::INFINITY);
            assert!((tape_s + pauses_s - expected_s).abs() < 1e-6);
        }
    }

    #[test]
    fn few_flushes_cost_little() {
        let lto9 = Column::Lto9Full.figures();
        let share = |gib: f64| {
            let between_s = gib * 1_073.741_824 / lto9.top_mb_s;
            let lost_s = lto9.flush(lto9.buffer_mb, lto9.top_mb_s, 700.0).restart_s;
            lost_s / (between_s + lost_s)
        };
        assert!((share(128.0) - 0.012).abs() < 0.001);
        assert!((share(4.0) - 0.28).abs() < 0.01);
    }
}
