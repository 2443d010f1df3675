//! The chunks of an index on a remote: got over the snapshot's connection, checked, and kept in the cache on disk.

use std::sync::Arc;

use bytes::Bytes;
use nix::libc;
use reel_store::source::{Chunk, ChunkError, Landing, Origin, SharedSource};
use reel_store::{CryptMode, DataBlob, FormatError};
use reel_types::{ArchiveName, Digest};
use tokio::sync::Semaphore;

use super::failure;
use super::files::LiveSnapshot;

/// How much of an image or stream is asked for ahead: with half of it under way, a line of 1 Gbit/s and 150 ms, which
/// holds 19 MB, does not run dry.
const AHEAD_BYTES: u64 = 64 << 20;
/// What was got last or ahead, and not taken yet.
const MEMORY_BYTES: usize = 96 << 20;
/// Chunks asked for at a time; readers of more wait here, where no patience runs out.
const UNDER_WAY_MAX: usize = 16;

/// The source of the chunks of one index.
pub(super) type ChunksOfIndex = SharedSource<LiveChunks>;

/// Gets chunks of one index of a snapshot.
pub(super) struct LiveChunks {
    snapshot: Arc<LiveSnapshot>,
    index: ArchiveName,
    is_encrypted: bool,
    under_way: Semaphore,
}

/// The source of the chunks of an index.
pub(super) fn source(
    snapshot: &Arc<LiveSnapshot>,
    index: &ArchiveName,
    crypt_mode: CryptMode,
) -> ChunksOfIndex {
    let chunks = LiveChunks {
        snapshot: Arc::clone(snapshot),
        index: index.clone(),
        is_encrypted: crypt_mode == CryptMode::Encrypt,
        under_way: Semaphore::new(UNDER_WAY_MAX),
    };
    SharedSource::new(Arc::new(chunks), MEMORY_BYTES)
}

impl Origin for LiveChunks {
    fn begin(self: Arc<Self>, landing: Landing) {
        let runtime = self.snapshot.remote.parts().runtime.clone();
        runtime.run_future(async move {
            // The semaphore is never closed.
            let _turn = self.under_way.acquire().await;
            let Some(landing) = landing.if_wanted() else { return };
            let digest = *landing.digest();
            let outcome = match Arc::clone(&self).cached(digest).await {
                Some(chunk) => Ok(chunk),
                None => Arc::clone(&self).get(digest).await,
            };
            landing.land(outcome);
        });
    }

    fn ahead_bytes_max(&self) -> u64 {
        AHEAD_BYTES
    }
}

impl LiveChunks {
    async fn cached(self: Arc<Self>, digest: Digest) -> Option<Chunk> {
        let cache = Arc::clone(&self.snapshot.remote.parts().cache);
        if !cache.contains(&digest) {
            return None;
        }
        tokio::task::spawn_blocking(move || cache.get(&digest)).await.ok().flatten()
    }

    async fn get(self: Arc<Self>, digest: Digest) -> Result<Chunk, ChunkError> {
        let raw = self.snapshot.chunk(&self.index, &digest).await.map_err(|error| {
            let failure = failure(&error);
            // A chunk that can't be had is data that can't be read.
            let errno = if failure.errno == libc::ENOENT { libc::EIO } else { failure.errno };
            ChunkError::new(errno, failure.message)
        })?;
        let given_up =
            |error| ChunkError::new(libc::EINTR, format!("check chunk {digest}: {error}"));
        tokio::task::spawn_blocking(move || self.checked(raw, digest)).await.map_err(given_up)?
    }

    /// The chunk, if it is what the index says. One that is encrypted goes into no cache: whether it has its digest is
    /// known only by whoever has the key.
    fn checked(&self, raw: Bytes, digest: Digest) -> Result<Chunk, ChunkError> {
        let refused = |error: FormatError| {
            let place = self.snapshot.text();
            ChunkError::new(libc::EIO, format!("read chunk {digest} of {place}: {error}"))
        };
        let blob = DataBlob::from_raw(raw).map_err(refused)?;
        if blob.is_encrypted() != self.is_encrypted {
            let is = if blob.is_encrypted() { "" } else { "not " };
            let reason = format!("it is {is}encrypted, which the manifest denies");
            return Err(refused(FormatError::corrupt(reason)));
        }
        let chunk = Chunk::checked(blob, &digest).map_err(refused)?;
        if !self.is_encrypted {
            self.snapshot.remote.parts().cache.put(&digest, &chunk);
        }
        Ok(chunk)
    }
}
