//! Chunk archives: the chunks of one datastore back to back (`tape-format.md` §6).

use reel_types::StoreName;
use serde::{Deserialize, Serialize};

use super::ArchiveHeader;

/// Header of a chunk archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkArchiveHeader {
    /// The datastore that the chunks come from.
    pub store: StoreName,
}

impl ArchiveHeader for ChunkArchiveHeader {
    const WHAT: &'static str = "chunk archive header";
}
