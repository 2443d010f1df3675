//! The emulated library, and the drivers of `reel-hw` on it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod accidents;
mod changer;
mod cleaning;
mod commands;
mod conformance;
mod folder;
mod garbage;
mod logs;
mod order;
mod quirks;
mod random;
mod support;
mod time;
mod trouble;
