//! A library that is used for years, and watched at each step.

use std::time::Duration;

use jiff::tz::TimeZone;
use proptest::sample::Index;
use reel_tape::{
    Error, InventoryFile, MediaLabel, MediaLabels, MediaPool, MediaSetLabel, PoolRules, PoolView,
    Site, StateDir, StateLock,
};
use reel_types::{
    AllocationPolicy, MediaId, MediaLocation, MediaSetId, MediaStatus, RetentionPolicy,
};
use uuid::Uuid;

use super::model::{Allocation, DAY, Model, Retention, Rules, SetLabel, Tape};

/// What happens next.
#[derive(Debug, Clone)]
pub enum Action {
    /// A job fills so many media of a pool; it may die while it writes the last one.
    Job {
        pool: usize,
        fills: u8,
        dies: bool,
        force: bool,
    },
    /// Time goes by.
    Pass {
        seconds: i64,
    },
    /// The clock is set back.
    SetBack {
        seconds: i64,
    },
    /// The clock is right again.
    PutRight,
    /// A new tape is labelled, for a pool or for any.
    Label {
        pool: Option<usize>,
    },
    /// The inventory forgets a tape.
    Lose(Index),
    /// The labels of a forgotten tape are read again.
    FindAgain(Index),
    ToVault(Index),
    BringBack(Index),
    /// A tape is marked damaged.
    GiveUp(Index),
    /// It is not, after all.
    TakeUp(Index),
    /// A restore begins that uses the set of a tape.
    BeginRestore(Index),
    EndRestores,
    Reconfigure {
        pool: usize,
        allocation: Allocation,
        retention: Retention,
    },
}

pub struct Library {
    _folder: tempfile::TempDir,
    state: StateDir,
    inventory: InventoryFile,
    rules: [Rules; 2],
    model: Model,
    /// Labels of tapes that the inventory forgot.
    forgotten: Vec<(MediaLabels, Tape)>,
    restores: Vec<(MediaSetId, StateLock)>,
    /// The true time, and how far behind it the clock is.
    time: i64,
    behind: i64,
    /// How long the clock was wrong altogether.
    wrong: i64,
    identities: u128,
    /// Whether all tapes were known all the time, under the same rules.
    undisturbed: bool,
    pub overwritten: usize,
}

/// Monday, 2024-01-01, noon.
const START: i64 = 1_704_110_400;

impl Library {
    pub fn new(pools: [(Allocation, Retention); 2]) -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let state = StateDir::new(folder.path());
        Self {
            inventory: InventoryFile::new(state.clone()),
            state,
            rules: pools.map(|(allocation, retention)| Rules { allocation, retention }),
            model: Model::default(),
            forgotten: Vec::new(),
            restores: Vec::new(),
            time: START,
            behind: 0,
            wrong: 0,
            identities: 0,
            undisturbed: true,
            overwritten: 0,
            _folder: folder,
        }
    }

    pub fn play(&mut self, action: &Action) {
        self.undisturbed &=
            !matches!(action, Action::Lose(_) | Action::FindAgain(_) | Action::Reconfigure { .. });
        match action {
            Action::Job { pool, fills, dies, force } => self.job(*pool, *fills, *dies, *force),
            Action::Pass { seconds } => self.pass(*seconds),
            Action::SetBack { seconds } => self.behind += seconds,
            Action::PutRight => self.behind = 0,
            Action::Label { pool } => self.label(*pool),
            Action::Lose(which) => self.lose(which),
            Action::FindAgain(which) => self.find_again(which),
            Action::ToVault(which) => self.carry(which, true),
            Action::BringBack(which) => self.carry(which, false),
            Action::GiveUp(which) => self.mark(which, true),
            Action::TakeUp(which) => self.mark(which, false),
            Action::BeginRestore(which) => self.begin_restore(which),
            Action::EndRestores => self.restores.clear(),
            Action::Reconfigure { pool, allocation, retention } => {
                self.rules[*pool] = Rules { allocation: *allocation, retention: *retention };
            }
        }
        self.check_listing();
    }

    fn pass(&mut self, seconds: i64) {
        self.time += seconds;
        if self.behind > 0 {
            self.wrong += seconds;
        }
    }

    fn now(&self) -> i64 {
        self.time - self.behind
    }

    fn new_identity(&mut self) -> Uuid {
        self.identities += 1;
        // Scattered, so that the order of identities is not that of time.
        Uuid::from_u128(self.identities.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
    }

    fn tape(&self, which: &Index) -> Option<MediaId> {
        let tapes: Vec<MediaId> = self.model.tapes.keys().copied().collect();
        (!tapes.is_empty()).then(|| *which.get(&tapes))
    }

    fn label(&mut self, pool: Option<usize>) {
        let uuid = MediaId(self.new_identity());
        let label = MediaLabel {
            ctime: self.now(),
            label_text: format!("T{:05}", self.identities).parse().unwrap(),
            pool: pool.map(|pool| pool_name(pool).parse().unwrap()),
            uuid,
        };
        self.store(MediaLabels { label, media_set_label: None });
        self.model.tapes.insert(uuid, Tape { pool, ..Tape::default() });
    }

    fn store(&self, labels: MediaLabels) {
        let stored = self.inventory.update(Duration::ZERO, |inventory| {
            inventory.store(labels, false);
            Ok(())
        });
        stored.unwrap();
    }

    fn lose(&mut self, which: &Index) {
        let Some(medium) = self.tape(which) else { return };
        let removed = self.inventory.update(Duration::ZERO, |all| Ok(all.remove(medium))).unwrap();
        let tape = self.model.tapes.remove(&medium).unwrap();
        self.forgotten.push((removed.unwrap().labels, tape));
    }

    fn find_again(&mut self, which: &Index) {
        if self.forgotten.is_empty() {
            return;
        }
        let (labels, tape) = self.forgotten.swap_remove(which.index(self.forgotten.len()));
        let medium = labels.label.uuid;
        self.store(labels);
        self.model.tapes.insert(medium, Tape { in_vault: false, given_up: false, ..tape });
    }

    fn carry(&mut self, which: &Index, away: bool) {
        let Some(medium) = self.tape(which) else { return };
        let place = match away {
            true => MediaLocation::Vault("cellar".parse().unwrap()),
            false => MediaLocation::Offline,
        };
        self.inventory.update(Duration::ZERO, |all| all.set_location(medium, place)).unwrap();
        self.model.tapes.get_mut(&medium).unwrap().in_vault = away;
    }

    fn mark(&mut self, which: &Index, given_up: bool) {
        let Some(medium) = self.tape(which) else { return };
        let status = given_up.then_some(MediaStatus::Damaged);
        self.inventory.update(Duration::ZERO, |all| all.set_status(medium, status)).unwrap();
        self.model.tapes.get_mut(&medium).unwrap().given_up = given_up;
    }

    fn begin_restore(&mut self, which: &Index) {
        let Some(label) = self.tape(which).and_then(|medium| self.model.tapes[&medium].label)
        else {
            return;
        };
        if let Ok(lock) = self.state.lock_media_set(label.set, Duration::ZERO) {
            self.restores.push((label.set, lock));
        }
    }

    fn job(&mut self, pool: usize, fills: u8, dies: bool, force: bool) {
        let identity = self.new_identity();
        let mut identities = (0..).map(move |number| Uuid::from_u128(identity.as_u128() ^ number));
        let opened = MediaPool::open(
            self.state.clone(),
            self.pool_rules(pool),
            Site::Standalone,
            TimeZone::UTC,
            Box::new(move || MediaSetId(identities.next().unwrap())),
            Duration::ZERO.into(),
        );
        let mut session = match opened {
            Ok(session) => session,
            Err(Error::Locked { .. } | Error::DuplicateSequenceNumber { .. }) => return,
            Err(error) => panic!("{error}"),
        };
        match session.start_write_session(self.now(), force) {
            Ok(_) => {}
            Err(Error::Locked { .. } | Error::DuplicateSequenceNumber { .. }) => return,
            Err(error) => panic!("{error}"),
        }
        for number in 1..=fills {
            let medium = match session.alloc_writable_media(self.now(), |_| Ok(())) {
                Ok(medium) => medium,
                Err(
                    Error::NoUsableMedia { .. }
                    | Error::SetUnusable { .. }
                    | Error::DuplicateSequenceNumber { .. },
                ) => return,
                Err(error) => panic!("{error}"),
            };
            let set = session.current_set();
            self.write(medium.labels.label.uuid, &medium.set_label, medium.is_new(), pool, set);
            self.pass(3 * 3600);
            if dies && number == fills {
                return;
            }
            if number < fills {
                session.set_full(medium.labels.label.uuid).unwrap();
            }
        }
    }

    /// A tape gets its set label and data: the moment of truth.
    fn write(
        &mut self,
        medium: MediaId,
        label: &MediaSetLabel,
        is_new: bool,
        pool: usize,
        set: MediaSetId,
    ) {
        let tape = self.model.tapes[&medium];
        assert!(!tape.given_up, "a tape that was given up is written");
        assert!(!tape.in_vault, "a tape in a vault is written");
        if let Some(old) = tape.label {
            match old.set == set {
                true => assert!(!is_new, "a member joins its own set"),
                false => self.check_overwrite(old, pool),
            }
        } else {
            assert!(tape.pool.is_none_or(|own| own == pool), "a tape of another pool is taken");
        }
        let label = SetLabel { set, pool, seq_nr: label.seq_nr, ctime: label.ctime };
        let written = self.time;
        self.model.tapes.insert(medium, Tape { label: Some(label), written, ..tape });
    }

    fn check_overwrite(&mut self, old: SetLabel, pool: usize) {
        let (now, rules) = (self.now(), self.rules[pool]);
        assert_eq!(old.pool, pool, "a tape that another pool wrote is written over");
        assert!(
            self.restores.iter().all(|(set, _)| *set != old.set),
            "a tape is written over whose set is being restored"
        );
        let expires_at = self.model.expires_at(old, rules);
        assert!(
            expires_at.is_some_and(|expires_at| expires_at <= now),
            "{old:?} is written over at {now}, but expires at {expires_at:?} by {rules:?}"
        );
        self.check_age(old, rules, now);
        self.overwritten += 1;
    }

    /// What the operator counts on, whatever the rule says: so long, in true time, nobody touches what was written last.
    /// With a set a job, PBS counts from the job's beginning. A clock that was set back may cost the time for which it
    /// was wrong, and that since the last set before, but not the time by which it was set back.
    fn check_age(&self, old: SetLabel, rules: Rules, now: i64) {
        let Retention::Days(days) = rules.retention else { return };
        let counts = self.undisturbed && self.behind == 0;
        if !counts || rules.allocation == Allocation::Always {
            return;
        }
        let since = self.model.last_written(old.set);
        let lost = if self.wrong == 0 { 0 } else { self.wrong + DAY };
        assert!(
            now >= since + days * DAY - lost,
            "{old:?} was last written at {since} and is written over at {now} by {rules:?}"
        );
    }

    fn pool_rules(&self, pool: usize) -> PoolRules {
        let Rules { allocation, retention } = self.rules[pool];
        PoolRules {
            allocation: match allocation {
                Allocation::Continue => AllocationPolicy::Continue,
                Allocation::Always => AllocationPolicy::Always,
                Allocation::Daily => AllocationPolicy::At("daily".parse().unwrap()),
                Allocation::Weekly => AllocationPolicy::At("mon".parse().unwrap()),
            },
            retention: match retention {
                Retention::Keep => RetentionPolicy::Keep,
                Retention::Overwrite => RetentionPolicy::Overwrite,
                Retention::Days(days) => {
                    RetentionPolicy::ProtectFor(format!("{days} days").parse().unwrap())
                }
            },
            ..PoolRules::new(pool_name(pool).parse().unwrap())
        }
    }

    /// What listings call expired is what may be written over.
    fn check_listing(&self) {
        let inventory = self.inventory.load().unwrap();
        for pool in 0..2 {
            let rules = self.pool_rules(pool);
            let current = inventory.latest_set(&rules.name);
            let zone = TimeZone::UTC;
            let view = PoolView::new(&rules, &inventory, current, &Site::Anywhere, &zone);
            let Ok(view) = view else { continue };
            for entry in inventory.media_in_pool(&rules.name) {
                let Some(label) = self.model.tapes[&entry.uuid()].label else { continue };
                if view.is_expired(entry, self.now()) {
                    let expires_at = self.model.expires_at(label, self.rules[pool]);
                    assert!(expires_at.is_some_and(|at| at <= self.now()), "{label:?} is listed");
                }
            }
        }
    }
}

fn pool_name(pool: usize) -> &'static str {
    ["first", "second"][pool]
}
