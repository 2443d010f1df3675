//! How a drive spends its time: what the command at hand takes, and what goes on behind it.
//!
//! A command adds up what it takes, beginning now. At its end the drive is busy until then: in the background, if the
//! host wanted its answer at once; else the host waits, outside of the library's lock.

use std::time::Duration;

use reel_hw::scsi::log::DeviceActivity;
use reel_hw::scsi::{Sense, SenseKey};

use crate::time::clock::after;
use crate::time::{EmuClock, Jitter, Perturbation};
use crate::timing::{DriveCounts, Timing};

/// Something that takes a drive's time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Busy {
    from_s: f64,
    /// When it will be done, s on the clock.
    pub(crate) until_s: f64,
    pub(crate) activity: DeviceActivity,
    /// Whether the host has its answer already.
    pub(crate) background: bool,
}

impl Busy {
    /// What a host is told that wants something else.
    pub(crate) fn sense(&self, now_s: f64) -> Sense {
        let ascq = match self.activity {
            DeviceActivity::Loading | DeviceActivity::Calibrating => 0x01,
            DeviceActivity::Formatting => 0x04,
            _ => 0x07,
        };
        let share = (now_s - self.from_s) / (self.until_s - self.from_s);
        let mut sense = Sense::new(SenseKey::NotReady, 0x04, ascq);
        sense.progress = Some((share.clamp(0.0, 1.0) * 65535.0) as u16);
        sense
    }
}

/// The time of one drive.
#[derive(Debug)]
pub(crate) struct Clockwork {
    clock: Option<EmuClock>,
    poll: Duration,
    perturbation: Perturbation,
    jitter: Jitter,
    began_s: f64,
    at_s: f64,
    activity: DeviceActivity,
    busy: Option<Busy>,
    wait_until_s: Option<f64>,
    pub(crate) counts: DriveCounts,
}

impl Clockwork {
    pub(crate) fn new(timing: &Timing, drive: &str) -> Self {
        let perturbation = timing.perturbation();
        Self {
            clock: timing.clock.clone(),
            poll: timing.poll,
            perturbation,
            jitter: perturbation.jitter(drive),
            began_s: 0.0,
            at_s: 0.0,
            activity: DeviceActivity::NoActivity,
            busy: None,
            wait_until_s: None,
            counts: DriveCounts::default(),
        }
    }

    /// The deviations of the library.
    pub(crate) fn perturbation(&self) -> &Perturbation {
        &self.perturbation
    }

    /// Whether anything takes time.
    pub(crate) fn runs(&self) -> bool {
        self.clock.is_some()
    }

    /// What the clock shows, s.
    pub(crate) fn now_s(&self) -> f64 {
        self.clock.as_ref().map_or(0.0, EmuClock::now_s)
    }

    /// A command begins.
    pub(crate) fn begin(&mut self) {
        self.begin_at(0.0);
    }

    /// Something begins at an instant that may lie ahead, s on the clock.
    pub(crate) fn begin_at(&mut self, s: f64) {
        self.began_s = self.now_s().max(s);
        self.at_s = self.began_s;
        self.activity = DeviceActivity::NoActivity;
        self.wait_until_s = None;
    }

    /// The instant up to which the command at hand has come, s on the clock.
    pub(crate) fn at_s(&self) -> f64 {
        self.at_s
    }

    /// An operation that nominally takes that long, s.
    pub(crate) fn spend(&mut self, activity: DeviceActivity, nominal_s: f64) {
        if self.runs() {
            let s = self.jitter.operation(nominal_s);
            self.pass(activity, s);
        }
    }

    /// That much time passes exactly, s.
    pub(crate) fn pass(&mut self, activity: DeviceActivity, s: f64) {
        if self.runs() && s > 0.0 {
            self.at_s += s;
            self.activity = activity;
            self.counts.add(activity, s);
        }
    }

    /// The command at hand waits for what goes on in the background.
    pub(crate) fn join(&mut self) {
        if let Some(busy) = self.busy() {
            self.at_s = self.at_s.max(busy.until_s);
            self.activity = busy.activity;
        }
    }

    /// The command at hand is over: it took what it took.
    pub(crate) fn finish(&mut self, background: bool) {
        if self.at_s <= self.began_s {
            return;
        }
        let (from_s, until_s, activity) = (self.began_s, self.at_s, self.activity);
        self.busy = Some(Busy { from_s, until_s, activity, background });
        if !background {
            self.wait_until_s = Some(until_s);
        }
    }

    /// The host was told to ask again: simulated time passes as if it slept before it does.
    pub(crate) fn poll(&mut self) {
        let (Some(clock), Some(busy)) = (&self.clock, self.busy()) else { return };
        if clock.is_simulated() {
            let until_s = busy.until_s.min(clock.now_s() + self.poll.as_secs_f64());
            clock.wait_until(after(until_s));
        }
    }

    /// Until when the host waits for the answer, s on the clock.
    pub(crate) fn take_wait(&mut self) -> Option<f64> {
        self.wait_until_s.take()
    }

    /// What goes on now.
    pub(crate) fn busy(&self) -> Option<Busy> {
        self.busy.filter(|busy| self.now_s() < busy.until_s)
    }

    /// What goes on now behind a command that was answered already.
    pub(crate) fn background(&self) -> Option<Busy> {
        self.busy().filter(|busy| busy.background)
    }

    /// Whatever went on is given up.
    pub(crate) fn stop(&mut self) {
        self.busy = None;
    }
}
