//! The limits by which health is judged, each with its reason.

/// Passes over the head that a medium is made for (spec scsi.md §7, "Drive status").
pub const PASSES_OF_A_LIFE: u64 = 16_000;

/// Loads that an LTO cartridge is specified for.
pub const MOUNTS_OF_A_LIFE: u64 = 20_000;

/// The share of a medium's life from which on it is told to be near its end, in percent: time enough to buy another
/// and to copy what is on it.
pub const WORN_PERCENT: u64 = 80;

/// Errors that nothing corrected, from which on a medium is to be replaced. A single one may be the drive's doing.
pub const UNRECOVERED_ERRORS_MAX: u64 = 3;

/// Datasets in a hundred that were written or read again, from which on a medium or its drive is doubtful. No standard
/// says how many are too many: this is where a change of magnitude shows.
pub const RECOVERED_PERCENT: u64 = 5;

/// Datasets (some 5 MB each) below which the share of those done again means nothing.
pub const DATASETS_MIN: u64 = 2_000;

/// Corrected errors for each GB from which on a drive is doubtful, by the same reason.
pub const CORRECTED_PER_GB: u64 = 10;

/// GB below which that number means nothing.
pub const GIGABYTES_MIN: u64 = 10;

/// How long an alert counts against a drive, in seconds: 90 days. A medium may lie on a shelf for years, so what was
/// told of it counts for as long as it is kept.
pub const DRIVE_REMEMBERS_S: i64 = 90 * 24 * 3600;

/// Drives, or media, that must have met the same trouble before it is the other's.
pub const WITNESSES: usize = 2;

/// Uses of a cleaning cartridge. PBS counts 2 % of wear for each (spec tape-state.md §13), which is what the universal
/// cartridge is made for.
pub const CLEANINGS_OF_A_LIFE: u64 = 50;

/// Uses left from which on a cleaning cartridge is told to be near its end.
pub const CLEANINGS_LEFT_FEW: u64 = 5;
