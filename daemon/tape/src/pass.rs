//! One pass over a whole medium, forward: what is on it, archive by archive.
//!
//! Rebuilding a catalog and restoring a media set read the same way (`tape-format.md` §15); they differ in what
//! they do with the chunks and snapshots, which is their [`Sink`]. On the way the pass builds the medium's new
//! catalog, learns where chunks lie and keeps the small files of snapshots.
//!
//! Unlike PBS, damage ends neither the pass nor what can be had of the medium: a chunk that is not what its CRC
//! says is named and left out, an archive that can't be read further is left where it breaks, and the pass goes on
//! behind it. Whoever asked is told by [`PassOutcome::damage`].

use reel_hw::TapeDrive;
use reel_hw::number::{BlockNumber, FileNumber};
use reel_hw::stream::{BlockReader, ContentHeader, OpenedFile};
use reel_store::DataBlob;
use reel_types::{Digest, StoreName, TaskContext};
use uuid::Uuid;

use crate::archive::catalog::CatalogArchiveHeader;
use crate::archive::chunk::{ChunkArchiveHeader, ChunkArchiveReader, ChunkEntry, ContentOffset};
use crate::archive::snapshot::{SnapshotArchiveHeader, visit_snapshot_files};
use crate::archive::{ArchiveHeader, ContentKind};
use crate::drive_desk::{DriveHold, DriveState};
use crate::env::TapeEnv;
use crate::label::MediaLabels;
use crate::media_catalog::{CatalogExpectation, MediaCatalog, snapshots_on_medium};
use crate::medium::{name_drive, read_header};
use crate::places::PlaceLearner;
use crate::snapshot_files::{KeptSnapshot, SnapshotOnSet};
use crate::{Error, Result};

/// What is done with the contents of a medium.
pub(crate) trait Sink {
    /// Whether the chunks and snapshots of that datastore are wanted.
    fn wants(&self, store: &StoreName) -> bool;

    /// Whether the chunks' data are needed, or only that they are there and good.
    fn needs_data(&self) -> bool;

    /// Takes a chunk, whose CRC is right; without its blob where no data are needed.
    fn chunk(&mut self, store: &StoreName, digest: &Digest, blob: Option<DataBlob>) -> Result<()>;

    /// All chunks of an archive were given; returns once they are where they belong.
    fn end_of_chunks(&mut self, store: &StoreName) -> Result<()>;

    /// Looks at the files of a snapshot as they were just read, before they are kept. An error is damage of its archive.
    fn check_snapshot(&mut self, _snapshot: &SnapshotOnSet, _files: &KeptSnapshot) -> Result<()> {
        Ok(())
    }

    /// Takes a snapshot whose files were read whole.
    fn snapshot(&mut self, snapshot: &SnapshotOnSet, files: &KeptSnapshot) -> Result<()>;
}

/// What a pass found.
#[derive(Debug, Default)]
pub(crate) struct PassOutcome {
    /// What could not be read, each with its reason.
    pub(crate) damage: Vec<String>,
    /// How many files could not be read to their ends: what they hold is not in the new catalog.
    lost_files: usize,
}

/// What becomes of a medium's catalog where the pass could not read all files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OldCatalog {
    /// The new one replaces it all the same.
    Replace,
    /// It stays, if it can be read: it still names snapshots that may be read another time.
    KeepOverDamage,
    /// It stays whatever was found, if it can be read: it is what the medium is compared with.
    Keep,
}

/// An archive on the medium.
#[derive(Debug, Clone, Copy)]
struct Archive {
    file: FileNumber,
    start: BlockNumber,
    header: ContentHeader,
}

/// Reads a medium from file 2 to its end; the drive stands there. Its new catalog replaces the old one at the end,
/// or not, as `old_catalog` says.
pub(crate) fn pass_over_medium(
    env: &TapeEnv,
    hold: &mut DriveHold,
    labels: &MediaLabels,
    old_catalog: OldCatalog,
    sink: &mut dyn Sink,
    task: &dyn TaskContext,
) -> Result<PassOutcome> {
    let set = labels.assigned_set().ok_or(Error::MediumBlank)?.uuid;
    let mut pass = Pass {
        env,
        task,
        labels,
        sink,
        catalog: MediaCatalog::create_temporary(&env.state, labels)?,
        places: env.places.learn(labels.label.uuid, set)?,
        outcome: PassOutcome::default(),
    };
    hold.set_state(DriveState::Reading);
    let walked = pass.walk(hold.drive());
    walked.map_err(|error| name_drive(hold, error))?;
    env.places.store(&mut pass.places)?;
    env.reached("catalog: places stored");
    if old_catalog == OldCatalog::Keep && has_catalog(env, labels) {
        pass.catalog.abandon_temporary()?;
    } else if old_catalog == OldCatalog::KeepOverDamage
        && pass.outcome.lost_files > 0
        && has_catalog(env, labels)
    {
        let label = &labels.label.label_text;
        task.log(&format!(
            "keep the catalog of '{label}' as it was: not all of the medium could be read \
             (for one of what can be read: 'catalog --force --scan')"
        ));
        pass.catalog.abandon_temporary()?;
    } else {
        pass.catalog.finish_temporary()?;
        env.reached("catalog: replaced");
    }
    Ok(pass.outcome)
}

fn has_catalog(env: &TapeEnv, labels: &MediaLabels) -> bool {
    let expected = CatalogExpectation::of(labels.label.uuid, labels.media_set_label.as_ref());
    snapshots_on_medium(&env.state, labels.label.uuid, expected).is_ok()
}

struct Pass<'a> {
    env: &'a TapeEnv,
    task: &'a dyn TaskContext,
    labels: &'a MediaLabels,
    sink: &'a mut dyn Sink,
    catalog: MediaCatalog,
    places: PlaceLearner,
    outcome: PassOutcome,
}

impl Pass<'_> {
    fn walk(&mut self, drive: &mut dyn TapeDrive) -> Result<()> {
        loop {
            self.task.check()?;
            let position = drive.position()?;
            let file = position.file;
            let mut reader = match BlockReader::open(drive) {
                Ok(OpenedFile::EndOfStream) => {
                    self.task.log(&format!("detected EOT after {file} files"));
                    return Ok(());
                }
                Ok(OpenedFile::EndOfFile) => {
                    self.task.log(&format!("skip unexpected filemark at pos {file}"));
                    continue;
                }
                Ok(OpenedFile::Data(reader)) => reader,
                Err(error) => {
                    let error = Error::Device(error);
                    if is_fatal(&error) {
                        return Err(error);
                    }
                    if !self.go_on_behind(drive, file, error)? {
                        return Ok(());
                    }
                    continue;
                }
            };
            let read = self.read_archive(&mut reader, file, position.object);
            drop(reader);
            match read {
                Ok(()) => self.catalog.commit_if_large()?,
                Err(error) if is_fatal(&error) => return Err(error),
                Err(error) => {
                    if !self.go_on_behind(drive, file, error)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Goes to the file behind one that can't be read to its end, which is damage unless the medium ends in it.
    /// Whether there is one.
    fn go_on_behind(
        &mut self,
        drive: &mut dyn TapeDrive,
        file: FileNumber,
        error: Error,
    ) -> Result<bool> {
        self.catalog.discard_chunk_archive();
        self.outcome.lost_files += 1;
        match drive.locate_file(FileNumber(file.0 + 1)) {
            Err(reel_hw::Error::UnexpectedEndOfData { .. }) => {
                self.warn_of_killed_writer(file);
                Ok(false)
            }
            located => {
                if is_cut_off(&error) {
                    self.warn_of_killed_writer(file);
                } else {
                    self.note_damage(format!("File {file}: {error}"));
                }
                located?;
                Ok(true)
            }
        }
    }

    /// A writer that was killed, or that gave up, leaves a file without end marker, and perhaps one that no filemark
    /// ends. What it held is written again, or missed by the snapshots that need it; by itself it is no damage.
    fn warn_of_killed_writer(&self, file: FileNumber) {
        self.task.warn(&format!("File {file}: missing stream end marker, not registered"));
    }

    fn note_damage(&mut self, what: String) {
        let text = format!("medium '{}': {what}", self.labels.label.label_text);
        self.task.warn(&text);
        self.outcome.damage.push(text);
    }

    fn read_archive(
        &mut self,
        reader: &mut BlockReader<'_, dyn TapeDrive + '_>,
        file: FileNumber,
        start: BlockNumber,
    ) -> Result<()> {
        let header = read_header(reader)?;
        let kind = ContentKind::from_magic(header.content_magic.0)
            .ok_or_else(|| Error::format("tape file", "unknown content magic"))?;
        let archive = Archive { file, start, header };
        match kind {
            ContentKind::ChunkArchive => self.read_chunks(reader, archive),
            ContentKind::SnapshotArchive | ContentKind::SnapshotArchiveInNamespace => {
                self.read_snapshot(reader, archive)
            }
            ContentKind::CatalogArchive | ContentKind::CatalogArchiveWithNamespaces => {
                let catalog = CatalogArchiveHeader::read(header.size, reader)?;
                self.task.log(&format!("File {file}: skip catalog '{}'", catalog.uuid));
                Ok(reader.skip_data()?)
            }
            other => {
                let reason = format!("unexpected content '{}'", other.name());
                Err(Error::format("tape file", reason))
            }
        }
    }

    fn read_chunks(
        &mut self,
        reader: &mut BlockReader<'_, dyn TapeDrive + '_>,
        archive: Archive,
    ) -> Result<()> {
        let Archive { file, start, header, .. } = archive;
        let store = ChunkArchiveHeader::read(header.size, reader)?.store;
        self.task.log(&format!("File {file}: chunk archive for datastore '{store}'"));
        if !self.sink.wants(&store) {
            return Ok(reader.skip_data()?);
        }
        self.catalog.start_chunk_archive(Uuid::from_bytes(header.uuid), file, &store)?;
        self.places.begin_archive(file, start);
        let content_start = ContentOffset::behind_header(header.size);
        let mut chunks = ChunkArchiveReader::new(&mut *reader, content_start);
        let read = self.take_chunks(&mut chunks, &store);
        let has_end = match &read {
            Ok(_) => has_end(reader)?,
            Err(Broken { error, .. }) => !is_cut_off(error),
        };
        self.sink.end_of_chunks(&store)?;
        if !has_end {
            self.catalog.discard_chunk_archive();
            self.warn_of_killed_writer(file);
            return Ok(());
        }
        let (count, broken) = match read {
            Ok(count) => (count, None),
            Err(Broken { error, .. }) if is_fatal(&error) => return Err(error),
            Err(Broken { count, error }) => (count, Some(error)),
        };
        self.task.log(&format!("register {count} chunks"));
        self.catalog.end_chunk_archive()?;
        self.places.end_archive()?;
        broken.map_or(Ok(()), Err)
    }

    fn take_chunks<R: std::io::BufRead>(
        &mut self,
        chunks: &mut ChunkArchiveReader<R>,
        store: &StoreName,
    ) -> std::result::Result<u64, Broken> {
        let mut count = 0;
        loop {
            let taken = self.take_chunk(chunks, store);
            match taken {
                Ok(Some(registered)) => count += u64::from(registered),
                Ok(None) => return Ok(count),
                Err(error) => return Err(Broken { count, error }),
            }
        }
    }

    /// Whether the next chunk was good; none at the end of the archive.
    fn take_chunk<R: std::io::BufRead>(
        &mut self,
        chunks: &mut ChunkArchiveReader<R>,
        store: &StoreName,
    ) -> Result<Option<bool>> {
        self.task.check()?;
        match next_chunk(chunks, self.sink.needs_data()) {
            Ok(None) => Ok(None),
            Ok(Some((entry, blob))) => {
                self.sink.chunk(store, &entry.digest, blob)?;
                self.catalog.register_chunk(&entry.digest)?;
                self.places.chunk(&entry.digest, entry.offset.0);
                Ok(Some(true))
            }
            Err(error @ Error::Chunk { .. }) => {
                self.note_damage(error.to_string());
                Ok(Some(false))
            }
            Err(error) => Err(error),
        }
    }

    fn read_snapshot(
        &mut self,
        reader: &mut BlockReader<'_, dyn TapeDrive + '_>,
        archive: Archive,
    ) -> Result<()> {
        let Archive { file, header, .. } = archive;
        let SnapshotArchiveHeader { snapshot, store } =
            SnapshotArchiveHeader::read(header.size, reader)?;
        self.task.log(&format!("File {file}: snapshot archive {store}:{snapshot}"));
        let set = self.labels.assigned_set().ok_or(Error::MediumBlank)?.uuid;
        let on_set = SnapshotOnSet { set, store: store.clone(), path: snapshot.clone() };
        let filling = self.env.snapshots.fill(&on_set)?;
        let read = visit_snapshot_files(&mut *reader, |file, content| {
            filling.add(&file.name, content)?;
            Ok(())
        });
        let ended = read.is_ok().then(|| reader.skip_data()).transpose()?.is_some();
        if !(ended && reader.has_end_marker()? && !reader.is_incomplete()?) {
            // An archive that met the end of its medium is written again on the next one.
            return match read {
                Err(error) if !self.was_given_up(reader) => Err(error),
                _ => {
                    self.task.log(&format!("File {file}: skip incomplete snapshot archive"));
                    Ok(())
                }
            };
        }
        self.sink.check_snapshot(&on_set, &filling.files())?;
        filling.keep()?;
        self.catalog.register_snapshot(Uuid::from_bytes(header.uuid), file, &store, &snapshot)?;
        match self.env.snapshots.get(&on_set) {
            Some(files) if self.sink.wants(&store) => self.sink.snapshot(&on_set, &files),
            _ => Ok(()),
        }
    }

    /// Whether the archive's own end says that its writer gave it up.
    fn was_given_up(&self, reader: &mut BlockReader<'_, dyn TapeDrive + '_>) -> bool {
        if reader.skip_data().is_err() {
            return false;
        }
        !matches!(reader.has_end_marker(), Ok(true)) || matches!(reader.is_incomplete(), Ok(true))
    }
}

/// Whether the file that is being read has its end marker and the filemark behind it.
pub(crate) fn has_end(reader: &mut BlockReader<'_, dyn TapeDrive + '_>) -> Result<bool> {
    match reader.skip_data() {
        Err(reel_hw::Error::UnexpectedEndOfData { .. }) => Ok(false),
        skipped => {
            skipped?;
            Ok(reader.has_end_marker()?)
        }
    }
}

/// Whether the medium ends inside the file that was read.
pub(crate) fn is_end_of_data(error: &Error) -> bool {
    matches!(error.device(), Some(reel_hw::Error::UnexpectedEndOfData { .. }))
}

/// Whether the file, or the medium, ends in front of the file's end marker.
fn is_cut_off(error: &Error) -> bool {
    is_end_of_data(error)
        || matches!(error.device(), Some(reel_hw::Error::UnexpectedFilemark { .. }))
}

/// The next chunk that is wholly there and whose CRC is right, with its blob where that is wanted.
fn next_chunk<R: std::io::BufRead>(
    chunks: &mut ChunkArchiveReader<R>,
    with_blob: bool,
) -> Result<Option<(ChunkEntry, Option<DataBlob>)>> {
    if with_blob {
        return Ok(chunks.next_chunk()?.map(|(entry, blob)| (entry, Some(blob))));
    }
    Ok(chunks.next_checked()?.map(|entry| (entry, None)))
}

/// Chunks that were good, and why there are no more.
struct Broken {
    count: u64,
    error: Error,
}

/// Whether an error costs what is on the medium in the drive, or that should be there: others may be read all the same.
pub(crate) fn is_about_medium(error: &Error) -> bool {
    match error {
        Error::Locked { .. } | Error::DriveBusy { .. } | Error::NoChanger { .. } => false,
        _ if matches!(
            error.device(),
            Some(reel_hw::Error::Cancelled | reel_hw::Error::Busy { .. })
        ) =>
        {
            false
        }
        error => !is_fatal(error),
    }
}

/// Whether an error is of the kind that reading on can't help: ours, the datastore's, a stop, or that the drive has not
/// the key: with it all of the medium can be read, and none of it is damaged.
pub(crate) fn is_fatal(error: &Error) -> bool {
    match error {
        _ if matches!(error.device(), Some(reel_hw::Error::WrongKey)) => true,
        Error::Stopped(_) | Error::Store(_) | Error::Index(_) => true,
        Error::Io { source, .. } => source.raw_os_error().is_some(),
        _ => false,
    }
}
