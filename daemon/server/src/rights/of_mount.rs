//! What looking, reading and acting in the tree asks for, by the path in it.
//!
//! Seeing an object asks for what seeing it in a list asks for; reading the content of a snapshot for what its download
//! asks for. Acting is left to the commands, which know what they do: a control file takes lines of whoever sees its
//! folder.

use std::path::Path;
use std::sync::Arc;

use reel_config::SyncJobs;
use reel_fs::{Access, Authorizer, Caller, FsError};
use reel_types::{
    AclPath, AuthId, BackupGroup, GroupPath, MediaSetId, Namespace, Privilege, RemoteName,
    StoreName,
};

use super::denied;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

use Privilege::{
    DatastoreAudit, PermissionsModify, RemoteAudit, RemoteRead, SysAudit, TapeAudit, TapeModify,
    TapeRead,
};

/// Names in a snapshot's folder that tell of it and are no content.
const FACTS: [&str; 12] = crate::tree::SNAPSHOT_NAMES;
/// The files of a folder with a `ctl`.
const CONTROLS: [&str; 3] = ["ctl", "last-error", "last-task"];

/// The rights of a daemon's users in its mount.
pub struct MountRights(Arc<Reeld>);

impl MountRights {
    /// Those of `reeld`.
    pub fn new(reeld: Arc<Reeld>) -> Self {
        Self(reeld)
    }

    fn decide(&self, uid: u32, path: &Path, access: Access) -> Outcome<()> {
        let who = self.0.rights.identify(uid)?;
        if who.is_root() {
            return Ok(());
        }
        let names: Option<Vec<&str>> = path.iter().map(|name| name.to_str()).collect();
        let names = names.ok_or_else(|| nothing_at(path))?;
        self.0.may_use(&who, &names, access)
    }
}

impl Authorizer for MountRights {
    fn check(&self, caller: &Caller, path: &Path, access: Access) -> Result<(), FsError> {
        let decided = self.decide(caller.uid, path, access);
        decided.map_err(|failure| FsError::new(failure.errno, failure.message))
    }

    /// What others than the superuser may do stands in the last three bits.
    fn shown_mode(&self, caller: &Caller, path: &Path, mode: u16) -> u16 {
        match self.0.rights.identify(caller.uid) {
            Ok(who) if who.is_root() => mode,
            _ if path.file_name().is_some_and(|name| name == "ctl") => 0o666,
            _ if self.decide(caller.uid, path, Access::Read).is_ok() => mode,
            _ => mode & !0o007,
        }
    }
}

fn nothing_at(path: &Path) -> Failure {
    Failure::not_found(format!("there is no '{}'", path.display()))
}

/// A name as what it should be; what is no such name is not there.
fn parsed<T: std::str::FromStr>(name: &str) -> Outcome<T> {
    name.parse().map_err(|_| Failure::not_found(format!("there is no '{name}'")))
}

impl Reeld {
    fn may_use(&self, who: &AuthId, names: &[&str], access: Access) -> Outcome<()> {
        let on = |path: &AclPath, any: &[Privilege]| self.rights.require(who, path, any);
        if access == Access::Act
            && names.last() != Some(&"ctl")
            && names.first() != Some(&"changers")
        {
            return Err(denied("only a file called 'ctl' takes anything"));
        }
        match names {
            // The folders of objects are everybody's; what is in them is shown as it may be seen.
            [] | [_] => Ok(()),
            [_, control] if CONTROLS.contains(control) => Ok(()),
            ["datastores", store, inside @ ..] => {
                self.may_use_store(who, &parsed(store)?, inside, access)
            }
            // Links, whose goals are shown as they may be seen.
            ["media-sets", "by-name"] | ["media-sets", "by-name", _] => Ok(()),
            ["media-sets", set, inside @ ..] => self.may_use_set(who, parsed(set)?, inside, access),
            ["pools", pool, ..] => on(&AclPath::tape_pool(&parsed(pool)?), &[TapeAudit]),
            ["media", name, ..] => self.may_see_medium(who, name),
            ["changers", changer, inside @ ..] => {
                self.may_use_changer(who, changer, inside, access)
            }
            ["drives", drive, ..] => on(&AclPath::tape_device(drive), &[TapeAudit]),
            ["remotes", remote, inside @ ..] => {
                self.may_use_remote(who, &parsed(remote)?, inside, access)
            }
            ["sync-jobs", id, ..] => {
                let job = SyncJobs::new(&self.config).get(&parsed(id)?)?;
                self.require_visible_sync_job(who, &job)
            }
            ["backup-jobs" | "media-verify-jobs", id, ..] => {
                on(&AclPath::tape_job(&parsed(id)?), &[TapeAudit])
            }
            ["keys", _, "paperkey" | "paperkey.html"] => {
                on(&AclPath::fixed(&["tape", "pool"]), &[TapeModify])
            }
            ["keys", ..] => on(&AclPath::fixed(&["tape", "pool"]), &[TapeAudit]),
            ["users", user, ..] if *user == who.user() && who.token().is_none() => Ok(()),
            ["users", ..] => {
                on(&AclPath::fixed(&["access", "users"]), &[SysAudit, PermissionsModify])
            }
            ["acl", ..] => on(&AclPath::fixed(&["access", "acl"]), &[SysAudit, PermissionsModify]),
            ["tasks", "active"] => Ok(()),
            ["tasks", "active", upid, ..] | ["tasks", upid, ..] => {
                self.require_task(who, &parsed(upid)?, SysAudit)
            }
            _ => Err(denied("only the superuser sees this")),
        }
    }

    fn may_use_store(
        &self,
        who: &AuthId,
        store: &StoreName,
        inside: &[&str],
        access: Access,
    ) -> Outcome<()> {
        let (namespace, inside) = leave_namespaces(inside)?;
        match inside {
            [] | ["ns"] => self.require_visible(who, store, &namespace),
            [name] if CONTROLS.contains(name) => self.require_visible(who, store, &namespace),
            ["config" | "config.json" | "status" | "status.json"] => {
                self.rights.require(who, &AclPath::datastore(store), &[DatastoreAudit])
            }
            [_] => self.require_visible(who, store, &namespace),
            [kind, id, inside @ ..] => {
                let group = BackupGroup { kind: parsed(kind)?, id: parsed(id)? };
                let group = GroupPath { namespace, group };
                match is_content(inside) && access == Access::Read {
                    true => self.require_content(who, store, &group),
                    false => self.require_visible_group(who, store, &group),
                }
            }
        }
    }

    fn may_use_set(
        &self,
        who: &AuthId,
        set: MediaSetId,
        inside: &[&str],
        access: Access,
    ) -> Outcome<()> {
        self.require_set(who, set, TapeAudit)?;
        let (_, inside) = leave_namespaces(inside.get(1..).unwrap_or_default())?;
        match is_content(inside.get(2..).unwrap_or_default()) && access == Access::Read {
            true => self.require_set(who, set, TapeRead),
            false => Ok(()),
        }
    }

    fn may_see_medium(&self, who: &AuthId, name: &str) -> Outcome<()> {
        let media = self.media_names()?;
        self.require_medium(who, media.get(name).map(|entry| entry.uuid()), TapeAudit)
    }

    /// A cartridge in a changer is a medium as well.
    fn may_use_changer(
        &self,
        who: &AuthId,
        changer: &str,
        inside: &[&str],
        access: Access,
    ) -> Outcome<()> {
        let is_move = access == Access::Act && inside.last() != Some(&"ctl");
        let privilege = if is_move { TapeRead } else { TapeAudit };
        self.rights.require(who, &AclPath::tape_device(changer), &[privilege])?;
        match inside {
            [_, _, medium, _, ..] => self.may_see_medium(who, medium),
            _ => Ok(()),
        }
    }

    fn may_use_remote(
        &self,
        who: &AuthId,
        remote: &RemoteName,
        inside: &[&str],
        access: Access,
    ) -> Outcome<()> {
        let ["datastores", store, inside @ ..] = inside else {
            return self.rights.require(who, &AclPath::remote(remote), &[RemoteAudit]);
        };
        let (_, inside) = leave_namespaces(inside)?;
        let reads = is_content(inside.get(2..).unwrap_or_default()) && access == Access::Read;
        let privilege = if reads { RemoteRead } else { RemoteAudit };
        let path = AclPath::remote_store(remote, &parsed(store)?);
        self.rights.require(who, &path, &[privilege])
    }
}

/// Takes `ns/NAME/ns/NAME…` from the front of a path.
fn leave_namespaces<'n, 'p>(mut path: &'p [&'n str]) -> Outcome<(Namespace, &'p [&'n str])> {
    let mut namespace = Namespace::root();
    while let ["ns", name, rest @ ..] = path {
        let child = namespace.child(name);
        namespace = child.map_err(|_| Failure::not_found(format!("there is no '{name}'")))?;
        path = rest;
    }
    Ok((namespace, path))
}

/// Whether a path from a group on leads to content of a snapshot.
fn is_content(inside: &[&str]) -> bool {
    match inside {
        [_, "raw", _, ..] => true,
        [_, name, ..] => !FACTS.contains(name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_from_what_is_said_of_it() {
        const TIME: &str = "2024-06-05T08:00:00Z";
        for (path, content) in [
            (&[][..], false),
            (&["owner"], false),
            (&[TIME], false),
            (&[TIME, "status"], false),
            (&[TIME, "raw"], false),
            (&[TIME, "raw", "drive.img.fidx"], true),
            (&[TIME, "raw", "status"], true),
            (&[TIME, "drive.img"], true),
            (&[TIME, "status~"], true),
            (&[TIME, "index.json"], true),
            (&[TIME, "files", "root.pxar"], true),
        ] {
            assert_eq!(is_content(path), content, "{path:?}");
        }
    }

    #[test]
    fn namespaces_nest() {
        let (namespace, rest) = leave_namespaces(&["ns", "a", "ns", "b", "vm", "100"]).unwrap();
        assert_eq!((namespace.to_string().as_str(), rest), ("a/b", &["vm", "100"][..]));
        let (namespace, rest) = leave_namespaces(&["ns"]).unwrap();
        assert_eq!((namespace, rest), (Namespace::root(), &["ns"][..]));
        assert!(leave_namespaces(&["ns", "a b"]).is_err());
    }
}
