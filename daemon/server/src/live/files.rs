//! The small files of a snapshot on a remote: manifest, indexes and blobs, brought into a folder when they are needed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use bytes::Bytes;
use nix::libc;
use reel_fs::Preparation;
use reel_store::source::ChunkSource;
use reel_store::{CHUNK_ENCODED_MAX, CryptMode, Manifest};
use reel_types::{ArchiveKind, ArchiveName, SnapshotPath, StoreName};
use tokio::fs::{File, rename};
use tokio::io::AsyncWriteExt;

use super::chunks::{ChunksOfIndex, source};
use super::failure;
use super::remote::LiveRemote;
use super::session::Session;
use crate::failure::{Failure, Outcome};

/// What an index has before its entries, bytes.
const INDEX_HEADER: u64 = 4096;
/// The longest entry of an index, bytes.
const INDEX_ENTRY: u64 = 40;
/// No index has smaller chunks than this on average, but for the last of few: PBS makes them of 4 MiB.
const CHUNK_BYTES_MIN: u64 = 64 << 10;

/// A snapshot on a remote, with what was brought of it. Its folder goes with it.
pub(crate) struct LiveSnapshot {
    pub(super) remote: Arc<LiveRemote>,
    pub(super) store: StoreName,
    pub(super) path: SnapshotPath,
    pub(super) session: Session,
    folder: tempfile::TempDir,
    /// Lets one file come at a time.
    fetching: tokio::sync::Mutex<()>,
    manifest: OnceLock<(Manifest, Bytes)>,
    sources: Mutex<HashMap<ArchiveName, Weak<ChunksOfIndex>>>,
}

impl LiveSnapshot {
    pub(super) fn new(
        remote: &Arc<LiveRemote>,
        store: &StoreName,
        path: &SnapshotPath,
    ) -> Outcome<Self> {
        let folder = tempfile::tempdir_in(&remote.parts().folder)?;
        Ok(Self {
            remote: Arc::clone(remote),
            store: store.clone(),
            path: path.clone(),
            session: Session::default(),
            folder,
            fetching: tokio::sync::Mutex::default(),
            manifest: OnceLock::new(),
            sources: Mutex::default(),
        })
    }

    /// Where its files are brought to.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The manifest, if it was brought.
    pub(crate) fn manifest(&self) -> Option<&Manifest> {
        self.manifest.get().map(|(manifest, _)| manifest)
    }

    /// `snapshot '…' of datastore '…' on remote '…'`.
    pub(crate) fn text(&self) -> String {
        let (path, store, remote) = (&self.path, &self.store, &self.remote.config().name);
        format!("snapshot '{path}' of datastore '{store}' on remote '{remote}'")
    }

    /// Has a file brought, the manifest first; nothing to wait for where it is there.
    pub(crate) fn prepare(self: &Arc<Self>, name: &ArchiveName) -> Option<Preparation> {
        if self.has(name) {
            return None;
        }
        let (snapshot, name) = (Arc::clone(self), name.clone());
        let brought = async move {
            let came = snapshot.fetch(&name).await;
            snapshot.remote.note_brought(snapshot.key(), &name, came);
        };
        Some(self.remote.parts().runtime.run_on(brought))
    }

    /// Whether a file is there; why not, where it isn't.
    pub(crate) fn ensure(&self, name: &ArchiveName) -> Outcome<()> {
        if self.has(name) {
            return Ok(());
        }
        Err(self.remote.why_not_brought(self.key(), name).unwrap_or_else(|| {
            let text = format!("file '{name}' of {} has not come yet; try again", self.text());
            Failure::new(libc::EAGAIN, text)
        }))
    }

    /// How long a file is that was brought.
    pub(crate) fn stored_bytes(&self, name: &ArchiveName) -> Option<u64> {
        self.folder().join(name.as_str()).metadata().ok().map(|metadata| metadata.len())
    }

    fn key(&self) -> (&StoreName, &SnapshotPath) {
        (&self.store, &self.path)
    }

    fn has(&self, name: &ArchiveName) -> bool {
        self.manifest.get().is_some() && self.stored_bytes(name).is_some()
    }

    /// The chunks of an index.
    pub(crate) fn chunks(
        self: &Arc<Self>,
        index: &ArchiveName,
        crypt_mode: CryptMode,
    ) -> Arc<dyn ChunkSource> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = sources.get(index).and_then(Weak::upgrade) {
            return known;
        }
        let made = Arc::new(source(self, index, crypt_mode));
        sources.insert(index.clone(), Arc::downgrade(&made));
        made
    }

    async fn fetch(self: &Arc<Self>, name: &ArchiveName) -> Outcome<()> {
        let _alone = self.fetching.lock().await;
        if self.manifest.get().is_none() {
            self.fetch_manifest().await?;
        }
        if self.has(name) {
            return Ok(());
        }
        self.bring(name, self.bytes_max(name)).await
    }

    async fn fetch_manifest(self: &Arc<Self>) -> Outcome<()> {
        let name: ArchiveName = ArchiveName::MANIFEST.parse()?;
        self.bring(&name, CHUNK_ENCODED_MAX as u64).await?;
        let raw = Bytes::from(tokio::fs::read(self.folder().join(name.as_str())).await?);
        let manifest = Manifest::from_raw(raw.clone()).map_err(|error| {
            let text = format!("read the manifest of {}: {error}", self.text());
            Failure::new(error.errno(), text)
        })?;
        // Only `fetch` sets it, one at a time.
        let _ = self.manifest.set((manifest, raw));
        Ok(())
    }

    /// How long a file may be, by what the manifest tells of it.
    fn bytes_max(&self, name: &ArchiveName) -> u64 {
        let listed = self.manifest().and_then(|manifest| manifest.file(name.as_str()).ok());
        match (name.kind(), listed) {
            (ArchiveKind::Blob, _) => CHUNK_ENCODED_MAX as u64,
            (_, None) => INDEX_HEADER,
            (_, Some(file)) => {
                let entries = file.size / CHUNK_BYTES_MIN + 16;
                INDEX_HEADER.saturating_add(entries.saturating_mul(INDEX_ENTRY))
            }
        }
    }

    async fn bring(self: &Arc<Self>, name: &ArchiveName, bytes_max: u64) -> Outcome<()> {
        let text = || format!("file '{name}' of {}", self.text());
        let told = |error: reel_remote::RemoteError| {
            let failure = failure(&error);
            Failure { message: format!("bring {}: {}", text(), failure.message), ..failure }
        };
        let mut download = self.download(name).await.map_err(told)?;
        let part = self.folder().join("part");
        let mut file = File::create(&part).await?;
        let mut bytes = 0;
        while let Some(piece) = download.next().await.map_err(told)? {
            bytes += piece.len() as u64;
            if bytes > bytes_max {
                let reason = format!("it has more than {bytes_max} bytes, which can't be");
                return Err(Failure::new(libc::EIO, format!("bring {}: {reason}", text())));
            }
            file.write_all(&piece).await?;
        }
        file.flush().await?;
        rename(&part, self.folder().join(name.as_str())).await?;
        Ok(())
    }
}
