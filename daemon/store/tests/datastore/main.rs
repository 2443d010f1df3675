//! The datastore half of the crate against real files: those that PBS wrote, those that were damaged
//! on purpose, those that we write, and locks against a second process.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail their test")]

mod damaged_store;
mod locks;
mod pbs_store;
mod support;
mod writing;
