//! The tree driven through the engine of `reel_fs`, without a mount, on data that PBS wrote.

mod datastore;
mod media_sets;
mod objects;
mod support;
