//! Secrets in files: they come in by the name of a file that only its owner can read.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::failure::{Failure, Outcome};

/// No key file, passphrase or password is larger.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// The content of a file that others can't read.
pub(super) fn read_secret(path: &Path) -> Outcome<Vec<u8>> {
    let named = |error: std::io::Error| {
        let errno = error.raw_os_error().unwrap_or(nix::libc::EIO);
        Failure::new(errno, format!("read '{}': {error}", path.display()))
    };
    let meta = fs::metadata(path).map_err(named)?;
    if meta.mode() & 0o077 != 0 {
        return Err(Failure::new(
            nix::libc::EACCES,
            format!(
                "others can read '{}'; make it readable by its owner alone first",
                path.display()
            ),
        ));
    }
    if meta.len() > SECRET_BYTES_MAX {
        return Err(Failure::invalid(format!("'{}' is too large for a secret", path.display())));
    }
    fs::read(path).map_err(named)
}

/// The first line of such a file, without its end.
pub(super) fn first_line(path: &Path) -> Outcome<Vec<u8>> {
    let content = read_secret(path)?;
    Ok(content.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default().to_vec())
}
