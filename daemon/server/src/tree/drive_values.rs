//! `cartridge-memory`, `volume-statistics` and `tape-alerts` of a drive: one value a file, asked of the device when the
//! file is opened. A drive that somebody uses is not asked.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use reel_fs::{Entry, FnDir, Node};
use reel_hw::scsi::attribute::{ATTRIBUTES, Attribute, AttributeInfo};
use reel_hw::scsi::log::VolumeStatisticsPage;
use reel_hw::{TapeAlerts, TapeDrive};
use reel_types::{Cancel, DriveName};
use serde_json::Value as Json;

use super::Tree;
use super::facts::{no_such, plain, slow_fact};
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

/// Values by the names of their files.
type Values = BTreeMap<String, String>;

/// The three folders.
pub(super) fn folders(tree: &Arc<Tree>, drive: &DriveName) -> [(&'static str, Node); 3] {
    [
        ("cartridge-memory", folder(tree, drive, attribute_files, cartridge_memory)),
        ("volume-statistics", folder(tree, drive, counter_files, volume_statistics)),
        ("tape-alerts", folder(tree, drive, alert_files, tape_alerts)),
    ]
}

/// Asks a drive for the values of a folder.
type Ask = fn(&mut dyn TapeDrive) -> reel_hw::Result<Values>;

fn folder(tree: &Arc<Tree>, drive: &DriveName, names: fn() -> Vec<String>, ask: Ask) -> Node {
    let (reeld, drive) = (Arc::clone(&tree.reeld), drive.clone());
    let entries = move || Ok(names().into_iter().map(Entry::file).collect());
    let lookup = move |wanted: &OsStr| {
        let name = names().into_iter().find(|name| wanted == &**name);
        let name = name.ok_or_else(|| no_such(wanted))?;
        let (reeld, drive) = (Arc::clone(&reeld), drive.clone());
        Ok(slow_fact(move || Ok(values(&reeld, &drive, ask)?.remove(&name))))
    };
    FnDir::new(entries, lookup).beside(plain("what a drive tells can't be changed here")).node()
}

fn attribute_files() -> Vec<String> {
    ATTRIBUTES.iter().map(attribute_file).collect()
}

fn counter_files() -> Vec<String> {
    statistics(&VolumeStatisticsPage::with_every_key()).into_keys().collect()
}

fn alert_files() -> Vec<String> {
    (1..=64).filter_map(TapeAlerts::name).map(file_name).collect()
}

fn values(reeld: &Reeld, drive: &DriveName, ask: Ask) -> Outcome<Values> {
    let desk = reeld.drives.desk(drive)?;
    let mut hold = desk.look("reading what the drive tells", Duration::ZERO, &Cancel::new())?;
    match ask(hold.drive()) {
        Err(reel_hw::Error::NoMedium { .. }) => Ok(Values::new()),
        values => values.map_err(Failure::from),
    }
}

fn cartridge_memory(drive: &mut dyn TapeDrive) -> reel_hw::Result<Values> {
    let entry = |attribute: &Attribute| {
        let value = attribute.render()?.trim_end_matches([' ', '\0']).to_owned();
        Some((attribute_file(attribute.info()?), value))
    };
    Ok(drive.cartridge_memory()?.attributes.iter().filter_map(entry).collect())
}

fn volume_statistics(drive: &mut dyn TapeDrive) -> reel_hw::Result<Values> {
    Ok(statistics(&drive.volume_statistics()?))
}

fn tape_alerts(drive: &mut dyn TapeDrive) -> reel_hw::Result<Values> {
    let alerts = drive.tape_alerts()?;
    let is_set = |flag| alerts.flags().any(|one| one == flag).to_string();
    let entry = |flag| Some((file_name(TapeAlerts::name(flag)?), is_set(flag)));
    Ok((1..=64).filter_map(entry).collect())
}

fn statistics(page: &VolumeStatisticsPage) -> Values {
    let Ok(Json::Object(keys)) = serde_json::to_value(page) else { return Values::new() };
    let text = |value: Json| value.as_str().map_or_else(|| value.to_string(), Into::into);
    keys.into_iter().map(|(key, value)| (key, text(value))).collect()
}

/// The file of an attribute: its name, with its number where another has that name too.
fn attribute_file(info: &AttributeInfo) -> String {
    let name = file_name(info.name);
    let first = ATTRIBUTES.iter().find(|other| other.name == info.name);
    if first.is_some_and(|first| first.id != info.id) {
        return format!("{name}-{:04x}", info.id);
    }
    name
}

/// A name as files are spelled: lower case, with `-` between words.
fn file_name(name: &str) -> String {
    let spelled = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().map(spelled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_spelled_as_in_the_rest_of_the_tree() {
        assert_eq!(file_name("MAM Space Remaining"), "mam-space-remaining");
        assert_eq!(file_name("READ_WARNING"), "read-warning");
    }

    #[test]
    fn every_attribute_has_a_file_of_its_own() {
        let names: std::collections::BTreeSet<_> = ATTRIBUTES.iter().map(attribute_file).collect();
        assert_eq!(names.len(), ATTRIBUTES.len());
    }

    #[test]
    fn every_counter_has_a_file() {
        let names = statistics(&VolumeStatisticsPage::with_every_key());
        assert!(names.contains_key("volume-mounts") && names.contains_key("worm"));
        assert_eq!(names.len(), 26);
    }
}
