//! The daemon dies at each commit point of its work on media, and in the middle of it: what was committed is there at
//! the next start, nothing claims more than what is on tape, and the same work done again ends as if nothing had
//! happened.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test"
)]

mod export;
mod judge;
mod life;
mod middle;
mod state;
mod verify;

use reel_tape::COMMIT_POINTS;
use reel_tests::Home;

use life::{Source, die_again_and_again, live_through};

/// The work that has commit points. Each has a test here that dies at all of them.
const OPERATIONS: [&str; 7] =
    ["label", "backup", "catalog", "restore", "export", "verify", "state"];

fn points_of(operation: &str) -> impl Iterator<Item = &'static str> {
    let prefix = format!("{operation}: ");
    COMMIT_POINTS.into_iter().filter(move |point| point.starts_with(&prefix))
}

fn live_through_all(operation: &str) {
    assert!(OPERATIONS.contains(&operation));
    let home = Home::new();
    let source = Source::new(&home, operation == "restore");
    for point in points_of(operation) {
        eprintln!("dying at '{point}'");
        live_through(operation, point, &source);
    }
}

#[test]
fn every_commit_point_is_one_of_an_operation_that_dies_here() {
    for point in COMMIT_POINTS {
        let found = OPERATIONS.iter().any(|operation| points_of(operation).any(|p| p == point));
        assert!(found, "no test dies at '{point}'");
    }
}

#[test]
fn a_daemon_that_dies_while_it_labels() {
    live_through_all("label");
}

#[test]
fn a_daemon_that_dies_while_it_backs_up() {
    live_through_all("backup");
}

#[test]
fn a_daemon_that_dies_while_it_makes_catalogs() {
    live_through_all("catalog");
}

#[test]
fn a_daemon_that_dies_while_it_restores() {
    live_through_all("restore");
}

#[test]
fn a_daemon_that_dies_while_it_exports() {
    points_of("export").for_each(export::die_on_the_way_to_a_vault);
    export::die_at_the_door();
}

#[test]
fn a_daemon_that_dies_while_it_notes_a_verification() {
    points_of("verify").for_each(verify::die_of_a_damaged_medium);
}

#[test]
fn a_daemon_that_dies_while_it_writes_its_state_to_a_file() {
    points_of("state").for_each(state::die_after_a_backup);
}

/// On whatever medium the backup has come to by then, and with what earlier deaths left on it.
#[test]
fn a_daemon_that_dies_again_and_again_while_it_backs_up() {
    let home = Home::new();
    let source = Source::new(&home, false);
    let points: Vec<_> = points_of("backup").collect();
    // The last of them is reached only once everything else is done.
    let (last, before) = points.split_last().unwrap();
    let mut deaths = [before, before, before].concat();
    deaths.push(last);
    die_again_and_again(&deaths, &source);
}
