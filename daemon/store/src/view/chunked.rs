//! What image and stream views have in common: reading a range that an index cuts into chunks.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready, try_join_all};
use reel_types::Digest;

use super::read_ahead::ReadAhead;
use super::{ChunkMemory, SharedIndex, ViewContext, ViewError, ViewParts};
use crate::crypto::CryptConfig;
use crate::error::FormatError;
use crate::index::IndexEntry;
use crate::manifest::CryptMode;
use crate::source::{Blocking, Chunk, ChunkReader};

/// Content that an index describes.
pub(super) struct Chunked {
    decoder: Arc<Decoder>,
    index: SharedIndex,
    reader: Arc<dyn ChunkReader>,
    ahead: Mutex<ReadAhead>,
}

/// Turns chunks of a source into checked plain data.
struct Decoder {
    what: Arc<str>,
    /// The key, if the chunks are encrypted.
    crypt: Option<Arc<CryptConfig>>,
    memory: Arc<ChunkMemory>,
    blocking: Arc<dyn Blocking>,
}

impl Chunked {
    pub(super) fn new(parts: ViewParts, context: &ViewContext) -> Result<Self, ViewError> {
        let ViewParts { what, index, crypt_mode, crypt, reader } = parts;
        let what: Arc<str> = what.into();
        let crypt = match crypt_mode {
            CryptMode::Encrypt => {
                Some(crypt.ok_or_else(|| ViewError::MissingKey { what: what.clone() })?)
            }
            CryptMode::None | CryptMode::SignOnly => None,
        };
        let ViewContext { memory, blocking, ahead_chunks } = context.clone();
        let decoder = Arc::new(Decoder { what, crypt, memory, blocking });
        Ok(Self { decoder, index, reader, ahead: Mutex::new(ReadAhead::new(ahead_chunks)) })
    }

    pub(super) fn what(&self) -> &Arc<str> {
        &self.decoder.what
    }

    pub(super) fn index(&self) -> &SharedIndex {
        &self.index
    }

    pub(super) fn crypt(&self) -> Option<&CryptConfig> {
        self.decoder.crypt.as_deref()
    }

    /// Reads up to `length` bytes; fewer only at the end.
    pub(super) fn read(
        &self,
        offset: u64,
        length: usize,
        is_hole: impl Fn(&IndexEntry) -> bool,
    ) -> BoxFuture<'static, Result<Bytes, ViewError>> {
        let end = offset.saturating_add(length as u64).min(self.index.size());
        if offset >= end {
            return ready(Ok(Bytes::new())).boxed();
        }
        let (wanted, next) = match self.entries(offset..end) {
            Ok(entries) => entries,
            Err(cause) => return ready(Err(self.decoder.index_error(cause))).boxed(),
        };
        let mut pieces: Vec<_> = wanted
            .iter()
            .map(|entry| {
                let part = offset.max(entry.start)..end.min(entry.end);
                if is_hole(entry) { zeros(&part) } else { self.piece(entry, part) }
            })
            .collect();
        if let Some(next) = next {
            self.ask_ahead(&next, is_hole);
        }
        match (pieces.pop(), pieces.is_empty()) {
            (Some(single), true) => single,
            (last, _) => {
                pieces.extend(last);
                join(pieces, end - offset)
            }
        }
    }

    /// The chunks that cover a range, and those to ask for ahead: none of these where that has been
    /// done for the reader's place already.
    fn entries(
        &self,
        range: Range<u64>,
    ) -> Result<(Vec<IndexEntry>, Option<Vec<IndexEntry>>), FormatError> {
        let behind = || FormatError::corrupt("the index covers less than its size");
        let first = self.index.chunk_at(range.start)?.ok_or_else(behind)?;
        let last = self.index.chunk_at(range.end - 1)?.ok_or_else(behind)?;
        let next = last + 1;
        let wanted = self.index.window(first..next)?;
        let Some(ahead) = self.step(first..next) else { return Ok((wanted, None)) };
        let count = self.index.chunk_count();
        let ahead = self.index.window(ahead.start..ahead.end.min(count))?;
        Ok((wanted, Some(ahead)))
    }

    fn step(&self, taken: Range<u64>) -> Option<Range<u64>> {
        let usual_bytes = (self.index.size() / self.index.chunk_count().max(1)).max(1);
        let chunks_max = self.reader.ahead_bytes_max() / usual_bytes;
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner).step(taken, chunks_max)
    }

    fn ask_ahead(&self, next: &[IndexEntry], is_hole: impl Fn(&IndexEntry) -> bool) {
        let memory = &self.decoder.memory;
        let digests: Vec<Digest> = next
            .iter()
            .filter(|entry| !is_hole(entry) && memory.get(&entry.digest).is_none())
            .map(|entry| entry.digest)
            .collect();
        self.reader.ahead(&digests);
    }

    /// The bytes `part` of what `entry` covers.
    fn piece(
        &self,
        entry: &IndexEntry,
        part: Range<u64>,
    ) -> BoxFuture<'static, Result<Bytes, ViewError>> {
        let (decoder, entry) = (self.decoder.clone(), *entry);
        if let Some(plain) = decoder.memory.get(&entry.digest) {
            return ready(decoder.cut(&entry, plain, part)).boxed();
        }
        let chunk = self.reader.chunk(entry.digest);
        async move {
            let chunk = chunk.await.map_err(|cause| decoder.chunk_error(&entry, cause))?;
            let plain = decoder.plain(&entry, chunk).await?;
            decoder.cut(&entry, plain, part)
        }
        .boxed()
    }
}

impl Decoder {
    /// The chunk's plain data, kept in the memory.
    async fn plain(self: &Arc<Self>, entry: &IndexEntry, chunk: Chunk) -> Result<Bytes, ViewError> {
        let encrypted = chunk.blob.is_encrypted();
        if encrypted != self.crypt.is_some() {
            let what = self.what.clone();
            return Err(ViewError::Encryption { what, digest: entry.digest, encrypted });
        }
        if let Some(plain) = chunk.plain {
            self.memory.put(entry.digest, plain.clone());
            return Ok(plain);
        }
        let given_up = ViewError::GivenUp { what: self.what.clone() };
        let (decoder, entry) = (self.clone(), *entry);
        let decode = move || {
            chunk
                .blob
                .decode_chunk(decoder.crypt.as_deref(), &entry.digest, entry.size())
                .map_err(|cause| decoder.content_error(&entry, cause))
        };
        self.memory.decode_once(entry.digest, given_up, &*self.blocking, decode).await
    }

    /// Cuts the wanted part out of a chunk, whose length must be the one that the index tells.
    fn cut(&self, entry: &IndexEntry, plain: Bytes, part: Range<u64>) -> Result<Bytes, ViewError> {
        if plain.len() as u64 != entry.size() {
            let reason = format!(
                "chunk {} has {} bytes, the index tells {}",
                entry.digest,
                plain.len(),
                entry.size()
            );
            return Err(self.content_error(entry, FormatError::corrupt(reason)));
        }
        // Both lie within the chunk, whose length fits a usize.
        let (from, to) = (part.start - entry.start, part.end - entry.start);
        Ok(plain.slice(from as usize..to as usize))
    }

    fn chunk_error(&self, entry: &IndexEntry, cause: crate::source::ChunkError) -> ViewError {
        let what = self.what.clone();
        ViewError::Chunk { what, start: entry.start, end: entry.end, cause }
    }

    fn content_error(&self, entry: &IndexEntry, cause: FormatError) -> ViewError {
        let (what, cause) = (self.what.clone(), Arc::new(cause));
        ViewError::Content { what, start: entry.start, end: entry.end, cause }
    }

    fn index_error(&self, cause: FormatError) -> ViewError {
        ViewError::Index { what: self.what.clone(), cause: Arc::new(cause) }
    }
}

impl Chunked {
    pub(super) fn index_error(&self, cause: FormatError) -> ViewError {
        self.decoder.index_error(cause)
    }
}

type Piece = BoxFuture<'static, Result<Bytes, ViewError>>;

fn zeros(part: &Range<u64>) -> Piece {
    // No longer than the chunk that it is a part of.
    ready(Ok(Bytes::from(vec![0; (part.end - part.start) as usize]))).boxed()
}

/// Puts pieces that are fetched beside each other into one.
fn join(pieces: Vec<Piece>, length: u64) -> Piece {
    async move {
        let pieces = try_join_all(pieces).await?;
        let mut joined = BytesMut::with_capacity(usize::try_from(length).unwrap_or(0));
        pieces.iter().for_each(|piece| joined.extend_from_slice(piece));
        Ok(joined.freeze())
    }
    .boxed()
}
