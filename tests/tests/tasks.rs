//! Tasks of a running daemon, by `reelctl` and by the tree: followed, listed, stopped, waited for, started once, and what
//! is left of them (`config.md` §§9–10, `cli-manager.md` §§3.7–3.8).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test"
)]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};
use nix::libc;
use reel_tests::said::{refused, say, silent};
use reel_tests::scene::{errno, on_tape, only_set, target};
use reel_tests::{Daemon, Home, sha256_of};
use serde_json::{Value, json};

#[test]
fn a_task_is_followed_listed_and_told_by_its_end() {
    let home = Home::new();
    let daemon = home.start();
    daemon.ctl(&format!("drive create drive1 --path virtual:{}", home.join("tapes").display()));
    let said = say(&daemon, "label --label-text T1");
    assert_eq!((said.code, &*said.stderr), (Some(0), ""));
    assert!(
        said.stdout.ends_with("\nTASK OK\n") && !said.stdout.contains("T00:"),
        "{}",
        said.stdout
    );
    let failed = say(&daemon, "label --label-text T1");
    assert_eq!(failed.code, Some(255));
    assert!(failed.stdout.contains("\nTASK ERROR: ") || failed.stdout.starts_with("TASK ERROR: "));
    let reason = failed.stdout.trim_end().rsplit_once("TASK ERROR: ").unwrap().1.to_owned();
    assert_eq!(failed.stderr, format!("Error: task failed (status {reason})\n"));

    // JSON has the UPID and returns at once; the list has the keys and the order of PBS.
    let upid = upid_of(&daemon, "rewind");
    let wait = fs::read_to_string(daemon.at(&format!("tasks/{upid}/wait"))).unwrap();
    assert_eq!(wait, "OK\n");
    let tasks = daemon.json("task list --all");
    let keys: Vec<&String> = tasks[0].as_object().unwrap().keys().collect();
    let expected = [
        "endtime",
        "node",
        "pid",
        "pstart",
        "starttime",
        "status",
        "upid",
        "user",
        "worker_id",
        "worker_type",
    ];
    assert_eq!(keys, expected);
    assert_eq!((&tasks[0]["upid"], &tasks[0]["status"]), (&json!(upid), &json!("OK")));
    assert_eq!(tasks[1]["status"], json!(reason), "an error stands without a prefix");
    assert_eq!(daemon.json("task list --all --limit 2").as_array().unwrap().len(), 2);
    assert_eq!(daemon.ctl("task list"), "", "none runs");
    let table = daemon.ctl("task list --all");
    let rows: Vec<&str> = table.lines().filter(|line| line.contains("UPID:")).collect();
    assert!(rows.len() == 3 && table.contains(&upid), "{table}");

    let failed_upid = tasks[1]["upid"].as_str().unwrap();
    let log = say(&daemon, &format!("task log {failed_upid}"));
    assert_eq!(log.code, Some(255), "a failed task fails who follows it");
    assert_eq!(log.stdout, failed.stdout);
    let status = daemon.json(&format!("task status {failed_upid}"));
    assert_eq!((&status["status"], &status["exitstatus"]), (&json!("stopped"), &json!(reason)));
    silent(&daemon, &format!("task stop {failed_upid}"));
    assert_eq!(daemon.json(&format!("task status {failed_upid}")), status);

    let unknown = "UPID:n:00000001:00000002:00000003:5CA78B83:rewind-media:vt0:root@pam:";
    for verb in ["log", "status", "stop"] {
        let said = refused(&daemon, &format!("task {verb} {unknown}"));
        assert_eq!(said, format!("Error: no such task '{unknown}'\n"));
    }
}

/// Starts what `line` says and gives its UPID, as JSON has it.
fn upid_of(daemon: &Daemon<'_>, line: &str) -> String {
    let said = say(daemon, &format!("{line} --output-format json"));
    assert_eq!((said.code, &*said.stderr), (Some(0), ""), "{line}");
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {}", said.stdout))
}

/// Stops a task in a way that `stop` says, and asserts that it ended so.
fn assert_stops(daemon: &Daemon<'_>, upid: &str, stop: impl FnOnce()) {
    assert_eq!(daemon.json(&format!("task status {upid}"))["status"], "running");
    let listed = daemon.json("task list");
    assert_eq!((&listed[0]["upid"], &listed[0]["status"]), (&json!(upid), &Value::Null));
    assert_eq!(daemon.ls("tasks/active"), [upid]);
    stop();
    let wait = fs::read_to_string(daemon.at(&format!("tasks/{upid}/wait")));
    assert_eq!(errno(wait), libc::EIO);
    let status = daemon.json(&format!("task status {upid}"));
    let end = status["exitstatus"].as_str().unwrap();
    assert!(end.ends_with("abort requested - aborting task"), "{status}");
    let log = say(daemon, &format!("task log {upid}"));
    assert!(log.stdout.ends_with(&format!("TASK ERROR: {end}\n")), "{}", log.stdout);
    assert_eq!(daemon.ls("tasks/active"), Vec::<String>::new());
}

#[test]
fn a_task_stops_where_it_works_and_where_it_waits() {
    let home = Home::new();
    let daemon = on_tape(&home);
    let set = only_set(&daemon);

    // An image that would take minutes.
    let endless = home.join("endless.img");
    File::create(&endless).unwrap().set_len(1 << 46).unwrap();
    let line = format!("snapshot create store1 vm/9 disk.img={}", endless.display());
    let upid = upid_of(&daemon, &line);
    assert_stops(&daemon, &upid, || silent(&daemon, &format!("task stop {upid}")));
    assert!(
        !home.join("store1/vm/9").exists() || daemon.json("snapshot list store1 vm/9") == json!([])
    );
    let upid = upid_of(&daemon, &line);
    assert_stops(&daemon, &upid, || daemon.echo("stop", &format!("tasks/{upid}/ctl")).unwrap());

    // Somebody else has the media set, or the pool.
    target(&home, &daemon);
    for (lock, line) in [
        (format!(".media-set-{set}.lck"), format!("restore {set} store2")),
        (".pool-daily.lck".to_owned(), "backup store1 daily".to_owned()),
        (format!(".media-set-{set}.lck"), "backup store1 daily".to_owned()),
    ] {
        let held = hold(&home.join("state/tape").join(lock));
        let upid = upid_of(&daemon, &line);
        assert_stops(&daemon, &upid, || silent(&daemon, &format!("task stop {upid}")));
        drop(held);
    }
    daemon.ctl(&format!("restore {set} store2"));
}

/// Holds a lock file, as another program would.
fn hold(path: &Path) -> Flock<File> {
    let file = File::options().write(true).open(path).unwrap();
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno).unwrap()
}

#[test]
fn a_token_starts_one_task() {
    let home = Home::new();
    let daemon = home.start();
    daemon.ctl(&format!("drive create drive1 --path virtual:{}", home.join("tapes").display()));
    daemon.ctl("label --label-text T1");
    let ask = |line: &str| daemon.echo(line, "drives/drive1/ctl");
    let task = || daemon.cat("drives/drive1/last-task");
    ask("rewind id=one").unwrap();
    let first = task();
    ask("rewind").unwrap();
    let second = task();
    assert_ne!(first, second);
    ask("rewind id=one").unwrap();
    assert_eq!(task(), first, "the same token is the same task");
    let count = || daemon.json("task list --all").as_array().unwrap().len();
    let before = count();
    assert_eq!(errno(ask("eject id=one")), libc::EINVAL);
    assert!(daemon.cat("drives/drive1/last-error").contains(first.trim_end()));
    assert_eq!(errno(ask("read-label id=two")), libc::EINVAL, "it starts no task");
    assert_eq!(count(), before, "nothing was started");
}

#[test]
fn the_folder_of_a_task_tells_all_of_it() {
    let home = Home::new();
    let daemon = home.start();
    daemon.ctl(&format!("drive create drive1 --path virtual:{}", home.join("tapes").display()));
    daemon.ctl("label --label-text T1");
    let upid = upid_of(&daemon, "rewind");
    let folder = format!("tasks/{upid}");
    assert_eq!(daemon.cat(&format!("{folder}/wait")), "OK\n");
    let names = [
        "ctl",
        "last-error",
        "last-task",
        "log",
        "progress",
        "progress.json",
        "status",
        "status.json",
        "wait",
    ];
    assert_eq!(daemon.ls(&folder), names);
    let status = daemon.cat(&format!("{folder}/status"));
    for line in [
        "state: stopped",
        "exit-status: OK",
        "worker-type: rewind-media",
        "worker-id: drive1",
        "user: root@pam",
    ] {
        assert!(status.lines().any(|text| text == line), "{line}: {status}");
    }
    let status: Value =
        serde_json::from_str(&daemon.cat(&format!("{folder}/status.json"))).unwrap();
    assert_eq!(status["exit-status"], "OK");
    let log = daemon.cat(&format!("{folder}/log"));
    assert!(log.ends_with(": TASK OK\n"), "{log}");
    assert_eq!(fs::metadata(daemon.at(&format!("{folder}/log"))).unwrap().len(), log.len() as u64);
    assert!(daemon.cat(&format!("{folder}/ctl")).contains("stop"));
    let nowhere = "tasks/UPID:n:00000001:00000002:00000003:5CA78B83:t::root@pam:/status";
    assert_eq!(errno(fs::read(daemon.at(nowhere))), libc::ENOENT);
    assert_eq!(errno(fs::remove_dir_all(daemon.at(&folder))), libc::EPERM);
    assert_eq!(errno(fs::write(daemon.at(&format!("{folder}/log")), "x")), libc::EPERM);
}

#[test]
fn a_long_log_is_read_without_being_held() {
    let home = Home::new();
    let daemon = home.start();
    let upid = "UPID:n:00000001:000000AB:00000003:5CA78B83:catalog-media:vt0:root@pam:";
    let path = home.join("log/tasks/AB").join(upid);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let line = format!("2019-04-05T16:51:15+00:00: Found chunk: {}\n", "ab".repeat(32));
    let block = line.repeat((1 << 20) / line.len());
    let mut log = File::create(&path).unwrap();
    (0..192).for_each(|_| log.write_all(block.as_bytes()).unwrap());
    log.write_all(b"2019-04-05T16:51:15+00:00: TASK OK\n").unwrap();

    let shown = daemon.at(&format!("tasks/{upid}/log"));
    assert_eq!(fs::metadata(&shown).unwrap().len(), fs::metadata(&path).unwrap().len());
    let before = memory_mib(&daemon);
    assert_eq!(sha256_of(&shown).unwrap(), sha256_of(&path).unwrap());
    let grown = memory_mib(&daemon).saturating_sub(before);
    assert!(grown < 64, "{grown} MiB for a log of 192 MiB");
    assert_eq!(daemon.json(&format!("task status {upid}"))["exitstatus"], "OK");
}

/// The most memory of its own that the daemon ever had, in MiB.
fn memory_mib(daemon: &Daemon<'_>) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[test]
fn the_archive_of_tasks_is_rotated_at_midnight() {
    let home = Home::new();
    let midnight = 1_717_545_600; // 2024-06-05T00:00:00Z
    let before = home.start_with(&["--clock", &(midnight - 3600).to_string()]);
    let state = home.join("state/jobstates/logrotate-access-log_and_task-archive.json");
    let created = format!("{{\"created\":{{\"time\":{}}}}}", midnight - 3630);
    assert_eq!(fs::read_to_string(&state).unwrap(), created);
    assert_eq!(before.json("task list --all"), json!([]));
    before.stop();

    let archive = home.join("log/tasks/archive");
    let line = |number: u32| {
        format!(
            "UPID:n:00000001:000000AB:{number:08X}:5CA78B83:rewind-media:vt0:root@pam: 5CA78B84 OK\n"
        )
    };
    let ended: String = (0..7000).map(line).collect();
    assert!(ended.len() > 524_287);
    fs::write(&archive, &ended).unwrap();
    let after = home.start_with(&["--clock", &(midnight + 8 * 3600).to_string()]);
    let tasks = after.json("task list --all --limit 1");
    assert_eq!(tasks[0]["worker_type"], "logrotate");
    let upid = tasks[0]["upid"].as_str().unwrap();
    assert_eq!(after.cat(&format!("tasks/{upid}/wait")), "OK\n");
    assert_eq!(fs::read_to_string(home.join("log/tasks/archive.1")).unwrap(), ended);
    let shown = after.ls("tasks");
    assert_eq!((shown.len(), shown.contains(&upid.to_owned())), (7002, true), "and 'active'");
    let finished: Value = serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
    assert_eq!(finished["finished"]["upid"], upid);
    assert!(finished["finished"]["state"]["OK"]["endtime"].is_i64(), "{finished}");
    after.stop();
    let again = home.start_with(&["--clock", &(midnight + 9 * 3600).to_string()]);
    assert_eq!(again.json("task list --all --limit 1")[0]["upid"], upid, "once a day");
}
