//! How fast reelfs is, each figure beside its limit in the same run (docs/performance.md).
//!
//! `cargo bench -p reel-tests --bench speed -- --size 2GiB [--rounds 3] [--only NAME] [--folder PATH]`, with `reeld` and `reelctl`
//! built beside it (`cargo build --release --workspace --bins`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench that cannot go on fails"
)]

mod lto;
mod mount;
mod pull;
mod support;
mod tape;

use support::Options;

fn main() {
    let options = Options::from_command_line();
    if tape::NAMES.iter().any(|name| options.wants(name)) {
        tape::measure(&options);
    }
    if lto::NAMES.iter().any(|name| options.wants(name)) {
        lto::measure(&options);
    }
    if pull::NAMES.iter().any(|name| options.wants(name)) {
        pull::measure(&options);
    }
    if mount::NAMES.iter().any(|name| options.wants(name)) {
        mount::measure(&options);
    }
}
