//! A snapshot of a media set: its small files from the cache, its chunks from tape.

use std::sync::Arc;

use bytes::Bytes;
use nix::libc;
use reel_config::ClientKeys;
use reel_store::source::ChunkReader;
use reel_store::view::SharedIndex;
use reel_store::{CryptConfig, CryptMode, DataBlob, Manifest};
use reel_tape::snapshot_files::SnapshotOnSet;
use reel_types::{ArchiveName, Fingerprint};

use super::kept::KeptFiles;
use super::{FinishedSnapshot, keys};
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

/// A snapshot of a media set whose archive has been seen.
pub(crate) struct SetSnapshot {
    reeld: Arc<Reeld>,
    place: SnapshotOnSet,
    files: KeptFiles,
}

impl SetSnapshot {
    /// Opens a snapshot whose files are in the cache.
    pub(crate) fn open(reeld: &Arc<Reeld>, place: &SnapshotOnSet) -> Outcome<Self> {
        let SnapshotOnSet { set, store, path } = place;
        let text = format!("snapshot '{path}' of datastore '{store}' in media set {set}");
        let kept = reeld.tape.snapshots.get(place).ok_or_else(|| {
            let reason = format!(
                "open {text}: its index has not been read from tape yet; write 'fetch' to its ctl"
            );
            Failure::new(libc::ENODATA, reason)
        })?;
        let files = KeptFiles::open(kept.folder(), text, path, store)?;
        Ok(Self { reeld: Arc::clone(reeld), place: place.clone(), files })
    }
}

impl FinishedSnapshot for SetSnapshot {
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

    fn chunks(&self, _index: &ArchiveName) -> Outcome<Arc<dyn ChunkReader>> {
        Ok(self.reeld.set_source(self.place.set, &self.place.store)?.reader())
    }

    fn key(&self, fingerprint: &Fingerprint) -> Outcome<Arc<CryptConfig>> {
        if let Some(key) = self.reeld.client_key_of_any(fingerprint)? {
            return Ok(key);
        }
        let others = ClientKeys::new(&self.reeld.config).ring_of_all()?.keys().count();
        Err(keys::no_key(fingerprint, others, &format!("datastore '{}'", self.place.store)))
    }
}
