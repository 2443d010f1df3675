//! A synthetic file system: directories, fact files, control files and streamed content.
//!
//! A program describes its objects with a few small traits and this crate shows them through
//! FUSE. It knows nothing of what the objects mean.
//!
//! - [`Directory`] finds its children when asked; nothing is built ahead.
//! - [`Fact`] is text that is made once at `open`; [`KeyValues`] is the usual form of it.
//! - [`Control`] takes commands, a line each; [`ControlLog`] remembers what it refused and which
//!   task it started.
//! - [`Content`] streams bytes, with true sizes, holes and extended attributes.
//! - [`Wait`] blocks its reader until something has happened.
//! - [`Symlink`] and [`Special`] are what they say.
//!
//! Two layers keep tests easy. [`FileSystem`] is the engine: it owns inode numbers, handles and
//! the rules, and answers with plain values. The private module `fuse` translates between the
//! kernel and the engine and decides nothing. [`mount`] joins them.
//!
//! What can't be answered at once is a future on the program's own [`Spawner`], so a thousand
//! waiting reads cost memory and no thread. A waiting request whose process gets a signal is
//! answered EINTR and its future is dropped: dropping is how a node learns that nobody waits.

mod attributes;
mod builders;
mod content;
mod control;
mod directory;
mod engine;
mod error;
mod fact;
mod fuse;
mod guard;
mod handles;
mod inodes;
mod key_values;
mod mount;
mod node;
mod spawn;
mod wait;
mod waiters;

pub use attributes::{Attributes, Caller, Entry, EntryKind, Stat};
pub use builders::{
    FnDir, FnFact, FnSymlink, MemoryContent, StaticDir, fact, facts, symlink, text,
};
pub use content::{Caching, Content, ContentHandle, Seek};
pub use control::{Clock, Control, ControlFile, ControlLog, FnControl, Outcome, Work};
pub use directory::{Attempt, Directory, Freshness, Move};
pub use engine::{
    Access, AllowAll, Answer, Authorizer, EngineOptions, FileSystem, Listed, Opened, PollState,
    Prepared, SharedDirectoryListing,
};
pub use error::{FsError, errno_name};
pub use fact::Fact;
pub use inodes::InodeNumber;
pub use key_values::{KeyValues, Value, key_values};
pub use mount::{Acl, Invalidator, MountError, MountOptions, Mounted, mount, recover_stale_mount};
pub use node::{Node, Special, SpecialKind, Symlink};
pub use spawn::{Preparation, Spawner, ThreadPool};
pub use wait::{Wait, Waited};
