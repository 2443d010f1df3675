//! Reads the small files of snapshots that are on a media set and not in the cache yet.
//!
//! A catalog names snapshots, not their files; what passed by is cached ([`crate::snapshot_files`]), the rest is
//! read here: each medium loaded once and passed forward once. What can't be read is named and left out, the
//! rest goes on.

use std::sync::Arc;

use reel_hw::stream::{BlockReader, OpenedFile};
use reel_types::TaskContext;

use crate::archive::snapshot::{SnapshotArchiveHeader, visit_snapshot_files};
use crate::archive::{ArchiveHeader, ContentKind};
use crate::drive_desk::{DriveHold, DriveState};
use crate::env::TapeEnv;
use crate::medium::{load_member, name_drive, read_header};
use crate::queue::{go_to_file, is_damage};
use crate::set_contents::{SetContents, SetMedium, SetSnapshot};
use crate::snapshot_files::SnapshotOnSet;
use crate::{Error, Result};

/// What a fetch did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FetchSummary {
    /// Snapshots whose files were read.
    pub fetched: u64,
    /// Snapshots whose files were here already.
    pub present: u64,
}

/// Reads the files of those snapshots of the set that are `wanted` and not here.
///
/// # Errors
/// [`Error::Unfinished`] where some could not be read: the task's log names them.
pub fn fetch(
    env: &TapeEnv,
    hold: &mut DriveHold,
    contents: &SetContents,
    wanted: impl Fn(&SetSnapshot) -> bool,
    task: &dyn TaskContext,
) -> Result<FetchSummary> {
    for member in contents.members() {
        if let Some(problem) = member.problem() {
            task.warn(&format!("medium '{}': {problem}", member.medium.label_text));
        }
    }
    let (here, mut missing): (Vec<_>, Vec<_>) = contents
        .snapshots()
        .into_iter()
        .filter(|snapshot| wanted(snapshot))
        .partition(|snapshot| env.snapshots.get(&on_set(snapshot)).is_some());
    missing.sort_by_key(|snapshot| (snapshot.medium.seq_nr, snapshot.medium.id, snapshot.file));
    let total = missing.len() as u64;
    task.log(&format!("{} snapshots are cached, {total} are read from tape", here.len()));
    let mut fetch = Fetch { env, task, total, done: 0, failed: 0 };
    for on_medium in missing.chunk_by(|a, b| a.medium.id == b.medium.id) {
        fetch.medium(hold, on_medium)?;
    }
    if fetch.failed > 0 {
        let text = format!(
            "{} of {total} snapshots could not be read from tape; the task's log names them",
            fetch.failed
        );
        return Err(Error::Unfinished(text));
    }
    Ok(FetchSummary { fetched: total, present: here.len() as u64 })
}

fn on_set(snapshot: &SetSnapshot) -> SnapshotOnSet {
    let SetSnapshot { store, path, medium, .. } = snapshot;
    SnapshotOnSet { set: medium.set, store: store.clone(), path: path.clone() }
}

struct Fetch<'a> {
    env: &'a TapeEnv,
    task: &'a dyn TaskContext,
    total: u64,
    done: u64,
    failed: u64,
}

impl Fetch<'_> {
    /// Reads all that is missing from one medium; the snapshots are in the order of their archives.
    fn medium(&mut self, hold: &mut DriveHold, snapshots: &[SetSnapshot]) -> Result<()> {
        let Some(medium) = snapshots.first().map(|first| Arc::clone(&first.medium)) else {
            return Ok(());
        };
        if let Err(error) = self.load(hold, &medium) {
            return self.leave_out(snapshots, error);
        }
        for (position, snapshot) in snapshots.iter().enumerate() {
            self.task.check()?;
            let read = self.snapshot(hold, snapshot);
            match read.map_err(|error| name_drive(hold, error)) {
                Ok(()) => self.ended(1),
                Err(error) if is_damage(&error) => {
                    self.leave_out(std::slice::from_ref(snapshot), error)?;
                }
                Err(error) => {
                    let rest = snapshots.get(position..).unwrap_or_default();
                    return self.leave_out(rest, error);
                }
            }
        }
        Ok(())
    }

    fn load(&self, hold: &mut DriveHold, medium: &SetMedium) -> Result<()> {
        self.task.log(&format!("read from medium '{}'", medium.label_text));
        let SetMedium { label_text, id, set, .. } = medium;
        load_member(self.env, hold, (label_text, *id), *set, self.task).map(drop)
    }

    /// Names snapshots that can't be read. A stop, our own disk's errors and a missing key end everything.
    fn leave_out(&mut self, snapshots: &[SetSnapshot], error: Error) -> Result<()> {
        let ends_all = match &error {
            Error::Stopped(_) => true,
            error if error.is_about_key() => true,
            Error::Io { source, .. } => source.raw_os_error().is_some(),
            _ => false,
        };
        if ends_all {
            return Err(error);
        }
        for SetSnapshot { store, path, medium, file } in snapshots {
            let label = &medium.label_text;
            self.task.warn(&format!("{store}:{path} (medium '{label}', file {file}): {error}"));
            self.failed += 1;
        }
        self.ended(snapshots.len());
        Ok(())
    }

    fn ended(&mut self, snapshots: usize) {
        self.done += snapshots as u64;
        self.task.progress(self.done, self.total, "snapshots");
    }

    fn snapshot(&self, hold: &mut DriveHold, snapshot: &SetSnapshot) -> Result<()> {
        hold.set_state(DriveState::Locating);
        go_to_file(hold.drive(), snapshot.file)?;
        hold.set_state(DriveState::Reading);
        let OpenedFile::Data(mut reader) = BlockReader::open(hold.drive())? else {
            return Err(Error::format("snapshot archive", "there is no data on the medium"));
        };
        let header = read_header(&mut reader)?;
        let kind = ContentKind::from_magic(header.content_magic.0);
        let kinds = [ContentKind::SnapshotArchive, ContentKind::SnapshotArchiveInNamespace];
        if !kind.is_some_and(|kind| kinds.contains(&kind)) {
            return Err(Error::format("snapshot archive", "the file on the medium is none"));
        }
        let found = SnapshotArchiveHeader::read(header.size, &mut reader)?;
        if (&found.store, &found.snapshot) != (&snapshot.store, &snapshot.path) {
            let reason = format!("it is of {}:{}", found.store, found.snapshot);
            return Err(Error::format("snapshot archive", reason));
        }
        let filling = self.env.snapshots.fill(&on_set(snapshot))?;
        visit_snapshot_files(&mut reader, |file, content| {
            filling.add(&file.name, content)?;
            Ok(())
        })?;
        reader.skip_data()?;
        if !reader.has_end_marker()? || reader.is_incomplete()? {
            return Err(Error::format("snapshot archive", "it is incomplete"));
        }
        filling.keep()
    }
}
