//! Drives, changers and what lies in them.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{ChangerName, DriveName, Fingerprint, LabelText, MediaId, MediaSetId, PoolName};

/// A drive of `drive list`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DriveListEntry {
    /// Its name.
    pub name: DriveName,
    /// `virtual:FOLDER`, or the device's path.
    pub path: String,
    /// The changer that it is in.
    pub changer: Option<ChangerName>,
    /// Its number in there, where it isn't 0.
    pub changer_drivenum: Option<u64>,
    /// Who made it; only where it answers.
    pub vendor: Option<String>,
    /// What it is; only where it answers.
    pub model: Option<String>,
    /// Its serial number; only where it answers.
    pub serial: Option<String>,
    /// What it is held for, or the UPID of the task that holds it.
    pub state: Option<String>,
    /// What it is doing, as it says itself.
    pub activity: Option<String>,
}

/// The object of `drive config`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DriveConfigEntry {
    /// Its name.
    pub name: DriveName,
    /// `virtual:FOLDER`, or the device's path.
    pub path: String,
    /// The changer that it is in.
    pub changer: Option<ChangerName>,
    /// Its number in there, where it isn't 0.
    pub changer_drivenum: Option<u64>,
    /// How much fits on each new tape of a `virtual:` drive.
    pub max_size: Option<String>,
    /// Whether it is cleaned without a command when it asks for it; only where it is.
    pub auto_clean: Option<bool>,
}

/// The object of `drive status`; what belongs to the medium is absent without one.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DriveStatusEntry {
    /// Tape alerts, `(empty)` for none.
    pub alert_flags: Option<String>,
    /// Block of the position.
    pub block_number: Option<u64>,
    /// Block size in bytes; 0 is variable.
    pub blocksize: u64,
    /// Buffered mode of the drive.
    pub buffer_mode: u64,
    /// Bytes read from the medium in its life.
    pub bytes_read: Option<u64>,
    /// Bytes written to the medium in its life.
    pub bytes_written: Option<u64>,
    /// Whether the drive compresses.
    pub compression: bool,
    /// `LTO1` … `LTO9`, `LTO7M8`, `Unknown`.
    pub density: Option<String>,
    /// What the drive is doing.
    pub drive_activity: Option<String>,
    /// File of the position.
    pub file_number: Option<u64>,
    /// When the medium was made.
    pub manufactured: Option<i64>,
    /// Passes of the medium in its life.
    pub medium_passes: Option<u64>,
    /// How worn the medium is, 0 to 1.
    pub medium_wearout: Option<f64>,
    /// What the drive is.
    pub product: String,
    /// Its firmware.
    pub revision: String,
    /// Who made it.
    pub vendor: String,
    /// How often the medium was mounted.
    pub volume_mounts: Option<u64>,
    /// Whether the medium is write-protected.
    pub write_protect: Option<bool>,
}

/// The object of `tape-alert-flags`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AlertFlagsEntry {
    /// The names of the flags, `(empty)` for none.
    pub tape_alert_flags: String,
}

/// An entry of `changer list`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangerListEntry {
    /// Its name.
    pub name: ChangerName,
    /// The device's path.
    pub path: String,
    /// Slots that count as import/export slots.
    pub export_slots: Option<String>,
    /// Whether drives eject before an unload.
    pub eject_before_unload: Option<bool>,
    /// Who made it; only where it answers.
    pub vendor: Option<String>,
    /// What it is; only where it answers.
    pub model: Option<String>,
    /// Its serial number; only where it answers.
    pub serial: Option<String>,
}

/// The object of `changer config`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangerConfigEntry {
    /// Its name.
    pub name: ChangerName,
    /// The device's path.
    pub path: String,
    /// Whether drives eject before an unload.
    pub eject_before_unload: Option<bool>,
    /// Slots that count as import/export slots.
    pub export_slots: Option<String>,
}

/// A drive or slot of `changer status`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangerStatusEntry {
    /// `drive`, `slot` or `import-export`.
    pub entry_kind: String,
    /// Number of the drive (from 0) or slot (from 1).
    pub entry_id: u64,
    /// Bar code of what is in it, empty where it has none; absent where it is empty.
    pub label_text: Option<String>,
    /// Where the medium in a drive came from.
    pub loaded_slot: Option<u64>,
    /// What the drive is held for.
    pub state: Option<String>,
}

/// The object of `read-label`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LabelInfo {
    /// When the medium was labelled.
    pub ctime: i64,
    /// The key of the media set's content.
    pub encryption_key_fingerprint: Option<Fingerprint>,
    /// Its label.
    pub label_text: LabelText,
    /// When the medium joined its media set: the time in its set label.
    pub media_set_ctime: Option<i64>,
    /// Its media set.
    pub media_set_uuid: Option<MediaSetId>,
    /// Its pool.
    pub pool: Option<PoolName>,
    /// Its place in the media set, from 0.
    pub seq_nr: Option<u64>,
    /// Its identity.
    pub uuid: MediaId,
}

/// A medium of `inventory`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct InventoryEntry {
    /// Its label or bar code.
    pub label_text: LabelText,
    /// Its identity; null where it isn't known.
    pub uuid: Option<MediaId>,
}
