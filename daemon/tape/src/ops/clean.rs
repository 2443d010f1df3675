//! Cleaning a drive with a cartridge of its library (`tape-state.md` §13).

use reel_hw::{ChangerStatus, SlotNumber, TapeAlerts, VolumeTag};
use reel_types::TaskContext;

use crate::drive_desk::{DriveHold, DriveState, Loaded};
use crate::health::{Cleaner, HealthLog};
use crate::{Error, Result};

/// TapeAlert flags by which a drive says that a cleaning cartridge is used up, or is none.
const EXPIRED: [u8; 2] = [0x16, 0x17];

/// Has the library put a cleaning cartridge into the drive and take it out again; what was in the drive is put away
/// first. A cartridge that is used up is not taken.
///
/// # Errors
/// No cartridge; a critical alert afterwards.
pub fn clean_drive(hold: &mut DriveHold, task: &dyn TaskContext) -> Result<()> {
    task.log("Starting drive clean");
    hold.note_health();
    let name = hold.name().clone();
    let number = hold.drive_number();
    let health = hold.desk().health().cloned();
    hold.set_state(DriveState::Cleaning);
    let Some(changer) = hold.changer() else {
        return Err(Error::NoChanger { drive: name });
    };
    let status = changer.status().map_err(|source| hold.failed(source))?;
    let cartridge = choose(&status, |tag| known(health.as_deref(), tag))?;
    let slot = cartridge.as_ref().map(|(slot, _)| *slot);
    hold.set_loaded(Loaded::Unknown);
    let Some(changer) = hold.changer() else {
        return Err(Error::NoChanger { drive: name });
    };
    changer.clean_drive(number, slot).map_err(|source| hold.failed(source))?;
    hold.set_loaded(Loaded::Nothing);
    hold.set_state(DriveState::Empty);
    let alerts = hold.drive().tape_alerts();
    if let (Some((_, tag)), Some(health)) = (&cartridge, &health) {
        let tells = |alerts: &TapeAlerts| alerts.flags().any(|flag| EXPIRED.contains(&flag));
        note_use(health, hold, tag, alerts.as_ref().is_ok_and(tells), task);
    }
    let alerts = alerts.map_err(|source| hold.failed(source))?;
    if alerts.is_critical() {
        let text = format!("found critical tape alert flags: {alerts}");
        return Err(Error::Unfinished(text));
    }
    if alerts.wants_cleaning() {
        task.warn("the drive still asks to be cleaned; clean it again, with another cartridge");
    }
    task.log("Drive cleaned successfully");
    Ok(())
}

/// The first cleaning cartridge of a storage slot that is not used up; none where there is none at all, which is right
/// for a library of files.
fn choose(
    status: &ChangerStatus,
    known: impl Fn(&VolumeTag) -> Cleaner,
) -> Result<Option<(SlotNumber, VolumeTag)>> {
    let mut used_up = Vec::new();
    for (slot, tag) in status.cleaning_cartridges() {
        if !known(tag).is_used_up() {
            return Ok(Some((slot, tag.clone())));
        }
        used_up.push(tag.to_string());
    }
    match used_up.as_slice() {
        [] => Ok(None),
        cartridges => Err(Error::CleanersUsedUp { cartridges: cartridges.join(", ") }),
    }
}

/// What is known of a cartridge; what cannot be read does not keep a drive from being cleaned.
fn known(health: Option<&HealthLog>, tag: &VolumeTag) -> Cleaner {
    let known = health.map_or_else(|| Ok(Cleaner::default()), |health| health.cleaner(tag));
    known.unwrap_or_else(|error| {
        tracing::warn!(cartridge = %tag, %error, "the uses of a cleaning cartridge can't be read");
        Cleaner::default()
    })
}

/// Counts a use, and says in the log how worn the cartridge is.
fn note_use(
    health: &HealthLog,
    hold: &DriveHold,
    tag: &VolumeTag,
    expired: bool,
    task: &dyn TaskContext,
) {
    if let Err(error) = health.note_cleaning(tag, hold.name(), expired) {
        task.warn(&format!("the use of cleaning cartridge '{tag}' was not counted: {error}"));
    }
    let cleaner = known(Some(health), tag);
    task.log(&format!("Volume mounts: {}", cleaner.uses));
    task.log(&format!("Cleaning tape wearout: {}%", cleaner.wearout_percent()));
    for advice in crate::health::verdict::of_cleaner(tag, &cleaner).advice() {
        task.warn(&format!("cleaning cartridge '{tag}': {advice}"));
    }
}

#[cfg(test)]
mod tests {
    use reel_hw::{ElementAddress, ElementContent, SlotElement};

    use super::*;

    fn library(slots: &[(&str, bool)]) -> ChangerStatus {
        let slot = |(index, (tag, import_export)): (usize, &(&str, bool))| SlotElement {
            number: SlotNumber::new(index as u32 + 1).unwrap(),
            import_export: *import_export,
            content: ElementContent::VolumeTag(VolumeTag::new(tag).unwrap()),
            address: ElementAddress(index as u16),
        };
        ChangerStatus { slots: slots.iter().enumerate().map(slot).collect(), ..Default::default() }
    }

    #[test]
    fn the_first_cartridge_that_still_cleans_is_taken() {
        let uses =
            |tag: &VolumeTag| Cleaner { expired: tag.as_str() == "CLN001CU", ..Cleaner::default() };
        let chosen = |slots: &[(&str, bool)]| choose(&library(slots), uses);
        let found = chosen(&[("CLN001CU", false), ("A1", false), ("CLN002CU", false)]).unwrap();
        assert_eq!(found.unwrap().0.get(), 3);
        assert_eq!(chosen(&[("A1", false), ("CLN002CU", true)]).unwrap(), None);
        let refused = chosen(&[("CLN001CU", false), ("A1", false)]).unwrap_err().to_string();
        assert!(refused.contains("CLN001CU") && refused.contains("put another"), "{refused}");
    }
}
