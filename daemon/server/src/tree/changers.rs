//! `changers/`: what each changer holds, as it was last seen. Only `status` asks the robot; the others ask it when
//! nobody has yet.

use std::sync::Arc;

use reel_fs::{Entry, FnDir, FsError, KeyValues, Node, StaticDir};
use reel_hw::{ChangerStatus, ElementContent};
use reel_types::ChangerName;
use reel_types::commands::{ChangerConfig, Place};

use super::Tree;
use super::facts::{answer, as_text, fact, fs_error, key_values, no_such, parsed, plain};
use super::media;
use crate::failure::Outcome;
use crate::reeld::Reeld;

/// What a cartridge without a readable bar code is called.
const UNLABELLED: &str = "unlabelled";

/// The folder of all changers.
pub(super) fn changers(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let changers = all.reeld.drives.changers().map_err(fs_error)?;
        Ok(changers.iter().map(|one| Entry::directory(one.name.to_string())).collect())
    };
    let lookup = move |name: &std::ffi::OsStr| {
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
    let refusal = format!("'remove {name}' in the changer's ctl takes it out of the configuration");
    tree.controlled(Place::Changer(name.clone()), refusal)
        .with_all(answer(tree, "config", ChangerConfig { name: name.clone() }))
        .with_all(key_values("status", move || status(&shown, &shown_name)))
        .with("doing", fact(move || Ok(busy.drives.devices.queue(&busy_name).doing())))
        .with("drives", elements(tree, &name, drives))
        .with("slots", elements(tree, &name, |status| slots(status, false)))
        .with("import-export", elements(tree, &name, |status| slots(status, true)))
        .node()
}

/// Number and content of elements.
type Contents = Vec<(u32, ElementContent)>;

fn drives(status: &ChangerStatus) -> Contents {
    status.drives.iter().map(|drive| (drive.number.0, drive.content.clone())).collect()
}

fn slots(status: &ChangerStatus, import_export: bool) -> Contents {
    let slots = status.slots.iter().filter(|slot| slot.import_export == import_export);
    slots.map(|slot| (slot.number.get(), slot.content.clone())).collect()
}

/// A folder with one for each element, which holds the cartridge that lies there.
fn elements(tree: &Arc<Tree>, name: &ChangerName, pick: fn(&ChangerStatus) -> Contents) -> Node {
    let (tree, name) = (Arc::clone(tree), name.clone());
    let (listed_tree, listed_name) = (Arc::clone(&tree), name.clone());
    let entries = move || {
        let contents = pick(&seen(&listed_tree.reeld, &listed_name).map_err(fs_error)?);
        Ok(contents.iter().map(|(number, _)| Entry::directory(number.to_string())).collect())
    };
    let lookup = move |wanted: &std::ffi::OsStr| {
        let contents = pick(&seen(&tree.reeld, &name).map_err(fs_error)?);
        let number = as_text(wanted)?;
        let found = contents.into_iter().find(|(one, _)| one.to_string() == number);
        let (_, content) = found.ok_or_else(|| no_such(wanted))?;
        element(&tree, &content)
    };
    FnDir::new(entries, lookup).node()
}

fn element(tree: &Arc<Tree>, content: &ElementContent) -> Result<Node, FsError> {
    let refusal = "'transfer from=SLOT to=SLOT' in the changer's ctl moves a medium";
    Ok(match content {
        ElementContent::Empty => plain(refusal).node(),
        ElementContent::Full => plain(refusal).with(UNLABELLED, StaticDir::new().node()).node(),
        ElementContent::VolumeTag(tag) => {
            let cartridge = media::by_label(tree, tag.as_str())?;
            plain(refusal).with(tag.as_str(), cartridge).node()
        }
    })
}

/// What was seen last; where nothing was, the robot is asked.
fn seen(reeld: &Reeld, name: &ChangerName) -> Outcome<ChangerStatus> {
    match reeld.drives.devices.queue(name).seen() {
        Some(status) => Ok(status),
        None => Ok(reeld.changer(name)?.status()?),
    }
}

fn status(reeld: &Reeld, name: &ChangerName) -> Outcome<KeyValues> {
    let status = reeld.changer(name)?.status()?;
    let word = |content: &ElementContent| match content {
        ElementContent::Empty => "empty".to_owned(),
        ElementContent::Full => UNLABELLED.to_owned(),
        ElementContent::VolumeTag(tag) => tag.to_string(),
    };
    let mut values = KeyValues::new();
    for drive in &status.drives {
        values = values.with(format!("drive-{}", drive.number), word(&drive.content));
    }
    for slot in &status.slots {
        let kind = if slot.import_export { "import-export" } else { "slot" };
        values = values.with(format!("{kind}-{}", slot.number), word(&slot.content));
    }
    Ok(values)
}
