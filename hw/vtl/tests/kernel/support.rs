//! Which devices to use.

use std::path::PathBuf;

use reel_hw::transport::SgTransport;

/// A device that the environment names.
pub(crate) fn device(variable: &str) -> Box<SgTransport> {
    assert!(
        std::env::var("REELFS_KERNEL").is_ok_and(|value| value == "1"),
        "this test writes to tape devices; run it by scripts/test-kernel, which sets REELFS_KERNEL=1"
    );
    let path = std::env::var_os(variable).map(PathBuf::from);
    let path = path.unwrap_or_else(|| panic!("{variable} names no device"));
    let transport = SgTransport::open(&path);
    Box::new(transport.unwrap_or_else(|error| panic!("open {}: {error}", path.display())))
}
