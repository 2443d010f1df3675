//! Media that are not what a job wants: of foreign programs, damaged, missing, protected, full, of others, in the place
//! of others. Each is told so, nothing on it changes, and the job is done once the right one is there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test"
)]

use std::fs;

use nix::libc;
use reel_tests::Home;
use reel_tests::scene::{
    SNAPSHOTS, add_snapshot, assert_says, content_of, errno, fill, hashes, library, on_tape,
    only_set, place_of, stores_agree, target, with_bytes,
};

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
    add_snapshot(&daemon, "store1", "vm/101/2026-01-12T08:00:00Z", &home.join("source/disk.img"));
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
fn a_tape_in_the_place_of_another_is_never_taken_for_it() {
    let home = Home::new();
    let daemon = on_tape(&home);
    let set = only_set(&daemon);
    target(&home, &daemon);
    daemon.ctl("unload");
    daemon.stop();
    fs::remove_dir_all(home.join("cache")).expect("forget what was read");
    let tapes = home.join("tapes");
    let swap = || {
        let files: Vec<_> = hashes(&tapes).into_keys().collect();
        for path in files {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let other = match (name.contains("-T1."), name.contains("-T2.")) {
                (true, _) => name.replace("-T1.", "-T2."),
                (_, true) => name.replace("-T2.", "-T1."),
                _ => continue,
            };
            fs::rename(&path, tapes.join(format!("{other}.new"))).expect("another label");
        }
        for path in hashes(&tapes).into_keys() {
            let text = path.to_string_lossy().into_owned();
            if let Some(name) = text.strip_suffix(".new") {
                fs::rename(&path, name).expect("its name");
            }
        }
    };
    swap();
    let daemon = home.start();
    let before = content_of(&tapes);
    assert_says(&daemon.ctl_fails(&format!("restore {set} store2")), &["T1", "T2"]);
    let image = daemon.at(&format!("media-sets/{set}/store1/{}/disk.img", SNAPSHOTS[0]));
    assert_ne!(errno(fs::read(image)), 0);
    add_snapshot(&daemon, "store1", "vm/101/2026-01-12T08:00:00Z", &home.join("source/disk.img"));
    assert_says(&daemon.ctl_fails("backup store1 daily"), &["T1"]);
    assert_eq!(content_of(&tapes), before);
    daemon.ctl("unload");
    daemon.stop();
    swap();
    let daemon = home.start();
    daemon.ctl("backup store1 daily");
    daemon.ctl(&format!("restore {set} store2"));
    stores_agree(&daemon, "store1", "store2");
}

#[test]
fn two_media_with_one_label_are_told_apart_and_never_mistaken() {
    let home = Home::new();
    let daemon = on_tape(&home);
    let set = only_set(&daemon);
    daemon.ctl("unload --drive drive1");
    let known = fs::read(home.join("state/tape/inventory.json")).expect("the inventory");

    // Another library has a tape of the same label, made where nobody knew of the first.
    let other = home.join("other");
    daemon.ctl(&format!("drive create drive2 --path virtual:{}", other.display()));
    assert_says(&daemon.ctl_fails("label --label-text T1 --drive drive2"), &["T1"]);
    fs::remove_file(home.join("state/tape/inventory.json")).expect("forget the first");
    daemon.ctl("label --label-text T1 --drive drive2");
    let mut both: serde_json::Value = serde_json::from_slice(&known).expect("JSON");
    let second = fs::read(home.join("state/tape/inventory.json")).expect("the inventory");
    let second: serde_json::Value = serde_json::from_slice(&second).expect("JSON");
    let entries = both.as_array_mut().expect("an array");
    entries.extend(second.as_array().expect("an array").iter().cloned());
    fs::write(home.join("state/tape/inventory.json"), both.to_string()).expect("both");

    let media = daemon.json("media list");
    let uuid_of = |pool: &serde_json::Value| {
        let mut rows = media.as_array().into_iter().flatten();
        let row = rows.find(|row| row["pool"] == *pool && row["label-text"] == "T1");
        let row = row.expect("a medium");
        row["uuid"].as_str().expect("its uuid").to_owned()
    };
    let (first, second) = (uuid_of(&"daily".into()), uuid_of(&serde_json::Value::Null));
    let mut names = [format!("T1~{}", &first[..8]), format!("T1~{}", &second[..8])];
    names.sort();
    assert_eq!(daemon.ls("media")[..2], names);
    assert_eq!(daemon.cat(&format!("media/{}/uuid", names[0])).len(), 37);
    for line in ["media destroy T1 --force true", "media destroy T1"] {
        assert_says(&daemon.ctl_fails(line), &["There are '2' tapes with the label 'T1'", "uuid"]);
    }
    // In the other library the label is there and the medium is not.
    let before = content_of(&other);
    target(&home, &daemon);
    for line in [
        format!("restore {set} store2 --drive drive2"),
        "backup store1 daily --drive drive2".into(),
    ] {
        let output = daemon.try_ctl(&line);
        let nothing_to_do = line.starts_with("backup") && output.status.success();
        assert!(nothing_to_do || output.status.code() == Some(255), "{line}");
        assert_eq!(content_of(&other), before, "{line}");
    }
    daemon.ctl(&format!("restore {set} store2 --drive drive1"));
    stores_agree(&daemon, "store1", "store2");
    daemon.ctl(&format!("media destroy --uuid {second}"));
    assert_eq!(daemon.ls("media")[0], "T1");
}

#[test]
fn a_pool_without_a_usable_medium_keeps_what_it_has_and_goes_on_with_the_next_one() {
    let home = Home::new();
    let daemon = home.start();
    fill(&home, &daemon, "store1", 8);
    library(&home, &daemon, "12MiB", &["T1"]);
    let no_media = "alloc writable media in pool 'daily' failed: no usable media found";
    assert_says(&daemon.ctl_fails("backup store1 daily"), &[no_media]);
    let listed = daemon.json("media list");
    assert_eq!((&listed[0]["label-text"], &listed[0]["status"]), (&"T1".into(), &"full".into()));
    let content = daemon.ctl("media content");
    assert!(content.contains(SNAPSHOTS[0]) && !content.contains(SNAPSHOTS[1]), "{content}");

    let tapes = home.join("tapes");
    let before = content_of(&tapes);
    assert_says(&daemon.ctl_fails("backup store1 daily"), &[no_media]);
    assert_eq!(content_of(&tapes), before, "a full medium stays as it is");
    let set = only_set(&daemon);
    let disk = format!("{}/disk.img", SNAPSHOTS[0]);
    let on_tape = fs::read(daemon.at(&format!("media-sets/{set}/store1/{disk}"))).expect("cp");
    assert!(on_tape == fs::read(daemon.at(&format!("datastores/store1/{disk}"))).expect("cp"));

    // The next one is known, but not in the library; then it is.
    daemon.ctl("unload");
    daemon.ctl("label --label-text T2 --pool daily");
    daemon.ctl("unload");
    let away = home.join("away.json");
    fs::rename(tapes.join("tape-T2.json"), &away).expect("take it out");
    assert_says(&daemon.ctl_fails("backup store1 daily"), &[no_media]);
    fs::rename(&away, tapes.join("tape-T2.json")).expect("put it back");
    daemon.ctl("backup store1 daily");
    assert_eq!(only_set(&daemon), set);
    target(&home, &daemon);
    daemon.ctl(&format!("restore {set} store2"));
    stores_agree(&daemon, "store1", "store2");
}

#[test]
fn an_inventory_that_is_older_than_the_tapes_costs_none_of_them() {
    let home = Home::new();
    let daemon = home.start();
    fill(&home, &daemon, "store1", 1);
    library(&home, &daemon, "16MiB", &["T1"]);
    let inventory = home.join("state/tape/inventory.json");
    let empty = fs::read(&inventory).expect("the inventory");
    daemon.ctl("backup store1 daily");
    let set = only_set(&daemon);
    target(&home, &daemon);

    // What was written since then is not in it: to it the tape is empty.
    daemon.kill();
    fs::write(&inventory, empty).expect("an older inventory");
    let daemon = home.start();
    let before = content_of(&home.join("tapes"));
    let said = daemon.ctl_fails("backup store1 daily");
    assert_says(&said, &["media 'T1' carries media set", &set, "may not be written over yet"]);
    assert_eq!(content_of(&home.join("tapes")), before);

    // It is known from now on, and gives back what is on it.
    assert_eq!(only_set(&daemon), set);
    daemon.ctl("catalog");
    daemon.ctl(&format!("restore {set} store2"));
    stores_agree(&daemon, "store1", "store2");
    daemon.ctl("backup store1 daily");
    assert_eq!(only_set(&daemon), set);
}
