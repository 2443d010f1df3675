//! The small files of snapshots on media: manifests, indexes, blobs.
//!
//! A catalog names snapshots, not their files; those stand in the snapshot archive on tape. Whatever passes
//! by is kept here, so that browsing and planning need no tape. A snapshot is kept whole or not at all: its
//! folder is filled beside and renamed. Everything here can be read from tape again.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use reel_types::{ArchiveName, MediaSetId, SnapshotPath, StoreName};

use crate::{Error, Result};

/// Folder for what is being filled.
const FILLING: &str = ".filling";

/// Which snapshot of which media set.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SnapshotOnSet {
    /// The set.
    pub set: MediaSetId,
    /// The datastore that it comes from.
    pub store: StoreName,
    /// The snapshot.
    pub path: SnapshotPath,
}

/// The cache of all snapshots' files.
#[derive(Debug, Clone)]
pub struct SnapshotFiles {
    folder: PathBuf,
}

impl SnapshotFiles {
    /// Uses `folder`, where what a killed process was filling is removed.
    pub fn open(folder: PathBuf) -> Result<Self> {
        let filling = folder.join(FILLING);
        match fs::remove_dir_all(&filling) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io(format!("remove '{}'", filling.display()))(error));
            }
            _ => create(&filling)?,
        }
        Ok(Self { folder })
    }

    /// The files of a snapshot; none where they aren't here.
    pub fn get(&self, snapshot: &SnapshotOnSet) -> Option<KeptSnapshot> {
        let folder = self.folder_of(snapshot);
        folder.join(ArchiveName::MANIFEST).is_file().then_some(KeptSnapshot { folder })
    }

    /// Begins to keep a snapshot.
    pub fn fill(&self, snapshot: &SnapshotOnSet) -> Result<FillingSnapshot> {
        let filling = tempfile::Builder::new()
            .prefix("snapshot-")
            .tempdir_in(self.folder.join(FILLING))
            .map_err(Error::io("make a folder for a snapshot's files"))?;
        Ok(FillingSnapshot { filling, target: self.folder_of(snapshot) })
    }

    /// Forgets all snapshots of a set.
    pub fn forget(&self, set: MediaSetId) -> Result<()> {
        let folder = self.folder.join(set.to_string());
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::io(format!("remove '{}'", folder.display()))(error))
            }
            _ => Ok(()),
        }
    }

    fn folder_of(&self, snapshot: &SnapshotOnSet) -> PathBuf {
        let SnapshotOnSet { set, store, path } = snapshot;
        self.folder.join(set.to_string()).join(store.as_str()).join(path.path())
    }
}

/// A snapshot whose files are here.
#[derive(Debug, Clone)]
pub struct KeptSnapshot {
    folder: PathBuf,
}

impl KeptSnapshot {
    /// The folder that holds the files under their own names.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a file lies.
    pub fn path(&self, name: &ArchiveName) -> PathBuf {
        self.folder.join(name.as_str())
    }

    /// Opens a file.
    pub fn open(&self, name: &ArchiveName) -> Result<File> {
        let path = self.path(name);
        File::open(&path).map_err(Error::io(format!("open '{}'", path.display())))
    }
}

/// A snapshot whose files are coming; dropping it gives them up.
#[derive(Debug)]
pub struct FillingSnapshot {
    filling: tempfile::TempDir,
    target: PathBuf,
}

impl FillingSnapshot {
    /// Adds a file.
    pub fn add(&self, name: &ArchiveName, content: &mut dyn Read) -> Result<u64> {
        let path = self.filling.path().join(name.as_str());
        let tried = || format!("write '{}'", path.display());
        let mut file = File::create_new(&path).map_err(Error::io(tried()))?;
        io::copy(content, &mut file).map_err(Error::io(tried()))
    }

    /// The files that came so far.
    pub(crate) fn files(&self) -> KeptSnapshot {
        KeptSnapshot { folder: self.filling.path().to_path_buf() }
    }

    /// Keeps the snapshot. One that is here already stays as it is.
    pub fn keep(self) -> Result<()> {
        let tried = || format!("keep the files of a snapshot in '{}'", self.target.display());
        if let Some(parent) = self.target.parent() {
            create(parent)?;
        }
        match fs::rename(self.filling.path(), &self.target) {
            Ok(()) => {
                let _renamed_away = self.filling.keep();
                Ok(())
            }
            Err(error) if error.raw_os_error() == Some(nix::libc::ENOTEMPTY) => Ok(()),
            Err(error) => Err(Error::io(tried())(error)),
        }
    }
}

fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)
        .map_err(Error::io(format!("create the folder '{}'", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn snapshot() -> SnapshotOnSet {
        SnapshotOnSet {
            set: MediaSetId(Uuid::from_u128(7)),
            store: "store1".parse().unwrap(),
            path: "ns/a/vm/100/2022-01-01T00:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_snapshot_is_here_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let files = SnapshotFiles::open(folder.path().join("snapshots")).unwrap();
        let manifest = ArchiveName::MANIFEST.parse().unwrap();
        let filling = files.fill(&snapshot()).unwrap();
        filling.add(&manifest, &mut &b"{}"[..]).unwrap();
        assert!(files.get(&snapshot()).is_none());
        filling.keep().unwrap();
        let kept = files.get(&snapshot()).unwrap();
        assert_eq!(fs::read(kept.path(&manifest)).unwrap(), b"{}");
        let again = files.fill(&snapshot()).unwrap();
        again.add(&manifest, &mut &b"other"[..]).unwrap();
        again.keep().unwrap();
        assert_eq!(fs::read(kept.path(&manifest)).unwrap(), b"{}");
        files.forget(snapshot().set).unwrap();
        assert!(files.get(&snapshot()).is_none());
    }

    #[test]
    fn what_was_being_filled_is_gone_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let files = SnapshotFiles::open(folder.path().into()).unwrap();
        let filling = files.fill(&snapshot()).unwrap();
        let left = filling.filling.keep();
        SnapshotFiles::open(folder.path().into()).unwrap();
        assert!(!left.exists());
    }
}
