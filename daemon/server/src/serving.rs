//! What `reeld --listen` is to a client of PBS: the daemon's datastores and tasks behind `reel_remote::serve`.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reel_remote::serve::{
    Gate, HostNames, LoginOutcome, RealPause, Refused, Server, StoreInUse, StoreInfo, Stores,
    Surroundings, Worker, Workers, create_keys,
};
use reel_types::{AuthId, Privilege, StoreName, TaskContext};
use tokio::sync::watch;

use crate::failure::Outcome;
use crate::reeld::Reeld;
use crate::tasks::{Task, TaskFailure, Tasks};

/// How often the task of a connection looks whether it should stop.
const STOP_CHECK: Duration = Duration::from_millis(100);
/// Lines of a connection that wait for their task to write them.
const LINES_AHEAD: usize = 64;
const RESOLVER: &str = "/etc/resolv.conf";

/// A server for `reeld` on `address`; its keys and certificate are made if they are missing.
pub async fn listen(reeld: &Arc<Reeld>, address: SocketAddr) -> Outcome<Server> {
    let (config, now, names) = (reeld.config.clone(), reeld.clock.now(), host_names()?);
    let keys = move || create_keys(&config, &names, false, now);
    tokio::task::spawn_blocking(keys).await.map_err(std::io::Error::other)??;
    let around = Surroundings {
        gate: Arc::new(NobodyKnown),
        stores: Arc::new(ServedStores(Arc::clone(reeld))),
        workers: Arc::new(TaskWorkers(reeld.tasks.clone())),
        clock: Arc::clone(&reeld.clock),
        pause: Arc::new(RealPause),
    };
    Ok(Server::bind(address, &reeld.config, around).await?)
}

/// What this computer is called: its name, and the resolver's domain where the name has none.
pub(crate) fn host_names() -> Outcome<HostNames> {
    let host = nix::unistd::gethostname().map_err(std::io::Error::from)?;
    let resolver = fs::read_to_string(RESOLVER).unwrap_or_default();
    Ok(names_of(&host.to_string_lossy(), &resolver))
}

fn names_of(host: &str, resolver: &str) -> HostNames {
    let node = host.split('.').next().unwrap_or(host).to_owned();
    let fqdn = match domain(resolver).filter(|_| node == host) {
        Some(domain) => format!("{node}.{domain}"),
        None => host.to_owned(),
    };
    HostNames { node, fqdn }
}

/// The first domain that names are looked up in.
fn domain(resolver: &str) -> Option<&str> {
    resolver.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let is_domain = matches!(words.next(), Some("search" | "domain"));
        words.next().filter(|domain| is_domain && *domain != ".")
    })
}

/// The gate as long as the daemon knows no users: nobody comes in.
struct NobodyKnown;

impl Gate for NobodyKnown {
    fn login(&self, _: &AuthId, _: &str) -> LoginOutcome {
        LoginOutcome::Refused
    }

    fn token(&self, _: &AuthId, _: &str) -> bool {
        false
    }

    fn is_active(&self, _: &AuthId) -> bool {
        false
    }

    fn allows(&self, _: &AuthId, _: &str, _: Privilege) -> bool {
        false
    }

    fn allows_below(&self, _: &AuthId, _: &str, _: &[Privilege]) -> bool {
        false
    }
}

struct ServedStores(Arc<Reeld>);

impl Stores for ServedStores {
    fn list(&self) -> Result<Vec<StoreInfo>, Refused> {
        let stores = &self.0.stores;
        let info = |name: StoreName| {
            let config = stores.config(&name)?;
            let comment = config.comment.map(|comment| comment.to_string());
            let maintenance = config.maintenance_mode.map(|mode| mode.to_string());
            Ok(StoreInfo { name, comment, maintenance })
        };
        stores.names()?.into_iter().map(info).collect()
    }

    fn open(&self, name: &StoreName) -> Result<StoreInUse, Refused> {
        let in_use = self.0.stores.begin_reading(name)?;
        Ok(StoreInUse { store: Arc::clone(in_use.store()), guard: Box::new(in_use) })
    }
}

struct TaskWorkers(Tasks);

impl Workers for TaskWorkers {
    fn start(&self, kind: &str, id: &str, who: &AuthId) -> Result<Arc<dyn Worker>, Refused> {
        let (say, hear) = sync_channel(LINES_AHEAD);
        let (stop, stopped) = watch::channel(false);
        self.0.start(kind, id, who, move |task| follow(task, &hear, &stop))?;
        Ok(Arc::new(Connection { say, stopped }))
    }
}

enum Said {
    Line(String),
    End(Result<(), String>),
}

/// The task of a connection: it writes what the connection says, and tells it when it is to stop.
fn follow(
    task: &Task,
    hear: &Receiver<Said>,
    stop: &watch::Sender<bool>,
) -> Result<(), TaskFailure> {
    loop {
        match hear.recv_timeout(STOP_CHECK) {
            Ok(Said::Line(line)) => task.log(&line),
            Ok(Said::End(outcome)) => return outcome.map_err(TaskFailure::from),
            Err(RecvTimeoutError::Timeout) if task.cancel().is_cancelled() => {
                stop.send_replace(true);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err("the connection is gone".into()),
        }
    }
}

/// A connection's side of its task. Where the task is gone there is nobody to tell.
struct Connection {
    say: SyncSender<Said>,
    stopped: watch::Receiver<bool>,
}

impl Worker for Connection {
    fn log(&self, line: &str) {
        let _ = self.say.send(Said::Line(line.to_owned()));
    }

    fn stopped(&self) -> BoxFuture<'static, ()> {
        let mut stopped = self.stopped.clone();
        async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }
        .boxed()
    }

    fn end(&self, outcome: Result<(), String>) {
        let _ = self.say.send(Said::End(outcome));
    }
}

#[cfg(test)]
mod tests {
    use reel_types::{ManualClock, TimeZone};

    use super::*;
    use crate::tasks::{Process, STAMP_CHARS, TaskStatus};

    #[test]
    fn a_host_without_domain_has_that_of_its_resolver() {
        let names = |host, resolver| {
            let HostNames { node, fqdn } = names_of(host, resolver);
            format!("{node} {fqdn}")
        };
        assert_eq!(
            names("host", "nameserver ::1\nsearch example.org other"),
            "host host.example.org"
        );
        assert_eq!(names("host.example", "search other"), "host host.example");
        assert_eq!(names("host", "# search x\nsearch .\n"), "host host");
    }

    fn tasks(folder: &tempfile::TempDir) -> Tasks {
        let clock = Arc::new(ManualClock::at(1_717_597_476));
        let process = Process::current().unwrap();
        Tasks::open(folder.path().join("tasks"), clock, TimeZone::UTC, process).unwrap()
    }

    fn started(tasks: &Tasks) -> Arc<dyn Worker> {
        let workers = TaskWorkers(tasks.clone());
        workers.start("reader", "store1:vm/100/66607524", &AuthId::root()).unwrap()
    }

    #[test]
    fn the_task_of_a_connection_says_what_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let tasks = tasks(&folder);
        let worker = started(&tasks);
        let upid = tasks.active()[0].clone();
        assert_eq!(upid.parts().worker_id.as_deref(), Some("store1:vm/100/66607524"));
        worker.log("download 'a.blob'");
        worker.end(Ok(()));
        assert!(tasks.stop_all(Duration::from_secs(60)));
        assert_eq!(tasks.end_of(&upid).unwrap().unwrap().status, TaskStatus::Ok);
        let (lines, _) = tasks.log_lines(&upid, 0, 9).unwrap();
        assert_eq!(&lines[0][STAMP_CHARS..], "download 'a.blob'");
    }

    #[test]
    fn a_task_that_is_stopped_stops_its_connection() {
        let folder = tempfile::tempdir().unwrap();
        let tasks = tasks(&folder);
        let worker = started(&tasks);
        let upid = tasks.active()[0].clone();
        tasks.stop(&upid);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(worker.stopped());
        worker.end(Err("the task was stopped".into()));
        assert!(tasks.stop_all(Duration::from_secs(60)));
        let end = tasks.end_of(&upid).unwrap().unwrap();
        assert_eq!(end.status, TaskStatus::Error("the task was stopped".into()));
    }

    #[test]
    fn a_connection_that_is_dropped_fails_its_task() {
        let folder = tempfile::tempdir().unwrap();
        let tasks = tasks(&folder);
        let worker = started(&tasks);
        let upid = tasks.active()[0].clone();
        drop(worker);
        assert!(tasks.stop_all(Duration::from_secs(60)));
        assert!(matches!(tasks.end_of(&upid).unwrap().unwrap().status, TaskStatus::Error(_)));
    }
}
