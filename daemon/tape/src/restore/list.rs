//! Restoring a choice of snapshots or namespaces by the catalogs (`tape-state.md` §10.3).
//!
//! First the snapshots' own archives are read, as far as their files are not kept already; then the chunks that
//! the targets lack, and again from elsewhere where a place was damaged; then the snapshots are imported.

use std::collections::BTreeMap;

use reel_types::SnapshotPath;

use super::Run;
use super::chunk_plan::{WantedChunks, plan};
use super::chunks::{add_missing, restore_chunks};
use super::content::SnapshotContent;
use super::import::{count_missing, import, is_about_snapshot};
use super::members::{Member, in_reach_first};
use super::other_sets::restore_from_other_sets;
use super::read_snapshots::{WantedArchive, forget_kept, read_snapshots};
use super::report::Report;
use super::select::{Wanted, select};
use super::targets::Target;
use crate::drive_desk::DriveHold;
use crate::pass::is_about_medium;
use crate::{Error, Result};

/// Restores the snapshots that the job names, or all of its namespaces.
pub(super) fn restore_choice(
    run: &Run<'_>,
    hold: &mut DriveHold,
    report: &mut Report<'_>,
) -> Result<()> {
    let task = run.task;
    for seq_nr in run.members.missing() {
        task.warn(&Error::SetIncomplete { set: run.set, seq_nr: *seq_nr }.to_string());
    }
    let mut wanted = select(run, report)?;
    if wanted.is_empty() {
        task.log("nothing to restore, skipping remaining phases...");
        name_left_out(run, report, "skipped the following snapshots:");
        return Ok(());
    }
    task.log("Phase 1: temporarily restore snapshots to temp dir");
    read_missing_snapshots(run, hold, &wanted, report)?;
    let missing = missing_chunks(run, &mut wanted, report)?;
    if missing.is_empty() {
        task.log("All chunks are already present, skip phase 2...");
    } else {
        task.log("Phase 2: restore chunks to datastores");
        restore_chunks(run, hold, missing, &|chunks, earlier| plan(run, chunks, earlier), report)?;
        let missing = missing_chunks(run, &mut wanted, report)?;
        restore_from_other_sets(run, hold, missing, report)?;
    }
    task.log("Phase 3: copy snapshots from temp dir to datastores");
    for wanted in &wanted {
        task.check()?;
        import_snapshot(run, wanted, report)?;
    }
    name_left_out(run, report, "(partially) skipped the following snapshots:");
    Ok(())
}

fn name_left_out(run: &Run<'_>, report: &Report<'_>, heading: &str) {
    let mut names = report.left_out().peekable();
    if names.peek().is_some() {
        run.task.log(heading);
        names.for_each(|name| run.task.log(&format!("  {name}")));
    }
}

/// Phase 1: what is not kept yet is read, one pass forward over each medium.
fn read_missing_snapshots(
    run: &Run<'_>,
    hold: &mut DriveHold,
    wanted: &[Wanted],
    report: &mut Report<'_>,
) -> Result<()> {
    let mut by_member: BTreeMap<usize, Vec<WantedArchive>> = BTreeMap::new();
    for wanted in wanted {
        if !is_kept(run, wanted)? {
            by_member
                .entry(wanted.member)
                .or_default()
                .push(WantedArchive { file: wanted.file, snapshot: wanted.snapshot.clone() });
        }
    }
    if by_member.is_empty() {
        return Ok(());
    }
    let members: Vec<(usize, &Member)> = run.members.iter().enumerate().collect();
    let needed = members.iter().filter(|(place, _)| by_member.contains_key(place));
    for member in in_reach_first(run, hold, needed.map(|(_, member)| *member))? {
        let place = members.iter().find(|(_, other)| other.uuid == member.uuid);
        let archives = place.and_then(|(place, _)| by_member.remove(place));
        let read = read_from(run, hold, member, archives.unwrap_or_default());
        match read {
            Err(error) if is_about_medium(&error) => {
                report.unread_medium(format!("media '{}' can't be read: {error}", member.label));
            }
            read => read?,
        }
    }
    Ok(())
}

fn read_from(
    run: &Run<'_>,
    hold: &mut DriveHold,
    member: &Member,
    mut archives: Vec<WantedArchive>,
) -> Result<()> {
    archives.sort_by_key(|archive| archive.file);
    member.load(run, hold)?;
    read_snapshots(run, hold, &archives)
}

/// Whether the snapshot's files are kept and good; broken ones are forgotten.
fn is_kept(run: &Run<'_>, wanted: &Wanted) -> Result<bool> {
    let Some(files) = run.env.snapshots.get(&wanted.snapshot) else { return Ok(false) };
    match SnapshotContent::open(&files) {
        Ok(_) => Ok(true),
        Err(error) => {
            run.task.log(&format!("read the files of {} anew: {error}", wanted.name()));
            forget_kept(&files)?;
            Ok(false)
        }
    }
}

fn open_content(run: &Run<'_>, wanted: &Wanted) -> Result<SnapshotContent, String> {
    let kept = run.env.snapshots.get(&wanted.snapshot);
    let files = kept.ok_or("its archive can't be read")?;
    SnapshotContent::open(&files).map_err(|error| error.to_string())
}

/// The chunks that the targets lack. Snapshots whose files can't be had are left out from here on.
fn missing_chunks(
    run: &Run<'_>,
    wanted: &mut Vec<Wanted>,
    report: &mut Report<'_>,
) -> Result<WantedChunks> {
    let mut missing = WantedChunks::default();
    let mut readable = Vec::new();
    for wanted in wanted.drain(..) {
        run.task.check()?;
        match open_content(run, &wanted) {
            Ok(content) => {
                add_missing(run, &wanted.snapshot.store, &content, &mut missing)?;
                readable.push(wanted);
            }
            Err(reason) => report.failed(wanted.name(), &reason),
        }
    }
    *wanted = readable;
    Ok(missing)
}

/// Phase 3: imports a snapshot everywhere it should go.
fn import_snapshot(run: &Run<'_>, wanted: &Wanted, report: &mut Report<'_>) -> Result<()> {
    let Some(target) = run.targets.of(&wanted.snapshot.store) else { return Ok(()) };
    let content = match open_content(run, wanted) {
        Ok(content) => content,
        Err(reason) => {
            report.failed(wanted.name(), &reason);
            return Ok(());
        }
    };
    let mut all = true;
    for place in &wanted.places {
        match import_at(run, target, &content, place) {
            Ok(()) => report.restored(),
            Err(error) if is_about_snapshot(&error) || matches!(error, Error::Unfinished(_)) => {
                report.failed(wanted.name(), &error.to_string());
                all = false;
            }
            Err(error) => return Err(error),
        }
    }
    if all {
        report.settle(wanted.name());
        run.task.log(&format!("Restore snapshot '{}' done", wanted.snapshot.path));
    }
    Ok(())
}

fn import_at(
    run: &Run<'_>,
    target: &Target,
    content: &SnapshotContent,
    place: &SnapshotPath,
) -> Result<()> {
    match count_missing(target, content)? {
        0 => import(run.env, target, content, place, &run.job.owner),
        missing => {
            Err(Error::Unfinished(format!("{missing} of its chunks are missing or damaged")))
        }
    }
}
