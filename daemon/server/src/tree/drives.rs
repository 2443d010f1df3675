//! `drives/`: what each drive is, holds and does. Nothing here asks the device but what stands in [`drive_values`].

use std::sync::Arc;

use reel_fs::{Entry, FnDir, KeyValues, Node};
use reel_types::DriveName;
use reel_types::commands::{DriveConfig, Place};

use super::facts::{answer, fact, fs_error, key_values, no_such, parsed, utc};
use super::health::health;
use super::{Tree, drive_values};
use crate::drives::ConfiguredDrive;
use crate::failure::Outcome;
use crate::reeld::Reeld;

/// The folder of all drives.
pub(super) fn drives(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let drives = all.reeld.drives.configs().map_err(fs_error)?;
        Ok(drives.into_iter().map(|drive| Entry::directory(drive.name().to_string())).collect())
    };
    let lookup = move |name: &std::ffi::OsStr| {
        let drive: DriveName = parsed(name)?;
        one.reeld.drives.config(&drive).map_err(|_| no_such(name))?;
        Ok(self::drive(&one, drive))
    };
    let refusal = "'create NAME path=virtual:FOLDER' and 'remove NAME' in drives/ctl do that";
    FnDir::new(entries, lookup).beside(tree.controlled(Place::Drives, refusal)).node()
}

fn drive(tree: &Arc<Tree>, name: DriveName) -> Node {
    let with = || (Arc::clone(&tree.reeld), name.clone());
    let (stated, state_name) = with();
    let state = move || Ok(Some(stated.drives.desk(&state_name)?.state().as_str().to_string()));
    let (labelled, label_name) = with();
    let label =
        move || Ok(labelled.drives.desk(&label_name)?.loaded().map(|label| label.to_string()));
    let (stopped, stopped_name) = with();
    let underruns = move || Ok(Some(stopped.drives.desk(&stopped_name)?.underruns().to_string()));
    let (shown, shown_name) = with();
    let health_name = name.clone();
    let is_lto = matches!(tree.reeld.drives.config(&name), Ok(ConfiguredDrive::Lto(..)));
    let values = is_lto.then(|| drive_values::folders(tree, &name)).into_iter().flatten();
    let refusal = format!("'remove {name}' in the drive's ctl takes it out of the configuration");
    tree.controlled(Place::Drive(name.clone()), refusal)
        .with_all(answer(tree, "config", DriveConfig { name: name.clone() }))
        .with_all(key_values("status", move || status(&shown, &shown_name)))
        .with_all(health(tree, move |reeld| reeld.health_of_drive(&health_name, false)))
        .with("state", fact(state))
        .with("label", fact(label))
        .with("underruns", fact(underruns))
        .with_all(values)
        .node()
}

fn status(reeld: &Reeld, name: &DriveName) -> Outcome<KeyValues> {
    let desk = reeld.drives.desk(name)?;
    let (state, since) = desk.state_since();
    Ok(KeyValues::new()
        .with("state", state.as_str())
        .with("since", utc(since))
        .with("activity", desk.activity())
        .with("waits-for", desk.wanted().map(|label| label.to_string()))
        .with("label", desk.loaded().map(|label| label.to_string()))
        .with("cleaning", reeld.tape.health.cleaning_wish(name)?.map(|wish| wish.as_str())))
}
