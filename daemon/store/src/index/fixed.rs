//! Fixed indexes: chunks of one size (`formats.md` §3).

use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;

use openssl::sha::Sha256;
use reel_types::Digest;

use super::{
    CHUNK_SIZE_MAX, CSUM_OFFSET, ChunkIndex, HEADER_LEN, Header, IndexEntry, IndexSummary,
    check_announced, check_range, field, read_records, single, windows,
};
use crate::error::{FormatError, FormatResult};
use crate::read_at::ReadAt;

const MAGIC: [u8; 8] = [0x2f, 0x7f, 0x41, 0xed, 0x91, 0xfd, 0x0f, 0xcd];
const RECORD_LEN: u64 = 32;
const SIZE_OFFSET: usize = 64;
const CHUNK_SIZE_OFFSET: usize = 72;
/// Chunks of 1 PiB in 4 MiB each: keeps a writer's record of set slots below 32 MiB.
const WRITTEN_CHUNKS_MAX: u64 = 1 << 28;
/// How much a writer reads back at a time.
const READ_BACK_BYTES: usize = 64 << 10;

/// Reader of a `.fidx` file.
#[derive(Debug, Clone)]
pub struct FixedIndex<R> {
    file: R,
    header: Header,
    geometry: Geometry,
}

impl<R: ReadAt> FixedIndex<R> {
    /// Checks header and length; reads no entry.
    pub fn open(file: R) -> FormatResult<Self> {
        let (header, raw, entries_len) = Header::read(&file, MAGIC)?;
        let size = u64::from_le_bytes(field(&raw, SIZE_OFFSET));
        let chunk_size = u64::from_le_bytes(field(&raw, CHUNK_SIZE_OFFSET));
        let geometry = Geometry::new(size, chunk_size).map_err(FormatError::corrupt)?;
        let want = geometry.chunk_count().checked_mul(RECORD_LEN);
        if want != Some(entries_len) {
            return Err(FormatError::corrupt(format!(
                "a fixed index of {size} bytes in chunks of {chunk_size} has {entries_len} bytes of digests"
            )));
        }
        Ok(Self { file, header, geometry })
    }

    /// Size of all chunks but the last, in bytes.
    pub fn chunk_size(&self) -> u64 {
        self.geometry.chunk_size
    }

    /// When the index was made, in UNIX seconds.
    pub fn ctime(&self) -> i64 {
        self.header.ctime
    }

    /// The UUID in its header.
    pub fn uuid(&self) -> [u8; 16] {
        self.header.uuid
    }
}

impl<R: ReadAt> ChunkIndex for FixedIndex<R> {
    fn chunk_count(&self) -> u64 {
        self.geometry.chunk_count()
    }

    fn size(&self) -> u64 {
        self.geometry.size
    }

    fn entry(&self, position: u64) -> FormatResult<IndexEntry> {
        single(self, position)
    }

    fn chunk_at(&self, offset: u64) -> FormatResult<Option<u64>> {
        Ok((offset < self.geometry.size).then(|| offset / self.geometry.chunk_size))
    }

    fn window(&self, range: Range<u64>) -> FormatResult<Vec<IndexEntry>> {
        check_range(&range, self.chunk_count())?;
        let raw = read_records(&self.file, range.clone(), RECORD_LEN)?;
        let digests = raw.as_chunks().0;
        let entry = |(position, digest): (u64, &[u8; 32])| {
            let (start, end) = self.geometry.bounds(position);
            IndexEntry { digest: Digest(*digest), start, end }
        };
        Ok(range.zip(digests).map(entry).collect())
    }

    fn csum(&self) -> FormatResult<[u8; 32]> {
        let mut hasher = Sha256::new();
        for window in windows(self.chunk_count()) {
            hasher.update(&read_records(&self.file, window, RECORD_LEN)?);
        }
        Ok(hasher.finish())
    }
}

/// Size of an image and of its chunks, both sane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Geometry {
    size: u64,
    chunk_size: u64,
}

impl Geometry {
    fn new(size: u64, chunk_size: u64) -> Result<Self, String> {
        if !chunk_size.is_power_of_two() || chunk_size > CHUNK_SIZE_MAX {
            return Err(format!(
                "a chunk size of {chunk_size} bytes is not a power of two up to {CHUNK_SIZE_MAX}"
            ));
        }
        if size == 0 || size.checked_add(chunk_size).is_none() {
            return Err(format!("a fixed index cannot be of an image of {size} bytes"));
        }
        Ok(Self { size, chunk_size })
    }

    fn chunk_count(self) -> u64 {
        self.size.div_ceil(self.chunk_size)
    }

    fn bounds(self, position: u64) -> (u64, u64) {
        let start = position * self.chunk_size;
        (start, self.size.min(start + self.chunk_size))
    }

    /// The slot of a chunk that ends at `end` and is `length` bytes long.
    fn slot(self, end: u64, length: u64) -> FormatResult<u64> {
        let refuse = |why: &str| {
            Err(FormatError::invalid(format!(
                "cannot add a chunk of {length} bytes that ends at {end} to an image of {} bytes: {why}",
                self.size
            )))
        };
        if length == 0 || length > self.chunk_size {
            return refuse("its length does not fit the chunk size");
        }
        if end > self.size || end < length {
            return refuse("it lies outside of the image");
        }
        if !(end - length).is_multiple_of(self.chunk_size) {
            return refuse("it is not aligned");
        }
        if length != self.chunk_size && end != self.size {
            return refuse("only the last chunk may be short");
        }
        Ok((end - length) / self.chunk_size)
    }
}

/// Writes a `.fidx` file; chunks may come in any order.
///
/// The csum in the header stays zero until [`FixedIndexWriter::finish`], which also refuses an index
/// with holes. The file is read back for the csum, so a `File` must be open for reading too.
#[derive(Debug)]
pub struct FixedIndexWriter<W> {
    file: W,
    geometry: Geometry,
    slots: SlotSet,
    appended: u64,
    incremental: bool,
}

impl<W: Read + Write + Seek> FixedIndexWriter<W> {
    /// Starts an index of an image of `size` bytes in an empty file.
    pub fn create(
        mut file: W,
        size: u64,
        chunk_size: u64,
        uuid: [u8; 16],
        ctime: i64,
    ) -> FormatResult<Self> {
        let geometry = Geometry::new(size, chunk_size).map_err(FormatError::invalid)?;
        if geometry.chunk_count() > WRITTEN_CHUNKS_MAX {
            return Err(FormatError::invalid(format!("an image of {size} bytes is too large")));
        }
        let mut header = Header { uuid, ctime }.to_bytes(MAGIC);
        header[SIZE_OFFSET..CHUNK_SIZE_OFFSET].copy_from_slice(&size.to_le_bytes());
        header[CHUNK_SIZE_OFFSET..CHUNK_SIZE_OFFSET + 8].copy_from_slice(&chunk_size.to_le_bytes());
        file.write_all(&header).map_err(FormatError::io("cannot write the index header"))?;
        let slots = SlotSet::new(geometry.chunk_count());
        Ok(Self { file, geometry, slots, appended: 0, incremental: false })
    }

    /// Takes all digests of an earlier index of the same name, whose csum the client knows, so that
    /// only changed chunks need to be added.
    pub fn copy_base<R: ReadAt>(
        &mut self,
        base: &FixedIndex<R>,
        csum: &[u8; 32],
    ) -> FormatResult<()> {
        if base.chunk_count() != self.geometry.chunk_count() {
            return Err(FormatError::invalid(format!(
                "the base index has {} chunks, the new one {}",
                base.chunk_count(),
                self.geometry.chunk_count()
            )));
        }
        if base.csum()? != *csum {
            return Err(FormatError::invalid("the base index has another csum than announced"));
        }
        for window in windows(base.chunk_count()) {
            let raw = read_records(&base.file, window.clone(), RECORD_LEN)?;
            self.write_at(HEADER_LEN + window.start * RECORD_LEN, &raw)?;
        }
        self.slots.set_all();
        self.incremental = true;
        Ok(())
    }

    /// Adds the chunk of `length` bytes that ends at offset `end` of the image.
    pub fn add(&mut self, end: u64, length: u64, digest: &Digest) -> FormatResult<()> {
        let slot = self.geometry.slot(end, length)?;
        self.write_at(HEADER_LEN + slot * RECORD_LEN, digest.as_bytes())?;
        self.slots.set(slot);
        self.appended += 1;
        Ok(())
    }

    /// Completes the header; refused while a slot was never set, and when anything differs from what
    /// was `announced`. Flushing to disk is the caller's.
    ///
    /// For an incremental writer `announced.chunk_count` is the number of chunks added.
    pub fn finish(mut self, announced: Option<&IndexSummary>) -> FormatResult<(IndexSummary, W)> {
        let chunk_count = self.geometry.chunk_count();
        if let Some(slot) = self.slots.first_missing() {
            return Err(FormatError::invalid(format!(
                "cannot close the index: chunk {slot} of {chunk_count} was never added"
            )));
        }
        if !self.incremental && self.appended != chunk_count {
            return Err(FormatError::invalid(format!(
                "cannot close the index: {} chunks were added for {chunk_count} slots",
                self.appended
            )));
        }
        let csum = self.read_back()?;
        let added = IndexSummary { chunk_count: self.appended, size: self.geometry.size, csum };
        check_announced(&added, announced)?;
        self.write_at(CSUM_OFFSET, &csum)?;
        self.file.flush().map_err(FormatError::io("cannot write the index"))?;
        Ok((IndexSummary { chunk_count, ..added }, self.file))
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> FormatResult<()> {
        self.file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| self.file.write_all(bytes))
            .map_err(FormatError::io("cannot write the index"))
    }

    fn read_back(&mut self) -> FormatResult<[u8; 32]> {
        let unreadable = || FormatError::io("cannot read the new index back");
        self.file.seek(SeekFrom::Start(HEADER_LEN)).map_err(unreadable())?;
        let mut hasher = Sha256::new();
        let mut rest = self.geometry.chunk_count() * RECORD_LEN;
        let mut buffer = vec![0; READ_BACK_BYTES];
        while rest > 0 {
            let length = usize::try_from(rest).map_or(READ_BACK_BYTES, |r| r.min(READ_BACK_BYTES));
            self.file.read_exact(&mut buffer[..length]).map_err(unreadable())?;
            hasher.update(&buffer[..length]);
            rest -= length as u64;
        }
        Ok(hasher.finish())
    }
}

/// Which slots were set, one bit each.
#[derive(Debug)]
struct SlotSet {
    words: Vec<u64>,
    count: u64,
}

impl SlotSet {
    fn new(count: u64) -> Self {
        Self { words: vec![0; count.div_ceil(64) as usize], count }
    }

    fn set(&mut self, slot: u64) {
        self.words[(slot / 64) as usize] |= 1 << (slot % 64);
    }

    fn set_all(&mut self) {
        self.words.fill(u64::MAX);
    }

    fn first_missing(&self) -> Option<u64> {
        let word = self.words.iter().position(|&word| word != u64::MAX)?;
        let slot = word as u64 * 64 + u64::from(self.words[word].trailing_ones());
        (slot < self.count).then_some(slot)
    }
}
