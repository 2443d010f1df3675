//! A connection to a server: TCP, the limits, TLS.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use openssl::ssl::Ssl;
use reel_config::RemoteConfig;
use reel_types::{Fingerprint, HostName};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_openssl::SslStream;

use crate::limit::{Limited, Limits};
use crate::{RemoteError, tls};

/// How long a connection may take to come about (`remote-protocol.md` §1.1).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// After how many seconds of silence the peer is asked whether it is there (`remote-protocol.md` §1.1).
const KEEPALIVE_S: u32 = 120;

/// Where a server is, and which certificate it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its host.
    pub host: HostName,
    /// Its port.
    pub port: u16,
    /// Its certificate, where no authority vouches for it.
    pub fingerprint: Option<Fingerprint>,
}

impl Endpoint {
    /// Where a remote is, as it is configured.
    pub fn of(remote: &RemoteConfig) -> Self {
        Self { host: remote.host.clone(), port: remote.port(), fingerprint: remote.fingerprint }
    }

    /// Host and port, as in a URL.
    pub(crate) fn server(&self) -> String {
        format!("{}:{}", self.host.in_url(), self.port)
    }
}

pub(crate) type Stream = SslStream<Limited<TcpStream>>;

/// Connects, and believes that it is the server.
pub(crate) async fn connect(endpoint: &Endpoint, limits: &Limits) -> Result<Stream, RemoteError> {
    let server = endpoint.server();
    let refused = |source| RemoteError::Connect { server: server.clone(), source };
    let tcp = within_time(TcpStream::connect((endpoint.host.as_str(), endpoint.port)));
    let tcp = tcp.await.map_err(refused)?;
    tcp.set_nodelay(true).and_then(|()| keep_alive(&tcp)).map_err(refused)?;
    let (configuration, verdict) = tls::handshake(endpoint.fingerprint)?;
    let ssl: Ssl = configuration.into_ssl(endpoint.host.as_str())?;
    let mut stream = SslStream::new(ssl, Limited::new(tcp, limits))?;
    let shaken = Pin::new(&mut stream).connect();
    match within_time(async { shaken.await.map_err(into_io) }).await {
        Ok(()) => Ok(stream),
        Err(source) => Err(match verdict.refused() {
            Some(presented) => {
                let expected = endpoint.fingerprint;
                RemoteError::Certificate { server, presented, expected }
            }
            None => refused(source),
        }),
    }
}

/// Has the system notice a peer that is gone, however long nothing is to be said.
pub(crate) fn keep_alive(tcp: &TcpStream) -> io::Result<()> {
    setsockopt(tcp, sockopt::KeepAlive, &true)?;
    Ok(setsockopt(tcp, sockopt::TcpKeepIdle, &KEEPALIVE_S)?)
}

async fn within_time<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match timeout(CONNECT_TIMEOUT, work).await {
        Ok(done) => done,
        Err(_) => {
            let text = format!("no answer within {} s", CONNECT_TIMEOUT.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, text))
        }
    }
}

fn into_io(error: openssl::ssl::Error) -> io::Error {
    error.into_io_error().unwrap_or_else(io::Error::other)
}
