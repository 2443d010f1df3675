//! `ctl`, `last-error` and `last-task` of each object.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reel_fs::{Attempt, Attributes, Caller, Clock, Control, ControlLog, FsError, StaticDir, Work};
use reel_types::commands::{CtlCommand, Place, ctl_grammar, parse_ctl_line, without_secrets};

use super::{Tree, facts};
use crate::commands::Done;
use crate::failure::Outcome;
use crate::reeld::Reeld;

/// Logs kept before those that remember nothing are dropped.
const LOGS_SWEPT_AT: usize = 4096;

/// The logs of all objects: folders are made anew at each look-up, what they refused is remembered here.
pub(super) struct ControlLogs {
    clock: Clock,
    logs: Mutex<Logs>,
}

struct Logs {
    by_place: HashMap<String, Arc<ControlLog>>,
    sweep_at: usize,
}

impl ControlLogs {
    /// No logs yet; `clock` dates their entries.
    pub(super) fn new(clock: Clock) -> Self {
        let logs = Logs { by_place: HashMap::new(), sweep_at: LOGS_SWEPT_AT };
        Self { clock, logs: Mutex::new(logs) }
    }

    /// The log of the object called `place`.
    pub(super) fn of(&self, place: String) -> Arc<ControlLog> {
        let mut logs = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        if logs.by_place.len() >= logs.sweep_at {
            logs.sweep();
        }
        let log = logs.by_place.entry(place);
        Arc::clone(log.or_insert_with(|| ControlLog::new(Arc::clone(&self.clock))))
    }
}

impl Logs {
    /// Drops the logs that nobody looks at and that hold nothing: a listing of all snapshots makes one for each.
    fn sweep(&mut self) {
        self.by_place.retain(|_, log| Arc::strong_count(log) > 1 || !is_empty(log));
        self.sweep_at = LOGS_SWEPT_AT.max(2 * self.by_place.len());
    }
}

fn is_empty(log: &ControlLog) -> bool {
    log.last_task().is_none() && log.last_error().is_empty()
}

/// The control file of one object.
struct TreeControl {
    reeld: Arc<Reeld>,
    place: Place,
}

impl Control for TreeControl {
    fn grammar(&self) -> String {
        ctl_grammar(&self.place.verbs())
    }

    fn execute(&self, line: &str, caller: &Caller) -> Work {
        let parsed = parse_ctl_line(&self.place.verbs(), line);
        let command = match parsed {
            Ok(command) => command,
            Err(error) => return Work::refuse(FsError::new(error.errno(), error.to_string())),
        };
        let (reeld, uid) = (Arc::clone(&self.reeld), caller.uid);
        Work::blocking(move || run(&reeld, &command, uid).map_err(facts::fs_error))
    }

    fn remembered(&self, line: &str) -> String {
        without_secrets(line)
    }
}

fn run(reeld: &Arc<Reeld>, command: &CtlCommand, uid: u32) -> Outcome<reel_fs::Outcome> {
    let actor = reeld.rights().identify(uid)?;
    Ok(match reeld.run(&command.command, &actor, command.token.as_deref())? {
        Done::Data(_) => reel_fs::Outcome::Done,
        Done::Task(upid) => reel_fs::Outcome::Task(upid.to_string()),
    })
}

impl Tree {
    /// The log of an object.
    pub(super) fn log_of(&self, place: &Place) -> Arc<ControlLog> {
        self.logs.of(format!("{place:?}"))
    }

    /// A folder with the three files of `place`; `refusal` says what to do instead of file verbs.
    pub(super) fn controlled(&self, place: Place, refusal: impl Into<String>) -> StaticDir {
        let log = self.log_of(&place);
        let control = TreeControl { reeld: Arc::clone(&self.reeld), place };
        StaticDir::new()
            .with_control(Arc::new(control), &log, Attributes::CONTROL)
            .with_refusal(refuse_with(refusal.into()))
    }
}

/// Refuses every file verb with `advice`.
pub(super) fn refuse_with(
    advice: String,
) -> impl Fn(&Attempt<'_>) -> FsError + Send + Sync + 'static {
    move |attempt| {
        let (verb, name) = (attempt.verb(), attempt.name().display());
        FsError::not_permitted(format!("{verb} '{name}': {advice}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_logs_that_remember_something_outlive_a_sweep() {
        let logs = ControlLogs::new(Arc::new(std::time::SystemTime::now));
        logs.of("kept".into()).started("UPID");
        let looked_at = logs.of("looked at".into());
        for number in 0..2 * LOGS_SWEPT_AT {
            logs.of(format!("place {number}"));
        }
        assert!(logs.logs.lock().unwrap().by_place.len() <= LOGS_SWEPT_AT);
        assert_eq!(logs.of("kept".into()).last_task().as_deref(), Some("UPID"));
        assert!(Arc::ptr_eq(&looked_at, &logs.of("looked at".into())));
    }
}
