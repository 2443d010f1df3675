//! One queue for a robot that several users share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use super::{Changer, ChangerStatus};
use crate::error::Result;
use crate::number::{DriveNumber, SlotNumber, VolumeTag};
use crate::scsi::inquiry::Inquiry;

/// The turns of a robot. Clones are the same queue.
#[derive(Debug, Clone, Default)]
pub struct RobotQueue {
    turn: Arc<Mutex<()>>,
    told: Arc<Mutex<Told>>,
}

/// What the queue tells without waiting for a turn.
#[derive(Debug, Default)]
struct Told {
    doing: Option<String>,
    seen: Option<Arc<ChangerStatus>>,
    /// How much was moved, by whomever.
    moves: u64,
}

impl RobotQueue {
    /// What the robot is doing for whom, in words.
    pub fn doing(&self) -> Option<String> {
        self.told().doing.clone()
    }

    /// What lay where when the robot was last asked; none where it was not, or did not answer.
    pub fn seen(&self) -> Option<Arc<ChangerStatus>> {
        self.told().seen.clone()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn, and says what it is for.
    fn take_turn(&self, what: String) -> Turn<'_> {
        let guard = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.begin(guard, what)
    }

    /// A turn, if nobody has it.
    fn try_turn(&self, what: &str) -> Option<Turn<'_>> {
        let guard = match self.turn.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(self.begin(guard, what.to_owned()))
    }

    fn begin<'q>(&'q self, guard: MutexGuard<'q, ()>, what: String) -> Turn<'q> {
        self.told().doing = Some(what);
        Turn { queue: self, _guard: guard }
    }
}

struct Turn<'q> {
    queue: &'q RobotQueue,
    _guard: MutexGuard<'q, ()>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.queue.told().doing = None;
    }
}

/// Opens a changer.
type Opener = Box<dyn Fn() -> Result<Box<dyn Changer>> + Send>;

/// A changer whose every call waits for its turn. It is opened by the first call: a drive can be used while its
/// changer does not answer.
pub struct QueuedChanger {
    open: Opener,
    opened: Option<Box<dyn Changer>>,
    queue: RobotQueue,
    /// The moves of the queue when this handle last looked.
    moves_seen: u64,
}

impl QueuedChanger {
    /// A changer in a queue; `open` opens it, again where it failed to.
    pub fn new(
        open: impl Fn() -> Result<Box<dyn Changer>> + Send + 'static,
        queue: RobotQueue,
    ) -> Self {
        Self { open: Box::new(open), opened: None, queue, moves_seen: 0 }
    }

    fn opened(&mut self) -> Result<&mut (dyn Changer + 'static)> {
        if self.opened.is_none() {
            self.opened = Some((self.open)()?);
        }
        match &mut self.opened {
            Some(changer) => Ok(&mut **changer),
            None => unreachable!("it was opened above"),
        }
    }

    /// Looks what lies where, and notes it; what was noted before is forgotten where the changer does not answer.
    fn look(&mut self) -> Result<ChangerStatus> {
        let status = self.opened().and_then(Changer::status);
        let mut told = self.queue.told();
        told.seen = status.as_ref().ok().cloned().map(Arc::new);
        self.moves_seen = told.moves;
        drop(told);
        status
    }

    /// Moves something, and looks where everything is now, whether the move worked or not.
    fn moved<T>(
        &mut self,
        what: String,
        work: impl FnOnce(&mut dyn Changer) -> Result<T>,
    ) -> Result<T> {
        let queue = self.queue.clone();
        let _turn = queue.take_turn(what);
        if queue.told().moves != self.moves_seen {
            // By another user since this one looked.
            self.look()?;
        }
        let outcome = work(self.opened()?);
        queue.told().moves += 1;
        let _ = self.look();
        outcome
    }
}

impl Changer for QueuedChanger {
    fn status(&mut self) -> Result<ChangerStatus> {
        let queue = self.queue.clone();
        let _turn = queue.take_turn("reading element status".to_owned());
        self.look()
    }

    fn known_status(&mut self) -> Result<Arc<ChangerStatus>> {
        let queue = self.queue.clone();
        let Some(_turn) = queue.try_turn("asking for changes") else {
            return queue.seen().map_or_else(|| self.status().map(Arc::new), Ok);
        };
        match queue.seen() {
            Some(seen) if !self.opened()?.may_have_changed()? => Ok(seen),
            _ => self.look().map(Arc::new),
        }
    }

    fn load_slot(&mut self, slot: SlotNumber, drive: DriveNumber) -> Result<()> {
        let what = format!("loading slot {slot} into drive {drive}");
        self.moved(what, |changer| changer.load_slot(slot, drive))
    }

    fn unload(&mut self, drive: DriveNumber, slot: Option<SlotNumber>) -> Result<SlotNumber> {
        self.moved(format!("unloading drive {drive}"), |changer| changer.unload(drive, slot))
    }

    fn transfer(&mut self, from: SlotNumber, to: SlotNumber) -> Result<()> {
        let what = format!("moving slot {from} to slot {to}");
        self.moved(what, |changer| changer.transfer(from, to))
    }

    fn empty_hand(&mut self) -> Result<()> {
        self.moved("emptying the robot's hand".to_owned(), |changer| changer.empty_hand())
    }

    fn initialize(&mut self) -> Result<()> {
        self.moved("taking inventory".to_owned(), |changer| changer.initialize())
    }

    fn identity(&mut self) -> Result<Inquiry> {
        let queue = self.queue.clone();
        let _turn = queue.take_turn("telling what it is".to_owned());
        self.opened()?.identity()
    }

    fn pause(&mut self, pause: Duration) -> Result<()> {
        self.opened()?.pause(pause)
    }

    fn create_media(&mut self, tag: &VolumeTag) -> Result<()> {
        self.opened()?.create_media(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A robot that panics where two callers meet in it.
    #[derive(Clone, Default)]
    struct Busy(Arc<Mutex<bool>>);

    impl Busy {
        fn work(&self) {
            {
                let mut busy = self.0.lock().unwrap();
                assert!(!*busy, "two at once");
                *busy = true;
            }
            std::thread::sleep(Duration::from_millis(2));
            *self.0.lock().unwrap() = false;
        }
    }

    impl Changer for Busy {
        fn status(&mut self) -> Result<ChangerStatus> {
            self.work();
            Ok(ChangerStatus::default())
        }

        fn load_slot(&mut self, _slot: SlotNumber, _drive: DriveNumber) -> Result<()> {
            self.work();
            Ok(())
        }

        fn unload(&mut self, _drive: DriveNumber, slot: Option<SlotNumber>) -> Result<SlotNumber> {
            self.work();
            Ok(slot.unwrap_or(SlotNumber::from_index(0)))
        }

        fn transfer(&mut self, _from: SlotNumber, _to: SlotNumber) -> Result<()> {
            self.work();
            Ok(())
        }
    }

    #[test]
    fn the_robot_serves_one_after_the_other() {
        let (robot, queue) = (Busy::default(), RobotQueue::default());
        let slot = SlotNumber::from_index(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let robot = robot.clone();
                let open = move || Ok(Box::new(robot.clone()) as Box<dyn Changer>);
                let mut changer = QueuedChanger::new(open, queue.clone());
                scope.spawn(move || {
                    for _ in 0..5 {
                        changer.status().unwrap();
                        changer.load_slot(slot, DriveNumber(0)).unwrap();
                        changer.unload(DriveNumber(0), None).unwrap();
                    }
                });
            }
        });
        assert_eq!(queue.doing(), None);
    }

    /// Notes what it is asked for.
    #[derive(Clone, Default)]
    struct Noting(Arc<Mutex<Vec<&'static str>>>);

    impl Noting {
        fn note(&self, call: &'static str) {
            self.0.lock().unwrap().push(call);
        }
    }

    impl Changer for Noting {
        fn status(&mut self) -> Result<ChangerStatus> {
            self.note("status");
            Ok(ChangerStatus::default())
        }

        fn load_slot(&mut self, _slot: SlotNumber, _drive: DriveNumber) -> Result<()> {
            self.note("load");
            Ok(())
        }

        fn unload(&mut self, _drive: DriveNumber, slot: Option<SlotNumber>) -> Result<SlotNumber> {
            Ok(slot.unwrap_or(SlotNumber::from_index(0)))
        }

        fn transfer(&mut self, _from: SlotNumber, _to: SlotNumber) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_others_moved_is_looked_at_before_a_move() {
        let queue = RobotQueue::default();
        let handle = || {
            let noting = Noting::default();
            let opened = noting.clone();
            let open = move || Ok(Box::new(opened.clone()) as Box<dyn Changer>);
            (QueuedChanger::new(open, queue.clone()), noting)
        };
        let ((mut one, _), (mut other, asked)) = (handle(), handle());
        let load = |changer: &mut QueuedChanger| {
            changer.load_slot(SlotNumber::from_index(0), DriveNumber(0)).unwrap();
        };
        other.status().unwrap();
        load(&mut other);
        load(&mut one);
        load(&mut other);
        let calls = ["status", "load", "status", "status", "load", "status"];
        assert_eq!(*asked.0.lock().unwrap(), calls);
    }

    #[test]
    fn a_changer_that_cannot_be_opened_is_tried_again() {
        let answers = Arc::new(Mutex::new(vec![true, false]));
        let open = move || match answers.lock().unwrap().pop() {
            Some(true) => Ok(Box::new(Busy::default()) as Box<dyn Changer>),
            _ => Err(crate::Error::NoSuchDrive(DriveNumber(0))),
        };
        let queue = RobotQueue::default();
        let mut changer = QueuedChanger::new(open, queue.clone());
        assert!(changer.status().is_err());
        assert_eq!(queue.seen(), None);
        changer.status().unwrap();
        assert!(queue.seen().is_some());
    }
}
