//! The thread of a read queue: gets the drive, works wishes off, gives the drive back.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use reel_types::{Digest, NoTask};

use super::archive_pass::ArchivePass;
use super::checking::{self, Unchecked};
use super::wishes::{At, MediumKey};
use super::{NotReached, Shared};
use crate::drive_desk::{DriveHold, DriveState};
use crate::medium::load_medium;
use crate::set_contents::{SetMedium, Target};
use crate::{Error, Result};

/// How long it stands in line before it looks whether anybody still wants something.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often an idle queue looks whether somebody else wants the drive.
const LOOK: Duration = Duration::from_millis(20);

/// What others see while the queue has the drive.
const HOLDER: &str = "read queue";

/// Works until nothing is wanted any more.
pub(super) fn work(shared: &Arc<Shared>) {
    let _watch = Watch(shared);
    let mut here = None;
    while has_work(shared) {
        match shared.parts.desk.hold(HOLDER, PATIENCE, &shared.cancel) {
            Ok(mut hold) => with_drive(shared, &mut hold, &mut here),
            Err(Error::DriveBusy { .. }) => {}
            Err(error) => shared.fail_all(&Arc::new(error)),
        }
    }
}

/// Nobody waits for ever, not even for a thread that panicked.
struct Watch<'a>(&'a Shared);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.state().at_work = false;
            let reason = "reading was given up by a fault of this program; try again".into();
            self.0.fail_all(&Arc::new(Error::InvalidInput(reason)));
        }
    }
}

/// Whether there is something to do; else the thread is no longer at work, in the same step.
fn has_work(shared: &Shared) -> bool {
    let mut state = shared.state();
    let wanted = !state.closed && state.wishes.next(None).is_some();
    state.at_work = wanted;
    wanted
}

/// Where the queue left off reading; it goes on there, whatever others did with the drive in between.
type Here = Option<(MediumKey, At)>;

fn with_drive(shared: &Shared, hold: &mut DriveHold, here: &mut Here) {
    let (sender, receiver) = checking::channel();
    std::thread::scope(|scope| {
        checking::start(scope, shared, &receiver);
        Session { shared, checks: sender, loaded: None, here }.run(hold);
    });
}

/// One time that the queue has the drive.
struct Session<'a> {
    shared: &'a Shared,
    checks: SyncSender<Unchecked>,
    loaded: Option<MediumKey>,
    here: &'a mut Here,
}

impl Session<'_> {
    fn run(mut self, hold: &mut DriveHold) {
        let desk = Arc::clone(hold.desk());
        while let Some((digest, target)) = self.next(hold) {
            let medium = Arc::clone(&target.medium);
            let read = self.load(hold, &medium).and_then(|()| {
                let pass = ArchivePass::new(self.shared, &self.checks, &digest, &target);
                pass.run(hold)
            });
            match read {
                Ok(at) => *self.here = Some((MediumKey::of(&medium), at)),
                Err(error) => self.medium_failed(&medium, error),
            }
            // At least one archive each time, so that readers come forward among many who want the drive.
            if desk.is_wanted() || self.shared.cancel.is_cancelled() {
                return;
            }
        }
    }

    /// What is read next, after waiting a little for something better than another medium; none where the drive
    /// is to be given back.
    fn next(&self, hold: &DriveHold) -> Option<(Digest, Target)> {
        let since = Instant::now();
        let mut state = self.shared.state();
        loop {
            if state.closed {
                return None;
            }
            let next = state.wishes.next(*self.here);
            let patience = self.patience(next.as_ref().map(|(_, target)| target));
            if self.loaded.is_none() || since.elapsed() >= patience {
                return next;
            }
            if hold.desk().is_wanted() {
                return None;
            }
            hold.set_state(DriveState::Held);
            let waited = self.shared.changed.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How long to wait before `next` is read.
    fn patience(&self, next: Option<&Target>) -> Duration {
        let options = &self.shared.parts.options;
        match next {
            Some(target) if self.loaded == Some(MediumKey::of(&target.medium)) => Duration::ZERO,
            Some(_) => options.before_change,
            None => options.linger,
        }
    }

    /// Makes sure that the medium is in the drive and still of the set that it is read for.
    fn load(&mut self, hold: &mut DriveHold, medium: &SetMedium) -> Result<()> {
        let key = MediumKey::of(medium);
        if self.loaded == Some(key) {
            return Ok(());
        }
        self.loaded = None;
        let task = NoTask(self.shared.cancel.clone());
        let labels = load_medium(hold, &medium.label_text, medium.id, &task)?;
        if labels.assigned_set().map(|label| label.uuid) != Some(medium.set) {
            return Err(Error::WrongMedium {
                wanted: medium.label_text.clone(),
                found: format!("it no longer belongs to media set {}", medium.set),
            });
        }
        self.loaded = Some(key);
        Ok(())
    }

    /// Fails what is wanted from a medium, unless another medium has it too.
    fn medium_failed(&mut self, medium: &SetMedium, error: Error) {
        self.loaded = None;
        *self.here = None;
        self.shared.parts.listener.medium_failed(&medium.label_text, &error);
        let cause = Arc::new(error);
        let mut state = self.shared.state();
        let failed: Vec<_> = state
            .wishes
            .on_medium(MediumKey::of(medium))
            .into_iter()
            .filter_map(|digest| {
                let elsewhere = |target: &Target| target.medium.id != medium.id;
                Some((digest, state.wishes.retry(&digest, elsewhere)?))
            })
            .collect();
        drop(state);
        for (digest, waiters) in failed {
            let (medium, cause) = (medium.label_text.clone(), Arc::clone(&cause));
            let error = reel_store::source::ChunkError::from(NotReached { digest, medium, cause });
            waiters.iter().for_each(|waiter| waiter.deliver(Err(error.clone())));
        }
    }
}
