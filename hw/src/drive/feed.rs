//! Whether a drive gets its data quickly enough, seen from the host (spec timing.md §4).

use std::time::Duration;

use crate::scsi::density::Density;

/// Bytes of a MiB.
const MIB: u64 = 1 << 20;

/// Watches the blocks on their way to a drive, and counts how often the tape must have stopped for want of them.
///
/// Few drives tell (page 34h), so this follows the buffer of a drive at its best: the tape empties it at no more than
/// the slowest speed at which it can stream, stops when it is empty, and starts again when it is half full. What is
/// counted is the least that has happened; a tape that stops often wears out, and so does its drive.
#[derive(Debug, Clone)]
pub struct FeedWatch {
    /// Slowest speed of the tape, bytes a second.
    floor: f64,
    /// Room in the drive's buffer, bytes.
    room: f64,
    /// Bytes in the buffer.
    level: f64,
    seen: Duration,
    is_running: bool,
    underruns: u64,
}

impl FeedWatch {
    /// Of a drive that writes in this density.
    pub fn new(density: Density) -> Self {
        let (floor, room) = figures(density);
        Self { floor, room, level: 0.0, seen: Duration::ZERO, is_running: false, underruns: 0 }
    }

    /// The drive begins anew, with a medium of this density.
    pub fn restart(&mut self, density: Density) {
        *self = Self { underruns: self.underruns, ..Self::new(density) };
    }

    /// The drive has taken so many bytes, at that time.
    pub fn took(&mut self, now: Duration, bytes: usize) {
        self.pass(now);
        self.level = (self.level + bytes as f64).min(self.room);
        self.is_running |= self.level >= self.room / 2.0;
    }

    /// The drive has written out all that it had, or went elsewhere, at that time: it stops for good reason.
    pub fn flushed(&mut self, now: Duration) {
        self.seen = self.seen.max(now);
        self.level = 0.0;
        self.is_running = false;
    }

    /// How often the tape has stopped because nothing came.
    pub fn underruns(&self) -> u64 {
        self.underruns
    }

    fn pass(&mut self, now: Duration) {
        let span = now.saturating_sub(self.seen);
        self.seen = self.seen.max(now);
        if !self.is_running {
            return;
        }
        self.level -= self.floor * span.as_secs_f64();
        if self.level <= 0.0 {
            self.level = 0.0;
            self.is_running = false;
            self.underruns += 1;
        }
    }
}

/// The slowest speed of the tape, bytes a second, and the room of the buffer, bytes (spec timing.md §1).
fn figures(density: Density) -> (f64, f64) {
    let (floor_mb_s, room_mib) = match density {
        Density::Lto6 => (54.0, 512),
        Density::Lto7 | Density::Lto7M8 => (101.46, 1024),
        Density::Lto8 => (112.0, 1024),
        Density::Lto9 => (177.0, 1024),
        _ => (47.0, 256),
    };
    (floor_mb_s * 1e6, (room_mib * MIB) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: usize = 256 << 10;

    /// Feeds blocks at a rate, MB/s, from an instant on. Returns when the last one went.
    fn feed(watch: &mut FeedWatch, from: Duration, mb: f64, mb_s: f64) -> Duration {
        let pause = Duration::from_secs_f64(BLOCK as f64 / 1e6 / mb_s);
        (0..(mb * 1e6) as usize / BLOCK).fold(from, |now, _| {
            watch.took(now + pause, BLOCK);
            now + pause
        })
    }

    #[test]
    fn a_quick_host_is_never_late() {
        for mb_s in [177.5, 400.0, 5000.0] {
            let mut watch = FeedWatch::new(Density::Lto9);
            feed(&mut watch, Duration::ZERO, 20_000.0, mb_s);
            assert_eq!(watch.underruns(), 0, "{mb_s}");
        }
    }

    /// Example 8 of spec timing.md §9: 1234.1 MB from one stop to the next.
    #[test]
    fn a_slow_host_is_late_as_often_as_the_formula_says() {
        let mut watch = FeedWatch::new(Density::Lto9);
        feed(&mut watch, Duration::ZERO, 20.5 * 1234.1, 100.0);
        assert_eq!(watch.underruns(), 20);
    }

    #[test]
    fn a_pause_counts_once_and_a_flush_does_not() {
        let mut watch = FeedWatch::new(Density::Lto9);
        let now = feed(&mut watch, Duration::ZERO, 2000.0, 400.0);
        watch.flushed(now);
        let now = feed(&mut watch, now + Duration::from_secs(60), 2000.0, 400.0);
        assert_eq!(watch.underruns(), 0);
        let now = feed(&mut watch, now + Duration::from_secs(5), 2000.0, 400.0);
        assert_eq!(watch.underruns(), 0, "the buffer bridges it");
        feed(&mut watch, now + Duration::from_secs(60), 2000.0, 400.0);
        assert_eq!(watch.underruns(), 1);
        watch.took(Duration::ZERO, BLOCK);
        assert_eq!(watch.underruns(), 1, "time does not run backwards");
        watch.restart(Density::Lto8);
        assert_eq!(watch.underruns(), 1);
    }
}
