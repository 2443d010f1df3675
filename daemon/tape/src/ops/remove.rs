//! Removing a medium from the inventory; what is on it stays.

use reel_types::{LabelText, MediaId};

use crate::env::TapeEnv;
use crate::inventory::Inventory;
use crate::state_dir::LOCK_WAIT;
use crate::{Error, Result};

/// How a command names a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediumName {
    /// By its label.
    Label(LabelText),
    /// By its identity.
    Uuid(MediaId),
}

impl MediumName {
    /// Exactly one of both must be given.
    pub fn of(label_text: Option<&LabelText>, uuid: Option<MediaId>) -> Result<Self> {
        match (label_text, uuid) {
            (Some(label_text), None) => Ok(Self::Label(label_text.clone())),
            (None, Some(uuid)) => Ok(Self::Uuid(uuid)),
            _ => Err(Error::InvalidInput(
                "name the medium either by 'label-text' or by 'uuid'".into(),
            )),
        }
    }

    /// The medium that is meant.
    pub fn find(&self, inventory: &Inventory) -> Result<MediaId> {
        match self {
            Self::Uuid(uuid) => inventory.require(*uuid).map(|entry| entry.uuid()),
            Self::Label(label_text) => match inventory.find_by_label_text(label_text)? {
                Some(entry) => Ok(entry.uuid()),
                None => Err(Error::NoSuchMedium { medium: label_text.to_string() }),
            },
        }
    }
}

/// Removes a medium from the inventory; one that holds data only with `force`.
pub fn destroy_medium(env: &TapeEnv, name: &MediumName, force: bool) -> Result<MediaId> {
    let uuid = env.inventory.update(LOCK_WAIT, |inventory| {
        let uuid = name.find(inventory)?;
        let entry = inventory.require(uuid)?;
        if entry.assigned_set().is_some() && !force {
            return Err(Error::MediumHoldsData(entry.labels.label.label_text.clone()));
        }
        inventory.remove(uuid);
        Ok(uuid)
    })?;
    // It is gone from the inventory; what else is known of it is a leftover.
    if let Err(error) = env.health.forget_medium(uuid).and_then(|()| env.times.forget(uuid)) {
        tracing::warn!(medium = %uuid, %error, "what is known of a destroyed medium stays behind");
    }
    Ok(uuid)
}
