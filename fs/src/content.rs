//! Content: files whose bytes are streamed from elsewhere, with true sizes.
//!
//! Reads are futures, so thousands may wait for a tape and cost memory only. The engine never
//! hands the kernel fewer bytes than the size promised: the kernel would take a short answer for
//! the end of the file and show zeros. It asks the handle again for the rest, and answers EIO
//! where the handle has no more.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;

use crate::attributes::{Attributes, Caller};
use crate::error::FsError;
use crate::spawn::Preparation;

/// A file with content of its own.
pub trait Content: Send + Sync + 'static {
    /// The exact size in bytes.
    fn size(&self) -> Result<u64, FsError>;

    /// Owner, permissions and time.
    fn attributes(&self) -> Attributes {
        Attributes::FILE
    }

    /// How many of the bytes are not holes. Less than the size tells `cp` to look for holes.
    fn allocated(&self) -> Result<u64, FsError> {
        self.size()
    }

    /// Whether the kernel may keep the bytes.
    fn caching(&self) -> Caching {
        Caching::Never
    }

    /// Where several names are one file (hard links): the path from the root that names it, the
    /// same for all of them.
    fn link_identity(&self) -> Option<PathBuf> {
        None
    }

    /// What is awaited before it is opened; nothing where all is at hand.
    fn prepare(&self) -> Option<Preparation> {
        None
    }

    /// Opens for reading. May read files; runs where blocking is allowed.
    fn open(&self, caller: &Caller) -> Result<Arc<dyn ContentHandle>, FsError>;

    /// Names of the extended attributes.
    fn xattr_names(&self) -> Result<Vec<OsString>, FsError> {
        Ok(Vec::new())
    }

    /// One extended attribute, `None` where it isn't set.
    fn xattr(&self, _name: &OsStr) -> Result<Option<Vec<u8>>, FsError> {
        Ok(None)
    }
}

/// Whether the kernel may keep content in its page cache.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Caching {
    /// Each read asks.
    Never,
    /// The bytes can't change. `version` stands for them (a piece of their digest): should the
    /// same path ever hold other bytes, another version makes the kernel forget the old ones.
    Immutable {
        /// Equal only where the bytes are equal.
        version: u64,
    },
}

/// Content that was opened.
pub trait ContentHandle: Send + Sync + 'static {
    /// Bytes from `offset`, at most `size`, fewer only with good reason: the rest is asked for
    /// again. Dropping the future says that nobody waits any more.
    fn read(&self, offset: u64, size: u32) -> BoxFuture<'static, Result<Bytes, FsError>>;

    /// The next data or hole at or behind `offset`, `None` where no data follows. `offset` lies
    /// inside the file. Without an implementation everything is data.
    fn seek_hole_data(&self, offset: u64, whence: Seek) -> Result<Option<u64>, FsError> {
        match whence {
            Seek::Data => Ok(Some(offset)),
            Seek::Hole => Ok(None),
        }
    }
}

/// What `lseek(2)` looks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Seek {
    /// `SEEK_DATA`
    Data,
    /// `SEEK_HOLE`; the end of the file is one.
    Hole,
}

/// Open content with the size it had at open.
pub(crate) struct OpenContent {
    handle: Arc<dyn ContentHandle>,
    size: u64,
}

impl OpenContent {
    pub(crate) fn open(content: &dyn Content, caller: &Caller) -> Result<Self, FsError> {
        let handle = content.open(caller)?;
        let size = content.size()?;
        Ok(Self { handle, size })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Exactly the bytes asked for, cut at the end of the file.
    pub(crate) async fn read(&self, offset: u64, size: u32) -> Result<Bytes, FsError> {
        let left = self.size.saturating_sub(offset);
        let wanted = u32::try_from(left).map_or(size, |left| left.min(size));
        if wanted == 0 {
            return Ok(Bytes::new());
        }
        let first = self.read_some(offset, wanted).await?;
        if first.len() == wanted as usize {
            return Ok(first);
        }
        self.read_rest(offset, wanted, first).await
    }

    async fn read_rest(&self, offset: u64, wanted: u32, first: Bytes) -> Result<Bytes, FsError> {
        let mut whole = BytesMut::with_capacity(wanted as usize);
        whole.extend_from_slice(&first);
        while let missing @ 1.. = wanted - whole.len() as u32 {
            let piece = self.read_some(offset + whole.len() as u64, missing).await?;
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// At least one byte and at most `wanted`.
    async fn read_some(&self, offset: u64, wanted: u32) -> Result<Bytes, FsError> {
        let mut piece = self.handle.read(offset, wanted).await?;
        piece.truncate(wanted as usize);
        if piece.is_empty() {
            return Err(FsError::io(format!(
                "read {wanted} bytes at {offset}: the source ended before the size of {} bytes \
                 that the file has; nothing was made up in their place",
                self.size
            )));
        }
        Ok(piece)
    }

    /// As `lseek(2)`: ENXIO at and behind the end, and where no data follows.
    pub(crate) fn seek(&self, offset: u64, whence: Seek) -> Result<u64, FsError> {
        if offset >= self.size {
            return Err(past_the_end(offset));
        }
        let found = self.handle.seek_hole_data(offset, whence)?;
        match (whence, found) {
            (Seek::Hole, found) => Ok(found.unwrap_or(self.size).clamp(offset, self.size)),
            (Seek::Data, Some(found)) if found < self.size => Ok(found.max(offset)),
            (Seek::Data, _) => Err(past_the_end(offset)),
        }
    }
}

pub(crate) fn past_the_end(offset: u64) -> FsError {
    FsError::new(libc::ENXIO, format!("seek from {offset}: no data there or behind"))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::ready;

    use super::*;

    /// Gives at most `step` bytes at once, and data only in `10..20`.
    struct Stepper {
        bytes: Bytes,
        step: usize,
    }

    impl ContentHandle for Stepper {
        fn read(&self, offset: u64, size: u32) -> BoxFuture<'static, Result<Bytes, FsError>> {
            let piece = crate::fact::slice(&self.bytes, offset, size.min(self.step as u32));
            ready(Ok(piece)).boxed()
        }

        fn seek_hole_data(&self, offset: u64, whence: Seek) -> Result<Option<u64>, FsError> {
            Ok(match whence {
                Seek::Data if offset < 20 => Some(offset.max(10)),
                Seek::Data => None,
                Seek::Hole if (10..20).contains(&offset) => Some(20),
                Seek::Hole => Some(offset),
            })
        }
    }

    fn open(length: usize, step: usize, size: u64) -> OpenContent {
        let bytes: Bytes = (0..length).map(|n| n as u8).collect::<Vec<u8>>().into();
        OpenContent { handle: Arc::new(Stepper { bytes, step }), size }
    }

    fn read(content: &OpenContent, offset: u64, size: u32) -> Result<Bytes, FsError> {
        content.read(offset, size).now_or_never().unwrap()
    }

    #[test]
    fn short_pieces_are_put_together() {
        let content = open(100, 7, 100);
        assert_eq!(read(&content, 3, 50).unwrap().as_ref(), (3..53).collect::<Vec<u8>>());
        assert_eq!(read(&content, 90, 50).unwrap().as_ref(), (90..100).collect::<Vec<u8>>());
        assert!(read(&content, 100, 50).unwrap().is_empty());
    }

    #[test]
    fn bytes_that_are_missing_are_an_error_and_never_zeros() {
        let content = open(60, 1000, 100);
        assert_eq!(read(&content, 0, 50).unwrap().len(), 50);
        let error = read(&content, 50, 50).unwrap_err();
        assert_eq!(error.errno(), libc::EIO);
    }

    #[test]
    fn bytes_behind_the_size_are_not_shown() {
        assert_eq!(read(&open(100, 1000, 60), 50, 50).unwrap().len(), 10);
    }

    #[test]
    fn seeks_find_data_holes_and_the_end() {
        let content = open(30, 30, 30);
        assert_eq!(content.seek(0, Seek::Data), Ok(10));
        assert_eq!(content.seek(12, Seek::Data), Ok(12));
        assert_eq!(content.seek(12, Seek::Hole), Ok(20));
        assert_eq!(content.seek(25, Seek::Hole), Ok(25));
        assert_eq!(content.seek(25, Seek::Data).unwrap_err().errno(), libc::ENXIO);
        assert_eq!(content.seek(30, Seek::Hole).unwrap_err().errno(), libc::ENXIO);
    }
}
