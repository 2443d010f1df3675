//! Getting one chunk for a reader that waits: from the cache, or from the drives that can load a medium with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use reel_store::source::ChunkError;
use reel_store::{Handover, Waiter};
use reel_types::Digest;

use super::SourceParts;
use crate::queue::{DriveQueue, Interest, Outcome, ReadsAhead};

/// The queues that were asked for a chunk already.
#[derive(Default)]
pub(super) struct Asked(Mutex<Vec<Weak<DriveQueue>>>);

impl Asked {
    fn queues(&self) -> MutexGuard<'_, Vec<Weak<DriveQueue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn contains(&self, queue: &Arc<DriveQueue>) -> bool {
        self.queues().iter().any(|known| known.as_ptr() == Arc::as_ptr(queue))
    }

    pub(super) fn add(&self, queue: &Arc<DriveQueue>) {
        self.queues().push(Arc::downgrade(queue));
    }

    pub(super) fn remove(&self, queue: &Arc<DriveQueue>) {
        self.queues().retain(|known| known.as_ptr() != Arc::as_ptr(queue));
    }

    fn count(&self) -> usize {
        self.queues().len()
    }
}

/// Fetches a chunk: from the cache, or from one drive after the other until one has it. Work starts now, and ends
/// when the result is dropped. Where none has it, the first failure tells of the place that should have been best.
pub(super) fn fetch(
    parts: &Arc<SourceParts>,
    digest: Digest,
    announced: Option<Weak<dyn ReadsAhead>>,
) -> BoxFuture<'static, Outcome> {
    let (parts, asked) = (Arc::clone(parts), Arc::new(Asked::default()));
    let first = Errand::start(&parts, digest, &asked, announced.clone());
    async move {
        let first = first.await;
        let mut queues_failed = 0;
        while first.is_err() && asked.count() > queues_failed {
            queues_failed = asked.count();
            let other = Errand::start(&parts, digest, &asked, announced.clone()).await;
            if other.is_ok() {
                return other;
            }
        }
        first
    }
    .boxed()
}

/// Gets a chunk for a reader that waits; it is told in any case, even when the work never runs.
struct Errand {
    parts: Arc<SourceParts>,
    digest: Digest,
    asked: Arc<Asked>,
    waiting: Weak<Handover<Outcome>>,
    /// The reader, where it has announced the chunk.
    announced: Option<Weak<dyn ReadsAhead>>,
    done: bool,
}

/// A chunk that is in the cache and then isn't has been dropped in between; not for ever.
const TRIES: usize = 8;

impl Errand {
    /// Starts one; what it gets or is told.
    fn start(
        parts: &Arc<SourceParts>,
        digest: Digest,
        asked: &Arc<Asked>,
        announced: Option<Weak<dyn ReadsAhead>>,
    ) -> Waiter<Outcome> {
        let handover = Handover::new();
        let waiter = handover.wait();
        let (parts, asked) = (Arc::clone(parts), Arc::clone(asked));
        let blocking = Arc::clone(&parts.blocking);
        let waiting = Arc::downgrade(&handover);
        let errand = Self { parts, digest, asked, waiting, announced, done: false };
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
            let interest = Interest::Now(self.waiting.clone(), self.announced.clone());
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
