//! Reads and checks the chunks of a snapshot ahead of the drive.
//!
//! One thread walks the indexes and decides what is wanted, a few read and check chunks, the drive's thread
//! takes them as they come. A chunk that is missing, unreadable or not what its digest says ends the feed:
//! it never reaches a tape as if it were good.

use std::collections::HashSet;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError, RwLock};

use reel_index::DigestSet;
use reel_store::chunk_store::ChunkStore;
use reel_store::datastore::SnapshotReader;
use reel_store::{ChunkIndex, DataBlob, StoreError};
use reel_types::{ArchiveKind, ArchiveName, Digest};

use super::known::KnownContents;
use crate::{Error, Result};

/// Threads that read and check chunks: the digest of 4 MiB takes about as long as writing it to a fast disk.
const READERS: usize = 2;
/// Checked chunks that wait for the drive: 4 of 4 MiB bridge the gaps between files on disk.
const CHUNKS_AHEAD: usize = 4;
/// Digests that wait for a reader: enough that none idles, and nothing in bytes.
const DIGESTS_AHEAD: usize = 64;
/// Entries of an index that are sorted by inode at once: 3 MiB of memory, 256 GiB of an image.
const WINDOW_ENTRIES: u64 = 65_536;

/// A chunk that was read and is good.
pub(super) struct CheckedChunk {
    pub(super) digest: Digest,
    pub(super) blob: DataBlob,
}

type Fed = Result<CheckedChunk>;

/// The chunks of one snapshot that its media set lacks.
pub(super) struct ChunkFeed {
    chunks: Receiver<Fed>,
    /// A chunk that was taken and is still wanted: it did not fit on its medium.
    back: Option<CheckedChunk>,
}

impl ChunkFeed {
    /// The next chunk; none when all were given.
    pub(super) fn next(&mut self) -> Result<Option<CheckedChunk>> {
        match self.back.take() {
            Some(chunk) => Ok(Some(chunk)),
            None => self.chunks.recv().ok().transpose(),
        }
    }

    /// Gives a chunk back, so that it is the next one again.
    pub(super) fn put_back(&mut self, chunk: CheckedChunk) {
        self.back = Some(chunk);
    }
}

/// Feeds `consume` with all chunks of `snapshot` that are not `known`, each once.
///
/// `scratch` takes what doesn't fit into memory of a snapshot with many millions of chunks.
pub(super) fn feed_chunks<T>(
    snapshot: &SnapshotReader,
    known: &RwLock<KnownContents>,
    scratch: &Path,
    consume: impl FnOnce(&mut ChunkFeed) -> Result<T>,
) -> Result<T> {
    let (digests, wanted) = sync_channel(DIGESTS_AHEAD);
    let (checked, chunks) = sync_channel(CHUNKS_AHEAD);
    let wanted = Mutex::new(Some(wanted));
    let chunk_store = snapshot.store().chunks();
    std::thread::scope(|scope| {
        for _ in 0..READERS {
            let checked = checked.clone();
            let wanted = &wanted;
            scope.spawn(move || read_chunks(chunk_store, wanted, &checked));
        }
        scope.spawn(move || {
            let walk = Walk { snapshot, known, seen: DigestSet::new(scratch), digests };
            if let Err(error) = walk.run() {
                // The receiver is gone only when nobody wants to know any more.
                let _ = checked.send(Err(error));
            }
        });
        let mut feed = ChunkFeed { chunks, back: None };
        let consumed = consume(&mut feed);
        // Readers that wait for room end when nobody listens, the walk when nobody takes its digests.
        drop(feed);
        *wanted.lock().unwrap_or_else(PoisonError::into_inner) = None;
        consumed
    })
}

/// Whether a snapshot has any index.
pub(super) fn has_chunks(snapshot: &SnapshotReader) -> bool {
    snapshot.manifest().files().iter().any(|file| file.name.kind() != ArchiveKind::Blob)
}

type Wanted = Mutex<Option<Receiver<Digest>>>;

fn next_wanted(wanted: &Wanted) -> Option<Digest> {
    wanted.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.recv().ok()
}

fn read_chunks(store: &ChunkStore, wanted: &Wanted, checked: &SyncSender<Fed>) {
    while let Some(digest) = next_wanted(wanted) {
        let read = store.read_verified(&digest, None);
        let fed = read.map(|(blob, _plain)| CheckedChunk { digest, blob }).map_err(Error::from);
        let failed = fed.is_err();
        if checked.send(fed).is_err() || failed {
            return;
        }
    }
}

/// Goes through the indexes of a snapshot.
struct Walk<'a> {
    snapshot: &'a SnapshotReader,
    known: &'a RwLock<KnownContents>,
    /// What was handed out already.
    seen: DigestSet,
    digests: SyncSender<Digest>,
}

impl Walk<'_> {
    /// Hands out all wanted digests: last file first, as PBS does.
    fn run(mut self) -> Result<()> {
        let files = self.snapshot.manifest().files().iter().rev();
        let indexes = files.map(|file| &file.name).filter(|name| name.kind() != ArchiveKind::Blob);
        for name in indexes {
            if !self.walk_index(name)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether anybody still listens.
    fn walk_index(&mut self, name: &ArchiveName) -> Result<bool> {
        let index = self.snapshot.index(name)?.index;
        let mut start = 0;
        while start < index.chunk_count() {
            let end = index.chunk_count().min(start + WINDOW_ENTRIES);
            let mut digests = self.wanted_of(&*index, start..end)?;
            self.snapshot.store().sort_for_reading(&mut digests);
            if digests.into_iter().any(|digest| self.digests.send(digest).is_err()) {
                return Ok(false);
            }
            start = end;
        }
        Ok(true)
    }

    fn wanted_of<I: ChunkIndex>(
        &mut self,
        index: &I,
        range: std::ops::Range<u64>,
    ) -> Result<Vec<Digest>> {
        let mut wanted = Vec::new();
        let mut in_window = HashSet::new();
        for entry in index.entries(range) {
            let digest = entry?.digest;
            let new = in_window.insert(digest)
                && !self.seen.contains(digest.as_bytes())
                && !self.known.read().unwrap_or_else(PoisonError::into_inner).has_chunk(&digest);
            if new {
                self.seen.insert(*digest.as_bytes())?;
                wanted.push(digest);
            }
        }
        Ok(wanted)
    }
}

/// Whether an error is about the datastore's data, so that the snapshot is left out and the job goes on.
pub(super) fn is_about_data(error: &Error) -> bool {
    matches!(error, Error::Store(_) | Error::Data(_) | Error::Pxar { .. })
}

/// Whether the snapshot is no longer there.
pub(super) fn is_vanished(error: &StoreError) -> bool {
    error.kind() == reel_store::StoreErrorKind::NotFound
}
