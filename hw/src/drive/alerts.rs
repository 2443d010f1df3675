//! What a drive complains of by itself: the TapeAlert flags (spec scsi.md §7, SSC-5 annex A).

use std::fmt;

/// The 64 TapeAlert flags; flag `n` (1 to 64) is bit `n - 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TapeAlerts(pub u64);

/// Flags after which neither medium nor drive is to be trusted.
const CRITICAL: [u8; 20] = [
    0x04, 0x05, 0x06, 0x09, 0x0E, 0x10, 0x16, 0x17, 0x1E, 0x1F, 0x21, 0x26, 0x29, 0x2D, 0x34, 0x35,
    0x36, 0x37, 0x38, 0x39,
];

/// Flags that say a medium is worn.
const MEDIA_LIFE: [u8; 2] = [0x07, 0x13];

/// Flags by which a drive asks for a cleaning cartridge.
const CLEANING_REQUEST: [u8; 2] = [0x14, 0x15];

impl TapeAlerts {
    /// The flags with these numbers; numbers outside 1 to 64 do not exist and are left out.
    pub fn from_flags(flags: &[u8]) -> Self {
        let known = flags.iter().filter(|flag| (1..=64).contains(*flag));
        Self(known.fold(0, |bits, flag| bits | 1 << (flag - 1)))
    }

    /// From the number that a drive sends, in which flag 1 is the highest bit.
    pub fn from_wire(bits: u64) -> Self {
        Self(bits.reverse_bits())
    }

    /// The number that a drive sends, in which flag 1 is the highest bit.
    pub fn to_wire(self) -> u64 {
        self.0.reverse_bits()
    }

    /// Whether no flag is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Numbers of the flags that are set, ascending.
    pub fn flags(self) -> impl Iterator<Item = u8> {
        (1..=64).filter(move |flag| self.0 & 1 << (flag - 1) != 0)
    }

    /// Names of the flags that are set, by ascending number; flags without a name are left out.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.flags().filter_map(Self::name)
    }

    /// The name that PBS gives to a flag.
    pub fn name(flag: u8) -> Option<&'static str> {
        let found = NAMES.binary_search_by_key(&flag, |(number, _)| *number).ok()?;
        NAMES.get(found).map(|(_, name)| *name)
    }

    /// Whether a flag is set after which the medium counts as damaged.
    pub fn is_critical(self) -> bool {
        self.has_any(&CRITICAL)
    }

    /// Whether the medium is worn, or soon will be.
    pub fn is_media_life(self) -> bool {
        self.has_any(&MEDIA_LIFE)
    }

    /// Whether the drive asks to be cleaned.
    pub fn wants_cleaning(self) -> bool {
        self.has_any(&CLEANING_REQUEST)
    }

    fn has_any(self, flags: &[u8]) -> bool {
        self.0 & Self::from_flags(flags).0 != 0
    }
}

impl fmt::Display for TapeAlerts {
    /// `CLEAN_NOW | CLEAN_PERIODIC`, or `(empty)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.names().collect();
        match names.as_slice() {
            [] => f.write_str("(empty)"),
            names => f.write_str(&names.join(" | ")),
        }
    }
}

/// Number and name of the flags that have one, ascending. 1Dh is spelled as PBS spells it.
const NAMES: &[(u8, &str)] = &[
    (0x01, "READ_WARNING"),
    (0x02, "WRITE_WARNING"),
    (0x03, "HARD_ERROR"),
    (0x04, "MEDIA"),
    (0x05, "READ_FAILURE"),
    (0x06, "WRITE_FAILURE"),
    (0x07, "MEDIA_LIFE"),
    (0x08, "NOT_DATA_GRADE"),
    (0x09, "WRITE_PROTECT"),
    (0x0A, "NO_REMOVAL"),
    (0x0B, "CLEANING_MEDIA"),
    (0x0C, "UNSUPPORTED_FORMAT"),
    (0x0D, "RECOVERABLE_MECHANICAL_CARTRIDGE_FAILURE"),
    (0x0E, "UNRECOVERABLE_SNAPPED_TAPE"),
    (0x0F, "MEMORY_CHIP_IN_CARTRIDGE_FAILURE"),
    (0x10, "FORCED_EJECT"),
    (0x11, "READ_ONLY_FORMAT"),
    (0x12, "TAPE_DIRECTORY_CORRUPTED"),
    (0x13, "NEARING_MEDIA_LIFE"),
    (0x14, "CLEAN_NOW"),
    (0x15, "CLEAN_PERIODIC"),
    (0x16, "EXPIRED_CLEANING_MEDIA"),
    (0x17, "INVALID_CLEANING_TAPE"),
    (0x18, "RETENSION_REQUEST"),
    (0x19, "HOST_CHANNEL_FAILURE"),
    (0x1A, "COOLING_FAN_FAILURE"),
    (0x1B, "POWER_SUPPLY_FAILURE"),
    (0x1C, "POWER_CONSUMPTION"),
    (0x1D, "DRIVE_MANTAINANCE"),
    (0x1E, "HARDWARE_A"),
    (0x1F, "HARDWARE_B"),
    (0x20, "INTERFACE"),
    (0x21, "EJECT_MEDIA"),
    (0x22, "DOWNLOAD_FAULT"),
    (0x23, "DRIVE_HUMIDITY"),
    (0x24, "DRIVE_TEMPERATURE"),
    (0x25, "DRIVE_VOLTAGE"),
    (0x26, "PREDICTIVE_FAILURE"),
    (0x27, "DIAGNOSTICS_REQUIRED"),
    (0x29, "LOADER_STRAY_TAPE"),
    (0x2A, "LOADER_HARDWARE"),
    (0x2D, "LOADER_MAGAZINE"),
    (0x31, "DIMINISHED_NATIVE_CAPACITY"),
    (0x32, "LOST_STATISTICS"),
    (0x33, "TAPE_DIRECTORY_INVALID_AT_UNLOAD"),
    (0x34, "TAPE_SYSTEM_AREA_WRITE_FAILURE"),
    (0x35, "TAPE_SYSTEM_AREA_READ_FAILURE"),
    (0x36, "NO_START_OF_DATA"),
    (0x37, "LOADING_FAILURE"),
    (0x38, "UNRECOVERABLE_UNLOAD_FAILURE"),
    (0x39, "AUTOMATION_INTERFACE_FAILURE"),
    (0x3A, "FIRMWARE_FAILURE"),
    (0x3B, "WORM_INTEGRITY_CHECK_FAILED"),
    (0x3C, "WORM_OVERWRITE_ATTEMPTED"),
    (0x3D, "ENCRYPTION_POLICY_VIOLATION"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_keep_their_numbers() {
        let alerts = TapeAlerts::from_flags(&[1, 0x14, 64, 0, 65]);
        assert_eq!(alerts.flags().collect::<Vec<_>>(), [1, 0x14, 64]);
        assert!(!alerts.is_critical());
        assert!(TapeAlerts::from_flags(&[0x39]).is_critical());
        assert!(TapeAlerts::default().is_empty());
    }

    #[test]
    fn names_are_in_order() {
        assert!(NAMES.is_sorted_by(|before, after| before.0 < after.0));
        assert_eq!(TapeAlerts::name(0x3D), Some("ENCRYPTION_POLICY_VIOLATION"));
        assert_eq!(TapeAlerts::name(0x28), None);
    }

    #[test]
    fn flags_print_as_names() {
        assert_eq!(TapeAlerts::default().to_string(), "(empty)");
        let alerts = TapeAlerts::from_flags(&[0x14, 0x15, 0x28]);
        assert_eq!(alerts.to_string(), "CLEAN_NOW | CLEAN_PERIODIC");
        assert_eq!(TapeAlerts::from_flags(&[0x28]).to_string(), "(empty)");
    }

    #[test]
    fn sets_do_not_mix() {
        assert!(TapeAlerts::from_flags(&[0x13]).is_media_life());
        assert!(TapeAlerts::from_flags(&[0x15]).wants_cleaning());
        assert!(!TapeAlerts::from_flags(&[0x13]).wants_cleaning());
        assert!(!TapeAlerts::from_flags(&[0x15]).is_media_life());
    }

    #[test]
    fn on_the_wire_flag_one_comes_first() {
        assert_eq!(TapeAlerts::from_flags(&[1]).to_wire(), 1 << 63);
        assert_eq!(
            TapeAlerts::from_wire(0x0000_1800_0000_0000),
            TapeAlerts::from_flags(&[0x14, 0x15])
        );
    }
}
