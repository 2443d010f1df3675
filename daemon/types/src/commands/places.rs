//! Which verbs the `ctl` files of the tree take: the table verb ↔ command (`tree.md`).
//!
//! A verb is what the command line calls the command, less what the place of the file says already.

use super::ctl_line::Verb;
use serde_json::Value;

use super::*;
use crate::{
    BackupGroup, ChangerName, DriveName, Fingerprint, GroupPath, JobId, LabelText, MediaId,
    MediaSetId, Namespace, PoolName, RemoteName, Snapshot, SnapshotPath, StoreName, Upid, UserId,
};

/// A folder with a `ctl` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The root of the tree.
    Root,
    /// `datastores`.
    Datastores,
    /// A datastore.
    Datastore(StoreName),
    /// A group of a datastore.
    Group(StoreName, Namespace, BackupGroup),
    /// A snapshot of a datastore.
    Snapshot(StoreName, Namespace, Snapshot),
    /// `pools`.
    Pools,
    /// A media pool.
    Pool(PoolName),
    /// `media`.
    Media,
    /// A medium.
    Medium(LabelText, MediaId),
    /// A media set.
    MediaSet(MediaSetId),
    /// A group in a media set.
    SetGroup(MediaSetId, StoreName, GroupPath),
    /// A snapshot in a media set.
    SetSnapshot(MediaSetId, StoreName, SnapshotPath),
    /// `remotes`.
    Remotes,
    /// A remote.
    Remote(RemoteName),
    /// `sync-jobs`.
    SyncJobs,
    /// A sync job.
    SyncJob(JobId),
    /// `media-verify-jobs`.
    MediaVerifyJobs,
    /// A job that verifies media.
    MediaVerifyJob(JobId),
    /// `backup-jobs`.
    BackupJobs,
    /// A backup job.
    BackupJob(JobId),
    /// `users`.
    Users,
    /// A user.
    User(UserId),
    /// `acl`.
    Acl,
    /// `changers`.
    Changers,
    /// A changer.
    Changer(ChangerName),
    /// `drives`.
    Drives,
    /// A drive.
    Drive(DriveName),
    /// `keys`.
    Keys,
    /// A tape key.
    Key(Fingerprint),
    /// A task.
    Task(Upid),
}

impl Place {
    /// The verbs of the `ctl` file here.
    pub fn verbs(&self) -> Vec<Verb> {
        match self {
            Self::Root => vec![
                Verb::new(&["reload"], &Reload::INFO),
                Verb::new(&["state", "export"], &StateExport::INFO),
            ],
            Self::Datastores => vec![
                Verb::new(&["create"], &DatastoreCreate::INFO),
                Verb::new(&["remove"], &DatastoreRemove::INFO),
            ],
            Self::Datastore(store) => of_datastore(store),
            Self::Group(store, namespace, group) => of_group(store, namespace, group),
            Self::Snapshot(store, namespace, snapshot) => of_snapshot(store, namespace, snapshot),
            Self::Pools => vec![
                Verb::new(&["create"], &PoolCreate::INFO),
                Verb::new(&["update"], &PoolUpdate::INFO),
                Verb::new(&["remove"], &PoolRemove::INFO),
            ],
            Self::Pool(pool) => vec![
                Verb::new(&["update"], &PoolUpdate::INFO).bind("name", pool.as_str()),
                Verb::new(&["remove"], &PoolRemove::INFO)
                    .bind("name", pool.as_str())
                    .confirm(pool.as_str()),
            ],
            Self::Media => vec![
                Verb::new(&["label"], &Label::INFO),
                Verb::new(&["barcode-label"], &BarcodeLabel::INFO),
                Verb::new(&["inventory"], &Inventory::INFO),
                Verb::new(&["vault"], &VaultMove::INFO),
            ],
            Self::Medium(label, id) => of_medium(label, id),
            Self::MediaSet(set) => of_media_set(set),
            Self::SetGroup(set, store, path) => vec![
                Verb::new(&["fetch"], &Fetch::INFO)
                    .bind("media-set", set.to_string())
                    .bind("snapshots", Value::Null)
                    .bind("groups", vec![format!("{store}:{path}")]),
            ],
            Self::SetSnapshot(set, store, path) => vec![
                Verb::new(&["fetch"], &Fetch::INFO)
                    .bind("media-set", set.to_string())
                    .bind("snapshots", vec![format!("{store}:{path}")])
                    .bind("groups", Value::Null),
            ],
            Self::Remotes => vec![
                Verb::new(&["create"], &RemoteCreate::INFO),
                Verb::new(&["update"], &RemoteUpdate::INFO),
                Verb::new(&["remove"], &RemoteRemove::INFO),
            ],
            Self::Remote(name) => vec![
                Verb::new(&["update"], &RemoteUpdate::INFO).bind("name", name.as_str()),
                Verb::new(&["check"], &RemoteCheck::INFO).bind("name", name.as_str()),
                Verb::new(&["remove"], &RemoteRemove::INFO)
                    .bind("name", name.as_str())
                    .confirm(name.as_str()),
            ],
            Self::SyncJobs => vec![
                Verb::new(&["create"], &SyncJobCreate::INFO),
                Verb::new(&["run"], &SyncJobRun::INFO),
                Verb::new(&["update"], &SyncJobUpdate::INFO),
                Verb::new(&["remove"], &SyncJobRemove::INFO),
            ],
            Self::SyncJob(id) => vec![
                Verb::new(&["run"], &SyncJobRun::INFO).bind("id", id.as_str()),
                Verb::new(&["update"], &SyncJobUpdate::INFO).bind("id", id.as_str()),
                Verb::new(&["remove"], &SyncJobRemove::INFO)
                    .bind("id", id.as_str())
                    .confirm(id.as_str()),
            ],
            Self::MediaVerifyJobs => vec![
                Verb::new(&["create"], &MediaVerifyJobCreate::INFO),
                Verb::new(&["run"], &MediaVerifyJobRun::INFO),
                Verb::new(&["update"], &MediaVerifyJobUpdate::INFO),
                Verb::new(&["remove"], &MediaVerifyJobRemove::INFO),
            ],
            Self::MediaVerifyJob(id) => vec![
                Verb::new(&["run"], &MediaVerifyJobRun::INFO).bind("id", id.as_str()),
                Verb::new(&["update"], &MediaVerifyJobUpdate::INFO).bind("id", id.as_str()),
                Verb::new(&["remove"], &MediaVerifyJobRemove::INFO)
                    .bind("id", id.as_str())
                    .confirm(id.as_str()),
            ],
            Self::BackupJobs => vec![
                Verb::new(&["create"], &BackupJobCreate::INFO),
                Verb::new(&["run"], &BackupJobRun::INFO),
                Verb::new(&["update"], &BackupJobUpdate::INFO),
                Verb::new(&["remove"], &BackupJobRemove::INFO),
            ],
            Self::BackupJob(id) => vec![
                Verb::new(&["run"], &BackupJobRun::INFO).bind("id", id.as_str()),
                Verb::new(&["update"], &BackupJobUpdate::INFO).bind("id", id.as_str()),
                Verb::new(&["remove"], &BackupJobRemove::INFO)
                    .bind("id", id.as_str())
                    .confirm(id.as_str()),
            ],
            Self::Users => vec![
                Verb::new(&["create"], &UserCreate::INFO),
                Verb::new(&["update"], &UserUpdate::INFO),
                Verb::new(&["remove"], &UserRemove::INFO),
            ],
            Self::User(user) => vec![
                Verb::new(&["update"], &UserUpdate::INFO).bind("userid", user.as_str()),
                Verb::new(&["delete-token"], &UserDeleteToken::INFO).bind("userid", user.as_str()),
                Verb::new(&["remove"], &UserRemove::INFO)
                    .bind("userid", user.as_str())
                    .confirm(user.as_str()),
            ],
            Self::Acl => vec![Verb::new(&["update"], &AclUpdate::INFO)],
            Self::Keys => vec![
                without_passphrases(&["create"], &KeyCreate::INFO),
                without_passphrases(&["change-passphrase"], &KeyChangePassphrase::INFO),
                without_passphrases(&["restore"], &KeyRestore::INFO).bind("key", Value::Null),
                Verb::new(&["remove"], &KeyRemove::INFO),
            ],
            Self::Key(fingerprint) => vec![
                without_passphrases(&["change-passphrase"], &KeyChangePassphrase::INFO)
                    .bind("fingerprint", fingerprint.to_string()),
                Verb::new(&["remove"], &KeyRemove::INFO)
                    .bind("fingerprint", fingerprint.to_string())
                    .confirm(fingerprint.to_string()),
            ],
            Self::Drives => vec![
                Verb::new(&["create"], &DriveCreate::INFO),
                Verb::new(&["update"], &DriveUpdate::INFO),
                Verb::new(&["remove"], &DriveRemove::INFO),
                Verb::new(&["scan"], &DriveScan::INFO),
            ],
            Self::Drive(drive) => of_drive(drive),
            Self::Changers => vec![
                Verb::new(&["create"], &ChangerCreate::INFO),
                Verb::new(&["update"], &ChangerUpdate::INFO),
                Verb::new(&["remove"], &ChangerRemove::INFO),
                Verb::new(&["scan"], &ChangerScan::INFO),
            ],
            Self::Changer(changer) => of_changer(changer),
            Self::Task(upid) => {
                vec![Verb::new(&["stop"], &TaskStop::INFO).bind("upid", upid.as_str())]
            }
        }
    }
}

/// Lines are remembered where they are refused: a passphrase comes by the name of a file.
fn without_passphrases(words: &'static [&'static str], info: &'static CommandInfo) -> Verb {
    let verb = Verb::new(words, info).bind("passphrase", Value::Null);
    match info.param("new-passphrase") {
        Some(_) => verb.bind("new-passphrase", Value::Null),
        None => verb,
    }
}

fn of_datastore(store: &StoreName) -> Vec<Verb> {
    let verb = |words, info, parameter| Verb::new(words, info).bind(parameter, store.as_str());
    vec![
        verb(&["backup"], &Backup::INFO, "store"),
        verb(&["pull"], &Pull::INFO, "store"),
        verb(&["update"], &DatastoreUpdate::INFO, "name"),
        verb(&["snapshot", "create"], &SnapshotCreate::INFO, "store"),
        verb(&["client-key", "add"], &ClientKeyAdd::INFO, "store"),
        verb(&["client-key", "remove"], &ClientKeyRemove::INFO, "store"),
    ]
}

fn of_group(store: &StoreName, namespace: &Namespace, group: &BackupGroup) -> Vec<Verb> {
    let verb = |words, info| {
        Verb::new(words, info)
            .bind("store", store.as_str())
            .bind("ns", namespace.to_string())
            .bind("group", group.to_string())
    };
    vec![
        verb(&["change-owner"], &GroupChangeOwner::INFO),
        verb(&["forget"], &GroupForget::INFO).confirm(group.to_string()),
    ]
}

fn of_snapshot(store: &StoreName, namespace: &Namespace, snapshot: &Snapshot) -> Vec<Verb> {
    let verb = |words, info| {
        Verb::new(words, info)
            .bind("store", store.as_str())
            .bind("ns", namespace.to_string())
            .bind("snapshot", snapshot.to_string())
    };
    vec![
        verb(&["protect"], &SnapshotProtectedUpdate::INFO).bind("protected", true),
        verb(&["unprotect"], &SnapshotProtectedUpdate::INFO).bind("protected", false),
        verb(&["notes"], &SnapshotNotesUpdate::INFO),
        verb(&["forget"], &SnapshotForget::INFO).confirm(snapshot.time.to_string()),
    ]
}

fn of_medium(label: &LabelText, id: &MediaId) -> Vec<Verb> {
    let by_label = |words, info| Verb::new(words, info).bind("label-text", label.as_str());
    let by_id = |words, info| {
        Verb::new(words, info).bind("uuid", id.to_string()).bind("label-text", Value::Null)
    };
    vec![
        by_label(&["load-media"], &LoadMedia::INFO),
        by_label(&["catalog"], &Catalog::INFO),
        Verb::new(&["verify"], &MediaVerify::INFO).bind("uuid", vec![id.to_string()]),
        by_label(&["export-media"], &ExportMedia::INFO),
        by_id(&["move"], &MediaMove::INFO),
        by_id(&["retire"], &MediaMark::INFO).bind("status", "retired").bind("clear", false),
        by_id(&["mark"], &MediaMark::INFO),
        by_label(&["format"], &Format::INFO).confirm(label.as_str()),
        by_id(&["destroy"], &MediaDestroy::INFO).confirm(label.as_str()),
    ]
}

fn of_media_set(set: &MediaSetId) -> Vec<Verb> {
    let verb = |words, info| Verb::new(words, info).bind("media-set", set.to_string());
    vec![
        verb(&["restore"], &Restore::INFO),
        verb(&["fetch"], &Fetch::INFO),
        verb(&["verify"], &MediaVerify::INFO),
        verb(&["export"], &MediaSetExport::INFO),
        verb(&["client-key", "add"], &ClientKeyAdd::INFO),
        verb(&["client-key", "remove"], &ClientKeyRemove::INFO),
    ]
}

fn of_changer(changer: &ChangerName) -> Vec<Verb> {
    let verb = |words, info| Verb::new(words, info).bind("name", changer.as_str());
    vec![
        verb(&["transfer"], &ChangerTransfer::INFO).bind("drive", Value::Null),
        // By the drive that is named, or the only one there is.
        Verb::new(&["inventory"], &Inventory::INFO),
        Verb::new(&["load-media"], &LoadMedia::INFO),
        Verb::new(&["unload"], &Unload::INFO),
        Verb::new(&["export-media"], &ExportMedia::INFO),
        Verb::new(&["clean"], &Clean::INFO),
        verb(&["status"], &ChangerStatus::INFO).bind("drive", Value::Null),
        verb(&["update"], &ChangerUpdate::INFO),
        verb(&["remove"], &ChangerRemove::INFO).confirm(changer.as_str()),
        mtx_of_changer(&["mtx", "inventory"], &MtxInventory::INFO, changer),
        mtx_of_changer(&["mtx", "load"], &MtxLoad::INFO, changer),
        mtx_of_changer(&["mtx", "transfer"], &MtxTransfer::INFO, changer),
        mtx_of_changer(&["mtx", "unload"], &MtxUnload::INFO, changer),
    ]
}

fn mtx_of_changer(
    words: &'static [&'static str],
    info: &'static CommandInfo,
    changer: &ChangerName,
) -> Verb {
    let verb = Verb::new(words, info).bind("changer", changer.as_str());
    verb.bind("device", Value::Null).bind("drive", Value::Null)
}

fn of_drive(drive: &DriveName) -> Vec<Verb> {
    let verb = |words, info| Verb::new(words, info).bind("drive", drive.as_str());
    vec![
        verb(&["rewind"], &Rewind::INFO),
        verb(&["eod"], &EndOfData::INFO),
        verb(&["eject"], &Eject::INFO),
        verb(&["clean"], &Clean::INFO),
        verb(&["scan"], &Scan::INFO),
        verb(&["load-media"], &LoadMedia::INFO),
        verb(&["load-media-from-slot"], &LoadMediaFromSlot::INFO),
        verb(&["unload"], &Unload::INFO),
        verb(&["export-media"], &ExportMedia::INFO),
        verb(&["barcode-label"], &BarcodeLabel::INFO),
        verb(&["label"], &Label::INFO),
        verb(&["read-label"], &ReadLabel::INFO),
        verb(&["inventory"], &Inventory::INFO),
        verb(&["catalog"], &Catalog::INFO),
        verb(&["format"], &Format::INFO).confirm(drive.as_str()),
        Verb::new(&["update"], &DriveUpdate::INFO).bind("name", drive.as_str()),
        Verb::new(&["remove"], &DriveRemove::INFO)
            .bind("name", drive.as_str())
            .confirm(drive.as_str()),
    ]
    .into_iter()
    .chain(mt_of_drive(drive))
    .collect()
}

/// What `mt` does without an answer. What cannot be undone asks for the drive's name.
fn mt_of_drive(drive: &DriveName) -> [Verb; 18] {
    let verb = |words, info| {
        Verb::new(words, info).bind("drive", drive.as_str()).bind("device", Value::Null)
    };
    [
        verb(&["mt", "asf"], &MtAsf::INFO),
        verb(&["mt", "bsf"], &MtBsf::INFO),
        verb(&["mt", "bsfm"], &MtBsfm::INFO),
        verb(&["mt", "bsr"], &MtBsr::INFO),
        verb(&["mt", "eject"], &MtEject::INFO),
        verb(&["mt", "eod"], &MtEod::INFO),
        verb(&["mt", "fsf"], &MtFsf::INFO),
        verb(&["mt", "fsfm"], &MtFsfm::INFO),
        verb(&["mt", "fsr"], &MtFsr::INFO),
        verb(&["mt", "load"], &MtLoad::INFO),
        verb(&["mt", "lock"], &MtLock::INFO),
        verb(&["mt", "options"], &MtOptions::INFO),
        verb(&["mt", "rewind"], &MtRewind::INFO),
        verb(&["mt", "setblk"], &MtSetblk::INFO),
        verb(&["mt", "unlock"], &MtUnlock::INFO),
        verb(&["mt", "erase"], &MtErase::INFO).confirm(drive.as_str()),
        verb(&["mt", "format"], &MtFormat::INFO).confirm(drive.as_str()),
        verb(&["mt", "weof"], &MtWeof::INFO).confirm(drive.as_str()),
    ]
}
