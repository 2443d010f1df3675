//! reel-index
