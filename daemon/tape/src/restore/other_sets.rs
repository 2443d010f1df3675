//! Chunks that the set does not give, from other media sets that hold them too.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use reel_types::{MediaLocation, MediaSetId};

use super::Run;
use super::chunk_plan::{Matching, MediumPlan, Planning, WantedChunks};
use super::chunks::restore_chunks;
use super::members::{Member, labels_in_reach, media_of_other_sets};
use super::report::Report;
use crate::drive_desk::DriveHold;
use crate::state_dir::StateLock;
use crate::{Error, Result};

/// Looks for chunks on all other sets, and reads those whose media the drive can get at. The other media are named.
pub(super) fn restore_from_other_sets(
    run: &Run<'_>,
    hold: &mut DriveHold,
    missing: WantedChunks,
    report: &mut Report<'_>,
) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let inventory = run.env.inventory.load()?;
    let media = media_of_other_sets(&inventory, run.set);
    let is_near = in_reach(hold, &inventory)?;
    let (near, away): (Vec<_>, Vec<_>) = media.into_iter().partition(|member| is_near(member));
    let locked = lock_sets(run, near)?;
    // Each round counts the copies of the media in reach; those that are away are named once.
    let named = Cell::new(false);
    let plans = |wanted: &WantedChunks, earlier: usize| {
        let mut planning = Planning::new(wanted, earlier, Matching::AnyStore);
        let mut plans = Vec::new();
        for member in &locked.media {
            plans.extend(plan_medium(run, &mut planning, member)?);
        }
        if !named.replace(true) {
            tell_copies(run, &plans, "are on");
            let mut others = Vec::new();
            for member in &away {
                others.extend(plan_medium(run, &mut planning, member)?);
            }
            tell_copies(run, &others, "can be had if you bring");
        }
        Ok(plans)
    };
    restore_chunks(run, hold, missing, &plans, report)
}

/// A catalog that can't be read tells nothing; it is not one of the set that is restored.
fn plan_medium<'a>(
    run: &Run<'_>,
    planning: &mut Planning<'_>,
    member: &'a Member,
) -> Result<Option<MediumPlan<'a>>> {
    match planning.medium(run, member) {
        Err(error @ Error::Catalog { .. }) => {
            tracing::info!(%error, "a catalog is passed over in the search for chunks");
            Ok(None)
        }
        plan => plan,
    }
}

fn tell_copies(run: &Run<'_>, plans: &[MediumPlan<'_>], how: &str) {
    for plan in plans {
        let Member { label, set_label, .. } = plan.member;
        run.task.log(&format!(
            "{} of the missing chunks {how} media '{label}' of media set {}",
            plan.chunks(),
            set_label.uuid
        ));
    }
}

/// Whether the drive can get at a medium: what is in its library, or for a drive on its own what lies on the shelf,
/// unless nobody is to be asked.
fn in_reach<'a>(
    hold: &mut DriveHold,
    inventory: &'a crate::Inventory,
) -> Result<impl Fn(&Member) -> bool + use<'a>> {
    let online = labels_in_reach(hold)?;
    let asks = hold.asking().is_some();
    Ok(move |member: &Member| match &online {
        Some(online) => online.contains(&member.label),
        None => {
            let entry = inventory.get(member.uuid);
            asks && entry.is_some_and(|entry| entry.location() == MediaLocation::Offline)
        }
    })
}

/// Media whose sets nobody else uses, and will not while this lives.
struct Locked {
    media: Vec<Member>,
    _locks: Vec<StateLock>,
}

fn lock_sets(run: &Run<'_>, media: Vec<Member>) -> Result<Locked> {
    let mut by_set: BTreeMap<MediaSetId, Vec<Member>> = BTreeMap::new();
    let order: Vec<MediaSetId> = media.iter().map(|member| member.set_label.uuid).collect();
    for member in media {
        by_set.entry(member.set_label.uuid).or_default().push(member);
    }
    let mut locked = Locked { media: Vec::new(), _locks: Vec::new() };
    for set in order {
        let Some(members) = by_set.remove(&set) else { continue };
        match run.env.state.lock_media_set(set, Duration::ZERO) {
            Ok(lock) => {
                locked._locks.push(lock);
                locked.media.extend(members);
            }
            Err(Error::Locked { .. }) => {
                run.task.log(&format!("media set {set} is in use: not looking for chunks there"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(locked)
}
