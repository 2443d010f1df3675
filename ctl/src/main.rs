//! reelctl
fn main() {}
