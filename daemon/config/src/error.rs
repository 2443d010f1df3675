use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::libc;
use reel_types::ParseError;
use thiserror::Error;

use crate::section::SyntaxError;

/// Why a configuration could not be read or changed. Nothing was written in any of these cases.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The system refused something.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried, such as `read`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A lock was held by somebody else for too long.
    #[error(
        "lock {}: held by another process for more than {} s; try again when it is done",
        path.display(),
        waited.as_secs()
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// A section file breaks the grammar or its schema.
    #[error("parse {}: {source}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line and reason.
        source: SyntaxError,
    },
    /// A change would make a section file unreadable.
    #[error("write {}: {reason}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Which section, and the rule it breaks.
        reason: String,
    },
    /// The file is no longer what the caller has seen.
    #[error("{}: changed by another user, nothing was saved; look at it anew and try again", path.display())]
    Stale {
        /// The file.
        path: PathBuf,
    },
    /// The name of something new is taken.
    #[error("{kind} '{name}' already exists")]
    Exists {
        /// What it is, such as `datastore`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// There is nothing of that name.
    #[error("no such {kind} '{name}'")]
    NotFound {
        /// What it should be, such as `datastore`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A value breaks a rule.
    #[error(transparent)]
    Value(#[from] ParseError),
    /// A change breaks a rule that spans several values.
    #[error("{kind} '{name}': {reason}")]
    Invalid {
        /// What it is, such as `datastore`.
        kind: &'static str,
        /// The name.
        name: String,
        /// The rule and what to do.
        reason: String,
    },
    /// The change is valid, but not something this release does.
    #[error("{kind} '{name}': {reason}")]
    Unsupported {
        /// What it is, such as `media pool`.
        kind: &'static str,
        /// The name.
        name: String,
        /// What isn't done, and what to do instead.
        reason: String,
    },
    /// The file of the keys themselves is somebody else's.
    #[error(
        "read {}: {source}; the daemon must run as a user who may read it, or be handed it by its unit (docs/encryption.md)",
        path.display()
    )]
    KeysUnreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file of keys is not what it should be.
    #[error("read keys from {}: {reason}", path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, without any secret.
        reason: String,
    },
}

impl ConfigError {
    /// The errno that tells a caller of the file system.
    pub fn errno(&self) -> i32 {
        match self {
            Self::Io { source, .. } | Self::KeysUnreadable { source, .. } => errno_of(source),
            Self::Locked { .. } => libc::EBUSY,
            Self::Syntax { .. } | Self::Keys { .. } => libc::EIO,
            Self::Stale { .. } => libc::ESTALE,
            Self::Exists { .. } => libc::EEXIST,
            Self::NotFound { .. } => libc::ENOENT,
            Self::Value(_) | Self::Invalid { .. } | Self::Unwritable { .. } => libc::EINVAL,
            Self::Unsupported { .. } => libc::EOPNOTSUPP,
        }
    }
}

/// The errno of an error of the system; where another crate wrapped it, only its kind is left.
fn errno_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(match error.kind() {
        io::ErrorKind::NotFound => libc::ENOENT,
        io::ErrorKind::PermissionDenied => libc::EACCES,
        io::ErrorKind::ReadOnlyFilesystem => libc::EROFS,
        io::ErrorKind::StorageFull => libc::ENOSPC,
        io::ErrorKind::QuotaExceeded => libc::EDQUOT,
        _ => libc::EIO,
    })
}

/// Wraps an error of the system with what was tried on which path.
pub(crate) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ConfigError {
    let path = path.to_owned();
    move |source| ConfigError::Io { action, path, source }
}
