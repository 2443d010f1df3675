//! What each command does.
//!
//! A command has been parsed and checked at its door; here it meets the objects. Short work is done at once and
//! answers with exactly the keys that PBS prints; long work becomes a task. One permission check stands in front
//! of all of it.

mod acl;
mod backup;
mod backup_job;
mod cert;
mod changer;
mod client_key;
mod configured_jobs;
mod datastore;
mod drive;
mod drive_health;
mod group;
mod health;
mod key;
mod media;
pub(crate) mod media_verify;
mod media_verify_job;
mod paper;
mod plan;
mod pool;
mod pool_plan;
mod pull;
mod reload;
mod remote;
mod restore;
mod rotation;
mod secrets;
mod snapshot;
mod state;
mod sync_job;
mod tape;
mod task;
mod tool;
mod user;
mod vault;

use std::sync::Arc;

use reel_config::{ConfigDigest, MediaVerifyJobConfig, SyncJobConfig, TapeJobConfig};
use reel_types::commands::results::VersionInfo;
use reel_types::commands::{Answer, Command};
use reel_types::{AuthId, Comment, Digest, Upid};
use serde::Serialize;
use serde_json::Value;

use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

pub(crate) use configured_jobs::JobKind;
pub(crate) use drive::DRIVE_WAIT;
pub(crate) use secrets::first_line;
pub(crate) use snapshot::snapshot_path;

/// What became of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// It is done; this is its result, null for none.
    Data(Value),
    /// It goes on as this task.
    Task(Upid),
}

impl Done {
    /// A result with its keys.
    fn data(result: impl Serialize) -> Outcome<Self> {
        serde_json::to_value(result).map(Self::Data).map_err(|error| {
            Failure::new(nix::libc::EIO, format!("write the result as JSON: {error}"))
        })
    }

    /// Nothing to tell.
    fn nothing() -> Outcome<Self> {
        Ok(Self::Data(Value::Null))
    }
}

/// A comment without blanks around it; one of blanks is none.
fn kept(comment: &Comment) -> Option<Comment> {
    comment.as_str().trim().parse().ok().filter(|comment: &Comment| !comment.as_str().is_empty())
}

/// The digest that the configuration must still have, if a command names one.
fn config_digest(digest: Option<&Digest>) -> Outcome<Option<ConfigDigest>> {
    Ok(digest.map(|digest| digest.to_string().parse()).transpose()?)
}

impl Reeld {
    /// Does `command` for `who`; a `token` that was seen before answers with the same task again.
    pub fn run(
        self: &Arc<Self>,
        command: &Command,
        who: &AuthId,
        token: Option<&str>,
    ) -> Outcome<Done> {
        let permitted = self.permit(command, who)?;
        let command = permitted.as_ref().unwrap_or(command);
        let done = self.run_once(command, who, token)?;
        Ok(self.only_visible(command, who, done))
    }

    fn run_once(
        self: &Arc<Self>,
        command: &Command,
        who: &AuthId,
        token: Option<&str>,
    ) -> Outcome<Done> {
        let Some(token) = token else { return self.dispatch(command, who) };
        if !may_be_a_task(command) {
            let text = "'id' keeps a command that is given twice from starting two tasks, and this one starts none; leave it out";
            return Err(Failure::invalid(text));
        }
        let mut tokens = self.tokens();
        if let Some(upid) = tokens.task_of(token, command)? {
            return Ok(Done::Task(upid));
        }
        let done = self.dispatch(command, who)?;
        if let Done::Task(upid) = &done {
            tokens.remember(token, command, upid);
        }
        Ok(done)
    }

    fn dispatch(self: &Arc<Self>, command: &Command, who: &AuthId) -> Outcome<Done> {
        match command {
            Command::DatastoreList(_) => self.datastore_list(),
            Command::DatastoreShow(command) => self.datastore_show(command),
            Command::DatastoreCreate(command) => self.datastore_create(command, who),
            Command::DatastoreUpdate(command) => self.datastore_update(command),
            Command::DatastoreRemove(command) => self.datastore_remove(command),
            Command::ClientKeyAdd(command) => self.client_key_add(command, who),
            Command::ClientKeyList(command) => self.client_key_list(command),
            Command::ClientKeyRemove(command) => self.client_key_remove(command),
            Command::SnapshotList(command) => self.snapshot_list(command),
            Command::SnapshotFiles(command) => self.snapshot_files(command),
            Command::SnapshotCreate(command) => self.snapshot_create(command, who),
            Command::SnapshotCat(_) => Err(Failure::invalid("content is streamed, not answered")),
            Command::SnapshotForget(command) => self.snapshot_forget(command),
            Command::SnapshotNotesShow(command) => self.snapshot_notes_show(command),
            Command::SnapshotNotesUpdate(command) => self.snapshot_notes_update(command),
            Command::SnapshotProtectedShow(command) => self.snapshot_protected_show(command),
            Command::SnapshotProtectedUpdate(command) => self.snapshot_protected_update(command),
            Command::GroupList(command) => self.group_list(command),
            Command::GroupForget(command) => self.group_forget(command),
            Command::GroupChangeOwner(command) => self.group_change_owner(command),
            Command::DriveList(_) => self.drive_list(),
            Command::DriveConfig(command) => self.drive_config(command),
            Command::DriveStatus(command) => self.drive_status(command),
            Command::DriveHealth(command) => self.drive_health(command),
            Command::DriveScan(_) => self.drive_scan(),
            Command::DriveCreate(command) => self.drive_create(command),
            Command::DriveUpdate(command) => self.drive_update(command),
            Command::DriveRemove(command) => self.drive_remove(command),
            Command::Format(command) => self.format(command, who),
            Command::Rewind(command) => self.rewind(command, who),
            Command::Eject(command) => self.eject(command, who),
            Command::Label(command) => self.label(command, who),
            Command::BarcodeLabel(command) => self.barcode_label(command, who),
            Command::ReadLabel(command) => self.read_label(command),
            Command::Inventory(command) => self.inventory(command, who),
            Command::LoadMedia(command) => self.load_media(command, who),
            Command::LoadMediaFromSlot(command) => self.load_media_from_slot(command),
            Command::Unload(command) => self.unload(command, who),
            Command::ExportMedia(command) => self.export_media(command),
            Command::CartridgeMemory(command) => self.cartridge_memory(command),
            Command::VolumeStatistics(command) => self.volume_statistics(command),
            Command::TapeAlertFlags(command) => self.tape_alert_flags(command),
            Command::EndOfData(command) => self.end_of_data(command),
            Command::Clean(command) => self.clean(command, who),
            Command::Scan(command) => self.scan_files(command, who),
            Command::MtAsf(_)
            | Command::MtBsf(_)
            | Command::MtBsfm(_)
            | Command::MtBsr(_)
            | Command::MtCartridgeMemory(_)
            | Command::MtEject(_)
            | Command::MtEod(_)
            | Command::MtErase(_)
            | Command::MtFormat(_)
            | Command::MtFsf(_)
            | Command::MtFsfm(_)
            | Command::MtFsr(_)
            | Command::MtLoad(_)
            | Command::MtLock(_)
            | Command::MtOptions(_)
            | Command::MtRewind(_)
            | Command::MtScan(_)
            | Command::MtSetblk(_)
            | Command::MtStatus(_)
            | Command::MtStclearoptions(_)
            | Command::MtStoptions(_)
            | Command::MtStsetoptions(_)
            | Command::MtTapeAlertFlags(_)
            | Command::MtUnlock(_)
            | Command::MtVolumeStatistics(_)
            | Command::MtWeof(_) => self.mt(command, who),
            Command::MtxInquiry(_)
            | Command::MtxInventory(_)
            | Command::MtxLoad(_)
            | Command::MtxScan(_)
            | Command::MtxStatus(_)
            | Command::MtxTransfer(_)
            | Command::MtxUnload(_) => self.mtx(command),
            Command::ChangerScan(_) => self.changer_scan(),
            Command::ChangerList(_) => self.changer_list(),
            Command::ChangerConfig(command) => self.changer_config(command),
            Command::ChangerCreate(command) => self.changer_create(command),
            Command::ChangerUpdate(command) => self.changer_update(command),
            Command::ChangerRemove(command) => self.changer_remove(command),
            Command::ChangerTransfer(command) => self.changer_transfer(command),
            Command::ChangerStatus(command) => self.changer_status(command),
            Command::PoolList(_) => self.pool_list(),
            Command::PoolConfig(command) => self.pool_config(command),
            Command::PoolCreate(command) => self.pool_create(command),
            Command::PoolUpdate(command) => self.pool_update(command),
            Command::PoolRemove(command) => self.pool_remove(command),
            Command::PoolPlan(command) => self.pool_plan(command),
            Command::MediaList(command) => self.media_list(command),
            Command::MediaHealth(command) => self.media_health(command),
            Command::MediaVerify(command) => self.media_verify(command, who),
            Command::MediaVerified(command) => self.media_verified(command),
            Command::MediaVerifyJobList(_) => {
                self.list_jobs(|job: &MediaVerifyJobConfig| self.runs_of(job))
            }
            Command::MediaVerifyJobShow(command) => {
                self.show_job::<MediaVerifyJobConfig>(&command.id)
            }
            Command::MediaVerifyJobStatus(command) => {
                self.tell_job(&command.id, |job: &MediaVerifyJobConfig| self.runs_of(job))
            }
            Command::MediaVerifyJobRun(command) => {
                self.run_job_now::<MediaVerifyJobConfig>(&command.id, who)
            }
            Command::MediaVerifyJobCreate(command) => self.media_verify_job_create(command),
            Command::MediaVerifyJobUpdate(command) => self.media_verify_job_update(command),
            Command::MediaVerifyJobRemove(command) => {
                self.remove_job::<MediaVerifyJobConfig>(&command.id, command.digest.as_ref())
            }
            Command::MediaContent(command) => self.media_content(command),
            Command::MediaDestroy(command) => self.media_destroy(command),
            Command::MediaMove(command) => self.media_move(command),
            Command::MediaMark(command) => self.media_mark(command),
            Command::MediaSetList(command) => self.media_set_list(command),
            Command::MediaSetPlan(command) => self.media_set_plan(command),
            Command::MediaSetExport(command) => self.media_set_export(command, who),
            Command::VaultList(command) => self.vault_list(command),
            Command::VaultDue(command) => self.vault_due(command),
            Command::VaultMove(command) => self.vault_move(command, who),
            Command::BarcodeSheet(command) => self.barcode_sheet(command),
            Command::Fetch(command) => self.fetch(command, who),
            Command::RemoteList(_) => self.remote_list(),
            Command::RemoteShow(command) => self.remote_show(command),
            Command::RemoteCheck(command) => self.remote_check(command),
            Command::RemoteCreate(command) => self.remote_create(command, who),
            Command::RemoteUpdate(command) => self.remote_update(command, who),
            Command::RemoteRemove(command) => self.remote_remove(command),
            Command::SyncJobList(_) => self.sync_job_list(),
            Command::SyncJobShow(command) => self.show_job::<SyncJobConfig>(&command.id),
            Command::SyncJobStatus(command) => {
                self.tell_job(&command.id, |job: &SyncJobConfig| self.runs_of(job))
            }
            Command::SyncJobRun(command) => self.run_job_now::<SyncJobConfig>(&command.id, who),
            Command::Pull(command) => self.pull(command, who),
            Command::SyncJobCreate(command) => self.sync_job_create(command),
            Command::SyncJobUpdate(command) => self.sync_job_update(command),
            Command::SyncJobRemove(command) => {
                self.remove_job::<SyncJobConfig>(&command.id, command.digest.as_ref())
            }
            Command::CertInfo(_) => self.cert_info(),
            Command::CertUpdate(command) => self.cert_update(command),
            Command::UserList(_) => self.user_list(),
            Command::UserCreate(command) => self.user_create(command, who),
            Command::UserUpdate(command) => self.user_update(command, who),
            Command::UserRemove(command) => self.user_remove(command),
            Command::UserListTokens(command) => self.user_list_tokens(command),
            Command::UserGenerateToken(command) => self.user_generate_token(command),
            Command::UserDeleteToken(command) => self.user_delete_token(command),
            Command::UserPermissions(command) => self.user_permissions(command),
            Command::AclList(_) => self.acl_list(),
            Command::AclUpdate(command) => self.acl_update(command),
            Command::KeyCreate(command) => self.key_create(command, who),
            Command::KeyList(_) => self.key_list(),
            Command::KeyShow(command) => self.key_show(command),
            Command::KeyChangePassphrase(command) => self.key_change_passphrase(command, who),
            Command::KeyPaperkey(command) => self.key_paperkey(command),
            Command::KeyRemove(command) => self.key_remove(command),
            Command::KeyRestore(command) => self.key_restore(command, who),
            Command::Backup(command) => self.backup(command, who),
            Command::BackupJobList(_) => self.backup_job_list(),
            Command::BackupJobShow(command) => self.show_job::<TapeJobConfig>(&command.id),
            Command::BackupJobStatus(command) => self.backup_job_status(command),
            Command::BackupJobRun(command) => self.run_job_now::<TapeJobConfig>(&command.id, who),
            Command::BackupJobCreate(command) => self.backup_job_create(command),
            Command::BackupJobUpdate(command) => self.backup_job_update(command),
            Command::BackupJobRemove(command) => {
                self.remove_job::<TapeJobConfig>(&command.id, command.digest.as_ref())
            }
            Command::Restore(command) => self.restore(command, who),
            Command::Catalog(command) => self.catalog(command, who),
            Command::TaskList(command) => self.task_list(command, who),
            Command::TaskLog(command) => self.task_log(command),
            Command::TaskStatus(command) => Done::data(self.task_status(&command.upid)?),
            Command::TaskStop(command) => self.task_stop(command),
            Command::StateExport(command) => self.state_export(command),
            Command::Reload(_) => self.reload(),
            Command::Version(_) => Done::data(version()),
        }
    }
}

/// Whether a command becomes a task, or does with some parameters.
fn may_be_a_task(command: &Command) -> bool {
    let is_task = matches!(command.info().answer, Answer::Task | Answer::Report);
    is_task || matches!(command, Command::Inventory(_))
}

/// What this daemon is.
pub fn version() -> VersionInfo {
    VersionInfo { version: env!("CARGO_PKG_VERSION").into() }
}
