//! What the tests of this crate share.

use std::path::PathBuf;

use crate::crypto::CryptConfig;

/// The specification's test key: bytes 00 to 1f.
pub fn k0() -> CryptConfig {
    CryptConfig::new(std::array::from_fn(|i| i as u8)).unwrap()
}

/// Bytes from hexadecimal digits, blanks ignored.
pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
        .collect()
}

/// The folder of real PBS data, unless it isn't there: then says so.
pub fn fixtures() -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures"));
    let folder = std::env::var_os("REELFS_FIXTURES").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no fixtures at {}", folder.display());
    None
}
