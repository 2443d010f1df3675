//! The way of a command through the library.
//!
//! What a command does is done under the library's lock; the time that it takes is waited for outside, so that the
//! robot moves while a drive rewinds.

use std::io;
use std::time::Duration;

use reel_hw::scsi::{Cdb, Command, Condition, DeviceType, SenseFormat};
use reel_hw::transport::{Data, Reply, TransportError};

use super::{Device, EmulatedLibrary, State};
use crate::answer::{Outcome, Refusal, reply};
use crate::drive::{Context, Drive};
use crate::fault::{Fault, Vanish};
use crate::initiator::Initiator;
use crate::time::clock::after;

const READ: u8 = 0x08;
const WRITE: u8 = 0x0A;

impl EmulatedLibrary {
    pub(crate) fn execute(
        &self,
        device: Device,
        initiator: Initiator,
        cdb: &Cdb,
        data: Data<'_>,
        timeout: Duration,
    ) -> Result<Reply, TransportError> {
        let limit = self.clock().map(|clock| clock.now().saturating_add(timeout));
        loop {
            let mut state = self.lock();
            let Some(free_s) = state.queue(device, cdb) else {
                let (answer, until_s) = state.execute(device, initiator, cdb, data);
                drop(state);
                self.wait(until_s, limit, timeout)?;
                return answer;
            };
            drop(state);
            self.wait(Some(free_s), limit, timeout)?;
        }
    }

    /// Waits until an instant, s on the clock, but no longer than up to a limit.
    fn wait(
        &self,
        until_s: Option<f64>,
        limit: Option<Duration>,
        timeout: Duration,
    ) -> Result<(), TransportError> {
        let (Some(clock), Some(until_s), Some(limit)) = (self.clock(), until_s, limit) else {
            return Ok(());
        };
        let until = after(until_s);
        clock.wait_until(until.min(limit));
        if until > limit {
            return Err(TransportError::TimedOut { limit: timeout });
        }
        Ok(())
    }

    pub(crate) fn forget(&self, device: Device, initiator: Initiator) {
        let mut state = self.lock();
        let hosts = match device {
            Device::Changer => Some(&mut state.robot.hosts),
            Device::Drive(number) => {
                state.elements.bays.get_mut(number).map(|bay| &mut bay.drive.hosts)
            }
        };
        if let Some(hosts) = hosts {
            hosts.forget(initiator);
        }
    }
}

impl State {
    /// Until when a command waits for another, s on the clock.
    fn queue(&self, device: Device, cdb: &Cdb) -> Option<f64> {
        let Device::Drive(number) = device else { return None };
        let command = Command::from_cdb(DeviceType::Tape, cdb);
        self.elements.bays.get(number)?.drive.queue(command)
    }

    /// Carries out a command. Returns also until when the host waits for the answer, s on the clock.
    fn execute(
        &mut self,
        device: Device,
        initiator: Initiator,
        cdb: &Cdb,
        mut data: Data<'_>,
    ) -> (Result<Reply, TransportError>, Option<f64>) {
        let planned = self.faults.next();
        if planned.vanish == Some(Vanish::Before) {
            self.faults.set_gone(device, true);
        }
        if self.faults.is_gone(device) {
            return (Err(TransportError::Gone), None);
        }
        let (outcome, until_s) =
            self.dispatch(device, initiator, cdb, data.reborrow(), planned.fault);
        if let Err(error) = self.keep() {
            return (Err(TransportError::System(io::Error::other(error))), until_s);
        }
        if planned.vanish == Some(Vanish::After) {
            self.faults.set_gone(device, true);
            return (Err(TransportError::Gone), until_s);
        }
        let Some(outcome) = outcome else { return (Err(TransportError::Gone), until_s) };
        let reply = reply(outcome, self.sense_format(device), data.reborrow());
        let Ok(mut reply) = reply else { return (reply, until_s) };
        if reply.transferred > 0 {
            self.flip_to_host(device, cdb, &mut data);
        }
        if let Some(garbage) = planned.garbage {
            garbage.spoil(&mut reply, &mut data);
        }
        (Ok(reply), until_s)
    }

    /// Gives a command to its device; `None` where there is no such device.
    fn dispatch(
        &mut self,
        device: Device,
        initiator: Initiator,
        cdb: &Cdb,
        data: Data<'_>,
        fault: Option<Fault>,
    ) -> (Option<Outcome>, Option<f64>) {
        match device {
            Device::Changer => self.ask_robot(initiator, cdb, data, fault),
            Device::Drive(number) => self.ask_drive(number, initiator, cdb, data, fault),
        }
    }

    fn ask_robot(
        &mut self,
        initiator: Initiator,
        cdb: &Cdb,
        mut data: Data<'_>,
        fault: Option<Fault>,
    ) -> (Option<Outcome>, Option<f64>) {
        if let Some(fault) = fault {
            if fault.resets() {
                self.robot.hosts.reset(Some(initiator));
            }
            return (Some(Err(Refusal::Check(fault.sense))), None);
        }
        self.robot.shuttle.begin();
        let begun_s = self.robot.shuttle.at_s();
        let mut context = Context { initiator, data: &mut data };
        let outcome = self.robot.execute(&mut self.elements, &mut context, cdb);
        if self.robot.shuttle.at_s() <= begun_s {
            return (Some(outcome), None);
        }
        (Some(outcome), self.robot.shuttle.finish())
    }

    fn ask_drive(
        &mut self,
        number: usize,
        initiator: Initiator,
        cdb: &Cdb,
        data: Data<'_>,
        fault: Option<Fault>,
    ) -> (Option<Outcome>, Option<f64>) {
        let flip = match (cdb.opcode(), &data) {
            (WRITE, Data::Out(_)) if fault.is_none() => self.faults.flip(number, true),
            _ => None,
        };
        let Some(bay) = self.elements.bays.get_mut(number) else { return (None, None) };
        if let Some(fault) = fault {
            return (Some(fail(&mut bay.drive, initiator, fault, cdb.opcode())), None);
        }
        let mut bytes = Vec::new();
        let mut data = match (flip, data) {
            (Some(flip), Data::Out(sent)) => {
                bytes.extend_from_slice(sent);
                flip.apply(&mut bytes);
                Data::Out(&bytes)
            }
            (_, data) => data,
        };
        let mut context = Context { initiator, data: &mut data };
        let outcome = bay.drive.execute(&mut context, cdb);
        if flip.is_some() && took_data(&outcome) {
            self.faults.take_flip(number, true);
        }
        (Some(outcome), bay.drive.clockwork.take_wait())
    }

    fn flip_to_host(&mut self, device: Device, cdb: &Cdb, data: &mut Data<'_>) {
        let (Device::Drive(number), READ, Data::In(buffer)) = (device, cdb.opcode(), data) else {
            return;
        };
        if let Some(flip) = self.faults.take_flip(number, false) {
            flip.apply(buffer);
        }
    }

    fn sense_format(&self, device: Device) -> SenseFormat {
        let Device::Drive(number) = device else { return SenseFormat::Fixed };
        let bay = self.elements.bays.get(number);
        bay.map_or(SenseFormat::Fixed, |bay| bay.drive.sense_format())
    }
}

/// What a planned failure does to a drive.
fn fail(drive: &mut Drive, initiator: Initiator, fault: Fault, opcode: u8) -> Outcome {
    if fault.resets() {
        drive.reset(Some(initiator));
    } else if fault.loses_buffer() {
        drive.lose_buffer();
    }
    drive.complain(&fault.sense, opcode);
    Err(Refusal::Check(fault.sense))
}

/// Whether the drive got as far as to look at the data that came with a write.
fn took_data(outcome: &Outcome) -> bool {
    match outcome {
        Ok(_) => true,
        Err(Refusal::Check(sense)) => sense.condition() == Condition::GuardCheckFailed,
        Err(_) => false,
    }
}
