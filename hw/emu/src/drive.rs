//! An emulated LTO drive: what it holds, and which command goes where.

mod attributes;
mod encryption;
mod identity;
mod logs;
mod media_access;
mod modes;
mod motion;
mod transfer;

pub(crate) use identity::designators;

use std::io;

use reel_hw::scsi::reservation::{OutParameters, ServiceAction};
use reel_hw::scsi::{Cdb, Command, DeviceType, Sense, SenseFormat, SenseKey};
use reel_hw::transport::Data;
use reel_hw::{EncryptionKey, TapeAlerts};

use crate::answer::{Answer, Outcome, Refusal, check, parameter_length, unknown_command};
use crate::attention::Attentions;
use crate::cartridge::{Cartridge, CartridgeKind};
use crate::initiator::Initiator;
use crate::model::DriveModel;
use crate::reservation::Reservations;

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
}

/// A cartridge in a drive.
pub(crate) struct Mounted {
    pub(crate) cartridge: Cartridge,
    /// Whether it is threaded; else it was ejected and sits in the mouth of the drive.
    pub(crate) threaded: bool,
    /// The next object.
    pub(crate) position: u64,
}

/// What MODE SELECT sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Modes {
    pub(crate) compression: bool,
    /// Block length in fixed mode; 0 in variable mode.
    pub(crate) block_length: u32,
    pub(crate) buffered: bool,
    /// The CRC goes with blocks that are written.
    pub(crate) protect_writes: bool,
    /// The CRC goes with blocks that are read.
    pub(crate) protect_reads: bool,
}

impl Default for Modes {
    fn default() -> Self {
        Self {
            compression: true,
            block_length: 0,
            buffered: true,
            protect_writes: false,
            protect_reads: false,
        }
    }
}

/// What every handler is given.
pub(crate) struct Context<'a, 'd> {
    pub(crate) initiator: Initiator,
    pub(crate) data: &'a mut Data<'d>,
}

impl Drive {
    /// A drive without medium, after power on.
    pub(crate) fn new(model: DriveModel) -> Self {
        Self {
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
        }
    }

    /// Carries out a command.
    pub(crate) fn execute(&mut self, context: &mut Context<'_, '_>, cdb: &Cdb) -> Outcome {
        let command = Command::from_cdb(DeviceType::Tape, cdb);
        if let Some(Command::Inquiry { .. } | Command::ReportLuns { .. }) = command {
            let allocation = command.map_or(0, |command| command.allocation());
            return self.dispatch(context, command).map(|answer| answer.cut(allocation));
        }
        if let Some(Command::RequestSense { descriptor, .. }) = command {
            return Ok(self.request_sense(context.initiator, descriptor));
        }
        if let Some(attention) = self.attentions.take(context.initiator) {
            return Err(attention.into());
        }
        if let Some(deferred) = self.deferred.take() {
            return Err(deferred.into());
        }
        if command.is_some_and(|command| self.reservations.forbid(context.initiator, &command)) {
            return Err(Refusal::ReservationConflict);
        }
        let allocation = command.map_or(0, |command| command.allocation());
        self.dispatch(context, command).map(|answer| answer.cut(allocation))
    }

    fn dispatch(&mut self, context: &mut Context<'_, '_>, command: Option<Command>) -> Outcome {
        match command.ok_or_else(unknown_command)? {
            Command::TestUnitReady => self.ready().map(|_| Answer::Done),
            Command::Rewind { .. } => self.rewind(),
            Command::Read { fixed, suppress_length, length } => {
                self.read(context, fixed, suppress_length, length)
            }
            Command::Write { fixed, length } => self.write(context, fixed, length),
            Command::WriteFilemarks { immediate, count } => self.write_filemarks(immediate, count),
            Command::Space6 { code, count } => self.space(code, i64::from(count)),
            Command::Space16 { code, count } => self.space(code, count),
            Command::Locate10 { object, .. } => self.locate_object(u64::from(object)),
            Command::Locate16 { partition, target, .. } => self.locate(partition, target),
            Command::Erase { .. } => self.erase(),
            Command::FormatMedium { format, .. } => self.format(format),
            Command::LoadUnload { load, .. } => self.load_unload(context.initiator, load),
            Command::PreventRemoval { prevent } => self.prevent_removal(context.initiator, prevent),
            Command::Inquiry { page, .. } => self.inquiry(page),
            Command::ReadBlockLimits => self.block_limits(),
            Command::ReportDensitySupport { medium, .. } => self.density_support(medium),
            Command::ReadPosition { service_action, .. } => self.read_position(service_action),
            Command::ModeSense { form, no_descriptor, control, page, subpage, .. } => {
                self.mode_sense(form, no_descriptor, control, (page, subpage))
            }
            Command::ModeSelect { form, length, .. } => self.mode_select(context, form, length),
            Command::LogSense { page, subpage, .. } => self.log_sense(page, subpage),
            Command::ReadAttribute { service_action, first, .. } => {
                self.read_attribute(service_action, first)
            }
            Command::WriteAttribute { length, .. } => self.write_attribute(context, length),
            Command::SecurityProtocolIn { protocol, page, .. } => self.security_in(protocol, page),
            Command::SecurityProtocolOut { protocol, page, length } => {
                self.security_out(context, protocol, page, length)
            }
            Command::Reserve(_) => self.reservations.reserve(context.initiator),
            Command::Release(_) => self.reservations.release(context.initiator),
            Command::PersistentReserveIn { service_action, .. } => {
                self.reservations.report(service_action)
            }
            Command::PersistentReserveOut { service_action, scope_type, length } => {
                let parameters = parameters(context, length)?;
                let parameters =
                    OutParameters::decode(parameters).map_err(|_| parameter_length())?;
                let action = ServiceAction::from_number(service_action);
                self.reservations.change(context.initiator, action, scope_type & 0xF, &parameters)
            }
            Command::SendDiagnostic { .. } => Ok(Answer::Done),
            _ => Err(unknown_command()),
        }
    }

    /// The medium, where one is threaded.
    pub(crate) fn ready(&mut self) -> Result<&mut Mounted, Refusal> {
        match &mut self.mounted {
            None => Err(check(SenseKey::NotReady, 0x3A, 0x00)),
            Some(mounted) if !mounted.threaded => Err(check(SenseKey::NotReady, 0x04, 0x02)),
            Some(mounted)
                if matches!(mounted.cartridge.facts.kind, CartridgeKind::Cleaning { .. }) =>
            {
                Err(check(SenseKey::NotReady, 0x30, 0x03))
            }
            Some(mounted) => Ok(mounted),
        }
    }

    fn request_sense(&mut self, initiator: Initiator, descriptor: bool) -> Answer {
        let format = if descriptor { SenseFormat::Descriptor } else { SenseFormat::Fixed };
        let told = self.attentions.take(initiator).or_else(|| self.deferred.take());
        let state = || match self.ready() {
            Err(Refusal::Check(sense)) => sense,
            _ => Sense::new(SenseKey::NoSense, 0, 0),
        };
        Answer::Data(told.unwrap_or_else(state).encode(format))
    }

    /// As after power on or a reset: settings, key, locks and what was not on the tape are gone.
    pub(crate) fn reset(&mut self) {
        self.modes = Modes::default();
        self.key = None;
        self.deferred = None;
        self.locks.clear();
        self.lose_buffer();
        if let Some(mounted) = &mut self.mounted {
            mounted.position = 0;
        }
    }

    /// What was not on the tape yet is gone. A store that cannot even forget keeps it: as if it had been written.
    pub(crate) fn lose_buffer(&mut self) {
        let Some(mounted) = &mut self.mounted else { return };
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

/// The folder or memory behind a cartridge failed: for the host, a fault of the drive.
pub(crate) fn store_failed(_error: io::Error) -> Refusal {
    check(SenseKey::HardwareError, 0x44, 0x00)
}

/// The parameter list that came with a command.
pub(crate) fn parameters<'a>(
    context: &'a Context<'_, '_>,
    length: u32,
) -> Result<&'a [u8], Refusal> {
    let Data::Out(bytes) = &*context.data else { return Err(parameter_length()) };
    bytes.get(..length as usize).ok_or_else(parameter_length)
}
