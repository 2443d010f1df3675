//! `mt` and `mtx` on drives and changers that the daemon knows, `scan`, and their refusals.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails ends the test")]

use std::fs;
use std::process::Stdio;

use reel_tests::scene::hold_drive;
use reel_tests::{Daemon, Home, emulated, printed_by_pbs, unpack_tapes_of_pbs};
use serde_json::{Value, json};

/// A library of the daemon's own making in a folder, its first medium in drive0.
fn configured(home: &Home) -> Daemon<'_> {
    let daemon = home.start();
    emulated::configure(home, &daemon, 2);
    daemon.ctl("load-media REEL01L8 --drive drive0");
    daemon
}

/// What the daemon takes drive0 to be doing.
fn state(daemon: &Daemon<'_>) -> String {
    daemon.cat("drives/drive0/state")
}

/// Where the tape in drive0 stands: file and object.
fn position(daemon: &Daemon<'_>) -> (u64, u64) {
    let status = daemon.json("mt status --drive drive0");
    let number = |key: &str| status["Ok"][key].as_u64().expect(key);
    (number("file-number"), number("block-number"))
}

#[test]
fn mt_moves_writes_and_erases() {
    let home = Home::new();
    let daemon = configured(&home);
    let mt = |line: &str| {
        let said = daemon.ctl(&format!("mt {line} --drive drive0"));
        assert_eq!(said, "", "mt {line}");
    };
    let fails = |line: &str| daemon.ctl_fails(&format!("mt {line} --drive drive0"));
    mt("rewind");
    mt("weof 4");
    assert_eq!(position(&daemon), (4, 4));
    mt("bsf 2");
    assert_eq!(position(&daemon), (2, 2));
    mt("fsf 1");
    mt("fsfm 1");
    assert_eq!(position(&daemon), (3, 3));
    mt("bsfm 1");
    assert_eq!(position(&daemon), (3, 3));
    mt("asf 1");
    assert_eq!(position(&daemon), (1, 1));
    let met = "space blocks failed - No Sense, Additional sense: Filemark detected\n";
    assert_eq!(fails("fsr 1"), format!("Error: {met}"));
    assert_eq!(fails("bsr 1"), format!("Error: {met}"));
    mt("eod");
    assert_eq!(position(&daemon), (4, 4));
    mt("asf 2");
    mt("erase");
    mt("eod");
    assert_eq!(position(&daemon), (2, 2), "what followed is gone");
    assert!(fails("weof 256").contains("255 filemarks"));
    mt("lock");
    assert!(daemon.ctl_fails("mt eject --drive drive0").contains("removal prevented"));
    mt("unlock");
    mt("eject");
    assert_eq!(state(&daemon), "empty\n");
    mt("load");
    assert_eq!(position(&daemon), (0, 0));
    mt("eod");
    mt("format");
    mt("eod");
    assert_eq!(position(&daemon), (0, 0), "everything is gone");
    let tasks = daemon.json("task list --all");
    let kinds = ["mt-format", "mt-erase"].map(|kind| format!(":{kind}:drive0:"));
    for (task, kind) in tasks.as_array().unwrap().iter().zip(kinds) {
        assert!(task["upid"].as_str().unwrap().contains(&kind), "{task}");
    }
}

#[test]
fn mt_tells_of_drive_and_medium() {
    let home = Home::new();
    let daemon = configured(&home);
    let text = daemon.ctl("mt status --drive drive0");
    let keys: Vec<_> = text.lines().filter_map(|line| line.trim().split('"').nth(1)).collect();
    assert_eq!(
        keys[..7],
        ["vendor", "product", "revision", "blocksize", "compression", "buffer-mode", "density"]
    );
    assert_eq!(keys.last(), Some(&"drive-activity"));
    daemon.ctl("mt options --compression false --drive drive0");
    daemon.ctl("mt setblk 512 --drive drive0");
    let status = daemon.json("mt status --drive drive0")["Ok"].clone();
    assert_eq!((&status["compression"], &status["blocksize"]), (&json!(false), &json!(512)));
    daemon.ctl("mt options --defaults --drive drive0");
    let status = daemon.json("mt status --drive drive0")["Ok"].clone();
    assert_eq!((&status["compression"], &status["blocksize"]), (&json!(true), &json!(0)));

    assert_eq!(daemon.ctl("mt tape-alert-flags --drive drive0"), "Tape Alert Flags: (empty)\n");
    let memory = daemon.ctl("mt cartridge-memory --drive drive0");
    assert!(memory.contains("|Medium Manufacturer|"), "{memory}");
    let statistics = daemon.json("mt volume-statistics --drive drive0");
    assert_eq!(statistics["Ok"]["write-protect"], false);

    // A question without an answer is no failure in JSON, and one as text.
    daemon.ctl("mt eject --drive drive0");
    let memory = daemon.json("mt cartridge-memory --drive drive0");
    assert!(memory["Err"].as_str().unwrap().contains("no medium"), "{memory}");
    let said = daemon.ctl_fails("mt cartridge-memory --drive drive0");
    assert!(said.starts_with("Error: ") && said.contains("no medium"), "{said}");
    let status = daemon.json("mt status --drive drive0");
    assert_eq!(status["Ok"].get("file-number"), None);
}

#[test]
fn mtx_moves_cartridges() {
    let home = Home::new();
    let daemon = configured(&home);
    let mtx = |line: &str| daemon.ctl(&format!("mtx {line} --changer sl3"));
    let fails = |line: &str| daemon.ctl_fails(&format!("mtx {line} --changer sl3"));
    assert_eq!(
        mtx("inquiry"),
        "Type:     Medium Changer (8)\nVendor:   REELFS\nProduct:  EMULATED LIBRARY\nRevision: 0100\n"
    );
    let status = mtx("status");
    let lines: Vec<_> = status.lines().collect();
    assert_eq!(lines[0], "Transport Element (Griper)      0: Empty");
    let drives = daemon.json("drive list");
    let serial = drives[0]["serial"].as_str().unwrap();
    assert_eq!(
        lines[1],
        format!(
            "Data Transfer Element (Drive)   0: VolumeTag(\"REEL01L8\"), Source: 1, Serial: {serial}"
        )
    );
    assert_eq!(lines[3], "  Storage Element   1: Empty");
    assert_eq!(lines[4], "  Storage Element   2: VolumeTag(\"REEL02L8\")");
    assert_eq!(lines[11], "  Import/Export     9: Empty");

    assert_eq!(fails("load 2"), "Error: drive 0 holds 'REEL01L8'; unload it first\n");
    assert_eq!(state(&daemon), "ready\n");
    assert_eq!(mtx("unload --slot 9"), "");
    assert_eq!(state(&daemon), "empty\n");
    assert_eq!(fails("unload"), "Error: Drive 0 is empty.\n");
    assert_eq!(fails("unload --drivenum 2"), "Error: Drive 2 does not exist.\n");
    assert_eq!(mtx("transfer 9 1"), "");
    assert_eq!(mtx("load 2 --drivenum 1"), "");
    assert_eq!(mtx("inventory"), "");
    assert_eq!(daemon.ls("changers/sl3/drives/1"), ["REEL02L8"]);
    // Slots are those of the changer, whatever the configuration makes of them; what others see is as configured.
    daemon.ctl("changer update sl3 --export-slots 8");
    let import_export =
        |value: &Value, slot: usize| value["Ok"]["slots"][slot]["import_export"].clone();
    let status = daemon.json("mtx status --changer sl3");
    assert_eq!((import_export(&status, 7), import_export(&status, 8)), (json!(false), json!(true)));
    assert!(daemon.ctl("changer status sl3").contains("import-export │        8"));

    let by_drive = daemon.json("mtx status --drive drive1");
    assert_eq!(by_drive["Ok"]["drives"][1]["status"], json!({ "VolumeTag": "REEL02L8" }));
    let unknown = daemon.json("mtx status --changer nosuch");
    assert_eq!(unknown, json!({ "Err": "no such changer 'nosuch'" }));
    assert_eq!(daemon.json("mtx status"), json!({ "Err": "no  changer device specified" }));
    assert_eq!(daemon.json("mtx scan"), json!([]));
    assert_eq!(daemon.ctl("mt scan"), "");
}

#[test]
fn the_ctl_files_take_them_too() {
    let home = Home::new();
    let daemon = configured(&home);
    let drive = "drives/drive0/ctl";
    daemon.echo("mt rewind", drive).unwrap();
    daemon.echo("mt weof drive0 2", drive).unwrap();
    assert_eq!(position(&daemon), (2, 2));
    daemon.echo("mt bsf 1", drive).unwrap();
    assert_eq!(position(&daemon), (1, 1));
    for line in
        ["mt erase", "mt weof 2", "mt format drive1", "mt fsf", "mt rewind device=/dev/nst0"]
    {
        assert!(daemon.echo(line, drive).is_err(), "{line}");
    }
    assert_eq!(position(&daemon), (1, 1));
    daemon.echo("mtx unload drivenum=0 slot=3", "changers/sl3/ctl").unwrap_err();
    daemon.echo("mtx unload slot=1", "changers/sl3/ctl").unwrap();
    daemon.echo("mtx load 3 drivenum=1", "changers/sl3/ctl").unwrap();
    assert_eq!(daemon.ls("changers/sl3/drives/1"), ["REEL03L8"]);
}

#[test]
fn what_is_no_drive_or_device_is_refused() {
    let home = Home::new();
    let daemon = configured(&home);
    for (line, words) in [
        ("mt rewind", "no drive/device specified"),
        ("mt rewind --drive nosuch", "no such drive 'nosuch'"),
        ("mt rewind --device /dev/null", "/dev/null"),
        ("mt status --device /nowhere", "/nowhere"),
        ("mt rewind --drive drive0 --device /dev/null", "name one of them"),
        ("mt stsetoptions sili --drive drive0", "/dev/nst0"),
        ("mt stsetoptions sili --device /dev/null", "not a node of the kernel's tape driver"),
        ("mtx load 1 --device /dev/null", "/dev/null"),
        ("mtx load 1", "no  changer device specified"),
    ] {
        let said = daemon.ctl_fails(line);
        assert!(said.contains(words), "{line}: {said}");
    }
    // What cannot be opened is no answer of a drive; of a changer it is.
    assert!(
        daemon.ctl_fails("mt status --device /dev/null --output-format json").contains("Error: ")
    );
    let changer = daemon.json("mtx status --device /dev/null");
    assert!(changer["Err"].as_str().unwrap().contains("/dev/null"), "{changer}");
}

#[test]
fn a_drive_that_somebody_uses_is_left_alone() {
    let home = Home::new();
    let daemon = configured(&home);
    // Drive1 was not used yet.
    let held = hold_drive(&home);
    let lines = ["mt erase --drive drive0", "mt status --drive drive0", "mtx unload --changer sl3"];
    let started = lines.map(|line| {
        let mut command = daemon.reelctl();
        command.args(line.split(' ')).stderr(Stdio::piped()).spawn().unwrap()
    });
    for (line, child) in lines.into_iter().zip(started) {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(255), "{line}: {said}");
        assert!(said.contains("drive0"), "{line}: {said}");
    }
    // The other drive is free, and so is this one then.
    daemon.ctl("mtx load 2 --drivenum 1 --changer sl3");
    drop(held);
    daemon.ctl("mt erase --drive drive0");
}

#[test]
fn a_virtual_drive_is_a_full_drive() {
    let home = Home::new();
    let daemon = home.start();
    daemon.ctl(&format!("drive create vt0 --path virtual:{}", home.join("tapes").display()));
    daemon.ctl("load-media TAPE01L8 --drive vt0");
    // The only drive there is.
    for line in ["mt rewind", "mt weof 3", "mt bsf 1", "mt asf 1", "mt eod", "mt format", "mt load"]
    {
        assert_eq!(daemon.ctl(line), "", "{line}");
    }
    daemon.ctl("mt weof 2");
    let status = daemon.json("mt status");
    assert_eq!(
        (&status["Ok"]["file-number"], &status["Ok"]["alert-flags"]),
        (&json!(2), &json!("(empty)"))
    );
    assert!(daemon.json("mt cartridge-memory")["Err"].as_str().unwrap().contains("not supported"));
    assert!(daemon.ctl_fails("mt lock").contains("not supported"));
    assert!(daemon.ctl_fails("mt options --compression on").contains("not supported"));
    let elements = daemon.ctl("mtx status --changer vt0");
    assert!(
        elements
            .starts_with("Data Transfer Element (Drive)   0: VolumeTag(\"TAPE01L8\"), Source: 1\n")
    );
    daemon.ctl("mt eject");
    daemon.ctl("mtx load 1 --changer vt0");
    daemon.ctl("mtx unload --changer vt0");
    assert!(daemon.ctl("mtx status --changer vt0").contains("(Drive)   0: Empty\n"));
}

#[test]
fn scan_lists_the_files_on_a_medium() {
    let home = Home::new();
    let daemon = configured(&home);
    daemon.ctl("label --label-text REEL01L8 --drive drive0");
    let said = daemon.ctl("scan --drive drive0");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "rewinding tape",
            "got file number 0",
            "got content header: Proxmox Backup Tape Label v1.0"
        ]
    );
    assert!(lines[3].starts_with("  uuid:  ") && lines[4].starts_with("  ctime: "), "{said}");
    assert!(lines[5].starts_with("  hsize: ") && lines[5].ends_with(" B"), "{said}");
    assert_eq!(lines[6], "  part:  0");
    assert!(lines[7].starts_with("skipped ") && lines[7].ends_with(" B"), "{said}");
    assert_eq!(lines[8..], ["got EOT"], "and no word of the task");

    daemon.ctl("mt eod --drive drive0");
    daemon.ctl("mt weof 1 --drive drive0");
    assert!(daemon.ctl("scan --drive drive0").ends_with("\nfilemark number 1\ngot EOT\n"));
    daemon.ctl("unload --drive drive0");
    let said = daemon.ctl_fails("scan --drive drive0");
    assert!(said.starts_with("Error: ") && said.contains("no medium"), "{said}");
}

#[test]
fn scan_says_of_a_tape_of_pbs_what_pbs_says() {
    let home = Home::new();
    let Some(pbs) = unpack_tapes_of_pbs(&home) else { return };
    let of_pbs = printed_by_pbs("outputs/proxmox-tape_scan.txt").unwrap();
    let tapes = pbs.join("vtape");
    fs::remove_file(tapes.join("drive-status.json")).unwrap();
    let daemon = home.start();
    daemon.ctl(&format!("drive create vt0 --path virtual:{}", tapes.display()));
    daemon.ctl("load-media A00001L8");
    // The tape that PBS scanned was written again since: other times and ids, the same store.
    let kept = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.contains("uuid:") && !line.contains("ctime:"));
        lines.map(str::to_owned).collect()
    };
    let ours = daemon.ctl("scan");
    assert_eq!(kept(&ours)[..12], kept(&of_pbs)[..12], "{ours}");
    assert!(ours.contains("got content header: Proxmox Backup Chunk Archive v1.1\n"), "{ours}");
    assert!(ours.ends_with("got EOT\n"), "{ours}");
}
