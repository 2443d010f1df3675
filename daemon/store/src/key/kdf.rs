//! Pass phrase to key: scrypt or PBKDF2 with the parameters of the key file.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::decode_base64;
use crate::crypto::{Secret, pbkdf2};
use crate::error::{FormatError, FormatResult};

/// As PBS bounds it; the parameters that it writes need 64 MiB.
const SCRYPT_MEMORY_BYTES_MAX: u64 = 1025 << 20;
/// Some five times the work that the memory bound allows with one lane, so minutes at most.
const SCRYPT_WORK_MAX: u64 = 1 << 25;
/// A hundred and fifty times what PBS writes: half a minute.
const PBKDF2_ITERATIONS_MAX: u64 = 10_000_000;
const NEW_PBKDF2_ITERATIONS: u64 = 65_535;

/// Which function a new key file uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KdfKind {
    /// Slow in memory too: the default.
    Scrypt,
    /// For where scrypt is unwanted.
    Pbkdf2,
}

/// The function and its parameters; nothing in here is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kdf {
    /// scrypt.
    Scrypt {
        /// Cost.
        n: u64,
        /// Block size.
        r: u64,
        /// Lanes.
        p: u64,
        /// Random bytes.
        salt: Vec<u8>,
    },
    /// PBKDF2 with HMAC-SHA-256.
    Pbkdf2 {
        /// Rounds.
        iterations: u64,
        /// Random bytes.
        salt: Vec<u8>,
    },
}

impl Kdf {
    /// With the parameters that PBS gives to new keys.
    pub(super) fn new(kind: KdfKind, salt: &[u8]) -> Self {
        let salt = salt.to_vec();
        match kind {
            KdfKind::Scrypt => Self::Scrypt { n: 65_536, r: 8, p: 1, salt },
            KdfKind::Pbkdf2 => Self::Pbkdf2 { iterations: NEW_PBKDF2_ITERATIONS, salt },
        }
    }

    /// Derives 32 bytes. Parameters that would take absurd memory or time are `Corrupt`.
    pub(crate) fn derive(&self, passphrase: &[u8]) -> FormatResult<Secret> {
        match self {
            Self::Scrypt { n, r, p, salt } => scrypt(passphrase, salt, *n, *r, *p),
            Self::Pbkdf2 { iterations, salt } => {
                let rounds = usize::try_from(*iterations)
                    .ok()
                    .filter(|_| (1..=PBKDF2_ITERATIONS_MAX).contains(iterations))
                    .ok_or_else(|| unusable("PBKDF2"))?;
                pbkdf2(passphrase, salt, rounds)
            }
        }
    }

    pub(super) fn from_wire(wire: Wire) -> FormatResult<Self> {
        Ok(match wire {
            Wire::Scrypt { n, r, p, salt } => {
                Self::Scrypt { n, r, p, salt: decode_base64(&salt, "salt")? }
            }
            Wire::Pbkdf2 { iter, salt } => {
                Self::Pbkdf2 { iterations: iter, salt: decode_base64(&salt, "salt")? }
            }
        })
    }

    pub(super) fn to_wire(&self) -> Wire {
        match self {
            Self::Scrypt { n, r, p, salt } => {
                Wire::Scrypt { n: *n, r: *r, p: *p, salt: STANDARD.encode(salt) }
            }
            Self::Pbkdf2 { iterations, salt } => {
                Wire::Pbkdf2 { iter: *iterations, salt: STANDARD.encode(salt) }
            }
        }
    }
}

/// As it stands in the key file.
#[derive(Serialize, Deserialize)]
pub(super) enum Wire {
    Scrypt {
        n: u64,
        r: u64,
        p: u64,
        salt: String,
    },
    #[serde(rename = "PBKDF2")]
    Pbkdf2 {
        iter: u64,
        salt: String,
    },
}

pub(crate) fn scrypt(
    passphrase: &[u8],
    salt: &[u8],
    n: u64,
    r: u64,
    p: u64,
) -> FormatResult<Secret> {
    let work = n.checked_mul(r).and_then(|work| work.checked_mul(p));
    if !n.is_power_of_two() || n < 2 || !work.is_some_and(|w| (1..=SCRYPT_WORK_MAX).contains(&w)) {
        return Err(unusable("scrypt"));
    }
    let mut key = Secret::zeros();
    openssl::pkcs5::scrypt(passphrase, salt, n, r, p, SCRYPT_MEMORY_BYTES_MAX, &mut *key).map_err(
        |error| FormatError::Corrupt {
            what: "the key file's scrypt parameters cannot be used".to_owned(),
            source: Some(error.into()),
        },
    )?;
    Ok(key)
}

fn unusable(function: &str) -> FormatError {
    FormatError::corrupt(format!(
        "the key file's {function} parameters are invalid or would take absurd time"
    ))
}
