//! The bytes of a run and the search in them; no files here.
//!
//! ```text
//! off  size
//!   0     8  magic "reel-run"
//!   8     4  format version, 1
//!  12     4  bytes of a value, N
//!  16     8  number of records, R
//!  24     4  bits of the fanout table, B (0…16)
//!  28     4  CRC-32 of all records
//!  32     4  CRC-32 of bytes 0…31 and the fanout table
//!  36     4  zero
//!  40  8·2^B fanout table: entry i = number of records whose topmost B key bits are <= i
//!   …  R·(16+N)  records: key, value; strictly ascending by both together
//! ```
//! Integers are little-endian, keys in the digest's own order. The table's checksum is tested when a
//! run is opened (half a MiB at most); the records' when it is read through, so that opening costs
//! the same for a thousand records and for a hundred million. A flipped bit in between may hide a
//! record or give a wrong place, which the digest in the chunk's header then shows; it can never
//! lead outside of the file.

use crate::error::FormatError;
use crate::record::{Key, Record};

const MAGIC: [u8; 8] = *b"reel-run";
const VERSION: u32 = 1;
pub(crate) const HEADER_BYTES: usize = 40;
/// Header bytes that its checksum covers.
const CHECKED_BYTES: usize = 32;
const FANOUT_ENTRY_BYTES: usize = 8;
const FANOUT_BITS_MAX: u32 = 16;
/// Records that share a fanout entry when the table may grow: about one page of them.
const BUCKET_RECORDS: u64 = 128;
/// First stride away from a guess; the mean error of a guess is half the root of the bucket.
const GALLOP_RECORDS: usize = 8;

/// What a run's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub records: usize,
    pub fanout_bits: u32,
    pub records_crc: u32,
}

impl Layout {
    /// Bits of a fanout table that suits up to `records` records.
    pub fn fanout_bits_for(records: u64) -> u32 {
        let buckets = records / BUCKET_RECORDS;
        (u64::BITS - buckets.leading_zeros()).min(FANOUT_BITS_MAX)
    }

    /// Bytes before the first record.
    pub fn records_offset(fanout_bits: u32) -> usize {
        HEADER_BYTES + (FANOUT_ENTRY_BYTES << fanout_bits)
    }

    fn parse<const N: usize>(bytes: &[u8]) -> Result<Self, FormatError> {
        let found = bytes.len() as u64;
        let header = bytes
            .first_chunk::<HEADER_BYTES>()
            .ok_or(FormatError::Length { wanted: HEADER_BYTES as u64, found })?;
        if !header.starts_with(&MAGIC) {
            return Err(FormatError::Magic);
        }
        let version = u32_at(header, 8);
        if version != VERSION {
            return Err(FormatError::Version(version));
        }
        let value_bytes = u32_at(header, 12);
        if value_bytes as usize != N {
            return Err(FormatError::ValueBytes { found: value_bytes, wanted: N });
        }
        let fanout_bits = u32_at(header, 24);
        if fanout_bits > FANOUT_BITS_MAX {
            return Err(FormatError::Header);
        }
        let records = u64_at(header, 16);
        let wanted = records
            .checked_mul(Record::<N>::BYTES as u64)
            .and_then(|length| length.checked_add(Self::records_offset(fanout_bits) as u64))
            .ok_or(FormatError::Header)?;
        if wanted != found {
            return Err(FormatError::Length { wanted, found });
        }
        let records = usize::try_from(records).map_err(|_| FormatError::Header)?;
        Ok(Self { records, fanout_bits, records_crc: u32_at(header, 28) })
    }

    /// Header and fanout table, made from the number of records of each prefix.
    pub fn to_bytes<const N: usize>(self, records_of_prefix: &[u64]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::records_offset(self.fanout_bits));
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(N as u32).to_le_bytes());
        bytes.extend_from_slice(&(self.records as u64).to_le_bytes());
        bytes.extend_from_slice(&self.fanout_bits.to_le_bytes());
        bytes.extend_from_slice(&self.records_crc.to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        let mut total = 0;
        for records in records_of_prefix {
            total += records;
            bytes.extend_from_slice(&u64::to_le_bytes(total));
        }
        let crc = header_crc(&bytes, &bytes[HEADER_BYTES..]);
        bytes[CHECKED_BYTES..CHECKED_BYTES + 4].copy_from_slice(&crc.to_le_bytes());
        bytes
    }
}

fn header_crc(header: &[u8], fanout: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..CHECKED_BYTES]);
    hasher.update(fanout);
    hasher.finalize()
}

fn u32_at(header: &[u8; HEADER_BYTES], at: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&header[at..at + 4]);
    u32::from_le_bytes(bytes)
}

fn u64_at(header: &[u8; HEADER_BYTES], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&header[at..at + 8]);
    u64::from_le_bytes(bytes)
}

/// The bytes of a run, checked as far as opening it checks them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunView<'a, const N: usize> {
    layout: Layout,
    fanout: &'a [u8],
    records: &'a [u8],
}

impl<'a, const N: usize> RunView<'a, N> {
    /// Checks header, length, and fanout table of a whole run.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let view = Self::trusted(Layout::parse::<N>(bytes)?, bytes);
        let stored = bytes.get(CHECKED_BYTES..CHECKED_BYTES + 4).unwrap_or_default();
        if header_crc(bytes, view.fanout).to_le_bytes() != stored {
            return Err(FormatError::HeaderCrc);
        }
        view.check_fanout()?;
        Ok(view)
    }

    /// The view of `bytes` that [`Self::parse`] accepted before, with the layout it found.
    pub fn trusted(layout: Layout, bytes: &'a [u8]) -> Self {
        let (head, records) =
            bytes.split_at_checked(Layout::records_offset(layout.fanout_bits)).unwrap_or_default();
        Self { layout, fanout: head.get(HEADER_BYTES..).unwrap_or_default(), records }
    }

    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The table must never lead beyond the records, whatever wrote it.
    fn check_fanout(&self) -> Result<(), FormatError> {
        let mut before = 0;
        for entry in self.fanout.chunks_exact(FANOUT_ENTRY_BYTES) {
            let upto = entry.try_into().map(u64::from_le_bytes).unwrap_or(0);
            if upto < before {
                return Err(FormatError::Header);
            }
            before = upto;
        }
        if before == self.layout.records as u64 { Ok(()) } else { Err(FormatError::Header) }
    }

    pub fn record(&self, place: usize) -> Option<Record<N>> {
        let start = place.checked_mul(Record::<N>::BYTES)?;
        Record::from_bytes(self.records.get(start..start.checked_add(Record::<N>::BYTES)?)?)
    }

    /// The raw bytes of `count` records from `place` on, or of as many as there are.
    pub fn raw(&self, place: usize, count: usize) -> &'a [u8] {
        let limit =
            |records: usize| records.saturating_mul(Record::<N>::BYTES).min(self.records.len());
        self.records.get(limit(place)..limit(place.saturating_add(count))).unwrap_or_default()
    }

    /// All records with that key, in the order of their values.
    pub fn get(self, key: Key) -> impl Iterator<Item = [u8; N]> + use<'a, N> {
        (self.lower_bound(key)..)
            .map_while(move |place| self.record(place))
            .take_while(move |record| record.key == key)
            .map(|record| record.value)
    }

    /// Place of the first record whose key is not below `key`.
    fn lower_bound(&self, key: Key) -> usize {
        let (low, high) = self.bucket(key);
        let guess = low + key.guess(self.layout.fanout_bits, high - low);
        let (mut low, mut high) = self.gallop(key, low, high, guess);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.is_below(middle, key) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Narrows `low..high` around the guess with growing strides.
    fn gallop(&self, key: Key, low: usize, high: usize, guess: usize) -> (usize, usize) {
        let mut stride = GALLOP_RECORDS;
        if guess < high && self.is_below(guess, key) {
            let mut low = guess + 1;
            while high - low > stride && self.is_below(low + stride, key) {
                low += stride + 1;
                stride *= 2;
            }
            return (low, high.min(low.saturating_add(stride)));
        }
        let mut high = guess;
        while high - low > stride && !self.is_below(high - stride, key) {
            high -= stride;
            stride *= 2;
        }
        (low.max(high.saturating_sub(stride)), high)
    }

    fn is_below(&self, place: usize, key: Key) -> bool {
        self.record(place).is_some_and(|record| record.key < key)
    }

    /// Places of the records that share `key`'s topmost bits.
    fn bucket(&self, key: Key) -> (usize, usize) {
        let prefix = key.prefix(self.layout.fanout_bits);
        let low = prefix.checked_sub(1).map_or(0, |before| self.fanout_entry(before));
        (low, self.fanout_entry(prefix).max(low))
    }

    fn fanout_entry(&self, prefix: usize) -> usize {
        let start = prefix * FANOUT_ENTRY_BYTES;
        let bytes = self.fanout.get(start..start + FANOUT_ENTRY_BYTES).unwrap_or_default();
        let entry = bytes.try_into().map(u64::from_le_bytes).unwrap_or(0);
        usize::try_from(entry).map_or(self.layout.records, |place| place.min(self.layout.records))
    }
}

/// Reads all records in order and checks order and checksum on the way; an error ends it.
#[derive(Debug)]
pub(crate) struct CheckedRecords<'a, const N: usize> {
    view: RunView<'a, N>,
    next: usize,
    last: Option<Record<N>>,
    hasher: crc32fast::Hasher,
    ended: bool,
}

/// Records that are hashed at a time; small slices would cost more than the hashing.
const HASHED_RECORDS: usize = 2048;

impl<'a, const N: usize> CheckedRecords<'a, N> {
    pub fn new(view: RunView<'a, N>) -> Self {
        Self { view, next: 0, last: None, hasher: crc32fast::Hasher::new(), ended: false }
    }

    fn step(&mut self) -> Result<Option<Record<N>>, FormatError> {
        if self.next.is_multiple_of(HASHED_RECORDS) {
            self.hasher.update(self.view.raw(self.next, HASHED_RECORDS));
        }
        let Some(record) = self.view.record(self.next) else {
            let crc = self.hasher.clone().finalize();
            let right = crc == self.view.layout.records_crc;
            return if right { Ok(None) } else { Err(FormatError::RecordsCrc) };
        };
        if self.last.is_some_and(|last| last >= record) {
            return Err(FormatError::Order);
        }
        self.next += 1;
        self.last = Some(record);
        Ok(Some(record))
    }
}

impl<const N: usize> Iterator for CheckedRecords<'_, N> {
    type Item = Result<Record<N>, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.step().transpose();
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}
