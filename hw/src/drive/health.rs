//! How well a drive and its medium do: what both counted, and what the drive complains of.

use crate::drive::TapeAlerts;
use crate::scsi::log::{ErrorCounters, VolumeStatisticsPage};

/// How urgently a drive asks for a cleaning cartridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CleaningRequest {
    /// When there is time: TapeAlert 15h.
    Soon,
    /// Before it goes on: TapeAlert 14h.
    Now,
}

/// What a drive did in its life; `None` where it does not tell (page 14h, SSC-5 §8.2.7).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DriveLife {
    /// Media loaded.
    pub loads: Option<u64>,
    /// Times that it was cleaned.
    pub cleanings: Option<u64>,
    /// Hours that it had power.
    pub power_on_hours: Option<u64>,
    /// Hours that it moved tape.
    pub motion_hours: Option<u64>,
    /// Hours that it moved tape since it was last cleaned.
    pub motion_hours_since_cleaning: Option<u64>,
    /// Write errors that were not corrected.
    pub hard_write_errors: Option<u64>,
    /// Read errors that were not corrected.
    pub hard_read_errors: Option<u64>,
}

/// One look at the health of a drive and of the medium in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DriveHealth {
    /// Serial number of the drive, where it has one.
    pub serial: Option<String>,
    /// The alerts that are set. Looking clears none.
    pub alerts: TapeAlerts,
    /// Whether it asks to be cleaned.
    pub cleaning: Option<CleaningRequest>,
    /// What it did in its life.
    pub life: DriveLife,
    /// Errors on writing, since the drive last set its counters back.
    pub write: ErrorCounters,
    /// Errors on reading, since the drive last set its counters back.
    pub read: ErrorCounters,
    /// What was counted in the medium's life; none without a medium that is ready.
    pub volume: Option<VolumeStatisticsPage>,
}
