//! The crate's one room for `unsafe`: a file seen as bytes.

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps the whole of `file` for reading.
#[allow(unsafe_code)]
pub(crate) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the bytes must not change or vanish while the map lives. Runs are written under a
    // temporary name (or without one), renamed when complete and never opened for writing again, and
    // their folder belongs to the daemon alone; deleting a run leaves the mapped file in place. All
    // that is read out of the map is plain bytes, checked on each access, so that even a file that a
    // stranger altered yields wrong records and never a wild access within the mapped length.
    unsafe { Mmap::map(file) }
}
