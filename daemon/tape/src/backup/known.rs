//! What a media set already holds of one datastore, so that it is not written again.
//!
//! Whole digests are compared here. The indexes that readers look into ([`crate::catalog_index`]) know half of each:
//! enough for a hint that is checked on the medium, too little for deciding that a chunk need not be written.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;

use reel_index::DigestSet;
use reel_types::{Digest, MediaId, SnapshotPath, StoreName};

use crate::env::TapeEnv;
use crate::inventory::Inventory;
use crate::media_catalog::{CatalogExpectation, CatalogReader, CatalogRecord};
use crate::{Error, Result};

/// Chunks and snapshots of one datastore that are on a media set.
pub(super) struct KnownContents {
    store: StoreName,
    chunks: DigestSet,
    snapshots: HashSet<SnapshotPath>,
}

impl KnownContents {
    /// Reads the catalogs of all members; a missing or broken one is an error, since without it things
    /// would be written twice and, worse, the set could not be restored by its catalogs.
    pub(super) fn of_set(
        env: &TapeEnv,
        inventory: &Inventory,
        members: &[MediaId],
        store: &StoreName,
    ) -> Result<Self> {
        let mut known = Self {
            store: store.clone(),
            chunks: DigestSet::new(&env.scratch),
            snapshots: HashSet::new(),
        };
        for medium in members {
            known.add_catalog(env, inventory, *medium)?;
        }
        Ok(known)
    }

    fn add_catalog(&mut self, env: &TapeEnv, inventory: &Inventory, medium: MediaId) -> Result<()> {
        let path = env.state.catalog(medium);
        let refuse = |source| Error::Catalog { path: path.clone(), source: Box::new(source) };
        let file = File::open(&path).map_err(Error::io("read it")).map_err(refuse)?;
        let set_label = inventory.require(medium)?.labels.media_set_label.as_ref();
        let expected = CatalogExpectation::of(medium, set_label);
        self.add_records(CatalogReader::new(BufReader::new(file), expected).map_err(refuse)?)
            .map_err(refuse)
    }

    fn add_records(&mut self, mut catalog: CatalogReader<BufReader<File>>) -> Result<()> {
        let mut ours = false;
        let mut archive = Vec::new();
        while let Some(record) = catalog.next_record()? {
            match record {
                CatalogRecord::ChunkArchiveStart { store, .. } => {
                    ours = store == self.store;
                    archive.clear();
                }
                CatalogRecord::Chunk(digest) if ours => archive.push(digest),
                // Chunks count with the end of their archive, never before.
                CatalogRecord::ChunkArchiveEnd { .. } => {
                    archive.drain(..).try_for_each(|digest| self.add_chunk(&digest))?;
                }
                CatalogRecord::Snapshot { store, path, .. } if store == self.store => {
                    self.add_snapshot(path);
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn has_chunk(&self, digest: &Digest) -> bool {
        self.chunks.contains(digest.as_bytes())
    }

    pub(super) fn add_chunk(&mut self, digest: &Digest) -> Result<()> {
        Ok(self.chunks.insert(*digest.as_bytes())?)
    }

    pub(super) fn has_snapshot(&self, path: &SnapshotPath) -> bool {
        self.snapshots.contains(path)
    }

    pub(super) fn add_snapshot(&mut self, path: SnapshotPath) {
        self.snapshots.insert(path);
    }
}
