//! The drive's buffer between a host that comes and goes and a tape that would rather not stop (spec timing.md §4).
//!
//! Writing and reading are mirror images, so one number serves both: the *backlog*, what the host has put into the
//! buffer (or taken out of it) and the tape has not yet followed up. The tape runs while there is a backlog, and the
//! host waits while the backlog would exceed the buffer.
//!
//! * Backlog above `Q`, half the buffer: the tape runs at top speed. Below, it follows the host's own pace, measured
//!   over the last transfers, but never slower than `vmin`.
//! * No backlog: the tape stops, which takes `tb`, and starts again once the backlog is back at `Q`. Until then the
//!   host gets no further than `Q`. So a slow host sees exactly the cycles of
//!   [`Figures::starving`], and one that pauses those of [`Figures::stall`].
//! * A drive that has just been positioned starts to read at once, and to write as soon as the host proves to be
//!   quick enough, or has filled `Q`.
//! * The tape is held up at given places, by turns and bad spots; the host notices once the buffer is used up.

use std::collections::VecDeque;

use super::figures::Figures;

/// Amounts below a byte are rounding.
const ROUNDING_MB: f64 = 1e-6;
/// What the pace of the host is measured over: a tenth of a second or more of any drive, so that the scheduling of
/// threads does not show.
const PACE_WINDOW_MB: f64 = 64.0;
/// A longer gap between two transfers is a pause of the host, not its pace, unless it comes again.
const PAUSE_S: f64 = 0.5;
/// A drive starts to write with so much in the buffer: enough to survive the first hiccup of a host.
const START_MB: f64 = 32.0;
/// Below `Q`, the tape runs this much of the host's pace, so that the cushion grows again.
const CUSHION_PACE: f64 = 0.95;
/// Longer transfers enter the buffer in pieces of this size.
const PIECE_MB: f64 = 1.0;

/// A place where the tape is held up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Halt {
    /// How far from the beginning of the stream, MB.
    pub at_mb: f64,
    /// For how long, s.
    pub pause_s: f64,
    /// Whether it counts as a stop and start.
    pub is_stop: bool,
}

/// What a stream did to the tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamCounts {
    /// Times the tape stopped and had to go back.
    pub stops: u64,
    /// Those of them where the host was too slow: writing, the buffer was empty; reading, it was full.
    pub underruns: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Motion {
    /// Positioned, not started yet.
    Standing,
    Running,
    /// At a halt, for so long still.
    Held(f64),
    /// Ran out of backlog; may not start for so long still.
    Stopped(f64),
    /// Nothing further to read.
    Ended,
}

/// One stream of writes or reads, from a locate to whatever ends it.
#[derive(Debug, Clone)]
pub struct StreamBuffer {
    figures: Figures,
    is_writing: bool,
    is_flushing: bool,
    clock_s: f64,
    motion: Motion,
    backlog_mb: f64,
    moved_mb: f64,
    left_mb: f64,
    halts: VecDeque<Halt>,
    pace: Pace,
    follow_mb_s: f64,
    counts: StreamCounts,
}

impl StreamBuffer {
    /// The drive stands where the first write will go.
    pub fn writing(figures: &Figures, halts: Vec<Halt>, now_s: f64) -> Self {
        let figures = usable(figures);
        Self {
            figures,
            is_writing: true,
            is_flushing: false,
            clock_s: if now_s.is_finite() { now_s } else { 0.0 },
            motion: Motion::Standing,
            backlog_mb: 0.0,
            moved_mb: 0.0,
            left_mb: f64::INFINITY,
            halts: halts.into(),
            pace: Pace::default(),
            follow_mb_s: figures.top_mb_s,
            counts: StreamCounts::default(),
        }
    }

    /// The drive stands before the first block to read and starts; `available_mb` are recorded from there on.
    pub fn reading(figures: &Figures, halts: Vec<Halt>, now_s: f64, available_mb: f64) -> Self {
        let stream = Self::writing(figures, halts, now_s);
        Self {
            is_writing: false,
            motion: Motion::Running,
            backlog_mb: stream.figures.buffer_mb,
            left_mb: available_mb.max(0.0),
            ..stream
        }
    }

    /// The host offers bytes to write, or asks for bytes to read. Returns for how long it must wait until they are
    /// in the buffer, or out of it, s.
    pub fn transfer(&mut self, now_s: f64, bytes: u32) -> f64 {
        self.advance(now_s);
        let mut rest_mb = f64::from(bytes) / 1e6;
        self.measure_pace(rest_mb);
        let mut waited_s = 0.0;
        while rest_mb > 0.0 {
            let piece_mb = rest_mb.min(PIECE_MB);
            waited_s += self.wait_for_room_s(piece_mb);
            self.backlog_mb = (self.backlog_mb + piece_mb).min(self.figures.buffer_mb);
            rest_mb -= piece_mb;
            self.start_if_due();
        }
        self.clock_s += waited_s;
        self.pace.accepted_s = Some(self.clock_s);
        waited_s
    }

    /// The host wants everything that it has written to be on the tape. Returns how long that takes, s; the tape
    /// stops then. Nothing to do when reading.
    pub fn flush(&mut self, now_s: f64) -> f64 {
        self.advance(now_s);
        let mut waited_s = 0.0;
        self.is_flushing = true;
        while self.is_writing && self.backlog_mb > 0.0 {
            waited_s += match self.motion {
                Motion::Running | Motion::Held(_) => self.step(f64::INFINITY),
                Motion::Stopped(wait_s) => self.start_after(wait_s),
                Motion::Standing | Motion::Ended => self.start_after(0.0),
            };
        }
        self.is_flushing = false;
        self.clock_s += waited_s;
        self.pace.accepted_s = Some(self.clock_s);
        waited_s
    }

    /// Lets time pass without the host; an instant in the past changes nothing.
    pub fn advance(&mut self, now_s: f64) {
        if !now_s.is_finite() {
            return;
        }
        let mut span_s = now_s - self.clock_s;
        while span_s > 0.0 {
            span_s -= self.step(span_s);
        }
        self.clock_s = self.clock_s.max(now_s);
    }

    /// Stops so far.
    pub fn counts(&self) -> StreamCounts {
        self.counts
    }

    /// Data in the buffer, MB: written and not yet on the tape, or read ahead.
    pub fn level_mb(&self) -> f64 {
        if self.is_writing { self.backlog_mb } else { self.figures.buffer_mb - self.backlog_mb }
    }

    /// What has passed the head since the stream began, MB.
    pub fn moved_mb(&self) -> f64 {
        self.moved_mb
    }

    fn measure_pace(&mut self, mb: f64) {
        self.pace.transfer(self.clock_s, mb);
        let Figures { floor_mb_s, top_mb_s, .. } = self.figures;
        let pace_mb_s = self.pace.mb_s().unwrap_or(top_mb_s);
        let has_cushion = self.backlog_mb > self.figures.restart_mb() - ROUNDING_MB;
        let share = if has_cushion { 1.0 } else { CUSHION_PACE };
        self.follow_mb_s = (share * pace_mb_s).max(floor_mb_s).min(top_mb_s);
    }

    fn start_if_due(&mut self) {
        let is_quick = self.pace.mb_s().is_some_and(|mb_s| mb_s >= self.figures.floor_mb_s);
        let is_due = self.is_refilled() || (is_quick && self.backlog_mb >= START_MB);
        if self.motion == Motion::Standing && is_due {
            self.motion = Motion::Running;
        }
    }

    fn is_refilled(&self) -> bool {
        self.backlog_mb >= self.figures.restart_mb() - ROUNDING_MB
    }

    /// Sets the tape going after a wait, and returns the wait.
    fn start_after(&mut self, wait_s: f64) -> f64 {
        self.motion = Motion::Running;
        wait_s
    }

    fn wait_for_room_s(&mut self, mb: f64) -> f64 {
        let mut waited_s = 0.0;
        while !self.has_room(mb) {
            let span_s = match self.motion {
                Motion::Held(left_s) | Motion::Stopped(left_s) => left_s,
                _ => (self.backlog_mb + mb - self.figures.buffer_mb) / self.speed_mb_s(),
            };
            waited_s += self.step(span_s);
        }
        waited_s
    }

    fn has_room(&self, mb: f64) -> bool {
        match self.motion {
            Motion::Ended => true,
            Motion::Stopped(_) => !self.is_refilled(),
            _ => self.backlog_mb + mb <= self.figures.buffer_mb + ROUNDING_MB,
        }
    }

    fn speed_mb_s(&self) -> f64 {
        let is_behind = self.backlog_mb > self.figures.restart_mb() + ROUNDING_MB;
        if is_behind { self.figures.top_mb_s } else { self.follow_mb_s }
    }

    /// Goes on for at most `span_s`, to the next change of motion. Returns how long that took.
    fn step(&mut self, span_s: f64) -> f64 {
        match self.motion {
            Motion::Standing | Motion::Ended => span_s,
            Motion::Running => self.run(span_s),
            Motion::Held(left_s) if left_s > span_s => {
                self.motion = Motion::Held(left_s - span_s);
                span_s
            }
            Motion::Held(left_s) => self.start_after(left_s),
            Motion::Stopped(left_s) if left_s > span_s || !self.is_refilled() => {
                self.motion = Motion::Stopped((left_s - span_s).max(0.0));
                span_s
            }
            Motion::Stopped(left_s) => self.start_after(left_s),
        }
    }

    /// The tape runs for at most `span_s`, at one speed, to the next place where something happens.
    fn run(&mut self, span_s: f64) -> f64 {
        if self.halt_is_here() {
            return 0.0;
        }
        let speed_mb_s = self.speed_mb_s();
        let goal_mb = self.goal_mb();
        let run_mb = speed_mb_s * span_s;
        if run_mb < goal_mb {
            self.pass(run_mb);
            return span_s;
        }
        self.pass(goal_mb);
        self.arrive();
        (goal_mb / speed_mb_s).min(span_s)
    }

    /// Begins the halt at the head, if there is one.
    fn halt_is_here(&mut self) -> bool {
        let here = self.halts.front().copied().filter(|halt| halt.at_mb <= self.moved_mb);
        if let Some(halt) = here {
            self.halts.pop_front();
            self.counts.stops += u64::from(halt.is_stop);
            self.motion = Motion::Held(halt.pause_s.max(0.0));
        }
        here.is_some()
    }

    /// How far it is to where something happens: the speed changes, the backlog ends, a halt, the end of data.
    fn goal_mb(&self) -> f64 {
        let restart_mb = self.figures.restart_mb();
        let is_behind = self.backlog_mb > restart_mb + ROUNDING_MB;
        let backlog_mb = self.backlog_mb - if is_behind { restart_mb } else { 0.0 };
        let halt_mb = self.halts.front().map_or(f64::INFINITY, |halt| halt.at_mb - self.moved_mb);
        backlog_mb.min(halt_mb).min(self.left_mb).max(0.0)
    }

    fn pass(&mut self, mb: f64) {
        self.backlog_mb = (self.backlog_mb - mb).max(0.0);
        self.left_mb -= mb;
        self.moved_mb += mb;
    }

    /// What happens at the goal; what is left of rounding there is dropped.
    fn arrive(&mut self) {
        if let Some(halt) =
            self.halts.front().filter(|halt| halt.at_mb <= self.moved_mb + ROUNDING_MB)
        {
            self.moved_mb = self.moved_mb.max(halt.at_mb);
        }
        if self.left_mb <= ROUNDING_MB {
            self.motion = Motion::Ended;
        } else if self.backlog_mb <= ROUNDING_MB {
            self.backlog_mb = 0.0;
            self.counts.stops += 1;
            self.counts.underruns += u64::from(!self.is_flushing);
            self.motion = Motion::Stopped(self.figures.backhitch_s);
        }
    }
}

/// Figures that a buffer can work with, whatever was made of them: room for some pieces, a tape that moves.
fn usable(figures: &Figures) -> Figures {
    let top_mb_s = figures.top_mb_s.max(1.0);
    Figures {
        top_mb_s,
        floor_mb_s: figures.floor_mb_s.max(0.1).min(top_mb_s),
        buffer_mb: figures.buffer_mb.max(4.0 * PIECE_MB),
        backhitch_s: figures.backhitch_s.max(0.0),
        ..*figures
    }
}

/// How quick the host is when it is not held back.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    accepted_s: Option<f64>,
    last_gap_s: f64,
    mb: f64,
    s: f64,
}

impl Pace {
    /// Notes a transfer that begins now; the time since the last one was accepted is what the host took for it.
    fn transfer(&mut self, now_s: f64, mb: f64) {
        if let Some(accepted_s) = self.accepted_s {
            let gap_s = self.gap_s((now_s - accepted_s).max(0.0));
            let keep = (-mb / PACE_WINDOW_MB).exp();
            self.mb = self.mb * keep + mb;
            self.s = self.s * keep + gap_s;
        }
    }

    /// The gap as far as it belongs to the pace: a long one does only if it was not the first.
    fn gap_s(&mut self, gap_s: f64) -> f64 {
        let last_s = std::mem::replace(&mut self.last_gap_s, gap_s);
        if gap_s > PAUSE_S { gap_s.min(last_s) } else { gap_s }
    }

    /// The rate, once there were two transfers.
    fn mb_s(&self) -> Option<f64> {
        (self.mb > 0.0).then(|| self.mb / self.s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Column;
    use crate::time::figures::{BLOCK_BYTES, BLOCK_MB};

    const LTO9: &Figures = Column::Lto9Full.figures();
    const BLOCK: u32 = BLOCK_BYTES as u32;

    /// A host that transfers blocks at a rate whenever it is not held back, and notes how long it was.
    struct Host {
        now_s: f64,
        waited_s: f64,
    }

    impl Host {
        fn transfer(&mut self, stream: &mut StreamBuffer, mb: f64, mb_s: f64) {
            for _ in 0..(mb / BLOCK_MB) as u64 {
                self.now_s += BLOCK_MB / mb_s;
                let wait_s = stream.transfer(self.now_s, BLOCK);
                assert!(wait_s >= 0.0 && wait_s.is_finite());
                self.now_s += wait_s;
                self.waited_s += wait_s;
            }
        }
    }

    const fn host() -> Host {
        Host { now_s: 0.0, waited_s: 0.0 }
    }

    fn writing() -> StreamBuffer {
        StreamBuffer::writing(LTO9, Vec::new(), 0.0)
    }

    fn reading() -> StreamBuffer {
        StreamBuffer::reading(LTO9, Vec::new(), 0.0, f64::INFINITY)
    }

    #[test]
    fn a_quick_host_is_held_to_the_tape() {
        for mut stream in [writing(), reading()] {
            let mut host = host();
            host.transfer(&mut stream, 40_000.0, 700.0);
            host.now_s += stream.flush(host.now_s);
            let rate = 40_000.0 / host.now_s;
            assert!((rate - 408.0).abs() < 1.0, "{rate}");
            assert_eq!(stream.counts().underruns, 0);
        }
    }

    #[test]
    fn a_host_between_floor_and_top_is_never_held() {
        for mb_s in [177.5, 250.0, 400.0] {
            let mut host = host();
            let mut stream = writing();
            host.transfer(&mut stream, 40_000.0, mb_s);
            assert_eq!((host.waited_s, stream.counts().stops), (0.0, 0), "{mb_s}");
        }
    }

    #[test]
    fn a_slow_host_sees_the_cycles_of_the_formula() {
        for mb_s in [30.0, 100.0, 160.0, 170.0] {
            let expected = LTO9.starving(mb_s).unwrap();
            for mut stream in [writing(), reading()] {
                let mut host = host();
                // The first cycle begins from another level.
                host.transfer(&mut stream, 3.0 * LTO9.buffer_mb, mb_s);
                let (begin_s, begin) = (host.now_s, stream.counts().stops);
                let mb = 20.0 * expected.cycle_mb;
                host.transfer(&mut stream, mb, mb_s);
                let rate = mb / (host.now_s - begin_s);
                assert!((rate / expected.rate_mb_s - 1.0).abs() < 0.01, "{mb_s}: {rate}");
                let stops = stream.counts().stops - begin;
                assert!((19..=21).contains(&stops), "{mb_s}: {stops} stops");
            }
        }
    }

    #[test]
    fn a_pause_costs_what_the_formula_says() {
        for pause_s in [2.0, 2.7, 6.0, 30.0] {
            let expected = LTO9.stall(408.0, LTO9.buffer_mb, pause_s, 700.0);
            let (mut stream, mut host) = (writing(), host());
            host.transfer(&mut stream, 4000.0, 700.0);
            let (begin_s, begin_mb) = (host.now_s, stream.moved_mb());
            host.now_s += pause_s;
            host.transfer(&mut stream, 3000.0, 700.0);
            let lost_s = (host.now_s - begin_s) - (stream.moved_mb() - begin_mb) / 408.0;
            assert!((lost_s - expected.lost_s).abs() < 0.01, "{pause_s}: {lost_s}");
            assert_eq!(stream.counts().underruns, u64::from(expected.lost_s > 0.0));
        }
    }

    #[test]
    fn a_flush_takes_the_level_and_then_a_stop() {
        let (mut stream, mut host) = (writing(), host());
        host.transfer(&mut stream, 4000.0, 700.0);
        let level_mb = stream.level_mb();
        let drain_s = stream.flush(host.now_s);
        assert!((drain_s - level_mb / 408.0).abs() < 0.001);
        assert_eq!(stream.counts(), StreamCounts { stops: 1, underruns: 0 });
        host.now_s += drain_s;
        assert_eq!(stream.flush(host.now_s), 0.0);
        stream.transfer(host.now_s, BLOCK);
        let again_s = stream.flush(host.now_s);
        assert!((again_s - 4.0 - BLOCK_MB / 408.0).abs() < 0.001, "{again_s}");
    }

    #[test]
    fn a_label_written_from_a_standing_drive_is_quick() {
        let mut stream = writing();
        stream.transfer(1.0, BLOCK);
        assert!(stream.flush(60.0) < 0.01);
    }

    #[test]
    fn the_buffer_hides_a_turn_from_a_slow_host_only() {
        let turns =
            (1..=4).map(|n| Halt { at_mb: 20_000.0 * f64::from(n), pause_s: 3.0, is_stop: false });
        let turns: Vec<_> = turns.collect();
        for (mb_s, expected_s) in [(178.0, 0.0), (300.0, 4.0 * 1.2104), (700.0, 12.0)] {
            let mut stream = StreamBuffer::writing(LTO9, turns.clone(), 0.0);
            let mut host = host();
            host.transfer(&mut stream, 100_000.0, mb_s);
            let unhindered_s = 100_000.0 / f64::min(mb_s, 408.0);
            let level_s = if mb_s > 408.0 { stream.level_mb() / 408.0 } else { 0.0 };
            let more_s = host.now_s + level_s - unhindered_s;
            assert!((more_s - expected_s).abs() < 0.2, "{mb_s}: {more_s}");
        }
    }

    #[test]
    fn reading_ahead_ends_with_the_data() {
        let mut stream = StreamBuffer::reading(LTO9, Vec::new(), 0.0, 4.0 * BLOCK_MB);
        stream.advance(60.0);
        assert!((stream.level_mb() - 4.0 * BLOCK_MB).abs() < 1e-9);
        assert_eq!(stream.transfer(60.0, 4 * BLOCK), 0.0);
        assert_eq!(stream.counts(), StreamCounts::default());
    }

    #[test]
    fn a_jittery_host_does_not_stop_the_tape() {
        let (mut stream, mut host) = (writing(), host());
        for n in 0..200_000_u32 {
            let mb_s = if n % 3 == 0 { 120.0 } else { 480.0 };
            host.transfer(&mut stream, BLOCK_MB * 1.01, mb_s);
        }
        assert_eq!(stream.counts().stops, 0);
    }

    #[test]
    fn time_that_runs_backwards_or_nowhere_is_ignored() {
        let mut stream = writing();
        for now_s in [5.0, 1.0, f64::NAN, f64::INFINITY, -3.0] {
            assert_eq!(stream.transfer(now_s, BLOCK), 0.0);
        }
        assert!(stream.flush(f64::NAN).is_finite());
    }
}
