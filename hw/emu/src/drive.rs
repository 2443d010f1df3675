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

use reel_hw::TapeAlerts;
use reel_hw::scsi::access_order::AccessOrderList;
use reel_hw::scsi::{Cdb, Command, DeviceType, NextStep, SenseFormat};
use reel_hw::transport::Data;

use crate::answer::{Answer, Outcome, Refusal, parameter_length};
use crate::hosts::Hosts;
use crate::initiator::Initiator;
use crate::model::DriveModel;
use crate::timing::Timing;

use cleaning::Cleanliness;
use counters::Counters;
use encryption::Encryption;
use overwrite::Allowance;

/// A drive.
pub(crate) struct Drive {
    pub(crate) model: DriveModel,
    pub(crate) mounted: Option<Mounted>,
    /// The medium was threaded or ejected since this was last looked at.
    pub(crate) threading_changed: bool,
    pub(crate) modes: Modes,
    encryption: Encryption,
    pub(crate) hosts: Hosts,
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
            threading_changed: false,
            modes: Modes::default(),
            encryption: Encryption::default(),
            hosts: Hosts::default(),
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
        if let Some(command @ Command::RequestSense { descriptor, .. }) = command {
            let answer = self.request_sense(context.initiator, descriptor);
            return Ok(answer.cut(command.allocation()));
        }
        let command = self.hosts.admit(context.initiator, command)?;
        let answer = self.dispatch(context, command)?;
        Ok(answer.cut(command.allocation()))
    }

    fn request_sense(&mut self, initiator: Initiator, descriptor: bool) -> Answer {
        let ready = self.ready().map(drop);
        let sense = self.hosts.sense(initiator, ready);
        if descriptor {
            return Answer::Data(sense.encode(SenseFormat::Descriptor));
        }
        Answer::Data(self.with_head_place(sense.encode(SenseFormat::Fixed)))
    }

    /// Which format its sense has.
    pub(crate) fn sense_format(&self) -> SenseFormat {
        if self.modes.descriptor_sense { SenseFormat::Descriptor } else { SenseFormat::Fixed }
    }

    /// As after power on or a reset: settings, key, locks and what was not on the tape are gone. Everybody but the
    /// cause is told.
    pub(crate) fn reset(&mut self, cause: Option<Initiator>) {
        self.modes = Modes::default();
        self.encryption.forget();
        self.hosts.reset(cause);
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
