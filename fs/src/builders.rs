//! Nodes made of closures and values, so that a tree reads like its drawing.
//!
//! ```
//! use reel_fs::{Entry, FnDir, StaticDir, fact, text};
//!
//! let pools = FnDir::new(
//!     || Ok(vec![Entry::directory("daily")]),
//!     |name| Ok(StaticDir::new().with("name", text(format!("{}\n", name.display()))).node()),
//! );
//! let root = StaticDir::new()
//!     .with("version", text("1\n"))
//!     .with("uptime", fact(|| Ok("5\n".to_string())))
//!     .with("pools", pools.node());
//! ```

mod directories;
mod files;

pub use directories::{FnDir, StaticDir};
pub use files::{FnFact, FnSymlink, MemoryContent, fact, facts, symlink, text};
