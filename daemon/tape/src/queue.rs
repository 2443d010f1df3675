//! The read queue of a drive: whatever single chunks anybody wants from its media, in one pass forward.
//!
//! ```text
//! readers ── wishes, sorted by medium and place ── the drive's thread ── checks ──┬─ the chunk cache
//!                                                  (only while there is work)     └─ those who wait
//! ```
//!
//! The thread waits in line for the drive like everybody else ([`DriveDesk::hold`]), goes in rounds over the medium
//! that is in it, each archive passed forward, in the order that costs the drive least where it tells how its places
//! lie to each other, else forward of the head. At the end of a round it turns to the medium that somebody waits for
//! longest. It gives the drive away when somebody else wants it, between archives or after some reading; the readers
//! just wait longer then. Where our own
//! index knows a chunk's place ([`crate::places`]) it goes there and reads no more than the chunk; where not it reads
//! the archive from its beginning, serves everything that passes by and learns the places.
//!
//! Nobody gets a chunk whose CRC and, unless it is encrypted, digest were not checked. A damaged chunk fails
//! those who wait for it, nobody else; a medium that can't be loaded or read at all fails its wishes.

mod archive_pass;
mod checking;
mod order;
mod round;
mod stopwatch;
mod wishes;
mod worker;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use reel_store::cache::DiskCache;
use reel_store::source::ChunkError;
use reel_types::{Cancel, Digest, DriveName, LabelText};
use thiserror::Error;

use crate::drive_desk::DriveDesk;
use crate::env::TapeEnv;
use crate::set_contents::{SetMedium, Target};
use crate::{Error, FileNumber};

pub(crate) use archive_pass::{go_to_file, is_damage};
pub(crate) use wishes::{At, Interest, MediumKey, Outcome, ReadsAhead};
use wishes::{Waiters, Wishes};

/// A gap of so many blocks between two wanted chunks of an archive is read over, a larger one is located
/// over. An LTO drive reads 4 MiB in a hundredth of the time that it takes to stop, go and start again; more
/// than one usual chunk that nobody wants would belie what a plan announces.
pub const READ_ON_BLOCKS_MAX: u64 = 16;

/// So many objects between the head and the next archive are read over: the archive of a small snapshot.
const NEAR_OBJECTS_MAX: u64 = 4;

/// How a queue uses its drive.
#[derive(Debug, Clone, Copy)]
pub struct QueueOptions {
    /// How long an idle queue keeps the drive for what may come next; it gives up at once when somebody
    /// else wants the drive.
    pub linger: Duration,
    /// How long it waits for readers of the medium in the drive before it loads another one: who reads on and on
    /// asks for more in a moment, and changing the medium takes minutes.
    pub before_change: Duration,
    /// After so many bytes of an archive it looks whether somebody else wants the drive.
    pub give_way_bytes: u64,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self {
            linger: Duration::from_secs(1),
            before_change: Duration::from_millis(250),
            give_way_bytes: 256 << 20,
        }
    }
}

/// A chunk that could not be read where it should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "read chunk {digest} from medium '{medium}', file {file}{}: {reason}; \
     restore it from another copy",
    block_text(*block)
)]
pub struct ReadDamage {
    /// The chunk.
    pub digest: Digest,
    /// The medium.
    pub medium: LabelText,
    /// The archive.
    pub file: FileNumber,
    /// The block in it where it starts, or where reading broke off; none where that isn't known.
    pub block: Option<u32>,
    /// What is wrong.
    pub reason: String,
}

fn block_text(block: Option<u32>) -> String {
    block.map_or_else(String::new, |block| format!(", block {block}"))
}

/// Why a chunk was not even looked for.
#[derive(Debug, Error)]
#[error("read chunk {digest} from medium '{medium}': {cause}")]
pub(crate) struct NotReached {
    pub(crate) digest: Digest,
    pub(crate) medium: LabelText,
    /// The cause is shared by all wishes that it ends.
    pub(crate) cause: Arc<Error>,
}

impl From<NotReached> for ChunkError {
    fn from(error: NotReached) -> Self {
        Self::new(error.cause.errno(), error)
    }
}

/// Is told what goes wrong, for logs; called on the queue's threads, so it must be quick.
pub trait QueueListener: Send + Sync {
    /// A chunk is damaged.
    fn damaged(&self, damage: &ReadDamage);

    /// A medium could not be loaded or read, and all that was wanted from it failed.
    fn medium_failed(&self, medium: &LabelText, error: &Error);

    /// A drive has no order of access to give, though it should: archives are read by their numbers. Told once.
    fn without_order(&self, drive: &DriveName, error: &reel_hw::Error) {
        tracing::warn!(%drive, %error, "archives are read by their numbers");
    }
}

/// Writes to the program's log alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogListener;

impl QueueListener for LogListener {
    fn damaged(&self, damage: &ReadDamage) {
        tracing::error!("{damage}");
    }

    fn medium_failed(&self, medium: &LabelText, error: &Error) {
        tracing::error!(%medium, "reading failed: {error}");
    }
}

/// The read queue of a drive. Dropping it ends its thread and fails what is still wanted.
pub struct DriveQueue {
    shared: Arc<Shared>,
}

/// What a queue works with.
pub struct QueueParts {
    /// The state and caches.
    pub env: Arc<TapeEnv>,
    /// The drive.
    pub desk: Arc<DriveDesk>,
    /// Where checked chunks go.
    pub cache: Arc<DiskCache>,
    /// Is told what goes wrong.
    pub listener: Arc<dyn QueueListener>,
    /// How the drive is used.
    pub options: QueueOptions,
}

struct Shared {
    parts: QueueParts,
    state: Mutex<State>,
    changed: Condvar,
    cancel: Cancel,
    /// Whether it was told that no order of access can be had.
    order_failed: AtomicBool,
}

#[derive(Default)]
struct State {
    wishes: Wishes,
    /// The thread, and whether it is still at work.
    thread: Option<JoinHandle<()>>,
    at_work: bool,
    closed: bool,
}

impl DriveQueue {
    /// The queue of a drive; one for each desk.
    pub fn new(parts: QueueParts) -> Arc<Self> {
        let shared = Shared {
            parts,
            state: Mutex::default(),
            changed: Condvar::new(),
            cancel: Cancel::new(),
            order_failed: AtomicBool::new(false),
        };
        Arc::new(Self { shared: Arc::new(shared) })
    }

    /// The drive's desk.
    pub fn desk(&self) -> &Arc<DriveDesk> {
        &self.shared.parts.desk
    }

    /// Whether somebody wants something from that medium.
    pub fn wants(&self, medium: &SetMedium) -> bool {
        self.shared.state().wishes.has_for(MediumKey::of(medium))
    }

    /// How many chunks wait to be read, those counted that were dropped and not come across yet.
    pub fn waiting(&self) -> usize {
        self.shared.state().wishes.waiting()
    }

    /// Wants a chunk. False where it came into the cache meanwhile and nothing was done.
    pub(crate) fn want(&self, digest: Digest, targets: Vec<Target>, interest: Interest) -> bool {
        let mut state = self.shared.state();
        if self.shared.parts.cache.contains(&digest) && !state.wishes.is_wanted(&digest) {
            return false;
        }
        state.wishes.want(digest, targets, interest);
        if state.closed {
            drop(state);
            self.shared.fail_all(&Arc::new(Error::Stopped(reel_types::TaskStopped)));
            return true;
        }
        if !state.at_work {
            self.start(&mut state);
        }
        drop(state);
        self.shared.changed.notify_all();
        true
    }

    fn start(&self, state: &mut State) {
        let shared = Arc::clone(&self.shared);
        let name = format!("read-queue-{}", self.desk().name());
        // The kernel cuts names of threads at 15 bytes; the beginning still tells.
        let spawned = std::thread::Builder::new().name(name).spawn(move || worker::work(&shared));
        match spawned {
            Ok(thread) => {
                state.thread = Some(thread);
                state.at_work = true;
            }
            Err(source) => {
                let tried = "start the thread of a read queue".into();
                let cause = Arc::new(Error::Io { tried, source });
                fail(state.wishes.settle_all(), self.desk().name().as_str(), &cause);
            }
        }
    }
}

impl Drop for DriveQueue {
    fn drop(&mut self) {
        self.shared.cancel.cancel();
        let mut state = self.shared.state();
        state.closed = true;
        let thread = state.thread.take();
        drop(state);
        self.shared.changed.notify_all();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread of a read queue panicked");
        }
        self.shared.fail_all(&Arc::new(Error::Stopped(reel_types::TaskStopped)));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail_all(&self, cause: &Arc<Error>) {
        let failed = self.state().wishes.settle_all();
        fail(failed, self.parts.desk.name().as_str(), cause);
    }

    /// Tells of damage and fails the chunk, unless another place of it may still be good.
    fn damaged(&self, damage: ReadDamage, may_help: impl Fn(&Target) -> bool) {
        self.parts.listener.damaged(&damage);
        let failed = self.state().wishes.retry(&damage.digest, may_help);
        let error = ChunkError::new(nix::libc::EIO, damage);
        failed.into_iter().flatten().for_each(|waiter| waiter.deliver(Err(error.clone())));
    }
}

/// Tells everybody who waits that the drive `drive` can't be used.
fn fail(failed: Vec<(Digest, Waiters)>, drive: &str, cause: &Arc<Error>) {
    for (digest, waiters) in failed {
        let text = format!("read chunk {digest} by drive '{drive}': {cause}");
        let error = ChunkError::new(cause.errno(), text);
        waiters.iter().for_each(|waiter| waiter.deliver(Err(error.clone())));
    }
}
