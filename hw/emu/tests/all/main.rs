//! The emulated library, and the drivers of `reel-hw` on it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod accidents;
mod changer;
mod cleaning;
mod commands;
mod conformance;
mod fixed;
mod folder;
mod garbage;
mod health;
mod hosts;
mod logs;
mod meddling;
mod opening;
mod order;
mod quirks;
mod random;
mod recovery;
mod stores;
mod support;
mod time;
mod tool;
mod trouble;
