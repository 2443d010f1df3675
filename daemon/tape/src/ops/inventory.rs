//! Taking stock: which media are in the library, and what their labels say (`tape-state.md` §12).

use std::collections::BTreeSet;

use reel_types::{LabelText, MediaId, TaskContext};

use crate::catalog_restore::restore_saved;
use crate::drive_desk::DriveHold;
use crate::encryption;
use crate::env::TapeEnv;
use crate::label::MediaLabels;
use crate::media_catalog;
use crate::medium::{Beginning, load_by_label, read_labels, unload_medium};
use crate::state_dir::LOCK_WAIT;
use crate::{Error, Result};

/// Which labels are read from the media themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct InventoryUpdate {
    /// Also those of media that are known.
    pub all: bool,
    /// Take the catalogs that are saved on the media, too.
    pub catalog: bool,
}

/// Reads the labels of the medium in the drive, and adds it to the inventory if `inventorize`.
pub fn read_and_store_labels(
    env: &TapeEnv,
    hold: &mut DriveHold,
    inventorize: bool,
) -> Result<MediaLabels> {
    let Beginning::Labelled(labels) = read_labels(hold)? else {
        return Err(Error::MediumBlank);
    };
    if inventorize {
        store_labels(env, &labels)?;
    }
    Ok(labels)
}

/// Adds a medium to the inventory; a catalog that doesn't fit its labels is given up.
pub(crate) fn store_labels(env: &TapeEnv, labels: &MediaLabels) -> Result<()> {
    // Nothing is given up for an inventory that can't be written afterwards.
    env.inventory.load()?;
    let _pool = match labels.pool() {
        Some(pool) => env.state.lock_pool(pool, LOCK_WAIT)?,
        None => env.state.lock_unassigned_pool(LOCK_WAIT)?,
    };
    let _set = labels
        .assigned_set()
        .map(|set| env.state.lock_media_set(set.uuid, LOCK_WAIT))
        .transpose()?;
    media_catalog::destroy_unrelated(&env.state, labels)?;
    env.inventory.update(LOCK_WAIT, |inventory| {
        inventory.store(labels.clone(), false);
        Ok(())
    })
}

/// Loads each medium of the library in turn, reads its labels and adds it to the inventory.
///
/// One that can't be read is named in the log and left, and the next one is taken.
pub fn update_inventory(
    env: &TapeEnv,
    hold: &mut DriveHold,
    options: InventoryUpdate,
    task: &dyn TaskContext,
) -> Result<()> {
    for label_text in online_labels(hold)? {
        task.check()?;
        if is_known(env, &label_text, options, task)? {
            continue;
        }
        match one_medium(env, hold, &label_text, options, task) {
            Ok(()) => {}
            Err(Error::Stopped(stopped)) => return Err(stopped.into()),
            Err(error) => {
                task.warn(&format!("unable to read label of media '{label_text}' - {error}"))
            }
        }
    }
    Ok(())
}

/// The labels of all media that the drive's library can load.
pub fn online_labels(hold: &mut DriveHold) -> Result<BTreeSet<LabelText>> {
    let name = hold.name().clone();
    let Some(changer) = hold.changer() else {
        return Err(Error::NoChanger { drive: name });
    };
    let online = changer.online_media().map_err(|source| hold.failed(source))?;
    Ok(online.iter().filter_map(|tag| tag.as_str().parse().ok()).collect())
}

fn is_known(
    env: &TapeEnv,
    label_text: &LabelText,
    options: InventoryUpdate,
    task: &dyn TaskContext,
) -> Result<bool> {
    if options.all {
        return Ok(false);
    }
    let inventory = env.inventory.load()?;
    let entry = match inventory.find_by_label_text(label_text) {
        Ok(entry) => entry,
        Err(error) => {
            task.warn(&format!("error getting media by unique label: {error}"));
            return Ok(true);
        }
    };
    let Some(entry) = entry else { return Ok(false) };
    let lacks_catalog = options.catalog
        && entry.assigned_set().is_some()
        && !media_catalog::exists(&env.state, entry.uuid());
    if !lacks_catalog {
        task.log(&format!("media '{label_text}' already inventoried"));
    }
    Ok(!lacks_catalog)
}

fn one_medium(
    env: &TapeEnv,
    hold: &mut DriveHold,
    label_text: &LabelText,
    options: InventoryUpdate,
    task: &dyn TaskContext,
) -> Result<()> {
    load_by_label(hold, label_text)?;
    let labels = match read_labels(hold)? {
        Beginning::Labelled(labels) => labels,
        Beginning::Blank => {
            task.log(&format!("media '{label_text}' is empty"));
            return unload_medium(hold, task);
        }
    };
    if labels.label.label_text != *label_text {
        task.warn(&format!(
            "label text mismatch ({label_text} != {}), not inventoried",
            labels.label.label_text
        ));
        return Ok(());
    }
    task.log(&format!("inventorize media '{label_text}' with uuid '{}'", labels.label.uuid));
    store_labels(env, &labels)?;
    if options.catalog {
        take_saved_catalogs(env, hold, &labels, task)?;
    }
    unload_medium(hold, task)
}

fn take_saved_catalogs(
    env: &TapeEnv,
    hold: &mut DriveHold,
    labels: &MediaLabels,
    task: &dyn TaskContext,
) -> Result<()> {
    let uuid: MediaId = labels.label.uuid;
    let Some(set_label) = labels.assigned_set() else {
        return Ok(());
    };
    if media_catalog::exists(&env.state, uuid) {
        return Ok(());
    }
    match encryption::unlock(env, hold, set_label, task) {
        Err(error) if error.is_about_key() => {
            let label_text = &labels.label.label_text;
            task.warn(&format!("the catalogs on media '{label_text}' can't be read: {error}"));
            return Ok(());
        }
        unlocked => unlocked?,
    }
    if !restore_saved(env, hold, labels, set_label, task)? {
        task.warn(&format!(
            "no catalog is saved on media '{}'; make one with 'catalog --scan'",
            labels.label.label_text
        ));
    }
    Ok(())
}
