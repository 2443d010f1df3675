//! What the inventory says about media sets.

use std::collections::BTreeMap;

use reel_types::{MediaId, MediaSetId, PoolName};

use super::{Inventory, InventoryEntry};
use crate::label::MediaSetLabel;
use crate::{Error, Result};

/// The known media of one set by their sequence numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetMembers {
    set: MediaSetId,
    by_seq_nr: BTreeMap<u64, MediaId>,
}

impl SetMembers {
    /// The set.
    pub fn set(&self) -> MediaSetId {
        self.set
    }

    /// How many places the set has: the greatest sequence number and one.
    pub fn places(&self) -> u64 {
        self.by_seq_nr.last_key_value().map_or(0, |(seq_nr, _)| seq_nr.saturating_add(1))
    }

    /// Whether no medium of the set is known.
    pub fn is_empty(&self) -> bool {
        self.by_seq_nr.is_empty()
    }

    /// The medium in place `seq_nr`.
    pub fn get(&self, seq_nr: u64) -> Option<MediaId> {
        self.by_seq_nr.get(&seq_nr).copied()
    }

    /// The place of a medium.
    pub fn seq_nr_of(&self, medium: MediaId) -> Option<u64> {
        self.iter().find(|(_, member)| *member == medium).map(|(seq_nr, _)| seq_nr)
    }

    /// The last medium that is known, with its sequence number.
    pub fn last(&self) -> Option<(u64, MediaId)> {
        self.by_seq_nr.last_key_value().map(|(seq_nr, medium)| (*seq_nr, *medium))
    }

    /// The known media with their sequence numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, MediaId)> {
        self.by_seq_nr.iter().map(|(seq_nr, medium)| (*seq_nr, *medium))
    }

    /// The first place without a medium, where there is a gap.
    pub fn first_missing(&self) -> Option<u64> {
        (0..).zip(self.by_seq_nr.keys()).find(|(place, seq_nr)| place != *seq_nr).map(|(p, _)| p)
    }

    /// The media in order if no place is without one.
    pub fn complete(&self) -> Result<Vec<MediaId>> {
        match self.first_missing() {
            Some(seq_nr) => Err(Error::SetIncomplete { set: self.set, seq_nr }),
            None => Ok(self.by_seq_nr.values().copied().collect()),
        }
    }
}

impl Inventory {
    /// The media of a set; empty for a set that nobody knows.
    ///
    /// Fails where two media claim the same place.
    pub fn set_members(&self, set: MediaSetId) -> Result<SetMembers> {
        let mut by_seq_nr = BTreeMap::new();
        for (entry, label) in self.labels_of_set(set) {
            if by_seq_nr.insert(label.seq_nr, entry.uuid()).is_some() {
                return Err(Error::DuplicateSequenceNumber { set, seq_nr: label.seq_nr });
            }
        }
        Ok(SetMembers { set, by_seq_nr })
    }

    /// When a set was started, UNIX seconds; known only with its first medium.
    pub fn set_start_time(&self, set: MediaSetId) -> Option<i64> {
        self.labels_of_set(set).find(|(_, label)| label.seq_nr == 0).map(|(_, label)| label.ctime)
    }

    /// The pool of a set, on which all known members must agree.
    pub fn pool_of_set(&self, set: MediaSetId) -> Result<PoolName> {
        let mut pools: Vec<&PoolName> =
            self.labels_of_set(set).map(|(_, label)| &label.pool).collect();
        pools.sort();
        pools.dedup();
        match pools.as_slice() {
            [] => Err(Error::SetUnknown { set }),
            [pool] => Ok((*pool).clone()),
            several => {
                let names: Vec<&str> = several.iter().map(|pool| pool.as_str()).collect();
                Err(Error::SetPools { set, pools: names.join(", ") })
            }
        }
    }

    /// The newest set of a pool: that of the used medium with the greatest label time.
    ///
    /// None where no medium was used, or where a second set has a label as new as that, so that
    /// nobody can say which is the newest (the log has a warning then).
    pub fn latest_set(&self, pool: &PoolName) -> Option<MediaSetId> {
        let labels = || self.media_in_pool(pool).filter_map(InventoryEntry::assigned_set);
        let newest =
            labels().reduce(|best, label| if label.ctime > best.ctime { label } else { best })?;
        let rival = labels().find(|label| label.uuid != newest.uuid && label.ctime >= newest.ctime);
        if let Some(rival) = rival {
            tracing::warn!(
                "media sets {} and {} of pool {pool} are equally new: no current media set",
                newest.uuid,
                rival.uuid
            );
            return None;
        }
        Some(newest.uuid)
    }

    /// All sets that the inventory knows of, each once, ordered by UUID.
    pub fn sets(&self) -> Vec<MediaSetId> {
        let mut sets: Vec<MediaSetId> =
            self.iter().filter_map(|entry| entry.assigned_set().map(|label| label.uuid)).collect();
        sets.sort();
        sets.dedup();
        sets
    }

    fn labels_of_set(
        &self,
        set: MediaSetId,
    ) -> impl Iterator<Item = (&InventoryEntry, &MediaSetLabel)> {
        self.iter()
            .filter_map(|entry| entry.assigned_set().map(|label| (entry, label)))
            .filter(move |(_, label)| label.uuid == set)
    }
}
