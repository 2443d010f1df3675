//! Labelling a blank medium (`tape-format.md` §13).

use reel_types::{LabelText, MediaId, PoolName, TaskContext};
use uuid::Uuid;

use crate::drive_desk::DriveHold;
use crate::env::TapeEnv;
use crate::label::{MediaLabel, MediaLabels};
use crate::media_catalog::MediaCatalog;
use crate::medium::{Beginning, data_tag, read_labels, write_label};
use crate::state_dir::LOCK_WAIT;
use crate::{Error, Result};

/// Writes a label to the blank medium in the drive and adds the medium to the inventory.
///
/// # Errors
/// A medium that holds anything, also of a foreign program, is refused, and so is a label that exists, or that is one of
/// cleaning cartridges.
pub fn label_medium(
    env: &TapeEnv,
    hold: &mut DriveHold,
    label_text: &LabelText,
    pool: Option<&PoolName>,
    task: &dyn TaskContext,
) -> Result<MediaId> {
    data_tag(label_text)?;
    must_be_blank(hold)?;
    if env.inventory.load()?.find_by_label_text(label_text)?.is_some() {
        return Err(Error::LabelExists(label_text.clone()));
    }
    must_carry(hold, label_text)?;
    let protected = hold.drive().write_protected().map_err(|source| hold.failed(source))?;
    if protected {
        return Err(Error::WriteProtected(label_text.clone()));
    }
    let label = MediaLabel {
        ctime: env.clock.now(),
        label_text: label_text.clone(),
        pool: pool.cloned(),
        uuid: MediaId(Uuid::new_v4()),
    };
    match pool {
        Some(pool) => task.log(&format!("Label media '{label_text}' for pool '{pool}'")),
        None => task.log(&format!("Label media '{label_text}' (no pool assignment)")),
    }
    write_label(hold, &label)?;
    env.reached("label: written");
    let labels = MediaLabels { label, media_set_label: None };
    register(env, &labels)?;
    Ok(labels.label.uuid)
}

fn must_be_blank(hold: &mut DriveHold) -> Result<()> {
    match read_labels(hold) {
        Ok(Beginning::Blank) | Err(Error::FilemarkAtBeginning) => Ok(()),
        Ok(Beginning::Labelled(_)) => Err(Error::MediumNotEmpty),
        Err(error) => Err(error),
    }
}

/// Fails where the changer reads another bar code on the cartridge: nobody would find it by its label.
fn must_carry(hold: &mut DriveHold, label_text: &LabelText) -> Result<()> {
    if hold.has_brought(label_text) {
        return Ok(());
    }
    let number = hold.drive_number();
    let Some(changer) = hold.changer() else { return Ok(()) };
    let status = changer.known_status().map_err(|source| hold.failed(source))?;
    let element = status.drive(number).map_err(|source| hold.failed(source))?;
    match element.content.tag() {
        Some(tag) if tag.as_str() != label_text.as_str() => Err(Error::WrongMedium {
            wanted: label_text.clone(),
            found: format!("a cartridge with the bar code '{tag}'"),
        }),
        _ => Ok(()),
    }
}

fn register(env: &TapeEnv, labels: &MediaLabels) -> Result<()> {
    let _lock = match &labels.label.pool {
        Some(pool) => env.state.lock_pool(pool, LOCK_WAIT)?,
        None => env.state.lock_unassigned_pool(LOCK_WAIT)?,
    };
    MediaCatalog::overwrite(&env.state, labels)?;
    env.reached("label: catalog created");
    env.inventory.update(LOCK_WAIT, |inventory| {
        inventory.store(labels.clone(), false);
        Ok(())
    })?;
    env.reached("label: inventory stored");
    Ok(())
}
