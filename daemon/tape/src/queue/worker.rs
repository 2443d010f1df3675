//! The thread of a read queue: gets the drive, works wishes off, gives the drive back.

use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use reel_types::NoTask;

use super::archive_pass::ArchivePass;
use super::checking::{self, Unchecked};
use super::order::OrderBy;
use super::round::Round;
use super::stopwatch::Stopwatch;
use super::wishes::{MediumKey, Wishes};
use super::{NotReached, Shared};
use crate::drive_desk::{DriveHold, DriveState};
use crate::drive_times::Layout;
use crate::medium::load_member;
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
    let mut round = None;
    while has_work(shared) {
        match shared.parts.desk.hold(HOLDER, PATIENCE, &shared.cancel) {
            Ok(mut hold) => with_drive(shared, &mut hold, &mut round),
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
    let wanted = !state.closed && state.wishes.oldest().is_some();
    state.at_work = wanted;
    wanted
}

fn with_drive(shared: &Shared, hold: &mut DriveHold, round: &mut Option<Round>) {
    let (sender, receiver) = checking::channel();
    std::thread::scope(|scope| {
        checking::start(scope, shared, &receiver);
        let (desk, times) = (hold.desk(), &shared.parts.env.times);
        let watch = Stopwatch::new(desk.device_clock(), times.of_drive(desk.name()));
        Session { shared, checks: sender, loaded: None, round, watch }.run(hold);
    });
}

/// One time that the queue has the drive.
struct Session<'a> {
    shared: &'a Shared,
    checks: SyncSender<Unchecked>,
    /// The medium in the drive, and by what its archives are ordered.
    loaded: Option<(MediumKey, OrderBy)>,
    /// Where the queue left off reading; it goes on there, whatever others did with the drive in between.
    round: &'a mut Option<Round>,
    watch: Stopwatch,
}

impl Session<'_> {
    fn run(mut self, hold: &mut DriveHold) {
        self.work(hold);
        let times = &self.shared.parts.env.times;
        let learned = self.watch.learned();
        if let Some(Err(error)) = learned.map(|record| times.keep_drive(hold.name(), &record)) {
            tracing::warn!(drive = %hold.name(), %error, "what it was measured to take is not kept");
        }
    }

    fn work(&mut self, hold: &mut DriveHold) {
        let desk = Arc::clone(hold.desk());
        while let Some(medium) = self.next_medium(hold) {
            let read = self.load(hold, &medium).and_then(|()| self.read_archive(hold));
            if let Err(error) = read {
                self.medium_failed(&medium, error);
            }
            // At least one archive each time, so that readers come forward among many who want the drive.
            if desk.is_wanted() || self.shared.cancel.is_cancelled() {
                return;
            }
        }
    }

    /// The medium that is read next, after waiting a little for something better than another one; none where the drive
    /// is to be given back.
    fn next_medium(&mut self, hold: &DriveHold) -> Option<Arc<SetMedium>> {
        let since = Instant::now();
        let mut state = self.shared.state();
        loop {
            if state.closed {
                return None;
            }
            let next = self.peek(&mut state.wishes);
            let patience = self.patience(next.as_ref());
            if self.loaded.is_none() || since.elapsed() >= patience {
                let medium = next?.medium;
                self.begin_round(&mut state.wishes, MediumKey::of(&medium));
                return Some(medium);
            }
            if hold.desk().is_wanted() {
                return None;
            }
            hold.set_state(DriveState::Held);
            let waited = self.shared.changed.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What comes next in the round, or first in the one that would begin.
    fn peek(&self, wishes: &mut Wishes) -> Option<Target> {
        let goes_on = self.round.as_ref().and_then(|round| round.next(wishes));
        Some(goes_on.or_else(|| wishes.oldest())?.1)
    }

    /// Begins a round over a medium, unless one goes on.
    fn begin_round(&mut self, wishes: &mut Wishes, medium: MediumKey) {
        let goes_on = self.round.as_ref().is_some_and(|round| round.next(wishes).is_some());
        if !goes_on {
            *self.round = Some(Round::new(medium));
        }
    }

    /// How long to wait before `next` is read.
    fn patience(&self, next: Option<&Target>) -> Duration {
        let options = &self.shared.parts.options;
        match next {
            Some(target) if self.has_loaded(MediumKey::of(&target.medium)) => Duration::ZERO,
            Some(_) => options.before_change,
            None => options.linger,
        }
    }

    fn has_loaded(&self, medium: MediumKey) -> bool {
        self.loaded.as_ref().is_some_and(|(loaded, _)| *loaded == medium)
    }

    /// Reads what is wanted of the next archive of the round.
    fn read_archive(&mut self, hold: &mut DriveHold) -> Result<()> {
        self.find_route(hold);
        let Some(round) = self.round else { return Ok(()) };
        let next = round.next(&mut self.shared.state().wishes);
        // Who wanted it may have gone meanwhile.
        let Some((digest, target)) = next else { return Ok(()) };
        let pass = ArchivePass::new(self.shared, &self.checks, &mut self.watch, (&digest, &target));
        round.went(pass.run(hold)?);
        Ok(())
    }

    /// Finds in which order the archives come, where that is to be found.
    fn find_route(&mut self, hold: &mut DriveHold) {
        let (Some(round), Some((_, by))) = (&mut *self.round, &mut self.loaded) else { return };
        if *by == OrderBy::Number {
            return;
        }
        let wanted = round.without_route(&mut self.shared.state().wishes);
        let Some(wanted) = wanted else { return };
        match by.order(hold.drive(), &wanted) {
            Ok(Some(files)) => round.follow(files, &wanted),
            Ok(None) => round.go_forward(),
            Err(error) => {
                self.shared.complain_of_order(hold, &error);
                *by = OrderBy::Number;
                round.go_forward();
            }
        }
    }

    /// Makes sure that the medium is in the drive and still of the set that it is read for.
    fn load(&mut self, hold: &mut DriveHold, medium: &SetMedium) -> Result<()> {
        let key = MediumKey::of(medium);
        if self.has_loaded(key) {
            return Ok(());
        }
        self.loaded = None;
        let task = NoTask(self.shared.cancel.clone());
        let is_empty = hold.drive().medium_loaded().is_ok_and(|loaded| !loaded);
        let began = is_empty.then(|| self.watch.now());
        let SetMedium { label_text, id, set, .. } = medium;
        load_member(&self.shared.parts.env, hold, (label_text, *id), *set, &task)?;
        let layout = self.look_at_layout(hold, medium);
        self.watch.loaded(layout.as_ref(), began);
        self.loaded = Some((key, layout.as_ref().map_or(OrderBy::Number, OrderBy::of)));
        // The head stands elsewhere than where a route was found from.
        if let Some(round) = self.round {
            round.go_forward();
        }
        Ok(())
    }

    /// How the medium in the drive is laid out, where the drive tells.
    fn look_at_layout(&self, hold: &mut DriveHold, medium: &SetMedium) -> Option<Layout> {
        let asked = Layout::ask(hold.drive());
        let layout = asked.unwrap_or_else(|error| {
            self.shared.complain_of_order(hold, &error);
            None
        })?;
        if let Err(error) = self.shared.parts.env.times.keep_layout(medium.id, &layout) {
            tracing::warn!(medium = %medium.label_text, %error, "its layout is not kept");
        }
        Some(layout)
    }

    /// Fails what is wanted from a medium, unless another medium has it too.
    fn medium_failed(&mut self, medium: &SetMedium, error: Error) {
        self.loaded = None;
        *self.round = None;
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

impl Shared {
    /// Tells, the first time, that no order of access can be had.
    fn complain_of_order(&self, hold: &DriveHold, error: &reel_hw::Error) {
        if !self.order_failed.swap(true, Ordering::Relaxed) {
            self.parts.listener.without_order(hold.name(), error);
        }
    }
}
