//! Chunks of zeros. Whoever shows an image knows them by their digest and reads nothing for them.

use reel_store::{CryptConfig, IndexEntry, plain_digest};
use reel_types::{Digest, Fingerprint};

use crate::memo::Memo;

/// Chunks of one image differ in length only at its end, and keys are few.
const DIGESTS_KEPT: usize = 256;

/// Remembered digests of zeros.
pub(crate) struct Holes(Memo<(u64, Option<Fingerprint>), (), Digest>);

impl Holes {
    /// Nothing is remembered yet.
    pub(crate) fn new() -> Self {
        Self(Memo::new(DIGESTS_KEPT))
    }

    /// Whether a chunk of an image is all zeros. `crypt` is the key of its chunks: without it an encrypted chunk is
    /// never known as a hole.
    pub(crate) fn contain(&self, entry: &IndexEntry, crypt: Option<&CryptConfig>) -> bool {
        entry.digest == self.zeros(entry.size(), crypt)
    }

    fn zeros(&self, size: u64, crypt: Option<&CryptConfig>) -> Digest {
        let digest = || {
            // The index was opened, so no chunk is longer than 16 MiB.
            let zeros = vec![0; size as usize];
            Ok(crypt.map_or_else(|| plain_digest(&zeros), |key| key.chunk_digest(&zeros)))
        };
        let digest: Result<Digest, std::convert::Infallible> =
            self.0.get_or((size, crypt.map(CryptConfig::fingerprint)), (), digest);
        let Ok(digest) = digest;
        digest
    }
}
