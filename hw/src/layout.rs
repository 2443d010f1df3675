//! The picture of what lies on a medium: how many blocks each file has, and nothing of their contents.
//!
//! A medium is `blocks FM blocks FM … blocks`: closed files, each ended by a filemark, and a tail that no
//! filemark ends (mostly empty). From the counts follow all numbers of objects and all rules of spacing, as
//! pure arithmetic that both drives of this crate share.

use crate::drive::{Position, SpaceOutcome};
use crate::number::{BlockNumber, FileNumber};

/// A place between two objects: `block` blocks behind the `file`-th filemark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) file: usize,
    pub(crate) block: u64,
}

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    Block,
    Filemark,
    EndOfData,
}

impl Place {
    pub(crate) const BEGINNING: Self = Self { file: 0, block: 0 };

    pub(crate) fn next_block(self) -> Self {
        Self { block: self.block + 1, ..self }
    }

    pub(crate) fn next_file(self) -> Self {
        Self { file: self.file + 1, block: 0 }
    }
}

/// Block counts of all files of a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Object number of the first object of each closed file, and at the end of the tail: never empty.
    starts: Vec<u64>,
    /// Blocks behind the last filemark.
    tail: u64,
}

impl Layout {
    pub(crate) fn blank() -> Self {
        Self { starts: vec![0], tail: 0 }
    }

    pub(crate) fn from_counts(closed: impl IntoIterator<Item = u64>, tail: u64) -> Self {
        let mut layout = Self::blank();
        for blocks in closed {
            layout.tail = blocks;
            layout.push_filemark();
        }
        layout.tail = tail;
        layout
    }

    /// Closed files, which is the number of filemarks.
    pub(crate) fn files(&self) -> usize {
        self.starts.len() - 1
    }

    pub(crate) fn blocks_in(&self, file: usize) -> u64 {
        match (self.starts.get(file), self.starts.get(file + 1)) {
            (Some(start), Some(next)) => next - start - 1,
            _ => self.tail,
        }
    }

    /// Blocks of all files in front of `file`.
    pub(crate) fn blocks_before(&self, file: usize) -> u64 {
        self.start_of(file) - file.min(self.files()) as u64
    }

    /// Blocks of the whole medium.
    pub(crate) fn blocks(&self) -> u64 {
        self.blocks_before(self.files()) + self.tail
    }

    pub(crate) fn end(&self) -> Place {
        Place { file: self.files(), block: self.tail }
    }

    pub(crate) fn kind_at(&self, place: Place) -> ObjectKind {
        if place.block < self.blocks_in(place.file) {
            ObjectKind::Block
        } else if place.file < self.files() {
            ObjectKind::Filemark
        } else {
            ObjectKind::EndOfData
        }
    }

    pub(crate) fn object_at(&self, place: Place) -> BlockNumber {
        BlockNumber(self.start_of(place.file) + place.block)
    }

    pub(crate) fn position(&self, place: Place) -> Position {
        Position {
            object: self.object_at(place),
            file: FileNumber(place.file as u64),
            block_in_file: Some(place.block),
        }
    }

    /// The place in front of the object with that number, or the end of data; `None` beyond it.
    pub(crate) fn place_of(&self, object: BlockNumber) -> Option<Place> {
        let file = self.starts.partition_point(|start| *start <= object.0) - 1;
        let block = object.0 - self.start_of(file);
        (block <= self.blocks_in(file)).then_some(Place { file, block })
    }

    /// The place right behind the `file`-th filemark.
    pub(crate) fn place_of_file(&self, file: FileNumber) -> Option<Place> {
        let file = usize::try_from(file.0).ok()?;
        (file <= self.files()).then_some(Place { file, block: 0 })
    }

    /// Makes `place` the end of data.
    pub(crate) fn cut(&mut self, place: Place) {
        self.starts.truncate(place.file + 1);
        self.tail = place.block;
    }

    /// A block was written at the end.
    pub(crate) fn push_block(&mut self) {
        self.tail += 1;
    }

    /// A filemark was written at the end.
    pub(crate) fn push_filemark(&mut self) {
        self.starts.push(self.start_of(self.files()) + self.tail + 1);
        self.tail = 0;
    }

    pub(crate) fn space_blocks(&self, from: Place, count: i32) -> (Place, SpaceOutcome) {
        let distance = u64::from(count.unsigned_abs());
        if count < 0 {
            return self.blocks_backward(from, distance);
        }
        let ahead = self.blocks_in(from.file) - from.block;
        if distance <= ahead {
            let block = from.block + distance;
            return (Place { block, ..from }, SpaceOutcome::Done);
        }
        if from.file < self.files() {
            return (from.next_file(), SpaceOutcome::Filemark);
        }
        (self.end(), SpaceOutcome::EndOfData)
    }

    fn blocks_backward(&self, from: Place, distance: u64) -> (Place, SpaceOutcome) {
        if let Some(block) = from.block.checked_sub(distance) {
            return (Place { block, ..from }, SpaceOutcome::Done);
        }
        match from.file.checked_sub(1) {
            Some(file) => (self.before_filemark_of(file), SpaceOutcome::Filemark),
            None => (Place::BEGINNING, SpaceOutcome::BeginningOfMedium),
        }
    }

    pub(crate) fn space_filemarks(&self, from: Place, count: i32) -> (Place, SpaceOutcome) {
        let distance = count.unsigned_abs() as usize;
        if count == 0 {
            return (from, SpaceOutcome::Done);
        }
        if count < 0 {
            return match from.file.checked_sub(distance) {
                Some(file) => (self.before_filemark_of(file), SpaceOutcome::Done),
                None => (Place::BEGINNING, SpaceOutcome::BeginningOfMedium),
            };
        }
        if distance <= self.files() - from.file {
            let file = from.file + distance;
            return (Place { file, block: 0 }, SpaceOutcome::Done);
        }
        (self.end(), SpaceOutcome::EndOfData)
    }

    fn before_filemark_of(&self, file: usize) -> Place {
        Place { file, block: self.blocks_in(file) }
    }

    fn start_of(&self, file: usize) -> u64 {
        let last = self.starts.last().copied().unwrap_or(0);
        self.starts.get(file).copied().unwrap_or(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same medium as a plain list of objects, `true` for a block.
    fn objects(closed: &[u64], tail: u64) -> Vec<bool> {
        let mut list = Vec::new();
        for blocks in closed {
            list.extend((0..*blocks).map(|_| true));
            list.push(false);
        }
        list.extend((0..tail).map(|_| true));
        list
    }

    fn place_in(list: &[bool], object: usize) -> Place {
        let before = &list[..object];
        Place {
            file: before.iter().filter(|is_block| !**is_block).count(),
            block: before.iter().rev().take_while(|is_block| **is_block).count() as u64,
        }
    }

    /// Steps over objects one by one, as the standard words it.
    fn walk(list: &[bool], from: usize, count: i32, over_blocks: bool) -> (usize, SpaceOutcome) {
        let mut at = from;
        let mut left = count.unsigned_abs();
        while left > 0 {
            let object = if count > 0 { list.get(at) } else { at.checked_sub(1).map(|i| &list[i]) };
            let Some(is_block) = object else {
                let end = if count > 0 {
                    SpaceOutcome::EndOfData
                } else {
                    SpaceOutcome::BeginningOfMedium
                };
                return (at, end);
            };
            at = if count > 0 { at + 1 } else { at - 1 };
            match (*is_block, over_blocks) {
                (false, true) => return (at, SpaceOutcome::Filemark),
                (true, false) => {}
                _ => left -= 1,
            }
        }
        (at, SpaceOutcome::Done)
    }

    proptest! {
        #[test]
        fn arithmetic_agrees_with_walking(
            closed in proptest::collection::vec(0u64..4, 0..6),
            tail in 0u64..4,
            at in any::<proptest::sample::Index>(),
            count in -8i32..8,
        ) {
            let layout = Layout::from_counts(closed.iter().copied(), tail);
            let list = objects(&closed, tail);
            let object = at.index(list.len() + 1);
            let place = place_in(&list, object);

            prop_assert_eq!(layout.object_at(place), BlockNumber(object as u64));
            prop_assert_eq!(layout.place_of(BlockNumber(object as u64)), Some(place));
            let kind = match list.get(object) {
                Some(true) => ObjectKind::Block,
                Some(false) => ObjectKind::Filemark,
                None => ObjectKind::EndOfData,
            };
            prop_assert_eq!(layout.kind_at(place), kind);
            prop_assert_eq!(layout.blocks(), list.iter().filter(|is_block| **is_block).count() as u64);

            let (end, outcome) = walk(&list, object, count, true);
            prop_assert_eq!(layout.space_blocks(place, count), (place_in(&list, end), outcome));
            let (end, outcome) = walk(&list, object, count, false);
            prop_assert_eq!(layout.space_filemarks(place, count), (place_in(&list, end), outcome));

            let mut shorter = layout.clone();
            shorter.cut(place);
            prop_assert_eq!(shorter.object_at(shorter.end()), BlockNumber(object as u64));
        }
    }

    #[test]
    fn nothing_lies_beyond_the_end_of_data() {
        let layout = Layout::from_counts([2, 0], 1);
        assert_eq!(layout.end(), Place { file: 2, block: 1 });
        assert_eq!(layout.place_of(BlockNumber(5)), Some(layout.end()));
        assert_eq!(layout.place_of(BlockNumber(6)), None);
        assert_eq!(layout.place_of_file(FileNumber(2)), Some(Place { file: 2, block: 0 }));
        assert_eq!(layout.place_of_file(FileNumber(3)), None);
        assert_eq!(layout.blocks_before(2), 2);
    }
}
