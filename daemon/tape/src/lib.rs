//! What a medium means: labels, archives, media sets, pools, inventory and catalog.
//!
//! A medium is a list of files: its label, the label of its media set, then archives of chunks, of
//! snapshots and of catalogs. The inventory knows all media, a catalog what is on one. The formats
//! here are pure; only [`InventoryFile`], [`MediaCatalog`] and [`StateDir`] touch files, and nothing in
//! this crate knows SCSI, FUSE or HTTP.

pub mod archive;
pub mod backup;
pub mod catalog_index;
pub mod catalog_restore;
mod chunk_intake;
pub mod drive_desk;
pub mod drive_times;
mod encryption;
pub mod env;
mod error;
pub mod fetch;
pub mod fuzz;
pub mod health;
pub mod inventory;
mod json;
pub mod label;
pub mod media_catalog;
pub mod media_list;
pub mod media_requests;
pub mod medium;
pub mod online;
pub mod ops;
mod pass;
pub mod places;
pub mod plan;
pub mod pool;
pub mod queue;
pub mod restore;
mod resync;
mod retention;
pub mod set_contents;
pub mod set_source;
pub mod snapshot_files;
pub mod state_dir;
#[cfg(test)]
mod testing;
pub mod timing;
pub mod usability;
pub mod verify;

pub use archive::ContentKind;
pub use drive_desk::{
    DriveDesk, DriveHold, DriveLock, DriveOpener, DriveState, Followers, HealthWatch, IdleWatch,
    Loaded, Opening, PlaceInLine,
};
pub use encryption::{TapeKeyFiles, require_key};
pub use env::{COMMIT_POINTS, TapeEnv};
pub use error::{Error, Result};
pub use health::HealthLog;
pub use inventory::{Inventory, InventoryEntry, InventoryFile};
pub use label::{MediaLabel, MediaLabels, MediaSetLabel};
pub use media_catalog::MediaCatalog;
pub use pool::{Choice, MediaPool, PoolPlan, PoolRules, PoolView, Site, WritableMedium};
pub use reel_hw::FileNumber;
pub use state_dir::{StateDir, StateLock};
