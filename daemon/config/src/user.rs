//! Users and API tokens in `user.cfg` (`config.md` §4.10).

use reel_types::{AuthId, Comment, ParseError, PersonalDetail, UserId};

use crate::entries::{Entry, number, put, put_bool, put_number, value};
use crate::section::{Document, Key, Schema, Section, SectionType, Unknown, ValueKind};
use crate::{ConfigDigest, ConfigDir, ConfigError, SectionFile};

const ROOT: &str = "root@pam";

const EXPIRE: Key = Key::optional("expire", ValueKind::Integer { min: 0, max: i64::MAX });

static FILE: SectionFile = SectionFile {
    name: "user.cfg",
    lock: ".user.lck",
    schema: Schema {
        types: &[
            SectionType {
                name: "user",
                check_id: |id| id.parse::<UserId>().map(drop),
                keys: &[
                    Key::optional("comment", ValueKind::parsed::<Comment>()),
                    Key::optional("email", ValueKind::parsed::<PersonalDetail>()),
                    Key::optional("enable", ValueKind::Bool),
                    EXPIRE,
                    Key::optional("firstname", ValueKind::parsed::<PersonalDetail>()),
                    Key::optional("lastname", ValueKind::parsed::<PersonalDetail>()),
                ],
                check: |section| UserConfig::read(section).map(drop),
            },
            SectionType {
                name: "token",
                check_id: |id| token_id(id).map(drop),
                keys: &[
                    Key::optional("comment", ValueKind::parsed::<Comment>()),
                    Key::optional("enable", ValueKind::Bool),
                    EXPIRE,
                ],
                check: |section| TokenConfig::read(section).map(drop),
            },
        ],
        aliases: &[],
        unknown_types: Unknown::Refuse,
        unknown_keys: Unknown::Keep,
    },
};

fn token_id(text: &str) -> Result<AuthId, ParseError> {
    let id: AuthId = text.parse()?;
    match id.token() {
        Some(_) => Ok(id),
        None => Err(ParseError::new("token id", text, "must be 'user@realm!token'")),
    }
}

/// For how long a user or token counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Validity {
    /// Whether it counts at all; yes by default.
    pub enable: Option<bool>,
    /// Until when (UNIX seconds); 0 and none are forever.
    pub expire: Option<u64>,
}

impl Validity {
    /// Whether it counts at `now` (UNIX seconds).
    pub fn is_active(self, now: i64) -> bool {
        let not_expired = |expire: u64| expire == 0 || i64::try_from(expire).is_ok_and(|e| e > now);
        self.enable.unwrap_or(true) && self.expire.is_none_or(not_expired)
    }

    /// The same without what is the default anyway.
    #[must_use]
    pub fn normalized(self) -> Self {
        Self {
            enable: self.enable.filter(|enable| !enable),
            expire: self.expire.filter(|expire| *expire != 0),
        }
    }

    fn read(section: &Section) -> Result<Self, ParseError> {
        let enable = section.get("enable").map(reel_types::parse_bool).transpose()?;
        Ok(Self { enable, expire: number(section, "expire") })
    }

    fn write(self, section: &mut Section) {
        put_bool(section, "enable", self.enable);
        put_number(section, "expire", self.expire);
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserConfig {
    /// Its id.
    pub id: UserId,
    /// For how long it counts.
    pub validity: Validity,
    /// A comment.
    pub comment: Option<Comment>,
    /// Its address.
    pub email: Option<PersonalDetail>,
    /// Its first name.
    pub firstname: Option<PersonalDetail>,
    /// Its last name.
    pub lastname: Option<PersonalDetail>,
}

impl UserConfig {
    /// A user of whom nothing is known.
    pub fn new(id: UserId) -> Self {
        let validity = Validity::default();
        Self { id, validity, comment: None, email: None, firstname: None, lastname: None }
    }

    /// Removes a user with all its tokens, whose ids are returned. What was allowed to them stands in other files.
    pub fn remove(
        dir: &ConfigDir,
        id: &UserId,
        expected: Option<&ConfigDigest>,
    ) -> Result<Vec<AuthId>, ConfigError> {
        let name = id.to_string();
        if name == ROOT {
            let reason = "it is the superuser and always there".into();
            return Err(ConfigError::Invalid { kind: Self::KIND, name, reason });
        }
        FILE.update(dir, expected, |document| {
            if document.get(&name).is_none() {
                return Err(ConfigError::NotFound { kind: Self::KIND, name: name.clone() });
            }
            let tokens: Vec<AuthId> = crate::entries::entries_of::<TokenConfig>(document)?
                .into_iter()
                .map(|token| token.id)
                .filter(|token| token.user() == name)
                .collect();
            for token in &tokens {
                document.remove(&token.to_string());
            }
            document.remove(&name);
            Ok(tokens)
        })
    }
}

impl Entry for UserConfig {
    const KIND: &'static str = "user";
    const SECTION: &'static str = "user";
    const FILE: &'static SectionFile = &FILE;
    const DELETABLE: &'static [&'static str] = &["comment", "email", "firstname", "lastname"];
    type Name = UserId;

    fn name(&self) -> &UserId {
        &self.id
    }

    fn read(section: &Section) -> Result<Self, ParseError> {
        Ok(Self {
            id: section.id().parse()?,
            validity: Validity::read(section)?,
            comment: value(section, "comment")?,
            email: value(section, "email")?,
            firstname: value(section, "firstname")?,
            lastname: value(section, "lastname")?,
        })
    }

    fn write(&self, section: &mut Section) {
        self.validity.write(section);
        put(section, "comment", self.comment.as_ref());
        put(section, "email", self.email.as_ref());
        put(section, "firstname", self.firstname.as_ref());
        put(section, "lastname", self.lastname.as_ref());
    }

    /// The superuser is always there.
    fn complete(document: &mut Document) {
        if document.get(ROOT).is_none() {
            let mut root = Section::new(Self::SECTION, ROOT);
            root.set("comment", ["Superuser"]);
            document.insert(root);
        }
    }
}

/// An API token of a user; its secret stands in `token.shadow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenConfig {
    /// Its id, that of a token.
    pub id: AuthId,
    /// For how long it counts.
    pub validity: Validity,
    /// A comment.
    pub comment: Option<Comment>,
}

impl TokenConfig {
    /// Adds a token to its user, if the file is still the one that the caller saw.
    pub fn create(
        dir: &ConfigDir,
        token: &Self,
        expected: Option<&ConfigDigest>,
    ) -> Result<(), ConfigError> {
        FILE.update(dir, expected, |document| {
            Self::complete(document);
            crate::entries::add(document, token)
        })
    }
}

impl Entry for TokenConfig {
    const KIND: &'static str = "token";
    const SECTION: &'static str = "token";
    const FILE: &'static SectionFile = &FILE;
    const DELETABLE: &'static [&'static str] = &["comment"];
    type Name = AuthId;

    fn name(&self) -> &AuthId {
        &self.id
    }

    fn read(section: &Section) -> Result<Self, ParseError> {
        Ok(Self {
            id: token_id(section.id())?,
            validity: Validity::read(section)?,
            comment: value(section, "comment")?,
        })
    }

    fn write(&self, section: &mut Section) {
        self.validity.write(section);
        put(section, "comment", self.comment.as_ref());
    }

    fn check(&self, _before: Option<&Self>, others: &Document) -> Result<(), ConfigError> {
        match others.get(self.id.user()) {
            Some(_) => Ok(()),
            None => Err(ConfigError::NotFound {
                kind: UserConfig::KIND,
                name: self.id.user().to_owned(),
            }),
        }
    }

    fn complete(document: &mut Document) {
        UserConfig::complete(document);
    }
}

#[cfg(test)]
mod tests {
    use crate::{Tokens, Users};

    use super::*;
    use crate::testing::{content_of, folder_with};

    #[test]
    fn the_superuser_is_there_without_being_written() {
        let (_folder, dir) = folder_with(&FILE, "");
        let (users, _) = Users::new(&dir).list().unwrap();
        assert_eq!(users.len(), 1);
        assert_eq!(users[0].comment.as_ref().unwrap().as_str(), "Superuser");
        Users::new(&dir).create(&UserConfig::new("u@pbs".parse().unwrap())).unwrap();
        assert_eq!(content_of(&FILE, &dir), "user: root@pam\n\tcomment Superuser\n\nuser: u@pbs\n");
        let root = "root@pam".parse().unwrap();
        assert!(UserConfig::remove(&dir, &root, None).is_err());
    }

    #[test]
    fn tokens_need_their_user_and_go_with_it() {
        let (_folder, dir) = folder_with(&FILE, "user: u@pbs\n\nuser: u2@pbs\n");
        let token = |id: &str| TokenConfig {
            id: id.parse().unwrap(),
            validity: Validity { enable: Some(false), expire: Some(5) },
            comment: None,
        };
        Tokens::new(&dir).create(&token("u@pbs!tok")).unwrap();
        Tokens::new(&dir).create(&token("u2@pbs!tok")).unwrap();
        assert!(
            content_of(&FILE, &dir).contains("\ntoken: u@pbs!tok\n\tenable false\n\texpire 5\n")
        );
        let error = Tokens::new(&dir).create(&token("nobody@pbs!tok")).unwrap_err();
        assert_eq!(error.to_string(), "no such user 'nobody@pbs'");
        let gone = UserConfig::remove(&dir, &"u@pbs".parse().unwrap(), None).unwrap();
        assert_eq!(gone, ["u@pbs!tok".parse().unwrap()]);
        let (left, _) = Tokens::new(&dir).list().unwrap();
        assert_eq!(left.len(), 1);
    }

    #[test]
    fn a_user_counts_until_it_expires() {
        let validity = |enable, expire| Validity { enable, expire };
        for (validity, active) in [
            (validity(None, None), true),
            (validity(Some(true), Some(0)), true),
            (validity(Some(false), None), false),
            (validity(None, Some(101)), true),
            (validity(None, Some(100)), false),
            (validity(None, Some(u64::MAX)), false),
        ] {
            assert_eq!(validity.is_active(100), active, "{validity:?}");
        }
        assert_eq!(validity(Some(true), Some(0)).normalized(), Validity::default());
    }

    #[test]
    fn ids_of_the_wrong_kind_are_refused() {
        for bad in ["user: u@pbs!tok\n", "token: u@pbs\n", "user: u@pbs\n\texpire -1\n"] {
            let (_folder, dir) = folder_with(&FILE, bad);
            assert!(Users::new(&dir).list().is_err(), "{bad}");
        }
    }
}
