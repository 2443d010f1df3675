//! What operators know of a medium and no device tells: where it was taken, that it is not to be used any more
//! (`tape-state.md` §5).

use reel_types::{MediaId, MediaLocation, MediaStatus};

use super::MediumName;
use crate::Result;
use crate::env::TapeEnv;
use crate::state_dir::LOCK_WAIT;

/// Notes where a medium is. A library that shows it later knows better.
pub fn note_location(
    env: &TapeEnv,
    name: &MediumName,
    location: &MediaLocation,
) -> Result<MediaId> {
    env.inventory.update(LOCK_WAIT, |inventory| {
        let uuid = name.find(inventory)?;
        inventory.set_location(uuid, location.clone())?;
        Ok(uuid)
    })
}

/// Marks a medium as full, damaged or retired, or takes its mark back.
///
/// # Errors
/// A status that follows from what is on the medium can't be given.
pub fn mark_medium(
    env: &TapeEnv,
    name: &MediumName,
    status: Option<MediaStatus>,
) -> Result<MediaId> {
    env.inventory.update(LOCK_WAIT, |inventory| {
        let uuid = name.find(inventory)?;
        inventory.set_status(uuid, status)?;
        Ok(uuid)
    })
}
