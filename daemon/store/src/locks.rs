//! PBS's own locks at PBS's own paths, so that a PBS and reelfs can use one datastore
//! (`datastore.md` §3, §5, §13.2).
//!
//! | lock | object | taken through |
//! |---|---|---|
//! | process | POSIX record lock on `<base>/.lock` | [`ProcessLocks`] |
//! | group, snapshot | `flock` on the folder itself, never waits | [`FolderLock`] |
//! | manifest | `flock` on a file below [`RunDir`], at most 5 s | [`RunDir::lock_manifest`] |
//! | active operations | `flock` on a file below [`RunDir`], at most 10 s | [`RunDir::begin_operation`] |
//!
//! Order: group, snapshot, manifest, never the reverse. A lock that can't be made is an error and
//! never skipped. Every guard releases when it is dropped.

mod folder;
mod lock_file;
mod operations;
mod process;
mod run_dir;

pub use folder::{FolderLock, LockMode};
pub use lock_file::LockFile;
pub use operations::{Operation, OperationCount, OperationGuard};
pub use process::{ExclusiveGuard, ProcessLock, ProcessLocks, SharedGuard};
pub use run_dir::RunDir;
