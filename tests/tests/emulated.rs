//! The main job by SCSI commands: two LTO drives and a changer of an emulated library, through the mount and
//! `reelctl`, as on `virtual:` tapes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails ends the test")]

use std::fs;

use nix::errno::Errno;
use reel_emu::{CartridgeFacts, CartridgeKind, EmulatedLibrary, Maker};
use reel_tests::emulated::{medium, shape};
use reel_tests::scene::{CONFIGURATION, SNAPSHOTS, add_snapshot, hashes, one_snapshot, only_set};
use reel_tests::{Daemon, Home, emulated, noise, sha256_of};
use serde_json::json;

const SNAPSHOT: &str = SNAPSHOTS[0];

/// A library of two drives, four storage slots and one to import and export, with three media of 16 MiB and a cleaning
/// cartridge.
fn make_library(home: &Home) {
    let mut media = [1, 2, 3].map(|number| medium(&format!("EMU00{number}L8"))).to_vec();
    let kind = CartridgeKind::Cleaning { uses: 3 };
    media.push(CartridgeFacts { kind, ..medium("CLN001CU") });
    emulated::make(home, &shape(&[Maker::Ibm, Maker::Hp]), &media);
}

/// A datastore with a snapshot of 20 MiB, and the three media labelled for a pool.
fn prepare(daemon: &Daemon<'_>, home: &Home) {
    emulated::configure(home, daemon, 2);
    one_snapshot(home, daemon, 20);
    daemon.ctl("pool create daily --retention keep");
    for number in 1..=3 {
        daemon.ctl(&format!("load-media EMU00{number}L8 --drive drive0"));
        daemon.ctl(&format!("label --label-text EMU00{number}L8 --pool daily --drive drive0"));
    }
    daemon.ctl("unload --drive drive0");
}

/// What the changer's `status` says of a drive.
fn in_drive(daemon: &Daemon<'_>, number: u32) -> String {
    let status = daemon.cat("changers/sl3/status");
    let line = status.lines().find_map(|line| line.strip_prefix(&format!("drive-{number}: ")));
    line.expect("the drive").to_owned()
}

#[test]
fn the_main_job_by_scsi_commands() {
    let home = Home::new();
    make_library(&home);
    let daemon = home.start();
    prepare(&daemon, &home);
    let log = daemon.ctl("backup store1 daily --drive drive0");
    assert!(log.contains("end backup store1"), "{log}");
    let set = only_set(&daemon);
    assert_eq!(daemon.cat(&format!("media-sets/{set}/tapes")).lines().count(), 2, "it spans media");

    // The medium that is wanted first lies in the other drive: it is read there.
    daemon.ctl("unload --drive drive0");
    daemon.ctl("load-media EMU001L8 --drive drive1");
    let file = daemon.at(&format!("media-sets/{set}/store1/{SNAPSHOT}/disk.img"));
    let original = sha256_of(&home.join("disk.img")).unwrap();
    assert_eq!(sha256_of(&file).unwrap(), original);
    assert_eq!(daemon.cat(&format!("media-sets/{set}/store1/{SNAPSHOT}/vm.conf")), CONFIGURATION);

    // The same drive takes both media one after the other for a restore of the set.
    daemon.ctl(&format!("datastore create store2 {}", home.join("store2").display()));
    for drive in ["drive0", "drive1"] {
        let number = u32::from(drive == "drive1");
        let held = in_drive(&daemon, 1 - number);
        if held != "empty" {
            daemon.ctl(&format!("unload --drive drive{}", 1 - number));
        }
        daemon.ctl(&format!("restore {set} store2 --drive {drive}"));
    }
    let restored = daemon.at(&format!("datastores/store2/{SNAPSHOT}/disk.img"));
    assert_eq!(sha256_of(&restored).unwrap(), original);

    // Nothing new is written twice, and the catalogs can be made again from the media.
    let again = daemon.ctl("backup store1 daily --drive drive1");
    assert!(!again.contains("end backup store1"), "{again}");
    let before = daemon.json("media content");
    for _ in 0..2 {
        let medium = in_drive(&daemon, 1);
        daemon.ctl("catalog --drive drive1 --force true --scan true");
        let other = if medium == "EMU001L8" { "EMU002L8" } else { "EMU001L8" };
        daemon.ctl(&format!("load-media {other} --drive drive1"));
    }
    assert_eq!(daemon.json("media content"), before);
    daemon.stop();

    let daemon = home.start();
    assert_eq!(
        sha256_of(&daemon.at(&format!("media-sets/{set}/store1/{SNAPSHOT}/disk.img"))).unwrap(),
        original
    );
}

#[test]
fn changers_and_drives_are_configured_shown_and_moved() {
    let home = Home::new();
    make_library(&home);
    let daemon = home.start();
    emulated::configure(&home, &daemon, 2);
    let path = emulated::path(&home);
    let changers = daemon.json("changer list");
    assert_eq!(
        changers,
        json!([{ "name": "sl3", "path": path, "vendor": "REELFS", "model": "EMULATED LIBRARY", "serial": "ROBOT0001" }])
    );
    daemon.ctl("changer update sl3 --export-slots 4,3");
    assert_eq!(
        daemon.json("changer config sl3"),
        json!({ "name": "sl3", "path": path, "export-slots": "3,4" })
    );
    daemon.ctl("changer update sl3 --delete export-slots");
    assert_eq!(
        daemon.json("drive config drive1"),
        json!({ "name": "drive1", "path": path, "changer": "sl3", "changer-drivenum": 1 })
    );
    let drives = daemon.json("drive list");
    assert_eq!(
        (&drives[0]["model"], &drives[1]["model"]),
        (&json!("ULTRIUM-TD8"), &json!("Ultrium 8-SCSI"))
    );

    daemon.ctl("changer transfer sl3 --from 1 --to 5");
    assert_eq!(daemon.ls("changers/sl3/import-export/5"), ["EMU001L8"]);
    assert_eq!(daemon.ls("changers/sl3/slots/1"), Vec::<String>::new());
    let refused = daemon.ctl_fails("load-media EMU001L8 --drive drive0");
    assert!(refused.contains("import/export slot 5"), "{refused}");
    daemon.echo("transfer from=5 to=1", "changers/sl3/ctl").unwrap();
    daemon.echo("load-media EMU001L8 drive=drive0", "changers/sl3/ctl").unwrap();
    daemon.ctl("load-media-from-slot 2 --drive drive1");
    assert_eq!(daemon.cat("drives/drive1/label"), "EMU002L8\n");
    assert_eq!(daemon.ls("changers/sl3/drives/1"), ["EMU002L8"]);
    let held = daemon.ctl_fails("load-media EMU002L8 --drive drive0");
    assert!(held.contains("in drive 1"), "{held}");
    let cleaning = daemon.ctl_fails("load-media CLN001CU --drive drive0");
    assert!(cleaning.contains("cleaning cartridge"), "{cleaning}");
}

/// The errno of moving a cartridge from one folder of the changer to another; none where it moved.
fn mv(daemon: &Daemon<'_>, name: &str, from: &str, to: &str) -> Option<i32> {
    let at = |folder: &str| daemon.at(&format!("changers/sl3/{folder}/{name}"));
    fs::rename(at(from), at(to)).err().map(|error| error.raw_os_error().expect("an errno"))
}

#[test]
fn mv_moves_cartridges() {
    let home = Home::new();
    make_library(&home);
    let daemon = home.start();
    emulated::configure(&home, &daemon, 2);
    for (name, from, to, errno) in [
        ("EMU001L8", "slots/1", "drives/0", None),
        ("EMU002L8", "slots/2", "drives/0", Some(Errno::EEXIST as i32)),
        ("EMU002L8", "slots/2", "slots/3", Some(Errno::EEXIST as i32)),
        ("EMU001L8", "drives/0", "drives/1", Some(Errno::EXDEV as i32)),
        ("EMU002L8", "slots/2", "import-export/5", None),
        ("EMU001L8", "drives/0", "slots/2", None),
        ("EMU001L8", "slots/1", "slots/2", Some(Errno::ENOENT as i32)),
    ] {
        assert_eq!(mv(&daemon, name, from, to), errno, "{name} from {from} to {to}");
    }
    let renamed = fs::rename(
        daemon.at("changers/sl3/slots/2/EMU001L8"),
        daemon.at("changers/sl3/slots/1/EMU009L8"),
    );
    assert_eq!(renamed.unwrap_err().raw_os_error(), Some(Errno::EXDEV as i32));
    assert_eq!(daemon.ls("changers/sl3/slots/2"), ["EMU001L8"]);
    assert_eq!(daemon.ls("changers/sl3/import-export/5"), ["EMU002L8"]);
    let told = daemon.cat("changers/sl3/last-error");
    assert!(told.contains("EEXIST") && told.contains("lies where 'EMU002L8' is to go"), "{told}");
}

#[test]
fn wrong_devices_are_refused_and_change_nothing() {
    let home = Home::new();
    make_library(&home);
    let daemon = home.start();
    emulated::configure(&home, &daemon, 2);
    let before = fs::read(home.join("etc/tape.cfg")).unwrap();
    for (line, words) in [
        ("drive create drive2 --path /dev/null", "/dev/null"),
        ("drive create drive2 --path /nowhere", "/nowhere"),
        ("changer create sl4 --path /dev/null", "/dev/null"),
        ("drive update drive1 --changer nowhere", "there is no changer 'nowhere'"),
        ("changer remove sl3", "drive 'drive0' is in it"),
        ("changer transfer sl3 --from 1 --to 2", "slot 2 is full"),
        ("changer transfer sl3 --from 5 --to 2", "slot 5 is empty"),
        ("changer transfer sl3 --from 1 --to 99", "invalid slot number"),
        ("drive create drive2 --path emulated:/nowhere --changer sl3", "/nowhere"),
    ] {
        let text = daemon.ctl_fails(line);
        assert!(text.contains(words), "{line}: {text}");
    }
    for update in
        ["changer update sl3 --export-slots 4", "drive update drive1 --changer-drivenum 0"]
    {
        let text = daemon.ctl_fails(&format!("{update} --digest {}", "0".repeat(64)));
        assert!(text.contains("changed by another user"), "{text}");
    }
    assert_eq!(fs::read(home.join("etc/tape.cfg")).unwrap(), before);
    for drive in ["drive0", "drive1"] {
        daemon.ctl(&format!("drive remove {drive}"));
    }
    daemon.ctl("changer remove sl3");
    // What nobody is configured for is let go of: another program may have it.
    drop(EmulatedLibrary::open(&home.join("library")).expect("the library is free"));
}

#[test]
fn drives_and_media_tell_their_state() {
    let home = Home::new();
    make_library(&home);
    let daemon = home.start();
    prepare(&daemon, &home);
    let empty = daemon.json("status drive0");
    assert_eq!((&empty["product"], &empty["compression"]), (&json!("ULTRIUM-TD8"), &json!(true)));
    assert_eq!(empty.get("file-number"), None, "no medium");
    daemon.ctl("load-media EMU001L8 --drive drive0");
    daemon.ctl("eod --drive drive0");
    let status = daemon.json("drive status drive0");
    assert_eq!((&status["density"], &status["blocksize"]), (&json!("LTO8"), &json!(0)));
    assert_eq!((&status["file-number"], &status["block-number"]), (&json!(1), &json!(2)));
    assert_eq!(status["alert-flags"], "(empty)");
    let memory = daemon.json("cartridge-memory --drive drive0");
    let value = |name: &str| {
        let mut rows = memory.as_array().unwrap().iter();
        let row = rows.find(|row| row["name"] == name).expect(name);
        row["value"].as_str().unwrap().trim_end_matches('\0').to_owned()
    };
    assert_eq!(value("User Medium Text Label"), "EMU001L8");
    assert_eq!(value("Media Pool"), "daily");
    let statistics = daemon.json("volume-statistics --drive drive0");
    assert_eq!(statistics["write-protect"], false);
    assert!(statistics["volume-mounts"].as_u64().unwrap() >= 1);
    assert_eq!(
        daemon.json("tape-alert-flags --drive drive0"),
        json!({ "tape-alert-flags": "(empty)" })
    );
    assert_eq!(daemon.cat("drives/drive0/cartridge-memory/user-medium-text-label"), "EMU001L8\n");
    assert_eq!(daemon.cat("drives/drive0/volume-statistics/worm"), "false\n");
    assert_eq!(daemon.cat("drives/drive0/tape-alerts/clean-now"), "false\n");
    assert_eq!(daemon.cat("drives/drive1/cartridge-memory/load-count"), "", "no medium");
    let log = daemon.ctl("clean --drive drive0");
    assert!(log.contains("Drive cleaned successfully"), "{log}");
    assert_eq!(in_drive(&daemon, 0), "empty");
    // What is of no use to the drive can be taken out of it.
    daemon.ctl_fails("load-media-from-slot 4 --drive drive0");
    assert_eq!(in_drive(&daemon, 0), "CLN001CU");
    daemon.ctl("eject --drive drive0");
    assert_eq!(in_drive(&daemon, 0), "empty");
    let slots = daemon.cat("changers/sl3/status");
    assert!(slots.contains("slot-4: CLN001CU") && slots.contains("slot-1: EMU001L8"), "{slots}");
}

/// What is recorded on the tapes of the library.
fn recorded(home: &Home) -> std::collections::BTreeMap<std::path::PathBuf, u64> {
    let mut files = hashes(&home.join("library/cartridges"));
    files.retain(|path, _| path.ends_with("data"));
    files
}

fn location(daemon: &Daemon<'_>, label: &str) -> String {
    let rows = daemon.json("media list");
    let row = rows.as_array().unwrap().iter().find(|row| row["label-text"] == label);
    row.expect(label)["location"].as_str().unwrap().to_owned()
}

#[test]
fn a_medium_that_the_robot_drops_is_told_and_put_away_before_the_next_move() {
    let home = Home::new();
    make_library(&home);
    let mut daemon = home.start();
    prepare(&daemon, &home);
    for (line, next, label) in [
        ("load-media EMU001L8 --drive drive0", "load-media EMU002L8 --drive drive0", "EMU001L8"),
        ("unload --drive drive0", "load-media EMU003L8 --drive drive0", "EMU002L8"),
        ("export-media EMU001L8", "export-media EMU001L8", "EMU001L8"),
        ("changer transfer sl3 --from 5 --to 1", "load-media EMU002L8 --drive drive1", "EMU001L8"),
    ] {
        daemon.stop();
        let before = recorded(&home);
        emulated::drop_next(&home);
        daemon = home.start();
        let output = daemon.try_ctl(line);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(255), "{line}: {said}");
        assert!(said.contains("Mechanical positioning error"), "{line}: {said}");
        // It is in the robot's hand: in no slot, in no drive.
        let status = daemon.ctl("changer status sl3 --cache false");
        assert!(!status.contains(label), "{line}: {status}");
        let hand = daemon.ctl("mtx status --changer sl3");
        let hand = hand.lines().find(|line| line.contains("(Griper)")).expect("the robot");
        assert!(hand.contains(&format!("VolumeTag(\"{label}\")")), "{line}: {hand}");
        assert_eq!(location(&daemon, label), "online-sl3", "{line}");

        daemon.ctl(next);
        let status = daemon.ctl("changer status sl3 --cache false");
        assert!(status.contains(label), "{next}: {status}");
        let hand = daemon.ctl("mtx status --changer sl3");
        assert!(hand.lines().any(|line| line.contains("(Griper)") && line.ends_with("Empty")));
        assert_eq!(recorded(&home), before, "{line}");
    }
    assert_eq!(location(&daemon, "EMU001L8"), "online-sl3");
    assert!(home.daemon_log().contains("the robot's hand is emptied into a slot"));
}

#[test]
fn a_backup_that_ends_with_a_dropped_medium_is_on_tape_and_goes_on_in_its_set() {
    let home = Home::new();
    make_library(&home);
    let daemon = home.start();
    prepare(&daemon, &home);
    daemon.ctl("load-media EMU001L8 --drive drive0");
    daemon.ctl("pool update daily --allocation continue");
    daemon.ctl("media mark EMU002L8 --status retired");
    daemon.ctl("media mark EMU003L8 --status retired");
    fs::write(home.join("disk.img"), noise(2 << 20, 5)).unwrap();
    daemon.ctl(&format!("datastore create small {}", home.join("small").display()));
    add_snapshot(&daemon, "small", SNAPSHOT, &home.join("disk.img"));
    daemon.stop();
    emulated::drop_next(&home);
    let daemon = home.start();
    let told = daemon.ctl_fails("backup small daily --drive drive0 --eject-media true");
    assert!(told.contains("Mechanical positioning error"), "{told}");
    let set = only_set(&daemon);
    assert!(daemon.ctl("media content").contains(SNAPSHOT));

    add_snapshot(&daemon, "small", SNAPSHOTS[1], &home.join("disk.img"));
    let log = daemon.ctl("backup small daily --drive drive0 --eject-media true");
    assert!(log.contains(&format!("skip snapshot {SNAPSHOT}")), "{log}");
    assert!(log.contains(&format!("end backup small:\"{}\"", SNAPSHOTS[1])), "{log}");
    assert_eq!(only_set(&daemon), set);
    for snapshot in SNAPSHOTS {
        let file = daemon.at(&format!("media-sets/{set}/small/{snapshot}/disk.img"));
        assert_eq!(sha256_of(&file).unwrap(), sha256_of(&home.join("disk.img")).unwrap());
    }
}

#[test]
fn a_drive_on_its_own_has_no_changer_to_ask() {
    let home = Home::new();
    make_library(&home);
    let daemon = home.start();
    daemon.ctl(&format!("drive create alone --path {}", emulated::path(&home)));
    let told = "drive 'alone' has no associated changer device";
    for line in [
        "load-media EMU001L8",
        "load-media-from-slot 1",
        "unload --target-slot 1",
        "inventory",
        "inventory --read-labels true",
        "barcode-label",
        "changer status --drive alone",
    ] {
        let said = daemon.ctl_fails(line);
        assert!(said.contains(told), "{line}: {said}");
    }
}
