//! The hosts of a device: what each of them has to hear first, who has the device for itself, and who keeps the medium
//! in it.

use reel_hw::scsi::{Command, Sense, SenseKey};

use crate::answer::{Answer, Outcome, Refusal, unknown_command};
use crate::attention::Attentions;
use crate::drive::Context;
use crate::initiator::Initiator;
use crate::reservation::Reservations;

/// All that a device knows of its hosts.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    attentions: Attentions,
    reservations: Reservations,
    /// Who prevents the removal of the medium.
    locks: Vec<Initiator>,
}

impl Hosts {
    /// The command, unless something else has to be told first.
    pub(crate) fn admit(
        &mut self,
        initiator: Initiator,
        command: Option<Command>,
    ) -> Result<Command, Refusal> {
        if let Some(command @ (Command::Inquiry { .. } | Command::ReportLuns { .. })) = command {
            return Ok(command);
        }
        if let Some(attention) = self.attentions.take(initiator) {
            return Err(attention.into());
        }
        let command = command.ok_or_else(unknown_command)?;
        if self.reservations.forbid(initiator, &command) {
            return Err(Refusal::ReservationConflict);
        }
        Ok(command)
    }

    /// What REQUEST SENSE tells: what was not heard yet, or whether the device is ready.
    pub(crate) fn sense(&mut self, initiator: Initiator, ready: Result<(), Refusal>) -> Sense {
        let state = match ready {
            Err(Refusal::Check(sense)) => sense,
            _ => Sense::new(SenseKey::NoSense, 0, 0),
        };
        self.attentions.take(initiator).unwrap_or(state)
    }

    /// Tells everybody of a change, except who caused it.
    pub(crate) fn tell(&mut self, asc: u8, ascq: u8, cause: Option<Initiator>) {
        self.attentions.raise(asc, ascq, |initiator| Some(initiator) != cause);
    }

    /// Whether a medium may be taken out.
    pub(crate) fn allow_removal(&self) -> bool {
        self.locks.is_empty()
    }

    /// Carries out the commands that reserve, release and lock; `None` for all others.
    pub(crate) fn carry_out(
        &mut self,
        context: &Context<'_, '_>,
        command: Command,
    ) -> Option<Outcome> {
        if let Command::PreventRemoval { prevent } = command {
            self.locks.retain(|holder| *holder != context.initiator);
            if prevent {
                self.locks.push(context.initiator);
            }
            return Some(Ok(Answer::Done));
        }
        self.reservations.carry_out(&mut self.attentions, context, command)
    }

    /// A host is gone.
    pub(crate) fn forget(&mut self, initiator: Initiator) {
        self.attentions.forget(initiator);
        self.reservations.forget(initiator);
        self.locks.retain(|holder| *holder != initiator);
    }

    /// The device was reset: locks and reservations that are not persistent end, and everybody but the cause is told.
    pub(crate) fn reset(&mut self, cause: Option<Initiator>) {
        self.locks.clear();
        self.reservations.reset();
        self.tell(0x29, 0x00, cause);
    }
}
