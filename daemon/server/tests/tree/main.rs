//! The tree on data that PBS wrote: driven through the engine of `reel_fs`, and a little of it mounted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail their test")]

mod datastore;
mod live;
mod media_sets;
mod mounted;
mod objects;
mod pbs;
mod rights;
#[path = "../../../remote/tests/all/support.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;
mod support;
