//! What can be wrong with bytes: one error type for all formats of this crate.
//!
//! A message tells what is wrong and, where somebody can act on it, what to do. It does not tell
//! which file the bytes came from: formats never know, whoever read them adds it. The cause, where
//! there is one, is kept as the error's source. Nothing secret ever enters a message.

use std::io;

use reel_types::{Fingerprint, ParseError};
use thiserror::Error;

/// Why bytes could not be decoded or encoded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FormatError {
    /// A caller asked for something that the format forbids.
    #[error("{what}")]
    InvalidInput {
        /// What was asked for and which rule it breaks.
        what: String,
        /// What found out, where it wasn't this crate.
        source: Option<Cause>,
    },
    /// Structure, magic, length or syntax is wrong.
    #[error("{what}")]
    Corrupt {
        /// What is wrong.
        what: String,
        /// What found out, where it wasn't this crate.
        source: Option<Cause>,
    },
    /// A CRC, a digest, a signature or an authentication tag doesn't fit the data.
    #[error("{what}")]
    Checksum {
        /// What was compared.
        what: String,
    },
    /// Encrypted data and no key.
    #[error("the data is encrypted and no key was given{}", wanted_key(.fingerprint))]
    MissingKey {
        /// The key to look for, where the data tells.
        fingerprint: Option<Fingerprint>,
    },
    /// Data of another key.
    #[error("wrong key: the data needs key {want}, the given one is {have}")]
    WrongKey {
        /// The key that the data was made with.
        want: Fingerprint,
        /// The key that was given.
        have: Fingerprint,
    },
    /// A pass phrase that does not open a key file.
    #[error("wrong pass phrase for the key file{}", told_hint(.hint))]
    WrongPassphrase {
        /// The key file's own hint.
        hint: Option<String>,
    },
    /// More data than allowed.
    #[error("{what} is larger than the {limit} bytes that are allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
    /// A file that the manifest doesn't list.
    #[error("the manifest lists no file '{name}'")]
    NotListed {
        /// The name that was looked for.
        name: String,
    },
    /// Reading or writing failed.
    #[error("{what}")]
    Io {
        /// What was read or written.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The cryptographic library refused to work.
    #[error("{what}")]
    Crypto {
        /// What was tried.
        what: &'static str,
        /// The library's own reason.
        source: openssl::error::ErrorStack,
    },
}

/// An error below ours.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A result of this crate's formats.
pub type FormatResult<T> = Result<T, FormatError>;

impl FormatError {
    /// The caller broke a rule.
    pub fn invalid(what: impl Into<String>) -> Self {
        Self::InvalidInput { what: what.into(), source: None }
    }

    /// The bytes are damaged.
    pub fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into(), source: None }
    }

    /// The bytes are damaged, as another library found.
    pub fn corrupt_by(what: impl Into<String>, cause: impl Into<Cause>) -> Self {
        Self::Corrupt { what: what.into(), source: Some(cause.into()) }
    }

    /// A checksum of any kind doesn't fit.
    pub fn checksum(what: impl Into<String>) -> Self {
        Self::Checksum { what: what.into() }
    }

    /// The errno that tells a reader of files what kind of trouble this is.
    pub fn errno(&self) -> i32 {
        match self {
            Self::InvalidInput { .. } => libc::EINVAL,
            Self::Corrupt { .. } | Self::Checksum { .. } | Self::Crypto { .. } => libc::EIO,
            Self::MissingKey { .. } => libc::ENOKEY,
            Self::WrongKey { .. } | Self::WrongPassphrase { .. } => libc::EKEYREJECTED,
            Self::TooLarge { .. } => libc::EFBIG,
            Self::NotListed { .. } => libc::ENOENT,
            Self::Io { source, .. } => source.raw_os_error().unwrap_or(libc::EIO),
        }
    }

    /// Whether the data itself is damaged, so that reading it again will not help and another copy
    /// is needed.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::Checksum { .. })
    }

    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }

    pub(crate) fn crypto(what: &'static str) -> impl FnOnce(openssl::error::ErrorStack) -> Self {
        move |source| Self::Crypto { what, source }
    }
}

impl From<ParseError> for FormatError {
    fn from(error: ParseError) -> Self {
        Self::InvalidInput { what: error.to_string(), source: None }
    }
}

fn wanted_key(fingerprint: &Option<Fingerprint>) -> String {
    fingerprint.as_ref().map_or_else(String::new, |key| format!("; it needs key {key}"))
}

fn told_hint(hint: &Option<String>) -> String {
    hint.as_ref().map_or_else(String::new, |hint| format!("; its hint is '{hint}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_keys_and_the_hint() {
        let (want, have) = (Fingerprint([1; 32]), Fingerprint([2; 32]));
        let text = FormatError::WrongKey { want, have }.to_string();
        assert!(text.contains(&want.to_string()) && text.contains(&have.to_string()), "{text}");
        let text = FormatError::MissingKey { fingerprint: Some(want) }.to_string();
        assert!(text.contains(&want.to_string()), "{text}");
        let text = FormatError::WrongPassphrase { hint: Some("the cat".into()) }.to_string();
        assert!(text.contains("the cat"), "{text}");
    }

    #[test]
    fn an_io_error_keeps_its_errno() {
        let full = io::Error::from_raw_os_error(libc::ENOSPC);
        assert_eq!(FormatError::io("write index")(full).errno(), libc::ENOSPC);
        assert_eq!(FormatError::corrupt("x").errno(), libc::EIO);
        assert_eq!(FormatError::MissingKey { fingerprint: None }.errno(), libc::ENOKEY);
    }
}
