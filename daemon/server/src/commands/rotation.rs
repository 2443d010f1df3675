//! Media that come and go: labels by bar code, import/export slots, marks (`cli-tape.md` §3, `tape-state.md` §§5, 12, 13).

use std::sync::Arc;

use reel_tape::Error;
use reel_tape::ops::{MediumName, barcode_label, mark_medium, note_location};
use reel_tape::state_dir::Patience;
use reel_types::commands::{
    BarcodeLabel, BarcodeSheet, ExportMedia, MediaMark, MediaMove, MediaSetExport,
};
use reel_types::{AuthId, ChangerName, LabelText, MediaLocation, MediaSetId, TaskContext};
use serde_json::json;

use super::Done;
use crate::barcode_sheet;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;
use crate::tasks::{Task, TaskFailure};

impl Reeld {
    pub(super) fn barcode_label(
        self: &Arc<Self>,
        command: &BarcodeLabel,
        who: &AuthId,
    ) -> Outcome<Done> {
        if let Some(pool) = &command.pool {
            self.pool_rules(pool)?;
        }
        let desk = self.drives.chosen(command.drive.as_ref())?;
        // A drive without changer is told at once.
        self.changer_of_drive(desk.name())?;
        let (reeld, pool) = (Arc::clone(self), command.pool.clone());
        let id = desk.name().to_string();
        self.drive_task(&desk, "barcode-label-media", &id, who, move |hold, task| {
            let labelled = barcode_label(&reeld.tape, hold, pool.as_ref(), task);
            reeld.refresh_online_status()?;
            Ok(labelled?)
        })
    }

    pub(super) fn export_media(&self, command: &ExportMedia) -> Outcome<Done> {
        let changer = match &command.drive {
            Some(drive) => self.changer_of_drive(drive)?,
            None => self.changer_with(&command.label_text)?,
        };
        self.export_medium(&changer, &command.label_text)?;
        Done::nothing()
    }

    /// The library that has a medium, or the only one there is.
    fn changer_with(&self, label_text: &LabelText) -> Outcome<ChangerName> {
        let inventory = self.tape.inventory.load()?;
        let entry = inventory.find_by_label_text(label_text).ok().flatten();
        match entry.map(|entry| entry.location()) {
            Some(MediaLocation::Online(changer)) => Ok(changer),
            _ => self.chosen_changer(None),
        }
    }

    pub(super) fn media_set_export(
        self: &Arc<Self>,
        command: &MediaSetExport,
        who: &AuthId,
    ) -> Outcome<Done> {
        let set = command.media_set;
        if self.tape.inventory.load()?.set_members(set)?.is_empty() {
            return Err(Error::SetUnknown { set }.into());
        }
        let reeld = Arc::clone(self);
        let started = self.tasks.start("media-set-export", &set.to_string(), who, move |task| {
            reeld.export_set(set, task)
        });
        Ok(Done::Task(started?))
    }

    /// Exports what it can of a set that no job writes, and names the rest.
    fn export_set(&self, set: MediaSetId, task: &Task) -> Result<(), TaskFailure> {
        let _set = self.tape.state.lock_media_set(set, Patience::of_task(task))?;
        self.refresh_online_status()?;
        let inventory = self.tape.inventory.load()?;
        let mut left = Vec::new();
        for (_, medium) in inventory.set_members(set)?.iter() {
            task.check()?;
            let entry = inventory.require(medium)?;
            let label_text = &entry.labels.label.label_text;
            match self.export_entry(entry) {
                Ok(slot) => {
                    task.log(&format!("exported media '{label_text}' to import/export slot {slot}"))
                }
                Err(failure) => {
                    task.warn(&format!("export failed - {failure}"));
                    left.push(label_text.to_string());
                }
            }
        }
        all_or_named(&left, "exported")
    }

    pub(super) fn media_move(&self, command: &MediaMove) -> Outcome<Done> {
        let name = MediumName::of(command.label_text.as_ref(), command.uuid)?;
        let vault = command.vault_name.clone();
        let location = vault.map_or(MediaLocation::Offline, MediaLocation::Vault);
        note_location(&self.tape, &name, &location)?;
        Done::nothing()
    }

    pub(super) fn media_mark(&self, command: &MediaMark) -> Outcome<Done> {
        let name = MediumName::of(command.label_text.as_ref(), command.uuid)?;
        if command.clear == command.status.is_some() {
            return Err(Failure::invalid(
                "give either 'status' (full, damaged or retired) or 'clear', which takes the mark back",
            ));
        }
        mark_medium(&self.tape, &name, command.status)?;
        Done::nothing()
    }

    pub(super) fn barcode_sheet(&self, command: &BarcodeSheet) -> Outcome<Done> {
        let sheet = barcode_sheet::sheet(command).map_err(Failure::invalid)?;
        Done::data(json!({ "sheet": sheet }))
    }
}

/// Fails with the names of those that are left.
pub(super) fn all_or_named(left: &[String], done: &str) -> Result<(), TaskFailure> {
    match left {
        [] => Ok(()),
        left => {
            let text =
                format!("media {} could not be {done}; the task log says why", left.join(", "));
            Err(Error::Unfinished(text).into())
        }
    }
}
