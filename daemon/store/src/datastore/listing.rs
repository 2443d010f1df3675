//! Listing what a datastore holds (`datastore.md` §4.3).

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use reel_types::{BackupGroup, BackupTime, BackupType, GroupPath, Namespace, SnapshotPath};

use super::Datastore;
use crate::failure::{IoContext, StoreError, StoreErrorKind};
use crate::files::exists;

/// An entry that can't be what its place says, left out of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Where it is.
    pub path: PathBuf,
    /// Why it was left out.
    pub reason: String,
}

/// What was found, and what was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T> {
    /// What was found, in the documented order.
    pub items: Vec<T>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        Self { items: Vec::new(), skipped: Vec::new() }
    }
}

impl<T> Listing<T> {
    pub(super) fn skip(&mut self, path: PathBuf, reason: impl ToString) {
        self.skipped.push(Skipped { path, reason: reason.to_string() });
    }
}

/// A snapshot in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotEntry {
    /// When it was made, which names it in its group.
    pub time: BackupTime,
    /// Whether its manifest is there.
    pub finished: bool,
    /// Whether it is protected from removal.
    pub protected: bool,
}

pub(super) const MANIFEST_FILE: &str = reel_types::ArchiveName::MANIFEST;
pub(super) const PROTECTED_FILE: &str = ".protected";

impl Datastore {
    /// `anchor` and the namespaces in it, parents before children, siblings by name; `depth_max`
    /// levels below the anchor, all where it is none.
    pub fn namespaces(
        &self,
        anchor: &Namespace,
        depth_max: Option<usize>,
    ) -> Result<Listing<Namespace>, StoreError> {
        if let Some(depth) = depth_max.filter(|depth| *depth > Namespace::DEPTH_MAX) {
            let tried = format!("list the namespaces of datastore '{}'", self.name());
            let reason = format!("the depth must be 0 to {}, not {depth}", Namespace::DEPTH_MAX);
            return Err(StoreError::new(StoreErrorKind::InvalidInput, tried, reason));
        }
        self.require_namespace(anchor)?;
        let mut listing = Listing::default();
        let depth = depth_max.unwrap_or(Namespace::DEPTH_MAX);
        self.add_namespaces(anchor, depth, &mut listing)?;
        Ok(listing)
    }

    fn add_namespaces(
        &self,
        anchor: &Namespace,
        depth: usize,
        listing: &mut Listing<Namespace>,
    ) -> Result<(), StoreError> {
        listing.items.push(anchor.clone());
        if depth == 0 {
            return Ok(());
        }
        let dir = self.namespace_dir(anchor).join("ns");
        let mut children = Vec::new();
        for (name, path) in self.folders_in(&dir)? {
            match name.map(|name| anchor.child(&name)) {
                Some(Ok(child)) => children.push(child),
                Some(Err(error)) => listing.skip(path, error),
                None => listing.skip(path, NOT_TEXT),
            }
        }
        children.sort();
        children.iter().try_for_each(|child| self.add_namespaces(child, depth - 1, listing))
    }

    /// The groups of a namespace in PBS's order.
    pub fn groups(&self, namespace: &Namespace) -> Result<Listing<BackupGroup>, StoreError> {
        self.require_namespace(namespace)?;
        let mut listing = Listing::default();
        for kind in BackupType::ALL {
            let dir = self.namespace_dir(namespace).join(kind.as_str());
            for (name, path) in self.folders_in(&dir)? {
                match name.map(|name| name.parse()) {
                    Some(Ok(id)) => listing.items.push(BackupGroup { kind, id }),
                    Some(Err(error)) => listing.skip(path, error),
                    None => listing.skip(path, NOT_TEXT),
                }
            }
        }
        listing.items.sort();
        Ok(listing)
    }

    /// The snapshots of a group, oldest first.
    pub fn snapshots(&self, group: &GroupPath) -> Result<Listing<SnapshotEntry>, StoreError> {
        let dir = self.group_dir(group);
        if !exists(&dir).tried(|| format!("list {}", self.group_text(group)))? {
            return Err(self.no_such_group(group));
        }
        let mut listing = Listing::default();
        for (name, path) in self.folders_in(&dir)? {
            match name.map(|name| name.parse()) {
                Some(Ok(time)) => {
                    let snapshot = group.at(time);
                    match self.snapshot_entry(&snapshot) {
                        Ok(entry) => listing.items.push(entry),
                        Err(error) if error.kind() == StoreErrorKind::NotFound => {}
                        Err(error) => listing.skip(path, error),
                    }
                }
                Some(Err(error)) => listing.skip(path, error),
                None => listing.skip(path, NOT_TEXT),
            }
        }
        listing.items.sort_by_key(|entry| entry.time);
        Ok(listing)
    }

    /// The flags of one snapshot.
    pub fn snapshot_entry(&self, snapshot: &SnapshotPath) -> Result<SnapshotEntry, StoreError> {
        let dir = self.require_snapshot(snapshot)?;
        let tried = || format!("look at {}", self.snapshot_text(snapshot));
        Ok(SnapshotEntry {
            time: snapshot.snapshot.time,
            finished: exists(&dir.join(MANIFEST_FILE)).tried(tried)?,
            protected: exists(&dir.join(PROTECTED_FILE)).tried(tried)?,
        })
    }

    /// Names (none where they aren't text) and paths of the folders in `dir`; none where it is
    /// missing. Links and everything else is passed over.
    fn folders_in(&self, dir: &Path) -> Result<Vec<(Option<String>, PathBuf)>, StoreError> {
        let tried = || format!("list {dir:?} of datastore '{}'", self.name());
        let entries = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.tried(tried)?,
        };
        let mut folders = Vec::new();
        for entry in entries {
            let entry = entry.tried(tried)?;
            if is_folder(&entry).tried(tried)? {
                folders.push((entry.file_name().into_string().ok(), entry.path()));
            }
        }
        Ok(folders)
    }

    /// Whether the namespace is there; the root always is.
    pub fn has_namespace(&self, namespace: &Namespace) -> Result<bool, StoreError> {
        let dir = self.namespace_dir(namespace);
        exists(&dir).tried(|| format!("look for {dir:?}"))
    }

    /// Fails with `NotFound` unless the namespace's folder is there.
    pub(super) fn require_namespace(&self, namespace: &Namespace) -> Result<PathBuf, StoreError> {
        if self.has_namespace(namespace)? {
            return Ok(self.namespace_dir(namespace));
        }
        let tried = format!("open namespace '{namespace}' of datastore '{}'", self.name());
        let advice = "list the namespaces, or create it first";
        Err(StoreError::new(StoreErrorKind::NotFound, tried, "there is none").advise(advice))
    }

    /// Fails with `NotFound` unless the snapshot's folder is there.
    pub(super) fn require_snapshot(&self, snapshot: &SnapshotPath) -> Result<PathBuf, StoreError> {
        let dir = self.snapshot_dir(snapshot);
        let tried = || format!("open {}", self.snapshot_text(snapshot));
        if exists(&dir).tried(tried)? {
            return Ok(dir);
        }
        let advice = "list the snapshots of its group";
        Err(StoreError::new(StoreErrorKind::NotFound, tried(), "there is none").advise(advice))
    }

    pub(super) fn no_such_group(&self, group: &GroupPath) -> StoreError {
        let tried = format!("open {}", self.group_text(group));
        StoreError::new(StoreErrorKind::NotFound, tried, "there is none")
            .advise("list the groups of its namespace")
    }
}

const NOT_TEXT: &str = "the name is not UTF-8";

/// A vanished entry is no folder any more.
fn is_folder(entry: &DirEntry) -> io::Result<bool> {
    match entry.file_type() {
        Ok(kind) => Ok(kind.is_dir()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
