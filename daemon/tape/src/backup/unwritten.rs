//! How much of a datastore a media set lacks: an estimate, for which no chunk is read.

use std::fs;
use std::sync::Arc;

use reel_index::DigestSet;
use reel_store::datastore::{Datastore, SnapshotReader};
use reel_store::{ChunkIndex, IndexEntry};
use reel_types::{ArchiveKind, ArchiveName, Cancel, MediaSetId, NoTask};

use super::chunk_feed::is_vanished;
use super::known::KnownContents;
use super::select::Selection;
use crate::Result;
use crate::env::TapeEnv;
use crate::inventory::Inventory;

/// So many chunks are looked at one by one: a second or two on a slow disk.
const LOOKED_AT: u64 = 16_384;
/// Of the others every so-manieth is.
const THEN_EVERY: u64 = 64;

/// About how many bytes a backup of all of `store` would write to `set`, or to a new set, by the sizes that its chunks
/// have on disk.
pub fn unwritten_bytes(
    env: &TapeEnv,
    inventory: &Inventory,
    set: Option<MediaSetId>,
    store: &Arc<Datastore>,
) -> Result<u64> {
    let members = match set {
        Some(set) => inventory.set_members(set)?.complete()?,
        None => Vec::new(),
    };
    let known = KnownContents::of_set(env, inventory, &members, store.name())?;
    let seen = DigestSet::new(&env.scratch);
    let mut count =
        Count { store: Arc::clone(store), known, seen, sizes: Sizes::default(), files: 0 };
    let selection = Selection::default();
    let (groups, _) = selection.groups(store, &NoTask(Cancel::new()))?;
    for group in &groups {
        for snapshot in selection.snapshots(store, group)? {
            if count.known.has_snapshot(&snapshot) {
                continue;
            }
            match store.open_snapshot(&snapshot) {
                Err(error) if is_vanished(&error) => {}
                opened => count.add(&opened?)?,
            }
        }
    }
    Ok(count.files.saturating_add(count.sizes.estimate()))
}

struct Count {
    store: Arc<Datastore>,
    known: KnownContents,
    seen: DigestSet,
    sizes: Sizes,
    /// Bytes of the snapshots' own files.
    files: u64,
}

impl Count {
    fn add(&mut self, snapshot: &SnapshotReader) -> Result<()> {
        for name in snapshot.stored_files()? {
            let size = snapshot.open_stored(&name)?.metadata().map_or(0, |meta| meta.len());
            self.files = self.files.saturating_add(size);
        }
        for file in snapshot.manifest().files() {
            if file.name.kind() != ArchiveKind::Blob {
                self.add_index(snapshot, &file.name)?;
            }
        }
        Ok(())
    }

    fn add_index(&mut self, snapshot: &SnapshotReader, name: &ArchiveName) -> Result<()> {
        let index = snapshot.index(name)?.index;
        for entry in (*index).entries(0..index.chunk_count()) {
            let entry = entry?;
            let digest = entry.digest.as_bytes();
            if self.seen.contains(digest) || self.known.has_chunk(&entry.digest) {
                continue;
            }
            self.seen.insert(*digest)?;
            self.add_chunk(&entry);
        }
        Ok(())
    }

    fn add_chunk(&mut self, entry: &IndexEntry) {
        let stored = || fs::metadata(self.store.chunks().path(&entry.digest)).ok();
        let stored = self.sizes.wants_to_look().then(stored).flatten().map(|meta| meta.len());
        self.sizes.add(entry.size(), stored);
    }
}

/// Sizes of chunks, of some of which it is known what they come to on disk.
#[derive(Debug, Default)]
struct Sizes {
    chunks: u64,
    plain: u64,
    looked_at: u64,
    stored: u64,
}

impl Sizes {
    fn wants_to_look(&self) -> bool {
        self.chunks < LOOKED_AT || self.chunks.is_multiple_of(THEN_EVERY)
    }

    fn add(&mut self, plain: u64, stored: Option<u64>) {
        self.chunks += 1;
        self.plain = self.plain.saturating_add(plain);
        if let Some(stored) = stored {
            self.looked_at = self.looked_at.saturating_add(plain);
            self.stored = self.stored.saturating_add(stored);
        }
    }

    /// All chunks shrink as those do that were looked at.
    fn estimate(&self) -> u64 {
        match self.looked_at {
            0 => self.plain,
            looked_at => (self.plain as f64 * (self.stored as f64 / looked_at as f64)) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_that_nobody_looked_at_shrink_as_the_others() {
        let mut sizes = Sizes::default();
        assert_eq!(sizes.estimate(), 0);
        sizes.add(100, Some(50));
        sizes.add(100, Some(30));
        assert_eq!(sizes.estimate(), 80);
        sizes.add(100, None);
        assert_eq!(sizes.estimate(), 120);
    }
}
