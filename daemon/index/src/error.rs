//! What can go wrong with a run.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// EIO, for a run whose content is no good.
const EIO: i32 = 5;

/// An index operation that failed.
#[derive(Debug, Error)]
pub enum Error {
    /// The system refused an operation on a run or on its folder.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The file is not a run, or not a whole one.
    #[error("read index {}: {cause}; delete the file, it is rebuilt as the media are read", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: FormatError,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn format(path: &Path) -> impl FnOnce(FormatError) -> Self {
        let path = path.to_owned();
        move |cause| Self::Format { path, cause }
    }

    /// The errno that fits.
    pub fn errno(&self) -> i32 {
        match self {
            Self::Io { source, .. } => source.raw_os_error().unwrap_or(EIO),
            Self::Format { .. } => EIO,
        }
    }
}

/// What is wrong with the bytes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FormatError {
    /// The first bytes are not a run's.
    #[error("not an index run")]
    Magic,
    /// Written by another version of the format.
    #[error("unknown format version {0}")]
    Version(u32),
    /// The values have another size than the caller's.
    #[error("values of {found} bytes where {wanted} are wanted")]
    ValueBytes {
        /// Size in the file.
        found: u32,
        /// Size the caller reads.
        wanted: usize,
    },
    /// The file is cut short or has a tail.
    #[error("{found} bytes long, but its header says {wanted}")]
    Length {
        /// Length that the header implies.
        wanted: u64,
        /// Length of the file.
        found: u64,
    },
    /// The header contradicts itself.
    #[error("impossible header")]
    Header,
    /// The checksum over header and fanout table is wrong.
    #[error("checksum mismatch in its header")]
    HeaderCrc,
    /// The checksum over the records is wrong.
    #[error("checksum mismatch in its records")]
    RecordsCrc,
    /// The records are not sorted.
    #[error("records out of order")]
    Order,
}
