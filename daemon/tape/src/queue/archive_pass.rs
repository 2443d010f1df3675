//! One way through a chunk archive, forward, serving what is wanted of it.
//!
//! It enters where the first wanted chunk starts if our index knows, else at the archive's beginning, and goes
//! from entry to entry: a wanted one is read, others are passed over, and it ends when nothing wanted comes near
//! any more. What an index says is a hint: if the entry there is of another chunk, the wish goes on to its next
//! target and nothing is lost but time.
//!
//! Where a block can't be read or an entry is garbage, a way from the beginning goes on at the next entry that can be
//! found behind ([`crate::resync`]), so that only what is really lost fails; one by known places just goes to the next
//! of them.
//!
//! From the beginning it also learns where the chunks are, of as much of the archive as it passes: the catalog
//! has told that the archive is whole, and each entry was seen at its place.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use reel_hw::stream::{BlockError, BlockReader, OpenedFile};
use reel_hw::{BlockNumber, FileNumber, ReadOutcome, TAPE_BLOCK_SIZE, TapeDrive};
use reel_types::Digest;

use super::checking::{self, Unchecked};
use super::stopwatch::Stopwatch;
use super::wishes::{At, MediumKey};
use super::{NEAR_OBJECTS_MAX, READ_ON_BLOCKS_MAX, ReadDamage, Shared};
use crate::archive::chunk::{ChunkArchiveHeader, ChunkArchiveReader, ChunkEntry, ContentOffset};
use crate::archive::{ArchiveHeader, ContentKind};
use crate::drive_desk::{DriveHold, DriveState};
use crate::medium::{name_drive, read_header};
use crate::places::{Place, PlaceLearner};
use crate::resync::{find_entry, open_at};
use crate::set_contents::{SetMedium, Target};
use crate::{Error, Result};

type TapeReader<'d> = BlockReader<'d, dyn TapeDrive + 'd>;

pub(super) struct ArchivePass<'a> {
    shared: &'a Shared,
    checks: &'a SyncSender<Unchecked>,
    watch: &'a mut Stopwatch,
    /// When and where reading began, and how many blocks the drive had read then.
    reading: Option<(Duration, BlockNumber, u64)>,
    medium: Arc<SetMedium>,
    key: MediumKey,
    file: FileNumber,
    /// The chunk that leads here, and where its entry should be.
    first: (Digest, Option<Place>),
    learner: Option<PlaceLearner>,
    /// The archive's first object, once it was gone to.
    archive_start: Option<BlockNumber>,
    /// The block of the first damage on the way, and what is wrong there.
    damage_met: Option<(u32, String)>,
    /// Wishes up to this number were there when the pass began.
    wishes_before: u64,
    /// Bytes since it last looked whether somebody else wants the drive.
    bytes: u64,
}

/// How a way through an archive ended.
enum End {
    /// Nothing wanted comes near.
    Here(At),
    /// The archive did.
    OfArchive,
    /// It can't be read on. Entries may be found from `search` on.
    Broken { at: At, error: Error, search: Option<ContentOffset> },
}

/// What became of an entry.
enum Step {
    Passed,
    CutShort,
    Broken(Error),
}

impl<'a> ArchivePass<'a> {
    /// A pass to the chunk `digest`, which may be read at `target`.
    pub(super) fn new(
        shared: &'a Shared,
        checks: &'a SyncSender<Unchecked>,
        watch: &'a mut Stopwatch,
        (digest, target): (&Digest, &Target),
    ) -> Self {
        let medium = Arc::clone(&target.medium);
        Self {
            shared,
            checks,
            watch,
            reading: None,
            key: MediumKey::of(&medium),
            medium,
            file: target.file,
            first: (*digest, target.place),
            learner: None,
            archive_start: None,
            damage_met: None,
            wishes_before: shared.state().wishes.count(),
            bytes: 0,
        }
    }

    /// Serves what is wanted; where the head is then.
    ///
    /// # Errors
    /// Those of the drive, after which nothing of this medium can be read. Damage is none.
    pub(super) fn run(mut self, hold: &mut DriveHold) -> Result<At> {
        hold.set_state(DriveState::Locating);
        let end = match self.first.1 {
            Some(place) => self.enter_at(hold, place),
            None => self.read_from_start(hold),
        };
        if let Some((began, from, blocks)) = self.reading.filter(|_| end.is_ok()) {
            let blocks = hold.drive().counters().blocks_read.saturating_sub(blocks);
            self.watch.read(from, blocks, began);
        }
        match end.map_err(|error| name_drive(hold, error))? {
            End::Here(at) => Ok(at),
            End::OfArchive => Ok(At::end_of(self.file)),
            End::Broken { at, .. } => Ok(at),
        }
    }

    fn enter_at(&mut self, hold: &mut DriveHold, place: Place) -> Result<End> {
        let at = At { file: self.file, block: place.block, byte: place.byte };
        if let Err(error) = self.approach(hold.drive(), place.object()) {
            return self.entered_badly(at, error);
        }
        hold.set_state(DriveState::Reading);
        self.begin_reading(hold.drive(), place.object());
        let mut reader = match BlockReader::resume_at(hold.drive(), place.block) {
            Ok(reader) => reader,
            Err(error) => return self.entered_badly(at, error),
        };
        reader.consume_bytes(usize::try_from(place.byte).unwrap_or(usize::MAX));
        let offset = reel_hw::stream::content_offset(place.block) + u64::from(place.byte);
        self.stream(&mut reader, ContentOffset(offset))
    }

    /// Goes to an object: not at all where the head is there, by reading on where it is near.
    fn approach(&mut self, drive: &mut dyn TapeDrive, object: BlockNumber) -> reel_hw::Result<()> {
        let here = drive.position()?.object;
        match object.0.checked_sub(here.0) {
            Some(gap) if gap <= NEAR_OBJECTS_MAX && read_over(drive, gap) => Ok(()),
            _ => {
                let began = self.watch.now();
                drive.locate(object)?;
                self.watch.located(here, object, began);
                Ok(())
            }
        }
    }

    fn begin_reading(&mut self, drive: &dyn TapeDrive, from: BlockNumber) {
        self.reading = Some((self.watch.now(), from, drive.counters().blocks_read));
    }

    /// The place can't be read: either it is none of this archive's, or its block is damaged.
    fn entered_badly(&self, at: At, error: reel_hw::Error) -> Result<End> {
        let error = Error::Device(error);
        if !is_damage(&error) {
            return Err(error);
        }
        match &error {
            Error::Device(
                reel_hw::Error::Block { source: BlockError::Sequence { .. }, .. }
                | reel_hw::Error::UnexpectedFilemark { .. }
                | reel_hw::Error::UnexpectedEndOfData { .. },
            ) => self.misplaced(),
            _ => self.damaged(&self.first.0, Some(at.block), error.to_string()),
        }
        Ok(End::Here(at))
    }

    /// Our index was wrong about the first chunk: it is looked for elsewhere.
    fn misplaced(&self) {
        let digest = self.first.0;
        tracing::warn!(chunk = %digest, medium = %self.medium.label_text, "the index of places is wrong");
        let failed = self.shared.state().wishes.retry(&digest, |_| true);
        if let Some(waiters) = failed {
            let reason = "it is not where our index says, and no catalog names it".into();
            let damage = self.damage(&digest, None, reason);
            self.shared.parts.listener.damaged(&damage);
            let error = reel_store::source::ChunkError::new(nix::libc::EIO, damage);
            waiters.iter().for_each(|waiter| waiter.deliver(Err(error.clone())));
        }
    }

    fn read_from_start(&mut self, hold: &mut DriveHold) -> Result<End> {
        let mut end = match self.enter(hold) {
            Ok(end) => end,
            Err(error) if is_damage(&error) => self.broken(At::start_of(self.file), error, None),
            Err(error) => return Err(error),
        };
        while let End::Broken { at, error, search: Some(from) } = &end
            && self.is_wanted()
        {
            self.damage_met.get_or_insert_with(|| (at.block, error.to_string()));
            end = self.go_on_behind(hold, *from)?;
        }
        self.keep_places();
        match (&self.damage_met, &end) {
            (_, End::Here(_)) => {}
            (Some((block, error)), _) => self.fail_unknown(Some(*block), error),
            (None, End::Broken { at, error, .. }) => {
                self.fail_unknown(Some(at.block), &error.to_string());
            }
            (None, End::OfArchive) => {
                self.fail_unknown(None, "it is not in the archive that the catalog names");
            }
        }
        Ok(end)
    }

    /// Whether it is worth while to go on behind damage.
    fn is_wanted(&self) -> bool {
        !self.shared.cancel.is_cancelled()
            && self.shared.state().wishes.has_unknown(self.key, self.file)
    }

    fn go_on_behind(&mut self, hold: &mut DriveHold, from: ContentOffset) -> Result<End> {
        let Some(start) = self.archive_start else { return Ok(End::OfArchive) };
        let Some(found) = find_entry(hold.drive(), start, from)? else { return Ok(End::OfArchive) };
        match open_at(hold.drive(), start, found).map_err(Error::Device) {
            Ok(mut reader) => self.stream(&mut reader, found),
            Err(error) if is_damage(&error) => {
                let behind = ContentOffset(found.0.saturating_add(1));
                Ok(self.broken(self.at(found), error, Some(behind)))
            }
            Err(error) => Err(error),
        }
    }

    /// The archive ends inside an entry. That is how one ends that met the end of its medium, unless the entry's
    /// length is damaged.
    fn cut_short(&self, entry: &ChunkEntry) -> End {
        let reason = format!("the archive ends inside the entry at byte {}", entry.offset.0);
        let error = Error::format("chunk archive", reason);
        End::Broken { at: self.at(entry.offset), error, search: Some(entry.blob_start()) }
    }

    fn broken(&self, at: At, error: Error, search: Option<ContentOffset>) -> End {
        tracing::warn!(medium = %self.medium.label_text, file = %self.file, "an archive is damaged: {error}");
        End::Broken { at, error, search }
    }

    fn enter(&mut self, hold: &mut DriveHold) -> Result<End> {
        let start = go_to_file(hold.drive(), self.file)?;
        hold.set_state(DriveState::Reading);
        self.begin_reading(hold.drive(), start);
        let (medium, places) = (&self.medium, &self.shared.parts.env.places);
        self.learner = places.learn_passing((medium.id, medium.set), (self.file, start));
        self.archive_start = Some(start);
        let opened = BlockReader::open(hold.drive()).map_err(Error::Device);
        let mut reader = match opened {
            Ok(OpenedFile::Data(reader)) => reader,
            Ok(_) => return Err(Error::format("chunk archive", "there is no data on the medium")),
            Err(error) if is_damage(&error) => {
                let at = At::start_of(self.file);
                return Ok(self.broken(at, error, Some(ContentOffset(0))));
            }
            Err(error) => return Err(error),
        };
        let header = read_header(&mut reader)?;
        if ContentKind::from_magic(header.content_magic.0) != Some(ContentKind::ChunkArchive) {
            return Err(Error::format("chunk archive", "the file on the medium is none"));
        }
        ChunkArchiveHeader::read(header.size, &mut reader)?;
        self.stream(&mut reader, ContentOffset::behind_header(header.size))
    }

    fn stream(&mut self, reader: &mut TapeReader<'_>, start: ContentOffset) -> Result<End> {
        let mut chunks = ChunkArchiveReader::new(reader, start);
        let mut here = start;
        // Behind the last header that was one: what it says of its blob's length is not trusted.
        let mut search = start;
        // Our index has said whose entry the first one is.
        let mut is_first = self.first.1.is_some();
        loop {
            let entry = match chunks.next_entry() {
                Ok(Some(entry)) if !is_first || entry.digest == self.first.0 => entry,
                Ok(_) if is_first => return Ok(self.nothing_there(here)),
                Err(error) if is_first && is_damage(&error) => return Ok(self.nothing_there(here)),
                Ok(_) => return Ok(End::OfArchive),
                Err(error) if is_damage(&error) => {
                    return Ok(self.broken(self.at(here), error, Some(search)));
                }
                Err(error) => return Err(error),
            };
            is_first = false;
            search = entry.blob_start();
            match self.pass(&mut chunks, &entry)? {
                Step::Passed => here = end_of(&entry),
                Step::CutShort => return Ok(self.cut_short(&entry)),
                Step::Broken(error) => {
                    return Ok(self.broken(self.at(entry.offset), error, Some(search)));
                }
            }
            self.bytes += here.0.saturating_sub(entry.offset.0);
            if !self.goes_on(here) {
                return Ok(End::Here(self.at(here)));
            }
        }
    }

    fn nothing_there(&self, here: ContentOffset) -> End {
        self.misplaced();
        End::Here(self.at(here))
    }

    /// Serves an entry if it is wanted.
    fn pass<R: std::io::BufRead>(
        &mut self,
        chunks: &mut ChunkArchiveReader<R>,
        entry: &ChunkEntry,
    ) -> Result<Step> {
        if !self.shared.state().wishes.take(&entry.digest) {
            return self.pass_over(chunks, entry);
        }
        let block = u32::try_from(entry.offset.block()).ok();
        if !entry.is_possible() {
            let error = impossible(entry);
            self.damaged(&entry.digest, block, error.to_string());
            return Ok(Step::Broken(error));
        }
        match chunks.read_blob() {
            Ok(Some(blob)) => {
                self.learn(entry);
                let (digest, medium) = (entry.digest, Arc::clone(&self.medium));
                let unchecked = Unchecked { digest, blob, medium, at: self.at(entry.offset) };
                if let Err(back) = self.checks.send(unchecked) {
                    checking::check(self.shared, back.0);
                }
                Ok(Step::Passed)
            }
            Ok(None) => {
                self.damaged(&entry.digest, block, "the archive ends inside it".into());
                Ok(Step::CutShort)
            }
            Err(Error::Chunk { source, .. }) => {
                self.damaged(&entry.digest, block, source.to_string());
                Ok(Step::Passed)
            }
            Err(error) if is_damage(&error) => {
                self.damaged(&entry.digest, block, error.to_string());
                Ok(Step::Broken(error))
            }
            Err(error) => {
                self.shared.state().wishes.release(&entry.digest);
                Err(error)
            }
        }
    }

    fn pass_over<R: std::io::BufRead>(
        &mut self,
        chunks: &mut ChunkArchiveReader<R>,
        entry: &ChunkEntry,
    ) -> Result<Step> {
        if !entry.is_possible() {
            return Ok(Step::Broken(impossible(entry)));
        }
        if self.learner.is_none() {
            return Ok(Step::Passed);
        }
        match chunks.skip_blob() {
            Ok(true) => {
                self.learn(entry);
                Ok(Step::Passed)
            }
            Ok(false) => Ok(Step::CutShort),
            Err(error) if is_damage(&error) => Ok(Step::Broken(error)),
            Err(error) => Err(error),
        }
    }

    fn learn(&mut self, entry: &ChunkEntry) {
        if let Some(learner) = &mut self.learner {
            learner.chunk(&entry.digest, entry.offset.0);
        }
    }

    /// Whether something wanted comes near.
    fn goes_on(&mut self, here: ContentOffset) -> bool {
        if self.shared.cancel.is_cancelled() {
            return false;
        }
        let at = self.at(here);
        let mut state = self.shared.state();
        // Somewhere behind: giving way here would mean to begin at the beginning again.
        if self.first.1.is_none() && state.wishes.has_unknown(self.key, self.file) {
            return true;
        }
        let next = state.wishes.next_known(self.key, at);
        drop(state);
        let near = |block: u32| u64::from(block.saturating_sub(at.block)) <= READ_ON_BLOCKS_MAX;
        next.is_some_and(near) && !self.gives_way()
    }

    fn gives_way(&mut self) -> bool {
        if self.bytes < self.shared.parts.options.give_way_bytes {
            return false;
        }
        self.bytes = 0;
        self.shared.parts.desk.is_wanted()
    }

    /// Makes the places known that were passed, and tells wishes that came late of theirs.
    fn keep_places(&mut self) {
        let Some(learner) = self.learner.take() else { return };
        let kept = self.shared.parts.env.places.keep_passed(learner);
        if let Err(error) = kept.and_then(|()| self.tell_places()) {
            tracing::warn!(%error, "places of chunks on a medium are not kept");
        }
    }

    fn tell_places(&self) -> Result<()> {
        let unknown = self.shared.state().wishes.unknown_in(self.key, self.file);
        for (digest, _) in unknown {
            let places = &self.shared.parts.env.places;
            let found = places.find(self.medium.id, self.medium.set, &digest)?;
            if let Some(place) = found.into_iter().find(|place| place.file == self.file) {
                let medium = Arc::clone(&self.medium);
                let target = Target { medium, file: self.file, number: None, place: Some(place) };
                self.shared.state().wishes.prefer(&digest, target);
            }
        }
        Ok(())
    }

    /// Fails what should be in this archive and did not come by.
    fn fail_unknown(&self, block: Option<u32>, reason: &str) {
        let unknown = self.shared.state().wishes.unknown_in(self.key, self.file);
        for (digest, number) in unknown {
            if number <= self.wishes_before {
                self.damaged(&digest, block, reason.to_owned());
            }
        }
    }

    fn damaged(&self, digest: &Digest, block: Option<u32>, reason: String) {
        let (id, file) = (self.medium.id, self.file);
        let elsewhere = |target: &Target| target.medium.id != id || target.file != file;
        self.shared.damaged(self.damage(digest, block, reason), elsewhere);
    }

    fn damage(&self, digest: &Digest, block: Option<u32>, reason: String) -> ReadDamage {
        let medium = self.medium.label_text.clone();
        ReadDamage { digest: *digest, medium, file: self.file, block, reason }
    }

    fn at(&self, offset: ContentOffset) -> At {
        At {
            file: self.file,
            block: u32::try_from(offset.block()).unwrap_or(u32::MAX),
            byte: u32::try_from(offset.byte_in_block()).unwrap_or(u32::MAX),
        }
    }
}

fn end_of(entry: &ChunkEntry) -> ContentOffset {
    ContentOffset(entry.blob_start().0.saturating_add(entry.blob_bytes))
}

fn impossible(entry: &ChunkEntry) -> Error {
    let reason = format!("the entry at byte {} tells {} bytes", entry.offset.0, entry.blob_bytes);
    Error::format("chunk archive", reason)
}

/// Whether so many objects could be read.
fn read_over(drive: &mut dyn TapeDrive, count: u64) -> bool {
    let mut buffer = vec![0; if count == 0 { 0 } else { TAPE_BLOCK_SIZE }];
    (0..count).all(|_| {
        matches!(drive.read_block(&mut buffer), Ok(ReadOutcome::Block(_) | ReadOutcome::Filemark))
    })
}

/// Goes to the beginning of a file; the number of its first object.
pub(crate) fn go_to_file(drive: &mut dyn TapeDrive, file: FileNumber) -> Result<BlockNumber> {
    let here = drive.position()?;
    if (here.file, here.block_in_file) == (file, Some(0)) {
        return Ok(here.object);
    }
    drive.locate_file(file)?;
    Ok(drive.position()?.object)
}

/// Whether what was read is bad, as opposed to a device that doesn't read.
pub(crate) fn is_damage(error: &Error) -> bool {
    if let Some(device) = error.device() {
        return is_bad_data(device);
    }
    match error {
        Error::Format { .. } | Error::Json { .. } | Error::Chunk { .. } | Error::Pxar { .. } => {
            true
        }
        Error::Parse(_) | Error::Data(_) => true,
        Error::Io { source, .. } => source.raw_os_error().is_none(),
        _ => false,
    }
}

fn is_bad_data(error: &reel_hw::Error) -> bool {
    use reel_hw::Error::{
        Block, Corrupt, StreamState, UnexpectedEndOfData, UnexpectedFilemark, WrongBlockSize,
    };
    matches!(
        error,
        Block { .. }
            | Corrupt { .. }
            | StreamState(_)
            | UnexpectedEndOfData { .. }
            | UnexpectedFilemark { .. }
            | WrongBlockSize { .. }
    )
}
