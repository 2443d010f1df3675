//! The content header: the first 48 bytes of the payload of every file (spec tape-format.md §4).
//!
//! | offset | size | field |
//! | --- | --- | --- |
//! | 0 | 8 | magic of the header itself |
//! | 8 | 8 | magic of the content |
//! | 16 | 16 | content UUID, unique per file |
//! | 32 | 8 | creation time, i64 epoch seconds |
//! | 40 | 4 | bytes of header data (JSON) that follow |
//! | 44 | 1 | part number, always 0 |
//! | 45 | 3 | reserved, 0 |

use std::fmt;
use std::io::{self, Read};

/// Bytes of a content header.
pub const CONTENT_HEADER_SIZE: usize = 48;

const CONTENT_HEADER_MAGIC: [u8; 8] = [0x63, 0xee, 0x14, 0x9f, 0xcd, 0xf2, 0x9b, 0x0c];

/// What kind of content a file holds: the first 8 bytes of the SHA-256 of the kind's name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentMagic(pub [u8; 8]);

impl ContentMagic {
    /// Media label, file 0.
    pub const MEDIA_LABEL: Self = Self([0x2a, 0x05, 0xbf, 0x3c, 0xb0, 0x30, 0xaa, 0x39]);
    /// Media-set label, file 1.
    pub const MEDIA_SET_LABEL: Self = Self([0x08, 0x60, 0x63, 0xf9, 0x2f, 0x97, 0x53, 0xd8]);
    /// Chunk archive that was never released; to be refused.
    pub const CHUNK_ARCHIVE_1_0: Self = Self([0x3e, 0xad, 0xa7, 0x5f, 0x31, 0x4c, 0x06, 0x6e]);
    /// Chunk archive.
    pub const CHUNK_ARCHIVE_1_1: Self = Self([0x6d, 0x31, 0x63, 0x6d, 0xd7, 0x02, 0x83, 0xbf]);
    /// Snapshot archive that was never released; to be refused.
    pub const SNAPSHOT_ARCHIVE_1_0: Self = Self([0x09, 0xb6, 0x02, 0x1f, 0x7d, 0xe8, 0x72, 0x85]);
    /// Snapshot archive, snapshot in the root namespace.
    pub const SNAPSHOT_ARCHIVE_1_1: Self = Self([0xda, 0x16, 0x15, 0xd0, 0x11, 0xe2, 0x9a, 0x62]);
    /// Snapshot archive, snapshot in another namespace.
    pub const SNAPSHOT_ARCHIVE_1_2: Self = Self([0x62, 0x10, 0x36, 0x9b, 0xba, 0x10, 0x33, 0x1d]);
    /// Catalog archive of a job without namespaces.
    pub const CATALOG_ARCHIVE_1_0: Self = Self([0xb7, 0xcf, 0xc7, 0x25, 0x9e, 0x99, 0x1e, 0x73]);
    /// Catalog archive of a job that may contain namespaces.
    pub const CATALOG_ARCHIVE_1_1: Self = Self([0xb3, 0xec, 0x71, 0xf0, 0xad, 0xec, 0x02, 0x60]);

    /// The text that was hashed, which is also what people are shown; `None` for an unknown kind.
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::MEDIA_LABEL => "Proxmox Backup Tape Label v1.0",
            Self::MEDIA_SET_LABEL => "Proxmox Backup MediaSet Label v1.0",
            Self::CHUNK_ARCHIVE_1_0 => "Proxmox Backup Chunk Archive v1.0",
            Self::CHUNK_ARCHIVE_1_1 => "Proxmox Backup Chunk Archive v1.1",
            Self::SNAPSHOT_ARCHIVE_1_0 => "Proxmox Backup Snapshot Archive v1.0",
            Self::SNAPSHOT_ARCHIVE_1_1 => "Proxmox Backup Snapshot Archive v1.1",
            Self::SNAPSHOT_ARCHIVE_1_2 => "Proxmox Backup Snapshot Archive v1.2",
            Self::CATALOG_ARCHIVE_1_0 => "Proxmox Backup Catalog Archive v1.0",
            Self::CATALOG_ARCHIVE_1_1 => "Proxmox Backup Catalog Archive v1.1",
            _ => return None,
        })
    }
}

impl fmt::Display for ContentMagic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "unknown content {:016x}", u64::from_be_bytes(self.0)),
        }
    }
}

impl fmt::Debug for ContentMagic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentMagic({self})")
    }
}

/// Why bytes are not a content header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContentHeaderError {
    /// No header of this format.
    #[error("wrong magic number of the content header")]
    UnknownMagic,
    /// Part of a stream over several media, which PBS never writes.
    #[error("part number {0}: streams over several media are not supported")]
    PartNumber(u8),
}

/// What the content header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentHeader {
    /// Kind of content.
    pub content_magic: ContentMagic,
    /// Random, unique per file; raw bytes in the order of the text form.
    pub uuid: [u8; 16],
    /// Creation time in epoch seconds.
    pub ctime: i64,
    /// Bytes of header data behind the header. Comes from the medium: check it before allocating.
    pub size: u32,
}

impl ContentHeader {
    /// The header as it stands at the begin of the payload.
    pub fn to_bytes(self) -> [u8; CONTENT_HEADER_SIZE] {
        let mut bytes = [0; CONTENT_HEADER_SIZE];
        bytes[..8].copy_from_slice(&CONTENT_HEADER_MAGIC);
        bytes[8..16].copy_from_slice(&self.content_magic.0);
        bytes[16..32].copy_from_slice(&self.uuid);
        bytes[32..40].copy_from_slice(&self.ctime.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.size.to_le_bytes());
        bytes
    }

    /// Reads a header. Reserved bytes are not looked at.
    pub fn from_bytes(bytes: &[u8; CONTENT_HEADER_SIZE]) -> Result<Self, ContentHeaderError> {
        let mut rest = bytes.as_slice();
        if take(&mut rest) != CONTENT_HEADER_MAGIC {
            return Err(ContentHeaderError::UnknownMagic);
        }
        let header = Self {
            content_magic: ContentMagic(take(&mut rest)),
            uuid: take(&mut rest),
            ctime: i64::from_le_bytes(take(&mut rest)),
            size: u32::from_le_bytes(take(&mut rest)),
        };
        match take(&mut rest) {
            [0] => Ok(header),
            [part] => Err(ContentHeaderError::PartNumber(part)),
        }
    }

    /// Reads a header from the begin of a file's payload.
    ///
    /// # Errors
    /// `InvalidData` around a [`ContentHeaderError`]; whatever the reader says, `UnexpectedEof` included.
    pub fn read_from(reader: &mut impl Read) -> io::Result<Self> {
        let mut bytes = [0; CONTENT_HEADER_SIZE];
        reader.read_exact(&mut bytes)?;
        Self::from_bytes(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

/// The next `N` bytes; zeros once there are no more, which a header of fixed size never reaches.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    match rest.split_first_chunk() {
        Some((bytes, tail)) => {
            *rest = tail;
            *bytes
        }
        None => [0; N],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn media_label() -> ContentHeader {
        ContentHeader {
            content_magic: ContentMagic::MEDIA_LABEL,
            uuid: [
                0x11, 0x11, 0x11, 0x11, 0x22, 0x22, 0x43, 0x33, 0x84, 0x44, 0x55, 0x55, 0x55, 0x55,
                0x55, 0x55,
            ],
            ctime: 1_609_924_071,
            size: 120,
        }
    }

    #[test]
    fn golden_media_label_header() {
        let hex: String =
            media_label().to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "63ee149fcdf29b0c2a05bf3cb030aa3911111111222243338444555555555555e77df55f000000007800000000000000"
        );
    }

    #[test]
    fn magics_are_hashes_of_their_names() {
        let hash =
            |text: &str| <[u8; 8]>::try_from(&openssl::sha::sha256(text.as_bytes())[..8]).unwrap();
        assert_eq!(hash("Proxmox Backup Content Header v1.0"), CONTENT_HEADER_MAGIC);
        assert_eq!(hash("Proxmox Tape Block Header v1.0"), super::super::TAPE_BLOCK_MAGIC);
        let all = [
            ContentMagic::MEDIA_LABEL,
            ContentMagic::MEDIA_SET_LABEL,
            ContentMagic::CHUNK_ARCHIVE_1_0,
            ContentMagic::CHUNK_ARCHIVE_1_1,
            ContentMagic::SNAPSHOT_ARCHIVE_1_0,
            ContentMagic::SNAPSHOT_ARCHIVE_1_1,
            ContentMagic::SNAPSHOT_ARCHIVE_1_2,
            ContentMagic::CATALOG_ARCHIVE_1_0,
            ContentMagic::CATALOG_ARCHIVE_1_1,
        ];
        for magic in all {
            assert_eq!(hash(magic.name().unwrap()), magic.0, "{magic}");
        }
        let unknown = ContentMagic([1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(unknown.to_string(), "unknown content 0102030405060708");
    }

    #[test]
    fn foreign_headers_and_parts_are_refused() {
        let mut bytes = media_label().to_bytes();
        bytes[44] = 1;
        assert_eq!(ContentHeader::from_bytes(&bytes), Err(ContentHeaderError::PartNumber(1)));
        bytes[0] = 0;
        assert_eq!(ContentHeader::from_bytes(&bytes), Err(ContentHeaderError::UnknownMagic));
        let cut = ContentHeader::read_from(&mut &bytes[..47]).unwrap_err();
        assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
    }

    proptest! {
        #[test]
        fn headers_round_trip(
            magic in any::<[u8; 8]>(),
            uuid in any::<[u8; 16]>(),
            ctime in any::<i64>(),
            size in any::<u32>(),
        ) {
            let header = ContentHeader { content_magic: ContentMagic(magic), uuid, ctime, size };
            prop_assert_eq!(ContentHeader::from_bytes(&header.to_bytes()), Ok(header));
        }
    }
}
