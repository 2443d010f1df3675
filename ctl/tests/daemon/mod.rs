//! A daemon that answers as a test says.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::UnixListener;

/// What the program asked.
pub struct Asked {
    /// Path and query.
    pub target: String,
    body: Value,
}

impl Asked {
    /// The command's words.
    pub fn command(&self) -> String {
        self.body["command"].as_str().unwrap_or_default().to_owned()
    }

    /// The command's parameters.
    pub fn params(&self) -> Map<String, Value> {
        self.body["params"].as_object().cloned().unwrap_or_default()
    }

    /// A number in the query.
    pub fn query(&self, name: &str) -> Option<u64> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name)?.1.parse().ok()
    }
}

/// What the daemon says to that.
pub enum Answer {
    /// A status and a body.
    Json(u16, Value),
    /// Pieces of content.
    Stream(Vec<Vec<u8>>),
    /// Pieces of content, then a failure.
    BrokenStream(Vec<Vec<u8>>),
    /// Nothing, ever.
    Never,
}

impl Answer {
    pub fn json(status: u16, body: Value) -> Self {
        Self::Json(status, body)
    }

    pub fn data(data: Value) -> Self {
        Self::Json(200, json!({ "data": data }))
    }
}

/// A daemon on a socket of its own, until it is dropped.
pub struct Daemon {
    folder: tempfile::TempDir,
    requests: Arc<Mutex<Vec<String>>>,
    _runtime: Option<tokio::runtime::Runtime>,
}

type Body = BoxBody<Bytes, std::io::Error>;

impl Daemon {
    /// No daemon at all.
    pub fn absent() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, requests: Arc::default(), _runtime: None }
    }

    /// A daemon that says `answer` to everything.
    pub fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let mut daemon = Self::absent();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let socket = daemon.socket();
        let listener = runtime.block_on(async { UnixListener::bind(socket).unwrap() });
        runtime.spawn(serve(listener, Arc::new(answer), daemon.requests.clone()));
        daemon._runtime = Some(runtime);
        daemon
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        Path::join(self.folder.path(), "api.sock")
    }

    /// Method and path of everything that it was asked.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve<F>(listener: UnixListener, answer: Arc<F>, requests: Arc<Mutex<Vec<String>>>)
where
    F: Fn(&Asked) -> Answer + Send + Sync + 'static,
{
    while let Ok((stream, _)) = listener.accept().await {
        let (answer, requests) = (answer.clone(), requests.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (answer, requests) = (answer.clone(), requests.clone());
            async move {
                let line = format!("{} {}", request.method(), request.uri().path());
                requests.lock().unwrap().push(line);
                let target = request.uri().to_string();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                response(answer(&Asked { target, body })).await
            }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

async fn response(answer: Answer) -> Result<Response<Body>, Infallible> {
    let (status, body) = match answer {
        Answer::Json(status, body) => {
            let body = Full::new(Bytes::from(body.to_string()));
            (status, body.map_err(|never| match never {}).boxed())
        }
        Answer::Stream(pieces) => (200, stream(pieces, false)),
        Answer::BrokenStream(pieces) => (200, stream(pieces, true)),
        Answer::Never => std::future::pending().await,
    };
    Ok(Response::builder().status(status).body(body).unwrap())
}

fn stream(pieces: Vec<Vec<u8>>, broken: bool) -> Body {
    let failure = broken.then(|| Err(std::io::Error::other("medium error")));
    let frames = pieces.into_iter().map(|piece| Ok(Frame::data(Bytes::from(piece)))).chain(failure);
    StreamBody::new(futures_util::stream::iter(frames.collect::<Vec<_>>())).boxed()
}
