//! JSON in the shapes that stand on media and in the state folder.

use std::io::Read;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Pretty JSON with the keys of all objects in alphabetic order, no newline at the end.
pub(crate) fn to_sorted<T: Serialize>(value: &T, what: &str) -> Result<Vec<u8>> {
    let refuse = |source| Error::Json { what: what.into(), source };
    let mut value = serde_json::to_value(value).map_err(refuse)?;
    value.sort_all_objects();
    serde_json::to_vec_pretty(&value).map_err(refuse)
}

/// Pretty JSON with keys in the order of the fields, no newline at the end.
pub(crate) fn to_pretty<T: Serialize>(value: &T, what: &str) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value).map_err(|source| Error::Json { what: what.into(), source })
}

/// Parses `bytes` as `what`.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|source| Error::Json { what: what.into(), source })
}

/// Reads exactly the `size` bytes that a content header announced for `what`.
pub(crate) fn read_header_data(
    content: &mut impl Read,
    size: u32,
    what: &'static str,
) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content
        .take(u64::from(size))
        .read_to_end(&mut bytes)
        .map_err(Error::io(format!("read the header data of the {what}")))?;
    if bytes.len() as u64 == u64::from(size) {
        return Ok(bytes);
    }
    let reason = format!("header data ends after {} of {size} bytes", bytes.len());
    Err(Error::format(what, reason))
}
