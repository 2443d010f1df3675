//! Every operation of reelfs, told once.
//!
//! Each command is one Rust type, made together with its [`CommandInfo`] from one text by the macro
//! of `commands/define.rs`. Three doors lead to it, and behind each stands the same check of the
//! same fields:
//!
//! * the command line: [`parse_arguments`] makes an [`Invocation`], whose parameters are an object;
//! * a line written to a `ctl` file: [`parse_ctl_line`];
//! * the body of an API call: [`Command::from_params`].
//!
//! Help, usage texts, completion, the grammar that `cat ctl` prints and the look of the answer
//! ([`Answer`]) come from the [`CommandInfo`]. The rules of the texts are those of
//! `cli-manager.md` §§1–2 and `cli-tape.md`.

mod arguments;
mod backup_job;
mod cert;
mod completion;
mod ctl_line;
mod datastore;
mod define;
mod drive;
pub mod fuzz;
mod health;
mod info;
mod jobs;
mod keys;
mod media;
mod media_verify;
mod mt;
mod output;
mod params;
mod places;
mod program;
mod remote;
pub mod results;
mod rotation;
mod snapshot;
mod state;
mod usage;
mod user;
mod values;

use thiserror::Error;

use define::command_enum;

pub use arguments::{Invocation, OUTPUT_FORMAT, UsageError, find_command, parse_arguments};
pub use backup_job::*;
pub use cert::*;
pub use completion::completions;
pub use ctl_line::{CtlCommand, CtlError, Verb, ctl_grammar, parse_ctl_line, without_secrets};
pub use datastore::*;
pub use drive::*;
pub use health::*;
pub use info::{CommandInfo, Kind, Param, PathForm, Position};
pub use jobs::*;
pub use keys::*;
pub use media::*;
pub use media_verify::*;
pub use mt::*;
pub use output::{Answer, Column, DeviceAnswer, DeviceText, Listing, Render};
pub use params::{OneOrMore, ParamErrors, ParamField, ParamValue};
pub use places::Place;
pub use program::{Program, REELCTL};
pub use remote::*;
pub use rotation::*;
pub use snapshot::*;
pub use state::*;
pub use usage::{descriptions, manual, synopses, usage};
pub use user::*;
pub use values::*;

command_enum! {
    DatastoreList, DatastoreShow, DatastoreCreate, DatastoreUpdate, DatastoreRemove,
    ClientKeyAdd, ClientKeyList, ClientKeyRemove,
    SnapshotList, SnapshotFiles, SnapshotCreate, SnapshotCat, SnapshotForget,
    SnapshotNotesShow, SnapshotNotesUpdate, SnapshotProtectedShow, SnapshotProtectedUpdate,
    GroupList, GroupForget, GroupChangeOwner,
    DriveList, DriveConfig, DriveStatus, DriveHealth, DriveScan, DriveCreate, DriveUpdate, DriveRemove,
    Format, Rewind, Eject, Label, BarcodeLabel, ReadLabel, Inventory, LoadMedia, LoadMediaFromSlot, Unload, ExportMedia,
    CartridgeMemory, VolumeStatistics, TapeAlertFlags, EndOfData, Clean, Scan,
    MtAsf, MtBsf, MtBsfm, MtBsr, MtCartridgeMemory, MtEject, MtEod, MtErase, MtFormat, MtFsf,
    MtFsfm, MtFsr, MtLoad, MtLock, MtOptions, MtRewind, MtScan, MtSetblk, MtStatus,
    MtStclearoptions, MtStoptions, MtStsetoptions, MtTapeAlertFlags, MtUnlock,
    MtVolumeStatistics, MtWeof,
    MtxInquiry, MtxInventory, MtxLoad, MtxScan, MtxStatus, MtxTransfer, MtxUnload,
    ChangerScan, ChangerList, ChangerConfig, ChangerCreate, ChangerUpdate, ChangerRemove,
    ChangerTransfer, ChangerStatus,
    PoolList, PoolConfig, PoolCreate, PoolUpdate, PoolRemove, PoolPlan,
    MediaList, MediaHealth, MediaContent, MediaDestroy, MediaMove, MediaMark, MediaVerify, MediaVerified,
    MediaVerifyJobList, MediaVerifyJobShow, MediaVerifyJobStatus, MediaVerifyJobRun,
    MediaVerifyJobCreate, MediaVerifyJobUpdate, MediaVerifyJobRemove,
    MediaSetList, MediaSetPlan, MediaSetExport, Fetch,
    VaultList, VaultDue, VaultMove, BarcodeSheet,
    RemoteList, RemoteShow, RemoteCheck, RemoteCreate, RemoteUpdate, RemoteRemove,
    SyncJobList, SyncJobShow, SyncJobStatus, SyncJobRun, SyncJobCreate, SyncJobUpdate, SyncJobRemove,
    Pull, CertInfo, CertUpdate,
    UserList, UserCreate, UserUpdate, UserRemove, UserListTokens, UserGenerateToken, UserDeleteToken,
    UserPermissions, AclList, AclUpdate,
    KeyCreate, KeyList, KeyShow, KeyChangePassphrase, KeyPaperkey, KeyRemove, KeyRestore,
    Backup, Restore, Catalog,
    BackupJobList, BackupJobShow, BackupJobStatus, BackupJobRun, BackupJobCreate, BackupJobUpdate,
    BackupJobRemove,
    TaskList, TaskLog, TaskStatus, TaskStop,
    StateExport, Reload, Version,
}

/// Whether some command takes a secret by this name.
pub fn is_secret(name: &str) -> bool {
    let mut params = COMMANDS.iter().flat_map(|info| info.params);
    params.any(|param| param.kind == Kind::Secret && param.is_called(name))
}

/// Why a request is no command.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CommandError {
    /// There is no command of that name.
    #[error("no such command '{0}'")]
    Unknown(String),
    /// Its parameters are wrong.
    #[error(transparent)]
    Params(#[from] ParamErrors),
}

#[cfg(test)]
mod tests;
