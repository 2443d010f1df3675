//! A server with a certificate of its own: answers for paths of the API, and a reader connection.

#[path = "certificate.rs"]
pub mod certificate;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::UPGRADE;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use openssl::hash::MessageDigest;
use openssl::ssl::{Ssl, SslAcceptor, SslMethod};
use reel_remote::{Client, ClientOptions, Endpoint, Login};
use reel_types::Fingerprint;
use tokio::net::{TcpListener, TcpStream};
use tokio_openssl::SslStream;

use certificate::self_signed;

/// What a server is asked: method, path with query, headers, body.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub target: String,
    pub headers: http::HeaderMap,
    pub body: String,
    /// On a reader connection: the target of the request that it began with.
    pub over: String,
    /// Which reader connection, from 1; 0 on the API.
    pub session: usize,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// How a server answers.
pub enum Answer {
    /// A status and a body.
    Says(u16, Vec<u8>),
    /// A part of what was asked for, then the connection or stream is cut.
    Breaks(Vec<u8>),
    /// Not at all, and the connection stays.
    Nothing,
}

pub fn ok(body: impl Into<Vec<u8>>) -> Answer {
    Answer::Says(200, body.into())
}

pub fn refusal(status: u16, text: &str) -> Answer {
    Answer::Says(status, text.into())
}

type Answers = dyn Fn(&Asked) -> Answer + Send + Sync;

struct Shared {
    rest: Box<Answers>,
    reader: Box<Answers>,
    asked: Mutex<Vec<Asked>>,
    connections: Mutex<usize>,
    sessions: Mutex<usize>,
}

/// A server that runs until it is dropped.
pub struct Server {
    address: SocketAddr,
    pub fingerprint: Fingerprint,
    shared: Arc<Shared>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Server {
    /// `rest` answers on the API, `reader` on reader connections.
    pub async fn start(
        rest: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
        reader: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let (acceptor, fingerprint) = certificate();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            rest: Box::new(rest),
            reader: Box::new(reader),
            asked: Mutex::default(),
            connections: Mutex::default(),
            sessions: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, acceptor, Arc::clone(&shared)));
        Self { address, fingerprint, shared, accepting }
    }

    pub fn endpoint(&self) -> Endpoint {
        let host = self.address.ip().to_string().parse().unwrap();
        Endpoint { host, port: self.address.port(), fingerprint: Some(self.fingerprint) }
    }

    pub fn client(&self, auth_id: &str) -> Client {
        self.client_with(self.endpoint(), auth_id, ClientOptions::default())
    }

    pub fn client_with(&self, endpoint: Endpoint, auth_id: &str, options: ClientOptions) -> Client {
        let login =
            Login { auth_id: auth_id.parse().unwrap(), password: "secret".parse().unwrap() };
        Client::new(endpoint, login, options)
    }

    /// A client that soon gives up.
    pub fn impatient_client(&self) -> Client {
        let options = ClientOptions { patience: Duration::from_millis(500), ..Default::default() };
        self.client_with(self.endpoint(), "u@pbs!tok", options)
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// How many connections it took.
    pub fn connections(&self) -> usize {
        *self.shared.connections.lock().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn certificate() -> (SslAcceptor, Fingerprint) {
    let (certificate, key) = self_signed("pbs.example");
    let digest = certificate.digest(MessageDigest::sha256()).unwrap();
    let fingerprint = Fingerprint(digest.as_ref().try_into().unwrap());
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_private_key(&key).unwrap();
    acceptor.set_certificate(&certificate).unwrap();
    (acceptor.build(), fingerprint)
}

async fn accept(listener: TcpListener, acceptor: SslAcceptor, shared: Arc<Shared>) {
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        *shared.connections.lock().unwrap() += 1;
        let ssl = Ssl::new(acceptor.context()).unwrap();
        tokio::spawn(serve(tcp, ssl, Arc::clone(&shared)));
    }
}

async fn serve(tcp: TcpStream, ssl: Ssl, shared: Arc<Shared>) {
    let mut stream = SslStream::new(ssl, tcp).unwrap();
    // A client that does not believe goes away.
    if Pin::new(&mut stream).accept().await.is_err() {
        return;
    }
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = connection.with_upgrades().await;
}

async fn answer(
    mut request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let upgrade = request.headers().contains_key(UPGRADE).then(|| hyper::upgrade::on(&mut request));
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let asked = Asked {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
        over: String::new(),
        session: 0,
    };
    shared.asked.lock().unwrap().push(asked.clone());
    let (status, body) = match (shared.rest)(&asked) {
        Answer::Says(status, body) => (status, body),
        Answer::Breaks(_) => return Err(std::io::Error::other("closed on purpose")),
        Answer::Nothing => std::future::pending().await,
    };
    if let Some(upgrade) = upgrade.filter(|_| status == 101) {
        tokio::spawn(async move {
            let upgraded = upgrade.await.unwrap();
            read_protocol(TokioIo::new(upgraded), shared, asked.target).await;
        });
    }
    let response = Response::builder().status(status);
    let response = if status == 101 {
        response
            .header("connection", "upgrade")
            .header(UPGRADE, "proxmox-backup-reader-protocol-v1")
    } else {
        response
    };
    Ok(response.body(Full::new(body.into())).unwrap())
}

async fn read_protocol(
    stream: TokioIo<hyper::upgrade::Upgraded>,
    shared: Arc<Shared>,
    over: String,
) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let session = {
        let mut sessions = shared.sessions.lock().unwrap();
        *sessions += 1;
        *sessions
    };
    let mut unanswered = Vec::new();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let asked = Asked {
            method: request.method().to_string(),
            target: request.uri().path_and_query().unwrap().to_string(),
            headers: request.headers().clone(),
            body: String::new(),
            over: over.clone(),
            session,
        };
        let answer = (shared.reader)(&asked);
        shared.asked.lock().unwrap().push(asked);
        let (status, body, breaks) = match answer {
            Answer::Says(status, body) => (status, body, false),
            Answer::Breaks(body) => (200, body, true),
            Answer::Nothing => {
                unanswered.push(respond);
                continue;
            }
        };
        let response = Response::builder().status(status).body(()).unwrap();
        let mut stream = respond.send_response(response, false).unwrap();
        stream.send_data(body.into(), !breaks).unwrap();
        if breaks {
            stream.send_reset(h2::Reason::INTERNAL_ERROR);
        }
    }
}
