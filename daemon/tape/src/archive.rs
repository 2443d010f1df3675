//! What the files of a medium hold: content kinds and the headers of archives (`tape-format.md`
//! §1.1, §6–§8).
//!
//! Every file begins with a content header whose magic tells the kind; then follows a JSON object, and
//! then the content. The codecs below start behind the content header, read and write plain streams,
//! and know neither blocks nor drives.

pub mod catalog;
pub mod chunk;
pub mod snapshot;

use serde::Serialize;

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
            Self::MediaLabel => [0x2a, 0x05, 0xbf, 0x3c, 0xb0, 0x30, 0xaa, 0x39],
            Self::MediaSetLabel => [0x08, 0x60, 0x63, 0xf9, 0x2f, 0x97, 0x53, 0xd8],
            Self::ChunkArchiveV1_0 => [0x3e, 0xad, 0xa7, 0x5f, 0x31, 0x4c, 0x06, 0x6e],
            Self::ChunkArchive => [0x6d, 0x31, 0x63, 0x6d, 0xd7, 0x02, 0x83, 0xbf],
            Self::SnapshotArchiveV1_0 => [0x09, 0xb6, 0x02, 0x1f, 0x7d, 0xe8, 0x72, 0x85],
            Self::SnapshotArchive => [0xda, 0x16, 0x15, 0xd0, 0x11, 0xe2, 0x9a, 0x62],
            Self::SnapshotArchiveInNamespace => [0x62, 0x10, 0x36, 0x9b, 0xba, 0x10, 0x33, 0x1d],
            Self::CatalogArchive => [0xb7, 0xcf, 0xc7, 0x25, 0x9e, 0x99, 0x1e, 0x73],
            Self::CatalogArchiveWithNamespaces => [0xb3, 0xec, 0x71, 0xf0, 0xad, 0xec, 0x02, 0x60],
        }
    }

    /// The name that scans print; the magic is the beginning of its SHA-256.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MediaLabel => "Proxmox Backup Tape Label v1.0",
            Self::MediaSetLabel => "Proxmox Backup MediaSet Label v1.0",
            Self::ChunkArchiveV1_0 => "Proxmox Backup Chunk Archive v1.0",
            Self::ChunkArchive => "Proxmox Backup Chunk Archive v1.1",
            Self::SnapshotArchiveV1_0 => "Proxmox Backup Snapshot Archive v1.0",
            Self::SnapshotArchive => "Proxmox Backup Snapshot Archive v1.1",
            Self::SnapshotArchiveInNamespace => "Proxmox Backup Snapshot Archive v1.2",
            Self::CatalogArchive => "Proxmox Backup Catalog Archive v1.0",
            Self::CatalogArchiveWithNamespaces => "Proxmox Backup Catalog Archive v1.1",
        }
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
