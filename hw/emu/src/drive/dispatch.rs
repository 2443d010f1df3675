//! Which command goes where.

use reel_hw::scsi::{Command, DeviceType};

use super::{Context, Drive};
use crate::answer::{Answer, Outcome, unknown_command};
use crate::opcodes;

/// Whether a command answers before it is done.
pub(super) fn is_immediate(command: Command) -> bool {
    matches!(
        command,
        Command::Rewind { immediate: true }
            | Command::Locate10 { immediate: true, .. }
            | Command::Locate16 { immediate: true, .. }
            | Command::Erase { immediate: true, .. }
            | Command::FormatMedium { immediate: true, .. }
            | Command::LoadUnload { immediate: true, .. }
    ) || matches!(command, Command::Verify { flags, .. } if flags & 0x04 != 0)
}

/// Whether a command needs neither the tape nor what is done with it, so that it is answered at once.
pub(super) fn needs_no_tape(command: Command) -> bool {
    matches!(
        command,
        Command::Inquiry { .. }
            | Command::ReportLuns { .. }
            | Command::RequestSense { .. }
            | Command::LogSense { .. }
            | Command::ModeSense { .. }
            | Command::ReadBlockLimits
            | Command::PersistentReserveIn { .. }
            | Command::PersistentReserveOut { .. }
            | Command::ReportSupportedOpcodes { .. }
    )
}

impl Drive {
    pub(super) fn dispatch(&mut self, context: &mut Context<'_, '_>, command: Command) -> Outcome {
        let outcome = self
            .tape_command(context, command)
            .or_else(|| self.medium_command(context, command))
            .or_else(|| self.setting_command(context, command))
            .or_else(|| self.hosts.carry_out(context, command))
            .or_else(|| self.report_command(command));
        outcome.unwrap_or_else(|| Err(unknown_command()))
    }

    /// What moves data or tape.
    fn tape_command(&mut self, context: &mut Context<'_, '_>, command: Command) -> Option<Outcome> {
        Some(match command {
            Command::Read { fixed, suppress_length, length } => {
                self.read(context, fixed, suppress_length, length)
            }
            Command::Write { fixed, length } => self.write(context, fixed, length),
            Command::Verify { flags, length } => self.verify(context, flags, length),
            Command::WriteFilemarks { immediate, count } => self.write_filemarks(immediate, count),
            Command::Rewind { .. } => self.rewind(),
            Command::Space6 { code, count } => self.space(code, i64::from(count)),
            Command::Space16 { code, count } => self.space(code, count),
            Command::Locate10 { object, .. } => self.locate_object(u64::from(object)),
            Command::Locate16 { partition, target, .. } => self.locate(partition, target),
            Command::Erase { long, .. } => self.erase(long),
            Command::FormatMedium { format, .. } => self.format(format),
            Command::AllowOverwrite { allow, partition, object } => {
                self.allow_overwrite(allow, partition, object)
            }
            _ => return None,
        })
    }

    /// What is about the medium as a whole.
    fn medium_command(
        &mut self,
        context: &mut Context<'_, '_>,
        command: Command,
    ) -> Option<Outcome> {
        Some(match command {
            Command::TestUnitReady => self.ready().map(|_| Answer::Done),
            Command::LoadUnload { load: true, hold, retension, .. } => {
                self.load(context.initiator, hold, retension)
            }
            Command::LoadUnload { .. } => self.unload(),
            Command::ReadAttribute { service_action, partition, first, .. } => {
                self.read_attribute(service_action, partition, first)
            }
            Command::WriteAttribute { partition, length, .. } => {
                self.write_attribute(context, partition, length)
            }
            Command::GenerateAccessOrder { process, kind, length } => {
                self.generate_order(context, process, kind, length)
            }
            Command::ReceiveAccessOrder { limits, offset, kind, .. } => {
                self.receive_order(limits, offset, kind)
            }
            Command::ReadEndOfWrapPosition { wrap, all, .. } => self.wrap_ends(wrap, all),
            Command::ReadPosition { service_action, .. } => self.read_position(service_action),
            _ => return None,
        })
    }

    /// What sets the drive.
    fn setting_command(
        &mut self,
        context: &mut Context<'_, '_>,
        command: Command,
    ) -> Option<Outcome> {
        Some(match command {
            Command::ModeSelect { form, length, page_format, save } => {
                self.mode_select(context, form, (page_format, save), length)
            }
            Command::LogSelect { reset, page, subpage, length, .. } => {
                self.log_select(context.initiator, reset, (page, subpage), length)
            }
            Command::SecurityProtocolOut { protocol, page, length } => {
                self.security_out(context, protocol, page, length)
            }
            Command::SendDiagnostic { self_test, length } => {
                self.send_diagnostic(context, self_test, length)
            }
            _ => return None,
        })
    }

    /// What only tells.
    fn report_command(&mut self, command: Command) -> Option<Outcome> {
        Some(match command {
            Command::Inquiry { page, .. } => self.inquiry(page),
            Command::ReportLuns { select, .. } => opcodes::report_luns(select),
            Command::ReportSupportedOpcodes {
                timeouts, options, opcode, service_action, ..
            } => {
                let all = opcodes::of_drive(&self.model);
                opcodes::report(DeviceType::Tape, &all, timeouts, options, (opcode, service_action))
            }
            Command::ReadBlockLimits => self.block_limits(),
            Command::ReportDensitySupport { medium, .. } => self.density_support(medium),
            Command::ModeSense { form, no_descriptor, control, page, subpage, .. } => {
                self.mode_sense(form, no_descriptor, control, (page, subpage))
            }
            Command::LogSense { page, subpage, pointer, .. } => {
                self.log_sense(page, subpage, pointer)
            }
            Command::ReceiveDiagnostic { page, .. } => self.receive_diagnostic(page),
            Command::SecurityProtocolIn { protocol, page, .. } => self.security_in(protocol, page),
            _ => return None,
        })
    }
}
