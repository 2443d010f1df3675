//! Unit attentions: what happened since an initiator's last command.

use std::collections::{BTreeMap, VecDeque};

use reel_hw::scsi::{Sense, SenseKey};

use crate::initiator::Initiator;

/// Pending unit attentions of a device, for each initiator that it has seen.
#[derive(Debug, Default)]
pub(crate) struct Attentions {
    pending: BTreeMap<Initiator, VecDeque<Sense>>,
}

impl Attentions {
    /// The first thing that an initiator has not heard yet. One that was never seen hears of the power on.
    pub(crate) fn take(&mut self, initiator: Initiator) -> Option<Sense> {
        let power_on = || VecDeque::from([attention(0x29, 0x00)]);
        self.pending.entry(initiator).or_insert_with(power_on).pop_front()
    }

    /// Tells everybody whom it concerns.
    pub(crate) fn raise(&mut self, asc: u8, ascq: u8, concerns: impl Fn(Initiator) -> bool) {
        let sense = attention(asc, ascq);
        let concerned = self.pending.iter_mut().filter(|(initiator, _)| concerns(**initiator));
        for (_, queue) in concerned {
            if !queue.contains(&sense) {
                queue.push_back(sense);
            }
        }
    }

    /// An initiator is gone.
    pub(crate) fn forget(&mut self, initiator: Initiator) {
        self.pending.remove(&initiator);
    }
}

fn attention(asc: u8, ascq: u8) -> Sense {
    Sense::new(SenseKey::UnitAttention, asc, ascq)
}
