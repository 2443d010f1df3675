//! The in-use marker of a datastore (`datastore.md` §13.2).
//!
//! One JSON file for each store counts the running operations of each process. Entries of dead
//! processes, and of a process id that was given out again, are dropped whenever somebody writes. The
//! own entry is always added: PBS leaves it out when others are listed, which hides a second process.

use std::fs;
use std::io;
use std::time::Duration;

use reel_types::StoreName;
use serde::{Deserialize, Serialize};

use super::{LockFile, LockMode, RunDir};
use crate::failure::{IoContext, StoreError, StoreErrorKind};
use crate::files::read_bounded;

/// How long the marker's lock is waited for; it is held for a rewrite of one small file.
const OPERATIONS_WAIT: Duration = Duration::from_secs(10);
const FOLDER_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o660;
/// A marker of 64 KiB would list some 500 processes.
const MARKER_BYTES_MAX: u64 = 64 << 10;

/// What an operation does to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// It only reads.
    Read,
    /// It may write.
    Write,
}

/// How many operations run on a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationCount {
    /// Those that only read.
    pub read: i64,
    /// Those that may write.
    pub write: i64,
}

impl OperationCount {
    fn add(&mut self, operation: Operation, delta: i64) {
        let count = match operation {
            Operation::Read => &mut self.read,
            Operation::Write => &mut self.write,
        };
        *count = count.saturating_add(delta).max(0);
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ProcessEntry {
    pid: u32,
    starttime: u64,
    active_operations: OperationCount,
}

impl ProcessEntry {
    fn is_alive(&self) -> bool {
        start_time(self.pid).is_ok_and(|start| start == self.starttime)
    }
}

/// One operation is counted until this is dropped.
#[derive(Debug)]
#[must_use = "the operation is over when the guard is dropped"]
pub struct OperationGuard {
    run: RunDir,
    store: StoreName,
    operation: Operation,
}

impl Drop for OperationGuard {
    fn drop(&mut self) {
        if let Err(error) = self.run.count(&self.store, self.operation, -1) {
            tracing::error!("{error}");
        }
    }
}

impl RunDir {
    /// Counts one more operation on `store`; waits up to 10 seconds for the marker.
    pub fn begin_operation(
        &self,
        store: &StoreName,
        operation: Operation,
    ) -> Result<OperationGuard, StoreError> {
        self.count(store, operation, 1)?;
        Ok(OperationGuard { run: self.clone(), store: store.clone(), operation })
    }

    /// How many operations of all live processes run on `store`.
    pub fn active_operations(&self, store: &StoreName) -> Result<OperationCount, StoreError> {
        let _lock = self.lock_operations(store)?;
        let mut sum = OperationCount::default();
        for entry in self.live_entries(store)? {
            sum.add(Operation::Read, entry.active_operations.read);
            sum.add(Operation::Write, entry.active_operations.write);
        }
        Ok(sum)
    }

    fn count(&self, store: &StoreName, operation: Operation, delta: i64) -> Result<(), StoreError> {
        let _lock = self.lock_operations(store)?;
        let tried = || marker_of(store);
        let pid = std::process::id();
        let starttime = start_time(pid).tried(tried)?;
        let mut entries = self.live_entries(store)?;
        match entries.iter_mut().find(|entry| entry.pid == pid) {
            Some(own) => own.active_operations.add(operation, delta),
            None => {
                let mut active_operations = OperationCount::default();
                active_operations.add(operation, delta);
                entries.push(ProcessEntry { pid, starttime, active_operations });
            }
        }
        let content = serde_json::to_vec(&entries).map_err(io::Error::from).tried(tried)?;
        self.user()
            .replace(&self.operations_dir(), store.as_str(), &content, FILE_MODE)
            .tried(tried)
    }

    fn lock_operations(&self, store: &StoreName) -> Result<LockFile, StoreError> {
        let dir = self.operations_dir();
        self.user().make_dirs(self.path(), 0o755).tried(|| marker_of(store))?;
        self.user().make_dirs(&dir, FOLDER_MODE).tried(|| marker_of(store))?;
        let wait = self.wait(OPERATIONS_WAIT);
        let path = dir.join(format!("{store}.lock"));
        LockFile::take(&path, LockMode::Exclusive, wait, self.user(), &marker_of(store))
    }

    fn live_entries(&self, store: &StoreName) -> Result<Vec<ProcessEntry>, StoreError> {
        let path = self.operations_dir().join(store);
        let content = match read_bounded(&path, MARKER_BYTES_MAX, &marker_of(store)) {
            Ok(content) => content,
            Err(error) if error.kind() == StoreErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut entries: Vec<ProcessEntry> = serde_json::from_slice(&content).map_err(|cause| {
            StoreError::new(StoreErrorKind::Corrupt, marker_of(store), cause.to_string())
                .advise("remove the file when nothing uses the datastore")
                .caused_by(cause)
        })?;
        entries.retain(ProcessEntry::is_alive);
        Ok(entries)
    }

    fn operations_dir(&self) -> std::path::PathBuf {
        self.path().join("active-operations")
    }
}

fn marker_of(store: &StoreName) -> String {
    format!("the list of active operations on datastore '{store}'")
}

/// When a process was started, in clock ticks since boot: field 22 of `/proc/<pid>/stat`.
fn start_time(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_start_time(&stat).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// The second field is the program's name in parentheses and may itself hold blanks and parentheses.
fn parse_start_time(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::ServiceUser;

    fn run_dir() -> (tempfile::TempDir, RunDir, StoreName) {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::new(dir.path().join("run"), ServiceUser::current());
        (dir, run, "store1".parse().unwrap())
    }

    #[test]
    fn counts_until_dropped() {
        let (_dir, run, store) = run_dir();
        let read = run.begin_operation(&store, Operation::Read).unwrap();
        let write = run.begin_operation(&store, Operation::Write).unwrap();
        let again = run.begin_operation(&store, Operation::Read).unwrap();
        let count = run.active_operations(&store).unwrap();
        assert_eq!(count, OperationCount { read: 2, write: 1 });
        drop((read, write, again));
        assert_eq!(run.active_operations(&store).unwrap(), OperationCount::default());
    }

    #[test]
    fn the_dead_do_not_count() {
        let (_dir, run, store) = run_dir();
        drop(run.begin_operation(&store, Operation::Read).unwrap());
        let stale = r#"[{"pid":1,"starttime":1,"active_operations":{"read":3,"write":4}}]"#;
        fs::write(run.operations_dir().join(&store), stale).unwrap();
        assert_eq!(run.active_operations(&store).unwrap(), OperationCount::default());
    }

    #[test]
    fn another_live_process_counts_beside_us() {
        let (_dir, run, store) = run_dir();
        drop(run.begin_operation(&store, Operation::Read).unwrap());
        let other = std::os::unix::process::parent_id();
        let starttime = start_time(other).unwrap();
        let entry = format!(
            r#"[{{"pid":{other},"starttime":{starttime},"active_operations":{{"read":1,"write":0}}}}]"#
        );
        fs::write(run.operations_dir().join(&store), entry).unwrap();
        let _own = run.begin_operation(&store, Operation::Write).unwrap();
        let count = run.active_operations(&store).unwrap();
        assert_eq!(count, OperationCount { read: 1, write: 1 });
    }

    #[test]
    fn a_damaged_marker_is_an_error() {
        let (_dir, run, store) = run_dir();
        drop(run.begin_operation(&store, Operation::Read).unwrap());
        fs::write(run.operations_dir().join(&store), "{").unwrap();
        let error = run.begin_operation(&store, Operation::Read).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    }

    #[test]
    fn names_of_programs_may_hold_anything() {
        let fields = (3..=22).map(|field| field.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(parse_start_time(&format!("77 (a) b (c) {fields} 23")), Some(22));
        assert_eq!(parse_start_time("77 (a"), None);
    }
}
