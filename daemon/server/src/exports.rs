//! Taking cartridges to the door: from wherever they lie in a library to its import/export slots.

use reel_hw::{ElementContent, SlotNumber};
use reel_tape::inventory::InventoryEntry;
use reel_tape::medium::volume_tag;
use reel_types::{ChangerName, LabelText, MediaLocation};

use crate::cartridge_moves::Element;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

impl Reeld {
    /// Moves a medium of a library to a free import/export slot; one that lies in such a slot stays there. Where it is
    /// then.
    ///
    /// # Errors
    /// ENOMEDIUM where the library does not have it, EBUSY where it is in a drive that is used.
    pub(crate) fn export_medium(
        &self,
        changer: &ChangerName,
        label_text: &LabelText,
    ) -> Outcome<SlotNumber> {
        let tag = volume_tag(label_text)?;
        let status = self.drives.library(changer)?.status_to_move(&tag)?;
        let drive = status.drive_of(&tag).map(|drive| Element::Drive(drive.number));
        let slot = status.slot_of(&tag);
        if let Some(slot) = slot.filter(|slot| slot.import_export) {
            return Ok(slot.number);
        }
        let from = drive.or(slot.map(|slot| Element::Slot(slot.number))).ok_or_else(|| {
            let text = format!("media '{label_text}' is not online (via changer '{changer}')");
            Failure::new(nix::libc::ENOMEDIUM, text)
        })?;
        let target = status.export_target()?;
        let is_it = |content: &ElementContent| content.tag() == Some(&tag);
        let activity = format!("export media {label_text}");
        self.move_cartridge(changer, from, Element::Slot(target), &activity, is_it)?;
        Ok(target)
    }

    /// The same for a medium of the inventory, in the library that has it.
    pub(crate) fn export_entry(&self, entry: &InventoryEntry) -> Outcome<SlotNumber> {
        let label_text = &entry.labels.label.label_text;
        match entry.location() {
            MediaLocation::Online(changer) => self.export_medium(&changer, label_text),
            location => match self.slot_at_a_door(label_text)? {
                Some((_, slot)) => Ok(slot),
                None => {
                    let text = format!("media '{label_text}' is in no library ({location})");
                    Err(Failure::new(nix::libc::ENOMEDIUM, text))
                }
            },
        }
    }

    /// The import/export slot in which a medium lies, where one of the libraries shows it there.
    pub(crate) fn slot_at_a_door(
        &self,
        label_text: &LabelText,
    ) -> Outcome<Option<(ChangerName, SlotNumber)>> {
        let Ok(tag) = volume_tag(label_text) else { return Ok(None) };
        for changer in self.drives.library_names()? {
            // What can't be asked shows nothing.
            let Ok(status) = self.drives.library(&changer)?.known_status() else { continue };
            if let Some(slot) = status.slot_of(&tag).filter(|slot| slot.import_export) {
                return Ok(Some((changer, slot.number)));
            }
        }
        Ok(None)
    }
}
