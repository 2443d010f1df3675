//! The listener: who may connect, and how long a handshake may take (`remote-protocol.md` §1.1, §1.2).

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::sys::socket::{setsockopt, sockopt};
use openssl::ssl::Ssl;
use reel_config::ConfigDir;
use reel_types::Fingerprint;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tokio_openssl::SslStream;

use super::certificate::Certificates;
use super::key_files::{AuthKey, CsrfKey};
use super::refusal::{Outcome, Refusal};
use super::surroundings::Surroundings;
use super::{redirect, rest};
use crate::RemoteError;

/// Connections at a time. The next ones wait until others have ended: an open port costs no memory that this does not
/// bound, and a client has a handful of connections.
const CONNECTIONS_MAX: usize = 512;
/// Snapshots that are being read at a time: each may hold some megabytes on their way to a slow client.
const READERS_MAX: usize = 128;
/// Requests that are worked on at a time, each on a thread that may block.
const WORK_MAX: usize = 32;
/// How long a client may take for its handshake.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may take for the head of a request, and be silent between two requests.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// The head of a request: a path and query of 3 KiB, a ticket signed by RSA, and room.
const HEAD_MAX: usize = 32 << 10;
const KEEPALIVE_SECONDS: u32 = 120;
/// How long accepting rests after the system refused, as it does without free descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// How often a client that sends its first bytes one by one is looked at.
const PEEK_REST: Duration = Duration::from_millis(20);
/// The head of a TLS record.
const TLS_HEAD: usize = 5;
const TLS_RECORD_MAX: u16 = 16384;

/// What all connections share.
pub(super) struct Shared {
    pub(super) around: Surroundings,
    pub(super) auth_key: AuthKey,
    pub(super) csrf_key: CsrfKey,
    pub(super) readers: Arc<Semaphore>,
    work: Semaphore,
}

impl Shared {
    /// Does what may block.
    pub(super) async fn work<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let broken = |error: String| Refusal::bad(format!("answer the request: {error}"));
        let _turn = self.work.acquire().await.map_err(|error| broken(error.to_string()))?;
        let shared = Arc::clone(self);
        let done = spawn_blocking(move || work(&shared)).await;
        done.map_err(|error| broken(error.to_string()))?
    }

    /// Lets a client wait for its refusal.
    pub(super) async fn pause(&self, refusal: &Refusal) {
        if !refusal.pause.is_zero() {
            self.around.pause.pause(refusal.pause).await;
        }
    }
}

/// A connection's client, which has its place for as long as somebody talks with it.
pub(super) struct Client {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: SocketAddr,
    _seat: OwnedSemaphorePermit,
}

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    certificates: Certificates,
    shared: Arc<Shared>,
    seats: Arc<Semaphore>,
}

impl Server {
    /// Listens on `address`, with the certificate and keys in the folder of the configuration, where they are already
    /// ([`create_keys`](super::create_keys)).
    pub async fn bind(
        address: SocketAddr,
        config: &ConfigDir,
        around: Surroundings,
    ) -> Result<Self, RemoteError> {
        let certificates = Certificates::of(config);
        certificates.acceptor()?;
        let shared = Shared {
            around,
            auth_key: AuthKey::load(config)?,
            csrf_key: CsrfKey::load(config)?,
            readers: Arc::new(Semaphore::new(READERS_MAX)),
            work: Semaphore::new(WORK_MAX),
        };
        let listener = TcpListener::bind(address).await;
        Ok(Self {
            listener: listener.map_err(|source| RemoteError::Listen { address, source })?,
            certificates,
            shared: Arc::new(shared),
            seats: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The fingerprint of its certificate.
    pub fn fingerprint(&self) -> Result<Fingerprint, RemoteError> {
        self.certificates.fingerprint()
    }

    /// Serves until this is dropped. Connections that are open then go on by themselves.
    pub async fn run(self) {
        loop {
            let Ok(seat) = Arc::clone(&self.seats).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((tcp, peer)) => {
                    let client = Client { shared: Arc::clone(&self.shared), peer, _seat: seat };
                    self.welcome(tcp, client);
                }
                Err(error) => {
                    tracing::warn!(%error, "accept a connection");
                    sleep(ACCEPT_REST).await;
                }
            }
        }
    }

    fn welcome(&self, tcp: TcpStream, client: Client) {
        let made =
            self.certificates.acceptor().and_then(|acceptor| Ok(Ssl::new(acceptor.context())?));
        let ssl = match made {
            Ok(ssl) => ssl,
            Err(error) => return tracing::error!(%error, "nobody can be served"),
        };
        tokio::spawn(async move {
            let peer = client.peer;
            if let Err(error) = converse(tcp, ssl, client).await {
                tracing::debug!(%peer, error, "a connection ended early");
            }
        });
    }
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

async fn converse(tcp: TcpStream, ssl: Ssl, client: Client) -> Result<(), Broken> {
    prepare(&tcp)?;
    if !timeout(HANDSHAKE_PATIENCE, speaks_tls(&tcp)).await?? {
        return Ok(http()
            .serve_connection(TokioIo::new(tcp), service_fn(redirect::answer))
            .await?);
    }
    let mut stream = SslStream::new(ssl, tcp)?;
    timeout(HANDSHAKE_PATIENCE, Pin::new(&mut stream).accept()).await??;
    let client = Arc::new(client);
    let service = service_fn(move |request| rest::answer(Arc::clone(&client), request));
    Ok(http().serve_connection(TokioIo::new(stream), service).with_upgrades().await?)
}

fn prepare(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    setsockopt(tcp, sockopt::KeepAlive, &true)?;
    setsockopt(tcp, sockopt::TcpKeepIdle, &KEEPALIVE_SECONDS)?;
    Ok(())
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE).max_buf_size(HEAD_MAX);
    http
}

/// Looks at the first bytes of a client, without taking them.
async fn speaks_tls(tcp: &TcpStream) -> io::Result<bool> {
    let mut head = [0; TLS_HEAD];
    loop {
        let known = tcp.peek(&mut head).await?;
        match looks_like_tls(&head[..known]) {
            Some(is_tls) => return Ok(is_tls),
            None if known == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            None => sleep(PEEK_REST).await,
        }
    }
}

/// Whether these are the first bytes of a TLS record; none while it can't be told.
fn looks_like_tls(bytes: &[u8]) -> Option<bool> {
    let expected = [0x16, 0x03];
    if bytes.iter().zip(expected).any(|(byte, expected)| *byte != expected) {
        return Some(false);
    }
    let length = bytes.get(3..TLS_HEAD)?;
    Some(u16::from_be_bytes([length[0], length[1]]) <= TLS_RECORD_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_known_by_its_first_bytes() {
        for (bytes, is_tls) in [
            (&b"\x16\x03\x01\x40\x00"[..], Some(true)),
            (b"\x16\x03\x01\x40\x01", Some(false)),
            (b"\x16\x03\x01\x02", None),
            (b"\x16", None),
            (b"", None),
            (b"\x16\x02", Some(false)),
            (b"GET /", Some(false)),
            (b"G", Some(false)),
        ] {
            assert_eq!(looks_like_tls(bytes), is_tls, "{bytes:?}");
        }
    }
}
