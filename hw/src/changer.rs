//! What a media changer can do, and the rules of loading, unloading and exporting that all changers share
//! (spec tape-state.md §13).
//!
//! A changer implements four moves and `status`; everything that is decided from the status is written once,
//! here, as pure functions on [`ChangerStatus`] and provided methods.

mod queued;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::number::{DriveNumber, ElementAddress, SlotNumber, VolumeTag};
use crate::scsi::Condition;
use crate::scsi::inquiry::Inquiry;

pub use queued::{QueuedChanger, RobotQueue};

/// Characters of a serial number in the identifier of a drive (DVCID) that also tells vendor and model.
const SERIAL_FIELD: usize = 10;

/// How long to wait before a drive that is being cleaned is asked again.
const CLEANING_PAUSE: Duration = Duration::from_secs(10);
/// How often it is asked: cleaning takes two to five minutes, and no drive takes a quarter of an hour.
const CLEANING_POLLS: u32 = 90;

/// What lies in a slot or drive.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ElementContent {
    /// Nothing.
    #[default]
    Empty,
    /// A medium whose bar code could not be read.
    Full,
    /// A medium with this bar code.
    VolumeTag(VolumeTag),
}

impl ElementContent {
    /// The bar code, if there is a medium and it has one.
    pub fn tag(&self) -> Option<&VolumeTag> {
        match self {
            Self::VolumeTag(tag) => Some(tag),
            Self::Empty | Self::Full => None,
        }
    }

    /// Whether nothing lies there.
    pub fn is_empty(&self) -> bool {
        *self == Self::Empty
    }
}

impl fmt::Display for ElementContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("nothing"),
            Self::Full => f.write_str("a medium without a readable bar code"),
            Self::VolumeTag(tag) => write!(f, "'{tag}'"),
        }
    }
}

/// A drive of the changer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveElement {
    /// Which drive.
    pub number: DriveNumber,
    /// What it holds.
    pub content: ElementContent,
    /// The slot its medium came from, if the changer remembers.
    pub loaded_slot: Option<SlotNumber>,
    /// SCSI address.
    pub address: ElementAddress,
    /// Serial number, where the changer tells it.
    pub drive_serial_number: Option<String>,
    /// Vendor, where the changer tells it.
    pub vendor: Option<String>,
    /// Model, where the changer tells it.
    pub model: Option<String>,
}

/// A slot of the changer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotElement {
    /// Which slot.
    pub number: SlotNumber,
    /// Whether an operator reaches it from outside; media in it count as offline.
    pub import_export: bool,
    /// What it holds.
    pub content: ElementContent,
    /// SCSI address.
    pub address: ElementAddress,
}

/// A robot of the changer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportElement {
    /// What it holds: a medium where a move was broken off.
    pub content: ElementContent,
    /// SCSI address.
    pub address: ElementAddress,
}

/// Everything a changer says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChangerStatus {
    /// All drives, ascending.
    pub drives: Vec<DriveElement>,
    /// All slots, ascending: storage first, then import/export.
    pub slots: Vec<SlotElement>,
    /// All robots, ascending; none where media are only files.
    pub transports: Vec<TransportElement>,
}

impl ChangerStatus {
    /// The drive with that number.
    pub fn drive(&self, number: DriveNumber) -> Result<&DriveElement> {
        let found = self.drives.iter().find(|drive| drive.number == number);
        found.ok_or(Error::NoSuchDrive(number))
    }

    /// The slot with that number.
    pub fn slot(&self, number: SlotNumber) -> Result<&SlotElement> {
        let found = self.slots.iter().find(|slot| slot.number == number);
        found.ok_or(Error::NoSuchSlot { number, slots: self.slots.len() })
    }

    /// The slot in which a medium lies.
    pub fn slot_of(&self, tag: &VolumeTag) -> Option<&SlotElement> {
        self.slots.iter().find(|slot| slot.content.tag() == Some(tag))
    }

    /// The drive in which a medium lies.
    pub fn drive_of(&self, tag: &VolumeTag) -> Option<&DriveElement> {
        self.drives.iter().find(|drive| drive.content.tag() == Some(tag))
    }

    /// The drive that says of itself (INQUIRY page 80h) that it has this serial number, where the changer tells whose
    /// drives it has. Padding does not count, and a changer may tell no more than the first ten characters.
    pub fn drive_with_serial(&self, serial: &str) -> Option<DriveNumber> {
        let serial = bare(serial);
        let told = |drive: &DriveElement| drive.drive_serial_number.clone();
        let find = |fits: &dyn Fn(&str) -> bool| {
            let mut found =
                self.drives.iter().filter(|drive| told(drive).is_some_and(|it| fits(bare(&it))));
            found.next().filter(|_| found.next().is_none()).map(|drive| drive.number)
        };
        let is_beginning = |told: &str| told.len() == SERIAL_FIELD && serial.starts_with(told);
        find(&|told| !told.is_empty() && told == serial).or_else(|| find(&is_beginning))
    }

    /// Whether a robot has kept a medium in its hand since a move failed.
    pub fn is_in_hand(&self, tag: &VolumeTag) -> bool {
        self.transports.iter().any(|hand| hand.content.tag() == Some(tag))
    }

    /// Tags of the media that can be loaded or are, also what a robot has to put away first: no import/export slots, no
    /// cleaning cartridges. Sorted.
    pub fn online_media(&self) -> Vec<VolumeTag> {
        let in_drives = self.drives.iter().map(|drive| &drive.content);
        let in_slots = self.slots.iter().filter(|slot| !slot.import_export);
        let in_hands = self.transports.iter().map(|hand| &hand.content);
        let contents = in_drives.chain(in_slots.map(|slot| &slot.content)).chain(in_hands);
        let tags = contents.filter_map(ElementContent::tag);
        let mut online: Vec<_> = tags.filter(|tag| !tag.is_cleaning()).cloned().collect();
        online.sort();
        online.dedup();
        online
    }

    /// Where a drive's medium goes when nobody says: its own slot, else the first free storage slot.
    pub fn unload_target(&self, drive: DriveNumber) -> Result<SlotNumber> {
        let origin = self.drive(drive)?.loaded_slot;
        let free = |slot: &&SlotElement| slot.content.is_empty();
        let home = self.slots.iter().filter(free).find(|slot| Some(slot.number) == origin);
        let mut storage = self.slots.iter().filter(free);
        let target = home.or_else(|| storage.find(|slot| !slot.import_export));
        target.map(|slot| slot.number).ok_or(Error::NoFreeSlot(drive))
    }

    /// The first free import/export slot.
    pub fn export_target(&self) -> Result<SlotNumber> {
        let mut slots = self.slots.iter();
        let free = slots.find(|slot| slot.import_export && slot.content.is_empty());
        free.map(|slot| slot.number).ok_or(Error::NoFreeExportSlot)
    }

    /// The cleaning cartridges in storage slots, by ascending slot.
    pub fn cleaning_cartridges(&self) -> impl Iterator<Item = (SlotNumber, &VolumeTag)> {
        let slots = self.slots.iter().filter(|slot| !slot.import_export);
        let tags = slots.filter_map(|slot| Some((slot.number, slot.content.tag()?)));
        tags.filter(|(_, tag)| tag.is_cleaning())
    }

    /// What lies where once a medium was moved from one element to another.
    pub(crate) fn after_move(mut self, source: ElementAddress, target: ElementAddress) -> Self {
        let from = self.slots.iter().find(|slot| slot.address == source).map(|slot| slot.number);
        let Some(moved) = self.content_at(source).map(std::mem::take) else { return self };
        for drive in self.drives.iter_mut().filter(|drive| drive.address == source) {
            drive.loaded_slot = None;
        }
        for drive in self.drives.iter_mut().filter(|drive| drive.address == target) {
            drive.loaded_slot = from;
        }
        if let Some(content) = self.content_at(target) {
            *content = moved;
        }
        self
    }

    fn content_at(&mut self, address: ElementAddress) -> Option<&mut ElementContent> {
        let drives = self.drives.iter_mut().map(|drive| (drive.address, &mut drive.content));
        let slots = self.slots.iter_mut().map(|slot| (slot.address, &mut slot.content));
        drives.chain(slots).find(|(found, _)| *found == address).map(|(_, content)| content)
    }

    /// The storage slot from which a medium can be loaded into `drive`; `None` if it is there already.
    pub(crate) fn load_source(
        &self,
        tag: &VolumeTag,
        drive: DriveNumber,
    ) -> Result<Option<SlotNumber>> {
        if tag.is_cleaning() {
            return Err(Error::CleaningCartridge(tag.clone()));
        }
        self.drive(drive)?;
        let elsewhere = |place: String| Error::MediumElsewhere { tag: tag.clone(), place };
        match (self.drive_of(tag), self.slot_of(tag)) {
            (Some(holder), _) if holder.number == drive => Ok(None),
            (Some(holder), _) => Err(elsewhere(format!("in drive {}", holder.number))),
            (None, Some(slot)) if slot.import_export => {
                Err(elsewhere(format!("in import/export slot {}", slot.number)))
            }
            (None, Some(slot)) => Ok(Some(slot.number)),
            (None, None) => Err(Error::MediumNotFound(tag.clone())),
        }
    }
}

/// A serial number without padding.
fn bare(serial: &str) -> &str {
    serial.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0')
}

/// One media changer, held by one user.
pub trait Changer: Send {
    /// What lies where, asked now.
    fn status(&mut self) -> Result<ChangerStatus>;

    /// What lies where: as it was seen last, unless somebody may have changed it by hand since. Who asks while the robot
    /// moves is told what was seen before.
    fn known_status(&mut self) -> Result<Arc<ChangerStatus>> {
        self.status().map(Arc::new)
    }

    /// Whether media may lie elsewhere than at the last look: somebody opened a door, put a magazine in. A changer that
    /// does not tell may always.
    fn may_have_changed(&mut self) -> Result<bool> {
        Ok(true)
    }

    /// Moves the medium of a slot into an empty drive.
    fn load_slot(&mut self, slot: SlotNumber, drive: DriveNumber) -> Result<()>;

    /// Moves the medium of a drive into `slot`, or to [`ChangerStatus::unload_target`]. Returns where it went.
    fn unload(&mut self, drive: DriveNumber, slot: Option<SlotNumber>) -> Result<SlotNumber>;

    /// Moves a medium between slots.
    fn transfer(&mut self, from: SlotNumber, to: SlotNumber) -> Result<()>;

    /// Has the changer look at every element anew. Nothing to do where media are only files.
    fn initialize(&mut self) -> Result<()> {
        Ok(())
    }

    /// Who made the changer, and what it is.
    fn identity(&mut self) -> Result<Inquiry> {
        Err(Error::Unsupported { what: "telling what it is", device: "this changer" })
    }

    /// Makes a new blank medium, where media are only files. Elsewhere `Unsupported`.
    fn create_media(&mut self, _tag: &VolumeTag) -> Result<()> {
        Err(Error::Unsupported { what: "creating media", device: "this changer" })
    }

    /// Puts away what a robot has kept in its hand since a move failed. Nothing to do where robots keep nothing.
    fn empty_hand(&mut self) -> Result<()> {
        Ok(())
    }

    /// What lies where before that medium is moved: it is not in a robot's hand any more.
    fn status_to_move(&mut self, tag: &VolumeTag) -> Result<ChangerStatus> {
        let status = self.status()?;
        if !status.is_in_hand(tag) {
            return Ok(status);
        }
        self.empty_hand()?;
        self.status()
    }

    /// Loads the medium with that tag, unloading what is in the drive. Done at once if it is loaded there.
    fn load_media(&mut self, tag: &VolumeTag, drive: DriveNumber) -> Result<()> {
        let status = self.status_to_move(tag)?;
        let Some(slot) = status.load_source(tag, drive)? else {
            return self.make_ready(drive);
        };
        if !status.drive(drive)?.content.is_empty() {
            self.unload(drive, None)?;
        }
        self.load_slot(slot, drive)
    }

    /// Readies the medium that is in `drive` already. Changers that do not know what drives do have nothing to do.
    fn make_ready(&mut self, _drive: DriveNumber) -> Result<()> {
        Ok(())
    }

    /// Moves a medium from `drive` or a storage slot into a free import/export slot. `None` if it is in neither
    /// (in another drive, exported already, or not here).
    fn export(&mut self, tag: &VolumeTag, drive: DriveNumber) -> Result<Option<SlotNumber>> {
        let status = self.status_to_move(tag)?;
        let target = status.export_target()?;
        if status.drive_of(tag).map(|holder| holder.number) == Some(drive) {
            return self.unload(drive, Some(target)).map(Some);
        }
        let stored = status.slot_of(tag).filter(|slot| !slot.import_export);
        let Some(slot) = stored else { return Ok(None) };
        self.transfer(slot.number, target)?;
        Ok(Some(target))
    }

    /// Puts the cleaning cartridge of a storage slot into a drive, and takes it out again when the drive is done. A medium
    /// in the drive is unloaded first.
    ///
    /// # Errors
    /// `NoCleaningCartridge` where nobody names a slot or none lies there.
    fn clean_drive(&mut self, drive: DriveNumber, slot: Option<SlotNumber>) -> Result<()> {
        let status = self.status()?;
        let mut cartridges = status.cleaning_cartridges().map(|(slot, _)| slot);
        let slot = cartridges.find(|one| Some(*one) == slot).ok_or(Error::NoCleaningCartridge)?;
        if !status.drive(drive)?.content.is_empty() {
            self.unload(drive, None)?;
        }
        self.load_slot(slot, drive)?;
        for _ in 0..CLEANING_POLLS {
            match self.unload(drive, Some(slot)) {
                Err(error) if is_busy(&error) => self.pause(CLEANING_PAUSE)?,
                other => return other.map(drop),
            }
        }
        self.unload(drive, Some(slot)).map(drop)
    }

    /// Waits, unless somebody asks to stop.
    fn pause(&mut self, pause: Duration) -> Result<()> {
        std::thread::sleep(pause);
        Ok(())
    }

    /// Tags of all online media, see [`ChangerStatus::online_media`].
    fn online_media(&mut self) -> Result<Vec<VolumeTag>> {
        Ok(self.status()?.online_media())
    }
}

/// Whether a library only has to be asked again: the drive has not done with its cartridge.
fn is_busy(error: &Error) -> bool {
    matches!(
        error.condition(),
        Some(Condition::BecomingReady | Condition::NotUnloaded | Condition::RemovalPrevented)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> VolumeTag {
        VolumeTag::new(text).unwrap()
    }

    fn slot(number: u32, import_export: bool, content: &str) -> SlotElement {
        let content = match content {
            "" => ElementContent::Empty,
            "?" => ElementContent::Full,
            text => ElementContent::VolumeTag(tag(text)),
        };
        SlotElement {
            number: SlotNumber::new(number).unwrap(),
            import_export,
            content,
            address: ElementAddress(number as u16),
        }
    }

    fn drive(number: u32, content: &str, loaded_slot: Option<u32>) -> DriveElement {
        DriveElement {
            number: DriveNumber(number),
            content: slot(1, false, content).content,
            loaded_slot: loaded_slot.and_then(SlotNumber::new),
            address: ElementAddress(256),
            drive_serial_number: None,
            vendor: None,
            model: None,
        }
    }

    fn library() -> ChangerStatus {
        ChangerStatus {
            drives: vec![drive(0, "A3", Some(3)), drive(1, "B1", Some(1))],
            slots: vec![
                slot(1, false, "?"),
                slot(2, false, "A2"),
                slot(3, false, ""),
                slot(4, false, "CLN1"),
                slot(5, true, "X1"),
                slot(6, true, ""),
            ],
            transports: Vec::new(),
        }
    }

    #[test]
    fn online_are_drives_and_storage_slots_without_cleaning_cartridges() {
        assert_eq!(library().online_media(), [tag("A2"), tag("A3"), tag("B1")]);
    }

    #[test]
    fn a_medium_goes_home_or_to_the_first_free_storage_slot() {
        let mut status = library();
        let target = |status: &ChangerStatus, drive| status.unload_target(DriveNumber(drive));
        assert_eq!(target(&status, 0).unwrap().get(), 3);
        assert_eq!(target(&status, 1).unwrap().get(), 3, "slot 1 is taken");
        status.slots[2] = slot(3, false, "?");
        let full = target(&status, 0).unwrap_err();
        assert_eq!(full.to_string(), "drive '0' unload failure - no free slot");
        assert!(matches!(target(&status, 9), Err(Error::NoSuchDrive(_))));
    }

    #[test]
    fn a_move_changes_what_lies_where() {
        let mut status = library();
        for (number, drive) in status.drives.iter_mut().enumerate() {
            drive.address = ElementAddress(256 + number as u16);
        }
        let (home, first) = (ElementAddress(3), ElementAddress(256));
        let out = status.clone().after_move(first, home);
        assert_eq!(out.slots[2].content, ElementContent::VolumeTag(tag("A3")));
        assert_eq!(
            (&out.drives[0].content, out.drives[0].loaded_slot),
            (&ElementContent::Empty, None)
        );
        assert_eq!(out.drives[1], status.drives[1]);
        assert_eq!(out.after_move(home, first), status);
    }

    #[test]
    fn what_can_be_loaded_lies_in_a_storage_slot() {
        let status = library();
        let source = |text: &str| status.load_source(&tag(text), DriveNumber(0));
        assert_eq!(source("A2").unwrap().map(SlotNumber::get), Some(2));
        assert_eq!(source("A3").unwrap(), None);
        let message = |text: &str| source(text).unwrap_err().to_string();
        assert_eq!(message("B1"), "unable to load media 'B1': it is in drive 1");
        assert_eq!(message("X1"), "unable to load media 'X1': it is in import/export slot 5");
        assert_eq!(message("Z9"), "unable to find media 'Z9' (offline?)");
        assert_eq!(message("CLN1"), "'CLN1' is a cleaning cartridge, not a medium");
    }

    #[test]
    fn drives_are_found_by_their_serial_numbers() {
        let mut status = library();
        assert_eq!(status.drive_with_serial("1068000001"), None, "nobody tells");
        let told = ["1068000001", "  HU123\0 "].map(|serial| Some(serial.to_owned()));
        for (drive, serial) in status.drives.iter_mut().zip(told) {
            drive.drive_serial_number = serial;
        }
        let number = |serial| status.drive_with_serial(serial).map(|number| number.0);
        assert_eq!(number("1068000001  "), Some(0));
        assert_eq!(number("HU123"), Some(1));
        assert_eq!(number("1068000001AB"), Some(0), "told are the first ten characters");
        assert_eq!(number("HU1234"), None, "this one is told whole");
        assert_eq!((number(""), number("106800000")), (None, None));
        status.drives[1].drive_serial_number = Some("1068000001".into());
        assert_eq!(status.drive_with_serial("1068000001"), None, "two drives have it");
    }

    #[test]
    fn exports_need_a_free_import_export_slot() {
        let mut status = library();
        assert_eq!(status.export_target().unwrap().get(), 6);
        status.slots.pop();
        assert!(matches!(status.export_target(), Err(Error::NoFreeExportSlot)));
    }
}
