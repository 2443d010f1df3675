//! Who has a device for itself: RESERVE and RELEASE, and persistent reservations.

use std::collections::BTreeMap;

use reel_hw::scsi::reservation::{KeysReport, OutParameters, ReservationReport, ServiceAction};
use reel_hw::scsi::{Command, SenseKey};

use crate::answer::{Answer, Outcome, Refusal, check, invalid_field, parameter_length};
use crate::attention::Attentions;
use crate::drive::{Context, parameters};
use crate::initiator::Initiator;

/// Reservations of a device.
#[derive(Debug, Default)]
pub(crate) struct Reservations {
    simple: Option<Initiator>,
    keys: BTreeMap<Initiator, u64>,
    holder: Option<(Initiator, u8)>,
    generation: u32,
}

impl Reservations {
    /// Whether another initiator's reservation forbids a command (SPC-5 table of §5.13, in short).
    pub(crate) fn forbid(&self, initiator: Initiator, command: &Command) -> bool {
        let other = |holder: Option<Initiator>| holder.is_some_and(|holder| holder != initiator);
        if !other(self.simple) && !other(self.holder.map(|(holder, _)| holder)) {
            return false;
        }
        !matches!(
            command,
            Command::Inquiry { .. }
                | Command::ReportLuns { .. }
                | Command::RequestSense { .. }
                | Command::TestUnitReady
                | Command::Release(_)
                | Command::PersistentReserveIn { .. }
                | Command::PersistentReserveOut { .. }
                | Command::PreventRemoval { prevent: false }
                | Command::LogSense { .. }
                | Command::ReadAttribute { .. }
                | Command::ReportSupportedOpcodes { .. }
                | Command::ReportDensitySupport { .. }
        )
    }

    /// Carries out the commands that reserve and release; `None` for all others.
    pub(crate) fn carry_out(
        &mut self,
        attentions: &mut Attentions,
        context: &Context<'_, '_>,
        command: Command,
    ) -> Option<Outcome> {
        Some(match command {
            Command::Reserve(_) => self.reserve(context.initiator),
            Command::Release(_) => self.release(context.initiator),
            Command::PersistentReserveIn { service_action, .. } => self.report(service_action),
            Command::PersistentReserveOut { service_action, scope_type, length } => {
                self.persistent_out(attentions, context, service_action, scope_type & 0xF, length)
            }
            _ => return None,
        })
    }

    fn persistent_out(
        &mut self,
        attentions: &mut Attentions,
        context: &Context<'_, '_>,
        service_action: u8,
        kind: u8,
        length: u32,
    ) -> Outcome {
        let parameters = OutParameters::decode(parameters(context, length)?);
        let parameters = parameters.map_err(|_| parameter_length())?;
        let action = ServiceAction::from_number(service_action);
        self.change(attentions, context.initiator, action, kind, &parameters)
    }

    fn reserve(&mut self, initiator: Initiator) -> Outcome {
        match self.simple {
            Some(holder) if holder != initiator => Err(Refusal::ReservationConflict),
            _ => {
                self.simple = Some(initiator);
                Ok(Answer::Done)
            }
        }
    }

    fn release(&mut self, initiator: Initiator) -> Outcome {
        if self.simple == Some(initiator) {
            self.simple = None;
        }
        Ok(Answer::Done)
    }

    /// PERSISTENT RESERVE IN.
    fn report(&self, service_action: u8) -> Outcome {
        let generation = self.generation;
        Ok(Answer::Data(match service_action {
            0 => KeysReport { generation, keys: self.keys.values().copied().collect() }.encode(),
            1 => {
                let held =
                    self.holder.and_then(|(holder, kind)| Some((*self.keys.get(&holder)?, kind)));
                ReservationReport { generation, held }.encode()
            }
            _ => return Err(invalid_field()),
        }))
    }

    /// PERSISTENT RESERVE OUT.
    fn change(
        &mut self,
        attentions: &mut Attentions,
        initiator: Initiator,
        action: Option<ServiceAction>,
        kind: u8,
        parameters: &OutParameters,
    ) -> Outcome {
        let registered = self.keys.get(&initiator).copied();
        match action.ok_or_else(invalid_field)? {
            ServiceAction::RegisterAndIgnore => self.register(initiator, parameters.new_key),
            ServiceAction::Register if registered.unwrap_or(0) == parameters.key => {
                self.register(initiator, parameters.new_key);
            }
            _ if registered != Some(parameters.key) => return Err(Refusal::ReservationConflict),
            ServiceAction::Register => return Err(Refusal::ReservationConflict),
            ServiceAction::Reserve => match self.holder {
                Some(holder) if holder != (initiator, kind) => {
                    return Err(Refusal::ReservationConflict);
                }
                _ => self.holder = Some((initiator, kind)),
            },
            ServiceAction::Release => match self.holder {
                Some((holder, held)) if holder == initiator && held != kind => {
                    return Err(check(SenseKey::IllegalRequest, 0x26, 0x04));
                }
                Some((holder, _)) if holder == initiator => self.holder = None,
                _ => {}
            },
            ServiceAction::Clear => self.clear(attentions, initiator),
            ServiceAction::Preempt => {
                self.preempt(attentions, initiator, parameters.new_key, kind);
            }
        }
        Ok(Answer::Done)
    }

    fn register(&mut self, initiator: Initiator, key: u64) {
        self.generation = self.generation.wrapping_add(1);
        if key != 0 {
            self.keys.insert(initiator, key);
            return;
        }
        self.keys.remove(&initiator);
        if self.holder.is_some_and(|(holder, _)| holder == initiator) {
            self.holder = None;
        }
    }

    fn clear(&mut self, attentions: &mut Attentions, initiator: Initiator) {
        attentions.raise(0x2A, 0x03, |one| one != initiator && self.keys.contains_key(&one));
        self.keys.clear();
        self.holder = None;
        self.generation = self.generation.wrapping_add(1);
    }

    fn preempt(&mut self, attentions: &mut Attentions, initiator: Initiator, key: u64, kind: u8) {
        let has_key = |one: &Initiator| self.keys.get(one) == Some(&key);
        attentions.raise(0x2A, 0x05, |one| one != initiator && has_key(&one));
        let is_victim = self.holder.is_some_and(|(holder, _)| has_key(&holder));
        self.keys.retain(|holder, held| *holder == initiator || *held != key);
        if is_victim {
            self.holder = Some((initiator, kind));
        }
        self.generation = self.generation.wrapping_add(1);
    }

    /// The device was reset; what is persistent stays.
    pub(crate) fn reset(&mut self) {
        self.simple = None;
    }

    /// The initiator's port is gone; what is persistent stays.
    pub(crate) fn forget(&mut self, initiator: Initiator) {
        if self.simple == Some(initiator) {
            self.simple = None;
        }
    }
}
