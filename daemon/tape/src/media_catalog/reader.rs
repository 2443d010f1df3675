//! Streaming through a catalog.

use std::io::{BufRead, Read};

use crate::FileNumber;
use reel_types::{Digest, SnapshotPath, StoreName};
use uuid::Uuid;

use super::record::{CHUNK, CHUNK_ARCHIVE_END, CHUNK_ARCHIVE_START, LABEL, SEPARATOR, SNAPSHOT};
use super::rules::CatalogRules;
use super::{CatalogExpectation, CatalogRecord, MAGIC, MAGIC_V1_0};
use crate::{Error, Result};

const WHAT: &str = "media catalog";

/// Reads the records of a catalog one by one and checks that each may stand where it does.
///
/// Memory does not grow with the catalog. After an error the reader must not be used any more, but
/// [`complete_bytes`](Self::complete_bytes) still tells how much of the catalog is good.
#[derive(Debug)]
pub struct CatalogReader<R> {
    reader: R,
    /// How many bytes of records and magic were taken in whole.
    position: u64,
    complete: u64,
    rules: CatalogRules,
}

impl<R: BufRead> CatalogReader<R> {
    /// Reads the magic. No bytes at all are a catalog without records.
    pub fn new(mut reader: R, expected: CatalogExpectation) -> Result<Self> {
        let mut magic = Vec::new();
        (&mut reader).take(8).read_to_end(&mut magic).map_err(Error::io("read the magic"))?;
        match magic.as_slice() {
            known if known.is_empty() || *known == MAGIC => {}
            old if *old == MAGIC_V1_0 => {
                let reason = "old catalog format (v1.0) is no longer supported";
                return Err(Error::format(WHAT, reason));
            }
            _ => return Err(Error::format(WHAT, "wrong magic number")),
        }
        let position = magic.len() as u64;
        Ok(Self { reader, position, complete: position, rules: CatalogRules::new(expected) })
    }

    /// The next record; none at the end.
    ///
    /// Fails for a record that is cut short, unknown, or breaks the order of things.
    pub fn next_record(&mut self) -> Result<Option<CatalogRecord>> {
        let start = self.position;
        if self.at_end()? {
            return Ok(None);
        }
        let record = self.record().and_then(|record| {
            self.rules.accept(&record)?;
            Ok(record)
        });
        let record = record.map_err(|error| at_position(error, start))?;
        if self.rules.open_archive().is_none() {
            self.complete = self.position;
        }
        Ok(Some(record))
    }

    /// Length of the longest good beginning, in bytes: it ends behind a label, a snapshot or the end
    /// of a chunk archive.
    pub fn complete_bytes(&self) -> u64 {
        self.complete
    }

    /// Whether the catalog has stopped inside a chunk archive.
    pub fn has_open_archive(&self) -> bool {
        self.rules.open_archive().is_some()
    }

    /// The last file of the medium that was mentioned.
    pub fn last_file(&self) -> Option<FileNumber> {
        self.rules.last_file()
    }

    /// The length and the state after all records that were read.
    pub(super) fn into_parts(self) -> (u64, CatalogRules) {
        (self.position, self.rules)
    }

    fn at_end(&mut self) -> Result<bool> {
        self.reader.fill_buf().map(<[u8]>::is_empty).map_err(Error::io("read the media catalog"))
    }

    fn record(&mut self) -> Result<CatalogRecord> {
        let [kind] = self.bytes()?;
        match kind {
            LABEL => self.label(),
            CHUNK_ARCHIVE_START => self.archive_start(),
            CHUNK => Ok(CatalogRecord::Chunk(Digest(self.bytes()?))),
            CHUNK_ARCHIVE_END => self.archive_end(),
            SNAPSHOT => self.snapshot(),
            unknown => Err(Error::format(WHAT, format!("unknown entry type {unknown:#04x}"))),
        }
    }

    fn label(&mut self) -> Result<CatalogRecord> {
        let (number, uuid) = self.place()?;
        let seq_nr = u64::from_le_bytes(self.bytes()?);
        Ok(CatalogRecord::Label { number, uuid, seq_nr })
    }

    fn archive_start(&mut self) -> Result<CatalogRecord> {
        let (number, uuid) = self.place()?;
        let [store_bytes, ..]: [u8; 8] = self.bytes()?;
        let store = self.store(store_bytes)?;
        Ok(CatalogRecord::ChunkArchiveStart { number, uuid, store })
    }

    fn archive_end(&mut self) -> Result<CatalogRecord> {
        let (number, uuid) = self.place()?;
        Ok(CatalogRecord::ChunkArchiveEnd { number, uuid })
    }

    fn snapshot(&mut self) -> Result<CatalogRecord> {
        let (number, uuid) = self.place()?;
        let [store_bytes, _, low, high, ..]: [u8; 8] = self.bytes()?;
        let path_bytes = u16::from_le_bytes([low, high]);
        let store = self.store(store_bytes)?;
        if self.bytes()? != [SEPARATOR] {
            return Err(Error::format(WHAT, "no ':' between datastore and snapshot"));
        }
        let path: SnapshotPath = self.text(path_bytes)?.parse()?;
        Ok(CatalogRecord::Snapshot { number, uuid, store, path })
    }

    fn place(&mut self) -> Result<(FileNumber, Uuid)> {
        let number = FileNumber(u64::from_le_bytes(self.bytes()?));
        Ok((number, Uuid::from_bytes(self.bytes()?)))
    }

    fn store(&mut self, length: u8) -> Result<StoreName> {
        Ok(self.text(u16::from(length))?.parse()?)
    }

    fn text(&mut self, length: u16) -> Result<String> {
        let mut bytes = vec![0; usize::from(length)];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| Error::format(WHAT, "a name is not UTF-8"))
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.reader.read_exact(bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                Error::format(WHAT, "the catalog ends inside this record")
            }
            _ => Error::io("read the media catalog")(error),
        })?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}

impl<R: BufRead> Iterator for CatalogReader<R> {
    type Item = Result<CatalogRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}

fn at_position(error: Error, start: u64) -> Error {
    let reason = match error {
        Error::Format { reason, .. } => reason,
        Error::Parse(error) => error.to_string(),
        other => return other,
    };
    Error::format(WHAT, format!("{reason} (record at byte {start})"))
}
