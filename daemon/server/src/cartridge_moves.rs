//! Moving a cartridge by hand, from one element of a changer to another: exactly one move of the robot.

use std::time::Duration;

use reel_hw::number::{DriveNumber, SlotNumber};
use reel_hw::{Changer, ChangerStatus, ElementContent};
use reel_tape::Loaded;
use reel_types::{Cancel, ChangerName};

use crate::drives::loaded;
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

/// Where a cartridge lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    /// A drive.
    Drive(DriveNumber),
    /// A slot, import/export slots included.
    Slot(SlotNumber),
}

impl Element {
    /// What the element holds.
    pub(crate) fn content(self, status: &ChangerStatus) -> Outcome<&ElementContent> {
        Ok(match self {
            Self::Drive(number) => &status.drive(number)?.content,
            Self::Slot(number) => &status.slot(number)?.content,
        })
    }
}

impl Reeld {
    /// Moves the cartridge that lies at `from` and passes `is_it`. A drive that takes part shows `activity` meanwhile.
    ///
    /// # Errors
    /// ENOENT where it lies there no more, EEXIST where something lies at its goal, EBUSY for a drive in use, EXDEV for
    /// what takes more than one move.
    pub(crate) fn move_cartridge(
        &self,
        changer: &ChangerName,
        from: Element,
        to: Element,
        activity: &str,
        is_it: impl Fn(&ElementContent) -> bool,
    ) -> Outcome<()> {
        let mut library = self.drives.library(changer)?;
        let status = library.status()?;
        let cartridge = from.content(&status)?;
        if !is_it(cartridge) {
            let text = format!("{cartridge} lies there, as the changer says just now; look again");
            return Err(Failure::not_found(text));
        }
        let there = to.content(&status)?;
        if !there.is_empty() {
            let text = format!("{there} lies where {cartridge} is to go; move that away first");
            return Err(Failure::new(nix::libc::EEXIST, text));
        }
        match (from, to) {
            (Element::Slot(from), Element::Slot(to)) => library.transfer(from, to)?,
            (Element::Slot(from), Element::Drive(drive)) => {
                let loaded = loaded(cartridge);
                let load = |library: &mut dyn Changer| library.load_slot(from, drive);
                self.with_drive(changer, drive, activity, loaded, load)?;
            }
            (Element::Drive(drive), Element::Slot(to)) => {
                let unload = |library: &mut dyn Changer| library.unload(drive, Some(to)).map(drop);
                self.with_drive(changer, drive, activity, Loaded::Nothing, unload)?;
            }
            (Element::Drive(_), Element::Drive(_)) => {
                let text = "from drive to drive takes two moves; move it to a slot first";
                return Err(Failure::new(nix::libc::EXDEV, text));
            }
        }
        self.tape.commit_points.reached("export: moved");
        self.note_seen(changer, &*library.known_status()?)
    }

    /// Moves something into or out of a drive while it is held, if it is one of ours; `loaded` is in it then.
    fn with_drive(
        &self,
        changer: &ChangerName,
        number: DriveNumber,
        activity: &str,
        loaded: Loaded,
        work: impl FnOnce(&mut dyn Changer) -> reel_hw::Result<()>,
    ) -> Outcome<()> {
        let Some(desk) = self.drives.desk_at(changer, number)? else {
            return Ok(work(&mut *self.drives.library(changer)?)?);
        };
        let mut hold = desk.hold(activity, Duration::ZERO, &Cancel::new())?;
        let name = desk.name().clone();
        hold.note_health();
        hold.set_loaded(Loaded::Unknown);
        let library = hold.changer().ok_or(reel_tape::Error::NoChanger { drive: name })?;
        work(library)?;
        hold.set_loaded(loaded);
        Ok(())
    }
}
