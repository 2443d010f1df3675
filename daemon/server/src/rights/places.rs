//! What may be done with the objects that are more than a path: groups with their owners, media in their pools, sync
//! jobs between two ends.

use reel_config::{Operation, SyncJobConfig};
use reel_types::{
    AclPath, AuthId, DriveName, GroupPath, MediaId, MediaSetId, Namespace, Privilege, StoreName,
};

use super::{denied, lacking};
use crate::failure::Outcome;
use crate::reeld::Reeld;

use Privilege::{
    DatastoreAudit, DatastoreBackup, DatastoreModify, DatastorePrune, DatastoreRead, RemoteAudit,
    RemoteRead,
};

/// What lets somebody see that a namespace is there.
const SEES_NAMESPACE: [Privilege; 4] =
    [DatastoreModify, DatastoreRead, DatastoreBackup, DatastoreAudit];

impl Reeld {
    /// Refuses who may do nothing in a datastore nor in any namespace of it.
    pub(crate) fn require_visible(
        &self,
        who: &AuthId,
        store: &StoreName,
        namespace: &Namespace,
    ) -> Outcome<()> {
        let path = AclPath::namespace(store, namespace);
        let below = self.rights.privileges_below(who, &path)?;
        match SEES_NAMESPACE.into_iter().any(|privilege| below.has(privilege)) {
            true => Ok(()),
            false => Err(lacking(who, &path, &[DatastoreAudit, DatastoreBackup])),
        }
    }

    /// Refuses who has none of the privileges `any`, nor owns the group and has `as_owner`.
    pub(crate) fn require_group(
        &self,
        who: &AuthId,
        store: &StoreName,
        group: &GroupPath,
        any: &[Privilege],
        as_owner: Privilege,
    ) -> Outcome<()> {
        let path = AclPath::namespace(store, &group.namespace);
        let missing = match self.rights.require(who, &path, any) {
            Ok(()) => return Ok(()),
            Err(missing) => missing,
        };
        if !self.rights.has_any(who, &path, &[as_owner]) {
            return Err(missing);
        }
        let owner = self.stores.open(store, Operation::Lookup)?.store.owner(group);
        if owner.is_ok_and(|owner| owner.is_owned_by(who)) {
            return Ok(());
        }
        let names: Vec<&str> = any.iter().map(|privilege| privilege.as_str()).collect();
        Err(denied(format!(
            "'{who}' needs {} on '{path}', or to own the group '{}'",
            names.join(" or "),
            group.group
        )))
    }

    /// Refuses who can't see a group: with the right to see all, or to read or make backups of one's own.
    pub(crate) fn require_visible_group(
        &self,
        who: &AuthId,
        store: &StoreName,
        group: &GroupPath,
    ) -> Outcome<()> {
        let any = [DatastoreAudit, DatastoreRead, DatastoreModify];
        self.require_group(who, store, group, &any, DatastoreBackup)
    }

    /// Refuses who can't read the content of a group.
    pub(crate) fn require_content(
        &self,
        who: &AuthId,
        store: &StoreName,
        group: &GroupPath,
    ) -> Outcome<()> {
        self.require_group(who, store, group, &[DatastoreRead], DatastoreBackup)
    }

    /// Refuses who may not do this with a media set, by its pool; one that no medium is left of is the superuser's.
    pub(crate) fn require_set(
        &self,
        who: &AuthId,
        set: MediaSetId,
        privilege: Privilege,
    ) -> Outcome<()> {
        if who.is_root() {
            return Ok(());
        }
        let pool = self.media_names()?.inventory().pool_of_set(set)?;
        self.rights.require(who, &AclPath::tape_pool(&pool), &[privilege])
    }

    /// Refuses who may not do this with a medium, by its pool; one without is under `/tape/pool` as a whole.
    pub(crate) fn require_medium(
        &self,
        who: &AuthId,
        medium: Option<MediaId>,
        privilege: Privilege,
    ) -> Outcome<()> {
        if who.is_root() {
            return Ok(());
        }
        let media = self.media_names()?;
        let pool = medium.and_then(|medium| media.inventory().get(medium)?.pool());
        let path = pool.map_or_else(|| AclPath::fixed(&["tape", "pool"]), AclPath::tape_pool);
        self.rights.require(who, &path, &[privilege])
    }

    /// Refuses who may not do this with the drive that a command names or that is the only one.
    pub(crate) fn require_drive(
        &self,
        who: &AuthId,
        drive: Option<&DriveName>,
        privilege: Privilege,
    ) -> Outcome<()> {
        if who.is_root() {
            return Ok(());
        }
        let desk;
        let name = match drive {
            Some(name) => name.as_str(),
            None => {
                desk = self.drives.chosen(None)?;
                desk.name().as_str()
            }
        };
        self.rights.require(who, &AclPath::tape_device(name), &[privilege])
    }

    /// Refuses who may not configure or run a sync job (`sync.md` §2.1).
    pub(crate) fn require_sync_job(&self, who: &AuthId, job: &SyncJobConfig) -> Outcome<()> {
        if who.is_root() {
            return Ok(());
        }
        let anchor = AclPath::namespace(&job.store, &job.ns.clone().unwrap_or_default());
        self.rights.require(who, &anchor, &[DatastoreBackup])?;
        if job.remove_vanished == Some(true) {
            self.rights.require(who, &anchor, &[DatastorePrune])?;
        }
        if !job.owner.as_ref().is_some_and(|owner| owner.is_owned_by(who)) {
            self.rights.require(who, &anchor, &[DatastoreModify])?;
        }
        match &job.remote {
            Some(remote) => {
                let source = AclPath::remote_store(remote, &job.remote_store);
                self.rights.require(who, &source, &[RemoteRead])
            }
            None => Ok(()),
        }
    }

    /// Refuses who may not see a sync job (`sync.md` §2.2).
    pub(crate) fn require_visible_sync_job(
        &self,
        who: &AuthId,
        job: &SyncJobConfig,
    ) -> Outcome<()> {
        let anchor = AclPath::namespace(&job.store, &job.ns.clone().unwrap_or_default());
        self.rights.require(who, &anchor, &[DatastoreAudit])?;
        match &job.remote {
            Some(remote) => self.rights.require(who, &AclPath::remote(remote), &[RemoteAudit]),
            None => {
                let source = AclPath::datastore(&job.remote_store);
                self.rights.require(who, &source, &[DatastoreAudit])
            }
        }
    }
}
