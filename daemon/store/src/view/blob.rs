//! The content of a blob.

use bytes::Bytes;

use crate::blob::{BLOB_PLAIN_MAX, DataBlob};
use crate::crypto::CryptConfig;
use crate::error::FormatResult;

/// A blob's decoded content; cheap to clone.
#[derive(Debug, Clone)]
pub struct BlobView(Bytes);

impl BlobView {
    /// Decodes a blob whose CRC was checked; an encrypted one needs its key.
    pub fn open(blob: &DataBlob, crypt: Option<&CryptConfig>) -> FormatResult<Self> {
        blob.decode(crypt, BLOB_PLAIN_MAX).map(Self)
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.0.len() as u64
    }

    /// Up to `length` bytes from `offset`; fewer only at the end.
    pub fn read(&self, offset: u64, length: usize) -> Bytes {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let end = start.saturating_add(length).min(self.0.len());
        self.0.slice(start..end)
    }
}
