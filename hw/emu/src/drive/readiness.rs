//! Whether a medium can be used, and what is told while it cannot.

use reel_hw::scsi::log::DeviceActivity;
use reel_hw::scsi::{Command, SenseKey};

use super::{Clockwork, Drive, Mounted, dispatch};
use crate::answer::{Refusal, check};
use crate::cartridge::CartridgeKind;
use crate::media::Use;

impl Drive {
    /// The medium, where one is threaded and can be used now.
    pub(crate) fn ready(&mut self) -> Result<&mut Mounted, Refusal> {
        self.at_work().map(|(mounted, _)| mounted)
    }

    /// The same, with the time that using it takes.
    pub(super) fn at_work(&mut self) -> Result<(&mut Mounted, &mut Clockwork), Refusal> {
        let clockwork = &mut self.clockwork;
        let now_s = clockwork.now_s();
        let Some(mounted) = self.mounted.as_mut().filter(|one| one.arrives_s <= now_s) else {
            return Err(check(SenseKey::NotReady, 0x3A, 0x00));
        };
        if let CartridgeKind::Cleaning { .. } = mounted.cartridge.facts.kind {
            let ascq = if mounted.cartridge.facts.life.expired { 0x07 } else { 0x03 };
            return Err(check(SenseKey::NotReady, 0x30, ascq));
        }
        if let Some(busy) = clockwork.background() {
            return Err(busy.sense(now_s).into());
        }
        match (mounted.threaded, mounted.usable) {
            (false, _) => Err(check(SenseKey::NotReady, 0x04, 0x02)),
            (true, Use::None) => Err(check(SenseKey::MediumError, 0x30, 0x00)),
            (true, _) => Ok((mounted, clockwork)),
        }
    }

    /// Until when a command waits for another that a host is waiting for, s on the clock.
    pub(crate) fn queue(&self, command: Option<Command>) -> Option<f64> {
        if command.is_none_or(dispatch::needs_no_tape) {
            return None;
        }
        self.clockwork.busy().filter(|busy| !busy.background).map(|busy| busy.until_s)
    }

    /// What the drive is doing.
    pub(super) fn activity(&self) -> DeviceActivity {
        self.clockwork.busy().map_or(DeviceActivity::NoActivity, |busy| busy.activity)
    }

    /// Makes good what is over by now: a calibration, a cleaning.
    pub(crate) fn settle(&mut self) {
        if self.clockwork.busy().is_some() {
            return;
        }
        let Some(mounted) = &mut self.mounted else { return };
        if std::mem::take(&mut mounted.calibrating) {
            mounted.cartridge.facts.initialized = true;
            super::media_access::keep_facts(&mounted.cartridge);
        }
        if std::mem::take(&mut mounted.cleaning) {
            mounted.threaded = false;
            self.threading_changed = true;
            self.cleaned();
        }
    }

    /// The head's place on the tape, as some drives tell it behind their sense (spec scsi.md §19).
    pub(super) fn with_head_place(&self, mut sense: Vec<u8>) -> Vec<u8> {
        const BYTES: usize = 96;
        let Some(mounted) = self.mounted.as_ref().filter(|_| self.model.tells_wraps()) else {
            return sense;
        };
        let place = mounted.mechanism.wraps().position(mounted.place(mounted.position));
        sense.resize(BYTES, 0);
        sense[7] = (BYTES - 8) as u8;
        sense[29] = place.wrap as u8;
        sense[30..34].copy_from_slice(&(place.lpos as u32).to_be_bytes());
        sense
    }
}
