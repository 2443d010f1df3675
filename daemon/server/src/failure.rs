//! Why a command was refused or failed: one sentence for people, one errno for programs.
//!
//! Each crate's error knows its errno; here they all become a [`Failure`], which the mount answers as
//! errno and `last-error`, and the socket as HTTP status and JSON. This is the one place for both.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use axum::http::StatusCode;
use nix::libc;
use reel_types::ParseError;
use reel_types::TaskStopped;
use reel_types::commands::{CommandError, ParamErrors};

/// A refusal or failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure it is, as an errno.
    pub errno: i32,
    /// What was tried, on what, why it failed and what to do.
    pub message: String,
    /// Parameters that are wrong, and why; empty for any other failure.
    pub params: BTreeMap<String, String>,
}

/// What may fail so.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure of that kind.
    pub fn new(errno: i32, message: impl Into<String>) -> Self {
        Self { errno, message: message.into(), params: BTreeMap::new() }
    }

    /// Something named in the request isn't there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(libc::ENOENT, message)
    }

    /// The request makes no sense.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(libc::EINVAL, message)
    }

    /// The HTTP status that tells this kind of failure.
    pub fn http_status(&self) -> StatusCode {
        match self.errno {
            libc::ENOENT => StatusCode::NOT_FOUND,
            libc::EACCES | libc::EPERM => StatusCode::FORBIDDEN,
            libc::EBUSY | libc::EEXIST => StatusCode::CONFLICT,
            libc::EINVAL => StatusCode::BAD_REQUEST,
            libc::ENOSPC => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// A message with the causes behind it, each told once.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.contains(&reason) {
            text = format!("{text}: {reason}");
        }
        cause = error.source();
    }
    text
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(error.raw_os_error().unwrap_or(libc::EIO), with_causes(&error))
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<TaskStopped> for Failure {
    fn from(error: TaskStopped) -> Self {
        Self::new(libc::ECANCELED, error.to_string())
    }
}

macro_rules! from_error_with_errno {
    ($($type:ty),+ $(,)?) => { $(
        impl From<$type> for Failure {
            fn from(error: $type) -> Self {
                Self::new(error.errno(), with_causes(&error))
            }
        }
    )+ };
}

from_error_with_errno!(
    reel_config::ConfigError,
    reel_store::StoreError,
    reel_store::FormatError,
    reel_tape::Error,
    reel_hw::Error,
    reel_hw::tool::ToolError,
    reel_remote::RemoteError,
    reel_remote::pull::PullError,
);

impl From<ParamErrors> for Failure {
    fn from(errors: ParamErrors) -> Self {
        Self { params: errors.clone().into_map(), ..Self::invalid(errors.to_string()) }
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        let message = error.to_string();
        match error {
            CommandError::Unknown(_) => Self::not_found(message),
            CommandError::Params(errors) => {
                Self { params: errors.into_map(), ..Self::invalid(message) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once() {
        let inner = io::Error::other("disk on fire");
        let outer = io::Error::other(format!("read block 3: {inner}"));
        assert_eq!(Failure::from(outer).message, "read block 3: disk on fire");
    }

    #[test]
    fn kinds_have_their_status() {
        assert_eq!(Failure::not_found("x").http_status(), StatusCode::NOT_FOUND);
        assert_eq!(Failure::new(libc::EBUSY, "x").http_status(), StatusCode::CONFLICT);
        assert_eq!(Failure::new(libc::EIO, "x").http_status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
