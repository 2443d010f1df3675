//! What verifications of media found.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{LabelText, MediaId, MediaSetId, PoolName};

/// A medium of `media verified`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MediaVerifiedEntry {
    /// Chunks that were read.
    pub chunks: Option<u64>,
    /// Places that could not be read.
    pub damaged_places: Option<u64>,
    /// Its label.
    pub label_text: LabelText,
    /// Chunks that its catalog names and that are not good.
    pub lost_chunks: Option<u64>,
    /// Snapshot archives of that kind.
    pub lost_snapshots: Option<u64>,
    /// How its media set is called.
    pub media_set_name: Option<String>,
    /// Its media set.
    pub media_set_uuid: MediaSetId,
    /// Its pool.
    pub pool: Option<PoolName>,
    /// Its place in the media set, from 0.
    pub seq_nr: Option<u64>,
    /// Its identity.
    pub uuid: MediaId,
    /// When it was verified (UNIX seconds); absent where it never was since it was written.
    pub verified: Option<i64>,
    /// `ok`, `failed`, or `none`.
    pub verify_state: String,
}
