//! Bodies of the API on the daemon's socket.
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /v1/command`, [`CommandRequest`] | [`CommandAnswer`], or [`ErrorBody`] with an error status |
//! | `GET /v1/content?store=…&snapshot=…&file=…[&ns=…][&start=BYTE]` | the file's decoded content, or [`ErrorBody`] |
//! | `GET /v1/tasks/{upid}/log?start=N&limit=M[&wait=1]` | [`TaskLogPage`] |
//! | `GET /v1/tasks/{upid}/status` | [`TaskStatusInfo`] |
//! | `GET /v1/version` | [`VersionInfo`](crate::commands::results::VersionInfo) |
//!
//! With `wait=1` a log that has no line from number N on yet is answered once it has, the task has ended
//! or a second has passed, so that whoever follows sees progress and need not ask all the time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where the daemon listens, if nobody says otherwise.
pub const SOCKET_PATH: &str = "/run/reeld/api.sock";

/// A command to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandRequest {
    /// All its words, joined by blanks: `media list`.
    pub command: String,
    /// Its parameters by name.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// A token of the caller's: the same token again answers with the same task and does nothing
    /// twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandAnswer {
    /// It is done; this is its result, null for none.
    Data(Value),
    /// It goes on as this task.
    Task(String),
}

/// Why a request was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The sentence for the user.
    pub error: String,
    /// Name of the errno that says what kind: `EBUSY`.
    pub errno: String,
    /// The reason for each wrong parameter, where parameters are what is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<BTreeMap<String, String>>,
}

/// A piece of a task's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLogPage {
    /// The lines asked for, as many as there are.
    pub lines: Vec<TaskLogLine>,
    /// How many lines the log has by now.
    pub total: u64,
    /// Whether the task still runs.
    pub active: bool,
    /// How far it has come, where it can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<TaskProgress>,
}

/// One line of a task's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLogLine {
    /// Its number, from 1.
    pub n: u64,
    /// Its text with the time stamp before it.
    pub t: String,
}

impl TaskLogLine {
    /// Characters before the text: the time (25) and `: ` (`config.md` §9.3).
    pub const STAMP_LENGTH: usize = 27;

    /// The text without its time stamp.
    pub fn text(&self) -> &str {
        let stamped = self.t.char_indices().nth(Self::STAMP_LENGTH - 2);
        stamped.and_then(|(at, _)| self.t.get(at..)?.strip_prefix(": ")).unwrap_or(&self.t)
    }
}

/// How far a task has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskProgress {
    /// What is done.
    pub done: u64,
    /// What there is to do.
    pub total: u64,
    /// The unit of both: `bytes`, `snapshots`.
    pub what: String,
}

/// How a task stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStatusInfo {
    /// The task.
    pub upid: String,
    /// Always `localhost`.
    pub node: String,
    /// The daemon's process.
    pub pid: u64,
    /// When that process began, in ticks since boot.
    pub pstart: u64,
    /// When the task began, seconds since 1970.
    pub starttime: i64,
    /// What it does.
    #[serde(rename = "type")]
    pub worker_type: String,
    /// What it works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Who began it, without a token's name.
    pub user: String,
    /// The token that began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenid: Option<String>,
    /// `running` or `stopped`.
    pub status: String,
    /// `OK`, `WARNINGS: N`, `unknown` or the error, once it stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exitstatus: Option<String>,
}

impl TaskStatusInfo {
    /// Whether the task ended well, with warnings at the worst.
    pub fn succeeded(&self) -> bool {
        let status = self.exitstatus.as_deref().unwrap_or("unknown");
        status == "OK" || status.starts_with("WARNINGS")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_look_as_documented() {
        let json = |answer| serde_json::to_string(&answer).unwrap();
        assert_eq!(json(CommandAnswer::Data(Value::Null)), r#"{"data":null}"#);
        assert_eq!(json(CommandAnswer::Task("UPID:x".into())), r#"{"task":"UPID:x"}"#);
    }

    #[test]
    fn time_stamps_are_cut() {
        let line = |text: &str| TaskLogLine { n: 1, t: text.into() };
        assert_eq!(line("2024-06-05T14:24:36+00:00: got: it").text(), "got: it");
        for bare in ["", "no stamp", "äöü: a text that is longer than any time stamp"] {
            assert_eq!(line(bare).text(), bare);
        }
    }
}
