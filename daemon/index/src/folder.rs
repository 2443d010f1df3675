//! The runs of one folder: an index that grows.
//!
//! Runs never change, so what is learned later goes into further runs (`00000017.run`, numbered in the
//! order they were made), and whenever enough small ones have come together they are merged into a larger
//! one (see [`crate::tiers`]). The sources are deleted after the merged run is durable: a crash in
//! between leaves records twice, which look-ups and the next merge don't mind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::record::Key;
use crate::run::{self, Run};
use crate::tiers;
use crate::writer::{self, RunWriter};

const SUFFIX: &str = ".run";

/// All runs of a folder. One process at a time may have it open.
#[derive(Debug)]
pub struct RunFolder<const N: usize> {
    path: PathBuf,
    /// In the order of their numbers.
    runs: Vec<Run<N>>,
    next_number: u64,
}

impl<const N: usize> RunFolder<N> {
    /// Opens the folder, which is made if it isn't there, and clears up after a killed writer.
    ///
    /// Runs that are no good are left alone and returned as errors: what they held is merely unknown.
    pub fn open(path: &Path) -> Result<(Self, Vec<Error>), Error> {
        fs::create_dir_all(path).map_err(Error::io("create folder", path))?;
        writer::remove_leftovers(path)?;
        let numbers = numbers_in(path).map_err(Error::io("list folder", path))?;
        let next_number = numbers.last().map_or(0, |last| last.saturating_add(1));
        let mut folder = Self { path: path.to_owned(), runs: Vec::new(), next_number };
        let mut broken = Vec::new();
        for number in numbers {
            match Run::open(&folder.path_of(number)) {
                Ok(run) => folder.runs.push(run),
                Err(error @ Error::Format { .. }) => broken.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok((folder, broken))
    }

    /// A writer whose records [`Self::add`] then adds.
    pub fn writer(&self) -> RunWriter<N> {
        RunWriter::new(&self.path)
    }

    /// Makes a writer's records part of the index; they are durable on return.
    pub fn add(&mut self, writer: RunWriter<N>) -> Result<(), Error> {
        if writer.is_empty() {
            return Ok(());
        }
        let run = writer.finish(&self.path_of(self.next_number))?;
        self.next_number += 1;
        self.runs.push(run);
        while let Some(first) = tiers::due(&self.runs) {
            self.merge_from(first)?;
        }
        Ok(())
    }

    /// Values of all records with that key, those learned last in front; some may be there twice.
    pub fn get(&self, key: Key) -> impl Iterator<Item = [u8; N]> + '_ {
        self.runs.iter().rev().flat_map(move |run| run.get(key))
    }

    /// The runs, oldest first.
    pub fn runs(&self) -> &[Run<N>] {
        &self.runs
    }

    fn merge_from(&mut self, first: usize) -> Result<(), Error> {
        let sources = self.runs.get(first..).unwrap_or_default();
        let merged = run::merge(sources, &self.path_of(self.next_number))?;
        self.next_number += 1;
        for source in self.runs.drain(first..) {
            fs::remove_file(source.path()).map_err(Error::io("delete index", source.path()))?;
        }
        self.runs.push(merged);
        Ok(())
    }

    fn path_of(&self, number: u64) -> PathBuf {
        self.path.join(name_of(number))
    }
}

fn name_of(number: u64) -> String {
    format!("{number:08}{SUFFIX}")
}

/// The number in a run's name; none for names that we don't give.
fn number_of(name: &str) -> Option<u64> {
    let number = name.strip_suffix(SUFFIX)?.parse().ok()?;
    (name_of(number) == name).then_some(number)
}

/// Numbers of the runs in a folder, ascending.
fn numbers_in(path: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(number_of));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn add(folder: &mut RunFolder<1>, records: &[(u8, u8)]) {
        let mut writer = folder.writer();
        for (key, value) in records {
            writer.push(Key([*key; 16]), [*value]).unwrap();
        }
        folder.add(writer).unwrap();
    }

    fn values(folder: &RunFolder<1>, key: u8) -> BTreeSet<u8> {
        folder.get(Key([key; 16])).map(|value| value[0]).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn agrees_with_a_map_also_when_opened_again(
            parts in prop::collection::vec(prop::collection::vec(any::<(u8, u8)>(), 0..40), 0..24),
        ) {
            let temporary = tempfile::tempdir().unwrap();
            let (mut folder, _) = RunFolder::open(&temporary.path().join("index")).unwrap();
            let mut model = BTreeMap::<u8, BTreeSet<u8>>::new();
            for part in &parts {
                add(&mut folder, part);
                for (key, value) in part {
                    model.entry(*key).or_default().insert(*value);
                }
            }
            let path = folder.path.clone();
            for _ in 0..2 {
                for key in 0..=255 {
                    let expected = model.get(&key).cloned().unwrap_or_default();
                    prop_assert_eq!(values(&folder, key), expected);
                }
                prop_assert!(folder.runs().len() <= 2 * tiers::RUNS_A_TIER);
                let (again, broken) = RunFolder::open(&path).unwrap();
                prop_assert!(broken.is_empty());
                folder = again;
            }
        }
    }

    #[test]
    fn a_broken_run_is_told_and_its_number_is_not_used_again() {
        let temporary = tempfile::tempdir().unwrap();
        let (mut folder, _) = RunFolder::open(temporary.path()).unwrap();
        add(&mut folder, &[(1, 1)]);
        add(&mut folder, &[(2, 2)]);
        let broken_path = folder.path_of(1);
        fs::write(&broken_path, b"torn").unwrap();
        fs::write(temporary.path().join("+0000007.run"), b"a stranger's").unwrap();
        let (mut folder, broken) = RunFolder::open(temporary.path()).unwrap();
        assert!(broken[0].to_string().contains("00000001.run"), "{}", broken[0]);
        add(&mut folder, &[(3, 3)]);
        assert_eq!(fs::read(&broken_path).unwrap(), b"torn");
        assert_eq!([1, 2, 3].map(|key| values(&folder, key).len()), [1, 0, 1]);
    }

    #[test]
    fn a_crash_between_merge_and_deletion_loses_nothing() {
        let temporary = tempfile::tempdir().unwrap();
        let (mut folder, _) = RunFolder::open(temporary.path()).unwrap();
        add(&mut folder, &[(1, 1), (2, 2)]);
        add(&mut folder, &[(2, 3)]);
        run::merge(folder.runs(), &folder.path_of(2)).unwrap();
        fs::write(temporary.path().join(".run-abc.tmp"), b"half").unwrap();
        let (folder, broken) = RunFolder::open(temporary.path()).unwrap();
        assert_eq!((folder.runs().len(), broken.len()), (3, 0));
        assert_eq!((values(&folder, 1), values(&folder, 2)), ([1].into(), [2, 3].into()));
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 3);
    }
}
