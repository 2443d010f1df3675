//! The connection to a snapshot: one for all its readers, open while it is used.
//!
//! A server gives the chunks of those indexes alone that were downloaded over the same connection, so a new one begins
//! with that. An old one that has broken is replaced once by a new one, whatever was asked over it.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reel_remote::{Download, RemoteError, SnapshotReader};
use reel_types::{ArchiveName, Digest};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::files::LiveSnapshot;
use super::is_down;

/// After how long without a question a connection is closed.
const IDLE: Duration = Duration::from_secs(30);

/// The connection, while there is one.
#[derive(Default)]
pub(super) struct Session {
    connection: Mutex<Option<Arc<Connection>>>,
    used: std::sync::Mutex<Option<Instant>>,
}

struct Connection {
    reader: SnapshotReader,
    /// Indexes whose chunks the server gives.
    opened: Mutex<HashSet<ArchiveName>>,
}

impl Connection {
    async fn chunk(&self, index: &ArchiveName, digest: &Digest) -> Result<Bytes, RemoteError> {
        let mut opened = self.opened.lock().await;
        if !opened.contains(index) {
            // The server reads the index before it answers; the bytes are here already.
            drop(self.reader.download(index.as_str()).await?);
            opened.insert(index.clone());
        }
        drop(opened);
        self.reader.chunk(digest).await
    }

    async fn download(&self, name: &ArchiveName) -> Result<Download, RemoteError> {
        let download = self.reader.download(name.as_str()).await?;
        self.opened.lock().await.insert(name.clone());
        Ok(download)
    }
}

impl LiveSnapshot {
    /// A chunk as it is stored.
    pub(super) async fn chunk(
        self: &Arc<Self>,
        index: &ArchiveName,
        digest: &Digest,
    ) -> Result<Bytes, RemoteError> {
        let connection = self.connection().await?;
        match connection.chunk(index, digest).await {
            Err(error) if is_down(&error) => {
                let connection = self.another(&connection, error).await?;
                connection.chunk(index, digest).await
            }
            got => got,
        }
    }

    /// A file as it is stored.
    pub(super) async fn download(
        self: &Arc<Self>,
        name: &ArchiveName,
    ) -> Result<Download, RemoteError> {
        let connection = self.connection().await?;
        match connection.download(name).await {
            Err(error) if is_down(&error) => {
                let connection = self.another(&connection, error).await?;
                connection.download(name).await
            }
            got => got,
        }
    }

    async fn connection(self: &Arc<Self>) -> Result<Arc<Connection>, RemoteError> {
        let mut held = self.session.connection.lock().await;
        self.session.note_use();
        if let Some(connection) = &*held {
            return Ok(Arc::clone(connection));
        }
        let opened = self.remote.client().read_snapshot(
            &self.store,
            &self.path.namespace,
            &self.path.snapshot,
        );
        let opened = opened.await;
        self.remote.note_health(opened.as_ref().err());
        let connection = Arc::new(Connection { reader: opened?, opened: Mutex::default() });
        *held = Some(Arc::clone(&connection));
        self.remote.parts().runtime.run_future(Arc::clone(self).close_when_idle());
        Ok(connection)
    }

    /// A new connection in the place of one that has broken; the one that others have opened meanwhile. A server that
    /// is silent is not asked again.
    async fn another(
        self: &Arc<Self>,
        broken: &Arc<Connection>,
        error: RemoteError,
    ) -> Result<Arc<Connection>, RemoteError> {
        let mut held = self.session.connection.lock().await;
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(held, broken)) {
            *held = None;
        }
        drop(held);
        if matches!(error, RemoteError::Silent { .. }) {
            return Err(error);
        }
        self.connection().await
    }

    /// Keeps what was brought of the snapshot as long as the connection is open, and closes that.
    async fn close_when_idle(self: Arc<Self>) {
        loop {
            sleep(IDLE).await;
            let mut held = self.session.connection.lock().await;
            let in_use = held.as_ref().is_some_and(|held| Arc::strong_count(held) > 1);
            if !in_use && self.session.is_idle() {
                *held = None;
                return;
            }
        }
    }
}

impl Session {
    fn note_use(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn is_idle(&self) -> bool {
        let used = *self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.is_none_or(|used| used.elapsed() >= IDLE)
    }
}
