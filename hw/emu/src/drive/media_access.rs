//! Loading, ejecting, locking, erasing and formatting.

use reel_hw::scsi::SenseKey;
use reel_hw::scsi::log::DeviceActivity;

use super::{Drive, Mounted};
use crate::answer::{Answer, Outcome, Refusal, check, invalid_field};
use crate::cartridge::{Cartridge, CartridgeKind};
use crate::initiator::Initiator;
use crate::media::Use;

/// A short erase or a format of few tracks, s.
const SHORT_ERASE_S: f64 = 3.0;
/// FORMAT MEDIUM without measuring the tape, s.
const FORMAT_S: f64 = 90.0;
/// Drives that loaded a medium last, which its memory knows.
const LAST_DRIVES: usize = 4;

impl Drive {
    /// A cartridge is put in at an instant that may lie ahead (s on the clock): the drive threads it.
    pub(crate) fn insert(&mut self, cartridge: Cartridge, arrives_s: f64) {
        let mut mounted = Mounted::new(cartridge, &self.model, self.clockwork.perturbation());
        mounted.arrives_s = arrives_s;
        self.mounted = Some(mounted);
        self.order = None;
        self.allowance = Default::default();
        self.clockwork.stop();
        self.clockwork.begin_at(arrives_s);
        self.thread(None);
        self.clockwork.finish(true);
        self.settle();
    }

    /// The drive was switched on with a cartridge in it.
    pub(crate) fn power_on_with(&mut self, cartridge: Cartridge, threaded: bool) {
        let mut mounted = Mounted::new(cartridge, &self.model, self.clockwork.perturbation());
        mounted.threaded = threaded;
        self.mounted = Some(mounted);
    }

    /// A cartridge is taken out by a robot that comes at an instant (s on the clock); `None` where there is none.
    /// Returns also when it is out.
    ///
    /// # Errors
    /// Where somebody prevents it, or the medium is threaded and the drive does not eject for a robot.
    pub(crate) fn remove(
        &mut self,
        ejects: bool,
        comes_s: f64,
    ) -> Result<(Option<Cartridge>, f64), Refusal> {
        self.settle();
        let must_stay = |mounted: &Mounted| mounted.calibrating || mounted.cleaning;
        if !self.hosts.allow_removal() || self.mounted.as_ref().is_some_and(must_stay) {
            return Err(check(SenseKey::IllegalRequest, 0x53, 0x02));
        }
        self.clockwork.begin_at(comes_s);
        self.clockwork.join();
        if self.mounted.as_ref().is_some_and(|mounted| mounted.threaded) {
            if !ejects {
                return Err(check(SenseKey::IllegalRequest, 0x53, 0x01));
            }
            self.eject()?;
        }
        let out_s = self.clockwork.at_s();
        self.clockwork.finish(true);
        Ok((self.pull_out(), out_s))
    }

    /// What is in the drive comes out, whatever the drive does with it.
    pub(crate) fn pull_out(&mut self) -> Option<Cartridge> {
        self.save_medium();
        self.mounted.take().map(|mounted| mounted.cartridge)
    }

    /// Threads what sits in the mouth of the drive.
    fn thread(&mut self, cause: Option<Initiator>) {
        let Some(mounted) = &mut self.mounted else { return };
        mounted.position = 0;
        if mounted.threaded {
            return;
        }
        mounted.threaded = true;
        self.threading_changed = true;
        let kind = mounted.cartridge.facts.kind;
        self.forget_medium_alerts();
        if let CartridgeKind::Cleaning { uses } = kind {
            self.clean(uses);
            return;
        }
        self.load_data_cartridge();
        self.hosts.tell(0x28, 0x00, cause);
    }

    fn load_data_cartridge(&mut self) {
        let serial = format!("{:8}{}", self.model.vendor(), self.model.serial);
        let Some(mounted) = &mut self.mounted else { return };
        let facts = &mut mounted.cartridge.facts;
        facts.loads += 1;
        facts.life.beginning_passes += 1;
        facts.life.last_drives.insert(0, serial);
        facts.life.last_drives.truncate(LAST_DRIVES);
        self.counters.loads += 1;
        let load_s = mounted.mechanism.load_s();
        self.clockwork.spend(DeviceActivity::Loading, load_s);
        let is_new = !facts.initialized && mounted.usable != Use::None;
        if is_new && mounted.mechanism.figures().is_thin {
            self.calibrate();
        } else if is_new {
            facts.initialized = true;
        }
        self.look_at_medium();
        self.save_medium();
    }

    /// Measures an LTO-9 medium: 40 to 120 minutes (spec timing.md §5).
    fn calibrate(&mut self) {
        let Some(mounted) = &mut self.mounted else { return };
        mounted.calibrating = true;
        let name = mounted.cartridge.facts.individual();
        let calibrate_s = self.clockwork.perturbation().first_load_s(&name);
        self.clockwork.pass(DeviceActivity::Calibrating, calibrate_s);
    }

    /// Keeps the counters of the medium.
    pub(crate) fn save_medium(&self) {
        if let Some(mounted) = &self.mounted {
            keep_facts(&mounted.cartridge);
        }
    }

    fn eject(&mut self) -> Result<(), Refusal> {
        let (Some(mounted), clockwork) = (&mut self.mounted, &mut self.clockwork) else {
            return Ok(());
        };
        mounted.unload(clockwork)?;
        self.threading_changed = true;
        keep_facts(&mounted.cartridge);
        self.encryption.demount();
        self.order = None;
        self.allowance = Default::default();
        Ok(())
    }

    pub(super) fn unload(&mut self) -> Outcome {
        self.wait_for_medium()?;
        if !self.hosts.allow_removal() {
            return Err(check(SenseKey::IllegalRequest, 0x53, 0x02));
        }
        if self.mounted.as_ref().is_some_and(|mounted| mounted.threaded) {
            self.eject()?;
        }
        Ok(Answer::Done)
    }

    /// Threads the medium, or rewinds it. With `hold` it is only drawn in, which it is; with `retension` the whole tape
    /// is wound there and back.
    pub(super) fn load(&mut self, initiator: Initiator, hold: bool, retension: bool) -> Outcome {
        self.wait_for_medium()?;
        if hold {
            return Ok(Answer::Done);
        }
        if let Some(mounted) = self.mounted.as_mut().filter(|mounted| mounted.threaded) {
            mounted.rewind(&mut self.clockwork)?;
        }
        self.thread(Some(initiator));
        if self.mounted.as_ref().is_some_and(|mounted| mounted.calibrating) {
            self.clockwork.finish(true);
            self.settle();
            self.clockwork.begin();
        }
        if self.mounted.as_ref().is_some_and(|mounted| mounted.cartridge.is_cleaner()) {
            return Ok(Answer::Done);
        }
        let (mounted, clockwork) = self.at_work()?;
        if retension {
            let pass_s = mounted.mechanism.figures().mean_rewind_s;
            clockwork.spend(DeviceActivity::Other, 4.0 * pass_s);
        }
        Ok(Answer::Done)
    }

    /// A command that loads or unloads waits for what the drive does with the medium, unless that takes too long.
    fn wait_for_medium(&mut self) -> Result<(), Refusal> {
        let now_s = self.clockwork.now_s();
        let Some(mounted) = self.mounted.as_ref().filter(|one| one.arrives_s <= now_s) else {
            return Err(check(SenseKey::NotReady, 0x3A, 0x00));
        };
        if let Some(busy) = self.clockwork.busy().filter(|_| mounted.calibrating) {
            return Err(busy.sense(now_s).into());
        }
        if mounted.cleaning {
            return Err(check(SenseKey::NotReady, 0x30, 0x03));
        }
        self.clockwork.join();
        Ok(())
    }

    pub(super) fn erase(&mut self, long: bool) -> Outcome {
        self.writable()?;
        let (mounted, clockwork) = self.at_work()?;
        mounted.end_stream(clockwork)?;
        mounted.cartridge.cut(mounted.position)?;
        mounted.cartridge.flush()?;
        let place = mounted.place(mounted.position);
        let rest = mounted.mechanism.wraps().room().saturating_sub(place.0);
        let erase_s = match long {
            false => SHORT_ERASE_S,
            true => mounted.mechanism.stream_s(place, rest, f64::INFINITY),
        };
        clockwork.spend(DeviceActivity::Erasing, erase_s);
        self.allowance = Default::default();
        Ok(Answer::Done)
    }

    pub(super) fn format(&mut self, format: u8) -> Outcome {
        let mounted = self.ready()?;
        if format != 0 {
            return Err(invalid_field());
        }
        if mounted.position != 0 {
            return Err(check(SenseKey::IllegalRequest, 0x3B, 0x0C));
        }
        if mounted.cartridge.facts.kind == CartridgeKind::Worm {
            return Err(check(SenseKey::DataProtect, 0x30, 0x0C));
        }
        self.allowance.for_format();
        self.writable()?;
        let (mounted, clockwork) = self.at_work()?;
        mounted.end_stream(clockwork)?;
        mounted.cartridge.cut(0)?;
        mounted.cartridge.flush()?;
        clockwork.spend(DeviceActivity::Formatting, FORMAT_S);
        if mounted.mechanism.figures().is_thin {
            self.calibrate();
        }
        self.allowance = Default::default();
        Ok(Answer::Done)
    }
}

/// Counters that cannot be kept are as those of a chip that cannot be written: nothing depends on them.
pub(super) fn keep_facts(cartridge: &Cartridge) {
    let _ = cartridge.save();
}
