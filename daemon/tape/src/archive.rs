//! What the files of a medium hold: content kinds and the headers of archives (`tape-format.md`
//! §1.1, §6–§8).
//!
//! Every file begins with a content header whose magic tells the kind; then follows a JSON object, and
//! then the content. The codecs below start behind the content header, read and write plain streams,
//! and know neither blocks nor drives.

pub mod catalog;
pub mod chunk;
pub mod snapshot;

use reel_hw::ContentMagic;
use serde::Serialize;

pub use chunk::CHUNK_ENTRY_MAGIC;

use crate::json;
use crate::{Error, Result};

/// The most bytes of JSON that an archive's header may have. PBS has no limit; its headers stay
/// below 3 KiB even with the deepest namespace, and a damaged length must not fill the memory.
pub const ARCHIVE_HEADER_BYTES_MAX: u32 = 1 << 20;

/// What a file on a medium is, told by the magic in its content header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentKind {
    /// File 0: who the medium is.
    MediaLabel,
    /// File 1: the media set it belongs to.
    MediaSetLabel,
    /// Unreleased form, never read.
    ChunkArchiveV1_0,
    /// Chunks of one datastore.
    ChunkArchive,
    /// Unreleased form, never read.
    SnapshotArchiveV1_0,
    /// The files of one snapshot in the root namespace.
    SnapshotArchive,
    /// The files of one snapshot inside a namespace.
    SnapshotArchiveInNamespace,
    /// A medium's catalog, by a job without namespaces.
    CatalogArchive,
    /// A medium's catalog, by a job that may contain namespaces.
    CatalogArchiveWithNamespaces,
}

impl ContentKind {
    /// All kinds there are.
    pub const ALL: [Self; 9] = [
        Self::MediaLabel,
        Self::MediaSetLabel,
        Self::ChunkArchiveV1_0,
        Self::ChunkArchive,
        Self::SnapshotArchiveV1_0,
        Self::SnapshotArchive,
        Self::SnapshotArchiveInNamespace,
        Self::CatalogArchive,
        Self::CatalogArchiveWithNamespaces,
    ];

    /// The kind with this magic.
    pub fn from_magic(magic: [u8; 8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.magic() == magic)
    }

    /// The magic in the content header, in the order of its bytes on the medium.
    pub const fn magic(self) -> [u8; 8] {
        match self {
            Self::MediaLabel => ContentMagic::MEDIA_LABEL.0,
            Self::MediaSetLabel => ContentMagic::MEDIA_SET_LABEL.0,
            Self::ChunkArchiveV1_0 => ContentMagic::CHUNK_ARCHIVE_1_0.0,
            Self::ChunkArchive => ContentMagic::CHUNK_ARCHIVE_1_1.0,
            Self::SnapshotArchiveV1_0 => ContentMagic::SNAPSHOT_ARCHIVE_1_0.0,
            Self::SnapshotArchive => ContentMagic::SNAPSHOT_ARCHIVE_1_1.0,
            Self::SnapshotArchiveInNamespace => ContentMagic::SNAPSHOT_ARCHIVE_1_2.0,
            Self::CatalogArchive => ContentMagic::CATALOG_ARCHIVE_1_0.0,
            Self::CatalogArchiveWithNamespaces => ContentMagic::CATALOG_ARCHIVE_1_1.0,
        }
    }

    /// The name that scans print; the magic is the beginning of its SHA-256.
    pub fn name(self) -> &'static str {
        ContentMagic(self.magic()).name().unwrap_or("unknown content")
    }
}

/// The JSON behind the content header of an archive.
pub trait ArchiveHeader: Serialize + serde::de::DeserializeOwned {
    /// What the archive is called in messages.
    const WHAT: &'static str;

    /// The JSON as it is written, keys in the order of the fields.
    fn to_json(&self) -> Result<Vec<u8>> {
        json::to_pretty(self, Self::WHAT)
    }

    /// Parses the JSON.
    fn from_json(bytes: &[u8]) -> Result<Self> {
        json::parse(bytes, Self::WHAT)
    }

    /// Reads the `size` bytes of JSON that the content header announced; the content follows.
    fn read(size: u32, content: &mut impl std::io::Read) -> Result<Self> {
        if size > ARCHIVE_HEADER_BYTES_MAX {
            let reason = format!("header data of {size} bytes is larger than any that PBS writes");
            return Err(Error::format(Self::WHAT, reason));
        }
        Self::from_json(&json::read_header_data(content, size, Self::WHAT)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magics_are_the_beginning_of_their_names_sums() {
        for kind in ContentKind::ALL {
            let sum = openssl::sha::sha256(kind.name().as_bytes());
            assert_eq!(kind.magic(), sum[..8], "{}", kind.name());
            assert_eq!(ContentKind::from_magic(kind.magic()), Some(kind));
        }
        assert_eq!(ContentKind::from_magic([0; 8]), None);
    }
}
