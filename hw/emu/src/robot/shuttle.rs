//! The robot's time. It does one thing at a time; what comes meanwhile waits.

use crate::time::{EmuClock, Place, Robot};
use crate::timing::{RobotCounts, Timing};

/// The time of one robot.
#[derive(Debug)]
pub(crate) struct Shuttle {
    clock: Option<EmuClock>,
    robot: Robot,
    at_s: f64,
    /// When it is free again, s on the clock.
    free_s: f64,
    pub(crate) counts: RobotCounts,
}

impl Shuttle {
    pub(crate) fn new(timing: &Timing, changer: &str) -> Self {
        Self {
            clock: timing.clock.clone(),
            robot: Robot::new(timing.robot, timing.perturbation().jitter(changer)),
            at_s: 0.0,
            free_s: 0.0,
            counts: RobotCounts::default(),
        }
    }

    fn now_s(&self) -> f64 {
        self.clock.as_ref().map_or(0.0, EmuClock::now_s)
    }

    /// Something for the robot begins, as soon as it is free.
    pub(crate) fn begin(&mut self) {
        self.at_s = self.now_s().max(self.free_s);
    }

    /// The instant up to which it has come, s on the clock.
    pub(crate) fn at_s(&self) -> f64 {
        self.at_s
    }

    /// It waits for something that happens then, s on the clock.
    pub(crate) fn wait_until(&mut self, s: f64) {
        self.at_s = self.at_s.max(s);
    }

    /// It carries a medium.
    pub(crate) fn carry(&mut self, from: Place, to: Place) {
        self.counts.moves += 1;
        let move_s = self.robot.move_s(from, to);
        self.counts.move_s += self.pass(move_s);
    }

    /// It looks at so many slots with so many media in them.
    pub(crate) fn take_inventory(&mut self, slots: usize, media: usize) {
        let inventory_s = self.robot.inventory_s(slots as u32, media as u32);
        self.counts.inventory_s += self.pass(inventory_s);
    }

    /// It tells what it knows.
    pub(crate) fn tell(&mut self) {
        self.pass(self.robot.status_s());
    }

    fn pass(&mut self, s: f64) -> f64 {
        let passed_s = if self.clock.is_some() { s } else { 0.0 };
        self.at_s += passed_s;
        passed_s
    }

    /// What began is over: until when the host waits, s on the clock.
    pub(crate) fn finish(&mut self) -> Option<f64> {
        self.free_s = self.free_s.max(self.at_s);
        (self.at_s > self.now_s()).then_some(self.at_s)
    }
}
