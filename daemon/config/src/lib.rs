//! reel-config
