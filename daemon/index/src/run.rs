//! A run on disk: opened, searched, read through, merged.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::error::Error;
use crate::format::{CheckedRecords, Layout, RunView};
use crate::mapping;
use crate::merge::Merge;
use crate::record::{Key, Record};
use crate::writer;

/// A sorted file of records, mapped into memory. It stays readable after its file was deleted.
pub struct Run<const N: usize> {
    map: Mmap,
    layout: Layout,
    path: PathBuf,
}

impl<const N: usize> Run<N> {
    /// Opens the run at `path`; a torn, foreign or contradictory file is [`Error::Format`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io("open index", path))?;
        Self::from_file(&file, path)
    }

    /// Maps `file`; `path` only names it in errors.
    pub(crate) fn from_file(file: &File, path: &Path) -> Result<Self, Error> {
        let map = mapping::map(file).map_err(Error::io("map index", path))?;
        let layout = RunView::<N>::parse(&map).map_err(Error::format(path))?.layout();
        Ok(Self { map, layout, path: path.to_owned() })
    }

    fn view(&self) -> RunView<'_, N> {
        RunView::trusted(self.layout, &self.map)
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.layout.records
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.layout.records == 0
    }

    /// Where the file is (or was), as it was given to [`Self::open`].
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Values of all records with that key, ascending. Looking keys up in ascending order reads the
    /// file once from front to back.
    pub fn get(&self, key: Key) -> impl Iterator<Item = [u8; N]> + '_ {
        self.view().get(key)
    }

    /// Whether there is a record with that key.
    pub fn contains(&self, key: Key) -> bool {
        self.get(key).next().is_some()
    }

    /// All records in order. The last item is an error when the records are not what was written.
    pub fn iter(&self) -> impl Iterator<Item = Result<Record<N>, Error>> + '_ {
        let in_file = |cause| Error::format(&self.path)(cause);
        CheckedRecords::new(self.view()).map(move |item| item.map_err(in_file))
    }

    /// Reads all records and checks their order and checksum.
    pub fn verify(&self) -> Result<(), Error> {
        self.iter().try_for_each(|item| item.map(drop))
    }
}

impl<const N: usize> fmt::Debug for Run<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("path", &self.path).field("records", &self.len()).finish()
    }
}

/// Makes one run at `path` out of all records of `runs`; twins become one. The sources are checked
/// while they are read, and stay; nothing appears at `path` unless all is well.
pub fn merge<const N: usize>(runs: &[Run<N>], path: &Path) -> Result<Run<N>, Error> {
    writer::write_named(path, total(runs), merged(runs))
}

/// Upper bound of the records that a merge gives.
pub(crate) fn total<const N: usize>(runs: &[Run<N>]) -> u64 {
    runs.iter().map(|run| run.len() as u64).sum()
}

pub(crate) fn merged<const N: usize>(
    runs: &[Run<N>],
) -> impl Iterator<Item = Result<Record<N>, Error>> + '_ {
    Merge::new(runs.iter().map(Run::iter).collect())
}
