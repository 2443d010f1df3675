//! The chunks of one index: those that are here are marked as used, the others fetched (`sync.md` §8).

use std::collections::HashMap;
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use reel_store::{ChunkIndex, CryptMode, Index, IndexEntry};
use reel_types::{Cancel, Digest, TaskStopped};

use super::PullError;
use super::network::STOP_CHECK;
use super::run::Run;
use super::source::SourceFiles;

/// Entries after which a stop is noticed and progress told.
const ENTRIES_A_LOOK: u64 = 1024;
/// Bytes of an encrypted chunk besides its data.
const HEADER: u64 = 44;
/// Bytes that one connection fetches before another is opened; a connection costs a few times of the line's delay.
const WIDEN_AFTER: u64 = 64 << 20;

/// How an index's chunks come along.
pub(super) struct Archive {
    what: String,
    crypt_mode: CryptMode,
    has_failed: AtomicBool,
    state: Mutex<State>,
    one_less: Condvar,
}

#[derive(Default)]
struct State {
    under_way: usize,
    fetched: Fetched,
    error: Option<PullError>,
}

/// Chunks that came.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fetched {
    pub(super) chunks: u64,
    /// As they are stored.
    pub(super) bytes: u64,
}

impl Archive {
    pub(super) fn new(what: String, crypt_mode: CryptMode) -> Arc<Self> {
        let (has_failed, state) = (AtomicBool::new(false), Mutex::default());
        Arc::new(Self { what, crypt_mode, has_failed, state, one_less: Condvar::new() })
    }

    pub(super) fn what(&self) -> &str {
        &self.what
    }

    pub(super) fn crypt_mode(&self) -> CryptMode {
        self.crypt_mode
    }

    /// Whether what still comes is of no use.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// The first reason is the one that is told.
    pub(super) fn fail(&self, error: PullError) {
        self.state().error.get_or_insert(error);
        self.has_failed.store(true, Ordering::Relaxed);
    }

    pub(super) fn one_more(&self) {
        self.state().under_way += 1;
    }

    /// A chunk is stored, or will not be.
    pub(super) fn one_less(&self, stored: Option<u64>) {
        let mut state = self.state();
        state.under_way -= 1;
        match stored {
            Some(bytes) => {
                state.fetched.chunks += 1;
                state.fetched.bytes += bytes;
            }
            None => {
                state.error.get_or_insert(TaskStopped.into());
                self.has_failed.store(true, Ordering::Relaxed);
            }
        }
        self.one_less.notify_all();
    }

    /// Waits until all that was asked for is stored.
    fn finish(&self, cancel: &Cancel) -> Result<Fetched, PullError> {
        let mut state = self.state();
        while state.under_way > 0 && state.error.is_none() {
            if cancel.is_cancelled() {
                return Err(TaskStopped.into());
            }
            let waited = self.one_less.wait_timeout(state, STOP_CHECK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.error.take().map_or(Ok(state.fetched), Err)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What there is to do for a chunk.
#[derive(PartialEq)]
enum Demand {
    /// It is here.
    Here,
    /// It was asked for.
    Asked,
    /// Somebody has asked for it before.
    UnderWay,
}

/// Goes through an index.
pub(super) struct Walk<'w> {
    pub(super) run: &'w Run<'w>,
    pub(super) files: &'w SourceFiles,
    pub(super) archive: Arc<Archive>,
    /// The name of the index.
    pub(super) name: &'w str,
    /// Whether chunks that are here are read before they count.
    pub(super) distrusts: bool,
    /// Is told which share of the index is done.
    pub(super) tell: &'w dyn Fn(f64),
}

impl Walk<'_> {
    /// Has all chunks of an index here.
    pub(super) fn fetch_missing(&self, index: &Index<File>) -> Result<Fetched, PullError> {
        self.files.begin_index();
        let cancel = self.run.task.cancel();
        let count = index.chunk_count();
        let (mut asked, mut others) = (0, HashMap::new());
        for (position, entry) in (0..).zip(index.entries(0..count)) {
            let entry = entry.map_err(PullError::content(self.archive.what()))?;
            if position % ENTRIES_A_LOOK == 0 {
                self.run.task.check()?;
                (self.tell)(position as f64 / count as f64);
            }
            match self.demand(entry)? {
                Demand::Here => {}
                Demand::Asked => {
                    asked += entry.size();
                    (self.tell)(position as f64 / count as f64);
                    self.widen_where_worth(asked);
                }
                Demand::UnderWay => {
                    others.insert(entry.digest, entry);
                }
            }
            if self.archive.has_failed() {
                break;
            }
        }
        self.see_to_others(others)?;
        self.archive.finish(cancel)
    }

    fn demand(&self, entry: IndexEntry) -> Result<Demand, PullError> {
        let run = self.run;
        if run.shared.known.contains(&entry.digest) || self.is_here(&entry.digest)? {
            return Ok(Demand::Here);
        }
        let Some(claim) = run.writers.claim(entry) else { return Ok(Demand::UnderWay) };
        // It may have come between the look and the claim.
        if run.shared.chunks.contains(&entry.digest)? {
            return Ok(Demand::Here);
        }
        let room = run.budget.take(entry.size() + HEADER, run.task.cancel())?;
        self.files.ask(&run.network, run.writers.order(&self.archive, claim, room));
        Ok(Demand::Asked)
    }

    /// Whether the chunk is here; then it is marked as used.
    fn is_here(&self, digest: &Digest) -> Result<bool, PullError> {
        let chunks = &self.run.shared.chunks;
        if self.distrusts && chunks.set_aside_if_damaged(digest)? {
            self.run.task.warn(&format!("chunk {digest} is damaged here, and is fetched anew"));
        }
        let is_here = chunks.contains(digest)?;
        if is_here {
            self.run.shared.known.insert(digest);
        }
        Ok(is_here)
    }

    /// Chunks that others asked for: they come, or are asked for here.
    fn see_to_others(&self, others: HashMap<Digest, IndexEntry>) -> Result<(), PullError> {
        let cancel = self.run.task.cancel();
        for (digest, entry) in others {
            loop {
                if self.archive.has_failed() {
                    return Ok(());
                }
                self.run.shared.under_way.wait(&digest, cancel)?;
                if self.demand(entry)? != Demand::UnderWay {
                    break;
                }
            }
        }
        Ok(())
    }

    fn widen_where_worth(&self, asked: u64) {
        if asked > WIDEN_AFTER && self.files.can_widen() {
            self.files.widen(&self.run.network, self.name);
        }
    }
}
