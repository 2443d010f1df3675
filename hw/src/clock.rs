//! Time as a value, so that whole jobs can run in simulated time.

use std::fmt;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

/// Where drivers get the time from, and by what they wait.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Time since some beginning; it never goes back.
    fn now(&self) -> Duration;

    /// Returns when that much time has passed.
    fn wait(&self, pause: Duration);
}

/// The time of the computer.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Duration {
        static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
        BEGINNING.elapsed()
    }

    fn wait(&self, pause: Duration) {
        thread::sleep(pause);
    }
}
