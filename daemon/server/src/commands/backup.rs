//! Backups to tape: by hand, and runs of jobs (`cli-tape.md` §4, §10; `tape-state.md` §9).

use std::sync::Arc;
use std::time::Duration;

use reel_config::TapeJobConfig;
use reel_tape::backup::{self, BackupJob, BackupSummary, Selection};
use reel_tape::media_requests::{Asking, RequestDevice};
use reel_tape::{DriveDesk, DriveHold, PlaceInLine};
use reel_types::commands::Backup;
use reel_types::{AuthId, Cancel, DriveName, NamespaceDepth, TaskContext, Upid};

use super::Done;
use super::configured_jobs::{JobKind, settings_of_job, texts};
use super::drive::DRIVE_WAIT;
use crate::drives::ConfiguredDrive;
use crate::failure::Outcome;
use crate::notifications::{BackupResult, EndedTask, Recipient, Requests};
use crate::reeld::Reeld;
use crate::stores::StoreInUse;
use crate::tasks::{Task, TaskFailure};

/// Somebody who waits so long waits for ever.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// What is to be backed up where, by a job or by hand.
#[derive(Debug, Clone)]
struct Order {
    config: TapeJobConfig,
    /// The id counts.
    is_job: bool,
    force_media_set: bool,
}

/// A backup that can begin, and the datastore that it uses.
struct ReadyBackup {
    job: BackupJob,
    _in_use: StoreInUse,
}

impl Order {
    fn of_job(config: TapeJobConfig) -> Self {
        Self { config, is_job: true, force_media_set: false }
    }

    /// A backup by hand, as a job that is nowhere configured.
    fn by_hand(command: &Backup, drive: &DriveName) -> Outcome<Self> {
        let (store, pool) = (command.store.clone(), command.pool.clone());
        let config = TapeJobConfig {
            ns: command.ns.clone(),
            max_depth: command.max_depth,
            group_filter: command.groups.clone(),
            latest_only: Some(command.latest_only),
            eject_media: Some(command.eject_media),
            export_media_set: Some(command.export_media_set),
            notify_user: command.notify_user.clone(),
            ..TapeJobConfig::new("by-hand".parse()?, store, pool, drive.clone())
        };
        Ok(Self { config, is_job: false, force_media_set: command.force_media_set })
    }

    fn recipient(&self) -> Recipient {
        Recipient::chosen(self.config.notification_mode, self.config.notify_user.clone())
    }

    fn worker_id(&self) -> String {
        let TapeJobConfig { id, store, pool, drive, .. } = &self.config;
        match self.is_job {
            true => format!("{store}:{pool}:{drive}:{id}"),
            false => format!("{store}:{pool}:{drive}"),
        }
    }
}

impl Reeld {
    pub(super) fn backup(self: &Arc<Self>, command: &Backup, who: &AuthId) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let order = Order::by_hand(command, desk.name())?;
        let ready = self.ready_backup(&order)?;
        let (reeld, id) = (Arc::clone(self), order.worker_id());
        self.drive_task(&desk, "tape-backup", &id, who, move |hold, task| {
            reeld.back_up(&order, task, || Ok((ready, None)), |_| Ok(Held::By(hold)))
        })
    }

    /// Starts a run of a job; `trigger` is the schedule that asked for it, none where somebody did.
    pub(super) fn start_backup_job(
        self: &Arc<Self>,
        config: TapeJobConfig,
        who: &AuthId,
        trigger: Option<String>,
    ) -> Outcome<Upid> {
        let order = Order::of_job(config);
        match trigger {
            Some(schedule) => self.start_scheduled(order, schedule),
            None => self.start_by_hand(order, who),
        }
    }

    fn start_by_hand(self: &Arc<Self>, order: Order, who: &AuthId) -> Outcome<Upid> {
        let job_id = order.config.id.clone();
        let job = TapeJobConfig::job(&job_id);
        let ready = self.ready_backup(&order)?;
        let desk = self.drives.desk(&order.config.drive)?;
        let id = order.worker_id();
        let hold = desk.hold(&format!("{} {id}", job.kind), DRIVE_WAIT, &Cancel::new())?;
        let reeld = Arc::clone(self);
        self.run_job(job, &id, who, move |task| {
            hold.note_holder(task.upid().as_str());
            reeld.back_up(&order, task, || Ok((ready, None)), |_| Ok(Held::Own(Box::new(hold))))
        })
    }

    fn start_scheduled(self: &Arc<Self>, order: Order, schedule: String) -> Outcome<Upid> {
        let id = order.config.id.clone();
        let worker_id = order.worker_id();
        // The place in the line is taken here, in the order of starts. A drive that is not there fails the task.
        let desk = self.drives.desk(&order.config.drive);
        let place = desk.as_ref().ok().map(DriveDesk::line_up);
        let reeld = Arc::clone(self);
        self.run_job(TapeJobConfig::job(&id), &worker_id, &AuthId::root(), move |task| {
            let ready = || {
                let ready = reeld.ready_backup(&order)?;
                Ok((ready, Some(schedule.as_str())))
            };
            let hold = |task: &Task| Ok(Held::Own(Box::new(hold_for_task(desk, place, task)?)));
            reeld.back_up(&order, task, ready, hold)
        })
    }

    fn ready_backup(&self, order: &Order) -> Outcome<ReadyBackup> {
        let config = &order.config;
        let in_use = self.stores.begin_reading(&config.store)?;
        let job = BackupJob {
            store: Arc::clone(in_use.store()),
            pool: self.pool_rules(&config.pool)?,
            site: self.drives.site(&config.drive)?,
            selection: Selection {
                namespace: config.ns.clone().unwrap_or_default(),
                depth_max: config.max_depth.map(NamespaceDepth::levels),
                filters: config.group_filter.clone(),
                latest_only: config.latest_only.unwrap_or(false),
            },
            force_media_set: order.force_media_set,
            eject_media: config.eject_media.unwrap_or(false),
            export_media_set: config.export_media_set.unwrap_or(false),
        };
        backup::check(&self.tape, &job)?;
        Ok(ReadyBackup { job, _in_use: in_use })
    }

    /// A whole run, and telling how it ended.
    fn back_up<'h, 's>(
        &self,
        order: &Order,
        task: &Task,
        ready: impl FnOnce() -> Outcome<(ReadyBackup, Option<&'s str>)>,
        hold: impl FnOnce(&Task) -> Result<Held<'h>, TaskFailure>,
    ) -> Result<(), TaskFailure> {
        let began = self.clock.now();
        let mut summary = BackupSummary::default();
        let done = self.back_up_now(order, &mut summary, task, ready, hold);
        let error = done.as_ref().err().map(ToString::to_string);
        self.tell_result(order, task, began, &summary, error);
        done
    }

    fn back_up_now<'h, 's>(
        &self,
        order: &Order,
        summary: &mut BackupSummary,
        task: &Task,
        ready: impl FnOnce() -> Outcome<(ReadyBackup, Option<&'s str>)>,
        hold: impl FnOnce(&Task) -> Result<Held<'h>, TaskFailure>,
    ) -> Result<(), TaskFailure> {
        if order.is_job {
            task.log(&format!("Starting tape backup job '{}'", order.config.id));
        }
        let (ready, schedule) = ready()?;
        if let Some(event) = schedule {
            task.log(&format!("task triggered by schedule '{event}'"));
        }
        let mut hold = hold(task)?;
        let hold = hold.get();
        self.ask_for_media(hold, order.recipient(), &order.worker_id())?;
        task.log("update media online status");
        self.refresh_online_status()?;
        let done = backup::backup(&self.tape, hold, &ready.job, summary, task);
        hold.finish(task);
        Ok(done?)
    }

    /// Has people asked for media that the drive can't get at. Where media are only files, nobody can help.
    pub(super) fn ask_for_media(
        &self,
        hold: &mut DriveHold,
        to: Recipient,
        asker: &str,
    ) -> Outcome<()> {
        let device = match self.drives.config(hold.name())? {
            ConfiguredDrive::Virtual(_) => return Ok(()),
            ConfiguredDrive::Lto(drive, _) => match drive.changer {
                Some(changer) => RequestDevice::Changer(changer),
                None => RequestDevice::Drive(drive.name),
            },
        };
        let requests = Requests {
            notifications: Arc::clone(&self.notifications),
            tasks: self.tasks.clone(),
            clock: Arc::clone(&self.clock),
            to,
            asker: asker.into(),
        };
        let again_after = self.ask_again;
        hold.ask_for_media(Asking { device, requests: Arc::new(requests), again_after });
        Ok(())
    }

    fn tell_result(
        &self,
        order: &Order,
        task: &Task,
        began: i64,
        summary: &BackupSummary,
        error: Option<String>,
    ) {
        let config = &order.config;
        let now = self.clock.now();
        let result = BackupResult {
            store: config.store.as_str(),
            pool: config.pool.as_str(),
            snapshots: texts(&summary.written),
            tapes: match error {
                None => texts(&summary.media),
                Some(_) => Vec::new(),
            },
            task: EndedTask {
                id: order.is_job.then_some(config.id.as_str()),
                job: settings_of_job(config),
                upid: task.upid().as_str(),
                seconds: now.saturating_sub(began),
                error,
            },
        };
        let notice = result.notice(self.notifications.host(), &order.recipient(), now);
        self.notifications.tell(notice);
    }
}

/// A drive that a task was given, or took itself.
enum Held<'h> {
    By(&'h mut DriveHold),
    Own(Box<DriveHold>),
}

impl Held<'_> {
    fn get(&mut self) -> &mut DriveHold {
        match self {
            Self::By(hold) => hold,
            Self::Own(hold) => hold,
        }
    }
}

/// The drive of a task that waits for it as long as that takes, at the place in the line that was taken for it.
pub(super) fn hold_for_task(
    desk: Outcome<Arc<DriveDesk>>,
    place: Option<PlaceInLine>,
    task: &Task,
) -> Result<DriveHold, TaskFailure> {
    let desk = desk?;
    if desk.activity().is_some() {
        task.log("waiting for drive lock...");
    }
    let place = place.unwrap_or_else(|| desk.line_up());
    Ok(desk.hold_in_turn(place, task.upid().as_str(), FOR_EVER, task.cancel())?)
}
