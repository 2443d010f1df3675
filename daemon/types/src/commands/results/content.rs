//! What datastores hold, and the keys to it.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{AuthId, BackupId, BackupTime, BackupType, Fingerprint, MediaSetId, StoreName};

/// A datastore of `datastore list`, or the object of `datastore show`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DatastoreEntry {
    /// Its name.
    pub name: StoreName,
    /// The folder with its content.
    pub path: String,
    /// The operator's words.
    pub comment: Option<String>,
}

/// A key of `client-key list`; never the key itself.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClientKeyEntry {
    /// Which key it is.
    pub fingerprint: Fingerprint,
    /// The only datastore it is used for.
    pub store: Option<StoreName>,
    /// The only media set it is used for.
    pub media_set: Option<MediaSetId>,
    /// What reminds the owner of the passphrase.
    pub hint: Option<String>,
}

/// A file of `snapshot files`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SnapshotFileEntry {
    /// Name as stored: `drive-scsi0.img.fidx`.
    pub filename: String,
    /// `none`, `encrypt` or `sign-only`; absent for files that the manifest doesn't list.
    pub crypt_mode: Option<String>,
    /// Bytes of plain content; absent for files that the manifest doesn't list.
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
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SnapshotListItem {
    /// Type of its group.
    pub backup_type: BackupType,
    /// Id of its group.
    pub backup_id: BackupId,
    /// When it was made.
    #[serde(with = "super::epoch")]
    pub backup_time: BackupTime,
    /// First line of its notes.
    pub comment: Option<String>,
    /// Its files.
    pub files: Vec<SnapshotFileEntry>,
    /// The key that it is encrypted with.
    pub fingerprint: Option<Fingerprint>,
    /// Who owns its group.
    pub owner: Option<AuthId>,
    /// Whether it is protected from deletion.
    pub protected: bool,
    /// Bytes of plain content of all files.
    pub size: Option<u64>,
    /// How its last verification ended.
    pub verification: Option<VerifyState>,
}

/// A group of `group list`.
#[skip_serializing_none]
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
    pub comment: Option<String>,
    /// Files of its newest snapshot, as stored.
    pub files: Vec<String>,
    /// Time of its newest snapshot.
    #[serde(with = "super::epoch")]
    pub last_backup: BackupTime,
    /// Who owns it.
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
