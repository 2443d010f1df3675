//! reel-types
