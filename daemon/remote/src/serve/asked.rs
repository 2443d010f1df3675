//! A request that was let in, and what its sender may do.

use std::sync::Arc;

use http::{HeaderValue, Version};
use reel_store::datastore::Datastore;
use reel_types::{AuthId, GroupPath, Namespace, Privilege, StoreName};

use super::params::{Given, ParamReader};
use super::refusal::{Outcome, PERMISSION_CHECK_FAILED, Refusal};
use super::server::Shared;
use super::surroundings::StoreInUse;

/// Whoever has one of these on a namespace sees that it is there.
pub(super) const SEE_NAMESPACE: &[Privilege] = &[
    Privilege::DatastoreModify,
    Privilege::DatastoreRead,
    Privilege::DatastoreBackup,
    Privilege::DatastoreAudit,
];

/// A request.
pub(super) struct Asked {
    pub(super) shared: Arc<Shared>,
    /// Who sent it; nobody on paths that are open to all.
    pub(super) who: Option<AuthId>,
    pub(super) given: Given,
    pub(super) upgrade: Option<HeaderValue>,
    pub(super) version: Version,
}

/// Whose groups somebody may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    Owned,
}

impl Asked {
    /// Takes the parameters.
    pub(super) fn params(&mut self) -> ParamReader {
        ParamReader::new(std::mem::take(&mut self.given))
    }

    pub(super) fn who(&self) -> Outcome<&AuthId> {
        self.who.as_ref().ok_or_else(|| Refusal::unauthorized(PERMISSION_CHECK_FAILED))
    }

    pub(super) fn open(&self, store: &StoreName) -> Outcome<StoreInUse> {
        Ok(self.shared.around.stores.open(store)?)
    }

    /// Whether the sender has one of `privileges` on a namespace.
    pub(super) fn may(&self, path: &str, privileges: &[Privilege]) -> bool {
        let gate = &self.shared.around.gate;
        let may = |who| privileges.iter().any(|privilege| gate.allows(who, path, *privilege));
        self.who.as_ref().is_some_and(may)
    }

    /// All groups of a namespace to whoever has one of `all`, the own ones to whoever has Datastore.Backup.
    pub(super) fn scope(
        &self,
        store: &StoreName,
        ns: &Namespace,
        all: &[Privilege],
    ) -> Outcome<Scope> {
        let path = acl_path(store, ns);
        self.scope_if_any(&path, all).ok_or_else(|| {
            let owned = [Privilege::DatastoreBackup];
            let names: Vec<_> =
                all.iter().chain(&owned).map(|privilege| name(*privilege)).collect();
            let names = names.join("|");
            Refusal::forbidden(format!("{PERMISSION_CHECK_FAILED} - missing {names} on {path}"))
        })
    }

    pub(super) fn scope_if_any(&self, path: &str, all: &[Privilege]) -> Option<Scope> {
        if self.may(path, all) {
            return Some(Scope::All);
        }
        self.may(path, &[Privilege::DatastoreBackup]).then_some(Scope::Owned)
    }

    /// Refuses groups of others to whoever may use only the own ones.
    pub(super) fn check_owner(
        &self,
        scope: Scope,
        store: &Datastore,
        group: &GroupPath,
    ) -> Outcome<()> {
        if scope == Scope::All {
            return Ok(());
        }
        let (owner, who) = (store.owner(group)?, self.who()?);
        if owner.is_owned_by(who) {
            return Ok(());
        }
        Err(Refusal::bad(format!("backup owner check failed ({who} != {owner})")))
    }
}

/// The ACL path of a namespace.
pub(super) fn acl_path(store: &StoreName, ns: &Namespace) -> String {
    ns.components().fold(format!("/datastore/{store}"), |path, component| path + "/" + component)
}

/// As PBS writes those that it misses here.
fn name(privilege: Privilege) -> &'static str {
    match privilege {
        Privilege::DatastoreAudit => "Datastore.Audit",
        Privilege::DatastoreRead => "Datastore.Read",
        Privilege::DatastoreBackup => "Datastore.Backup",
        _ => "another privilege",
    }
}
