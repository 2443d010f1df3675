//! Threads that check chunks and store them (`sync.md` §8).

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;

use bytes::Bytes;
use reel_store::chunk_store::ChunkStore;
use reel_store::{CryptMode, DataBlob, FormatError, IndexEntry};
use reel_types::CommitPoints;

use super::PullError;
use super::archive::Archive;
use super::budget::Room;
use super::known::{ChunksUnderWay, KnownChunks};
use crate::RemoteError;

/// Writers at most: checking takes a processor, storing waits for the disk.
const WRITERS_MAX: usize = 4;

/// A chunk that was asked for; dropped before it came, it fails its archive.
pub(super) struct ChunkOrder {
    part: Part,
    to_writers: Sender<Arrival>,
}

/// A chunk of an archive, and what is held for it until this is dropped.
struct Part {
    archive: Arc<Archive>,
    entry: IndexEntry,
    /// Its bytes as they came, once it is stored.
    stored: Option<u64>,
    _claim: Claim,
    _room: Room,
}

/// That a chunk was asked for, until this is dropped.
pub(super) struct Claim {
    shared: Arc<Shared>,
    entry: IndexEntry,
}

/// What came for a chunk.
pub(super) enum Content {
    /// Its bytes as they are stored.
    Raw(Bytes),
    /// It is in another datastore.
    Stored(Arc<ChunkStore>),
}

struct Arrival {
    part: Part,
    content: Result<Content, RemoteError>,
}

/// What groups and writers share.
pub(super) struct Shared {
    pub(super) chunks: Arc<ChunkStore>,
    pub(super) known: KnownChunks,
    pub(super) under_way: ChunksUnderWay,
    pub(super) commit_points: Arc<dyn CommitPoints>,
}

/// The way to the writers; they end when nothing holds it any more.
#[derive(Clone)]
pub(super) struct Writers {
    shared: Arc<Shared>,
    sender: Sender<Arrival>,
}

impl Writers {
    pub(super) fn start<'scope>(scope: &'scope Scope<'scope, '_>, shared: Arc<Shared>) -> Self {
        let (sender, receiver) = channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..threads.clamp(2, WRITERS_MAX) {
            let (shared, receiver) = (Arc::clone(&shared), Arc::clone(&receiver));
            scope.spawn(move || {
                while let Some(arrival) = next(&receiver) {
                    arrival.take(&shared);
                }
            });
        }
        Self { shared, sender }
    }

    /// Claims a chunk that is not here; none where it is under way already.
    pub(super) fn claim(&self, entry: IndexEntry) -> Option<Claim> {
        let shared = &self.shared;
        shared.under_way.begin(entry.digest).then(|| Claim { shared: Arc::clone(shared), entry })
    }

    /// A chunk of an archive can be asked for.
    pub(super) fn order(&self, archive: &Arc<Archive>, claim: Claim, room: Room) -> ChunkOrder {
        archive.one_more();
        let (archive, entry) = (Arc::clone(archive), claim.entry);
        let part = Part { archive, entry, stored: None, _claim: claim, _room: room };
        ChunkOrder { part, to_writers: self.sender.clone() }
    }
}

fn next(receiver: &Mutex<Receiver<Arrival>>) -> Option<Arrival> {
    receiver.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.shared.under_way.end(&self.entry.digest);
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.archive.one_less(self.stored);
    }
}

impl ChunkOrder {
    /// Which chunk it is, and how long.
    pub(super) fn entry(&self) -> IndexEntry {
        self.part.entry
    }

    /// It has come, or can't.
    pub(super) fn came(self, content: Result<Content, RemoteError>) {
        // Where writers are gone, it is dropped.
        let _ = self.to_writers.send(Arrival { part: self.part, content });
    }
}

impl Arrival {
    fn take(self, shared: &Shared) {
        let Self { mut part, content } = self;
        if part.archive.has_failed() {
            return;
        }
        let content = content.map_err(PullError::from);
        match content.and_then(|content| store(shared, &part.archive, &part.entry, content)) {
            Ok(bytes) => {
                shared.known.insert(&part.entry.digest);
                shared.commit_points.reached("pull: chunk stored");
                part.stored = Some(bytes);
            }
            Err(error) => part.archive.fail(error),
        }
    }
}

/// Checks a chunk and stores it; how long it is as it came.
fn store(
    shared: &Shared,
    archive: &Archive,
    entry: &IndexEntry,
    content: Content,
) -> Result<u64, PullError> {
    let what = || format!("chunk {} of {}", entry.digest, archive.what());
    let blob = match content {
        Content::Raw(raw) => DataBlob::from_raw(raw).map_err(PullError::content(what()))?,
        Content::Stored(chunks) => chunks.read(&entry.digest)?,
    };
    check(&blob, archive.crypt_mode(), entry).map_err(PullError::content(what()))?;
    shared.chunks.insert(&blob, &entry.digest)?;
    Ok(blob.raw().len() as u64)
}

/// What can be known of a chunk without a key.
fn check(blob: &DataBlob, mode: CryptMode, entry: &IndexEntry) -> Result<(), FormatError> {
    match (mode == CryptMode::Encrypt, blob.is_encrypted()) {
        (true, true) => Ok(()),
        (false, false) => blob.decode_chunk(None, &entry.digest, entry.size()).map(drop),
        (true, false) => Err(FormatError::corrupt("it is not encrypted, as the manifest tells")),
        (false, true) => Err(FormatError::corrupt("it is encrypted, against the manifest")),
    }
}
