//! A snapshot on a remote: its small files as they were brought, its chunks over its connection.

use std::sync::Arc;

use bytes::Bytes;
use reel_config::ClientKeys;
use reel_store::source::ChunkReader;
use reel_store::view::SharedIndex;
use reel_store::{CryptConfig, CryptMode, DataBlob, Manifest};
use reel_types::{ArchiveName, Fingerprint, SnapshotPath, StoreName};

use super::kept::KeptFiles;
use super::{FinishedSnapshot, keys};
use crate::failure::Outcome;
use crate::live::LiveSnapshot;
use crate::reeld::Reeld;

/// A snapshot on a remote whose manifest was brought.
pub(crate) struct RemoteSnapshot {
    reeld: Arc<Reeld>,
    live: Arc<LiveSnapshot>,
    files: KeptFiles,
}

impl RemoteSnapshot {
    /// Opens what was brought of it.
    pub(crate) fn open(
        reeld: &Arc<Reeld>,
        live: &Arc<LiveSnapshot>,
        path: &SnapshotPath,
        store: &StoreName,
    ) -> Outcome<Self> {
        let files = KeptFiles::open(live.folder(), live.text(), path, store)?;
        Ok(Self { reeld: Arc::clone(reeld), live: Arc::clone(live), files })
    }
}

impl FinishedSnapshot for RemoteSnapshot {
    fn manifest(&self) -> &Manifest {
        self.files.manifest()
    }

    fn manifest_raw(&self) -> &Bytes {
        self.files.manifest_raw()
    }

    fn text(&self, name: &ArchiveName) -> String {
        self.files.text(name)
    }

    fn index(&self, name: &ArchiveName) -> Outcome<(SharedIndex, CryptMode)> {
        self.files.index(name)
    }

    fn blob(&self, name: &ArchiveName) -> Outcome<DataBlob> {
        self.files.blob(name)
    }

    fn chunks(&self, index: &ArchiveName) -> Outcome<Arc<dyn ChunkReader>> {
        let crypt_mode = self.files.manifest().file(index.as_str())?.crypt_mode;
        Ok(self.live.chunks(index, crypt_mode).reader())
    }

    fn key(&self, fingerprint: &Fingerprint) -> Outcome<Arc<CryptConfig>> {
        if let Some(key) = self.reeld.client_key_of_any(fingerprint)? {
            return Ok(key);
        }
        let others = ClientKeys::new(&self.reeld.config).ring_of_all()?.keys().count();
        Err(keys::no_key(fingerprint, others, "any datastore here"))
    }
}
