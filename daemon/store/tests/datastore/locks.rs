//! Every lock against a second process, in both directions.
//!
//! The other process is Python, which uses the same system calls as PBS and nothing of ours.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use reel_store::locks::{FolderLock, LockMode, Operation, ProcessLocks, RunDir};
use reel_store::{ServiceUser, StoreErrorKind};

/// Holds or tries locks as it is told, a line each.
const OTHER: &str = r#"
import fcntl, os, struct, sys
held = {}
def record(fd, kind):
    fcntl.fcntl(fd, fcntl.F_SETLK, struct.pack('hhqqi', kind, os.SEEK_SET, 0, 0, 0))
for line in sys.stdin:
    verb, path = line.rstrip('\n').split(' ', 1)
    try:
        if verb == 'release':
            os.close(held.pop(path))
        else:
            if path not in held:
                held[path] = os.open(path, os.O_RDONLY if os.path.isdir(path) else os.O_RDWR)
            fd = held[path]
            if verb == 'flock-shared': fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            elif verb == 'flock-exclusive': fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            elif verb == 'record-shared': record(fd, fcntl.F_RDLCK)
            elif verb == 'record-exclusive': record(fd, fcntl.F_WRLCK)
        print('yes', flush=True)
    except OSError:
        print('no', flush=True)
"#;

struct Other {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Other {
    /// None, with a word about it, where there is no Python.
    fn start() -> Option<Self> {
        let child = Command::new("python3")
            .args(["-c", OTHER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            eprintln!("skipped: no python3 to hold locks");
            return None;
        };
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Some(Self { child, input, output })
    }

    fn does(&mut self, verb: &str, path: &Path) -> bool {
        writeln!(self.input, "{verb} {}", path.display()).unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        answer == "yes\n"
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn is_locked<T>(result: Result<T, reel_store::StoreError>) -> bool {
    matches!(result, Err(error) if error.kind() == StoreErrorKind::Locked)
}

#[test]
fn process_lock() {
    let Some(mut other) = Other::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(".lock");
    let locks = ProcessLocks::new();
    let lock = locks.open(&path, ServiceUser::current()).unwrap();

    let first = lock.shared(1).unwrap();
    let second = lock.shared(2).unwrap();
    assert!(!other.does("record-exclusive", &path), "we hold it shared");
    assert!(other.does("record-shared", &path), "shared beside shared");
    assert!(is_locked(lock.exclusive()), "the other holds it shared");
    assert!(other.does("release", &path));
    let exclusive = lock.exclusive().unwrap();
    assert!(!other.does("record-shared", &path), "we hold it exclusively");
    drop(exclusive);
    drop(first);
    assert!(!other.does("record-exclusive", &path), "the shared guard was left");
    drop(locks.open(&path, ServiceUser::current()).unwrap());
    assert!(!other.does("record-exclusive", &path), "opening it again drops nothing");
    drop(second);
    assert!(other.does("record-exclusive", &path));
    assert!(is_locked(lock.shared(3)), "the other collects garbage");
    assert!(lock.oldest_shared().is_none(), "a refused guard leaves nothing");
    assert!(is_locked(lock.exclusive()));
    assert!(other.does("release", &path));
    assert!(lock.shared(4).is_ok());
}

#[test]
fn folder_locks() {
    let Some(mut other) = Other::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let take = |mode| FolderLock::take(dir.path(), mode, "snapshot");

    let shared = take(LockMode::Shared).unwrap();
    assert!(!other.does("flock-exclusive", dir.path()));
    assert!(other.does("flock-shared", dir.path()));
    assert!(is_locked(take(LockMode::Exclusive)));
    drop(shared);
    assert!(other.does("flock-exclusive", dir.path()));
    assert!(is_locked(take(LockMode::Shared)));
    assert!(other.does("release", dir.path()));
    let _exclusive = take(LockMode::Exclusive).unwrap();
    assert!(!other.does("flock-shared", dir.path()));
}

#[test]
fn manifest_lock() {
    let Some(mut other) = Other::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let run = RunDir::new(dir.path(), ServiceUser::current()).with_patience(Duration::ZERO);
    let (store, snapshot) =
        ("store1".parse().unwrap(), "ns/a/vm/100/2020-06-26T13:56:05Z".parse().unwrap());
    let path = dir
        .path()
        .join("locks/store1/ns/a/vm/100/2020-06-26T13:56:05Z/2020-06-26T13:56:05Z.index.json.lck");
    let held = run.lock_manifest(&store, &snapshot).unwrap();
    assert!(!other.does("flock-exclusive", &path));
    drop(held);
    assert!(other.does("flock-exclusive", &path));
    assert!(is_locked(run.lock_manifest(&store, &snapshot)));
    let patient = RunDir::new(dir.path(), ServiceUser::current());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| patient.lock_manifest(&store, &snapshot).map(drop));
        assert!(other.does("release", &path));
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn active_operations_lock() {
    let Some(mut other) = Other::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let run = RunDir::new(dir.path(), ServiceUser::current()).with_patience(Duration::ZERO);
    let store = "store1".parse().unwrap();
    let operation = run.begin_operation(&store, Operation::Write).unwrap();
    let lock = dir.path().join("active-operations/store1.lock");
    assert!(other.does("flock-exclusive", &lock));
    assert!(is_locked(run.begin_operation(&store, Operation::Read)));
    assert!(other.does("release", &lock));
    let marker = std::fs::read_to_string(dir.path().join("active-operations/store1")).unwrap();
    let pid = std::process::id();
    assert!(marker.contains(&format!("\"pid\":{pid}")), "{marker}");
    drop(operation);
    assert_eq!(run.active_operations(&store).unwrap().write, 0);
}
