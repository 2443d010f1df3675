//! The daemon dies at commit points of labels and restores, and in the middle of backups, restores and reads: what was committed is there at the next
//! start, nothing claims more than what is on tape, and the same work done again ends as if nothing had happened.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test"
)]

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use nix::libc::SIGKILL;
use reel_tape::COMMIT_POINTS;
use reel_tests::scene::{fill, library, only_set, stores_agree};
use reel_tests::{Daemon, Home, oracle, try_oracle};

/// Media that one snapshot of the scene overfills.
const MAX_SIZE: &str = "16MiB";

/// What a medium's label leads to, in the order of a life.
const LABELS: [&str; 5] = ["T1", "T2", "T3", "T4", "T5"];

/// One life of a media set, on a daemon that dies once.
struct Life<'a> {
    home: &'a Home,
    daemon: Option<Daemon<'a>>,
    crashed: bool,
}

impl Life<'_> {
    fn daemon(&self) -> &Daemon<'_> {
        self.daemon.as_ref().expect("a running daemon")
    }

    /// Does what `line` says; where the daemon dies of it, starts another, looks around and does it again.
    fn step(&mut self, line: &str) {
        let output = self.daemon().try_ctl(line);
        if output.status.success() {
            return;
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let alive = self.daemon().try_ctl("version").status.success();
        assert!(!alive && !self.crashed, "reelctl {line}: {said}");
        assert_eq!(output.status.code(), Some(255), "{said}");
        self.crashed = true;
        let died = self.daemon.take().expect("a daemon").wait_for_death();
        assert_eq!(died.signal(), Some(SIGKILL), "{line}");
        self.daemon = Some(self.home.start());
        self.look_around(line);
        self.again(line);
    }

    /// What must be true after a start that follows a crash.
    fn look_around(&self, line: &str) {
        let tasks = self.daemon().json("task list --all true");
        let newest = tasks.as_array().and_then(|tasks| tasks.first()).expect("the task that died");
        assert_eq!(newest["status"], "unknown", "{line}: {newest}");
        assert!(newest["endtime"].is_i64(), "{newest}");
        assert_eq!(self.daemon().ls("tasks/active"), Vec::<String>::new());
        nothing_is_claimed_that_is_not_on_tape(self.home);
        self.daemon().ctl("media content");
    }

    fn again(&self, line: &str) {
        let Some(label) = line.strip_prefix("label --label-text ") else {
            self.daemon().ctl(line);
            return;
        };
        let label = label.split(' ').next().expect("a label");
        // The label is on the tape: only the records may lack it, and reading it brings it back.
        let refused = self.daemon().ctl_fails(line);
        assert!(refused.contains("not empty") || refused.contains("exists"), "{refused}");
        self.daemon().ctl("inventory --read-all-labels true");
        let media = self.daemon().json("media list");
        let known =
            media.as_array().into_iter().flatten().any(|entry| entry["label-text"] == label);
        assert!(known, "{media}");
        self.daemon().ctl(&format!("load-media {label}"));
    }
}

/// Catalogs and inventory state exactly what is on the tapes.
fn state_agrees_with_tapes(home: &Home) {
    let (tapes, state) = (home.join("tapes"), home.join("state/tape"));
    oracle(&["vtape-vs-catalogs".as_ref(), tapes.as_os_str(), state.as_os_str()]);
}

/// No catalog claims what is not on tape. What a crash may leave there, no catalog claims: labels and archives that
/// were not committed, and a file that has no end yet.
fn nothing_is_claimed_that_is_not_on_tape(home: &Home) {
    let (tapes, state) = (home.join("tapes"), home.join("state/tape"));
    let judged = try_oracle(&["vtape-vs-catalogs".as_ref(), tapes.as_os_str(), state.as_os_str()]);
    let text = String::from_utf8_lossy(&judged.stdout).into_owned();
    let defects = text.lines().filter(|line| line.starts_with("DEFECT"));
    let bad: Vec<&str> = defects.filter(|line| !is_left_by_a_crash(line)).collect();
    assert!(bad.is_empty(), "{text}");
}

fn is_left_by_a_crash(defect: &str) -> bool {
    if defect.contains(" files, there are [") || defect.contains("inventory.json: [Errno 2]") {
        return true;
    }
    // A medium is given to a set in the records first, then on the tape.
    if defect.contains(" is missing")
        || defect.contains("media-set label on tape None, in the inventory")
    {
        return true;
    }
    let words: Vec<&str> = defect.split(' ').collect();
    let [_, _, on_tape, "against", in_catalog, "records", ..] = words[..] else { return false };
    let number = |text: &str| text.parse::<u64>().expect("a number of records");
    let (on_tape, in_catalog) = (number(on_tape), number(in_catalog));
    // A new catalog begins with the set's label, which is written to the tape next.
    on_tape >= in_catalog || (on_tape, in_catalog) == (1, 2)
}

/// A whole life: labels, a backup over several media, catalogs read back in both ways, and a restore.
fn live_through(point: &str, store1: &Path) {
    let home = Home::new();
    let daemon = home.start_with(&["--crash-at", point]);
    daemon.ctl(&format!("datastore create store1 {} --reuse-datastore true", store1.display()));
    library(&home, &daemon, MAX_SIZE, &[]);
    let store2 = home.join("store2");
    daemon.ctl(&format!("datastore create store2 {}", store2.display()));
    let mut life = Life { home: &home, daemon: Some(daemon), crashed: false };
    for label in LABELS {
        life.step(&format!("label --label-text {label} --pool daily"));
        life.step("unload");
    }
    life.step("backup store1 daily");
    for (label, scan) in [("T4", false), ("T3", false), ("T1", true), ("T2", true)] {
        life.step(&format!("load-media {label}"));
        life.step(&format!("catalog --force true --scan {scan}"));
    }
    let set = only_set(life.daemon());
    life.step(&format!("restore {set} store2"));
    assert!(life.crashed, "'{point}' was never reached");
    all_is_well(&home, life.daemon(), &set);
}

fn all_is_well(home: &Home, daemon: &Daemon<'_>, set: &str) {
    stores_agree(daemon, "store1", "store2");
    state_agrees_with_tapes(home);
    let tapes = home.join("tapes");
    oracle(&["set-complete".as_ref(), tapes.as_os_str(), OsStr::new(set)]);
    oracle(&["datastore".as_ref(), home.join("store2").as_os_str()]);
}

fn live_through_all(operation: &str) {
    let source = Home::new();
    let daemon = source.start();
    fill(&source, &daemon, "store1", 20);
    daemon.stop();
    for point in COMMIT_POINTS.into_iter().filter(|point| point.starts_with(operation)) {
        eprintln!("dying at '{point}'");
        live_through(point, &source.join("store1"));
    }
}

#[test]
fn a_daemon_that_dies_while_it_labels() {
    live_through_all("label");
}

#[test]
fn a_daemon_that_dies_while_it_restores() {
    live_through_all("restore");
}

/// Kills the daemon when `line` has said `word` in its log.
fn kill_when_said(home: &Home, line: &str, word: &str) {
    let daemon = home.start();
    let mut command = daemon.reelctl();
    command.args(line.split_whitespace()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().expect("reelctl starts");
    let mut output = child.stdout.take().expect("its output");
    let (mut said, mut buffer) = (Vec::new(), [0; 256]);
    while !String::from_utf8_lossy(&said).contains(word) {
        let length = output.read(&mut buffer).expect("read what reelctl says");
        assert!(length > 0, "never said '{word}': {}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&buffer[..length]);
    }
    daemon.kill();
    child.wait().expect("reelctl ends");
}

#[test]
fn a_daemon_killed_in_the_middle_goes_on_at_the_next_start() {
    if std::env::var_os("REELFS_UNSTEADY").is_none() {
        eprintln!(
            "skipped: fails now and then for a reason not found yet (ROADMAP.md); set REELFS_UNSTEADY"
        );
        return;
    }
    let home = Home::new();
    let daemon = home.start();
    fill(&home, &daemon, "store1", 60);
    library(&home, &daemon, "64MiB", &LABELS);
    daemon.ctl(&format!("datastore create store2 {}", home.join("store2").display()));
    daemon.stop();

    kill_when_said(&home, "backup store1 daily", "writing new media set label");
    let daemon = home.start();
    nothing_is_claimed_that_is_not_on_tape(&home);
    daemon.ctl("backup store1 daily");
    let set = only_set(&daemon);
    daemon.stop();

    kill_when_said(&home, &format!("restore {set} store2"), "File 2: chunk archive");
    let daemon = home.start();
    oracle(&["datastore".as_ref(), home.join("store2").as_os_str(), "--allow-unfinished".as_ref()]);
    // By the catalogs: a restore of everything also reads the archive that the first crash left, and minds it.
    let snapshots =
        reel_tests::scene::SNAPSHOTS.map(|snapshot| format!("store1:{snapshot}")).join(" ");
    daemon.ctl(&format!("restore {set} store2 {snapshots}"));
    stores_agree(&daemon, "store1", "store2");
    nothing_but_a_cut_archive_is_wrong(&home, &set);

    killed_under_a_reader(&home, daemon, &set);
}

/// The set is whole; the archive that a killed writer left without its end mark is all that may be said of it.
fn nothing_but_a_cut_archive_is_wrong(home: &Home, set: &str) {
    let tapes = home.join("tapes");
    let judged = try_oracle(&["set-complete".as_ref(), tapes.as_os_str(), OsStr::new(set)]);
    let text = String::from_utf8_lossy(&judged.stdout).into_owned();
    let mut defects = text.lines().filter(|line| line.starts_with("DEFECT"));
    assert!(defects.all(|line| line.ends_with("stream without end marker")), "{text}");
}

/// A reader of the mount gets an error, not an end; the next mount gives the whole file.
fn killed_under_a_reader(home: &Home, daemon: Daemon<'_>, set: &str) {
    let path = format!("media-sets/{set}/store1/{}/disk.img", reel_tests::scene::SNAPSHOTS[0]);
    let mut file = fs::File::open(daemon.at(&path)).expect("open the image");
    let mut first = vec![0; 1 << 20];
    file.read_exact(&mut first).expect("its first MiB");
    daemon.kill();
    let mut rest = Vec::new();
    let error = file.read_to_end(&mut rest).expect_err("the daemon is gone");
    assert_eq!(error.raw_os_error(), Some(nix::libc::ENOTCONN), "{error}");
    drop(file);
    let daemon = home.start();
    let image = fs::read(daemon.at(&path)).expect("read the image");
    assert_eq!(image.len(), 60 << 20);
    assert!(image.starts_with(&first));
}
