//! Tape keys.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{Fingerprint, PasswordHint};

/// A key of `key list` and `key show`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapeKeyEntry {
    /// When it was made.
    pub created: i64,
    /// Which key.
    pub fingerprint: Fingerprint,
    /// What reminds of its passphrase.
    pub hint: Option<PasswordHint>,
    /// How the passphrase becomes a key: `scrypt`, `pbkdf2` or `none`.
    pub kdf: String,
    /// When its passphrase was last changed.
    pub modified: i64,
}

/// What `key create` answers with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTapeKey {
    /// Which key.
    pub fingerprint: Fingerprint,
}

/// What `key paperkey` answers with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaperKey {
    /// The page or text, which has the protected key.
    pub document: String,
}

impl std::fmt::Debug for PaperKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PaperKey(hidden)")
    }
}
