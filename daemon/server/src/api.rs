//! The API on the daemon's socket: HTTP and JSON, for `reelctl`, jobs and scripts.
//!
//! Requests and answers are the types of [`reel_types::api`]. The system says which user a peer is: see
//! [`Rights::identify`](crate::rights::Rights::identify).

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Path as UrlPath, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::IncomingStream;
use reel_types::api::{CommandAnswer, CommandRequest, ErrorBody, TaskLogPage};
use reel_types::commands::{Command, SnapshotCat, TaskLog, TaskStatus, is_secret};
use reel_types::{AuthId, Namespace, Snapshot, StoreName, Upid};
use serde::Deserialize;
use tokio::net::UnixListener;
use zeroize::Zeroize as _;

use crate::commands::{Done, snapshot_path, version};
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

/// How long a request for more of a log waits at most before it is answered with nothing.
const LOG_WAIT: Duration = Duration::from_secs(1);
/// Bytes of content that are sent at once.
const CONTENT_PIECE_BYTES: usize = 1 << 20;
/// Lines of a log in one answer, if the caller sets no limit.
const LOG_LINES: u64 = 500;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
struct Peer {
    uid: Option<u32>,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self { uid: stream.io().peer_cred().ok().map(|credentials| credentials.uid()) }
    }
}

impl Peer {
    /// As whom the peer acts.
    fn user(self, reeld: &Reeld) -> Outcome<AuthId> {
        let text = "permission check failed - the system does not say who asks";
        let uid = self.uid.ok_or_else(|| Failure::new(nix::libc::EACCES, text))?;
        reeld.rights().identify(uid)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            error: self.message.clone(),
            errno: reel_fs::errno_name(self.errno).into(),
            params: (!self.params.is_empty()).then(|| self.params.clone()),
        };
        (self.http_status(), Json(body)).into_response()
    }
}

/// Opens the socket at `path`; a socket that a killed daemon left there is replaced.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    // The peer's uid decides, not the mode of the socket.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

/// Serves the API until `stopped` is ready.
pub async fn serve(
    listener: UnixListener,
    reeld: Arc<Reeld>,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let service = router(reeld).into_make_service_with_connect_info::<Peer>();
    axum::serve(listener, service).with_graceful_shutdown(stopped).await
}

fn router(reeld: Arc<Reeld>) -> Router {
    Router::new()
        .route("/v1/version", get(async || Json(version())))
        .route("/v1/command", post(command))
        .route("/v1/content", get(content))
        .route("/v1/tasks/{upid}/log", get(task_log))
        .route("/v1/tasks/{upid}/status", get(task_status))
        .with_state(reeld)
}

async fn command(
    State(reeld): State<Arc<Reeld>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Json(mut request): Json<CommandRequest>,
) -> Outcome<Json<CommandAnswer>> {
    let command = Command::from_params(&request.command, &request.params);
    forget_secrets(&mut request.params);
    let command = command?;
    let done = blocking(move || {
        let who = peer.user(&reeld)?;
        reeld.run(&command, &who, request.id.as_deref())
    })
    .await?;
    Ok(Json(match done {
        Done::Data(value) => CommandAnswer::Data(value),
        Done::Task(upid) => CommandAnswer::Task(upid.to_string()),
    }))
}

/// Overwrites what is secret in the body of a call. The copy that the server read it into is out of reach.
fn forget_secrets(params: &mut serde_json::Map<String, serde_json::Value>) {
    for (_, value) in params.iter_mut().filter(|(name, _)| is_secret(name)) {
        if let serde_json::Value::String(secret) = value {
            secret.zeroize();
        }
    }
}

/// Runs what may wait for a lock or a drive off the event loop.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Outcome<T> + Send + 'static,
) -> Outcome<T> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|_| {
        Err(Failure::new(nix::libc::EIO, "internal error, see the daemon's log"))
    })
}

/// Refuses what the peer may not ask for.
async fn permit(reeld: &Arc<Reeld>, peer: Peer, command: impl Into<Command>) -> Outcome<()> {
    let (reeld, command) = (Arc::clone(reeld), command.into());
    blocking(move || reeld.permit(&command, &peer.user(&reeld)?).map(drop)).await
}

#[derive(Debug, Deserialize)]
struct ContentQuery {
    store: StoreName,
    snapshot: Snapshot,
    file: String,
    ns: Option<Namespace>,
    #[serde(default)]
    start: u64,
}

/// The decoded content of a snapshot's file from byte `start` on. A failure on the way breaks the connection, so that
/// nobody takes a part for the whole; who then asks for what is missing is told why there is none.
async fn content(
    State(reeld): State<Arc<Reeld>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Query(query): Query<ContentQuery>,
) -> Outcome<Body> {
    let start = query.start;
    let opened = blocking(move || {
        let asked = SnapshotCat {
            store: query.store.clone(),
            snapshot: query.snapshot.clone(),
            file: query.file.parse()?,
            ns: query.ns.clone(),
        };
        reeld.permit(&asked.into(), &peer.user(&reeld)?)?;
        let path = snapshot_path(query.ns.as_ref(), &query.snapshot);
        crate::content::open(&reeld, &query.store, &path, &query.file.parse()?)
    })
    .await?;
    let first = opened.read(start, CONTENT_PIECE_BYTES).await?;
    let next = start + first.len() as u64;
    let rest = futures_util::stream::try_unfold((opened, next), async |(opened, offset)| {
        let piece = opened.read(offset, CONTENT_PIECE_BYTES).await?;
        let next = offset + piece.len() as u64;
        Ok::<_, Failure>((!piece.is_empty()).then_some((piece, (opened, next))))
    });
    let first = futures_util::stream::once(async { Ok(first) });
    Ok(Body::from_stream(futures_util::StreamExt::chain(first, rest)))
}

#[derive(Debug, Deserialize)]
struct LogQuery {
    #[serde(default)]
    start: u64,
    limit: Option<u64>,
    #[serde(default)]
    wait: u8,
}

async fn task_log(
    State(reeld): State<Arc<Reeld>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    UrlPath(upid): UrlPath<String>,
    Query(query): Query<LogQuery>,
) -> Outcome<Json<TaskLogPage>> {
    let upid: Upid = upid.parse()?;
    permit(&reeld, peer, TaskLog { upid: upid.clone() }).await?;
    let limit = query.limit.unwrap_or(LOG_LINES);
    let start = query.start.saturating_sub(1);
    if query.wait != 0 {
        wait_for_lines(&reeld, &upid, start).await;
    }
    blocking(move || reeld.task_log_page(&upid, start, limit)).await.map(Json)
}

/// Returns once the task's log has more than `seen` lines or the task ended, at the latest after [`LOG_WAIT`].
async fn wait_for_lines(reeld: &Reeld, upid: &Upid, seen: u64) {
    let Some(task) = reeld.tasks.running(upid) else {
        return;
    };
    let mut moved = task.watch();
    let more = moved.wait_for(|moved| moved.lines > seen || moved.end.is_some());
    let _ = tokio::time::timeout(LOG_WAIT, more).await;
}

async fn task_status(
    State(reeld): State<Arc<Reeld>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    UrlPath(upid): UrlPath<String>,
) -> Outcome<Json<reel_types::api::TaskStatusInfo>> {
    let upid: Upid = upid.parse()?;
    permit(&reeld, peer, TaskStatus { upid: upid.clone() }).await?;
    blocking(move || reeld.task_status(&upid)).await.map(Json)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_body_of_a_call_keeps_no_secret() {
        let names = ["password", "passphrase", "new-passphrase", "key"];
        let mut params = serde_json::Map::from_iter([("hint".to_owned(), json!("x"))]);
        params.extend(names.map(|name| (name.to_owned(), json!("secret"))));
        forget_secrets(&mut params);
        assert_eq!(params.remove("hint"), Some(json!("x")));
        assert!(params.values().all(|value| *value == Value::String(String::new())), "{params:?}");
    }
}
