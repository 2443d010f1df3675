//! Snapshot archives: the files of one snapshot (`tape-format.md` §7).

use reel_types::{SnapshotPath, StoreName};
use serde::{Deserialize, Serialize};

use super::{ArchiveHeader, ContentKind};

/// Header of a snapshot archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotArchiveHeader {
    /// The snapshot with its namespace.
    pub snapshot: SnapshotPath,
    /// The datastore it comes from.
    pub store: StoreName,
}

impl ArchiveHeader for SnapshotArchiveHeader {
    const WHAT: &'static str = "snapshot archive header";
}

impl SnapshotArchiveHeader {
    /// The kind to announce: it differs for snapshots inside a namespace.
    pub fn kind(&self) -> ContentKind {
        if self.snapshot.namespace.is_root() {
            ContentKind::SnapshotArchive
        } else {
            ContentKind::SnapshotArchiveInNamespace
        }
    }
}
