//! Reading chunks, with all that can be checked (`datastore.md` §2.5).

use std::fs::File;

use bytes::Bytes;
use reel_types::Digest;

use super::{ADVICE_RENEW, ChunkStore};
use crate::blob::{CHUNK_ENCODED_MAX, CHUNK_PLAIN_MAX, DataBlob};
use crate::crypto::{CryptConfig, plain_digest};
use crate::failure::{FormatContext, StoreError, StoreErrorKind};
use crate::files::{open_regular, read_bounded};

impl ChunkStore {
    /// Opens the chunk's file; nothing about it is checked but that it is a regular file.
    pub fn open_stored(&self, digest: &Digest) -> Result<File, StoreError> {
        let what = format!("chunk {digest} of datastore '{}'", self.name);
        open_regular(&self.path(digest), &what).map_err(|error| error.advise(ADVICE_RENEW))
    }

    /// The chunk as stored; magic, length and CRC are right.
    pub fn read(&self, digest: &Digest) -> Result<DataBlob, StoreError> {
        let what = format!("chunk {digest} of datastore '{}'", self.name);
        let raw = read_bounded(&self.path(digest), CHUNK_ENCODED_MAX as u64, &what)
            .map_err(|error| error.advise(ADVICE_RENEW))?;
        DataBlob::from_raw(Bytes::from(raw))
            .decoding(|| self.doing("read", digest))
            .map_err(|error| error.advise(ADVICE_RENEW))
    }

    /// The chunk as stored and its plain data, which has the digest. Plain data is missing where the
    /// chunk is encrypted and no key was given: then only the CRC could be checked.
    pub fn read_verified(
        &self,
        digest: &Digest,
        crypt: Option<&CryptConfig>,
    ) -> Result<(DataBlob, Option<Bytes>), StoreError> {
        let blob = self.read(digest)?;
        if blob.is_encrypted() && crypt.is_none() {
            return Ok((blob, None));
        }
        let tried = || self.doing("decode", digest);
        let plain = blob.decode(crypt, CHUNK_PLAIN_MAX).decoding(tried)?;
        let computed = match crypt {
            Some(crypt) if blob.is_encrypted() => crypt.chunk_digest(&plain),
            _ => plain_digest(&plain),
        };
        if computed != *digest {
            let reason = format!("its data has the digest {computed}");
            return Err(
                StoreError::new(StoreErrorKind::Checksum, tried(), reason).advise(ADVICE_RENEW)
            );
        }
        Ok((blob, Some(plain)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;

    use super::*;
    use crate::chunk_store::SyncLevel;
    use crate::files::ServiceUser;
    use crate::locks::ProcessLocks;

    /// A store whose chunk folders are made for the digests of these tests only.
    pub(crate) fn store() -> (tempfile::TempDir, ChunkStore) {
        let dir = tempfile::tempdir().unwrap();
        let crypt = CryptConfig::new([1; 32]).unwrap();
        for digest in [plain_digest(&[7; 5000]), crypt.chunk_digest(&[7; 5000]), plain_digest(b"x")]
        {
            let folder = dir.path().join(".chunks").join(&digest.to_string()[..4]);
            fs::create_dir_all(folder).unwrap();
        }
        let name = "store1".parse().unwrap();
        let (locks, user) = (ProcessLocks::new(), ServiceUser::current());
        let store = ChunkStore::open(&name, dir.path(), SyncLevel::File, &locks, user).unwrap();
        (dir, store)
    }

    #[test]
    fn every_kind_of_damage_has_its_error() {
        let (_dir, store) = store();
        let digest = plain_digest(b"x");
        let path = store.path(&digest);
        let kind = || store.read_verified(&digest, None).unwrap_err().kind();
        assert_eq!(kind(), StoreErrorKind::NotFound);
        fs::write(&path, b"").unwrap();
        assert_eq!(kind(), StoreErrorKind::Corrupt);
        fs::write(&path, [0; 13]).unwrap();
        assert_eq!(kind(), StoreErrorKind::Corrupt);
        let mut raw = DataBlob::encode(b"x", None, false).unwrap().raw().to_vec();
        raw[12] ^= 1;
        fs::write(&path, &raw).unwrap();
        assert_eq!(kind(), StoreErrorKind::Checksum);
        fs::write(&path, DataBlob::encode(b"y", None, false).unwrap().raw()).unwrap();
        assert_eq!(kind(), StoreErrorKind::Checksum);
        fs::write(&path, DataBlob::encode(b"x", None, false).unwrap().raw()).unwrap();
        assert_eq!(&store.read_verified(&digest, None).unwrap().1.unwrap()[..], b"x");
        fs::write(&path, vec![0; CHUNK_ENCODED_MAX + 1]).unwrap();
        assert_eq!(kind(), StoreErrorKind::Corrupt);
    }

    #[test]
    fn messages_name_store_and_digest() {
        let (_dir, store) = store();
        let digest = plain_digest(b"x");
        let text = store.read(&digest).unwrap_err().to_string();
        assert!(text.contains("'store1'") && text.contains(&digest.to_string()), "{text}");
        let text = store.touch(&digest).unwrap_err().to_string();
        assert!(text.contains("'store1'") && text.contains(&digest.to_string()), "{text}");
        assert!(!store.contains(&digest).unwrap());
    }

    #[test]
    fn encrypted_chunks_need_their_key() {
        let (_dir, store) = store();
        let crypt = CryptConfig::new([1; 32]).unwrap();
        let data = [7; 5000];
        let digest = crypt.chunk_digest(&data);
        store.insert(&DataBlob::encode(&data, Some(&crypt), true).unwrap(), &digest).unwrap();
        assert_eq!(store.read_verified(&digest, None).unwrap().1, None);
        assert_eq!(store.read_verified(&digest, Some(&crypt)).unwrap().1.unwrap(), &data[..]);
        let other = CryptConfig::new([2; 32]).unwrap();
        assert!(store.read_verified(&digest, Some(&other)).is_err());
    }
}
