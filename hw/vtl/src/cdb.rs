//! What an entry of the ring does not say of its command: how long the CDB is, and which way the data go.

use reel_hw::scsi::DeviceType;
use reel_hw::scsi::cdb::cdb_length;

/// The opcode whose CDB tells its own length.
const VARIABLE_LENGTH: u8 = 0x7F;

/// Opcodes of either device type whose data, if there are any, go to the device.
const DATA_OUT: &[u8] = &[
    0x04, // FORMAT MEDIUM
    0x0A, // WRITE(6)
    0x13, // VERIFY(6), which compares
    0x15, // MODE SELECT(6)
    0x16, // RESERVE(6)
    0x18, // COPY
    0x1D, // SEND DIAGNOSTIC
    0x39, // COMPARE
    0x3A, // COPY AND VERIFY
    0x3B, // WRITE BUFFER
    0x4C, // LOG SELECT
    0x55, // MODE SELECT(10)
    0x56, // RESERVE(10)
    0x5F, // PERSISTENT RESERVE OUT
    0x83, // EXTENDED COPY
    0x8A, // WRITE(16)
    0x8D, // WRITE ATTRIBUTE
    0x8F, // VERIFY(16)
    0xA4, // MAINTENANCE OUT, with GENERATE RECOMMENDED ACCESS ORDER
];

/// SECURITY PROTOCOL OUT of a drive; a changer has REQUEST VOLUME ELEMENT ADDRESS there.
const SECURITY_PROTOCOL_OUT: u8 = 0xB5;
/// SEND VOLUME TAG of a changer.
const SEND_VOLUME_TAG: u8 = 0xB6;

/// Bytes of a CDB, from its first eight. The kernel hands over just as many.
pub(crate) fn length(head: &[u8; 8]) -> usize {
    match head[0] {
        VARIABLE_LENGTH => usize::from(head[7]) + 8,
        opcode => cdb_length(opcode),
    }
}

/// Whether a command sends data.
pub(crate) fn sends_data(device: DeviceType, opcode: u8) -> bool {
    match device {
        DeviceType::Tape if opcode == SECURITY_PROTOCOL_OUT => true,
        DeviceType::Changer if opcode == SEND_VOLUME_TAG => true,
        _ => DATA_OUT.contains(&opcode),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cdbs_are_as_long_as_their_group_or_they_themselves_say() {
        let length_of = |opcode| length(&[opcode, 0, 0, 0, 0, 0, 0, 24]);
        let opcodes = [0x00, 0x28, 0x55, 0x7F, 0x92, 0xB8, 0xC0, 0xE7];
        assert_eq!(opcodes.map(length_of), [6, 10, 10, 32, 16, 12, 10, 10]);
    }

    #[test]
    fn one_opcode_goes_both_ways() {
        assert!(sends_data(DeviceType::Tape, 0xB5) && !sends_data(DeviceType::Changer, 0xB5));
        assert!(sends_data(DeviceType::Tape, 0x0A) && !sends_data(DeviceType::Tape, 0x08));
        assert!(!sends_data(DeviceType::Tape, 0xA2) && !sends_data(DeviceType::Changer, 0xB8));
    }
}
