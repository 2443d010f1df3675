//! The groups of a namespace (`remote-protocol.md` §4.4).

use reel_store::datastore::{Datastore, SnapshotEntry};
use reel_types::{
    ArchiveName, AuthId, BackupId, BackupType, GroupPath, Namespace, Privilege, StoreName,
};
use serde::Serialize;

use super::datastore::is_in;
use crate::serve::answer::Reply;
use crate::serve::asked::Asked;
use crate::serve::refusal::Outcome;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct GroupItem {
    backup_count: u64,
    backup_id: BackupId,
    backup_type: BackupType,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    files: Vec<ArchiveName>,
    last_backup: i64,
    owner: AuthId,
}

pub(in crate::serve) fn list(mut asked: Asked) -> Outcome<Reply> {
    let mut params = asked.params();
    let store: Option<StoreName> = params.need("store");
    let namespace: Namespace = params.may("ns").unwrap_or_default();
    let store = params.finish(|| store)?;
    let scope = asked.scope(&store, &namespace, &[Privilege::DatastoreAudit])?;
    let (opened, who) = (asked.open(&store)?, asked.who()?);
    let groups = opened.store.groups(&namespace)?.items;
    let paths = groups.into_iter().map(|group| GroupPath { namespace: namespace.clone(), group });
    let seen = paths.filter(|path| is_in(scope, &opened.store, path, who));
    Reply::data(&seen.filter_map(|path| item(&opened.store, &path)).collect::<Vec<_>>())
}

/// None for a group without snapshots or owner, or one that has just gone.
fn item(store: &Datastore, path: &GroupPath) -> Option<GroupItem> {
    let owner = store.owner(path).ok()?;
    let entries = store.snapshots(path).ok()?.items;
    let last = last(&entries)?;
    let files = store.files(&path.at(last.time)).ok()?.items;
    let notes = store.group_notes(path).unwrap_or_default();
    Some(GroupItem {
        backup_count: entries.len() as u64,
        backup_id: path.group.id.clone(),
        backup_type: path.group.kind,
        comment: notes.split_inclusive('\n').next().map(str::to_owned),
        files: files.into_iter().map(|file| file.name).collect(),
        last_backup: last.time.epoch(),
        owner,
    })
}

/// The newest snapshot that is finished, or the newest at all.
fn last(entries: &[SnapshotEntry]) -> Option<&SnapshotEntry> {
    entries.iter().rev().find(|entry| entry.finished).or(entries.last())
}
