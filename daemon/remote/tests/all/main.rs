//! The client against a server of ours, which speaks as the recorded one and misbehaves on purpose.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod browse;
mod login;
mod reader;
mod support;
mod trust;
