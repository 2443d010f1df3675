//! Rights and the roles that hold them (`config.md` §4.12).

use std::fmt;
use std::str::FromStr;

use crate::ParseError;
use crate::text::serde_as_text;

macro_rules! privileges {
    ($($name:ident = $text:literal),+ $(,)?) => {
        /// A right on an object of the ACL tree.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the names are PBS's own and say it")]
        pub enum Privilege { $($name),+ }

        impl Privilege {
            /// All of them, in PBS's order.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// What PBS calls it, such as `Datastore.Backup`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

privileges! {
    SysAudit = "Sys.Audit",
    SysModify = "Sys.Modify",
    SysPowerManagement = "Sys.PowerManagement",
    DatastoreAudit = "Datastore.Audit",
    DatastoreAllocate = "Datastore.Allocate",
    DatastoreModify = "Datastore.Modify",
    DatastoreRead = "Datastore.Read",
    DatastoreVerify = "Datastore.Verify",
    DatastoreBackup = "Datastore.Backup",
    DatastorePrune = "Datastore.Prune",
    PermissionsModify = "Permissions.Modify",
    RemoteAudit = "Remote.Audit",
    RemoteModify = "Remote.Modify",
    RemoteRead = "Remote.Read",
    SysConsole = "Sys.Console",
    TapeAudit = "Tape.Audit",
    TapeModify = "Tape.Modify",
    TapeWrite = "Tape.Write",
    TapeRead = "Tape.Read",
    RealmAllocate = "Realm.Allocate",
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A set of privileges.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Privileges(u32);

impl Privileges {
    /// None.
    pub const NONE: Self = Self(0);
    /// All.
    pub const ALL: Self = Self((1 << Privilege::ALL.len()) - 1);

    /// These.
    pub const fn of(privileges: &[Privilege]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < privileges.len() {
            bits |= 1 << privileges[at] as u32;
            at += 1;
        }
        Self(bits)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `privilege` is among them.
    pub const fn has(self, privilege: Privilege) -> bool {
        self.0 & 1 << privilege as u32 != 0
    }

    /// Those in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Each of them, in PBS's order.
    pub fn iter(self) -> impl Iterator<Item = Privilege> {
        Privilege::ALL.iter().copied().filter(move |privilege| self.has(*privilege))
    }
}

impl fmt::Debug for Privileges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

macro_rules! roles {
    ($($name:ident = $privileges:expr),+ $(,)?) => {
        /// A named set of privileges. The last three are of later releases of PBS; of what they stand for there is
        /// only `Remote.Audit` here.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the names are PBS's own and say it")]
        pub enum Role { $($name),+ }

        impl Role {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
            /// The words for all of them.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),+];

            /// What PBS calls it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }

            /// What it stands for.
            pub const fn privileges(self) -> Privileges {
                use Privilege::*;
                match self { $(Self::$name => $privileges),+ }
            }
        }
    };
}

roles! {
    Admin = Privileges::ALL,
    Audit = Privileges::of(&[SysAudit, DatastoreAudit]),
    NoAccess = Privileges::NONE,
    DatastoreAdmin = Privileges::of(&[
        DatastoreAudit, DatastoreModify, DatastoreRead, DatastoreVerify, DatastoreBackup, DatastorePrune,
    ]),
    DatastoreReader = Privileges::of(&[DatastoreAudit, DatastoreVerify, DatastoreRead]),
    DatastoreBackup = Privileges::of(&[DatastoreBackup]),
    DatastorePowerUser = Privileges::of(&[DatastorePrune, DatastoreBackup]),
    DatastoreAudit = Privileges::of(&[DatastoreAudit]),
    RemoteAudit = Privileges::of(&[RemoteAudit]),
    RemoteAdmin = Privileges::of(&[RemoteAudit, RemoteModify, RemoteRead]),
    RemoteSyncOperator = Privileges::of(&[RemoteAudit, RemoteRead]),
    TapeAudit = Privileges::of(&[TapeAudit]),
    TapeAdmin = Privileges::of(&[TapeAudit, TapeModify, TapeRead, TapeWrite]),
    TapeOperator = Privileges::of(&[TapeAudit, TapeRead, TapeWrite]),
    TapeReader = Privileges::of(&[TapeAudit, TapeRead]),
    RemoteSyncPushOperator = Privileges::of(&[RemoteAudit]),
    RemoteDatastorePowerUser = Privileges::of(&[RemoteAudit]),
    RemoteDatastoreAdmin = Privileges::of(&[RemoteAudit]),
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let known = Self::ALL.iter().copied().find(|role| role.as_str() == text);
        known.ok_or_else(|| {
            let reason = format!("must be one of {}", Self::NAMES.join(", "));
            ParseError::new("role", text, reason)
        })
    }
}

serde_as_text!(Role);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_put_in() {
        let set = Privileges::of(&[Privilege::TapeRead, Privilege::SysAudit]);
        let names: Vec<_> = set.iter().map(Privilege::as_str).collect();
        assert_eq!(names, ["Sys.Audit", "Tape.Read"]);
        assert_eq!(Privileges::ALL.iter().count(), 20);
        assert_eq!(set.and(Role::TapeReader.privileges()), Privileges::of(&[Privilege::TapeRead]));
        assert!(Privileges::NONE.is_empty() && !set.is_empty());
    }

    #[test]
    fn roles_are_known_by_name() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(*role));
        }
        assert!("admin".parse::<Role>().is_err());
        assert_eq!(Role::Admin.privileges(), Privileges::ALL);
    }
}
