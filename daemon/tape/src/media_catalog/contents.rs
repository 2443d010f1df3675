//! What a catalog says, gathered in memory.

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;

use crate::FileNumber;
use reel_types::{Digest, SnapshotPath, StoreName};

use super::{CatalogExpectation, CatalogReader, CatalogRecord};
use crate::Result;

/// A snapshot that lies on a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogSnapshot {
    /// The datastore that it comes from.
    pub store: StoreName,
    /// The snapshot with its namespace.
    pub path: SnapshotPath,
    /// The file that is its archive.
    pub number: FileNumber,
}

impl CatalogSnapshot {
    /// The snapshots that a catalog tells of, in its order; memory grows with snapshots alone.
    pub fn read_all(
        reader: impl BufRead,
        expected: CatalogExpectation,
    ) -> Result<Vec<CatalogSnapshot>> {
        let mut snapshots = Vec::new();
        for record in CatalogReader::new(reader, expected)? {
            if let CatalogRecord::Snapshot { number, store, path, .. } = record? {
                snapshots.push(Self { store, path, number });
            }
        }
        Ok(snapshots)
    }
}

/// Everything a catalog says.
///
/// It takes some 60 bytes a chunk: for small catalogs and tests. Large ones are streamed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct CatalogContents {
    /// For each datastore the file that holds a chunk; of several the last.
    pub chunks: BTreeMap<StoreName, HashMap<Digest, FileNumber>>,
    /// The snapshots in the order of the catalog.
    pub snapshots: Vec<CatalogSnapshot>,
}

impl CatalogContents {
    /// Reads a whole catalog. Chunks of an archive that has no end are left out.
    pub fn read(reader: impl BufRead, expected: CatalogExpectation) -> Result<Self> {
        let mut contents = Self::default();
        let mut archive: Option<(StoreName, FileNumber, Vec<Digest>)> = None;
        for record in CatalogReader::new(reader, expected)? {
            match record? {
                CatalogRecord::Label { .. } => {}
                CatalogRecord::ChunkArchiveStart { number, store, .. } => {
                    archive = Some((store, number, Vec::new()));
                }
                CatalogRecord::Chunk(digest) => {
                    if let Some((_, _, digests)) = &mut archive {
                        digests.push(digest);
                    }
                }
                CatalogRecord::ChunkArchiveEnd { .. } => {
                    if let Some((store, number, digests)) = archive.take() {
                        let chunks = contents.chunks.entry(store).or_default();
                        chunks.extend(digests.into_iter().map(|digest| (digest, number)));
                    }
                }
                CatalogRecord::Snapshot { number, store, path, .. } => {
                    contents.snapshots.push(CatalogSnapshot { store, path, number });
                }
            }
        }
        Ok(contents)
    }
}
