//! Labels on a medium in a drive: reading, writing, and loading the medium that is wanted.
//!
//! File 0 says who the medium is, file 1 which set it belongs to (`tape-format.md` §5, §13). Both are always
//! written in the clear, rewriting file 1 gives up everything behind it, and neither counts before the
//! drive has flushed.

use reel_hw::number::{FileNumber, VolumeTag};
use reel_hw::stream::{
    BlockReader, BlockWriter, ContentHeader, ContentMagic, OpenedFile, WrittenFile,
};
use reel_hw::{HostAttribute, TapeDrive};
use reel_types::{LabelText, MediaId, MediaSetId, TaskContext};
use uuid::Uuid;

use crate::archive::ContentKind;
use crate::drive_desk::{DriveHold, DriveState, Loaded};
use crate::encryption;
use crate::env::TapeEnv;
use crate::label::{MediaLabel, MediaLabels, MediaSetLabel};
use crate::pass::is_end_of_data;
use crate::{Error, Result};

/// What stands at the beginning of a medium.
#[derive(Debug, Clone, PartialEq)]
pub enum Beginning {
    /// Nothing was ever written here, or only a filemark.
    Blank,
    /// A medium of ours, or of a PBS.
    Labelled(MediaLabels),
}

/// Reads both labels; the drive stands in front of file 2 afterwards, or behind the label of an unused one. It has no key
/// then, whatever medium was read before.
///
/// # Errors
/// A medium of another program, or one that can't be read, is an error that says so: it is never blank.
pub fn read_labels(hold: &mut DriveHold) -> Result<Beginning> {
    encryption::clear_key(hold)?;
    hold.set_state(DriveState::Reading);
    let labels = read_labels_from(hold.drive());
    let loaded = match &labels {
        Ok(Beginning::Labelled(labels)) => Loaded::Medium(labels.label.label_text.clone()),
        Err(Error::Device(reel_hw::Error::NoMedium { .. })) => Loaded::Nothing,
        _ => Loaded::Unknown,
    };
    hold.set_loaded(loaded);
    labels.map_err(|error| name_drive(hold, error))
}

/// Puts the drive's name on an error that came from a device, straight or through a reader.
pub(crate) fn name_drive(hold: &DriveHold, error: Error) -> Error {
    match error.out_of_reader() {
        Error::Device(source) => hold.failed(source),
        other => other,
    }
}

fn read_labels_from(drive: &mut dyn TapeDrive) -> Result<Beginning> {
    drive.rewind()?;
    let Some(label) = written_label(read_media_label(drive))? else {
        return Ok(Beginning::Blank);
    };
    let media_set_label = written_label(read_media_set_label(drive))?;
    Ok(Beginning::Labelled(MediaLabels { label, media_set_label }))
}

/// A label with nothing behind it, not even a filemark: whoever wrote it was killed before it counted, and it was
/// never there.
fn written_label<T>(read: Result<Option<T>>) -> Result<Option<T>> {
    match read {
        Err(error) if is_end_of_data(&error) => Ok(None),
        read => read,
    }
}

fn read_media_label(drive: &mut dyn TapeDrive) -> Result<Option<MediaLabel>> {
    match BlockReader::open(drive)? {
        OpenedFile::EndOfStream => Ok(None),
        OpenedFile::EndOfFile => Err(Error::FilemarkAtBeginning),
        OpenedFile::Data(mut reader) => {
            let header = read_header(&mut reader)?;
            MediaLabel::read(header.content_magic.0, header.size, &mut reader).map(Some)
        }
    }
}

fn read_media_set_label(drive: &mut dyn TapeDrive) -> Result<Option<MediaSetLabel>> {
    match BlockReader::open(drive)? {
        OpenedFile::EndOfStream => Ok(None),
        OpenedFile::EndOfFile => {
            Err(Error::InvalidInput("got unexpected filemark after label".into()))
        }
        OpenedFile::Data(mut reader) => {
            let header = read_header(&mut reader)?;
            MediaSetLabel::read(header.content_magic.0, header.size, &mut reader).map(Some)
        }
    }
}

/// Reads the content header at the beginning of a tape file.
pub(crate) fn read_header<D: TapeDrive + ?Sized>(
    reader: &mut BlockReader<'_, D>,
) -> Result<ContentHeader> {
    ContentHeader::read_from(reader).map_err(Error::io("read the content header of a tape file"))
}

/// Labels the medium: formats it, writes file 0, flushes, and reads it back (`tape-format.md` §13).
pub fn write_label(hold: &mut DriveHold, label: &MediaLabel) -> Result<()> {
    hold.set_state(DriveState::Writing);
    let drive = hold.drive();
    let written = write_label_to(drive, label);
    written.map_err(|error| name_drive(hold, error))?;
    match read_labels(hold)? {
        Beginning::Labelled(found) if found.label == *label => {
            hold.drive().rewind().map_err(|source| hold.failed(source))?;
            let text = (HostAttribute::UserMediumTextLabel, label.label_text.as_str());
            let pool = label.pool.as_ref().map(|pool| (HostAttribute::MediaPool, pool.as_str()));
            write_attributes(hold, [text].into_iter().chain(pool));
            Ok(())
        }
        _ => Err(Error::InvalidInput(format!(
            "verifying the label '{}' failed: the medium doesn't give back what was written; \
             use another medium",
            label.label_text
        ))),
    }
}

fn write_label_to(drive: &mut dyn TapeDrive, label: &MediaLabel) -> Result<()> {
    drive.set_encryption_key(None)?;
    drive.format_medium(true)?;
    write_json_file(drive, ContentKind::MediaLabel, label.ctime, &label.to_json()?)?;
    drive.sync()?;
    Ok(())
}

/// Writes file 1 and flushes it; everything behind file 0 that was there before is gone.
pub fn write_set_label(hold: &mut DriveHold, label: &MediaSetLabel) -> Result<()> {
    hold.set_state(DriveState::Writing);
    let written = write_set_label_to(hold.drive(), label);
    written.map_err(|error| name_drive(hold, error))?;
    write_attributes(hold, [(HostAttribute::MediaPool, label.pool.as_str())].into_iter());
    Ok(())
}

/// Notes on the medium's memory chip who wrote it, as PBS does, and what else is given. Labels on tape are what counts:
/// a chip that cannot be written is only worth a warning.
fn write_attributes<'a>(
    hold: &mut DriveHold,
    more: impl Iterator<Item = (HostAttribute, &'a str)>,
) {
    let who = [
        (HostAttribute::ApplicationVendor, "Proxmox"),
        (HostAttribute::ApplicationName, "Proxmox Backup Server"),
        (HostAttribute::ApplicationVersion, env!("CARGO_PKG_VERSION")),
    ];
    let all: Vec<_> =
        who.into_iter().chain(more).map(|(attribute, value)| (attribute, Some(value))).collect();
    if let Err(error) = hold.drive().write_attributes(&all) {
        tracing::warn!(drive = %hold.name(), %error, "unable to set attributes of the medium");
    }
}

fn write_set_label_to(drive: &mut dyn TapeDrive, label: &MediaSetLabel) -> Result<()> {
    drive.set_encryption_key(None)?;
    drive.locate_file(FileNumber(1))?;
    write_json_file(drive, ContentKind::MediaSetLabel, label.ctime, &label.to_json()?)?;
    drive.sync()?;
    Ok(())
}

/// Writes a tape file that is a header and JSON, and a filemark behind it.
pub(crate) fn write_json_file(
    drive: &mut dyn TapeDrive,
    kind: ContentKind,
    ctime: i64,
    json: &[u8],
) -> Result<WrittenFile> {
    let size = u32::try_from(json.len())
        .map_err(|_| Error::format("label", "its JSON is longer than 4 GiB"))?;
    let header = ContentHeader {
        content_magic: ContentMagic(kind.magic()),
        uuid: *Uuid::new_v4().as_bytes(),
        ctime,
        size,
    };
    let mut writer = BlockWriter::new(drive);
    writer.write_all(&header.to_bytes())?;
    writer.write_all(json)?;
    Ok(writer.finish(false)?)
}

/// Loads the medium `label_text` into the drive and checks that it is `uuid`. A drive without changer must hold it.
///
/// Where the holder [asks for media](DriveHold::ask_for_media), this waits until somebody has put it in; else the library
/// is asked once and the answer is final (`tape-state.md` §13).
pub fn load_medium(
    hold: &mut DriveHold,
    label_text: &LabelText,
    uuid: MediaId,
    task: &dyn TaskContext,
) -> Result<MediaLabels> {
    task.check()?;
    let labels = match hold.asking().cloned() {
        Some(asking) => {
            asking.until_loaded(hold, label_text, task, |hold| load_once(hold, label_text, uuid))?
        }
        None => load_once(hold, label_text, uuid)?,
    };
    task.log(&format!("found media label {label_text} ({uuid})"));
    Ok(labels)
}

fn load_once(hold: &mut DriveHold, label_text: &LabelText, uuid: MediaId) -> Result<MediaLabels> {
    if hold.changer().is_some() {
        load_by_label(hold, label_text)?;
    } else {
        expect_medium(hold, label_text)?;
    }
    match read_labels(hold)? {
        Beginning::Labelled(labels) if labels.label.uuid == uuid => Ok(labels),
        Beginning::Labelled(other) => Err(Error::WrongMedium {
            wanted: label_text.clone(),
            found: format!("'{}' ({})", other.label.label_text, other.label.uuid),
        }),
        Beginning::Blank => {
            let found = "a medium without label".into();
            Err(Error::WrongMedium { wanted: label_text.clone(), found })
        }
    }
}

/// Loads a member of the media set `set`, as [`load_medium`] does, and makes what is on it readable.
///
/// # Errors
/// Also a medium that belongs to another set by now, and a set whose key is not known.
pub fn load_member(
    env: &TapeEnv,
    hold: &mut DriveHold,
    (label_text, uuid): (&LabelText, MediaId),
    set: MediaSetId,
    task: &dyn TaskContext,
) -> Result<MediaLabels> {
    // A drive without encryption reads what was written without, whatever the label says.
    if !matches!(hold.drive().can_encrypt(), Ok(false)) {
        encryption::require_key(env, set)?;
    }
    let labels = load_medium(hold, label_text, uuid, task)?;
    let found = match labels.assigned_set() {
        Some(set_label) if set_label.uuid == set => {
            encryption::unlock(env, hold, set_label, task)?;
            return Ok(labels);
        }
        Some(other) => format!("it as number {} of media set {}", other.seq_nr, other.uuid),
        None => "it in no media set".into(),
    };
    Err(Error::WrongMedium { wanted: label_text.clone(), found })
}

/// Fails where nobody has put a medium into a drive on its own.
fn expect_medium(hold: &mut DriveHold, label_text: &LabelText) -> Result<()> {
    if hold.drive().medium_loaded().map_err(|source| hold.failed(source))? {
        return Ok(());
    }
    Err(Error::InsertMedium { medium: label_text.clone(), drive: hold.name().clone() })
}

/// Moves the medium with that label into the drive, unless it is there already.
pub fn load_by_label(hold: &mut DriveHold, label_text: &LabelText) -> Result<()> {
    let tag = volume_tag(label_text)?;
    let name = hold.name().clone();
    if hold.desk().loaded().as_ref() != Some(label_text) {
        if !hold.desk().is_known_empty() {
            hold.note_health();
        }
        hold.set_loaded(Loaded::Unknown);
    }
    hold.set_state(DriveState::Loading);
    hold.set_brought(None);
    let number = hold.drive_number();
    let Some(changer) = hold.changer() else {
        return Err(Error::NoChanger { drive: name });
    };
    let loaded = changer.load_media(&tag, number);
    loaded.map_err(|source| match source {
        reel_hw::Error::MediumNotFound(_) => Error::MediumOffline { medium: label_text.clone() },
        source => hold.failed(source),
    })?;
    hold.set_brought(Some(label_text));
    Ok(())
}

/// The label as a changer's bar code.
pub fn volume_tag(label_text: &LabelText) -> Result<VolumeTag> {
    VolumeTag::new(label_text.as_str())
        .ok_or_else(|| Error::InvalidInput(format!("'{label_text}' can't be a bar code")))
}

/// The same for a medium that is to hold data.
///
/// # Errors
/// Also a label by which every library takes the medium for a cleaning cartridge.
pub fn data_tag(label_text: &LabelText) -> Result<VolumeTag> {
    let tag = volume_tag(label_text)?;
    match tag.is_cleaning() {
        true => Err(reel_hw::Error::CleaningCartridge(tag).into()),
        false => Ok(tag),
    }
}

/// Whether there is something in the drive. A drive tells only of what it can use: of a cleaning or foreign cartridge the
/// changer knows.
fn holds_a_cartridge(hold: &mut DriveHold) -> reel_hw::Result<bool> {
    if hold.drive().medium_loaded()? {
        return Ok(true);
    }
    let number = hold.drive_number();
    let Some(changer) = hold.changer() else { return Ok(true) };
    Ok(!changer.status()?.drive(number)?.content.is_empty())
}

/// What lies in a drive of a library, which another drive may wait for.
#[derive(Debug, Default)]
pub(crate) struct Gift {
    is_given: bool,
    told: Option<String>,
}

impl Gift {
    /// Puts the medium away, so that another drive can have it; once that is done there is nothing to do any more. Whoever
    /// gives it away has nothing to do but wait: a robot that fails is worth a warning for each reason, and is asked again
    /// the next time.
    pub(crate) fn give(&mut self, hold: &mut DriveHold, task: &dyn TaskContext) {
        if self.is_given || hold.changer().is_none() {
            return;
        }
        match unload_medium(hold, task) {
            Ok(()) => self.is_given = true,
            Err(error) => self.tell(hold, &error, task),
        }
    }

    fn tell(&mut self, hold: &DriveHold, error: &Error, task: &dyn TaskContext) {
        let reason = error.to_string();
        if self.told.as_ref() != Some(&reason) {
            task.warn(&format!("what is in drive '{}' stays there: {reason}", hold.name()));
            self.told = Some(reason);
        }
    }
}

/// Puts the medium in the drive away: into a free slot where there is a changer, else just ejected.
pub fn unload_medium(hold: &mut DriveHold, task: &dyn TaskContext) -> Result<()> {
    if !holds_a_cartridge(hold).map_err(|source| hold.failed(source))? {
        return Ok(());
    }
    hold.finish(task);
    note_moving(hold);
    let number = hold.drive_number();
    let unloaded = match hold.changer() {
        Some(changer) => changer.unload(number, None).map(drop),
        None => hold.drive().unload(),
    };
    unloaded.map_err(|source| hold.failed(source))?;
    note_empty(hold);
    Ok(())
}

/// Has the drive eject its medium after a backup; a changer then puts it into a free slot (`tape-state.md` §9).
pub fn eject_medium(hold: &mut DriveHold, task: &dyn TaskContext) -> Result<()> {
    if !holds_a_cartridge(hold).map_err(|source| hold.failed(source))? {
        return Ok(());
    }
    hold.finish(task);
    note_moving(hold);
    task.log("eject media");
    hold.drive().unload().map_err(|source| hold.failed(source))?;
    if hold.changer().is_some() {
        task.log("unload media");
        take_away(hold).map_err(|source| hold.failed(source))?;
    }
    note_empty(hold);
    Ok(())
}

/// Where drive and changer are one, what is ejected lies in its slot already.
fn take_away(hold: &mut DriveHold) -> reel_hw::Result<()> {
    let number = hold.drive_number();
    let Some(changer) = hold.changer() else { return Ok(()) };
    match changer.status()?.drive(number)?.content.is_empty() {
        true => Ok(()),
        false => changer.unload(number, None).map(drop),
    }
}

/// Whatever becomes of it, nobody may take it for what was there.
fn note_moving(hold: &mut DriveHold) {
    hold.set_brought(None);
    hold.set_loaded(Loaded::Unknown);
}

fn note_empty(hold: &mut DriveHold) {
    hold.set_loaded(Loaded::Nothing);
    hold.set_state(DriveState::Empty);
}

#[cfg(test)]
mod tests {
    use reel_hw::memory::MediumLimits;
    use reel_hw::{MemoryDrive, MemoryLibrary};
    use reel_types::MediaSetId;

    use super::*;

    fn labels() -> (MediaLabel, MediaSetLabel) {
        let label = MediaLabel {
            ctime: 1_609_924_071,
            label_text: "A00001L8".parse().unwrap(),
            pool: Some("daily".parse().unwrap()),
            uuid: MediaId(Uuid::from_u128(1)),
        };
        let set_label = MediaSetLabel {
            ctime: 1_609_924_100,
            encryption_key_fingerprint: None,
            key_config: None,
            pool: "daily".parse().unwrap(),
            seq_nr: 0,
            uuid: MediaSetId(Uuid::from_u128(2)),
        };
        (label, set_label)
    }

    fn library_and_drive() -> (MemoryLibrary, MemoryDrive) {
        let tag = VolumeTag::new("A00001L8").unwrap();
        MemoryLibrary::with_loaded_drive(&tag, MediumLimits::NONE).unwrap()
    }

    /// Writes a label as the methods here do, up to where it would be flushed.
    fn write_unflushed(drive: &mut MemoryDrive, kind: ContentKind, json: &[u8]) {
        write_json_file(drive, kind, 0, json).unwrap();
    }

    #[test]
    fn a_label_counts_once_a_filemark_ends_it() {
        let (label, set_label) = labels();
        // How many of the two objects, block and filemark, reach the medium.
        for (kept, written) in [(0, false), (1, false), (2, true)] {
            let (library, mut drive) = library_and_drive();
            write_unflushed(&mut drive, ContentKind::MediaLabel, &label.to_json().unwrap());
            library.cut_power(kept);
            let beginning = read_labels_from(&mut drive).unwrap();
            assert_eq!(beginning != Beginning::Blank, written, "{kept}");

            let (library, mut drive) = library_and_drive();
            write_label_to(&mut drive, &label).unwrap();
            write_unflushed(&mut drive, ContentKind::MediaSetLabel, &set_label.to_json().unwrap());
            library.cut_power(kept);
            let Beginning::Labelled(found) = read_labels_from(&mut drive).unwrap() else {
                panic!("the label is gone");
            };
            assert_eq!((found.label == label, found.media_set_label.is_some()), (true, written));
        }
    }

    #[test]
    fn an_archive_where_a_label_belongs_is_not_passed_over() {
        let (_library, mut drive) = library_and_drive();
        write_unflushed(&mut drive, ContentKind::ChunkArchive, b"{}");
        assert!(read_labels_from(&mut drive).is_err());
    }
}
