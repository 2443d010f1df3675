//! `users/` and `acl/`: who there is, and who may do what.

use std::ffi::OsStr;
use std::sync::Arc;

use reel_fs::{Entry, FnDir, KeyValues, Node, Value};
use reel_types::commands::Place;
use reel_types::commands::results::{AclEntry, TokenEntry};
use reel_types::{AuthId, UserId};

use super::Tree;
use super::facts::{fs_error, key_values, no_such, parsed, rows};
use crate::failure::Outcome;

/// The folder of all users.
pub(super) fn users(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let users = all.reeld.user_entries().map_err(fs_error)?;
        Ok(users.iter().map(|user| Entry::directory(user.userid.as_str())).collect())
    };
    let lookup = move |name: &OsStr| {
        let id: UserId = parsed(name)?;
        let users = one.reeld.user_entries().map_err(fs_error)?;
        users.iter().find(|user| user.userid == id).ok_or_else(|| no_such(name))?;
        Ok(user(&one, id))
    };
    let refusal = "'create ID' and 'remove ID' in users/ctl do that";
    FnDir::new(entries, lookup).beside(tree.controlled(Place::Users, refusal)).node()
}

fn user(tree: &Arc<Tree>, id: UserId) -> Node {
    let refusal = format!("'remove {id}' in the user's ctl removes it");
    let with = || (Arc::clone(&tree.reeld), id.clone());
    let (reeld, of) = with();
    let config = move || {
        let user = reeld.user_entries()?.into_iter().find(|user| user.userid == of);
        Ok(KeyValues::new()
            .with(
                "comment",
                user.as_ref().and_then(|user| user.comment.as_ref()).map(|c| c.to_string()),
            )
            .with(
                "email",
                user.as_ref().and_then(|user| user.email.as_ref()).map(|e| e.to_string()),
            )
            .with("enable", user.as_ref().and_then(|user| user.enable).unwrap_or(true))
            .with("expire", user.as_ref().and_then(|user| user.expire))
            .with(
                "firstname",
                user.as_ref().and_then(|user| user.firstname.as_ref()).map(|n| n.to_string()),
            )
            .with(
                "lastname",
                user.as_ref().and_then(|user| user.lastname.as_ref()).map(|n| n.to_string()),
            ))
    };
    let (reeld, of) = with();
    let tokens = move || reeld.token_entries(&of);
    let (reeld, of) = with();
    let permissions = move || permissions(&reeld, &AuthId::from(&of));
    tree.controlled(Place::User(id.clone()), refusal)
        .with_all(key_values("config", config))
        .with_all(rows("tokens", tokens, |token: &TokenEntry| token.token_id.to_string()))
        .with_all(key_values("permissions", permissions))
        .node()
}

/// For each object the privileges on it, marked by `*` where they reach down.
fn permissions(reeld: &crate::reeld::Reeld, id: &AuthId) -> Outcome<KeyValues> {
    let all = reeld.permissions_of(id, None)?;
    Ok(all.into_iter().fold(KeyValues::new(), |values, (path, names)| {
        let marked = names
            .into_iter()
            .map(|(name, reaches)| if reaches { format!("{name}*") } else { name });
        values.with(path, Value::List(marked.collect()))
    }))
}

/// The folder of all rights.
pub(super) fn acl(tree: &Arc<Tree>) -> Node {
    let reeld = Arc::clone(&tree.reeld);
    let show = |row: &AclEntry| {
        let group = if row.ugid_type == "group" { "@" } else { "" };
        let propagate = if row.propagate { "" } else { " (not below)" };
        format!("{} {group}{} {}{propagate}", row.path, row.ugid, row.role)
    };
    let refusal =
        "'update PATH ROLE auth-id=ID' in acl/ctl gives a role, with delete=true takes it back";
    tree.controlled(Place::Acl, refusal)
        .with_all(rows("list", move || reeld.acl_entries(), show))
        .node()
}
