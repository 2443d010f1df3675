//! A snapshot out of local files: `reelctl snapshot create STORE TYPE/ID NAME.img=PATH …`.
//!
//! Images go in chunks of 4 MiB that several threads read, digest, compress and store beside each
//! other; each thread holds one chunk. Holes are not read, and zeros found by reading cost no more
//! than a comparison. A file that changes its size meanwhile has no moment that the snapshot could
//! stand for, so it is refused.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::unistd::{Whence, lseek};
use reel_types::{ArchiveKind, ArchiveName, AuthId, Digest, ParseError, SnapshotPath, TaskContext};

use super::Datastore;
use super::writer::{ImageWriter, SnapshotWriter};
use crate::blob::{CHUNK_PLAIN_MAX, DataBlob};
use crate::crypto::{CryptConfig, plain_digest};
use crate::failure::{FormatContext, IoContext, StoreError, StoreErrorKind};
use crate::files::read_bounded;
use crate::index::FIXED_CHUNK_SIZE;
use crate::manifest::{ChunkUploadStats, CryptMode};

/// One `NAME=PATH` of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSource {
    /// The name in the snapshot.
    pub name: ArchiveName,
    /// The file, or for images the block device, to read.
    pub path: PathBuf,
}

impl FromStr for LocalSource {
    type Err = ParseError;

    /// `NAME.img=PATH` becomes an image; `.conf`, `.json`, `.key` and `.log` become blobs.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        const KIND: &str = "backup source";
        let refuse = |reason| ParseError::new(KIND, text, reason);
        let (name, path) = text.split_once('=').ok_or_else(|| refuse("must be 'NAME=PATH'"))?;
        if path.is_empty() {
            return Err(refuse("the path is missing"));
        }
        let extension = match name.rsplit_once('.') {
            Some((_, "img")) => "fidx",
            Some((_, "conf" | "json" | "key" | "log")) => "blob",
            _ => return Err(refuse("the name must end in .img, .conf, .json, .key or .log")),
        };
        let name = format!("{name}.{extension}").parse()?;
        Ok(Self { name, path: path.into() })
    }
}

/// A backup of local files.
pub struct LocalBackup<'a> {
    /// What to back up, in the manifest's order.
    pub sources: &'a [LocalSource],
    /// The key to encrypt with, if any.
    pub crypt: Option<&'a CryptConfig>,
    /// How many threads read and compress.
    pub threads: NonZeroUsize,
    /// Who makes the backup.
    pub actor: &'a AuthId,
}

impl LocalBackup<'_> {
    /// Makes the snapshot.
    pub fn run(
        &self,
        store: &Arc<Datastore>,
        snapshot: &SnapshotPath,
        task: &dyn TaskContext,
    ) -> Result<ChunkUploadStats, StoreError> {
        self.check_names()?;
        let opened = self.sources.iter().map(Opened::open).collect::<Result<Vec<_>, _>>()?;
        let writer = store.create_snapshot(snapshot, self.actor)?;
        for source in &opened {
            match source {
                Opened::Blob(source, content) => self.store_blob(&writer, source, content)?,
                Opened::Image(image) => self.store_image(&writer, image, task)?,
            }
            task.log(&format!("stored {}", source.name()));
        }
        writer.finish(self.crypt)
    }

    fn check_names(&self) -> Result<(), StoreError> {
        let refuse = |reason: String| {
            Err(StoreError::new(StoreErrorKind::InvalidInput, "create a snapshot", reason))
        };
        if self.sources.is_empty() {
            return refuse("there is nothing to back up; name at least one file".into());
        }
        for (position, source) in self.sources.iter().enumerate() {
            let name = &source.name;
            if self.sources[..position].iter().any(|other| other.name == *name) {
                return refuse(format!("'{name}' is named twice"));
            }
            if [ArchiveName::MANIFEST, ArchiveName::CLIENT_LOG].contains(&name.as_str()) {
                return refuse(format!("the name '{name}' is reserved"));
            }
        }
        Ok(())
    }

    fn crypt_mode(&self) -> CryptMode {
        if self.crypt.is_some() { CryptMode::Encrypt } else { CryptMode::None }
    }

    fn store_blob(
        &self,
        writer: &SnapshotWriter,
        source: &LocalSource,
        content: &[u8],
    ) -> Result<(), StoreError> {
        let blob = DataBlob::encode(content, self.crypt, true)
            .decoding(|| format!("encode {:?}", source.path))?;
        writer.add_blob(&source.name, &blob, self.crypt_mode())
    }

    fn store_image(
        &self,
        writer: &SnapshotWriter,
        image: &Image,
        task: &dyn TaskContext,
    ) -> Result<(), StoreError> {
        let target = writer.image(&image.source.name, image.size, self.crypt_mode())?;
        let run = ImageRun {
            image,
            target: &target,
            crypt: self.crypt,
            task,
            next: AtomicU64::new(0),
            done: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            failure: Mutex::new(None),
            zeros: Mutex::new(None),
        };
        std::thread::scope(|scope| {
            for _ in 0..self.threads.get() {
                scope.spawn(|| run.work());
            }
        });
        if let Some(error) = run.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        image.check_size()?;
        target.close()
    }
}

enum Opened<'a> {
    Blob(&'a LocalSource, Vec<u8>),
    Image(Image<'a>),
}

impl<'a> Opened<'a> {
    fn open(source: &'a LocalSource) -> Result<Self, StoreError> {
        match source.name.kind() {
            ArchiveKind::Fixed => Image::open(source).map(Self::Image),
            ArchiveKind::Blob => {
                let content = read_bounded(&source.path, CHUNK_PLAIN_MAX as u64, "backup source")?;
                Ok(Self::Blob(source, content))
            }
            ArchiveKind::Dynamic => {
                let tried = format!("back up {:?} as '{}'", source.path, source.name);
                let reason = "archives are not made from single files";
                Err(StoreError::new(StoreErrorKind::InvalidInput, tried, reason))
            }
        }
    }

    fn name(&self) -> &ArchiveName {
        match self {
            Self::Blob(source, _) => &source.name,
            Self::Image(image) => &image.source.name,
        }
    }
}

/// An open image file with the size that it had at first.
struct Image<'a> {
    source: &'a LocalSource,
    file: File,
    size: u64,
}

impl<'a> Image<'a> {
    fn open(source: &'a LocalSource) -> Result<Self, StoreError> {
        let tried = || format!("back up {:?}", source.path);
        let refuse = |reason| Err(StoreError::new(StoreErrorKind::InvalidInput, tried(), reason));
        let kind = std::fs::metadata(&source.path).tried(tried)?.file_type();
        if !kind.is_file() && !kind.is_block_device() {
            return refuse("an image must be a regular file or a block device");
        }
        let file = File::open(&source.path).tried(tried)?;
        let size = length_of(&file).tried(tried)?;
        if size == 0 {
            return refuse("the file is empty, and an image has at least one byte");
        }
        Ok(Self { source, file, size })
    }

    fn check_size(&self) -> Result<(), StoreError> {
        let tried = || format!("back up {:?}", self.source.path);
        let size = length_of(&self.file).tried(tried)?;
        if size == self.size {
            return Ok(());
        }
        let reason = format!("it had {} bytes at first and has {size} now", self.size);
        Err(StoreError::new(StoreErrorKind::InvalidInput, tried(), reason)
            .advise("back up a file that nobody changes, such as a volume's snapshot"))
    }

    /// Whether there is nothing but a hole from `start` to `end`.
    fn is_hole(&self, start: u64, end: u64) -> bool {
        let Ok(offset) = i64::try_from(start) else { return false };
        match lseek(&self.file, offset, Whence::SeekData) {
            Ok(data) => u64::try_from(data).is_ok_and(|data| data >= end),
            // ENXIO: no data up to the end. Others: this file can't tell.
            Err(errno) => errno == nix::Error::ENXIO,
        }
    }
}

/// The end of a file or device; nobody else uses the cursor, reads name their offset.
fn length_of(mut file: &File) -> io::Result<u64> {
    file.seek(SeekFrom::End(0))
}

/// What the threads that store one image share.
struct ImageRun<'a> {
    image: &'a Image<'a>,
    target: &'a ImageWriter<'a>,
    crypt: Option<&'a CryptConfig>,
    task: &'a dyn TaskContext,
    /// Number of the next chunk that nobody has taken.
    next: AtomicU64,
    /// Bytes that are stored.
    done: AtomicU64,
    failed: AtomicBool,
    failure: Mutex<Option<StoreError>>,
    /// Digest of a whole chunk of zeros, once it was stored.
    zeros: Mutex<Option<Digest>>,
}

impl ImageRun<'_> {
    fn work(&self) {
        let mut buffer = Vec::new();
        while !self.failed.load(Ordering::Relaxed) {
            let start = self.next.fetch_add(1, Ordering::Relaxed).saturating_mul(FIXED_CHUNK_SIZE);
            if start >= self.image.size {
                return;
            }
            let end = (start + FIXED_CHUNK_SIZE).min(self.image.size);
            if let Err(error) = self.store_chunk(start, end, &mut buffer) {
                self.failed.store(true, Ordering::Relaxed);
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
                return;
            }
            let done = self.done.fetch_add(end - start, Ordering::Relaxed) + (end - start);
            self.task.progress(done, self.image.size, "bytes");
        }
    }

    fn store_chunk(&self, start: u64, end: u64, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        let tried = || format!("back up {:?}", self.image.source.path);
        self.task.check().map_err(|stopped| {
            StoreError::new(StoreErrorKind::Stopped, tried(), stopped.to_string())
        })?;
        let length = end - start;
        let whole = length == FIXED_CHUNK_SIZE;
        if whole && self.image.is_hole(start, end) {
            return self.store_zeros(end);
        }
        buffer.resize(usize::try_from(length).unwrap_or(CHUNK_PLAIN_MAX), 0);
        self.image.file.read_exact_at(buffer, start).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                let reason = format!("it ends before its {} bytes", self.image.size);
                StoreError::new(StoreErrorKind::InvalidInput, tried(), reason)
                    .advise("back up a file that nobody changes")
            }
            _ => StoreError::io(tried(), error),
        })?;
        if whole && is_zero(buffer) {
            return self.store_zeros(end);
        }
        self.store_data(end, buffer).map(drop)
    }

    fn store_zeros(&self, end: u64) -> Result<(), StoreError> {
        // Held over the first one's work, so that others don't do it too.
        let mut zeros = self.zeros.lock().unwrap_or_else(PoisonError::into_inner);
        match *zeros {
            Some(digest) => self.target.refer(end, FIXED_CHUNK_SIZE, &digest),
            None => {
                *zeros = Some(self.store_data(end, &vec![0; CHUNK_LEN])?);
                Ok(())
            }
        }
    }

    fn store_data(&self, end: u64, data: &[u8]) -> Result<Digest, StoreError> {
        let digest = self.crypt.map_or_else(|| plain_digest(data), |key| key.chunk_digest(data));
        let blob = DataBlob::encode(data, self.crypt, true)
            .decoding(|| format!("encode a chunk of {:?}", self.image.source.path))?;
        self.target.add(end, data.len() as u64, &digest, &blob)?;
        Ok(digest)
    }
}

const CHUNK_LEN: usize = FIXED_CHUNK_SIZE as usize;

/// Compares in pieces that the compiler turns into wide comparisons.
fn is_zero(data: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    data.chunks(ZEROS.len()).all(|piece| *piece == ZEROS[..piece.len()])
}
