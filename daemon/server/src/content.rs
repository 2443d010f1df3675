//! Decoded content of snapshots, wherever they lie: what the mount's files and the API's downloads read.
//!
//! ```text
//! a snapshot's folder (datastore, or cache of a media set or remote) ── FinishedSnapshot ── open_file ── OpenContent
//! chunks (datastore, the queues of tape drives, or a connection) ───────────┘
//! ```
//!
//! A [`FinishedSnapshot`] gives checked indexes and blobs and says where chunks come from; [`open_file`] chooses the
//! key and makes one of the views of `reel_store`. What is opened keeps its snapshot held: nobody can remove it until
//! the last handle is closed.

mod datastore;
mod kept;
mod keys;
mod live;
mod media_set;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use nix::libc;
use reel_store::source::{Blocking, ChunkReader};
use reel_store::view::{
    BlobView, ImageView, Seek, SharedIndex, StreamView, ViewContext, ViewError, ViewParts,
};
use reel_store::{CryptConfig, CryptMode, DataBlob, Manifest};
use reel_types::commands::FileName;
use reel_types::{ArchiveKind, ArchiveName, Fingerprint, SnapshotPath, StoreName};

use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

pub(crate) use datastore::DatastoreSnapshot;
pub(crate) use live::RemoteSnapshot;
pub(crate) use media_set::SetSnapshot;

/// A snapshot whose manifest could be read, held while somebody reads it.
pub(crate) trait FinishedSnapshot: Send + Sync {
    /// The manifest; its signature is not checked yet.
    fn manifest(&self) -> &Manifest;

    /// The bytes of the manifest's file.
    fn manifest_raw(&self) -> &Bytes;

    /// What a file is called in messages: `file 'disk.img.fidx' of snapshot '…' of datastore '…'`.
    fn text(&self, name: &ArchiveName) -> String;

    /// An index that agrees with the manifest, and whether its chunks are encrypted.
    fn index(&self, name: &ArchiveName) -> Outcome<(SharedIndex, CryptMode)>;

    /// A blob whose CRC is right and that agrees with the manifest where that lists it.
    fn blob(&self, name: &ArchiveName) -> Outcome<DataBlob>;

    /// A reader of the chunks of an index, for one open file.
    fn chunks(&self, index: &ArchiveName) -> Outcome<Arc<dyn ChunkReader>>;

    /// The client key of this fingerprint; a failure that says what to do where none was given.
    fn key(&self, fingerprint: &Fingerprint) -> Outcome<Arc<CryptConfig>>;
}

/// A file of a snapshot, open and decoded.
pub struct OpenContent {
    view: View,
    size: u64,
    /// Keeps the snapshot where it is.
    _held: Option<Arc<dyn FinishedSnapshot>>,
}

enum View {
    Image(Box<ImageView>),
    Stream(Box<StreamView>),
    Blob(BlobView),
    /// A file as it stands on disk.
    Stored(Arc<File>, PathBuf, Arc<dyn Blocking>),
}

impl OpenContent {
    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Up to `length` bytes from `offset`; fewer only at the end.
    pub fn read(&self, offset: u64, length: usize) -> BoxFuture<'static, Outcome<Bytes>> {
        match &self.view {
            View::Image(view) => view.read(offset, length).map(viewed).boxed(),
            View::Stream(view) => view.read(offset, length).map(viewed).boxed(),
            View::Blob(view) => std::future::ready(Ok(view.read(offset, length))).boxed(),
            View::Stored(file, path, blocking) => {
                let left = self.size.saturating_sub(offset);
                let length = usize::try_from(left).map_or(length, |left| left.min(length));
                read_stored(file, path, &**blocking, offset, length)
            }
        }
    }

    /// Where the next data or hole at or behind `offset` begins; none where no data follows.
    pub fn seek_hole_data(&self, offset: u64, whence: Seek) -> Outcome<Option<u64>> {
        let found = match &self.view {
            View::Image(view) => view.seek_hole_data(offset, whence),
            View::Stream(view) => view.seek_hole_data(offset, whence),
            View::Blob(_) | View::Stored(..) => {
                return Ok((whence == Seek::Data).then_some(offset));
            }
        };
        match found {
            Ok(place) => Ok(Some(place)),
            Err(ViewError::NothingThere { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A file as it stands on disk, byte for byte.
    pub(crate) fn stored(path: PathBuf, blocking: Arc<dyn Blocking>) -> Outcome<Self> {
        let tried = |error: io::Error| cannot(&format!("open '{}'", path.display()), &error);
        let file = File::open(&path).map_err(tried)?;
        let metadata = file.metadata().map_err(tried)?;
        if !metadata.is_file() {
            let text =
                format!("open '{}': something else than a file stands there", path.display());
            return Err(Failure::new(libc::EIO, text));
        }
        let view = View::Stored(Arc::new(file), path, blocking);
        Ok(Self { view, size: metadata.len(), _held: None })
    }
}

fn viewed(read: Result<Bytes, ViewError>) -> Outcome<Bytes> {
    read.map_err(Failure::from)
}

impl From<ViewError> for Failure {
    fn from(error: ViewError) -> Self {
        Self::new(error.errno(), error.to_string())
    }
}

fn cannot(tried: &str, error: &io::Error) -> Failure {
    let errno = match error.raw_os_error() {
        Some(libc::ENOENT) | None => libc::EIO,
        Some(errno) => errno,
    };
    Failure::new(errno, format!("{tried}: {error}"))
}

fn read_stored(
    file: &Arc<File>,
    path: &std::path::Path,
    blocking: &dyn Blocking,
    offset: u64,
    length: usize,
) -> BoxFuture<'static, Outcome<Bytes>> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let file = Arc::clone(file);
    let tried = format!("read '{}'", path.display());
    let given_up = Failure::new(libc::EINTR, format!("{tried}: the work was given up; try again"));
    blocking.run(Box::new(move || {
        let mut buffer = vec![0; length];
        let read = file.read_exact_at(&mut buffer, offset).map(|()| Bytes::from(buffer));
        // Where nobody waits any more there is nobody to tell.
        let _ = sender.send(read.map_err(|error| cannot(&tried, &error)));
    }));
    receiver.map(|answer| answer.unwrap_or(Err(given_up))).boxed()
}

/// Opens a file of a datastore's snapshot under its stored name or the plain one; `index.json` is the manifest.
pub fn open(
    reeld: &Arc<Reeld>,
    store: &StoreName,
    path: &SnapshotPath,
    file: &FileName,
) -> Outcome<OpenContent> {
    let snapshot = DatastoreSnapshot::open(reeld, store, path)?;
    let names = snapshot.stored_files()?;
    let name = names.iter().find(|name| file.means(name)).ok_or_else(|| {
        let known: Vec<&str> = names.iter().map(ArchiveName::plain).collect();
        let text = format!(
            "snapshot '{path}' of datastore '{store}' has no file '{}'; it has {}",
            file.as_str(),
            known.join(", ")
        );
        Failure::not_found(text)
    })?;
    let snapshot: Arc<dyn FinishedSnapshot> = Arc::new(snapshot);
    open_file(&snapshot, name, &reeld.views)
}

/// Opens a file of a snapshot for reading, decoded. Computes what the manifest promises of an index, which reads all
/// of it.
pub(crate) fn open_file(
    snapshot: &Arc<dyn FinishedSnapshot>,
    name: &ArchiveName,
    views: &ViewContext,
) -> Outcome<OpenContent> {
    let (view, size) = match name.kind() {
        ArchiveKind::Blob => {
            let view = open_blob(&**snapshot, name)?;
            let size = view.size();
            (View::Blob(view), size)
        }
        ArchiveKind::Fixed => {
            let view = ImageView::open(parts(&**snapshot, name)?, views)?;
            let size = view.size();
            (View::Image(Box::new(view)), size)
        }
        ArchiveKind::Dynamic => {
            let view = StreamView::open(parts(&**snapshot, name)?, views)?;
            let size = view.size();
            (View::Stream(Box::new(view)), size)
        }
    };
    Ok(OpenContent { view, size, _held: Some(Arc::clone(snapshot)) })
}

fn open_blob(snapshot: &dyn FinishedSnapshot, name: &ArchiveName) -> Outcome<BlobView> {
    let blob = match name.as_str() {
        ArchiveName::MANIFEST => DataBlob::from_raw(snapshot.manifest_raw().clone())?,
        _ => snapshot.blob(name)?,
    };
    let text = snapshot.text(name);
    let key = keys::key_for(snapshot, blob.is_encrypted(), &text)?;
    BlobView::open(&blob, key.as_deref()).map_err(|error| {
        let errno = error.errno();
        Failure::new(errno, format!("read {text}: {error}"))
    })
}

fn parts(snapshot: &dyn FinishedSnapshot, name: &ArchiveName) -> Outcome<ViewParts> {
    let (index, crypt_mode) = snapshot.index(name)?;
    let what = snapshot.text(name);
    let crypt = keys::key_for(snapshot, crypt_mode == CryptMode::Encrypt, &what)?;
    Ok(ViewParts { what, index, crypt_mode, crypt, reader: snapshot.chunks(name)? })
}

/// What a snapshot promises and doesn't have is damage, not a name that doesn't exist.
fn as_damage(failure: Failure) -> Failure {
    match failure.errno {
        libc::ENOENT => Failure { errno: libc::EIO, ..failure },
        _ => failure,
    }
}
