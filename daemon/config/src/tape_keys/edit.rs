//! Changes of the two files of tape keys.

use std::collections::BTreeMap;
use std::io;

use reel_types::{CommitPoints, Fingerprint};
use zeroize::Zeroizing;

use super::{TapeKeyInfo, TapeKeys, WrappedKey, WrappedKeys, read_keys};
use crate::{ConfigDigest, ConfigDir, ConfigError, FileClass, SecretKey, fingerprint_of};

const LOCK: &str = ".tape-encryption-keys.lck";
const KIND: &str = "tape key";

/// Every point of a change at which something has become durable.
pub const COMMIT_POINTS: [&str; 2] = ["key: key stored", "key: wrapped copy stored"];

/// What becomes of a key that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and the new one is refused.
    Refused,
    /// Its wrapped copy is replaced.
    Replaced,
}

/// The tape keys in a folder of the configuration, to change them.
#[derive(Clone, Copy)]
pub struct TapeKeyEdits<'a> {
    dir: &'a ConfigDir,
    points: &'a dyn CommitPoints,
}

impl<'a> TapeKeyEdits<'a> {
    /// Those in `dir`; `points` is told of commit points.
    pub fn new(dir: &'a ConfigDir, points: &'a dyn CommitPoints) -> Self {
        Self { dir, points }
    }

    /// Adds a key with its wrapped copy. A key of which only a part is there, as a crash leaves it, is made whole.
    pub fn insert(
        &self,
        key: &SecretKey,
        info: TapeKeyInfo,
        wrapped: WrappedKey,
        existing: Existing,
    ) -> Result<(), ConfigError> {
        let _lock = self.dir.lock(LOCK)?;
        let fingerprint = info.fingerprint;
        self.check(key, &fingerprint)?;
        let mut keys = self.keys()?;
        let mut wrapped_keys = WrappedKeys::load(self.dir)?.keys;
        let is_here = keys.contains_key(&fingerprint)
            && wrapped_keys.iter().any(|(info, _)| info.fingerprint == fingerprint);
        if is_here && existing == Existing::Refused {
            return Err(ConfigError::Exists { kind: KIND, name: fingerprint.short() });
        }
        keys.insert(fingerprint, key.clone());
        put(&mut wrapped_keys, info, wrapped);
        self.store_keys(&keys)?;
        self.store_wrapped(&wrapped_keys)
    }

    /// Replaces the wrapped copy of a key.
    pub fn rewrap(
        &self,
        info: TapeKeyInfo,
        wrapped: WrappedKey,
        expected: ConfigDigest,
    ) -> Result<(), ConfigError> {
        let _lock = self.dir.lock(LOCK)?;
        let loaded = WrappedKeys::load(self.dir)?;
        self.expect(&loaded, Some(expected))?;
        loaded.require(&info.fingerprint)?;
        let mut wrapped_keys = loaded.keys;
        put(&mut wrapped_keys, info, wrapped);
        self.store_wrapped(&wrapped_keys)
    }

    /// Forgets a key and its wrapped copy; `digest` is what the file of wrapped keys must still have.
    pub fn remove(
        &self,
        fingerprint: &Fingerprint,
        digest: Option<ConfigDigest>,
    ) -> Result<(), ConfigError> {
        let _lock = self.dir.lock(LOCK)?;
        let loaded = WrappedKeys::load(self.dir)?;
        self.expect(&loaded, digest)?;
        let mut keys = self.keys()?;
        if keys.remove(fingerprint).is_none() && loaded.get(fingerprint).is_none() {
            return Err(ConfigError::NotFound { kind: KIND, name: fingerprint.short() });
        }
        let mut wrapped_keys = loaded.keys;
        wrapped_keys.retain(|(info, _)| info.fingerprint != *fingerprint);
        self.store_keys(&keys)?;
        self.store_wrapped(&wrapped_keys)
    }

    fn check(&self, key: &SecretKey, expected: &Fingerprint) -> Result<(), ConfigError> {
        let computed = fingerprint_of(key).map_err(|error| error.to_string());
        let reason = match computed {
            Ok(computed) if computed == *expected => return Ok(()),
            Ok(computed) => format!("it has the fingerprint {} in truth", computed.short()),
            Err(reason) => reason,
        };
        Err(ConfigError::Invalid { kind: KIND, name: expected.short(), reason })
    }

    fn expect(
        &self,
        loaded: &WrappedKeys,
        digest: Option<ConfigDigest>,
    ) -> Result<(), ConfigError> {
        match digest {
            Some(digest) if digest != loaded.digest() => {
                Err(ConfigError::Stale { path: self.dir.file(TapeKeys::CONFIG_FILE) })
            }
            _ => Ok(()),
        }
    }

    /// The keys themselves. Who may not read them doesn't write them either: others would be lost.
    fn keys(&self) -> Result<BTreeMap<Fingerprint, SecretKey>, ConfigError> {
        read_keys(self.dir).map_err(|error| match error {
            ConfigError::Io { path, source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                ConfigError::KeysUnreadable { path, source }
            }
            other => other,
        })
    }

    fn store_keys(&self, keys: &BTreeMap<Fingerprint, SecretKey>) -> Result<(), ConfigError> {
        self.dir.replace(TapeKeys::KEYS_FILE, keys_text(keys).as_bytes(), FileClass::Secret)?;
        self.points.reached(COMMIT_POINTS[0]);
        Ok(())
    }

    fn store_wrapped(&self, keys: &[(TapeKeyInfo, WrappedKey)]) -> Result<(), ConfigError> {
        let text = WrappedKey::list_text(keys.iter().map(|(_, wrapped)| wrapped));
        self.dir.replace(TapeKeys::CONFIG_FILE, text.as_bytes(), FileClass::Normal)?;
        self.points.reached(COMMIT_POINTS[1]);
        Ok(())
    }
}

fn put(keys: &mut Vec<(TapeKeyInfo, WrappedKey)>, info: TapeKeyInfo, wrapped: WrappedKey) {
    match keys.iter_mut().find(|(known, _)| known.fingerprint == info.fingerprint) {
        Some(place) => *place = (info, wrapped),
        None => keys.push((info, wrapped)),
    }
}

/// The file as PBS writes it, in one piece of memory, which is overwritten afterwards.
fn keys_text(keys: &BTreeMap<Fingerprint, SecretKey>) -> Zeroizing<String> {
    const ENTRY_BYTES: usize = 256;
    let mut text = Zeroizing::new(String::with_capacity(16 + ENTRY_BYTES * keys.len()));
    text.push('[');
    for (number, (fingerprint, key)) in keys.iter().enumerate() {
        text.push_str(if number == 0 { "\n" } else { ",\n" });
        text.push_str("  {\n    \"fingerprint\": \"");
        text.push_str(&fingerprint.to_string());
        text.push_str("\",\n    \"key\": \"");
        text.push_str(&key.to_hex());
        text.push_str("\"\n  }");
    }
    text.push_str(if keys.is_empty() { "]" } else { "\n]" });
    text
}

#[cfg(test)]
mod tests;
