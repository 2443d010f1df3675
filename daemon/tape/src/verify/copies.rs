//! Where else a chunk or a snapshot is, by the catalogs of all media.

use reel_types::{Digest, MediaId, MediaSetId, StoreName, TaskContext};

use crate::Result;
use crate::env::TapeEnv;
use crate::set_contents::SetContents;
use crate::snapshot_files::SnapshotOnSet;

/// What all media sets hold.
pub(super) struct Copies {
    /// The set that is asked about comes first.
    sets: Vec<SetContents>,
}

impl Copies {
    /// Reads the catalogs of all sets; `set` is the one that is asked about. Those that can't be read are named.
    pub(super) fn open(env: &TapeEnv, set: MediaSetId, task: &dyn TaskContext) -> Result<Self> {
        let inventory = env.inventory.load()?;
        let others = inventory.sets().into_iter().filter(|other| *other != set);
        let mut sets = Vec::new();
        for set in std::iter::once(set).chain(others) {
            task.check()?;
            let contents = match SetContents::open(env, &inventory, set) {
                Ok(contents) => contents,
                Err(error) => {
                    task.log(&format!("media set {set} is not looked at: {error}"));
                    continue;
                }
            };
            for member in contents.members().iter().filter(|member| member.problem().is_some()) {
                let label = &member.medium.label_text;
                task.log(&format!("what is on media '{label}' is not known: it has no catalog"));
            }
            sets.push(contents);
        }
        Ok(Self { sets })
    }

    /// A phrase that says where else a chunk is than on `medium`.
    pub(super) fn of_chunk(&self, digest: &Digest, medium: MediaId) -> String {
        let places = self.sets.iter().flat_map(|set| {
            let on_media = set.media_with(None, digest).into_iter();
            on_media.filter(|other| other.id != medium).map(|other| (set.set(), other))
        });
        phrase(places.map(|(set, other)| format!("'{}' of media set {set}", other.label_text)))
    }

    /// A phrase that says where else a snapshot is than on `medium`.
    pub(super) fn of_snapshot(&self, snapshot: &SnapshotOnSet, medium: MediaId) -> String {
        let places = self.sets.iter().filter(|set| set.set() != snapshot.set).filter_map(|set| {
            let found = set.snapshots().into_iter().find(|other| {
                (&other.store, &other.path) == (&snapshot.store, &snapshot.path)
                    && other.medium.id != medium
            })?;
            Some(format!("'{}' of media set {}", found.medium.label_text, set.set()))
        });
        phrase(places)
    }

    /// Whether another medium of the set that is asked about has the chunk.
    pub(super) fn is_elsewhere_on_set(
        &self,
        store: &StoreName,
        digest: &Digest,
        medium: MediaId,
    ) -> bool {
        let on_set = self.sets.first().map(|set| set.media_with(Some(store), digest));
        on_set.is_some_and(|media| media.iter().any(|other| other.id != medium))
    }

    /// All snapshots of the set that is asked about.
    pub(super) fn snapshots_of_set(&self) -> Vec<SnapshotOnSet> {
        let Some(set) = self.sets.first() else { return Vec::new() };
        let on_set = |found: crate::set_contents::SetSnapshot| SnapshotOnSet {
            set: set.set(),
            store: found.store,
            path: found.path,
        };
        set.snapshots().into_iter().map(on_set).collect()
    }
}

fn phrase(places: impl Iterator<Item = String>) -> String {
    let places: Vec<String> = places.collect();
    match places.is_empty() {
        true => "no other media has it".into(),
        false => format!("also on {}", places.join(", ")),
    }
}
