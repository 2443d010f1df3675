//! What ends a pull, or a part of it.

use reel_store::{FormatError, StoreError};
use reel_types::{ParseError, TaskStopped};

use crate::RemoteError;

/// Why a pull, or the part of it that concerns a namespace, a group or a snapshot, failed.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The server did not give what it was asked for.
    #[error(transparent)]
    Remote(#[from] RemoteError),

    /// A datastore of this computer did not.
    #[error(transparent)]
    Store(#[from] StoreError),

    /// What came is not what it should be.
    #[error("{what}: {source}")]
    Content {
        /// What was looked at.
        what: String,
        /// What is wrong with it.
        source: FormatError,
    },

    /// A name that the server told breaks a rule.
    #[error(transparent)]
    Value(#[from] ParseError),

    /// A rule of pulls forbids it.
    #[error("{0}")]
    Refused(String),

    /// The system did not give what a pull takes to run.
    #[error("begin to pull: {0}")]
    System(#[from] std::io::Error),

    /// The task was stopped.
    #[error(transparent)]
    Stopped(#[from] TaskStopped),
}

impl PullError {
    /// The errno that tells a caller of the file system.
    pub fn errno(&self) -> i32 {
        match self {
            Self::Remote(error) => error.errno(),
            Self::Store(error) => error.errno(),
            Self::Content { source, .. } => source.errno(),
            Self::Value(_) | Self::Refused(_) => libc::EINVAL,
            Self::System(error) => error.raw_os_error().unwrap_or(libc::EIO),
            Self::Stopped(_) => libc::ECANCELED,
        }
    }

    pub(super) fn content(what: impl Into<String>) -> impl FnOnce(FormatError) -> Self {
        let what = what.into();
        move |source| Self::Content { what, source }
    }

    /// Whether what was asked for is not there.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Remote(error) if error.status() == Some(404))
    }

    pub(super) fn is_stop(&self) -> bool {
        matches!(self, Self::Stopped(_))
    }
}
