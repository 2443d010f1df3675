//! A look at a pool's media: their status, and in what order they are taken.

use jiff::tz::TimeZone;
use reel_types::{LabelText, MediaSetId, MediaStatus};

use super::{PoolRules, Site};
use crate::Result;
use crate::inventory::{Inventory, InventoryEntry, SetMembers};
use crate::usability::Usability;

/// An inventory seen by the rules of one pool.
#[derive(Debug, Clone)]
pub struct PoolView<'a> {
    rules: &'a PoolRules,
    inventory: &'a Inventory,
    site: &'a Site,
    zone: &'a TimeZone,
    members: Option<SetMembers>,
}

impl<'a> PoolView<'a> {
    /// The view with `current_set` as the set that is written; `None` for one that is yet to come.
    ///
    /// Fails where two media claim the same place in that set.
    pub fn new(
        rules: &'a PoolRules,
        inventory: &'a Inventory,
        current_set: Option<MediaSetId>,
        site: &'a Site,
        zone: &'a TimeZone,
    ) -> Result<Self> {
        let members = current_set.map(|set| inventory.set_members(set)).transpose()?;
        Ok(Self { rules, inventory, site, zone, members })
    }

    /// The view of a job that would start at `now` (UNIX seconds), without starting one.
    pub fn of_job_at(
        rules: &'a PoolRules,
        inventory: &'a Inventory,
        site: &'a Site,
        zone: &'a TimeZone,
        now: i64,
    ) -> Result<Self> {
        let latest = inventory.latest_set(&rules.name);
        let view = Self::new(rules, inventory, latest, site, zone)?;
        if view.reason_for_new_set(now, false).is_none() {
            return Ok(view);
        }
        Self::new(rules, inventory, None, site, zone)
    }

    /// The label of the medium that a job would write next, as far as one can tell.
    pub fn guess_next_medium(&self, now: i64) -> Option<&'a LabelText> {
        let entry = match self.usability().ok()? {
            Usability::Writable(medium) => self.inventory.get(medium)?,
            Usability::WantsMedium => self.candidates(now).first()?.1,
        };
        Some(&entry.labels.label.label_text)
    }

    pub(crate) fn rules(&self) -> &'a PoolRules {
        self.rules
    }

    pub(crate) fn inventory(&self) -> &'a Inventory {
        self.inventory
    }

    pub(crate) fn site(&self) -> &'a Site {
        self.site
    }

    pub(crate) fn zone(&self) -> &'a TimeZone {
        self.zone
    }

    pub(crate) fn members(&self) -> Option<&SetMembers> {
        self.members.as_ref()
    }

    /// The set that is written, if it exists.
    pub fn current_set(&self) -> Option<MediaSetId> {
        self.members().map(SetMembers::set)
    }

    pub(crate) fn member(&self, seq_nr: u64) -> Option<&'a InventoryEntry> {
        self.inventory.get(self.members()?.get(seq_nr)?)
    }

    /// The status of a medium in this pool (`tape-state.md` §5).
    pub fn status(&self, entry: &InventoryEntry) -> MediaStatus {
        if let Some(status) = lasting_status(entry) {
            return status;
        }
        let Some(label) = &entry.labels.media_set_label else { return MediaStatus::Writable };
        if label.pool != self.rules.name {
            return MediaStatus::Unknown;
        }
        if label.uuid.is_unassigned() {
            return MediaStatus::Writable;
        }
        let last = self.members().filter(|members| members.set() == label.uuid);
        match last.and_then(SetMembers::last) {
            Some((_, medium)) if medium == entry.uuid() => MediaStatus::Writable,
            _ => MediaStatus::Full,
        }
    }

    /// Media of the pool without data, the one to take first in front.
    pub fn empty_media(&self) -> Vec<&'a InventoryEntry> {
        let empty = self.inventory.media_in_pool(&self.rules.name).filter(|entry| {
            entry.assigned_set().is_none()
                && self.status(entry) == MediaStatus::Writable
                && self.is_within_reach(entry)
        });
        oldest_first(empty, |entry| entry.labels.label.ctime)
    }

    /// Media of former sets of the pool that may be written over at `now` (UNIX seconds), the one to
    /// take first in front.
    pub fn expired_media(&self, now: i64) -> Vec<&'a InventoryEntry> {
        let current = self.current_set();
        let expired = self.inventory.media_in_pool(&self.rules.name).filter(|entry| {
            entry.assigned_set().is_some_and(|label| Some(label.uuid) != current)
                && self.is_within_reach(entry)
                && self.is_expired(entry, now)
        });
        oldest_first(expired, |entry| entry.assigned_set().map_or(0, |label| label.ctime))
    }

    /// Media that belong to no pool, the one to take first in front.
    pub fn free_media(&self) -> Vec<&'a InventoryEntry> {
        let free = self
            .inventory
            .unassigned_media()
            .filter(|entry| lasting_status(entry).is_none() && self.is_within_reach(entry));
        oldest_first(free, |entry| entry.labels.label.ctime)
    }

    fn is_within_reach(&self, entry: &InventoryEntry) -> bool {
        self.site.reaches(&entry.location())
    }
}

/// The status that was given to a medium and stays whatever its pool thinks.
pub(crate) fn lasting_status(entry: &InventoryEntry) -> Option<MediaStatus> {
    match entry.status? {
        MediaStatus::Writable | MediaStatus::Unknown => None,
        status @ (MediaStatus::Full | MediaStatus::Damaged | MediaStatus::Retired) => Some(status),
    }
}

/// Sorts by time, then by label text.
fn oldest_first<'a>(
    media: impl Iterator<Item = &'a InventoryEntry>,
    time: impl Fn(&InventoryEntry) -> i64,
) -> Vec<&'a InventoryEntry> {
    let mut media: Vec<&InventoryEntry> = media.collect();
    media.sort_by_key(|entry| (time(entry), entry.labels.label.label_text.as_str()));
    media
}
