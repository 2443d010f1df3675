//! Chunks that were read ahead, on their way from the drive to one reader, in memory.
//!
//! Where the order on tape is the reader's own, a chunk is wanted soon after it was read, and the way over the cache
//! on disk would cost a write, a read and another check. What finds no room here goes that way all the same.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use reel_store::source::Chunk;
use reel_types::Digest;

/// Chunks that stay after they were given out: the kernel asks for a chunk in pieces beside each other, and the last
/// ones come when the first was answered.
const GIVEN_MAX: usize = 2;

/// So many chunks before the one that is given out are still waited for: pieces beside each other come in any order.
const BEHIND_MAX: usize = 4;

/// See the module's head.
pub(super) struct Held {
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was asked for and not given out yet, in the reader's order.
    expected: VecDeque<Digest>,
    chunks: HashMap<Digest, Chunk>,
    /// What was given out last, or is waited for.
    given: VecDeque<Digest>,
}

impl Held {
    /// Room for `bytes_max` bytes of chunks.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These are wanted soon, beside what was given out last; nothing else is kept any more.
    pub(super) fn expect_only(&self, digests: impl IntoIterator<Item = Digest>) {
        let mut state = self.state();
        state.expected = digests.into_iter().collect();
        let State { expected, given, chunks } = &mut *state;
        chunks.retain(|digest, _| expected.contains(digest) || given.contains(digest));
    }

    /// This one is wanted soon, too.
    pub(super) fn expect(&self, digest: Digest) {
        self.state().expected.push_back(digest);
    }

    /// From now on only those are expected that are here; the others of `digests` that were expected and not given
    /// out yet.
    pub(super) fn missing_of(&self, digests: Vec<Digest>) -> VecDeque<Digest> {
        let mut state = self.state();
        let State { expected, chunks, .. } = &mut *state;
        let is_missing =
            |digest: &Digest| expected.contains(digest) && !chunks.contains_key(digest);
        let missing = digests.into_iter().filter(is_missing).collect();
        expected.retain(|digest| chunks.contains_key(digest));
        missing
    }

    /// Whether this one is wanted soon, or was given out just now.
    pub(super) fn wants(&self, digest: &Digest) -> bool {
        self.state().wants(digest)
    }

    /// How many chunks are wanted soon.
    pub(super) fn expected(&self) -> usize {
        self.state().expected.len()
    }

    /// Takes a chunk that was read ahead. False where there is no room for it.
    pub(super) fn take(&self, digest: &Digest, chunk: &Chunk) -> bool {
        let mut state = self.state();
        if !state.wants(digest) || state.chunks.contains_key(digest) {
            return true;
        }
        // One that is waited for finds room beside the others.
        let others = if state.given.contains(digest) { 0 } else { state.waiting_bytes() };
        if others + chunk.memory_bytes() > self.bytes_max {
            return false;
        }
        state.chunks.insert(*digest, chunk.clone());
        true
    }

    /// The reader comes to this chunk; it is here, or not yet.
    pub(super) fn give(&self, digest: &Digest) -> Option<Chunk> {
        let mut state = self.state();
        if let Some(at) = state.expected.iter().position(|expected| expected == digest) {
            state.pass(at);
        }
        state.chunks.get(digest).cloned()
    }
}

impl State {
    fn wants(&self, digest: &Digest) -> bool {
        self.expected.contains(digest) || self.given.contains(digest)
    }

    /// The reader is at the expected chunk `at`.
    fn pass(&mut self, at: usize) {
        self.given.extend(self.expected.remove(at));
        let passed: Vec<Digest> = self.expected.drain(..at.saturating_sub(BEHIND_MAX)).collect();
        let surplus = self.given.len().saturating_sub(GIVEN_MAX);
        let given: Vec<Digest> = self.given.drain(..surplus).collect();
        for digest in passed.iter().chain(&given) {
            self.chunks.remove(digest);
        }
    }

    /// What wasn't given out yet takes.
    fn waiting_bytes(&self) -> usize {
        let waiting = self.chunks.iter().filter(|(digest, _)| !self.given.contains(digest));
        waiting.map(|(_, chunk)| chunk.memory_bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reel_store::{DataBlob, plain_digest};

    fn chunk(text: &str) -> (Digest, Chunk) {
        let digest = plain_digest(text.as_bytes());
        let blob = DataBlob::encode(text.as_bytes(), None, false).unwrap();
        (digest, Chunk::checked(blob, &digest).unwrap())
    }

    #[test]
    fn what_is_expected_is_held_until_others_were_given_out() {
        let held = Held::new(1000);
        let chunks = ["a", "b", "c", "d"].map(chunk);
        held.expect_only(chunks.iter().map(|(digest, _)| *digest));
        assert!(held.give(&chunks[3].0).is_none());
        for (digest, chunk) in &chunks {
            assert!(held.take(digest, chunk));
        }
        assert!(held.give(&chunks[3].0).is_some(), "it came while it was waited for");
        for (digest, _) in &chunks[..3] {
            assert!(held.give(digest).is_some());
            assert!(held.give(digest).is_some(), "a second piece of the same chunk");
        }
        assert!(held.give(&chunks[0].0).is_none(), "two others came after it");
        assert_eq!(held.expected(), 0);
    }

    #[test]
    fn what_a_reader_left_behind_is_given_up() {
        let held = Held::new(1000);
        let chunks = ["a", "b", "c", "d", "e", "f"].map(chunk);
        held.expect_only(chunks.iter().map(|(digest, _)| *digest));
        assert!(held.take(&chunks[0].0, &chunks[0].1));
        assert!(held.give(&chunks[5].0).is_none());
        assert_eq!(held.expected(), 4, "the one five before is no longer");
        assert_eq!(held.state().waiting_bytes(), 0);
    }

    #[test]
    fn only_what_is_missing_is_asked_for_anew() {
        let held = Held::new(1000);
        let [a, b, c] = ["a", "b", "c"].map(chunk);
        held.expect_only([a.0, b.0, c.0]);
        held.take(&b.0, &b.1);
        held.give(&a.0);
        assert_eq!(held.missing_of(vec![a.0, b.0, c.0]), [c.0]);
        assert_eq!(held.expected(), 1);
        assert!(held.give(&b.0).is_some());
    }

    #[test]
    fn without_room_a_chunk_is_refused_and_an_unwanted_one_is_not_kept() {
        let (wanted, other) = (chunk("wanted"), chunk("other"));
        let held = Held::new(wanted.1.memory_bytes() - 1);
        held.expect_only([wanted.0]);
        assert!(!held.take(&wanted.0, &wanted.1));
        assert!(held.give(&wanted.0).is_none());
        assert!(!held.take(&wanted.0, &wanted.1), "not even while it is waited for");
        assert!(held.take(&other.0, &other.1), "nobody waits for it here");
        assert!(held.give(&other.0).is_none());
    }

    #[test]
    fn what_is_no_longer_expected_makes_room() {
        let (first, second) = (chunk("first"), chunk("other"));
        let held = Held::new(first.1.memory_bytes());
        held.expect_only([first.0, second.0]);
        assert!(held.take(&first.0, &first.1));
        assert!(!held.take(&second.0, &second.1));
        held.expect_only([second.0]);
        assert!(held.take(&second.0, &second.1));
        assert!(held.give(&first.0).is_none());
    }
}
