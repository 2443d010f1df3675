//! `media/`: each medium by its label, from the inventory alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use reel_fs::{Entry, FnDir, FsError, KeyValues, Node, StaticDir};
use reel_hw::VolumeTag;
use reel_tape::media_list::ContentFilter;
use reel_tape::{Inventory, InventoryEntry};
use reel_types::commands::Place;
use reel_types::{LabelText, MediaId, MediaSetId, PoolName};

use super::Tree;
use super::facts::{as_text, fact, fs_error, key_values, no_such, plain, rows, utc};
use super::health::health;
use crate::commands::media_verify::state_word;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

/// Digits of the uuid behind a label that several media carry.
const UUID_DIGITS: usize = 8;

/// The inventory with the names that media have in the tree.
pub(crate) struct MediaNames {
    inventory: Inventory,
    by_name: BTreeMap<String, MediaId>,
}

impl MediaNames {
    /// The names of what an inventory holds.
    pub(crate) fn new(inventory: Inventory) -> Self {
        let mut carriers: HashMap<&LabelText, usize> = HashMap::new();
        for entry in inventory.iter() {
            *carriers.entry(&entry.labels.label.label_text).or_default() += 1;
        }
        let name = |entry: &InventoryEntry| {
            let label = &entry.labels.label.label_text;
            match carriers.get(label) {
                Some(2..) => {
                    let uuid = entry.uuid().to_string();
                    format!("{label}~{}", uuid.get(..UUID_DIGITS).unwrap_or(&uuid))
                }
                _ => label.to_string(),
            }
        };
        let by_name = inventory.iter().map(|entry| (name(entry), entry.uuid())).collect();
        Self { inventory, by_name }
    }

    /// All media.
    pub(crate) fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The medium of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&InventoryEntry> {
        self.inventory.get(*self.by_name.get(name)?)
    }

    /// All media with their names, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &InventoryEntry)> {
        self.by_name
            .iter()
            .filter_map(|(name, medium)| Some((name.as_str(), self.inventory.get(*medium)?)))
    }

    /// The sets that have a medium in a pool.
    pub(super) fn sets_of(&self, pool: &PoolName) -> BTreeSet<MediaSetId> {
        let media = self.inventory.media_in_pool(pool);
        media.filter_map(|entry| entry.assigned_set().map(|label| label.uuid)).collect()
    }
}

impl Tree {
    /// The inventory as its file is now.
    pub(super) fn media_names(&self) -> Outcome<Arc<MediaNames>> {
        self.reeld.media_names()
    }
}

/// The folder of all media.
pub(super) fn media(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let media = all.media_names().map_err(fs_error)?;
        Ok(media.iter().map(|(name, _)| Entry::directory(name)).collect())
    };
    let lookup = move |name: &std::ffi::OsStr| {
        let media = one.media_names().map_err(fs_error)?;
        let entry = media.get(as_text(name)?).ok_or_else(|| no_such(name))?;
        Ok(medium(&one, entry))
    };
    let refusal = "'label LABEL' in media/ctl makes a new one, 'destroy LABEL' in a medium's own ctl forgets it";
    FnDir::new(entries, lookup).beside(tree.controlled(Place::Media, refusal)).node()
}

/// The folder of the cartridge with that label; one that nobody has inventoried is an empty folder.
pub(super) fn by_label(tree: &Arc<Tree>, label: &str) -> Result<Node, FsError> {
    let media = tree.media_names().map_err(fs_error)?;
    if let Some(entry) = media.get(label) {
        return Ok(medium(tree, entry));
    }
    Ok(match VolumeTag::new(label).filter(VolumeTag::is_cleaning) {
        Some(tag) => cleaner(tree, tag),
        None => StaticDir::new().node(),
    })
}

fn cleaner(tree: &Arc<Tree>, tag: VolumeTag) -> Node {
    let of = move |reeld: &Reeld| reeld.cleaner_health(&tag, false);
    plain("a cleaning cartridge holds nothing").with_all(health(tree, of)).node()
}

fn medium(tree: &Arc<Tree>, entry: &InventoryEntry) -> Node {
    let (uuid, label) = (entry.uuid(), entry.labels.label.label_text.clone());
    let one = |value: fn(&InventoryEntry) -> Option<String>| {
        let tree = Arc::clone(tree);
        fact(move || Ok(value(tree.media_names()?.inventory().require(uuid)?)))
    };
    let (status_of, content_of) = (Arc::clone(&tree.reeld), Arc::clone(&tree.reeld));
    let refusal =
        format!("'format {label}' in the medium's ctl erases it, 'destroy {label}' forgets it");
    tree.controlled(Place::Medium(label, uuid), refusal)
        .with_all(key_values("status", move || status(&status_of, uuid)))
        .with_all(health(tree, move |reeld| reeld.medium_health(uuid, false)))
        .with("location", one(|entry| Some(entry.location().to_string())))
        .with("pool", one(|entry| entry.pool().map(ToString::to_string)))
        .with("set", one(|entry| entry.assigned_set().map(|set| set.uuid.to_string())))
        .with("seq", one(|entry| entry.assigned_set().map(|set| set.seq_nr.to_string())))
        .with("uuid", one(|entry| Some(entry.uuid().to_string())))
        .with_all(rows(
            "content",
            move || {
                content_of.content_rows(&ContentFilter { medium: Some(uuid), ..Default::default() })
            },
            |row| format!("{}:{}", row.store, row.snapshot),
        ))
        .node()
}

fn status(reeld: &Reeld, medium: MediaId) -> Outcome<KeyValues> {
    let pool = reeld.tape.inventory.load()?.require(medium)?.pool().cloned();
    let rows = reeld.media_rows(pool.as_ref())?;
    let row = rows.into_iter().find(|row| row.uuid == medium);
    let row = row.ok_or_else(|| Failure::not_found(format!("no such medium '{medium}'")))?;
    let verified = reeld.verification_of(medium)?;
    Ok(KeyValues::new()
        .with("label-text", row.label_text.as_str())
        .with("status", row.status.as_str())
        .with("expired", row.expired)
        .with("location", row.location.to_string())
        .with("pool", row.pool.map(|pool| pool.to_string()))
        .with("media-set-uuid", row.media_set_uuid.map(|set| set.to_string()))
        .with("media-set-name", row.media_set_name)
        .with("media-set-ctime", row.media_set_ctime.map(utc))
        .with("seq-nr", row.seq_nr)
        .with("catalog", row.catalog)
        .with("bytes-used", row.bytes_used)
        .with("verify-state", state_word(verified.as_ref()))
        .with("verified", verified.map(|record| utc(record.time)))
        .with("ctime", utc(row.ctime))
        .with("uuid", row.uuid.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(media: &[(&str, u128)]) -> Inventory {
        let elements: Vec<_> = media
            .iter()
            .map(|(label, uuid)| {
                let uuid = uuid::Uuid::from_u128(*uuid).to_string();
                serde_json::json!({"id": {"label": {"ctime": 1, "label_text": label, "uuid": uuid}}})
            })
            .collect();
        Inventory::from_json(&serde_json::to_vec(&elements).unwrap()).unwrap()
    }

    #[test]
    fn media_with_one_label_get_a_piece_of_their_uuid() {
        let names = MediaNames::new(inventory(&[
            ("A00001L8", 0x1111_1111 << 96),
            ("A00001L8", 0x2222_2222 << 96),
            ("A00002L8", 3),
        ]));
        let shown: Vec<&str> = names.iter().map(|(name, _)| name).collect();
        assert_eq!(shown, ["A00001L8~11111111", "A00001L8~22222222", "A00002L8"]);
        assert!(names.get("A00001L8").is_none());
        assert_eq!(names.get("A00001L8~22222222").unwrap().uuid().0.as_u128(), 0x2222_2222 << 96);
    }
}
