//! The error of everything that works on a datastore's files.
//!
//! An error is one sentence that helps: what was tried on what, why it failed, what to do. Its kind
//! is one of the kinds of `datastore.md` and decides the errno that a user of the tree sees.

use std::error::Error;
use std::fmt;
use std::io;

use crate::error::FormatError;

/// What kind of failure it is (`datastore.md`, conventions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// The store, snapshot, file or chunk isn't there.
    NotFound,
    /// It is there already.
    Exists,
    /// A name, size or time that can't be.
    InvalidInput,
    /// Somebody else holds a lock.
    Locked,
    /// Wrong structure, size or magic.
    Corrupt,
    /// A CRC, digest, signature or tag that does not fit.
    Checksum,
    /// A protected snapshot.
    Protected,
    /// The system or the ownership of a group refuses.
    Permission,
    /// No space left where it should be written.
    NoSpace,
    /// Encrypted, and no key was given.
    MissingKey,
    /// Encrypted or signed with another key.
    WrongKey,
    /// The task was asked to stop.
    Stopped,
    /// Any other failure of the system; the cause has its errno.
    Io,
}

impl StoreErrorKind {
    fn errno(self) -> i32 {
        match self {
            Self::NotFound => libc::ENOENT,
            Self::Exists => libc::EEXIST,
            Self::InvalidInput => libc::EINVAL,
            Self::Locked => libc::EBUSY,
            Self::Corrupt | Self::Checksum | Self::Io => libc::EIO,
            Self::Protected => libc::EPERM,
            Self::Permission => libc::EACCES,
            Self::NoSpace => libc::ENOSPC,
            Self::MissingKey => libc::ENOKEY,
            Self::WrongKey => libc::EKEYREJECTED,
            Self::Stopped => libc::EINTR,
        }
    }

    fn of_format(error: &FormatError) -> Self {
        match error {
            FormatError::InvalidInput { .. } => Self::InvalidInput,
            FormatError::Corrupt { .. } | FormatError::TooLarge { .. } => Self::Corrupt,
            FormatError::Checksum { .. } => Self::Checksum,
            FormatError::MissingKey { .. } => Self::MissingKey,
            FormatError::WrongKey { .. } | FormatError::WrongPassphrase { .. } => Self::WrongKey,
            FormatError::NotListed { .. } => Self::NotFound,
            FormatError::Io { source, .. } => Self::of_io(source),
            FormatError::Crypto { .. } => Self::Io,
        }
    }

    fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::AlreadyExists => Self::Exists,
            io::ErrorKind::PermissionDenied => Self::Permission,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io,
        }
    }
}

type Cause = Box<dyn Error + Send + Sync>;

/// A failure on a datastore.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    tried: String,
    reason: String,
    advice: &'static str,
    cause: Option<Cause>,
}

impl StoreError {
    /// `tried` says what was done on what, `reason` why it failed.
    pub fn new(kind: StoreErrorKind, tried: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { kind, tried: tried.into(), reason: reason.into(), advice: "", cause: None }
    }

    /// A failure that the system reported while `tried` was done.
    pub fn io(tried: impl Into<String>, cause: io::Error) -> Self {
        Self::new(StoreErrorKind::of_io(&cause), tried, cause.to_string()).caused_by(cause)
    }

    /// Bytes that are not what they should be, found while `tried` was done.
    pub fn format(tried: impl Into<String>, cause: FormatError) -> Self {
        Self::new(StoreErrorKind::of_format(&cause), tried, cause.to_string()).caused_by(cause)
    }

    /// Adds what the user can do.
    #[must_use]
    pub fn advise(self, advice: &'static str) -> Self {
        Self { advice, ..self }
    }

    /// Keeps the error behind this one.
    #[must_use]
    pub fn caused_by(self, cause: impl Into<Cause>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// The errno for users of the tree: the system's own where it failed for no reason that has a
    /// kind.
    pub fn errno(&self) -> i32 {
        let cause = self.cause.as_deref().and_then(|cause| cause.downcast_ref::<io::Error>());
        match (self.kind, cause.and_then(io::Error::raw_os_error)) {
            (StoreErrorKind::Io, Some(errno)) => errno,
            _ => self.kind.errno(),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.tried, self.reason)?;
        if !self.advice.is_empty() {
            write!(f, "; {}", self.advice)?;
        }
        Ok(())
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

/// Gives a format's error its sentence.
pub(crate) trait FormatContext<T> {
    /// Turns the error into a [`StoreError`] that tells what was `tried`.
    fn decoding<S: Into<String>>(self, tried: impl FnOnce() -> S) -> Result<T, StoreError>;
}

impl<T> FormatContext<T> for Result<T, FormatError> {
    fn decoding<S: Into<String>>(self, tried: impl FnOnce() -> S) -> Result<T, StoreError> {
        self.map_err(|cause| StoreError::format(tried(), cause))
    }
}

/// Gives a system error its sentence.
pub(crate) trait IoContext<T> {
    /// Turns the error into a [`StoreError`] that tells what was `tried`.
    fn tried<S: Into<String>>(self, tried: impl FnOnce() -> S) -> Result<T, StoreError>;
}

impl<T, E: Into<io::Error>> IoContext<T> for Result<T, E> {
    fn tried<S: Into<String>>(self, tried: impl FnOnce() -> S) -> Result<T, StoreError> {
        self.map_err(|cause| StoreError::io(tried(), cause.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_with_errno_and_cause() {
        let full = io::Error::from_raw_os_error(libc::ENOSPC);
        let error =
            StoreError::io("write chunk ab of datastore 'store1'", full).advise("free some space");
        assert_eq!(error.errno(), libc::ENOSPC);
        assert_eq!(error.kind(), StoreErrorKind::NoSpace);
        let text = error.to_string();
        assert!(text.starts_with("write chunk ab of datastore 'store1': No space left"), "{text}");
        assert!(text.ends_with("; free some space"), "{text}");
        assert!(error.source().is_some());
    }

    #[test]
    fn what_has_no_kind_keeps_its_errno() {
        let read_only = io::Error::from_raw_os_error(libc::EROFS);
        assert_eq!(StoreError::io("touch chunk ab", read_only).errno(), libc::EROFS);
        let locked = StoreError::new(StoreErrorKind::Locked, "lock group", "held");
        assert_eq!(locked.errno(), libc::EBUSY);
    }
}
