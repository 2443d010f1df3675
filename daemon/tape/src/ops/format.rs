//! Formatting a medium: everything on it is given up, and everything that is known of it.

use reel_types::{LabelText, TaskContext};

use crate::drive_desk::{DriveHold, DriveState, Loaded};
use crate::env::TapeEnv;
use crate::label::MediaLabels;
use crate::media_catalog;
use crate::medium::{Beginning, load_by_label, read_labels};
use crate::state_dir::{LOCK_WAIT, Patience, StateLock};
use crate::{Error, Result};

/// Formats the medium in the drive; with `label_text` that medium is loaded first and no other is formatted.
///
/// A medium whose label can't be read is formatted anyway, unless a certain one was asked for.
pub fn format_medium(
    env: &TapeEnv,
    hold: &mut DriveHold,
    label_text: Option<&LabelText>,
    fast: bool,
    task: &dyn TaskContext,
) -> Result<()> {
    if let Some(label_text) = label_text {
        load_by_label(hold, label_text)?;
    }
    let protected = hold.drive().write_protected().map_err(|source| hold.failed(source))?;
    let known = match read_labels(hold) {
        Ok(Beginning::Labelled(labels)) => Some(labels),
        Ok(Beginning::Blank) => None,
        Err(error) if label_text.is_some() => return Err(error),
        Err(error) => {
            task.log(&format!("unable to read label: {error} (format anyways)"));
            None
        }
    };
    if let Some(wanted) = label_text {
        must_be(known.as_ref(), wanted)?;
    }
    if protected {
        let name = known.map(|labels| labels.label.label_text);
        return Err(match name {
            Some(name) => Error::WriteProtected(name),
            None => Error::Device(reel_hw::Error::WriteProtected { what: "format the medium" }),
        });
    }
    let _locks = match &known {
        Some(labels) => {
            task.log(&format!(
                "found media '{}' with uuid '{}'",
                labels.label.label_text, labels.label.uuid
            ));
            let locks = lock_owner(env, labels, task)?;
            forget(env, labels)?;
            Some(locks)
        }
        None => {
            task.log("format media without a label");
            None
        }
    };
    hold.set_state(DriveState::Writing);
    hold.drive().format_medium(fast).map_err(|source| hold.failed(source))?;
    hold.drive().sync().map_err(|source| hold.failed(source))?;
    hold.set_loaded(Loaded::Unknown);
    Ok(())
}

fn must_be(found: Option<&MediaLabels>, wanted: &LabelText) -> Result<()> {
    match found {
        Some(labels) if labels.label.label_text == *wanted => Ok(()),
        Some(labels) => Err(Error::WrongMedium {
            wanted: wanted.clone(),
            found: format!("'{}'", labels.label.label_text),
        }),
        None => Err(Error::WrongMedium {
            wanted: wanted.clone(),
            found: "a medium without label".into(),
        }),
    }
}

/// Locks the pool and the set that a medium belongs to, so that no job uses it meanwhile.
fn lock_owner(
    env: &TapeEnv,
    labels: &MediaLabels,
    task: &dyn TaskContext,
) -> Result<(StateLock, Option<StateLock>)> {
    let patience = Patience::of_task(task);
    let pool = match labels.pool() {
        Some(pool) => env.state.lock_pool(pool, &patience)?,
        None => env.state.lock_unassigned_pool(&patience)?,
    };
    let set = labels.assigned_set().map(|set| env.state.lock_media_set(set.uuid, &patience));
    Ok((pool, set.transpose()?))
}

/// Gives up what is known before the medium is blanked: a catalog must never promise what is gone. An inventory that
/// can't be read keeps both.
fn forget(env: &TapeEnv, labels: &MediaLabels) -> Result<()> {
    let uuid = labels.label.uuid;
    env.inventory.load()?;
    media_catalog::destroy(&env.state, uuid)?;
    env.places.forget(uuid)?;
    env.health.forget_medium(uuid)?;
    env.times.forget(uuid)?;
    env.inventory.update(LOCK_WAIT, |inventory| {
        inventory.remove(uuid);
        Ok(())
    })
}
