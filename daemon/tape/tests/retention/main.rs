//! Nothing that is not expired is ever written over (`tape-state.md` §§5-7): years of jobs, policies that change, clocks
//! that are set back and put right again, tapes that are lost, found again, carried away and given up, jobs that die in
//! the middle, restores that hold sets; each allocation is judged by a model that shares no code with the pool's own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod model;
mod play;

use model::{Allocation, DAY, Retention};
use play::{Action, Library};
use proptest::prelude::*;

fn allocation() -> impl Strategy<Value = Allocation> {
    prop_oneof![
        Just(Allocation::Continue),
        Just(Allocation::Always),
        Just(Allocation::Daily),
        Just(Allocation::Weekly),
    ]
}

fn retention() -> impl Strategy<Value = Retention> {
    prop_oneof![
        1 => Just(Retention::Keep),
        2 => Just(Retention::Overwrite),
        5 => (0..60i64).prop_map(Retention::Days),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let pool = 0..2usize;
    let tape = any::<prop::sample::Index>;
    prop_oneof![
        12 => (pool.clone(), 1..4u8, any::<bool>(), 0..20u8).prop_map(|(pool, fills, dies, forced)| {
            Action::Job { pool, fills, dies, force: forced == 0 }
        }),
        12 => (1..30 * 24i64).prop_map(|hours| Action::Pass { seconds: hours * 3600 + 17 }),
        3 => (1..20 * 24i64).prop_map(|hours| Action::SetBack { seconds: hours * 3600 }),
        3 => Just(Action::PutRight),
        3 => prop::option::of(pool.clone()).prop_map(|pool| Action::Label { pool }),
        2 => tape().prop_map(Action::Lose),
        2 => tape().prop_map(Action::FindAgain),
        2 => tape().prop_map(Action::ToVault),
        2 => tape().prop_map(Action::BringBack),
        1 => tape().prop_map(Action::GiveUp),
        1 => tape().prop_map(Action::TakeUp),
        2 => tape().prop_map(Action::BeginRestore),
        2 => Just(Action::EndRestores),
        2 => (pool, allocation(), retention()).prop_map(|(pool, allocation, retention)| {
            Action::Reconfigure { pool, allocation, retention }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_written_over_before_it_expires(
        actions in prop::collection::vec(action(), 60..260),
        first in (allocation(), retention()),
        second in (allocation(), retention()),
    ) {
        let mut library = Library::new([first, second]);
        for action in &actions {
            library.play(action);
        }
    }
}

#[test]
fn a_plain_year_reuses_tapes_and_keeps_each_for_its_time() {
    let weekly = (Allocation::Weekly, Retention::Days(20));
    let mut library = Library::new([weekly, (Allocation::Continue, Retention::Keep)]);
    for _ in 0..8 {
        library.play(&Action::Label { pool: Some(0) });
    }
    for _ in 0..365 {
        library.play(&Action::Job { pool: 0, fills: 1, dies: false, force: false });
        library.play(&Action::Pass { seconds: DAY });
    }
    assert!(library.overwritten > 20, "{}", library.overwritten);
}

#[test]
fn a_clock_that_is_set_back_takes_no_time_from_what_was_written_before() {
    let daily = (Allocation::Daily, Retention::Days(20));
    let mut library = Library::new([daily, (Allocation::Continue, Retention::Keep)]);
    // Few, so that one is written over as soon as that may be.
    for _ in 0..24 {
        library.play(&Action::Label { pool: Some(0) });
    }
    for day in 0..120 {
        match day {
            40 => {
                // So that something is written meanwhile.
                (0..3).for_each(|_| library.play(&Action::Label { pool: Some(0) }));
                library.play(&Action::SetBack { seconds: 18 * DAY });
            }
            43 => library.play(&Action::PutRight),
            _ => {}
        }
        library.play(&Action::Job { pool: 0, fills: 1, dies: false, force: true });
        library.play(&Action::Pass { seconds: DAY });
    }
    assert!(library.overwritten > 20, "{}", library.overwritten);
}
