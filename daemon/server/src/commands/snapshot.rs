//! Snapshots of a datastore.

use std::num::NonZeroUsize;
use std::sync::Arc;

use reel_config::Operation;
use reel_store::datastore::{Datastore, LocalBackup, LocalSource};
use reel_store::{CryptMode, Manifest, VerifyOutcome};
use reel_types::commands::results::{
    SnapshotFileEntry, SnapshotListItem, SnapshotNotes, SnapshotProtection, VerifyState,
};
use reel_types::commands::{
    SnapshotCreate, SnapshotFiles, SnapshotForget, SnapshotList, SnapshotNotesShow,
    SnapshotNotesUpdate, SnapshotProtectedShow, SnapshotProtectedUpdate,
};
use reel_types::{ArchiveName, AuthId, BackupTime, GroupPath, Namespace, Snapshot, SnapshotPath};

use super::Done;
use super::group::group_path;
use crate::failure::Outcome;
use crate::reeld::Reeld;

impl Reeld {
    pub(super) fn snapshot_list(&self, command: &SnapshotList) -> Outcome<Done> {
        let store = self.stores.open(&command.store, Operation::Read)?.store;
        let namespace = command.ns.clone().unwrap_or_default();
        let groups = match &command.group {
            Some(group) => vec![group.clone()],
            None => store.groups(&namespace)?.items,
        };
        let mut items = Vec::new();
        for group in groups {
            let path = GroupPath { namespace: namespace.clone(), group };
            for entry in store.snapshots(&path)?.items {
                let snapshot = path.at(entry.time);
                items.push(list_item(&store, &snapshot, entry.protected, entry.finished)?);
            }
        }
        Done::data(items)
    }

    pub(super) fn snapshot_files(&self, command: &SnapshotFiles) -> Outcome<Done> {
        let store = self.stores.open(&command.store, Operation::Read)?.store;
        let path = snapshot_path(command.ns.as_ref(), &command.snapshot);
        Done::data(file_entries(&store, &path)?)
    }

    pub(super) fn snapshot_create(
        self: &Arc<Self>,
        command: &SnapshotCreate,
        who: &AuthId,
    ) -> Outcome<Done> {
        let in_use = self.stores.begin_writing(&command.store)?;
        let time = match command.time {
            Some(time) => time,
            None => BackupTime::from_epoch(self.clock.now())?,
        };
        let snapshot = group_path(command.ns.as_ref(), &command.group).at(time);
        let owner = command.owner.clone().unwrap_or_else(|| who.clone());
        let sources: Vec<LocalSource> = command
            .files
            .as_slice()
            .iter()
            .map(|file| LocalSource {
                name: file.archive.clone(),
                path: file.path.as_path().into(),
            })
            .collect();
        let id = format!("{}:{}", command.store, command.group);
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let upid = self.tasks.start("backup", &id, who, move |task| {
            let backup = LocalBackup { sources: &sources, crypt: None, threads, actor: &owner };
            backup.run(in_use.store(), &snapshot, task)?;
            Ok(())
        })?;
        Ok(Done::Task(upid))
    }

    pub(super) fn snapshot_forget(&self, command: &SnapshotForget) -> Outcome<Done> {
        let in_use = self.stores.begin_writing(&command.store)?;
        let store = in_use.store();
        store.forget_snapshot(&snapshot_path(command.ns.as_ref(), &command.snapshot))?;
        Done::nothing()
    }

    pub(super) fn snapshot_notes_show(&self, command: &SnapshotNotesShow) -> Outcome<Done> {
        let store = self.stores.open(&command.store, Operation::Read)?.store;
        let path = snapshot_path(command.ns.as_ref(), &command.snapshot);
        Done::data(SnapshotNotes { notes: store.notes(&path)? })
    }

    pub(super) fn snapshot_notes_update(&self, command: &SnapshotNotesUpdate) -> Outcome<Done> {
        let in_use = self.stores.begin_writing(&command.store)?;
        let store = in_use.store();
        let path = snapshot_path(command.ns.as_ref(), &command.snapshot);
        store.set_notes(&path, command.notes.as_str())?;
        Done::nothing()
    }

    pub(super) fn snapshot_protected_show(&self, command: &SnapshotProtectedShow) -> Outcome<Done> {
        let store = self.stores.open(&command.store, Operation::Read)?.store;
        let path = snapshot_path(command.ns.as_ref(), &command.snapshot);
        Done::data(SnapshotProtection { protected: store.is_protected(&path)? })
    }

    pub(super) fn snapshot_protected_update(
        &self,
        command: &SnapshotProtectedUpdate,
    ) -> Outcome<Done> {
        let in_use = self.stores.begin_writing(&command.store)?;
        let store = in_use.store();
        let path = snapshot_path(command.ns.as_ref(), &command.snapshot);
        store.set_protected(&path, command.protected)?;
        Done::nothing()
    }
}

pub(crate) fn snapshot_path(namespace: Option<&Namespace>, snapshot: &Snapshot) -> SnapshotPath {
    SnapshotPath { namespace: namespace.cloned().unwrap_or_default(), snapshot: snapshot.clone() }
}

fn list_item(
    store: &Datastore,
    path: &SnapshotPath,
    protected: bool,
    finished: bool,
) -> Outcome<SnapshotListItem> {
    let Snapshot { group, time } = &path.snapshot;
    let manifest = finished.then(|| store.manifest(path)).and_then(Result::ok);
    let verification = manifest.as_ref().and_then(|m| m.verify_state().ok().flatten());
    Ok(SnapshotListItem {
        backup_type: group.kind,
        backup_id: group.id.clone(),
        backup_time: *time,
        comment: manifest.as_ref().and_then(|m| m.notes()).and_then(first_line),
        files: file_entries(store, path)?,
        fingerprint: manifest.as_ref().and_then(|m| m.key_fingerprint().ok().flatten()),
        owner: store.owner(&path.group_path()).ok(),
        protected,
        size: manifest.is_some().then(|| store.snapshot_size(path).ok()).flatten(),
        verification: verification.map(|verified| VerifyState {
            state: match verified.state {
                VerifyOutcome::Ok => "ok".into(),
                VerifyOutcome::Failed => "failed".into(),
            },
            upid: verified.upid,
        }),
    })
}

fn first_line(notes: &str) -> Option<String> {
    notes.lines().next().map(Into::into)
}

/// What the manifest lists, then the manifest, then what else lies there; all by name alone where there is no
/// readable manifest.
fn file_entries(store: &Datastore, path: &SnapshotPath) -> Outcome<Vec<SnapshotFileEntry>> {
    let stored = store.files(path)?.items;
    let manifest = store.manifest(path).ok();
    let listed = manifest.iter().flat_map(Manifest::files);
    let mut entries: Vec<_> = listed
        .map(|file| SnapshotFileEntry {
            filename: file.name.to_string(),
            crypt_mode: Some(file.crypt_mode.as_str().into()),
            size: Some(file.size),
        })
        .collect();
    for file in stored {
        if entries.iter().any(|entry| entry.filename == file.name.as_str()) {
            continue;
        }
        let is_manifest = manifest.is_some() && file.name.as_str() == ArchiveName::MANIFEST;
        entries.push(SnapshotFileEntry {
            filename: file.name.to_string(),
            crypt_mode: is_manifest.then(|| CryptMode::None.as_str().into()),
            size: is_manifest.then_some(file.stored_bytes),
        });
    }
    Ok(entries)
}
