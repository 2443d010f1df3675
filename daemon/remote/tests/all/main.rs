//! The client against a server that speaks as the recorded one and misbehaves on purpose, and against the one that
//! `reeld --listen` is.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod browse;
mod login;
mod reader;
mod recorded;
mod served_lists;
mod served_logins;
mod served_readers;
mod served_rude;
mod serving;
mod support;
mod trust;
