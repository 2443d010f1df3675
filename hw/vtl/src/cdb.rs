//! What an entry of the ring does not say of its command: how long the CDB is.

use reel_hw::scsi::cdb::cdb_length;

/// The opcode whose CDB tells its own length.
const VARIABLE_LENGTH: u8 = 0x7F;

/// Bytes of a CDB, from its first eight. The kernel hands over just as many.
pub(crate) fn length(head: &[u8; 8]) -> usize {
    match head[0] {
        VARIABLE_LENGTH => usize::from(head[7]) + 8,
        opcode => cdb_length(opcode),
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
}
