//! The life of a media set: labels, a backup over several media, catalogs, a restore; on a daemon that dies.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use nix::libc::SIGKILL;
use reel_tests::scene::{fill, library, only_set, stores_agree};
use reel_tests::{Daemon, Home, oracle};

use super::judge;

/// Size of a snapshot's image: three chunks.
const IMAGE_MIB: usize = 12;
/// Media that take two chunks and meet their end in the third.
const MAX_SIZE: &str = "12MiB";
/// Media that the set comes to.
const LABELS: [&str; 3] = ["T1", "T2", "T3"];
/// Media for what a backup that died has to write once more.
const SPARE_LABELS: [&str; 2] = ["T4", "T5"];
/// For those who die often: what was not committed is written to the next medium.
const MANY_LABELS: usize = 20;

/// The datastores of many lives, for making one takes longer than all the rest of a life.
pub struct Source {
    store1: PathBuf,
    /// Where a restore goes to.
    store2: Option<PathBuf>,
    chunks: Vec<PathBuf>,
}

impl Source {
    pub fn new(home: &Home, with_target: bool) -> Self {
        let daemon = home.start();
        fill(home, &daemon, "store1", IMAGE_MIB);
        let store2 = with_target.then(|| home.join("store2"));
        if let Some(path) = &store2 {
            daemon.ctl(&format!("datastore create store2 {}", path.display()));
        }
        daemon.stop();
        let store1 = home.join("store1");
        let chunks = chunks_in(&store1.join(".chunks"));
        Self { store1, store2, chunks }
    }

    fn create_stores(&self, daemon: &Daemon<'_>) {
        let stores = [("store1", Some(&self.store1)), ("store2", self.store2.as_ref())];
        for (name, path) in stores {
            let Some(path) = path else { continue };
            daemon
                .ctl(&format!("datastore create {name} {} --reuse-datastore true", path.display()));
        }
    }

    /// Makes the target what it was before the first restore.
    fn empty_target(&self) {
        let Some(target) = &self.store2 else { return };
        let _ = fs::remove_dir_all(target.join("vm"));
        for chunk in &self.chunks {
            let _ = fs::remove_file(target.join(".chunks").join(chunk));
        }
        assert_eq!(chunks_in(&target.join(".chunks")), Vec::<PathBuf>::new());
    }
}

/// All files below a chunk folder, as `xxxx/NAME`.
fn chunks_in(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for prefix in fs::read_dir(folder).expect("the chunk folder") {
        let prefix = prefix.expect("an entry");
        for file in fs::read_dir(prefix.path()).expect("a folder of chunks") {
            found.push(PathBuf::from(prefix.file_name()).join(file.expect("a file").file_name()));
        }
    }
    found
}

/// One life, on a daemon that dies once.
struct Life<'a> {
    home: &'a Home,
    point: &'a str,
    daemon: Option<Daemon<'a>>,
    died: bool,
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
        assert!(!alive && !self.died, "reelctl {line}: {said}");
        assert_eq!(output.status.code(), Some(255), "{said}");
        self.died = true;
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
        judge::nothing_is_claimed_that_is_not_on_tape(self.home);
        judge::nothing_is_left_over(self.home);
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

    /// Takes away all that is known of the media, as a total loss does.
    fn forget_media(&mut self) {
        self.daemon.take().expect("a daemon").stop();
        fs::remove_dir_all(self.home.join("state/tape")).expect("remove the state");
        self.daemon = Some(self.home.start_with(&["--crash-at", self.point]));
    }

    /// Makes the catalog of each medium from the medium: of the last from the copy on it, of the others by reading all.
    fn make_catalogs(&mut self, members: &[String]) {
        for (number, label) in members.iter().enumerate().rev() {
            let scan = number + 1 < members.len();
            self.step(&format!("load-media {label}"));
            self.step(&format!("catalog --force true --scan {scan}"));
        }
    }
}

/// The labels of the media in the only set, in their order.
fn members(daemon: &Daemon<'_>) -> Vec<String> {
    let media = daemon.json("media list");
    let mut members: Vec<(u64, String)> = media
        .as_array()
        .into_iter()
        .flatten()
        .filter(|medium| medium["media-set-uuid"].is_string())
        .filter_map(|medium| {
            Some((medium["seq-nr"].as_u64()?, medium["label-text"].as_str()?.into()))
        })
        .collect();
    members.sort();
    members.into_iter().map(|(_, label)| label).collect()
}

/// A life of `operation` on a daemon that dies at `point`, up to where everything is as it should be.
pub fn live_through(operation: &str, point: &str, source: &Source) {
    source.empty_target();
    let home = Home::new();
    let daemon = home.start_with(&["--crash-at", point]);
    source.create_stores(&daemon);
    library(&home, &daemon, MAX_SIZE, &[]);
    let mut life = Life { home: &home, point, daemon: Some(daemon), died: false };
    let spare: &[&str] = if operation == "backup" { &SPARE_LABELS } else { &[] };
    for label in LABELS.iter().chain(spare) {
        life.step(&format!("label --label-text {label} --pool daily"));
        life.step("unload");
    }
    life.step("backup store1 daily");
    let (set, members) = (only_set(life.daemon()), members(life.daemon()));
    assert!(members.len() >= LABELS.len(), "{members:?}");
    if operation == "backup" {
        judge::nothing_is_claimed_that_is_not_on_tape(&home);
    } else {
        judge::state_agrees_with_tapes(&home);
    }
    if operation == "catalog" {
        life.forget_media();
    }
    life.make_catalogs(&members);
    if let Some(store2) = &source.store2 {
        life.step(&format!("restore {set} store2"));
        stores_agree(life.daemon(), "store1", "store2");
        oracle(&["datastore".as_ref(), store2.as_os_str()]);
    }
    assert!(life.died, "'{point}' was never reached");
    if operation != "backup" {
        judge::state_agrees_with_tapes(&home);
    }
    all_is_well(&home, life.daemon.take().expect("a daemon"), &set);
}

/// The set is whole, on the tapes and for readers, and the daemon leaves nothing behind.
fn all_is_well(home: &Home, daemon: Daemon<'_>, set: &str) {
    judge::set_is_complete(home, set);
    judge::set_agrees_with_datastore(&daemon, set, "store1");
    daemon.stop();
    judge::nothing_is_left_over(home);
    judge::nothing_is_held(home);
}

/// A backup on daemons that die at one of `points` after the other, and then one that lives.
pub fn die_again_and_again(points: &[&str], source: &Source) {
    let home = Home::new();
    let daemon = home.start();
    source.create_stores(&daemon);
    let labels: Vec<String> = (1..=MANY_LABELS).map(|number| format!("T{number:02}")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    library(&home, &daemon, MAX_SIZE, &labels);
    daemon.stop();
    let mut deaths = Vec::new();
    for point in points {
        let daemon = home.start_with(&["--crash-at", point]);
        if daemon.try_ctl("backup store1 daily").status.success() {
            daemon.stop();
            continue;
        }
        assert_eq!(daemon.wait_for_death().signal(), Some(SIGKILL), "{point}");
        judge::nothing_is_claimed_that_is_not_on_tape(&home);
        deaths.push(*point);
    }
    eprintln!("died {} times: {deaths:?}", deaths.len());
    let daemon = home.start();
    daemon.ctl("backup store1 daily");
    let (set, members) = (only_set(&daemon), members(&daemon));
    judge::nothing_is_claimed_that_is_not_on_tape(&home);
    for label in members {
        daemon.ctl(&format!("catalog --label-text {label} --force true --scan true"));
    }
    all_is_well(&home, daemon, &set);
}
