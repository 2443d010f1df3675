//! The catalog of one medium, in PBS's own file (`tape-state.md` §4).
//!
//! A catalog says which chunks and snapshots lie in which file of a medium. It is a log: a magic, then
//! records one behind the other, without checksum or trailer. Two things follow from that.
//!
//! * It must never say more than what is safe on the tape. Records therefore gather in memory and
//!   [`MediaCatalog::commit`] appends them, all at once, only after the drive has flushed.
//! * A torn end can't be told from damage by looking at it alone, so that any record that does not parse
//!   or breaks the order of things makes the whole catalog unusable. What can be done then is said by the
//!   error; [`truncate_to_last_complete`] is there for people who choose it.
//!
//! A medium may hold a hundred million chunks. Nothing here keeps a map of them: [`CatalogReader`]
//! streams through a catalog in constant memory, [`MediaCatalog::open`] hands each record to a visitor
//! while it loads, and only [`CatalogContents`] collects everything, for small catalogs and tests.

mod contents;
mod files;
mod reader;
mod record;
mod rules;
mod snapshot_cache;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::FileNumber;
use reel_types::{Digest, MediaId, SnapshotPath, StoreName};
use uuid::Uuid;

use crate::label::{MediaLabels, MediaSetLabel};
use crate::state_dir::{LOCK_WAIT, StateDir, lock_file};
use crate::{Error, Result};

pub use contents::{CatalogContents, CatalogSnapshot};
pub use files::{
    CatalogHeader, CatalogRepair, RestoredCatalog, destroy, destroy_unrelated, exists,
    truncate_to_last_complete, whole_part,
};
pub use reader::CatalogReader;
pub use record::CatalogRecord;
pub use rules::CatalogExpectation;
pub use snapshot_cache::{CacheId, snapshots_on_medium};

use rules::CatalogRules;

/// Magic of the current form.
pub(crate) const MAGIC: [u8; 8] = [0x4c, 0x8e, 0xe8, 0xc1, 0x20, 0xa8, 0x89, 0x71];
/// Magic of the form that PBS gave up.
pub(crate) const MAGIC_V1_0: [u8; 8] = [0xdd, 0x1d, 0xa4, 0x01, 0x3b, 0x45, 0x13, 0x28];

/// [`MediaCatalog::commit_if_large`] commits beyond this: losing a scan's last MiB of records costs
/// seconds of reading again, and an append of that size costs next to nothing.
const PENDING_BYTES_MAX: usize = 1024 * 1024;

/// A catalog that is being written.
///
/// Dropping it loses what was registered since the last [`commit`](Self::commit), on purpose.
#[derive(Debug)]
pub struct MediaCatalog {
    state: StateDir,
    medium: MediaId,
    path: PathBuf,
    file: File,
    /// How long the file is, as far as this value knows.
    length_bytes: u64,
    rules: CatalogRules,
    pending: Vec<u8>,
    /// Where the open archive starts in `pending`, with the rules as they stood before it.
    before_archive: Option<(usize, CatalogRules)>,
}

impl MediaCatalog {
    /// Makes the catalog of a medium anew: its labels and nothing else.
    ///
    /// An existing catalog is replaced only once the new one is on disk.
    pub fn overwrite(state: &StateDir, labels: &MediaLabels) -> Result<Self> {
        let mut catalog = Self::create_temporary(state, labels)?;
        catalog.finish_temporary()?;
        Ok(catalog)
    }

    /// Begins a catalog beside the present one, for building it from the medium.
    ///
    /// [`finish_temporary`](Self::finish_temporary) puts it in place; a file that is left behind by a
    /// failed run is written over by the next.
    pub fn create_temporary(state: &StateDir, labels: &MediaLabels) -> Result<Self> {
        let medium = labels.label.uuid;
        let path = state.catalog_being_built(medium);
        let file = files::create(state, &path)?;
        let set_label = labels.media_set_label.as_ref();
        let mut catalog = Self {
            state: state.clone(),
            medium,
            path,
            file,
            length_bytes: 0,
            rules: CatalogRules::new(CatalogExpectation::of(medium, set_label)),
            pending: MAGIC.to_vec(),
            before_archive: None,
        };
        catalog.register_labels(set_label)?;
        catalog.commit()?;
        Ok(catalog)
    }

    /// Opens the catalog of a medium for appending and hands every record in it to `visit`.
    ///
    /// A chunk counts only once the end of its archive was seen: a catalog may stop inside an archive,
    /// and the next archive is refused then.
    ///
    /// `set_label` is the medium's as the inventory has it, if it has one.
    pub fn open(
        state: &StateDir,
        medium: MediaId,
        set_label: Option<&MediaSetLabel>,
        visit: impl FnMut(CatalogRecord) -> Result<()>,
    ) -> Result<Self> {
        let path = state.catalog(medium);
        let refuse = |source| Error::Catalog { path: path.clone(), source: Box::new(source) };
        Self::open_at(state, medium, set_label, &path, visit).map_err(refuse)
    }

    fn open_at(
        state: &StateDir,
        medium: MediaId,
        set_label: Option<&MediaSetLabel>,
        path: &Path,
        mut visit: impl FnMut(CatalogRecord) -> Result<()>,
    ) -> Result<Self> {
        let tried = || "read the catalog".to_string();
        let mut file =
            OpenOptions::new().read(true).write(true).open(path).map_err(Error::io(tried()))?;
        lock_file(&file, path, LOCK_WAIT)?;
        file.seek(SeekFrom::Start(0)).map_err(Error::io(tried()))?;
        let expected = CatalogExpectation::of(medium, set_label);
        let mut reader = CatalogReader::new(BufReader::new(&file), expected)?;
        while let Some(record) = reader.next_record()? {
            visit(record)?;
        }
        let (length_bytes, rules) = reader.into_parts();
        file.unlock().map_err(Error::io(tried()))?;
        let pending = if length_bytes == 0 { MAGIC.to_vec() } else { Vec::new() };
        let mut catalog = Self {
            state: state.clone(),
            medium,
            path: path.into(),
            file,
            length_bytes,
            rules,
            pending,
            before_archive: None,
        };
        if length_bytes == 0 {
            catalog.register_labels(set_label)?;
        }
        Ok(catalog)
    }

    /// The medium that the catalog describes.
    pub fn medium(&self) -> MediaId {
        self.medium
    }

    /// The file that holds the catalog now.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The last file of the medium that the catalog mentions.
    pub fn last_file(&self) -> Option<FileNumber> {
        self.rules.last_file()
    }

    /// Whether it names any archive of the medium.
    pub fn has_archives(&self) -> bool {
        // Files 0 and 1 are the labels.
        self.last_file().is_some_and(|file| file.0 > 1)
    }

    /// Begins the record of the chunk archive in file `number`.
    pub fn start_chunk_archive(
        &mut self,
        uuid: Uuid,
        number: FileNumber,
        store: &StoreName,
    ) -> Result<()> {
        let before = (self.pending.len(), self.rules.clone());
        self.register(&CatalogRecord::ChunkArchiveStart { number, uuid, store: store.clone() })?;
        self.before_archive = Some(before);
        Ok(())
    }

    /// Registers a chunk whose whole blob is in the archive that was started.
    pub fn register_chunk(&mut self, digest: &Digest) -> Result<()> {
        self.register(&CatalogRecord::Chunk(*digest))
    }

    /// Ends the record of the chunk archive that was started.
    pub fn end_chunk_archive(&mut self) -> Result<()> {
        let (number, uuid) = self.rules.open_archive().ok_or_else(|| {
            Error::format("media catalog", "end_chunk_archive failed: not started.")
        })?;
        self.register(&CatalogRecord::ChunkArchiveEnd { number, uuid })?;
        self.before_archive = None;
        Ok(())
    }

    /// Forgets the chunk archive that was started, for archives that turn out to have no end marker.
    pub fn discard_chunk_archive(&mut self) {
        if let Some((length, rules)) = self.before_archive.take() {
            self.pending.truncate(length);
            self.rules = rules;
        }
    }

    /// Registers the snapshot archive in file `number`.
    pub fn register_snapshot(
        &mut self,
        uuid: Uuid,
        number: FileNumber,
        store: &StoreName,
        path: &SnapshotPath,
    ) -> Result<()> {
        let (store, path) = (store.clone(), path.clone());
        self.register(&CatalogRecord::Snapshot { number, uuid, store, path })
    }

    fn register_labels(&mut self, set_label: Option<&MediaSetLabel>) -> Result<()> {
        let uuid = self.medium.0;
        self.register(&CatalogRecord::Label { number: FileNumber(0), uuid, seq_nr: 0 })?;
        match set_label {
            Some(label) => self.register(&CatalogRecord::Label {
                number: FileNumber(1),
                uuid: label.uuid.0,
                seq_nr: label.seq_nr,
            }),
            None => Ok(()),
        }
    }

    fn register(&mut self, record: &CatalogRecord) -> Result<()> {
        self.rules.accept(record)?;
        record.encode(&mut self.pending)
    }

    /// Whether something was registered that [`commit`](Self::commit) has not written yet.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Appends everything registered so far and makes it last.
    ///
    /// Call it only when the medium was flushed. On an error the file is as it was before and the
    /// records are still waiting.
    pub fn commit(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.rules.open_archive().is_some() {
            let reason = "commit failed: a chunk archive is started and not ended";
            return Err(Error::format("media catalog", reason));
        }
        lock_file(&self.file, &self.path, LOCK_WAIT)?;
        let written = self.append();
        let unlocked = self.file.unlock().map_err(Error::io(self.tried()));
        written.and(unlocked)
    }

    /// Commits when more than 1 MiB is waiting and no archive is open.
    pub fn commit_if_large(&mut self) -> Result<()> {
        if self.pending.len() > PENDING_BYTES_MAX && self.rules.open_archive().is_none() {
            self.commit()?;
        }
        Ok(())
    }

    fn append(&mut self) -> Result<()> {
        let found = self.file.metadata().map_err(Error::io(self.tried()))?.len();
        if found != self.length_bytes {
            let reason = format!(
                "'{}' was changed by somebody else: it has {found} bytes and should have {}",
                self.path.display(),
                self.length_bytes
            );
            return Err(Error::format("media catalog", reason));
        }
        let appended = self
            .file
            .seek(SeekFrom::Start(self.length_bytes))
            .and_then(|_| self.file.write_all(&self.pending))
            .and_then(|()| self.file.sync_data());
        if let Err(error) = appended {
            self.file.set_len(self.length_bytes).map_err(Error::io(self.tried()))?;
            return Err(Error::io(self.tried())(error));
        }
        self.length_bytes += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    fn tried(&self) -> String {
        format!("append to the media catalog '{}'", self.path.display())
    }

    /// Commits and puts a catalog that was begun as temporary in its place.
    pub fn finish_temporary(&mut self) -> Result<()> {
        self.commit()?;
        let path = self.state.catalog(self.medium);
        if self.path == path {
            return Ok(());
        }
        fs::rename(&self.path, &path)
            .map_err(Error::io(format!("put the media catalog '{}' in place", path.display())))?;
        self.path = path;
        self.state.sync()
    }

    /// Removes a catalog that was begun as temporary; the present one stays.
    pub fn abandon_temporary(self) -> Result<()> {
        if self.path == self.state.catalog(self.medium) {
            return Ok(());
        }
        fs::remove_file(&self.path).map_err(Error::io(format!(
            "remove the unfinished media catalog '{}'",
            self.path.display()
        )))
    }
}
