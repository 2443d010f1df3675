//! The keys that the daemon holds for snapshots which clients encrypted.
//!
//! Each datastore has a folder `client-keys/STORE/` (0700) with one file (0600) for each key, named
//! after its fingerprint, in the form of PBS's own key files. Such a file holds the key itself
//! (`"kdf": null`): the passphrase is asked for once, when the key is added. The daemon decrypts
//! unattended, so a passphrase would have to lie beside the key and protect nothing; what protects the
//! keys is that only the daemon's user can read them, as with PBS's `tape-encryption-keys.json`.
//!
//! Snapshots on tape come from datastores that may be gone by now: for them all keys make one ring.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reel_types::{Digest, Fingerprint, PasswordHint, StoreName, TimeZone, parse_rfc3339, rfc3339};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::io_error;
use crate::replace::{replace_file, sync_folder};
use crate::{ConfigDir, ConfigError, FileClass, SecretKey, fingerprint_of};

const FOLDER: &str = "client-keys";
const LOCK: &str = ".client-keys.lck";
const KIND: &str = "client key";

/// A client's key, unwrapped.
#[derive(Debug, Clone)]
pub struct ClientKey {
    /// Which key.
    pub fingerprint: Fingerprint,
    /// The key itself.
    pub key: SecretKey,
    /// What reminds of the passphrase it came with.
    pub hint: Option<PasswordHint>,
    /// When it was made (UNIX seconds).
    pub created: i64,
    /// When its passphrase was last changed (UNIX seconds).
    pub modified: i64,
}

/// What may be told of a client key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientKeyInfo {
    /// For which datastore it is held.
    pub store: StoreName,
    /// Which key.
    pub fingerprint: Fingerprint,
    /// What reminds of the passphrase it came with.
    pub hint: Option<PasswordHint>,
    /// When it was made (UNIX seconds).
    pub created: i64,
    /// When its passphrase was last changed (UNIX seconds).
    pub modified: i64,
}

/// Keys by their fingerprints.
#[derive(Debug, Clone, Default)]
pub struct ClientKeyRing(BTreeMap<Fingerprint, SecretKey>);

impl ClientKeyRing {
    /// The key with this fingerprint.
    pub fn get(&self, fingerprint: &Fingerprint) -> Option<&SecretKey> {
        self.0.get(fingerprint)
    }

    /// All keys, by fingerprint.
    pub fn keys(&self) -> impl Iterator<Item = (&Fingerprint, &SecretKey)> {
        self.0.iter()
    }
}

/// The client keys in a folder of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct ClientKeys<'a> {
    dir: &'a ConfigDir,
}

impl<'a> ClientKeys<'a> {
    /// Those of the configuration in `dir`.
    pub fn new(dir: &'a ConfigDir) -> Self {
        Self { dir }
    }

    /// Adds a key for the snapshots of `store`; one that is there already is refused, as is one whose
    /// fingerprint isn't its own.
    pub fn add(&self, store: &StoreName, key: &ClientKey) -> Result<(), ConfigError> {
        let _lock = self.dir.lock(LOCK)?;
        let path = self.path(store, &key.fingerprint);
        check_fingerprint(&key.fingerprint, &key.key)
            .map_err(|reason| ConfigError::Keys { path: path.clone(), reason })?;
        if path.try_exists().map_err(io_error("look for", &path))? {
            let name = key.fingerprint.to_string();
            return Err(ConfigError::Exists { kind: KIND, name });
        }
        make_folder(&self.dir.file(FOLDER))?;
        make_folder(&self.store_folder(store))?;
        let text = file_text(key);
        let (mode, owner) = self.dir.access(FileClass::Secret);
        replace_file(&path, mode, owner, |file| file.write_all(text.as_bytes()))
    }

    /// What may be told of all keys, by datastore and fingerprint.
    pub fn list(&self) -> Result<Vec<ClientKeyInfo>, ConfigError> {
        let mut infos = Vec::new();
        for store in self.stores()? {
            for key in self.load_store(&store)? {
                let ClientKey { fingerprint, hint, created, modified, .. } = key;
                infos.push(ClientKeyInfo {
                    store: store.clone(),
                    fingerprint,
                    hint,
                    created,
                    modified,
                });
            }
        }
        Ok(infos)
    }

    /// Forgets a key of `store`.
    pub fn remove(&self, store: &StoreName, fingerprint: &Fingerprint) -> Result<(), ConfigError> {
        let _lock = self.dir.lock(LOCK)?;
        let path = self.path(store, fingerprint);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ConfigError::NotFound { kind: KIND, name: fingerprint.to_string() })
            }
            Err(error) => Err(io_error("remove", &path)(error)),
            Ok(()) => sync_folder(&self.store_folder(store)),
        }
    }

    /// The keys for the snapshots of `store`.
    pub fn ring(&self, store: &StoreName) -> Result<ClientKeyRing, ConfigError> {
        let keys = self.load_store(store)?.into_iter();
        Ok(ClientKeyRing(keys.map(|key| (key.fingerprint, key.key)).collect()))
    }

    /// All keys in one ring, for snapshots on tape.
    pub fn ring_of_all(&self) -> Result<ClientKeyRing, ConfigError> {
        let mut all = ClientKeyRing::default();
        for store in self.stores()? {
            all.0.extend(self.ring(&store)?.0);
        }
        Ok(all)
    }

    fn store_folder(&self, store: &StoreName) -> PathBuf {
        self.dir.file(FOLDER).join(store)
    }

    fn path(&self, store: &StoreName, fingerprint: &Fingerprint) -> PathBuf {
        self.store_folder(store).join(format!("{}.json", Digest(fingerprint.0)))
    }

    fn stores(&self) -> Result<Vec<StoreName>, ConfigError> {
        let names = sorted_names(&self.dir.file(FOLDER))?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Reads every key of a datastore; temporary files that a crash left are passed over.
    fn load_store(&self, store: &StoreName) -> Result<Vec<ClientKey>, ConfigError> {
        let folder = self.store_folder(store);
        let names = sorted_names(&folder)?;
        let fingerprints = names.iter().filter_map(|name| {
            let digest: Digest = name.strip_suffix(".json")?.parse().ok()?;
            Some((Fingerprint(*digest.as_bytes()), folder.join(name)))
        });
        fingerprints.map(|(fingerprint, path)| load_key(&fingerprint, &path)).collect()
    }
}

fn load_key(fingerprint: &Fingerprint, path: &Path) -> Result<ClientKey, ConfigError> {
    let content = fs::read(path).map_err(io_error("read", path))?;
    let refuse = |reason| ConfigError::Keys { path: path.to_owned(), reason };
    let key = parse_key(&content).map_err(refuse)?;
    if key.fingerprint != *fingerprint {
        return Err(refuse(format!("it holds the key {}", key.fingerprint.short())));
    }
    Ok(key)
}

#[derive(Serialize, Deserialize)]
struct KeyFile {
    /// Always null: the key isn't wrapped.
    kdf: Option<()>,
    created: String,
    modified: String,
    data: String,
    fingerprint: Fingerprint,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<PasswordHint>,
}

fn file_text(key: &ClientKey) -> String {
    let file = KeyFile {
        kdf: None,
        created: rfc3339(key.created, &TimeZone::UTC),
        modified: rfc3339(key.modified, &TimeZone::UTC),
        data: STANDARD.encode(key.key.as_bytes()),
        fingerprint: key.fingerprint,
        hint: key.hint.clone(),
    };
    serde_json::json!(file).to_string()
}

pub(crate) fn parse_key(content: &[u8]) -> Result<ClientKey, String> {
    // The messages of the JSON reader may quote a secret, so they stay out.
    let file: KeyFile =
        serde_json::from_slice(content).map_err(|_| "is not an unwrapped key file".to_owned())?;
    let bytes = STANDARD.decode(&file.data).map(Zeroizing::new).ok();
    let key = bytes.as_ref().and_then(|bytes| bytes.as_slice().try_into().ok()).map(SecretKey::new);
    let key = key.ok_or("its data are not the 32 bytes of a key")?;
    check_fingerprint(&file.fingerprint, &key)?;
    let time = |text: &str| parse_rfc3339(text).map_err(|error| error.to_string());
    Ok(ClientKey {
        fingerprint: file.fingerprint,
        key,
        hint: file.hint,
        created: time(&file.created)?,
        modified: time(&file.modified)?,
    })
}

fn check_fingerprint(expected: &Fingerprint, key: &SecretKey) -> Result<(), String> {
    let computed = fingerprint_of(key).map_err(|error| error.to_string())?;
    if computed == *expected {
        return Ok(());
    }
    Err(format!("key {} has the fingerprint {} in truth", expected.short(), computed.short()))
}

/// Names in a folder that are text, sorted; none where the folder is missing.
fn sorted_names(folder: &Path) -> Result<Vec<String>, ConfigError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io_error("list", folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io_error("list", folder))?;
        names.extend(entry.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

fn make_folder(path: &Path) -> Result<(), ConfigError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(io_error("create", path)),
    }?;
    sync_folder(path.parent().unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn key(first_byte: u8) -> ClientKey {
        let mut bytes = [7; 32];
        bytes[0] = first_byte;
        let key = SecretKey::new(&bytes);
        ClientKey {
            fingerprint: fingerprint_of(&key).unwrap(),
            key,
            hint: Some("where it hangs".parse().unwrap()),
            created: 1_717_597_476,
            modified: 1_717_597_477,
        }
    }

    fn store(name: &str) -> StoreName {
        name.parse().unwrap()
    }

    #[test]
    fn added_listed_used_removed() {
        let folder = tempfile::tempdir().unwrap();
        let dir = ConfigDir::new(folder.path());
        let keys = ClientKeys::new(&dir);
        assert!(keys.list().unwrap().is_empty());
        let (one, two) = (key(1), key(2));
        keys.add(&store("store1"), &one).unwrap();
        keys.add(&store("store2"), &two).unwrap();
        keys.add(&store("store2"), &one).unwrap();

        let ring = keys.ring(&store("store1")).unwrap();
        assert_eq!(ring.get(&one.fingerprint).unwrap().as_bytes(), one.key.as_bytes());
        assert!(ring.get(&two.fingerprint).is_none());
        assert_eq!(keys.ring_of_all().unwrap().keys().count(), 2);
        let infos = keys.list().unwrap();
        assert_eq!(infos.len(), 3);
        assert_eq!((infos[0].store.as_str(), infos[0].created), ("store1", 1_717_597_476));
        assert_eq!(infos[0].hint, one.hint);

        let again = keys.add(&store("store1"), &one).unwrap_err();
        assert_eq!(again.errno(), nix::libc::EEXIST);
        keys.remove(&store("store1"), &one.fingerprint).unwrap();
        let gone = keys.remove(&store("store1"), &one.fingerprint).unwrap_err();
        assert_eq!(gone.errno(), nix::libc::ENOENT);
        assert_eq!(keys.ring(&store("store2")).unwrap().keys().count(), 2);
    }

    #[test]
    fn only_we_can_read_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let dir = ConfigDir::new(folder.path());
        let keys = ClientKeys::new(&dir);
        keys.add(&store("store1"), &key(1)).unwrap();
        let path = keys.path(&store("store1"), &key(1).fingerprint);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert_eq!(mode(&dir.file(FOLDER)), 0o700);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("\"kdf\":null"), "{text}");
    }

    #[test]
    fn a_wrong_fingerprint_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let dir = ConfigDir::new(folder.path());
        let keys = ClientKeys::new(&dir);
        let wrong = ClientKey { fingerprint: key(2).fingerprint, ..key(1) };
        keys.add(&store("store1"), &wrong).unwrap_err();
        assert!(keys.list().unwrap().is_empty());
    }

    #[test]
    fn damaged_files_are_named_and_leftovers_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let dir = ConfigDir::new(folder.path());
        let keys = ClientKeys::new(&dir);
        keys.add(&store("store1"), &key(1)).unwrap();
        let path = keys.path(&store("store1"), &key(1).fingerprint);
        let good = fs::read_to_string(&path).unwrap();
        let leftover = path.with_extension("tmp_abcdef");
        fs::write(&leftover, &good[..20]).unwrap();
        assert_eq!(keys.list().unwrap().len(), 1);
        for bad in [
            good[..good.len() - 1].to_owned(),
            good.replace("\"kdf\":null", "\"kdf\":{\"Scrypt\":{}}"),
            good.replace("AQcH", "AAcH"),
            good.replace("AQcH", ""),
            good.replace("2024-06", "2024-13"),
            file_text(&key(2)),
        ] {
            assert_ne!(bad, good);
            fs::write(&path, &bad).unwrap();
            let error = keys.ring(&store("store1")).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("client-keys/store1/"), "{shown}");
            assert!(!shown.contains("cHBw"), "the key shows: {shown}");
        }
    }
}
