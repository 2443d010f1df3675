//! A catalog's file besides appending: whether it is there, whose it is, removing it, putting one back
//! from a tape, and cutting off a torn end.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::FileNumber;
use reel_types::{MediaId, MediaSetId};

use super::{CatalogExpectation, CatalogReader, CatalogRecord};
use crate::archive::catalog::CatalogArchiveHeader;
use crate::label::MediaLabels;
use crate::state_dir::{LOCK_WAIT, StateDir, lock_file};
use crate::{Error, Result};

/// Whose a catalog is, from its first two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogHeader {
    /// The medium that it describes.
    pub medium: MediaId,
    /// The medium's media set.
    pub set: MediaSetId,
    /// The medium's place in the set.
    pub seq_nr: u64,
}

impl CatalogHeader {
    /// Reads the header of a catalog that came from a tape: magic and both labels.
    pub fn parse(catalog: impl Read) -> Result<Self> {
        let mut reader =
            CatalogReader::new(BufReader::new(catalog), CatalogExpectation::default())?;
        let (Some(first), Some(second)) = (label(&mut reader)?, label(&mut reader)?) else {
            return Err(Error::format("media catalog", "incomplete: both labels must come first"));
        };
        let (medium, set, seq_nr) = (MediaId(first.0), MediaSetId(second.0), second.1);
        Ok(Self { medium, set, seq_nr })
    }
}

/// The next record if it is a label.
fn label(reader: &mut CatalogReader<impl std::io::BufRead>) -> Result<Option<(uuid::Uuid, u64)>> {
    match reader.next_record()? {
        Some(CatalogRecord::Label { uuid, seq_nr, .. }) => Ok(Some((uuid, seq_nr))),
        _ => Ok(None),
    }
}

/// Whether a medium has a catalog.
pub fn exists(state: &StateDir, medium: MediaId) -> bool {
    state.catalog(medium).exists()
}

/// Removes the catalog of a medium; a missing one is fine.
pub fn destroy(state: &StateDir, medium: MediaId) -> Result<()> {
    state.remove(&state.catalog(medium))
}

/// Removes the catalog of a medium whose labels were read anew, unless it may belong to the set that
/// the medium is in.
///
/// A catalog that says nothing yet stays; one of another form is an error.
pub fn destroy_unrelated(state: &StateDir, labels: &MediaLabels) -> Result<()> {
    let medium = labels.label.uuid;
    let Some(set_label) = &labels.media_set_label else {
        return destroy(state, medium);
    };
    let path = state.catalog(medium);
    let file = match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(Error::io(format!("open '{}'", path.display())))?,
    };
    let refuse = |source| Error::Catalog { path: path.clone(), source: Box::new(source) };
    let mut reader =
        CatalogReader::new(BufReader::new(file), CatalogExpectation::default()).map_err(refuse)?;
    let unrelated = match label(&mut reader) {
        Ok(Some((uuid, _))) if uuid != medium.0 => true,
        Ok(Some(_)) => {
            matches!(label(&mut reader), Ok(Some((uuid, _))) if uuid != set_label.uuid.0)
        }
        Ok(None) | Err(_) => false,
    };
    if unrelated { destroy(state, medium) } else { Ok(()) }
}

/// A catalog that was copied from a catalog archive and waits beside the present one.
///
/// It is kept only when the caller has seen the archive's end and knows that it is whole.
#[derive(Debug)]
#[must_use = "the catalog is in use only after 'keep'"]
pub struct RestoredCatalog {
    state: StateDir,
    medium: MediaId,
}

impl RestoredCatalog {
    /// Copies the content of a catalog archive and checks all of it: each record, and that it describes
    /// the medium and set which the archive's header names.
    pub fn receive(
        state: &StateDir,
        header: &CatalogArchiveHeader,
        mut content: impl Read,
    ) -> Result<Self> {
        let path = state.catalog_being_built(header.uuid);
        let mut file = create(state, &path)?;
        let tried = || format!("copy a catalog from the medium to '{}'", path.display());
        let mut writer = BufWriter::new(&file);
        std::io::copy(&mut content, &mut writer).map_err(Error::io(tried()))?;
        writer.flush().map_err(Error::io(tried()))?;
        drop(writer);
        file.sync_all().map_err(Error::io(tried()))?;
        file.seek(SeekFrom::Start(0)).map_err(Error::io(tried()))?;
        check_restored(&mut file, header)
            .map_err(|source| Error::Catalog { path: path.clone(), source: Box::new(source) })?;
        Ok(Self { state: state.clone(), medium: header.uuid })
    }

    /// Makes it the medium's catalog.
    pub fn keep(self) -> Result<()> {
        let path = self.state.catalog(self.medium);
        fs::rename(self.state.catalog_being_built(self.medium), &path)
            .map_err(Error::io(format!("put the media catalog '{}' in place", path.display())))?;
        self.state.sync()
    }
}

fn check_restored(file: &mut File, header: &CatalogArchiveHeader) -> Result<()> {
    let found = CatalogHeader::parse(&mut *file)?;
    if (found.medium, found.set) != (header.uuid, header.media_set_uuid) {
        let reason = format!(
            "it is of medium {} in set {}, the archive's header names medium {} in set {}",
            found.medium, found.set, header.uuid, header.media_set_uuid
        );
        return Err(Error::format("media catalog", reason));
    }
    file.seek(SeekFrom::Start(0)).map_err(Error::io("read the catalog"))?;
    let mut reader = CatalogReader::new(BufReader::new(file), CatalogExpectation::default())?;
    while reader.next_record()?.is_some() {}
    if reader.has_open_archive() {
        return Err(Error::format("media catalog", "it ends inside a chunk archive"));
    }
    Ok(())
}

/// Opens a file anew for building a catalog; what a failed run left there is gone.
pub(super) fn create(state: &StateDir, path: &Path) -> Result<File> {
    let tried = || format!("create the media catalog '{}'", path.display());
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(Error::io(tried()))?;
    state.hand_over(&file, path)?;
    lock_file(&file, path, LOCK_WAIT)?;
    file.set_len(0).and_then(|()| file.unlock()).map_err(Error::io(tried()))?;
    Ok(file)
}

/// What [`truncate_to_last_complete`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogRepair {
    /// How many bytes stayed.
    pub kept_bytes: u64,
    /// How many bytes were cut off.
    pub removed_bytes: u64,
    /// The last file of the medium that the catalog still mentions.
    pub last_file: Option<FileNumber>,
}

/// A catalog to copy, and how many bytes of it are whole: all, or what stands before a record that somebody is just
/// writing. None where there is no catalog.
pub fn whole_part(state: &StateDir, medium: MediaId) -> Result<Option<(File, u64)>> {
    let path = state.catalog(medium);
    let tried = || format!("read the media catalog '{}'", path.display());
    let mut file = match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(Error::io(tried()))?,
    };
    let length = file.metadata().map_err(Error::io(tried()))?.len();
    if file.try_lock_shared().is_ok() {
        // What is appended behind it from now on is not copied.
        let length = file.metadata().map_err(Error::io(tried()))?.len();
        file.unlock().map_err(Error::io(tried()))?;
        return Ok(Some((file, length)));
    }
    let mut reader = CatalogReader::new(BufReader::new((&file).take(length)), Default::default())?;
    while reader.next_record().is_ok_and(|record| record.is_some()) {}
    let whole = reader.complete_bytes();
    file.rewind().map_err(Error::io(tried()))?;
    Ok(Some((file, whole)))
}

/// Cuts a damaged catalog off behind its last good label, snapshot or end of an archive.
///
/// This is for people to ask for, never for a program to do by itself: what is cut off is on the
/// tape, but not in the catalog any more, until the catalog is made anew from the tape.
pub fn truncate_to_last_complete(
    state: &StateDir,
    medium: MediaId,
    expected: CatalogExpectation,
) -> Result<CatalogRepair> {
    let path = state.catalog(medium);
    let tried = || format!("repair the media catalog '{}'", path.display());
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(Error::io(tried()))?;
    lock_file(&file, &path, LOCK_WAIT)?;
    let length = file.metadata().map_err(Error::io(tried()))?.len();
    let mut reader = CatalogReader::new(BufReader::new(&file), expected)?;
    let mut last_file = None;
    loop {
        match reader.next_record() {
            Ok(Some(_)) if reader.has_open_archive() => {}
            Ok(Some(_)) => last_file = reader.last_file(),
            Ok(None) | Err(Error::Format { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    let kept_bytes = reader.complete_bytes();
    if kept_bytes < length {
        file.set_len(kept_bytes).and_then(|()| file.sync_all()).map_err(Error::io(tried()))?;
    }
    Ok(CatalogRepair { kept_bytes, removed_bytes: length - kept_bytes, last_file })
}
