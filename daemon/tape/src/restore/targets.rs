//! The datastores that are restored into.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reel_index::DigestSet;
use reel_store::chunk_store::{ChunkStore, Inserted};
use reel_store::datastore::Datastore;
use reel_store::locks::SharedGuard;
use reel_store::{DataBlob, StoreErrorKind};
use reel_types::commands::StoreMap;
use reel_types::{Digest, StoreName};

use super::RestoreJob;
use crate::Result;
use crate::chunk_intake::{NotTaken, TakeChunk, check_digest};
use crate::env::TapeEnv;

/// All targets, and which source goes to which.
pub(super) struct Targets {
    map: StoreMap,
    stores: BTreeMap<StoreName, Arc<Target>>,
}

/// A datastore that is restored into. As long as this lives no other process collects garbage there.
pub(super) struct Target {
    store: Arc<Datastore>,
    /// Chunks that are there and were touched since the restore began.
    present: Mutex<DigestSet>,
    /// Whether chunks were written that are not yet forced to the disk.
    has_new_chunks: AtomicBool,
    /// The same of snapshots.
    has_new_snapshots: AtomicBool,
    _guard: SharedGuard,
}

impl Targets {
    pub(super) fn open(env: &TapeEnv, job: &RestoreJob) -> Result<Self> {
        let wanted: HashSet<&StoreName> = job.map.targets().into_iter().collect();
        let stores = job.stores.iter().filter(|(name, _)| wanted.contains(name));
        let stores = stores
            .map(|(name, store)| {
                let target = Target::open(store, env.clock.now(), &env.scratch)?;
                Ok((name.clone(), Arc::new(target)))
            })
            .collect::<Result<_>>()?;
        Ok(Self { map: job.map.clone(), stores })
    }

    /// Where the content of `source` goes; none where it is left out.
    pub(super) fn of(&self, source: &StoreName) -> Option<&Arc<Target>> {
        self.stores.get(self.map.target(source)?)
    }

    /// The names of all targets.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.stores.keys().map(StoreName::as_str).collect();
        names.join(", ")
    }

    /// Forces to the disk what was written to any of them.
    pub(super) fn sync_all(&self) -> Result<()> {
        self.stores.values().try_for_each(|target| target.sync())
    }
}

impl Target {
    fn open(store: &Arc<Datastore>, now: i64, scratch: &Path) -> Result<Self> {
        Ok(Self {
            store: store.clone(),
            present: Mutex::new(DigestSet::new(scratch)),
            has_new_chunks: AtomicBool::new(false),
            has_new_snapshots: AtomicBool::new(false),
            _guard: store.chunks().process_lock().shared(now)?,
        })
    }

    pub(super) fn store(&self) -> &Arc<Datastore> {
        &self.store
    }

    /// Whether this restore has met the chunk already.
    pub(super) fn has_met(&self, digest: &Digest) -> bool {
        self.present().contains(digest.as_bytes())
    }

    /// Sorts `digests`, drops twins and leaves those whose chunks the datastore lacks. The others are touched, so
    /// that no garbage collection that begins later takes them.
    pub(super) fn retain_missing(&self, digests: &mut Vec<[u8; 32]>) -> Result<()> {
        self.present().retain_unknown(digests);
        let mut missing = Vec::new();
        for digest in digests.drain(..) {
            match is_stored(self.store.chunks(), &Digest(digest))? {
                true => self.note_present(&Digest(digest))?,
                false => missing.push(digest),
            }
        }
        *digests = missing;
        Ok(())
    }

    /// Forces new chunks to the disk as the datastore's sync level asks for: before a snapshot relies on them.
    pub(super) fn sync_chunks(&self) -> Result<()> {
        if self.has_new_chunks.swap(false, Ordering::AcqRel) {
            self.store.chunks().sync_at_finish()?;
        }
        Ok(())
    }

    /// A snapshot was written.
    pub(super) fn note_snapshot(&self) {
        self.has_new_snapshots.store(true, Ordering::Release);
    }

    fn sync(&self) -> Result<()> {
        if self.has_new_snapshots.swap(false, Ordering::AcqRel) {
            return Ok(self.store.chunks().sync_at_finish()?);
        }
        self.sync_chunks()
    }

    fn note_present(&self, digest: &Digest) -> Result<()> {
        Ok(self.present().insert(*digest.as_bytes())?)
    }

    fn present(&self) -> MutexGuard<'_, DigestSet> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TakeChunk for Target {
    /// Checks a chunk as far as that goes without a key, and stores it.
    fn take_chunk(&self, digest: &Digest, blob: &DataBlob) -> Result<(), NotTaken> {
        check_digest(digest, blob).map_err(NotTaken::Bad)?;
        let inserted = self.store.chunks().insert(blob, digest);
        let inserted = inserted.map_err(|error| match error.kind() {
            StoreErrorKind::Checksum | StoreErrorKind::Corrupt => NotTaken::Bad(error.to_string()),
            _ => NotTaken::Failed(error.into()),
        })?;
        if matches!(inserted, Inserted::New(_)) {
            self.has_new_chunks.store(true, Ordering::Release);
        }
        self.note_present(digest).map_err(NotTaken::Failed)
    }
}

/// Whether a file with content is there for the chunk. A crash can leave an empty one, which stands for nothing.
fn is_stored(chunks: &ChunkStore, digest: &Digest) -> Result<bool> {
    let has_content = std::fs::metadata(chunks.path(digest)).is_ok_and(|file| file.len() > 0);
    Ok(has_content && chunks.contains(digest)?)
}
