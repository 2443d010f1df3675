//! How a task ended, and the words for it in logs, archives and job states (`config.md` §9.3, §10).

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskStatus {
    /// Without a complaint.
    Ok,
    /// With so many warnings in its log.
    Warnings(u64),
    /// It failed, and why.
    Error(String),
    /// Nobody knows: the daemon died before the task could say.
    Unknown,
}

impl TaskStatus {
    /// Whether what the task was asked for has been done.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Ok | Self::Warnings(_))
    }

    /// Reads the text behind `TASK ` of a log's last line.
    pub fn from_log(text: &str) -> Self {
        if let Some(message) = text.strip_prefix("ERROR: ") {
            return Self::Error(message.into());
        }
        Self::from_list(text)
    }

    /// Reads the text that stands in the archive of tasks.
    pub fn from_list(text: &str) -> Self {
        let warnings = text.strip_prefix("WARNINGS: ").and_then(|count| count.parse().ok());
        match (text, warnings) {
            ("OK", _) => Self::Ok,
            ("unknown", _) => Self::Unknown,
            (_, Some(count)) => Self::Warnings(count),
            _ => Self::Error(text.into()),
        }
    }

    /// The last line of a task's log, without its time stamp.
    pub fn log_line(&self) -> String {
        match self {
            Self::Error(message) => format!("TASK ERROR: {message}"),
            other => format!("TASK {other}"),
        }
    }
}

impl fmt::Display for TaskStatus {
    /// The text in lists and in the archive: one line, errors without a prefix.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("OK"),
            Self::Warnings(count) => write!(f, "WARNINGS: {count}"),
            Self::Error(message) => f.write_str(message),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// A task that ended: how and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskEnd {
    /// When it ended, UNIX seconds.
    pub time: i64,
    /// How it ended.
    pub status: TaskStatus,
}

/// The same as it stands in a job state file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum JobEnd {
    #[serde(rename = "OK")]
    Ok {
        endtime: i64,
    },
    Warning {
        count: u64,
        endtime: i64,
    },
    Error {
        message: String,
        endtime: i64,
    },
    Unknown {
        endtime: i64,
    },
}

impl JobEnd {
    /// When it ended, UNIX seconds.
    pub(crate) fn time(&self) -> i64 {
        match self {
            Self::Ok { endtime }
            | Self::Warning { endtime, .. }
            | Self::Error { endtime, .. }
            | Self::Unknown { endtime } => *endtime,
        }
    }
}

impl From<JobEnd> for TaskEnd {
    fn from(end: JobEnd) -> Self {
        let time = end.time();
        let status = match end {
            JobEnd::Ok { .. } => TaskStatus::Ok,
            JobEnd::Warning { count, .. } => TaskStatus::Warnings(count),
            JobEnd::Error { message, .. } => TaskStatus::Error(message),
            JobEnd::Unknown { .. } => TaskStatus::Unknown,
        };
        Self { time, status }
    }
}

impl From<TaskEnd> for JobEnd {
    fn from(end: TaskEnd) -> Self {
        let endtime = end.time;
        match end.status {
            TaskStatus::Ok => Self::Ok { endtime },
            TaskStatus::Warnings(count) => Self::Warning { count, endtime },
            TaskStatus::Error(message) => Self::Error { message, endtime },
            TaskStatus::Unknown => Self::Unknown { endtime },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_survives_both_texts() {
        for status in [
            TaskStatus::Ok,
            TaskStatus::Warnings(3),
            TaskStatus::Error("no such pool ('x')".into()),
            TaskStatus::Unknown,
        ] {
            assert_eq!(TaskStatus::from_list(&status.to_string()), status);
            let line = status.log_line();
            assert_eq!(TaskStatus::from_log(line.strip_prefix("TASK ").unwrap()), status);
        }
    }

    #[test]
    fn job_states_are_spelled_as_pbs_spells_them() {
        let end = TaskEnd { time: 7, status: TaskStatus::Warnings(2) };
        let json = serde_json::to_string(&JobEnd::from(end)).unwrap();
        assert_eq!(json, r#"{"Warning":{"count":2,"endtime":7}}"#);
        let end = TaskEnd { time: 7, status: TaskStatus::Ok };
        assert_eq!(serde_json::to_string(&JobEnd::from(end)).unwrap(), r#"{"OK":{"endtime":7}}"#);
    }
}
