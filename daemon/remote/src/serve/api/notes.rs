//! What is noted about groups and snapshots (`remote-protocol.md` §4.5).

use reel_types::{Privilege, SnapshotPath};

use super::SnapshotQuery;
use super::query::GroupQuery;
use crate::serve::answer::Reply;
use crate::serve::asked::Asked;
use crate::serve::refusal::Outcome;
use crate::serve::surroundings::StoreInUse;

const ALL: &[Privilege] = &[Privilege::DatastoreAudit];

pub(in crate::serve) fn of_group(mut asked: Asked) -> Outcome<Reply> {
    let mut params = asked.params();
    let query = GroupQuery::read(&mut params);
    let GroupQuery { store, group } = params.finish(|| query)?;
    let scope = asked.scope(&store, &group.namespace, ALL)?;
    let opened = asked.open(&store)?;
    asked.check_owner(scope, &opened.store, &group)?;
    Reply::data(&opened.store.group_notes(&group)?)
}

pub(in crate::serve) fn of_snapshot(asked: Asked) -> Outcome<Reply> {
    let (opened, snapshot) = open(asked)?;
    Reply::data(&opened.store.notes(&snapshot)?)
}

pub(in crate::serve) fn is_protected(asked: Asked) -> Outcome<Reply> {
    let (opened, snapshot) = open(asked)?;
    Reply::data(&opened.store.is_protected(&snapshot)?)
}

fn open(mut asked: Asked) -> Outcome<(StoreInUse, SnapshotPath)> {
    let mut params = asked.params();
    let query = SnapshotQuery::read(&mut params);
    let SnapshotQuery { store, snapshot } = params.finish(|| query)?;
    let scope = asked.scope(&store, &snapshot.namespace, ALL)?;
    let opened = asked.open(&store)?;
    asked.check_owner(scope, &opened.store, &snapshot.group_path())?;
    Ok((opened, snapshot))
}
