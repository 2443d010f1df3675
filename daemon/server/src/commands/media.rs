//! Media and media sets in listings (`cli-tape.md` §8).

use std::collections::BTreeMap;

use reel_tape::media_catalog::{CatalogExpectation, snapshots_on_medium};
use reel_tape::media_list::{ContentFilter, MediaListing};
use reel_tape::ops::{MediumName, destroy_medium};
use reel_tape::{Inventory, PoolRules};
use reel_types::commands::results::{MediaContentEntry, MediaListEntry, MediaSetListEntry};
use reel_types::commands::{MediaContent, MediaDestroy, MediaList, MediaSetList};
use reel_types::{MediaSetId, PoolName};

use super::Done;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

impl Reeld {
    pub(super) fn media_list(&self, command: &MediaList) -> Outcome<Done> {
        if command.update_status {
            self.refresh_online_status()?;
        }
        Done::data(self.media_rows(command.pool.as_ref())?)
    }

    /// The rows of `media list`.
    pub(crate) fn media_rows(&self, pool: Option<&PoolName>) -> Outcome<Vec<MediaListEntry>> {
        let catalogs = self.tape.state.media_with_catalog()?.into_iter().collect();
        self.with_listing(|listing| Ok(listing.list(pool, &catalogs, self.clock.now())))
    }

    pub(super) fn media_content(&self, command: &MediaContent) -> Outcome<Done> {
        let filter = ContentFilter {
            pool: command.pool.clone(),
            label_text: command.label_text.clone(),
            medium: command.media,
            media_set: command.media_set,
            backup_type: command.backup_type,
            backup_id: command.backup_id.clone(),
        };
        Done::data(self.content_rows(&filter)?)
    }

    /// The rows of `media content`; media without a catalog, which `media list` tells, have none.
    ///
    /// # Errors
    /// A catalog that can't be read: a list that lacks a medium's snapshots must not look like all of it.
    pub(crate) fn content_rows(&self, filter: &ContentFilter) -> Outcome<Vec<MediaContentEntry>> {
        let content = self.with_listing(|listing| {
            Ok(listing.content(filter, |entry| {
                let set_label = entry.labels.media_set_label.as_ref();
                let expected = CatalogExpectation::of(entry.uuid(), set_label);
                snapshots_on_medium(&self.tape.state, entry.uuid(), expected)
            }))
        })?;
        let damaged =
            content.unreadable.into_iter().find(|(_, error)| error.errno() != nix::libc::ENOENT);
        match damaged {
            Some((label_text, error)) => {
                let text = format!("list the content of media '{label_text}': {error}");
                Err(Failure::new(error.errno(), text))
            }
            None => Ok(content.rows),
        }
    }

    /// All sets with their names, oldest first.
    pub(crate) fn set_rows(&self, pool: Option<&PoolName>) -> Outcome<Vec<MediaSetListEntry>> {
        let mut sets: BTreeMap<MediaSetId, MediaSetListEntry> = BTreeMap::new();
        for row in self.media_rows(pool)? {
            let MediaListEntry { media_set_uuid, media_set_name, media_set_ctime, pool, .. } = row;
            let (Some(uuid), Some(name), Some(ctime), Some(pool)) =
                (media_set_uuid, media_set_name, media_set_ctime, pool)
            else {
                continue;
            };
            let set = sets.entry(uuid).or_insert(MediaSetListEntry {
                media_set_ctime: ctime,
                media_set_name: name,
                media_set_uuid: uuid,
                pool,
            });
            set.media_set_ctime = set.media_set_ctime.min(ctime);
        }
        let mut sets: Vec<_> = sets.into_values().collect();
        sets.sort_by_key(|set| (set.media_set_ctime, set.media_set_uuid));
        Ok(sets)
    }

    pub(super) fn media_set_list(&self, command: &MediaSetList) -> Outcome<Done> {
        Done::data(self.set_rows(command.pool.as_ref())?)
    }

    pub(super) fn media_destroy(&self, command: &MediaDestroy) -> Outcome<Done> {
        let name = MediumName::of(command.label_text.as_ref(), command.uuid)?;
        destroy_medium(&self.tape, &name, command.force)?;
        Done::nothing()
    }

    fn with_listing<T>(&self, list: impl FnOnce(&MediaListing<'_>) -> Outcome<T>) -> Outcome<T> {
        let inventory: Inventory = self.tape.inventory.load()?;
        let pools: Vec<PoolRules> = self.pools()?.iter().map(PoolRules::from).collect();
        list(&MediaListing { inventory: &inventory, pools: &pools, zone: &self.zone })
    }
}
