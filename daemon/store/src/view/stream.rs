//! A stream out of a dynamic index.

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::chunked::Chunked;
use super::{Seek, ViewContext, ViewError, ViewParts};

/// A stream, such as an archive, readable at any offset.
pub struct StreamView(Chunked);

impl StreamView {
    /// Fails where the chunks are encrypted and there is no key.
    pub fn open(parts: ViewParts, context: &ViewContext) -> Result<Self, ViewError> {
        Chunked::new(parts, context).map(Self)
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.0.index().size()
    }

    /// Reads up to `length` bytes from `offset`; fewer only at the end.
    pub fn read(&self, offset: u64, length: usize) -> BoxFuture<'static, Result<Bytes, ViewError>> {
        self.0.read(offset, length, |_| false)
    }

    /// A stream is all data.
    pub fn seek_hole_data(&self, offset: u64, whence: Seek) -> Result<u64, ViewError> {
        if offset >= self.size() {
            return Err(ViewError::NothingThere { what: self.0.what().clone(), offset });
        }
        match whence {
            Seek::Data => Ok(offset),
            Seek::Hole => Ok(self.size()),
        }
    }
}
