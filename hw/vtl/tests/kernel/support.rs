//! Which devices to use.

use std::path::PathBuf;

use reel_hw::transport::{self, Transport};

/// What the environment says.
pub(crate) fn told(variable: &str) -> PathBuf {
    assert!(
        std::env::var("REELFS_KERNEL").is_ok_and(|value| value == "1"),
        "this test writes to tape devices; run it by scripts/test-kernel, which sets REELFS_KERNEL=1"
    );
    let value = std::env::var_os(variable).map(PathBuf::from);
    value.unwrap_or_else(|| panic!("{variable} is not set"))
}

/// A device that the environment names.
pub(crate) fn device(variable: &str) -> Box<dyn Transport> {
    transport::open(&told(variable)).unwrap_or_else(|error| panic!("{error}"))
}
