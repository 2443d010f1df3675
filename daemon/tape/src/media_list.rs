//! What `media list` and `media content` show (`cli-tape.md` §8).
//!
//! The status in a listing is what a job that starts now would see with all media at hand but those in
//! vaults. `media-set-ctime` is the time at which the medium joined its set. Times are UNIX seconds.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use reel_types::commands::results::{MediaContentEntry, MediaListEntry};
use reel_types::{
    BackupId, BackupType, LabelText, MediaId, MediaSetId, MediaStatus, PoolName, SnapshotPath,
    StoreName,
};

use crate::inventory::{Inventory, InventoryEntry};
use crate::label::MediaSetLabel;
use crate::pool::{PoolRules, PoolView, Site, lasting_status};
use crate::{Error, Result};

/// Which rows of `media content` are wanted; all where nothing is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContentFilter {
    /// Media of this pool.
    pub pool: Option<PoolName>,
    /// The medium with this label.
    pub label_text: Option<LabelText>,
    /// This medium.
    pub medium: Option<MediaId>,
    /// Media of this set.
    pub media_set: Option<MediaSetId>,
    /// Snapshots of this type.
    pub backup_type: Option<BackupType>,
    /// Snapshots with this id.
    pub backup_id: Option<BackupId>,
}

/// The rows of `media content`, and the media that should have been in it.
#[derive(Debug, Default)]
pub struct MediaContent {
    /// A row for each snapshot on each medium.
    pub rows: Vec<MediaContentEntry>,
    /// Media whose catalog is missing or broken, with the reason.
    pub unreadable: Vec<(LabelText, Error)>,
}

/// What all rows of a listing need.
#[derive(Debug, Clone, Copy)]
pub struct MediaListing<'a> {
    /// All media.
    pub inventory: &'a Inventory,
    /// All configured pools.
    pub pools: &'a [PoolRules],
    /// The local time zone.
    pub zone: &'a TimeZone,
}

impl MediaListing<'_> {
    /// The rows of `media list` at `now`, of all media or of one pool; `catalogs` are the media that
    /// have a catalog.
    ///
    /// Media of pools that are configured no more have the status `unknown`, and so have those of a
    /// pool whose current set is contradictory (the log says how).
    pub fn list(
        &self,
        pool: Option<&PoolName>,
        catalogs: &BTreeSet<MediaId>,
        now: i64,
    ) -> Vec<MediaListEntry> {
        let mut rows = Vec::with_capacity(self.inventory.len());
        for rules in self.pools.iter().filter(|rules| pool.is_none_or(|pool| rules.name == *pool)) {
            self.list_pool(rules, catalogs, now, &mut rows);
        }
        for entry in self.inventory.iter() {
            let wanted = pool.is_none_or(|pool| entry.pool() == Some(pool));
            if wanted && self.rules_of(entry.pool()).is_none() {
                rows.push(self.row(entry, status_without_pool(entry), false, catalogs));
            }
        }
        rows
    }

    fn list_pool(
        &self,
        rules: &PoolRules,
        catalogs: &BTreeSet<MediaId>,
        now: i64,
        rows: &mut Vec<MediaListEntry>,
    ) {
        let view = PoolView::of_job_at(rules, self.inventory, &Site::Anywhere, self.zone, now)
            .inspect_err(|error| tracing::warn!("status of pool '{}': {error}", rules.name))
            .ok();
        for entry in self.inventory.media_in_pool(&rules.name) {
            let status = view.as_ref().map_or(MediaStatus::Unknown, |view| view.status(entry));
            let expired = view.as_ref().is_some_and(|view| view.is_expired(entry, now));
            rows.push(self.row(entry, status, expired, catalogs));
        }
    }

    fn row(
        &self,
        entry: &InventoryEntry,
        status: MediaStatus,
        expired: bool,
        catalogs: &BTreeSet<MediaId>,
    ) -> MediaListEntry {
        let set_label = entry.assigned_set();
        let label = &entry.labels.label;
        MediaListEntry {
            bytes_used: entry.bytes_used,
            catalog: set_label.is_none() || catalogs.contains(&label.uuid),
            ctime: label.ctime,
            expired,
            label_text: label.label_text.clone(),
            location: entry.location(),
            media_set_ctime: set_label.map(|set_label| set_label.ctime),
            media_set_name: set_label.map(|set_label| self.name_of_set(set_label)),
            media_set_uuid: set_label.map(|set_label| set_label.uuid),
            pool: entry.pool().cloned(),
            seq_nr: set_label.map(|set_label| set_label.seq_nr),
            status,
            uuid: label.uuid,
        }
    }

    /// The rows of `media content`; `snapshots` lists what the catalog of a medium has.
    ///
    /// A medium whose catalog can't be read doesn't hide the others.
    pub fn content(
        &self,
        filter: &ContentFilter,
        mut snapshots: impl FnMut(&InventoryEntry) -> Result<Vec<(StoreName, SnapshotPath)>>,
    ) -> MediaContent {
        let mut content = MediaContent::default();
        for entry in self.inventory.iter() {
            let Some(set_label) = entry.assigned_set() else { continue };
            if !filter.wants_medium(entry, set_label) {
                continue;
            }
            match snapshots(entry) {
                Ok(found) => self.add_content(filter, entry, set_label, found, &mut content.rows),
                Err(error) => {
                    content.unreadable.push((entry.labels.label.label_text.clone(), error));
                }
            }
        }
        content
    }

    fn add_content(
        &self,
        filter: &ContentFilter,
        entry: &InventoryEntry,
        set_label: &MediaSetLabel,
        snapshots: Vec<(StoreName, SnapshotPath)>,
        rows: &mut Vec<MediaContentEntry>,
    ) {
        let name = self.name_of_set(set_label);
        let wanted = snapshots.into_iter().filter(|(_, path)| filter.wants_snapshot(path));
        rows.extend(wanted.map(|(store, snapshot)| MediaContentEntry {
            backup_time: snapshot.snapshot.time,
            label_text: entry.labels.label.label_text.clone(),
            media_set_ctime: set_label.ctime,
            media_set_name: name.clone(),
            media_set_uuid: set_label.uuid,
            pool: set_label.pool.clone(),
            seq_nr: set_label.seq_nr,
            snapshot: snapshot.to_string(),
            store,
            uuid: entry.uuid(),
        }));
    }

    fn name_of_set(&self, set_label: &MediaSetLabel) -> String {
        let rules = self.rules_of(Some(&set_label.pool));
        let template = rules.and_then(|rules| rules.template.clone()).unwrap_or_default();
        let start = self.inventory.set_start_time(set_label.uuid);
        template.set_name(&set_label.uuid, start, self.zone)
    }

    fn rules_of(&self, pool: Option<&PoolName>) -> Option<&PoolRules> {
        self.pools.iter().find(|rules| Some(&rules.name) == pool)
    }
}

impl ContentFilter {
    fn wants_medium(&self, entry: &InventoryEntry, set_label: &MediaSetLabel) -> bool {
        fn fits<T: PartialEq>(wanted: &Option<T>, value: &T) -> bool {
            wanted.as_ref().is_none_or(|wanted| wanted == value)
        }
        fits(&self.pool, &set_label.pool)
            && fits(&self.label_text, &entry.labels.label.label_text)
            && fits(&self.medium, &entry.uuid())
            && fits(&self.media_set, &set_label.uuid)
    }

    fn wants_snapshot(&self, path: &SnapshotPath) -> bool {
        let group = &path.snapshot.group;
        self.backup_type.is_none_or(|kind| kind == group.kind)
            && self.backup_id.as_ref().is_none_or(|id| *id == group.id)
    }
}

/// Media without pool are writable unless marked; what the media of a lost pool are nobody knows.
fn status_without_pool(entry: &InventoryEntry) -> MediaStatus {
    match entry.pool() {
        Some(_) => MediaStatus::Unknown,
        None => lasting_status(entry).unwrap_or(MediaStatus::Writable),
    }
}

#[cfg(test)]
mod tests;
