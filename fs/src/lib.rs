//! reel-fs
