//! A set of digests that may be larger than memory.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::record::{DigestBytes, Key, Record};
use crate::run::Run;
use crate::tiers;
use crate::writer;

/// Memory a set keeps unless told otherwise, in bytes: some 600,000 digests.
const MEMORY_BYTES: usize = 32 << 20;
/// What a digest costs in a hash table that just grew, in bytes.
const DIGEST_COST_BYTES: usize = 56;
/// The half of a digest that is not its key.
const REST_BYTES: usize = 16;

/// The digests that a backup need not write again.
///
/// New digests wait in memory; when there are too many they are put aside as nameless runs in a
/// folder, which vanish with the set. Whole digests are kept, so an answer is never a guess.
#[derive(Debug)]
pub struct DigestSet {
    folder: PathBuf,
    recent: HashSet<DigestBytes>,
    recent_max: usize,
    spilled: Vec<Run<REST_BYTES>>,
}

impl DigestSet {
    /// An empty set that keeps what doesn't fit into 32 MiB of memory in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self::with_memory(folder, MEMORY_BYTES)
    }

    /// The same with another bound on its memory.
    pub fn with_memory(folder: &Path, memory_bytes: usize) -> Self {
        Self {
            folder: folder.to_owned(),
            recent: HashSet::new(),
            recent_max: (memory_bytes / DIGEST_COST_BYTES).max(1),
            spilled: Vec::new(),
        }
    }

    /// Adds a digest, which may be in the set already.
    pub fn insert(&mut self, digest: DigestBytes) -> Result<(), Error> {
        self.recent.insert(digest);
        if self.recent.len() >= self.recent_max { self.spill() } else { Ok(()) }
    }

    /// Whether the digest is in the set. For many at once see [`Self::retain_unknown`].
    pub fn contains(&self, digest: &DigestBytes) -> bool {
        self.recent.contains(digest) || self.spilled.iter().any(|run| holds(run, digest))
    }

    /// Sorts `digests`, drops twins and all that are in the set; goes through each run on disk once
    /// from front to back, where single look-ups would jump about.
    pub fn retain_unknown(&self, digests: &mut Vec<DigestBytes>) {
        digests.sort_unstable();
        digests.dedup();
        digests.retain(|digest| !self.recent.contains(digest));
        for run in &self.spilled {
            digests.retain(|digest| !holds(run, digest));
        }
    }

    fn spill(&mut self) -> Result<(), Error> {
        let mut records: Vec<_> = self.recent.iter().map(record_of).collect();
        records.sort_unstable();
        let count = records.len() as u64;
        let run = writer::write_nameless(&self.folder, count, records.into_iter().map(Ok))?;
        self.recent.clear();
        self.spilled.push(run);
        while let Some(first) = tiers::due(&self.spilled) {
            let sources = self.spilled.get(first..).unwrap_or_default();
            let merged = writer::merge_nameless(&self.folder, sources)?;
            self.spilled.truncate(first);
            self.spilled.push(merged);
        }
        Ok(())
    }
}

fn record_of(digest: &DigestBytes) -> Record<REST_BYTES> {
    Record { key: Key::of(digest), value: rest_of(digest) }
}

fn rest_of(digest: &DigestBytes) -> [u8; REST_BYTES] {
    let mut rest = [0; REST_BYTES];
    rest.copy_from_slice(&digest[REST_BYTES..]);
    rest
}

fn holds(run: &Run<REST_BYTES>, digest: &DigestBytes) -> bool {
    let rest = rest_of(digest);
    run.get(Key::of(digest)).any(|value| value == rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digests_that_differ_in_the_last_byte_only_are_two() {
        let folder = tempfile::tempdir().unwrap();
        let mut set = DigestSet::with_memory(folder.path(), 1);
        let (one, mut two) = ([7; 32], [7; 32]);
        two[31] = 8;
        set.insert(one).unwrap();
        assert!(set.contains(&one) && !set.contains(&two));
    }

    #[test]
    fn tiers_bound_the_number_of_runs_and_leave_no_files() {
        let folder = tempfile::tempdir().unwrap();
        let mut set = DigestSet::with_memory(folder.path(), DIGEST_COST_BYTES * 4);
        let digest = |number: u32| {
            let mut digest = [0x55; 32];
            digest[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
            digest
        };
        for number in 0..4 * 500 {
            set.insert(digest(number)).unwrap();
        }
        assert!(set.spilled.len() < tiers::RUNS_A_TIER * 3, "{}", set.spilled.len());
        assert!((0..2000).all(|number| set.contains(&digest(number))));
        assert!((2000..4000).all(|number| !set.contains(&digest(number))));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn agrees_with_a_hash_set(
            inserted in prop::collection::vec(prop::array::uniform32(0_u8..3), 0..200),
            asked in prop::collection::vec(prop::array::uniform32(0_u8..3), 0..100),
            memory in 1_usize..5000,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut set = DigestSet::with_memory(folder.path(), memory);
            for digest in &inserted {
                set.insert(*digest).unwrap();
            }
            let model: HashSet<_> = inserted.iter().copied().collect();
            for digest in inserted.iter().chain(&asked) {
                prop_assert_eq!(set.contains(digest), model.contains(digest));
            }
            let mut unknown: Vec<_> = inserted.iter().chain(&asked).chain(&asked).copied().collect();
            set.retain_unknown(&mut unknown);
            let mut wanted: Vec<_> = asked.iter().filter(|d| !model.contains(*d)).copied().collect();
            wanted.sort_unstable();
            wanted.dedup();
            prop_assert_eq!(unknown, wanted);
        }
    }
}
