//! A file of JSON objects, one a line, the newest last.
//!
//! A line is appended and synced. A last line that a crash cut off was never told to anybody and is passed over; the
//! next append removes it. So is a line that is damaged: it must not hide the others.

use std::fs::OpenOptions;
use std::io::Write;
use std::marker::PhantomData;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::state_dir::StateDir;
use crate::{Error, Result};

/// Lines that are kept at least: with one an hour, all that a drive is judged by ([`super::thresholds::DRIVE_REMEMBERS_S`]).
const LINES_KEPT: usize = 2200;
/// Lines at which the oldest are dropped. Above [`LINES_KEPT`], so that not each append writes the whole file.
const LINES_MAX: usize = 2600;

/// One such file, of lines that are `T`.
pub(super) struct Journal<T> {
    folder: StateDir,
    path: PathBuf,
    line: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> Journal<T> {
    /// The file at `path` in `folder`, which is made with the first line.
    pub(super) fn new(folder: &StateDir, path: PathBuf) -> Self {
        Self { folder: folder.clone(), path, line: PhantomData }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All lines, oldest first.
    pub(super) fn read(&self) -> Result<Vec<T>> {
        let bytes = self.folder.read_if_there(&self.path)?.unwrap_or_default();
        Ok(whole_lines(&bytes).filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    /// Adds a line; it is on disk when this returns.
    pub(super) fn append(&self, line: &T) -> Result<()> {
        let bytes = self.folder.read_if_there(&self.path)?;
        let is_new = bytes.is_none();
        let bytes = bytes.unwrap_or_default();
        let text = self.text_of(line)?;
        let lines: Vec<&[u8]> = whole_lines(&bytes).collect();
        let is_cut = bytes.last().is_some_and(|last| *last != b'\n');
        if is_cut || lines.len() >= LINES_MAX {
            let kept = &lines[lines.len().saturating_sub(LINES_KEPT - 1)..];
            let mut content = kept.join(&b'\n');
            if !kept.is_empty() {
                content.push(b'\n');
            }
            content.extend(text);
            return self.folder.replace(&self.path, &content);
        }
        self.append_bytes(&text)?;
        if is_new { self.folder.sync() } else { Ok(()) }
    }

    fn text_of(&self, line: &T) -> Result<Vec<u8>> {
        let mut text = serde_json::to_vec(line)
            .map_err(|source| Error::Json { what: "a line of health".into(), source })?;
        text.push(b'\n');
        Ok(text)
    }

    fn append_bytes(&self, text: &[u8]) -> Result<()> {
        let tried = || format!("append to '{}'", self.path.display());
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o640);
        let mut file = options.open(&self.path).map_err(Error::io(tried()))?;
        self.folder.hand_over(&file, &self.path)?;
        file.write_all(text).and_then(|()| file.sync_data()).map_err(Error::io(tried()))
    }
}

/// The lines that have an end.
fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    bytes[..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn journal() -> (tempfile::TempDir, Journal<u64>) {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(&StateDir::new(folder.path()), folder.path().join("x.jsonl"));
        (folder, journal)
    }

    #[test]
    fn the_oldest_lines_go_when_there_are_too_many() {
        let (_folder, journal) = journal();
        let lines: String = (0..LINES_MAX as u64 - 1).map(|line| format!("{line}\n")).collect();
        fs::write(journal.path(), lines).unwrap();
        let last = LINES_MAX as u64;
        journal.append(&(last - 1)).unwrap();
        assert_eq!(journal.read().unwrap().len(), LINES_MAX);
        journal.append(&last).unwrap();
        let kept: Vec<u64> = (last + 1 - LINES_KEPT as u64..=last).collect();
        assert_eq!(journal.read().unwrap(), kept);
    }

    #[test]
    fn a_line_that_was_cut_off_is_passed_over_and_replaced() {
        let (_folder, journal) = journal();
        assert_eq!(journal.read().unwrap(), [0; 0]);
        for content in ["1\n2\n3", "1\n2\n", "1\n{\"damaged\": \n2\n"] {
            fs::write(journal.path(), content).unwrap();
            assert_eq!(journal.read().unwrap(), [1, 2], "{content:?}");
            journal.append(&4).unwrap();
            assert_eq!(journal.read().unwrap(), [1, 2, 4], "{content:?}");
        }
        fs::write(journal.path(), "3").unwrap();
        journal.append(&4).unwrap();
        assert_eq!(fs::read_to_string(journal.path()).unwrap(), "4\n");
    }
}
