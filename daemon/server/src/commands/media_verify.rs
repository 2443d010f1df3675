//! Verifying media.

use std::sync::Arc;

use reel_tape::ops::MediumName;
use reel_tape::verify::records::{self, VerifyRecord};
use reel_tape::verify::{self, VerifyJob, media_of_set, verify};
use reel_types::commands::results::{MediaListEntry, MediaVerifiedEntry};
use reel_types::commands::{MediaVerified, MediaVerify};
use reel_types::{AuthId, MediaId, MediaSetId, PoolName};

use super::Done;
use crate::failure::{Failure, Outcome};
use crate::notifications::Recipient;
use crate::reeld::Reeld;

const DAY_S: i64 = 24 * 60 * 60;

impl Reeld {
    pub(super) fn media_verify(
        self: &Arc<Self>,
        command: &MediaVerify,
        who: &AuthId,
    ) -> Outcome<Done> {
        let media = self.media_to_verify(command)?;
        if media.is_empty() {
            return Err(Failure::invalid(
                "there is nothing to verify: no medium that holds something, or all were verified lately enough",
            ));
        }
        let job = VerifyJob { media, skip_missing: command.skip_missing };
        verify::check(&self.tape, &job)?;
        let desk = self.drives.chosen(command.drive.as_ref())?;
        for set in self.sets_of(&job.media)? {
            self.require_key(set, desk.name())?;
        }
        let (reeld, id) = (Arc::clone(self), verified_name(command));
        let to = Recipient::chosen(None, command.notify_user.clone());
        self.drive_task(&desk, "verify-media", &id, who, move |hold, task| {
            if !job.skip_missing {
                reeld.ask_for_media(hold, to, &format!("verify {}", task.upid()))?;
            }
            verify(&reeld.tape, hold, &job, task)?;
            Ok(())
        })
    }

    pub(super) fn media_verified(&self, command: &MediaVerified) -> Outcome<Done> {
        let inventory = self.tape.inventory.load()?;
        let mut rows = Vec::new();
        for row in self.media_rows(command.pool.as_ref())? {
            let Some(media_set_uuid) = row.media_set_uuid else { continue };
            let record = records::of_medium(&self.tape, inventory.require(row.uuid)?)?;
            rows.push(entry(row, media_set_uuid, record));
        }
        Done::data(rows)
    }

    /// What the last verification of a medium found.
    pub(crate) fn verification_of(&self, medium: MediaId) -> Outcome<Option<VerifyRecord>> {
        let inventory = self.tape.inventory.load()?;
        Ok(records::of_medium(&self.tape, inventory.require(medium)?)?)
    }

    fn media_to_verify(&self, command: &MediaVerify) -> Outcome<Vec<MediaId>> {
        let MediaVerify { labels, uuid, media_set, pool, .. } = command;
        let inventory = self.tape.inventory.load()?;
        let named = labels.iter().map(|label| MediumName::of(Some(label), None)?.find(&inventory));
        let named = named.chain(uuid.iter().map(|uuid| Ok(*uuid)));
        let named = named.collect::<reel_tape::Result<Vec<MediaId>>>()?;
        let media = match (named.is_empty(), media_set, pool) {
            (true, Some(set), None) => media_of_set(&inventory, *set)?,
            (true, None, Some(pool)) => self.written_media_of(pool)?,
            (false, None, None) => named,
            _ => {
                return Err(Failure::invalid(
                    "name either media, or 'media-set', or 'pool': one of the three",
                ));
            }
        };
        self.longest_ago_first(media, command)
    }

    fn written_media_of(&self, pool: &PoolName) -> Outcome<Vec<MediaId>> {
        let rows = self.media_rows(Some(pool))?.into_iter();
        Ok(rows.filter(|row| row.media_set_uuid.is_some()).map(|row| row.uuid).collect())
    }

    /// What was verified lately enough is left out; of equals the order stays.
    fn longest_ago_first(
        &self,
        media: Vec<MediaId>,
        command: &MediaVerify,
    ) -> Outcome<Vec<MediaId>> {
        if command.outdated_after.is_none() && command.limit.is_none() {
            return Ok(media);
        }
        let days = command.outdated_after.map_or(0, |days| days.get()) as i64;
        let latest = self.clock.now() - days * DAY_S;
        let mut dated = Vec::new();
        for medium in media {
            let verified = self.verification_of(medium)?.map(|record| record.time);
            if verified.is_none_or(|time| time <= latest) {
                dated.push((verified, medium));
            }
        }
        dated.sort_by_key(|(verified, _)| *verified);
        let most = command.limit.map_or(usize::MAX, |limit| limit.get() as usize);
        Ok(dated.into_iter().take(most).map(|(_, medium)| medium).collect())
    }

    fn sets_of(&self, media: &[MediaId]) -> Outcome<Vec<MediaSetId>> {
        let inventory = self.tape.inventory.load()?;
        let entries = media.iter().filter_map(|medium| inventory.get(*medium));
        let mut sets: Vec<MediaSetId> =
            entries.filter_map(|entry| Some(entry.assigned_set()?.uuid)).collect();
        sets.sort();
        sets.dedup();
        Ok(sets)
    }
}

/// What a task that verifies is named by.
fn verified_name(command: &MediaVerify) -> String {
    match (&command.media_set, &command.pool) {
        (Some(set), _) => set.to_string(),
        (None, Some(pool)) => pool.to_string(),
        (None, None) => {
            let labels = command.labels.iter().map(ToString::to_string);
            let uuids = command.uuid.iter().map(ToString::to_string);
            labels.chain(uuids).collect::<Vec<_>>().join(":")
        }
    }
}

fn entry(
    row: MediaListEntry,
    media_set_uuid: MediaSetId,
    record: Option<VerifyRecord>,
) -> MediaVerifiedEntry {
    let known = record.as_ref();
    MediaVerifiedEntry {
        chunks: known.map(|record| record.chunks),
        damaged_places: known.map(|record| record.damaged_places),
        label_text: row.label_text,
        lost_chunks: known.map(|record| record.lost_chunks),
        lost_snapshots: known.map(|record| record.lost_snapshots),
        media_set_name: row.media_set_name,
        media_set_uuid,
        pool: row.pool,
        seq_nr: row.seq_nr,
        uuid: row.uuid,
        verified: known.map(|record| record.time),
        verify_state: state_word(known).into(),
    }
}

/// `ok`, `failed` or `none`.
pub(crate) fn state_word(record: Option<&VerifyRecord>) -> &'static str {
    match record.map(VerifyRecord::is_good) {
        Some(true) => "ok",
        Some(false) => "failed",
        None => "none",
    }
}
