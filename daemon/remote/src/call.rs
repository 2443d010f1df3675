//! One thing that a server is asked for: how long it is waited for, and how what goes wrong is told.

use std::time::Duration;

use http::StatusCode;
use tokio::time::timeout;

use crate::RemoteError;

/// How much of a server's words is told.
const TEXT_MAX: usize = 1024;

/// What is asked, of whom, with how much patience.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) what: String,
    pub(crate) server: String,
    pub(crate) patience: Duration,
}

impl Call {
    /// Waits for a step of it.
    pub(crate) async fn in_time<T, E>(
        &self,
        step: impl Future<Output = Result<T, E>>,
    ) -> Result<T, RemoteError>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        self.patiently(step).await?.map_err(|error| self.broken(error))
    }

    /// Waits for something, whatever comes of it.
    pub(crate) async fn patiently<T>(
        &self,
        step: impl Future<Output = T>,
    ) -> Result<T, RemoteError> {
        timeout(self.patience, step).await.map_err(|_| RemoteError::Silent {
            what: self.what.clone(),
            server: self.server.clone(),
            seconds: self.patience.as_secs(),
        })
    }

    pub(crate) fn broken(
        &self,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> RemoteError {
        let (what, server) = (self.what.clone(), self.server.clone());
        RemoteError::Broken { what, server, source: source.into() }
    }

    pub(crate) fn nonsense(&self, reason: impl Into<String>) -> RemoteError {
        let (what, server) = (self.what.clone(), self.server.clone());
        RemoteError::Nonsense { what, server, reason: reason.into() }
    }

    /// The server's own words, on one line and of bounded length.
    pub(crate) fn refused(&self, status: StatusCode, body: &[u8]) -> RemoteError {
        let text = String::from_utf8_lossy(&body[..body.len().min(TEXT_MAX)]);
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        let text = text.trim().chars().map(printable).collect();
        let (what, server) = (self.what.clone(), self.server.clone());
        RemoteError::Refused { what, server, status: status.as_u16(), text }
    }
}
