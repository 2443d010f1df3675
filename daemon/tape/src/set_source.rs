//! Chunks out of a media set, for whoever shows or restores its content.
//!
//! A chunk comes from the cache, or from the queue of a drive in whose library a medium with it lies. A medium
//! that is in no library is an error at once; a drive that is busy makes the reader wait. A queue tries all copies
//! that its drive can load; where it fails, the queue of another drive that has one is asked ([`errand`]).
//!
//! What a reader wants soon is read beside what others want now and waits for it: in memory where it comes in the
//! reader's order, else in the cache, pinned. All readers together pin no more than a part of the cache
//! ([`Staging`]), shared evenly, so that a reader among many neither starves nor has its chunks dropped before it
//! comes to them; with a cache smaller than a chunk nothing is read ahead and everything still reads.

mod errand;
mod held;
mod reader;
mod staging;

use std::sync::Arc;

use reel_store::source::{Blocking, Chunk, ChunkError, ChunkReader, ChunkSource};
use reel_types::{Digest, LabelText, MediaSetId, StoreName};
use thiserror::Error;

use crate::env::TapeEnv;
use crate::queue::{At, DriveQueue, Interest, MediumKey};
use crate::set_contents::{SetContents, SetMedium, Target};
use crate::{Error, Result};

use errand::Asked;
pub use staging::Staging;

/// One chunk among so many may lie elsewhere on tape than in the order of a reader: it costs going there and back.
const STRAYS: usize = 16;

/// Knows in which library a medium lies.
pub trait Library: Send + Sync {
    /// The queue of a drive that can load the medium.
    ///
    /// # Errors
    /// [`Error::MediumOffline`] where no drive can.
    fn queue_of(&self, medium: &SetMedium) -> Result<Arc<DriveQueue>>;

    /// Whether the drive of that queue can load the medium, be it the best one for it or not.
    fn can_reach(&self, queue: &DriveQueue, medium: &SetMedium) -> bool;
}

/// What a [`MediaSetSource`] works with.
#[derive(Clone)]
pub struct SourceParts {
    /// The state and caches.
    pub env: Arc<TapeEnv>,
    /// The set.
    pub contents: Arc<SetContents>,
    /// The datastore whose chunks are wanted.
    pub store: StoreName,
    /// Where media are.
    pub library: Arc<dyn Library>,
    /// The cache and the room in it.
    pub staging: Arc<Staging>,
    /// Where files are looked into.
    pub blocking: Arc<dyn Blocking>,
}

/// The chunks of one datastore on one media set.
pub struct MediaSetSource(Arc<SourceParts>);

impl MediaSetSource {
    /// A source of these parts.
    pub fn new(parts: SourceParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl ChunkSource for MediaSetSource {
    fn reader(&self) -> Arc<dyn ChunkReader> {
        Arc::new(reader::Reader::new(self.0.clone()))
    }
}

/// A chunk that no catalog of the set names.
#[derive(Debug, Error)]
#[error(
    "read chunk {digest} of datastore '{store}' from media set {set}: no catalog names it{}; \
     run 'catalog' for its media",
    without_catalog(unknown)
)]
struct NotOnSet {
    digest: Digest,
    store: StoreName,
    set: MediaSetId,
    /// Media without a catalog that can be read.
    unknown: Vec<LabelText>,
}

fn without_catalog(media: &[LabelText]) -> String {
    if media.is_empty() {
        return String::new();
    }
    let labels: Vec<&str> = media.iter().map(LabelText::as_str).collect();
    format!(" (media without catalog: {})", labels.join(", "))
}

/// A chunk that could not even be asked for.
#[derive(Debug, Error)]
#[error("read chunk {digest} from media set {set}: {cause}")]
struct NotAsked {
    digest: Digest,
    set: MediaSetId,
    cause: Error,
}

impl SourceParts {
    /// The chunk from the cache; one whose data turn out to be others is taken for missing.
    fn cached(&self, digest: &Digest) -> Option<Chunk> {
        self.staging.cache.get(digest)
    }

    /// Whether the places of the chunks are all known and, but for a few, in this order on tape.
    fn comes_in_order(&self, digests: &[Digest], displaced_max: usize) -> bool {
        let place = |digest: &Digest| {
            let target = self.targets(digest).ok()?.into_iter().next()?;
            target.place.is_some().then(|| (MediumKey::of(&target.medium), At::of(&target)))
        };
        let places: Option<Vec<_>> = digests.iter().map(place).collect();
        let Some(places) = places else { return false };
        let mut on_tape: Vec<usize> = (0..places.len()).collect();
        on_tape.sort_by_key(|&index| places[index]);
        let far = |(rank, index): &(usize, usize)| rank.abs_diff(*index) >= displaced_max;
        on_tape.into_iter().enumerate().filter(far).count() <= places.len() / STRAYS
    }

    /// Asks the queue of a drive for the chunk, one that was not `asked` yet. False where it is in the cache by now.
    fn ask(&self, digest: &Digest, interest: Interest, asked: &Asked) -> Result<bool, ChunkError> {
        let targets = self.targets(digest)?;
        let mut refused = None;
        for target in &targets {
            match self.library.queue_of(&target.medium) {
                Ok(queue) if asked.contains(&queue) => {}
                Ok(queue) => {
                    let targets = self.within_reach(&queue, target, &targets);
                    asked.add(&queue);
                    let is_wanted = queue.want(*digest, targets, interest);
                    if !is_wanted {
                        asked.remove(&queue);
                    }
                    return Ok(is_wanted);
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match refused {
            Some(error) => Err(self.not_asked(digest, error)),
            None => Err(self.not_on_set(digest)),
        }
    }

    fn targets(&self, digest: &Digest) -> Result<Vec<Target>, ChunkError> {
        let look = || {
            let targets = self.contents.targets(&self.env.places, &self.store, digest);
            targets.map_err(|error| self.not_asked(digest, error))
        };
        let targets = look()?;
        if !targets.is_empty() {
            return Ok(targets);
        }
        self.contents.refresh();
        look()
    }

    /// Those of the targets that this queue's drive can load; `chosen` is one for which it was named.
    fn within_reach(&self, queue: &DriveQueue, chosen: &Target, targets: &[Target]) -> Vec<Target> {
        let can_load =
            |target: &&Target| *target == chosen || self.library.can_reach(queue, &target.medium);
        targets.iter().filter(can_load).cloned().collect()
    }

    fn not_asked(&self, digest: &Digest, cause: Error) -> ChunkError {
        let errno = cause.errno();
        ChunkError::new(errno, NotAsked { digest: *digest, set: self.contents.set(), cause })
    }

    fn not_on_set(&self, digest: &Digest) -> ChunkError {
        let members = self.contents.members().iter();
        let unknown = members.filter(|member| member.problem().is_some());
        let error = NotOnSet {
            digest: *digest,
            store: self.store.clone(),
            set: self.contents.set(),
            unknown: unknown.map(|member| member.medium.label_text.clone()).collect(),
        };
        ChunkError::new(nix::libc::EIO, error)
    }
}
