//! Backup jobs on an emulated library with two drives: schedules, requests for media,
//! what people are told.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails ends the test")]

use std::fs;

use reel_emu::{CartridgeFacts, Maker};
use reel_tests::emulated::{medium, shape};
use reel_tests::events::{events, keep_events};
use reel_tests::scene::one_snapshot;
use reel_tests::{Daemon, Home, emulated};
use serde_json::{Value, json};

/// Looks for media often, so that no test waits.
const SOON: [&str; 2] = ["--ask-again-ms", "20"];

/// A library with a medium for each of two pools, a datastore, and a hook that keeps events.
fn prepare(home: &Home, daemon: &Daemon<'_>) {
    emulated::configure(home, daemon, 2);
    one_snapshot(home, daemon, 4);
    for (pool, label) in [("daily", "EMU001L8"), ("weekly", "EMU002L8")] {
        daemon.ctl(&format!("pool create {pool}"));
        daemon.ctl(&format!("load-media {label} --drive drive0"));
        daemon.ctl(&format!("label --label-text {label} --pool {pool} --drive drive0"));
        daemon.ctl("unload --drive drive0");
    }
    keep_events(home);
}

/// All that, on an emulated library with these two media.
fn prepared(home: &Home) -> Daemon<'_> {
    let media = [1, 2].map(|number| medium(&format!("EMU00{number}L8")));
    emulated::make(home, &shape(&[Maker::Ibm, Maker::Hp]), &media);
    let daemon = home.start_with(&SOON);
    prepare(home, &daemon);
    daemon
}

/// And a job for each pool, on a drive of its own.
fn with_two_jobs(home: &Home) -> Daemon<'_> {
    let daemon = prepared(home);
    create(&daemon, "daily0", "daily", "drive0");
    create(&daemon, "weekly1", "weekly", "drive1");
    daemon
}

fn create(daemon: &Daemon<'_>, id: &str, pool: &str, drive: &str) {
    daemon.ctl(&format!(
        "backup-job create {id} --store store1 --pool {pool} --drive {drive} --notification-mode notification-system"
    ));
}

fn of_kind<'e>(events: &'e [Value], kind: &str) -> Vec<&'e Value> {
    events.iter().filter(|event| event["type"] == kind).collect()
}

/// Starts a run of a job by its `ctl`; the folder of the task.
fn run(daemon: &Daemon<'_>, id: &str) -> String {
    daemon.echo("run", &format!("backup-jobs/{id}/ctl")).unwrap();
    format!("tasks/{}", daemon.cat(&format!("backup-jobs/{id}/last-task")).trim_end())
}

fn wait_until(what: impl Fn() -> bool) {
    while !what() {
        std::thread::yield_now();
    }
}

fn waits_for(daemon: &Daemon<'_>, task: &str) -> String {
    let status = daemon.cat(&format!("{task}/status"));
    let line = status.lines().find_map(|line| line.strip_prefix("waits-for: "));
    line.unwrap_or_default().to_owned()
}

#[test]
fn a_job_asks_for_its_medium_once_and_goes_on_when_it_comes() {
    let home = Home::new();
    let daemon = prepared(&home);
    create(&daemon, "job1", "daily", "drive0");
    // A first run makes the medium the one that the set goes on with; then it is taken out.
    let log = daemon.act("run", "backup-jobs/job1");
    assert!(log.contains("Starting tape backup job 'job1'"), "{log}");
    assert!(log.contains("end backup store1"), "{log}");
    let told = events(&home, |events| events.len() == 1);
    assert_eq!(told[0]["severity"], "info");
    assert_eq!(told[0]["data"]["used-tapes"], json!(["EMU001L8"]));
    assert_eq!(told[0]["fields"]["job-id"], "job1");
    assert_eq!(daemon.json("backup-job status job1")["last-run-state"], "OK");
    daemon.ctl("unload --drive drive0");
    let image = home.join("disk.img");
    fs::write(&image, reel_tests::noise(4 << 20, 7)).unwrap();
    reel_tests::scene::add_snapshot(&daemon, "store1", "vm/100/2031-01-11T10:43:48Z", &image);
    // The set goes on with another medium where the last one is gone: so there is one, and none of it is here.
    daemon.ctl("changer transfer sl3 --from 1 --to 5");
    let refused = daemon.ctl_fails("backup-job run job1");
    assert!(refused.contains("no usable media found"), "{refused}");
    // What the inventory takes for online may be gone all the same when it is wanted.
    daemon.ctl("changer transfer sl3 --from 5 --to 1");
    daemon.ctl("load-media EMU001L8 --drive drive1");
    let task = run(&daemon, "job1");
    wait_until(|| waits_for(&daemon, &task).contains("EMU001L8"));
    assert!(daemon.cat("drives/drive0/status").contains("waits-for: EMU001L8\n"));
    let asked = events(&home, |events| !of_kind(events, "tape-load").is_empty());
    let asked = of_kind(&asked, "tape-load")[0].clone();
    assert_eq!(
        (&asked["data"]["device"], &asked["data"]["label-text"]),
        (&json!("sl3"), &json!("EMU001L8"))
    );
    let log = daemon.cat(&format!("{task}/log"));
    assert!(log.contains("Please insert media 'EMU001L8' into changer 'sl3'"), "{log}");

    // Killed in the middle of the wait: the next run waits as well, and nobody is asked a second time.
    daemon.kill();
    let daemon = home.start_with(&SOON);
    let task = run(&daemon, "job1");
    wait_until(|| waits_for(&daemon, &task).contains("EMU001L8"));
    daemon.ctl("unload --drive drive1");
    let result = daemon.cat(&format!("{task}/wait"));
    assert!(result.contains("OK"), "{result}");
    let told = events(&home, |events| of_kind(events, "tape-backup").len() >= 3);
    assert_eq!(of_kind(&told, "tape-load").len(), 1, "{told:?}");

    // A wait that is stopped is over at once.
    reel_tests::scene::add_snapshot(&daemon, "store1", "vm/100/2032-01-11T10:43:48Z", &image);
    daemon.ctl("unload --drive drive0");
    daemon.ctl("load-media EMU001L8 --drive drive1");
    fs::write(&image, reel_tests::noise(4 << 20, 8)).unwrap();
    reel_tests::scene::add_snapshot(&daemon, "store1", "vm/100/2033-01-11T10:43:48Z", &image);
    let task = run(&daemon, "job1");
    wait_until(|| waits_for(&daemon, &task).contains("EMU001L8"));
    // It may be removed meanwhile; another of its name begins anew.
    let running = daemon.ctl_fails("backup-job run job1");
    assert!(running.contains("job 'job1' is running"), "{running}");
    daemon.ctl("backup-job remove job1");
    create(&daemon, "job1", "daily", "drive0");
    daemon.echo("stop", &format!("{task}/ctl")).unwrap();
    assert!(fs::read_to_string(daemon.at(&format!("{task}/wait"))).is_err());
    let log = daemon.cat(&format!("{task}/log"));
    assert!(log.contains("abort requested"), "{log}");
    wait_until(|| !daemon.cat("drives/drive0/status").contains("activity: UPID"));
    assert_eq!(daemon.json("backup-job status job1"), {
        let status = daemon.json("backup-job list")[0].clone();
        json!({ "id": "job1", "next-media-label": status["next-media-label"] })
    });
}

#[test]
fn drives_work_side_by_side_and_each_in_the_order_of_starts() {
    let home = Home::new();
    let daemon = with_two_jobs(&home);
    // One of them waits for a medium that the other's drive has, and for as long as that has it.
    daemon.ctl("load-media EMU001L8 --drive drive1");
    let waiting = run(&daemon, "daily0");
    wait_until(|| waits_for(&daemon, &waiting).contains("EMU001L8"));
    let log = daemon.act("run", "backup-jobs/weekly1");
    assert!(log.contains("end backup store1"), "{log}");
    // That drive puts it away for its own medium, and the other takes it.
    assert!(daemon.cat(&format!("{waiting}/wait")).contains("OK"));
    let set = daemon.json("media-set list");
    let daily = set.as_array().unwrap().iter().find(|set| set["pool"] == "daily").unwrap();
    let uuid = daily["media-set-uuid"].as_str().unwrap();

    // A restore on one drive while a backup runs on the other.
    daemon.ctl(&format!("datastore create store2 {}", home.join("store2").display()));
    daemon.ctl("unload --drive drive0");
    daemon.ctl("unload --drive drive1");
    let image = home.join("disk.img");
    fs::write(&image, reel_tests::noise(4 << 20, 9)).unwrap();
    reel_tests::scene::add_snapshot(&daemon, "store1", "vm/100/2031-01-11T10:43:48Z", &image);
    daemon.ctl("load-media EMU002L8 --drive drive0");
    let backup = run(&daemon, "weekly1");
    wait_until(|| waits_for(&daemon, &backup).contains("EMU002L8"));
    daemon.ctl(&format!("restore {uuid} store2 --drive drive0"));
    assert!(daemon.cat(&format!("{backup}/wait")).contains("OK"));
}

#[test]
fn a_schedule_starts_jobs_in_order_and_a_clock_set_back_keeps_none_from_running() {
    let far = |year: i64| (year - 1970) * 31_557_600;
    let home = Home::new();
    let daemon = home.start_with(&["--clock", &far(2030).to_string()]);
    reel_tests::scene::library(&home, &daemon, "64MiB", &["T1"]);
    one_snapshot(&home, &daemon, 4);
    for id in ["job1", "job2"] {
        daemon.ctl_words(&[
            "backup-job",
            "create",
            id,
            "--store",
            "store1",
            "--pool",
            "daily",
            "--drive",
            "drive1",
            "--schedule",
            "minutely",
        ]);
    }
    assert!(!daemon.cat("backup-jobs/job1/next-run").is_empty());
    daemon.stop();
    // Both were due while nobody was there; the daemon's start does what it missed.
    let daemon = home.start_with(&["--clock", &far(2100).to_string()]);
    let upids = || {
        ["job1", "job2"].map(|id| {
            let status = daemon.json(&format!("backup-job status {id}"));
            (status["last-run-state"].clone(), status["last-run-upid"].clone())
        })
    };
    wait_until(|| upids().iter().all(|(state, _)| state == "OK"));
    let logs =
        upids().map(|(_, upid)| daemon.cat(&format!("tasks/{}/log", upid.as_str().unwrap())));
    for log in &logs {
        assert!(log.contains("task triggered by schedule 'minutely'"), "{log}");
    }
    assert!(logs[0].contains("end backup store1"), "the first is the first: {}", logs[0]);
    assert!(logs[1].contains("skip snapshot"), "{}", logs[1]);
    daemon.stop();
    // Long before its last run: it is due from now on, not in decades.
    let daemon = home.start_with(&["--clock", &far(2040).to_string()]);
    let next = || daemon.json("backup-job status job1")["next-run"].as_i64().unwrap();
    wait_until(|| next() <= far(2040) + 60);
    assert!(home.daemon_log().contains("the clock was set back"));
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let home = Home::new();
    let daemon = home.start();
    reel_tests::scene::library(&home, &daemon, "64MiB", &["T1"]);
    one_snapshot(&home, &daemon, 1);
    let good = "--store store1 --pool daily --drive drive1";
    daemon.ctl(&format!("backup-job create job1 {good} --comment one"));
    let before = fs::read(home.join("etc/tape-job.cfg")).unwrap();
    let stale = "0".repeat(64);
    for (line, words) in [
        (format!("backup-job create job1 {good}"), "job1"),
        (format!("backup-job create jo {good}"), "'id'"),
        ("backup-job create job2 --store store9 --pool daily --drive drive1".into(), "store9"),
        ("backup-job create job2 --store store1 --pool weekly --drive drive1".into(), "weekly"),
        (
            "backup-job create job2 --store store1 --pool daily --drive drive9".into(),
            "no such drive 'drive9'",
        ),
        (format!("backup-job create job2 {good} --notify-user nobody@pam"), "nobody@pam"),
        (format!("backup-job create job2 {good} --schedule mon..tomorrow"), "'schedule'"),
        (format!("backup-job create job2 {good} --max-depth 8"), "'max-depth'"),
        (format!("backup-job create job2 {good} --group-filter foo"), "'group-filter'"),
        (
            format!("backup-job update job1 --comment two --digest {stale}"),
            "changed by another user",
        ),
        ("backup-job update job1 --drive drive9".into(), "no such drive 'drive9'"),
        ("backup-job update job1 --delete drive".into(), "'delete'"),
        (format!("backup-job remove job1 --digest {stale}"), "changed by another user"),
        ("backup-job remove job9".into(), "job9"),
        ("backup-job run job9".into(), "job9"),
        ("backup-job show job9".into(), "job9"),
    ] {
        let text = daemon.ctl_fails(&line);
        assert!(text.contains(words), "{line}: {text}");
    }
    assert_eq!(fs::read(home.join("etc/tape-job.cfg")).unwrap(), before);
    daemon.ctl("backup-job update job1 --comment= --latest-only true --schedule daily");
    daemon.ctl("backup-job update job1 --delete latest-only");
    let shown = json!({
        "id": "job1", "store": "store1", "pool": "daily", "drive": "drive1", "schedule": "daily"
    });
    assert_eq!(daemon.json("backup-job show job1"), shown);
    // A broken state keeps nobody from the others.
    fs::write(home.join("state/jobstates/tape-backup-job-job1.json"), "{").unwrap();
    for line in ["backup-job list", "backup-job run job1"] {
        let broken = daemon.ctl_fails(line);
        assert!(broken.contains("state of the job 'job1'"), "{line}: {broken}");
    }
    daemon.ctl("backup-job remove job1");
    assert_eq!(daemon.json("backup-job list"), json!([]));
    assert_eq!(daemon.ls("backup-jobs"), ["ctl", "last-error", "last-task"]);
}

/// Runs each line of the pages that is a command, in their order, on a daemon that has what they name.
#[test]
fn the_examples_of_the_pages_work() {
    for page in ["backup-jobs.md", "notifications.md"] {
        let home = Home::new();
        let daemon = home.start();
        reel_tests::scene::library(&home, &daemon, "64MiB", &["T1"]);
        one_snapshot(&home, &daemon, 1);
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
        let text = fs::read_to_string(path).unwrap();
        let mut count = 0;
        for line in text.lines().filter(|line| line.starts_with("reelctl ")) {
            let command = line.split("   ").next().unwrap();
            let reelctl = daemon.reelctl();
            let mut shell = std::process::Command::new("sh");
            let script = command.replacen("reelctl", reelctl.get_program().to_str().unwrap(), 1);
            for (name, value) in reelctl.get_envs().filter_map(|(name, value)| Some((name, value?)))
            {
                shell.env(name, value);
            }
            reel_tests::run(shell.arg("-c").arg(script));
            count += 1;
        }
        assert!(count >= 3, "{page}");
        let settings = text.split("```").find(|block| block.contains("notifications: settings"));
        if let Some(settings) = settings {
            fs::write(home.join("etc/reelfs.cfg"), settings.trim_start()).unwrap();
            daemon.ctl("reload");
        }
    }
}

/// Waits for the end of a task, which must be a good one; its log.
fn good_end(daemon: &Daemon<'_>, task: &str) -> String {
    let result = fs::read_to_string(daemon.at(&format!("{task}/wait")));
    let log = daemon.cat(&format!("{task}/log"));
    assert!(result.is_ok(), "{log}");
    log
}

/// Another snapshot in a datastore, with content of its own.
fn grow(home: &Home, daemon: &Daemon<'_>, store: &str, year: u16) {
    let image = home.join("disk.img");
    fs::write(&image, reel_tests::noise(1 << 20, year.into())).unwrap();
    let snapshot = format!("vm/100/{year}-01-11T10:43:48Z");
    reel_tests::scene::add_snapshot(daemon, store, &snapshot, &image);
}

#[test]
fn jobs_of_one_pool_take_turns_at_its_media_set() {
    let home = Home::new();
    let medium =
        |number| CartridgeFacts { capacity: 64 << 20, ..medium(&format!("EMU00{number}L8")) };
    let media = [1, 2].map(medium);
    emulated::make(&home, &shape(&[Maker::Ibm, Maker::Hp, Maker::Ibm]), &media);
    let daemon = home.start_with(&SOON);
    prepare(&home, &daemon);
    let third = format!("drive create drive2 --path {}", emulated::path(&home));
    daemon.ctl(&format!("{third} --changer sl3 --changer-drivenum 2"));
    daemon.ctl(&format!("datastore create store2 {}", home.join("store2").display()));
    create(&daemon, "first", "daily", "drive0");
    create(&daemon, "second", "daily", "drive1");
    daemon.ctl("backup-job update first --eject-media true");
    daemon.ctl("backup-job update second --store store2 --eject-media true");
    daemon.act("run", "backup-jobs/first");
    grow(&home, &daemon, "store1", 2031);
    grow(&home, &daemon, "store2", 2032);
    let waits = |task: &str| {
        wait_until(|| {
            daemon.cat(&format!("{task}/log")).contains("waiting for the media set of pool 'daily'")
        });
    };

    // The set's medium lies in a drive that nobody uses: the first job has the set, and waits for it.
    daemon.ctl("load-media EMU001L8 --drive drive2");
    let first = run(&daemon, "first");
    wait_until(|| waits_for(&daemon, &first).contains("EMU001L8"));
    let stopped = run(&daemon, "second");
    waits(&stopped);
    daemon.echo("stop", &format!("{stopped}/ctl")).unwrap();
    assert!(fs::read_to_string(daemon.at(&format!("{stopped}/wait"))).is_err());
    assert!(daemon.cat(&format!("{stopped}/log")).contains("abort requested"));
    let second = run(&daemon, "second");
    waits(&second);
    assert!(waits_for(&daemon, &first).contains("EMU001L8"), "it waits still");
    daemon.ctl("unload --drive drive2");
    good_end(&daemon, &first);
    let log = good_end(&daemon, &second);
    assert!(log.contains("end backup store2"), "{log}");

    // Now it lies in the drive of the job that waits for the set.
    grow(&home, &daemon, "store1", 2033);
    grow(&home, &daemon, "store2", 2034);
    daemon.ctl("load-media EMU001L8 --drive drive1");
    let first = run(&daemon, "first");
    wait_until(|| waits_for(&daemon, &first).contains("EMU001L8"));
    let second = run(&daemon, "second");
    let log = good_end(&daemon, &first);
    assert!(log.contains("end backup store1"), "{log}");
    let log = good_end(&daemon, &second);
    assert!(log.contains("end backup store2"), "{log}");
    let content = daemon.ctl("media content --pool daily");
    for year in [2031, 2032, 2033, 2034] {
        assert!(content.contains(&format!("vm/100/{year}-01-11T10:43:48Z")), "{content}");
    }
    reel_tests::scene::only_set(&daemon);
}

#[test]
fn drives_that_hold_each_others_media_exchange_them() {
    let home = Home::new();
    let daemon = with_two_jobs(&home);
    daemon.ctl("load-media EMU002L8 --drive drive0");
    daemon.ctl("load-media EMU001L8 --drive drive1");
    let tasks = ["daily0", "weekly1"].map(|id| run(&daemon, id));
    for task in tasks {
        let log = good_end(&daemon, &task);
        assert!(log.contains("end backup store1"), "{log}");
    }
}

#[test]
fn a_job_whose_medium_the_robot_drops_tells_so_and_goes_on() {
    let home = Home::new();
    let daemon = prepared(&home);
    create(&daemon, "job1", "daily", "drive0");
    daemon.stop();
    let other = home.join("library/cartridges/EMU002L8/data");
    let before = fs::read(&other).unwrap();
    emulated::drop_next(&home);
    let daemon = home.start_with(&SOON);
    let task = run(&daemon, "job1");
    let log = good_end(&daemon, &task);
    for words in [
        "Mechanical positioning error",
        "Please insert media 'EMU001L8' into changer 'sl3'",
        "found media label EMU001L8",
        "end backup store1",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
    let told = events(&home, |events| !of_kind(events, "tape-backup").is_empty());
    let asked = of_kind(&told, "tape-load");
    assert_eq!(asked.len(), 1, "{told:?}");
    assert_eq!(asked[0]["data"]["label-text"], "EMU001L8");
    drop(daemon);
    assert!(fs::read(&other).unwrap() == before, "another medium was written");
}
