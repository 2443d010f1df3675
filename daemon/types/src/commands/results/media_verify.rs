//! What verifications of media found.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::commands::NotificationMode;
use crate::{
    CalendarEvent, Comment, DriveName, JobId, LabelText, MediaId, MediaSetId, PoolName, UserId,
};

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

/// A job of `media-verify-job show`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MediaVerifyJobEntry {
    /// The operator's words.
    pub comment: Option<Comment>,
    /// The drive.
    pub drive: DriveName,
    /// Its id.
    pub id: JobId,
    /// No more media than this in a run.
    pub limit: Option<u64>,
    /// How news reach people.
    pub notification_mode: Option<NotificationMode>,
    /// Who gets mails.
    pub notify_user: Option<UserId>,
    /// Only media that were not verified for so many days.
    pub outdated_after: Option<u64>,
    /// The pool whose media are verified.
    pub pool: PoolName,
    /// When it runs by itself.
    pub schedule: Option<CalendarEvent>,
}
