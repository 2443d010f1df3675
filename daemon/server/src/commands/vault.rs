//! Vaults: what is in them, what is to go there today, what comes back.

use std::sync::Arc;

use reel_config::PoolCare;
use reel_hw::{ChangerStatus, VolumeTag};
use reel_tape::inventory::InventoryEntry;
use reel_tape::medium::volume_tag;
use reel_tape::ops::{MediumName, note_location};
use reel_tape::{Inventory, PoolRules, PoolView, Site};
use reel_types::commands::results::{DueMedium, MediaListEntry, VaultedMedium};
use reel_types::commands::{VaultDue, VaultList, VaultMove};
use reel_types::{
    AuthId, ChangerName, LabelText, MediaLocation, MediaStatus, PoolName, TaskContext, VaultName,
};

use super::Done;
use super::rotation::all_or_named;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;
use crate::tasks::{Task, TaskFailure};

/// What is to be done with a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    TakeOut,
    BringBack,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::TakeOut => "take-out",
            Self::BringBack => "bring-back",
        }
    }
}

impl Reeld {
    pub(super) fn vault_list(&self, command: &VaultList) -> Outcome<Done> {
        let mut media = self.vaulted_media(None)?;
        if let Some(vault) = &command.vault_name {
            media.retain(|row| row.vault == *vault);
        }
        Done::data(media)
    }

    /// What is in vaults, of all pools or of one.
    pub(crate) fn vaulted_media(&self, pool: Option<&PoolName>) -> Outcome<Vec<VaultedMedium>> {
        let inventory = self.tape.inventory.load()?;
        let expiry = |row: &MediaListEntry| self.expires_at(&inventory, row);
        let mut rows = Vec::new();
        for row in self.media_rows(pool)? {
            let MediaLocation::Vault(vault) = row.location.clone() else { continue };
            rows.push(VaultedMedium {
                vault,
                expires: expiry(&row)?,
                label_text: row.label_text,
                uuid: row.uuid,
                pool: row.pool,
                media_set_name: row.media_set_name,
                media_set_uuid: row.media_set_uuid,
                seq_nr: row.seq_nr,
                status: row.status,
                expired: row.expired,
            });
        }
        Ok(rows)
    }

    /// From when on a medium of a listing may be written over.
    fn expires_at(&self, inventory: &Inventory, row: &MediaListEntry) -> Outcome<Option<i64>> {
        let Some(pool) = row.pool.as_ref().filter(|_| row.status == MediaStatus::Full) else {
            return Ok(None);
        };
        let Ok(rules) = self.pool_rules(pool) else { return Ok(None) };
        let (site, now) = (Site::Anywhere, self.clock.now());
        let view = PoolView::of_job_at(&rules, inventory, &site, &self.zone, now)?;
        Ok(inventory.get(row.uuid).and_then(|entry| view.expires_at(entry)))
    }

    pub(super) fn vault_due(&self, command: &VaultDue) -> Outcome<Done> {
        self.refresh_online_status()?;
        Done::data(self.due_media(command.pool.as_ref(), &self.asked_libraries()?)?)
    }

    /// What is due of a pool, by what is known; no library is asked.
    pub(crate) fn known_due_media(&self, pool: &PoolName) -> Outcome<Vec<DueMedium>> {
        let seen = |name: ChangerName| self.drives.seen(&name).map(|status| (name, status));
        let seen = self.drives.library_names()?.into_iter().filter_map(seen);
        self.due_media(Some(pool), &Seen(seen.collect()))
    }

    fn asked_libraries(&self) -> Outcome<Seen> {
        let mut seen = Seen::default();
        for name in self.drives.library_names()? {
            if let Ok(status) = self.drives.library(&name)?.known_status() {
                seen.0.push((name, status));
            }
        }
        Ok(seen)
    }

    /// What is to be taken to vaults now and what is to be brought back, of all pools or of one.
    fn due_media(&self, pool: Option<&PoolName>, seen: &Seen) -> Outcome<Vec<DueMedium>> {
        if let Some(pool) = pool {
            self.pool_rules(pool)?;
        }
        let inventory = self.tape.inventory.load()?;
        let names = self.media_rows(pool)?;
        let mut due = Vec::new();
        for config in self.pools()?.iter().filter(|one| pool.is_none_or(|name| one.name == *name)) {
            let rules = PoolRules::from(config);
            let vault = PoolCare::of(&self.config, &config.name)?.vault;
            let (site, now) = (Site::Anywhere, self.clock.now());
            let view = PoolView::of_job_at(&rules, &inventory, &site, &self.zone, now)?;
            for entry in inventory.media_in_pool(&config.name) {
                let at_door = seen.is_at_a_door(entry);
                let Some(action) = action(&view, entry, at_door, vault.as_ref(), now) else {
                    continue;
                };
                let vault = match (action, entry.location()) {
                    (Action::TakeOut, _) => vault.clone(),
                    (_, MediaLocation::Vault(vault)) => Some(vault),
                    _ => None,
                };
                due.extend(due_row(entry, action, vault, &names, seen));
            }
        }
        Ok(due)
    }

    pub(super) fn vault_move(self: &Arc<Self>, command: &VaultMove, who: &AuthId) -> Outcome<Done> {
        if command.due != command.media.is_empty() {
            return Err(Failure::invalid(
                "name the media to move, or take all that are due with '--due', not both",
            ));
        }
        // A name that is nobody's moves nothing.
        let inventory = self.tape.inventory.load()?;
        for label_text in &command.media {
            MediumName::Label(label_text.clone()).find(&inventory)?;
        }
        let (reeld, command) = (Arc::clone(self), command.clone());
        let id = command.vault_name.to_string();
        let started = self.tasks.start("vault-move", &id, who, move |task| {
            reeld.refresh_online_status()?;
            let media = match command.due {
                true => reeld.due_for(&command.vault_name)?,
                false => command.media.clone(),
            };
            if media.is_empty() {
                task.log(&format!("nothing is due for vault '{}'", command.vault_name));
            }
            reeld.move_to_vault(&command.vault_name, &media, task)
        });
        Ok(Done::Task(started?))
    }

    fn due_for(&self, vault: &VaultName) -> Outcome<Vec<LabelText>> {
        let due = self.due_media(None, &self.asked_libraries()?)?.into_iter();
        let ours = due.filter(|row| {
            row.action == Action::TakeOut.as_str() && row.vault.as_ref() == Some(vault)
        });
        Ok(ours.map(|row| row.label_text).collect())
    }

    /// Takes what it can to the doors, and names the rest.
    fn move_to_vault(
        &self,
        vault: &VaultName,
        media: &[LabelText],
        task: &Task,
    ) -> Result<(), TaskFailure> {
        let mut left = Vec::new();
        for label_text in media {
            task.check()?;
            if let Err(failure) = self.one_to_vault(vault, label_text, task) {
                task.warn(&format!("media '{label_text}' stays where it is - {failure}"));
                left.push(label_text.to_string());
            }
        }
        all_or_named(&left, "moved")
    }

    fn one_to_vault(&self, vault: &VaultName, label_text: &LabelText, task: &Task) -> Outcome<()> {
        let inventory = self.tape.inventory.load()?;
        let name = MediumName::Label(label_text.clone());
        let entry = inventory.require(name.find(&inventory)?)?;
        let slot = match entry.location() {
            MediaLocation::Online(changer) => Some(self.export_medium(&changer, label_text)?),
            _ => self.slot_at_a_door(label_text)?.map(|(_, slot)| slot),
        };
        note_location(&self.tape, &name, &MediaLocation::Vault(vault.clone()))?;
        self.tape.commit_points.reached("export: location stored");
        match slot {
            Some(slot) => task.log(&format!(
                "media '{label_text}' is in import/export slot {slot}; take it to vault '{vault}'"
            )),
            None => task.log(&format!("media '{label_text}' is noted to be in vault '{vault}'")),
        }
        Ok(())
    }
}

/// Full media whose set is written no more, or that are full already, go out; expired ones come back.
fn action(
    view: &PoolView<'_>,
    entry: &InventoryEntry,
    at_door: bool,
    vault: Option<&VaultName>,
    now: i64,
) -> Option<Action> {
    entry.assigned_set()?;
    let is_online = matches!(entry.location(), MediaLocation::Online(_));
    if view.is_expired(entry, now) {
        return (!is_online).then_some(Action::BringBack);
    }
    let is_in_vault = matches!(entry.location(), MediaLocation::Vault(_));
    let is_done = view.status(entry) != MediaStatus::Writable;
    (vault.is_some() && is_done && !is_in_vault && (is_online || at_door))
        .then_some(Action::TakeOut)
}

fn due_row(
    entry: &InventoryEntry,
    action: Action,
    vault: Option<VaultName>,
    names: &[MediaListEntry],
    seen: &Seen,
) -> Option<DueMedium> {
    let set = entry.assigned_set()?;
    let row = names.iter().find(|row| row.uuid == entry.uuid())?;
    Some(DueMedium {
        action: action.as_str().into(),
        vault,
        label_text: row.label_text.clone(),
        uuid: row.uuid,
        pool: set.pool.clone(),
        media_set_name: row.media_set_name.clone()?,
        media_set_uuid: set.uuid,
        seq_nr: set.seq_nr,
        location: entry.location(),
        slot: seen.place_of(entry),
    })
}

/// What lies where in all libraries that can be asked.
#[derive(Default)]
struct Seen(Vec<(ChangerName, Arc<ChangerStatus>)>);

impl Seen {
    fn is_at_a_door(&self, entry: &InventoryEntry) -> bool {
        let Some(tag) = tag_of(entry) else { return false };
        let mut slots = self.0.iter().filter_map(|(_, status)| status.slot_of(&tag));
        slots.any(|slot| slot.import_export)
    }

    /// `slot 3 of sl3`, or where it lies else.
    fn place_of(&self, entry: &InventoryEntry) -> Option<String> {
        let tag = tag_of(entry)?;
        self.0.iter().find_map(|(changer, status)| {
            if let Some(drive) = status.drive_of(&tag) {
                return Some(format!("drive {} of {changer}", drive.number));
            }
            let slot = status.slot_of(&tag)?;
            let kind = if slot.import_export { "import/export slot" } else { "slot" };
            Some(format!("{kind} {} of {changer}", slot.number))
        })
    }
}

fn tag_of(entry: &InventoryEntry) -> Option<VolumeTag> {
    volume_tag(&entry.labels.label.label_text).ok()
}
