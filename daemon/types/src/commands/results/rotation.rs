//! What a pool will write next, and media in vaults.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{LabelText, MediaId, MediaLocation, MediaSetId, MediaStatus, PoolName, VaultName};

/// The object of `pool plan`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PoolPlanInfo {
    /// The pool.
    pub pool: PoolName,
    /// The set that a backup would write now; absent for one that is yet to come.
    pub media_set_uuid: Option<MediaSetId>,
    /// How that set is called.
    pub media_set_name: Option<String>,
    /// Whether a backup would begin a new set.
    pub new_media_set: bool,
    /// Why.
    pub reason: String,
    /// The label of the medium that would be written first; absent where there is none.
    pub next_media: Option<LabelText>,
    /// The media that would be written, in their order.
    pub media: Vec<PlannedMediumInfo>,
    /// The pool's media that would not be, with the reason.
    pub out_of_use: Vec<UnusedMediumInfo>,
    /// From when on the pool's full media may be written over, the first to be so in front.
    pub expiry: Vec<ExpiryInfo>,
    /// Room on the media that would be written; absent where that of one is unknown.
    pub bytes_free: Option<u64>,
    /// What the next backup is expected to write; absent where nothing is known.
    pub bytes_wanted: Option<u64>,
    /// What that estimate is made of.
    pub estimated_by: Option<String>,
    /// Whether it will fit; absent where that is unknown.
    pub fits: Option<bool>,
}

/// A medium that a backup would write.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedMediumInfo {
    /// Its label.
    pub label_text: LabelText,
    /// Its identity.
    pub uuid: MediaId,
    /// `current` (the set's last), `empty`, `expired` or `free` (of no pool).
    pub kind: String,
    /// Where it is.
    pub location: MediaLocation,
    /// Room that is left on it, bytes; absent where that is unknown.
    pub bytes_free: Option<u64>,
}

/// A medium that a backup would not write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct UnusedMediumInfo {
    /// Its label.
    pub label_text: LabelText,
    /// Its identity.
    pub uuid: MediaId,
    /// Where it is.
    pub location: MediaLocation,
    /// Why not.
    pub reason: String,
}

/// When a full medium may be written over.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExpiryInfo {
    /// Its label.
    pub label_text: LabelText,
    /// Its identity.
    pub uuid: MediaId,
    /// Its media set.
    pub media_set_uuid: MediaSetId,
    /// From when on; absent for never, as far as is known now.
    pub expires: Option<i64>,
}

/// A medium of `vault list`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VaultedMedium {
    /// The vault.
    pub vault: VaultName,
    /// Its label.
    pub label_text: LabelText,
    /// Its identity.
    pub uuid: MediaId,
    /// Its pool.
    pub pool: Option<PoolName>,
    /// How its media set is called.
    pub media_set_name: Option<String>,
    /// Its media set.
    pub media_set_uuid: Option<MediaSetId>,
    /// Its place in the media set, from 0.
    pub seq_nr: Option<u64>,
    /// What may be done with it.
    pub status: MediaStatus,
    /// Whether its content may be overwritten.
    pub expired: bool,
    /// From when on it may be; absent for never, as far as is known now.
    pub expires: Option<i64>,
}

/// A medium of `vault due`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DueMedium {
    /// `take-out` or `bring-back`.
    pub action: String,
    /// The vault that it goes to or is in; absent for what comes back from the shelf.
    pub vault: Option<VaultName>,
    /// Its label.
    pub label_text: LabelText,
    /// Its identity.
    pub uuid: MediaId,
    /// Its pool.
    pub pool: PoolName,
    /// How its media set is called.
    pub media_set_name: String,
    /// Its media set.
    pub media_set_uuid: MediaSetId,
    /// Its place in the media set, from 0.
    pub seq_nr: u64,
    /// Where it is.
    pub location: MediaLocation,
    /// Where in its library: `slot 3`, `drive 0`, `import-export 15`; absent where nobody has seen it.
    pub slot: Option<String>,
}
