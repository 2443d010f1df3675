//! Reading some chunks of an archive on the medium in the drive.
//!
//! Where our own index knows the place of each, the drive goes from one to the next and reads on where they lie
//! close together. Otherwise, and for whatever was not at its place, the archive is read from its beginning until
//! all are found.

use std::collections::{HashSet, VecDeque};
use std::io::Read;

use reel_hw::TapeDrive;
use reel_hw::stream::{BlockReader, OpenedFile, TAPE_BLOCK_PAYLOAD_SIZE};
use reel_store::DataBlob;
use reel_types::Digest;

use super::Run;
use super::chunk_plan::PlannedArchive;
use super::members::Member;
use super::read_snapshots::go_to_file;
use crate::archive::chunk::{ChunkArchiveHeader, ChunkArchiveReader, ContentOffset};
use crate::archive::{ArchiveHeader, ContentKind};
use crate::drive_desk::{DriveHold, DriveState};
use crate::medium::{name_drive, read_header};
use crate::pass::is_fatal;
use crate::places::Place;
use crate::{Error, Result};

/// Going to another place costs a drive about as long as reading this much.
const GAP_BYTES: u64 = 32 << 20;

/// Where chunks go that were found.
pub(super) type Take<'t> = dyn FnMut(Digest, DataBlob) -> Result<()> + 't;

/// Reads chunks of an archive; which of them were not found, after the log has said why.
pub(super) fn read_chunks(
    run: &Run<'_>,
    hold: &mut DriveHold,
    member: &Member,
    archive: &PlannedArchive,
    digests: Vec<Digest>,
    take: &mut Take<'_>,
) -> Result<HashSet<Digest>> {
    let places = known_places(run, member, archive, &digests)?;
    let mut reading = Reading { run, archive, wanted: digests.into_iter().collect(), take };
    if let Some(places) = places {
        reading.go_from_place_to_place(hold, places)?;
    }
    if !reading.wanted.is_empty() {
        reading.read_from_beginning(hold)?;
    }
    Ok(reading.wanted)
}

/// The places of all chunks in the order of the archive; none if that of one is not known.
fn known_places(
    run: &Run<'_>,
    member: &Member,
    archive: &PlannedArchive,
    digests: &[Digest],
) -> Result<Option<VecDeque<(Place, Digest)>>> {
    let mut places = Vec::with_capacity(digests.len());
    for digest in digests {
        let known = run.env.places.find(member.uuid, run.job.set, digest)?;
        match known.into_iter().find(|place| place.file == archive.file) {
            Some(place) => places.push((place, *digest)),
            None => return Ok(None),
        }
    }
    places.sort();
    Ok(Some(places.into()))
}

struct Reading<'a> {
    run: &'a Run<'a>,
    archive: &'a PlannedArchive,
    wanted: HashSet<Digest>,
    take: &'a mut Take<'a>,
}

impl Reading<'_> {
    /// Takes chunks by their places. One that is elsewhere, or an error of the medium, ends it.
    fn go_from_place_to_place(
        &mut self,
        hold: &mut DriveHold,
        mut places: VecDeque<(Place, Digest)>,
    ) -> Result<()> {
        let PlannedArchive { file, store, .. } = self.archive;
        self.run.task.log(&format!("File {file}: chunk archive for datastore '{store}'"));
        while let Some((first, _)) = places.front().copied() {
            hold.set_state(DriveState::Locating);
            let located = hold.drive().locate(first.object()).map_err(Error::from);
            hold.set_state(DriveState::Reading);
            match located.and_then(|()| self.take_near(hold.drive(), first, &mut places)) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) if is_fatal(&error) => return Err(error),
                Err(error) => {
                    let error = name_drive(hold, error);
                    self.run.task.log(&format!("File {file}: read from its beginning: {error}"));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Takes the chunks that follow each other closely from `first` on. Whether they were where they should be.
    fn take_near(
        &mut self,
        drive: &mut dyn TapeDrive,
        first: Place,
        places: &mut VecDeque<(Place, Digest)>,
    ) -> Result<bool> {
        let mut reader = BlockReader::resume_at(drive, first.block)?;
        let skipped =
            std::io::copy(&mut (&mut reader).take(u64::from(first.byte)), &mut std::io::sink());
        skipped.map_err(Error::io("go to a chunk"))?;
        let mut chunks = ChunkArchiveReader::new(reader, offset(first));
        while let Some((place, digest)) = places.front().copied() {
            self.run.task.check()?;
            let Some(entry) = chunks.next_entry()? else { return Ok(false) };
            let wanted_at = offset(place);
            if entry.offset < wanted_at {
                if wanted_at.0 - entry.offset.0 > GAP_BYTES {
                    return Ok(true);
                }
                continue;
            }
            if entry.offset > wanted_at || entry.digest != digest {
                return Ok(false);
            }
            places.pop_front();
            let Some(blob) = chunks.read_blob()? else { return Ok(false) };
            self.found(digest, blob)?;
        }
        Ok(true)
    }

    fn found(&mut self, digest: Digest, blob: DataBlob) -> Result<()> {
        self.wanted.remove(&digest);
        (self.take)(digest, blob)
    }

    fn read_from_beginning(&mut self, hold: &mut DriveHold) -> Result<()> {
        let file = self.archive.file;
        go_to_file(hold, file, self.run.task)?;
        match self.read_all(hold.drive()) {
            Err(error) if is_fatal(&error) => return Err(error),
            Err(error) => {
                let error = name_drive(hold, error);
                self.run.task.warn(&format!("File {file}: {error}"));
            }
            Ok(()) => {}
        }
        Ok(())
    }

    fn read_all(&mut self, drive: &mut dyn TapeDrive) -> Result<()> {
        let OpenedFile::Data(mut reader) = BlockReader::open(drive)? else {
            return Err(unexpected("nothing is there"));
        };
        let header = read_header(&mut reader)?;
        if ContentKind::from_magic(header.content_magic.0) != Some(ContentKind::ChunkArchive) {
            return Err(unexpected("something else is there"));
        }
        let store = ChunkArchiveHeader::read(header.size, &mut reader)?.store;
        let file = self.archive.file;
        self.run.task.log(&format!("File {file}: chunk archive for datastore '{store}'"));
        let start = ContentOffset(48 + u64::from(header.size));
        let mut chunks = ChunkArchiveReader::new(reader, start);
        while !self.wanted.is_empty() {
            self.run.task.check()?;
            let Some(entry) = chunks.next_entry()? else {
                let missing = self.wanted.len();
                return Err(unexpected(&format!("{missing} chunks are not there")));
            };
            if self.wanted.contains(&entry.digest) {
                self.take_blob(&mut chunks, entry.digest)?;
            }
        }
        Ok(())
    }

    fn take_blob<R: Read>(
        &mut self,
        chunks: &mut ChunkArchiveReader<R>,
        digest: Digest,
    ) -> Result<()> {
        match chunks.read_blob() {
            Ok(Some(blob)) => self.found(digest, blob),
            // The end of the archive, as the next entry tells.
            Ok(None) => Ok(()),
            Err(error @ Error::Chunk { .. }) => {
                self.run.task.warn(&error.to_string());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

fn offset(place: Place) -> ContentOffset {
    let block = u64::from(place.block) * TAPE_BLOCK_PAYLOAD_SIZE as u64;
    ContentOffset(block + u64::from(place.byte))
}

fn unexpected(reason: &str) -> Error {
    let text = format!("{reason}, unlike the catalog says; re-create that with 'catalog --force'");
    Error::format("chunk archive", text)
}
