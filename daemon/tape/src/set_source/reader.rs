//! One open file of a media set: what it waits for, and what it will want soon.
//!
//! Where the chunks lie on tape in the order in which the reader wants them, they come to it through memory
//! ([`Held`]), a few at a time: each that it takes has the next one asked for. Where they lie otherwise, the whole
//! window is asked for at once, so that the tape passes by once, and what comes too early waits in the cache. The
//! same where several readers read beside each other: what one has read is there for the others.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, WeakShared, ready};
use reel_store::cache::Pin;
use reel_store::source::{Chunk, ChunkReader};
use reel_types::Digest;

use super::SourceParts;
use super::errand::{Asked, fetch};
use super::held::Held;
use super::staging::{Share, USUAL_CHUNK_BYTES};
use crate::queue::{Interest, Outcome, ReadsAhead};

/// One open file.
pub(super) struct Reader {
    parts: Arc<SourceParts>,
    held: Arc<Held>,
    ahead: Arc<Mutex<Ahead>>,
    /// Chunks that somebody waits for: the kernel reads a chunk in several pieces beside each other, and it is
    /// fetched and checked once for all of them.
    flights: Mutex<HashMap<Digest, WeakFlight>>,
}

type WeakFlight = WeakShared<BoxFuture<'static, Outcome>>;

/// What a reader wants soon.
#[derive(Default)]
struct Ahead {
    wish: Option<Arc<Wish>>,
    share: Share,
    /// What is asked for when there is room in memory, in the reader's order.
    line: VecDeque<Digest>,
}

/// Lives as long as the reader wants what it asked for ahead.
struct Wish {
    parts: Arc<SourceParts>,
    held: Arc<Held>,
    _pin: Pin,
}

impl ReadsAhead for Wish {
    fn take(&self, digest: &Digest, chunk: &Chunk) -> bool {
        self.parts.staging.has_one_reader() && self.held.take(digest, chunk)
    }
}

impl Reader {
    pub(super) fn new(parts: Arc<SourceParts>) -> Self {
        let held = Arc::new(Held::new(parts.staging.memory_bytes));
        Self { parts, held, ahead: Arc::default(), flights: Mutex::default() }
    }

    /// Asks for what comes next in line.
    fn go_on(&self) {
        let mut ahead = lock(&self.ahead);
        let Some(wish) = ahead.wish.clone().filter(|_| !ahead.line.is_empty()) else { return };
        let next = next_in_line(&mut ahead, &self.held, self.parts.staging.chunks_in_memory());
        drop(ahead);
        if next.is_empty() {
            return;
        }
        let parts = Arc::clone(&self.parts);
        let wish = Arc::downgrade(&wish);
        self.parts.blocking.run(Box::new(move || ask_ahead(&parts, &next, &wish)));
    }

    /// This reader, where it has announced the chunk.
    fn announced(&self, digest: &Digest) -> Option<Weak<dyn ReadsAhead>> {
        let wish = lock(&self.ahead).wish.clone().filter(|_| self.held.wants(digest))?;
        let wish: Arc<dyn ReadsAhead> = wish;
        Some(Arc::downgrade(&wish))
    }

    fn wait_for(&self, digest: Digest) -> BoxFuture<'static, Outcome> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&digest).and_then(WeakShared::upgrade) {
            return flight.boxed();
        }
        flights.retain(|_, flight| flight.upgrade().is_some());
        let flight = fetch(&self.parts, digest, self.announced(&digest)).shared();
        if let Some(flight) = flight.downgrade() {
            flights.insert(digest, flight);
        }
        flight.boxed()
    }
}

impl ChunkReader for Reader {
    fn ahead(&self, digests: &[Digest]) {
        let staging = &self.parts.staging;
        let mut ahead = lock(&self.ahead);
        ahead.line.clear();
        staging.change(&mut ahead.share, digests.len() as u64);
        let room = usize::try_from(ahead.share.chunks).unwrap_or(usize::MAX);
        let wanted: Vec<Digest> = digests.iter().copied().take(room).collect();
        self.held.expect_only(wanted.iter().copied());
        if wanted.is_empty() {
            ahead.wish = None;
            return;
        }
        let pin = staging.cache.pin(wanted.iter().copied());
        let (parts, held) = (Arc::clone(&self.parts), Arc::clone(&self.held));
        let wish = Arc::new(Wish { parts: Arc::clone(&parts), held: Arc::clone(&held), _pin: pin });
        let weak = Arc::downgrade(&wish);
        let older = ahead.wish.replace(wish);
        drop(ahead);
        let ahead = Arc::clone(&self.ahead);
        self.parts.blocking.run(Box::new(move || {
            let now = first_of(&parts, &held, &ahead, wanted, &weak);
            ask_ahead(&parts, &now, &weak);
            // Only now the older wish goes, so that what is in both is not given up in between.
            drop(older);
        }));
    }

    fn ahead_bytes_max(&self) -> u64 {
        self.parts.staging.chunks_max * USUAL_CHUNK_BYTES
    }

    fn chunk(&self, digest: Digest) -> BoxFuture<'static, Outcome> {
        let held = self.held.give(&digest);
        self.go_on();
        match held {
            Some(chunk) => ready(Ok(chunk)).boxed(),
            None => self.wait_for(digest),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut ahead = lock(&self.ahead);
        ahead.wish = None;
        self.parts.staging.change(&mut ahead.share, 0);
    }
}

fn lock(ahead: &Mutex<Ahead>) -> MutexGuard<'_, Ahead> {
    ahead.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is asked for at once: all of it, or, where it comes in the reader's order, the beginning; the rest gets in
/// line then.
fn first_of(
    parts: &SourceParts,
    held: &Held,
    ahead: &Mutex<Ahead>,
    wanted: Vec<Digest>,
    wish: &Weak<Wish>,
) -> Vec<Digest> {
    let in_memory = parts.staging.chunks_in_memory();
    if in_memory < 2 || !parts.staging.has_one_reader() || !parts.comes_in_order(&wanted, in_memory)
    {
        return wanted;
    }
    let mut ahead = lock(ahead);
    let is_newest =
        ahead.wish.as_ref().is_some_and(|newest| std::ptr::eq(Arc::as_ptr(newest), wish.as_ptr()));
    if !is_newest {
        return Vec::new();
    }
    ahead.line = held.missing_of(wanted);
    next_in_line(&mut ahead, held, in_memory)
}

/// Takes from the line what there is room for.
fn next_in_line(ahead: &mut Ahead, held: &Held, room: usize) -> Vec<Digest> {
    let free = room.saturating_sub(held.expected()).min(ahead.line.len());
    let next: Vec<Digest> = ahead.line.drain(..free).collect();
    next.iter().for_each(|digest| held.expect(*digest));
    next
}

fn ask_ahead(parts: &SourceParts, wanted: &[Digest], wish: &Weak<Wish>) {
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
