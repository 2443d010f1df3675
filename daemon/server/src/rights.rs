//! Who somebody is, and what they may do: the one value that answers both, for every door.
//!
//! Users, tokens and rights stand in PBS's files ([`reel_config`]); what was read of them is remembered for as long as
//! the files stay the same. The superuser needs none of them: it may do everything, also while a file can't be read.
//!
//! - [`of_commands`]: what each command asks for, and which rows of its answer are shown.
//! - [`of_mount`]: what looking, reading and acting in the tree asks for.

mod of_commands;
mod of_mount;
mod places;
mod rows;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::libc;
use nix::unistd::{Uid, User};
use reel_config::{
    AclFile, AclTree, ConfigDir, CryptHash, Entry, TokenConfig, TokenSecrets, Tokens, UserConfig,
    UserPasswords, Users, Validity,
};
use reel_store::plain_digest;
use reel_types::{AclPath, AuthId, Authorizer, Clock, Digest, Privilege, Privileges, UserId};

use crate::failure::{Failure, Outcome};
use crate::memo::{Memo, Stamp};

pub use of_mount::MountRights;

/// How long the name of a user of the system is believed (`config.md` §4.12 allows as much).
const NAME_BELIEVED: Duration = Duration::from_secs(5);
/// The realm whose passwords are kept here.
const OWN_REALM: &str = "pbs";

/// Users, tokens and rights.
pub struct Rights {
    config: ConfigDir,
    clock: Arc<dyn Clock>,
    /// Who runs this process counts as the superuser, as root does.
    own_uid: u32,
    known: Memo<(), [Option<Stamp>; 2], Arc<Known>>,
    names: Mutex<HashMap<u32, (Instant, AuthId)>>,
    /// Of each token the hash that its secret was found to have, and the digest of that secret.
    fitting: Mutex<HashMap<AuthId, (CryptHash, Digest)>>,
}

/// What the files say.
struct Known {
    validity: HashMap<AuthId, Validity>,
    acl: AclTree,
}

impl Known {
    fn load(config: &ConfigDir) -> Outcome<Self> {
        let (users, _) = Users::new(config).list()?;
        let (tokens, _) = Tokens::new(config).list()?;
        let users =
            users.into_iter().map(|user: UserConfig| (AuthId::from(&user.id), user.validity));
        let tokens = tokens.into_iter().map(|token: TokenConfig| (token.id, token.validity));
        let (acl, _) = AclFile::new(config).load()?;
        Ok(Self { validity: users.chain(tokens).collect(), acl })
    }

    /// Whether a user, or a token and its user, exists and counts now.
    fn is_active(&self, id: &AuthId, now: i64) -> bool {
        let counts = |id: &AuthId| self.validity.get(id).is_some_and(|valid| valid.is_active(now));
        counts(id) && (id.token().is_none() || counts(&id.owner()))
    }
}

impl Rights {
    /// Those of the configuration in `config`, by the time of `clock`.
    pub fn new(config: ConfigDir, clock: Arc<dyn Clock>) -> Self {
        let own_uid = nix::unistd::geteuid().as_raw();
        Self {
            config,
            clock,
            own_uid,
            known: Memo::new(1),
            names: Mutex::default(),
            fitting: Mutex::default(),
        }
    }

    fn known(&self) -> Outcome<Arc<Known>> {
        let stamp = |name: &str| Stamp::of(&self.config.file(name));
        let stamps = [stamp(UserConfig::FILE.name)?, stamp(AclFile::NAME)?];
        self.known.get_or((), stamps, || Known::load(&self.config).map(Arc::new))
    }

    /// As whom a process of the user `uid` acts: the superuser for root and for whoever runs the daemon, else the
    /// user of that name in the realm `pam`, who must be one that counts.
    pub fn identify(&self, uid: u32) -> Outcome<AuthId> {
        if uid == 0 || uid == self.own_uid {
            return Ok(AuthId::root());
        }
        let id = self.name_of(uid)?;
        match self.known()?.is_active(&id, self.clock.now()) {
            true => Ok(id),
            false => Err(denied(format!(
                "user '{id}' is not known here, disabled or expired; 'reelctl user create {id}' makes it known"
            ))),
        }
    }

    fn name_of(&self, uid: u32) -> Outcome<AuthId> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.retain(|_, (asked, _)| asked.elapsed() < NAME_BELIEVED);
        if let Some((_, id)) = names.get(&uid) {
            return Ok(id.clone());
        }
        drop(names);
        // Off the lock: a directory service may take its time.
        let user = User::from_uid(Uid::from_raw(uid));
        let user = user.map_err(|errno| denied(format!("who is the user {uid}? {errno}")))?;
        let user = user.ok_or_else(|| denied(format!("the system knows no user {uid}")))?;
        let id = AuthId::from(&UserId::of_system(&user.name)?);
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(uid, (Instant::now(), id.clone()));
        Ok(id)
    }

    /// Whether a user or token exists, is enabled and has not expired, and a token's user likewise.
    pub fn is_active(&self, id: &AuthId) -> bool {
        self.known().is_ok_and(|known| known.is_active(id, self.clock.now()))
    }

    /// Whether this is the password of a user who counts. Passwords of the realm `pbs` are known here; those of the
    /// system (`pam`) and of other realms are not, and fit nobody.
    pub fn login(&self, user: &UserId, password: &str) -> bool {
        let hash = || UserPasswords::new(&self.config).hash_of(user).ok().flatten();
        user.realm() == OWN_REALM
            && self.is_active(&user.into())
            && hash().is_some_and(|hash| hash.fits(password))
    }

    /// Whether this is the secret of a token that counts.
    pub fn token(&self, token: &AuthId, secret: &str) -> bool {
        let hash = || TokenSecrets::new(&self.config).hash_of(token).ok().flatten();
        token.token().is_some()
            && self.is_active(token)
            && hash().is_some_and(|hash| self.fits(token, hash, secret))
    }

    /// Whether a secret has this hash. Hashing takes its time on purpose, and a token comes with each request.
    fn fits(&self, token: &AuthId, hash: CryptHash, secret: &str) -> bool {
        let digest = plain_digest(secret.as_bytes());
        let known = || self.fitting.lock().unwrap_or_else(PoisonError::into_inner);
        if known().get(token).is_some_and(|fitting| *fitting == (hash.clone(), digest)) {
            return true;
        }
        let fits = hash.fits(secret);
        if fits {
            known().insert(token.clone(), (hash, digest));
        }
        fits
    }

    /// What somebody who counts may do with an object.
    pub fn privileges(&self, who: &AuthId, path: &AclPath) -> Outcome<Privileges> {
        if who.is_root() {
            return Ok(Privileges::ALL);
        }
        let known = self.known()?;
        Ok(match known.is_active(who, self.clock.now()) {
            true => known.acl.privileges(who, path.components()).0,
            false => Privileges::NONE,
        })
    }

    /// What somebody who counts may do with an object or with anything below it.
    pub fn privileges_below(&self, who: &AuthId, path: &AclPath) -> Outcome<Privileges> {
        if who.is_root() {
            return Ok(Privileges::ALL);
        }
        let known = self.known()?;
        Ok(match known.is_active(who, self.clock.now()) {
            true => known.acl.privileges_below(who, path.components()),
            false => Privileges::NONE,
        })
    }

    /// Whether somebody may do one of these with an object.
    pub fn has_any(&self, who: &AuthId, path: &AclPath, any: &[Privilege]) -> bool {
        let have = self.privileges(who, path);
        have.is_ok_and(|have| !have.and(Privileges::of(any)).is_empty())
    }

    /// Refuses who may do none of these with an object, and says what is missing.
    pub fn require(&self, who: &AuthId, path: &AclPath, any: &[Privilege]) -> Outcome<()> {
        match self.privileges(who, path)?.and(Privileges::of(any)).is_empty() {
            true => Err(lacking(who, path, any)),
            false => Ok(()),
        }
    }
}

impl Authorizer for Rights {
    fn allows(&self, who: &AuthId, path: &str, privilege: Privilege) -> bool {
        if who.is_root() {
            return true;
        }
        let names = path.split('/').filter(|name| !name.is_empty());
        self.known().is_ok_and(|known| {
            known.is_active(who, self.clock.now())
                && known.acl.privileges(who, names).0.has(privilege)
        })
    }
}

/// Not allowed, with the reason.
fn denied(reason: impl Into<String>) -> Failure {
    Failure::new(libc::EACCES, format!("permission check failed - {}", reason.into()))
}

/// Not allowed for want of a privilege, any of these.
fn lacking(who: &AuthId, path: &AclPath, any: &[Privilege]) -> Failure {
    let names: Vec<&str> = any.iter().map(|privilege| privilege.as_str()).collect();
    let names = names.join(" or ");
    denied(format!(
        "'{who}' needs {names} on '{path}'; 'reelctl acl update {path} ROLE --auth-id {who}' gives it"
    ))
}

#[cfg(test)]
mod tests;
