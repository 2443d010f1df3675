//! The records of a catalog and their bytes.

use crate::FileNumber;
use reel_types::{Digest, SnapshotPath, StoreName};
use uuid::Uuid;

use crate::{Error, Result};

/// One record (`tape-state.md` §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatalogRecord {
    /// A label: in file 0 the medium's own, in file 1 the media set's.
    Label {
        /// The file, 0 or 1.
        number: FileNumber,
        /// The medium or the media set.
        uuid: Uuid,
        /// Position in the set; 0 for the medium's own label.
        seq_nr: u64,
    },
    /// The chunks that follow are in this archive.
    ChunkArchiveStart {
        /// The file that is the archive.
        number: FileNumber,
        /// The archive's content UUID.
        uuid: Uuid,
        /// The datastore that the chunks come from.
        store: StoreName,
    },
    /// A chunk of the archive that was started.
    Chunk(Digest),
    /// All chunks of the archive were told.
    ChunkArchiveEnd {
        /// The file that is the archive.
        number: FileNumber,
        /// The archive's content UUID.
        uuid: Uuid,
    },
    /// A snapshot.
    Snapshot {
        /// The file that is the snapshot's archive.
        number: FileNumber,
        /// The archive's content UUID.
        uuid: Uuid,
        /// The datastore that it comes from.
        store: StoreName,
        /// The snapshot with its namespace.
        path: SnapshotPath,
    },
}

pub(super) const LABEL: u8 = b'L';
pub(super) const CHUNK_ARCHIVE_START: u8 = b'A';
pub(super) const CHUNK: u8 = b'C';
pub(super) const CHUNK_ARCHIVE_END: u8 = b'E';
pub(super) const SNAPSHOT: u8 = b'S';

/// Stands between the datastore and the snapshot of an `S` record.
pub(super) const SEPARATOR: u8 = b':';

impl CatalogRecord {
    /// Appends the record's bytes. PBS leaves whatever was in memory in the gaps of its structures;
    /// here they are zero.
    ///
    /// Fails for texts that are too long for their length fields.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Label { number, uuid, seq_nr } => {
                out.push(LABEL);
                push_place(out, *number, uuid);
                out.extend(seq_nr.to_le_bytes());
            }
            Self::ChunkArchiveStart { number, uuid, store } => {
                let store_bytes = store_length(store)?;
                out.push(CHUNK_ARCHIVE_START);
                push_place(out, *number, uuid);
                out.push(store_bytes);
                out.extend([0; 7]);
                out.extend(store.as_str().as_bytes());
            }
            Self::Chunk(digest) => {
                out.push(CHUNK);
                out.extend(digest.as_bytes());
            }
            Self::ChunkArchiveEnd { number, uuid } => {
                out.push(CHUNK_ARCHIVE_END);
                push_place(out, *number, uuid);
            }
            Self::Snapshot { number, uuid, store, path } => {
                let (store_bytes, path) = (store_length(store)?, path.to_string());
                let path_bytes = u16::try_from(path.len()).map_err(|_| too_long(&path))?;
                out.push(SNAPSHOT);
                push_place(out, *number, uuid);
                out.extend([store_bytes, 0]);
                out.extend(path_bytes.to_le_bytes());
                out.extend([0; 4]);
                out.extend(store.as_str().as_bytes());
                out.push(SEPARATOR);
                out.extend(path.as_bytes());
            }
        }
        Ok(())
    }
}

fn push_place(out: &mut Vec<u8>, number: FileNumber, uuid: &Uuid) {
    out.extend(number.0.to_le_bytes());
    out.extend(uuid.as_bytes());
}

fn store_length(store: &StoreName) -> Result<u8> {
    u8::try_from(store.as_str().len()).map_err(|_| too_long(store.as_str()))
}

fn too_long(text: &str) -> Error {
    Error::format("media catalog", format!("'{text}' is too long for a catalog"))
}
