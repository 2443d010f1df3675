//! reel-tape
