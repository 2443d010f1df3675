//! reel-store
