//! The PBS datastore on disk, bit for bit.
//!
//! Formats (blob, index, manifest, keys) are pure: bytes in, bytes out, no paths, no clock. The
//! datastore half around them reads and writes snapshots with PBS's own locks and order of
//! operations, so that a PBS may work on the same store.

pub mod blob;
mod byte_lru;
pub mod cache;
mod canonical;
pub mod chunk_store;
pub mod crypto;
pub mod datastore;
pub mod error;
mod failure;
mod files;
pub mod fuzz;
mod handover;
pub mod index;
pub mod key;
pub mod locks;
pub mod manifest;
pub mod pxar;
mod read_at;
pub mod source;
#[cfg(test)]
mod test_pool;
#[cfg(test)]
mod testing;
pub mod view;
mod zstd_frames;

pub use blob::{
    BLOB_PLAIN_MAX, BlobCheck, CHUNK_ENCODED_MAX, CHUNK_ENCODED_MIN, CHUNK_PLAIN_MAX, DataBlob,
};
pub use crypto::{CryptConfig, plain_digest};
pub use error::{FormatError, FormatResult};
pub use failure::{StoreError, StoreErrorKind};
pub use files::ServiceUser;
pub use handover::{Handover, Waiter};
pub use index::{
    ChunkIndex, DynamicIndex, DynamicIndexWriter, Entries, FIXED_CHUNK_SIZE, FixedIndex,
    FixedIndexWriter, Index, IndexEntry, IndexSummary,
};
pub use key::{
    Kdf, KdfKind, KeyFile, KeyRandomness, KeyTime, Protection, open_with_master, seal_for_master,
};
pub use manifest::{
    ChunkUploadStats, CryptMode, MANIFEST_JSON_MAX, Manifest, ManifestFile, SignatureCheck,
    VerifyOutcome, VerifyState,
};
pub use read_at::ReadAt;
