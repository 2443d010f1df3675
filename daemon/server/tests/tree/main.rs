//! The tree on data that PBS wrote: driven through the engine of `reel_fs`, and a little of it mounted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail their test")]

mod datastore;
mod media_sets;
mod mounted;
mod objects;
mod rights;
mod support;
