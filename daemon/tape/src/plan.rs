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

use std::collections::BTreeMap;
use std::sync::Arc;

use reel_hw::{TAPE_BLOCK_PAYLOAD_SIZE, TAPE_BLOCK_SIZE};
use reel_types::commands::results::PlanEntry;

use crate::FileNumber;
use crate::archive::chunk::CHUNK_ENTRY_HEADER_SIZE;
use crate::queue::READ_ON_BLOCKS_MAX;
use crate::set_contents::{SetMedium, Target};

/// The longer of the two headers of a blob.
const BLOB_HEADER_BYTES: u64 = 44;
/// What stands before the first chunk of an archive, about.
const ARCHIVE_HEADER_BYTES: u64 = 128;
const PAYLOAD: u64 = TAPE_BLOCK_PAYLOAD_SIZE as u64;

/// What is read from a media set, medium by medium in the order of the set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadPlan {
    /// The media.
    pub media: Vec<MediumPlan>,
    /// Chunks that no catalog names: they can't be read.
    pub chunks_nowhere: u64,
}

/// What is read from one medium.
#[derive(Debug, Clone, PartialEq, Eq)]
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
        }
    }
}

impl ReadPlan {
    /// The rows of `media-set plan`.
    pub fn entries(&self) -> Vec<PlanEntry> {
        self.media.iter().map(MediumPlan::entry).collect()
    }
}

/// Takes wanted chunks one by one; 40 bytes of memory for each.
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
    let mut plan = MediumPlan { medium, archives: 0, chunks: 0, bytes: 0, staged_bytes };
    for archive in pieces.chunk_by(|a, b| a.file == b.file) {
        plan.archives += 1;
        plan.chunks += archive.len() as u64;
        plan.bytes += blocks_of(archive) * TAPE_BLOCK_SIZE as u64;
    }
    plan
}

/// Blocks that are read of one archive. Pieces of unknown place stand in front.
fn blocks_of(archive: &[Piece]) -> u64 {
    let unknown = archive.iter().take_while(|piece| piece.offset.is_none()).count();
    let (unknown, known) = archive.split_at(unknown);
    // Behind the last block that was read.
    let mut read_to = blocks_from_start(archive, unknown);
    let mut blocks = read_to;
    let mut may_read_on = !unknown.is_empty();
    for (position, piece) in known.iter().enumerate() {
        let Some(start) = piece.offset else { continue };
        let next = known.get(position + 1).and_then(|next| next.offset);
        let end = (start + piece.entry_bytes()).min(next.unwrap_or(u64::MAX));
        let (first, behind) = (start / PAYLOAD, end.saturating_sub(1) / PAYLOAD + 1);
        let near = may_read_on && first.saturating_sub(read_to) <= READ_ON_BLOCKS_MAX;
        let from = if near { read_to } else { first.max(read_to) };
        blocks += behind.saturating_sub(from);
        read_to = read_to.max(behind);
        may_read_on = true;
    }
    blocks
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
    use reel_hw::BlockNumber;
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
}
