//! The reelfs daemon as a library: a [`Reeld`] value owns configuration, stores, drives and tasks, and
//! nothing in here is global, so that a test can run two of them in one process.
//!
//! Two doors lead in, the socket ([`api`]) and the mount (`tree`); behind both stands the same function for each
//! command ([`Reeld::run`]).

pub mod api;
mod auto_clean;
mod barcode_sheet;
mod cartridge_moves;
mod chores;
pub mod commands;
pub mod content;
pub(crate) mod devices;
pub mod drives;
mod exports;
pub mod failure;
pub mod folders;
mod holes;
mod jobs;
mod libraries;
mod live;
mod memo;
mod notifications;
pub mod notify;
pub mod options;
pub mod reeld;
pub mod rights;
pub mod runtime;
pub mod serving;
mod state_export;
pub mod stores;
pub mod tasks;
mod tokens;
pub mod tree;

pub use failure::{Failure, Outcome};
pub use folders::Folders;
pub use reeld::{Reeld, Surroundings};
