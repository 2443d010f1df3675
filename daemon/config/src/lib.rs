//! The configuration of a PBS: section files, key files, and the client keys of the daemon.
//!
//! Files are PBS's own (`config.md` §1–4) and are shared with whoever else edits them: every change
//! takes the file's lock, reads it anew, checks the digest that the caller had seen, and replaces the
//! whole file at once. Whatever fails on the way leaves the old file untouched. What this release
//! doesn't know (sections of other types in `tape.cfg`, keys of later releases) is kept as it stands.
//!
//! - [`section`]: the grammar, pure text.
//! - [`ConfigDir`]: locks, atomic replacement, owners and modes.
//! - [`Entries`]: list, get, create, update, remove of typed sections: [`DatastoreConfig`],
//!   [`PoolConfig`], [`VirtualDrive`], [`UserConfig`], …
//! - [`AclTree`]: who may do what, its file and its evaluation.
//! - [`UserPasswords`], [`TokenSecrets`]: hashes of what users and tokens prove themselves by.
//! - [`TapeKeys`], [`ClientKeys`]: encryption keys; their bytes never show in a message.

mod acl;
mod client_keys;
mod crypt_hash;
mod datastore;
mod dir;
mod drive_care;
mod entries;
mod error;
pub mod fuzz;
mod media_verify_job;
mod notifications;
mod pool;
mod pool_care;
mod remote;
mod replace;
mod secret;
pub mod section;
mod section_file;
mod settings;
mod shadow;
mod sync_job;
mod tape;
mod tape_job;
mod tape_keys;
#[cfg(test)]
mod testing;
mod user;

/// What a datastore's settings are made of.
pub use reel_types::{
    ChunkOrder, MaintenanceMode, MaintenanceType, Notify, Operation, SyncLevel, Tuning,
};

pub use acl::{AclFile, AclTree, Grant, Grantee, Roles};
pub use client_keys::{ClientKey, ClientKeyInfo, ClientKeyRing, ClientKeys};
pub use crypt_hash::CryptHash;
pub use datastore::DatastoreConfig;
pub use dir::{ConfigDigest, ConfigDir, ConfigLock, FileClass};
pub use drive_care::DriveCare;
pub use entries::{Entries, Entry};
pub use error::ConfigError;
pub use media_verify_job::MediaVerifyJobConfig;
pub use notifications::{MailServer, NotificationSettings, SmtpMode};
pub use pool::PoolConfig;
pub use pool_care::PoolCare;
pub use remote::{RemoteConfig, StoredPassword};
pub use secret::{SecretKey, fingerprint_of};
pub use section_file::SectionFile;
pub use settings::ConfigPath;
pub use shadow::{TokenSecrets, UserPasswords};
pub use sync_job::{SyncJobConfig, SyncLimits};
pub use tape::{ChangerConfig, LtoDriveConfig, TapeConfig, VirtualDrive};
pub use tape_job::TapeJobConfig;
pub use tape_keys::{
    COMMIT_POINTS, Existing, Kdf, KeySource, TapeKeyEdits, TapeKeyInfo, TapeKeys, WrappedKey,
    WrappedKeys,
};
pub use user::{TokenConfig, UserConfig, Validity};

/// The datastores in `datastore.cfg`.
pub type Datastores<'a> = Entries<'a, DatastoreConfig>;
/// The media pools in `media-pool.cfg`.
pub type Pools<'a> = Entries<'a, PoolConfig>;
/// The `virtual:` drives in `tape.cfg`.
pub type VirtualDrives<'a> = Entries<'a, VirtualDrive>;
/// The LTO drives.
pub type LtoDrives<'a> = Entries<'a, LtoDriveConfig>;
/// The remotes in `remote.cfg`.
pub type Remotes<'a> = Entries<'a, RemoteConfig>;
/// The jobs in `sync.cfg`.
pub type SyncJobs<'a> = Entries<'a, SyncJobConfig>;
/// The jobs in `tape-job.cfg`.
pub type TapeJobs<'a> = Entries<'a, TapeJobConfig>;
/// The jobs that verify media, in `media-verify.cfg`.
pub type MediaVerifyJobs<'a> = Entries<'a, MediaVerifyJobConfig>;
/// The users in `user.cfg`.
pub type Users<'a> = Entries<'a, UserConfig>;
/// Their API tokens, in the same file.
pub type Tokens<'a> = Entries<'a, TokenConfig>;
/// The changers.
pub type Changers<'a> = Entries<'a, ChangerConfig>;
