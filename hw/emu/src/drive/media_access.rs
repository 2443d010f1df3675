//! Loading, ejecting, locking, erasing and formatting.

use reel_hw::scsi::SenseKey;

use super::{Drive, Mounted, store_failed};
use crate::answer::{Answer, Outcome, Refusal, check, invalid_field};
use crate::cartridge::{Cartridge, CartridgeKind};
use crate::initiator::Initiator;

impl Drive {
    /// A cartridge was put in: the drive threads it.
    pub(crate) fn insert(&mut self, cartridge: Cartridge) {
        self.mounted = Some(Mounted { cartridge, threaded: false, position: 0 });
        self.thread(None);
    }

    /// The drive was switched on with a cartridge in it.
    pub(crate) fn power_on_with(&mut self, cartridge: Cartridge, threaded: bool) {
        self.mounted = Some(Mounted { cartridge, threaded, position: 0 });
    }

    /// A cartridge is taken out; `None` where there is none.
    ///
    /// # Errors
    /// Where somebody prevents it, or the medium is threaded and the drive does not eject for a robot.
    pub(crate) fn remove(&mut self, ejects: bool) -> Result<Option<Cartridge>, Refusal> {
        if !self.locks.is_empty() {
            return Err(check(SenseKey::IllegalRequest, 0x53, 0x02));
        }
        if self.mounted.as_ref().is_some_and(|mounted| mounted.threaded) {
            if !ejects {
                return Err(check(SenseKey::IllegalRequest, 0x53, 0x01));
            }
            self.eject();
        }
        Ok(self.mounted.take().map(|mounted| mounted.cartridge))
    }

    fn thread(&mut self, cause: Option<Initiator>) {
        let Some(mounted) = &mut self.mounted else { return };
        mounted.position = 0;
        if !mounted.threaded {
            mounted.threaded = true;
            mounted.cartridge.facts.loads += 1;
            mounted.cartridge.facts.initialized = true;
            keep_facts(&mounted.cartridge);
            self.attentions.raise(0x28, 0x00, cause);
        }
    }

    fn eject(&mut self) {
        let Some(mounted) = &mut self.mounted else { return };
        mounted.cartridge.flush();
        mounted.position = 0;
        mounted.threaded = false;
        keep_facts(&mounted.cartridge);
        self.key = None;
    }

    pub(super) fn load_unload(&mut self, initiator: Initiator, load: bool) -> Outcome {
        if self.mounted.is_none() {
            return Err(check(SenseKey::NotReady, 0x3A, 0x00));
        }
        if load {
            self.thread(Some(initiator));
            return Ok(Answer::Done);
        }
        if !self.locks.is_empty() {
            return Err(check(SenseKey::IllegalRequest, 0x53, 0x02));
        }
        self.eject();
        Ok(Answer::Done)
    }

    pub(super) fn prevent_removal(&mut self, initiator: Initiator, prevent: bool) -> Outcome {
        self.locks.retain(|holder| *holder != initiator);
        if prevent {
            self.locks.push(initiator);
        }
        Ok(Answer::Done)
    }

    pub(super) fn erase(&mut self) -> Outcome {
        self.writable()?;
        let mounted = self.ready()?;
        mounted.cartridge.cut(mounted.position).map_err(store_failed)?;
        mounted.cartridge.flush();
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
        self.erase()
    }
}

/// Counters that cannot be kept are as those of a chip that cannot be written: nothing depends on them.
fn keep_facts(cartridge: &Cartridge) {
    let _ = cartridge.save();
}
