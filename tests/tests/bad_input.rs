//! What bad input gets: a clear error of the right kind, nothing changed that need not be, and a daemon that goes on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test"
)]

use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::libc;
use reel_tests::scene::{SNAPSHOTS, fill, hashes, library, only_set, stores_agree};
use reel_tests::{Daemon, Home, oracle, unpack};

/// A datastore with two small snapshots that are on tape, all on T1; T2 is empty.
fn on_tape(home: &Home) -> Daemon<'_> {
    let daemon = home.start();
    fill(home, &daemon, "store1", 8);
    library(home, &daemon, "64MiB", &["T1", "T2"]);
    daemon.ctl("backup store1 daily");
    daemon
}

/// A datastore that nothing was restored into yet.
fn target(home: &Home, daemon: &Daemon<'_>) {
    daemon.ctl(&format!("datastore create store2 {}", home.join("store2").display()));
}

/// Changes a file for as long as `look` runs.
fn with_bytes(path: &Path, change: impl FnOnce(&mut Vec<u8>), look: impl FnOnce()) {
    let good = fs::read(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()));
    let mut bad = good.clone();
    change(&mut bad);
    assert!(good != bad, "nothing was changed");
    fs::write(path, bad).expect("write the damaged file");
    look();
    fs::write(path, good).expect("write the good file");
}

/// What is on the tapes of a folder, wherever the drive stands.
fn content_of(tapes: &Path) -> std::collections::BTreeMap<std::path::PathBuf, u64> {
    let mut files = hashes(tapes);
    files.remove(&tapes.join("drive-status.json"));
    files
}

/// Where `needle` is in `bytes`.
fn place_of(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).position(|part| part == needle).expect("the bytes to damage")
}

fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "'{part}' is not in: {text}");
    }
}

fn errno<T>(result: io::Result<T>) -> i32 {
    result.err().and_then(|error| error.raw_os_error()).unwrap_or(0)
}

#[test]
fn tapes_of_foreign_programs_are_refused_and_left_alone() {
    let home = Home::new();
    let daemon = on_tape(&home);
    let tapes = home.join("tapes");
    for (label, length) in [("X1", 512 << 10), ("X2", 1000)] {
        fs::write(tapes.join(format!("tape-{label}.json")), "{\"files\":1}").expect("a tape");
        let content = reel_tests::noise(length, 9);
        fs::write(tapes.join(format!("tapefile-0-{label}.json")), content).expect("its file");
        let inventory = fs::read(home.join("state/tape/inventory.json")).expect("the inventory");
        daemon.ctl("unload");
        daemon.ctl(&format!("load-media {label}"));
        let before = content_of(&tapes);
        let said = daemon.ctl_fails("read-label");
        assert!(said.contains("magic") || said.contains("cut short"), "{said}");
        daemon.ctl_fails(&format!("label --label-text {label}"));
        daemon.ctl_fails(&format!("label --label-text {label} --pool daily"));
        daemon.ctl_fails(&format!("format --label-text {label}"));
        assert_eq!(
            errno(daemon.echo(&format!("label {label}x --nonsense"), "drives/drive1/ctl")),
            libc::EINVAL
        );
        assert_eq!(content_of(&tapes), before);
        let unchanged = fs::read(home.join("state/tape/inventory.json")).expect("the inventory");
        assert_eq!(unchanged, inventory);
    }
    // Whoever says 'format' without a label means the medium that is there.
    daemon.ctl("format");
    daemon.ctl("label --label-text X2 --pool daily");
    assert_says(&daemon.ctl("read-label"), &["X2", "daily"]);
}

#[test]
fn a_damaged_label_makes_the_medium_unusable_until_it_is_whole() {
    let home = Home::new();
    let daemon = on_tape(&home);
    let set = only_set(&daemon);
    target(&home, &daemon);
    let label = home.join("tapes/tapefile-0-T1.json");
    let try_all = || {
        daemon.ctl("unload");
        daemon.ctl("load-media T1");
        let before = content_of(&home.join("tapes"));
        daemon.ctl_fails("read-label");
        daemon.ctl_fails(&format!("restore {set} store2"));
        assert_eq!(content_of(&home.join("tapes")), before);
        assert_eq!(daemon.ls("datastores/store2").iter().filter(|name| *name == "vm").count(), 0);
    };
    with_bytes(&label, |bytes| bytes[0] ^= 1, try_all);
    with_bytes(&label, |bytes| bytes.truncate(1000), try_all);
    let json = |bytes: &mut Vec<u8>| {
        let at = place_of(bytes, b"label_text");
        bytes[at] = b'{';
    };
    with_bytes(&label, json, try_all);
    daemon.ctl(&format!("restore {set} store2"));
    stores_agree(&daemon, "store1", "store2");
}

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
        || restore_fails(&daemon, &["WARN: File"]),
    );
    with_bytes(&snapshots, |bytes| bytes[1] ^= 1, || restore_fails(&daemon, &["WARN: File"]));
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
        // The list of snapshots beside it is good for a catalog of the same size and second.
        let _ = fs::remove_file(catalog.with_extension("index"));
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
            ];
            for line in lines {
                daemon.ctl_fails(line);
            }
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
fn media_that_are_missing_protected_or_of_others_are_told_so() {
    let home = Home::new();
    let daemon = on_tape(&home);
    let set = only_set(&daemon);
    target(&home, &daemon);
    daemon.ctl("unload");

    // The medium is not in the library.
    let (tapes, away) = (home.join("tapes"), home.join("away"));
    fs::create_dir(&away).expect("a folder");
    let of_t1: Vec<_> =
        hashes(&tapes).into_keys().filter(|path| path.to_string_lossy().contains("-T1.")).collect();
    for path in &of_t1 {
        fs::rename(path, away.join(path.file_name().expect("a name"))).expect("take the tape out");
    }
    assert_says(
        &daemon.ctl_fails(&format!("restore {set} store2")),
        &["unable to find media 'T1'"],
    );
    let image = format!("media-sets/{set}/store1/{}/disk.img", SNAPSHOTS[0]);
    assert_eq!(errno(fs::read(daemon.at(&image))), libc::ENOMEDIUM);
    let beside = format!("media-sets/{set}/store1/{}/last-error", SNAPSHOTS[0]);
    assert_says(&daemon.cat(&beside), &["ENOMEDIUM", "T1"]);
    for path in &of_t1 {
        fs::rename(away.join(path.file_name().expect("a name")), path).expect("put it back");
    }

    // Write protected, the one and the other.
    let protect = |label: &str, mode: u32| {
        let path = tapes.join(format!("tape-{label}.json"));
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(path, mode).expect("protect");
    };
    protect("T1", 0o444);
    reel_tests::scene::add_snapshot(
        &home,
        &daemon,
        "store1",
        "vm/101/2026-01-12T08:00:00Z",
        &home.join("source/disk.img"),
    );
    assert_says(&daemon.ctl_fails("backup store1 daily"), &["write protected", "T1"]);
    let content = daemon.ctl("media content");
    assert!(!content.contains("vm/101"), "{content}");
    daemon.ctl(&format!("restore {set} store2"));
    protect("T1", 0o644);
    protect("T2", 0o444);
    daemon.ctl_fails("format --label-text T2");
    protect("T2", 0o644);

    // Of another pool, or labelled already.
    daemon.ctl("pool create weekly");
    assert_says(&daemon.ctl_fails("backup store1 weekly"), &["media"]);
    daemon.ctl("unload");
    daemon.ctl("load-media T1");
    assert_says(&daemon.ctl_fails("label --label-text T1 --pool weekly"), &["not empty"]);
    daemon.ctl("unload");
    assert_says(&daemon.ctl_fails("label --label-text T3 --pool nosuch"), &["nosuch"]);
    daemon.ctl("backup store1 daily");
    assert!(daemon.ctl("media content").contains("vm/101"));
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
