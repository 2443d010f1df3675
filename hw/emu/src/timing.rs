//! What time costs in a library, and what it was spent on.

use std::time::Duration;

use reel_hw::scsi::log::DeviceActivity;

use crate::time::{EmuClock, Perturbation, RobotFigures, Seed};

/// How much simulated time passes, by default, while a host waits to ask again.
const POLL: Duration = Duration::from_secs(600);

/// Whether and how long devices take for what they do (spec timing.md).
#[derive(Debug, Clone)]
pub struct Timing {
    /// The clock of the library. Without one nothing takes time.
    pub clock: Option<EmuClock>,
    /// What bends every figure; without one all are nominal.
    pub seed: Option<Seed>,
    /// Simulated time stands still while a host sleeps before it asks again whether a drive is ready. So each answer
    /// "not yet" lets this much pass, but no more than what the drive still needs.
    pub poll: Duration,
    /// The figures of the robot.
    pub robot: RobotFigures,
}

impl Timing {
    /// Nothing takes time.
    pub fn none() -> Self {
        Self { clock: None, seed: None, poll: POLL, robot: RobotFigures::default() }
    }

    /// Everything takes its time by a clock.
    pub fn on(clock: EmuClock) -> Self {
        Self { clock: Some(clock), ..Self::none() }
    }

    /// Everything takes simulated time, which passes at once.
    pub fn simulated() -> Self {
        Self::on(EmuClock::simulated())
    }

    /// The same with every figure bent by a seed.
    pub fn seeded(self, seed: Seed) -> Self {
        Self { seed: Some(seed), ..self }
    }

    pub(crate) fn perturbation(&self) -> Perturbation {
        self.seed.map_or_else(Perturbation::none, Perturbation::seeded)
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::none()
    }
}

/// What a drive did with its time since it was switched on.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DriveCounts {
    /// Times the tape stopped in a stream and had to go back.
    pub stops: u64,
    /// Those of them where the host was too slow.
    pub underruns: u64,
    seconds: [f64; DeviceActivity::ALL.len()],
}

impl DriveCounts {
    /// Time spent on an activity, s. Flushes count as writing.
    pub fn seconds(&self, activity: DeviceActivity) -> f64 {
        self.seconds.get(activity as usize).copied().unwrap_or(0.0)
    }

    /// Time spent on everything, s.
    pub fn total_s(&self) -> f64 {
        self.seconds.iter().sum()
    }

    pub(crate) fn add(&mut self, activity: DeviceActivity, s: f64) {
        if let Some(seconds) = self.seconds.get_mut(activity as usize) {
            *seconds += s;
        }
    }
}

/// What a robot did with its time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RobotCounts {
    /// Media moved.
    pub moves: u64,
    /// Time spent on moves, s.
    pub move_s: f64,
    /// Time spent on inventories, s.
    pub inventory_s: f64,
}
