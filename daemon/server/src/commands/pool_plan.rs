//! `pool plan`: what the next backup to a pool would write to, and whether it will fit.

use std::collections::BTreeMap;

use reel_hw::virtual_drive::VIRTUAL_MAX_SIZE_DEFAULT;
use reel_tape::backup::unwritten_bytes;
use reel_tape::inventory::InventoryEntry;
use reel_tape::timing::MediumKind;
use reel_tape::{Inventory, PoolPlan as Plan, PoolRules, Site};
use reel_types::commands::PoolPlan;
use reel_types::commands::results::{
    ExpiryInfo, PlannedMediumInfo, PoolPlanInfo, UnusedMediumInfo,
};
use reel_types::{DriveName, MediaLocation, MediaSetId, PoolName, StoreName};

use super::Done;
use crate::drives::ConfiguredDrive;
use crate::failure::Outcome;
use crate::reeld::Reeld;
use crate::tasks::TaskStatus;

/// Of so many last backups the largest counts.
const RUNS_LOOKED_AT: usize = 3;
/// Worker types of backups to tape.
const BACKUPS: [&str; 2] = ["tape-backup", "tape-backup-job"];

/// How much the next backup writes, and how that was found out.
type Estimate = (u64, String);

impl Reeld {
    pub(super) fn pool_plan(&self, command: &PoolPlan) -> Outcome<Done> {
        self.pool_rules(&command.name)?;
        self.refresh_online_status()?;
        let (store, drive) = (command.store.as_ref(), command.drive.as_ref());
        Done::data(self.plan_of_pool(&command.name, store, drive)?)
    }

    /// The plan by what is known; no library is asked.
    pub(crate) fn plan_of_pool(
        &self,
        pool: &PoolName,
        store: Option<&StoreName>,
        drive: Option<&DriveName>,
    ) -> Outcome<PoolPlanInfo> {
        let rules = self.pool_rules(pool)?;
        let inventory = self.tape.inventory.load()?;
        let (site, now) = (self.site_of_plan(drive)?, self.clock.now());
        let plan = Plan::of_job_at(&rules, &inventory, &site, &self.zone, now)?;
        let media: Vec<_> = plan
            .media
            .iter()
            .map(|(choice, entry)| PlannedMediumInfo {
                label_text: entry.labels.label.label_text.clone(),
                uuid: entry.uuid(),
                kind: choice.as_str().into(),
                location: entry.location(),
                bytes_free: self.room_on(entry, *choice == reel_tape::Choice::Current),
            })
            .collect();
        let bytes_free = media.iter().map(|medium| medium.bytes_free).sum::<Option<u64>>();
        let least_free: u64 = media.iter().filter_map(|medium| medium.bytes_free).sum();
        let wanted = self.expected_bytes(&plan, &rules, &inventory, store)?;
        let bytes_wanted = wanted.as_ref().map(|(bytes, _)| *bytes);
        Ok(PoolPlanInfo {
            pool: pool.clone(),
            media_set_uuid: plan.set,
            media_set_name: plan.set.map(|set| self.name_of_set(&rules, &inventory, set)),
            new_media_set: plan.new_set,
            reason: plan.reason.clone(),
            next_media: media.first().map(|medium| medium.label_text.clone()),
            out_of_use: plan.out_of_use.iter().map(unused).collect(),
            expiry: plan.expiry.iter().filter_map(expiry).collect(),
            bytes_free,
            bytes_wanted,
            estimated_by: wanted.map(|(_, how)| how),
            fits: bytes_wanted.and_then(|wanted| fits(wanted, bytes_free, least_free)),
            media,
        })
    }

    /// What the drive reaches; of several drives what those of the only library do, or anything.
    fn site_of_plan(&self, drive: Option<&DriveName>) -> Outcome<Site> {
        if let Some(drive) = drive {
            return self.drives.site(drive);
        }
        let drives = self.drives.configs()?;
        let mut libraries: Vec<_> = drives.iter().map(ConfiguredDrive::library_name).collect();
        libraries.dedup();
        match libraries.as_slice() {
            [Some(only)] => Ok(Site::Changer(only.clone())),
            [None] => Ok(Site::Standalone),
            _ => Ok(Site::Anywhere),
        }
    }

    fn name_of_set(&self, rules: &PoolRules, inventory: &Inventory, set: MediaSetId) -> String {
        let template = rules.template.clone().unwrap_or_default();
        template.set_name(&set, inventory.set_start_time(set), &self.zone)
    }

    /// Bytes that are free on a medium: all, unless it goes on.
    fn room_on(&self, entry: &InventoryEntry, goes_on: bool) -> Option<u64> {
        let used = if goes_on { entry.bytes_used.unwrap_or(0) } else { 0 };
        Some(self.capacity_of(entry)?.saturating_sub(used))
    }

    /// As a drive counted it, as the tapes in a folder are made, or as the bar code says.
    fn capacity_of(&self, entry: &InventoryEntry) -> Option<u64> {
        if let MediaLocation::Online(library) = entry.location()
            && let Ok(drive) = library.as_str().parse()
            && let Ok(ConfiguredDrive::Virtual(drive)) = self.drives.config(&drive)
        {
            return Some(drive.max_size_bytes.unwrap_or(VIRTUAL_MAX_SIZE_DEFAULT.0));
        }
        let looks = self.tape.health.of_medium(entry.uuid()).unwrap_or_default();
        let counted = looks.iter().rev().find_map(|look| look.volume?.native_capacity);
        let label_text = entry.labels.label.label_text.as_str();
        let by_bar_code = || Some(MediumKind::of_bar_code(label_text, true)?.figures().capacity);
        counted.or_else(by_bar_code)
    }

    fn expected_bytes(
        &self,
        plan: &Plan<'_>,
        rules: &PoolRules,
        inventory: &Inventory,
        store: Option<&StoreName>,
    ) -> Outcome<Option<Estimate>> {
        if let Some(store) = store {
            let in_use = self.stores.begin_reading(store)?;
            let bytes = unwritten_bytes(&self.tape, inventory, plan.set, in_use.store())?;
            let how = match plan.set {
                Some(_) => format!("what of datastore '{store}' is not on the media set"),
                None => format!("all of datastore '{store}'"),
            };
            return Ok(Some((bytes, how)));
        }
        match (plan.set, inventory.latest_set(&rules.name)) {
            (None, Some(latest)) => Ok(bytes_of_set(inventory, latest)),
            _ => self.largest_of_last_backups(&rules.name),
        }
    }

    /// What the last backups to a pool wrote, as their logs say.
    fn largest_of_last_backups(&self, pool: &PoolName) -> Outcome<Option<Estimate>> {
        let tasks = self.tasks.list()?;
        let ours = tasks.iter().filter(|task| {
            let parts = task.upid.parts();
            let to_pool = parts.worker_id.as_deref().and_then(|id| id.split(':').nth(1));
            BACKUPS.contains(&&*parts.worker_type) && to_pool == Some(pool.as_str())
        });
        let ended = ours.filter(|task| {
            let status = task.end.as_ref().map(|end| &end.status);
            matches!(status, Some(TaskStatus::Ok | TaskStatus::Warnings(_)))
        });
        let mut written = Vec::new();
        for task in ended.take(RUNS_LOOKED_AT) {
            let (lines, _) = self.tasks.log_lines(&task.upid, 0, u64::MAX)?;
            written.push(lines.iter().filter_map(|line| written_by(line)).sum::<u64>());
        }
        let runs = written.len();
        let how = format!("the largest of the last backups to the pool ({runs})");
        Ok(written.into_iter().max().map(|bytes| (bytes, how)))
    }
}

/// What is on the media of a set: a new one takes about as much.
fn bytes_of_set(inventory: &Inventory, set: MediaSetId) -> Option<Estimate> {
    let sizes: BTreeMap<_, _> = inventory
        .iter()
        .filter(|entry| entry.assigned_set().is_some_and(|label| label.uuid == set))
        .map(|entry| (entry.uuid(), entry.bytes_used))
        .collect();
    let bytes = sizes.into_values().sum::<Option<u64>>()?;
    Some((bytes, "what is on the media set before".into()))
}

/// Bytes that a line of a backup's log tells: `wrote 3 chunks (12.58 MB at 201.00 MB/s)`.
fn written_by(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once(": wrote ")?;
    let (_, size) = rest.split_once(" chunks (")?;
    let (megabytes, _) = size.split_once(" MB at ")?;
    let bytes = megabytes.parse::<f64>().ok()? * 1e6;
    bytes.is_finite().then_some(bytes as u64)
}

/// Whether so much fits; a medium of unknown size leaves it open where the others don't suffice.
fn fits(wanted: u64, free: Option<u64>, least_free: u64) -> Option<bool> {
    match free {
        _ if wanted <= least_free => Some(true),
        Some(_) => Some(false),
        None => None,
    }
}

fn unused((entry, reason): &(&InventoryEntry, String)) -> UnusedMediumInfo {
    UnusedMediumInfo {
        label_text: entry.labels.label.label_text.clone(),
        uuid: entry.uuid(),
        location: entry.location(),
        reason: reason.clone(),
    }
}

fn expiry((entry, expires): &(&InventoryEntry, Option<i64>)) -> Option<ExpiryInfo> {
    Some(ExpiryInfo {
        label_text: entry.labels.label.label_text.clone(),
        uuid: entry.uuid(),
        media_set_uuid: entry.assigned_set()?.uuid,
        expires: *expires,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_say_what_backups_wrote() {
        let line = "2026-01-10T08:00:00+00:00: wrote 3 chunks (12.58 MB at 201.00 MB/s)";
        assert_eq!(written_by(line), Some(12_580_000));
        for other in ["x: wrote catalog", "x: wrote 3 chunks (a MB at 1 MB/s)", ""] {
            assert_eq!(written_by(other), None, "{other}");
        }
    }

    #[test]
    fn what_fits_and_what_nobody_knows() {
        assert_eq!(fits(5, Some(5), 5), Some(true));
        assert_eq!(fits(6, Some(5), 5), Some(false));
        assert_eq!(fits(6, None, 5), None);
        assert_eq!(fits(5, None, 5), Some(true));
    }
}
