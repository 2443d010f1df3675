//! Which rows of a list its reader sees.

use reel_config::SyncJobs;
use reel_types::commands::Command;
use reel_types::{AclPath, AuthId, Namespace, Privilege};
use serde_json::Value;

use crate::commands::Done;
use crate::failure::Outcome;
use crate::reeld::Reeld;

use Privilege::{
    DatastoreAudit, DatastoreModify, DatastoreRead, PermissionsModify, RemoteAudit, SysAudit,
    TapeAudit,
};

impl Reeld {
    /// Leaves out of a list what `who` may not see.
    pub(crate) fn only_visible(&self, command: &Command, who: &AuthId, done: Done) -> Done {
        match done {
            Done::Data(Value::Array(mut rows)) if !who.is_root() => {
                rows.retain(|row| self.sees_row(command, who, row).unwrap_or(false));
                Done::Data(Value::Array(rows))
            }
            done => done,
        }
    }

    /// None where the row lacks what tells its object.
    fn sees_row(&self, command: &Command, who: &AuthId, row: &Value) -> Option<bool> {
        let text = |key: &str| row[key].as_str();
        let on = |path: &AclPath, any: &[Privilege]| self.rights.has_any(who, path, any);
        let device = |key: &str| Some(on(&AclPath::tape_device(text(key)?), &[TapeAudit]));
        let pool = |key: &str| match text(key) {
            Some(name) => Some(on(&AclPath::tape_pool(&name.parse().ok()?), &[TapeAudit])),
            None => Some(on(&AclPath::fixed(&["tape", "pool"]), &[TapeAudit])),
        };
        let owned = |store: &reel_types::StoreName, namespace: &Option<Namespace>| {
            let path = AclPath::namespace(store, &namespace.clone().unwrap_or_default());
            let all = [DatastoreAudit, DatastoreRead, DatastoreModify];
            Some(on(&path, &all) || text("owner")?.parse::<AuthId>().ok()?.is_owned_by(who))
        };
        match command {
            Command::DatastoreList(_) => {
                let store = text("name")?.parse().ok()?;
                Some(self.require_visible(who, &store, &Namespace::root()).is_ok())
            }
            Command::ClientKeyList(_) => {
                Some(on(&AclPath::datastore(&text("store")?.parse().ok()?), &[DatastoreAudit]))
            }
            Command::GroupList(list) => owned(&list.store, &list.ns),
            Command::SnapshotList(list) => owned(&list.store, &list.ns),
            Command::DriveList(_) | Command::ChangerList(_) | Command::DriveHealth(_) => {
                device("name")
            }
            Command::PoolList(_) => pool("name"),
            Command::MediaList(_)
            | Command::MediaContent(_)
            | Command::MediaVerified(_)
            | Command::MediaSetList(_)
            | Command::VaultList(_)
            | Command::VaultDue(_) => pool("pool"),
            Command::MediaHealth(_) => {
                let medium = text("uuid").and_then(|uuid| uuid.parse().ok());
                Some(self.require_medium(who, medium, TapeAudit).is_ok())
            }
            Command::RemoteList(_) => {
                Some(on(&AclPath::remote(&text("name")?.parse().ok()?), &[RemoteAudit]))
            }
            Command::BackupJobList(_) | Command::MediaVerifyJobList(_) => {
                Some(on(&AclPath::tape_job(&text("id")?.parse().ok()?), &[TapeAudit]))
            }
            Command::SyncJobList(_) => Some(self.sees_job(who, text("id")?).is_ok()),
            Command::UserList(_) => {
                let users = AclPath::fixed(&["access", "users"]);
                Some(text("userid")? == who.user() || on(&users, &[SysAudit, PermissionsModify]))
            }
            Command::AclList(_) => {
                let own = text("ugid")?.parse::<AuthId>().is_ok_and(|id| id.is_owned_by(who));
                Some(own || on(&AclPath::fixed(&["access", "acl"]), &[SysAudit, PermissionsModify]))
            }
            // Asked for by an object that may be seen: what it lists may be, too.
            _ => Some(true),
        }
    }

    fn sees_job(&self, who: &AuthId, id: &str) -> Outcome<()> {
        let job = SyncJobs::new(&self.config).get(&id.parse()?)?;
        self.require_visible_sync_job(who, &job)
    }
}
