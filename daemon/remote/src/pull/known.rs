//! Which chunks are here, and which are on their way, for all groups of a pull.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use reel_types::{Cancel, Digest, TaskStopped};

use super::network::STOP_CHECK;

/// Parts of the memory, so that groups seldom wait for one another.
const PARTS: usize = 64;
/// Digests in a part; all parts take 32 MiB, once that many chunks were met.
const SLOTS: usize = 16_384;

/// Chunks that are known to be here. It forgets, so that its size is bounded; what it forgot is looked for on disk again.
pub(super) struct KnownChunks(Vec<Mutex<Vec<[u8; 32]>>>);

impl Default for KnownChunks {
    fn default() -> Self {
        Self((0..PARTS).map(|_| Mutex::default()).collect())
    }
}

impl KnownChunks {
    /// Whether the chunk is here and was marked as used.
    pub(super) fn contains(&self, digest: &Digest) -> bool {
        self.part(digest).get(slot(digest)).is_some_and(|known| known == digest.as_bytes())
    }

    /// The chunk is here.
    pub(super) fn insert(&self, digest: &Digest) {
        let mut part = self.part(digest);
        if part.is_empty() {
            // No chunk has this digest that anybody could know of.
            part.resize(SLOTS, [0; 32]);
        }
        part[slot(digest)] = *digest.as_bytes();
    }

    fn part(&self, digest: &Digest) -> MutexGuard<'_, Vec<[u8; 32]>> {
        let part = usize::from(digest.as_bytes()[0]) % PARTS;
        self.0[part].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn slot(digest: &Digest) -> usize {
    let bytes = digest.as_bytes();
    usize::from(u16::from_le_bytes([bytes[1], bytes[2]])) % SLOTS
}

/// Chunks that were asked for and are not here yet: none is asked for twice.
#[derive(Default)]
pub(super) struct ChunksUnderWay {
    digests: Mutex<HashSet<Digest>>,
    one_less: Condvar,
}

impl ChunksUnderWay {
    /// Whether nobody has asked for it yet. Then the caller does, and says so when it has come, or has not.
    pub(super) fn begin(&self, digest: Digest) -> bool {
        self.digests().insert(digest)
    }

    /// It has come, or has not.
    pub(super) fn end(&self, digest: &Digest) {
        self.digests().remove(digest);
        self.one_less.notify_all();
    }

    /// Waits until somebody else's chunk has come, or has not.
    pub(super) fn wait(&self, digest: &Digest, cancel: &Cancel) -> Result<(), TaskStopped> {
        let mut digests = self.digests();
        while digests.contains(digest) {
            if cancel.is_cancelled() {
                return Err(TaskStopped);
            }
            let waited = self.one_less.wait_timeout(digests, STOP_CHECK);
            digests = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    fn digests(&self) -> MutexGuard<'_, HashSet<Digest>> {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_known_until_others_take_their_place() {
        let known = KnownChunks::default();
        let (one, other) = (
            Digest([7; 32]),
            Digest({
                let mut same_slot = [7; 32];
                same_slot[31] = 8;
                same_slot
            }),
        );
        assert!(!known.contains(&one));
        known.insert(&one);
        assert!(known.contains(&one) && !known.contains(&other));
        known.insert(&other);
        assert!(known.contains(&other) && !known.contains(&one));
    }

    #[test]
    fn one_asks_and_the_others_wait() {
        let (chunks, digest) = (ChunksUnderWay::default(), Digest([1; 32]));
        assert!(chunks.begin(digest));
        assert!(!chunks.begin(digest));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| chunks.wait(&digest, &Cancel::new()));
            chunks.end(&digest);
            waiting.join().unwrap().unwrap();
        });
        assert!(chunks.begin(digest));
    }
}
