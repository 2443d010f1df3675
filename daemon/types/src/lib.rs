//! What a name, an id, a size, a span, a schedule, a command is: parsed once at the border, printed
//! once on the way out.
//!
//! Every crate of reelfs but `hw` and `fs` speaks in these types, so that a string which reached the
//! inside of the house has already been checked against the rules of `config.md` §3 and
//! `datastore.md` §4. The crate does no I/O of any kind; time comes in through [`Clock`].

mod archive;
mod auth;
mod backup;
mod cancel;
mod clock;
mod digest;
mod error;
mod media;
mod names;
mod namespace;
mod task;
mod text;

pub use archive::{ArchiveKind, ArchiveName};
pub use auth::{AuthId, Authorizer, Privilege};
pub use backup::{BackupGroup, BackupTime, BackupType, GroupPath, Snapshot, SnapshotPath};
pub use cancel::Cancel;
pub use clock::{Clock, ManualClock, SystemClock};
pub use digest::{Digest, Fingerprint};
pub use error::ParseError;
pub use media::{MediaId, MediaLocation, MediaSetId, MediaStatus};
pub use names::{
    BackupId, ChangerName, DriveName, JobId, LabelText, PoolName, StoreName, VaultName,
};
pub use namespace::Namespace;
pub use task::{NoTask, TaskContext, TaskStopped};
