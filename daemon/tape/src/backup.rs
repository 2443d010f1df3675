//! Backup of a datastore to a media pool (`tape-state.md` §9, `tape-format.md` §10).
//!
//! Groups in PBS's order, their snapshots oldest first, what the media set has already is passed over. For each
//! snapshot its new chunks are written, then its own archive; so a snapshot on tape has all its chunks before it
//! on the same set.
//!
//! Unlike PBS, a chunk that is missing, damaged or not what its digest says does not end the job and never goes to
//! tape: its snapshot is left out and named, the rest goes on, and the job ends with an error.

mod archives;
mod chunk_feed;
mod known;
mod pool_writer;
mod select;
mod unwritten;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reel_store::datastore::{Datastore, SnapshotReader};
use reel_types::{
    Digest, GroupPath, GroupsProgress, LabelText, MediaId, MediaSetId, SnapshotPath, TaskContext,
};
use uuid::Uuid;

use crate::drive_desk::{DriveHold, DriveState};
use crate::encryption::{SetKey, require_encryption};
use crate::env::TapeEnv;
use crate::medium::{self, Gift};
use crate::pool::{MediaPool, PoolRules, Site, start_line};
use crate::state_dir::Patience;
use crate::{Error, Result};

use chunk_feed::{feed_chunks, has_chunks, is_about_data, is_vanished};
use known::KnownContents;
use pool_writer::PoolWriter;

pub use select::Selection;
pub use unwritten::unwritten_bytes;

/// How often a media set is tried again that somebody else uses.
const SET_RETRY: Duration = Duration::from_secs(1);
/// Parts of a whole that progress is told in.
const PARTS: f64 = 10_000.0;

/// What a backup is to do.
pub struct BackupJob {
    /// The datastore.
    pub store: Arc<Datastore>,
    /// The pool.
    pub pool: PoolRules,
    /// Which media the drive can get at.
    pub site: Site,
    /// Which part of the datastore.
    pub selection: Selection,
    /// Start a new media set, whatever the pool's policy.
    pub force_media_set: bool,
    /// Put the last medium away at the end.
    pub eject_media: bool,
    /// Put all media of the set into import-export slots at the end.
    pub export_media_set: bool,
}

/// What a backup did so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BackupSummary {
    /// The media set, once there is one.
    pub set: Option<MediaSetId>,
    /// Snapshots that are surely on tape, in order.
    pub written: Vec<SnapshotPath>,
    /// The labels of the media that were written, in order; known at the end of a backup that got so far.
    pub media: Vec<LabelText>,
}

/// Finds out, without a drive, what would make the job fail at once: a pool whose key is not known.
pub fn check(env: &TapeEnv, job: &BackupJob) -> Result<()> {
    set_key(env, job).map(drop)
}

/// The key of the pool, if it has one.
fn set_key(env: &TapeEnv, job: &BackupJob) -> Result<Option<SetKey>> {
    job.pool.encrypt.map(|fingerprint| env.keys.set_key(&fingerprint)).transpose()
}

/// Runs a backup on the drive that `hold` holds. `summary` tells what was done, also where the backup fails.
///
/// # Errors
/// [`Error::Unfinished`] where snapshots were left out; what was written is on tape and committed all the same.
pub fn backup(
    env: &TapeEnv,
    hold: &mut DriveHold,
    job: &BackupJob,
    summary: &mut BackupSummary,
    task: &dyn TaskContext,
) -> Result<()> {
    let key = set_key(env, job)?;
    if key.is_some() {
        require_encryption(hold)?;
    }
    let pool = open_pool(env, hold, job, task)?;
    summary.set = Some(pool.current_set());
    let known = KnownContents::of_set(env, pool.inventory(), &pool.members()?, job.store.name())?;
    let (groups, total) = job.selection.groups(&job.store, task)?;
    task.log(&format!("found {} groups (out of {total} total)", groups.len()));
    if job.selection.latest_only {
        task.log("latest-only: true (only considering latest snapshots)");
    }
    let namespaces = job.selection.may_have_namespaces();
    let writer = PoolWriter::new(env, hold, task, (pool, key), namespaces);
    let mut run = Run {
        env,
        job,
        task,
        writer,
        known: RwLock::new(known),
        summary,
        attempted: false,
        has_left_out: false,
    };
    let done = match run.all_groups(&groups) {
        Ok(()) => run.finish(),
        Err(error) => {
            run.save_what_is_written();
            Err(error)
        }
    };
    run.summary.written = run.writer.committed().to_vec();
    done
}

/// Opens the pool with its set. As long as somebody else writes or restores that, the job waits as it does for a drive.
fn open_pool(
    env: &TapeEnv,
    hold: &mut DriveHold,
    job: &BackupJob,
    task: &dyn TaskContext,
) -> Result<MediaPool> {
    let open = || {
        MediaPool::open(
            env.state.clone(),
            job.pool.clone(),
            job.site.clone(),
            env.zone.clone(),
            Box::new(|| MediaSetId(Uuid::new_v4())),
            Patience::of_task(task),
        )
    };
    let mut pool = match open() {
        Err(Error::Locked { .. }) => wait_for_set(hold, job, task, open)?,
        opened => opened?,
    };
    let reason = pool.start_write_session(env.clock.now(), job.force_media_set)?;
    task.log(&start_line(&pool.view()?, reason.as_ref()));
    task.log(&format!("media set uuid: {}", pool.current_set()));
    Ok(pool)
}

/// Tries until nobody else uses the media set. What lies in the drive may be what the other one waits for, and nobody
/// would ever go on.
fn wait_for_set(
    hold: &mut DriveHold,
    job: &BackupJob,
    task: &dyn TaskContext,
    open: impl Fn() -> Result<MediaPool>,
) -> Result<MediaPool> {
    let pool = &job.pool.name;
    task.log(&format!("waiting for the media set of pool '{pool}', which another task uses"));
    let mut gift = Gift::default();
    loop {
        gift.give(hold, task);
        task.wait(SET_RETRY)?;
        match open() {
            Err(Error::Locked { .. }) => {}
            opened => return opened,
        }
    }
}

/// A backup on its way.
struct Run<'a> {
    env: &'a TapeEnv,
    job: &'a BackupJob,
    task: &'a dyn TaskContext,
    writer: PoolWriter<'a>,
    known: RwLock<KnownContents>,
    summary: &'a mut BackupSummary,
    attempted: bool,
    has_left_out: bool,
}

impl Run<'_> {
    fn all_groups(&mut self, groups: &[GroupPath]) -> Result<()> {
        for (number, group) in groups.iter().enumerate() {
            let snapshots = self.job.selection.snapshots(&self.job.store, group)?;
            if snapshots.is_empty() {
                self.task.log(&self.empty_group(group));
            }
            for (done, snapshot) in snapshots.iter().enumerate() {
                self.task.check()?;
                let was_tried = self.one_snapshot(snapshot)?;
                let progress = GroupsProgress {
                    done_groups: number as u64,
                    groups: groups.len() as u64,
                    done_snapshots: done as u64 + 1,
                    snapshots: snapshots.len() as u64,
                };
                if was_tried {
                    self.task.log(&format!("percentage done: {progress}"));
                }
                self.task.progress((progress.share() * PARTS) as u64, PARTS as u64, "parts");
            }
        }
        Ok(())
    }

    fn empty_group(&self, group: &GroupPath) -> String {
        let namespace = match group.namespace.is_root() {
            true => "root namespace".to_string(),
            false => format!("namespace '{}'", group.namespace),
        };
        let store = self.job.store.name();
        format!("datastore '{store}', {namespace}, group {} was empty", group.group)
    }

    /// Backs a snapshot up; false where it is on the media already.
    fn one_snapshot(&mut self, snapshot: &SnapshotPath) -> Result<bool> {
        if self.known().has_snapshot(snapshot) {
            self.task.log(&format!("skip snapshot {snapshot}"));
            return Ok(false);
        }
        self.attempted = true;
        self.task.log(&format!("backup snapshot \"{snapshot}\""));
        let reader = match self.job.store.open_snapshot(snapshot) {
            Err(error) if is_vanished(&error) => {
                self.task.log(&format!("snapshot {snapshot} vanished, skipping"));
                return Ok(true);
            }
            Err(error) => {
                self.leave_out(snapshot, &error.into());
                return Ok(true);
            }
            Ok(reader) => reader,
        };
        match self.write_snapshot(&reader) {
            Err(error) if is_about_data(&error) => self.leave_out(snapshot, &error),
            Err(error) => return Err(error),
            Ok(()) => {
                self.task.log(&format!("end backup {}:\"{snapshot}\"", self.job.store.name()));
            }
        }
        Ok(true)
    }

    fn write_snapshot(&mut self, reader: &SnapshotReader) -> Result<()> {
        if has_chunks(reader) {
            self.write_chunks(reader)?;
        }
        check_blobs(reader)?;
        self.writer.write_snapshot(reader)?;
        self.known_mut().add_snapshot(reader.snapshot().clone());
        Ok(())
    }

    fn write_chunks(&mut self, reader: &SnapshotReader) -> Result<()> {
        let Self { env, job, writer, known, .. } = self;
        feed_chunks(reader, known, &env.scratch, |feed| {
            writer.write_chunks(job.store.name(), feed, &mut |digest: &Digest| {
                known.write().unwrap_or_else(PoisonError::into_inner).add_chunk(digest)
            })
        })
    }

    fn leave_out(&mut self, snapshot: &SnapshotPath, error: &Error) {
        self.task.warn(&format!("snapshot {snapshot} is not on tape: {error}"));
        self.has_left_out = true;
    }

    fn known(&self) -> std::sync::RwLockReadGuard<'_, KnownContents> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&mut self) -> &mut KnownContents {
        self.known.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// After a failure or a stop: what is whole on the medium is committed, so that it need not be written again.
    fn save_what_is_written(&mut self) {
        if let Err(error) = self.writer.commit() {
            self.task.warn(&format!("the last archives are not committed: {error}"));
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.writer.commit()?;
        self.tell_underruns();
        if self.attempted {
            self.task.log("append media catalog");
            self.writer.write_own_catalog()?;
        }
        if self.job.export_media_set {
            self.export_set()?;
        } else if self.job.eject_media {
            medium::eject_medium(self.writer.hold(), self.task)?;
        }
        self.summary.media = self.used_media()?;
        if self.has_left_out {
            let text = "Tape backup finished with some errors. Please check the task log.";
            return Err(Error::Unfinished(text.into()));
        }
        Ok(())
    }

    fn used_media(&self) -> Result<Vec<LabelText>> {
        let inventory = self.writer.pool().inventory();
        let label =
            |medium: &MediaId| Ok(inventory.require(*medium)?.labels.label.label_text.clone());
        self.writer.used().iter().map(label).collect()
    }

    fn tell_underruns(&mut self) {
        let underruns = self.writer.hold().note_underruns();
        if underruns > 0 {
            self.task.warn(&format!(
                "the tape had to stop {underruns} times because the datastore delivered too slowly"
            ));
        }
    }

    fn export_set(&mut self) -> Result<()> {
        self.writer.hold().note_health();
        if self.writer.hold().changer().is_some() {
            self.task.log("rewind media");
            let hold = self.writer.hold();
            hold.set_state(DriveState::Rewinding);
            hold.drive().rewind().map_err(|source| hold.failed(source))?;
        }
        for medium in self.writer.pool().members()? {
            let labels = &self.writer.pool().inventory().require(medium)?.labels;
            let label_text = labels.label.label_text.clone();
            let tag = medium::volume_tag(&label_text)?;
            let number = self.writer.hold().drive_number();
            let Some(changer) = self.writer.hold().changer() else {
                return medium::eject_medium(self.writer.hold(), self.task);
            };
            match changer.export(&tag, number) {
                Ok(Some(slot)) => self
                    .task
                    .log(&format!("exported media '{label_text}' to import/export slot {slot}")),
                Ok(None) => self.task.warn(&format!(
                    "export failed - media '{label_text}' is not online or in different drive"
                )),
                Err(error) => {
                    self.task.warn(&format!("export of media '{label_text}' failed - {error}"));
                }
            }
        }
        Ok(())
    }
}

/// Checks the blobs of a snapshot against its manifest, so that no damaged one goes to tape as good.
fn check_blobs(reader: &SnapshotReader) -> Result<()> {
    for name in reader.stored_files()? {
        if name.kind() == reel_types::ArchiveKind::Blob {
            reader.blob(&name)?;
        }
    }
    Ok(())
}
