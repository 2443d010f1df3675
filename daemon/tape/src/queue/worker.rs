//! The thread of a read queue: gets the drive, works wishes off, gives the drive back.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use reel_types::NoTask;

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
    while has_work(shared) {
        match shared.parts.desk.hold(HOLDER, PATIENCE, &shared.cancel) {
            Ok(mut hold) => with_drive(shared, &mut hold),
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

fn with_drive(shared: &Shared, hold: &mut DriveHold) {
    let (sender, receiver) = checking::channel();
    std::thread::scope(|scope| {
        checking::start(scope, shared, &receiver);
        Session { shared, checks: sender, loaded: None, here: None }.run(hold);
    });
}

/// One time that the queue has the drive.
struct Session<'a> {
    shared: &'a Shared,
    checks: SyncSender<Unchecked>,
    loaded: Option<MediumKey>,
    here: Option<(MediumKey, At)>,
}

impl Session<'_> {
    fn run(mut self, hold: &mut DriveHold) {
        let desk = Arc::clone(hold.desk());
        loop {
            let Some((digest, target)) = self.next() else {
                hold.set_state(DriveState::Held);
                if self.linger(hold) { continue } else { return }
            };
            let medium = Arc::clone(&target.medium);
            let read = self.load(hold, &medium).and_then(|()| {
                let pass = ArchivePass::new(self.shared, &self.checks, &digest, &target);
                pass.run(hold)
            });
            match read {
                Ok(at) => self.here = Some((MediumKey::of(&medium), at)),
                Err(error) => self.medium_failed(&medium, error),
            }
            // At least one archive each time, so that readers come forward among many who want the drive.
            if desk.is_wanted() || self.shared.cancel.is_cancelled() {
                return;
            }
        }
    }

    fn next(&self) -> Option<(reel_types::Digest, Target)> {
        let mut state = self.shared.state();
        if state.closed { None } else { state.wishes.next(self.here) }
    }

    /// Waits a little for more work; false where the drive is to be given back.
    fn linger(&self, hold: &DriveHold) -> bool {
        let until = Instant::now() + self.shared.parts.options.linger;
        let mut state = self.shared.state();
        loop {
            if state.closed || hold.desk().is_wanted() {
                return false;
            }
            if state.wishes.waiting() > 0 {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            let waited = self.shared.changed.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
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
        self.here = None;
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
