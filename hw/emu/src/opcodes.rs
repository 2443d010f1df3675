//! What a device says of the commands it knows: REPORT SUPPORTED OPERATION CODES, and REPORT LUNS.

use reel_hw::scsi::cursor::Writer;
use reel_hw::scsi::{Cdb, Command, DeviceType};

use crate::answer::{Answer, Outcome, invalid_field};
use crate::model::DriveModel;

/// A command that a device knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opcode {
    code: u8,
    service_action: Option<u8>,
    /// How long it takes at most, s.
    timeout_s: u32,
}

const fn plain(code: u8, timeout_s: u32) -> Opcode {
    Opcode { code, service_action: None, timeout_s }
}

const fn with_action(code: u8, action: u8, timeout_s: u32) -> Opcode {
    Opcode { code, service_action: Some(action), timeout_s }
}

/// What every device knows.
const COMMON: [Opcode; 13] = [
    plain(0x00, 60),
    plain(0x03, 60),
    plain(0x12, 60),
    plain(0x16, 60),
    plain(0x17, 60),
    plain(0x1A, 60),
    plain(0x1E, 60),
    plain(0x56, 60),
    plain(0x57, 60),
    plain(0x5A, 60),
    plain(0x5E, 60),
    plain(0x5F, 60),
    plain(0xA0, 60),
];

/// What a drive knows beyond that, with the vendors' times (spec scsi.md §15).
const DRIVE: [Opcode; 27] = [
    plain(0x01, 600),
    plain(0x04, 3000),
    plain(0x05, 60),
    plain(0x08, 2340),
    plain(0x0A, 1500),
    plain(0x10, 1620),
    plain(0x11, 2940),
    plain(0x13, 2340),
    plain(0x15, 60),
    plain(0x19, 74341),
    plain(0x1B, 960),
    plain(0x1C, 60),
    plain(0x1D, 2100),
    plain(0x2B, 2940),
    plain(0x34, 60),
    plain(0x44, 60),
    plain(0x4C, 60),
    plain(0x4D, 60),
    plain(0x55, 60),
    plain(0x82, 60),
    plain(0x8C, 60),
    plain(0x8D, 60),
    plain(0x91, 2940),
    plain(0x92, 2940),
    plain(0xA2, 60),
    plain(0xB5, 60),
    with_action(0xA3, 0x0C, 60),
];

const ORDER: [Opcode; 2] = [with_action(0xA3, 0x1D, 60), with_action(0xA4, 0x1D, 600)];
const WRAPS: [Opcode; 1] = [with_action(0xA3, 0x1F, 60)];

/// What a changer knows beyond what every device does.
const CHANGER: [Opcode; 11] = [
    plain(0x07, 1800),
    plain(0x1B, 60),
    plain(0x1D, 60),
    plain(0x2B, 300),
    plain(0x37, 1800),
    with_action(0xA3, 0x0C, 60),
    plain(0xA5, 300),
    plain(0xA6, 600),
    plain(0xB5, 60),
    plain(0xB8, 300),
    plain(0xE7, 1800),
];

/// The commands of a drive.
pub(crate) fn of_drive(model: &DriveModel) -> Vec<Opcode> {
    let order = ORDER.iter().filter(|_| model.orders_access());
    let wraps = WRAPS.iter().filter(|_| model.tells_wraps());
    sorted(COMMON.iter().chain(&DRIVE).chain(order).chain(wraps).copied())
}

/// The commands of a changer.
pub(crate) fn of_changer() -> Vec<Opcode> {
    sorted(COMMON.iter().chain(&CHANGER).copied())
}

fn sorted(opcodes: impl Iterator<Item = Opcode>) -> Vec<Opcode> {
    let mut all: Vec<_> = opcodes.collect();
    all.sort_by_key(|opcode| (opcode.code, opcode.service_action));
    all
}

/// REPORT SUPPORTED OPERATION CODES (SPC-5 §6.35): all, or one of them.
pub(crate) fn report(
    device: DeviceType,
    all: &[Opcode],
    timeouts: bool,
    options: u8,
    (code, action): (u8, u16),
) -> Outcome {
    let same_code: Vec<_> = all.iter().filter(|one| one.code == code).collect();
    let has_actions = same_code.iter().any(|one| one.service_action.is_some());
    let by_action =
        || same_code.iter().find(|one| one.service_action.map(u16::from) == Some(action));
    let found = match options {
        0 => return Ok(Answer::Data(report_all(all, timeouts))),
        1 if has_actions => return Err(invalid_field()),
        2 if !has_actions && !same_code.is_empty() => return Err(invalid_field()),
        1 => same_code.first(),
        2 => by_action(),
        3 if has_actions => by_action(),
        3 => same_code.first().filter(|_| action == 0),
        _ => return Err(invalid_field()),
    };
    Ok(Answer::Data(report_one(device, found.copied().copied(), timeouts)))
}

fn report_all(all: &[Opcode], timeouts: bool) -> Vec<u8> {
    let one = |writer: Writer, opcode: &Opcode| {
        let action = opcode.service_action;
        let flags = u8::from(timeouts) << 1 | u8::from(action.is_some());
        let descriptor = writer
            .u8(opcode.code)
            .u8(0)
            .u16(u16::from(action.unwrap_or(0)))
            .u8(0)
            .u8(flags)
            .u16(length(opcode.code) as u16);
        if timeouts { times(descriptor, opcode) } else { descriptor }
    };
    let list = all.iter().fold(Writer::new(), one).finish();
    Writer::new().u32(list.len() as u32).bytes(&list).finish()
}

fn report_one(device: DeviceType, found: Option<Opcode>, timeouts: bool) -> Vec<u8> {
    const NOT_SUPPORTED: u8 = 1;
    const AS_IN_THE_STANDARD: u8 = 3;
    let Some(opcode) = found else {
        return Writer::new().u8(0).u8(NOT_SUPPORTED).u16(0).finish();
    };
    let usage = usage(device, opcode);
    let head = Writer::new()
        .u8(0)
        .u8(u8::from(timeouts) << 7 | AS_IN_THE_STANDARD)
        .u16(usage.len() as u16)
        .bytes(&usage);
    if timeouts { times(head, &opcode).finish() } else { head.finish() }
}

/// The command timeouts descriptor: nominal and recommended, s.
fn times(writer: Writer, opcode: &Opcode) -> Writer {
    writer.u16(0x0A).zeros(2).u32(opcode.timeout_s / 2).u32(opcode.timeout_s)
}

/// Which bits of a CDB mean something: those that change the command when they are set.
fn usage(device: DeviceType, opcode: Opcode) -> Vec<u8> {
    let mut blank = vec![0; length(opcode.code)];
    blank[0] = opcode.code;
    blank[1] = opcode.service_action.unwrap_or(0);
    let decode = |bytes: &[u8]| Cdb::new(bytes).and_then(|cdb| Command::from_cdb(device, &cdb));
    let plain = decode(&blank);
    let mut usage = blank.clone();
    for bit in 8..blank.len() * 8 {
        let mut flipped = blank.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if decode(&flipped).is_some_and(|command| Some(command) != plain) {
            usage[bit / 8] |= 1 << (bit % 8);
        }
    }
    usage
}

fn length(code: u8) -> usize {
    reel_hw::scsi::cdb::cdb_length(code)
}

/// REPORT LUNS: there is one, number 0. No well-known ones.
pub(crate) fn report_luns(select: u8) -> Outcome {
    let count = match select {
        0x00 | 0x02 => 1,
        0x01 => 0,
        _ => return Err(invalid_field()),
    };
    Ok(Answer::Data(Writer::new().u32(8 * count).zeros(4 + 8 * count as usize).finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_shows_the_fields_of_a_command() {
        let locate = usage(DeviceType::Tape, plain(0x2B, 0));
        assert_eq!(locate, [0x2B, 0x01, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0]);
        let order = usage(DeviceType::Tape, ORDER[1]);
        assert_eq!(order, [0xA4, 0x1D, 7, 7, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0]);
    }
}
