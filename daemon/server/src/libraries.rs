//! The read queues of all drives, and which of them can reach a medium.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reel_store::cache::DiskCache;
use reel_tape::queue::{DriveQueue, LogListener, QueueOptions, QueueParts};
use reel_tape::set_contents::SetMedium;
use reel_tape::set_source::Library;
use reel_tape::{DriveDesk, Error, TapeEnv};
use reel_types::{DriveName, MediaLocation};

use crate::drives::Drives;
use crate::failure::Outcome;

/// A drive's queue, with the desk that it was made for: another configuration makes another desk.
type DeskAndQueue = (Arc<DriveDesk>, Arc<DriveQueue>);

/// The read queue of each drive, made when it is first wanted.
pub(crate) struct Libraries {
    pub(crate) drives: Arc<Drives>,
    pub(crate) tape: Arc<TapeEnv>,
    pub(crate) cache: Arc<DiskCache>,
    queues: Mutex<HashMap<DriveName, DeskAndQueue>>,
}

impl Libraries {
    pub(crate) fn new(drives: Arc<Drives>, tape: Arc<TapeEnv>, cache: Arc<DiskCache>) -> Self {
        Self { drives, tape, cache, queues: Mutex::default() }
    }

    /// The queue of a drive in whose library the medium lies; none where it lies in none.
    fn find(&self, medium: &SetMedium) -> Outcome<Option<Arc<DriveQueue>>> {
        // Where media are is read anew: one may have been put in or taken out since the catalogs were read.
        let inventory = self.tape.inventory.load()?;
        let location = inventory.get(medium.id).map(|entry| entry.location());
        let Some(MediaLocation::Online(changer)) = location else {
            return Ok(None);
        };
        let desk = self.drives.for_medium(&changer, &medium.label_text)?;
        Ok(desk.map(|desk| self.queue(&desk)))
    }

    fn queue(&self, desk: &Arc<DriveDesk>) -> Arc<DriveQueue> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, queue)) = queues.get(desk.name()).filter(|(at, _)| Arc::ptr_eq(at, desk)) {
            return Arc::clone(queue);
        }
        let queue = DriveQueue::new(QueueParts {
            env: Arc::clone(&self.tape),
            desk: Arc::clone(desk),
            cache: Arc::clone(&self.cache),
            listener: Arc::new(LogListener),
            options: QueueOptions::default(),
        });
        queues.insert(desk.name().clone(), (Arc::clone(desk), Arc::clone(&queue)));
        queue
    }
}

impl Library for Libraries {
    fn queue_of(&self, medium: &SetMedium) -> Result<Arc<DriveQueue>, Error> {
        match self.find(medium) {
            Ok(Some(queue)) => Ok(queue),
            Ok(None) => Err(Error::MediumOffline { medium: medium.label_text.clone() }),
            Err(failure) => Err(Error::InvalidInput(failure.message)),
        }
    }
}
