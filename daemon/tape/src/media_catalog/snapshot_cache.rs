//! The list of snapshots beside a catalog, so that listing a medium need not read millions of chunks
//! (`tape-state.md` §4).
//!
//! Its first line names the state of the catalog that it was made from, in whole seconds as PBS writes it. Two states
//! of one size within one second have the same name, so a list is believed only where it is also younger than the
//! catalog's last change by the file system's own clock, which nobody can set back (`ctime`). A list that was written
//! in the same tick is made once more.

use std::fmt::{self, Write as _};
use std::fs::{self, File, Metadata};
use std::io::BufReader;
use std::os::unix::fs::MetadataExt;
use std::str::FromStr;

use reel_types::{MediaId, ParseError, SnapshotPath, StoreName};

use super::{CatalogExpectation, CatalogSnapshot};
use crate::state_dir::{LOCK_WAIT, StateDir, lock_file};
use crate::{Error, Result};

/// Tells one state of a catalog's file from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheId {
    inode: u64,
    size_bytes: u64,
    mtime: u64,
}

impl CacheId {
    fn of(catalog: &Metadata) -> Self {
        let mtime = catalog.mtime().cast_unsigned();
        Self { inode: catalog.ino(), size_bytes: catalog.size(), mtime }
    }
}

impl fmt::Display for CacheId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}-{:016X}-{:016X}", self.inode, self.size_bytes, self.mtime)
    }
}

impl FromStr for CacheId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let number = |part: Option<&str>| part.and_then(|part| u64::from_str_radix(part, 16).ok());
        let mut parts = text.split('-');
        let numbers = [number(parts.next()), number(parts.next()), number(parts.next())];
        match numbers {
            [Some(inode), Some(size_bytes), Some(mtime)] if parts.next().is_none() => {
                Ok(Self { inode, size_bytes, mtime })
            }
            _ => {
                let reason = "must be three hexadecimal numbers joined by '-'";
                Err(ParseError::new("snapshot cache id", text, reason))
            }
        }
    }
}

/// The snapshots on a medium, from the list if it fits the catalog, else from the catalog; the list is
/// written anew then.
pub fn snapshots_on_medium(
    state: &StateDir,
    medium: MediaId,
    expected: CatalogExpectation,
) -> Result<Vec<(StoreName, SnapshotPath)>> {
    let path = state.catalog(medium);
    let refuse = |source| Error::Catalog { path: path.clone(), source: Box::new(source) };
    let catalog = File::open(&path).map_err(Error::io("open")).map_err(refuse)?;
    lock_file(&catalog, &path, LOCK_WAIT)?;
    let metadata = catalog.metadata().map_err(Error::io("stat")).map_err(refuse)?;
    let id = CacheId::of(&metadata);
    if let Some(snapshots) = read_cache(state, medium, &metadata)? {
        return Ok(snapshots);
    }
    let snapshots: Vec<(StoreName, SnapshotPath)> =
        CatalogSnapshot::read_all(BufReader::new(&catalog), expected)
            .map_err(refuse)?
            .into_iter()
            .map(|snapshot| (snapshot.store, snapshot.path))
            .collect();
    let text = cache_text(id, &snapshots);
    if let Err(error) = state.replace(&state.snapshot_cache(medium), text.as_bytes()) {
        tracing::warn!("the list of snapshots of medium {medium} is not kept: {error}");
    }
    Ok(snapshots)
}

/// The list if it was made for this state of the catalog and all of it can be read.
fn read_cache(
    state: &StateDir,
    medium: MediaId,
    catalog: &Metadata,
) -> Result<Option<Vec<(StoreName, SnapshotPath)>>> {
    let path = state.snapshot_cache(medium);
    let Ok(list) = fs::metadata(&path) else { return Ok(None) };
    let Some(bytes) = state.read_if_there(&path)? else { return Ok(None) };
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::format("snapshot cache", "the file is not UTF-8; remove it"))?;
    let (first, lines) = text.split_once('\n').unwrap_or((&text, ""));
    let found: CacheId = first.parse().map_err(|error| {
        Error::format("snapshot cache", format!("the first line is unreadable: {error}; remove it"))
    })?;
    if found != CacheId::of(catalog) || !is_younger(&list, catalog) {
        return Ok(None);
    }
    Ok(lines.lines().map(parse_line).collect())
}

/// Whether the list was written after the catalog's last change.
fn is_younger(list: &Metadata, catalog: &Metadata) -> bool {
    (list.mtime(), list.mtime_nsec()) > (catalog.ctime(), catalog.ctime_nsec())
}

fn parse_line(line: &str) -> Option<(StoreName, SnapshotPath)> {
    let (store, path) = line.split_once(':')?;
    Some((store.parse().ok()?, path.parse().ok()?))
}

fn cache_text(id: CacheId, snapshots: &[(StoreName, SnapshotPath)]) -> String {
    let mut text = format!("{id}\n");
    for (store, path) in snapshots {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{store}:{path}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_three_hexadecimal_numbers() {
        let text = "00000000000DC335-000000000000039A-000000006B04411D";
        let id: CacheId = text.parse().unwrap();
        assert_eq!((id.inode, id.size_bytes, id.to_string().as_str()), (0xdc335, 922, text));
        for bad in ["", "1-2", "1-2-3-4", "1-2-x"] {
            assert!(bad.parse::<CacheId>().is_err(), "{bad}");
        }
    }
}
