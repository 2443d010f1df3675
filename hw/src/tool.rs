//! What the tools `mt` and `mtx` do with one device (spec cli-tape.md §§11 and 12).
//!
//! A tool does what it is told, and nothing beside: the device is not reserved, no medium is loaded or waited for, no
//! setting is made before and none put back after. That is what somebody needs who looks for what is wrong with it.
//!
//! A verb is made from the words and parameters of a command ([`MtVerb::new`], [`MtxVerb::new`]), and what it answers is
//! the JSON that PBS's tools print. So whoever opens the device, `reelctl` or the daemon, the verb does the same.

mod mt;
mod mtx;
mod plain_drive;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::discovery::Discovery;
use crate::error::Error;
use crate::number::DriveNumber;
use crate::scsi::{DeviceType, Sense, sense_text};

pub use mt::{DriveModes, MtVerb, memory};
pub use mtx::MtxVerb;

/// Why a verb was not done.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The words and parameters are no verb, or the answer is nothing that JSON can tell.
    #[error("parameters or answer of the command: {0}")]
    Json(#[from] serde_json::Error),

    /// Spacing met something before it was done.
    #[error("{what} failed - {}, Additional sense: {}", met.key.name(), sense_text::describe(met.asc, met.ascq))]
    Stopped {
        /// What was tried.
        what: &'static str,
        /// What it met.
        met: Sense,
    },

    /// Nothing to unload.
    #[error("Drive {0} is empty.")]
    DriveEmpty(DriveNumber),

    /// The changer has no such drive.
    #[error("Drive {0} does not exist.")]
    NoSuchDrive(DriveNumber),

    /// No slot to unload to.
    #[error("Drive '{0}' unload failure - no free slot")]
    NoFreeSlot(DriveNumber),

    /// The device did not do it.
    #[error(transparent)]
    Device(#[from] Error),
}

/// What may fail so.
pub type ToolResult<T> = Result<T, ToolError>;

impl ToolError {
    /// The errno a file system shows for this error.
    pub fn errno(&self) -> i32 {
        match self {
            Self::Json(_) => libc::EINVAL,
            Self::Stopped { .. } => libc::EIO,
            Self::DriveEmpty(_) => libc::ENOMEDIUM,
            Self::NoSuchDrive(_) => libc::EINVAL,
            Self::NoFreeSlot(_) => libc::ENOSPC,
            Self::Device(error) => error.errno(),
        }
    }
}

/// Reads a verb, whose fields are the parameters that it knows; others are passed over.
fn read_verb<V: DeserializeOwned>(word: &str, parameters: &Map<String, Value>) -> ToolResult<V> {
    let mut tagged = parameters.clone();
    tagged.insert("verb".to_owned(), word.into());
    Ok(serde_json::from_value(Value::Object(tagged))?)
}

/// The devices of a kind that the kernel knows, as `pmt scan` and `pmtx scan` list them.
///
/// # Errors
/// Where sysfs cannot be read.
pub fn scan(kind: DeviceType) -> ToolResult<Value> {
    let found = Discovery::default().scan(kind);
    let found =
        found.map_err(|source| Error::io("scan", "/sys/class/scsi_generic".as_ref(), source))?;
    Ok(serde_json::to_value(found)?)
}

/// The result of a question as PBS's tools print it in JSON: `{"Ok": …}` or `{"Err": "…"}`.
pub fn wrapped<E: std::fmt::Display>(outcome: Result<Value, E>) -> Value {
    match outcome {
        Ok(value) => serde_json::json!({ "Ok": value }),
        Err(error) => serde_json::json!({ "Err": error.to_string() }),
    }
}
