//! Pulls between datastores: what goes over, what stays, what is left when something fails (`sync.md`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod content;
mod groups;
mod namespaces;
mod remote;
mod scene;
#[path = "../all/support.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;
mod snapshots;
mod vanished;
