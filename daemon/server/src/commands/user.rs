//! Users and their tokens (`cli-manager.md` §3.5).

use std::collections::BTreeMap;

use reel_config::{
    AclFile, TokenConfig, TokenSecrets, Tokens, UserConfig, UserPasswords, Users, Validity,
};
use reel_types::commands::results::{NewToken, Permissions, TokenEntry, UserEntry};
use reel_types::commands::{
    ParamErrors, UserCreate, UserDeleteToken, UserGenerateToken, UserListTokens, UserPermissions,
    UserRemove, UserUpdate,
};
use reel_types::{AclPath, AuthId, Password, UserId};

use super::secrets::password;
use super::{Done, config_digest, kept};
use crate::failure::Outcome;
use crate::reeld::Reeld;

/// The realm whose passwords are kept here.
const OWN_REALM: &str = "pbs";
/// The realm of the system's users.
const SYSTEM_REALM: &str = "pam";
/// Characters of a password at least and at most (`config.md` §3).
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 5..=64;

impl Reeld {
    pub(super) fn user_list(&self) -> Outcome<Done> {
        Done::data(self.user_entries()?)
    }

    /// The rows of `user list`.
    pub(crate) fn user_entries(&self) -> Outcome<Vec<UserEntry>> {
        let (mut users, _) = Users::new(&self.config).list()?;
        users.sort_by(|a, b| a.id.cmp(&b.id));
        let entry = |user: UserConfig| UserEntry {
            comment: user.comment,
            email: user.email,
            enable: user.validity.enable,
            expire: user.validity.expire,
            firstname: user.firstname,
            lastname: user.lastname,
            userid: user.id,
        };
        Ok(users.into_iter().map(entry).collect())
    }

    pub(super) fn user_create(&self, command: &UserCreate, who: &AuthId) -> Outcome<Done> {
        check_realm(&command.userid)?;
        let password = password(command.password.as_ref(), command.password_file.as_ref(), who)?;
        check_password(&command.userid, password.as_ref())?;
        let user = UserConfig {
            id: command.userid.clone(),
            validity: validity(command.enable, command.expire.map(|time| time.get())),
            comment: command.comment.as_ref().and_then(kept),
            email: command.email.clone(),
            firstname: command.firstname.clone(),
            lastname: command.lastname.clone(),
        };
        Users::new(&self.config).create(&user)?;
        self.set_password(&command.userid, password.as_ref())
    }

    pub(super) fn user_update(&self, command: &UserUpdate, who: &AuthId) -> Outcome<Done> {
        let password = password(command.password.as_ref(), command.password_file.as_ref(), who)?;
        check_password(&command.userid, password.as_ref())?;
        let digest = config_digest(command.digest.as_ref())?;
        let delete: Vec<&str> = command.delete.iter().map(|key| key.as_str()).collect();
        Users::new(&self.config).update(&command.userid, &delete, digest.as_ref(), |user| {
            let enable = command.enable.or(user.validity.enable);
            let expire = command.expire.map(|time| time.get()).or(user.validity.expire);
            user.validity = validity(enable, expire);
            user.email = command.email.clone().or(user.email.take());
            user.firstname = command.firstname.clone().or(user.firstname.take());
            user.lastname = command.lastname.clone().or(user.lastname.take());
            if let Some(comment) = &command.comment {
                user.comment = kept(comment);
            }
            Ok(())
        })?;
        self.set_password(&command.userid, password.as_ref())
    }

    fn set_password(&self, user: &UserId, password: Option<&Password>) -> Outcome<Done> {
        if let Some(password) = password {
            UserPasswords::new(&self.config).set(user, password)?;
        }
        Done::nothing()
    }

    pub(super) fn user_remove(&self, command: &UserRemove) -> Outcome<Done> {
        let digest = config_digest(command.digest.as_ref())?;
        // From here on the user counts no more; the rest keeps a later one of the same name from inheriting.
        let mut gone = UserConfig::remove(&self.config, &command.userid, digest.as_ref())?;
        TokenSecrets::new(&self.config).remove(&gone)?;
        if command.userid.realm() == OWN_REALM {
            UserPasswords::new(&self.config).remove(&command.userid)?;
        }
        gone.push(AuthId::from(&command.userid));
        AclFile::new(&self.config).update(None, |tree| Ok(tree.revoke_all(&gone)))?;
        Done::nothing()
    }

    pub(super) fn user_list_tokens(&self, command: &UserListTokens) -> Outcome<Done> {
        Users::new(&self.config).get(&command.userid)?;
        Done::data(self.token_entries(&command.userid)?)
    }

    /// The rows of `user list-tokens`.
    pub(crate) fn token_entries(&self, user: &UserId) -> Outcome<Vec<TokenEntry>> {
        let (mut tokens, _) = Tokens::new(&self.config).list()?;
        tokens.sort_by(|a, b| a.id.cmp(&b.id));
        let of_user = tokens.into_iter().filter(|token| token.id.user() == user.as_str());
        of_user.map(token_entry).collect()
    }

    pub(super) fn user_generate_token(&self, command: &UserGenerateToken) -> Outcome<Done> {
        let digest = config_digest(command.digest.as_ref())?;
        let id = AuthId::of_token(&command.userid, &command.token_name);
        let token = TokenConfig {
            id: id.clone(),
            validity: validity(command.enable, command.expire.map(|time| time.get())),
            comment: command.comment.as_ref().and_then(kept),
        };
        TokenConfig::create(&self.config, &token, digest.as_ref())?;
        let value = new_secret();
        TokenSecrets::new(&self.config).set(&id, &value.parse()?)?;
        Done::data(NewToken { tokenid: id, value })
    }

    pub(super) fn user_delete_token(&self, command: &UserDeleteToken) -> Outcome<Done> {
        let digest = config_digest(command.digest.as_ref())?;
        let id = AuthId::of_token(&command.userid, &command.token_name);
        Tokens::new(&self.config).remove(&id, digest.as_ref())?;
        let gone = [id];
        TokenSecrets::new(&self.config).remove(&gone)?;
        AclFile::new(&self.config).update(None, |tree| Ok(tree.revoke_all(&gone)))?;
        Done::nothing()
    }

    pub(super) fn user_permissions(&self, command: &UserPermissions) -> Outcome<Done> {
        Done::data(self.permissions_of(&command.auth_id, command.path.as_ref())?)
    }

    /// What a user or token may do with an object, or with all on which it may do anything.
    pub(crate) fn permissions_of(
        &self,
        id: &AuthId,
        path: Option<&AclPath>,
    ) -> Outcome<Permissions> {
        let (tree, _) = AclFile::new(&self.config).load()?;
        let paths: Vec<AclPath> = match path {
            Some(path) => vec![path.clone()],
            // What the file names may be no path that can be asked about.
            None => tree.paths().iter().filter_map(|path| path.parse().ok()).collect(),
        };
        let mut all = Permissions::new();
        for object in paths {
            let (have, down) = tree.privileges(id, object.components());
            let names: BTreeMap<_, _> =
                have.iter().map(|name| (name.to_string(), down.has(name))).collect();
            if path.is_some() || !names.is_empty() {
                all.insert(object.to_string(), names);
            }
        }
        Ok(all)
    }
}

fn token_entry(token: TokenConfig) -> Outcome<TokenEntry> {
    Ok(TokenEntry {
        comment: token.comment,
        enable: token.validity.enable,
        expire: token.validity.expire,
        token_name: token.id.token().unwrap_or_default().parse()?,
        token_id: token.id,
    })
}

fn validity(enable: Option<bool>, expire: Option<u64>) -> Validity {
    Validity { enable, expire }.normalized()
}

/// A secret that nobody guesses: a random UUID, as PBS makes it.
fn new_secret() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn check_realm(user: &UserId) -> Outcome<()> {
    if [OWN_REALM, SYSTEM_REALM].contains(&user.realm()) {
        return Ok(());
    }
    let reason = format!("there is no realm '{}'; there are 'pam' and 'pbs'", user.realm());
    Err(ParamErrors::one("userid", reason).into())
}

fn check_password(user: &UserId, password: Option<&Password>) -> Outcome<()> {
    let Some(password) = password else { return Ok(()) };
    let refuse = |reason: String| Err(ParamErrors::one("password", reason).into());
    if user.realm() != OWN_REALM {
        return refuse(format!(
            "passwords of the realm '{}' are not kept here; passwd(1) sets that of a user of the system",
            user.realm()
        ));
    }
    if !PASSWORD_CHARS.contains(&password.reveal().chars().count()) {
        return refuse("must be 5 to 64 characters long".into());
    }
    Ok(())
}
