//! Long work: each piece is a task with an UPID, a log file and an end that outlives the daemon.
//!
//! The work itself is synchronous (one head, one thread): [`Tasks::start`] writes the task to disk,
//! gives it a thread of its own and returns. Whoever waits (a shell's `cat wait`, `reelctl`'s log
//! display) watches a counter that moves with each line and with the end, so waiting costs no thread.
//! A task ends as its log's last line says, also when its work panics.

mod files;
mod job_state;
mod log;
mod status;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use reel_types::{AuthId, Cancel, Clock, TaskContext, TaskStopped, TimeZone, Upid, UpidParts};
use tokio::sync::watch;

pub use job_state::{JobLock, JobState, JobStates};
pub use log::STAMP_CHARS;
pub use status::{TaskEnd, TaskStatus};

use files::TaskFiles;
use log::LogWriter;

/// How often waiting work looks whether it should stop.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// Why work ended early: its message becomes the task's error.
pub type TaskFailure = Box<dyn std::error::Error + Send + Sync>;

/// All tasks: those that run and those that did.
#[derive(Clone)]
pub struct Tasks(Arc<Registry>);

struct Registry {
    files: TaskFiles,
    clock: Arc<dyn Clock>,
    zone: TimeZone,
    process: Process,
    next_id: AtomicU32,
    stopping: AtomicBool,
    running: Mutex<Vec<Arc<Task>>>,
    all_ended: Condvar,
    after_work: OnceLock<AfterWork>,
}

/// What follows the work of each task, in that task.
type AfterWork = Box<dyn Fn(&Task) + Send + Sync>;

/// What an UPID tells of the process that runs a task.
#[derive(Debug, Clone)]
pub struct Process {
    /// The computer's name up to the first dot.
    pub node: String,
    /// Process id.
    pub pid: u32,
    /// When the process was started, in clock ticks since boot (`/proc/PID/stat`, field 22).
    pub start: u64,
}

impl Process {
    /// This process.
    pub fn current() -> io::Result<Self> {
        let host = nix::unistd::gethostname().map_err(io::Error::from)?;
        let host = host.to_string_lossy();
        let pid = std::process::id();
        let start = process_start(pid)
            .ok_or_else(|| io::Error::other(format!("read '/proc/{pid}/stat': no start time")))?;
        Ok(Self { node: host.split('.').next().unwrap_or("localhost").to_string(), pid, start })
    }
}

/// Field 22 of `/proc/PID/stat`; none for a process that is gone.
fn process_start(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(19)?.parse().ok()
}

fn is_alive(upid: &Upid) -> bool {
    process_start(upid.parts().pid) == Some(upid.parts().pstart)
}

/// How far a task has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Units that are done.
    pub done: u64,
    /// Units in all.
    pub total: u64,
    /// What is counted, e.g. `bytes`.
    pub what: String,
}

/// A task that runs, or has just ended.
pub struct Task {
    upid: Upid,
    clock: Arc<dyn Clock>,
    log: Mutex<LogWriter>,
    warnings: AtomicU64,
    progress: Mutex<Option<Progress>>,
    waits_for: Mutex<Option<String>>,
    cancel: Cancel,
    moved: watch::Sender<Moved>,
}

/// What watchers of a task see move.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// Lines in the log.
    pub lines: u64,
    /// How the task ended; none while it runs.
    pub end: Option<TaskEnd>,
}

/// One task in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskEntry {
    /// Its id, which holds all but the end.
    pub upid: Upid,
    /// How it ended; none while it runs.
    pub end: Option<TaskEnd>,
}

impl Tasks {
    /// Keeps tasks under `folder`, and archives what a process that died left as running.
    pub fn open(
        folder: PathBuf,
        clock: Arc<dyn Clock>,
        zone: TimeZone,
        process: Process,
    ) -> io::Result<Self> {
        let registry = Registry {
            files: TaskFiles::open(folder)?,
            clock,
            zone,
            process,
            next_id: AtomicU32::new(0),
            stopping: AtomicBool::new(false),
            running: Mutex::default(),
            all_ended: Condvar::new(),
            after_work: OnceLock::new(),
        };
        registry.write_lists(&[])?;
        Ok(Self(Arc::new(registry)))
    }

    /// Has `follow` called at the end of each task's work, whether that failed or not, before the task ends.
    pub fn followed_by(self, follow: impl Fn(&Task) + Send + Sync + 'static) -> Self {
        // Only the first one counts.
        let _ = self.0.after_work.set(Box::new(follow));
        self
    }

    /// Starts `work` as a task of type `kind` about `id`, asked for by `who`.
    ///
    /// The task is on disk when this returns. Its thread owns `work`; what `work` returns, or its
    /// panic, is the task's end.
    pub fn start<W>(&self, kind: &str, id: &str, who: &AuthId, work: W) -> io::Result<Upid>
    where
        W: FnOnce(&Task) -> Result<(), TaskFailure> + Send + 'static,
    {
        self.start_then(kind, id, who, work, |_, _| {})
    }

    /// The same; `ended` is told how, before anybody else can know.
    pub fn start_then<W, E>(
        &self,
        kind: &str,
        id: &str,
        who: &AuthId,
        work: W,
        ended: E,
    ) -> io::Result<Upid>
    where
        W: FnOnce(&Task) -> Result<(), TaskFailure> + Send + 'static,
        E: FnOnce(&Task, &TaskEnd) + Send + 'static,
    {
        let task = self.0.create(kind, id, who)?;
        let upid = task.upid.clone();
        let registry = Arc::clone(&self.0);
        let runner = Arc::clone(&task);
        let spawned = std::thread::Builder::new().name(kind.into()).spawn(move || {
            let whole = |task: &Task| {
                let done = work(task);
                registry.follow(task);
                done
            };
            let end = registry.end_now(runner.run(whole));
            ended(&runner, &end);
            registry.end(&runner, end);
        });
        if let Err(error) = spawned {
            let status = TaskStatus::Error(format!("start a thread: {error}"));
            self.0.end(&task, self.0.end_now(status));
            return Err(error);
        }
        Ok(upid)
    }

    /// The task of that id, while it runs.
    pub fn running(&self, upid: &Upid) -> Option<Arc<Task>> {
        self.0.running().iter().find(|task| task.upid == *upid).cloned()
    }

    /// All tasks, running ones first, each part newest first.
    pub fn list(&self) -> io::Result<Vec<TaskEntry>> {
        let running: Vec<_> = self.0.running().iter().rev().map(|t| t.upid.clone()).collect();
        let ended = self.0.files.finished()?;
        let ended = ended.into_iter().filter(|task| !running.contains(&task.upid));
        let ended = ended.map(|task| TaskEntry { upid: task.upid, end: Some(task.end) });
        let active = running.iter().map(|upid| TaskEntry { upid: upid.clone(), end: None });
        Ok(active.chain(ended).collect())
    }

    /// The ids of the tasks that run, oldest first.
    pub fn active(&self) -> Vec<Upid> {
        self.0.running().iter().map(|task| task.upid.clone()).collect()
    }

    /// How a task ended: none while it runs, an error of kind `NotFound` for one nobody knows.
    pub fn end_of(&self, upid: &Upid) -> io::Result<Option<TaskEnd>> {
        if self.running(upid).is_some() {
            return Ok(None);
        }
        log::read_end(&self.0.files.log_path(upid), i64::from(upid.parts().starttime)).map(Some)
    }

    /// Lines of a task's log from `start` (counted from 0), at most `limit`, and how many there are.
    pub fn log_lines(&self, upid: &Upid, start: u64, limit: u64) -> io::Result<(Vec<String>, u64)> {
        log::read_lines(&self.0.files.log_path(upid), start, limit)
    }

    /// Asks a task to stop; whether it was running.
    pub fn stop(&self, upid: &Upid) -> bool {
        let task = self.running(upid);
        if let Some(task) = &task {
            task.cancel.cancel();
        }
        task.is_some()
    }

    /// Whether all were asked to stop: none should begin by itself any more.
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Relaxed)
    }

    /// Asks all tasks that run now to stop, because the daemon does.
    pub fn cancel_all(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
        self.0.running().iter().for_each(|task| task.cancel.cancel());
    }

    /// Asks all tasks to stop and waits until they have, at most for `patience`.
    pub fn stop_all(&self, patience: Duration) -> bool {
        self.cancel_all();
        let running = self.0.running();
        let waited = self.0.all_ended.wait_timeout_while(running, patience, |r| !r.is_empty());
        waited.is_ok_and(|(running, _)| running.is_empty())
    }

    /// Where the log of a task lies.
    pub fn log_path(&self, upid: &Upid) -> PathBuf {
        self.0.files.log_path(upid)
    }

    /// Rotates the archive of ended tasks where it has grown too long; a daily chore. Whether it had.
    pub fn rotate(&self) -> io::Result<bool> {
        self.0.files.rotate()
    }
}

impl Registry {
    fn running(&self) -> MutexGuard<'_, Vec<Arc<Task>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn create(&self, kind: &str, id: &str, who: &AuthId) -> io::Result<Arc<Task>> {
        let number = self.next_id.fetch_add(1, Ordering::Relaxed);
        let upid = Upid::new(UpidParts {
            node: self.process.node.clone(),
            pid: self.process.pid,
            pstart: self.process.start,
            task_id: u64::from(number),
            starttime: u32::try_from(self.clock.now()).map_err(io::Error::other)?,
            worker_type: kind.into(),
            worker_id: (!id.is_empty()).then(|| id.into()),
            auth_id: who.clone(),
        })
        .map_err(io::Error::other)?;
        let log_path = self.files.new_log_path(&upid)?;
        let task = Arc::new(Task {
            log: Mutex::new(LogWriter::create(&log_path, self.zone.clone())?),
            clock: Arc::clone(&self.clock),
            upid,
            warnings: AtomicU64::new(0),
            progress: Mutex::default(),
            waits_for: Mutex::default(),
            cancel: Cancel::new(),
            moved: watch::Sender::default(),
        });
        let mut running = self.running();
        running.push(Arc::clone(&task));
        let written = self.write_lists(&running);
        if let Err(error) = written {
            running.pop();
            return Err(error);
        }
        Ok(task)
    }

    fn follow(&self, task: &Task) {
        if let Some(follow) = self.after_work.get() {
            follow(task);
        }
    }

    fn end_now(&self, status: TaskStatus) -> TaskEnd {
        TaskEnd { time: self.clock.now(), status }
    }

    fn end(&self, task: &Arc<Task>, end: TaskEnd) {
        task.finish_log(&end.status);
        let mut running = self.running();
        running.retain(|other| other.upid != task.upid);
        if let Err(error) = self.write_lists(&running) {
            tracing::error!(upid = %task.upid, %error, "the list of tasks could not be written");
        }
        task.moved.send_modify(|moved| moved.end = Some(end));
        if running.is_empty() {
            self.all_ended.notify_all();
        }
    }

    fn write_lists(&self, running: &[Arc<Task>]) -> io::Result<()> {
        let running: Vec<Upid> = running.iter().map(|task| task.upid.clone()).collect();
        let Process { pid, start, .. } = self.process;
        let is_own = |upid: &Upid| upid.parts().pid == pid && upid.parts().pstart == start;
        self.files.update(&running, is_own, is_alive, self.clock.now())
    }
}

impl Task {
    /// The task's id.
    pub fn upid(&self) -> &Upid {
        &self.upid
    }

    /// How far it has come, once it has said so.
    pub fn progress_now(&self) -> Option<Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it waits for that somebody has to do.
    pub fn waits_for_now(&self) -> Option<String> {
        self.waits_for.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Follows the task: the receiver changes with each line and at the end.
    pub fn watch(&self) -> watch::Receiver<Moved> {
        self.moved.subscribe()
    }

    fn run<W>(&self, work: W) -> TaskStatus
    where
        W: FnOnce(&Self) -> Result<(), TaskFailure>,
    {
        match catch_unwind(AssertUnwindSafe(|| work(self))) {
            Ok(Ok(())) => match self.warnings.load(Ordering::Relaxed) {
                0 => TaskStatus::Ok,
                count => TaskStatus::Warnings(count),
            },
            Ok(Err(error)) => TaskStatus::Error(one_line(&error.to_string())),
            Err(_) => TaskStatus::Error("internal error, see the daemon's log".into()),
        }
    }

    fn finish_log(&self, status: &TaskStatus) {
        self.log(&status.log_line());
        if let Err(error) = self.log.lock().unwrap_or_else(PoisonError::into_inner).sync() {
            tracing::error!(upid = %self.upid, %error, "a task's log could not be made durable");
        }
    }
}

/// A message without line breaks, as the last line of a log and the archive want it.
fn one_line(text: &str) -> String {
    text.split(['\n', '\r'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

impl TaskContext for Task {
    fn log(&self, line: &str) {
        let written = {
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            log.append(self.clock.now(), line)
        };
        match written {
            Ok(lines) => self.moved.send_modify(|moved| moved.lines += lines),
            Err(error) => tracing::error!(upid = %self.upid, %error, line, "task log not written"),
        }
    }

    fn warn(&self, line: &str) {
        self.warnings.fetch_add(1, Ordering::Relaxed);
        self.log(&format!("WARN: {line}"));
    }

    fn progress(&self, done: u64, total: u64, what: &str) {
        let progress = Progress { done, total, what: what.into() };
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    fn waits_for(&self, what: Option<&str>) {
        *self.waits_for.lock().unwrap_or_else(PoisonError::into_inner) = what.map(Into::into);
    }

    fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    fn wait(&self, duration: Duration) -> Result<(), TaskStopped> {
        let until = Instant::now() + duration;
        loop {
            self.check()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(STOP_CHECK));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reel_types::ManualClock;

    fn tasks(folder: &std::path::Path) -> Tasks {
        let clock = Arc::new(ManualClock::at(1_717_597_476));
        let process = Process::current().unwrap();
        Tasks::open(folder.join("tasks"), clock, TimeZone::UTC, process).unwrap()
    }

    fn wait_for_end(tasks: &Tasks, upid: &Upid) -> TaskEnd {
        if let Some(task) = tasks.running(upid) {
            let mut moved = task.watch();
            let ended = moved.wait_for(|moved| moved.end.is_some());
            futures_util::FutureExt::now_or_never(ended);
            while task.moved.borrow().end.is_none() {
                std::thread::yield_now();
            }
        }
        tasks.end_of(upid).unwrap().unwrap()
    }

    #[test]
    fn a_task_is_on_disk_and_its_end_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let tasks = tasks(folder.path());
        let upid = tasks
            .start("rewind-media", "vt0", &AuthId::root(), |task| {
                task.log("hello");
                task.warn("careful");
                Ok(())
            })
            .unwrap();
        assert_eq!(wait_for_end(&tasks, &upid).status, TaskStatus::Warnings(1));
        let (lines, total) = tasks.log_lines(&upid, 0, 10).unwrap();
        assert_eq!(total, 3);
        assert_eq!(&lines[1][STAMP_CHARS..], "WARN: careful");
        assert_eq!(tasks.list().unwrap().len(), 1);
        assert!(tasks.active().is_empty());
    }

    #[test]
    fn failures_and_panics_are_told_in_the_last_line() {
        let folder = tempfile::tempdir().unwrap();
        let tasks = tasks(folder.path());
        let failed = tasks.start("a", "", &AuthId::root(), |_| Err("no\nluck".into())).unwrap();
        assert_eq!(wait_for_end(&tasks, &failed).status, TaskStatus::Error("no luck".into()));
        let panicked = tasks.start("b", "", &AuthId::root(), |_| panic!("oops")).unwrap();
        let TaskStatus::Error(message) = wait_for_end(&tasks, &panicked).status else {
            panic!("a panic must be an error");
        };
        assert!(message.starts_with("internal error"), "{message}");
    }

    #[test]
    fn what_follows_the_work_stands_in_front_of_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let tasks = tasks(folder.path()).followed_by(|task| task.warn("followed"));
        type Work = fn(&Task) -> Result<(), TaskFailure>;
        let work: [Work; 2] = [|_| Ok(()), |_| Err("oops".into())];
        let ends = [TaskStatus::Warnings(1), TaskStatus::Error("oops".into())];
        for (work, end) in work.into_iter().zip(ends) {
            let upid = tasks.start("a", "", &AuthId::root(), work).unwrap();
            assert_eq!(wait_for_end(&tasks, &upid).status, end);
            let (lines, total) = tasks.log_lines(&upid, 0, 10).unwrap();
            assert_eq!((&lines[0][STAMP_CHARS..], total), ("WARN: followed", 2));
        }
    }

    #[test]
    fn a_waiting_task_stops_when_it_is_asked_to() {
        let folder = tempfile::tempdir().unwrap();
        let tasks = tasks(folder.path());
        let upid = tasks
            .start("a", "x", &AuthId::root(), |task| Ok(task.wait(Duration::from_secs(3600))?))
            .unwrap();
        assert!(tasks.stop(&upid));
        let end = wait_for_end(&tasks, &upid);
        assert_eq!(end.status, TaskStatus::Error(TaskStopped.to_string()));
        assert!(!tasks.stop(&upid));
    }

    #[test]
    fn stop_all_waits_for_the_last_one() {
        let folder = tempfile::tempdir().unwrap();
        let tasks = tasks(folder.path());
        for _ in 0..3 {
            let forever = |task: &Task| Ok(task.wait(Duration::from_secs(3600))?);
            tasks.start("a", "x", &AuthId::root(), forever).unwrap();
        }
        assert!(tasks.stop_all(Duration::from_secs(60)));
        assert!(tasks.active().is_empty());
    }
}
