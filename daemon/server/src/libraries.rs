//! The read queues of all drives, and which of them can reach a medium.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reel_hw::number::VolumeTag;
use reel_store::cache::DiskCache;
use reel_tape::drive_times::Reckoning;
use reel_tape::queue::{DriveQueue, LogListener, QueueOptions, QueueParts};
use reel_tape::set_contents::SetMedium;
use reel_tape::set_source::Library;
use reel_tape::{DriveDesk, Error, Inventory, TapeEnv};
use reel_types::{ChangerName, DriveName, LabelText, MediaLocation};

use crate::drives::{ConfiguredDrive, Drives};
use crate::failure::Outcome;
use crate::memo::{Memo, Stamp};

/// A drive's queue, with the desk that it was made for: another configuration makes another desk.
type DeskAndQueue = (Arc<DriveDesk>, Arc<DriveQueue>);

/// The read queue of each drive, made when it is first wanted.
pub(crate) struct Libraries {
    pub(crate) drives: Arc<Drives>,
    pub(crate) tape: Arc<TapeEnv>,
    pub(crate) cache: Arc<DiskCache>,
    queues: Mutex<HashMap<DriveName, DeskAndQueue>>,
    inventory: Memo<(), Option<Stamp>, Arc<Inventory>>,
}

impl Libraries {
    pub(crate) fn new(drives: Arc<Drives>, tape: Arc<TapeEnv>, cache: Arc<DiskCache>) -> Self {
        Self { drives, tape, cache, queues: Mutex::default(), inventory: Memo::new(1) }
    }

    /// The queue of a drive that can load the medium; none where no library has it.
    fn find(&self, medium: &SetMedium) -> Outcome<Option<Arc<DriveQueue>>> {
        Ok(self.find_desk(medium)?.map(|desk| self.queue(&desk)))
    }

    fn find_desk(&self, medium: &SetMedium) -> Outcome<Option<Arc<DriveDesk>>> {
        let desks = match self.location(medium)? {
            Some(MediaLocation::Online(library)) => self.desks_in(&library, medium)?,
            _ => self.standalone_with(&medium.label_text)?,
        };
        Ok(self.best(desks, medium))
    }

    /// The drive that would read the medium, as things are now; none where no library has it.
    pub(crate) fn drive_for(&self, medium: &SetMedium) -> Option<Arc<DriveDesk>> {
        self.find_desk(medium).ok().flatten()
    }

    /// By what reading from a medium is reckoned: by the drive that would read it, or, of a medium that is in no
    /// library, by what is known of it alone. Nothing is of `virtual:` tapes, whatever they are called.
    pub(crate) fn reckoning(&self, medium: &SetMedium) -> Option<Reckoning> {
        let desk = self.drive_for(medium);
        let drive = desk.as_ref().map(|desk| desk.name());
        let config = drive.and_then(|drive| self.drives.config(drive).ok());
        match config {
            Some(ConfiguredDrive::Virtual(_)) => None,
            _ => self.tape.times.reckoning(drive, medium.id, &medium.label_text),
        }
    }

    /// Where a medium is, as the inventory says now: one may have been put in or taken out since the catalogs were read.
    fn location(&self, medium: &SetMedium) -> Outcome<Option<MediaLocation>> {
        let stamp = Stamp::of(&self.tape.state.inventory())?;
        let load = || Outcome::Ok(Arc::new(self.tape.inventory.load()?));
        let inventory = self.inventory.get_or((), stamp, load)?;
        Ok(inventory.get(medium.id).map(|entry| entry.location()))
    }

    /// The desks of a library's drives; that one alone in which the robot saw the medium.
    fn desks_in(&self, library: &ChangerName, medium: &SetMedium) -> Outcome<Vec<Arc<DriveDesk>>> {
        let tag = VolumeTag::new(medium.label_text.as_str());
        let seen = self.drives.seen(library);
        let holder = seen.as_ref().zip(tag).and_then(|(seen, tag)| seen.drive_of(&tag));
        if let Some(holder) = holder
            && let Some(desk) = self.drives.desk_at(library, holder.number)?
        {
            return Ok(vec![desk]);
        }
        let drives = self.drives.drives_in(library)?;
        Ok(drives.iter().map(|drive| self.drives.desk_of(drive)).collect())
    }

    /// The drives in no library whose medium is that one, or has not been looked at.
    fn standalone_with(&self, label: &LabelText) -> Outcome<Vec<Arc<DriveDesk>>> {
        let drives = self.drives.configs()?;
        let standalone = drives.iter().filter(|drive| drive.library_name().is_none());
        let desks = standalone.map(|drive| self.drives.desk_of(drive));
        Ok(desks.filter(|desk| may_hold(desk, label)).collect())
    }

    /// The desk by which a medium is best read: where it is loaded, else where it is asked for already, else one that
    /// nobody uses, else the first.
    fn best(&self, desks: Vec<Arc<DriveDesk>>, medium: &SetMedium) -> Option<Arc<DriveDesk>> {
        let is_loaded = |desk: &DriveDesk| desk.loaded().as_ref() == Some(&medium.label_text);
        let is_wanted =
            |desk: &Arc<DriveDesk>| self.known_queue(desk).is_some_and(|q| q.wants(medium));
        desks.into_iter().min_by_key(|desk| (!is_loaded(desk), !is_wanted(desk), desk.is_held()))
    }

    /// The queue that was made for a desk.
    fn known_queue(&self, desk: &Arc<DriveDesk>) -> Option<Arc<DriveQueue>> {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, queue) = queues.get(desk.name())?;
        Arc::ptr_eq(at, desk).then(|| Arc::clone(queue))
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

/// Whether a medium may be in a drive on its own.
fn may_hold(desk: &DriveDesk, label: &LabelText) -> bool {
    desk.loaded().is_none_or(|loaded| loaded == *label)
}

impl Library for Libraries {
    fn queue_of(&self, medium: &SetMedium) -> Result<Arc<DriveQueue>, Error> {
        match self.find(medium) {
            Ok(Some(queue)) => Ok(queue),
            Ok(None) => Err(Error::MediumOffline { medium: medium.label_text.clone() }),
            Err(failure) => Err(Error::InvalidInput(failure.message)),
        }
    }

    fn can_reach(&self, queue: &DriveQueue, medium: &SetMedium) -> bool {
        let Ok(config) = self.drives.config(queue.desk().name()) else { return false };
        match (self.location(medium), config.library_name()) {
            (Ok(Some(MediaLocation::Online(library))), Some(name)) => library == name,
            (_, None) => may_hold(queue.desk(), &medium.label_text),
            _ => false,
        }
    }
}
