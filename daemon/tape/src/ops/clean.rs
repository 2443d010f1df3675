//! Cleaning a drive with a cartridge of its library.

use reel_types::TaskContext;

use crate::drive_desk::{DriveHold, DriveState};
use crate::{Error, Result};

/// Has the library put a cleaning cartridge into the drive and take it out again; what was in the drive is put away
/// first. Fails where the drive reports a critical alert afterwards.
pub fn clean_drive(hold: &mut DriveHold, task: &dyn TaskContext) -> Result<()> {
    task.log("Starting drive clean");
    let name = hold.name().clone();
    let number = hold.drive_number();
    hold.set_state(DriveState::Cleaning);
    let Some(changer) = hold.changer() else {
        return Err(Error::NoChanger { drive: name });
    };
    changer.clean_drive(number).map_err(|source| hold.failed(source))?;
    hold.set_loaded(None);
    hold.set_state(DriveState::Empty);
    let alerts = hold.drive().tape_alerts().map_err(|source| hold.failed(source))?;
    if alerts.is_critical() {
        let text = format!("found critical tape alert flags: {alerts}");
        return Err(Error::Unfinished(text));
    }
    task.log("Drive cleaned successfully");
    Ok(())
}
