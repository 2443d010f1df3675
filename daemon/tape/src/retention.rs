//! When a medium may be written over (`tape-state.md` §7).

use reel_types::{AllocationPolicy, MediaStatus, RetentionPolicy};

use crate::inventory::InventoryEntry;
use crate::label::MediaSetLabel;
use crate::pool::PoolView;

impl PoolView<'_> {
    /// Whether a medium may be written over at `now` (UNIX seconds).
    pub fn is_expired(&self, entry: &InventoryEntry, now: i64) -> bool {
        self.status(entry) == MediaStatus::Full
            && self.expires_at(entry).is_some_and(|expires_at| now >= expires_at)
    }

    /// From when on (UNIX seconds) a medium that is full may be written over; none for never.
    pub fn expires_at(&self, entry: &InventoryEntry) -> Option<i64> {
        let label = entry.assigned_set()?;
        match &self.rules().retention {
            RetentionPolicy::Keep => None,
            RetentionPolicy::Overwrite => self.used_until(label),
            RetentionPolicy::ProtectFor(span) => {
                let protected_s = i64::try_from(span.whole_seconds()).unwrap_or(i64::MAX);
                Some(self.used_until(label)?.saturating_add(protected_s))
            }
        }
    }

    /// From when on nothing is added to the set of `label` any more; none while that isn't known.
    fn used_until(&self, label: &MediaSetLabel) -> Option<i64> {
        let start = || self.inventory().set_start_time(label.uuid).unwrap_or(label.ctime);
        match (&self.rules().allocation, self.next_set_label_time(label)) {
            (AllocationPolicy::Always, _) => Some(start()),
            (_, Some(next)) => Some(next),
            (AllocationPolicy::Continue, None) => None,
            (AllocationPolicy::At(event), None) => event.next_after(start(), self.zone()),
        }
    }

    /// When the next set of the pool got a medium, seen from the first known medium of this set.
    fn next_set_label_time(&self, label: &MediaSetLabel) -> Option<i64> {
        let labels = || self.inventory().iter().filter_map(|e| e.labels.media_set_label.as_ref());
        let first = labels().find(|member| member.uuid == label.uuid)?.ctime;
        labels()
            .filter(|other| other.pool == label.pool && other.uuid != label.uuid)
            .map(|other| other.ctime)
            .filter(|ctime| *ctime > first)
            .min()
    }
}
