//! Many sorted streams into one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::error::Error;
use crate::record::Record;

/// Yields the records of all sources in order, each distinct record once; an error ends it.
pub(crate) struct Merge<I, const N: usize> {
    sources: Vec<I>,
    /// The next record of each source that has one.
    heads: BinaryHeap<Reverse<(Record<N>, usize)>>,
    /// An error met before the first record was asked for.
    failed: Option<Error>,
    last: Option<Record<N>>,
}

impl<I: Iterator<Item = Result<Record<N>, Error>>, const N: usize> Merge<I, N> {
    pub fn new(sources: Vec<I>) -> Self {
        let count = sources.len();
        let mut merge =
            Self { sources, heads: BinaryHeap::with_capacity(count), failed: None, last: None };
        for source in 0..count {
            merge.advance(source);
        }
        merge
    }

    fn advance(&mut self, source: usize) {
        match self.sources.get_mut(source).and_then(Iterator::next) {
            Some(Ok(record)) => self.heads.push(Reverse((record, source))),
            Some(Err(error)) => self.failed = Some(error),
            None => {}
        }
    }
}

impl<I: Iterator<Item = Result<Record<N>, Error>>, const N: usize> Iterator for Merge<I, N> {
    type Item = Result<Record<N>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(error) = self.failed.take() {
                self.heads.clear();
                return Some(Err(error));
            }
            let Reverse((record, source)) = self.heads.pop()?;
            self.advance(source);
            if self.last != Some(record) {
                self.last = Some(record);
                return Some(Ok(record));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Key;

    fn record(key: u8, value: u8) -> Record<1> {
        Record { key: Key([key; 16]), value: [value] }
    }

    #[test]
    fn merges_in_order_and_drops_twins() {
        let sources = vec![
            vec![record(1, 0), record(3, 1)],
            vec![],
            vec![record(1, 0), record(2, 0), record(3, 0)],
        ];
        let sources = sources.into_iter().map(|source| source.into_iter().map(Ok)).collect();
        let merged: Vec<_> = Merge::new(sources).map(Result::unwrap).collect();
        assert_eq!(merged, [record(1, 0), record(2, 0), record(3, 0), record(3, 1)]);
    }

    #[test]
    fn an_error_is_told_and_ends_it() {
        let broken = std::io::Error::other("broken");
        let error = Error::Io { action: "read", path: "x".into(), source: broken };
        let source = vec![Ok(record(1, 0)), Err(error), Ok(record(2, 0))];
        let mut merge = Merge::new(vec![source.into_iter()]);
        assert_eq!(merge.next().unwrap().unwrap(), record(1, 0));
        assert!(merge.next().unwrap().is_err());
        assert!(merge.next().is_none());
    }
}
