//! Keys that open what clients encrypted.
//!
//! A key comes in by the name of a file that only its owner can read, is unlocked once, and is kept readable by
//! the daemon alone (0600).

use std::collections::BTreeSet;

use reel_config::{ClientKey, ClientKeys, SecretKey};
use reel_store::key::KeyFile;
use reel_types::commands::results::ClientKeyEntry;
use reel_types::commands::{ClientKeyAdd, ClientKeyList, ClientKeyRemove};
use reel_types::{AuthId, MediaSetId, StoreName};

use super::Done;
use super::secrets::{first_line, read_secret};
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

impl Reeld {
    pub(super) fn client_key_add(&self, command: &ClientKeyAdd, who: &AuthId) -> Outcome<Done> {
        let stores = self.stores_of(command.store.as_ref(), command.media_set)?;
        let file = KeyFile::parse(&read_secret(command.key_file.as_path(), who)?)?;
        let crypt = file.unlock(|| match &command.passphrase_file {
            Some(path) => match first_line(path.as_path(), who) {
                Ok(line) => Ok(line.to_vec()),
                Err(failure) => Err(std::io::Error::other(failure)),
            },
            None => Err(std::io::Error::other(
                "the key has a passphrase: put it into a file and name that by --passphrase-file",
            )),
        })?;
        let key = ClientKey {
            fingerprint: crypt.fingerprint(),
            key: SecretKey::new(crypt.enc_key()),
            hint: file.hint().map(str::parse).transpose()?,
            created: file.created().epoch(),
            modified: file.modified().epoch(),
        };
        let keys = ClientKeys::new(&self.config);
        stores.iter().try_for_each(|store| keys.add(store, &key))?;
        Done::nothing()
    }

    pub(super) fn client_key_list(&self, command: &ClientKeyList) -> Outcome<Done> {
        let all = command.store.is_none() && command.media_set.is_none();
        let stores = match all {
            true => Vec::new(),
            false => self.stores_of(command.store.as_ref(), command.media_set)?,
        };
        let keys = ClientKeys::new(&self.config).list()?;
        let wanted = keys.into_iter().filter(|key| all || stores.contains(&key.store));
        let entry = |key: reel_config::ClientKeyInfo| ClientKeyEntry {
            fingerprint: key.fingerprint,
            store: Some(key.store),
            media_set: command.media_set,
            hint: key.hint.map(|hint| hint.to_string()),
        };
        Done::data(wanted.map(entry).collect::<Vec<_>>())
    }

    pub(super) fn client_key_remove(&self, command: &ClientKeyRemove) -> Outcome<Done> {
        let keys = ClientKeys::new(&self.config);
        for store in self.stores_of(command.store.as_ref(), command.media_set)? {
            keys.remove(&store, &command.fingerprint)?;
        }
        Done::nothing()
    }

    /// The datastores that a key is for: the one that is named, or those that a media set holds snapshots of. Keys
    /// are kept by the datastore's name, whether it is configured here or only on tape.
    fn stores_of(
        &self,
        store: Option<&StoreName>,
        media_set: Option<MediaSetId>,
    ) -> Outcome<Vec<StoreName>> {
        match (store, media_set) {
            (Some(store), None) => {
                self.stores.config(store)?;
                Ok(vec![store.clone()])
            }
            (None, Some(set)) => {
                let found = self.set_contents(set)?.snapshots();
                let stores: BTreeSet<_> = found.into_iter().map(|found| found.store).collect();
                Ok(stores.into_iter().collect())
            }
            _ => {
                Err(Failure::invalid("name what the key is for, by either --store or --media-set"))
            }
        }
    }
}
