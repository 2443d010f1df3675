//! Why content can't be read.

use std::sync::Arc;

use reel_types::Digest;
use thiserror::Error;

use crate::error::FormatError;
use crate::source::ChunkError;

/// A failed read of decoded content; cheap to clone, because several readers may wait for one chunk.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The chunk could not be had.
    #[error("read bytes {start} to {end} of {what}: {cause}")]
    Chunk {
        /// What was read.
        what: Arc<str>,
        /// First byte that the chunk covers.
        start: u64,
        /// Byte behind the last that it covers.
        end: u64,
        /// Why.
        #[source]
        cause: ChunkError,
    },
    /// The chunk is not what the index says.
    #[error("read bytes {start} to {end} of {what}: {cause}; restore it from another copy")]
    Content {
        /// What was read.
        what: Arc<str>,
        /// First byte that the chunk covers.
        start: u64,
        /// Byte behind the last that it covers.
        end: u64,
        /// What is wrong with it.
        #[source]
        cause: Arc<FormatError>,
    },
    /// The chunk is encrypted and should not be, or the reverse.
    #[error(
        "read {what}: chunk {digest} is {}, which the manifest denies; \
         somebody may have put it there", if *encrypted { "encrypted" } else { "not encrypted" }
    )]
    Encryption {
        /// What was read.
        what: Arc<str>,
        /// Which chunk.
        digest: Digest,
        /// What the chunk is.
        encrypted: bool,
    },
    /// The index can't be read.
    #[error("read the index of {what}: {cause}")]
    Index {
        /// What was read.
        what: Arc<str>,
        /// Why.
        #[source]
        cause: Arc<FormatError>,
    },
    /// Encrypted, and there is no key.
    #[error("read {what}: it is encrypted and no key was given; add its client key")]
    MissingKey {
        /// What was to be read.
        what: Arc<str>,
    },
    /// Decoding was given up, because the program stops.
    #[error("read {what}: the work was given up; try again")]
    GivenUp {
        /// What was read.
        what: Arc<str>,
    },
    /// No data, or nothing at all, at or behind that place.
    #[error("seek in {what}: there is nothing at or behind byte {offset}")]
    NothingThere {
        /// What was looked at.
        what: Arc<str>,
        /// From where on.
        offset: u64,
    },
}

impl ViewError {
    /// The errno for a reader of the tree.
    pub fn errno(&self) -> i32 {
        match self {
            Self::Chunk { cause, .. } => cause.errno(),
            Self::Content { cause, .. } | Self::Index { cause, .. } => cause.errno(),
            Self::Encryption { .. } => libc::EIO,
            Self::MissingKey { .. } => libc::ENOKEY,
            Self::GivenUp { .. } => libc::EINTR,
            Self::NothingThere { .. } => libc::ENXIO,
        }
    }
}
