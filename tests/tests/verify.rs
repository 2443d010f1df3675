//! Verifying media, and restoring what damaged, missing and several tapes still give.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test"
)]

use std::fs;
use std::path::PathBuf;

use reel_emu::Maker;
use reel_tests::emulated::{medium, shape};
use reel_tests::events::{events, keep_events};
use reel_tests::said::{refused, say};
use reel_tests::scene::{
    SNAPSHOTS, add_snapshot, assert_says, fill, library, only_set, stores_agree,
};
use reel_tests::{Daemon, Home, emulated, noise};
use serde_json::{Value, json};

/// Two snapshots of 6 MiB on one set of two media, in a library of four.
fn two_snapshots_on_two_media(home: &Home) -> Daemon<'_> {
    let daemon = home.start();
    fill(home, &daemon, "store1", 6);
    library(home, &daemon, "8MiB", &["VER001L8", "VER002L8", "VER003L8", "VER004L8"]);
    daemon.ctl("backup store1 daily");
    let used = daemon.json("media list").as_array().unwrap().iter().filter(has_set).count();
    assert_eq!(used, 2);
    daemon
}

/// A command whose task fails: its log and the error.
fn failed(daemon: &Daemon<'_>, line: &str) -> String {
    let said = say(daemon, line);
    assert_eq!(said.code, Some(255), "{line}: {}", said.stdout);
    said.stdout + &said.stderr
}

/// A line in a `ctl` whose task fails: its log.
fn act_fails(daemon: &Daemon<'_>, line: &str, folder: &str) -> String {
    daemon.echo(line, &format!("{folder}/ctl")).unwrap();
    let task = daemon.cat(&format!("{folder}/last-task"));
    let task = format!("tasks/{}", task.trim_end());
    assert!(fs::read_to_string(daemon.at(&format!("{task}/wait"))).is_err(), "{line}");
    daemon.cat(&format!("{task}/log"))
}

fn has_set(row: &&Value) -> bool {
    row.get("media-set-uuid").is_some()
}

fn row<'v>(rows: &'v Value, label: &str) -> &'v Value {
    let found = rows.as_array().unwrap().iter().find(|row| row["label-text"] == label);
    found.unwrap_or_else(|| panic!("{label} in {rows}"))
}

/// The files of a tape, the largest of which holds chunks.
fn chunk_archive(home: &Home, label: &str) -> PathBuf {
    let files = fs::read_dir(home.join("tapes")).unwrap().map(|file| file.unwrap().path());
    let of_tape = files.filter(|file| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("tapefile-") && name.ends_with(&format!("-{label}.json"))
    });
    of_tape.max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap()
}

fn flip_in_the_middle(file: &PathBuf) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn what_is_good_and_what_is_not() {
    let home = Home::new();
    let daemon = two_snapshots_on_two_media(&home);
    let set = only_set(&daemon);
    let none = daemon.json("media verified");
    assert_eq!(row(&none, "VER001L8")["verify-state"], json!("none"));
    let log = daemon.ctl(&format!("media verify --media-set {set}"));
    assert_says(&log, &["media 'VER001L8' is good", "media 'VER002L8' is good", "TASK OK"]);
    let rows = daemon.json("media verified --pool daily");
    assert_eq!(rows.as_array().unwrap().len(), 2, "{rows}");
    assert_eq!(row(&rows, "VER002L8")["verify-state"], json!("ok"));
    assert!(row(&rows, "VER002L8")["verified"].is_i64());

    flip_in_the_middle(&chunk_archive(&home, "VER001L8"));
    let log = act_fails(&daemon, "verify", "media/VER001L8");
    assert_says(&log, &["WARN: chunk", "no other media has it", "WARN: snapshot store1:vm/100"]);
    assert_says(&log, &["media 'VER001L8' is marked damaged", "TASK ERROR"]);
    assert_eq!(row(&daemon.json("media list"), "VER001L8")["status"], json!("damaged"));
    assert!(daemon.cat("media/VER001L8/status").contains("verify-state: failed\n"));
    let rows = daemon.json("media verified");
    assert!(row(&rows, "VER001L8")["lost-chunks"].as_u64().unwrap() > 0, "{rows}");

    // Everything goes to tape once more, and from then on the damaged one is not alone.
    let log = daemon.ctl("backup store1 daily");
    assert_says(&log, &["starting new media set - reason: unable to use media set"]);
    let log = failed(&daemon, "media verify VER001L8");
    assert_says(&log, &["damaged: VER001L8"]);
    let log = daemon.ctl("task list --limit 1 --all true --output-format json");
    assert!(log.contains("verify-media"), "{log}");
}

#[test]
fn what_cannot_be_verified_is_refused_at_once() {
    let home = Home::new();
    let daemon = two_snapshots_on_two_media(&home);
    assert_says(&refused(&daemon, "media verify VER004L8"), &["VER004L8", "in no media set"]);
    assert_says(&refused(&daemon, "media verify NOSUCHL8"), &["NOSUCHL8"]);
    assert_says(&refused(&daemon, "media verify"), &["one of the three"]);
    assert_says(&refused(&daemon, "media verify VER001L8 --pool daily"), &["one of the three"]);
    assert_says(&refused(&daemon, "media verify --pool nosuch"), &["nosuch"]);
    assert_says(&refused(&daemon, "media verify --pool daily --limit 0"), &["limit"]);
    assert_says(&refused(&daemon, "media verify VER001L8 --drive nosuch"), &["nosuch"]);
    daemon.ctl("media verify --pool daily");
    let late = refused(&daemon, "media verify --pool daily --outdated-after 30");
    assert_says(&late, &["nothing to verify"]);
}

#[test]
fn a_job_takes_what_was_not_verified_for_longest() {
    let home = Home::new();
    let daemon = two_snapshots_on_two_media(&home);
    let create = "create night pool=daily drive=drive1 outdated-after=30 limit=1 schedule=daily";
    daemon.echo(create, "media-verify-jobs/ctl").unwrap();
    assert!(daemon.cat("media-verify-jobs/night/config").contains("outdated-after: 30\n"));
    let file = fs::read_to_string(home.join("etc/media-verify.cfg")).unwrap();
    assert!(file.starts_with("media-verify: night\n\tdrive drive1\n\tlimit 1\n"), "{file}");
    let log = daemon.ctl("media-verify-job run night");
    assert_says(&log, &["Starting media verify job 'night'", "'VER001L8' is good", "TASK OK"]);
    let log = daemon.act("run", "media-verify-jobs/night");
    assert_says(&log, &["'VER002L8' is good"]);
    let log = daemon.ctl("media-verify-job run night");
    assert_says(&log, &["nothing to verify", "TASK OK"]);
    let state = daemon.json("media-verify-job status night");
    assert_eq!(state["last-run-state"], json!("OK"), "{state}");
    assert!(state["next-run"].is_i64(), "{state}");
    let listed = daemon.json("media-verify-job list");
    assert_eq!((&listed[0]["id"], &listed[0]["limit"]), (&json!("night"), &json!(1)));

    for (line, part) in [
        ("media-verify-job create other --pool nosuch --drive drive1", "nosuch"),
        ("media-verify-job create other --pool daily --drive nosuch", "nosuch"),
        ("media-verify-job create night --pool daily --drive drive1", "night"),
        ("media-verify-job update night --schedule tomorrow", "schedule"),
        ("media-verify-job update night --outdated-after -1", "outdated-after"),
        ("media-verify-job run nosuch", "nosuch"),
        ("media-verify-job remove nosuch", "nosuch"),
    ] {
        assert_says(&refused(&daemon, line), &[part]);
    }
    daemon.ctl("media-verify-job update night --delete schedule --comment nightly");
    assert!(daemon.json("media-verify-job status night").get("next-run").is_none());
    assert!(daemon.echo("remove other", "media-verify-jobs/night/ctl").is_err());
    daemon.ctl("media-verify-job remove night");
    assert!(daemon.json("media-verify-job list").as_array().unwrap().is_empty());
}

#[test]
fn a_lost_tape_costs_what_was_on_it_and_another_set_gives_it_back() {
    let home = Home::new();
    let daemon = two_snapshots_on_two_media(&home);
    let first = only_set(&daemon);
    let tape = home.join("tapes/tape-VER001L8.json");
    daemon.ctl("unload");
    fs::rename(&tape, home.join("shelf")).unwrap();
    daemon.ctl(&format!("datastore create store2 {}", home.join("store2").display()));
    let log = failed(&daemon, &format!("restore {first} store2"));
    assert_says(&log, &["not restored", SNAPSHOTS[0]]);

    daemon.ctl("backup store1 daily --force-media-set true");
    let log = daemon.ctl(&format!("restore {first} store2"));
    assert_says(&log, &["missing chunks are on media", "TASK WARNINGS: 1"]);
    stores_agree(&daemon, "store1", "store2");
}

#[test]
fn several_sets_in_one_restore() {
    let home = Home::new();
    let daemon = home.start();
    fill(&home, &daemon, "store1", 2);
    library(&home, &daemon, "16MiB", &["VER001L8", "VER002L8"]);
    daemon.ctl("backup store1 daily");
    let first = only_set(&daemon);
    fs::write(home.join("source/disk.img"), noise(2 << 20, 9)).unwrap();
    add_snapshot(&daemon, "store1", "vm/101/2026-01-12T08:00:00Z", &home.join("source/disk.img"));
    daemon
        .ctl("backup store1 daily --force-media-set true --latest-only true --groups group:vm/101");
    let sets = daemon.json("media-set list");
    let second =
        sets.as_array().unwrap().iter().find(|set| set["media-set-uuid"] != first.as_str());
    let second = second.unwrap()["media-set-uuid"].as_str().unwrap().to_string();
    daemon.ctl(&format!("datastore create store2 {}", home.join("store2").display()));
    daemon.ctl(&format!("restore {first},{second} store1=store2"));
    stores_agree(&daemon, "store1", "store2");
    let twice = refused(&daemon, &format!("restore {first},{first} store2"));
    assert_says(&twice, &["names one twice"]);
}

/// A set of one medium in an emulated library: the daemon, the set, and the medium's label.
fn one_backup_in_a_library(home: &Home) -> (Daemon<'_>, String, String) {
    emulated::make(home, &shape(&[Maker::Ibm]), &[medium("EMU001L8"), medium("EMU002L8")]);
    let daemon = home.start();
    emulated::configure(home, &daemon, 1);
    fill(home, &daemon, "store1", 2);
    daemon.ctl("pool create daily");
    daemon.ctl("barcode-label --pool daily");
    daemon.ctl("backup store1 daily");
    let set = only_set(&daemon);
    let listed = daemon.json("media list");
    let used = listed.as_array().unwrap().iter().find(has_set).unwrap();
    let label = used["label-text"].as_str().unwrap().to_owned();
    (daemon, set, label)
}

#[test]
fn a_restore_need_not_wait_for_a_tape_at_the_door() {
    let home = Home::new();
    let (daemon, set, label) = one_backup_in_a_library(&home);
    let label = label.as_str();
    daemon.ctl(&format!("export-media {label}"));
    daemon.ctl(&format!("datastore create store2 {}", home.join("store2").display()));
    let log = failed(&daemon, &format!("restore {set} store2 --skip-missing true"));
    assert_says(&log, &["Not in the library", label, "not restored", SNAPSHOTS[0], SNAPSHOTS[1]]);
    let log = failed(&daemon, &format!("media verify {label} --skip-missing true"));
    assert_says(&log, &["not verified", label]);
}

#[test]
fn people_are_told_how_a_verification_ended() {
    let home = Home::new();
    let daemon = two_snapshots_on_two_media(&home);
    keep_events(&home);
    let events_only = "--notification-mode notification-system";
    daemon.ctl(&format!("media-verify-job create night --pool daily --drive drive1 {events_only}"));
    daemon.ctl("media-verify-job run night");
    let told = &events(&home, |events| events.len() == 1)[0];
    assert_eq!((&told["type"], &told["severity"]), (&json!("tape-verify"), &json!("info")));
    assert_eq!(told["title"], "Media Verification 'night' successful");
    assert_eq!(told["fields"]["job-id"], "night");
    assert_eq!(told["data"]["good"], json!(["VER001L8", "VER002L8"]));

    flip_in_the_middle(&chunk_archive(&home, "VER001L8"));
    failed(&daemon, "media-verify-job run night");
    let told = &events(&home, |events| events.len() == 2)[1];
    assert_eq!(told["severity"], "error");
    assert_eq!(told["data"]["damaged"], json!(["VER001L8"]));
    assert_eq!(told["data"]["good"], json!(["VER002L8"]));
    let nobody = refused(&daemon, "media-verify-job update night --notify-user nobody@pam");
    assert_says(&nobody, &["notify-user", "nobody@pam"]);
}

#[test]
fn a_backup_that_fails_tells_what_is_on_tape_all_the_same() {
    let home = Home::new();
    let daemon = home.start();
    fill(&home, &daemon, "store1", 6);
    library(&home, &daemon, "8MiB", &["VER001L8"]);
    keep_events(&home);
    let events_only = "--notification-mode notification-system";
    let parts = "--store store1 --pool daily --drive drive1";
    daemon.ctl(&format!("backup-job create night {parts} {events_only}"));
    failed(&daemon, "backup-job run night");
    let told = &events(&home, |events| events.len() == 1)[0];
    assert_eq!(told["severity"], "error");
    assert_eq!(told["data"]["snapshot-list"], json!([SNAPSHOTS[0]]));
    assert_eq!(told["data"]["used-tapes"], json!([]));
    let error = told["data"]["error"].as_str().unwrap();
    assert!(error.contains("no usable media found"), "{error}");
}

#[test]
fn a_fetch_asks_for_a_tape_that_is_not_there() {
    let home = Home::new();
    let (daemon, set, label) = one_backup_in_a_library(&home);
    let label = label.as_str();
    let home_slot = slot_of(&daemon, label);
    daemon.ctl(&format!("export-media {label}"));
    daemon.kill();
    fs::remove_dir_all(home.join("cache/snapshots")).unwrap();
    let daemon = home.start_with(&["--ask-again-ms", "20"]);
    let log = failed(&daemon, &format!("fetch {set} --skip-missing true"));
    assert_says(&log, &["snapshots could not be read from tape", label]);

    daemon.echo("fetch", &format!("media-sets/{set}/ctl")).unwrap();
    let task = daemon.cat(&format!("media-sets/{set}/last-task"));
    let task = format!("tasks/{}", task.trim_end());
    while !daemon.cat(&format!("{task}/status")).contains(&format!("waits-for: media '{label}'")) {
        std::thread::yield_now();
    }
    let door = slot_of(&daemon, label);
    daemon.ctl(&format!("changer transfer sl3 --from {door} --to {home_slot}"));
    assert!(daemon.cat(&format!("{task}/wait")).contains("OK"));
}

/// Where a medium lies in the library, or where it came from into the drive.
fn slot_of(daemon: &Daemon<'_>, label: &str) -> u64 {
    let status = daemon.json("changer status sl3 --cache false");
    let entry = row(&status, label);
    entry.get("loaded-slot").unwrap_or(&entry["entry-id"]).as_u64().unwrap()
}
