//! Putting a damaged chunk aside, so that it counts as missing (`datastore.md` §9, verification).

use std::fs;
use std::io;
use std::path::PathBuf;

use reel_types::Digest;

use super::ChunkStore;
use crate::failure::{IoContext, StoreError, StoreErrorKind};
use crate::files::exists;

/// Damaged copies of a chunk that are kept.
const KEPT: usize = 10;

impl ChunkStore {
    /// Reads a chunk and puts it aside where it is damaged, as far as that can be told without a key. Whether it was.
    pub fn set_aside_if_damaged(&self, digest: &Digest) -> Result<bool, StoreError> {
        match self.read_verified(digest, None) {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == StoreErrorKind::NotFound => Ok(false),
            Err(error)
                if matches!(error.kind(), StoreErrorKind::Corrupt | StoreErrorKind::Checksum) =>
            {
                self.set_aside(digest).tried(|| self.doing("put aside", digest))?;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    fn set_aside(&self, digest: &Digest) -> io::Result<()> {
        let path = self.path(digest);
        let aside =
            |number: usize| -> PathBuf { path.with_file_name(format!("{digest}.{number}.bad")) };
        let mut number = 0;
        while number < KEPT - 1 && exists(&aside(number))? {
            number += 1;
        }
        match fs::rename(&path, aside(number)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            renamed => renamed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing_store;
    use crate::blob::DataBlob;
    use crate::crypto::plain_digest;

    #[test]
    fn a_damaged_chunk_counts_as_missing_and_is_kept() {
        let (_dir, store) = testing_store();
        let data = [7; 5000];
        let (digest, blob) = (plain_digest(&data), DataBlob::encode(&data, None, true).unwrap());
        assert!(!store.set_aside_if_damaged(&digest).unwrap(), "there is none");
        store.insert(&blob, &digest).unwrap();
        assert!(!store.set_aside_if_damaged(&digest).unwrap(), "it is whole");
        for number in [0, 1] {
            let mut raw = blob.raw().to_vec();
            *raw.last_mut().unwrap() ^= 1;
            std::fs::write(store.path(&digest), &raw).unwrap();
            assert!(store.set_aside_if_damaged(&digest).unwrap());
            assert!(!store.contains(&digest).unwrap());
            let kept = store.path(&digest).with_file_name(format!("{digest}.{number}.bad"));
            assert_eq!(std::fs::read(kept).unwrap(), raw);
        }
    }
}
