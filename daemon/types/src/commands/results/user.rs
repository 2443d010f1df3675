//! Users, tokens and rights.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::{AuthId, Comment, PersonalDetail, Role, TokenName, UserId};

/// A user of `user list`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserEntry {
    /// The operator's words.
    pub comment: Option<Comment>,
    /// Email address.
    pub email: Option<PersonalDetail>,
    /// Whether the user may do anything; yes where it isn't said.
    pub enable: Option<bool>,
    /// When the user expires.
    pub expire: Option<u64>,
    /// First name.
    pub firstname: Option<PersonalDetail>,
    /// Last name.
    pub lastname: Option<PersonalDetail>,
    /// The user.
    pub userid: UserId,
}

/// A token of `user list-tokens`.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TokenEntry {
    /// The operator's words.
    pub comment: Option<Comment>,
    /// Whether the token may do anything; yes where it isn't said.
    pub enable: Option<bool>,
    /// When the token expires.
    pub expire: Option<u64>,
    /// Its name.
    pub token_name: TokenName,
    /// Its id.
    #[serde(rename = "tokenid")]
    pub token_id: AuthId,
}

/// What `user generate-token` answers with, this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewToken {
    /// Its id.
    pub tokenid: AuthId,
    /// Its secret.
    pub value: String,
}

impl std::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewToken({}, hidden)", self.tokenid)
    }
}

/// What `user permissions` answers with: for each path the names of the privileges, each with whether it reaches down.
pub type Permissions = BTreeMap<String, BTreeMap<String, bool>>;

/// A row of `acl list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclEntry {
    /// The object.
    pub path: String,
    /// Whether the role counts below it too.
    pub propagate: bool,
    /// The role.
    #[serde(rename = "roleid")]
    pub role: Role,
    /// The user or token, or the group without `@`.
    pub ugid: String,
    /// `user` or `group`.
    pub ugid_type: String,
}
