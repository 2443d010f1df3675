//! How drives and media do.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{DriveName, LabelText, MediaId};

/// A medium or cleaning cartridge of `media health`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MediaHealthEntry {
    /// What is wrong and what to do about it, the worst first.
    pub advice: Vec<String>,
    /// Bytes read in its life.
    pub bytes_read: Option<u64>,
    /// Bytes written in its life.
    pub bytes_written: Option<u64>,
    /// What was seen of it, oldest first; only where one is asked for.
    pub history: Option<Vec<HealthEntry>>,
    /// `data` or `cleaning`.
    pub kind: String,
    /// Its label, or the bar code of a cleaning cartridge.
    pub label_text: String,
    /// The drive that it was last seen in.
    pub last_drive: Option<DriveName>,
    /// When it was last seen in a drive.
    pub last_seen: Option<i64>,
    /// How often the tape passed the head where it passes most.
    pub medium_passes: Option<u64>,
    /// How worn it is, 0 to 1.
    pub medium_wearout: Option<f64>,
    /// Errors of its life that were corrected.
    pub recovered_errors: Option<u64>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Errors of its life that nothing corrected.
    pub unrecovered_errors: Option<u64>,
    /// Times that a cleaning cartridge was used.
    pub uses: Option<u64>,
    /// Times that a cleaning cartridge can still be used.
    pub uses_left: Option<u64>,
    /// Its identity.
    pub uuid: Option<MediaId>,
    /// `good`, `warn`, `replace`, or `unknown` for one that was not seen in a drive yet.
    pub verdict: String,
    /// How often it was mounted.
    pub volume_mounts: Option<u64>,
}

/// A drive of `drive health`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DriveHealthEntry {
    /// What is wrong and what to do about it, the worst first.
    pub advice: Vec<String>,
    /// Whether it is cleaned without a command when it asks for it.
    pub auto_clean: bool,
    /// `now` or `soon` where it asks to be cleaned.
    pub cleaning: Option<String>,
    /// Times that it was cleaned.
    pub drive_cleanings: Option<u64>,
    /// Media that it loaded.
    pub drive_loads: Option<u64>,
    /// Errors of its life on reading that were not corrected.
    pub hard_read_errors: Option<u64>,
    /// Errors of its life on writing that were not corrected.
    pub hard_write_errors: Option<u64>,
    /// What was seen of it, oldest first; only where one is asked for.
    pub history: Option<Vec<HealthEntry>>,
    /// When it was last looked at.
    pub last_seen: Option<i64>,
    /// Hours that it moved tape.
    pub motion_hours: Option<u64>,
    /// Hours that it moved tape since it was last cleaned.
    pub motion_hours_since_cleaning: Option<u64>,
    /// Its name.
    pub name: DriveName,
    /// Hours that it had power.
    pub power_on_hours: Option<u64>,
    /// Its serial number.
    pub serial: Option<String>,
    /// `good`, `warn`, `clean`, `replace`, or `unknown` for one that was not looked at yet.
    pub verdict: String,
}

/// One look at a drive and the medium in it, or one use of a cleaning cartridge.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HealthEntry {
    /// The tape alerts that were set, by name.
    pub alerts: Vec<String>,
    /// Bytes read in the medium's life.
    pub bytes_read: Option<u64>,
    /// Bytes written in the medium's life.
    pub bytes_written: Option<u64>,
    /// `now` or `soon` where the drive asked to be cleaned.
    pub cleaning: Option<String>,
    /// The drive.
    pub drive: DriveName,
    /// The label of the medium in it.
    pub label_text: Option<LabelText>,
    /// Passes of the medium over the head.
    pub medium_passes: Option<u64>,
    /// Errors on reading that were corrected, since the drive last set its counters back.
    pub read_corrected: Option<u64>,
    /// Errors on reading that were not corrected, since then.
    pub read_uncorrected: Option<u64>,
    /// When.
    pub time: i64,
    /// Errors of the medium's life that nothing corrected.
    pub unrecovered_errors: Option<u64>,
    /// Mounts of the medium.
    pub volume_mounts: Option<u64>,
    /// Errors on writing that were corrected, since the drive last set its counters back.
    pub write_corrected: Option<u64>,
    /// Errors on writing that were not corrected, since then.
    pub write_uncorrected: Option<u64>,
}
