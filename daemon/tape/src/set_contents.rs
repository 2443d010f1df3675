//! What a media set holds and where: the catalogs of all its media, and our own places beside them.
//!
//! A medium whose catalog is missing or broken is named ([`SetMember::problem`]) and what others hold can be
//! found all the same.

use std::sync::Arc;

use reel_types::{Digest, LabelText, MediaId, MediaLocation, MediaSetId, SnapshotPath, StoreName};

use crate::FileNumber;
use crate::catalog_index::CatalogIndex;
use crate::env::TapeEnv;
use crate::inventory::{Inventory, InventoryEntry};
use crate::places::{Place, Places};
use crate::{Error, Result};

/// A medium of a set, as readers know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetMedium {
    /// The medium.
    pub id: MediaId,
    /// Its label.
    pub label_text: LabelText,
    /// The set that it is in.
    pub set: MediaSetId,
    /// Its place there.
    pub seq_nr: u64,
    /// Where it was last.
    pub location: MediaLocation,
}

/// A medium of a set and its catalog.
pub struct SetMember {
    /// The medium.
    pub medium: Arc<SetMedium>,
    index: Result<CatalogIndex>,
}

impl SetMember {
    /// Why its catalog can't be used, if that is so.
    pub fn problem(&self) -> Option<&Error> {
        self.index.as_ref().err()
    }
}

/// Where a chunk may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The medium.
    pub medium: Arc<SetMedium>,
    /// The chunk archive.
    pub file: FileNumber,
    /// How many chunks stand before it there, as the catalog says; none where that is missing.
    pub number: Option<u32>,
    /// Where its entry starts, where our index knows.
    pub place: Option<Place>,
}

/// A snapshot of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetSnapshot {
    /// The datastore that it comes from.
    pub store: StoreName,
    /// The snapshot.
    pub path: SnapshotPath,
    /// The medium that its archive is on.
    pub medium: Arc<SetMedium>,
    /// The archive.
    pub file: FileNumber,
}

/// The contents of a media set.
pub struct SetContents {
    set: MediaSetId,
    members: Vec<SetMember>,
    first_missing: Option<u64>,
}

impl SetContents {
    /// Brings the indexes of all catalogs of the set up to date.
    ///
    /// # Errors
    /// A set that the inventory does not know; a medium without catalog is none.
    pub fn open(env: &TapeEnv, inventory: &Inventory, set: MediaSetId) -> Result<Self> {
        let known = inventory.set_members(set)?;
        if known.is_empty() {
            return Err(Error::SetUnknown { set });
        }
        let mut members = Vec::new();
        for (seq_nr, medium) in known.iter() {
            members.push(SetMember::open(env, inventory.require(medium)?, set, seq_nr)?);
        }
        Ok(Self { set, members, first_missing: known.first_missing() })
    }

    /// The set.
    pub fn set(&self) -> MediaSetId {
        self.set
    }

    /// Its media in order.
    pub fn members(&self) -> &[SetMember] {
        &self.members
    }

    /// The first place in the set of which no medium is known, where there is a gap.
    pub fn first_missing(&self) -> Option<u64> {
        self.first_missing
    }

    /// Reads what the catalogs have got since; one that can't be read stays as it was.
    pub fn refresh(&self) {
        for member in &self.members {
            if let Ok(index) = &member.index
                && let Err(error) = index.refresh()
            {
                tracing::warn!(%error, "a catalog can't be read any more");
            }
        }
    }

    /// The media and archives that hold the chunk, in the order of the set; any datastore's where none is
    /// named.
    pub fn find(&self, store: Option<&StoreName>, digest: &Digest) -> Vec<(MediaId, FileNumber)> {
        let on_member = |member: &SetMember| {
            let places = member.index.as_ref().map(|index| index.find(store, digest));
            let id = member.medium.id;
            places.unwrap_or_default().into_iter().map(move |place| (id, place.file))
        };
        self.members.iter().flat_map(on_member).collect()
    }

    /// The media whose catalogs name the chunk, each once; any datastore's where none is named.
    pub fn media_with(&self, store: Option<&StoreName>, digest: &Digest) -> Vec<Arc<SetMedium>> {
        let has = |member: &&SetMember| {
            member.index.as_ref().is_ok_and(|index| !index.find(store, digest).is_empty())
        };
        self.members.iter().filter(has).map(|member| Arc::clone(&member.medium)).collect()
    }

    /// Where the chunk may be read, the best first: of the datastore itself, else of another one of this
    /// set, whose chunk of that name is the same.
    pub fn targets(
        &self,
        places: &Places,
        store: &StoreName,
        digest: &Digest,
    ) -> Result<Vec<Target>> {
        let mut targets = Vec::new();
        for store in [Some(store), None] {
            for member in &self.members {
                member.add_targets(places, store, digest, &mut targets)?;
            }
        }
        Ok(targets)
    }

    /// All snapshots that the catalogs name; of one that is there several times the last.
    pub fn snapshots(&self) -> Vec<SetSnapshot> {
        let mut snapshots: Vec<SetSnapshot> =
            self.members.iter().flat_map(SetMember::snapshots).collect();
        // Stable, so that the later archive stays behind the earlier one.
        snapshots.sort_by(|a, b| (&a.store, &a.path).cmp(&(&b.store, &b.path)));
        snapshots.reverse();
        snapshots.dedup_by(|a, b| (&a.store, &a.path) == (&b.store, &b.path));
        snapshots.reverse();
        snapshots
    }
}

impl SetMember {
    fn open(env: &TapeEnv, entry: &InventoryEntry, set: MediaSetId, seq_nr: u64) -> Result<Self> {
        let set_label = entry.assigned_set().ok_or(Error::MediumBlank)?;
        let medium = SetMedium {
            id: entry.uuid(),
            label_text: entry.labels.label.label_text.clone(),
            set,
            seq_nr,
            location: entry.location(),
        };
        let index = env.catalog_indexes.of_medium(&env.state, medium.id, set_label);
        Ok(Self { medium: Arc::new(medium), index })
    }

    fn add_targets(
        &self,
        places: &Places,
        store: Option<&StoreName>,
        digest: &Digest,
        targets: &mut Vec<Target>,
    ) -> Result<()> {
        let mut add = |file, number, place| {
            let target = Target { medium: self.medium.clone(), file, number, place };
            if !targets.contains(&target) {
                targets.push(target);
            }
        };
        let known = || places.find(self.medium.id, self.medium.set, digest);
        let Ok(index) = &self.index else {
            known()?.into_iter().for_each(|place| add(place.file, None, Some(place)));
            return Ok(());
        };
        let in_catalog = index.find(store, digest);
        if in_catalog.is_empty() {
            return Ok(());
        }
        let known = known()?;
        for found in in_catalog {
            let here = known.iter().filter(|place| place.file == found.file);
            let number = Some(found.number);
            here.for_each(|place| add(found.file, number, Some(*place)));
            add(found.file, number, None);
        }
        Ok(())
    }

    fn snapshots(&self) -> Vec<SetSnapshot> {
        let snapshots = self.index.as_ref().map(CatalogIndex::snapshots).unwrap_or_default();
        let with_medium = |snapshot: crate::media_catalog::CatalogSnapshot| SetSnapshot {
            store: snapshot.store,
            path: snapshot.path,
            medium: self.medium.clone(),
            file: snapshot.number,
        };
        snapshots.into_iter().map(with_medium).collect()
    }
}
