//! The verbs of `mtx`: one changer.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{ToolError, ToolResult, read_verb};
use crate::changer::{Changer, ChangerStatus, ElementContent};
use crate::error::Error;
use crate::number::{DriveNumber, SlotNumber};

/// What `mtx` is told to do. Names and fields are those of the command line; slots are numbered from 1, drives from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the command line's help tells what each does")]
pub enum MtxVerb {
    Inquiry,
    Inventory,
    Load { slot: u32, drivenum: u32 },
    Scan,
    Status,
    Transfer { from: u32, to: u32 },
    Unload { drivenum: u32, slot: Option<u32> },
}

impl MtxVerb {
    /// The verb `word` with its parameters.
    ///
    /// # Errors
    /// There is no such verb, or it has other parameters.
    pub fn new(word: &str, parameters: &Map<String, Value>) -> ToolResult<Self> {
        read_verb(word, parameters)
    }

    /// Whether it asks: then its answer, or why there is none, is what PBS prints as JSON.
    pub fn is_question(self) -> bool {
        matches!(self, Self::Inquiry | Self::Status)
    }

    /// The drive whose medium is moved, if one is.
    pub fn drive(self) -> Option<DriveNumber> {
        match self {
            Self::Load { drivenum, .. } | Self::Unload { drivenum, .. } => {
                Some(DriveNumber(drivenum))
            }
            _ => None,
        }
    }

    /// Does it; what it answers, null for nothing.
    ///
    /// # Errors
    /// The changer did not do it. `scan` is not a changer's to do.
    pub fn run(self, changer: &mut dyn Changer) -> ToolResult<Value> {
        match self {
            Self::Inquiry => return inquiry(changer),
            Self::Inventory => changer.initialize()?,
            Self::Load { slot, drivenum } => {
                changer.load_slot(number(slot)?, DriveNumber(drivenum))?;
            }
            Self::Scan => {
                return Err(Error::Unsupported { what: "this command", device: "a changer" }.into());
            }
            Self::Status => return Ok(status(&changer.status()?)),
            Self::Transfer { from, to } => changer.transfer(number(from)?, number(to)?)?,
            Self::Unload { drivenum, slot } => unload(changer, DriveNumber(drivenum), slot)?,
        }
        Ok(Value::Null)
    }
}

fn number(slot: u32) -> ToolResult<SlotNumber> {
    let none = || Error::Unsupported { what: "slot 0", device: "a changer" };
    Ok(SlotNumber::new(slot).ok_or_else(none)?)
}

/// What can be seen from the status is said in the words of PBS.
fn unload(changer: &mut dyn Changer, drive: DriveNumber, slot: Option<u32>) -> ToolResult<()> {
    let status = changer.status()?;
    let Ok(element) = status.drive(drive) else { return Err(ToolError::NoSuchDrive(drive)) };
    if element.content.is_empty() {
        return Err(ToolError::DriveEmpty(drive));
    }
    let target = match slot {
        Some(slot) => number(slot)?,
        None => status.unload_target(drive).map_err(|_| ToolError::NoFreeSlot(drive))?,
    };
    changer.unload(drive, Some(target))?;
    Ok(())
}

fn inquiry(changer: &mut dyn Changer) -> ToolResult<Value> {
    let found = changer.identity()?;
    Ok(json!({
        "peripheral_type": found.peripheral_type,
        "peripheral_type_text": found.type_text(),
        "vendor": found.vendor,
        "product": found.product,
        "revision": found.revision,
    }))
}

/// As PBS keeps it (spec tape-state.md §13, "Status cache").
fn status(status: &ChangerStatus) -> Value {
    let drives = status.drives.iter().map(|drive| {
        json!({
            "loaded_slot": drive.loaded_slot.map(SlotNumber::get),
            "status": content(&drive.content),
            "drive_serial_number": drive.drive_serial_number,
            "vendor": drive.vendor,
            "model": drive.model,
            "element_address": drive.address.0,
        })
    });
    let slots = status.slots.iter().map(|slot| {
        json!({
            "import_export": slot.import_export,
            "status": content(&slot.content),
            "element_address": slot.address.0,
        })
    });
    let transports = status.transports.iter().map(|transport| {
        json!({ "status": content(&transport.content), "element_address": transport.address.0 })
    });
    json!({
        "drives": drives.collect::<Value>(),
        "slots": slots.collect::<Value>(),
        "transports": transports.collect::<Value>(),
    })
}

fn content(content: &ElementContent) -> Value {
    match content {
        ElementContent::Empty => "Empty".into(),
        ElementContent::Full => "Full".into(),
        ElementContent::VolumeTag(tag) => json!({ "VolumeTag": tag.as_str() }),
    }
}
