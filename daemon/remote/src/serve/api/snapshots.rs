//! The snapshots of a namespace and their files (`remote-protocol.md` §4.5).

use std::io;

use bytes::Bytes;
use reel_store::datastore::{Datastore, SnapshotEntry};
use reel_store::{CryptMode, VerifyState};
use reel_types::{
    ArchiveName, AuthId, BackupGroup, BackupId, BackupType, Fingerprint, GroupPath, Namespace,
    Privilege, SnapshotPath, StoreName,
};
use serde::Serialize;

use super::SnapshotQuery;
use super::datastore::is_in;
use crate::serve::answer::Reply;
use crate::serve::asked::{Asked, Scope};
use crate::serve::body::Pieces;
use crate::serve::refusal::Outcome;
use crate::serve::surroundings::StoreInUse;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct SnapshotItem {
    backup_type: BackupType,
    backup_id: BackupId,
    backup_time: i64,
    #[serde(flatten)]
    manifest: ManifestParts,
    files: Vec<FileItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    owner: AuthId,
    protected: bool,
}

#[derive(Default, Serialize)]
struct ManifestParts {
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<VerifyState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<Fingerprint>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct FileItem {
    filename: ArchiveName,
    #[serde(skip_serializing_if = "Option::is_none")]
    crypt_mode: Option<CryptMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

pub(in crate::serve) fn list(mut asked: Asked) -> Outcome<Reply> {
    let mut params = asked.params();
    let store: Option<StoreName> = params.need("store");
    let namespace: Namespace = params.may("ns").unwrap_or_default();
    let kind: Option<BackupType> = params.may("backup-type");
    let id: Option<BackupId> = params.may("backup-id");
    let store = params.finish(|| store)?;
    let scope = asked.scope(&store, &namespace, &[Privilege::DatastoreAudit])?;
    let (opened, who) = (asked.open(&store)?, asked.who()?.clone());
    let mut groups = opened.store.groups(&namespace)?.items;
    groups.retain(|group| kind.is_none_or(|kind| group.kind == kind));
    groups.retain(|group| id.as_ref().is_none_or(|id| group.id == *id));
    let groups = groups.into_iter();
    let items = Items { opened, namespace, groups, scope, who, is_first: true };
    Ok(Reply::Items(Box::new(items)))
}

/// The snapshots of one group after the other.
struct Items {
    opened: StoreInUse,
    namespace: Namespace,
    groups: std::vec::IntoIter<BackupGroup>,
    scope: Scope,
    who: AuthId,
    is_first: bool,
}

impl Pieces for Items {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        while let Some(group) = self.groups.next() {
            let path = GroupPath { namespace: self.namespace.clone(), group };
            let items = self.of_group(&path);
            if items.is_empty() {
                continue;
            }
            let text = serde_json::to_string(&items)?;
            let items = &text[1..text.len() - 1];
            let comma = if std::mem::take(&mut self.is_first) { "" } else { "," };
            return Ok(Some(Bytes::from(format!("{comma}{items}"))));
        }
        Ok(None)
    }
}

impl Items {
    /// None of a group that has just gone.
    fn of_group(&self, path: &GroupPath) -> Vec<SnapshotItem> {
        let store = &self.opened.store;
        if !is_in(self.scope, store, path, &self.who) {
            return Vec::new();
        }
        let (Ok(owner), Ok(entries)) = (store.owner(path), store.snapshots(path)) else {
            return Vec::new();
        };
        let entries = entries.items.iter();
        entries.filter_map(|entry| item(store, path, entry, &owner)).collect()
    }
}

fn item(
    store: &Datastore,
    path: &GroupPath,
    entry: &SnapshotEntry,
    owner: &AuthId,
) -> Option<SnapshotItem> {
    let snapshot = path.at(entry.time);
    let (manifest, files) = manifest_and_files(store, &snapshot)?;
    let sizes = files.iter().filter_map(|file| file.size);
    let size = manifest.as_ref().map(|_| sizes.fold(0, u64::saturating_add));
    Some(SnapshotItem {
        backup_type: path.group.kind,
        backup_id: path.group.id.clone(),
        backup_time: entry.time.epoch(),
        manifest: manifest.unwrap_or_default(),
        files,
        size,
        owner: owner.clone(),
        protected: entry.protected,
    })
}

/// What the manifest tells, if it can be read, and the files: those that it lists, itself, then others.
fn manifest_and_files(
    store: &Datastore,
    snapshot: &SnapshotPath,
) -> Option<(Option<ManifestParts>, Vec<FileItem>)> {
    let stored = store.files(snapshot).ok()?.items;
    let nameless = |filename| FileItem { filename, crypt_mode: None, size: None };
    let Ok(manifest) = store.manifest(snapshot) else {
        return Some((None, stored.into_iter().map(|file| nameless(file.name)).collect()));
    };
    let mut files: Vec<_> = manifest
        .files()
        .iter()
        .map(|file| FileItem {
            filename: file.name.clone(),
            crypt_mode: Some(file.crypt_mode),
            size: Some(file.size),
        })
        .collect();
    let (own, others): (Vec<_>, Vec<_>) =
        stored.into_iter().partition(|file| file.name.as_str() == ArchiveName::MANIFEST);
    let own_mode = if manifest.is_signed() { CryptMode::SignOnly } else { CryptMode::None };
    files.extend(own.into_iter().map(|file| FileItem {
        filename: file.name,
        crypt_mode: Some(own_mode),
        size: Some(file.stored_bytes),
    }));
    let unlisted = others.into_iter().filter(|file| manifest.file(file.name.as_str()).is_err());
    files.extend(unlisted.map(|file| nameless(file.name)));
    let parts = ManifestParts {
        comment: manifest.notes().and_then(|notes| notes.lines().next()).map(str::to_owned),
        verification: manifest.verify_state().ok().flatten(),
        fingerprint: manifest.key_fingerprint().ok().flatten(),
    };
    Some((Some(parts), files))
}

pub(in crate::serve) fn files(mut asked: Asked) -> Outcome<Reply> {
    let mut params = asked.params();
    let query = SnapshotQuery::read(&mut params);
    let SnapshotQuery { store, snapshot } = params.finish(|| query)?;
    let all = [Privilege::DatastoreAudit, Privilege::DatastoreRead];
    let scope = asked.scope(&store, &snapshot.namespace, &all)?;
    let opened = asked.open(&store)?;
    asked.check_owner(scope, &opened.store, &snapshot.group_path())?;
    opened.store.snapshot_entry(&snapshot)?;
    let found = manifest_and_files(&opened.store, &snapshot);
    let files = found.map(|(_, files)| files).unwrap_or_default();
    Reply::data(&files.into_iter().map(SortedFileItem::from).collect::<Vec<_>>())
}

/// The same as it stands in a list that is not streamed: sorted by key.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct SortedFileItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    crypt_mode: Option<CryptMode>,
    filename: ArchiveName,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

impl From<FileItem> for SortedFileItem {
    fn from(item: FileItem) -> Self {
        let FileItem { filename, crypt_mode, size } = item;
        Self { crypt_mode, filename, size }
    }
}
