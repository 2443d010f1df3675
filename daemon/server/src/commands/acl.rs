//! Who has which role on which object (`cli-manager.md` §3.6).

use reel_config::{AclFile, Grant, Grantee, Tokens, Users};
use reel_types::AuthId;
use reel_types::commands::results::AclEntry;
use reel_types::commands::{AclUpdate, ParamErrors};

use super::{Done, config_digest};
use crate::failure::Outcome;
use crate::reeld::Reeld;

impl Reeld {
    pub(super) fn acl_list(&self) -> Outcome<Done> {
        Done::data(self.acl_entries()?)
    }

    /// The rows of `acl list`.
    pub(crate) fn acl_entries(&self) -> Outcome<Vec<AclEntry>> {
        let (tree, _) = AclFile::new(&self.config).load()?;
        let mut rows: Vec<AclEntry> = tree.grants().into_iter().map(entry).collect();
        rows.sort_by(|a, b| (&a.ugid, &a.path, a.role).cmp(&(&b.ugid, &b.path, b.role)));
        Ok(rows)
    }

    pub(super) fn acl_update(&self, command: &AclUpdate) -> Outcome<Done> {
        let digest = config_digest(command.digest.as_ref())?;
        if !command.delete {
            let named = |error: reel_types::ParseError| ParamErrors::one("path", error.reason());
            command.path.check_known().map_err(named)?;
            self.expect_known(&command.auth_id)?;
        }
        let AclUpdate { path, role, auth_id, propagate, delete, .. } = command;
        AclFile::new(&self.config).update(digest.as_ref(), |tree| {
            match delete {
                true => tree.revoke(path, auth_id, *role),
                false => tree.grant(path, auth_id, *role, *propagate),
            }
            Ok(true)
        })?;
        Done::nothing()
    }

    fn expect_known(&self, id: &AuthId) -> Outcome<()> {
        let found = match id.token() {
            Some(_) => Tokens::new(&self.config).get(id).map(drop),
            None => match id.user().parse() {
                Ok(user) => Users::new(&self.config).get(&user).map(drop),
                Err(error) => Err(error.into()),
            },
        };
        found.map_err(|error| ParamErrors::one("auth-id", error.to_string()).into())
    }
}

fn entry(grant: Grant) -> AclEntry {
    let (ugid, ugid_type) = match grant.grantee {
        Grantee::Id(id) => (id.to_string(), "user"),
        Grantee::Group(name) => (name, "group"),
    };
    AclEntry {
        path: grant.path,
        propagate: grant.propagate,
        role: grant.role,
        ugid,
        ugid_type: ugid_type.into(),
    }
}
