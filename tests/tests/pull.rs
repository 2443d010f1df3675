//! Two daemons: one serves, the other pulls; over a line that breaks, into a disk that is full, with rights that lack.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what fails ends the test")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use reel_tests::relay::{Line, Relay};
use reel_tests::scene::{fill, target};
use reel_tests::serving::{Serving, new_token, remote_of};
use reel_tests::{Daemon, Home, oracle, unpack};

/// All files of a datastore but chunks and locks, with their content.
fn files(store: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![store.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(store).unwrap().to_owned();
            if name.starts_with(".chunks") || name.starts_with(".lock") {
                continue;
            }
            match path.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(name, fs::read(&path).unwrap())),
            }
        }
    }
    found
}

/// A daemon that serves `store1`, which has the two snapshots of [`fill`].
fn serving(home: &Home) -> Serving<'_> {
    let serving = Serving::start(home);
    fill(home, &serving.daemon, "store1", 8);
    serving
}

/// A daemon with the remote `far` and an empty `store2`.
fn pulling<'h>(home: &'h Home, serving: &Serving<'_>) -> Daemon<'h> {
    let daemon = home.start();
    target(home, &daemon);
    remote_of(serving, &daemon, "far", serving.address);
    daemon
}

/// The same content, though of two daemons.
fn agree(source: &Home, target: &Home) {
    let content = |home: &Home, store: &str| {
        let mut files = files(&home.join(store));
        // Whose groups are is each daemon's own affair.
        files.retain(|path, _| path.file_name().is_some_and(|name| name != "owner"));
        files
    };
    assert!(content(source, "store1") == content(target, "store2"));
    oracle(&["datastore".as_ref(), target.join("store2").as_os_str()]);
}

#[test]
fn one_pulls_from_the_other_by_reelctl_and_by_the_mount() {
    let (source, target) = (Home::new(), Home::new());
    let serving = serving(&source);
    let daemon = pulling(&target, &serving);
    let checked = daemon.json("remote check far");
    assert_eq!(checked["datastores"], serde_json::json!(["store1"]));
    let log = daemon.ctl("pull far store1 store2");
    assert!(log.contains("Summary: 1 groups, 2 snapshots; "), "{log}");
    agree(&source, &target);
    let log = daemon.act("pull far store1", "datastores/store2");
    assert!(log.contains("no new data"), "{log}");
    daemon.ctl("sync-job create offsite --remote far --remote-store store1 --store store2");
    daemon.ctl("sync-job run offsite");
    let task = daemon.cat("sync-jobs/offsite/status");
    assert!(task.contains(r"syncjob:far\x3astore1\x3astore2\x3a\x3aoffsite"), "{task}");
    // There the reader connections were tasks of whoever pulled.
    let tasks = serving.daemon.json("task list --all true");
    let readers = tasks.as_array().unwrap().iter();
    let readers = readers.filter(|task| task["worker_type"] == "reader");
    assert!(readers.clone().all(|task| task["user"] == "root@pam!sync"), "{tasks}");
    assert!(readers.count() >= 2, "{tasks}");
}

#[test]
fn the_datastore_of_a_real_pbs_goes_over_whole() {
    let (source, target_home) = (Home::new(), Home::new());
    if !unpack("pbs-datastore-store1.tar.zst", source.path()) {
        return;
    }
    let serving = Serving::start(&source);
    let path = source.join("store1");
    serving
        .daemon
        .ctl(&format!("datastore create store1 {} --reuse-datastore true", path.display()));
    let daemon = pulling(&target_home, &serving);
    daemon.ctl("pull far store1 store2");
    let (here, there) = (files(&target_home.join("store2")), files(&path));
    for (name, content) in &there {
        let name_text = name.to_string_lossy();
        let is_part = [".blob", ".fidx", ".didx"].iter().any(|end| name_text.ends_with(end));
        if is_part {
            assert!(here.get(name) == Some(content), "{name_text}");
        }
    }
    oracle(&["datastore".as_ref(), target_home.join("store2").as_os_str()]);
}

#[test]
fn a_line_that_breaks_again_and_again_is_not_what_decides() {
    let (source, target) = (Home::new(), Home::new());
    let serving = serving(&source);
    let daemon = target.start();
    reel_tests::scene::target(&target, &daemon);
    let relay = Relay::start(serving.address, Line::SHORT).unwrap();
    remote_of(&serving, &daemon, "far", relay.address());
    let mut runs = 0;
    loop {
        // A snapshot, and a part of the next one.
        relay.reset_after(10 << 20);
        let output = daemon.try_ctl("pull far store1 store2");
        runs += 1;
        if output.status.success() {
            break;
        }
        assert!(runs < 20, "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(runs > 1, "the line broke");
    agree(&source, &target);
    // Four chunks of 4 MiB; two of them may have been under way when it broke.
    assert!(relay.down_bytes() < (17 << 20) + (runs - 1) * (8 << 20), "{}", relay.down_bytes());
}

#[test]
fn a_server_that_is_killed_is_pulled_from_again() {
    let (source, target) = (Home::new(), Home::new());
    let serving = serving(&source);
    let daemon = pulling(&target, &serving);
    serving.daemon.kill();
    let said = daemon.ctl_fails("pull far store1 store2");
    assert!(said.contains("connect to 127.0.0.1:"), "{said}");
    let again = source.start_with(&["--listen", &serving.address.to_string()]);
    daemon.ctl("pull far store1 store2");
    agree(&source, &target);
    drop(again);
}

#[test]
fn wrong_secrets_certificates_and_names_say_what_to_do() {
    let (source, target) = (Home::new(), Home::new());
    let serving = serving(&source);
    let daemon = pulling(&target, &serving);
    run_private(&daemon, "far", "wrong");
    let said = daemon.ctl_fails("pull far store1 store2");
    assert!(said.contains("answers 401") && !said.contains("wrong\n"), "{said}");

    let other = ["ab"; 32].join(":");
    daemon.ctl(&format!("remote update far --fingerprint {other}"));
    let said = daemon.ctl_fails("pull far store1 store2");
    let presented = serving.daemon.ctl("cert info");
    let presented = presented.lines().find_map(|line| line.strip_prefix("Fingerprint (sha256): "));
    assert!(said.contains(presented.unwrap()) && said.contains(&other), "{said}");
    assert!(said.contains("set it as the remote's 'fingerprint'"), "{said}");

    daemon.ctl("remote update far --host no-such-host.invalid");
    let said = daemon.ctl_fails("pull far store1 store2");
    assert!(said.contains("connect to no-such-host.invalid:"), "{said}");
    assert!(daemon.ctl_fails("pull near store1 store2").contains("no such remote 'near'"));
    assert_eq!(daemon.ls("datastores/store2").iter().filter(|name| *name == "vm").count(), 0);
}

/// Gives a remote another secret.
fn run_private(daemon: &Daemon<'_>, name: &str, secret: &str) {
    let mut command = daemon.reelctl();
    command.args(["remote", "update", name, "--password-file", "-"]).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{secret}").unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_token_that_may_back_up_pulls_its_own_groups_and_no_others() {
    let (source, target) = (Home::new(), Home::new());
    let serving = serving(&source);
    let owner = &serving.daemon;
    owner.ctl("user create alice@pbs");
    let secret = new_token(owner, "alice@pbs", "sync");
    for id in ["alice@pbs", "alice@pbs!sync"] {
        owner.ctl(&format!("acl update /datastore/store1 DatastoreBackup --auth-id {id}"));
    }
    let image = source.join("source/disk.img");
    reel_tests::scene::add_snapshot(owner, "store1", "vm/200/2026-01-10T08:00:00Z", &image);
    owner.ctl("group change-owner store1 vm/200 alice@pbs!sync");
    let daemon = pulling(&target, &serving);
    daemon.ctl("remote update far --auth-id alice@pbs!sync");
    run_private(&daemon, "far", &secret);
    let log = daemon.ctl("pull far store1 store2");
    assert!(log.contains("found 1 groups to sync (out of 1 total)"), "{log}");
    assert_eq!(daemon.ls("datastores/store2/vm"), ["200"]);
    owner.ctl("user update alice@pbs --enable false");
    let said = daemon.ctl_fails("pull far store1 store2");
    assert!(said.contains("answers 401"), "{said}");
}

#[test]
fn a_user_logs_in_by_password() {
    let (source, target) = (Home::new(), Home::new());
    let serving = serving(&source);
    let mut command = serving.daemon.reelctl();
    command.args(["user", "create", "bob@pbs", "--password-file", "-"]).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "bobs password").unwrap();
    assert!(child.wait().unwrap().success());
    serving.daemon.ctl("acl update /datastore DatastoreReader --auth-id bob@pbs");
    let daemon = pulling(&target, &serving);
    daemon.ctl("remote update far --auth-id bob@pbs");
    run_private(&daemon, "far", "bobs password");
    daemon.ctl("pull far store1 store2");
    agree(&source, &target);
    run_private(&daemon, "far", "guess");
    let said = daemon.ctl_fails("remote check far");
    assert!(said.contains("log in as 'bob@pbs'") && said.contains("401"), "{said}");
}

#[test]
fn a_full_disk_leaves_nothing_torn_and_a_later_run_completes() {
    let (source, target) = (Home::new(), Home::new());
    let serving = serving(&source);
    let daemon = pulling(&target, &serving);
    // The datastore itself lies on a small disk.
    let small = target.join("small");
    fs::create_dir(&small).unwrap();
    let mounted = mount(Some("tmpfs"), &small, Some("tmpfs"), MsFlags::empty(), Some("size=300m"));
    if let Err(error) = mounted {
        eprintln!("skipped: no small disk to be had: {error}");
        return;
    }
    daemon.ctl(&format!("datastore create small {}", small.join("store").display()));
    let filler = small.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 64 << 10]).is_ok() {}
    drop(file);
    let said = daemon.ctl_fails("pull far store1 small");
    assert!(said.contains("sync failed with some errors"), "{said}");
    let failed = daemon.json("task list --all true");
    let upid = failed[0]["upid"].as_str().unwrap().to_owned();
    let log = daemon.cat(&format!("tasks/{upid}/log"));
    assert!(log.contains("No space left"), "{log}");
    fs::remove_file(&filler).unwrap();
    daemon.ctl("pull far store1 small");
    let found = files(&small.join("store"));
    assert!(found.keys().all(|path| path.extension().is_none_or(|end| end != "tmp")));
    oracle(&["datastore".as_ref(), small.join("store").as_os_str()]);
    daemon.stop();
    umount2(&small, MntFlags::MNT_DETACH).unwrap();
}

#[test]
fn a_server_that_says_nothing_holds_up_nobody_else_and_can_be_stopped() {
    let target = Home::new();
    let daemon = target.start();
    reel_tests::scene::target(&target, &daemon);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let line = format!(
        "remote create mute --host 127.0.0.1 --port {port} --auth-id a@pbs!tok --password xxxxx"
    );
    daemon.ctl(&line);
    daemon.echo("pull mute store1", "datastores/store2/ctl").unwrap();
    let task = daemon.cat("datastores/store2/last-task");
    let (_connection, _) = silent.accept().unwrap();
    daemon.ctl("datastore list");
    daemon.ls("datastores/store2");
    daemon.echo("stop", &format!("tasks/{}/ctl", task.trim_end())).unwrap();
    let ended = fs::read_to_string(daemon.at(&format!("tasks/{}/wait", task.trim_end())));
    assert!(ended.is_err());
    let log = daemon.cat(&format!("tasks/{}/log", task.trim_end()));
    assert!(log.contains("abort requested"), "{log}");
}

#[test]
fn a_slow_line_is_used_by_a_limit_that_all_connections_share() {
    let (source, target) = (Home::new(), Home::new());
    let serving = serving(&source);
    let daemon = pulling(&target, &serving);
    let began = std::time::Instant::now();
    daemon.ctl("pull far store1 store2 --rate-in 8MiB");
    // 16 MiB at 8 MiB a second, of which nothing goes at once.
    assert!(began.elapsed() >= Duration::from_millis(1500));
    agree(&source, &target);
}
