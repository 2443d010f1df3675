//! Checks chunks beside the reading, so that the drive need not wait for it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;

use reel_store::DataBlob;
use reel_store::source::Chunk;
use reel_types::Digest;

use super::wishes::At;
use super::{ReadDamage, Shared};
use crate::set_contents::SetMedium;

/// Chunks that wait for a check: with those being checked some 32 MiB of usual chunks, enough that neither the
/// drive nor the checks stop for each other.
const WAITING_MAX: usize = 4;

/// A drive delivers 300 MB/s and more, one thread decompresses and hashes about as much.
const THREADS: usize = 2;

/// A chunk whose CRC was right.
pub(super) struct Unchecked {
    pub(super) digest: Digest,
    pub(super) blob: DataBlob,
    pub(super) medium: Arc<SetMedium>,
    pub(super) at: At,
}

/// Starts the checks in `scope`; they end when the sender is dropped and all is done.
pub(super) fn start<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    shared: &'env Shared,
    receiver: &'env Mutex<Receiver<Unchecked>>,
) {
    for _ in 0..THREADS {
        scope.spawn(move || work_off(shared, receiver));
    }
}

/// The way to the checks.
pub(super) fn channel() -> (SyncSender<Unchecked>, Mutex<Receiver<Unchecked>>) {
    let (sender, receiver) = sync_channel(WAITING_MAX);
    (sender, Mutex::new(receiver))
}

fn work_off(shared: &Shared, receiver: &Mutex<Receiver<Unchecked>>) {
    loop {
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(unchecked) = next else { return };
        check(shared, unchecked);
    }
}

/// Checks a chunk and hands it on.
pub(super) fn check(shared: &Shared, unchecked: Unchecked) {
    let Unchecked { digest, blob, medium, at } = unchecked;
    match Chunk::checked(blob, &digest) {
        Ok(chunk) => deliver(shared, &digest, &chunk),
        Err(error) => {
            let (file, block, reason) = (at.file, Some(at.block), error.to_string());
            let label = medium.label_text.clone();
            let damage = ReadDamage { digest, medium: label, file, block, reason };
            shared.damaged(damage, |target| target.medium.id != medium.id || target.file != file);
        }
    }
}

/// Those who wait get the chunk first, then those who asked ahead; the wish lives until all have it or it is in the
/// cache, so that nobody has it read twice.
fn deliver(shared: &Shared, digest: &Digest, chunk: &Chunk) {
    let state = shared.state();
    let (waiting, ahead) = (state.wishes.waiters(digest), state.wishes.readers_ahead(digest));
    drop(state);
    waiting.iter().for_each(|waiter| waiter.deliver(Ok(chunk.clone())));
    let taken = ahead.iter().filter(|reader| reader.take(digest, chunk)).count();
    if ahead.is_empty() || taken < ahead.len() {
        shared.parts.cache.put(digest, chunk);
    }
    let late = shared.state().wishes.settle(digest);
    late.iter().for_each(|waiter| waiter.deliver(Ok(chunk.clone())));
}
