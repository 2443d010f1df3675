//! What the emulated library costs its host, each figure beside its limit in the same run (docs/performance.md).
//!
//! `cargo bench -p reel-emu --bench emulated -- [--only NAME]`, with a name of `rate`, `commands` and `streaming`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a bench that cannot go on fails")]

mod commands;
mod rate;
mod streaming;
mod support;

fn main() {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--only").skip(1);
    let only = arguments.next().unwrap_or_default();
    let benches: [(&str, fn()); 3] = [
        ("rate", rate::measure),
        ("commands", commands::measure),
        ("streaming", streaming::measure),
    ];
    for (name, measure) in benches {
        if name.contains(&only) {
            measure();
        }
    }
}
