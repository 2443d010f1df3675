//! What the tests of this crate share.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder of real PBS data, unless it isn't there: then says so.
pub(crate) fn fixtures() -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures"));
    let folder = std::env::var_os("REELFS_FIXTURES").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no fixtures at {}", folder.display());
    None
}

/// Unpacks the `.tar.zst` at `archive` into the folder `target`, or only the `members` named.
pub(crate) fn unpack(archive: &Path, target: &Path, members: &[&str]) {
    let compressed = std::fs::File::open(archive).unwrap();
    let mut tar = Command::new("tar")
        .args(["--extract", "--no-same-owner", "--directory"])
        .arg(target)
        .args(members)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    zstd::stream::copy_decode(compressed, tar.stdin.take().unwrap()).unwrap();
    assert!(tar.wait().unwrap().success(), "tar of {}", archive.display());
}
