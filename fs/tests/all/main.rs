//! Tests of the file system as a whole: the engine driven by hand, and real mounts.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers too"
)]

mod engine;
mod mounted;
mod prepared;
mod support;
