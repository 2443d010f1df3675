//! What a folder's control file refused and started: `last-error` and `last-task`.
//!
//! The log belongs to the object, not to the folder that shows it: folders are made anew at each
//! look-up.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use crate::attributes::{Attributes, Caller};
use crate::control::{Control, ControlFile};
use crate::error::{FsError, errno_name};
use crate::fact::Fact;
use crate::guard::locked;
use crate::node::Node;

/// Refusals kept, newest last. At least 64 are promised.
const ERRORS_KEPT: usize = 128;
/// Bytes of a command that an entry shows.
const COMMAND_BYTES_MAX: usize = 512;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The memory behind `last-error` and `last-task`.
pub struct ControlLog {
    clock: Clock,
    errors: Mutex<Errors>,
    task: Mutex<Task>,
}

#[derive(Default)]
struct Errors {
    lines: VecDeque<String>,
    changed: Option<SystemTime>,
}

#[derive(Default)]
struct Task {
    id: Option<String>,
    changed: Option<SystemTime>,
}

impl ControlLog {
    /// An empty log.
    pub fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self { clock, errors: Mutex::default(), task: Mutex::default() })
    }

    /// An empty log with the system's clock.
    pub fn with_system_clock() -> Arc<Self> {
        Self::new(Arc::new(SystemTime::now))
    }

    /// Notes a refusal: one line with time, uid, pid, errno name, command, reason, what to do.
    pub fn refused(&self, caller: &Caller, command: &str, error: &FsError) {
        let now = (self.clock)();
        let mut line = format!(
            "{} uid={} pid={} {} {:?}: ",
            rfc3339(now),
            caller.uid,
            caller.pid,
            errno_name(error.errno()),
            shortened(command),
        );
        push_without_newlines(&mut line, error.message());
        let mut errors = locked(&self.errors);
        errors.lines.push_back(line);
        if errors.lines.len() > ERRORS_KEPT {
            errors.lines.pop_front();
        }
        errors.changed = Some(now);
    }

    /// Notes the id of the task that was started last.
    pub fn started(&self, id: &str) {
        let now = (self.clock)();
        *locked(&self.task) = Task { id: Some(id.to_string()), changed: Some(now) };
    }

    /// The text of `last-error`.
    pub fn last_error(&self) -> String {
        let errors = locked(&self.errors);
        errors.lines.iter().fold(String::new(), |text, line| text + line + "\n")
    }

    /// The id in `last-task`.
    pub fn last_task(&self) -> Option<String> {
        locked(&self.task).id.clone()
    }

    /// The three files that stand together: `ctl`, `last-error`, `last-task`.
    pub fn files(
        self: &Arc<Self>,
        control: Arc<dyn Control>,
        attributes: Attributes,
    ) -> [(&'static str, Node); 3] {
        let file = ControlFile::new(control, Arc::clone(self)).with_attributes(attributes);
        let readable = Attributes { mode: attributes.mode & 0o444, ..attributes };
        let fact = |show| Node::Fact(Arc::new(LogFact { log: Arc::clone(self), readable, show }));
        [
            ("ctl", Node::Control(Arc::new(file))),
            ("last-error", fact(Show::Errors)),
            ("last-task", fact(Show::Task)),
        ]
    }
}

/// `last-error` or `last-task`, readable by those who may read the control file.
struct LogFact {
    log: Arc<ControlLog>,
    readable: Attributes,
    show: Show,
}

enum Show {
    Errors,
    Task,
}

impl Fact for LogFact {
    fn render(&self) -> Result<Vec<u8>, FsError> {
        let text = match self.show {
            Show::Errors => self.log.last_error(),
            Show::Task => self.log.last_task().map_or_else(String::new, |id| id + "\n"),
        };
        Ok(text.into_bytes())
    }

    fn attributes(&self) -> Attributes {
        let changed = match self.show {
            Show::Errors => locked(&self.log.errors).changed,
            Show::Task => locked(&self.log.task).changed,
        };
        Attributes { modified: changed, ..self.readable }
    }

    fn cheap(&self) -> bool {
        true
    }
}

fn rfc3339(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time)
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_else(|_| "-".to_string())
}

fn shortened(command: &str) -> String {
    let longest = COMMAND_BYTES_MAX.min(command.len());
    let end = (0..=longest).rev().find(|end| command.is_char_boundary(*end)).unwrap_or(0);
    let mut short = command[..end].to_string();
    if end < command.len() {
        // Writing to a String can't fail.
        let _ = write!(short, "… ({} bytes)", command.len());
    }
    short
}

/// An entry is one line whatever a message holds.
fn push_without_newlines(line: &mut String, message: &str) {
    line.extend(message.chars().map(|c| if c.is_control() { ' ' } else { c }));
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const CALLER: Caller = Caller { uid: 7, gid: 7, pid: 42 };

    fn log() -> Arc<ControlLog> {
        ControlLog::new(Arc::new(|| UNIX_EPOCH + Duration::from_secs(1_600_000_000)))
    }

    #[test]
    fn an_entry_says_who_what_and_why() {
        let log = log();
        let error = FsError::new(libc::EBUSY, "drive 0 is held by a task;\nwait for it");
        log.refused(&CALLER, "load \"A B\"", &error);
        assert_eq!(
            log.last_error(),
            "2020-09-13T12:26:40Z uid=7 pid=42 EBUSY \"load \\\"A B\\\"\": \
             drive 0 is held by a task; wait for it\n"
        );
    }

    #[test]
    fn the_newest_errors_are_kept_newest_last() {
        let log = log();
        for n in 0..1000 {
            log.refused(&CALLER, &format!("command {n}"), &FsError::invalid("no"));
        }
        let text = log.last_error();
        assert!(text.lines().count() >= 64);
        assert!(text.lines().last().unwrap().contains("command 999"));
    }

    #[test]
    fn a_long_command_is_shortened_at_a_character() {
        let shown = shortened(&"ö".repeat(400));
        assert!(shown.starts_with("öö") && shown.ends_with("(800 bytes)"), "{shown}");
        assert_eq!(shortened("short"), "short");
    }

    #[test]
    fn the_last_task_is_remembered_with_its_time() {
        let log = log();
        assert_eq!(log.last_task(), None);
        log.started("UPID:1");
        log.started("UPID:2");
        assert_eq!(log.last_task().as_deref(), Some("UPID:2"));
    }
}
