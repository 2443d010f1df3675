//! Tasks and versions.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::AuthId;

/// A task of `task list`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskListItem {
    /// When it ended; absent while it runs.
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
    pub status: Option<String>,
    /// The task.
    pub upid: String,
    /// Who began it.
    pub user: AuthId,
    /// What it works on.
    #[serialize_always]
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
