//! Reading some chunks of an archive on the medium in the drive.
//!
//! Where our own index knows the place of each, the drive goes from one to the next and reads on where they lie
//! close together. Otherwise, and for whatever was not at its place, the archive is read from its beginning until
//! all are found, on behind what is damaged ([`crate::resync`]), and the places that pass by are learned.

use std::collections::{HashSet, VecDeque};
use std::io::BufRead;

use reel_hw::stream::{BlockReader, OpenedFile, TAPE_BLOCK_PAYLOAD_SIZE};
use reel_hw::{BlockNumber, TapeDrive};
use reel_store::DataBlob;
use reel_types::Digest;

use super::Run;
use super::chunk_plan::PlannedArchive;
use super::members::Member;
use super::read_snapshots::go_to_file;
use crate::archive::chunk::{ChunkArchiveHeader, ChunkArchiveReader, ChunkEntry, ContentOffset};
use crate::archive::{ArchiveHeader, ContentKind};
use crate::drive_desk::{DriveHold, DriveState};
use crate::medium::{name_drive, read_header};
use crate::pass::is_fatal;
use crate::places::{Place, PlaceLearner};
use crate::queue::is_damage;
use crate::resync::{find_entry, open_at};
use crate::{Error, Result};

/// Going to another place costs a drive about as long as reading this much.
const GAP_BYTES: u64 = 32 << 20;

/// Where chunks go that were found.
pub(super) type Take<'t> = dyn FnMut(Digest, DataBlob) -> Result<()> + 't;

/// Reads chunks of an archive; those that could not be had, each with the reason.
pub(super) fn read_chunks(
    run: &Run<'_>,
    hold: &mut DriveHold,
    member: &Member,
    archive: &PlannedArchive,
    digests: Vec<Digest>,
    take: &mut Take<'_>,
) -> Result<Vec<(Digest, String)>> {
    let places = known_places(run, member, archive, &digests)?;
    let wanted = digests.into_iter().collect();
    let mut reading =
        Reading { run, member, archive, wanted, damaged: Vec::new(), learner: None, take };
    if let Some(places) = places {
        reading.go_from_place_to_place(hold, places)?;
    }
    if !reading.wanted.is_empty() {
        reading.read_from_beginning(hold)?;
    }
    let Reading { wanted, mut damaged, .. } = reading;
    damaged.extend(wanted.into_iter().map(|digest| (digest, "it could not be found".into())));
    Ok(damaged)
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
        let known = run.env.places.find(member.uuid, member.set_label.uuid, digest)?;
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
    member: &'a Member,
    archive: &'a PlannedArchive,
    /// What was not met yet.
    wanted: HashSet<Digest>,
    /// What was met and is bad.
    damaged: Vec<(Digest, String)>,
    learner: Option<PlaceLearner>,
    take: &'a mut Take<'a>,
}

/// How entries were gone through.
enum End {
    /// To the end of the archive, or until all was found.
    Whole,
    /// To damage; entries may be found from the place on.
    Broken(ContentOffset, Error),
}

/// What was at the places of chunks.
enum Met {
    /// They, or damage that is theirs alone.
    Them,
    /// Something else: the index of places is wrong.
    Others,
}

impl Reading<'_> {
    /// Takes chunks by their places. One that is elsewhere, or an error of the device, ends it.
    fn go_from_place_to_place(
        &mut self,
        hold: &mut DriveHold,
        mut places: VecDeque<(Place, Digest)>,
    ) -> Result<()> {
        self.log_archive(self.archive.store.as_str());
        while let Some(first) = places.front().copied() {
            hold.set_state(DriveState::Locating);
            let located = hold.drive().locate(first.0.object()).map_err(Error::from);
            hold.set_state(DriveState::Reading);
            match located.and_then(|()| self.take_near(hold.drive(), first.0, &mut places)) {
                Ok(Met::Them) => {}
                Ok(Met::Others) => return Ok(()),
                Err(error) if is_fatal(&error) => return Err(name_drive(hold, error)),
                Err(error) if is_damage(&error) => {
                    // What was behind a gap is gone to directly; for what was gone to, its place says nothing.
                    if places.front() == Some(&first) {
                        places.pop_front();
                    }
                }
                Err(error) => {
                    let error = name_drive(hold, error);
                    self.log_damage(&error);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Takes the chunks that follow each other closely from `first` on.
    fn take_near(
        &mut self,
        drive: &mut dyn TapeDrive,
        first: Place,
        places: &mut VecDeque<(Place, Digest)>,
    ) -> Result<Met> {
        let mut reader = BlockReader::resume_at(drive, first.block)?;
        reader.consume_bytes(usize::try_from(first.byte).unwrap_or(usize::MAX));
        let mut chunks = ChunkArchiveReader::new(reader, offset(first));
        while let Some((place, digest)) = places.front().copied() {
            self.run.task.check()?;
            let Some(entry) = chunks.next_entry()? else { return Ok(Met::Others) };
            let wanted_at = offset(place);
            if entry.offset < wanted_at {
                if wanted_at.0 - entry.offset.0 > GAP_BYTES {
                    return Ok(Met::Them);
                }
                continue;
            }
            if entry.offset > wanted_at || entry.digest != digest {
                return Ok(Met::Others);
            }
            places.pop_front();
            if !self.take_blob(&mut chunks, &entry)? {
                return Ok(Met::Them);
            }
        }
        Ok(Met::Them)
    }

    /// Takes the chunk of an entry, good or bad; whether the next one can be read behind it.
    fn take_blob<R: BufRead>(
        &mut self,
        chunks: &mut ChunkArchiveReader<R>,
        entry: &ChunkEntry,
    ) -> Result<bool> {
        let read = match entry.is_possible() {
            true => chunks.read_blob(),
            false => Err(unexpected("its length is damaged")),
        };
        let (goes_on, why) = match read {
            Ok(Some(blob)) => {
                self.wanted.remove(&entry.digest);
                (self.take)(entry.digest, blob)?;
                return Ok(true);
            }
            Ok(None) => (false, "the archive ends inside it".into()),
            Err(Error::Chunk { source, .. }) => (true, source.to_string()),
            Err(error) if is_damage(&error) => (false, error.to_string()),
            Err(error) => return Err(error),
        };
        self.wanted.remove(&entry.digest);
        self.damaged.push((entry.digest, why));
        Ok(goes_on)
    }

    fn read_from_beginning(&mut self, hold: &mut DriveHold) -> Result<()> {
        go_to_file(hold, self.archive.file, self.run.task)?;
        let start = hold.drive().position().map_err(|source| hold.failed(source))?.object;
        let medium = (self.member.uuid, self.member.set_label.uuid);
        self.learner = self.run.env.places.learn_passing(medium, (self.archive.file, start));
        let read = self.read_all(hold.drive(), start);
        self.keep_places();
        match read {
            Err(error) if is_fatal(&error) => Err(name_drive(hold, error)),
            Err(error) => {
                let error = name_drive(hold, error);
                self.log_damage(&error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn read_all(&mut self, drive: &mut dyn TapeDrive, start: BlockNumber) -> Result<()> {
        let mut end = self.enter(drive)?;
        while let End::Broken(from, error) = end
            && !self.wanted.is_empty()
        {
            self.log_damage(&error);
            let Some(found) = find_entry(drive, start, from)? else { break };
            end = match open_at(drive, start, found).map_err(Error::from) {
                Ok(reader) => self.stream(reader, found)?,
                Err(error) if is_damage(&error) => {
                    End::Broken(ContentOffset(found.0.saturating_add(1)), error)
                }
                Err(error) => return Err(error),
            };
        }
        match self.wanted.len() {
            0 => Ok(()),
            missing => Err(unexpected(&format!("{missing} chunks are not there"))),
        }
    }

    fn enter(&mut self, drive: &mut dyn TapeDrive) -> Result<End> {
        let mut reader = match BlockReader::open(drive).map_err(Error::from) {
            Ok(OpenedFile::Data(reader)) => reader,
            Ok(_) => return Err(unexpected("nothing is there")),
            Err(error) if is_damage(&error) => return Ok(End::Broken(ContentOffset(0), error)),
            Err(error) => return Err(error),
        };
        let header = read_header(&mut reader)?;
        if ContentKind::from_magic(header.content_magic.0) != Some(ContentKind::ChunkArchive) {
            return Err(unexpected("something else is there"));
        }
        let store = ChunkArchiveHeader::read(header.size, &mut reader)?.store;
        self.log_archive(store.as_str());
        self.stream(reader, ContentOffset::behind_header(header.size))
    }

    fn stream(&mut self, content: impl BufRead, start: ContentOffset) -> Result<End> {
        let mut chunks = ChunkArchiveReader::new(content, start);
        // Behind the last header that was one: what it says of its blob's length is not trusted.
        let mut search = start;
        while !self.wanted.is_empty() {
            self.run.task.check()?;
            let entry = match chunks.next_entry() {
                Ok(Some(entry)) => entry,
                Ok(None) => return Ok(End::Whole),
                Err(error) if is_damage(&error) => return Ok(End::Broken(search, error)),
                Err(error) => return Err(error),
            };
            search = entry.blob_start();
            if !self.pass(&mut chunks, &entry)? {
                let reason = format!("broken off in the entry at byte {}", entry.offset.0);
                return Ok(End::Broken(search, Error::format("chunk archive", reason)));
            }
        }
        Ok(End::Whole)
    }

    /// Takes an entry if it is wanted; whether the next one can be read behind it.
    fn pass<R: BufRead>(
        &mut self,
        chunks: &mut ChunkArchiveReader<R>,
        entry: &ChunkEntry,
    ) -> Result<bool> {
        if self.wanted.contains(&entry.digest) {
            let goes_on = self.take_blob(chunks, entry)?;
            self.learn(entry);
            return Ok(goes_on);
        }
        let passed = entry.is_possible()
            && match chunks.skip_blob() {
                Err(error) if !is_damage(&error) => return Err(error),
                skipped => skipped.unwrap_or(false),
            };
        if passed {
            self.learn(entry);
        }
        Ok(passed)
    }

    fn learn(&mut self, entry: &ChunkEntry) {
        if let Some(learner) = &mut self.learner {
            learner.chunk(&entry.digest, entry.offset.0);
        }
    }

    fn keep_places(&mut self) {
        let Some(learner) = self.learner.take() else { return };
        if let Err(error) = self.run.env.places.keep_passed(learner) {
            tracing::warn!(%error, "places of chunks on a medium are not kept");
        }
    }

    fn log_archive(&self, store: &str) {
        let file = self.archive.file;
        self.run.task.log(&format!("File {file}: chunk archive for datastore '{store}'"));
    }

    fn log_damage(&self, error: &Error) {
        let (file, label) = (self.archive.file, &self.member.label);
        self.run.task.warn(&format!("File {file} of medium '{label}': {error}"));
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
