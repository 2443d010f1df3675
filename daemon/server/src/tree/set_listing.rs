//! Which snapshots a media set holds, out of the catalogs of its media.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;

use reel_tape::media_catalog::{CatalogExpectation, CatalogSnapshot, snapshots_on_medium};
use reel_tape::{FileNumber, InventoryEntry};
use reel_types::{
    BackupGroup, BackupTime, GroupPath, MediaId, MediaSetId, Namespace, SnapshotPath, StoreName,
};

use super::Tree;
use crate::failure::Outcome;
use crate::memo::{Memo, Stamp};

/// Sets whose listings are remembered, in one generation.
const SETS_KEPT: usize = 64;
/// Media whose snapshots' file numbers are remembered, in one generation.
const MEDIA_KEPT: usize = 16;

/// The snapshots of a set by datastore.
#[derive(Default)]
pub(super) struct SetListing {
    stores: BTreeMap<StoreName, StoreListing>,
    /// Labels of media whose catalog can't be read, each with the reason.
    pub(super) unreadable: Vec<(String, String)>,
}

/// The snapshots of one datastore in a set, each with the medium of its archive.
#[derive(Default)]
pub(super) struct StoreListing {
    by_namespace: BTreeMap<Namespace, BTreeMap<BackupGroup, BTreeMap<BackupTime, MediaId>>>,
}

impl SetListing {
    /// The datastores that have snapshots in the set.
    pub(super) fn stores(&self) -> impl Iterator<Item = &StoreName> {
        self.stores.keys()
    }

    /// The snapshots of a datastore.
    pub(super) fn store(&self, store: &StoreName) -> Option<&StoreListing> {
        self.stores.get(store)
    }

    /// How many snapshots there are.
    pub(super) fn snapshot_count(&self) -> u64 {
        let groups = self.stores.values().flat_map(|store| store.by_namespace.values());
        groups.flat_map(BTreeMap::values).map(|snapshots| snapshots.len() as u64).sum()
    }

    fn add(&mut self, store: StoreName, path: SnapshotPath, medium: MediaId) {
        let SnapshotPath { namespace, snapshot } = path;
        let groups =
            self.stores.entry(store).or_default().by_namespace.entry(namespace).or_default();
        groups.entry(snapshot.group).or_default().insert(snapshot.time, medium);
    }
}

impl StoreListing {
    /// The namespaces right inside `parent` that hold something, at any depth.
    pub(super) fn namespaces(&self, parent: &Namespace) -> Vec<Namespace> {
        let inside = self.by_namespace.keys().filter_map(|namespace| {
            let inner = namespace.relative_to(parent)?;
            parent.child(inner.components().next()?).ok()
        });
        let mut namespaces: Vec<Namespace> = inside.collect();
        namespaces.dedup();
        namespaces
    }

    /// Whether something is in the namespace, at any depth.
    pub(super) fn has_namespace(&self, namespace: &Namespace) -> bool {
        self.by_namespace.keys().any(|known| known.relative_to(namespace).is_some())
    }

    /// The groups of a namespace.
    pub(super) fn groups(&self, namespace: &Namespace) -> Vec<BackupGroup> {
        self.by_namespace
            .get(namespace)
            .map(|groups| groups.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// The snapshots of a group with the media of their archives.
    pub(super) fn snapshots(&self, group: &GroupPath) -> Option<&BTreeMap<BackupTime, MediaId>> {
        self.by_namespace.get(&group.namespace)?.get(&group.group)
    }

    /// The medium with a snapshot's archive.
    pub(super) fn medium_of(&self, snapshot: &SnapshotPath) -> Option<MediaId> {
        self.snapshots(&snapshot.group_path())?.get(&snapshot.snapshot.time).copied()
    }
}

type Archives = Arc<HashMap<(StoreName, SnapshotPath), FileNumber>>;

/// Remembered listings of sets.
pub(super) struct SetListings {
    sets: Memo<MediaSetId, Vec<Option<Stamp>>, Arc<SetListing>>,
    archives: Memo<MediaId, Option<Stamp>, Archives>,
}

impl SetListings {
    /// Nothing is remembered yet.
    pub(super) fn new() -> Self {
        Self { sets: Memo::new(SETS_KEPT), archives: Memo::new(MEDIA_KEPT) }
    }
}

impl Tree {
    /// What a media set holds, as far as catalogs tell.
    pub(super) fn set_listing(&self, set: MediaSetId) -> Outcome<Arc<SetListing>> {
        let state = &self.reeld.tape.state;
        let inventory_stamp = Stamp::of(&state.inventory())?;
        let media = self.media_names()?;
        let of_set =
            |entry: &&InventoryEntry| entry.assigned_set().is_some_and(|label| label.uuid == set);
        let mut members: Vec<&InventoryEntry> = media.inventory().iter().filter(of_set).collect();
        members.sort_by_key(|entry| entry.assigned_set().map(|label| label.seq_nr));
        let mut stamps = vec![inventory_stamp];
        for member in &members {
            stamps.push(Stamp::of(&state.catalog(member.uuid()))?);
        }
        self.sets.sets.get_or(set, stamps, || Ok(Arc::new(self.read_set(&members))))
    }

    fn read_set(&self, members: &[&InventoryEntry]) -> SetListing {
        let mut listing = SetListing::default();
        for member in members {
            let medium = member.uuid();
            match snapshots_on_medium(&self.reeld.tape.state, medium, expectation(member)) {
                Ok(snapshots) => {
                    snapshots
                        .into_iter()
                        .for_each(|(store, path)| listing.add(store, path, medium));
                }
                Err(error) => {
                    let label = member.labels.label.label_text.to_string();
                    listing.unreadable.push((label, error.to_string()));
                }
            }
        }
        listing
    }

    /// In which file of its medium a snapshot's archive is. The first question about a medium reads all of its
    /// catalog.
    pub(super) fn archive_of(
        &self,
        member: &InventoryEntry,
        store: &StoreName,
        path: &SnapshotPath,
    ) -> Outcome<Option<FileNumber>> {
        let catalog = self.reeld.tape.state.catalog(member.uuid());
        let read = || {
            let reader = BufReader::new(File::open(&catalog)?);
            let snapshots = CatalogSnapshot::read_all(reader, expectation(member))?;
            let pair = |found: CatalogSnapshot| ((found.store, found.path), found.number);
            Ok::<_, crate::failure::Failure>(Arc::new(snapshots.into_iter().map(pair).collect()))
        };
        let stamp = Stamp::of(&catalog)?;
        let archives: Archives = self.sets.archives.get_or(member.uuid(), stamp, read)?;
        Ok(archives.get(&(store.clone(), path.clone())).copied())
    }
}

fn expectation(member: &InventoryEntry) -> CatalogExpectation {
    CatalogExpectation::of(member.uuid(), member.labels.media_set_label.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_without_groups_of_their_own_lead_to_inner_ones() {
        let mut set = SetListing::default();
        let store: StoreName = "store1".parse().unwrap();
        for path in [
            "ns/a/ns/b/vm/1/2022-01-01T00:00:00Z",
            "ns/a/ns/c/vm/1/2022-01-01T00:00:00Z",
            "ct/2/2022-01-01T00:00:00Z",
        ] {
            set.add(store.clone(), path.parse().unwrap(), MediaId(uuid::Uuid::from_u128(1)));
        }
        let listing = set.store(&store).unwrap();
        let text = |namespaces: Vec<Namespace>| {
            namespaces.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(text(listing.namespaces(&Namespace::root())), "a");
        assert_eq!(text(listing.namespaces(&"a".parse().unwrap())), "a/b a/c");
        assert_eq!(text(listing.namespaces(&"a/b".parse().unwrap())), "");
        assert!(listing.has_namespace(&"a".parse().unwrap()));
        assert!(!listing.has_namespace(&"b".parse().unwrap()));
        assert!(listing.groups(&"a".parse().unwrap()).is_empty());
        assert_eq!(set.snapshot_count(), 3);
    }
}
