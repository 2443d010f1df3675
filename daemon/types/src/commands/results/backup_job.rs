//! Backup jobs.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::JobRuns;
use crate::commands::NotificationMode;
use crate::{
    CalendarEvent, Comment, DriveName, GroupFilter, JobId, LabelText, Namespace, NamespaceDepth,
    PoolName, StoreName, UserId,
};

/// The object of `backup-job show`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BackupJobEntry {
    /// The operator's words.
    pub comment: Option<Comment>,
    /// The drive.
    pub drive: DriveName,
    /// Whether the last medium is put away at the end.
    pub eject_media: Option<bool>,
    /// Whether the media set is exported at the end.
    pub export_media_set: Option<bool>,
    /// Which groups.
    pub group_filter: Option<Vec<GroupFilter>>,
    /// Its id.
    pub id: JobId,
    /// Whether only the newest snapshots are written.
    pub latest_only: Option<bool>,
    /// How many levels of namespaces.
    pub max_depth: Option<NamespaceDepth>,
    /// How news reach people.
    pub notification_mode: Option<NotificationMode>,
    /// Who gets mails.
    pub notify_user: Option<UserId>,
    /// Which namespace.
    pub ns: Option<Namespace>,
    /// The media pool.
    pub pool: PoolName,
    /// When it runs by itself.
    pub schedule: Option<CalendarEvent>,
    /// The datastore.
    pub store: StoreName,
}

/// How a backup job ran last, when it runs next, and on which medium (`config.md` §10, `tape-state.md` §6.3).
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BackupJobState {
    /// When it ran, and when it does.
    #[serde(flatten)]
    pub runs: JobRuns,
    /// The medium that it would write next, as far as one can tell.
    pub next_media_label: Option<LabelText>,
}
