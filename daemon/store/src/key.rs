//! Key files: an encryption key on disk, alone or under a pass phrase (`formats.md` §6).
//!
//! One line of JSON. Without a KDF `data` is the key itself; with one it is IV, GCM tag and the key
//! encrypted under what the KDF makes of the pass phrase. The same object, without KDF, is what a
//! master key's owner finds in `rsa-encrypted.key.blob` (see [`seal_for_master`]).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reel_types::Fingerprint;
use serde::{Deserialize, Serialize};

use crate::crypto::{CryptConfig, IV_LEN, KEY_LEN, TAG_LEN, aes_open, aes_seal, random, wipe};
use crate::error::{FormatError, FormatResult};

mod kdf;
mod master;
mod time;

pub use kdf::{Kdf, KdfKind};
pub use master::{open_with_master, seal_for_master};
pub use time::KeyTime;

/// Shortest pass phrase, in bytes.
pub const PASSPHRASE_LEN_MIN: usize = 5;
/// Longest hint, in characters.
pub const HINT_CHARS_MAX: usize = 64;
/// Largest key file that is read, in bytes; real ones have some 400.
pub const KEY_FILE_LEN_MAX: usize = 64 << 10;

const SEALED_HEADER_LEN: usize = IV_LEN + TAG_LEN;

/// A key file: parsed, not yet unlocked.
///
/// Its `Debug` shows no key, and the key bytes are wiped when it is dropped.
pub struct KeyFile {
    kdf: Option<Kdf>,
    created: KeyTime,
    modified: KeyTime,
    data: Vec<u8>,
    fingerprint: Option<Fingerprint>,
    hint: Option<String>,
}

/// What protects a new key file.
#[derive(Clone, Copy)]
pub struct Protection<'a> {
    /// How the pass phrase becomes a key.
    pub kdf: KdfKind,
    /// The pass phrase, 5 bytes or more.
    pub passphrase: &'a [u8],
    /// What to remind its owner of.
    pub hint: Option<&'a str>,
}

/// The random parts of a new key file.
#[derive(Clone, Copy)]
pub struct KeyRandomness {
    /// Salt of the KDF.
    pub salt: [u8; 32],
    /// IV of the encrypted key.
    pub iv: [u8; IV_LEN],
}

impl KeyRandomness {
    /// Fresh, from the system.
    pub fn fresh() -> FormatResult<Self> {
        Ok(Self { salt: random()?, iv: random()? })
    }
}

impl KeyFile {
    /// Parses a key file's JSON.
    pub fn parse(text: &[u8]) -> FormatResult<Self> {
        if text.len() > KEY_FILE_LEN_MAX {
            let limit = KEY_FILE_LEN_MAX as u64;
            return Err(FormatError::TooLarge { what: "the key file", limit });
        }
        // serde_json's messages may quote the text, which may be a key: only the place is told.
        let mut wire: Wire = serde_json::from_slice(text).map_err(|error| {
            FormatError::corrupt(format!(
                "the key file is not a valid one (line {}, column {})",
                error.line(),
                error.column()
            ))
        })?;
        let data = decode_base64(&wire.data, "data")?;
        let fingerprint = wire.fingerprint.as_deref().map(str::parse).transpose();
        let key_file = Self {
            kdf: wire.kdf.take().map(Kdf::from_wire).transpose()?,
            created: parse_time(&wire.created)?,
            modified: parse_time(&wire.modified)?,
            data,
            fingerprint: fingerprint.map_err(|error| {
                FormatError::corrupt_by("the key file's fingerprint is none", error)
            })?,
            hint: wire.hint.take(),
        };
        key_file.check_data_len()?;
        Ok(key_file)
    }

    fn check_data_len(&self) -> FormatResult<()> {
        let (held, want) =
            (self.data.len(), self.kdf.as_ref().map_or(KEY_LEN, |_| SEALED_HEADER_LEN));
        let fits = if self.kdf.is_some() { held >= want } else { held == want };
        if fits {
            return Ok(());
        }
        Err(FormatError::corrupt(format!("the key file holds {held} bytes of key data")))
    }

    /// A key file that holds the key as it is.
    pub fn unprotected(key: &CryptConfig, created: KeyTime, modified: KeyTime) -> Self {
        let data = key.enc_key().to_vec();
        let fingerprint = Some(key.fingerprint());
        Self { kdf: None, created, modified, data, fingerprint, hint: None }
    }

    /// A key file that needs a pass phrase.
    pub fn protected(
        key: &CryptConfig,
        protection: &Protection<'_>,
        created: KeyTime,
        modified: KeyTime,
        randomness: &KeyRandomness,
    ) -> FormatResult<Self> {
        check_passphrase(protection.passphrase)?;
        protection.hint.map_or(Ok(()), check_hint)?;
        let kdf = Kdf::new(protection.kdf, &randomness.salt);
        let derived = kdf.derive(protection.passphrase)?;
        let mut sealed = *key.enc_key();
        let tag = aes_seal(&derived, &randomness.iv, &mut sealed)?;
        Ok(Self {
            kdf: Some(kdf),
            created,
            modified,
            data: [&randomness.iv[..], &tag, &sealed].concat(),
            fingerprint: Some(key.fingerprint()),
            hint: protection.hint.map(str::to_owned),
        })
    }

    /// Gives the key. The pass phrase is asked for only where one is needed, and wiped after use.
    ///
    /// A pass phrase below 5 bytes is `InvalidInput`, a wrong one `WrongPassphrase`, a key that
    /// doesn't fit the file's fingerprint `WrongKey`.
    pub fn unlock(
        &self,
        passphrase: impl FnOnce() -> std::io::Result<Vec<u8>>,
    ) -> FormatResult<CryptConfig> {
        let key = match &self.kdf {
            None => CryptConfig::from_slice(&self.data)?,
            Some(kdf) => {
                let mut phrase =
                    passphrase().map_err(FormatError::io("cannot get a pass phrase"))?;
                let opened = self.open(kdf, &phrase);
                wipe(&mut phrase);
                opened?
            }
        };
        match self.fingerprint {
            Some(want) if want != key.fingerprint() => {
                Err(FormatError::WrongKey { want, have: key.fingerprint() })
            }
            _ => Ok(key),
        }
    }

    fn open(&self, kdf: &Kdf, passphrase: &[u8]) -> FormatResult<CryptConfig> {
        check_passphrase(passphrase)?;
        let short = || FormatError::corrupt("the key file's data is too short");
        let (iv, rest) = self.data.split_first_chunk().ok_or_else(short)?;
        let (tag, sealed) = rest.split_first_chunk().ok_or_else(short)?;
        let derived = kdf.derive(passphrase)?;
        let mut plain = aes_open(&derived, iv, tag, sealed)?
            .ok_or_else(|| FormatError::WrongPassphrase { hint: self.hint.clone() })?;
        let key = CryptConfig::from_slice(&plain);
        wipe(&mut plain);
        key
    }

    /// The file's content: one line of JSON, without a line feed.
    pub fn to_json(&self) -> FormatResult<String> {
        let wire = Wire {
            kdf: self.kdf.as_ref().map(Kdf::to_wire),
            created: self.created.to_string(),
            modified: self.modified.to_string(),
            data: STANDARD.encode(&self.data),
            fingerprint: self.fingerprint.map(|fingerprint| fingerprint.to_string()),
            hint: self.hint.clone(),
        };
        serde_json::to_string(&wire)
            .map_err(|error| FormatError::corrupt_by("cannot print the key file", error))
    }

    /// How the pass phrase becomes a key; `None` when there is no pass phrase.
    pub fn kdf(&self) -> Option<&Kdf> {
        self.kdf.as_ref()
    }

    /// When the key was made.
    pub fn created(&self) -> KeyTime {
        self.created
    }

    /// When the file was last changed.
    pub fn modified(&self) -> KeyTime {
        self.modified
    }

    /// The key's fingerprint; very old files have none.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// What reminds its owner of the pass phrase.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyFile")
            .field("kdf", &self.kdf)
            .field("created", &self.created)
            .field("modified", &self.modified)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        wipe(&mut self.data);
    }
}

/// The file's members in the order in which PBS writes them.
#[derive(Serialize, Deserialize)]
struct Wire {
    kdf: Option<kdf::Wire>,
    created: String,
    modified: String,
    data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Drop for Wire {
    /// `data` may be the key itself.
    fn drop(&mut self) {
        let mut data = std::mem::take(&mut self.data).into_bytes();
        wipe(&mut data);
    }
}

fn parse_time(text: &str) -> FormatResult<KeyTime> {
    text.parse().map_err(|error| FormatError::corrupt_by("the key file has no valid time", error))
}

fn decode_base64(text: &str, what: &str) -> FormatResult<Vec<u8>> {
    STANDARD
        .decode(text)
        .map_err(|_| FormatError::corrupt(format!("the key file's {what} is not valid base64")))
}

fn check_passphrase(passphrase: &[u8]) -> FormatResult<()> {
    if passphrase.len() >= PASSPHRASE_LEN_MIN {
        return Ok(());
    }
    Err(FormatError::invalid("the pass phrase must have at least 5 bytes"))
}

fn check_hint(hint: &str) -> FormatResult<()> {
    let length = hint.chars().count();
    if (1..=HINT_CHARS_MAX).contains(&length) && !hint.chars().any(char::is_control) {
        return Ok(());
    }
    Err(FormatError::invalid("a hint has 1 to 64 characters and no control characters"))
}

#[cfg(test)]
mod tests;
