//! What a drive says of itself and of its medium, in one look.

use crate::drive::{Position, TapeAlerts};

/// What `status` shows; what belongs to the medium is absent without one, or while the drive is busy.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DriveFacts {
    /// Who made it.
    pub vendor: String,
    /// What it is.
    pub product: String,
    /// Its firmware.
    pub revision: String,
    /// Block length in fixed mode; 0 for blocks of any length.
    pub block_length: u32,
    /// Whether it compresses.
    pub compression: bool,
    /// Buffered mode.
    pub buffer_mode: u8,
    /// Generation of the medium, such as `LTO8`.
    pub density: Option<String>,
    /// What it is doing, as it says itself.
    pub activity: Option<String>,
    /// How far it is with that, from 0 to 1. Drives tell it of calibrating and formatting, where they tell it at all.
    pub progress: Option<f64>,
    /// Whether the medium may not be written.
    pub write_protect: Option<bool>,
    /// The alerts that are set.
    pub alerts: Option<TapeAlerts>,
    /// Where the head is.
    pub position: Option<Position>,
    /// When the medium was made, in seconds since 1970.
    pub manufactured: Option<i64>,
    /// Bytes written in the medium's life.
    pub bytes_written: Option<u64>,
    /// Bytes read in the medium's life.
    pub bytes_read: Option<u64>,
    /// How often the tape passed the head where it passes most.
    pub medium_passes: Option<u64>,
    /// How often the medium was loaded.
    pub volume_mounts: Option<u64>,
}

/// Passes that a medium is made for.
const PASSES_OF_A_LIFE: f64 = 16_000.0;

impl DriveFacts {
    /// How much of the medium's life is used, from 0 to 1 and beyond.
    pub fn wearout(&self) -> Option<f64> {
        self.medium_passes.map(|passes| passes as f64 / PASSES_OF_A_LIFE)
    }
}
