//! Keys that open what clients encrypted.
//!
//! A key comes in by the name of a file that only its owner can read, is unlocked once, and is kept readable by
//! the daemon alone (0600).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use reel_config::{ClientKey, ClientKeys, SecretKey};
use reel_store::key::KeyFile;
use reel_types::StoreName;
use reel_types::commands::results::ClientKeyEntry;
use reel_types::commands::{ClientKeyAdd, ClientKeyList, ClientKeyRemove};

use super::Done;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

/// No key file or passphrase is larger.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

impl Reeld {
    pub(super) fn client_key_add(&self, command: &ClientKeyAdd) -> Outcome<Done> {
        let store = store_of(command.store.as_ref())?;
        self.stores.config(store)?;
        let file = KeyFile::parse(&read_secret(command.key_file.as_path())?)?;
        let crypt = file.unlock(|| match &command.passphrase_file {
            Some(path) => passphrase(path.as_path()),
            None => Err(std::io::Error::other(
                "the key has a passphrase: put it into a file and name that by --passphrase-file",
            )),
        })?;
        ClientKeys::new(&self.config).add(store, &ClientKey {
            fingerprint: crypt.fingerprint(),
            key: SecretKey::new(*crypt.enc_key()),
            hint: file.hint().map(str::parse).transpose()?,
            created: file.created().epoch(),
            modified: file.modified().epoch(),
        })?;
        Done::nothing()
    }

    pub(super) fn client_key_list(&self, command: &ClientKeyList) -> Outcome<Done> {
        let keys = ClientKeys::new(&self.config).list()?;
        let wanted = keys
            .into_iter()
            .filter(|key| command.store.as_ref().is_none_or(|store| *store == key.store));
        let entry = |key: reel_config::ClientKeyInfo| ClientKeyEntry {
            fingerprint: key.fingerprint,
            store: Some(key.store),
            media_set: None,
            hint: key.hint.map(|hint| hint.to_string()),
        };
        Done::data(wanted.map(entry).collect::<Vec<_>>())
    }

    pub(super) fn client_key_remove(&self, command: &ClientKeyRemove) -> Outcome<Done> {
        let store = store_of(command.store.as_ref())?;
        ClientKeys::new(&self.config).remove(store, &command.fingerprint)?;
        Done::nothing()
    }
}

fn store_of(store: Option<&StoreName>) -> Outcome<&StoreName> {
    store.ok_or_else(|| Failure::invalid("name the datastore that the key is for by --store"))
}

fn read_secret(path: &Path) -> Outcome<Vec<u8>> {
    let named = |error: std::io::Error| {
        let errno = error.raw_os_error().unwrap_or(nix::libc::EIO);
        Failure::new(errno, format!("read '{}': {error}", path.display()))
    };
    let meta = fs::metadata(path).map_err(named)?;
    if meta.mode() & 0o077 != 0 {
        return Err(Failure::new(
            nix::libc::EACCES,
            format!("others can read '{}'; make it readable by its owner alone first", path.display()),
        ));
    }
    if meta.len() > SECRET_BYTES_MAX {
        return Err(Failure::invalid(format!("'{}' is too large for a key", path.display())));
    }
    fs::read(path).map_err(named)
}

/// The first line of the file, without its end.
fn passphrase(path: &Path) -> std::io::Result<Vec<u8>> {
    let content = read_secret(path).map_err(std::io::Error::other)?;
    Ok(content.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default().to_vec())
}
