//! What a name, an id, a size, a span, a schedule, a command is: parsed once at the border, printed
//! once on the way out.
//!
//! Every crate of reelfs but `hw` and `fs` speaks in these types, so that a string which reached the
//! inside of the house has already been checked against the rules of `config.md` §3 and
//! `datastore.md` §4. The crate does no I/O of any kind; time comes in through [`Clock`].

mod acl_path;
pub mod api;
mod archive;
mod auth;
mod backup;
mod calendar;
mod cancel;
mod clock;
pub mod commands;
mod commit_points;
mod datastore_settings;
mod digest;
mod error;
mod filter;
pub mod fuzz;
mod host;
mod maintenance;
mod media;
mod names;
mod namespace;
mod password;
mod policy;
mod privilege;
mod progress;
mod property;
mod size;
mod span;
mod task;
mod text;
mod time_text;
mod upid;
mod words;

pub use acl_path::AclPath;
pub use archive::{ArchiveKind, ArchiveName};
pub use auth::{AuthId, Authorizer, UserId};
pub use backup::{BackupGroup, BackupTime, BackupType, GroupPath, Snapshot, SnapshotPath};
pub use calendar::CalendarEvent;
pub use cancel::Cancel;
pub use clock::{Clock, ManualClock, SystemClock};
pub use commit_points::{CommitPoints, NoCommitPoints};
pub use datastore_settings::{ChunkOrder, Notify, SyncLevel, Tuning};
pub use digest::{CertificateFingerprint, Digest, Fingerprint};
pub use error::ParseError;
pub use filter::{GroupFilter, filters_accept};
pub use host::HostName;
/// Time zones, which every function on local time takes from its caller.
pub use jiff::tz::TimeZone;
pub use maintenance::{MaintenanceMode, MaintenanceType, Operation};
pub use media::{MediaId, MediaLocation, MediaSetId, MediaStatus};
pub use names::{
    BackupId, ChangerName, DriveName, JobId, LabelText, PoolName, RemoteName, StoreName, TokenName,
    VaultName,
};
pub use namespace::Namespace;
pub use password::{Passphrase, Password};
pub use policy::{AllocationPolicy, RetentionPolicy, TapeTemplate};
pub use privilege::{Privilege, Privileges, Role};
pub use progress::GroupsProgress;
pub use property::{PropertyString, split_list};
pub use size::{ByteSize, SizeUnit, human_bytes_binary, human_bytes_decimal};
pub use span::{TimeSpan, human_duration};
pub use task::{NoTask, TaskContext, TaskStopped};
pub use time_text::{local_time_c, parse_rfc3339, rfc3339, strftime};
pub use upid::{Upid, UpidParts, escape_worker_id, unescape_worker_id};
pub use words::{Comment, NamespaceDepth, PasswordHint, PersonalDetail, parse_bool};
