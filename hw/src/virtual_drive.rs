//! The `virtual:` drive: tapes as files of one directory, in the layout PBS gives them (spec tape-format.md §14).
//!
//! | file | is |
//! | --- | --- |
//! | `.drive.lck` | locked (`flock`) while a handle is open |
//! | `drive-status.json` | the loaded tape and the file number it stands at |
//! | `tape-LABEL.json` | how many closed files the tape has; a tape exists if this exists |
//! | `tapefile-N-LABEL.json` | the blocks of file N, without its filemark |
//!
//! PBS reads and writes whole files of a tape only. This is a full drive: object numbers follow from the sizes of
//! the files, blocks can be located, and a file may be left without its filemark: its blocks are in the data file
//! with the number of the next file, which the index does not count (PBS sees nothing of it).
//!
//! What is durable, and when:
//!
//! * Blocks and filemarks are on the medium once [`sync`](crate::TapeDrive::sync) returned: it flushes data
//!   files, then their directory, then replaces the index. Until then the index on disk does not count new
//!   files, so that a crash leaves the tape as the last sync did, perhaps with an unfinished file behind.
//! * Writing in front of recorded files takes them out of the index, durably, before it touches them.
//! * Unloading and dropping the handle sync.
//!
//! A tape is write protected when nobody has write permission on its index file (`chmod a-w tape-LABEL.json`).
//!
//! The drive is its own changer. Tapes have fixed slots, in the order of their labels; a loaded tape leaves its
//! slot empty. Unlike PBS, loading a tape that does not exist is an error, so that a mistyped or missing tape is
//! never taken for an empty one: [`Changer::create_media`](crate::Changer::create_media) makes new tapes.
//!
//! Files of other names in the directory are left alone. No two handles are open at the same time; a new handle
//! finds the tape where the last one left it, at the border of a file.

use std::path::PathBuf;
use std::time::Duration;

use crate::number::Capacity;

mod changer;
mod directory;
mod drive;
mod medium;

pub use changer::VirtualLibrary;
pub use drive::VirtualDrive;

/// Room on a tape when the configuration says nothing: 64 MiB.
pub const VIRTUAL_MAX_SIZE_DEFAULT: Capacity = Capacity(67_108_864);

/// How long the lock of a drive is waited for, as PBS does.
pub const VIRTUAL_LOCK_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// Where a virtual drive is, and what it is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualOptions {
    /// The directory, which must exist.
    pub path: PathBuf,
    /// Room on each tape.
    pub max_size: Capacity,
    /// How long to wait for another handle's lock.
    pub lock_timeout: Duration,
}

impl VirtualOptions {
    /// A drive in that directory, with PBS's defaults.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            max_size: VIRTUAL_MAX_SIZE_DEFAULT,
            lock_timeout: VIRTUAL_LOCK_TIMEOUT_DEFAULT,
        }
    }
}
