//! Control files: the only files that act.
//!
//! A line written is a command. `write` takes or refuses, because shells lose an error from
//! `close`; what was refused stands in `last-error` beside, a long task's id in `last-task`. The
//! rules for cutting writes into lines are in `script`, those of an open handle in `session`,
//! the memory of what happened in `log`.

mod log;
mod script;
mod session;

use std::sync::Arc;

use futures_util::future::BoxFuture;

pub use log::{Clock, ControlLog};
pub(crate) use session::ControlSession;

use crate::attributes::{Attributes, Caller};
use crate::error::FsError;

/// What stands behind a control file.
pub trait Control: Send + Sync + 'static {
    /// What `cat ctl` prints: the verbs with their arguments and a line of help each.
    fn grammar(&self) -> String;

    /// Understands one line (not blank, without its newline) and says what is to be done. It
    /// must not wait itself: waiting belongs into the [`Work`].
    fn execute(&self, line: &str, caller: &Caller) -> Work;

    /// The line as `last-error` may keep it: without what is secret.
    fn remembered(&self, line: &str) -> String {
        line.to_owned()
    }
}

/// How a command is carried out.
pub enum Work {
    /// It is done or refused already.
    Now(Result<Outcome, FsError>),
    /// Runs where it may block for a moment; a signal does not end it.
    Blocking(Box<dyn FnOnce() -> Result<Outcome, FsError> + Send + 'static>),
    /// May wait long. A signal drops the future and the writer gets EINTR, so nothing may have
    /// changed unless it resolved. Better is a task: meanwhile `>` on the same file waits in the
    /// kernel, which locks a file to truncate it.
    Waiting(BoxFuture<'static, Result<Outcome, FsError>>),
}

impl Work {
    /// Refuses.
    pub fn refuse(error: FsError) -> Self {
        Work::Now(Err(error))
    }

    /// Work that may block for a moment.
    pub fn blocking(work: impl FnOnce() -> Result<Outcome, FsError> + Send + 'static) -> Self {
        Work::Blocking(Box::new(work))
    }
}

/// What came of a command that was taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It became a task of this id, which goes on.
    Task(String),
}

/// A control file in the tree, with the log of its folder.
pub struct ControlFile {
    control: Arc<dyn Control>,
    log: Arc<ControlLog>,
    attributes: Attributes,
}

impl ControlFile {
    /// Joins what acts with the log that remembers.
    pub fn new(control: Arc<dyn Control>, log: Arc<ControlLog>) -> Self {
        Self { control, log, attributes: Attributes::CONTROL }
    }

    /// The same with other owner or permissions.
    pub fn with_attributes(self, attributes: Attributes) -> Self {
        Self { attributes, ..self }
    }

    pub(crate) fn attributes(&self) -> Attributes {
        self.attributes
    }

    pub(crate) fn log(&self) -> &Arc<ControlLog> {
        &self.log
    }
}

/// A control file made of a text and a function.
pub struct FnControl<F> {
    grammar: String,
    execute: F,
}

impl<F> FnControl<F>
where
    F: Fn(&str, &Caller) -> Work + Send + Sync + 'static,
{
    /// `grammar` is what `cat ctl` prints, `execute` takes the lines.
    pub fn new(grammar: impl Into<String>, execute: F) -> Self {
        Self { grammar: grammar.into(), execute }
    }
}

impl<F> Control for FnControl<F>
where
    F: Fn(&str, &Caller) -> Work + Send + Sync + 'static,
{
    fn grammar(&self) -> String {
        self.grammar.clone()
    }

    fn execute(&self, line: &str, caller: &Caller) -> Work {
        (self.execute)(line, caller)
    }
}
