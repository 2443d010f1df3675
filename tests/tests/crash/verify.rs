//! A daemon that dies while it notes what a verification found.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use nix::libc::SIGKILL;
use reel_tests::scene::{content_of, on_tape};
use reel_tests::{Daemon, Home};

use super::judge;

/// What is noted of T1: its status, and what was found.
fn noted(daemon: &Daemon<'_>) -> (String, String) {
    let of_t1 = |rows: serde_json::Value, key: &str| {
        let mut rows = rows.as_array().into_iter().flatten();
        let row = rows.find(|row| row["label-text"] == "T1").expect("T1");
        row[key].as_str().expect(key).to_owned()
    };
    let status = of_t1(daemon.json("media list"), "status");
    (status, of_t1(daemon.json("media verified"), "verify-state"))
}

fn damage(home: &Home) {
    let chunks = home.join("tapes/tapefile-2-T1.json");
    let mut bytes = fs::read(&chunks).expect("the chunks");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(chunks, bytes).expect("damage them");
}

/// A file as a process leaves it that is killed while it writes it.
fn half_written(folder: &Path) -> PathBuf {
    let path = folder.join(".Ab3dE9.new");
    fs::write(&path, "{").expect("half a record");
    path
}

/// A damaged medium is marked before anything else is noted of it; the next verification notes the rest.
pub fn die_of_a_damaged_medium(point: &str) {
    let home = Home::new();
    on_tape(&home).stop();
    damage(&home);
    let before = content_of(&home.join("tapes"));
    let daemon = home.start_with(&["--crash-at", point]);
    daemon.try_ctl("media verify T1");
    assert_eq!(daemon.wait_for_death().signal(), Some(SIGKILL), "{point}");
    let half = half_written(&home.join("state/tape/verified"));

    let daemon = home.start();
    assert!(!half.exists(), "{point}");
    let found = if point == "verify: record stored" { "failed" } else { "none" };
    assert_eq!(noted(&daemon), ("damaged".to_owned(), found.to_owned()), "{point}");
    daemon.ctl_fails("media verify T1");
    assert_eq!(noted(&daemon), ("damaged".to_owned(), "failed".to_owned()), "{point}");
    assert_eq!(content_of(&home.join("tapes")), before, "{point}");
    daemon.stop();
    judge::nothing_is_left_over(&home);
}
