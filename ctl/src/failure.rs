//! What can go wrong, as one sentence each; every failure ends with status 255.

use std::io;
use std::path::PathBuf;

use reel_hw::tool::ToolError;
use reel_types::commands::{CommandInfo, Program, UsageError, synopses, usage};
use thiserror::Error;

/// Why a command line was not done.
#[derive(Debug, Error)]
pub enum Failure {
    /// It is no command.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The program's own options are wrong.
    #[error("{0}")]
    Options(String),
    /// The daemon refused the parameters.
    #[error("{message}")]
    Parameters {
        /// What it says.
        message: String,
        /// The command.
        info: &'static CommandInfo,
    },
    /// The daemon refused or failed.
    #[error("{0}")]
    Daemon(String),
    /// A device refused or failed.
    #[error(transparent)]
    Device(#[from] ToolError),
    /// There is no daemon.
    #[error("unable to connect to {}: {cause} (is reeld running?)", socket.display())]
    Connect {
        /// Its socket.
        socket: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The connection broke.
    #[error("connection to {} broke: {cause}", socket.display())]
    Connection {
        /// The daemon's socket.
        socket: PathBuf,
        /// Why.
        cause: hyper::Error,
    },
    /// The daemon said something that this program doesn't understand.
    #[error("unexpected answer from the daemon to {request}: {cause}")]
    Answer {
        /// What was asked.
        request: String,
        /// What is wrong with the answer.
        cause: serde_json::Error,
    },
    /// The task that was followed didn't end well.
    #[error("task failed (status {0})")]
    Task(String),
    /// Ctrl-C for the second time.
    #[error("interrupted; 'reelctl task status {0}' tells how the task ends")]
    Interrupted(String),
    /// Signals can't be caught, or standard output can't be written.
    #[error("unable to use the terminal: {0}")]
    Terminal(#[from] io::Error),
}

impl Failure {
    /// What goes to standard error: the sentence, and the usage where that helps, as the program
    /// that was called has it.
    pub fn report(&self, program: &Program) -> String {
        format!("Error: {self}\n{}", self.usage(program))
    }

    fn usage(&self, program: &Program) -> String {
        match self {
            Self::Usage(
                UsageError::NoCommand { at }
                | UsageError::UnknownCommand { at, .. }
                | UsageError::AmbiguousCommand { at, .. },
            ) => synopses(program, at),
            Self::Usage(
                UsageError::ExtraArguments { info, .. } | UsageError::Params { info, .. },
            )
            | Self::Parameters { info, .. } => usage(program, info),
            _ => String::new(),
        }
    }

    /// Whether nobody reads standard output any more, which needs no words.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Terminal(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
