//! What each command asks for: the one table, which [`Reeld::run`] looks at for all doors.
//!
//! A command that names its object is refused where the privilege is missing. A list is not: it leaves out what its
//! reader may not see ([`super::rows`]).

use reel_config::{
    MediaVerifyJobConfig, MediaVerifyJobs, SyncJobConfig, SyncJobs, TapeJobConfig, TapeJobs,
};
use reel_types::commands::{
    Backup, ChangerPath, Command, DrivePath, GroupChangeOwner, MediaVerify, Pull, Restore,
    SyncJobCreate, SyncJobUpdate, UserUpdate,
};
use reel_types::{
    AclPath, AuthId, GroupPath, MediaId, Namespace, Privilege, StoreName, Upid, UserId,
};

use super::{denied, lacking};
use crate::failure::Outcome;
use crate::reeld::Reeld;

use Privilege::{
    DatastoreAllocate, DatastoreAudit, DatastoreBackup, DatastoreModify, DatastorePrune,
    DatastoreRead, PermissionsModify, RemoteAudit, RemoteModify, RemoteRead, SysAudit, SysModify,
    TapeAudit, TapeModify, TapeRead, TapeWrite,
};

impl Reeld {
    /// Refuses a command that `who` may not give. Gives the command that may be run in its place, if not that very one.
    pub(crate) fn permit(&self, command: &Command, who: &AuthId) -> Outcome<Option<Command>> {
        if who.is_root() {
            return Ok(None);
        }
        if !self.rights.is_active(who) {
            return Err(denied(format!("'{who}' is not known here, disabled or expired")));
        }
        if let Command::SyncJobUpdate(update) = command {
            return self.permit_job_update(update, who).map(|update| Some(update.into()));
        }
        self.check(command, who).map(|()| None)
    }

    fn check(&self, command: &Command, who: &AuthId) -> Outcome<()> {
        use Command as C;
        let on = |path: &AclPath, any: &[Privilege]| self.rights.require(who, path, any);
        let group = |store: &StoreName, ns: &Option<Namespace>, group: &reel_types::BackupGroup| {
            let group =
                GroupPath { namespace: ns.clone().unwrap_or_default(), group: group.clone() };
            (store.clone(), group)
        };
        let with_group = |(store, group): (StoreName, GroupPath), any: &[Privilege], owner| {
            self.require_group(who, &store, &group, any, owner)
        };
        match command {
            C::Version(_)
            | C::DatastoreList(_)
            | C::ClientKeyList(_)
            | C::DriveList(_)
            | C::ChangerList(_)
            | C::PoolList(_)
            | C::MediaList(_)
            | C::MediaContent(_)
            | C::MediaVerified(_)
            | C::MediaSetList(_)
            | C::VaultList(_)
            | C::VaultDue(_)
            | C::BarcodeSheet(_)
            | C::RemoteList(_)
            | C::SyncJobList(_)
            | C::BackupJobList(_)
            | C::MediaVerifyJobList(_)
            | C::TaskList(_)
            | C::UserList(_)
            | C::AclList(_) => Ok(()),
            C::CertInfo(_) => on(&certificates(), &[SysAudit, SysModify]),
            C::CertUpdate(_) => on(&certificates(), &[SysModify]),
            // It writes files of this machine as the daemon does.
            C::StateExport(_) => Err(only_root("writes files of this machine")),
            C::Reload(_) => on(&AclPath::fixed(&["system"]), &[SysModify]),

            C::DatastoreShow(c) => on(&AclPath::datastore(&c.name), &[DatastoreAudit]),
            C::DatastoreCreate(_) => on(&AclPath::fixed(&["datastore"]), &[DatastoreAllocate]),
            C::DatastoreUpdate(c) => on(&AclPath::datastore(&c.name), &[DatastoreModify]),
            C::DatastoreRemove(c) => on(&AclPath::datastore(&c.name), &[DatastoreAllocate]),
            C::ClientKeyAdd(c) => self.check_client_key(who, c.store.as_ref(), c.media_set),
            C::ClientKeyRemove(c) => self.check_client_key(who, c.store.as_ref(), c.media_set),
            C::SnapshotList(c) => self.check_listing(who, &c.store, c.ns.as_ref()),
            C::GroupList(c) => self.check_listing(who, &c.store, c.ns.as_ref()),
            C::SnapshotFiles(c) => with_group(
                group(&c.store, &c.ns, &c.snapshot.group),
                &[DatastoreAudit, DatastoreRead],
                DatastoreBackup,
            ),
            C::SnapshotCat(c) => with_group(
                group(&c.store, &c.ns, &c.snapshot.group),
                &[DatastoreRead],
                DatastoreBackup,
            ),
            // It reads files of this machine as the daemon does.
            C::SnapshotCreate(_) => Err(only_root("backs up files of this machine")),
            C::SnapshotForget(c) => with_group(
                group(&c.store, &c.ns, &c.snapshot.group),
                &[DatastoreModify],
                DatastorePrune,
            ),
            C::SnapshotNotesShow(c) => with_group(
                group(&c.store, &c.ns, &c.snapshot.group),
                &[DatastoreAudit],
                DatastoreBackup,
            ),
            C::SnapshotNotesUpdate(c) => with_group(
                group(&c.store, &c.ns, &c.snapshot.group),
                &[DatastoreModify],
                DatastoreBackup,
            ),
            C::SnapshotProtectedShow(c) => with_group(
                group(&c.store, &c.ns, &c.snapshot.group),
                &[DatastoreAudit],
                DatastoreBackup,
            ),
            C::SnapshotProtectedUpdate(c) => with_group(
                group(&c.store, &c.ns, &c.snapshot.group),
                &[DatastoreModify],
                DatastoreBackup,
            ),
            C::GroupForget(c) => {
                with_group(group(&c.store, &c.ns, &c.group), &[DatastoreModify], DatastorePrune)
            }
            C::GroupChangeOwner(c) => self.check_change_owner(who, c),

            C::DriveConfig(c) => self.require_drive(who, Some(&c.name), TapeAudit),
            C::DriveHealth(c) => match &c.name {
                Some(name) => self.require_drive(who, Some(name), TapeAudit),
                None => Ok(()),
            },
            C::DriveScan(_) | C::ChangerScan(_) | C::MtScan(_) | C::MtxScan(_) => {
                on(&devices(), &[TapeAudit])
            }
            C::DriveCreate(c) => {
                expect_device(matches!(c.path, DrivePath::Device(_)))?;
                on(&devices(), &[TapeModify])
            }
            C::DriveUpdate(c) => {
                expect_device(matches!(c.path, None | Some(DrivePath::Device(_))))?;
                self.require_drive(who, Some(&c.name), TapeModify)
            }
            C::ChangerCreate(c) => {
                expect_device(matches!(c.path, ChangerPath::Device(_)))?;
                on(&devices(), &[TapeModify])
            }
            C::DriveRemove(c) => self.require_drive(who, Some(&c.name), TapeModify),
            C::DriveStatus(c) => self.require_drive(who, c.drive.as_ref(), TapeAudit),
            C::ReadLabel(c) => self.require_drive(who, c.drive.as_ref(), TapeAudit),
            C::CartridgeMemory(c) => self.require_drive(who, c.drive.as_ref(), TapeAudit),
            C::VolumeStatistics(c) => self.require_drive(who, c.drive.as_ref(), TapeAudit),
            C::TapeAlertFlags(c) => self.require_drive(who, c.drive.as_ref(), TapeAudit),
            C::Rewind(c) => self.require_drive(who, c.drive.as_ref(), TapeRead),
            C::Eject(c) => self.require_drive(who, c.drive.as_ref(), TapeRead),
            C::Inventory(c) => self.require_drive(who, c.drive.as_ref(), TapeRead),
            C::LoadMedia(c) => self.require_drive(who, c.drive.as_ref(), TapeRead),
            C::LoadMediaFromSlot(c) => self.require_drive(who, c.drive.as_ref(), TapeRead),
            C::Unload(c) => self.require_drive(who, c.drive.as_ref(), TapeRead),
            C::EndOfData(c) => self.require_drive(who, c.drive.as_ref(), TapeRead),
            C::Clean(c) => self.require_drive(who, c.drive.as_ref(), TapeRead),
            C::Scan(c) => self.require_drive(who, c.drive.as_ref(), TapeRead),
            C::Catalog(c) => self.require_drive(who, c.drive.as_ref(), TapeRead),
            C::Format(c) => self.require_drive(who, c.drive.as_ref(), TapeWrite),
            C::Label(c) => self.require_drive(who, c.drive.as_ref(), TapeWrite),
            C::BarcodeLabel(c) => self.require_drive(who, c.drive.as_ref(), TapeWrite),
            C::ExportMedia(c) => match &c.drive {
                Some(drive) => self.require_drive(who, Some(drive), TapeRead),
                None => on(&devices(), &[TapeRead]),
            },
            // PBS has them for root alone.
            C::MtAsf(_)
            | C::MtBsf(_)
            | C::MtBsfm(_)
            | C::MtBsr(_)
            | C::MtCartridgeMemory(_)
            | C::MtEject(_)
            | C::MtEod(_)
            | C::MtErase(_)
            | C::MtFormat(_)
            | C::MtFsf(_)
            | C::MtFsfm(_)
            | C::MtFsr(_)
            | C::MtLoad(_)
            | C::MtLock(_)
            | C::MtOptions(_)
            | C::MtRewind(_)
            | C::MtSetblk(_)
            | C::MtStatus(_)
            | C::MtStclearoptions(_)
            | C::MtStoptions(_)
            | C::MtStsetoptions(_)
            | C::MtTapeAlertFlags(_)
            | C::MtUnlock(_)
            | C::MtVolumeStatistics(_)
            | C::MtWeof(_)
            | C::MtxInquiry(_)
            | C::MtxInventory(_)
            | C::MtxLoad(_)
            | C::MtxStatus(_)
            | C::MtxTransfer(_)
            | C::MtxUnload(_) => Err(only_root("drives devices by hand")),
            C::ChangerConfig(c) => on(&AclPath::tape_device(c.name.as_str()), &[TapeAudit]),
            C::ChangerUpdate(c) => {
                expect_device(matches!(c.path, None | Some(ChangerPath::Device(_))))?;
                on(&AclPath::tape_device(c.name.as_str()), &[TapeModify])
            }
            C::ChangerRemove(c) => on(&AclPath::tape_device(c.name.as_str()), &[TapeModify]),
            C::ChangerTransfer(c) => match (&c.name, &c.drive) {
                (Some(name), _) => on(&AclPath::tape_device(name.as_str()), &[TapeRead]),
                (None, Some(drive)) => {
                    let changer = self.changer_of_drive(drive)?;
                    on(&AclPath::tape_device(changer.as_str()), &[TapeRead])
                }
                (None, None) => on(&devices(), &[TapeRead]),
            },
            C::ChangerStatus(c) => match (&c.name, &c.drive) {
                (Some(name), _) => on(&AclPath::tape_device(name.as_str()), &[TapeAudit]),
                (None, Some(drive)) => self.require_drive(who, Some(drive), TapeAudit),
                (None, None) => on(&devices(), &[TapeAudit]),
            },

            C::PoolConfig(c) => on(&AclPath::tape_pool(&c.name), &[TapeAudit]),
            C::PoolCreate(_) => on(&pools(), &[TapeModify]),
            C::PoolUpdate(c) => on(&AclPath::tape_pool(&c.name), &[TapeModify]),
            C::PoolRemove(c) => on(&AclPath::tape_pool(&c.name), &[TapeModify]),
            C::MediaHealth(c) => match (&c.label_text, c.uuid) {
                (None, None) => Ok(()),
                (label, uuid) => self.require_medium(who, self.medium_of(label, uuid), TapeAudit),
            },
            C::MediaDestroy(c) => {
                self.require_medium(who, self.medium_of(&c.label_text, c.uuid), TapeWrite)
            }
            C::MediaVerify(c) => self.check_verify(who, c),
            C::MediaMove(c) => {
                self.require_medium(who, self.medium_of(&c.label_text, c.uuid), TapeWrite)
            }
            C::MediaMark(c) => {
                self.require_medium(who, self.medium_of(&c.label_text, c.uuid), TapeWrite)
            }
            // It moves cartridges of all libraries, and what is due may be of any pool.
            C::VaultMove(_) => {
                on(&devices(), &[TapeRead])?;
                on(&AclPath::fixed(&["tape", "pool"]), &[TapeWrite])
            }
            C::PoolPlan(c) => {
                on(&AclPath::tape_pool(&c.name), &[TapeAudit])?;
                match &c.store {
                    Some(store) => on(&AclPath::datastore(store), &[DatastoreAudit]),
                    None => Ok(()),
                }
            }
            C::MediaSetExport(c) => {
                on(&devices(), &[TapeRead])?;
                self.require_set(who, c.media_set, TapeRead)
            }
            C::MediaSetPlan(c) => self.require_set(who, c.media_set, TapeAudit),
            C::Fetch(c) => self.require_set(who, c.media_set, TapeRead),
            C::Backup(c) => self.check_backup(who, c),
            C::Restore(c) => self.check_restore(who, c),
            C::MediaVerifyJobShow(c) => on(&AclPath::tape_job(&c.id), &[TapeAudit]),
            C::MediaVerifyJobStatus(c) => on(&AclPath::tape_job(&c.id), &[TapeAudit]),
            C::MediaVerifyJobRun(c) => {
                self.check_verify_job(who, &MediaVerifyJobs::new(&self.config).get(&c.id)?)
            }
            C::MediaVerifyJobCreate(_) => on(&AclPath::fixed(&["tape", "job"]), &[TapeModify]),
            C::MediaVerifyJobUpdate(c) => on(&AclPath::tape_job(&c.id), &[TapeModify]),
            C::MediaVerifyJobRemove(c) => on(&AclPath::tape_job(&c.id), &[TapeModify]),
            C::BackupJobShow(c) => on(&AclPath::tape_job(&c.id), &[TapeAudit]),
            C::BackupJobStatus(c) => on(&AclPath::tape_job(&c.id), &[TapeAudit]),
            C::BackupJobRun(c) => {
                self.check_backup_job(who, &TapeJobs::new(&self.config).get(&c.id)?)
            }
            C::BackupJobCreate(_) => on(&AclPath::fixed(&["tape", "job"]), &[TapeModify]),
            C::BackupJobUpdate(c) => on(&AclPath::tape_job(&c.id), &[TapeModify]),
            C::BackupJobRemove(c) => on(&AclPath::tape_job(&c.id), &[TapeModify]),

            C::KeyList(_) | C::KeyShow(_) => on(&pools(), &[TapeAudit]),
            C::KeyChangePassphrase(c) if c.force => {
                Err(only_root("changes a passphrase without knowing it"))
            }
            // A paper key holds the key, protected by a passphrase that may be guessed.
            C::KeyCreate(_) | C::KeyChangePassphrase(_) | C::KeyPaperkey(_) | C::KeyRemove(_) => {
                on(&pools(), &[TapeModify])
            }
            C::KeyRestore(c) => {
                on(&pools(), &[TapeModify])?;
                match (&c.key, &c.key_file) {
                    (None, None) => self.require_drive(who, c.drive.as_ref(), TapeRead),
                    _ => Ok(()),
                }
            }

            C::RemoteShow(c) => on(&AclPath::remote(&c.name), &[RemoteAudit]),
            C::RemoteCheck(c) => on(&AclPath::remote(&c.name), &[RemoteAudit]),
            C::RemoteCreate(_) => on(&AclPath::fixed(&["remote"]), &[RemoteModify]),
            C::RemoteUpdate(c) => on(&AclPath::remote(&c.name), &[RemoteModify]),
            C::RemoteRemove(c) => on(&AclPath::remote(&c.name), &[RemoteModify]),
            C::SyncJobShow(c) => {
                self.require_visible_sync_job(who, &SyncJobs::new(&self.config).get(&c.id)?)
            }
            C::SyncJobStatus(c) => {
                self.require_visible_sync_job(who, &SyncJobs::new(&self.config).get(&c.id)?)
            }
            C::SyncJobRun(c) => {
                self.require_sync_job(who, &SyncJobs::new(&self.config).get(&c.id)?)
            }
            C::Pull(c) => self.check_pull(who, c),
            C::SyncJobCreate(c) => self.require_sync_job(who, &new_job(c)),
            C::SyncJobUpdate(c) => self.permit_job_update(c, who).map(drop),
            C::SyncJobRemove(c) => {
                self.require_sync_job(who, &SyncJobs::new(&self.config).get(&c.id)?)
            }

            C::TaskLog(c) => self.require_task(who, &c.upid, SysAudit),
            C::TaskStatus(c) => self.require_task(who, &c.upid, SysAudit),
            C::TaskStop(c) => self.require_task(who, &c.upid, SysModify),

            C::UserCreate(_) => on(&users(), &[PermissionsModify]),
            C::UserUpdate(c) => self.check_user_update(who, c),
            C::UserRemove(c) => self.check_user(who, &c.userid, false),
            C::UserListTokens(c) => self.check_user_audit(who, &c.userid),
            C::UserGenerateToken(c) => self.check_user(who, &c.userid, true),
            C::UserDeleteToken(c) => self.check_user(who, &c.userid, true),
            C::UserPermissions(c) => match c.auth_id.is_owned_by(who) {
                true => Ok(()),
                false => on(&AclPath::fixed(&["access"]), &[SysAudit]),
            },
            // Tokens never may more than their user, who may therefore give them what they like.
            C::AclUpdate(c) => match c.auth_id.token().is_some() && c.auth_id.is_owned_by(who) {
                true => Ok(()),
                false => on(&AclPath::fixed(&["access", "acl"]), &[PermissionsModify]),
            },
        }
    }

    /// A list in a namespace: whoever may do nothing there is told so; else rows are left out.
    fn check_listing(
        &self,
        who: &AuthId,
        store: &StoreName,
        namespace: Option<&Namespace>,
    ) -> Outcome<()> {
        let path = AclPath::namespace(store, &namespace.cloned().unwrap_or_default());
        self.rights.require(who, &path, &[DatastoreAudit, DatastoreRead, DatastoreBackup])
    }

    /// A client key opens what others have encrypted.
    fn check_client_key(
        &self,
        who: &AuthId,
        store: Option<&StoreName>,
        set: Option<reel_types::MediaSetId>,
    ) -> Outcome<()> {
        if let Some(store) = store {
            self.rights.require(who, &AclPath::datastore(store), &[DatastoreModify])?;
        }
        match set {
            Some(set) => self.require_set(who, set, TapeModify),
            None => Ok(()),
        }
    }

    /// With Datastore.Modify to anybody; the owner itself between a user and its own tokens (`datastore.md` §4.4).
    fn check_change_owner(&self, who: &AuthId, command: &GroupChangeOwner) -> Outcome<()> {
        let namespace = command.ns.clone().unwrap_or_default();
        let path = AclPath::namespace(&command.store, &namespace);
        if self.rights.has_any(who, &path, &[DatastoreModify]) {
            return Ok(());
        }
        let group = GroupPath { namespace, group: command.group.clone() };
        let to_own = command.new_owner.is_owned_by(who) && who.token().is_none();
        match to_own {
            true => {
                let any = [DatastoreModify];
                self.require_group(who, &command.store, &group, &any, DatastoreBackup)
            }
            false => Err(lacking(who, &path, &[DatastoreModify])),
        }
    }

    fn check_backup(&self, who: &AuthId, command: &Backup) -> Outcome<()> {
        let namespace = command.ns.clone().unwrap_or_default();
        let source = AclPath::namespace(&command.store, &namespace);
        self.rights.require(who, &source, &[DatastoreRead])?;
        self.rights.require(who, &AclPath::tape_pool(&command.pool), &[TapeWrite])?;
        self.require_drive(who, command.drive.as_ref(), TapeWrite)
    }

    fn check_verify_job(&self, who: &AuthId, job: &MediaVerifyJobConfig) -> Outcome<()> {
        for privilege in [TapeRead, TapeWrite] {
            self.rights.require(who, &AclPath::tape_pool(&job.pool), &[privilege])?;
        }
        self.require_drive(who, Some(&job.drive), TapeRead)
    }

    fn check_backup_job(&self, who: &AuthId, job: &TapeJobConfig) -> Outcome<()> {
        let source = AclPath::namespace(&job.store, &job.ns.clone().unwrap_or_default());
        self.rights.require(who, &source, &[DatastoreRead])?;
        self.rights.require(who, &AclPath::tape_pool(&job.pool), &[TapeWrite])?;
        self.require_drive(who, Some(&job.drive), TapeWrite)
    }

    /// To write into each target and to make namespaces and change owners there: which of those it comes to is not known
    /// before the catalogs are read. (PBS asks for the latter snapshot by snapshot.)
    fn check_restore(&self, who: &AuthId, command: &Restore) -> Outcome<()> {
        for set in command.media_set.sets() {
            self.require_set(who, *set, TapeRead)?;
        }
        self.require_drive(who, command.drive.as_ref(), TapeRead)?;
        let namespaces = command.namespaces.iter().map(|map| &map.target);
        let roots = [Namespace::root()];
        for store in command.store.targets() {
            for namespace in roots.iter().chain(namespaces.clone()) {
                let target = AclPath::namespace(store, namespace);
                self.rights.require(who, &target, &[DatastoreBackup])?;
                self.rights.require(who, &target, &[DatastoreModify])?;
            }
        }
        Ok(())
    }

    /// Reading media, and what a medium that turns out to be damaged is marked with.
    fn check_verify(&self, who: &AuthId, command: &MediaVerify) -> Outcome<()> {
        for privilege in [TapeRead, TapeWrite] {
            for label in &command.labels {
                self.require_medium(who, self.medium_of(&Some(label.clone()), None), privilege)?;
            }
            for uuid in &command.uuid {
                self.require_medium(who, Some(*uuid), privilege)?;
            }
            if let Some(set) = command.media_set {
                self.require_set(who, set, privilege)?;
            }
            if let Some(pool) = &command.pool {
                self.rights.require(who, &AclPath::tape_pool(pool), &[privilege])?;
            }
        }
        self.require_drive(who, command.drive.as_ref(), TapeRead)
    }

    /// A pull by hand (`sync.md` §2.3).
    fn check_pull(&self, who: &AuthId, command: &Pull) -> Outcome<()> {
        let namespace = command.ns.clone().unwrap_or_default();
        let anchor = AclPath::namespace(&command.store, &namespace);
        self.rights.require(who, &anchor, &[DatastoreBackup])?;
        let source = AclPath::remote_store(&command.remote, &command.remote_store);
        self.rights.require(who, &source, &[RemoteRead])?;
        match command.remove_vanished {
            true => self.rights.require(who, &anchor, &[DatastorePrune]),
            false => Ok(()),
        }
    }

    fn permit_job_update(&self, update: &SyncJobUpdate, who: &AuthId) -> Outcome<SyncJobUpdate> {
        let (jobs, digest) = SyncJobs::new(&self.config).list()?;
        let job = jobs.into_iter().find(|job| job.id == update.id);
        let job = match job {
            Some(job) => job,
            None => SyncJobs::new(&self.config).get(&update.id)?,
        };
        self.require_sync_job(who, &updated_job(job, update))?;
        // What was looked at is what will be changed.
        let seen = digest.to_string().parse()?;
        Ok(SyncJobUpdate { digest: Some(update.digest.unwrap_or(seen)), ..update.clone() })
    }

    pub(crate) fn require_task(
        &self,
        who: &AuthId,
        upid: &Upid,
        otherwise: Privilege,
    ) -> Outcome<()> {
        if upid.parts().auth_id.is_owned_by(who) || self.could_have_started(who, upid) {
            return Ok(());
        }
        self.rights.require(who, &AclPath::fixed(&["system", "tasks"]), &[otherwise])
    }

    /// Whether a task is the run of a job that `who` may run, too (`config.md` §9.4).
    fn could_have_started(&self, who: &AuthId, upid: &Upid) -> bool {
        let parts = upid.parts();
        let id = parts.worker_id.as_deref().and_then(|id| id.rsplit(':').next());
        let job = id.filter(|_| parts.worker_type == "syncjob").and_then(|id| id.parse().ok());
        let job = job.and_then(|id| SyncJobs::new(&self.config).get(&id).ok());
        job.is_some_and(|job| self.require_sync_job(who, &job).is_ok())
    }

    fn check_user_audit(&self, who: &AuthId, user: &UserId) -> Outcome<()> {
        match AuthId::from(user) == *who {
            true => Ok(()),
            false => self.rights.require(who, &users(), &[SysAudit, PermissionsModify]),
        }
    }

    /// Changing a user: by who may change them all, and where `by_itself` by the user itself; the superuser only by
    /// itself.
    fn check_user(&self, who: &AuthId, user: &UserId, by_itself: bool) -> Outcome<()> {
        let id = AuthId::from(user);
        if id.is_root() {
            return Err(denied("only the superuser changes 'root@pam'"));
        }
        if by_itself && id == *who {
            return Ok(());
        }
        self.rights.require(who, &users(), &[PermissionsModify])
    }

    fn check_user_update(&self, who: &AuthId, update: &UserUpdate) -> Outcome<()> {
        let lasting = update.enable.is_none() && update.expire.is_none();
        self.check_user(who, &update.userid, lasting)
    }

    /// The medium that a command means; none where there is none or several.
    fn medium_of(
        &self,
        label: &Option<reel_types::LabelText>,
        uuid: Option<MediaId>,
    ) -> Option<MediaId> {
        let media = self.media_names().ok()?;
        let by_label = || Some(media.inventory().find_by_label_text(label.as_ref()?).ok()??.uuid());
        uuid.or_else(by_label)
    }
}

fn only_root(what: &str) -> crate::failure::Failure {
    denied(format!("only the superuser {what}"))
}

/// Tapes in a folder are files that the daemon makes where it may write.
fn expect_device(is_device: bool) -> Outcome<()> {
    if is_device { Ok(()) } else { Err(only_root("puts tapes into folders of this machine")) }
}

fn devices() -> AclPath {
    AclPath::fixed(&["tape", "device"])
}

fn pools() -> AclPath {
    AclPath::fixed(&["tape", "pool"])
}

fn certificates() -> AclPath {
    AclPath::fixed(&["system", "certificates"])
}

fn users() -> AclPath {
    AclPath::fixed(&["access", "users"])
}

/// Of a new job what its permissions depend on.
fn new_job(create: &SyncJobCreate) -> SyncJobConfig {
    let (store, remote_store) = (create.store.clone(), create.remote_store.clone());
    SyncJobConfig {
        ns: create.ns.clone(),
        remote: create.remote.clone(),
        owner: create.owner.clone(),
        remove_vanished: create.remove_vanished,
        ..SyncJobConfig::new(create.id.clone(), store, remote_store)
    }
}

/// Of a changed job what its permissions depend on.
fn updated_job(job: SyncJobConfig, update: &SyncJobUpdate) -> SyncJobConfig {
    let deleted = |key: &str| update.delete.iter().any(|property| property.as_str() == key);
    let kept = |key: &str| !deleted(key);
    SyncJobConfig {
        store: update.store.clone().unwrap_or(job.store.clone()),
        remote_store: update.remote_store.clone().unwrap_or(job.remote_store.clone()),
        ns: update.ns.clone().or(job.ns.clone().filter(|_| kept("ns"))),
        remote: update.remote.clone().or(job.remote.clone().filter(|_| kept("remote"))),
        owner: update.owner.clone().or(job.owner.clone().filter(|_| kept("owner"))),
        remove_vanished: update
            .remove_vanished
            .or(job.remove_vanished.filter(|_| kept("remove-vanished"))),
        ..job
    }
}
