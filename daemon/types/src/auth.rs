//! Who acts, and the question whether they may.

use std::fmt;
use std::str::FromStr;

use crate::ParseError;
use crate::names::{TokenName, check_safe_id};
use crate::privilege::Privilege;
use crate::text::{checked_text, serde_as_text};

/// A user `name@realm` or one of its tokens `name@realm!token` (`datastore.md` §4.4).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthId {
    user: Box<str>,
    token: Option<Box<str>>,
}

impl AuthId {
    /// The superuser, `root@pam`.
    pub fn root() -> Self {
        Self { user: "root@pam".into(), token: None }
    }

    /// A token of `user`.
    pub fn of_token(user: &UserId, token: &TokenName) -> Self {
        Self { user: user.as_str().into(), token: Some(token.as_str().into()) }
    }

    /// The user itself, of a user as of a token.
    pub fn owner(&self) -> Self {
        Self { user: self.user.clone(), token: None }
    }

    /// Whether it is the superuser itself; its tokens are not.
    pub fn is_root(&self) -> bool {
        *self == Self::root()
    }

    /// The user without the token's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The token's name; none for a user.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Whether `actor` may act as owner of what `self` owns: the same id, or the user of the owning
    /// token (`datastore.md` §4.4).
    pub fn is_owned_by(&self, actor: &Self) -> bool {
        self == actor || (self.token.is_some() && actor.token.is_none() && self.user == actor.user)
    }
}

impl fmt::Display for AuthId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.token {
            Some(token) => write!(f, "{}!{token}", self.user),
            None => f.write_str(&self.user),
        }
    }
}

impl FromStr for AuthId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const KIND: &str = "user or token id";
        let refuse = |reason: &str| ParseError::new(KIND, text, reason);
        if !(3..=64).contains(&text.chars().count()) {
            return Err(refuse("must be 3 to 64 characters long"));
        }
        let (name, realm) = text.rsplit_once('@').ok_or_else(|| refuse("must be 'user@realm'"))?;
        let forbidden = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ':' | '/');
        if name.is_empty() || name.contains(forbidden) {
            return Err(refuse("the user must not be empty nor hold blanks, ':' or '/'"));
        }
        let (realm, token) = match realm.split_once('!') {
            Some((realm, token)) => (realm, Some(token)),
            None => (realm, None),
        };
        check_safe_id(KIND, realm, 1..=32)?;
        if let Some(token) = token {
            check_safe_id(KIND, token, 1..=64)?;
        }
        Ok(Self { user: format!("{name}@{realm}").into(), token: token.map(Into::into) })
    }
}

serde_as_text!(AuthId);

checked_text!(
    /// A user `name@realm`, 3 to 64 characters (`remote-protocol.md` §3.1).
    UserId, |text| check_user_id(text)
);

fn check_user_id(text: &str) -> Result<(), ParseError> {
    let id: AuthId = text.parse()?;
    if id.token.is_some() {
        return Err(ParseError::new("user id", text, "must be a user, not a token"));
    }
    check_safe_id("user id", realm_of(text), REALM_CHARS)
}

/// Characters of a realm in a user id.
const REALM_CHARS: std::ops::RangeInclusive<usize> = 3..=32;

fn realm_of(user: &str) -> &str {
    user.rsplit_once('@').map_or("", |(_, realm)| realm)
}

impl UserId {
    /// The user of this name among those of the system.
    pub fn of_system(name: &str) -> Result<Self, ParseError> {
        format!("{name}@pam").parse()
    }

    /// The name without the realm.
    pub fn name(&self) -> &str {
        self.as_str().rsplit_once('@').map_or("", |(name, _)| name)
    }

    /// Who knows the user's password: `pam` is the system, `pbs` the server itself.
    pub fn realm(&self) -> &str {
        realm_of(self.as_str())
    }
}

impl From<&UserId> for AuthId {
    fn from(user: &UserId) -> Self {
        Self { user: user.as_str().into(), token: None }
    }
}

/// Answers whether somebody may do something; asked once for each command.
pub trait Authorizer: Send + Sync {
    /// Whether `who` has `privilege` on the ACL path `path`, such as `/datastore/store1`.
    fn allows(&self, who: &AuthId, path: &str, privilege: Privilege) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> AuthId {
        text.parse().unwrap()
    }

    #[test]
    fn tokens_belong_to_their_user() {
        assert!(id("u@pbs!t").is_owned_by(&id("u@pbs")));
        assert!(!id("u@pbs").is_owned_by(&id("u@pbs!t")));
        assert!(!id("u@pbs!t").is_owned_by(&id("u@pbs!other")));
        assert!(id("u@pbs").is_owned_by(&id("u@pbs")));
    }

    #[test]
    fn users_are_no_tokens_and_have_a_realm() {
        let user: UserId = "a@b@pbs".parse().unwrap();
        assert_eq!((user.name(), user.realm()), ("a@b", "pbs"));
        for bad in ["u@pbs!tok", "u@p", "u@ab", "root", "", "@pbs", "a b@pbs"] {
            assert!(bad.parse::<UserId>().is_err(), "{bad}");
        }
        let token = AuthId::of_token(&user, &"tok".parse().unwrap());
        assert_eq!(token.to_string(), "a@b@pbs!tok");
        assert_eq!(token.owner(), AuthId::from(&user));
        assert!(!id("root@pam!tok").is_root());
    }

    #[test]
    fn forms() {
        for good in ["root@pam", "a@b@pbs", "u@pbs!tok-1"] {
            assert_eq!(id(good).to_string(), good);
        }
        for bad in ["", "root", "@pam", "a b@pam", "a:b@pam", "a@", "a@pam!", "a@p m"] {
            assert!(bad.parse::<AuthId>().is_err(), "{bad}");
        }
    }
}
