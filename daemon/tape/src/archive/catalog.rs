//! Catalog archives: a medium's catalog, put on tape so that the tapes alone tell what is on them
//! (`tape-format.md` §8). The content is the catalog's file as it is.

use reel_types::{MediaId, MediaSetId};
use serde::{Deserialize, Serialize};

use super::{ArchiveHeader, ContentKind};

/// Header of a catalog archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogArchiveHeader {
    /// The medium that the catalog describes.
    pub uuid: MediaId,
    /// Its media set.
    pub media_set_uuid: MediaSetId,
    /// Its position in the set.
    pub seq_nr: u64,
}

impl ArchiveHeader for CatalogArchiveHeader {
    const WHAT: &'static str = "catalog archive header";
}

impl CatalogArchiveHeader {
    /// The kind to announce; readers treat both alike.
    ///
    /// `may_have_namespaces` holds unless the job is limited to the root namespace: its namespace is the
    /// root and its depth explicitly 0.
    pub fn kind(may_have_namespaces: bool) -> ContentKind {
        if may_have_namespaces {
            ContentKind::CatalogArchiveWithNamespaces
        } else {
            ContentKind::CatalogArchive
        }
    }
}
