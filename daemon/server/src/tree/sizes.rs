//! True sizes of decoded files, computed once for each content.
//!
//! The manifest tells how large images and streams are. Of a blob it tells the encoded size, and nothing tells how
//! much of an image is holes; both take a look into the file. The manifest's csum names the content, so what was
//! found stays true for ever. None of it takes a lock: `ls -l` must not be in the way of somebody who removes a
//! snapshot.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use reel_store::{
    BLOB_PLAIN_MAX, CHUNK_ENCODED_MAX, ChunkIndex, CryptConfig, CryptMode, DataBlob, FixedIndex,
    FormatResult, ManifestFile,
};

use crate::holes::Holes;
use crate::memo::Memo;

/// Contents in one generation: less than 100 bytes each.
const CONTENTS_KEPT: usize = 64 * 1024;

/// Remembered sizes.
pub(super) struct Sizes {
    by_csum: Memo<(Measure, [u8; 32]), u64, u64>,
    holes: Arc<Holes>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Measure {
    Plain,
    Allocated,
}

impl Sizes {
    /// Nothing is remembered yet.
    pub(super) fn new(holes: Arc<Holes>) -> Self {
        Self { by_csum: Memo::new(CONTENTS_KEPT), holes }
    }

    /// Bytes of a blob's content; none where it can't be decoded.
    pub(super) fn of_blob(
        &self,
        path: &Path,
        listed: Option<&ManifestFile>,
        key: impl FnOnce() -> Option<Arc<CryptConfig>>,
    ) -> Option<u64> {
        let measure = || blob_size(path, key).ok_or(());
        match listed {
            Some(listed) => {
                self.by_csum.get_or((Measure::Plain, listed.csum), listed.size, measure).ok()
            }
            None => measure().ok(),
        }
    }

    /// Bytes of an image that are not holes; none where its index can't be read or a key is missing.
    pub(super) fn allocated(
        &self,
        path: &Path,
        listed: &ManifestFile,
        key: impl FnOnce() -> Option<Arc<CryptConfig>>,
    ) -> Option<u64> {
        let measure = || {
            let crypt = match listed.crypt_mode {
                CryptMode::Encrypt => Some(key().ok_or(())?),
                CryptMode::None | CryptMode::SignOnly => None,
            };
            self.data_bytes(path, crypt.as_deref()).map_err(drop)
        };
        self.by_csum.get_or((Measure::Allocated, listed.csum), listed.size, measure).ok()
    }

    fn data_bytes(&self, path: &Path, crypt: Option<&CryptConfig>) -> FormatResult<u64> {
        let file = File::open(path).map_err(|error| {
            reel_store::FormatError::corrupt_by("the index can't be opened", error)
        })?;
        let index = FixedIndex::open(file)?;
        let mut data_bytes = 0;
        for entry in index.entries(0..index.chunk_count()) {
            let entry = entry?;
            if !self.holes.contain(&entry, crypt) {
                data_bytes += entry.size();
            }
        }
        Ok(data_bytes)
    }
}

fn blob_size(path: &Path, key: impl FnOnce() -> Option<Arc<CryptConfig>>) -> Option<u64> {
    if fs::metadata(path).ok()?.len() > CHUNK_ENCODED_MAX as u64 {
        return None;
    }
    let blob = DataBlob::from_raw(Bytes::from(fs::read(path).ok()?)).ok()?;
    let key = if blob.is_encrypted() { Some(key()?) } else { None };
    Some(blob.decode(key.as_deref(), BLOB_PLAIN_MAX).ok()?.len() as u64)
}
