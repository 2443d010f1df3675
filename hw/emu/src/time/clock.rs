//! Real or simulated time, for a whole library.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A clock that every part of an emulated library shares; clones show the same time.
///
/// Simulated time stands still until somebody lets it pass. Drives and robots work side by side, so each works out
/// the instant when it will be done and calls [`wait_until`](Self::wait_until): times that overlap are then not
/// added up.
#[derive(Debug, Clone)]
pub struct EmuClock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    /// When it began, and how much faster than a wall clock it runs.
    Real(Instant, u32),
    /// Nanoseconds since the beginning.
    Simulated(Arc<AtomicU64>),
}

impl EmuClock {
    /// Time as it is; waiting sleeps.
    pub fn real() -> Self {
        Self::quickened(1)
    }

    /// Time as it is, but so many times faster (at least once): a library to look at while it works.
    pub fn quickened(factor: u32) -> Self {
        Self(Kind::Real(Instant::now(), factor.max(1)))
    }

    /// Time that passes only by waiting, and then at once.
    pub fn simulated() -> Self {
        Self(Kind::Simulated(Arc::default()))
    }

    /// Whether time is simulated.
    pub fn is_simulated(&self) -> bool {
        matches!(self.0, Kind::Simulated(_))
    }

    /// Time since the clock was made.
    pub fn now(&self) -> Duration {
        match &self.0 {
            Kind::Real(begin, factor) => begin.elapsed().saturating_mul(*factor),
            Kind::Simulated(nanos) => Duration::from_nanos(nanos.load(Ordering::Acquire)),
        }
    }

    /// The same in seconds, for the arithmetic of this module.
    pub fn now_s(&self) -> f64 {
        self.now().as_secs_f64()
    }

    /// Lets time pass. Simulated time that several threads let pass adds up.
    pub fn advance(&self, span: Duration) {
        match &self.0 {
            Kind::Real(_, factor) => thread::sleep(span / *factor),
            Kind::Simulated(nanos) => {
                // The closure always gives a value, so there is no failure to look at.
                let _ = nanos.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
                    Some(now.saturating_add(whole_nanos(span)))
                });
            }
        }
    }

    /// Waits until an instant; one in the past is no wait.
    pub fn wait_until(&self, instant: Duration) {
        match &self.0 {
            Kind::Real(_, factor) => thread::sleep(instant.saturating_sub(self.now()) / *factor),
            Kind::Simulated(nanos) => {
                nanos.fetch_max(whole_nanos(instant), Ordering::AcqRel);
            }
        }
    }
}

impl reel_hw::Clock for EmuClock {
    fn now(&self) -> Duration {
        Self::now(self)
    }

    fn wait(&self, pause: Duration) {
        self.advance(pause);
    }
}

/// A span that a formula gave, as a `Duration`: nothing for what is negative or no number, the longest for what
/// does not fit.
pub fn span(s: f64) -> Duration {
    Duration::try_from_secs_f64(s.max(0.0)).unwrap_or(Duration::MAX)
}

/// An instant that a formula gave, as a `Duration` that is not before it: what ends then has ended.
pub fn after(s: f64) -> Duration {
    span(s).saturating_add(Duration::from_nanos(1))
}

fn whole_nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_simulated_time() {
        let clock = EmuClock::simulated();
        let other = clock.clone();
        clock.advance(Duration::from_secs(60));
        other.wait_until(Duration::from_secs(50));
        assert_eq!(other.now(), Duration::from_secs(60));
        other.wait_until(Duration::from_secs(70));
        assert_eq!(clock.now_s(), 70.0);
    }

    #[test]
    fn simulated_time_ends_but_does_not_turn_over() {
        let clock = EmuClock::simulated();
        clock.advance(span(f64::INFINITY));
        clock.advance(span(1.0));
        assert_eq!(clock.now(), Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn real_time_passes() {
        let clock = EmuClock::real();
        clock.advance(Duration::from_millis(2));
        clock.wait_until(Duration::from_millis(4));
        assert!(clock.now() >= Duration::from_millis(4));
        assert!(!clock.is_simulated());
    }

    #[test]
    fn time_can_be_quickened() {
        let clock = EmuClock::quickened(1000);
        let begin = Instant::now();
        clock.wait_until(Duration::from_secs(10));
        assert!(clock.now() >= Duration::from_secs(10));
        assert!(begin.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn spans_of_no_sense_are_none() {
        assert_eq!(span(-1.0), Duration::ZERO);
        assert_eq!(span(f64::NAN), Duration::ZERO);
        assert_eq!(span(1.5), Duration::from_millis(1500));
    }
}
