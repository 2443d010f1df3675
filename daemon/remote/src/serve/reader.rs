//! The reader protocol: the files and chunks of one snapshot (`remote-protocol.md` §5.1–§5.4).

use std::collections::HashSet;
use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Method, Request, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use reel_store::locks::FolderLock;
use reel_store::{ChunkIndex, Index};
use reel_types::{ArchiveKind, ArchiveName, Digest, Privilege, Snapshot, SnapshotPath, StoreName};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;

use super::answer::{Answer, Reply, bare};
use super::api::SnapshotQuery;
use super::asked::{Asked, Scope, acl_path};
use super::body::FilePieces;
use super::params::{FileName, Given, ParamReader};
use super::path::{Format, Path};
use super::refusal::{Outcome, Refusal};
use super::server::{Client, Shared};
use super::surroundings::{StoreInUse, Worker};

const PROTOCOL: &str = "proxmox-backup-reader-protocol-v1";
const WINDOW: u32 = 32 << 20;
const FRAME_MAX: u32 = 4 << 20;
/// Requests of one connection that are answered side by side: more than any client has under way, and with a piece of a
/// file each a few megabytes.
const STREAMS_MAX: u32 = 64;
/// The query of a request is at most 4 KiB long, and nothing else in its head is of interest.
const HEAD_MAX: u32 = 16 << 10;
/// What a stream holds ready beyond what the client has taken.
const SEND_BUFFER: usize = 256 << 10;
/// How long a client may take for its first request.
const FIRST_PATIENCE: Duration = Duration::from_secs(120);
const SPEEDTEST_BYTES: usize = 1 << 20;

static SPEEDTEST: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(vec![b'A'; SPEEDTEST_BYTES]));

/// One snapshot, open for one connection.
pub(super) struct Session {
    shared: Arc<Shared>,
    opened: StoreInUse,
    snapshot: SnapshotPath,
    /// Chunks of the indexes that were downloaded so far.
    allowed: Mutex<HashSet<Digest>>,
    worker: Arc<dyn Worker>,
    /// Whether the client has asked for anything.
    begun: AtomicBool,
    _lock: FolderLock,
    _place: OwnedSemaphorePermit,
}

impl Session {
    /// Checks in the order of the specification, locks the snapshot, and starts the task.
    pub(super) fn open(mut asked: Asked) -> Outcome<Self> {
        let mut params = asked.params();
        let query = SnapshotQuery::read(&mut params);
        let debug: Option<bool> = params.may("debug");
        let SnapshotQuery { store, snapshot } = params.finish(|| query)?;
        let path = acl_path(&store, &snapshot.namespace);
        let scope = asked.scope_if_any(&path, &[Privilege::DatastoreRead]);
        let scope = scope.ok_or_else(|| Refusal::bad(format!("no permissions on {path}")))?;
        let opened = asked.open(&store)?;
        check_upgrade(asked.upgrade.as_ref(), asked.version)?;
        if scope == Scope::Owned
            && !opened.store.owner(&snapshot.group_path())?.is_owned_by(asked.who()?)
        {
            return Err(Refusal::bad("backup owner check failed!"));
        }
        opened.store.snapshot_entry(&snapshot).map_err(|_| no_such_snapshot(&snapshot.snapshot))?;
        let lock = opened.store.hold_snapshot(&snapshot)?;
        let place = Arc::clone(&asked.shared.readers).try_acquire_owned();
        let place = place
            .map_err(|_| Refusal::bad("too many snapshots are being read; try again later"))?;
        let id = worker_id(&store, &snapshot.snapshot);
        let worker = asked.shared.around.workers.start("reader", &id, asked.who()?)?;
        worker.log(&format!("reading snapshot '{snapshot}' of datastore '{store}'"));
        if debug == Some(true) {
            worker.log("the client asks for debugging, which changes nothing here");
        }
        let shared = asked.shared;
        let (allowed, begun) = (Mutex::default(), AtomicBool::default());
        let (_lock, _place) = (lock, place);
        Ok(Self { shared, opened, snapshot, allowed, worker, begun, _lock, _place })
    }

    /// The answer that changes the protocol.
    pub(super) fn switching() -> Answer {
        let mut answer = bare(StatusCode::SWITCHING_PROTOCOLS, "");
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        answer.headers_mut().insert(UPGRADE, HeaderValue::from_static(PROTOCOL));
        answer
    }

    /// Speaks it until the client goes or the task is stopped.
    pub(super) async fn run(self, upgrade: OnUpgrade, _client: Arc<Client>) {
        let session = Arc::new(self);
        let worker = Arc::clone(&session.worker);
        let stopped = worker.stopped();
        let outcome = tokio::select! {
            outcome = Arc::clone(&session).speak(upgrade) => outcome,
            () = stopped => Err("the task was stopped".to_owned()),
            () = session.is_silent() => Err("the client asks for nothing".to_owned()),
        };
        if outcome.is_ok() {
            worker.log("the client is done");
        }
        worker.end(outcome);
    }

    /// Comes where a client has the snapshot locked and does not begin. Later it may be silent for as long as it likes,
    /// as one that shows it as a file system is.
    async fn is_silent(&self) {
        sleep(FIRST_PATIENCE).await;
        if self.begun.load(Ordering::Relaxed) {
            std::future::pending().await
        }
    }

    async fn speak(self: Arc<Self>, upgrade: OnUpgrade) -> Result<(), String> {
        let upgraded = upgrade.await.map_err(|error| format!("change the protocol: {error}"))?;
        self.worker.log("protocol upgrade done");
        let served = self.serve(upgraded).await;
        match served {
            Err(error) if !is_farewell(&error) => Err(format!("the connection broke: {error}")),
            _ => Ok(()),
        }
    }

    async fn serve(self: Arc<Self>, upgraded: Upgraded) -> Result<(), hyper::Error> {
        let service = service_fn(move |request| Arc::clone(&self).answer(request));
        http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_frame_size(FRAME_MAX)
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEAD_MAX)
            .max_send_buf_size(SEND_BUFFER)
            .serve_connection(upgraded, service)
            .await
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let (head, body) = request.into_parts();
        // No request here has one, and what is not kept needs no memory.
        drop(body);
        self.begun.store(true, Ordering::Relaxed);
        let shared = Arc::clone(&self.shared);
        let working = move |_: &Shared| self.reply(&head.method, head.uri.path(), head.uri.query());
        let replied = shared.work(working).await;
        Ok(match replied {
            Ok(reply) => reply.into_answer(Format::Json),
            Err(refusal) => {
                shared.pause(&refusal).await;
                refusal.into_answer(Format::Json)
            }
        })
    }

    fn reply(&self, method: &Method, path: &str, query: Option<&str>) -> Outcome<Reply> {
        let path = Path::parse(path)?;
        let params = ParamReader::new(Given::of_form(query.unwrap_or_default().as_bytes()));
        let components: Vec<&str> = path.components().iter().map(String::as_str).collect();
        match (method, &components[..]) {
            (&Method::GET, []) => {
                params.finish(|| Some(()))?;
                Ok(Reply::Data(FOLDER.to_owned()))
            }
            (&Method::GET, ["download"]) => self.download(params),
            (&Method::GET, ["chunk"]) => self.chunk(params),
            (&Method::GET, ["speedtest"]) => {
                params.finish(|| Some(()))?;
                Ok(Reply::Bytes(SPEEDTEST.clone()))
            }
            _ => Err(Refusal::no_such_path(path.text())),
        }
    }

    fn download(&self, mut params: ParamReader) -> Outcome<Reply> {
        let name: Option<FileName> = params.need("file-name");
        let name = params.finish(|| name)?.archive()?;
        let opened = self.opened.store.open_stored(&self.snapshot, &name);
        let file = opened.map_err(|error| match (name.kind(), error.kind()) {
            (ArchiveKind::Blob, reel_store::StoreErrorKind::NotFound) => {
                Refusal::not_found(error.to_string())
            }
            _ => error.into(),
        })?;
        if name.kind() != ArchiveKind::Blob {
            self.allow(&name, file.try_clone())?;
        }
        self.worker.log(&format!("download '{name}'"));
        Ok(Reply::File(Box::new(FilePieces { file, left: None, _held: None }), None))
    }

    /// From here on the client may ask for the chunks of this index.
    fn allow(&self, name: &ArchiveName, file: io::Result<std::fs::File>) -> Outcome<()> {
        let unreadable = |error: String| {
            Refusal::bad(format!("open '{name}' of snapshot '{}': {error}", self.snapshot))
        };
        let file = file.map_err(|error| unreadable(error.to_string()))?;
        let index =
            Index::open(name.kind(), file).map_err(|error| unreadable(error.to_string()))?;
        for entry in index.entries(0..index.chunk_count()) {
            let entry = entry.map_err(|error| unreadable(error.to_string()))?;
            self.allowed.lock().unwrap_or_else(PoisonError::into_inner).insert(entry.digest);
        }
        Ok(())
    }

    fn chunk(&self, mut params: ParamReader) -> Outcome<Reply> {
        let digest: Option<Digest> = params.need("digest");
        let digest = params.finish(|| digest)?;
        if !self.allowed.lock().unwrap_or_else(PoisonError::into_inner).contains(&digest) {
            return Err(Refusal::unauthorized(format!("download chunk {digest} not allowed")));
        }
        let file = self.opened.store.chunks().open_stored(&digest)?;
        let length = file
            .metadata()
            .map_err(|error| Refusal::bad(format!("look at chunk {digest}: {error}")))?;
        let length = Some(length.len());
        Ok(Reply::File(Box::new(FilePieces { file, left: length, _held: None }), length))
    }
}

const FOLDER: &str = r#"[{"subdir":"chunk"},{"subdir":"download"},{"subdir":"speedtest"}]"#;

fn check_upgrade(upgrade: Option<&HeaderValue>, version: Version) -> Outcome<()> {
    match upgrade {
        None => Err(Refusal::bad("missing Upgrade header")),
        Some(protocol) if protocol != PROTOCOL => Err(Refusal::bad("invalid protocol name")),
        Some(_) if version >= Version::HTTP_2 => {
            Err(Refusal::bad("a connection of this version of HTTP can't change its protocol"))
        }
        Some(_) => Ok(()),
    }
}

fn no_such_snapshot(snapshot: &Snapshot) -> Refusal {
    Refusal::bad(format!("snapshot {snapshot} does not exist."))
}

fn worker_id(store: &StoreName, snapshot: &Snapshot) -> String {
    format!("{store}:{}/{:08X}", snapshot.group, snapshot.time.epoch())
}

/// Whether a client just went, which is how they say that they are done.
fn is_farewell(error: &hyper::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<io::Error>().map(io::Error::kind);
        let h2 = error.downcast_ref::<h2::Error>();
        let kind = io.or(h2.and_then(h2::Error::get_io).map(io::Error::kind));
        if let Some(kind) = kind {
            return matches!(
                kind,
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::NotConnected
            );
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upgrade_names_the_protocol() {
        let protocol = HeaderValue::from_static(PROTOCOL);
        let other = HeaderValue::from_static("proxmox-backup-reader-protocol-v2");
        let text = |upgrade, version| check_upgrade(upgrade, version).unwrap_err().text;
        assert_eq!(check_upgrade(Some(&protocol), Version::HTTP_11), Ok(()));
        assert_eq!(text(None, Version::HTTP_11), "missing Upgrade header");
        assert_eq!(text(Some(&other), Version::HTTP_11), "invalid protocol name");
        assert!(check_upgrade(Some(&protocol), Version::HTTP_2).is_err());
    }

    #[test]
    fn a_task_is_named_after_its_snapshot() {
        let snapshot = "vm/100/2024-06-05T14:24:36Z".parse().unwrap();
        let store = "local".parse().unwrap();
        assert_eq!(worker_id(&store, &snapshot), "local:vm/100/66607524");
    }
}
