//! Decoded content on top of a [`ChunkReader`](crate::source::ChunkReader): an image out of a `.fidx`,
//! a stream out of a `.didx`, the content of a blob.
//!
//! ```text
//! read(offset, length) ── index: which chunks ──┬─ hole: zeros, nothing is read
//!                                               ├─ in the memory: a slice of it
//!                                               └─ asked of the reader, checked, decrypted, kept
//! ```
//!
//! Chunks of one read are fetched beside each other; a reader that goes forward has the next ones asked
//! for ahead. What lies within one chunk is returned without a copy. A read either gives all its bytes
//! or fails: a short one would be taken for the end of the file. So a damaged chunk fails the reads that
//! touch it and no others.

mod blob;
mod chunked;
mod error;
mod image;
mod memory;
mod read_ahead;
mod stream;

use std::sync::Arc;

use crate::crypto::CryptConfig;
use crate::index::ChunkIndex;
use crate::manifest::CryptMode;
use crate::source::{Blocking, ChunkReader};

pub use blob::BlobView;
pub use error::ViewError;
pub use image::{ImageView, Seek};
pub use memory::ChunkMemory;
pub use stream::StreamView;

/// An index of any kind and origin.
pub type SharedIndex = Arc<dyn ChunkIndex + Send + Sync>;

/// What all views of a program share.
#[derive(Clone)]
pub struct ViewContext {
    /// Decoded chunks.
    pub memory: Arc<ChunkMemory>,
    /// Where decryption runs.
    pub blocking: Arc<dyn Blocking>,
    /// How many chunks a reader that goes forward asks for ahead: at least one more than there are
    /// threads, or some of those idle. Sources for which that is too few say so
    /// ([`ChunkReader::ahead_bytes_max`]).
    pub ahead_chunks: u64,
}

/// What a view is made of.
pub struct ViewParts {
    /// What it shows, for messages: `file 'a.img.fidx' of snapshot '…' of datastore '…'`.
    pub what: String,
    /// Its index, already compared with the manifest.
    pub index: SharedIndex,
    /// What the manifest says of its chunks.
    pub crypt_mode: CryptMode,
    /// The key, already compared with the manifest; only looked at when the chunks are encrypted.
    pub crypt: Option<Arc<CryptConfig>>,
    /// Where its chunks come from.
    pub reader: Arc<dyn ChunkReader>,
}

#[cfg(test)]
mod tests;
