//! One round over a medium: which of its archives is read next.
//!
//! An archive that was begun is passed forward to the last chunk that is wanted of it, then comes the next of the
//! route. A route is found for the archives that something is wanted of ([`super::order`]), and anew when many were
//! added; where there is none, archives come by their numbers, forward of the head, so that many readers beside each
//! other are served in one pass and none makes the tape swing.
//!
//! Each archive is gone to once in a round: what comes to be wanted of one that was passed waits for the next round. So
//! a round ends, whatever is wanted meanwhile, and no wish waits for ever while others keep coming on another medium
//! or in front of it.

use std::collections::{BTreeSet, VecDeque};

use reel_types::Digest;

use super::wishes::{At, MediumKey, WantedArchive, Wishes};
use crate::FileNumber;
use crate::set_contents::Target;

/// One round over a medium.
pub(super) struct Round {
    medium: MediumKey,
    /// Where reading goes on.
    at: At,
    /// Archives that were gone to.
    passed: BTreeSet<FileNumber>,
    route: Route,
}

/// In which order archives come.
enum Route {
    /// By their numbers, forward of the head.
    Forward,
    /// In an order that was found.
    Found {
        /// What is left of it.
        files: VecDeque<FileNumber>,
        /// The archives that it was found for, and those left out because a list takes no more.
        considered: BTreeSet<FileNumber>,
    },
}

impl Round {
    /// A round that begins.
    pub(super) fn new(medium: MediumKey) -> Self {
        Self {
            medium,
            at: At::start_of(FileNumber(0)),
            passed: BTreeSet::new(),
            route: Route::Forward,
        }
    }

    /// What is read next; none at the end of the round.
    pub(super) fn next(&self, wishes: &mut Wishes) -> Option<(Digest, Target)> {
        let begun = wishes.next_in(self.medium, self.at);
        begun.or_else(|| self.next_of_route(wishes)).or_else(|| self.next_forward(wishes))
    }

    fn next_of_route(&self, wishes: &mut Wishes) -> Option<(Digest, Target)> {
        let Route::Found { files, .. } = &self.route else { return None };
        files.iter().find_map(|file| wishes.next_in(self.medium, At::start_of(*file)))
    }

    /// The next forward in an archive that was not passed.
    fn next_forward(&self, wishes: &mut Wishes) -> Option<(Digest, Target)> {
        let mut from = self.at;
        loop {
            let next = wishes.next_on(self.medium, from)?;
            let file = At::of(&next.1).file;
            if !self.passed.contains(&file) {
                return Some(next);
            }
            from = At::end_of(file);
        }
    }

    /// The archives that a route has to be found for: those still to be gone to, where none is begun and the route
    /// that there is has come to its end, or names less than two thirds of them.
    pub(super) fn without_route(&self, wishes: &mut Wishes) -> Option<Vec<WantedArchive>> {
        if wishes.next_in(self.medium, self.at).is_some() {
            return None;
        }
        let mut wanted = wishes.archives_on(self.medium);
        wanted.retain(|archive| !self.passed.contains(&archive.file));
        let is_stale = match &self.route {
            Route::Forward => true,
            Route::Found { files, considered } => {
                let named: BTreeSet<_> = files.iter().collect();
                let added = wanted.iter().filter(|one| !considered.contains(&one.file)).count();
                let left = wanted.iter().filter(|one| named.contains(&one.file)).count();
                left == 0 || 2 * added > left
            }
        };
        (is_stale && !wanted.is_empty()).then_some(wanted)
    }

    /// Takes the archives `files` first, in this order, which was found for `wanted`.
    pub(super) fn follow(&mut self, files: Vec<FileNumber>, wanted: &[WantedArchive]) {
        let considered = wanted.iter().map(|archive| archive.file).collect();
        self.route = Route::Found { files: files.into(), considered };
    }

    /// Takes archives by their numbers.
    pub(super) fn go_forward(&mut self) {
        self.route = Route::Forward;
    }

    /// An archive was read as far as `at`.
    pub(super) fn went(&mut self, at: At) {
        self.at = at;
        self.passed.insert(at.file);
        if let Route::Found { files, .. } = &mut self.route {
            files.retain(|file| *file != at.file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::wishes::tests::{Queue, medium, target};
    impl Queue {
        /// Takes what is next as if it was read, in a round or the one that begins then.
        fn read_next(&mut self, round: &mut Option<Round>) -> Option<u8> {
            let goes_on = round.as_ref().and_then(|round| round.next(&mut self.wishes));
            let is_new = goes_on.is_none();
            let (digest, target) = goes_on.or_else(|| self.wishes.oldest())?;
            if is_new {
                *round = Some(Round::new(MediumKey::of(&target.medium)));
            }
            assert!(self.wishes.take(&digest));
            self.wishes.settle(&digest);
            if let Some(round) = round {
                round.went(At::of(&target));
            }
            Some(digest.0[0])
        }

        /// Reads everything; the digests in the order of reading.
        fn drain(&mut self, mut round: Option<Round>) -> Vec<u8> {
            std::iter::from_fn(|| self.read_next(&mut round)).collect()
        }
    }

    /// A round that has come to a block of an archive.
    fn round_at(number: u64, file: u64, block: u32) -> Round {
        let mut round = Round::new(MediumKey::of(&medium(number)));
        round.went(At { file: FileNumber(file), block, byte: 0 });
        round
    }

    fn files(numbers: &[u64]) -> Vec<FileNumber> {
        numbers.iter().copied().map(FileNumber).collect()
    }

    fn without_route(round: &Round, queue: &mut Queue) -> Option<Vec<u64>> {
        let wanted = round.without_route(&mut queue.wishes)?;
        Some(wanted.iter().map(|archive| archive.file.0).collect())
    }

    #[test]
    fn the_head_goes_forward_and_then_to_the_medium_that_waited_longest() {
        let wanted = [
            (1, target(2, 2, Some(9))),
            (2, target(1, 2, Some(4))),
            (3, target(1, 3, None)),
            (4, target(1, 2, Some(8))),
            (5, target(1, 3, Some(1))),
            (6, target(0, 2, Some(1))),
        ];
        let here = round_at(1, 2, 5);
        assert_eq!(Queue::of(&wanted).drain(Some(here)), [4, 3, 5, 1, 2, 6]);
        assert_eq!(Queue::of(&wanted).drain(None), [1, 2, 4, 3, 5, 6]);
    }

    #[test]
    fn nobody_waits_while_others_keep_coming() {
        let mut queue = Queue::of(&[(0, target(0, 2, Some(5))), (1, target(1, 2, Some(1)))]);
        let mut round = None;
        let mut served = Vec::new();
        for next in 10..20 {
            served.push(queue.read_next(&mut round).unwrap());
            // Somebody always wants one more of medium 0, just behind the head.
            queue.want(next, vec![target(0, 2, Some(4))]);
        }
        assert_eq!(served[..3], [0, 1, 10]);
    }

    #[test]
    fn a_round_ends_though_others_keep_coming_on_its_route() {
        let mut queue = Queue::of(&[(0, target(0, 5, Some(1))), (1, target(1, 2, Some(1)))]);
        let mut round = None;
        let mut served = Vec::new();
        for next in 10..20 {
            served.push(queue.read_next(&mut round).unwrap());
            let begun = round.as_mut().unwrap();
            // Of archive 5 or 9, whichever it does not stand in: both are passed after two of them.
            let other = if next % 2 == 0 { 9 } else { 5 };
            queue.want(next, vec![target(0, other, Some(1))]);
            if let Some(wanted) = begun.without_route(&mut queue.wishes) {
                let backward = wanted.iter().rev().map(|archive| archive.file).collect();
                begun.follow(backward, &wanted);
            }
        }
        assert_eq!(served[..4], [0, 10, 1, 11]);
    }

    #[test]
    fn a_route_is_followed_and_its_archives_are_passed_forward() {
        let mut queue = Queue::of(&[
            (1, target(0, 2, Some(9))),
            (2, target(0, 2, Some(4))),
            (3, target(0, 7, Some(1))),
            (4, target(0, 5, Some(1))),
            (5, target(1, 2, Some(1))),
        ]);
        let mut round = Round::new(MediumKey::of(&medium(0)));
        let wanted = round.without_route(&mut queue.wishes).unwrap();
        round.follow(files(&[5, 2, 7]), &wanted);
        assert_eq!(without_route(&round, &mut queue), None);
        assert_eq!(queue.drain(Some(round)), [4, 2, 1, 3, 5]);
    }

    #[test]
    fn a_route_is_found_anew_when_many_were_added() {
        let wanted: Vec<_> = (2..8).map(|file| (file as u8, target(0, file, Some(1)))).collect();
        let mut queue = Queue::of(&wanted);
        let mut round = Round::new(MediumKey::of(&medium(0)));
        assert_eq!(without_route(&round, &mut queue).unwrap(), [2, 3, 4, 5, 6, 7]);
        let found_for = round.without_route(&mut queue.wishes).unwrap();
        round.follow(files(&[7, 2, 6, 3, 5, 4]), &found_for);
        for (digest, file) in (20..).zip(20..23) {
            queue.want(digest, vec![target(0, file, Some(1))]);
            assert_eq!(without_route(&round, &mut queue), None, "{file}");
        }
        queue.want(30, vec![target(0, 30, Some(1))]);
        let all = without_route(&round, &mut queue).unwrap();
        assert_eq!(all, [2, 3, 4, 5, 6, 7, 20, 21, 22, 30]);
        // Not in the middle of an archive, and not of what was passed.
        round.went(At { file: FileNumber(7), block: 0, byte: 0 });
        assert_eq!(without_route(&round, &mut queue), None);
        round.went(At::end_of(FileNumber(7)));
        assert_eq!(without_route(&round, &mut queue).unwrap()[4..], [6, 20, 21, 22, 30]);
    }

    #[test]
    fn what_a_list_had_no_room_for_comes_when_the_list_was_read() {
        let wanted: Vec<_> = (2..6).map(|file| (file as u8, target(0, file, Some(1)))).collect();
        let mut queue = Queue::of(&wanted);
        let mut round = Some(Round::new(MediumKey::of(&medium(0))));
        let mut routes = Vec::new();
        let mut read = Vec::new();
        loop {
            let begun = round.as_mut().unwrap();
            if let Some(wanted) = begun.without_route(&mut queue.wishes) {
                let first: Vec<_> = wanted.iter().take(2).rev().map(|one| one.file).collect();
                routes.push(wanted.len());
                begun.follow(first, &wanted);
            }
            let Some(digest) = queue.read_next(&mut round) else { break };
            read.push(digest);
        }
        assert_eq!((read, routes), (vec![3, 2, 5, 4], vec![4, 2]));
    }

    #[test]
    fn two_readers_are_served_in_one_pass() {
        let image = |start: u32| (0..4).map(move |n| target(0, 2, Some(start + 10 * n)));
        let mut queue = Queue::of(&[]);
        for (digest, target) in (1..).zip(image(1).chain(image(6))) {
            queue.want(digest, vec![target]);
        }
        assert_eq!(queue.drain(None), [1, 5, 2, 6, 3, 7, 4, 8]);
    }
}
