//! What can go wrong between here and another server or client.

use std::io;

use reel_types::{Fingerprint, ParseError};

/// Why a server did not give what it was asked for, or can't be one.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No connection came about.
    #[error("connect to {server}: {source}; is the server up, and its name and port right?")]
    Connect {
        /// Host and port.
        server: String,
        /// What the system said.
        source: io::Error,
    },

    /// The server's certificate is neither signed by an authority that the system trusts, nor the one that is expected.
    #[error(
        "connect to {server}: its certificate is not trusted; it has the fingerprint {presented}{}; if that is the \
         server's, as 'proxmox-backup-manager cert info' prints it there, set it as the remote's 'fingerprint'",
        expected.map(|expected| format!(", and {expected} is expected")).unwrap_or_default()
    )]
    Certificate {
        /// Host and port.
        server: String,
        /// What it presented.
        presented: Fingerprint,
        /// What it should have presented.
        expected: Option<Fingerprint>,
    },

    /// The connection broke.
    #[error("{what}: the connection to {server} broke: {source}")]
    Broken {
        /// What was under way.
        what: String,
        /// Host and port.
        server: String,
        /// How.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The server does not answer.
    #[error("{what}: {server} does not answer within {seconds} s")]
    Silent {
        /// What was asked.
        what: String,
        /// Host and port.
        server: String,
        /// How long it was waited for.
        seconds: u64,
    },

    /// The server refuses.
    #[error("{what}: {server} answers {status}: {text}")]
    Refused {
        /// What was asked.
        what: String,
        /// Host and port.
        server: String,
        /// The status of HTTP.
        status: u16,
        /// Its own words.
        text: String,
    },

    /// The server answers something that is no answer.
    #[error("{what}: {server} sends {reason}")]
    Nonsense {
        /// What was asked.
        what: String,
        /// Host and port.
        server: String,
        /// What is wrong with the answer.
        reason: String,
    },

    /// Nothing could be sent.
    #[error("TLS: {0}")]
    Tls(#[from] openssl::error::ErrorStack),

    /// Nobody can be served at an address.
    #[error(
        "listen on {address}: {source}; is the port free, and the address one of this computer?"
    )]
    Listen {
        /// Address and port.
        address: std::net::SocketAddr,
        /// What the system said.
        source: io::Error,
    },

    /// A certificate or key is no use.
    #[error("use '{}': {reason}", path.display())]
    KeyFile {
        /// The file.
        path: std::path::PathBuf,
        /// Why, and what to do.
        reason: String,
    },

    /// The configuration of the remote is no use.
    #[error(transparent)]
    Config(#[from] reel_config::ConfigError),

    /// A value breaks a rule.
    #[error(transparent)]
    Value(#[from] ParseError),
}

impl RemoteError {
    /// The errno that tells a caller of the file system.
    pub fn errno(&self) -> i32 {
        match self {
            Self::Connect { source, .. } => source.raw_os_error().unwrap_or(libc::EHOSTUNREACH),
            Self::Certificate { .. } => libc::EPERM,
            Self::Broken { .. } => libc::ECONNRESET,
            Self::Silent { .. } => libc::ETIMEDOUT,
            Self::Refused { status: 401 | 403, .. } => libc::EACCES,
            Self::Refused { status: 404, .. } => libc::ENOENT,
            Self::Refused { .. } | Self::Nonsense { .. } => libc::EPROTO,
            Self::Listen { source, .. } => source.raw_os_error().unwrap_or(libc::EIO),
            Self::Tls(_) | Self::KeyFile { .. } => libc::EIO,
            Self::Config(error) => error.errno(),
            Self::Value(_) => libc::EINVAL,
        }
    }

    /// The status that the server answered with, if it answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}
