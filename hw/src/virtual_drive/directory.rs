//! The files of a virtual drive's directory: their names, the two JSON files, the lock.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::cancel::Cancel;
use crate::durable;
use crate::error::{Error, Result};
use crate::number::VolumeTag;

const LOCK_NAME: &str = ".drive.lck";
const STATUS_NAME: &str = "drive-status.json";

/// How often a held lock is tried again: short against the seconds a person waits, long against a system call.
const LOCK_POLL: Duration = Duration::from_millis(50);

/// Files of a tape that its index counts and the directory lacks: more than this is no accident with single
/// files but a broken index, and would only fill memory.
const MISSING_FILES_MAX: u64 = 1024;

/// `drive-status.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct DriveStatus {
    current_tape: Option<CurrentTape>,
}

/// The loaded tape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CurrentTape {
    /// Its label.
    pub(super) name: String,
    /// Files in front of the position.
    pub(super) pos: u64,
}

/// `tape-LABEL.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TapeIndex {
    files: u64,
}

/// The directory of a virtual drive.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path)
            .map_err(|error| Error::io("open directory of virtual drive", path, error))?;
        if !metadata.is_dir() {
            let error = io::Error::from(io::ErrorKind::NotADirectory);
            return Err(Error::io("open directory of virtual drive", path, error));
        }
        Ok(Self { path: path.to_path_buf() })
    }

    /// Takes the lock of the drive, waiting up to `timeout` for whoever holds it.
    pub(super) fn lock(&self, timeout: Duration, cancel: &Cancel) -> Result<Flock<File>> {
        let path = self.path.join(LOCK_NAME);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let mut file = file.map_err(|error| Error::io("open lock", &path, error))?;
        let start = Instant::now();
        loop {
            cancel.check()?;
            let (returned, errno) = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(lock),
                Err(refused) => refused,
            };
            if errno != nix::errno::Errno::EWOULDBLOCK && errno != nix::errno::Errno::EINTR {
                return Err(Error::io("lock", &path, errno.into()));
            }
            if start.elapsed() >= timeout {
                return Err(Error::Busy { what: path.display().to_string(), waited: timeout });
            }
            file = returned;
            thread::sleep(LOCK_POLL.min(timeout));
        }
    }

    pub(super) fn index_path(&self, label: &VolumeTag) -> PathBuf {
        self.path.join(format!("tape-{label}.json"))
    }

    pub(super) fn data_path(&self, file: u64, label: &VolumeTag) -> PathBuf {
        self.path.join(format!("tapefile-{file}-{label}.json"))
    }

    /// Labels of all tapes, sorted.
    pub(super) fn labels(&self) -> Result<Vec<VolumeTag>> {
        let mut labels = Vec::new();
        for name in self.names()? {
            labels.extend(label_of_index(&name));
        }
        labels.sort();
        Ok(labels)
    }

    pub(super) fn exists(&self, label: &VolumeTag) -> Result<bool> {
        let path = self.index_path(label);
        path.try_exists().map_err(|error| Error::io("look for tape index", &path, error))
    }

    /// How many closed files a tape has; `None` if there is no such tape.
    pub(super) fn read_index(&self, label: &VolumeTag) -> Result<Option<u64>> {
        let path = self.index_path(label);
        let Some(text) = read_if_exists(&path)? else {
            return Ok(None);
        };
        if !text.is_empty() {
            let index: TapeIndex = parse(&path, &text)?;
            return Ok(Some(index.files));
        }
        self.must_have_no_data(label, "is empty")?;
        Ok(Some(0))
    }

    /// Data files without an index that counts them are not an empty tape: the index was lost.
    pub(super) fn must_have_no_data(&self, label: &VolumeTag, index: &str) -> Result<()> {
        let files = self.data_files(label)?.len();
        if files == 0 {
            return Ok(());
        }
        Err(Error::Corrupt {
            what: format!("tape '{label}'"),
            reason: format!(
                "its index {} {index}, but {files} of its data files are there: write {{\"files\": N}} into the \
                 index, or move the data files away",
                self.index_path(label).display()
            ),
        })
    }

    /// Replaces the index of a tape, durably.
    pub(super) fn write_index(&self, label: &VolumeTag, files: u64) -> Result<()> {
        self.replace(&self.index_path(label), &TapeIndex { files })
    }

    /// Whether nobody may write the index of the tape.
    pub(super) fn write_protected(&self, label: &VolumeTag) -> Result<bool> {
        let path = self.index_path(label);
        let metadata = fs::metadata(&path)
            .map_err(|error| Error::io("read permissions of tape index", &path, error))?;
        Ok(metadata.permissions().readonly())
    }

    fn read_status(&self) -> Result<Option<CurrentTape>> {
        let path = self.path.join(STATUS_NAME);
        let Some(text) = read_if_exists(&path)? else {
            return Ok(None);
        };
        let status: DriveStatus = parse(&path, &text)?;
        Ok(status.current_tape)
    }

    /// The loaded tape and the file number it stands at, if the tape is still there: a tape whose files were
    /// taken away is not in the drive any more.
    pub(super) fn loaded(&self) -> Result<Option<(VolumeTag, u64)>> {
        let Some(current) = self.read_status()? else {
            return Ok(None);
        };
        let label = VolumeTag::new(&current.name).ok_or_else(|| Error::Corrupt {
            what: self.path.join(STATUS_NAME).display().to_string(),
            reason: "the loaded tape has no valid label; remove the file to empty the drive".into(),
        })?;
        Ok(self.exists(&label)?.then_some((label, current.pos)))
    }

    /// Replaces the status of the drive, durably, if it says something else.
    pub(super) fn write_status(&self, current_tape: Option<CurrentTape>) -> Result<()> {
        if current_tape.is_some() && self.read_status().is_ok_and(|status| status == current_tape) {
            return Ok(());
        }
        self.replace(&self.path.join(STATUS_NAME), &DriveStatus { current_tape })
    }

    /// Sizes in bytes of the data files of a tape, by file number.
    pub(super) fn data_sizes(&self, label: &VolumeTag) -> Result<BTreeMap<u64, u64>> {
        let mut sizes = BTreeMap::new();
        for file in self.data_files(label)? {
            let path = self.data_path(file, label);
            let metadata = fs::metadata(&path)
                .map_err(|error| Error::io("read size of tape file", &path, error))?;
            sizes.insert(file, metadata.len());
        }
        Ok(sizes)
    }

    /// Refuses an index that counts far more files than there are.
    pub(super) fn check_index(&self, label: &VolumeTag, files: u64, present: u64) -> Result<()> {
        if files.saturating_sub(present) > MISSING_FILES_MAX {
            return Err(Error::Corrupt {
                what: self.index_path(label).display().to_string(),
                reason: format!("it counts {files} files, but only {present} are there"),
            });
        }
        Ok(())
    }

    /// Removes the data files of a tape from number `first` on, durably.
    pub(super) fn remove_data_files(&self, label: &VolumeTag, first: u64) -> Result<()> {
        let files = self.data_files(label)?;
        let mut removed = false;
        for file in files.into_iter().filter(|file| *file >= first) {
            let path = self.data_path(file, label);
            fs::remove_file(&path).map_err(|error| Error::io("remove tape file", &path, error))?;
            removed = true;
        }
        if removed { self.sync() } else { Ok(()) }
    }

    /// Makes created, renamed and removed names durable.
    pub(super) fn sync(&self) -> Result<()> {
        durable::sync_folder(&self.path)
            .map_err(|error| Error::io("sync directory", &self.path, error))
    }

    fn data_files(&self, label: &VolumeTag) -> Result<Vec<u64>> {
        let names = self.names()?;
        let files = names.iter().filter_map(|name| number_of_data(name, label));
        Ok(files.collect())
    }

    /// All names that are UTF-8; others are not ours.
    fn names(&self) -> Result<Vec<String>> {
        let list_error = |error| Error::io("list directory", &self.path, error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(list_error)? {
            names.extend(entry.map_err(list_error)?.file_name().into_string());
        }
        Ok(names)
    }

    fn replace(&self, path: &Path, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_vec_pretty(value).map_err(io::Error::from);
        let replaced = text.and_then(|text| durable::replace(path, &text));
        replaced.map_err(|error| Error::io("replace", path, error))
    }
}

fn read_if_exists(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

fn parse<T: DeserializeOwned>(path: &Path, text: &[u8]) -> Result<T> {
    serde_json::from_slice(text).map_err(|error| Error::Corrupt {
        what: path.display().to_string(),
        reason: error.to_string(),
    })
}

fn label_of_index(name: &str) -> Option<VolumeTag> {
    VolumeTag::new(name.strip_prefix("tape-")?.strip_suffix(".json")?)
}

fn number_of_data(name: &str, label: &VolumeTag) -> Option<u64> {
    let rest = name.strip_prefix("tapefile-")?.strip_suffix(".json")?;
    let (number, found) = rest.split_once('-')?;
    let canonical = number == "0" || !number.starts_with(['0', '+']);
    (found == label.as_str() && canonical).then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> VolumeTag {
        VolumeTag::new(text).unwrap()
    }

    #[test]
    fn names_are_told_apart() {
        assert_eq!(label_of_index("tape-ODD_x-1.json"), Some(tag("ODD_x-1")));
        for foreign in ["tape-.json", "tapefile-0-A.json", "tape-A.json.tmp", "tape-a b.json"] {
            assert_eq!(label_of_index(foreign), None, "{foreign}");
        }
        assert_eq!(number_of_data("tapefile-12-ODD_x-1.json", &tag("ODD_x-1")), Some(12));
        for foreign in
            ["tapefile-012-A.json", "tapefile-+1-A.json", "tapefile--A.json", "tapefile-1-B.json"]
        {
            assert_eq!(number_of_data(foreign, &tag("A")), None, "{foreign}");
        }
    }

    #[test]
    fn json_files_are_what_pbs_writes() {
        let temp = tempfile::tempdir().unwrap();
        let directory = Directory::open(temp.path()).unwrap();
        directory.write_index(&tag("A"), 7).unwrap();
        directory.write_status(None).unwrap();
        let read = |name: &str| fs::read_to_string(temp.path().join(name)).unwrap();
        assert_eq!(read("tape-A.json"), "{\n  \"files\": 7\n}");
        assert_eq!(read("drive-status.json"), "{\n  \"current_tape\": null\n}");
        let current = CurrentTape { name: "A".into(), pos: 7 };
        directory.write_status(Some(current.clone())).unwrap();
        assert_eq!(
            read("drive-status.json"),
            "{\n  \"current_tape\": {\n    \"name\": \"A\",\n    \"pos\": 7\n  }\n}"
        );
        assert_eq!(directory.read_status().unwrap(), Some(current));
        assert_eq!(directory.read_index(&tag("A")).unwrap(), Some(7));
        let mode = fs::metadata(temp.path().join("tape-A.json")).unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o644);
    }

    #[test]
    fn an_empty_index_is_an_empty_tape_and_garbage_is_an_error() {
        let temp = tempfile::tempdir().unwrap();
        let directory = Directory::open(temp.path()).unwrap();
        fs::write(temp.path().join("tape-A.json"), "").unwrap();
        assert_eq!(directory.read_index(&tag("A")).unwrap(), Some(0));
        assert_eq!(directory.read_index(&tag("B")).unwrap(), None);
        for garbage in ["{", "[]", "{\"files\": -1}", "{\"files\": \"x\"}", "\0"] {
            fs::write(temp.path().join("tape-A.json"), garbage).unwrap();
            let error = directory.read_index(&tag("A")).unwrap_err();
            assert!(error.to_string().contains("tape-A.json is damaged"), "{error}");
        }
    }
}
