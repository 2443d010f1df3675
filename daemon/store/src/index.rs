//! Indexes: which chunks make up an image (`.fidx`) or a stream (`.didx`) (`formats.md` §3, §4).
//!
//! ```text
//! 4096-byte header: magic (8) | UUID (16) | ctime (8) | csum (32) | fixed only: size (8), chunk size (8)
//! fixed:    digest (32)                     for each chunk, all of one size but the last
//! dynamic:  end offset (8) | digest (32)    for each chunk
//! ```
//!
//! Readers take entries from the file when they are asked for them, one at a time or in windows of
//! bounded size, and hold none: the index of a 10 TiB image has 84 MB of digests. Any number of
//! threads may read at once. Opening checks all that the header and the length tell; what lies in
//! entries is checked on access. The csum in the header is never trusted: [`ChunkIndex::verify`]
//! computes it and compares it with the manifest's.

use std::ops::Range;

use reel_types::{ArchiveKind, Digest};

use crate::blob::CHUNK_PLAIN_MAX;
use crate::error::{FormatError, FormatResult};
use crate::read_at::ReadAt;

mod dynamic;
mod fixed;

pub use dynamic::{DynamicIndex, DynamicIndexWriter};
pub use fixed::{FixedIndex, FixedIndexWriter};

/// Chunk size of all fixed indexes that PBS's server makes, in bytes.
pub const FIXED_CHUNK_SIZE: u64 = 4 << 20;

const HEADER_LEN: u64 = 4096;
const CSUM_OFFSET: u64 = 32;
/// Entries in one window: some 200 KB in memory, and few enough reads of the file.
const WINDOW_ENTRIES: u64 = 4096;

/// One chunk of an index and the part of the image or stream that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexEntry {
    /// Which chunk.
    pub digest: Digest,
    /// Offset of its first byte.
    pub start: u64,
    /// Offset behind its last byte.
    pub end: u64,
}

impl IndexEntry {
    /// Length of the chunk's plain data in bytes.
    pub fn size(&self) -> u64 {
        self.end - self.start
    }
}

/// What identifies an index's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexSummary {
    /// Number of entries.
    pub chunk_count: u64,
    /// Size of the image or stream in bytes.
    pub size: u64,
    /// SHA-256 over the entries.
    pub csum: [u8; 32],
}

/// An index, whichever its kind.
pub trait ChunkIndex {
    /// Number of entries; at least one.
    fn chunk_count(&self) -> u64;

    /// Size of the image or stream in bytes.
    fn size(&self) -> u64;

    /// Entry number `position`; one behind the last is `InvalidInput`.
    fn entry(&self, position: u64) -> FormatResult<IndexEntry>;

    /// Position of the entry that covers `offset`; `None` at and behind the end.
    fn chunk_at(&self, offset: u64) -> FormatResult<Option<u64>>;

    /// The entries of a range, at once: for short ranges, see [`ChunkIndex::entries`] for long ones.
    fn window(&self, range: Range<u64>) -> FormatResult<Vec<IndexEntry>>;

    /// SHA-256 over all entries, computed from the file in one pass.
    fn csum(&self) -> FormatResult<[u8; 32]>;

    /// The entries of a range in order, read in windows; a range running past the end is cut.
    fn entries(&self, range: Range<u64>) -> Entries<'_, Self>
    where
        Self: Sized,
    {
        Entries::new(self, range)
    }

    /// Compares size and computed csum with those that the manifest tells.
    fn verify(&self, size: u64, csum: &[u8; 32]) -> FormatResult<()> {
        if self.size() != size {
            return Err(FormatError::checksum(format!(
                "the index covers {} bytes, the manifest tells {size}",
                self.size()
            )));
        }
        let computed = self.csum()?;
        if computed == *csum {
            return Ok(());
        }
        Err(FormatError::checksum(format!(
            "the index has csum {}, the manifest tells {}",
            Digest(computed),
            Digest(*csum)
        )))
    }
}

/// Entries of an index in order, a window in memory at a time. Ends after the first error.
pub struct Entries<'a, I: ChunkIndex + ?Sized> {
    index: &'a I,
    /// What isn't read yet.
    rest: Range<u64>,
    window: std::vec::IntoIter<IndexEntry>,
}

impl<'a, I: ChunkIndex + ?Sized> Entries<'a, I> {
    fn new(index: &'a I, range: Range<u64>) -> Self {
        let end = range.end.min(index.chunk_count());
        Self { index, rest: range.start.min(end)..end, window: Vec::new().into_iter() }
    }
}

impl<I: ChunkIndex + ?Sized> Iterator for Entries<'_, I> {
    type Item = FormatResult<IndexEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(entry) = self.window.next() {
            return Some(Ok(entry));
        }
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.end.min(self.rest.start + WINDOW_ENTRIES);
        match self.index.window(self.rest.start..end) {
            Ok(window) => {
                self.rest.start = end;
                self.window = window.into_iter();
                self.window.next().map(Ok)
            }
            Err(error) => {
                self.rest = 0..0;
                Some(Err(error))
            }
        }
    }
}

/// An index of either kind.
#[derive(Debug, Clone)]
pub enum Index<R> {
    /// Of an image.
    Fixed(FixedIndex<R>),
    /// Of a stream.
    Dynamic(DynamicIndex<R>),
}

impl<R: ReadAt> Index<R> {
    /// Opens an index whose name tells that it is of this kind.
    pub fn open(kind: ArchiveKind, file: R) -> FormatResult<Self> {
        match kind {
            ArchiveKind::Fixed => FixedIndex::open(file).map(Self::Fixed),
            ArchiveKind::Dynamic => DynamicIndex::open(file).map(Self::Dynamic),
            ArchiveKind::Blob => Err(FormatError::invalid("a blob is not an index")),
        }
    }

    /// When the index was made, in UNIX seconds, as its header tells.
    pub fn ctime(&self) -> i64 {
        match self {
            Self::Fixed(index) => index.ctime(),
            Self::Dynamic(index) => index.ctime(),
        }
    }

    /// The UUID in its header.
    pub fn uuid(&self) -> [u8; 16] {
        match self {
            Self::Fixed(index) => index.uuid(),
            Self::Dynamic(index) => index.uuid(),
        }
    }
}

impl<R: ReadAt> ChunkIndex for Index<R> {
    fn chunk_count(&self) -> u64 {
        match self {
            Self::Fixed(index) => index.chunk_count(),
            Self::Dynamic(index) => index.chunk_count(),
        }
    }

    fn size(&self) -> u64 {
        match self {
            Self::Fixed(index) => index.size(),
            Self::Dynamic(index) => index.size(),
        }
    }

    fn entry(&self, position: u64) -> FormatResult<IndexEntry> {
        match self {
            Self::Fixed(index) => index.entry(position),
            Self::Dynamic(index) => index.entry(position),
        }
    }

    fn chunk_at(&self, offset: u64) -> FormatResult<Option<u64>> {
        match self {
            Self::Fixed(index) => index.chunk_at(offset),
            Self::Dynamic(index) => index.chunk_at(offset),
        }
    }

    fn window(&self, range: Range<u64>) -> FormatResult<Vec<IndexEntry>> {
        match self {
            Self::Fixed(index) => index.window(range),
            Self::Dynamic(index) => index.window(range),
        }
    }

    fn csum(&self) -> FormatResult<[u8; 32]> {
        match self {
            Self::Fixed(index) => index.csum(),
            Self::Dynamic(index) => index.csum(),
        }
    }
}

/// What both kinds of header begin with, less the untrusted csum.
#[derive(Debug, Clone, Copy)]
struct Header {
    uuid: [u8; 16],
    ctime: i64,
}

impl Header {
    /// Reads the header and leaves the length of the entry area behind.
    fn read(file: &impl ReadAt, magic: [u8; 8]) -> FormatResult<(Self, [u8; 80], u64)> {
        let length = file.len().map_err(FormatError::io("cannot tell the length of the index"))?;
        let entries_len = length.checked_sub(HEADER_LEN).ok_or_else(|| {
            FormatError::corrupt(format!("an index of {length} bytes lacks its 4096-byte header"))
        })?;
        let mut raw = [0; 80];
        read(file, &mut raw, 0)?;
        if field(&raw, 0) != magic {
            return Err(FormatError::corrupt(
                "the file does not start with the magic of its index kind",
            ));
        }
        let ctime = i64::from_le_bytes(field(&raw, 24));
        Ok((Self { uuid: field(&raw, 8), ctime }, raw, entries_len))
    }

    /// The first 32 bytes; all the rest starts as zeros.
    fn to_bytes(self, magic: [u8; 8]) -> [u8; 4096] {
        let mut raw = [0; 4096];
        raw[..8].copy_from_slice(&magic);
        raw[8..24].copy_from_slice(&self.uuid);
        raw[24..32].copy_from_slice(&self.ctime.to_le_bytes());
        raw
    }
}

/// A field at a fixed place of a buffer that is known to hold it.
fn field<const N: usize>(raw: &[u8], start: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&raw[start..start + N]);
    field
}

fn read(file: &impl ReadAt, buffer: &mut [u8], offset: u64) -> FormatResult<()> {
    file.read_exact_at(buffer, offset).map_err(FormatError::io("cannot read the index"))
}

/// Reads records `range` of `record_len` bytes each, which exist.
fn read_records(file: &impl ReadAt, range: Range<u64>, record_len: u64) -> FormatResult<Vec<u8>> {
    let length = (range.end - range.start) * record_len;
    let length = usize::try_from(length).map_err(|_| {
        FormatError::invalid("the range of index entries is too long to be read at once")
    })?;
    let mut raw = vec![0; length];
    read(file, &mut raw, HEADER_LEN + range.start * record_len)?;
    Ok(raw)
}

fn check_range(range: &Range<u64>, chunk_count: u64) -> FormatResult<()> {
    if range.start <= range.end && range.end <= chunk_count {
        return Ok(());
    }
    Err(FormatError::invalid(format!(
        "entries {}..{} of an index that has {chunk_count}",
        range.start, range.end
    )))
}

/// One entry by way of a window of one.
fn single(index: &impl ChunkIndex, position: u64) -> FormatResult<IndexEntry> {
    let window = index.window(position..position.saturating_add(1))?;
    let behind = || FormatError::invalid(format!("the index has no entry {position}"));
    window.first().copied().ok_or_else(behind)
}

/// Splits the range of all entries into windows.
fn windows(chunk_count: u64) -> impl Iterator<Item = Range<u64>> {
    (0..chunk_count.div_ceil(WINDOW_ENTRIES)).map(move |number| {
        let start = number * WINDOW_ENTRIES;
        start..chunk_count.min(start + WINDOW_ENTRIES)
    })
}

/// Compares what a writer holds with what its client announced.
fn check_announced(found: &IndexSummary, announced: Option<&IndexSummary>) -> FormatResult<()> {
    let Some(announced) = announced else { return Ok(()) };
    let differing = if found.chunk_count != announced.chunk_count {
        format!("{} chunks, not {}", found.chunk_count, announced.chunk_count)
    } else if found.size != announced.size {
        format!("{} bytes, not {}", found.size, announced.size)
    } else if found.csum != announced.csum {
        format!("csum {}, not {}", Digest(found.csum), Digest(announced.csum))
    } else {
        return Ok(());
    };
    Err(FormatError::invalid(format!("cannot close the index: it has {differing} as announced")))
}

const CHUNK_SIZE_MAX: u64 = CHUNK_PLAIN_MAX as u64;

#[cfg(test)]
mod tests;
