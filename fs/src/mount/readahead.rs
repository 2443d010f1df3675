//! Read-ahead of a mount: the kernel's default of 128 KiB halves the throughput of sequential
//! readers, and FUSE itself can only lower it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::stat::{major, minor};

/// What a sequential reader may have in flight; a single read is at most 1 MiB anyway.
const READAHEAD_KIB: &str = "4096";

/// Raises it through the mount's device number, which the mount must tell already. Only root may;
/// without, reads are slower and nothing else.
pub(super) fn raise(mountpoint: &Path) {
    let Ok(metadata) = mountpoint.metadata() else { return };
    let device = metadata.dev();
    let path = format!("/sys/class/bdi/{}:{}/read_ahead_kb", major(device), minor(device));
    if let Err(error) = fs::write(&path, READAHEAD_KIB) {
        tracing::debug!(path, %error, "read-ahead stays as it is");
    }
}
