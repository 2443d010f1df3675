//! reel-tests
