//! Datastores and their namespaces (`remote-protocol.md` §4.2, §4.3).

use std::fs;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use reel_store::datastore::Datastore;
use reel_types::{
    AuthId, BackupGroup, BackupType, GroupPath, Namespace, NamespaceDepth, Privilege, StoreName,
};
use serde::{Deserialize, Serialize};

use crate::serve::answer::Reply;
use crate::serve::asked::{Asked, SEE_NAMESPACE, Scope, acl_path};
use crate::serve::refusal::{Outcome, PERMISSION_CHECK_FAILED, Refusal};

const SEE_STORE: &[Privilege] = &[Privilege::DatastoreAudit, Privilege::DatastoreBackup];

#[derive(Serialize)]
struct StoreItem {
    comment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maintenance: Option<String>,
    store: StoreName,
}

pub(in crate::serve) fn list(mut asked: Asked) -> Outcome<Reply> {
    asked.params().finish(|| Some(()))?;
    let (who, gate) = (asked.who()?, &asked.shared.around.gate);
    let mut items = Vec::new();
    for info in asked.shared.around.stores.list()? {
        let path = acl_path(&info.name, &Namespace::root());
        let sees_store = asked.may(&path, SEE_STORE);
        if sees_store || gate.allows_below(who, &path, SEE_NAMESPACE) {
            // What only a namespace of it may be seen by is not told what is said of the whole.
            let comment = info.comment.filter(|_| sees_store);
            let maintenance = info.maintenance;
            items.push(StoreItem { comment, maintenance, store: info.name });
        }
    }
    Reply::data(&items)
}

#[derive(Serialize)]
struct NamespaceItem {
    ns: Namespace,
}

pub(in crate::serve) fn namespaces(mut asked: Asked) -> Outcome<Reply> {
    let mut params = asked.params();
    let store: Option<StoreName> = params.need("store");
    let parent: Namespace = params.may("parent").unwrap_or_default();
    let depth: NamespaceDepth = params.may("max-depth").unwrap_or_default();
    let store = params.finish(|| store)?;
    let opened = asked.open(&store)?;
    let sees = |ns: &Namespace| asked.may(&acl_path(&store, ns), SEE_NAMESPACE);
    let forbidden = || Refusal::forbidden(PERMISSION_CHECK_FAILED);
    let levels = depth.levels().min(Namespace::DEPTH_MAX - parent.depth());
    // A real server lists a parent that isn't there, too (transcript 03), against its specification.
    let found = match opened.store.has_namespace(&parent)? {
        true => opened.store.namespaces(&parent, Some(levels))?.items,
        false => vec![parent.clone()],
    };
    let seen: Vec<_> = found.into_iter().filter(sees).map(|ns| NamespaceItem { ns }).collect();
    if seen.is_empty() && !sees(&parent) {
        return Err(forbidden());
    }
    Reply::data(&seen)
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Status {
    avail: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<Counts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gc_status: Option<GcStatus>,
    total: u64,
    used: u64,
}

#[derive(Default, Serialize)]
struct Counts {
    ct: Option<Count>,
    host: Option<Count>,
    other: Option<Count>,
    vm: Option<Count>,
}

#[derive(Default, Serialize)]
struct Count {
    groups: u64,
    snapshots: u64,
}

/// What the last garbage collection left (`datastore.md` §9.3).
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct GcStatus {
    disk_bytes: u64,
    disk_chunks: u64,
    index_data_bytes: u64,
    index_file_count: u64,
    pending_bytes: u64,
    pending_chunks: u64,
    removed_bad: u64,
    removed_bytes: u64,
    removed_chunks: u64,
    still_bad: u64,
    upid: Option<String>,
}

pub(in crate::serve) fn status(mut asked: Asked) -> Outcome<Reply> {
    let mut params = asked.params();
    let store: Option<StoreName> = params.need("store");
    let verbose = params.may("verbose").unwrap_or(false);
    let store = params.finish(|| store)?;
    let opened = asked.open(&store)?;
    let base = opened.store.base();
    let disk = statvfs(base).map_err(|errno| {
        Refusal::bad(format!("ask for the space of datastore '{store}': {errno}"))
    })?;
    let unit = disk.fragment_size();
    let counts = if verbose { Some(counts(&asked, &opened.store)?) } else { None };
    Reply::data(&Status {
        avail: disk.blocks_available() * unit,
        counts,
        gc_status: verbose.then(|| gc_status(base)),
        total: disk.blocks() * unit,
        used: disk.blocks().saturating_sub(disk.blocks_free()) * unit,
    })
}

/// A file that can't be read counts as none.
fn gc_status(base: &Path) -> GcStatus {
    let text = fs::read(base.join(".gc-status")).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Groups and snapshots that whoever asks may see.
fn counts(asked: &Asked, store: &Datastore) -> Outcome<Counts> {
    let who = asked.who()?;
    let mut counts = Counts::default();
    for namespace in store.namespaces(&Namespace::root(), None)?.items {
        let path = acl_path(store.name(), &namespace);
        let Some(scope) = asked.scope_if_any(&path, &[Privilege::DatastoreAudit]) else { continue };
        for group in store.groups(&namespace)?.items {
            let path = GroupPath { namespace: namespace.clone(), group };
            if is_in(scope, store, &path, who) {
                count(&mut counts, &path.group, store.snapshots(&path)?.items.len() as u64);
            }
        }
    }
    Ok(counts)
}

/// Whether a group is among those that somebody may see; one without an owner is nobody's.
pub(super) fn is_in(scope: Scope, store: &Datastore, group: &GroupPath, who: &AuthId) -> bool {
    store.owner(group).is_ok_and(|owner| scope == Scope::All || owner.is_owned_by(who))
}

fn count(counts: &mut Counts, group: &BackupGroup, snapshots: u64) {
    let of_kind = match group.kind {
        BackupType::Ct => &mut counts.ct,
        BackupType::Host => &mut counts.host,
        BackupType::Vm => &mut counts.vm,
    };
    let of_kind = of_kind.get_or_insert_default();
    of_kind.groups += 1;
    of_kind.snapshots += snapshots;
}
