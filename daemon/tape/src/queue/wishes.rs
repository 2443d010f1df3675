//! Who wants which chunk, and in which order they are read.
//!
//! Wishes stand in the order of the media and of what lies on them: set, place in the set, archive, block, byte.
//! A chunk of which only the archive is known stands at the archive's beginning, because that is where reading
//! must start. Which archive of a medium is read next a [`Round`](super::round::Round) says; where one has ended, the
//! medium comes next whose oldest wish has waited longest ([`Wishes::oldest`]).
//!
//! A wish is held weakly: what its readers dropped is passed over and forgotten. So memory is bounded by the
//! wishes that live.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Weak};

use reel_hw::{BlockNumber, ObjectRange};
use reel_store::Handover;
use reel_store::source::{Chunk, ChunkError};
use reel_types::{Digest, MediaId, MediaSetId};

use crate::FileNumber;
use crate::places::Place;
use crate::set_contents::{SetMedium, Target};

/// What a reader gets for a chunk.
pub(crate) type Outcome = Result<Chunk, ChunkError>;

/// A reader that asked for chunks ahead; it lives as long as these are still wanted.
pub(crate) trait ReadsAhead: Send + Sync {
    /// Takes a chunk into memory until it comes to it. False where it can't: the chunk waits in the cache then.
    fn take(&self, digest: &Digest, chunk: &Chunk) -> bool;
}

/// A medium in the order in which media are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MediumKey {
    set: MediaSetId,
    seq_nr: u64,
    id: MediaId,
}

impl MediumKey {
    pub(crate) fn of(medium: &SetMedium) -> Self {
        Self { set: medium.set, seq_nr: medium.seq_nr, id: medium.id }
    }
}

/// A place on a medium in the order in which it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) file: FileNumber,
    pub(crate) block: u32,
    pub(crate) byte: u32,
}

impl At {
    /// The beginning of an archive, where no chunk is.
    pub(crate) fn start_of(file: FileNumber) -> Self {
        Self { file, block: 0, byte: 0 }
    }

    /// Behind everything in an archive.
    pub(crate) fn end_of(file: FileNumber) -> Self {
        Self { file, block: u32::MAX, byte: u32::MAX }
    }

    pub(crate) fn of(target: &Target) -> Self {
        match &target.place {
            Some(place) => Self { file: place.file, block: place.block, byte: place.byte },
            None => Self::start_of(target.file),
        }
    }
}

type Spot = (MediumKey, At, Digest);

/// An archive that something is wanted of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WantedArchive {
    pub(crate) file: FileNumber,
    /// Where that lies, if our index knows of any of it.
    pub(crate) reach: Option<Reach>,
}

/// Where something wanted lies on its medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The first block of its archive.
    pub(crate) start: BlockNumber,
    /// From the first block that is read to the first one of the last chunk.
    pub(crate) wanted: ObjectRange,
}

/// Who wants a chunk.
pub(crate) enum Interest {
    /// A reader that waits for it, and has announced it before or not.
    Now(Weak<Handover<Outcome>>, Option<Weak<dyn ReadsAhead>>),
    /// A reader that will want it.
    Ahead(Weak<dyn ReadsAhead>),
}

impl Interest {
    fn is_alive(&self) -> bool {
        match self {
            Self::Now(waiter, _) => waiter.strong_count() > 0,
            Self::Ahead(reader) => reader.strong_count() > 0,
        }
    }
}

/// Readers that wait for an outcome.
pub(crate) type Waiters = Vec<Arc<Handover<Outcome>>>;

struct Wish {
    /// Where it may be read; the first is tried next.
    targets: VecDeque<Target>,
    interests: Vec<Interest>,
    /// When it came, counted in wishes.
    number: u64,
    /// Whether it was read and is being checked.
    in_flight: bool,
}

impl Wish {
    fn is_alive(&self) -> bool {
        self.in_flight || self.interests.iter().any(Interest::is_alive)
    }

    fn waiters(self) -> Waiters {
        let now = |interest| match interest {
            Interest::Now(waiter, _) => waiter.upgrade(),
            Interest::Ahead(_) => None,
        };
        self.interests.into_iter().filter_map(now).collect()
    }
}

/// All wishes of a drive.
#[derive(Default)]
pub(crate) struct Wishes {
    wishes: HashMap<Digest, Wish>,
    order: BTreeSet<Spot>,
    count: u64,
    /// Dead wishes are swept out when there are as many as this.
    sweep_at: usize,
}

/// The fewest wishes that are swept for dead ones.
const SWEEP_MIN: usize = 1024;

impl Wishes {
    /// Wants a chunk that may be read at `targets`, the best first and at least one. One that is wanted already is
    /// wanted once more.
    pub(crate) fn want(&mut self, digest: Digest, targets: Vec<Target>, interest: Interest) {
        debug_assert!(!targets.is_empty(), "nobody would ever come to read it");
        self.sweep_if_many();
        if let Some(wish) = self.wishes.get_mut(&digest) {
            wish.interests.retain(Interest::is_alive);
            wish.interests.push(interest);
            return;
        }
        self.count += 1;
        let wish = Wish {
            targets: targets.into(),
            interests: vec![interest],
            number: self.count,
            in_flight: false,
        };
        self.wishes.insert(digest, wish);
        self.enter(&digest);
    }

    /// Whether somebody wants the chunk already.
    pub(crate) fn is_wanted(&self, digest: &Digest) -> bool {
        self.wishes.contains_key(digest)
    }

    /// How many wishes came so far.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// How many chunks wait to be read.
    pub(crate) fn waiting(&self) -> usize {
        self.order.len()
    }

    /// Whether anything is wanted from that medium.
    pub(crate) fn has_for(&mut self, medium: MediumKey) -> bool {
        self.first_in(Bound::Included(first_of(medium)), Bound::Included(last_of(medium))).is_some()
    }

    /// The first on the medium with the oldest wish.
    pub(crate) fn oldest(&mut self) -> Option<(Digest, Target)> {
        self.sweep();
        let number = |spot: &&Spot| self.wishes.get(&spot.2).map(|wish| wish.number);
        let (medium, _, _) = *self.order.iter().min_by_key(number)?;
        self.next_on(medium, At::start_of(FileNumber(0)))
    }

    /// The first on a medium from a place on.
    pub(crate) fn next_on(&mut self, medium: MediumKey, from: At) -> Option<(Digest, Target)> {
        let from = Bound::Included((medium, from, LEAST));
        let spot = self.first_in(from, Bound::Included(last_of(medium)))?;
        self.wish_at(&spot)
    }

    /// The first in an archive from a place in it on.
    pub(crate) fn next_in(&mut self, medium: MediumKey, from: At) -> Option<(Digest, Target)> {
        let end = (medium, At::end_of(from.file), GREATEST);
        let spot = self.first_in(Bound::Included((medium, from, LEAST)), Bound::Included(end))?;
        self.wish_at(&spot)
    }

    fn wish_at(&self, spot: &Spot) -> Option<(Digest, Target)> {
        let target = self.wishes.get(&spot.2)?.targets.front()?.clone();
        Some((spot.2, target))
    }

    /// The archives of a medium that something is wanted of, by their numbers.
    pub(crate) fn archives_on(&mut self, medium: MediumKey) -> Vec<WantedArchive> {
        let mut archives = Vec::new();
        let mut from = Bound::Included(first_of(medium));
        while let Some(first) = self.first_in(from, Bound::Included(last_of(medium))) {
            let file = first.1.file;
            let end = (medium, At::end_of(file), GREATEST);
            let last = self.order.range(first..=end).next_back();
            let reach =
                self.reach(self.place_at(&first), last.and_then(|last| self.place_at(last)));
            archives.push(WantedArchive { file, reach });
            from = Bound::Excluded(end);
        }
        archives
    }

    /// Those of unknown place stand in front, and have the archive read from its beginning.
    fn reach(&self, first: Option<Place>, last: Option<Place>) -> Option<Reach> {
        let (last, start) = last.map(|place| (place.object(), place.archive_start))?;
        let first = first.map_or(start, |place| place.object());
        Some(Reach { start, wanted: ObjectRange { first, last: last.max(first) } })
    }

    fn place_at(&self, spot: &Spot) -> Option<Place> {
        self.wishes.get(&spot.2)?.targets.front()?.place
    }

    /// The block of the next wish in this archive from `from` on whose place is known.
    pub(crate) fn next_known(&mut self, medium: MediumKey, from: At) -> Option<u32> {
        let end = (medium, At::end_of(from.file), GREATEST);
        let (_, at, _) =
            self.first_in(Bound::Included((medium, from, LEAST)), Bound::Included(end))?;
        Some(at.block)
    }

    /// Whether a chunk is wanted that is somewhere in this archive.
    pub(crate) fn has_unknown(&mut self, medium: MediumKey, file: FileNumber) -> bool {
        let start = At::start_of(file);
        let range =
            (Bound::Included((medium, start, LEAST)), Bound::Included((medium, start, GREATEST)));
        self.first_in(range.0, range.1).is_some()
    }

    /// The chunks that are wanted and are somewhere in this archive, with their numbers.
    pub(crate) fn unknown_in(&self, medium: MediumKey, file: FileNumber) -> Vec<(Digest, u64)> {
        let start = At::start_of(file);
        self.order
            .range((medium, start, LEAST)..=(medium, start, GREATEST))
            .filter_map(|(_, _, digest)| Some((*digest, self.wishes.get(digest)?.number)))
            .collect()
    }

    /// Takes a chunk for reading if somebody wants it and nobody reads it; [`Self::settle`] or
    /// [`Self::retry`] must follow.
    pub(crate) fn take(&mut self, digest: &Digest) -> bool {
        let Some(wish) = self.wishes.get_mut(digest) else { return false };
        if wish.in_flight {
            return false;
        }
        if !wish.is_alive() {
            self.forget(digest);
            return false;
        }
        wish.in_flight = true;
        self.leave(digest);
        true
    }

    /// Takes [`Self::take`] back.
    pub(crate) fn release(&mut self, digest: &Digest) {
        if let Some(wish) = self.wishes.get_mut(digest) {
            wish.in_flight = false;
        }
        self.enter(digest);
    }

    /// Those who wait for the chunk now.
    pub(crate) fn waiters(&self, digest: &Digest) -> Waiters {
        let now = |interest: &Interest| match interest {
            Interest::Now(waiter, _) => waiter.upgrade(),
            Interest::Ahead(_) => None,
        };
        self.wishes
            .get(digest)
            .map_or_else(Vec::new, |wish| wish.interests.iter().filter_map(now).collect())
    }

    /// Those who have announced that they will want the chunk.
    pub(crate) fn readers_ahead(&self, digest: &Digest) -> Vec<Arc<dyn ReadsAhead>> {
        let soon = |interest: &Interest| match interest {
            Interest::Now(_, reader) => reader.as_ref()?.upgrade(),
            Interest::Ahead(reader) => reader.upgrade(),
        };
        self.wishes
            .get(digest)
            .map_or_else(Vec::new, |wish| wish.interests.iter().filter_map(soon).collect())
    }

    /// Ends a wish; those who wait are to be told.
    pub(crate) fn settle(&mut self, digest: &Digest) -> Waiters {
        self.leave(digest);
        self.wishes.remove(digest).map_or_else(Vec::new, Wish::waiters)
    }

    /// Reading the chunk at its first target failed: it is tried at the next of those that `may_help`.
    /// None where one is left, else those who wait and are to be told.
    pub(crate) fn retry(
        &mut self,
        digest: &Digest,
        may_help: impl Fn(&Target) -> bool,
    ) -> Option<Waiters> {
        self.leave(digest);
        let wish = self.wishes.get_mut(digest)?;
        wish.in_flight = false;
        wish.targets.pop_front();
        wish.targets.retain(may_help);
        if wish.targets.is_empty() {
            return Some(self.settle(digest));
        }
        self.enter(digest);
        None
    }

    /// Puts a target in front of the others of a wish that nobody reads yet.
    pub(crate) fn prefer(&mut self, digest: &Digest, target: Target) {
        if self.wishes.get(digest).is_none_or(|wish| wish.in_flight) {
            return;
        }
        self.leave(digest);
        if let Some(wish) = self.wishes.get_mut(digest) {
            wish.targets.push_front(target);
        }
        self.enter(digest);
    }

    /// The chunks that would be read from this medium next.
    pub(crate) fn on_medium(&self, medium: MediumKey) -> Vec<Digest> {
        let range = first_of(medium)..=last_of(medium);
        self.order.range(range).map(|(_, _, digest)| *digest).collect()
    }

    /// Ends all wishes; those who wait for each.
    pub(crate) fn settle_all(&mut self) -> Vec<(Digest, Waiters)> {
        self.order.clear();
        self.wishes.drain().map(|(digest, wish)| (digest, wish.waiters())).collect()
    }

    /// The first live wish in a range; dead ones in front of it are forgotten.
    fn first_in(&mut self, from: Bound<Spot>, to: Bound<Spot>) -> Option<Spot> {
        if is_empty(from, to) {
            return None;
        }
        loop {
            let spot = *self.order.range((from, to)).next()?;
            if self.wishes.get(&spot.2).is_some_and(Wish::is_alive) {
                return Some(spot);
            }
            self.order.remove(&spot);
            self.wishes.remove(&spot.2);
        }
    }

    fn forget(&mut self, digest: &Digest) {
        self.leave(digest);
        self.wishes.remove(digest);
    }

    fn spot_of(&self, digest: &Digest) -> Option<Spot> {
        let target = self.wishes.get(digest)?.targets.front()?;
        Some((MediumKey::of(&target.medium), At::of(target), *digest))
    }

    fn enter(&mut self, digest: &Digest) {
        if let Some(spot) = self.spot_of(digest) {
            self.order.insert(spot);
        }
    }

    fn leave(&mut self, digest: &Digest) {
        if let Some(spot) = self.spot_of(digest) {
            self.order.remove(&spot);
        }
    }

    fn sweep_if_many(&mut self) {
        if self.wishes.len() >= self.sweep_at.max(SWEEP_MIN) {
            self.sweep();
            self.sweep_at = self.wishes.len() * 2;
        }
    }

    /// Forgets the dead ones.
    fn sweep(&mut self) {
        let dead: Vec<Digest> = self
            .wishes
            .iter()
            .filter(|(_, wish)| !wish.is_alive())
            .map(|(digest, _)| *digest)
            .collect();
        dead.iter().for_each(|digest| self.forget(digest));
    }
}

const LEAST: Digest = Digest([0; 32]);
const GREATEST: Digest = Digest([0xff; 32]);

fn first_of(medium: MediumKey) -> Spot {
    (medium, At::start_of(FileNumber(0)), LEAST)
}

fn last_of(medium: MediumKey) -> Spot {
    (medium, At::end_of(FileNumber(u64::MAX)), GREATEST)
}

/// Whether the range can hold nothing; `BTreeSet` refuses such.
fn is_empty(from: Bound<Spot>, to: Bound<Spot>) -> bool {
    match (from, to) {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to))
        | (Bound::Excluded(from), Bound::Included(to)) => from >= to,
        _ => false,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use reel_types::MediaLocation;
    use uuid::Uuid;

    pub(crate) fn medium(number: u64) -> Arc<SetMedium> {
        Arc::new(SetMedium {
            id: MediaId(Uuid::from_u128(u128::from(number) + 100)),
            label_text: format!("tape{number}").parse().unwrap(),
            set: MediaSetId(Uuid::from_u128(1)),
            seq_nr: number,
            location: MediaLocation::Offline,
        })
    }

    /// A target in an archive of 100 objects.
    pub(crate) fn target(number: u64, file: u64, block: Option<u32>) -> Target {
        let file = FileNumber(file);
        let archive_start = BlockNumber(100 * file.0);
        let place = block.map(|block| Place { file, block, byte: 5, archive_start });
        Target { medium: medium(number), file, number: None, place }
    }

    pub(crate) struct Queue {
        pub(crate) wishes: Wishes,
        readers: Vec<Arc<Handover<Outcome>>>,
    }

    impl Queue {
        pub(crate) fn of(wanted: &[(u8, Target)]) -> Self {
            let mut queue = Self { wishes: Wishes::default(), readers: Vec::new() };
            for (digest, target) in wanted {
                queue.want(*digest, vec![target.clone()]);
            }
            queue
        }

        pub(crate) fn want(&mut self, digest: u8, targets: Vec<Target>) {
            let reader = Handover::new();
            let interest = Interest::Now(Arc::downgrade(&reader), None);
            self.wishes.want(Digest([digest; 32]), targets, interest);
            self.readers.push(reader);
        }

        /// Takes the first on the medium with the oldest wish as if it was read.
        fn oldest(&mut self) -> Option<u8> {
            let (digest, _) = self.wishes.oldest()?;
            assert!(self.wishes.take(&digest));
            self.wishes.settle(&digest);
            Some(digest.0[0])
        }
    }

    #[test]
    fn what_nobody_wants_any_more_does_not_count_as_waiting() {
        let mut queue = Queue::of(&[(1, target(0, 2, Some(1))), (2, target(1, 2, Some(1)))]);
        queue.readers.remove(0);
        assert_eq!(queue.oldest(), Some(2));
        queue.want(3, vec![target(0, 2, Some(1))]);
        queue.readers.clear();
        assert_eq!(queue.oldest(), None);
        assert!(queue.wishes.waiting() == 0 && queue.wishes.wishes.is_empty());
    }

    #[test]
    fn what_was_dropped_is_not_read_and_what_several_want_once() {
        let mut queue = Queue::of(&[(1, target(0, 2, Some(1))), (2, target(0, 2, Some(2)))]);
        queue.want(2, vec![target(0, 2, Some(2))]);
        queue.readers.truncate(0);
        queue.want(2, vec![target(0, 2, Some(2))]);
        assert!(!queue.wishes.take(&Digest([1; 32])));
        assert_eq!(queue.wishes.waiters(&Digest([2; 32])).len(), 1);
        assert_eq!((queue.oldest(), queue.oldest()), (Some(2), None));
        assert!(queue.wishes.waiting() == 0 && queue.wishes.wishes.is_empty());
    }

    #[test]
    fn a_failure_goes_on_to_the_next_target_that_may_help() {
        let mut queue = Queue::of(&[]);
        let digest = Digest([1; 32]);
        queue.want(1, vec![target(0, 2, Some(1)), target(0, 2, None), target(1, 5, None)]);
        assert!(queue.wishes.take(&digest));
        assert_eq!(queue.wishes.waiting(), 0);
        assert!(queue.wishes.retry(&digest, |target| target.file != FileNumber(2)).is_none());
        let (_, next) = queue.wishes.oldest().unwrap();
        assert_eq!(next, target(1, 5, None));
        assert!(queue.wishes.has_unknown(MediumKey::of(&next.medium), FileNumber(5)));
        assert_eq!(queue.wishes.retry(&digest, |_| true).unwrap().len(), 1);
    }

    #[test]
    fn dead_wishes_do_not_pile_up() {
        let mut wishes = Wishes::default();
        for number in 0..10 * SWEEP_MIN as u64 {
            let mut digest = Digest([0; 32]);
            digest.0[..8].copy_from_slice(&number.to_be_bytes());
            let nobody = Interest::Now(Arc::downgrade(&Handover::new()), None);
            wishes.want(digest, vec![target(0, 2, None)], nobody);
        }
        assert!(wishes.wishes.len() <= SWEEP_MIN, "{}", wishes.wishes.len());
        assert_eq!(wishes.order.len(), wishes.wishes.len());
    }

    #[test]
    fn archives_tell_how_far_they_are_wanted() {
        let mut queue = Queue::of(&[
            (1, target(1, 2, Some(9))),
            (2, target(1, 2, Some(4))),
            (3, target(1, 3, None)),
            (4, target(1, 5, None)),
            (5, target(1, 5, Some(7))),
            (6, target(0, 9, Some(1))),
        ]);
        let reach = |start, first, last| {
            let wanted = ObjectRange { first: BlockNumber(first), last: BlockNumber(last) };
            Some(Reach { start: BlockNumber(start), wanted })
        };
        let wanted = |file, reach| WantedArchive { file: FileNumber(file), reach };
        let archives = queue.wishes.archives_on(MediumKey::of(&medium(1)));
        let expected =
            [wanted(2, reach(200, 204, 209)), wanted(3, None), wanted(5, reach(500, 500, 507))];
        assert_eq!(archives, expected);
        assert!(queue.wishes.archives_on(MediumKey::of(&medium(2))).is_empty());
    }
}
