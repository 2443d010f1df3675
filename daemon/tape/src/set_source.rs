//! Chunks out of a media set, for whoever shows or restores its content.
//!
//! A chunk comes from the cache, or from the queue of a drive in whose library a medium with it lies. A medium
//! that is in no library is an error at once; a drive that is busy makes the reader wait. A queue tries all copies
//! that its drive can load; where it fails, the queue of another drive that has one is asked ([`fetch`]).
//!
//! What a reader wants soon is read beside what others want now and waits for it in the cache, pinned. All
//! readers together pin no more than a part of the cache ([`Staging`]), shared evenly, so that a reader among
//! many neither starves nor has its chunks dropped before it comes to them; with a cache smaller than a chunk
//! nothing is read ahead and everything still reads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use reel_store::cache::{DiskCache, Pin};
use reel_store::source::{Blocking, Chunk, ChunkError, ChunkReader, ChunkSource};
use reel_store::{Handover, Waiter};
use reel_types::{Digest, LabelText, MediaSetId, StoreName};
use thiserror::Error;

use crate::env::TapeEnv;
use crate::queue::{DriveQueue, Interest, Outcome, Soon};
use crate::set_contents::{SetContents, SetMedium, Target};
use crate::{Error, Result};

/// What a chunk is taken to need in the cache: those of images have 4 MiB and a header.
const USUAL_CHUNK_BYTES: u64 = (4 << 20) + 64;

/// Knows in which library a medium lies.
pub trait Library: Send + Sync {
    /// The queue of a drive that can load the medium.
    ///
    /// # Errors
    /// [`Error::MediumOffline`] where no library has it.
    fn queue_of(&self, medium: &SetMedium) -> Result<Arc<DriveQueue>>;
}

/// How much all readers together may read ahead into the cache.
pub struct Staging {
    cache: Arc<DiskCache>,
    chunks_max: u64,
    given: Mutex<Given>,
}

#[derive(Default)]
struct Given {
    chunks: u64,
    readers: u64,
}

/// One reader's part.
#[derive(Debug, Default)]
struct Share {
    chunks: u64,
    counted: bool,
}

impl Staging {
    /// Uses three quarters of the cache; the rest is for what readers wait for.
    pub fn new(cache: Arc<DiskCache>) -> Arc<Self> {
        let chunks_max = cache.limit_bytes() / 4 * 3 / USUAL_CHUNK_BYTES;
        Arc::new(Self { cache, chunks_max, given: Mutex::default() })
    }

    /// Changes a reader's part to what it wants, as far as there is room.
    fn change(&self, share: &mut Share, wanted: u64) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.chunks -= share.chunks;
        given.readers -= u64::from(share.counted);
        share.counted = wanted > 0;
        given.readers += u64::from(share.counted);
        let even = self.chunks_max / given.readers.max(1);
        share.chunks = wanted.min(even).min(self.chunks_max.saturating_sub(given.chunks));
        given.chunks += share.chunks;
    }
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
        Arc::new(Reader {
            parts: self.0.clone(),
            ahead: Mutex::default(),
            flights: Mutex::default(),
        })
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
        Chunk::checked(self.staging.cache.get(digest)?, digest).ok()
    }

    /// Asks the queue of a drive for the chunk, one that was not `asked` yet. False where it is in the cache by now.
    fn ask(&self, digest: &Digest, interest: Interest, asked: &Asked) -> Result<bool, ChunkError> {
        let targets = self.targets(digest)?;
        let mut refused = None;
        for target in &targets {
            match self.library.queue_of(&target.medium) {
                Ok(queue) if asked.contains(&queue) => {}
                Ok(queue) => {
                    let targets = self.within_reach(&queue, targets);
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

    /// Those of the targets that this queue's drive can load.
    fn within_reach(&self, queue: &Arc<DriveQueue>, mut targets: Vec<Target>) -> Vec<Target> {
        targets.retain(|target| {
            let of_target = self.library.queue_of(&target.medium);
            of_target.is_ok_and(|other| Arc::ptr_eq(&other, queue))
        });
        targets
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

/// The queues that were asked for a chunk already.
#[derive(Default)]
struct Asked(Mutex<Vec<Weak<DriveQueue>>>);

impl Asked {
    fn queues(&self) -> MutexGuard<'_, Vec<Weak<DriveQueue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn contains(&self, queue: &Arc<DriveQueue>) -> bool {
        self.queues().iter().any(|known| known.as_ptr() == Arc::as_ptr(queue))
    }

    fn add(&self, queue: &Arc<DriveQueue>) {
        self.queues().push(Arc::downgrade(queue));
    }

    fn remove(&self, queue: &Arc<DriveQueue>) {
        self.queues().retain(|known| known.as_ptr() != Arc::as_ptr(queue));
    }

    fn count(&self) -> usize {
        self.queues().len()
    }
}

/// Fetches a chunk: from the cache, or from one drive after the other until one has it. Work starts now, and ends
/// when the result is dropped. Where none has it, the first failure tells of the place that should have been best.
fn fetch(parts: &Arc<SourceParts>, digest: Digest) -> BoxFuture<'static, Outcome> {
    let (parts, asked) = (Arc::clone(parts), Arc::new(Asked::default()));
    let first = Errand::start(&parts, digest, &asked);
    async move {
        let first = first.await;
        let mut queues_failed = 0;
        while first.is_err() && asked.count() > queues_failed {
            queues_failed = asked.count();
            let other = Errand::start(&parts, digest, &asked).await;
            if other.is_ok() {
                return other;
            }
        }
        first
    }
    .boxed()
}

/// One open file.
struct Reader {
    parts: Arc<SourceParts>,
    ahead: Mutex<Ahead>,
    /// Chunks that somebody waits for: the kernel reads a chunk in several pieces beside each other, and it is
    /// fetched and checked once for all of them.
    flights: Mutex<HashMap<Digest, WeakFlight>>,
}

type WeakFlight = WeakShared<BoxFuture<'static, Outcome>>;

/// What a reader wants soon.
#[derive(Default)]
struct Ahead {
    wish: Option<Soon>,
    share: Share,
}

/// Keeps chunks in the cache for a reader.
struct Kept {
    _pin: Pin,
}

impl Reader {
    fn ahead_now(&self) -> MutexGuard<'_, Ahead> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChunkReader for Reader {
    fn ahead(&self, digests: &[Digest]) {
        let staging = &self.parts.staging;
        let mut ahead = self.ahead_now();
        staging.change(&mut ahead.share, digests.len() as u64);
        let room = usize::try_from(ahead.share.chunks).unwrap_or(usize::MAX);
        let wanted: Vec<Digest> = digests.iter().copied().take(room).collect();
        if wanted.is_empty() {
            ahead.wish = None;
            return;
        }
        let wish: Soon = Arc::new(Kept { _pin: staging.cache.pin(wanted.iter().copied()) });
        let weak = Arc::downgrade(&wish);
        let older = ahead.wish.replace(wish);
        drop(ahead);
        let parts = Arc::clone(&self.parts);
        self.parts.blocking.run(Box::new(move || {
            ask_ahead(&parts, &wanted, &weak);
            // Only now the older wish goes, so that what is in both is not given up in between.
            drop(older);
        }));
    }

    fn ahead_bytes_max(&self) -> u64 {
        self.parts.staging.chunks_max * USUAL_CHUNK_BYTES
    }

    fn chunk(&self, digest: Digest) -> BoxFuture<'static, Outcome> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&digest).and_then(WeakShared::upgrade) {
            return flight.boxed();
        }
        flights.retain(|_, flight| flight.upgrade().is_some());
        let flight: Shared<_> = fetch(&self.parts, digest).shared();
        if let Some(flight) = flight.downgrade() {
            flights.insert(digest, flight);
        }
        flight.boxed()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut ahead = self.ahead_now();
        ahead.wish = None;
        self.parts.staging.change(&mut ahead.share, 0);
    }
}

fn ask_ahead(parts: &SourceParts, wanted: &[Digest], wish: &Weak<dyn std::any::Any + Send + Sync>) {
    for digest in wanted {
        if wish.strong_count() == 0 {
            return;
        }
        if parts.staging.cache.contains(digest) {
            continue;
        }
        // Whoever waits for the chunk later is told.
        if let Err(error) = parts.ask(digest, Interest::Ahead(wish.clone()), &Asked::default()) {
            tracing::debug!(%error, "not read ahead");
        }
    }
}

/// Gets a chunk for a reader that waits; it is told in any case, even when the work never runs.
struct Errand {
    parts: Arc<SourceParts>,
    digest: Digest,
    asked: Arc<Asked>,
    waiting: Weak<Handover<Outcome>>,
    done: bool,
}

/// A chunk that is in the cache and then isn't has been dropped in between; not for ever.
const TRIES: usize = 8;

impl Errand {
    /// Starts one; what it gets or is told.
    fn start(parts: &Arc<SourceParts>, digest: Digest, asked: &Arc<Asked>) -> Waiter<Outcome> {
        let handover = Handover::new();
        let waiter = handover.wait();
        let (parts, asked) = (Arc::clone(parts), Arc::clone(asked));
        let blocking = Arc::clone(&parts.blocking);
        let waiting = Arc::downgrade(&handover);
        let errand = Self { parts, digest, asked, waiting, done: false };
        blocking.run(Box::new(move || errand.run()));
        waiter
    }

    fn run(mut self) {
        for _ in 0..TRIES {
            if self.waiting.strong_count() == 0 {
                return;
            }
            if let Some(chunk) = self.parts.cached(&self.digest) {
                return self.deliver(Ok(chunk));
            }
            let interest = Interest::Now(self.waiting.clone());
            match self.parts.ask(&self.digest, interest, &self.asked) {
                Ok(true) => {
                    self.done = true;
                    return;
                }
                Ok(false) => {}
                Err(error) => return self.deliver(Err(error)),
            }
        }
        let reason = format!("chunk {} in the cache is damaged; clear the cache", self.digest);
        self.deliver(Err(ChunkError::new(nix::libc::EIO, reason)));
    }

    fn deliver(&mut self, outcome: Outcome) {
        self.done = true;
        if let Some(waiting) = self.waiting.upgrade() {
            waiting.deliver(outcome);
        }
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        if !self.done {
            let reason = format!("reading chunk {} was given up; try again", self.digest);
            self.deliver(Err(ChunkError::new(nix::libc::EINTR, reason)));
        }
    }
}
