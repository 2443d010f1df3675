//! What bad input gets: a clear error of the right kind, nothing changed that need not be, and a daemon that goes on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test"
)]

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use nix::libc;
use reel_tests::said::refused;
use reel_tests::scene::{
    SNAPSHOTS, add_snapshot, assert_says, content_of, errno, fill, hashes, library, on_tape,
    only_set, place_of, stores_agree, target, with_bytes,
};
use reel_tests::{Daemon, Home, oracle, unpack};

#[test]
fn damaged_archives_cost_what_they_hold_and_are_named() {
    let home = Home::new();
    let daemon = on_tape(&home);
    let set = only_set(&daemon);
    let listed = daemon.ctl("media content");
    target(&home, &daemon);
    let chunks = home.join("tapes/tapefile-2-T1.json");
    let restore_fails = |daemon: &Daemon<'_>, words: &[&str]| {
        let output = daemon.try_ctl(&format!("restore {set} store2"));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(255), "{text}");
        assert_says(&text, words);
        assert_eq!(daemon.ctl("media content"), listed, "a restore must not unlearn a snapshot");
        oracle(&["datastore".as_ref(), home.join("store2").as_os_str()]);
    };
    with_bytes(
        &chunks,
        |bytes| bytes[(5 << 20) + 1000] ^= 1,
        || restore_fails(&daemon, &["CRC mismatch", "WARN"]),
    );
    with_bytes(&chunks, |bytes| bytes[10] ^= 0x40, || restore_fails(&daemon, &["File 2"]));
    with_bytes(&chunks, |bytes| bytes.truncate(3 << 20), || restore_fails(&daemon, &["File 2"]));
    // The files of snapshots were kept when they were written; without them the tape has to be read.
    daemon.stop();
    fs::remove_dir_all(home.join("cache/snapshots")).expect("forget kept files");
    let daemon = home.start();
    let snapshots = archive_of(&home, SNAPSHOTS[1]);
    with_bytes(
        &snapshots,
        |bytes| bytes.truncate(2000),
        || restore_fails(&daemon, &["WARN: medium 'T1': File"]),
    );
    with_bytes(
        &snapshots,
        |bytes| bytes[1] ^= 1,
        || restore_fails(&daemon, &["WARN: medium 'T1': File"]),
    );
    daemon.ctl(&format!("restore {set} store2"));
    stores_agree(&daemon, "store1", "store2");
}

/// The tape file with the archive of a snapshot.
fn archive_of(home: &Home, snapshot: &str) -> std::path::PathBuf {
    let name = snapshot.as_bytes();
    let files = hashes(&home.join("tapes")).into_keys();
    let mut found = files.filter(|path| {
        let bytes = fs::read(path).expect("a tape's file");
        let head = &bytes[..bytes.len().min(4096)];
        head.windows(name.len()).any(|part| part == name)
    });
    found.next().expect("the snapshot's archive")
}

#[test]
fn a_damaged_chunk_on_tape_is_eio_for_its_range_alone() {
    let home = Home::new();
    let daemon = on_tape(&home);
    let set = only_set(&daemon);
    let snapshot = format!("media-sets/{set}/store1/{}", SNAPSHOTS[0]);
    let source = reel_tests::noise(8 << 20, 1);
    let chunks = home.join("tapes/tapefile-2-T1.json");
    let second = source[5 << 20..][..64].to_vec();
    let damage = |bytes: &mut Vec<u8>| {
        let at = place_of(bytes, &second);
        bytes[at + 100] ^= 1;
    };
    with_bytes(&chunks, damage, || {
        let mut file = fs::File::open(daemon.at(&format!("{snapshot}/disk.img"))).expect("open");
        let mut first = vec![0; 4 << 20];
        file.read_exact(&mut first).expect("the first chunk is good");
        assert!(first == source[..4 << 20]);
        assert_eq!(errno(file.read(&mut first)), libc::EIO);
        assert_says(&daemon.cat(&format!("{snapshot}/last-error")), &["EIO", "disk.img.fidx"]);
    });
}

#[test]
fn damaged_catalogs_and_inventory_are_refused_and_never_overwritten() {
    let home = Home::new();
    let daemon = on_tape(&home);
    let set = only_set(&daemon);
    daemon.ctl("media content");
    daemon.ctl("load-media T1");
    let state = home.join("state/tape");
    let entries =
        hashes(&state).into_keys().filter(|path| path.extension().is_some_and(|end| end == "log"));
    let catalog = entries
        .max_by_key(|path| fs::metadata(path).map_or(0, |file| file.len()))
        .expect("a catalog");
    let refused = || {
        let before = fs::read(&catalog).expect("the catalog");
        assert_says(&daemon.ctl_fails("media content"), &["T1", "catalog"]);
        assert_says(&daemon.ctl_fails("backup store1 daily"), &["catalog --force"]);
        assert_eq!(errno(fs::read(daemon.at("media/T1/content"))), libc::EIO);
        assert_says(&daemon.cat(&format!("media-sets/{set}/status")), &["without-catalog: T1"]);
        assert_eq!(fs::read(&catalog).expect("the catalog"), before);
    };
    with_bytes(&catalog, |bytes| bytes[0] ^= 1, refused);
    with_bytes(&catalog, |bytes| bytes.truncate(bytes.len() - 3), refused);
    let inventory = state.join("inventory.json");
    with_bytes(
        &inventory,
        |bytes| bytes.truncate(20),
        || {
            let before = hashes(&state);
            let lines = [
                "media list",
                "media content",
                "media-set list",
                "backup store1 daily",
                "label --label-text T2",
                "media destroy T2",
                &format!("restore {set} store1"),
                "inventory --read-all-labels true",
                "inventory",
                "barcode-label --pool daily",
                "read-label --inventorize true",
                "format --label-text T1",
                "catalog --force true",
                "load-media T3",
                "export-media T1",
                "media verify T1",
                "media mark T1 --status damaged",
                "media move T1 --vault office",
                "media vault office T1",
                "vault due",
                "pool plan daily",
                &format!("media-set export {set}"),
                &format!("state export {}", home.join("exported").display()),
            ];
            let tapes = content_of(&home.join("tapes"));
            for line in lines {
                daemon.ctl_fails(line);
            }
            assert_eq!(content_of(&home.join("tapes")), tapes);
            assert!(!home.join("exported").exists());
            assert_eq!(
                errno(
                    fs::read_dir(daemon.at("media")).and_then(|mut names| names.next().transpose())
                ),
                libc::EIO
            );
            assert_eq!(hashes(&state), before);
        },
    );
    assert_says(&daemon.ctl("media list"), &["T1", "T2"]);
    daemon.ctl("backup store1 daily");
}

#[test]
fn names_and_lines_that_cannot_be_are_refused_at_every_door() {
    let home = Home::new();
    let daemon = home.start();
    fs::create_dir(home.join("full")).expect("a folder");
    fs::write(home.join("full/file"), "x").expect("a file");
    let long = "x".repeat(256);
    for line in [
        "datastore create .. /nowhere/x".to_owned(),
        "datastore create store1 relative/path".to_owned(),
        format!("datastore create {long} {}", home.join("s").display()),
        format!("datastore create store1 {} --reuse-datastore true", home.join("full").display()),
        format!("datastore create store1 {} --reuse-datastore true", home.join("absent").display()),
        format!("datastore create store1 {}", home.join("full/file").display()),
        "pool create ../x".to_owned(),
        format!("label --label-text {long}"),
        "label --label-text ..".to_owned(),
        "restore nonsense store1".to_owned(),
        "task log UPID:x".to_owned(),
    ] {
        daemon.ctl_fails(&line);
    }
    let newline = daemon.reelctl().args(["pool", "create", "a\nb"]).output().expect("reelctl");
    assert_eq!(newline.status.code(), Some(255));
    let foreign = std::ffi::OsStr::from_bytes(b"a\xff");
    let foreign = daemon.reelctl().args(["pool", "create"]).arg(foreign).output().expect("reelctl");
    assert_eq!(foreign.status.code(), Some(255));

    for line in [
        &b"create a\xff\n"[..],
        b"create ..\n",
        b"create 'a\n",
        b"nonsense\n",
        b"create\n",
        b"\0\n",
    ] {
        let refused = fs::write(daemon.at("pools/ctl"), line);
        assert_eq!(errno(refused), libc::EINVAL, "{line:?}");
    }
    assert_eq!(errno(fs::write(daemon.at("pools/ctl"), vec![b'x'; 100_000])), libc::EINVAL);
    assert_says(&daemon.cat("pools/last-error"), &["EINVAL"]);
    assert_eq!(daemon.json("pool list"), serde_json::json!([]));
    assert_eq!(daemon.json("datastore list"), serde_json::json!([]));
    assert_eq!(fs::read_dir(home.join("full")).expect("the folder").count(), 1);
}

#[test]
fn foreign_names_in_a_datastore_hide_nothing_else() {
    let home = Home::new();
    let daemon = home.start();
    fill(&home, &daemon, "store1", 1);
    let group = home.join("store1/vm/100");
    let bad = [&b"a\xffb"[..], b"line\nbreak", &[b'x'; 255], b"2026-13-40T99:00:00Z", b"..."];
    for name in bad {
        for folder in [&home.join("store1/vm"), &group, &group.join("2026-01-10T08:00:00Z")] {
            fs::create_dir(folder.join(std::ffi::OsStr::from_bytes(name)))
                .expect("a foreign folder");
        }
    }
    let snapshots = daemon.json("snapshot list store1");
    assert_eq!(snapshots.as_array().map(Vec::len), Some(2), "{snapshots}");
    let names = daemon.ls("datastores/store1/vm/100");
    assert!(names.contains(&"2026-01-10T08:00:00Z".to_owned()), "{names:?}");
    library(&home, &daemon, "64MiB", &["T1"]);
    daemon.ctl("backup store1 daily");
    let set = only_set(&daemon);
    target(&home, &daemon);
    daemon.ctl(&format!("restore {set} store2"));
    stores_agree(&daemon, "store1", "store2");
}

#[test]
fn a_second_daemon_and_wrong_configuration_are_refused() {
    let home = Home::new();
    let daemon = on_tape(&home);
    let output = std::process::Command::new(reel_tests::program("reeld"))
        .args(["--no-mount", "--below"])
        .arg(home.path())
        .output()
        .expect("reeld starts");
    assert!(!output.status.success());
    assert_says(&String::from_utf8_lossy(&output.stderr), &["another reeld already runs"]);
    for (file, line) in [
        ("tape.cfg", "drive list"),
        ("media-pool.cfg", "pool list"),
        ("datastore.cfg", "datastore list"),
    ] {
        let path = home.join("etc").join(file);
        with_bytes(
            &path,
            |bytes| bytes.splice(0..0, *b"garbage without colon\n").for_each(drop),
            || {
                let before = hashes(&home.join("etc"));
                daemon.ctl_fails(line);
                daemon.ctl_fails("backup store1 daily");
                daemon.try_ctl("pool create other");
                daemon.try_ctl("drive remove drive1");
                assert_eq!(hashes(&home.join("etc"))[&path], before[&path], "{file}");
            },
        );
        daemon.ctl(line);
    }
    daemon.ctl("version");
}

#[test]
fn a_damaged_datastore_gives_its_good_snapshots_to_tape_and_names_the_others() {
    let home = Home::new();
    if !unpack("pbs-datastore-damaged.tar.zst", home.path()) {
        return;
    }
    let daemon = home.start();
    daemon.ctl(&format!(
        "datastore create damaged {} --reuse-datastore true",
        home.join("damaged").display()
    ));
    // An index whose header has another sum than its entries is as good as any for PBS; the oracle minds it.
    fs::remove_dir_all(home.join("damaged/vm/wrongcsum")).expect("take one out");
    let before = hashes(&home.join("damaged/vm"));
    library(&home, &daemon, "64MiB", &["T1", "T2"]);
    let output = daemon.try_ctl("backup damaged daily");
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(255), "{log}");
    let content = daemon.ctl("media content");
    assert!(content.contains("vm/good/"), "{content}");
    let broken = [
        "badcrc",
        "baddigest",
        "missing",
        "truncated",
        "empty",
        "badmagic",
        "wronglen",
        "badindex",
        "shortindex",
        "noindex",
        "badmanifest",
    ];
    for group in broken {
        assert!(!content.contains(&format!("vm/{group}/")), "{group} is on tape: {content}");
        assert!(log.contains(&format!("vm/{group}")), "{group} is not named: {log}");
    }
    assert_eq!(hashes(&home.join("damaged/vm")), before);
    let set = only_set(&daemon);
    oracle(&["set-complete".as_ref(), home.join("tapes").as_os_str(), set.as_ref()]);
    target(&home, &daemon);
    daemon.ctl(&format!("restore {set} store2"));
    oracle(&["datastore".as_ref(), home.join("store2").as_os_str()]);
    let good = "vm/good/2024-07-03T09:46:40Z/disk.img";
    let read = |store: &str| {
        fs::read(daemon.at(&format!("datastores/{store}/{good}"))).expect("the image")
    };
    assert!(read("damaged") == read("store2"));
}

/// What happens to a file.
type Damage = fn(&mut Vec<u8>);

/// Each way in which a file of a snapshot is damaged.
const DAMAGES: [(&str, Damage); 4] = [
    ("cut short", |bytes| bytes.truncate(bytes.len() / 2)),
    ("a bit of its end", |bytes| bytes.last_mut().into_iter().for_each(|byte| *byte ^= 1)),
    ("a bit of its magic", |bytes| bytes[0] ^= 1),
    ("empty", Vec::clear),
];

#[test]
fn a_damaged_snapshot_stays_off_tape_is_named_and_stops_no_other() {
    let home = Home::new();
    let daemon = home.start();
    fill(&home, &daemon, "store1", 4);
    library(&home, &daemon, "64MiB", &["T1"]);
    let snapshot = home.join("store1").join(SNAPSHOTS[0]);
    for file in ["index.json.blob", "disk.img.fidx", "vm.conf.blob"] {
        for (what, damage) in DAMAGES {
            with_bytes(&snapshot.join(file), damage, || {
                let output = daemon.try_ctl("backup store1 daily");
                let log = String::from_utf8_lossy(&output.stdout).into_owned();
                assert_eq!(output.status.code(), Some(255), "{file}, {what}: {log}");
                let named = log
                    .lines()
                    .any(|line| line.starts_with("WARN: ") && line.contains(SNAPSHOTS[0]));
                assert!(named, "{file}, {what}: {log}");
                assert_says(&log, &["TASK ERROR: Tape backup finished with some errors"]);
                let content = daemon.ctl("media content");
                assert!(!content.contains(SNAPSHOTS[0]), "{file}, {what}: {content}");
                assert!(content.contains(SNAPSHOTS[1]), "{file}, {what}: {content}");
            });
        }
    }
    daemon.ctl("backup store1 daily");
    let set = only_set(&daemon);
    oracle(&["set-complete".as_ref(), home.join("tapes").as_os_str(), set.as_ref()]);
    target(&home, &daemon);
    daemon.ctl(&format!("restore {set} store2"));
    stores_agree(&daemon, "store1", "store2");
}

#[test]
fn a_datastore_takes_a_folder_with_other_files_and_leaves_them_alone() {
    let home = Home::new();
    let daemon = home.start();
    let folder = home.join("disk");
    fs::create_dir_all(folder.join("lost+found")).expect("a folder as mkfs makes it");
    fs::write(folder.join("notes"), "kept").expect("a file");
    daemon.ctl(&format!("datastore create store1 {}", folder.display()));
    assert_eq!(daemon.json("snapshot list store1"), serde_json::json!([]));
    assert_eq!(fs::read_to_string(folder.join("notes")).expect("the file"), "kept");
    let again = daemon.ctl_fails(&format!("datastore create store2 {}", folder.display()));
    assert_says(&again, &["store1", "already"]);
    daemon.ctl("datastore remove store1");
    let again = daemon.ctl_fails(&format!("datastore create store2 {}", folder.display()));
    assert_says(&again, &["--reuse-datastore"]);
    daemon.ctl(&format!("datastore create store2 {} --reuse-datastore", folder.display()));
}

#[test]
fn names_that_nothing_has_are_nowhere_in_the_tree() {
    let home = Home::new();
    let daemon = on_tape(&home);
    let set = only_set(&daemon);
    let time = format!("datastores/store1/{}", SNAPSHOTS[0]);
    let folders = [
        "".to_owned(),
        "datastores".into(),
        "datastores/store1".into(),
        "datastores/store1/vm".into(),
        "datastores/store1/vm/100".into(),
        format!("{time}/raw"),
        time,
        "pools".into(),
        "media".into(),
        "media-sets".into(),
        format!("media-sets/{set}"),
        format!("media-sets/{set}/store1/vm"),
        "drives".into(),
        "tasks".into(),
        "tasks/active".into(),
    ];
    let names = [&b"a\xff"[..], b"line\nbreak", b"...", b" ", &[b'x'; 255]];
    for folder in &folders {
        for name in names {
            let path = daemon.at(folder).join(std::ffi::OsStr::from_bytes(name));
            assert_eq!(errno(fs::metadata(&path)), libc::ENOENT, "{path:?}");
        }
        let long = daemon.at(folder).join("x".repeat(256));
        assert_eq!(errno(fs::metadata(long)), libc::ENAMETOOLONG, "{folder}");
    }

    let before = (hashes(&home.join("store1/vm")), hashes(&home.join("state")));
    let conf = home.join("source/vm.conf");
    let long = "x".repeat(256);
    for file in ["../vm.conf", "a/vm.conf", "..", ".conf", &format!("{long}.conf")] {
        let line = format!("snapshot create store1 vm/1 {file}={}", conf.display());
        daemon.ctl_fails(&line);
        let line = line.trim_start_matches("snapshot create store1 ");
        let refused = daemon.echo(&format!("snapshot create {line}"), "datastores/store1/ctl");
        assert_ne!(errno(refused), 0, "{file}");
    }
    for group in ["vm/..", "../vm", "vm/a/b", &format!("vm/{long}"), "disk/1"] {
        daemon.ctl_fails(&format!("snapshot create store1 {group} vm.conf={}", conf.display()));
    }
    for snapshot in ["store1:../x/vm/1/2026-01-10T08:00:00Z", "store1:vm/100/..", "store1"] {
        daemon.ctl_fails(&format!("restore {set} store1 {snapshot}"));
    }
    let ns = format!("restore {set} store1 --namespaces store=store1,target=../x");
    daemon.ctl_fails(&ns);
    assert_eq!((hashes(&home.join("store1/vm")), hashes(&home.join("state"))), before);
}

#[test]
fn what_no_command_takes_is_refused_before_any_task() {
    let home = Home::new();
    let daemon = on_tape(&home);
    let set = only_set(&daemon);
    daemon.ctl("backup-job create job1 --store store1 --pool daily --drive drive1");
    daemon.ctl("media-verify-job create night --pool daily --drive drive1");
    let tasks = daemon.json("task list --all true");
    let kept = || {
        let mut files = content_of(&home.join("tapes"));
        for folder in ["etc", "state"] {
            files.extend(hashes(&home.join(folder)));
        }
        // A lock may be made where none was taken yet.
        files.retain(|path, _| path.extension() != Some("lck".as_ref()));
        files
    };
    let before = kept();
    let key = ["00"; 32].join(":");
    let short = ["00"; 31].join(":");
    let long = "L".repeat(33);
    let unknown = "7f42c4dd-9626-4d89-9f2b-c7bc6da7d533";
    for (line, words) in [
        ("label --label-text T", "'label-text'"),
        (&format!("label --label-text {long}"), "'label-text'"),
        ("label --label-text T9 --pool nosuch", "no such pool ('nosuch')"),
        ("label --label-text T9 --drive nosuch", "no such drive 'nosuch'"),
        ("label --pool daily", "'label-text': parameter is missing"),
        ("barcode-label --pool nosuch", "no such pool ('nosuch')"),
        ("load-media-from-slot 0", "'source-slot'"),
        ("unload --target-slot 0", "'target-slot'"),
        ("changer transfer drive1 --from 0 --to 1", "'from'"),
        ("changer transfer drive1 --from 1 --to 0", "'to'"),
        ("changer status nosuch", "nosuch"),
        ("rewind --drive nosuch", "no such drive 'nosuch'"),
        ("clean --drive nosuch", "no such drive 'nosuch'"),
        ("backup nosuch daily", "no such datastore 'nosuch'"),
        ("backup store1 nosuch", "no such pool ('nosuch')"),
        ("backup store1 daily --drive nosuch", "no such drive 'nosuch'"),
        ("backup store1 daily --ns ../x", "'ns'"),
        ("backup store1 daily --groups vm/100", "'groups'"),
        ("backup store1 daily --notify-user nobody", "'notify-user'"),
        ("restore nonsense store1", "'media-set'"),
        (&format!("restore {unknown} store1"), "unable to lookup pool"),
        (&format!("restore {set} nosuch"), "nosuch"),
        (&format!("restore {set} abc=store1,store1,store1"), "multiple default stores given"),
        (&format!("restore {set} store1=store1,store1=store1"), "names a source twice"),
        (&format!("restore {set} ,"), "no datastores given"),
        (&format!("restore {set} store1 {}", SNAPSHOTS[0]), "'snapshots'"),
        (&format!("restore {set} store1 --owner nobody"), "'owner'"),
        (&format!("restore {set} store1 --namespaces store=store1,max-depth=8"), "'namespaces'"),
        (&format!("media-set export {unknown}"), "unable to lookup pool"),
        (&format!("media content --media-set {set}x"), "'media-set'"),
        ("media content --backup-type disk", "'backup-type'"),
        ("media content --media nonsense", "'media'"),
        ("media move T1 --vault x", "'vault-name'"),
        ("media destroy T1 --uuid 7f42c4dd-9626-4d89-9f2b-c7bc6da7d533", "either by"),
        ("pool create other --allocation mon..", "'allocation'"),
        ("pool create other --retention 2-fortnights", "'retention'"),
        ("pool create other --retention 5x", "'retention'"),
        ("pool create other --template %", "'template'"),
        (&format!("pool create other --encrypt {short}"), "'encrypt'"),
        ("pool create o", "'name'"),
        ("pool update nosuch --comment x", "no such pool 'nosuch'"),
        ("pool remove nosuch", "no such pool 'nosuch'"),
        ("drive create drive2 --path virtual:/x --changer-drivenum 256", "'changer-drivenum'"),
        ("drive update nosuch --changer-drivenum 0", "nosuch"),
        ("drive remove nosuch", "no such drive 'nosuch'"),
        ("changer create sl3 --path /dev/null --export-slots 0", "'export-slots'"),
        ("changer remove nosuch", "no such changer 'nosuch'"),
        (&format!("key show {short}"), "'fingerprint'"),
        (&format!("key show {key}"), "no such tape key"),
        (&format!("key remove {key}"), "no such tape key"),
        (&format!("key paperkey {key}"), "no such tape key"),
        ("key create --hint x --kdf none", "'kdf'"),
        ("backup-job remove nosuch", "nosuch"),
        ("backup-job run nosuch", "nosuch"),
        ("backup-job update job1 --digest ABC", "'digest'"),
        ("backup-job update job1 --schedule 12:60", "'schedule'"),
        ("backup-job update job1 --max-depth 8", "'max-depth'"),
        ("backup-job update job1 --delete store", "'delete'"),
        ("media-verify-job update night --limit 0", "'limit'"),
        ("media-verify-job remove nosuch", "nosuch"),
        ("media verify nosuch", "nosuch"),
        ("vault due --pool nosuch", "no such pool ('nosuch')"),
    ] {
        let said = refused(&daemon, line);
        assert!(said.contains(words), "{line}: {said}");
    }
    for (start, value) in [
        ("label --label-text", "T 9"),
        ("label --label-text", "T9 "),
        ("label --label-text", "T\n9"),
        ("label --label-text", ""),
        ("pool update daily --comment", "a\nb"),
        ("pool update daily --retention", "2 fortnights"),
        ("backup-job update job1 --comment", "a\u{7f}b"),
    ] {
        let line = start.split(' ').chain([value]);
        let said = daemon.reelctl().args(line).output().expect("reelctl");
        assert_eq!(said.status.code(), Some(255), "{start} {value:?}");
        let option = start.rsplit_once("--").expect("an option").1;
        assert_says(&String::from_utf8_lossy(&said.stderr), &[&format!("'{option}'")]);
    }
    assert_eq!(daemon.json("task list --all true"), tasks);
    assert_eq!(kept(), before);
}

#[test]
fn an_inventory_that_contradicts_itself_and_a_lost_catalog_stop_jobs() {
    let home = Home::new();
    let daemon = on_tape(&home);
    let set = only_set(&daemon);
    target(&home, &daemon);
    add_snapshot(&daemon, "store1", "vm/101/2026-01-12T08:00:00Z", &home.join("source/disk.img"));
    let state = home.join("state/tape");
    let (backup, restore) = ("backup store1 daily", format!("restore {set} store2"));
    let stopped = |line: &str, reason: &str| {
        let before = (hashes(&state), content_of(&home.join("tapes")));
        assert_says(&daemon.ctl_fails(line), &[reason]);
        assert_eq!(daemon.json("snapshot list store2"), serde_json::json!([]));
        assert!((hashes(&state), content_of(&home.join("tapes"))) == before, "{line}: {reason}");
    };
    let with_inventory = |change: fn(&mut serde_json::Value, usize), look: &dyn Fn()| {
        let edit = |bytes: &mut Vec<u8>| {
            let mut media: serde_json::Value = serde_json::from_slice(bytes).expect("JSON");
            let t1 = media.as_array().expect("an array").iter().position(has_set).expect("T1");
            change(&mut media, t1);
            *bytes = media.to_string().into_bytes();
        };
        with_bytes(&state.join("inventory.json"), edit, look);
    };
    // T1 is number 0 of the set: then T2 is as well, then nobody is.
    let both = |media: &mut serde_json::Value, t1: usize| {
        media[1 - t1]["id"]["media_set_label"] = media[t1]["id"]["media_set_label"].clone();
    };
    with_inventory(both, &|| {
        stopped(backup, "found duplicate sequence number in media set");
        stopped(&restore, "found duplicate sequence number in media set");
    });
    let nobody = |media: &mut serde_json::Value, t1: usize| {
        media[t1]["id"]["media_set_label"]["seq_nr"] = 1.into();
    };
    let missing = format!("media set {set} is incomplete (missing member 0)");
    with_inventory(nobody, &|| stopped(&restore, &missing));

    let catalogs =
        hashes(&state).into_keys().filter(|path| path.extension() == Some("log".as_ref()));
    let of_t1 = catalogs.max_by_key(|path| fs::metadata(path).map_or(0, |file| file.len()));
    let of_t1 = of_t1.expect("the catalog of T1");
    fs::remove_file(of_t1).expect("lose the catalog");
    let before = content_of(&home.join("tapes"));
    assert_says(&daemon.ctl_fails(backup), &["No such file", "catalog --force"]);
    assert_eq!(content_of(&home.join("tapes")), before);
    daemon.ctl("catalog --label-text T1");
    daemon.ctl("backup store1 daily");
    assert_eq!(only_set(&daemon), set);
}

/// Whether an entry of the inventory file is of a medium in a set.
fn has_set(entry: &serde_json::Value) -> bool {
    entry["id"]["media_set_label"].is_object()
}

#[test]
fn a_clock_that_is_set_back_frees_no_medium_and_keeps_the_order_of_sets() {
    const YEAR: i64 = 31_557_600;
    let (late, early) = ((60 * YEAR).to_string(), (50 * YEAR).to_string());
    let home = Home::new();
    let daemon = home.start_with(&["--clock", &late]);
    fill(&home, &daemon, "store1", 1);
    library(&home, &daemon, "64MiB", &["T1", "T2"]);
    daemon.ctl_words(&[
        "pool",
        "update",
        "daily",
        "--allocation",
        "always",
        "--retention",
        "1 year",
    ]);
    daemon.ctl("backup store1 daily");
    let first = only_set(&daemon);
    daemon.stop();

    let daemon = home.start_with(&["--clock", &early]);
    daemon.ctl("backup store1 daily");
    let sets = daemon.json("media-set list");
    let time_of = |wanted: &dyn Fn(&str) -> bool| {
        let mut sets = sets.as_array().into_iter().flatten();
        let set = sets.find(|set| set["media-set-uuid"].as_str().is_some_and(wanted));
        set.and_then(|set| set["media-set-ctime"].as_i64()).expect("its time")
    };
    assert!(time_of(&|uuid| uuid != first) > time_of(&|uuid| uuid == first), "{sets}");
    // Both are younger than a year by their labels, whatever the clock says.
    let before = content_of(&home.join("tapes"));
    assert_says(&daemon.ctl_fails("backup store1 daily"), &["no usable media found"]);
    assert_eq!(content_of(&home.join("tapes")), before);
}
