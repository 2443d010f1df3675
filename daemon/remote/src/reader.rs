//! The files and chunks of one snapshot, over a connection of its own (`remote-protocol.md` §5).

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use h2::client::{Builder, SendRequest};
use http::header::{CONNECTION, CONTENT_LENGTH, UPGRADE, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use reel_types::{Digest, Namespace, Snapshot, StoreName};
use tokio::task::JoinSet;

use crate::browse::in_namespace;
use crate::call::Call;
use crate::client::{AGENT, read_body, target};
use crate::connection::connect;
use crate::{Client, RemoteError};

const PROTOCOL: HeaderValue = HeaderValue::from_static("proxmox-backup-reader-protocol-v1");
/// What a server may send before it is taken up: more than 1 Gbit/s times 150 ms, and what four connections can hold
/// without filling the memory.
const WINDOW: u32 = 32 << 20;
const FRAME_MAX: u32 = 4 << 20;
/// The longest chunk as it is stored: 16 MiB and the header of an encrypted blob (`remote-protocol.md` §7).
const CHUNK_MAX: usize = (16 << 20) + 44;
/// How much of a refusal is read.
const REFUSAL_MAX: usize = 4096;

/// A connection to the files of one snapshot. Requests may go side by side.
pub struct SnapshotReader {
    requests: SendRequest<Bytes>,
    /// What each request waits and complains like.
    call: Call,
    /// What moves the bytes; it ends with the reader.
    _connection: JoinSet<()>,
}

impl Client {
    /// Opens a snapshot for reading, over a new connection.
    ///
    /// # Errors
    /// Status 400 where there is no such snapshot, where it is being written or removed, or where the user may not.
    pub async fn read_snapshot(
        &self,
        store: &StoreName,
        ns: &Namespace,
        snapshot: &Snapshot,
    ) -> Result<SnapshotReader, RemoteError> {
        let call = self.call(format!("open snapshot '{snapshot}'"));
        let mut headers = self.credentials().await?;
        headers.push((CONNECTION, HeaderValue::from_static("upgrade")));
        headers.push((UPGRADE, PROTOCOL));
        let target = target("reader", &snapshot_query(store, ns, snapshot));
        let request = self.request(&call, Method::GET, &target, &headers, Bytes::new())?;

        let stream = connect(self.endpoint(), self.limits()).await?;
        let (mut sender, connection) = call.in_time(handshake(TokioIo::new(stream))).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // What ends it is told to whoever waits for an answer.
            let _ = connection.with_upgrades().await;
        });
        let response = call.in_time(sender.send_request(request)).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let status = response.status();
            let body = read_body(&call, response.into_body(), REFUSAL_MAX).await?;
            return Err(call.refused(status, &body));
        }
        let upgraded = call.in_time(hyper::upgrade::on(response)).await?;
        let speaking = settings().handshake(TokioIo::new(upgraded));
        let (requests, connection) = call.in_time(speaking).await?;
        tasks.spawn(async move {
            let _ = connection.await;
        });
        Ok(SnapshotReader { requests, call, _connection: tasks })
    }
}

fn snapshot_query(
    store: &StoreName,
    ns: &Namespace,
    snapshot: &Snapshot,
) -> Vec<(&'static str, String)> {
    let mut query = in_namespace(ns);
    query.push(("backup-type", snapshot.group.kind.as_str().to_owned()));
    query.push(("backup-id", snapshot.group.id.to_string()));
    query.push(("backup-time", snapshot.time.epoch().to_string()));
    query.push(("store", store.to_string()));
    query.push(("debug", "true".to_owned()));
    query
}

fn settings() -> Builder {
    let mut settings = Builder::new();
    settings
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(FRAME_MAX)
        .enable_push(false);
    settings
}

impl SnapshotReader {
    /// A file as it is stored, such as `index.json.blob`. Chunks of an index can be asked for once it was downloaded.
    ///
    /// # Errors
    /// Status 404 where there is no such blob, 400 where there is no such index.
    pub async fn download(&self, file: &str) -> Result<Download, RemoteError> {
        self.ask(format!("download '{file}'"), &download_target(file)).await
    }

    /// A chunk as it is stored.
    pub async fn chunk(&self, digest: &Digest) -> Result<Bytes, RemoteError> {
        let what = format!("read chunk {digest}");
        self.ask(what, &format!("/chunk?digest={digest}")).await?.all(CHUNK_MAX).await
    }

    async fn ask(&self, what: String, target: &str) -> Result<Download, RemoteError> {
        let call = Call { what, ..self.call.clone() };
        let uri = format!("https://localhost:8007{target}");
        let request = Request::builder().uri(uri).header(USER_AGENT, AGENT).body(());
        let request = request.map_err(|error| call.broken(error))?;
        let mut requests = call.in_time(self.requests.clone().ready()).await?;
        let sent = requests.send_request(request, true);
        let (response, _) = sent.map_err(|error| call.broken(error))?;
        let response = call.in_time(response).await?;
        let status = response.status();
        let length = response
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let download = Download { call, body: response.into_body(), length };
        if status == StatusCode::OK {
            return Ok(download);
        }
        let call = download.call.clone();
        let text = download.all(REFUSAL_MAX).await.unwrap_or_default();
        Err(call.refused(status, &text))
    }
}

fn download_target(file: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    format!("/download?{}", query.append_pair("file-name", file).finish())
}

/// A file that comes piece by piece.
pub struct Download {
    call: Call,
    body: RecvStream,
    /// Its bytes, where the server tells.
    length: Option<usize>,
}

impl Download {
    /// The next piece; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RemoteError> {
        let Some(piece) = self.call.patiently(self.body.data()).await? else { return Ok(None) };
        let piece = piece.map_err(|error| self.call.broken(error))?;
        // Taken up, so that the server may send as much again.
        let released = self.body.flow_control().release_capacity(piece.len());
        released.map_err(|error| self.call.broken(error))?;
        Ok(Some(piece))
    }

    /// All of it, which may not be longer than `max`.
    pub async fn all(mut self, max: usize) -> Result<Bytes, RemoteError> {
        // At once, where the server tells how long it is: growing would cost up to twice the memory.
        let mut bytes = BytesMut::with_capacity(self.length.unwrap_or(0).min(max));
        while let Some(piece) = self.next().await? {
            if bytes.len() + piece.len() > max {
                return Err(self.call.nonsense(format!("more than {max} bytes")));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }
}
