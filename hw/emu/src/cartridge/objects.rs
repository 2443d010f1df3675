//! What is recorded on a tape: blocks and filemarks, as runs of equal ones, so that millions take little room.

use crate::cipher;

/// One kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// A block.
    Block(Block),
    /// A filemark.
    Filemark,
}

/// A block as it lies on the tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Bytes that the host wrote.
    pub length: u32,
    /// Whether the drive encrypted it.
    pub encrypted: bool,
}

impl Block {
    /// Bytes that it takes in the store.
    pub fn stored_length(self) -> u64 {
        u64::from(self.length) + if self.encrypted { cipher::OVERHEAD_BYTES as u64 } else { 0 }
    }
}

impl Object {
    fn stored_length(self) -> u64 {
        match self {
            Self::Block(block) => block.stored_length(),
            Self::Filemark => 0,
        }
    }

    fn is_filemark(self) -> bool {
        self == Self::Filemark
    }
}

/// Equal objects one behind the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    object: Object,
    /// Number of the first of them.
    first: u64,
    /// Filemarks in front of the first.
    filemarks: u64,
    /// Where the bytes of the first begin in the store.
    offset: u64,
    count: u64,
}

impl Run {
    fn end(&self) -> u64 {
        self.first + self.count
    }

    fn filemarks_before(&self, number: u64) -> u64 {
        self.filemarks + if self.object.is_filemark() { number - self.first } else { 0 }
    }

    fn offset_of(&self, number: u64) -> u64 {
        self.offset + (number - self.first) * self.object.stored_length()
    }
}

/// All objects of a tape, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Objects {
    runs: Vec<Run>,
}

impl Objects {
    /// How many there are; the number of the end of data.
    pub fn count(&self) -> u64 {
        self.runs.last().map_or(0, Run::end)
    }

    /// Filemarks in front of an object, or of the end.
    pub fn filemarks_before(&self, number: u64) -> u64 {
        let run = self.runs.partition_point(|run| run.first < number).checked_sub(1);
        run.and_then(|index| self.runs.get(index))
            .map_or(0, |run| run.filemarks_before(number.min(run.end())))
    }

    /// Bytes in front of an object, or of the end.
    pub fn bytes_before(&self, number: u64) -> u64 {
        let run = self.runs.partition_point(|run| run.first < number).checked_sub(1);
        run.and_then(|index| self.runs.get(index))
            .map_or(0, |run| run.offset_of(number.min(run.end())))
    }

    /// An object, and where its bytes begin; `None` at the end of data and beyond.
    pub fn get(&self, number: u64) -> Option<(Object, u64)> {
        let run = self.run_with(number)?;
        Some((run.object, run.offset_of(number)))
    }

    fn run_with(&self, number: u64) -> Option<&Run> {
        let index = self.runs.partition_point(|run| run.first <= number).checked_sub(1)?;
        self.runs.get(index).filter(|run| number < run.end())
    }

    /// Appends one.
    pub fn push(&mut self, object: Object) {
        let count = self.count();
        let (filemarks, offset) = (self.filemarks_before(count), self.bytes_before(count));
        match self.runs.last_mut() {
            Some(last) if last.object == object => last.count += 1,
            _ => self.runs.push(Run { object, first: count, filemarks, offset, count: 1 }),
        }
    }

    /// Forgets this object and all behind it.
    pub fn cut(&mut self, number: u64) {
        self.runs.truncate(self.runs.partition_point(|run| run.first < number));
        if let Some(last) = self.runs.last_mut() {
            last.count = last.count.min(number - last.first);
        }
    }

    /// The number of the `count`-th filemark at or behind `from`, counted from 1.
    pub fn filemark_after(&self, from: u64, count: u64) -> Option<u64> {
        let wanted = self.filemarks_before(from) + count;
        self.filemark(wanted)
    }

    /// The number of the `count`-th filemark in front of `from`, counted backward from 1.
    pub fn filemark_before(&self, from: u64, count: u64) -> Option<u64> {
        let wanted = (self.filemarks_before(from) + 1).checked_sub(count)?;
        self.filemark(wanted)
    }

    /// The number of the `wanted`-th filemark of the tape, counted from 1.
    fn filemark(&self, wanted: u64) -> Option<u64> {
        let ordinal = wanted.checked_sub(1)?;
        let last = self.runs.partition_point(|run| run.filemarks <= ordinal).checked_sub(1)?;
        let run = self.runs.get(..=last)?.iter().rev().find(|run| run.object.is_filemark())?;
        let number = run.first + (ordinal - run.filemarks);
        (number < run.end()).then_some(number)
    }

    /// The first encrypted block, and the first block behind it that is not.
    pub fn encryption_change(&self) -> (Option<u64>, Option<u64>) {
        let encrypted = |run: &&Run| matches!(run.object, Object::Block(block) if block.encrypted);
        let clear = |run: &&Run| matches!(run.object, Object::Block(block) if !block.encrypted);
        let first = self.runs.iter().find(encrypted).map(|run| run.first);
        let behind = self.runs.iter().filter(|run| Some(run.first) > first);
        (first, first.and_then(|_| behind.into_iter().find(clear)).map(|run| run.first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(length: u32) -> Object {
        Object::Block(Block { length, encrypted: false })
    }

    fn sample() -> Objects {
        let mut objects = Objects::default();
        for object in
            [block(4), block(4), Object::Filemark, Object::Filemark, block(2), Object::Filemark]
        {
            objects.push(object);
        }
        objects
    }

    #[test]
    fn objects_keep_number_and_place() {
        let objects = sample();
        assert_eq!(objects.count(), 6);
        assert_eq!(objects.get(1), Some((block(4), 4)));
        assert_eq!(objects.get(3), Some((Object::Filemark, 8)));
        assert_eq!(objects.get(4), Some((block(2), 8)));
        assert_eq!(objects.get(6), None);
        assert_eq!(
            (0..=6).map(|n| objects.filemarks_before(n)).collect::<Vec<_>>(),
            [0, 0, 0, 1, 2, 2, 3]
        );
        assert_eq!(objects.bytes_before(6), 10);
    }

    #[test]
    fn filemarks_are_found_in_both_directions() {
        let objects = sample();
        let after = |from, count| objects.filemark_after(from, count);
        assert_eq!(
            (after(0, 1), after(0, 2), after(0, 3), after(0, 4)),
            (Some(2), Some(3), Some(5), None)
        );
        assert_eq!((after(2, 1), after(3, 1), after(4, 1)), (Some(2), Some(3), Some(5)));
        let before = |from, count| objects.filemark_before(from, count);
        assert_eq!(
            (before(6, 1), before(6, 2), before(6, 3), before(6, 4)),
            (Some(5), Some(3), Some(2), None)
        );
        assert_eq!((before(5, 1), before(2, 1)), (Some(3), None));
    }

    #[test]
    fn cutting_forgets_the_rest() {
        for at in 0..=6 {
            let mut objects = sample();
            objects.cut(at);
            assert_eq!(objects.count(), at);
            assert_eq!(objects.get(at), None);
            objects.push(block(9));
            assert_eq!(objects.get(at).unwrap().0, block(9));
        }
    }
}
