//! Changes to the kernel's configuration that know how to be undone.
//!
//! configfs is a tree of folders, links and files that take one value each. Its order matters both ways: whatever was
//! made last is removed first. An [`Undo`] is given each change as it is made, and takes all of them back when it is
//! dropped, also where bringing up failed half way.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result, failed};

/// How long the kernel may hold on to what a moment ago was in use.
const BUSY_LIMIT: Duration = Duration::from_secs(5);
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// A change, by how it is undone.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    /// A folder, to be removed.
    Folder(PathBuf),
    /// A folder that others may use too, to be removed if nobody does.
    SharedFolder(PathBuf),
    /// A link, to be removed.
    Link(PathBuf),
    /// A file, to be given another value.
    Value(PathBuf, &'static str),
}

/// Changes, in the order they were made.
#[derive(Debug, Default)]
pub(crate) struct Undo {
    changes: Vec<Change>,
}

impl Undo {
    /// Makes a folder.
    pub(crate) fn make_folder(&mut self, path: &Path) -> Result<()> {
        fs::create_dir(path).map_err(failed("create", path))?;
        self.changes.push(Change::Folder(path.to_path_buf()));
        Ok(())
    }

    /// Makes a folder, unless it is there.
    pub(crate) fn make_shared_folder(&mut self, path: &Path) -> Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(failed("create", path)(error));
            }
            _ => self.changes.push(Change::SharedFolder(path.to_path_buf())),
        }
        Ok(())
    }

    /// Makes a link.
    pub(crate) fn link(&mut self, path: &Path, target: &Path) -> Result<()> {
        std::os::unix::fs::symlink(target, path).map_err(failed("link", path))?;
        self.changes.push(Change::Link(path.to_path_buf()));
        Ok(())
    }

    /// Writes a value that another one undoes.
    pub(crate) fn set(&mut self, path: &Path, value: &str, undone_by: &'static str) -> Result<()> {
        write_value(path, value)?;
        self.changes.push(Change::Value(path.to_path_buf(), undone_by));
        Ok(())
    }

    /// Takes over what somebody else made, where it is there: a folder.
    pub(crate) fn adopt_folder(&mut self, path: &Path) -> bool {
        self.adopt(path.is_dir(), Change::Folder(path.to_path_buf()))
    }

    /// The same for a folder that others may use too.
    pub(crate) fn adopt_shared_folder(&mut self, path: &Path) -> bool {
        self.adopt(path.is_dir(), Change::SharedFolder(path.to_path_buf()))
    }

    /// The same for a link.
    pub(crate) fn adopt_link(&mut self, path: &Path) -> bool {
        self.adopt(path.is_symlink(), Change::Link(path.to_path_buf()))
    }

    /// The same for a value, where the file has one.
    pub(crate) fn adopt_value(&mut self, path: &Path, undone_by: &'static str) -> bool {
        self.adopt(fs::read(path).is_ok(), Change::Value(path.to_path_buf(), undone_by))
    }

    fn adopt(&mut self, is_there: bool, change: Change) -> bool {
        if is_there {
            self.changes.push(change);
        }
        is_there
    }

    /// Undoes everything, the last change first. What cannot be undone is left, and the rest is tried all the same.
    ///
    /// # Errors
    /// The first failure.
    pub(crate) fn undo(&mut self) -> Result<()> {
        let mut outcome = Ok(());
        while let Some(change) = self.changes.pop() {
            let undone = change.undo();
            outcome = outcome.and(undone);
        }
        outcome
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if let Err(error) = self.undo() {
            eprintln!("reel-vtl: {error}");
        }
    }
}

impl Change {
    fn undo(&self) -> Result<()> {
        match self {
            Self::Folder(path) => {
                patiently(|| fs::remove_dir(path)).map_err(failed("remove", path))
            }
            Self::SharedFolder(path) => match fs::remove_dir(path) {
                Err(error) if !is_used(&error) => Err(failed("remove", path)(error)),
                _ => Ok(()),
            },
            Self::Link(path) => patiently(|| fs::remove_file(path)).map_err(failed("remove", path)),
            Self::Value(path, value) => write_value(path, value),
        }
    }
}

/// Others have something in the folder, or have removed it.
fn is_used(error: &io::Error) -> bool {
    use ErrorKind::{DirectoryNotEmpty, NotFound, ResourceBusy};
    matches!(error.kind(), DirectoryNotEmpty | ResourceBusy | NotFound)
}

/// Tries again for a while where something is still in use.
fn patiently(mut act: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let started = Instant::now();
    loop {
        match act() {
            Err(error)
                if error.kind() == ErrorKind::ResourceBusy && started.elapsed() < BUSY_LIMIT =>
            {
                thread::sleep(BUSY_PAUSE);
            }
            other => return other,
        }
    }
}

/// Gives a file of the kernel a value, in one write.
pub(crate) fn write_value(path: &Path, value: &str) -> Result<()> {
    let write = || {
        let written = File::options().write(true).open(path)?.write(value.as_bytes())?;
        if written == value.len() { Ok(()) } else { Err(ErrorKind::WriteZero.into()) }
    };
    write().map_err(|source| Error::File { action: "write", path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_undone_in_reverse_order() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::write(at("value"), "before").unwrap();
        let mut undo = Undo::default();
        undo.make_shared_folder(&at("shared")).unwrap();
        undo.make_folder(&at("shared/one")).unwrap();
        undo.set(&at("value"), "during", "after.").unwrap();
        undo.link(&at("shared/one/link"), &at("value")).unwrap();
        assert_eq!(fs::read(at("shared/one/link")).unwrap(), b"during");
        undo.undo().unwrap();
        assert!(!at("shared").exists());
        assert_eq!(fs::read(at("value")).unwrap(), b"after.");
    }

    #[test]
    fn what_others_use_stays_and_the_rest_goes_when_dropped() {
        let root = tempfile::tempdir().unwrap();
        let shared = root.path().join("shared");
        fs::create_dir_all(shared.join("theirs")).unwrap();
        let mut undo = Undo::default();
        undo.make_shared_folder(&shared).unwrap();
        undo.make_folder(&shared.join("ours")).unwrap();
        assert!(undo.make_folder(&shared.join("theirs")).is_err());
        drop(undo);
        assert!(shared.join("theirs").exists() && !shared.join("ours").exists());
    }

    #[test]
    fn only_what_is_there_is_taken_over() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("left");
        fs::create_dir(&folder).unwrap();
        let mut undo = Undo::default();
        assert!(undo.adopt_folder(&folder) && !undo.adopt_link(&folder.join("link")));
        assert!(!undo.adopt_value(&folder.join("value"), "NULL"));
        undo.undo().unwrap();
        assert!(!folder.exists());
    }

    #[test]
    fn values_are_written_to_files_that_are_there() {
        let root = tempfile::tempdir().unwrap();
        let text = write_value(&root.path().join("enable"), "1").unwrap_err().to_string();
        assert!(text.starts_with("write /") && text.contains("enable: "), "{text}");
    }
}
