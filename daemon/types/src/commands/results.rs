//! What commands answer with: rows of listings and single objects, with exactly the keys that
//! PBS's tools print in JSON. The daemon makes them; `reelctl` and scripts read them.
//!
//! Times are seconds since 1970, sizes are bytes; absent values have no key, but where a field says
//! otherwise.

use serde::{Deserialize, Serialize};

use crate::{
    AuthId, BackupId, BackupTime, BackupType, ChangerName, DriveName, Fingerprint, LabelText,
    MediaId, MediaLocation, MediaSetId, MediaStatus, PoolName, StoreName,
};

/// A time in JSON: seconds since 1970.
mod epoch {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::BackupTime;

    pub(super) fn serialize<S: Serializer>(time: &BackupTime, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(time.epoch())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BackupTime, D::Error> {
        BackupTime::from_epoch(i64::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

/// A datastore of `datastore list`, or the object of `datastore show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DatastoreEntry {
    /// Its name.
    pub name: StoreName,
    /// The folder with its content.
    pub path: String,
    /// The operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// A key of `client-key list`; never the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClientKeyEntry {
    /// Which key it is.
    pub fingerprint: Fingerprint,
    /// The only datastore it is used for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreName>,
    /// The only media set it is used for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_set: Option<MediaSetId>,
    /// What reminds the owner of the passphrase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A file of `snapshot files`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SnapshotFileEntry {
    /// Name as stored: `drive-scsi0.img.fidx`.
    pub filename: String,
    /// `none`, `encrypt` or `sign-only`; absent for files that the manifest doesn't list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crypt_mode: Option<String>,
    /// Bytes of plain content; absent for files that the manifest doesn't list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// How the last verification of a snapshot ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VerifyState {
    /// `ok` or `failed`.
    pub state: String,
    /// The task that verified it.
    pub upid: String,
}

/// A snapshot of `snapshot list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SnapshotListItem {
    /// Type of its group.
    pub backup_type: BackupType,
    /// Id of its group.
    pub backup_id: BackupId,
    /// When it was made.
    #[serde(with = "epoch")]
    pub backup_time: BackupTime,
    /// First line of its notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Its files.
    pub files: Vec<SnapshotFileEntry>,
    /// The key that it is encrypted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// Who owns its group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AuthId>,
    /// Whether it is protected from deletion.
    pub protected: bool,
    /// Bytes of plain content of all files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// How its last verification ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<VerifyState>,
}

/// A group of `group list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GroupListItem {
    /// Its type.
    pub backup_type: BackupType,
    /// Its id.
    pub backup_id: BackupId,
    /// How many finished snapshots it has.
    pub backup_count: u64,
    /// First line of its notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Files of its newest snapshot, as stored.
    pub files: Vec<String>,
    /// Time of its newest snapshot.
    #[serde(with = "epoch")]
    pub last_backup: BackupTime,
    /// Who owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AuthId>,
}

/// The object of `snapshot notes show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SnapshotNotes {
    /// The notes, empty where there are none.
    pub notes: String,
}

/// The object of `snapshot protected show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SnapshotProtection {
    /// Whether it is protected from deletion.
    pub protected: bool,
}

/// A drive of `drive list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DriveListEntry {
    /// Its name.
    pub name: DriveName,
    /// `virtual:FOLDER`, or the device's path.
    pub path: String,
    /// The changer that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changer: Option<ChangerName>,
    /// Its number in there, where it isn't 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changer_drivenum: Option<u64>,
    /// Who made it; only where it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// What it is; only where it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its serial number; only where it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// What it is held for, or the UPID of the task that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What it is doing, as it says itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<String>,
}

/// An attribute of `cartridge-memory`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryEntry {
    /// Its number.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its value as text.
    pub value: String,
}

/// The object of `volume-statistics`; byte counters are in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VolumeStatisticsEntry {
    /// `beginning-of-medium-passes` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beginning_of_medium_passes: Option<u64>,
    /// `last-load-read-compression-ratio` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_load_read_compression_ratio: Option<u64>,
    /// `last-load-write-compression-ratio` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_load_write_compression_ratio: Option<u64>,
    /// `last-mount-bytes-read` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_mount_bytes_read: Option<u64>,
    /// `last-mount-bytes-written` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_mount_bytes_written: Option<u64>,
    /// `last-mount-unrecovered-read-errors` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_mount_unrecovered_read_errors: Option<u64>,
    /// `last-mount-unrecovered-write-errors` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_mount_unrecovered_write_errors: Option<u64>,
    /// `lifetime-bytes-read` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_bytes_read: Option<u64>,
    /// `lifetime-bytes-written` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_bytes_written: Option<u64>,
    /// `medium-mount-time` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium_mount_time: Option<u64>,
    /// `medium-ready-time` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium_ready_time: Option<u64>,
    /// `middle-of-tape-passes` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub middle_of_tape_passes: Option<u64>,
    /// `serial` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// `total-native-capacity` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_native_capacity: Option<u64>,
    /// `total-used-native-capacity` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_used_native_capacity: Option<u64>,
    /// `volume-datasets-read` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_datasets_read: Option<u64>,
    /// `volume-datasets-written` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_datasets_written: Option<u64>,
    /// `volume-mounts` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_mounts: Option<u64>,
    /// `volume-recovered-read-errors` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_recovered_read_errors: Option<u64>,
    /// `volume-recovered-write-data-errors` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_recovered_write_data_errors: Option<u64>,
    /// `volume-unrecovered-read-errors` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_unrecovered_read_errors: Option<u64>,
    /// `volume-unrecovered-write-data-errors` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_unrecovered_write_data_errors: Option<u64>,
    /// `volume-unrecovered-write-servo-errors` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_unrecovered_write_servo_errors: Option<u64>,
    /// `volume-write-servo-errors` of spec scsi.md §7.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_write_servo_errors: Option<u64>,
    /// Whether the medium is written once.
    pub worm: bool,
    /// Whether the medium may not be written.
    pub write_protect: bool,
}

/// The object of `tape-alert-flags`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AlertFlagsEntry {
    /// The names of the flags, `(empty)` for none.
    pub tape_alert_flags: String,
}

/// An entry of `drive scan` and `changer scan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ScanEntry {
    /// `tape` or `changer`.
    pub kind: String,
    /// Major number of the generic node.
    pub major: u64,
    /// Minor number of the generic node.
    pub minor: u64,
    /// What it is.
    pub model: String,
    /// The path to configure.
    pub path: String,
    /// Its serial number.
    pub serial: String,
    /// Who made it.
    pub vendor: String,
}

/// An entry of `changer list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangerListEntry {
    /// Its name.
    pub name: ChangerName,
    /// The device's path.
    pub path: String,
    /// Slots that count as import/export slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_slots: Option<String>,
    /// Whether drives eject before an unload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eject_before_unload: Option<bool>,
    /// Who made it; only where it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// What it is; only where it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its serial number; only where it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
}

/// The object of `changer config`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangerConfigEntry {
    /// Its name.
    pub name: ChangerName,
    /// The device's path.
    pub path: String,
    /// Whether drives eject before an unload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eject_before_unload: Option<bool>,
    /// Slots that count as import/export slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_slots: Option<String>,
}

/// The object of `drive config`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DriveConfigEntry {
    /// Its name.
    pub name: DriveName,
    /// `virtual:FOLDER`, or the device's path.
    pub path: String,
    /// The changer that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changer: Option<ChangerName>,
    /// Its number in there, where it isn't 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changer_drivenum: Option<u64>,
    /// How much fits on each new tape of a `virtual:` drive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<String>,
}

/// The object of `drive status`; what belongs to the medium is absent without one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DriveStatusEntry {
    /// Tape alerts, `(empty)` for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_flags: Option<String>,
    /// Block of the position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_number: Option<u64>,
    /// Block size in bytes; 0 is variable.
    pub blocksize: u64,
    /// Buffered mode of the drive.
    pub buffer_mode: u64,
    /// Bytes read from the medium in its life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_read: Option<u64>,
    /// Bytes written to the medium in its life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_written: Option<u64>,
    /// Whether the drive compresses.
    pub compression: bool,
    /// `LTO1` … `LTO9`, `LTO7M8`, `Unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub density: Option<String>,
    /// What the drive is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drive_activity: Option<String>,
    /// File of the position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_number: Option<u64>,
    /// When the medium was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufactured: Option<i64>,
    /// Passes of the medium in its life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium_passes: Option<u64>,
    /// How worn the medium is, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium_wearout: Option<f64>,
    /// What the drive is.
    pub product: String,
    /// Its firmware.
    pub revision: String,
    /// Who made it.
    pub vendor: String,
    /// How often the medium was mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_mounts: Option<u64>,
    /// Whether the medium is write-protected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_protect: Option<bool>,
}

/// The object of `read-label`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LabelInfo {
    /// When the medium was labelled.
    pub ctime: i64,
    /// The key of the media set's content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_key_fingerprint: Option<Fingerprint>,
    /// Its label.
    pub label_text: LabelText,
    /// When the medium joined its media set: the time in its set label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_set_ctime: Option<i64>,
    /// Its media set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_set_uuid: Option<MediaSetId>,
    /// Its pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolName>,
    /// Its place in the media set, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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

/// A drive or slot of `changer status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChangerStatusEntry {
    /// `drive`, `slot` or `import-export`.
    pub entry_kind: String,
    /// Number of the drive (from 0) or slot (from 1).
    pub entry_id: u64,
    /// Bar code of what is in it, empty where it has none; absent where it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_text: Option<String>,
    /// Where the medium in a drive came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loaded_slot: Option<u64>,
    /// What the drive is held for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// A pool of `pool list`, or the object of `pool config`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PoolEntry {
    /// When a new media set begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocation: Option<String>,
    /// The operator's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The key that content is encrypted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encrypt: Option<Fingerprint>,
    /// Its name.
    pub name: PoolName,
    /// How long content is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<String>,
    /// How media sets are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// A medium of `media list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MediaListEntry {
    /// Bytes that it was given, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_used: Option<u64>,
    /// Whether its catalog is there, or it needs none.
    pub catalog: bool,
    /// When it was labelled.
    pub ctime: i64,
    /// Whether its content may be overwritten.
    pub expired: bool,
    /// Its label.
    pub label_text: LabelText,
    /// Where it is.
    pub location: MediaLocation,
    /// When the medium joined its media set: the time in its set label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_set_ctime: Option<i64>,
    /// How its media set is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_set_name: Option<String>,
    /// Its media set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_set_uuid: Option<MediaSetId>,
    /// Its pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolName>,
    /// Its place in the media set, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq_nr: Option<u64>,
    /// What may be done with it.
    pub status: MediaStatus,
    /// Its identity.
    pub uuid: MediaId,
}

/// A snapshot of `media content`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MediaContentEntry {
    /// When the snapshot was made.
    #[serde(with = "epoch")]
    pub backup_time: BackupTime,
    /// Label of the medium with its snapshot archive.
    pub label_text: LabelText,
    /// When the medium joined the media set: the time in its set label.
    pub media_set_ctime: i64,
    /// How the media set is called.
    pub media_set_name: String,
    /// The media set.
    pub media_set_uuid: MediaSetId,
    /// The pool.
    pub pool: PoolName,
    /// The medium's place in the media set, from 0.
    pub seq_nr: u64,
    /// The snapshot's path: `[ns/NAME/…]TYPE/ID/TIME`.
    pub snapshot: String,
    /// The datastore that it was backed up from.
    pub store: StoreName,
    /// Identity of the medium.
    pub uuid: MediaId,
}

/// A media set of `media-set list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MediaSetListEntry {
    /// When the first of its known media joined it: its beginning, unless that medium is lost.
    pub media_set_ctime: i64,
    /// How it is called.
    pub media_set_name: String,
    /// Its identity.
    pub media_set_uuid: MediaSetId,
    /// Its pool.
    pub pool: PoolName,
}

/// A medium of `media-set plan`: what a restore would read from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlanEntry {
    /// Its label; absent where the medium was never seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_text: Option<LabelText>,
    /// Its identity; absent where the medium was never seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<MediaId>,
    /// Its place in the media set, from 0.
    pub seq_nr: u64,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<MediaLocation>,
    /// Archives that are passed through.
    pub archives: u64,
    /// Chunks that are read.
    pub chunks: u64,
    /// Bytes that are read from tape.
    pub bytes: u64,
    /// Bytes that are in the cache already.
    pub staged_bytes: u64,
}

/// A task of `task list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskListItem {
    /// When it ended; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endtime: Option<i64>,
    /// Always `localhost`.
    pub node: String,
    /// The daemon's process.
    pub pid: u64,
    /// When that process began, in ticks since boot.
    pub pstart: u64,
    /// When the task began.
    pub starttime: i64,
    /// `OK`, `WARNINGS: N`, `unknown` or the error; absent while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The task.
    pub upid: String,
    /// Who began it.
    pub user: AuthId,
    /// What it works on.
    pub worker_id: Option<String>,
    /// What it does.
    pub worker_type: String,
}

/// One side of `version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VersionInfo {
    /// The release.
    pub version: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_pbs() {
        let text = r#"{"backup-time":1717682610,"label-text":"B00005L8","media-set-ctime":1795440925,"media-set-name":"set","media-set-uuid":"2aaa9fae-18ef-4c07-9766-8dda208f1dea","pool":"poolB","seq-nr":0,"snapshot":"ns/a/host/beta/2024-06-06T14:03:30Z","store":"store1","uuid":"0138c233-bda8-4583-9d99-aa574cbe20ae"}"#;
        let entry: MediaContentEntry = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&entry).unwrap(), text);
    }

    #[test]
    fn unknown_media_have_a_null_uuid_but_other_absent_values_no_key() {
        let medium = InventoryEntry { label_text: "A00001L8".parse().unwrap(), uuid: None };
        let text = serde_json::to_string(&medium).unwrap();
        assert_eq!(text, r#"{"label-text":"A00001L8","uuid":null}"#);
        let pool: PoolEntry = serde_json::from_str(r#"{"name":"poolA"}"#).unwrap();
        assert_eq!(serde_json::to_string(&pool).unwrap(), r#"{"name":"poolA"}"#);
    }
}
