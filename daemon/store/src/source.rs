//! Where chunks come from: one contract for datastores, tapes and remotes.
//!
//! A reader says which chunks it will want soon ([`ChunkReader::ahead`]), asks for one now
//! ([`ChunkReader::chunk`]), and no longer wants what it drops. Everything that shows content stands on
//! this alone, so images, streams and archives read the same wherever the chunks lie.
//!
//! What a source delivers is checked: the CRC always, the digest where that takes no key.

mod datastore;
mod shared;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use reel_types::Digest;

use crate::blob::{CHUNK_PLAIN_MAX, DataBlob};
use crate::crypto::plain_digest;
use crate::error::{FormatError, FormatResult};
use crate::failure::StoreError;

pub use datastore::DatastoreSource;
pub use shared::{Landing, Origin, SharedSource};

/// Something that has chunks.
pub trait ChunkSource: Send + Sync {
    /// A reader with wishes of its own; one for each open file.
    fn reader(&self) -> Arc<dyn ChunkReader>;
}

/// One consumer of a [`ChunkSource`]; dropping it takes all its wishes back.
pub trait ChunkReader: Send + Sync {
    /// These chunks will be wanted soon, in this order; replaces what was said before. A hint: the
    /// source may do less.
    fn ahead(&self, digests: &[Digest]);

    /// How many bytes of chunks are worth asking for ahead of a reader that goes on and on: 0 where the
    /// next few are enough, because the source can go to any chunk at once.
    fn ahead_bytes_max(&self) -> u64 {
        0
    }

    /// This chunk is wanted now. Work starts at the call; dropping the future takes the wish back.
    fn chunk(&self, digest: Digest) -> BoxFuture<'static, Result<Chunk, ChunkError>>;
}

/// Runs work that blocks, on a thread that may.
pub trait Blocking: Send + Sync {
    /// Runs `work` soon, beside other work.
    fn run(&self, work: Box<dyn FnOnce() + Send>);
}

/// A checked chunk; cheap to clone.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// As it is stored; its CRC is right.
    pub blob: DataBlob,
    /// Its plain data, which has the chunk's digest; none where it is encrypted.
    pub plain: Option<Bytes>,
}

impl Chunk {
    /// A chunk out of a blob whose CRC was checked; its digest is checked here, where it isn't
    /// encrypted. This decodes it.
    pub fn checked(blob: DataBlob, digest: &Digest) -> FormatResult<Self> {
        let chunk = Self::decoded(blob)?;
        if let Some(plain) = &chunk.plain {
            let computed = plain_digest(plain);
            if computed != *digest {
                let reason = format!("chunk {digest} holds data of digest {computed}");
                return Err(FormatError::checksum(reason));
            }
        }
        Ok(chunk)
    }

    /// A chunk out of a blob whose digest was checked before.
    pub(crate) fn decoded(blob: DataBlob) -> FormatResult<Self> {
        let encrypted = blob.is_encrypted();
        let plain = (!encrypted).then(|| blob.decode(None, CHUNK_PLAIN_MAX)).transpose()?;
        Ok(Self { blob, plain })
    }

    /// Bytes that it takes in memory: plain data that was not compressed is a part of the blob.
    pub fn memory_bytes(&self) -> usize {
        let decoded = self.plain.as_ref().filter(|_| self.blob.is_compressed());
        self.blob.raw().len() + decoded.map_or(0, Bytes::len)
    }
}

/// Why a chunk could not be had; cheap to clone, because several readers may wait for one chunk.
#[derive(Debug, Clone)]
pub struct ChunkError {
    errno: i32,
    cause: Arc<dyn Error + Send + Sync>,
}

impl ChunkError {
    /// An error of any source with the errno that it means for a reader. The cause's message must
    /// name the chunk.
    pub fn new(errno: i32, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { errno, cause: Arc::from(cause.into()) }
    }

    /// The errno for a reader.
    pub fn errno(&self) -> i32 {
        self.errno
    }
}

impl fmt::Display for ChunkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl Error for ChunkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

impl From<StoreError> for ChunkError {
    /// A chunk that is missing is data that can't be read, not a file that can't be found.
    fn from(error: StoreError) -> Self {
        let errno = match error.errno() {
            libc::ENOENT => libc::EIO,
            errno => errno,
        };
        Self::new(errno, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_of_another_digest_is_refused() {
        let blob = DataBlob::encode(b"x", None, false).unwrap();
        let chunk = Chunk::checked(blob.clone(), &plain_digest(b"x")).unwrap();
        assert_eq!(&chunk.plain.unwrap()[..], b"x");
        assert!(Chunk::checked(blob, &plain_digest(b"y")).is_err());
    }
}
