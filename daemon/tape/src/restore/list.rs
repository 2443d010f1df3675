//! Restoring a choice of snapshots or namespaces by the catalogs (`tape-state.md` §10.3).
//!
//! First the snapshots' own archives are read, as far as their files are not kept already; then the chunks that
//! the targets lack, and again from elsewhere where a place was damaged; then the snapshots are imported.

use std::collections::BTreeMap;

use reel_types::SnapshotPath;

use super::Run;
use super::chunk_plan::{MediumPlan, WantedChunks, plan};
use super::content::SnapshotContent;
use super::import::{count_missing, import, is_about_snapshot};
use super::members::require_media;
use super::read_chunks::read_chunks;
use super::read_snapshots::{WantedArchive, forget_kept, read_snapshots};
use super::report::{Report, Tally};
use super::select::{Wanted, select};
use super::targets::Target;
use crate::drive_desk::DriveHold;
use crate::{Error, Result};

/// Restores the snapshots that the job names, or all of its namespaces.
pub(super) fn restore_choice<'a>(run: &'a Run<'a>, hold: &mut DriveHold) -> Result<Report<'a>> {
    let task = run.task;
    let mut report = run.report();
    let mut wanted = select(run, &mut report)?;
    if wanted.is_empty() {
        task.log("nothing to restore, skipping remaining phases...");
        name_left_out(run, &report, "skipped the following snapshots:");
        return Ok(report);
    }
    task.log("Phase 1: temporarily restore snapshots to temp dir");
    read_missing_snapshots(run, hold, &wanted)?;
    let missing = missing_chunks(run, &mut wanted, &mut report)?;
    if missing.is_empty() {
        task.log("All chunks are already present, skip phase 2...");
    } else {
        task.log("Phase 2: restore chunks to datastores");
        restore_chunks(run, hold, missing, &mut report)?;
    }
    task.log("Phase 3: copy snapshots from temp dir to datastores");
    for wanted in &wanted {
        task.check()?;
        import_snapshot(run, wanted, &mut report)?;
    }
    name_left_out(run, &report, "(partially) skipped the following snapshots:");
    Ok(report)
}

fn name_left_out(run: &Run<'_>, report: &Report<'_>, heading: &str) {
    let mut names = report.left_out().peekable();
    if names.peek().is_some() {
        run.task.log(heading);
        names.for_each(|name| run.task.log(&format!("  {name}")));
    }
}

/// Phase 1: what is not kept yet is read, one pass forward over each medium.
fn read_missing_snapshots(run: &Run<'_>, hold: &mut DriveHold, wanted: &[Wanted]) -> Result<()> {
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
    let members: Vec<_> = run.members.iter().collect();
    let needed = by_member.keys().filter_map(|place| members.get(*place).copied());
    require_media(hold, needed, run.task)?;
    for (place, mut archives) in by_member {
        let Some(member) = members.get(place) else { continue };
        archives.sort_by_key(|archive| archive.file);
        member.load(run.env, hold, run.task)?;
        read_snapshots(run, hold, &archives)?;
    }
    Ok(())
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
                add_missing(run, &wanted, &content, &mut missing)?;
                readable.push(wanted);
            }
            Err(reason) => report.failed(wanted.name(), &reason),
        }
    }
    *wanted = readable;
    Ok(missing)
}

fn add_missing(
    run: &Run<'_>,
    wanted: &Wanted,
    content: &SnapshotContent,
    missing: &mut WantedChunks,
) -> Result<()> {
    let store = &wanted.snapshot.store;
    let Some(target) = run.targets.of(store) else { return Ok(()) };
    content.visit_digests(|digests| {
        target.retain_missing(digests)?;
        missing.add(run, store, digests)
    })
}

/// Phase 2: reads the chunks. What could not be had from its first place on the set is read from the next.
fn restore_chunks(
    run: &Run<'_>,
    hold: &mut DriveHold,
    missing: WantedChunks,
    report: &mut Report<'_>,
) -> Result<()> {
    let mut failed = Failed { chunks: missing, count: 0 };
    let mut lost = 0;
    for earlier_copies in 0.. {
        let plans = plan(run, &failed.chunks, earlier_copies)?;
        let planned: usize = plans.iter().flat_map(|plan| &plan.archives).map(|a| a.chunks).sum();
        lost += failed.count.saturating_sub(planned);
        if planned == 0 {
            break;
        }
        if earlier_copies > 0 {
            run.task.log(&format!("{planned} chunks that could not be read are elsewhere, too"));
        }
        failed = restore_planned(run, hold, plans, planned, report)?;
    }
    report.damaged(lost);
    Ok(())
}

/// Chunks that could not be had from the places that were tried.
#[derive(Default)]
struct Failed {
    chunks: WantedChunks,
    count: usize,
}

/// Reads what is planned, medium by medium and archive by archive; the chunks that could not be had.
fn restore_planned(
    run: &Run<'_>,
    hold: &mut DriveHold,
    plans: Vec<MediumPlan<'_>>,
    total: usize,
    report: &mut Report<'_>,
) -> Result<Failed> {
    require_media(hold, plans.iter().map(|plan| plan.member), run.task)?;
    let (mut failed, mut done) = (Failed::default(), 0);
    for plan in plans {
        restore_from_medium(run, hold, plan, report, &mut failed, &mut |chunks| {
            done += chunks;
            run.task.progress(done as u64, total as u64, "chunks");
        })?;
    }
    Ok(failed)
}

fn restore_from_medium(
    run: &Run<'_>,
    hold: &mut DriveHold,
    plan: MediumPlan<'_>,
    report: &mut Report<'_>,
    failed: &mut Failed,
    tell: &mut dyn FnMut(usize),
) -> Result<()> {
    let member = plan.member;
    member.load(run.env, hold, run.task)?;
    plan.visit(|archive, digests| {
        let Some(target) = run.targets.of(&archive.store) else { return Ok(()) };
        let mut tally = Tally::begin();
        let mut take = |digest, blob: reel_store::DataBlob| {
            tally.add(blob.raw().len());
            run.intake.put(target, digest, blob, run.task)
        };
        let mut not_had = read_chunks(run, hold, member, archive, digests, &mut take)?;
        for bad in run.intake.settle(run.task)? {
            not_had.push((bad.digest, bad.reason));
        }
        for (digest, why) in &not_had {
            report.unreadable(digest, &member.label, archive.file, why);
            failed.chunks.add(run, &archive.store, &[digest.0])?;
            failed.count += 1;
        }
        report.stored(&tally);
        run.task.log(&format!("restored {} chunks", tally.chunks));
        run.env.reached("restore: chunks stored");
        tell(archive.chunks);
        Ok(())
    })
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
