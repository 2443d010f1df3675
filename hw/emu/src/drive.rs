//! An emulated LTO drive: what it holds, and how it takes a command.

mod attributes;
mod cleaning;
mod clockwork;
mod complaints;
mod counters;
mod diagnostics;
mod dispatch;
mod encryption;
mod identity;
mod logs;
mod media_access;
mod mode_pages;
mod modes;
mod motion;
mod mounted;
mod order;
mod overwrite;
mod readiness;
mod transfer;
mod verify;
mod wraps;

pub use cleaning::CleaningWish;
pub(crate) use clockwork::Clockwork;
pub(crate) use identity::designators;
pub(crate) use modes::Modes;
pub(crate) use mounted::Mounted;

use reel_hw::scsi::access_order::AccessOrderList;
use reel_hw::scsi::{Cdb, Command, DeviceType, NextStep, Sense, SenseFormat, SenseKey};
use reel_hw::transport::Data;
use reel_hw::{EncryptionKey, TapeAlerts};

use crate::answer::{Answer, Outcome, Refusal, parameter_length, unknown_command};
use crate::attention::Attentions;
use crate::initiator::Initiator;
use crate::model::DriveModel;
use crate::reservation::Reservations;
use crate::timing::Timing;

use cleaning::Cleanliness;
use counters::Counters;
use overwrite::Allowance;

/// A drive.
pub(crate) struct Drive {
    pub(crate) model: DriveModel,
    pub(crate) mounted: Option<Mounted>,
    pub(crate) modes: Modes,
    pub(crate) key: Option<EncryptionKey>,
    /// Counts how often the key was set or cleared.
    pub(crate) key_instance: u32,
    pub(crate) attentions: Attentions,
    pub(crate) reservations: Reservations,
    /// Who prevents the removal of the medium.
    pub(crate) locks: Vec<Initiator>,
    /// A write that was reported as done and was lost: told with the next command.
    pub(crate) deferred: Option<Sense>,
    pub(crate) alerts: TapeAlerts,
    pub(crate) clockwork: Clockwork,
    pub(crate) counters: Counters,
    pub(crate) cleanliness: Cleanliness,
    /// The order of access that it recommends, until the medium goes.
    order: Option<AccessOrderList>,
    /// What may be overwritten in append-only mode.
    allowance: Allowance,
}

/// What every handler is given.
pub(crate) struct Context<'a, 'd> {
    pub(crate) initiator: Initiator,
    pub(crate) data: &'a mut Data<'d>,
}

impl Drive {
    /// A drive without medium, after power on.
    pub(crate) fn new(model: DriveModel, timing: &Timing) -> Self {
        Self {
            clockwork: Clockwork::new(timing, &model.serial),
            model,
            mounted: None,
            modes: Modes::default(),
            key: None,
            key_instance: 0,
            attentions: Attentions::default(),
            reservations: Reservations::default(),
            locks: Vec::new(),
            deferred: None,
            alerts: TapeAlerts::default(),
            counters: Counters::default(),
            cleanliness: Cleanliness::default(),
            order: None,
            allowance: Allowance::default(),
        }
    }

    /// Carries out a command.
    pub(crate) fn execute(&mut self, context: &mut Context<'_, '_>, cdb: &Cdb) -> Outcome {
        self.clockwork.begin();
        self.settle();
        let command = Command::from_cdb(DeviceType::Tape, cdb);
        let outcome = self.answer(context, command);
        let refusal = match &outcome {
            Err(Refusal::Check(sense)) => Some(*sense),
            _ => None,
        };
        if let Some(sense) = refusal {
            self.complain(&sense, cdb.opcode());
        }
        self.clockwork.finish(command.is_some_and(dispatch::is_immediate));
        if refusal.is_some_and(|sense| sense.condition().next_step() == NextStep::Wait) {
            self.clockwork.poll();
        }
        outcome
    }

    fn answer(&mut self, context: &mut Context<'_, '_>, command: Option<Command>) -> Outcome {
        let command = match command {
            Some(command @ (Command::Inquiry { .. } | Command::ReportLuns { .. })) => command,
            Some(command @ Command::RequestSense { descriptor, .. }) => {
                let answer = self.request_sense(context.initiator, descriptor);
                return Ok(answer.cut(command.allocation()));
            }
            command => self.admit(context.initiator, command)?,
        };
        let answer = self.dispatch(context, command)?;
        Ok(answer.cut(command.allocation()))
    }

    /// What has to be told before a command is looked at.
    fn admit(
        &mut self,
        initiator: Initiator,
        command: Option<Command>,
    ) -> Result<Command, Refusal> {
        if let Some(attention) = self.attentions.take(initiator) {
            return Err(attention.into());
        }
        if let Some(deferred) = self.deferred.take() {
            return Err(deferred.into());
        }
        let command = command.ok_or_else(unknown_command)?;
        if self.reservations.forbid(initiator, &command) {
            return Err(Refusal::ReservationConflict);
        }
        Ok(command)
    }

    fn request_sense(&mut self, initiator: Initiator, descriptor: bool) -> Answer {
        let told = self.attentions.take(initiator).or_else(|| self.deferred.take());
        let state = || match self.ready() {
            Err(Refusal::Check(sense)) => sense,
            _ => Sense::new(SenseKey::NoSense, 0, 0),
        };
        let sense = told.unwrap_or_else(state);
        if descriptor {
            return Answer::Data(sense.encode(SenseFormat::Descriptor));
        }
        Answer::Data(self.with_head_place(sense.encode(SenseFormat::Fixed)))
    }

    /// Which format its sense has.
    pub(crate) fn sense_format(&self) -> SenseFormat {
        if self.modes.descriptor_sense { SenseFormat::Descriptor } else { SenseFormat::Fixed }
    }

    /// As after power on or a reset: settings, key, locks and what was not on the tape are gone.
    pub(crate) fn reset(&mut self) {
        self.modes = Modes::default();
        self.key = None;
        self.deferred = None;
        self.locks.clear();
        self.order = None;
        self.allowance = Allowance::default();
        self.lose_buffer();
        if self.mounted.as_ref().is_some_and(|mounted| !mounted.calibrating && !mounted.cleaning) {
            self.clockwork.stop();
        }
        if let Some(mounted) = &mut self.mounted {
            mounted.position = 0;
        }
    }

    /// What was not on the tape yet is gone. A store that cannot even forget keeps it: as if it had been written.
    pub(crate) fn lose_buffer(&mut self) {
        let Some(mounted) = &mut self.mounted else { return };
        mounted.drop_stream();
        if mounted.cartridge.lose_buffer().is_ok() {
            mounted.position = mounted.position.min(mounted.cartridge.objects().count());
        }
    }

    /// An initiator is gone.
    pub(crate) fn forget(&mut self, initiator: Initiator) {
        self.attentions.forget(initiator);
        self.reservations.forget(initiator);
        self.locks.retain(|holder| *holder != initiator);
    }
}

/// The parameter list that came with a command.
pub(crate) fn parameters<'a>(
    context: &'a Context<'_, '_>,
    length: u32,
) -> Result<&'a [u8], Refusal> {
    if length == 0 {
        return Ok(&[]);
    }
    let Data::Out(bytes) = &*context.data else { return Err(parameter_length()) };
    bytes.get(..length as usize).ok_or_else(parameter_length)
}
