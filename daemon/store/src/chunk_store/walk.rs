//! Enumerating chunk files (`datastore.md` §2.6).

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use reel_types::Digest;

use super::ChunkStore;
use crate::failure::{IoContext, StoreError};

const DIGEST_LEN: usize = 64;
/// With the tail `.0.bad` of a chunk that a verification put aside.
const BAD_LEN: usize = DIGEST_LEN + 6;

/// A file in the chunk store that holds a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundChunk {
    /// Its digest.
    pub digest: Digest,
    /// Whether a verification put it aside as bad.
    pub bad: bool,
    /// The file.
    pub path: PathBuf,
}

impl ChunkStore {
    /// All chunk files, folder by folder in order; an error ends the walk.
    pub fn walk(&self) -> ChunkWalk<'_> {
        ChunkWalk { store: self, folders: 0..=u16::MAX, found: VecDeque::new() }
    }
}

/// See [`ChunkStore::walk`].
#[derive(Debug)]
pub struct ChunkWalk<'a> {
    store: &'a ChunkStore,
    folders: RangeInclusive<u16>,
    /// What one folder held; a store of 100 million chunks has 1500 in each.
    found: VecDeque<FoundChunk>,
}

impl Iterator for ChunkWalk<'_> {
    type Item = Result<FoundChunk, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Some(Ok(found));
            }
            let folder = self.store.chunks.join(format!("{:04x}", self.folders.next()?));
            let tried = || format!("list {folder:?} of datastore '{}'", self.store.name);
            match chunks_in(&folder).tried(tried) {
                Ok(found) => self.found = found,
                Err(error) => {
                    self.folders = RangeInclusive::new(1, 0);
                    return Some(Err(error));
                }
            }
        }
    }
}

fn chunks_in(folder: &Path) -> io::Result<VecDeque<FoundChunk>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(VecDeque::new()),
        entries => entries?,
    };
    let mut found = VecDeque::new();
    for entry in entries {
        let entry = entry?;
        if let Some((digest, bad)) = entry.file_name().to_str().and_then(parse_name) {
            found.push_back(FoundChunk { digest, bad, path: entry.path() });
        }
    }
    Ok(found)
}

fn parse_name(name: &str) -> Option<(Digest, bool)> {
    if name.len() != DIGEST_LEN && name.len() != BAD_LEN {
        return None;
    }
    let digest = name.get(..DIGEST_LEN)?.to_ascii_lowercase().parse().ok()?;
    Some((digest, name.ends_with(".bad")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk_store::testing_store as store;
    use crate::crypto::plain_digest;

    #[test]
    fn names_that_are_chunks() {
        let digest = "ab".repeat(32);
        assert_eq!(parse_name(&digest).map(|found| found.1), Some(false));
        assert_eq!(parse_name(&digest.to_uppercase()).map(|found| found.1), Some(false));
        assert_eq!(parse_name(&format!("{digest}.3.bad")).map(|found| found.1), Some(true));
        for other in ["", "x", &format!("{digest}.tmp_abcdef"), &"g".repeat(64), &"ä".repeat(32)] {
            assert_eq!(parse_name(other), None, "{other}");
        }
    }

    #[test]
    fn missing_folders_are_fine_and_foreign_names_invisible() {
        let (_dir, store) = store();
        let digest = plain_digest(b"x");
        let path = store.path(&digest);
        fs::write(&path, b"").unwrap();
        fs::write(path.with_file_name(format!("{digest}.tmp_abcdef")), b"").unwrap();
        fs::write(path.with_file_name(format!("{digest}.0.bad")), b"").unwrap();
        let mut found: Vec<_> = store.walk().map(|found| found.unwrap().bad).collect();
        found.sort_unstable();
        assert_eq!(found, [false, true]);
    }

    #[test]
    fn an_unreadable_folder_ends_the_walk_with_an_error() {
        let (dir, store) = store();
        fs::write(dir.path().join(".chunks/0000"), b"not a folder").unwrap();
        let mut walk = store.walk();
        assert!(walk.next().is_some_and(|found| found.is_err()));
        assert!(walk.next().is_none());
    }
}
