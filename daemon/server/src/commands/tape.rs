//! What is done with the medium in a drive (`cli-tape.md` §3).

use std::sync::Arc;

use reel_hw::number::SlotNumber;
use reel_tape::label::MediaLabels;
use reel_tape::medium::{load_by_label, unload_medium};
use reel_tape::ops::{
    InventoryUpdate, format_medium, label_medium, read_and_store_labels, update_inventory,
};
use reel_tape::{DriveDesk, DriveHold, DriveState, Loaded};
use reel_types::commands::results::{InventoryEntry, LabelInfo};
use reel_types::commands::{
    Eject, Format, Inventory, Label, LoadMedia, LoadMediaFromSlot, ReadLabel, Rewind, SlotParam,
    Unload,
};
use reel_types::{AuthId, Cancel, DriveName, LabelText, TaskContext};

use super::Done;
use super::drive::DRIVE_WAIT;
use crate::drives::loaded;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;
use crate::tasks::{Task, TaskFailure};

impl Reeld {
    /// Starts `work` as a task that holds a drive; a drive that stays busy for 10 s fails the command and makes no
    /// task.
    pub(super) fn drive_task<W>(
        &self,
        desk: &Arc<DriveDesk>,
        kind: &str,
        id: &str,
        who: &AuthId,
        work: W,
    ) -> Outcome<Done>
    where
        W: FnOnce(&mut DriveHold, &Task) -> Result<(), TaskFailure> + Send + 'static,
    {
        let hold = desk.hold(&format!("{kind} {id}"), DRIVE_WAIT, &Cancel::new())?;
        let started = self.tasks.start(kind, id, who, move |task| {
            let mut hold = hold;
            hold.note_holder(task.upid().as_str());
            let done = work(&mut hold, task);
            hold.finish(task);
            done
        });
        Ok(Done::Task(started?))
    }

    pub(super) fn format(self: &Arc<Self>, command: &Format, who: &AuthId) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let (tape, label, fast) =
            (Arc::clone(&self.tape), command.label_text.clone(), command.fast);
        self.drive_task(&desk, "format-media", desk.name().as_str(), who, move |hold, task| {
            Ok(format_medium(&tape, hold, label.as_ref(), fast, task)?)
        })
    }

    pub(super) fn rewind(&self, command: &Rewind, who: &AuthId) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        self.drive_task(&desk, "rewind-media", desk.name().as_str(), who, |hold, _task| {
            hold.set_state(DriveState::Rewinding);
            Ok(hold.drive().rewind()?)
        })
    }

    pub(super) fn eject(&self, command: &Eject, who: &AuthId) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        self.drive_task(&desk, "eject-media", desk.name().as_str(), who, |hold, task| {
            Ok(unload_medium(hold, task)?)
        })
    }

    pub(super) fn label(self: &Arc<Self>, command: &Label, who: &AuthId) -> Outcome<Done> {
        if let Some(pool) = &command.pool {
            self.pool_rules(pool)?;
        }
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let (reeld, command) = (Arc::clone(self), command.clone());
        self.drive_task(&desk, "label-media", desk.name().as_str(), who, move |hold, task| {
            let Label { label_text, pool, .. } = &command;
            load_blank_for(hold, label_text, task)?;
            label_medium(&reeld.tape, hold, label_text, pool.as_ref(), task)?;
            Ok(reeld.refresh_online_status()?)
        })
    }

    pub(super) fn read_label(&self, command: &ReadLabel) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let mut hold = desk.hold("reading label", DRIVE_WAIT, &Cancel::new())?;
        let labels = read_and_store_labels(&self.tape, &mut hold, command.inventorize)?;
        Done::data(label_info(&labels))
    }

    pub(super) fn inventory(self: &Arc<Self>, command: &Inventory, who: &AuthId) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let Inventory { read_labels, read_all_labels, catalog, .. } = *command;
        if !(read_labels || read_all_labels || catalog) {
            return self.inventory_list(desk.name());
        }
        let options = InventoryUpdate { all: read_all_labels, catalog };
        let reeld = Arc::clone(self);
        let id = desk.name().to_string();
        self.drive_task(&desk, "inventory-update", &id, who, move |hold, task| {
            update_inventory(&reeld.tape, hold, options, task)?;
            Ok(reeld.refresh_online_status()?)
        })
    }

    fn inventory_list(&self, drive: &DriveName) -> Outcome<Done> {
        let mut labels = self.drives.online_labels()?;
        self.note_online(&labels)?;
        let library = self.drives.config(drive)?.library_name();
        let library = library.and_then(|library| labels.remove(&library));
        let labels = library.ok_or_else(|| {
            Failure::invalid(format!("drive '{drive}' has no associated changer device"))
        })?;
        let labels = labels.ok_or_else(|| {
            let text = format!("the changer of drive '{drive}' can't be asked; see the log");
            Failure::new(nix::libc::EIO, text)
        })?;
        let inventory = self.tape.inventory.load()?;
        let entry = |label_text: LabelText| InventoryEntry {
            uuid: inventory.find_by_label_text(&label_text).ok().flatten().map(|e| e.uuid()),
            label_text,
        };
        Done::data(labels.into_iter().map(entry).collect::<Vec<_>>())
    }

    pub(super) fn load_media(&self, command: &LoadMedia, who: &AuthId) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let label_text = command.label_text.clone();
        let id = format!("{}:{label_text}", desk.name());
        let is_known = self.is_known(&label_text)?;
        self.drive_task(&desk, "load-media", &id, who, move |hold, task| {
            task.log(&format!("loading media '{label_text}' into drive '{}'", hold.name()));
            if !is_known {
                make_where_media_are_files(hold, &label_text, task)?;
            }
            load_by_label(hold, &label_text)?;
            hold.set_loaded(Loaded::Medium(label_text));
            Ok(())
        })
    }

    /// Whether the inventory has media of that label. A blank one in their place would pass for them.
    fn is_known(&self, label_text: &LabelText) -> Outcome<bool> {
        let inventory = self.tape.inventory.load()?;
        Ok(!matches!(inventory.find_by_label_text(label_text), Ok(None)))
    }

    pub(super) fn load_media_from_slot(&self, command: &LoadMediaFromSlot) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let what = format!("load from slot {}", command.source_slot.get());
        let mut hold = desk.hold(&what, DRIVE_WAIT, &Cancel::new())?;
        let name = desk.name().clone();
        let slot = slot_number(&command.source_slot)?;
        let number = hold.drive_number();
        hold.set_loaded(Loaded::Unknown);
        let changer = hold.changer().ok_or(reel_tape::Error::NoChanger { drive: name })?;
        changer.load_slot(slot, number)?;
        let loaded = loaded(&changer.known_status()?.drive(number)?.content);
        hold.set_loaded(loaded);
        Done::nothing()
    }

    pub(super) fn unload(&self, command: &Unload, who: &AuthId) -> Outcome<Done> {
        let desk = self.drives.chosen(command.drive.as_ref())?;
        let slot = command.target_slot.as_ref().map(slot_number).transpose()?;
        self.drive_task(&desk, "unload-media", desk.name().as_str(), who, move |hold, task| {
            task.log(&format!("unloading media from drive '{}'", hold.name()));
            let name = hold.name().clone();
            let number = hold.drive_number();
            hold.note_health();
            let changer = hold.changer().ok_or(reel_tape::Error::NoChanger { drive: name })?;
            changer.unload(number, slot)?;
            hold.set_loaded(Loaded::Nothing);
            Ok(())
        })
    }
}

pub(super) fn slot_number(slot: &SlotParam) -> Outcome<SlotNumber> {
    u32::try_from(slot.get())
        .ok()
        .and_then(SlotNumber::new)
        .ok_or_else(|| Failure::invalid(format!("there is no slot {}", slot.get())))
}

/// Brings a blank medium for `label_text` into an empty drive where media are only files. Elsewhere the operator has
/// put the right one there.
fn load_blank_for(
    hold: &mut DriveHold,
    label_text: &LabelText,
    task: &dyn TaskContext,
) -> Result<(), TaskFailure> {
    if hold.drive().medium_loaded()? {
        return Ok(());
    }
    if make_where_media_are_files(hold, label_text, task)? {
        load_by_label(hold, label_text)?;
    }
    Ok(())
}

/// Where media are only files, makes a blank one of that name unless there is one, as PBS does. Whether this is such a
/// library.
fn make_where_media_are_files(
    hold: &mut DriveHold,
    label_text: &LabelText,
    task: &dyn TaskContext,
) -> Result<bool, TaskFailure> {
    let tag = reel_tape::medium::data_tag(label_text)?;
    let Some(changer) = hold.changer() else { return Ok(false) };
    let status = changer.status()?;
    if status.slot_of(&tag).is_some() || status.drive_of(&tag).is_some() {
        return Ok(true);
    }
    match changer.create_media(&tag) {
        Err(reel_hw::Error::Unsupported { .. }) => return Ok(false),
        made => made?,
    }
    task.log(&format!("made the blank medium '{label_text}'"));
    Ok(true)
}

fn label_info(labels: &MediaLabels) -> LabelInfo {
    let set = labels.media_set_label.as_ref();
    LabelInfo {
        ctime: labels.label.ctime,
        encryption_key_fingerprint: set.and_then(|set| set.encryption_key_fingerprint),
        label_text: labels.label.label_text.clone(),
        media_set_ctime: set.map(|set| set.ctime),
        media_set_uuid: set.map(|set| set.uuid),
        pool: labels.pool().cloned(),
        seq_nr: set.map(|set| set.seq_nr),
        uuid: labels.label.uuid,
    }
}
