//! Labelling all blank media of a library, each as its bar code says (`tape-state.md` §12).

use reel_types::{LabelText, PoolName, TaskContext};

use super::inventory::online_labels;
use super::label::label_medium;
use crate::drive_desk::DriveHold;
use crate::env::TapeEnv;
use crate::medium::load_by_label;
use crate::{Error, Result};

/// Labels all media of the drive's library that are blank and not known, in the order of their bar codes. The last one
/// stays in the drive.
///
/// # Errors
/// [`Error::Unfinished`] where media could not be loaded or written; the others are labelled all the same. Media that
/// hold something are named in the log and left as they are.
pub fn barcode_label(
    env: &TapeEnv,
    hold: &mut DriveHold,
    pool: Option<&PoolName>,
    task: &dyn TaskContext,
) -> Result<()> {
    let labels = online_labels(hold)?;
    if labels.is_empty() {
        return Err(Error::InvalidInput(
            "label by bar code: the changer shows no media with bar codes; put some in".into(),
        ));
    }
    let mut failed = Vec::new();
    for label_text in labels {
        task.check()?;
        if is_known(env, &label_text, task)? {
            continue;
        }
        task.log(&format!("checking/loading media '{label_text}'"));
        match label_one(env, hold, &label_text, pool, task) {
            Ok(()) => {}
            Err(Error::Stopped(stopped)) => return Err(stopped.into()),
            Err(error @ Error::MediumNotEmpty) => {
                task.warn(&format!("media '{label_text}' is left as it is - {error}"));
            }
            Err(error) => {
                task.warn(&format!("unable to label media '{label_text}' - {error}"));
                failed.push(label_text.to_string());
            }
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(Error::Unfinished(format!(
            "media {} could not be labelled; the task log says why",
            failed.join(", ")
        ))),
    }
}

fn is_known(env: &TapeEnv, label_text: &LabelText, task: &dyn TaskContext) -> Result<bool> {
    match env.inventory.load()?.find_by_label_text(label_text) {
        Ok(None) => Ok(false),
        Ok(Some(_)) => {
            task.log(&format!("media '{label_text}' already inventoried (already labeled)"));
            Ok(true)
        }
        Err(error) => {
            task.warn(&format!("error getting media by unique label: {error}"));
            Ok(true)
        }
    }
}

fn label_one(
    env: &TapeEnv,
    hold: &mut DriveHold,
    label_text: &LabelText,
    pool: Option<&PoolName>,
    task: &dyn TaskContext,
) -> Result<()> {
    load_by_label(hold, label_text)?;
    label_medium(env, hold, label_text, pool, task).map(drop)
}
