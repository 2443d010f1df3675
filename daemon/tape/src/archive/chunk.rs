//! Chunk archives: the chunks of one datastore back to back (`tape-format.md` §6).
//!
//! Each entry is a header of 48 bytes and the chunk's blob exactly as the datastore has it. There is no end
//! mark: an archive that met the end of its medium just stops inside its last blob. Such an end is normal,
//! and the blob does not count; an end inside a header is damage. The reader streams, holds one blob at
//! most, and never trusts a length: a blob is read as far as the stream really goes.

#[cfg(test)]
mod tests;

use std::io::{self, BufRead};

use reel_hw::stream::TAPE_BLOCK_PAYLOAD_SIZE;
use reel_store::{BLOB_PLAIN_MAX, BlobCheck, CHUNK_ENCODED_MAX, DataBlob, FormatError};
use reel_types::{Digest, StoreName};
use serde::{Deserialize, Serialize};

use super::ArchiveHeader;
use crate::{Error, Result};

/// First bytes of every entry.
pub const CHUNK_ENTRY_MAGIC: [u8; 8] = [0x48, 0x57, 0x6d, 0xf2, 0xde, 0x42, 0x8f, 0xdc];
/// Bytes before the blob of an entry.
pub const CHUNK_ENTRY_HEADER_SIZE: usize = 48;

/// Largest blob that is read into memory: the largest content and the larger of the two headers.
const BLOB_BYTES_MAX: u64 = BLOB_PLAIN_MAX as u64 + 44;

const WHAT: &str = "chunk archive";

/// Header of a chunk archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkArchiveHeader {
    /// The datastore that the chunks come from.
    pub store: StoreName,
}

impl ArchiveHeader for ChunkArchiveHeader {
    const WHAT: &'static str = "chunk archive header";
}

/// A place in the content of a file on a medium, in bytes from the content header on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentOffset(pub u64);

impl ContentOffset {
    /// Behind the content header and the `size` bytes of JSON that it announces, where the first entry begins.
    pub fn behind_header(size: u32) -> Self {
        Self(reel_hw::CONTENT_HEADER_SIZE as u64 + u64::from(size))
    }

    /// The block of the file, from 0, that holds the place.
    pub fn block(self) -> u64 {
        self.0 / TAPE_BLOCK_PAYLOAD_SIZE as u64
    }

    /// The byte in that block's payload.
    pub fn byte_in_block(self) -> usize {
        usize::try_from(self.0 % TAPE_BLOCK_PAYLOAD_SIZE as u64).unwrap_or(0)
    }
}

/// What the header of an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkEntry {
    /// The chunk.
    pub digest: Digest,
    /// Where the entry starts.
    pub offset: ContentOffset,
    /// Length of the blob in bytes, as the medium says: it may be any number.
    pub blob_bytes: u64,
}

impl ChunkEntry {
    /// Whether a datastore can hold such a blob; if not, the length is damaged or the archive cut short.
    pub fn is_possible(&self) -> bool {
        self.blob_bytes <= BLOB_BYTES_MAX
    }

    /// Where its blob begins.
    pub fn blob_start(&self) -> ContentOffset {
        ContentOffset(self.offset.0.saturating_add(CHUNK_ENTRY_HEADER_SIZE as u64))
    }

    /// The bytes before a blob of `blob_bytes` bytes.
    pub fn header(digest: &Digest, blob_bytes: u64) -> [u8; CHUNK_ENTRY_HEADER_SIZE] {
        let mut bytes = [0; CHUNK_ENTRY_HEADER_SIZE];
        bytes[..8].copy_from_slice(&CHUNK_ENTRY_MAGIC);
        bytes[8..40].copy_from_slice(digest.as_bytes());
        bytes[40..].copy_from_slice(&blob_bytes.to_le_bytes());
        bytes
    }
}

/// Reads the entries of a chunk archive one by one.
///
/// After an error the reader must not be used any more.
#[derive(Debug)]
pub struct ChunkArchiveReader<R> {
    content: R,
    offset: u64,
    /// The entry whose blob comes next, and how much of that was not read.
    current: Option<(ChunkEntry, u64)>,
    cut_short: bool,
}

impl<R: BufRead> ChunkArchiveReader<R> {
    /// Reads entries from `content`, which stands at `offset` of its file: behind the header data, or
    /// at an entry that an index knows.
    pub fn new(content: R, offset: ContentOffset) -> Self {
        Self { content, offset: offset.0, current: None, cut_short: false }
    }

    /// The header of the next entry; none at the end. A blob that was not read is skipped.
    ///
    /// That an entry is here does not mean that its blob is: [`read_blob`](Self::read_blob) and
    /// [`skip_blob`](Self::skip_blob) tell.
    pub fn next_entry(&mut self) -> Result<Option<ChunkEntry>> {
        if !self.skip_blob()? {
            return Ok(None);
        }
        let start = ContentOffset(self.offset);
        let mut header = [0; CHUNK_ENTRY_HEADER_SIZE];
        match self.fill(&mut header)? {
            0 => Ok(None),
            CHUNK_ENTRY_HEADER_SIZE => {
                let entry = parse_header(&header, start)?;
                self.current = Some((entry, entry.blob_bytes));
                Ok(Some(entry))
            }
            got => {
                let reason = format!("ends after {got} bytes of the entry at byte {}", start.0);
                Err(Error::format(WHAT, reason))
            }
        }
    }

    /// Reads the blob of the entry that [`next_entry`](Self::next_entry) gave, and checks magic, length
    /// and CRC. None if the archive ends inside it.
    pub fn read_blob(&mut self) -> Result<Option<DataBlob>> {
        let entry = self.present_entry()?;
        if !entry.is_possible() {
            return self.refuse_large(entry).map(|_| None);
        }
        let mut blob = Vec::with_capacity(capacity(entry.blob_bytes));
        if !self.pass_blob(|piece| blob.extend_from_slice(piece))? {
            return Ok(None);
        }
        DataBlob::from_raw(blob.into()).map(Some).map_err(|source| damaged(entry, source))
    }

    /// Checks magic, length and CRC of the present entry's blob without keeping it. False if the archive
    /// ends inside it.
    pub fn check_blob(&mut self) -> Result<bool> {
        let entry = self.present_entry()?;
        if !entry.is_possible() {
            return self.refuse_large(entry);
        }
        let mut check = BlobCheck::new();
        if !self.pass_blob(|piece| check.update(piece))? {
            return Ok(false);
        }
        check.finish().map(|()| true).map_err(|source| damaged(entry, source))
    }

    /// Goes behind the blob of the present entry without keeping it. False if the archive ends inside
    /// it, so that the entry doesn't count.
    pub fn skip_blob(&mut self) -> Result<bool> {
        if self.current.is_none() {
            return Ok(!self.cut_short);
        }
        self.pass_blob(|_| {})
    }

    /// The next chunk that is wholly there, with its checked blob.
    pub fn next_chunk(&mut self) -> Result<Option<(ChunkEntry, DataBlob)>> {
        let Some(entry) = self.next_entry()? else {
            return Ok(None);
        };
        Ok(self.read_blob()?.map(|blob| (entry, blob)))
    }

    /// The next chunk that is wholly there and whose CRC is right, for lists of what a medium holds.
    pub fn next_checked(&mut self) -> Result<Option<ChunkEntry>> {
        let Some(entry) = self.next_entry()? else {
            return Ok(None);
        };
        Ok(self.check_blob()?.then_some(entry))
    }

    /// Whether the archive ended inside a blob, which then doesn't count.
    pub fn is_cut_short(&self) -> bool {
        self.cut_short
    }

    /// Gives the stream back, which then tells how it ended.
    pub fn into_inner(self) -> R {
        self.content
    }

    fn present_entry(&self) -> Result<ChunkEntry> {
        let none = || Error::InvalidInput("there is no chunk whose blob could be read".into());
        self.current.map(|(entry, _)| entry).ok_or_else(none)
    }

    /// Shows the rest of the present entry's blob to `see` piece by piece. False if the archive ends inside it.
    fn pass_blob(&mut self, mut see: impl FnMut(&[u8])) -> Result<bool> {
        while let Some((_, left)) = self.current.filter(|(_, left)| *left > 0) {
            let buffered = match self.content.fill_buf() {
                Ok(buffered) => buffered,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(read_error(error)),
            };
            let length =
                usize::try_from(left).map_or(buffered.len(), |left| left.min(buffered.len()));
            if length == 0 {
                break;
            }
            see(&buffered[..length]);
            self.content.consume(length);
            self.advance(length as u64);
        }
        Ok(self.end_blob())
    }

    /// A blob that is too large for any datastore: either the archive ends before it does, or the
    /// length is damaged.
    fn refuse_large(&mut self, entry: ChunkEntry) -> Result<bool> {
        if !self.skip_blob()? {
            return Ok(false);
        }
        let source = FormatError::TooLarge { what: "the blob", limit: BLOB_BYTES_MAX };
        Err(damaged(entry, source))
    }

    fn advance(&mut self, bytes: u64) {
        self.offset = self.offset.saturating_add(bytes);
        if let Some((_, left)) = &mut self.current {
            *left = left.saturating_sub(bytes);
        }
    }

    /// Leaves the present entry; whether its blob was all there.
    fn end_blob(&mut self) -> bool {
        let complete = self.current.take().is_none_or(|(_, left)| left == 0);
        self.cut_short |= !complete;
        complete
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self.content.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(got) => filled += got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_error(error)),
            }
        }
        self.offset = self.offset.saturating_add(filled as u64);
        Ok(filled)
    }
}

fn parse_header(
    header: &[u8; CHUNK_ENTRY_HEADER_SIZE],
    start: ContentOffset,
) -> Result<ChunkEntry> {
    if header[..8] != CHUNK_ENTRY_MAGIC {
        let reason = format!("wrong magic number in the entry at byte {}", start.0);
        return Err(Error::format(WHAT, reason));
    }
    let digest = Digest(std::array::from_fn(|index| header[8 + index]));
    let blob_bytes = u64::from_le_bytes(std::array::from_fn(|index| header[40 + index]));
    Ok(ChunkEntry { digest, offset: start, blob_bytes })
}

/// What to reserve for a blob: all of it for any real chunk, no more than that for a length that a
/// damaged medium tells.
fn capacity(blob_bytes: u64) -> usize {
    usize::try_from(blob_bytes).map_or(CHUNK_ENCODED_MAX, |bytes| bytes.min(CHUNK_ENCODED_MAX))
}

fn damaged(entry: ChunkEntry, source: FormatError) -> Error {
    Error::Chunk { digest: entry.digest, offset: entry.offset.0, source }
}

fn read_error(error: io::Error) -> Error {
    Error::io("read a chunk archive")(error)
}
