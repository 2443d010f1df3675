//! Inserting a chunk (`datastore.md` §2.3).

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::PoisonError;

use bytes::Bytes;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use reel_types::Digest;
use tempfile::NamedTempFile;

use super::{ChunkStore, SyncLevel};
use crate::blob::DataBlob;
use crate::failure::{IoContext, StoreError, StoreErrorKind};
use crate::files::{FILE_MODE, open_regular, sync_dir};

/// Longest header of a blob, in bytes.
const HEADER_MAX: u64 = 44;

/// What became of a chunk that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It was written; its encoded size in bytes.
    New(u64),
    /// It was there already; the size of that file in bytes.
    Duplicate(u64),
}

impl Inserted {
    /// Size of the chunk's file in bytes.
    pub fn size(self) -> u64 {
        match self {
            Self::New(size) | Self::Duplicate(size) => size,
        }
    }
}

impl ChunkStore {
    /// Stores `blob` as chunk `digest`, unless a file that can stand for it is there.
    ///
    /// The caller answers for the blob holding what the digest says.
    pub fn insert(&self, blob: &DataBlob, digest: &Digest) -> Result<Inserted, StoreError> {
        let path = self.path(digest);
        if let Some(there) = self.use_present(&path, blob, digest)? {
            return Ok(there);
        }
        let failed = |cause| {
            StoreError::io(self.doing("write", digest), cause)
                .advise("check space, permissions and the folders below .chunks")
        };
        let file = self.write_beside(&path, blob, digest).map_err(failed)?;
        // Others may have written the chunk meanwhile: looking again and renaming is one step.
        let _one_at_a_time = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = self.use_present(&path, blob, digest)? {
            return Ok(there);
        }
        self.put_in_place(file, &path).map_err(failed)?;
        Ok(Inserted::New(blob.raw().len() as u64))
    }

    /// Marks the file that is there as used, if it may stand for `blob`.
    fn use_present(
        &self,
        path: &Path,
        blob: &DataBlob,
        digest: &Digest,
    ) -> Result<Option<Inserted>, StoreError> {
        let Some(metadata) = stat(path).tried(|| self.doing("look for", digest))? else {
            return Ok(None);
        };
        if !self.can_stay(path, &metadata, blob, digest)? {
            return Ok(None);
        }
        self.touch(digest)?;
        Ok(Some(Inserted::Duplicate(metadata.len())))
    }

    /// Whether the file that is there may stand for `blob`.
    fn can_stay(
        &self,
        path: &Path,
        there: &Metadata,
        blob: &DataBlob,
        digest: &Digest,
    ) -> Result<bool, StoreError> {
        if !there.is_file() {
            let reason = format!("{path:?} is not a regular file");
            return Err(StoreError::new(
                StoreErrorKind::Corrupt,
                self.doing("write", digest),
                reason,
            )
            .advise("move it away"));
        }
        let (old, new) = (there.len(), blob.raw().len() as u64);
        if old == new {
            return Ok(true);
        }
        if old == 0 {
            return Ok(false);
        }
        if blob.is_encrypted() {
            return self.encrypted_can_stay(path, blob, digest);
        }
        Ok(old < new)
    }

    /// An encrypted chunk can't share its digest with an unencrypted one, nor can one key's
    /// ciphertext have two lengths unless compression differs: whoever brings such a chunk lies. A
    /// file that is no blob at all is worth nothing, so the new one may replace it.
    fn encrypted_can_stay(
        &self,
        path: &Path,
        blob: &DataBlob,
        digest: &Digest,
    ) -> Result<bool, StoreError> {
        let mut header = Vec::new();
        open_regular(path, "chunk")?
            .take(HEADER_MAX)
            .read_to_end(&mut header)
            .tried(|| self.doing("look at", digest))?;
        let Ok(old) = DataBlob::from_raw_unverified(Bytes::from(header)) else { return Ok(false) };
        let refuse = |reason| {
            let kind = StoreErrorKind::Checksum;
            Err(StoreError::new(kind, self.doing("write", digest), reason)
                .advise("the stored file stays; distrust whoever sent the chunk"))
        };
        if !old.is_encrypted() {
            return refuse(
                "an unencrypted chunk has this digest, which an encrypted one cannot have",
            );
        }
        if !old.is_compressed() && !blob.is_compressed() {
            return refuse("an encrypted chunk of another length has this digest");
        }
        Ok(true)
    }

    fn write_beside(
        &self,
        path: &Path,
        blob: &DataBlob,
        digest: &Digest,
    ) -> io::Result<NamedTempFile> {
        let dir = path.parent().unwrap_or(&self.base);
        let mut file = self.user.temporary(dir, &format!("{digest}.tmp_"), FILE_MODE)?;
        file.write_all(blob.raw())?;
        match self.sync {
            SyncLevel::File => file.as_file().sync_all()?,
            SyncLevel::Filesystem => begin_writeback(file.as_file()),
            SyncLevel::None => {}
        }
        Ok(file)
    }

    fn put_in_place(&self, file: NamedTempFile, path: &Path) -> io::Result<()> {
        file.persist(path)?;
        if self.sync == SyncLevel::File {
            sync_dir(path.parent().unwrap_or(&self.base))?;
        }
        Ok(())
    }
}

/// Has the disk begin with a file that will be flushed with all others at the end, so that little is left then.
fn begin_writeback(file: &File) {
    // Advice that isn't taken costs speed and nothing else.
    let _ = posix_fadvise(file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
}

fn stat(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::chunk_store::testing_store as store;
    use crate::crypto::{CryptConfig, plain_digest};

    const DATA: &[u8] = &[7; 5000];

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn twice_the_same_is_one_file() {
        let (_dir, store) = store();
        let blob = DataBlob::encode(DATA, None, true).unwrap();
        let digest = plain_digest(DATA);
        let size = blob.raw().len() as u64;
        assert_eq!(store.insert(&blob, &digest).unwrap(), Inserted::New(size));
        let path = store.path(&digest);
        let old = filetime(&path);
        nix::sys::stat::utimes(&path, &seconds(1000), &seconds(old.1)).unwrap();
        assert_eq!(store.insert(&blob, &digest).unwrap(), Inserted::Duplicate(size));
        let new = filetime(&path);
        assert!(new.0 > 1000, "the access time must move");
        assert_eq!(new.1, old.1, "the modification time must stay");
        assert_eq!(names(path.parent().unwrap()), [digest.to_string()]);
    }

    fn filetime(path: &Path) -> (i64, i64) {
        let metadata = fs::metadata(path).unwrap();
        (metadata.atime(), metadata.mtime())
    }

    fn seconds(value: i64) -> nix::sys::time::TimeVal {
        nix::sys::time::TimeVal::new(value, 0)
    }

    #[test]
    fn the_smaller_of_two_unencrypted_ones_stays() {
        let (_dir, store) = store();
        let (small, large) = (encode(true), encode(false));
        let digest = plain_digest(DATA);
        store.insert(&large, &digest).unwrap();
        let smaller = small.raw().len() as u64;
        assert_eq!(store.insert(&small, &digest).unwrap(), Inserted::New(smaller));
        assert_eq!(store.insert(&large, &digest).unwrap(), Inserted::Duplicate(smaller));
        assert_eq!(fs::read(store.path(&digest)).unwrap(), small.raw()[..]);
    }

    fn encode(compress: bool) -> DataBlob {
        DataBlob::encode(DATA, None, compress).unwrap()
    }

    #[test]
    fn an_empty_file_counts_as_missing() {
        let (_dir, store) = store();
        let digest = plain_digest(DATA);
        fs::write(store.path(&digest), b"").unwrap();
        assert!(matches!(store.insert(&encode(true), &digest).unwrap(), Inserted::New(_)));
        assert_eq!(fs::read(store.path(&digest)).unwrap(), encode(true).raw()[..]);
    }

    #[test]
    fn encrypted_over_what_cannot_be_is_refused() {
        let (_dir, store) = store();
        let crypt = CryptConfig::new([1; 32]).unwrap();
        let digest = crypt.chunk_digest(DATA);
        let sealed = |compress| DataBlob::encode(DATA, Some(&crypt), compress).unwrap();
        store.insert(&encode(true), &digest).unwrap();
        let error = store.insert(&sealed(true), &digest).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Checksum);
        assert_eq!(fs::read(store.path(&digest)).unwrap(), encode(true).raw()[..]);

        let longer = DataBlob::encode(&[7; 6000], Some(&crypt), false).unwrap();
        fs::write(store.path(&digest), longer.raw()).unwrap();
        assert!(store.insert(&sealed(false), &digest).is_err());
        assert!(matches!(store.insert(&sealed(true), &digest).unwrap(), Inserted::Duplicate(_)));
        assert_eq!(fs::read(store.path(&digest)).unwrap(), longer.raw()[..]);

        fs::write(store.path(&digest), b"no blob").unwrap();
        assert!(matches!(store.insert(&sealed(true), &digest).unwrap(), Inserted::New(_)));
    }

    #[test]
    fn a_folder_at_the_name_and_a_missing_folder_are_errors() {
        let (dir, store) = store();
        let digest = plain_digest(DATA);
        fs::create_dir(store.path(&digest)).unwrap();
        let error = store.insert(&encode(true), &digest).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        fs::remove_dir_all(dir.path().join(".chunks").join(&digest.to_string()[..4])).unwrap();
        let error = store.insert(&encode(true), &digest).unwrap_err();
        assert!(error.to_string().contains(&digest.to_string()), "{error}");
    }
}
