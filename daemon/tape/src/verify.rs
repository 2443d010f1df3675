//! Verifying media: everything on them is read and compared with what it should be.
//!
//! One pass over a medium checks the CRC and, as far as that goes without a key, the digest of each chunk, and the files
//! of each snapshot against its manifest. What the medium's catalog names and the pass did not find good is lost there.
//! For that the other copies are looked up, on the same set and on others, so that whoever reads the log knows what is
//! gone and where it still is. The medium is marked damaged then, and what was found is kept beside the inventory
//! ([`records`]). Nothing on any medium is changed, nor its catalog.

mod copies;
mod findings;
pub mod records;
mod survey;
#[cfg(test)]
mod tests;

use reel_types::{LabelText, MediaId, MediaSetId, MediaStatus, TaskContext};

use crate::drive_desk::DriveHold;
use crate::env::TapeEnv;
use crate::inventory::Inventory;
use crate::label::MediaLabels;
use crate::medium::load_member;
use crate::pass::{OldCatalog, is_about_medium, pass_over_medium};
use crate::state_dir::{LOCK_WAIT, Patience};
use crate::{Error, Result};

use copies::Copies;
use findings::Findings;
use records::VerifyRecord;
use survey::Survey;

/// What a verification came to so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifySummary {
    /// Media on which all is good.
    pub good: Vec<LabelText>,
    /// Media of which something is lost.
    pub damaged: Vec<LabelText>,
    /// Media that were not read to the end.
    pub unread: Vec<LabelText>,
}

/// A medium that holds something.
struct WrittenMedium {
    id: MediaId,
    label: LabelText,
    set: MediaSetId,
}

/// The media of a set, in order.
///
/// # Errors
/// A set that nobody knows.
pub fn media_of_set(inventory: &Inventory, set: MediaSetId) -> Result<Vec<MediaId>> {
    let members = inventory.set_members(set)?;
    match members.is_empty() {
        true => Err(Error::SetUnknown { set }),
        false => Ok(members.iter().map(|(_, medium)| medium).collect()),
    }
}

/// Finds out, without a drive, what would make it fail at once: an unknown medium, or one that holds nothing.
pub fn check(env: &TapeEnv, media: &[MediaId]) -> Result<()> {
    let inventory = env.inventory.load()?;
    media.iter().try_for_each(|medium| written_medium(&inventory, *medium).map(drop))
}

/// Verifies media in the drive that `hold` holds, one after the other. `summary` tells what was found, also where the
/// verification fails.
///
/// # Errors
/// [`Error::Unfinished`] where something is lost or a medium could not be read; all others are verified.
pub fn verify(
    env: &TapeEnv,
    hold: &mut DriveHold,
    media: &[MediaId],
    summary: &mut VerifySummary,
    task: &dyn TaskContext,
) -> Result<()> {
    let inventory = env.inventory.load()?;
    let media: Vec<WrittenMedium> =
        media.iter().map(|medium| written_medium(&inventory, *medium)).collect::<Result<_>>()?;
    for medium in media {
        task.check()?;
        match verify_medium(env, hold, &medium, task) {
            Ok(true) => summary.good.push(medium.label),
            Ok(false) => summary.damaged.push(medium.label),
            Err(error) if is_about_medium(&error) => {
                task.warn(&format!("media '{}' is not verified: {error}", medium.label));
                summary.unread.push(medium.label);
            }
            Err(error) => return Err(error),
        }
    }
    summary.check()
}

fn written_medium(inventory: &Inventory, medium: MediaId) -> Result<WrittenMedium> {
    let entry = inventory.require(medium)?;
    let label = entry.labels.label.label_text.clone();
    match entry.assigned_set() {
        Some(set_label) => Ok(WrittenMedium { id: medium, label, set: set_label.uuid }),
        None => Err(Error::InvalidInput(format!(
            "media '{label}' holds nothing that could be verified; it is in no media set"
        ))),
    }
}

/// Whether everything on the medium is good. Its set is locked meanwhile, so that nobody writes the medium over.
fn verify_medium(
    env: &TapeEnv,
    hold: &mut DriveHold,
    medium: &WrittenMedium,
    task: &dyn TaskContext,
) -> Result<bool> {
    let _set = env.state.lock_media_set(medium.set, Patience::of_task(task))?;
    task.log(&format!("verify media '{}' of media set {}", medium.label, medium.set));
    let labels = load_member(env, hold, (&medium.label, medium.id), medium.set, task)?;
    let findings = survey(env, hold, &labels, task)?;
    match findings.is_good() {
        true => task.log(&format!(
            "media '{}' is good: {} chunks, {} snapshots",
            medium.label, findings.chunks, findings.snapshots
        )),
        false => {
            mark_damaged(env, medium, task)?;
            env.reached("verify: medium marked");
            let copies = Copies::open(env, medium.set, task)?;
            findings.tell(env, (&medium.label, medium.id), &copies, task)?;
        }
    }
    let record = VerifyRecord::new(env.clock.now(), medium.set, &findings);
    records::store(env, medium.id, &record)?;
    env.reached("verify: record stored");
    Ok(findings.is_good())
}

/// Reads all of the medium in the drive.
fn survey(
    env: &TapeEnv,
    hold: &mut DriveHold,
    labels: &MediaLabels,
    task: &dyn TaskContext,
) -> Result<Findings> {
    Survey::run(env, task, |survey| {
        let outcome = pass_over_medium(env, hold, labels, OldCatalog::Keep, survey, task)?;
        survey.findings(env, labels, outcome)
    })
}

/// A medium that was given up for another reason stays given up for it.
fn mark_damaged(env: &TapeEnv, medium: &WrittenMedium, task: &dyn TaskContext) -> Result<()> {
    let marked = env.inventory.update(LOCK_WAIT, |inventory| {
        if inventory.require(medium.id)?.status == Some(MediaStatus::Retired) {
            return Ok(false);
        }
        inventory.set_status(medium.id, Some(MediaStatus::Damaged))?;
        Ok(true)
    })?;
    if marked {
        task.warn(&format!("media '{}' is marked damaged", medium.label));
    }
    Ok(())
}

impl VerifySummary {
    /// Fails where not all is good.
    fn check(&self) -> Result<()> {
        let names = |media: &[LabelText]| {
            media.iter().map(LabelText::as_str).collect::<Vec<_>>().join(", ")
        };
        let mut faults = Vec::new();
        if !self.damaged.is_empty() {
            faults.push(format!("damaged: {}", names(&self.damaged)));
        }
        if !self.unread.is_empty() {
            faults.push(format!("not verified: {}", names(&self.unread)));
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(Error::Unfinished(format!(
                "verified {} media, but not all are good; {}; see the log",
                self.good.len() + self.damaged.len(),
                faults.join("; ")
            ))),
        }
    }
}
