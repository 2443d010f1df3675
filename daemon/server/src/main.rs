//! reeld
fn main() {}
