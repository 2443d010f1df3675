//! Namespaces, types, groups and snapshots as folders: one shape for whatever holds snapshots.

use std::ffi::OsStr;
use std::sync::Arc;

use reel_fs::{Entry, FnDir, FsError, Node, Preparation, StaticDir, symlink};
use reel_types::{
    BackupGroup, BackupId, BackupTime, BackupType, GroupPath, Namespace, SnapshotPath,
};

use super::facts::{as_text, fs_error, no_such, parsed, plain};
use crate::failure::Outcome;

/// The link to a group's newest snapshot.
const LATEST: &str = "latest";
/// The folder of nested namespaces.
const NESTED: &str = "ns";
const REFUSAL: &str = "snapshots come by backups and go by 'forget' in their ctl";

/// A snapshot in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SnapshotName {
    /// When it was made.
    pub(super) time: BackupTime,
    /// Whether all of it is there.
    pub(super) finished: bool,
}

/// Something that holds snapshots in groups in namespaces.
pub(super) trait Catalogue: Send + Sync + 'static {
    /// What is awaited before a namespace's groups and the namespaces below it are known; nothing where they are.
    fn prepare_namespace(&self, _namespace: &Namespace) -> Option<Preparation> {
        None
    }

    /// The same for a group's snapshots.
    fn prepare_group(&self, _group: &GroupPath) -> Option<Preparation> {
        None
    }

    /// The namespaces right inside `parent`.
    fn namespaces(&self, parent: &Namespace) -> Outcome<Vec<Namespace>>;

    /// Whether there is this namespace.
    fn has_namespace(&self, namespace: &Namespace) -> Outcome<bool>;

    /// The groups of a namespace, in their order.
    fn groups(&self, namespace: &Namespace) -> Outcome<Vec<BackupGroup>>;

    /// Whether there is this group.
    fn has_group(&self, group: &GroupPath) -> Outcome<bool>;

    /// The snapshots of a group, oldest first.
    fn snapshots(&self, group: &GroupPath) -> Outcome<Vec<SnapshotName>>;

    /// Whether there is this snapshot.
    fn has_snapshot(&self, snapshot: &SnapshotPath) -> Outcome<bool>;

    /// What a group's folder holds beside its snapshots.
    fn group_files(&self, group: &GroupPath) -> StaticDir;

    /// The folder of a snapshot that is there.
    fn snapshot(&self, snapshot: &SnapshotPath) -> Node;
}

/// The folder of a namespace, beside the names in `fixed`.
pub(super) fn namespace_folder(
    catalogue: &Arc<dyn Catalogue>,
    namespace: &Namespace,
    fixed: StaticDir,
) -> Node {
    let (all, one) = (Arc::clone(catalogue), Arc::clone(catalogue));
    let (all_in, one_in) = (namespace.clone(), namespace.clone());
    let entries = move || namespace_entries(&*all, &all_in).map_err(fs_error);
    let lookup = move |name: &OsStr| {
        if name == NESTED {
            let nested = one.namespaces(&one_in).map_err(fs_error)?;
            return if nested.is_empty() {
                Err(no_such(name))
            } else {
                Ok(nested_folder(&one, &one_in))
            };
        }
        let kind: BackupType = parsed(name)?;
        let groups = one.groups(&one_in).map_err(fs_error)?;
        groups.iter().find(|group| group.kind == kind).ok_or_else(|| no_such(name))?;
        Ok(type_folder(&one, &one_in, kind))
    };
    let prepare = prepare_namespace(catalogue, namespace);
    FnDir::new(entries, lookup).prepared_by(prepare).beside(fixed).node()
}

fn prepare_namespace(
    catalogue: &Arc<dyn Catalogue>,
    namespace: &Namespace,
) -> impl Fn() -> Option<Preparation> + Send + Sync + 'static {
    let (catalogue, namespace) = (Arc::clone(catalogue), namespace.clone());
    move || catalogue.prepare_namespace(&namespace)
}

fn namespace_entries(catalogue: &dyn Catalogue, namespace: &Namespace) -> Outcome<Vec<Entry>> {
    let groups = catalogue.groups(namespace)?;
    let kinds =
        BackupType::ALL.into_iter().filter(|kind| groups.iter().any(|group| group.kind == *kind));
    let mut entries: Vec<Entry> = kinds.map(|kind| Entry::directory(kind.as_str())).collect();
    if !catalogue.namespaces(namespace)?.is_empty() {
        entries.push(Entry::directory(NESTED));
    }
    Ok(entries)
}

fn nested_folder(catalogue: &Arc<dyn Catalogue>, parent: &Namespace) -> Node {
    let (all, one) = (Arc::clone(catalogue), Arc::clone(catalogue));
    let (all_in, one_in) = (parent.clone(), parent.clone());
    let entries = move || {
        let nested = all.namespaces(&all_in).map_err(fs_error)?;
        let name =
            |namespace: &Namespace| Some(Entry::directory(namespace.components().next_back()?));
        Ok(nested.iter().filter_map(name).collect())
    };
    let lookup = move |name: &OsStr| {
        let namespace = one_in.child(as_text(name)?).map_err(|_| no_such(name))?;
        match one.has_namespace(&namespace).map_err(fs_error)? {
            true => Ok(namespace_folder(&one, &namespace, plain(REFUSAL))),
            false => Err(no_such(name)),
        }
    };
    let prepare = prepare_namespace(catalogue, parent);
    FnDir::new(entries, lookup).prepared_by(prepare).beside(plain(REFUSAL)).node()
}

fn type_folder(catalogue: &Arc<dyn Catalogue>, namespace: &Namespace, kind: BackupType) -> Node {
    let (all, one) = (Arc::clone(catalogue), Arc::clone(catalogue));
    let (all_in, one_in) = (namespace.clone(), namespace.clone());
    let entries = move || {
        let groups = all.groups(&all_in).map_err(fs_error)?;
        let of_kind = groups.into_iter().filter(|group| group.kind == kind);
        Ok(of_kind.map(|group| Entry::directory(group.id.as_str())).collect())
    };
    let lookup = move |name: &OsStr| {
        let id: BackupId = parsed(name)?;
        let group = GroupPath { namespace: one_in.clone(), group: BackupGroup { kind, id } };
        match one.has_group(&group).map_err(fs_error)? {
            true => Ok(group_folder(&one, &group)),
            false => Err(no_such(name)),
        }
    };
    let refusal = "'forget TYPE/ID' in the group's own ctl removes it";
    let prepare = prepare_namespace(catalogue, namespace);
    FnDir::new(entries, lookup).prepared_by(prepare).beside(plain(refusal)).node()
}

fn group_folder(catalogue: &Arc<dyn Catalogue>, group: &GroupPath) -> Node {
    let (all, one) = (Arc::clone(catalogue), Arc::clone(catalogue));
    let (all_in, one_in) = (group.clone(), group.clone());
    let entries = move || {
        let snapshots = all.snapshots(&all_in).map_err(fs_error)?;
        let latest = snapshots.iter().any(|snapshot| snapshot.finished);
        let latest = latest.then(|| Entry::symlink(LATEST));
        let folders = snapshots.iter().map(|snapshot| Entry::directory(snapshot.time.to_string()));
        Ok(latest.into_iter().chain(folders).collect())
    };
    let lookup = move |name: &OsStr| {
        if name == LATEST {
            return latest(&*one, &one_in)?.ok_or_else(|| no_such(name));
        }
        let snapshot = one_in.at(parsed(name)?);
        match one.has_snapshot(&snapshot).map_err(fs_error)? {
            true => Ok(one.snapshot(&snapshot)),
            false => Err(no_such(name)),
        }
    };
    let (prepared, prepared_in) = (Arc::clone(catalogue), group.clone());
    let prepare = move || prepared.prepare_group(&prepared_in);
    FnDir::new(entries, lookup).prepared_by(prepare).beside(catalogue.group_files(group)).node()
}

fn latest(catalogue: &dyn Catalogue, group: &GroupPath) -> Result<Option<Node>, FsError> {
    let snapshots = catalogue.snapshots(group).map_err(fs_error)?;
    let newest = snapshots.iter().rev().find(|snapshot| snapshot.finished);
    Ok(newest.map(|snapshot| symlink(snapshot.time.to_string())))
}
