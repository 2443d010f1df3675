//! Pools, media, media sets and what is on them.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{
    BackupTime, Fingerprint, LabelText, MediaId, MediaLocation, MediaSetId, MediaStatus, PoolName,
    StoreName, VaultName,
};

/// A pool of `pool list`, or the object of `pool config`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PoolEntry {
    /// When a new media set begins.
    pub allocation: Option<String>,
    /// The operator's words.
    pub comment: Option<String>,
    /// The key that content is encrypted with.
    pub encrypt: Option<Fingerprint>,
    /// Its name.
    pub name: PoolName,
    /// How long content is kept.
    pub retention: Option<String>,
    /// How media sets are named.
    pub template: Option<String>,
    /// The vault that its full media sets are taken to.
    pub vault: Option<VaultName>,
}

/// A medium of `media list`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MediaListEntry {
    /// Bytes that it was given, where that is known.
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
    pub media_set_ctime: Option<i64>,
    /// How its media set is called.
    pub media_set_name: Option<String>,
    /// Its media set.
    pub media_set_uuid: Option<MediaSetId>,
    /// Its pool.
    pub pool: Option<PoolName>,
    /// Its place in the media set, from 0.
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
    #[serde(with = "super::epoch")]
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
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlanEntry {
    /// Its label; absent where the medium was never seen.
    pub label_text: Option<LabelText>,
    /// Its identity; absent where the medium was never seen.
    pub uuid: Option<MediaId>,
    /// Its place in the media set, from 0.
    pub seq_nr: u64,
    /// Where it is.
    pub location: Option<MediaLocation>,
    /// Archives that are passed through.
    pub archives: u64,
    /// Chunks that are read.
    pub chunks: u64,
    /// Bytes that are read from tape.
    pub bytes: u64,
    /// Bytes that are in the cache already.
    pub staged_bytes: u64,
    /// How long reading them takes, fetching the medium included: an estimate. Absent where that is unknown.
    pub seconds: Option<u64>,
    /// How long it takes until this medium and all before it are read, by one drive; absent where that is unknown.
    pub total_seconds: Option<u64>,
}
