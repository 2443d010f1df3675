//! The keys of encrypted tapes (`config.md` §4.9).
//!
//! Two files: the keys themselves, and how each is wrapped with a passphrase so that it can be put on
//! tape. Fingerprints are computed anew from the keys; a file in which one doesn't fit its key, or
//! stands twice, is refused whole, because nobody could tell which key a tape needs.
//!
//! Both change under one lock, and each file whole. A key is written before its wrapped copy, and taken
//! away before it: a crash between the two leaves a key without copy, which nothing is written with and
//! the same command puts in order, or a copy without key, which the passphrase opens.

mod edit;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use reel_types::{Fingerprint, PasswordHint, parse_rfc3339};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{ConfigDigest, ConfigDir, ConfigError, SecretKey, fingerprint_of};

pub use edit::{COMMIT_POINTS, Existing, TapeKeyEdits};

/// How the passphrase of a key becomes the key that wraps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kdf {
    /// There is no passphrase.
    None,
    /// scrypt with these costs.
    Scrypt {
        /// Cost in time and memory.
        n: u64,
        /// Size of a block.
        r: u64,
        /// Parallel lanes.
        p: u64,
    },
    /// PBKDF2 with HMAC-SHA256.
    Pbkdf2 {
        /// How many iterations.
        iterations: u64,
    },
}

/// What may be told of a tape key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapeKeyInfo {
    /// Which key.
    pub fingerprint: Fingerprint,
    /// What reminds of its passphrase.
    pub hint: Option<PasswordHint>,
    /// How it is wrapped.
    pub kdf: Kdf,
    /// When it was made (UNIX seconds).
    pub created: i64,
    /// When its passphrase was last changed (UNIX seconds).
    pub modified: i64,
}

/// A key as the file of wrapped keys has it, every member of it: what goes to tape. Its `Debug` shows nothing, because
/// without a passphrase it holds the bare key.
#[derive(Clone)]
pub struct WrappedKey(Value);

impl WrappedKey {
    /// Takes a key file's JSON; its fingerprint, hint and times are those of the key that it holds.
    pub fn parse(text: &str) -> Result<(TapeKeyInfo, Self), String> {
        let list = Zeroizing::new(format!("[{text}]"));
        let mut keys = parse_config(list.as_bytes())?;
        keys.pop().filter(|_| keys.is_empty()).ok_or_else(|| "holds no single key".to_owned())
    }

    /// A file of such keys, as PBS writes it.
    pub fn list_text<'k>(keys: impl Iterator<Item = &'k Self>) -> String {
        let list: Vec<_> = keys.map(|key| InOrder(&key.0)).collect();
        serde_json::to_string_pretty(&list).unwrap_or_default()
    }

    /// The JSON object.
    pub fn as_json(&self) -> &Value {
        &self.0
    }

    /// Its text, members in the order in which PBS writes them; over several lines if `pretty`.
    pub fn to_text(&self, pretty: bool) -> String {
        let object = InOrder(&self.0);
        let text = match pretty {
            true => serde_json::to_string_pretty(&object),
            false => serde_json::to_string(&object),
        };
        // A value that was read from JSON can be written.
        text.unwrap_or_default()
    }
}

/// A JSON value whose members stand in the order in which PBS writes those of a key; others come last.
struct InOrder<'v>(&'v Value);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        const ORDER: [&str; 11] = [
            "kdf",
            "created",
            "modified",
            "data",
            "fingerprint",
            "hint",
            "n",
            "r",
            "p",
            "iter",
            "salt",
        ];
        let Value::Object(members) = self.0 else { return self.0.serialize(to) };
        let place = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
        let mut members: Vec<_> = members.iter().collect();
        members.sort_by_key(|(key, _)| place(key));
        to.collect_map(members.into_iter().map(|(key, value)| (key, InOrder(value))))
    }
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrappedKey(hidden)")
    }
}

/// The wrapped keys: all that may be told, and what goes to tape.
#[derive(Debug, Clone)]
pub struct WrappedKeys {
    keys: Vec<(TapeKeyInfo, WrappedKey)>,
    digest: ConfigDigest,
}

impl WrappedKeys {
    /// Reads the file of wrapped keys; a missing one holds none.
    pub fn load(dir: &ConfigDir) -> Result<Self, ConfigError> {
        let config = dir.read(TapeKeys::CONFIG_FILE)?;
        let keys = parse_config(&config).map_err(refuse(dir, TapeKeys::CONFIG_FILE))?;
        // The digest of a missing file is that of an empty list (`tape-state.md` §14).
        let digest = ConfigDigest::of(if config.is_empty() { b"[]" } else { &config });
        Ok(Self { keys, digest })
    }

    /// What may be told of them, in the order of the file.
    pub fn infos(&self) -> impl ExactSizeIterator<Item = &TapeKeyInfo> {
        self.keys.iter().map(|(info, _)| info)
    }

    /// What may be told of the key with this fingerprint, and how it is wrapped.
    pub fn get(&self, fingerprint: &Fingerprint) -> Option<&(TapeKeyInfo, WrappedKey)> {
        self.keys.iter().find(|(info, _)| info.fingerprint == *fingerprint)
    }

    /// The same; an error where there is none.
    pub fn require(
        &self,
        fingerprint: &Fingerprint,
    ) -> Result<&(TapeKeyInfo, WrappedKey), ConfigError> {
        let name = || ConfigError::NotFound { kind: "tape key", name: fingerprint.short() };
        self.get(fingerprint).ok_or_else(name)
    }

    /// The digest of the file.
    pub fn digest(&self) -> ConfigDigest {
        self.digest
    }
}

/// All tape keys.
#[derive(Debug, Clone)]
pub struct TapeKeys {
    wrapped: WrappedKeys,
    keys: BTreeMap<Fingerprint, SecretKey>,
}

/// Where the keys themselves are read: the file in the folder of the configuration, or the copy of it that a service
/// manager hands to a daemon which may not read that file.
#[derive(Debug, Clone)]
pub struct KeySource {
    dir: ConfigDir,
    credential: Option<PathBuf>,
}

impl KeySource {
    /// The file in the folder.
    pub fn of(dir: ConfigDir) -> Self {
        Self { dir, credential: None }
    }

    /// In its place, where it may not be read, the file `credential`.
    pub fn with_credential(self, credential: Option<PathBuf>) -> Self {
        Self { credential, ..self }
    }

    /// The folder.
    pub fn dir(&self) -> &ConfigDir {
        &self.dir
    }

    /// Reads both files; a missing one holds no keys.
    pub fn load(&self) -> Result<TapeKeys, ConfigError> {
        let wrapped = WrappedKeys::load(&self.dir)?;
        Ok(TapeKeys { wrapped, keys: self.keys()? })
    }

    fn keys(&self) -> Result<BTreeMap<Fingerprint, SecretKey>, ConfigError> {
        let file = self.dir.file(TapeKeys::KEYS_FILE);
        match (read_keys(&self.dir), &self.credential) {
            (Err(ConfigError::Io { source, .. }), Some(copy))
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                let content = std::fs::read(copy).map(Zeroizing::new);
                let content = content.map_err(crate::error::io_error("read", copy))?;
                parse_keys(&content).map_err(refuse_path(copy.clone()))
            }
            (Err(ConfigError::Io { source, .. }), None)
                if source.kind() == std::io::ErrorKind::PermissionDenied =>
            {
                Err(ConfigError::KeysUnreadable { path: file, source })
            }
            (read, _) => read,
        }
    }
}

/// Reads the file of the keys themselves, which it must be allowed to.
fn read_keys(dir: &ConfigDir) -> Result<BTreeMap<Fingerprint, SecretKey>, ConfigError> {
    let content = Zeroizing::new(dir.read(TapeKeys::KEYS_FILE)?);
    parse_keys(&content).map_err(refuse(dir, TapeKeys::KEYS_FILE))
}

fn refuse(dir: &ConfigDir, name: &str) -> impl FnOnce(String) -> ConfigError + use<> {
    refuse_path(dir.file(name))
}

fn refuse_path(path: PathBuf) -> impl FnOnce(String) -> ConfigError {
    move |reason| ConfigError::Keys { path, reason }
}

impl TapeKeys {
    /// The name of the file of the keys themselves.
    pub const KEYS_FILE: &str = "tape-encryption-keys.json";
    /// The name of the file of the wrapped keys.
    pub const CONFIG_FILE: &str = "tape-encryption-key-config.json";

    /// Reads both files of a folder; a missing one holds no keys.
    pub fn load(dir: &ConfigDir) -> Result<Self, ConfigError> {
        KeySource::of(dir.clone()).load()
    }

    /// What may be told of them, in the order of the file.
    pub fn infos(&self) -> impl ExactSizeIterator<Item = &TapeKeyInfo> {
        self.wrapped.infos()
    }

    /// The key with this fingerprint.
    pub fn key(&self, fingerprint: &Fingerprint) -> Option<&SecretKey> {
        self.keys.get(fingerprint)
    }

    /// What may be told of the key with this fingerprint, and how it is wrapped.
    pub fn wrapped(&self, fingerprint: &Fingerprint) -> Option<(&TapeKeyInfo, &WrappedKey)> {
        self.wrapped.get(fingerprint).map(|(info, wrapped)| (info, wrapped))
    }

    /// The digest of the file of wrapped keys.
    pub fn digest(&self) -> ConfigDigest {
        self.wrapped.digest()
    }
}

#[derive(Deserialize)]
struct KeyEntry<'c> {
    fingerprint: Fingerprint,
    /// Where it stands in the file: a copy would have to be overwritten, too.
    key: &'c str,
}

#[derive(Deserialize)]
struct ConfigEntry {
    kdf: Option<KdfEntry>,
    created: String,
    modified: String,
    fingerprint: Fingerprint,
    hint: Option<PasswordHint>,
}

#[derive(Deserialize)]
enum KdfEntry {
    Scrypt {
        n: u64,
        r: u64,
        p: u64,
    },
    #[serde(rename = "PBKDF2")]
    Pbkdf2 {
        iter: u64,
    },
}

/// Reads a list; the messages of the JSON reader quote what they don't expect, so they stay out.
fn parse_list<'c, T: Deserialize<'c>>(content: &'c [u8]) -> Result<Vec<T>, String> {
    if content.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_slice(content).map_err(|error| {
        format!("line {} is not what a list of keys looks like", error.line().max(1))
    })
}

pub(crate) fn parse_keys(content: &[u8]) -> Result<BTreeMap<Fingerprint, SecretKey>, String> {
    let mut keys = BTreeMap::new();
    for entry in parse_list::<KeyEntry<'_>>(content)? {
        let name = entry.fingerprint.short();
        let key = SecretKey::from_hex(entry.key)
            .ok_or_else(|| format!("key {name} is not 64 hexadecimal digits"))?;
        let computed = fingerprint_of(&key).map_err(|error| error.to_string())?;
        if computed != entry.fingerprint {
            return Err(format!(
                "key {name} has the fingerprint {} in truth; restore the file from a backup",
                computed.short()
            ));
        }
        if keys.insert(computed, key).is_some() {
            return Err(format!("key {name} stands twice"));
        }
    }
    Ok(keys)
}

pub(crate) fn parse_config(content: &[u8]) -> Result<Vec<(TapeKeyInfo, WrappedKey)>, String> {
    let mut keys: Vec<(TapeKeyInfo, WrappedKey)> = Vec::new();
    for object in parse_list::<Value>(content)? {
        // What the JSON reader says quotes what it does not expect.
        let entry = ConfigEntry::deserialize(&object)
            .map_err(|_| format!("key number {} lacks a part of it", keys.len() + 1))?;
        let info = parse_info(entry)?;
        if keys.iter().any(|(known, _)| known.fingerprint == info.fingerprint) {
            return Err(format!("key {} stands twice", info.fingerprint.short()));
        }
        keys.push((info, WrappedKey(object)));
    }
    Ok(keys)
}

fn parse_info(entry: ConfigEntry) -> Result<TapeKeyInfo, String> {
    let name = entry.fingerprint.short();
    let time = |text: &str| parse_rfc3339(text).map_err(|error| format!("key {name}: {error}"));
    Ok(TapeKeyInfo {
        created: time(&entry.created)?,
        modified: time(&entry.modified)?,
        fingerprint: entry.fingerprint,
        hint: entry.hint,
        kdf: match entry.kdf {
            None => Kdf::None,
            Some(KdfEntry::Scrypt { n, r, p }) => Kdf::Scrypt { n, r, p },
            Some(KdfEntry::Pbkdf2 { iter }) => Kdf::Pbkdf2 { iterations: iter },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const FINGERPRINT: &str = "0e:ab:d4:46:0b:6e:b9:ca:34:50:23:de:e2:b7:78:c7:90:e5:4a:16:83:b9:65:9c:0a:57:ae:19:90:90:15:9b";
    const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn keys_json() -> String {
        format!(r#"[{{"fingerprint":"{FINGERPRINT}","key":"{KEY}"}}]"#)
    }

    fn config_json() -> String {
        format!(
            r#"[{{"kdf":{{"Scrypt":{{"n":65536,"r":8,"p":1,"salt":"AAAA"}}}},"created":"2026-11-23T14:34:44+01:00",
            "modified":"2026-11-23T13:34:45+00:00","data":"AAAA","fingerprint":"{FINGERPRINT}","hint":"a hint"}}]"#
        )
    }

    fn load(keys: &str, config: &str) -> Result<TapeKeys, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(TapeKeys::KEYS_FILE), keys).unwrap();
        fs::write(folder.path().join(TapeKeys::CONFIG_FILE), config).unwrap();
        TapeKeys::load(&ConfigDir::new(folder.path()))
    }

    #[test]
    fn keys_and_what_may_be_told_of_them() {
        let keys = load(&keys_json(), &config_json()).unwrap();
        let info = keys.infos().next().unwrap();
        assert_eq!(info.hint.as_ref().unwrap().as_str(), "a hint");
        assert_eq!(info.kdf, Kdf::Scrypt { n: 65536, r: 8, p: 1 });
        assert_eq!((info.created, info.modified), (1_795_440_884, 1_795_440_885));
        assert_eq!(keys.key(&info.fingerprint).unwrap().as_bytes()[31], 0x1f);
        assert_eq!(keys.digest(), ConfigDigest::of(config_json().as_bytes()));
        let (found, wrapped) = keys.wrapped(&info.fingerprint).unwrap();
        assert_eq!((found, &wrapped.as_json()["kdf"]["Scrypt"]["salt"]), (info, &"AAAA".into()));
        assert!(keys.wrapped(&Fingerprint([0; 32])).is_none());
        let shown = format!("{keys:?}");
        assert!(shown.contains("hidden") && !shown.contains("28, 29, 30, 31"), "{shown}");
        assert!(!shown.contains("salt") && !shown.contains("data"), "{shown}");
    }

    #[test]
    fn no_files_no_keys() {
        let folder = tempfile::tempdir().unwrap();
        let keys = TapeKeys::load(&ConfigDir::new(folder.path())).unwrap();
        assert_eq!((keys.infos().len(), keys.digest()), (0, ConfigDigest::of(b"[]")));
    }

    #[test]
    fn doubtful_files_are_refused_without_telling_keys() {
        let good = keys_json();
        let twice = format!("[{0},{0}]", &good[1..good.len() - 1]);
        let bad_keys = [
            good.replace("1e1f", "1e1e"),
            good.replace("1e1f", "1e"),
            good.replace("\"00", "\"zz"),
            good.replace(&format!("\"{KEY}\""), "[\"000102030405060708\"]"),
            good.replace("fingerprint", "finger"),
            good[..good.len() - 1].into(),
            twice,
            KEY.into(),
        ];
        for text in bad_keys {
            let error = load(&text, &config_json()).unwrap_err();
            assert_eq!(error.errno(), nix::libc::EIO);
            let shown = format!("{error} {error:?}");
            assert!(
                shown.contains(TapeKeys::KEYS_FILE) && !shown.contains("0001020304"),
                "{shown}"
            );
        }
        let config = config_json();
        let bad_configs = [
            format!("[{0},{0}]", &config[1..config.len() - 1]),
            config.replace("fingerprint", "finger"),
            config.replace("+01:00", ""),
            config.replace("Scrypt", "Argon2"),
            config.replace("a hint", ""),
        ];
        for text in bad_configs {
            let error = load(&good, &text).unwrap_err();
            assert!(error.to_string().contains(TapeKeys::CONFIG_FILE), "{error}");
        }
    }
}
