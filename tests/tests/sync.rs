//! Sync jobs: run by hand, by the mount and by their schedule; on a daemon that dies at each commit point.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails ends the test")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;

use nix::libc::SIGKILL;
use reel_remote::pull::COMMIT_POINTS;
use reel_tests::scene::{SNAPSHOTS, add_snapshot, fill, hashes, stores_agree, target};
use reel_tests::{Daemon, Home, noise};

/// 2026-01-12 08:00:00 UTC, a Monday, in UNIX seconds.
const MONDAY: i64 = 1_768_204_800;
const HOUR: i64 = 3600;

fn with_job<'h>(home: &'h Home, options: &str) -> Daemon<'h> {
    let daemon = home.start();
    fill(home, &daemon, "store1", 8);
    target(home, &daemon);
    daemon.ctl(&format!("sync-job create local --store store2 --remote-store store1 {options}"));
    daemon
}

/// The images and small files of all finished snapshots of a datastore, by their names in it.
fn content(home: &Home, daemon: &Daemon<'_>, store: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for group in daemon.ls(&format!("datastores/{store}/vm")) {
        for time in daemon.ls(&format!("datastores/{store}/vm/{group}")) {
            let snapshot = format!("vm/{group}/{time}");
            if !home.join(store).join(&snapshot).join("index.json.blob").exists() {
                continue;
            }
            for file in ["disk.img", "vm.conf"] {
                let path = daemon.at(&format!("datastores/{store}/{snapshot}/{file}"));
                let read = fs::read(&path);
                let read = read.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                found.insert(format!("{snapshot}/{file}"), read);
            }
        }
    }
    found
}

/// Both datastores have the same.
fn assert_agree(home: &Home, daemon: &Daemon<'_>) {
    let (here, there) = (content(home, daemon, "store2"), content(home, daemon, "store1"));
    let names = |content: &BTreeMap<String, Vec<u8>>| content.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&here), names(&there));
    assert!(here == there);
}

#[test]
fn a_job_between_two_datastores_by_the_mount_and_by_reelctl() {
    let home = Home::new();
    let daemon = with_job(&home, "--remove-vanished");
    assert_eq!(daemon.cat("sync-jobs/local/next-run"), "");
    let log = daemon.act("run", "sync-jobs/local");
    assert!(log.contains("sync job 'local'"), "{log}");
    assert!(log.contains("percentage done: 100.00% (2/2 snapshots)"), "{log}");
    assert!(log.contains("Summary: 1 groups, 2 snapshots; "), "{log}");
    stores_agree(&daemon, "store1", "store2");
    let task = daemon.cat("sync-jobs/local/last-task");
    assert!(task.contains(r":syncjob:\x2d\x3astore1\x3astore2\x3a\x3alocal:root@pam:"), "{task}");
    let status = daemon.cat("sync-jobs/local/status");
    assert!(status.contains("last-run-state: OK"), "{status}");
    assert!(status.contains(&format!("last-run-upid: {}", task.trim())), "{status}");

    daemon.ctl_words(&["group", "forget", "store1", "vm/100"]);
    let image = home.join("source/disk.img");
    add_snapshot(&daemon, "store1", "vm/101/2026-01-10T08:00:00Z", &image);
    let log = daemon.ctl("sync-job run local");
    assert!(log.contains("removed 2 snapshots, 1 groups, 0 namespaces"), "{log}");
    assert!(log.contains("no new data"), "all chunks were here: {log}");
    assert_agree(&home, &daemon);
}

/// The log of the job's last run.
fn last_log(daemon: &Daemon<'_>) -> String {
    let status = daemon.json("sync-job status local");
    let upid = status["last-run-upid"].as_str().unwrap();
    daemon.cat(&format!("tasks/{upid}/log"))
}

#[test]
fn what_fails_fails_the_task_and_says_why() {
    let home = Home::new();
    let daemon = with_job(&home, "--owner sync@pbs");
    let said = daemon.ctl_fails("sync-job run local");
    assert!(said.contains("sync failed with some errors"), "{said}");
    assert!(last_log(&daemon).contains(
        "failed: root namespace: 'sync@pbs' lacks the privilege Datastore.Backup on '/datastore/store2'"
    ));
    daemon.ctl("user create sync@pbs");
    daemon.ctl("acl update /datastore DatastoreAdmin --auth-id sync@pbs");
    add_snapshot(&daemon, "store2", SNAPSHOTS[0], &home.join("source/disk.img"));
    let said = daemon.ctl_fails("sync-job run local");
    assert!(said.contains("sync failed with some errors"), "{said}");
    let log = last_log(&daemon);
    assert!(log.contains("failed: group 'vm/100': it belongs to 'root@pam'"), "{log}");
    let state = daemon.json("sync-job status local")["last-run-state"].clone();
    assert_eq!(state, "sync failed with some errors");

    let config = home.join("etc/datastore.cfg");
    let stores = fs::read_to_string(&config).unwrap();
    let store2 = "datastore: store2\n";
    assert!(stores.contains(store2), "{stores}");
    fs::write(&config, stores.replace(store2, &format!("{store2}\tmaintenance-mode read-only\n")))
        .unwrap();
    let said = daemon.ctl_fails("sync-job run local");
    assert!(said.contains("maintenance mode 'read-only'"), "{said}");
    assert!(daemon.ctl_fails("sync-job run other").contains("other"));
}

#[test]
fn a_run_that_was_missed_is_made_up_once() {
    let home = Home::new();
    with_job(&home, "").stop();
    let at = |time: i64| home.start_with(&["--clock", &time.to_string()]);
    let syncs = |daemon: &Daemon<'_>| {
        let tasks = daemon.json("task list --all true");
        let is_sync = |task: &&serde_json::Value| task["worker_type"] == "syncjob";
        tasks.as_array().unwrap().iter().filter(is_sync).count()
    };
    let wait = |daemon: &Daemon<'_>| {
        for upid in daemon.ls("tasks/active") {
            fs::read_to_string(daemon.at(&format!("tasks/{upid}/wait"))).unwrap();
        }
    };
    let daemon = at(MONDAY);
    daemon.ctl_words(&["sync-job", "update", "local", "--schedule", "mon 10:00"]);
    assert_eq!(daemon.cat("sync-jobs/local/next-run"), "2026-01-12T10:00:00Z\n");
    daemon.stop();

    let daemon = at(MONDAY + HOUR);
    wait(&daemon);
    assert_eq!(syncs(&daemon), 0, "it is not due");
    daemon.stop();

    let daemon = at(MONDAY + 5 * HOUR);
    wait(&daemon);
    assert_eq!(syncs(&daemon), 1, "it was due three hours ago");
    stores_agree(&daemon, "store1", "store2");
    assert!(last_log(&daemon).contains("triggered by schedule 'mon 10:00'"));
    assert_eq!(daemon.cat("sync-jobs/local/next-run"), "2026-01-19T10:00:00Z\n");
    daemon.kill();

    let daemon = at(MONDAY + 6 * HOUR);
    wait(&daemon);
    assert_eq!(syncs(&daemon), 1, "and is not due again");
}

#[test]
fn a_daemon_that_dies_while_it_pulls() {
    let home = Home::new();
    with_job(&home, "--remove-vanished").stop();
    for point in COMMIT_POINTS {
        eprintln!("dying at '{point}'");
        let daemon = home.start();
        // What is removed must have been here.
        let is_removal = point == "pull: snapshot removed";
        empty(&home);
        if is_removal {
            add_snapshot(
                &daemon,
                "store2",
                "vm/100/2026-01-09T08:00:00Z",
                &home.join("source/disk.img"),
            );
        }
        daemon.stop();

        let daemon = home.start_with(&["--crash-at", point]);
        assert!(!daemon.try_ctl("sync-job run local").status.success(), "{point}");
        assert_eq!(daemon.wait_for_death().signal(), Some(SIGKILL), "{point}");

        let daemon = home.start();
        let state = daemon.json("sync-job status local")["last-run-state"].clone();
        assert_eq!(state, "unknown", "{point}");
        // Whatever has a manifest can be read to the end.
        content(&home, &daemon, "store2");
        daemon.ctl("sync-job run local");
        assert_agree(&home, &daemon);
        let left: Vec<_> = hashes(&home.join("store2/vm")).into_keys().collect();
        assert!(!left.iter().any(|path| path.extension().is_some_and(|e| e == "tmp")), "{left:?}");
        daemon.stop();
    }
}

/// Makes the target what it was before the first pull.
fn empty(home: &Home) {
    let _ = fs::remove_dir_all(home.join("store2/vm"));
    for prefix in fs::read_dir(home.join("store2/.chunks")).unwrap() {
        for chunk in fs::read_dir(prefix.unwrap().path()).unwrap() {
            fs::remove_file(chunk.unwrap().path()).unwrap();
        }
    }
}

#[test]
fn a_stopped_job_is_taken_up_where_it_stood() {
    let home = Home::new();
    let daemon = with_job(&home, "");
    let image = home.join("source/disk.img");
    for id in 101..110 {
        fs::write(&image, noise(8 << 20, id)).unwrap();
        add_snapshot(&daemon, "store1", &format!("vm/{id}/2026-01-10T08:00:00Z"), &image);
    }
    daemon.echo("run", "sync-jobs/local/ctl").unwrap();
    let task = daemon.cat("sync-jobs/local/last-task");
    let task = format!("tasks/{}", task.trim_end());
    // It may have ended before it is asked to stop: then nothing is left to be taken up, which is as good.
    let _ = daemon.echo("stop", &format!("{task}/ctl"));
    let _ = fs::read_to_string(daemon.at(&format!("{task}/wait")));
    daemon.ctl("sync-job run local");
    assert_agree(&home, &daemon);
}
