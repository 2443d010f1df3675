//! `tasks/`: what runs, what ran, and a file that waits for the end.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use reel_fs::{
    Attributes, Caller, Content, ContentHandle, Entry, FnDir, FnFact, FsError, KeyValues, Node,
    Wait, Waited, symlink,
};
use reel_types::Upid;
use reel_types::commands::Place;

use super::Tree;
use super::facts::{fs_error, key_values, no_such, parsed, plain, utc};
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;
use crate::tasks::{TaskEnd, TaskStatus};

const REFUSAL: &str = "tasks are kept as they were; 'stop' in the ctl of a running one ends it";

/// The folder of all tasks.
pub(super) fn tasks(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let tasks = all.reeld.tasks.list().map_err(Failure::from).map_err(fs_error)?;
        Ok(tasks.into_iter().map(|task| Entry::directory(task.upid.to_string())).collect())
    };
    let lookup = move |name: &std::ffi::OsStr| {
        let upid: Upid = parsed(name)?;
        one.reeld.tasks.end_of(&upid).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => no_such(name),
            _ => fs_error(error.into()),
        })?;
        Ok(task(&one, upid))
    };
    FnDir::new(entries, lookup).beside(plain(REFUSAL).with("active", active(tree))).node()
}

/// Links to the tasks that run.
fn active(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let running = all.reeld.tasks.active();
        Ok(running.iter().map(|upid| Entry::symlink(upid.to_string())).collect())
    };
    let lookup = move |name: &std::ffi::OsStr| {
        let upid: Upid = parsed(name)?;
        let running = one.reeld.tasks.running(&upid).ok_or_else(|| no_such(name))?;
        Ok(symlink(format!("../{}", running.upid())))
    };
    FnDir::new(entries, lookup).beside(plain(REFUSAL)).node()
}

fn task(tree: &Arc<Tree>, upid: Upid) -> Node {
    let with = |fact: fn(&Reeld, &Upid) -> Outcome<KeyValues>| {
        let (reeld, upid) = (Arc::clone(&tree.reeld), upid.clone());
        move || fact(&reeld, &upid)
    };
    let log = TaskLog { path: tree.reeld.tasks.log_path(&upid) };
    let wait = TaskWait { reeld: Arc::clone(&tree.reeld), upid: upid.clone() };
    tree.controlled(Place::Task(upid.clone()), REFUSAL)
        .with_all(key_values("status", with(status)))
        .with_all(live("progress", with(progress)))
        .with("log", Node::Content(Arc::new(log)))
        .with("wait", Node::Wait(Arc::new(wait)))
        .node()
}

/// As [`key_values`], rendered anew at each read of the beginning.
fn live(
    name: &str,
    values: impl Fn() -> Outcome<KeyValues> + Send + Sync + 'static,
) -> [(String, Node); 2] {
    let values = Arc::new(values);
    let json_values = Arc::clone(&values);
    let text = move || Ok(values().map_err(fs_error)?.to_text());
    let json = move || json_values().map_err(fs_error)?.to_json();
    [
        (name.into(), FnFact::new(text).live().node()),
        (format!("{name}.json"), FnFact::new(json).live().node()),
    ]
}

fn status(reeld: &Reeld, upid: &Upid) -> Outcome<KeyValues> {
    let parts = upid.parts();
    let end = reeld.tasks.end_of(upid)?;
    let waits_for = reeld.tasks.running(upid).and_then(|task| task.waits_for_now());
    Ok(KeyValues::new()
        .with("state", if end.is_some() { "stopped" } else { "running" })
        .with("waits-for", waits_for)
        .with("exit-status", end.as_ref().map(|end| end.status.to_string()))
        .with("worker-type", parts.worker_type.as_str())
        .with("worker-id", parts.worker_id.clone())
        .with("user", parts.auth_id.to_string())
        .with("start-time", utc(i64::from(parts.starttime)))
        .with("end-time", end.map(|end| utc(end.time)))
        .with("pid", u64::from(parts.pid)))
}

fn progress(reeld: &Reeld, upid: &Upid) -> Outcome<KeyValues> {
    let now = reeld.tasks.running(upid).and_then(|task| task.progress_now());
    Ok(now.map_or_else(KeyValues::new, |progress| {
        KeyValues::new()
            .with("done", progress.done)
            .with("total", progress.total)
            .with("unit", progress.what)
    }))
}

/// `log`: read from its file piece by piece, since it may be long. It only grows, so what was there at open stays.
struct TaskLog {
    path: PathBuf,
}

impl TaskLog {
    fn failed(&self, tried: &str, error: &io::Error) -> FsError {
        let errno = error.raw_os_error().unwrap_or(nix::libc::EIO);
        FsError::new(errno, format!("{tried} '{}': {error}", self.path.display()))
    }
}

impl Content for TaskLog {
    fn size(&self) -> Result<u64, FsError> {
        let metadata = self.path.metadata().map_err(|error| self.failed("stat", &error))?;
        Ok(metadata.len())
    }

    fn attributes(&self) -> Attributes {
        let modified = self.path.metadata().and_then(|metadata| metadata.modified());
        Attributes { modified: modified.ok(), ..Attributes::FILE }
    }

    fn open(&self, _caller: &Caller) -> Result<Arc<dyn ContentHandle>, FsError> {
        let file = File::open(&self.path).map_err(|error| self.failed("open", &error))?;
        Ok(Arc::new(OpenLog(file)))
    }
}

struct OpenLog(File);

impl ContentHandle for OpenLog {
    fn read(&self, offset: u64, size: u32) -> BoxFuture<'static, Result<Bytes, FsError>> {
        let mut piece = vec![0; size as usize];
        let read = self.0.read_at(&mut piece, offset).map(|length| {
            piece.truncate(length);
            Bytes::from(piece)
        });
        ready(read.map_err(|error| FsError::io(format!("read a task's log: {error}")))).boxed()
    }
}

/// `wait`: blocks until the task ends, prints its result, and fails where the task did.
struct TaskWait {
    reeld: Arc<Reeld>,
    upid: Upid,
}

impl Wait for TaskWait {
    fn wait(&self) -> BoxFuture<'static, Waited> {
        let Some(task) = self.reeld.tasks.running(&self.upid) else {
            return ready(self.ended()).boxed();
        };
        let mut watch = task.watch();
        let upid = self.upid.clone();
        async move {
            let moved = watch.wait_for(|moved| moved.end.is_some()).await;
            let end = moved.ok().and_then(|moved| moved.end.clone());
            result(&upid, end)
        }
        .boxed()
    }
}

impl TaskWait {
    fn ended(&self) -> Waited {
        match self.reeld.tasks.end_of(&self.upid) {
            Ok(end) => result(&self.upid, end),
            Err(error) => {
                let text = format!("how task {} ended can't be read: {error}", self.upid);
                Waited::failed(text.clone(), FsError::io(text))
            }
        }
    }
}

fn result(upid: &Upid, end: Option<TaskEnd>) -> Waited {
    let status = end.map_or(TaskStatus::Unknown, |end| end.status);
    let line = status.to_string();
    if status.is_success() {
        return Waited::succeeded(line);
    }
    let failure = FsError::io(format!("task {upid} ended with: {line}; its log says more"));
    Waited::failed(line, failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPID: &str = "UPID:pbs1:000020F3:0003CD51:00000002:6B044099:tape-backup:s1:root@pam:";

    #[test]
    fn only_a_failed_task_fails_its_reader() {
        let upid = UPID.parse().unwrap();
        let end = |status| result(&upid, Some(TaskEnd { time: 1, status }));
        assert_eq!(end(TaskStatus::Ok), Waited::succeeded("OK"));
        assert_eq!(end(TaskStatus::Warnings(3)), Waited::succeeded("WARNINGS: 3"));
        let failed = end(TaskStatus::Error("no such pool".into()));
        assert_eq!(failed.text, b"no such pool\n");
        assert_eq!(failed.failure.unwrap().errno(), nix::libc::EIO);
        assert!(result(&upid, None).failure.is_some());
    }
}
