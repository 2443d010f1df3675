//! Dynamic indexes: chunks of varying size (`formats.md` §4).

use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;

use openssl::sha::Sha256;
use reel_types::Digest;

use super::{
    CHUNK_SIZE_MAX, CSUM_OFFSET, ChunkIndex, HEADER_LEN, Header, IndexEntry, IndexSummary,
    check_announced, check_range, field, read, read_records, single, windows,
};
use crate::error::{FormatError, FormatResult};
use crate::read_at::ReadAt;

const MAGIC: [u8; 8] = [0x1c, 0x91, 0x4e, 0xa5, 0x19, 0xba, 0xb3, 0xcd];
const RECORD_LEN: u64 = 40;
/// The end offset, before the digest.
const END_LEN: usize = 8;

/// Reader of a `.didx` file.
#[derive(Debug, Clone)]
pub struct DynamicIndex<R> {
    file: R,
    header: Header,
    chunk_count: u64,
    size: u64,
}

impl<R: ReadAt> DynamicIndex<R> {
    /// Checks header and length and reads the last entry, which tells the size of the stream.
    pub fn open(file: R) -> FormatResult<Self> {
        let (header, _, entries_len) = Header::read(&file, MAGIC)?;
        if entries_len == 0 || !entries_len.is_multiple_of(RECORD_LEN) {
            return Err(FormatError::corrupt(format!(
                "a dynamic index cannot have {entries_len} bytes of entries of {RECORD_LEN} each"
            )));
        }
        let chunk_count = entries_len / RECORD_LEN;
        let mut index = Self { file, header, chunk_count, size: 0 };
        index.size = index.end_of(chunk_count - 1)?;
        index.entry(chunk_count - 1)?;
        Ok(index)
    }

    /// When the index was made, in UNIX seconds.
    pub fn ctime(&self) -> i64 {
        self.header.ctime
    }

    /// The UUID in its header.
    pub fn uuid(&self) -> [u8; 16] {
        self.header.uuid
    }

    fn end_of(&self, position: u64) -> FormatResult<u64> {
        let mut raw = [0; END_LEN];
        read(&self.file, &mut raw, HEADER_LEN + position * RECORD_LEN)?;
        Ok(u64::from_le_bytes(raw))
    }

    /// Where entry `position` starts: the end of the one before it.
    fn start_of(&self, position: u64) -> FormatResult<u64> {
        position.checked_sub(1).map_or(Ok(0), |before| self.end_of(before))
    }
}

impl<R: ReadAt> ChunkIndex for DynamicIndex<R> {
    fn chunk_count(&self) -> u64 {
        self.chunk_count
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn entry(&self, position: u64) -> FormatResult<IndexEntry> {
        single(self, position)
    }

    fn chunk_at(&self, offset: u64) -> FormatResult<Option<u64>> {
        if offset >= self.size {
            return Ok(None);
        }
        // All along, what is before `low` ends at or before `offset`, and `high` ends behind it: even
        // where ends are out of order, the entry found covers the offset.
        let (mut low, mut high) = (0, self.chunk_count - 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.end_of(middle)? > offset {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(Some(low))
    }

    fn window(&self, range: Range<u64>) -> FormatResult<Vec<IndexEntry>> {
        check_range(&range, self.chunk_count)?;
        let mut start = self.start_of(range.start)?;
        let raw = read_records(&self.file, range.clone(), RECORD_LEN)?;
        let mut entries = Vec::with_capacity(raw.len() / RECORD_LEN as usize);
        for (position, record) in range.zip(raw.as_chunks::<{ RECORD_LEN as usize }>().0) {
            let end = u64::from_le_bytes(field(record, 0));
            check_bounds(position, start, end)?;
            entries.push(IndexEntry { digest: Digest(field(record, END_LEN)), start, end });
            start = end;
        }
        Ok(entries)
    }

    fn csum(&self) -> FormatResult<[u8; 32]> {
        let mut hasher = Sha256::new();
        let mut start = 0;
        for window in windows(self.chunk_count) {
            let raw = read_records(&self.file, window.clone(), RECORD_LEN)?;
            for (position, record) in window.zip(raw.as_chunks::<{ RECORD_LEN as usize }>().0) {
                let end = u64::from_le_bytes(field(record, 0));
                check_bounds(position, start, end)?;
                start = end;
            }
            hasher.update(&raw);
        }
        Ok(hasher.finish())
    }
}

fn check_bounds(position: u64, start: u64, end: u64) -> FormatResult<()> {
    if end <= start {
        return Err(FormatError::corrupt(format!(
            "chunk {position} of the index ends at {end}, not behind its start at {start}"
        )));
    }
    if end - start > CHUNK_SIZE_MAX {
        return Err(FormatError::corrupt(format!(
            "chunk {position} of the index would be {} bytes long, {CHUNK_SIZE_MAX} are the most",
            end - start
        )));
    }
    Ok(())
}

/// Writes a `.didx` file, chunk after chunk.
///
/// The csum in the header stays zero until [`DynamicIndexWriter::finish`]. Entries are written one by
/// one: wrap a `File` in a `BufWriter`.
pub struct DynamicIndexWriter<W> {
    file: W,
    hasher: Sha256,
    chunk_count: u64,
    size: u64,
}

impl<W: Write + Seek> DynamicIndexWriter<W> {
    /// Starts an index in an empty file.
    pub fn create(mut file: W, uuid: [u8; 16], ctime: i64) -> FormatResult<Self> {
        let header = Header { uuid, ctime }.to_bytes(MAGIC);
        file.write_all(&header).map_err(FormatError::io("cannot write the index header"))?;
        Ok(Self { file, hasher: Sha256::new(), chunk_count: 0, size: 0 })
    }

    /// Appends the chunk of `length` bytes that starts at `start`, which must be the current end.
    pub fn add(&mut self, start: u64, length: u64, digest: &Digest) -> FormatResult<()> {
        if start != self.size {
            return Err(FormatError::invalid(format!(
                "cannot append a chunk at offset {start}: the index ends at {}",
                self.size
            )));
        }
        let end = start
            .checked_add(length)
            .filter(|_| (1..=CHUNK_SIZE_MAX).contains(&length))
            .ok_or_else(|| {
                FormatError::invalid(format!("a chunk cannot be {length} bytes long"))
            })?;
        let mut record = [0; RECORD_LEN as usize];
        record[..END_LEN].copy_from_slice(&end.to_le_bytes());
        record[END_LEN..].copy_from_slice(digest.as_bytes());
        self.file.write_all(&record).map_err(FormatError::io("cannot write the index"))?;
        self.hasher.update(&record);
        self.chunk_count += 1;
        self.size = end;
        Ok(())
    }

    /// Size of the stream so far, which is where the next chunk starts.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Completes the header; refused without any chunk, and when anything differs from what was
    /// `announced`. Flushing to disk is the caller's.
    pub fn finish(mut self, announced: Option<&IndexSummary>) -> FormatResult<(IndexSummary, W)> {
        if self.chunk_count == 0 {
            return Err(FormatError::invalid("cannot close the index: it has no chunk"));
        }
        let Self { chunk_count, size, .. } = self;
        let summary = IndexSummary { chunk_count, size, csum: self.hasher.finish() };
        check_announced(&summary, announced)?;
        self.file
            .seek(SeekFrom::Start(CSUM_OFFSET))
            .and_then(|_| self.file.write_all(&summary.csum))
            .and_then(|()| self.file.flush())
            .map_err(FormatError::io("cannot write the index"))?;
        Ok((summary, self.file))
    }
}
