//! An image out of a fixed index, with its holes.
//!
//! A chunk of zeros is known by its digest: nothing needs to be read to show it, and it is a hole to
//! whoever asks for holes. Digests are compared for the two lengths that a chunk of an image may have.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use reel_types::Digest;

use super::chunked::Chunked;
use super::{ViewContext, ViewError, ViewParts};
use crate::crypto::{CryptConfig, plain_digest};
use crate::error::FormatResult;
use crate::index::{ChunkIndex, IndexEntry};

/// Entries looked at in one go when a hole or its end is looked for: 128 KiB of index.
const SEEK_WINDOW: u64 = 4096;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seek {
    /// The next data, `SEEK_DATA`.
    Data,
    /// The next hole, `SEEK_HOLE`; there is one at the end of the file.
    Hole,
}

/// A disk image, readable at any offset.
pub struct ImageView {
    chunks: Chunked,
    zeros: [ZeroChunk; 2],
}

#[derive(Debug, Clone, Copy)]
struct ZeroChunk {
    size: u64,
    digest: Digest,
}

impl ZeroChunk {
    fn of_size(size: u64, crypt: Option<&CryptConfig>) -> Self {
        // The index was opened, so no chunk is longer than 16 MiB.
        let zeros = vec![0; size as usize];
        let digest = crypt.map_or_else(|| plain_digest(&zeros), |key| key.chunk_digest(&zeros));
        Self { size, digest }
    }
}

impl ImageView {
    /// Fails where the chunks are encrypted and there is no key. Computes the digests of zeros, which
    /// takes some milliseconds.
    pub fn open(parts: ViewParts, context: &ViewContext) -> Result<Self, ViewError> {
        let chunks = Chunked::new(parts, context)?;
        let (first, last) =
            ends_of(&**chunks.index()).map_err(|cause| chunks.index_error(cause))?;
        let whole = ZeroChunk::of_size(first.size(), chunks.crypt());
        let short = match last.size() == first.size() {
            true => whole,
            false => ZeroChunk::of_size(last.size(), chunks.crypt()),
        };
        Ok(Self { chunks, zeros: [whole, short] })
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.chunks.index().size()
    }

    /// Reads up to `length` bytes from `offset`; fewer only at the end.
    pub fn read(&self, offset: u64, length: usize) -> BoxFuture<'static, Result<Bytes, ViewError>> {
        self.chunks.read(offset, length, |entry| self.is_hole(entry))
    }

    /// Where the next hole or data at or behind `offset` begins. Reads the index; may take a while on
    /// an image of many terabytes.
    pub fn seek_hole_data(&self, offset: u64, whence: Seek) -> Result<u64, ViewError> {
        let found = self.seek(offset, whence).map_err(|cause| self.chunks.index_error(cause))?;
        found.ok_or_else(|| ViewError::NothingThere { what: self.chunks.what().clone(), offset })
    }

    fn seek(&self, offset: u64, whence: Seek) -> FormatResult<Option<u64>> {
        let index = self.chunks.index();
        let Some(mut position) = index.chunk_at(offset)? else { return Ok(None) };
        let wanted = |entry: &&IndexEntry| self.is_hole(entry) == (whence == Seek::Hole);
        while position < index.chunk_count() {
            let stop = index.chunk_count().min(position + SEEK_WINDOW);
            if let Some(entry) = index.window(position..stop)?.iter().find(wanted) {
                return Ok(Some(entry.start.max(offset)));
            }
            position = stop;
        }
        Ok((whence == Seek::Hole).then(|| self.size()))
    }

    fn is_hole(&self, entry: &IndexEntry) -> bool {
        self.zeros.iter().any(|zero| zero.size == entry.size() && zero.digest == entry.digest)
    }
}

fn ends_of(index: &dyn ChunkIndex) -> FormatResult<(IndexEntry, IndexEntry)> {
    Ok((index.entry(0)?, index.entry(index.chunk_count().saturating_sub(1))?))
}
