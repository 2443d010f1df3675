//! Groups of a datastore.

use reel_config::Operation;
use reel_types::commands::results::GroupListItem;
use reel_types::commands::{GroupChangeOwner, GroupForget, GroupList, ParamErrors};
use reel_types::{GroupPath, Namespace};

use super::Done;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

impl Reeld {
    pub(super) fn group_list(&self, command: &GroupList) -> Outcome<Done> {
        let store = self.stores.open(&command.store, Operation::Read)?.store;
        let namespace = command.ns.clone().unwrap_or_default();
        let mut items = Vec::new();
        for group in store.groups(&namespace)?.items {
            let path = GroupPath { namespace: namespace.clone(), group };
            let snapshots = store.snapshots(&path)?.items;
            let Some(last) = snapshots.iter().rev().find(|snapshot| snapshot.finished) else {
                continue;
            };
            let files = store.files(&path.at(last.time))?.items;
            items.push(GroupListItem {
                backup_type: path.group.kind,
                backup_id: path.group.id.clone(),
                backup_count: snapshots.len() as u64,
                comment: first_line(&store.group_notes(&path)?),
                files: files.iter().map(|file| file.name.to_string()).collect(),
                last_backup: last.time,
                owner: store.owner(&path).ok(),
            });
        }
        Done::data(items)
    }

    pub(super) fn group_forget(&self, command: &GroupForget) -> Outcome<Done> {
        let in_use = self.stores.begin_writing(&command.store)?;
        let store = in_use.store();
        let path = group_path(command.ns.as_ref(), &command.group);
        let removal = store.forget_group(&path)?;
        if removal.protected > 0 {
            let text = format!(
                "group '{path}' was only partially deleted: {} snapshots are protected",
                removal.protected
            );
            return Err(Failure::new(nix::libc::EPERM, text));
        }
        Done::nothing()
    }

    pub(super) fn group_change_owner(&self, command: &GroupChangeOwner) -> Outcome<Done> {
        if !self.rights.is_active(&command.new_owner) {
            let reason = "there is no such user or token, or it is disabled or expired";
            return Err(ParamErrors::one("new-owner", reason).into());
        }
        let in_use = self.stores.begin_writing(&command.store)?;
        let store = in_use.store();
        store.set_owner(&group_path(command.ns.as_ref(), &command.group), &command.new_owner)?;
        Done::nothing()
    }
}

pub(super) fn group_path(
    namespace: Option<&Namespace>,
    group: &reel_types::BackupGroup,
) -> GroupPath {
    GroupPath { namespace: namespace.cloned().unwrap_or_default(), group: group.clone() }
}

fn first_line(notes: &str) -> Option<String> {
    notes.lines().next().filter(|line| !line.is_empty()).map(Into::into)
}
