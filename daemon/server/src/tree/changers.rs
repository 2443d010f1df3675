//! `changers/`: what each changer holds, as it was last seen. Nothing here asks the robot.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use reel_fs::{Entry, FnDir, FsError, KeyValues, Move, Node, StaticDir};
use reel_hw::number::{DriveNumber, SlotNumber};
use reel_hw::{ChangerStatus, ElementContent};
use reel_types::ChangerName;
use reel_types::commands::{ChangerConfig, Place};

use super::Tree;
use super::facts::{answer, as_text, fact, fs_error, key_values, no_such, parsed, plain};
use super::media;
use crate::cartridge_moves::Element;
use crate::failure::Outcome;
use crate::reeld::Reeld;

/// What the status says of an element that holds nothing.
const EMPTY: &str = "empty";
/// What a cartridge without a readable bar code is called.
const UNLABELLED: &str = "unlabelled";

/// The folder of all changers.
pub(super) fn changers(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let changers = all.reeld.drives.changers().map_err(fs_error)?;
        Ok(changers.iter().map(|one| Entry::directory(one.name.to_string())).collect())
    };
    let lookup = move |name: &OsStr| {
        let changer: ChangerName = parsed(name)?;
        one.reeld.drives.changer_config(&changer).map_err(|_| no_such(name))?;
        Ok(self::changer(&one, changer))
    };
    let refusal = "'create NAME path=DEVICE' and 'remove NAME' in changers/ctl do that";
    FnDir::new(entries, lookup).beside(tree.controlled(Place::Changers, refusal)).node()
}

fn changer(tree: &Arc<Tree>, name: ChangerName) -> Node {
    let (shown, shown_name) = (Arc::clone(&tree.reeld), name.clone());
    let (busy, busy_name) = (Arc::clone(&tree.reeld), name.clone());
    let doing = move || {
        let config = busy.drives.changer_config(&busy_name)?;
        Ok(busy.drives.devices.queue(&config.path).doing())
    };
    let refusal = format!("'remove {name}' in the changer's ctl takes it out of the configuration");
    let mut folder = tree
        .controlled(Place::Changer(name.clone()), refusal)
        .with_all(answer(tree, "config", ChangerConfig { name: name.clone() }))
        .with_all(key_values("status", move || status(&shown, &shown_name)))
        .with("doing", fact(doing));
    for kind in KINDS {
        folder = folder.with(kind.folder(), elements(tree, &name, kind));
    }
    folder.node()
}

/// The kinds of elements, a folder each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Drive,
    Slot,
    ImportExport,
}

const KINDS: [Kind; 3] = [Kind::Drive, Kind::Slot, Kind::ImportExport];

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Self::Drive => "drives",
            Self::Slot => "slots",
            Self::ImportExport => "import-export",
        }
    }

    /// The elements of this kind by their numbers, with what they hold.
    fn contents(self, status: &ChangerStatus) -> BTreeMap<u32, &ElementContent> {
        if self == Self::Drive {
            let drives = status.drives.iter();
            return drives.map(|drive| (drive.number.0, &drive.content)).collect();
        }
        let slots = status.slots.iter();
        let slots = slots.filter(|slot| slot.import_export == (self == Self::ImportExport));
        slots.map(|slot| (slot.number.get(), &slot.content)).collect()
    }

    fn element(self, number: u32) -> Option<Element> {
        match self {
            Self::Drive => Some(Element::Drive(DriveNumber(number))),
            Self::Slot | Self::ImportExport => SlotNumber::new(number).map(Element::Slot),
        }
    }
}

/// A folder with one for each element, which holds the cartridge that lies there.
fn elements(tree: &Arc<Tree>, name: &ChangerName, kind: Kind) -> Node {
    let (tree, name) = (Arc::clone(tree), name.clone());
    let (listed, listed_name) = (Arc::clone(&tree), name.clone());
    let entries = move || {
        let numbers = numbers(&listed.reeld, &listed_name, kind);
        Ok(numbers.into_iter().map(|number| Entry::directory(number.to_string())).collect())
    };
    let lookup = move |wanted: &OsStr| {
        let number: u32 = parsed(wanted)?;
        let is_there = numbers(&tree.reeld, &name, kind).contains(&number);
        let element = kind.element(number).filter(|_| is_there && wanted == &*number.to_string());
        Ok(self::element(&tree, &name, element.ok_or_else(|| no_such(wanted))?))
    };
    FnDir::new(entries, lookup).node()
}

/// The elements of a kind; none are known before the robot was first asked.
fn numbers(reeld: &Reeld, name: &ChangerName, kind: Kind) -> BTreeSet<u32> {
    let seen = reeld.drives.seen(name);
    seen.map(|status| kind.contents(&status).into_keys().collect()).unwrap_or_default()
}

/// The folder of an element, which holds a cartridge or nothing.
fn element(tree: &Arc<Tree>, changer: &ChangerName, element: Element) -> Node {
    let (all, all_of) = (Arc::clone(tree), changer.clone());
    let (one, one_of) = (Arc::clone(tree), changer.clone());
    let entries = move || {
        let content = content_of(&all.reeld, &all_of, element);
        let name = content.as_ref().and_then(cartridge_name);
        Ok(name.map(Entry::directory).into_iter().collect())
    };
    let lookup = move |wanted: &OsStr| {
        let content = content_of(&one.reeld, &one_of, element);
        match content.filter(|content| cartridge_name(content).is_some_and(|name| wanted == name)) {
            Some(ElementContent::VolumeTag(tag)) => media::by_label(&one, tag.as_str()),
            Some(_) => Ok(StaticDir::new().node()),
            None => Err(no_such(wanted)),
        }
    };
    let refusal = "'mv' moves a cartridge to another slot or drive";
    let fixed = plain(refusal).with_move(mover(tree, changer, element));
    FnDir::new(entries, lookup).beside(fixed).node()
}

/// Begins the move of the cartridge in an element.
fn mover(
    tree: &Arc<Tree>,
    changer: &ChangerName,
    from: Element,
) -> impl Fn(&OsStr, &Path, &OsStr) -> Result<Move, FsError> + Send + Sync + 'static {
    let (reeld, changer) = (Arc::clone(&tree.reeld), changer.clone());
    move |old, parent, new| {
        let to = element_at(parent, &changer).filter(|_| old == new);
        let to = to.ok_or_else(|| not_one_move(old))?;
        let (reeld, changer) = (Arc::clone(&reeld), changer.clone());
        let cartridge = as_text(old)?.to_owned();
        Ok(Box::new(move || {
            let is_it =
                |content: &ElementContent| cartridge_name(content) == Some(cartridge.as_str());
            reeld.move_cartridge(&changer, from, to, "moving a cartridge", is_it).map_err(fs_error)
        }))
    }
}

/// What lay in an element when the robot was last asked.
fn content_of(reeld: &Reeld, changer: &ChangerName, element: Element) -> Option<ElementContent> {
    element.content(&*reeld.drives.seen(changer)?).ok().cloned()
}

/// The element whose folder stands at a path from the root, if it is one of that changer.
fn element_at(path: &Path, changer: &ChangerName) -> Option<Element> {
    let within = path.strip_prefix("changers").ok()?.strip_prefix(changer.as_str()).ok()?;
    let mut names = within.iter();
    let folder = names.next()?;
    let number = as_text(names.next()?).ok()?.parse().ok()?;
    let kind = KINDS.into_iter().find(|kind| folder == kind.folder())?;
    kind.element(number).filter(|_| names.next().is_none())
}

fn not_one_move(name: &OsStr) -> FsError {
    let text = format!(
        "move {}: a cartridge keeps its name, and goes to a slot or drive of the same changer",
        name.display()
    );
    FsError::new(nix::libc::EXDEV, text)
}

/// The name of the cartridge that is the content of an element.
fn cartridge_name(content: &ElementContent) -> Option<&str> {
    match content {
        ElementContent::Empty => None,
        ElementContent::Full => Some(UNLABELLED),
        ElementContent::VolumeTag(tag) => Some(tag.as_str()),
    }
}

fn status(reeld: &Reeld, name: &ChangerName) -> Outcome<KeyValues> {
    let config = reeld.drives.changer_config(name)?;
    let doing = KeyValues::new().with("doing", reeld.drives.devices.queue(&config.path).doing());
    let Some(seen) = reeld.drives.seen(name) else { return Ok(doing) };
    let key = |kind: Kind, number: u32| match kind {
        Kind::Drive => format!("drive-{number}"),
        Kind::Slot => format!("slot-{number}"),
        Kind::ImportExport => format!("import-export-{number}"),
    };
    let lines = KINDS.into_iter().flat_map(|kind| {
        let contents = kind.contents(&seen).into_iter();
        contents.map(move |(number, content)| (key(kind, number), content))
    });
    Ok(lines.fold(doing, |values, (key, content)| {
        values.with(key, cartridge_name(content).unwrap_or(EMPTY).to_owned())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_an_element_is_told_by_its_path() {
        let changer = "sl3".parse().unwrap();
        let at = |path: &str| element_at(Path::new(path), &changer);
        assert_eq!(at("changers/sl3/drives/0"), Some(Element::Drive(DriveNumber(0))));
        assert_eq!(at("changers/sl3/slots/3"), SlotNumber::new(3).map(Element::Slot));
        for other in ["changers/sl4/slots/3", "changers/sl3/slots/0", "changers/sl3/slots", "media"]
        {
            assert_eq!(at(other), None, "{other}");
        }
        assert_eq!(at("changers/sl3/slots/3/A00001L8"), None);
    }
}
