//! Which medium is written next: it is loaded, made a member of the set, and stands at its end.
//!
//! A killed backup may have left anything behind the last commit: a medium that is in the set and has no set label
//! yet, one without the catalogs that it should begin with, one that is used up and not marked so. Each is told by
//! the medium itself or by its catalog, and made good here before anything is written behind it.

use reel_hw::drive::move_to_append_position;
use reel_types::{MediaId, MediaStatus};

use super::{LoadedMedium, PoolWriter, loaded, store_statistics};
use crate::drive_desk::DriveState;
use crate::label::{MediaLabels, MediaSetLabel};
use crate::media_catalog::MediaCatalog;
use crate::ops::store_labels;
use crate::pool::{BusyMedium, WritableMedium};
use crate::{Error, Result, encryption, medium};

impl PoolWriter<'_> {
    /// Makes sure that the medium for the next archive is loaded and stands at its end.
    pub(super) fn load_writable_medium(&mut self) -> Result<()> {
        loop {
            let wanted = self.next_medium()?;
            let uuid = wanted.labels.label.uuid;
            if self.loaded.as_ref().is_some_and(|loaded| loaded.labels.label.uuid == uuid) {
                return Ok(());
            }
            let was_member = self.load(wanted)?;
            if !(was_member && self.is_used_up()?) {
                return self.write_previous_catalogs();
            }
            // Its last archive met the end of the medium, and whoever wrote it did not live to note that. A drive
            // that does not count what is on a medium warns again with the first block.
            self.task.log("media is used up, marking it full");
            self.set_full()?;
        }
    }

    fn next_medium(&mut self) -> Result<WritableMedium> {
        let env = self.env;
        let wanted = self.pool.alloc_writable_media(env.clock.now(), |labels| {
            env.places.forget(labels.label.uuid)?;
            MediaCatalog::overwrite(&env.state, labels)?;
            env.reached("backup: catalog created");
            Ok(())
        });
        for BusyMedium { label_text, media_set } in self.pool.passed_over() {
            self.task.log(&format!(
                "media '{label_text}' is not reused - reason: media set {media_set} is in use"
            ));
        }
        let wanted = wanted?;
        if wanted.is_new() {
            env.reached("backup: inventory stored");
            let label_text = &wanted.labels.label.label_text;
            self.task.log(&format!("allocated new writable media '{label_text}'"));
            self.task.log(&format!("media '{label_text}' was chosen - reason: {}", wanted.choice));
        }
        Ok(wanted)
    }

    /// Loads the medium and goes to its end; whether it carried its set label already.
    fn load(&mut self, wanted: WritableMedium) -> Result<bool> {
        self.put_away()?;
        let label = &wanted.labels.label;
        let found = medium::load_medium(self.hold, &label.label_text, label.uuid, self.task)?;
        self.check_alerts(label.uuid, &wanted)?;
        self.check_writable(&wanted)?;
        let was_member = found.assigned_set().is_some_and(|set| set.uuid == wanted.set_label.uuid);
        if was_member {
            check_same_set(&found, &wanted)?;
        } else {
            self.must_be_free(&found)?;
            self.must_hold_nothing(&wanted)?;
            if self.key.is_some() {
                // A drive that doesn't take the key fails while nothing is written.
                self.set_drive_key(&wanted.set_label)?;
            }
            self.write_set_label(&found, &wanted)?;
        }
        self.set_drive_key(&wanted.set_label)?;
        self.start_medium(wanted)?;
        Ok(was_member)
    }

    /// Puts the medium that was written away, if there was one.
    fn put_away(&mut self) -> Result<()> {
        let Some(old) = self.loaded.take() else {
            return Ok(());
        };
        store_statistics(&mut self.pool, self.hold, old.labels.label.uuid)?;
        self.task.log("eject current media");
        medium::unload_medium(self.hold, self.task)
    }

    fn check_alerts(&mut self, uuid: MediaId, wanted: &WritableMedium) -> Result<()> {
        let alerts = self.hold.drive().tape_alerts().map_err(|source| self.hold.failed(source))?;
        if !alerts.is_critical() {
            return Ok(());
        }
        self.env.inventory.update(crate::state_dir::LOCK_WAIT, |inventory| {
            inventory.set_status(uuid, Some(MediaStatus::Damaged))
        })?;
        let flags: Vec<String> = alerts.flags().map(|flag| format!("{flag:#04x}")).collect();
        Err(Error::InvalidInput(format!(
            "aborting: drive '{}' raised critical alerts ({}) with media '{}', which is marked damaged now",
            self.hold.name(),
            flags.join(", "),
            wanted.labels.label.label_text
        )))
    }

    fn check_writable(&mut self, wanted: &WritableMedium) -> Result<()> {
        let protected = self.hold.drive().write_protected();
        if protected.map_err(|source| self.hold.failed(source))? {
            return Err(Error::WriteProtected(wanted.labels.label.label_text.clone()));
        }
        Ok(())
    }

    /// A medium may carry another set than the inventory said when it was chosen: an older inventory was put back, or
    /// somebody else wrote to it. What may not be written over yet is noted as what it is, and left alone.
    fn must_be_free(&mut self, found: &MediaLabels) -> Result<()> {
        let Some(set_label) = found.assigned_set() else { return Ok(()) };
        if self.pool.may_overwrite(found, self.env.clock.now())? {
            return Ok(());
        }
        store_labels(self.env, found)?;
        Err(Error::InvalidInput(format!(
            "media '{}' carries media set {} of pool '{}', which may not be written over yet. The inventory did not know \
             that, and does now: look at the other media, too ('inventory --read-all-labels true --catalog true')",
            found.label.label_text, set_label.uuid, set_label.pool
        )))
    }

    /// A set label makes everything behind it void: where the catalog names archives of this very set, the label was
    /// lost after them.
    fn must_hold_nothing(&self, wanted: &WritableMedium) -> Result<()> {
        let WritableMedium { labels, set_label, .. } = wanted;
        let uuid = labels.label.uuid;
        let catalog = MediaCatalog::open(&self.env.state, uuid, Some(set_label), |_| Ok(()))?;
        if !catalog.has_archives() {
            return Ok(());
        }
        Err(Error::InvalidInput(format!(
            "media '{}' does not carry the label of media set {}, but its catalog names archives on it; \
             read its labels again ('inventory --read-all-labels') if they may be given up",
            labels.label.label_text, set_label.uuid
        )))
    }

    fn write_set_label(&mut self, found: &MediaLabels, wanted: &WritableMedium) -> Result<()> {
        match found.assigned_set() {
            Some(old) => self.task.log(&format!(
                "writing new media set label (overwrite '{}/{}')",
                old.uuid, old.seq_nr
            )),
            None => self.task.log("writing new media set label"),
        }
        let label = match &self.key {
            Some(key) => &key.on_tape(&wanted.set_label),
            None => &wanted.set_label,
        };
        medium::write_set_label(self.hold, label)?;
        self.env.reached("backup: set label written");
        self.env.places.forget(wanted.labels.label.uuid)?;
        MediaCatalog::overwrite(&self.env.state, &wanted.labels)?;
        Ok(())
    }

    /// What is written from here on is encrypted where, and only where, the set label says so (`tape-format.md` §10).
    fn set_drive_key(&mut self, set_label: &MediaSetLabel) -> Result<()> {
        let key = self.key.as_ref().map(|key| key.of_set(set_label.uuid)).transpose()?;
        if key.is_some() != set_label.encryption_key_fingerprint.is_some() {
            return Err(Error::InvalidInput(
                "the pool's encryption was changed while it was being written; try again".into(),
            ));
        }
        encryption::set_drive_key(self.hold, key.as_ref())
    }

    /// Goes to the end of the medium and opens its catalog.
    fn start_medium(&mut self, wanted: WritableMedium) -> Result<()> {
        let WritableMedium { labels, set_label, .. } = wanted;
        let uuid = labels.label.uuid;
        self.task.log("moving to end of media");
        self.hold.set_state(DriveState::Locating);
        move_to_append_position(self.hold.drive()).map_err(|source| self.hold.failed(source))?;
        self.task.log("arrived at end of media");
        let catalog = MediaCatalog::open(&self.env.state, uuid, Some(&set_label), |_| Ok(()))?;
        let places = self.env.places.learn(uuid, set_label.uuid)?;
        self.used.push(uuid);
        self.loaded =
            Some(LoadedMedium { labels, set_label, catalog, places, bytes_since_commit: 0 });
        Ok(())
    }

    /// A medium begins with the catalogs of all that came before it in the set. Whether they are all there is only
    /// sure of a medium with an archive behind them.
    fn write_previous_catalogs(&mut self) -> Result<()> {
        let loaded_medium = loaded(&mut self.loaded)?;
        if loaded_medium.catalog.has_archives() {
            return Ok(());
        }
        let set_label = loaded_medium.set_label.clone();
        for medium in self.pool.members()? {
            let labels = self.pool.inventory().require(medium)?.labels.clone();
            let seq_nr = labels.media_set_label.as_ref().map(|label| label.seq_nr);
            if seq_nr.is_none_or(|seq_nr| seq_nr >= set_label.seq_nr) {
                continue;
            }
            self.task.log(&format!("write catalog for previous media: {medium}"));
            let written = self.write_catalog_of(&labels)?;
            if !written.complete || written.medium_full {
                return Err(Error::InvalidInput(format!(
                    "the catalogs of the set's earlier media don't fit on media '{}'; use larger media",
                    loaded(&mut self.loaded)?.labels.label.label_text
                )));
            }
        }
        Ok(())
    }
}

/// A medium that is in the set already must be the member that the inventory says.
fn check_same_set(found: &MediaLabels, wanted: &WritableMedium) -> Result<()> {
    let Some(found) = found.assigned_set() else {
        return Ok(());
    };
    let wanted = &wanted.set_label;
    if found.seq_nr != wanted.seq_nr {
        return Err(Error::InvalidInput(format!(
            "got unexpected media sequence number ({} != {}); read the labels of the set's media again",
            found.seq_nr, wanted.seq_nr
        )));
    }
    if found.encryption_key_fingerprint != wanted.encryption_key_fingerprint {
        return Err(Error::InvalidInput(
            "got unexpected encryption key fingerprint; read the labels of the set's media again"
                .into(),
        ));
    }
    Ok(())
}
