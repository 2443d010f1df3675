//! Verifying media.

use std::sync::Arc;

use reel_config::MediaVerifyJobConfig;
use reel_tape::ops::MediumName;
use reel_tape::verify::records::{self, VerifyRecord};
use reel_tape::verify::{self, VerifySummary, media_of_set, verify};
use reel_types::commands::results::{MediaListEntry, MediaVerifiedEntry};
use reel_types::commands::{MediaVerified, MediaVerify};
use reel_types::{
    AuthId, DriveName, JobId, LabelText, MediaId, MediaLocation, MediaSetId, PoolName,
};
use serde_json::{Value, json};

use super::Done;
use super::configured_jobs::{settings_of_job, texts};
use crate::failure::{Failure, Outcome};
use crate::notifications::{EndedTask, Recipient, VerifyResult};
use crate::reeld::Reeld;
use crate::tasks::{Task, TaskFailure};

const DAY_S: i64 = 24 * 60 * 60;

/// Which media are to be verified: those that are named, or those of a set or a pool.
#[derive(Default)]
pub(super) struct Choice<'c> {
    pub(super) labels: &'c [LabelText],
    pub(super) uuids: &'c [MediaId],
    pub(super) set: Option<MediaSetId>,
    pub(super) pool: Option<&'c PoolName>,
    /// Only those that were not verified for so many days.
    pub(super) outdated_after: Option<u64>,
    /// No more than so many.
    pub(super) limit: Option<u64>,
    pub(super) only_in_library: bool,
}

/// Whom to tell of a verification, and of which.
pub(super) struct VerifyNews {
    /// The job's id; none of a verification by hand.
    id: Option<JobId>,
    /// What was to be verified.
    job: Value,
    to: Recipient,
}

impl VerifyNews {
    fn by_hand(command: &MediaVerify, drive: &DriveName) -> Self {
        let job = json!({
            "drive": drive, "pool": command.pool, "media-set": command.media_set,
            "labels": command.labels, "uuids": command.uuid,
        });
        Self { id: None, job, to: Recipient::chosen(None, command.notify_user.clone()) }
    }

    pub(super) fn of_job(config: &MediaVerifyJobConfig) -> Self {
        Self {
            id: Some(config.id.clone()),
            job: settings_of_job(config),
            to: Recipient::chosen(config.notification_mode, config.notify_user.clone()),
        }
    }
}

impl<'c> From<&'c MediaVerify> for Choice<'c> {
    fn from(command: &'c MediaVerify) -> Self {
        Self {
            labels: &command.labels,
            uuids: &command.uuid,
            set: command.media_set,
            pool: command.pool.as_ref(),
            outdated_after: command.outdated_after.map(|days| days.get()),
            limit: command.limit.map(|count| count.get()),
            only_in_library: false,
        }
    }
}

impl Reeld {
    pub(super) fn media_verify(
        self: &Arc<Self>,
        command: &MediaVerify,
        who: &AuthId,
    ) -> Outcome<Done> {
        let media = self.media_to_verify(&Choice::from(command))?;
        if media.is_empty() {
            return Err(Failure::invalid(
                "there is nothing to verify: no medium that holds something, or all were verified lately enough",
            ));
        }
        verify::check(&self.tape, &media)?;
        let desk = self.drives.chosen(command.drive.as_ref())?;
        for set in self.sets_of(&media)? {
            self.require_key(set, desk.name())?;
        }
        let (reeld, id) = (Arc::clone(self), verified_name(command));
        let (news, asks) = (VerifyNews::by_hand(command, desk.name()), !command.skip_missing);
        self.drive_task(&desk, "verify-media", &id, who, move |hold, task| {
            reeld.verify_and_tell(&news, task, |summary| {
                if asks {
                    reeld.ask_for_media(
                        hold,
                        news.to.clone(),
                        &format!("verify {}", task.upid()),
                    )?;
                }
                Ok(verify(&reeld.tape, hold, &media, summary, task)?)
            })
        })
    }

    /// A whole verification, and telling how it ended.
    pub(super) fn verify_and_tell(
        &self,
        news: &VerifyNews,
        task: &Task,
        work: impl FnOnce(&mut VerifySummary) -> Result<(), TaskFailure>,
    ) -> Result<(), TaskFailure> {
        let (began, mut summary) = (self.clock.now(), VerifySummary::default());
        let done = work(&mut summary);
        let now = self.clock.now();
        let result = VerifyResult {
            task: EndedTask {
                id: news.id.as_ref().map(JobId::as_str),
                job: news.job.clone(),
                upid: task.upid().as_str(),
                seconds: now.saturating_sub(began),
                error: done.as_ref().err().map(ToString::to_string),
            },
            good: texts(&summary.good),
            damaged: texts(&summary.damaged),
            unread: texts(&summary.unread),
        };
        self.notifications.tell(result.notice(self.notifications.host(), &news.to, now));
        done
    }

    pub(super) fn media_verified(&self, command: &MediaVerified) -> Outcome<Done> {
        Done::data(self.verified_media(command.pool.as_ref())?)
    }

    /// What verifications found on the media of all pools or of one.
    pub(crate) fn verified_media(
        &self,
        pool: Option<&PoolName>,
    ) -> Outcome<Vec<MediaVerifiedEntry>> {
        let inventory = self.tape.inventory.load()?;
        let mut rows = Vec::new();
        for row in self.media_rows(pool)? {
            let Some(media_set_uuid) = row.media_set_uuid else { continue };
            let record = records::of_medium(&self.tape, inventory.require(row.uuid)?)?;
            rows.push(entry(row, media_set_uuid, record));
        }
        rows.sort_by_key(|row| (row.media_set_uuid, row.seq_nr));
        Ok(rows)
    }

    /// What the last verification of a medium found.
    pub(crate) fn verification_of(&self, medium: MediaId) -> Outcome<Option<VerifyRecord>> {
        let inventory = self.tape.inventory.load()?;
        Ok(records::of_medium(&self.tape, inventory.require(medium)?)?)
    }

    /// The media of a choice, in the order in which they are read.
    pub(super) fn media_to_verify(&self, choice: &Choice<'_>) -> Outcome<Vec<MediaId>> {
        let inventory = self.tape.inventory.load()?;
        let by_label = |label| MediumName::of(Some(label), None)?.find(&inventory);
        let named = choice.labels.iter().map(by_label).chain(choice.uuids.iter().map(|id| Ok(*id)));
        let named = named.collect::<reel_tape::Result<Vec<MediaId>>>()?;
        let media = match (named.is_empty(), choice.set, choice.pool) {
            (true, Some(set), None) => media_of_set(&inventory, set)?,
            (true, None, Some(pool)) => self.written_media_of(pool)?,
            (false, None, None) => named,
            _ => {
                return Err(Failure::invalid(
                    "name either media, or 'media-set', or 'pool': one of the three",
                ));
            }
        };
        let is_near = |medium: &MediaId| {
            let entry = inventory.get(*medium);
            entry.is_some_and(|entry| matches!(entry.location(), MediaLocation::Online(_)))
        };
        let media = media.into_iter().filter(|medium| !choice.only_in_library || is_near(medium));
        self.longest_ago_first(media.collect(), choice)
    }

    /// A pool that is no more may have media, and one that has none must be configured.
    fn written_media_of(&self, pool: &PoolName) -> Outcome<Vec<MediaId>> {
        let mut rows = self.media_rows(Some(pool))?;
        rows.retain(|row| row.media_set_uuid.is_some());
        rows.sort_by_key(|row| (row.media_set_uuid, row.seq_nr));
        let media: Vec<MediaId> = rows.into_iter().map(|row| row.uuid).collect();
        if media.is_empty() {
            self.pool_rules(pool)?;
        }
        Ok(media)
    }

    /// What was verified lately enough is left out; of equals the order stays.
    fn longest_ago_first(&self, media: Vec<MediaId>, choice: &Choice<'_>) -> Outcome<Vec<MediaId>> {
        if choice.outdated_after.is_none() && choice.limit.is_none() {
            return Ok(media);
        }
        let days = i64::try_from(choice.outdated_after.unwrap_or(0)).unwrap_or(i64::MAX);
        let latest = self.clock.now().saturating_sub(days.saturating_mul(DAY_S));
        let mut dated = Vec::new();
        for medium in media {
            let verified = self.verification_of(medium)?.map(|record| record.time);
            if verified.is_none_or(|time| time <= latest) {
                dated.push((verified, medium));
            }
        }
        dated.sort_by_key(|(verified, _)| *verified);
        let most = choice.limit.map_or(usize::MAX, |limit| limit as usize);
        Ok(dated.into_iter().take(most).map(|(_, medium)| medium).collect())
    }

    pub(super) fn sets_of(&self, media: &[MediaId]) -> Outcome<Vec<MediaSetId>> {
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
