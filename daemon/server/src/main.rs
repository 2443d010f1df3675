//! `reeld`, the daemon: takes its folders, opens both doors, and closes them in order when it is asked to stop.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use reel_fs::{Acl, EngineOptions, MountOptions, Mounted};
use reel_remote::serve::Server;
use reel_types::{Clock, CommitPoints, ManualClock, NoCommitPoints, SystemClock, TimeZone};
use reeld::options::Options;
use reeld::rights::MountRights;
use reeld::runtime::Runtime;
use reeld::{Failure, Outcome, Reeld, Surroundings, api, notify};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// How long running tasks get to come to their next commit point.
const STOP_PATIENCE: Duration = Duration::from_secs(540);

fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_env("PBS_LOG").unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .init();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("Error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Outcome<()> {
    let folders = options.folders();
    if options.pbs {
        folders.refuse_running_pbs().map_err(|error| Failure::invalid(error.to_string()))?;
    }
    folders.create().map_err(|error| Failure::invalid(error.to_string()))?;
    let _lock = folders.lock().map_err(|error| Failure::invalid(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let reeld = Reeld::new(
        folders,
        Surroundings {
            clock: clock(options),
            zone: TimeZone::system(),
            runtime: Runtime::new(runtime.handle().clone()),
            commit_points: commit_points(options)?,
            export_state: options.export_state.clone(),
            key_credential: options.tape_keys.clone(),
            chunk_cache_bytes: options.chunk_cache.bytes(),
            chunk_memory_bytes: usize::try_from(options.chunk_memory.bytes()).unwrap_or(usize::MAX),
            ask_again: Duration::from_millis(options.ask_again_ms),
        },
    )?;
    let mounted = mount(options, &reeld, &runtime)?;
    let served = runtime.block_on(serve(Arc::clone(&reeld), options.listen));
    if !reeld.tasks().stop_all(STOP_PATIENCE) {
        tracing::warn!("tasks that would not stop are left behind; the next start archives them");
    }
    reeld.close_notifications();
    if let Some(mounted) = mounted {
        mounted.unmount().map_err(|error| Failure::new(error.errno(), error.to_string()))?;
    }
    runtime.shutdown_background();
    served
}

fn clock(options: &Options) -> Arc<dyn Clock> {
    match options.clock {
        Some(seconds) => Arc::new(ManualClock::at(seconds)),
        None => Arc::new(SystemClock),
    }
}

fn mount(
    options: &Options,
    reeld: &Arc<Reeld>,
    runtime: &tokio::runtime::Runtime,
) -> Outcome<Option<Mounted>> {
    if options.no_mount {
        return Ok(None);
    }
    if reel_fs::recover_stale_mount(&options.mount)? {
        tracing::warn!(path = %options.mount.display(), "unmounted what a killed daemon left behind");
    }
    let root = reeld::tree::root(Arc::clone(reeld));
    let spawner = Arc::new(Runtime::new(runtime.handle().clone()));
    let mount_options = match options.allow_other {
        true => for_everybody()?,
        false => MountOptions { acl: acl(), ..MountOptions::default() },
    };
    let rights = Arc::new(MountRights::new(Arc::clone(reeld)));
    let mounted = reel_fs::mount(root, &options.mount, spawner, rights, &mount_options)
        .map_err(|error| Failure::new(error.errno(), error.to_string()))?;
    Ok(Some(mounted))
}

/// A mount for all users. The kernel keeps what it has seen for whoever asks next, and knows nothing of rights: so it
/// keeps nothing, and asks each time.
fn for_everybody() -> Outcome<MountOptions> {
    if !nix::unistd::geteuid().is_root() && !others_allowed() {
        let text =
            "--allow-other: 'user_allow_other' must stand in /etc/fuse.conf, or reeld run as root";
        return Err(Failure::invalid(text));
    }
    let engine = EngineOptions {
        directory_ttl: Duration::ZERO,
        immutable_ttl: Duration::ZERO,
        ..EngineOptions::default()
    };
    Ok(MountOptions { acl: Acl::All, kernel_permissions: false, engine, ..MountOptions::default() })
}

/// Whether users other than root may mount for others.
fn others_allowed() -> bool {
    std::fs::read_to_string("/etc/fuse.conf")
        .is_ok_and(|text| text.lines().any(|line| line.trim() == "user_allow_other"))
}

/// Who the kernel lets in: root and the daemon's user, where that isn't root itself.
fn acl() -> Acl {
    if nix::unistd::geteuid().is_root() {
        return Acl::Owner;
    }
    if others_allowed() {
        return Acl::RootAndOwner;
    }
    tracing::warn!(
        "'user_allow_other' is not in /etc/fuse.conf: the mount serves only the daemon's own user, not root"
    );
    Acl::Owner
}

async fn serve(reeld: Arc<Reeld>, listen: Option<SocketAddr>) -> Outcome<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = api::listen(&reeld.socket())?;
    let clients = match listen {
        Some(address) => Some(tokio::spawn(welcome_clients(&reeld, address).await?.run())),
        None => None,
    };
    let tasks = reeld.tasks().clone();
    let chores = tokio::spawn(reeld.do_chores());
    notify::notify("READY=1")?;
    tracing::info!(socket = %reeld.socket().display(), "ready");
    let stopped = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        // At once: whoever follows a task's log holds the socket open until the task ends.
        tasks.cancel_all();
        if let Err(error) = notify::notify("STOPPING=1") {
            tracing::warn!(%error, "the service manager could not be told");
        }
    };
    let served = api::serve(listener, reeld, stopped).await;
    chores.abort();
    if let Some(clients) = clients {
        clients.abort();
    }
    Ok(served?)
}

async fn welcome_clients(reeld: &Arc<Reeld>, address: SocketAddr) -> Outcome<Server> {
    let server = reeld::serving::listen(reeld, address).await?;
    let (address, fingerprint) = (server.address()?, server.fingerprint()?);
    tracing::info!(%address, %fingerprint, "serving clients");
    Ok(server)
}

/// Kills the daemon at a commit point, as a power cut would.
struct CrashAt(String);

impl CommitPoints for CrashAt {
    fn reached(&self, name: &'static str) {
        if self.0 == name {
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
        }
    }
}

fn commit_points(options: &Options) -> Outcome<Arc<dyn CommitPoints>> {
    let Some(point) = &options.crash_at else {
        return Ok(Arc::new(NoCommitPoints));
    };
    let known = [
        &reel_tape::COMMIT_POINTS[..],
        &reel_remote::pull::COMMIT_POINTS,
        &reel_config::COMMIT_POINTS,
    ]
    .concat();
    if !known.contains(&point.as_str()) {
        let known = known.join("', '");
        return Err(Failure::invalid(format!("'{point}' is no commit point; there are '{known}'")));
    }
    Ok(Arc::new(CrashAt(point.clone())))
}
