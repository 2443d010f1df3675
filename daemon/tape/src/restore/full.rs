//! Restoring all of a set: one pass over each medium, no catalog needed (`tape-state.md` §10.2).
//!
//! Each pass also writes the medium's catalog anew, so archives of datastores that go nowhere are read, too:
//! the drive has to move over them anyway, and a catalog that lacks them would be a loss.

use reel_store::DataBlob;
use reel_types::{Digest, StoreName};

use super::Run;
use super::chunk_plan::WantedChunks;
use super::chunks::add_missing;
use super::content::SnapshotContent;
use super::import::{Standing, count_missing, import, is_about_snapshot, standing};
use super::members::{Member, in_reach_first};
use super::other_sets::restore_from_other_sets;
use super::read_snapshots::{WantedArchive, forget_kept, read_snapshots};
use super::report::{Report, Tally};
use super::targets::Target;
use crate::drive_desk::DriveHold;
use crate::media_catalog::CatalogRecord;
use crate::pass::{OldCatalog, Sink, is_about_medium, pass_over_medium};
use crate::snapshot_files::{KeptSnapshot, SnapshotOnSet};
use crate::{Error, Result};

/// Bytes after which progress is told anew.
const PROGRESS_BYTES: u64 = 64 << 20;

/// Restores everything whose datastore has a target.
pub(super) fn restore_all(
    run: &Run<'_>,
    hold: &mut DriveHold,
    report: &mut Report<'_>,
) -> Result<()> {
    if let Some(fingerprint) = run.members.key() {
        run.task.log(&format!("Encryption key fingerprint: {}", fingerprint.short()));
    }
    run.task.log(&format!("Datastore(s): {}", run.targets.names()));
    run.task.log(&format!("Drive: {}", hold.name()));
    for seq_nr in run.members.missing() {
        report.lost_medium(Error::SetIncomplete { set: run.set, seq_nr: *seq_nr }.to_string());
    }
    let media = in_reach_first(run, hold, run.members.iter())?;
    let mut restore = FullRestore {
        run,
        report,
        archive: None,
        told_bytes: 0,
        incomplete: Vec::new(),
        unreadable: Vec::new(),
    };
    for member in media {
        match restore.one_medium(hold, member) {
            Err(error) if is_about_medium(&error) => restore.give_up(member, &error)?,
            done => done?,
        }
    }
    let missing = restore.missing_chunks()?;
    restore_from_other_sets(run, hold, missing, restore.report)?;
    restore.take_incomplete_ones()
}

struct FullRestore<'a, 't> {
    run: &'a Run<'a>,
    report: &'a mut Report<'t>,
    /// What came from the present archive.
    archive: Option<Tally>,
    told_bytes: u64,
    /// Snapshots that lacked chunks when they passed by, or whose medium did not come.
    incomplete: Vec<SnapshotOnSet>,
    /// Snapshots whose kept files are broken: kept ones that are older than this pass.
    unreadable: Vec<SnapshotOnSet>,
}

/// What became of a snapshot.
enum Outcome {
    Restored,
    There,
    /// It lacks so many chunks.
    Incomplete(usize),
    Failed(Error),
}

impl FullRestore<'_, '_> {
    fn one_medium(&mut self, hold: &mut DriveHold, member: &Member) -> Result<()> {
        let run = self.run;
        let labels = member.load(run, hold)?;
        let outcome =
            pass_over_medium(run.env, hold, &labels, OldCatalog::KeepOverDamage, self, run.task)?;
        self.report.damaged(outcome.damage.len());
        self.read_unreadable_ones(hold, member)
    }

    /// Goes on without a medium, or without the rest of it: what its catalog names and what did not come is looked for
    /// elsewhere at the end.
    fn give_up(&mut self, member: &Member, error: &Error) -> Result<()> {
        let run = self.run;
        self.archive = None;
        // Bad chunks are missing, and told as such.
        run.intake.settle(run.task)?;
        let text = format!("media '{}' can't be read: {error}", member.label);
        let mut named = Vec::new();
        let listed = member.visit_catalog(run.env, |record| {
            if let CatalogRecord::Snapshot { store, path, .. } = record {
                named.push(SnapshotOnSet { set: run.set, store, path });
            }
            Ok(())
        });
        match listed {
            Ok(()) => self.report.unread_medium(text),
            Err(error) => {
                self.report.lost_medium(format!("{text}; what is on it is not known: {error}"))
            }
        }
        named.retain(|snapshot| {
            run.targets.of(&snapshot.store).is_some()
                && !self.report.is_settled(&text_of(snapshot))
                && !self.incomplete.contains(snapshot)
        });
        self.incomplete.append(&mut named);
        Ok(())
    }

    /// The chunks that are still missing to complete snapshots.
    fn missing_chunks(&self) -> Result<WantedChunks> {
        let mut missing = WantedChunks::default();
        for snapshot in &self.incomplete {
            let kept = self.run.env.snapshots.get(snapshot);
            let content = kept.map(|files| SnapshotContent::open(&files));
            if let Some(Ok(content)) = content {
                add_missing(self.run, &snapshot.store, &content, &mut missing)?;
            }
        }
        Ok(missing)
    }

    /// Reads snapshots whose kept files were broken from the medium once more.
    fn read_unreadable_ones(&mut self, hold: &mut DriveHold, member: &Member) -> Result<()> {
        let run = self.run;
        let unreadable = std::mem::take(&mut self.unreadable);
        if unreadable.is_empty() {
            return Ok(());
        }
        let mut wanted = Vec::new();
        member.visit_catalog(run.env, |record| {
            if let CatalogRecord::Snapshot { number, store, path, .. } = record {
                let snapshot = SnapshotOnSet { set: run.set, store, path };
                if unreadable.contains(&snapshot) {
                    wanted.push(WantedArchive { file: number, snapshot });
                }
            }
            Ok(())
        })?;
        read_snapshots(run, hold, &wanted)?;
        for snapshot in &unreadable {
            let kept = run.env.snapshots.get(snapshot);
            match kept.map(|files| SnapshotContent::open(&files)) {
                Some(Ok(content)) => self.take(snapshot, &content)?,
                Some(Err(error)) => self.report.failed(text_of(snapshot), &error.to_string()),
                None => self.report.failed(text_of(snapshot), "its archive can't be read"),
            }
        }
        Ok(())
    }

    /// Snapshots that lacked chunks: perhaps a later archive had them.
    fn take_incomplete_ones(&mut self) -> Result<()> {
        for snapshot in std::mem::take(&mut self.incomplete) {
            let Some(target) = self.run.targets.of(&snapshot.store) else { continue };
            let Some(files) = self.run.env.snapshots.get(&snapshot) else {
                self.fail_without_files(&snapshot, target);
                continue;
            };
            let outcome = match SnapshotContent::open(&files) {
                Ok(content) => self.import(target, &snapshot, &content)?,
                Err(error) => Outcome::Failed(error),
            };
            match outcome {
                Outcome::Incomplete(missing) => {
                    let reason = format!("{missing} of its chunks are missing or damaged");
                    self.report.failed(text_of(&snapshot), &reason);
                }
                other => self.note(&snapshot, other),
            }
        }
        Ok(())
    }

    /// A snapshot whose archive can't be read is no loss where it was restored before.
    fn fail_without_files(&mut self, snapshot: &SnapshotOnSet, target: &Target) {
        match standing(target.store(), &snapshot.path, &self.run.job.owner) {
            Standing::There => self.note(snapshot, Outcome::There),
            _ => self.report.failed(text_of(snapshot), "its archive can't be read"),
        }
    }

    fn take(&mut self, snapshot: &SnapshotOnSet, content: &SnapshotContent) -> Result<()> {
        let Some(target) = self.run.targets.of(&snapshot.store) else { return Ok(()) };
        let outcome = self.import(target, snapshot, content)?;
        self.note(snapshot, outcome);
        Ok(())
    }

    fn import(
        &self,
        target: &Target,
        snapshot: &SnapshotOnSet,
        content: &SnapshotContent,
    ) -> Result<Outcome> {
        let (path, owner) = (&snapshot.path, &self.run.job.owner);
        match standing(target.store(), path, owner) {
            Standing::There => return Ok(Outcome::There),
            Standing::Refused(error) => return Ok(Outcome::Failed(error.into())),
            Standing::Free => {}
        }
        let tried = count_missing(target, content).and_then(|missing| match missing {
            0 => import(self.run.env, target, content, path, owner).map(|()| Outcome::Restored),
            missing => Ok(Outcome::Incomplete(missing)),
        });
        match tried {
            Err(error) if is_about_snapshot(&error) => Ok(Outcome::Failed(error)),
            other => other,
        }
    }

    fn note(&mut self, snapshot: &SnapshotOnSet, outcome: Outcome) {
        let task = self.run.task;
        match outcome {
            Outcome::Restored => {
                self.report.restored();
                self.report.settle(text_of(snapshot));
            }
            Outcome::There if self.report.is_settled(&text_of(snapshot)) => {}
            Outcome::There => {
                self.report.settle(text_of(snapshot));
                task.log(&format!("skip snapshot {}: it is there already", snapshot.path));
                self.report.skipped(text_of(snapshot));
            }
            Outcome::Incomplete(missing) => {
                task.log(&format!("snapshot {} lacks {missing} chunks so far", text_of(snapshot)));
                self.incomplete.push(snapshot.clone());
            }
            Outcome::Failed(error) => self.report.failed(text_of(snapshot), &error.to_string()),
        }
    }

    fn tell_progress(&mut self) {
        let done = self.report.bytes() + self.archive.as_ref().map_or(0, |archive| archive.bytes);
        if done < self.told_bytes + PROGRESS_BYTES {
            return;
        }
        self.told_bytes = done;
        let on_media: u64 = self.run.members.iter().map(|member| member.bytes_used).sum();
        self.run.task.progress(done, on_media.max(done), "bytes");
    }
}

impl Sink for FullRestore<'_, '_> {
    fn wants(&self, _store: &StoreName) -> bool {
        true
    }

    fn needs_data(&self) -> bool {
        true
    }

    fn chunk(&mut self, store: &StoreName, digest: &Digest, blob: Option<DataBlob>) -> Result<()> {
        let (Some(target), Some(blob)) = (self.run.targets.of(store), blob) else { return Ok(()) };
        self.archive.get_or_insert_with(Tally::begin).add(blob.raw().len());
        self.tell_progress();
        if target.has_met(digest) {
            return Ok(());
        }
        self.run.intake.put(target, *digest, blob, self.run.task)
    }

    fn end_of_chunks(&mut self, store: &StoreName) -> Result<()> {
        let bad = self.run.intake.settle(self.run.task)?;
        self.report.bad_chunks(store, &bad);
        if let Some(archive) = self.archive.take() {
            self.report.stored(&archive);
            self.run.env.reached("restore: chunks stored");
        }
        Ok(())
    }

    fn snapshot(&mut self, snapshot: &SnapshotOnSet, files: &KeptSnapshot) -> Result<()> {
        if self.run.targets.of(&snapshot.store).is_none() {
            return Ok(());
        }
        self.run.task.log(&format!("restore snapshot {}", snapshot.path.snapshot));
        match SnapshotContent::open(files) {
            Ok(content) => self.take(snapshot, &content),
            Err(error) => {
                let text = text_of(snapshot);
                self.run.task.log(&format!("read the files of {text} anew: {error}"));
                forget_kept(files)?;
                self.unreadable.push(snapshot.clone());
                Ok(())
            }
        }
    }
}

fn text_of(snapshot: &SnapshotOnSet) -> String {
    format!("{}:{}", snapshot.store, snapshot.path)
}
