//! reel-hw
