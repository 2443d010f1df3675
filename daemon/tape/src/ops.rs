//! What operators do with single media: label, format, read labels, take stock (`tape-state.md` §12).
//!
//! Each function works on a drive that the caller holds, and says in the task's log what PBS says there.

mod barcode_label;
mod clean;
mod format;
mod inventory;
mod label;
mod note;
mod remove;
mod scan;

pub use barcode_label::barcode_label;
pub use clean::clean_drive;
pub use format::format_medium;
pub(crate) use inventory::store_labels;
pub use inventory::{InventoryUpdate, online_labels, read_and_store_labels, update_inventory};
pub use label::label_medium;
pub use note::{mark_medium, note_location};
pub use remove::{MediumName, destroy_medium};
pub use scan::scan_medium;
