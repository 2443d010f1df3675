//! Users, their tokens, and who may do what (`cli-manager.md` §3.5, §3.6).

use super::define::*;
use super::output::{Answer, Listing, Render, number, rendered, rendered_right, text};
use super::values::{Expiry, LocalPath, UserProperty};
use crate::{AclPath, AuthId, Comment, Digest, Password, PersonalDetail, Role, TokenName, UserId};

const USERS: Listing = Listing {
    columns: &[
        text("userid"),
        rendered_right("enable", Render::DefaultTrue),
        rendered_right("expire", Render::Expire),
        text("firstname"),
        text("lastname"),
        text("email"),
        text("comment"),
    ],
    sort_by: &["userid"],
};

const TOKENS: Listing = Listing {
    columns: &[
        text("tokenid"),
        rendered_right("enable", Render::DefaultTrue),
        rendered_right("expire", Render::Expire),
        text("comment"),
    ],
    sort_by: &["tokenid"],
};

const RIGHTS: Listing = Listing {
    columns: &[
        rendered("ugid", Render::Grantee),
        text("path"),
        number("propagate"),
        text("roleid"),
    ],
    sort_by: &["ugid", "path", "roleid"],
};

commands! {
    /// List the users.
    UserList ["user" "list"] => Answer::List(&USERS);
    {}
}

settings! {
    /// Create a user. One of the realm 'pam' is the system's user of that name, who needs no password here.
    UserCreate ["user" "create"] => Answer::Nothing;
    /// Change a user.
    UserUpdate ["user" "update"];
    {
        /// User id, NAME@pbs or NAME@pam.
        arg userid: UserId,
        /// Password of a user of the realm 'pbs'. Better read from a file: others see it in the list of processes.
        may password: Password,
        /// File whose first line is the password, readable by its owner alone; '-' is the standard input of reelctl.
        may password_file: LocalPath,
        /// Comment; an empty one removes it.
        may comment: Comment,
        /// Email address.
        may email: PersonalDetail,
        /// Whether the user may do anything.
        may enable: bool,
        /// When the user expires, seconds since 1970; 0 is never.
        may expire: Expiry,
        /// First name.
        may firstname: PersonalDetail,
        /// Last name.
        may lastname: PersonalDetail,
    }
    update only {
        /// Properties to delete, before new values are set.
        opt delete: Vec<UserProperty>,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }
}

commands! {
    /// Remove a user, with its tokens and all that was allowed to them.
    UserRemove ["user" "remove"] => Answer::Nothing;
    {
        /// User id.
        arg userid: UserId,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }

    /// List the API tokens of a user.
    UserListTokens ["user" "list-tokens"] => Answer::List(&TOKENS);
    {
        /// User id.
        arg userid: UserId,
    }

    /// Create an API token of a user. Its secret is shown this once.
    UserGenerateToken ["user" "generate-token"] => Answer::Result;
    {
        /// User id.
        arg userid: UserId,
        /// Name of the token.
        arg token_name: TokenName,
        /// Comment.
        opt comment: Option<Comment>,
        /// Whether the token may do anything.
        opt enable: Option<bool>,
        /// When the token expires, seconds since 1970; 0 is never.
        opt expire: Option<Expiry>,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }

    /// Remove an API token, with all that was allowed to it.
    UserDeleteToken ["user" "delete-token"] => Answer::Nothing;
    {
        /// User id.
        arg userid: UserId,
        /// Name of the token.
        arg token_name: TokenName,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }

    /// Show what a user or token may do.
    UserPermissions ["user" "permissions"] => Answer::Permissions;
    {
        /// User or token.
        arg auth_id: AuthId,
        /// On this object alone.
        opt path: Option<AclPath>,
    }

    /// List who has which role on which object.
    AclList ["acl" "list"] => Answer::List(&RIGHTS);
    {}

    /// Give a role on an object to a user or token, or take it back. NoAccess and other roles take each other's place.
    /// PBS before 4 can't read an acl.cfg with the roles that end in PushOperator or begin with RemoteDatastore.
    AclUpdate ["acl" "update"] => Answer::Nothing;
    {
        /// Object, such as /datastore/store1 or /tape/pool.
        arg path: AclPath,
        /// Role.
        arg role: Role,
        /// User or token.
        opt auth_id: AuthId,
        /// Whether it counts for what lies below the object too.
        opt propagate: bool = true,
        /// Take the role back.
        opt delete: bool = false,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
    }
}
