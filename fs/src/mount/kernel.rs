//! The kernel's own view of a mount: its device number leads to its read-ahead and its
//! connection in sysfs.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::stat::{major, minor};

/// What a sequential reader may have in flight. The kernel's default of 128 KiB halves the
/// throughput, and a read is at most 1 MiB.
const READAHEAD_KIB: &str = "1024";

/// A mounted FUSE connection.
pub(super) struct Connection {
    major: u64,
    minor: u64,
}

impl Connection {
    /// The connection mounted at `path`, which must answer already.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let device = path.metadata().ok()?.dev();
        Some(Self { major: major(device), minor: minor(device) })
    }

    /// Only root may; without, reads are slower and nothing else.
    pub(super) fn raise_readahead(&self) {
        let path = format!("/sys/class/bdi/{}:{}/read_ahead_kb", self.major, self.minor);
        if let Err(error) = fs::write(&path, READAHEAD_KIB) {
            tracing::debug!(path, %error, "read-ahead stays as it is");
        }
    }

    /// Every request of it, waiting or to come, fails with ENOTCONN.
    pub(super) fn abort(&self) -> io::Result<()> {
        fs::write(format!("/sys/fs/fuse/connections/{}/abort", self.minor), "1")
    }
}
