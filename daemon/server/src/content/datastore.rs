//! A snapshot of a datastore, held by PBS's shared lock.

use std::sync::Arc;

use bytes::Bytes;
use reel_config::ClientKeys;
use reel_store::datastore::SnapshotReader;
use reel_store::source::{ChunkReader, ChunkSource, DatastoreSource};
use reel_store::view::SharedIndex;
use reel_store::{CryptConfig, CryptMode, DataBlob, Manifest};
use reel_types::{ArchiveName, Fingerprint, SnapshotPath, StoreName};

use super::{FinishedSnapshot, keys};
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;
use crate::stores::StoreInUse;

/// A snapshot of a datastore that is held for reading.
pub(crate) struct DatastoreSnapshot {
    reeld: Arc<Reeld>,
    reader: SnapshotReader,
    source: Arc<DatastoreSource>,
    _in_use: StoreInUse,
}

impl DatastoreSnapshot {
    /// Opens a finished snapshot and locks it shared.
    pub(crate) fn open(
        reeld: &Arc<Reeld>,
        store: &StoreName,
        path: &SnapshotPath,
    ) -> Outcome<Self> {
        let in_use = reeld.stores.begin_reading(store)?;
        let reader = in_use.store().open_snapshot(path)?;
        let source = Arc::clone(&in_use.open.source);
        Ok(Self { reeld: Arc::clone(reeld), reader, source, _in_use: in_use })
    }

    /// All its files, the manifest first.
    pub(super) fn stored_files(&self) -> Outcome<Vec<ArchiveName>> {
        Ok(self.reader.stored_files()?)
    }
}

impl FinishedSnapshot for DatastoreSnapshot {
    fn manifest(&self) -> &Manifest {
        self.reader.manifest()
    }

    fn manifest_raw(&self) -> &Bytes {
        self.reader.manifest_raw()
    }

    fn text(&self, name: &ArchiveName) -> String {
        self.reader.text(name)
    }

    fn index(&self, name: &ArchiveName) -> Outcome<(SharedIndex, CryptMode)> {
        let opened = self.reader.index(name).map_err(damaged)?;
        Ok((opened.index, opened.crypt_mode))
    }

    fn blob(&self, name: &ArchiveName) -> Outcome<DataBlob> {
        Ok(self.reader.blob(name).map_err(damaged)?.blob)
    }

    fn chunks(&self, _index: &ArchiveName) -> Outcome<Arc<dyn ChunkReader>> {
        Ok(self.source.reader())
    }

    fn key(&self, fingerprint: &Fingerprint) -> Outcome<Arc<CryptConfig>> {
        let store = self.reader.store().name();
        if let Some(key) = self.reeld.client_key(store, fingerprint)? {
            return Ok(key);
        }
        let others = ClientKeys::new(&self.reeld.config).ring(store)?.keys().count();
        Err(keys::no_key(fingerprint, others, &format!("datastore '{store}'")))
    }
}

/// A file that the manifest lists and that isn't there is damage, not a name that doesn't exist.
fn damaged(error: reel_store::StoreError) -> Failure {
    super::as_damage(error.into())
}
