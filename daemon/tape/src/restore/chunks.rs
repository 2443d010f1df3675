//! Reading chunks from where catalogs say that they are, into the datastores that lack them.

use reel_store::DataBlob;
use reel_types::StoreName;

use super::Run;
use super::chunk_plan::{MediumPlan, WantedChunks};
use super::content::SnapshotContent;
use super::members::in_reach_first;
use super::read_chunks::read_chunks;
use super::report::{Report, Tally};
use crate::Result;
use crate::drive_desk::DriveHold;
use crate::pass::is_about_medium;

/// Where chunks are to be read: of each the copy before which there are so many others.
pub(super) type Plans<'p, 'a> = dyn Fn(&WantedChunks, usize) -> Result<Vec<MediumPlan<'a>>> + 'p;

/// Adds the chunks of a snapshot that the target of its datastore lacks.
pub(super) fn add_missing(
    run: &Run<'_>,
    store: &StoreName,
    content: &SnapshotContent,
    missing: &mut WantedChunks,
) -> Result<()> {
    let Some(target) = run.targets.of(store) else { return Ok(()) };
    content.visit_digests(|digests| {
        target.retain_missing(digests)?;
        missing.add(run, store, digests)
    })
}

/// Reads the chunks. What could not be had from its first place is read from the next.
pub(super) fn restore_chunks(
    run: &Run<'_>,
    hold: &mut DriveHold,
    missing: WantedChunks,
    plans: &Plans<'_, '_>,
    report: &mut Report<'_>,
) -> Result<()> {
    let mut wanted = missing;
    for earlier_copies in 0.. {
        let plans = plans(&wanted, earlier_copies)?;
        let planned: usize = plans.iter().map(MediumPlan::chunks).sum();
        if planned == 0 {
            break;
        }
        if earlier_copies > 0 {
            run.task.log(&format!("{planned} chunks that could not be read are elsewhere, too"));
        }
        wanted = restore_planned(run, hold, plans, planned, report)?;
    }
    Ok(())
}

/// Reads what is planned, medium by medium and archive by archive; the chunks that could not be had.
fn restore_planned(
    run: &Run<'_>,
    hold: &mut DriveHold,
    plans: Vec<MediumPlan<'_>>,
    total: usize,
    report: &mut Report<'_>,
) -> Result<WantedChunks> {
    let (mut failed, mut done) = (WantedChunks::default(), 0);
    for member in in_reach_first(run, hold, plans.iter().map(|plan| plan.member))? {
        let Some(plan) = plans.iter().find(|plan| plan.member.uuid == member.uuid) else {
            continue;
        };
        let read = restore_from_medium(run, hold, plan, report, &mut failed, &mut |chunks| {
            done = (done + chunks).min(total);
            run.task.progress(done as u64, total as u64, "chunks");
        });
        match read {
            Err(error) if is_about_medium(&error) => {
                report.unread_medium(format!("media '{}' can't be read: {error}", member.label));
                add_what_is_missing(run, plan, &mut failed)?;
            }
            read => read?,
        }
    }
    Ok(failed)
}

/// After the end of a pass over a medium before its time: what did not come is looked for elsewhere.
fn add_what_is_missing(
    run: &Run<'_>,
    plan: &MediumPlan<'_>,
    failed: &mut WantedChunks,
) -> Result<()> {
    // Bad ones are among what is missing.
    run.intake.settle(run.task)?;
    plan.visit(|archive, digests| {
        let Some(target) = run.targets.of(&archive.store) else { return Ok(()) };
        let mut missing: Vec<[u8; 32]> = digests.into_iter().map(|digest| digest.0).collect();
        target.retain_missing(&mut missing)?;
        failed.add(run, &archive.store, &missing)
    })
}

fn restore_from_medium(
    run: &Run<'_>,
    hold: &mut DriveHold,
    plan: &MediumPlan<'_>,
    report: &mut Report<'_>,
    failed: &mut WantedChunks,
    tell: &mut dyn FnMut(usize),
) -> Result<()> {
    let member = plan.member;
    member.load(run, hold)?;
    plan.visit(|archive, digests| {
        let Some(target) = run.targets.of(&archive.store) else { return Ok(()) };
        let mut tally = Tally::begin();
        let mut take = |digest, blob: DataBlob| {
            tally.add(blob.raw().len());
            run.intake.put(target, digest, blob, run.task)
        };
        let mut not_had = read_chunks(run, hold, member, archive, digests, &mut take)?;
        for bad in run.intake.settle(run.task)? {
            not_had.push((bad.digest, bad.reason));
        }
        for (digest, why) in &not_had {
            report.unreadable(digest, &member.label, archive.file, why);
            failed.add(run, &archive.store, &[digest.0])?;
        }
        report.stored(&tally);
        run.task.log(&format!("restored {} chunks", tally.chunks));
        run.env.reached("restore: chunks stored");
        tell(archive.chunks);
        Ok(())
    })
}
