//! What reading chunks from a media set costs: which media, how many archives and bytes.
//!
//! Pure: it is told where each chunk lies and adds up. The bytes are those that the read queue's way of going
//! takes from the medium, whole blocks:
//!
//! * A chunk whose place our index knows costs the blocks that it touches. Its length on the medium is known to
//!   nobody before it is read; taken is its plain length with all headers, or less where the next wanted chunk
//!   starts before that. So compressed chunks cost less than announced, never more. Small gaps between
//!   wanted chunks are read over and counted ([`READ_ON_BLOCKS_MAX`]).
//! * An archive with a chunk whose place is not known is read from its beginning to the last such chunk. The
//!   catalog tells how many chunks stand before that; they are taken to be as long as the wanted ones are on
//!   average. That is an estimate in both directions.
//! * Labels (two blocks each time that a medium is loaded) are not counted.
//!
//! How long it takes is reckoned ([`ReadPlan::reckon`]) for one drive that reads the media one behind the other: each is
//! fetched, its archives are gone to and read, and it is put away unless it is the last one. Where nothing is known
//! of a medium, or of where on it any of its archives lies, its time is unknown, and so is that of all.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use reel_hw::{BlockNumber, ObjectRange, TAPE_BLOCK_PAYLOAD_SIZE, TAPE_BLOCK_SIZE};
use reel_types::commands::results::PlanEntry;

use crate::FileNumber;
use crate::archive::chunk::CHUNK_ENTRY_HEADER_SIZE;
use crate::drive_times::Reckoning;
use crate::places::start_between;
use crate::queue::READ_ON_BLOCKS_MAX;
use crate::set_contents::{SetMedium, Target};
use crate::timing::Mount;

/// The longer of the two headers of a blob.
const BLOB_HEADER_BYTES: u64 = 44;
/// What stands before the first chunk of an archive, about.
const ARCHIVE_HEADER_BYTES: u64 = 128;
/// Where the head is when both labels were read: two blocks, each with a filemark.
const BEHIND_LABELS: BlockNumber = BlockNumber(4);
const PAYLOAD: u64 = TAPE_BLOCK_PAYLOAD_SIZE as u64;

/// What is read from a media set, medium by medium in the order of the set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadPlan {
    /// The media.
    pub media: Vec<MediumPlan>,
    /// Chunks that no catalog names: they can't be read.
    pub chunks_nowhere: u64,
}

/// What is read from one medium.
#[derive(Debug, Clone, PartialEq)]
pub struct MediumPlan {
    /// The medium.
    pub medium: Arc<SetMedium>,
    /// Chunk archives that are gone to.
    pub archives: u64,
    /// Chunks that are read.
    pub chunks: u64,
    /// Bytes that are read from it.
    pub bytes: u64,
    /// Bytes of chunks that are in the cache already, by their plain length.
    pub staged_bytes: u64,
    /// How long reading it takes, loads included, s; none where that is unknown.
    pub seconds: Option<f64>,
    /// Where the archives are read; none where nothing is known of where they lie.
    pieces: Option<Vec<ArchiveRuns>>,
}

/// What is read of an archive: runs of objects, ascending; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ArchiveRuns(Vec<ObjectRange>);

impl ArchiveRuns {
    fn whole(&self) -> Option<ObjectRange> {
        Some(ObjectRange { first: self.0.first()?.first, last: self.0.last()?.last })
    }
}

impl MediumPlan {
    /// The row of `media-set plan`.
    pub fn entry(&self) -> PlanEntry {
        PlanEntry {
            label_text: Some(self.medium.label_text.clone()),
            uuid: Some(self.medium.id),
            seq_nr: self.medium.seq_nr,
            location: Some(self.medium.location.clone()),
            archives: self.archives,
            chunks: self.chunks,
            bytes: self.bytes,
            staged_bytes: self.staged_bytes,
            seconds: self.seconds.map(whole_seconds),
            total_seconds: None,
        }
    }

    /// Going to everything that is read of it and reading it, and where the head is then.
    fn reading_s(&self, by: &Reckoning) -> Option<(f64, BlockNumber)> {
        let archives = self.pieces.as_ref()?;
        let ranges: Option<Vec<_>> = archives.iter().map(ArchiveRuns::whole).collect();
        let ranges = ranges?;
        let mut head = BEHIND_LABELS;
        let order = match by.in_best_order {
            true => by.costs.order(head, &ranges),
            false => (0..ranges.len()).collect(),
        };
        let mut sum_s = 0.0;
        for run in order.iter().filter_map(|index| archives.get(*index)).flat_map(|one| &one.0) {
            let objects = run.last.0 - run.first.0 + 1;
            sum_s += by.costs.locate_s(head, run.first) + by.costs.read_s(run.first, objects);
            head = BlockNumber(run.last.0 + 1);
        }
        Some((sum_s, head))
    }

    fn mount(&self) -> Mount {
        let runs = self.pieces.iter().flatten().map(|archive| archive.0.len() as u64).sum();
        Mount { bytes: self.bytes, runs }
    }

    /// How long the drive is busy with it. Nothing is done with a medium of which all is staged.
    fn seconds(&self, by: Option<&Reckoning>, is_loaded: bool, is_last: bool) -> Option<f64> {
        if self.archives == 0 {
            return Some(0.0);
        }
        let by = by?;
        let (reading_s, head) = self.reading_s(by)?;
        let load_s = if is_loaded { 0.0 } else { by.costs.load_s() };
        let unload_s = if is_last { 0.0 } else { by.costs.unload_s(head, self.mount()) };
        Some(load_s + reading_s + unload_s)
    }
}

fn whole_seconds(seconds: f64) -> u64 {
    seconds.round() as u64
}

impl ReadPlan {
    /// The rows of `media-set plan`. The time of all media up to one is only told while each of them is known.
    pub fn entries(&self) -> Vec<PlanEntry> {
        let mut total_s = Some(0.0);
        let mut row = |medium: &MediumPlan| {
            total_s = total_s.zip(medium.seconds).map(|(sum, more)| sum + more);
            PlanEntry { total_seconds: total_s.map(whole_seconds), ..medium.entry() }
        };
        self.media.iter().map(&mut row).collect()
    }

    /// Reckons how long it takes. `by` says what is known of a medium and the drive that would read it, `is_loaded`
    /// whether that has it already.
    pub fn reckon(
        &mut self,
        by: impl Fn(&SetMedium) -> Option<Reckoning>,
        is_loaded: impl Fn(&SetMedium) -> bool,
    ) {
        let last = self.media.iter().rposition(|medium| medium.archives > 0);
        for (position, plan) in self.media.iter_mut().enumerate() {
            let (known, loaded) = (by(&plan.medium), is_loaded(&plan.medium));
            plan.seconds = plan.seconds(known.as_ref(), loaded, Some(position) == last);
        }
    }
}

/// Takes wanted chunks one by one; 64 bytes of memory for each.
#[derive(Debug, Default)]
pub struct Planner {
    media: BTreeMap<(u64, reel_types::MediaId), (Arc<SetMedium>, Vec<Piece>)>,
    chunks_nowhere: u64,
}

/// A wanted chunk. The order is that of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    file: FileNumber,
    /// Where it starts in the archive's content, if that is known.
    offset: Option<u64>,
    /// The archive's first object, if that is known.
    start: Option<BlockNumber>,
    number: u32,
    plain_bytes: u64,
    staged: bool,
}

impl Piece {
    /// Bytes of its entry at most.
    fn entry_bytes(&self) -> u64 {
        CHUNK_ENTRY_HEADER_SIZE as u64 + BLOB_HEADER_BYTES + self.plain_bytes
    }
}

impl Planner {
    /// Wants a chunk of `plain_bytes` bytes that would be read at `target`, the first one of
    /// [`SetContents::targets`](crate::set_contents::SetContents::targets). `staged` says that it is in
    /// the cache. A chunk that is wanted twice is read once.
    pub fn add(&mut self, target: Option<&Target>, plain_bytes: u64, staged: bool) {
        let Some(target) = target else {
            self.chunks_nowhere += 1;
            return;
        };
        let medium = &target.medium;
        let key = (medium.seq_nr, medium.id);
        let (_, pieces) = self.media.entry(key).or_insert_with(|| (Arc::clone(medium), Vec::new()));
        pieces.push(Piece {
            file: target.file,
            offset: target
                .place
                .map(|place| u64::from(place.block) * PAYLOAD + u64::from(place.byte)),
            start: target.place.map(|place| place.archive_start),
            number: target.number.unwrap_or(0),
            plain_bytes,
            staged,
        });
    }

    /// The plan.
    pub fn finish(self) -> ReadPlan {
        let media = self.media.into_values().map(|(medium, pieces)| of_medium(medium, pieces));
        ReadPlan { media: media.collect(), chunks_nowhere: self.chunks_nowhere }
    }
}

fn of_medium(medium: Arc<SetMedium>, mut pieces: Vec<Piece>) -> MediumPlan {
    pieces.sort_unstable();
    pieces.dedup_by_key(|piece| (piece.file, piece.offset, piece.number));
    let staged_bytes =
        pieces.iter().filter(|piece| piece.staged).map(|piece| piece.plain_bytes).sum();
    pieces.retain(|piece| !piece.staged);
    let archives: Vec<_> = pieces.chunk_by(|a, b| a.file == b.file).collect();
    let runs: Vec<_> = archives.iter().map(|archive| runs_of(archive)).collect();
    let blocks: u64 = runs.iter().flatten().map(|run| run.end - run.start).sum();
    MediumPlan {
        medium,
        archives: archives.len() as u64,
        chunks: pieces.len() as u64,
        bytes: blocks * TAPE_BLOCK_SIZE as u64,
        staged_bytes,
        seconds: None,
        pieces: on_medium(&archives, runs),
    }
}

/// Where on the medium the runs of its archives lie; none where it is known of no archive.
fn on_medium(archives: &[&[Piece]], runs: Vec<Vec<Range<u64>>>) -> Option<Vec<ArchiveRuns>> {
    let start_of = |archive: &&[Piece]| {
        let start = archive.iter().find_map(|piece| piece.start)?;
        Some((archive.first()?.file, start))
    };
    let known: Vec<_> = archives.iter().filter_map(start_of).collect();
    if known.is_empty() {
        return None;
    }
    let placed = archives.iter().zip(runs).map(|(archive, runs)| {
        let about = || Some(start_between(&known, archive.first()?.file));
        let start = start_of(archive).map(|(_, start)| start).or_else(about)?;
        let object = |block: u64| BlockNumber(start.0.saturating_add(block));
        let range = |run: Range<u64>| ObjectRange {
            first: object(run.start),
            last: object(run.end.saturating_sub(1).max(run.start)),
        };
        Some(ArchiveRuns(runs.into_iter().map(range).collect()))
    });
    placed.collect()
}

/// Blocks that are read of one archive, in runs. Pieces of unknown place stand in front.
fn runs_of(archive: &[Piece]) -> Vec<Range<u64>> {
    let unknown = archive.iter().take_while(|piece| piece.offset.is_none()).count();
    let (unknown, known) = archive.split_at(unknown);
    let from_start = blocks_from_start(archive, unknown);
    let mut runs: Vec<Range<u64>> = Vec::new();
    if from_start > 0 {
        runs.push(0..from_start);
    }
    for (position, piece) in known.iter().enumerate() {
        let Some(start) = piece.offset else { continue };
        let next = known.get(position + 1).and_then(|next| next.offset);
        let end = (start + piece.entry_bytes()).min(next.unwrap_or(u64::MAX));
        let (first, behind) = (start / PAYLOAD, end.saturating_sub(1) / PAYLOAD + 1);
        match runs.last_mut() {
            Some(run) if first.saturating_sub(run.end) <= READ_ON_BLOCKS_MAX => {
                run.end = run.end.max(behind);
            }
            _ => runs.push(first..behind),
        }
    }
    runs
}

/// How far the archive is read from its beginning.
fn blocks_from_start(archive: &[Piece], unknown: &[Piece]) -> u64 {
    let Some(last) = unknown.iter().map(|piece| piece.number).max() else { return 0 };
    let all: u64 = archive.iter().map(Piece::entry_bytes).sum();
    let average = all / archive.len().max(1) as u64;
    (ARCHIVE_HEADER_BYTES + (u64::from(last) + 1) * average) / PAYLOAD + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::Place;
    use crate::timing::{Costs, MediumKind, Ratios};
    use reel_types::{MediaId, MediaLocation, MediaSetId};
    use uuid::Uuid;

    const CHUNK: u64 = 4 << 20;

    fn medium(seq_nr: u64) -> Arc<SetMedium> {
        Arc::new(SetMedium {
            id: MediaId(Uuid::from_u128(9 - u128::from(seq_nr))),
            label_text: format!("tape{seq_nr}").parse().unwrap(),
            set: MediaSetId(Uuid::from_u128(1)),
            seq_nr,
            location: MediaLocation::Offline,
        })
    }

    fn target(seq_nr: u64, file: u64, number: u32, offset: Option<u64>) -> Target {
        let file = FileNumber(file);
        let place = offset.and_then(|offset| Place::at(file, BlockNumber(7), offset));
        Target { medium: medium(seq_nr), file, number: Some(number), place }
    }

    fn plan(chunks: &[Target]) -> ReadPlan {
        let mut planner = Planner::default();
        chunks.iter().for_each(|target| planner.add(Some(target), CHUNK, false));
        planner.finish()
    }

    fn blocks(chunks: &[Target]) -> Vec<u64> {
        let media = plan(chunks).media;
        media.iter().map(|medium| medium.bytes / TAPE_BLOCK_SIZE as u64).collect()
    }

    #[test]
    fn a_known_chunk_costs_the_blocks_it_touches() {
        assert_eq!(blocks(&[target(0, 2, 0, Some(0))]), [17]);
        assert_eq!(blocks(&[target(0, 2, 0, Some(50 * PAYLOAD + PAYLOAD - 1))]), [18]);
    }

    #[test]
    fn neighbours_share_a_block_and_small_gaps_are_read_over() {
        let entry = 48 + 44 + CHUNK;
        let at = |number: u32| target(0, 2, number, Some(100 + u64::from(number) * entry));
        assert_eq!(blocks(&[at(0), at(1)]), [33]);
        assert_eq!(blocks(&[at(2), at(0), at(2)]), [49]);
        assert_eq!(blocks(&[at(0), at(9)]), [17 + 17]);
        let closer = target(0, 2, 1, Some(100 + PAYLOAD));
        assert_eq!(blocks(&[at(0), closer]), [18]);
    }

    #[test]
    fn an_unknown_place_costs_the_archive_up_to_it() {
        let unknown = |number| target(0, 3, number, None);
        assert_eq!(blocks(&[unknown(9)]), [161]);
        assert_eq!(blocks(&[unknown(9), unknown(3)]), [161]);
        assert_eq!(blocks(&[unknown(9), target(0, 3, 1, Some(5 * PAYLOAD))]), [161]);
        assert_eq!(blocks(&[unknown(0), target(0, 3, 90, Some(900 * PAYLOAD))]), [17 + 17]);
    }

    #[test]
    fn media_stand_in_the_order_of_the_set_and_staged_chunks_cost_nothing() {
        let mut planner = Planner::default();
        planner.add(Some(&target(1, 2, 0, Some(0))), CHUNK, false);
        planner.add(Some(&target(0, 2, 0, Some(0))), CHUNK, true);
        planner.add(Some(&target(1, 5, 0, Some(0))), CHUNK, false);
        planner.add(None, CHUNK, false);
        let plan = planner.finish();
        assert_eq!(plan.chunks_nowhere, 1);
        let rows: Vec<_> = plan
            .entries()
            .iter()
            .map(|row| (row.seq_nr, row.archives, row.chunks, row.bytes, row.staged_bytes))
            .collect();
        let block = TAPE_BLOCK_SIZE as u64;
        assert_eq!(rows, [(0, 0, 0, 0, CHUNK), (1, 2, 2, 34 * block, 0)]);
    }

    fn reckoning(in_best_order: bool) -> Reckoning {
        Reckoning { costs: Costs::new(MediumKind::Lto8, None, Ratios::default()), in_best_order }
    }

    /// A chunk at the beginning of an archive that begins at an object.
    fn at(seq_nr: u64, file: u64, start: u64) -> Target {
        let number = FileNumber(file);
        let place = Place::at(number, BlockNumber(start), 0);
        Target { medium: medium(seq_nr), file: number, number: Some(0), place }
    }

    fn seconds(plan: &ReadPlan) -> Vec<(Option<u64>, Option<u64>)> {
        plan.entries().iter().map(|row| (row.seconds, row.total_seconds)).collect()
    }

    #[test]
    fn a_plan_tells_the_time_of_each_medium_and_of_all_up_to_it() {
        let mut plan = plan(&[at(0, 2, 1_000_000), at(1, 2, 1_000_000)]);
        plan.reckon(|_| Some(reckoning(false)), |medium| medium.seq_nr == 1);
        // Robot, load, labels: 26; the locate, 17 blocks; rewind, unload and robot.
        let (load_s, read_s) = (26.0, 61.65 + 0.012);
        let put_away_s: f64 = 6.0 + 2.0 * 53.0 * 91_581.0 / 168_401.0 + 24.0 + 10.0;
        let first = (load_s + read_s + put_away_s).round() as u64;
        assert_eq!(seconds(&plan), [(Some(first), Some(first)), (Some(62), Some(first + 62))]);
    }

    #[test]
    fn what_is_not_known_is_no_number() {
        let unknown = Target { place: None, ..at(1, 2, 0) };
        let mut plan = plan(&[at(0, 2, 1_000_000), unknown, at(2, 2, 1_000_000)]);
        assert_eq!(seconds(&plan), [(None, None); 3]);
        plan.reckon(|_| Some(reckoning(false)), |_| false);
        let rows = seconds(&plan);
        assert!(rows[0].0.is_some() && rows[0].1 == rows[0].0);
        assert_eq!(rows[1], (None, None), "nobody knows where that archive lies");
        assert!(rows[2].0.is_some() && rows[2].1.is_none(), "nor then how long all takes");
        plan.reckon(|medium| (medium.seq_nr > 0).then(|| reckoning(false)), |_| false);
        assert_eq!(seconds(&plan)[0], (None, None), "a medium of which nothing is known");
    }

    #[test]
    fn staged_media_take_no_time_and_the_best_order_takes_less() {
        let mut planner = Planner::default();
        planner.add(Some(&at(0, 2, 1_000_000)), CHUNK, true);
        let far = [40_000_000, 9_000_000, 9_050_000, 23_000_000, 300_000, 31_500_000];
        let mut far = far;
        far.sort_unstable();
        for (file, start) in (2..).zip(far) {
            planner.add(Some(&at(1, file, start)), CHUNK, false);
        }
        let mut plan = planner.finish();
        let mut reckon = |in_best_order| {
            plan.reckon(|_| Some(reckoning(in_best_order)), |_| true);
            seconds(&plan)
        };
        let (forward, best) = (reckon(false), reckon(true));
        assert_eq!((forward[0], best[0]), ((Some(0), Some(0)), (Some(0), Some(0))));
        assert!((322..324).contains(&forward[1].0.unwrap()), "{forward:?}");
        assert!((190..194).contains(&best[1].0.unwrap()), "{best:?}");
    }
}
