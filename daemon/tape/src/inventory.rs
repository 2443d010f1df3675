//! The inventory: which media exist, where they are, what set each belongs to (`tape-state.md` §3).
//!
//! [`Inventory`] is the pure model with all facts that follow from it; it never touches a file.
//! [`InventoryFile`] keeps it in `inventory.json`. Each change there is one round of lock, reload,
//! modify, write whole and sync, so that two processes never undo each other's work. A file that
//! cannot be parsed is an error everywhere and is never written over: it may be all that tells which
//! tapes make up somebody's backup. For the same reason members of the JSON that this version does not
//! know are carried through every rewrite.

mod entry;
mod file;
mod sets;

use std::collections::BTreeMap;

use reel_types::{LabelText, MediaId, MediaLocation, MediaStatus, PoolName};
use serde_json::Value;

use crate::json;
use crate::label::MediaLabels;
use crate::{Error, Result};

pub use entry::InventoryEntry;
pub use file::InventoryFile;
pub use sets::SetMembers;

/// All media, ordered by UUID.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inventory {
    media: BTreeMap<MediaId, InventoryEntry>,
}

impl Inventory {
    /// An inventory without media.
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses `inventory.json`; no bytes at all are an empty inventory.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        if bytes.trim_ascii().is_empty() {
            return Ok(Self::new());
        }
        let elements: Vec<Value> = json::parse(bytes, "media inventory")?;
        let mut media = BTreeMap::new();
        for element in elements {
            let entry = InventoryEntry::from_value(element)?;
            let uuid = entry.uuid();
            if media.insert(uuid, entry).is_some() {
                let reason = format!("medium {uuid} is there twice");
                return Err(Error::format("media inventory", reason));
            }
        }
        Ok(Self { media })
    }

    /// The bytes of `inventory.json`.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let elements: Vec<Value> =
            self.media.values().map(InventoryEntry::to_value).collect::<Result<_>>()?;
        json::to_sorted(&elements, "media inventory")
    }

    /// All media in the order of their UUIDs.
    pub fn iter(&self) -> impl Iterator<Item = &InventoryEntry> {
        self.media.values()
    }

    /// How many media there are.
    pub fn len(&self) -> usize {
        self.media.len()
    }

    /// Whether there are no media.
    pub fn is_empty(&self) -> bool {
        self.media.is_empty()
    }

    /// The medium with this identity.
    pub fn get(&self, medium: MediaId) -> Option<&InventoryEntry> {
        self.media.get(&medium)
    }

    /// The medium with this identity, or an error that names it.
    pub fn require(&self, medium: MediaId) -> Result<&InventoryEntry> {
        self.get(medium).ok_or_else(|| Error::NoSuchMedium { medium: medium.to_string() })
    }

    /// Adds a medium or replaces its labels.
    ///
    /// Location and bytes used stay; the status stays unless `clear_status`. A stored reservation for
    /// a pool survives labels that have no set label.
    pub fn store(&mut self, labels: MediaLabels, clear_status: bool) {
        let uuid = labels.label.uuid;
        match self.media.get_mut(&uuid) {
            Some(entry) => entry.replace_labels(labels, clear_status),
            None => {
                self.media.insert(uuid, InventoryEntry::new(labels));
            }
        }
    }

    /// Forgets a medium; its catalog is the caller's to remove.
    pub fn remove(&mut self, medium: MediaId) -> Option<InventoryEntry> {
        self.media.remove(&medium)
    }

    /// Sets or clears the stored status; only `full`, `damaged` and `retired` are ever stored.
    pub fn set_status(&mut self, medium: MediaId, status: Option<MediaStatus>) -> Result<()> {
        if let Some(status @ (MediaStatus::Writable | MediaStatus::Unknown)) = status {
            return Err(Error::StatusNotAllowed(status));
        }
        self.require_mut(medium)?.status = status;
        Ok(())
    }

    /// Says where a medium is.
    pub fn set_location(&mut self, medium: MediaId, location: MediaLocation) -> Result<()> {
        self.require_mut(medium)?.location = Some(location);
        Ok(())
    }

    /// Says how many native bytes a drive counted on a medium.
    pub fn set_bytes_used(&mut self, medium: MediaId, bytes_used: Option<u64>) -> Result<()> {
        self.require_mut(medium)?.bytes_used = bytes_used;
        Ok(())
    }

    fn require_mut(&mut self, medium: MediaId) -> Result<&mut InventoryEntry> {
        self.media
            .get_mut(&medium)
            .ok_or_else(|| Error::NoSuchMedium { medium: medium.to_string() })
    }

    /// The media of a pool.
    pub fn media_in_pool(&self, pool: &PoolName) -> impl Iterator<Item = &InventoryEntry> {
        self.iter().filter(move |entry| entry.pool() == Some(pool))
    }

    /// The media that belong to no pool.
    pub fn unassigned_media(&self) -> impl Iterator<Item = &InventoryEntry> {
        self.iter().filter(|entry| entry.pool().is_none())
    }

    /// The medium with this label text; an error where several carry it.
    pub fn find_by_label_text(&self, label_text: &LabelText) -> Result<Option<&InventoryEntry>> {
        let mut found = self.iter().filter(|entry| entry.labels.label.label_text == *label_text);
        let first = found.next();
        match found.count() {
            0 => Ok(first),
            more => {
                Err(Error::DuplicateLabelText { count: more + 1, label_text: label_text.clone() })
            }
        }
    }
}

#[cfg(test)]
mod tests;
