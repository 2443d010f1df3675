//! `datastores/`: what each holds, read live.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use reel_config::Operation;
use reel_fs::{Attributes, ControlLog, Entry, FnDir, KeyValues, Node, StaticDir};
use reel_store::CryptConfig;
use reel_store::datastore::Datastore;
use reel_types::commands::{DatastoreShow, Place};
use reel_types::{
    BackupGroup, BackupTime, Fingerprint, GroupPath, Namespace, SnapshotPath, StoreName,
};

use super::Tree;
use super::catalogue::{Catalogue, SnapshotName, namespace_folder};
use super::facts::{answer, fact, fs_error, key_values, no_such, parsed};
use super::snapshot::{SnapshotPlace, content_status, snapshot_folder};
use crate::content::{DatastoreSnapshot, FinishedSnapshot};
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

/// The folder of all datastores.
pub(super) fn datastores(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let mut names = all.reeld.stores.names().map_err(fs_error)?;
        names.sort();
        Ok(names.into_iter().map(|name| Entry::directory(name.as_str())).collect())
    };
    let lookup = move |name: &std::ffi::OsStr| {
        let store: StoreName = parsed(name)?;
        let names = one.reeld.stores.names().map_err(fs_error)?;
        if !names.contains(&store) {
            return Err(no_such(name));
        }
        Ok(datastore(&one, store))
    };
    let refusal = "'create NAME path=PATH' and 'remove NAME' in datastores/ctl do that";
    FnDir::new(entries, lookup).beside(tree.controlled(Place::Datastores, refusal)).node()
}

fn datastore(tree: &Arc<Tree>, name: StoreName) -> Node {
    let (reeld, shown) = (Arc::clone(&tree.reeld), name.clone());
    let refusal = format!(
        "backups bring snapshots, 'forget' in a snapshot's or group's ctl removes them, \
         and 'remove {name}' in datastores/ctl takes the datastore out of the configuration"
    );
    let fixed = tree
        .controlled(Place::Datastore(name.clone()), refusal)
        .with_all(answer(tree, "config", DatastoreShow { name: name.clone() }))
        .with_all(key_values("status", move || status(&reeld, &shown)));
    let catalogue: Arc<dyn Catalogue> = Arc::new(StoreCatalogue { tree: Arc::clone(tree), name });
    namespace_folder(&catalogue, &Namespace::root(), fixed)
}

fn status(reeld: &Reeld, name: &StoreName) -> Outcome<KeyValues> {
    let config = reeld.stores.config(name)?;
    let maintenance = config.maintenance_mode.as_ref().map(|mode| mode.mode.as_str().to_string());
    let base = config.base_path()?;
    let values = KeyValues::new()
        .with("path", base.display().to_string())
        .with("maintenance-mode", maintenance);
    match nix::sys::statvfs::statvfs(&base) {
        Ok(space) => {
            let unit = space.fragment_size();
            let (total, free) = (space.blocks() * unit, space.blocks_free() * unit);
            Ok(values
                .with("total", total)
                .with("used", total.saturating_sub(free))
                .with("available", space.blocks_available() * unit))
        }
        Err(errno) => Ok(values.with("error", format!("look at '{}': {errno}", base.display()))),
    }
}

/// The content of a datastore.
struct StoreCatalogue {
    tree: Arc<Tree>,
    name: StoreName,
}

impl StoreCatalogue {
    fn store(&self) -> Outcome<Arc<Datastore>> {
        Ok(self.tree.reeld.stores.open(&self.name, Operation::Read)?.store)
    }

    fn is_folder(&self, path: &Path) -> Outcome<bool> {
        let path = self.store()?.base().join(path);
        match std::fs::symlink_metadata(&path) {
            Ok(metadata) => Ok(metadata.is_dir()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(nix::libc::EIO);
                Err(Failure::new(errno, format!("look at '{}': {error}", path.display())))
            }
        }
    }
}

impl Catalogue for StoreCatalogue {
    fn namespaces(&self, parent: &Namespace) -> Outcome<Vec<Namespace>> {
        if parent.depth() == Namespace::DEPTH_MAX {
            return Ok(Vec::new());
        }
        let mut namespaces = self.store()?.namespaces(parent, Some(1))?.items;
        namespaces.retain(|namespace| namespace != parent);
        Ok(namespaces)
    }

    fn has_namespace(&self, namespace: &Namespace) -> Outcome<bool> {
        self.is_folder(&namespace.path())
    }

    fn groups(&self, namespace: &Namespace) -> Outcome<Vec<BackupGroup>> {
        Ok(self.store()?.groups(namespace)?.items)
    }

    fn has_group(&self, group: &GroupPath) -> Outcome<bool> {
        self.is_folder(&group.path())
    }

    fn snapshots(&self, group: &GroupPath) -> Outcome<Vec<SnapshotName>> {
        let snapshots = self.store()?.snapshots(group)?.items;
        let name = |entry: reel_store::datastore::SnapshotEntry| SnapshotName {
            time: entry.time,
            finished: entry.finished,
        };
        Ok(snapshots.into_iter().map(name).collect())
    }

    fn has_snapshot(&self, snapshot: &SnapshotPath) -> Outcome<bool> {
        self.is_folder(&snapshot.path())
    }

    fn group_files(&self, group: &GroupPath) -> StaticDir {
        let place = Place::Group(self.name.clone(), group.namespace.clone(), group.group.clone());
        let with = || (Arc::clone(&self.tree.reeld), self.name.clone(), group.clone());
        let (reeld, store, path) = with();
        let owner = move || Ok(Some(open(&reeld, &store)?.owner(&path)?.to_string()));
        let (reeld, store, path) = with();
        let notes = move || {
            let notes = open(&reeld, &store)?.group_notes(&path)?;
            Ok(Some(notes.trim_end_matches('\n').to_string()).filter(|notes| !notes.is_empty()))
        };
        let (reeld, store, path) = with();
        let refusal = format!(
            "'forget {}' in the group's ctl removes the group, 'forget TIME' in a snapshot's ctl that snapshot",
            group.group
        );
        self.tree
            .controlled(place, refusal)
            .with("owner", fact(owner))
            .with("notes", fact(notes))
            .with_all(key_values("status", move || group_status(&*open(&reeld, &store)?, &path)))
            .with_attributes(self.group_attributes(group))
    }

    fn snapshot(&self, snapshot: &SnapshotPath) -> Node {
        let Self { tree, name } = self;
        let SnapshotPath { namespace, snapshot: in_namespace } = snapshot.clone();
        let time = in_namespace.time;
        let control = Place::Snapshot(name.clone(), namespace, in_namespace);
        let place = StoreSnapshot {
            tree: Arc::clone(tree),
            store: name.clone(),
            path: snapshot.clone(),
            control: control.clone(),
        };
        let refusal = format!("'forget {time}' in the snapshot's ctl removes all of it");
        let with = || (Arc::clone(tree), name.clone(), snapshot.clone());
        let (protected_in, store, path) = with();
        let protected =
            move || Ok(Some(open(&protected_in.reeld, &store)?.is_protected(&path)?.to_string()));
        let place: Arc<dyn SnapshotPlace> = Arc::new(place);
        let (status_in, store, path) = with();
        let status_place = Arc::clone(&place);
        let status = move || snapshot_status(&status_in, &*status_place, &store, &path);
        let fixed = tree
            .controlled(control, refusal)
            .with("protected", fact(protected))
            .with_all(key_values("status", status));
        snapshot_folder(tree, &place, fixed)
    }
}

impl StoreCatalogue {
    fn group_attributes(&self, group: &GroupPath) -> Attributes {
        let folder = self.store().map(|store| store.base().join(group.path()));
        let modified = folder.ok().and_then(|folder| folder.metadata().ok()?.modified().ok());
        Attributes { modified, ..Attributes::DIRECTORY }
    }
}

fn open(reeld: &Reeld, store: &StoreName) -> Outcome<Arc<Datastore>> {
    Ok(reeld.stores.open(store, Operation::Read)?.store)
}

fn group_status(store: &Datastore, group: &GroupPath) -> Outcome<KeyValues> {
    let snapshots = store.snapshots(group)?.items;
    let count = |wanted: fn(&reel_store::datastore::SnapshotEntry) -> bool| {
        snapshots.iter().filter(|entry| wanted(entry)).count() as u64
    };
    let newest = snapshots.iter().rev().find(|entry| entry.finished);
    Ok(KeyValues::new()
        .with("backup-count", count(|entry| entry.finished))
        .with("unfinished", count(|entry| !entry.finished))
        .with("protected", count(|entry| entry.protected))
        .with("last-backup", newest.map(|entry| entry.time.to_string()))
        .with("owner", store.owner(group).ok().map(|owner| owner.to_string())))
}

fn snapshot_status(
    tree: &Tree,
    place: &dyn SnapshotPlace,
    store: &StoreName,
    path: &SnapshotPath,
) -> Outcome<KeyValues> {
    let store = open(&tree.reeld, store)?;
    let owner = store.owner(&path.group_path()).ok().map(|owner| owner.to_string());
    let values = KeyValues::new()
        .with("backup-time", path.snapshot.time.to_string())
        .with("owner", owner)
        .with("protected", store.is_protected(path)?);
    Ok(content_status(&*tree.listing(place)?, values))
}

/// A snapshot of a datastore.
struct StoreSnapshot {
    tree: Arc<Tree>,
    store: StoreName,
    path: SnapshotPath,
    control: Place,
}

impl SnapshotPlace for StoreSnapshot {
    fn time(&self) -> BackupTime {
        self.path.snapshot.time
    }

    fn folder(&self) -> Outcome<PathBuf> {
        Ok(open(&self.tree.reeld, &self.store)?.base().join(self.path.path()))
    }

    fn open(&self) -> Outcome<Arc<dyn FinishedSnapshot>> {
        let reeld = &self.tree.reeld;
        Ok(Arc::new(DatastoreSnapshot::open(reeld, &self.store, &self.path)?))
    }

    fn key(&self, fingerprint: &Fingerprint) -> Option<Arc<CryptConfig>> {
        self.tree.reeld.client_key(&self.store, fingerprint).ok().flatten()
    }

    fn log(&self) -> Arc<ControlLog> {
        self.tree.log_of(&self.control)
    }
}
