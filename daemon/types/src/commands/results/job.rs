//! What all kinds of jobs tell alike.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{JobId, Upid};

/// How a job ran last, and when it runs next (`config.md` §10).
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobRuns {
    /// When its last run ended, UNIX seconds.
    pub last_run_endtime: Option<i64>,
    /// How.
    pub last_run_state: Option<String>,
    /// The task of its last run.
    pub last_run_upid: Option<Upid>,
    /// When it runs next by itself, UNIX seconds.
    pub next_run: Option<i64>,
}

/// A job of a list: how it is configured, and how it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobListEntry<C, S> {
    /// How it is configured.
    #[serde(flatten)]
    pub config: C,
    /// How it does.
    #[serde(flatten)]
    pub state: S,
}

/// The object of `… status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStateEntry<S> {
    /// Its id.
    pub id: JobId,
    /// How it does.
    #[serde(flatten)]
    pub state: S,
}
