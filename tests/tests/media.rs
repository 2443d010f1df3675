//! Labels, pools, doors and vaults of a small emulated library: two LTO drives, four slots, one slot to import and export.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test"
)]

use reel_emu::{CartridgeFacts, CartridgeKind, Maker};
use reel_tests::emulated::{medium, shape};
use reel_tests::said::{refused, silent};
use reel_tests::scene::{SNAPSHOTS, add_snapshot, one_snapshot, only_set};
use reel_tests::{Daemon, Home, emulated, noise};
use serde_json::{Value, json};

/// Three media and a cleaning cartridge in four slots.
fn start(home: &Home) -> Daemon<'_> {
    let mut media = [1, 2, 3].map(|number| medium(&format!("EMU00{number}L8"))).to_vec();
    let kind = CartridgeKind::Cleaning { uses: 3 };
    media.push(CartridgeFacts { kind, ..medium("CLN001CU") });
    emulated::make(home, &shape(&[Maker::Ibm, Maker::Hp]), &media);
    let daemon = home.start();
    emulated::configure(home, &daemon, 2);
    daemon
}

/// The same with all media labelled for the pool `daily`, which is made with `options`, and the datastore `store1`.
fn labelled<'a>(home: &'a Home, options: &str) -> Daemon<'a> {
    let daemon = start(home);
    one_snapshot(home, &daemon, 4);
    daemon.ctl(&format!("pool create daily {options}"));
    daemon.ctl("barcode-label --pool daily --drive drive0");
    daemon.ctl("unload --drive drive0");
    daemon
}

fn row(daemon: &Daemon<'_>, label: &str) -> Value {
    let rows = daemon.json("media list");
    let row = rows.as_array().unwrap().iter().find(|row| row["label-text"] == label);
    row.unwrap_or_else(|| panic!("{label} in {rows}")).clone()
}

/// The last line and what stands in front, without lines of PBS's that a test does not look at.
fn lines(log: &str) -> Vec<&str> {
    log.lines().collect()
}

#[test]
fn bar_codes_become_labels() {
    let home = Home::new();
    let daemon = start(&home);
    daemon.ctl("pool create daily");
    daemon.ctl("load-media EMU002L8 --drive drive0");
    daemon.ctl("label --label-text EMU002L8 --drive drive0");
    let log = daemon.ctl("barcode-label --pool daily --drive drive0");
    assert_eq!(
        lines(&log),
        [
            "checking/loading media 'EMU001L8'",
            "Label media 'EMU001L8' for pool 'daily'",
            "media 'EMU002L8' already inventoried (already labeled)",
            "checking/loading media 'EMU003L8'",
            "Label media 'EMU003L8' for pool 'daily'",
            "TASK OK",
        ]
    );
    assert_eq!(daemon.ls("changers/sl3/drives/0"), ["EMU003L8"], "the last one stays in the drive");
    assert_eq!(
        (&row(&daemon, "EMU001L8")["pool"], row(&daemon, "EMU002L8").get("pool")),
        (&json!("daily"), None)
    );
    let again = daemon.act("barcode-label pool=daily drive=drive0", "media");
    assert_eq!(again.matches("already labeled").count(), 3, "{again}");
    assert!(
        refused(&daemon, "barcode-label --pool nosuch --drive drive0")
            .contains("no such pool ('nosuch')")
    );
    assert!(refused(&daemon, "barcode-label --drive nosuch").contains("no such drive 'nosuch'"));

    // What the inventory has forgotten is not written over.
    daemon.ctl("media destroy EMU003L8");
    let log = daemon.ctl("barcode-label --drive drive0");
    assert!(log.contains("EMU003L8' is left as it is - media is not empty"), "{log}");
    assert!(log.contains("TASK WARNINGS: 1"), "{log}");
    let taken = daemon.ctl("inventory --read-labels true --drive drive0");
    assert!(taken.contains("inventorize media 'EMU003L8'"), "{taken}");
}

#[test]
fn a_cartridge_is_labelled_as_its_bar_code_says_or_not_at_all() {
    let home = Home::new();
    let daemon = start(&home);
    daemon.ctl("load-media EMU001L8 --drive drive0");
    let told = daemon.ctl_fails("label --label-text EMU002L8 --drive drive0");
    assert!(told.contains("a cartridge with the bar code 'EMU001L8'"), "{told}");
    assert_eq!(daemon.json("media list"), json!([]));
    daemon.ctl("label --label-text EMU001L8 --drive drive0");
    let twice = daemon.ctl_fails("label --label-text EMU001L8 --drive drive0");
    assert!(twice.contains("media is not empty (format it first)"), "{twice}");
}

#[test]
fn no_cleaning_cartridge_holds_data() {
    let home = Home::new();
    let daemon = start(&home);
    let is_cleaning = "is a cleaning cartridge, not a medium";
    assert!(daemon.ctl_fails("load-media CLN001CU --drive drive0").contains(is_cleaning));
    // Nor may a medium pass for one: no library would load it again.
    daemon.ctl("load-media EMU001L8 --drive drive0");
    let told = daemon.ctl_fails("label --label-text CLN002L8 --drive drive0");
    assert!(told.contains(is_cleaning), "{told}");
    let blank = refused(&daemon, "read-label --drive drive0");
    assert!(blank.contains("Media is empty (no label)."), "{blank}");
    daemon.ctl("unload --drive drive0");
    daemon.ctl_fails("load-media-from-slot 4 --drive drive0");
    daemon.ctl_fails("label --label-text CLN001CU --drive drive0");
    daemon.ctl("unload --drive drive0");
    daemon.ctl("pool create daily");
    let log = daemon.ctl("barcode-label --pool daily --drive drive0");
    assert!(!log.contains("CLN001CU"), "{log}");

    daemon.ctl(&format!("drive create vt0 --path virtual:{}", home.join("tapes").display()));
    for line in ["load-media CLN003L8 --drive vt0", "label --label-text CLN003L8 --drive vt0"] {
        let told = daemon.ctl_fails(line);
        assert!(told.contains(is_cleaning), "{line}: {told}");
        assert!(!home.join("tapes/tape-CLN003L8.json").exists(), "{line}");
    }
    let listed = daemon.ctl("media list");
    assert!(listed.contains("EMU003L8") && !listed.contains("CLN"), "{listed}");
}

#[test]
fn a_medium_goes_to_the_door_from_wherever_it_lies() {
    let home = Home::new();
    let daemon = labelled(&home, "");
    daemon.ctl("load-media EMU001L8 --drive drive1");
    silent(&daemon, "export-media EMU001L8 --drive drive0");
    assert_eq!(daemon.ls("changers/sl3/import-export/5"), ["EMU001L8"]);
    assert_eq!(row(&daemon, "EMU001L8")["location"], "offline");
    // It is there already; for another one there is no room.
    silent(&daemon, "export-media EMU001L8");
    let full = refused(&daemon, "export-media EMU002L8");
    assert!(full.contains("unable to find free export slot"), "{full}");
    let status = daemon.json("changer status sl3 --cache false");
    let door: Vec<&Value> = status
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["entry-kind"] == "import-export")
        .collect();
    assert_eq!(
        door,
        [&json!({ "entry-kind": "import-export", "entry-id": 5, "label-text": "EMU001L8" })]
    );
    let inventory = daemon.json("inventory --drive drive0");
    let online: Vec<_> =
        inventory.as_array().unwrap().iter().map(|entry| &entry["label-text"]).collect();
    assert_eq!(online, ["EMU002L8", "EMU003L8"]);
    daemon.ctl("changer transfer sl3 --from 5 --to 1");
    daemon.echo("export-media", "media/EMU002L8/ctl").unwrap();
    assert_eq!(daemon.ls("changers/sl3/import-export/5"), ["EMU002L8"]);
    assert!(
        refused(&daemon, "export-media NOSUCHL8")
            .contains("'NOSUCHL8' is not online (via changer 'sl3')")
    );
    assert!(refused(&daemon, "export-media EMU001L8 --drive nosuch").contains("no such drive"));
}

#[test]
fn export_slots_are_made_of_ordinary_ones_and_a_set_goes_there() {
    let home = Home::new();
    let daemon = labelled(&home, "");
    let log = daemon.ctl("backup store1 daily --drive drive0 --export-media-set true");
    let end = ["rewind media", "exported media 'EMU001L8' to import/export slot 5", "TASK OK"];
    assert!(lines(&log).ends_with(&end), "{log}");
    assert!(
        log.contains("media 'EMU001L8' was chosen - reason: empty medium of the pool"),
        "{log}"
    );
    daemon.ctl("changer transfer sl3 --from 5 --to 1");
    let set = only_set(&daemon);
    let log = daemon.act("export", &format!("media-sets/{set}"));
    assert!(log.contains("exported media 'EMU001L8' to import/export slot 5"), "{log}");

    // What is at the door stays there, whatever slots are doors.
    daemon.ctl("changer update sl3 --export-slots 1");
    assert_eq!(daemon.ls("changers/sl3/import-export"), ["1", "5"]);
    let log = daemon.ctl(&format!("media-set export {set}"));
    assert!(log.contains("import/export slot 5"), "{log}");
    let unknown = refused(&daemon, "media-set export 7f42c4dd-9626-4d89-9f2b-c7bc6da7d533");
    assert!(unknown.contains("unable to lookup pool"), "{unknown}");
}

#[test]
fn a_job_that_fails_leaves_its_tape_in_the_drive() {
    let home = Home::new();
    let daemon = labelled(&home, "");
    std::fs::write(home.join("disk.img"), noise(60 << 20, 2)).unwrap();
    add_snapshot(&daemon, "store1", SNAPSHOTS[1], &home.join("disk.img"));
    let told = daemon
        .ctl_fails("backup store1 daily --drive drive0 --export-media-set true --eject-media true");
    assert!(told.contains("no usable media found"), "{told}");
    assert_eq!(daemon.ls("changers/sl3/import-export/5"), Vec::<String>::new());
    assert_eq!(daemon.ls("changers/sl3/drives/0"), ["EMU003L8"]);
}

#[test]
fn operators_note_what_no_device_tells() {
    let home = Home::new();
    let daemon = labelled(&home, "");
    let uuid = row(&daemon, "EMU001L8")["uuid"].as_str().unwrap().to_owned();
    silent(&daemon, &format!("media mark --uuid {uuid} --status damaged"));
    assert_eq!(row(&daemon, "EMU001L8")["status"], "damaged");
    silent(&daemon, "media mark EMU001L8 --clear");
    assert_eq!(row(&daemon, "EMU001L8")["status"], "writable");
    daemon.echo("retire", "media/EMU001L8/ctl").unwrap();
    assert!(daemon.cat("media/EMU001L8/status").contains("status: retired\n"));
    let log = daemon.ctl("backup store1 daily --drive drive0");
    assert!(log.contains("allocated new writable media 'EMU002L8'"), "{log}");

    let before = std::fs::read(home.join("state/tape/inventory.json")).unwrap();
    let both = format!("media move EMU001L8 --uuid {uuid} --vault office");
    for (line, words) in [
        ("media mark EMU001L8 --status writable", "setting media status 'writable' is not allowed"),
        ("media mark EMU001L8 --status unknown", "setting media status 'unknown' is not allowed"),
        ("media mark EMU001L8 --status broken", "'broken' is not one of"),
        ("media mark EMU001L8", "either 'status'"),
        ("media mark EMU001L8 --status full --clear", "either 'status'"),
        ("media mark --status full", "either by 'label-text' or by 'uuid'"),
        ("media mark NOSUCHL8 --status full", "no such media 'NOSUCHL8'"),
        (&both, "either by 'label-text' or by 'uuid'"),
        ("media move --vault office", "either by 'label-text' or by 'uuid'"),
        ("media move NOSUCHL8 --vault office", "no such media 'NOSUCHL8'"),
        ("media move EMU001L8 --vault x", "'vault-name'"),
        ("media destroy", "either by 'label-text' or by 'uuid'"),
        ("media destroy EMU002L8", "contains data"),
        ("vault move office NOSUCHL8", "no such media 'NOSUCHL8'"),
        ("vault move office", "'--due'"),
        ("vault move office EMU001L8 --due", "not both"),
        ("vault due --pool nosuch", "no such pool ('nosuch')"),
        ("pool plan nosuch", "no such pool ('nosuch')"),
        ("pool plan daily --store nosuch", "nosuch"),
        ("pool plan daily --drive nosuch", "no such drive 'nosuch'"),
        ("pool update daily --allocation 25:61", "'allocation'"),
        ("pool update daily --retention 2-fortnights", "'retention'"),
        ("unload --drive drive0 --target-slot 0", "'target-slot'"),
        ("load-media-from-slot 0 --drive drive0", "'source-slot'"),
    ] {
        let told = daemon.ctl_fails(line);
        assert!(told.contains(words), "{line}: {told}");
    }
    assert_eq!(std::fs::read(home.join("state/tape/inventory.json")).unwrap(), before);
}

#[test]
fn media_go_to_a_vault_and_come_back_when_they_are_expired() {
    let home = Home::new();
    let daemon = labelled(&home, "--allocation always --retention overwrite --vault office");
    assert_eq!(daemon.json("pool config daily")["vault"], "office");
    assert_eq!(daemon.json("vault due"), json!([]));
    daemon.ctl("backup store1 daily --drive drive0 --eject-media true");
    // Its retention is over at once: nothing is to go out, and what is in reach need not come back.
    assert_eq!(daemon.json("vault due"), json!([]));
    daemon.ctl("pool update daily --retention keep");
    let due = daemon.json("vault due");
    let first = &due[0];
    assert_eq!(due.as_array().unwrap().len(), 1, "{due}");
    assert_eq!(
        (&first["action"], &first["label-text"], &first["vault"], &first["slot"]),
        (&json!("take-out"), &json!("EMU001L8"), &json!("office"), &json!("slot 1 of sl3"))
    );
    let in_tree = daemon.cat("pools/daily/due");
    assert_eq!(in_tree, "take-out EMU001L8 online-sl3 vault=office (slot 1 of sl3)\n");
    let in_tree: Value = serde_json::from_str(&daemon.cat("pools/daily/due.json")).unwrap();
    assert_eq!(in_tree, due);
    let printed = daemon.ctl("vault due");
    assert!(printed.contains("take-out") && printed.contains("slot 1 of sl3"), "{printed}");

    let log = daemon.ctl("vault move office --due");
    assert!(
        log.contains("media 'EMU001L8' is in import/export slot 5; take it to vault 'office'"),
        "{log}"
    );
    assert_eq!(row(&daemon, "EMU001L8")["location"], "vault-office");
    assert_eq!(daemon.json("vault due"), json!([]));
    let listed = daemon.json("vault list");
    assert_eq!(
        (&listed[0]["vault"], &listed[0]["label-text"]),
        (&json!("office"), &json!("EMU001L8"))
    );
    assert_eq!(daemon.json("vault list elsewhere"), json!([]));
    assert_eq!(daemon.cat("pools/daily/vault"), "EMU001L8 office full expires=never\n");
    let in_tree: Value = serde_json::from_str(&daemon.cat("pools/daily/vault.json")).unwrap();
    assert_eq!(in_tree, listed);
    assert_eq!(daemon.cat("pools/daily/due"), "");
    let again = daemon.ctl("vault move office --due");
    assert!(again.contains("nothing is due for vault 'office'"), "{again}");

    // A door that is taken lets no other through; it stays where it is.
    daemon.ctl_fails("media vault office EMU002L8 EMU001L8");
    let left = row(&daemon, "EMU002L8");
    assert_eq!(left["location"], "online-sl3");
    assert_eq!(row(&daemon, "EMU001L8")["location"], "vault-office");

    daemon.ctl("pool update daily --retention overwrite");
    let due = daemon.json("vault due --pool daily");
    assert_eq!(
        (&due[0]["action"], &due[0]["label-text"]),
        (&json!("bring-back"), &json!("EMU001L8"))
    );
    daemon.ctl("changer transfer sl3 --from 5 --to 1");
    assert_eq!(row(&daemon, "EMU001L8")["location"], "online-sl3", "seen online, in no vault");
    assert_eq!(daemon.json("vault due"), json!([]));
    daemon.ctl("pool update daily --delete vault");
    assert_eq!(daemon.json("pool config daily").get("vault"), None);
}

/// What a plan says would be written first, and what a backup then writes.
fn planned_and_written(daemon: &Daemon<'_>) -> (String, String) {
    let plan = daemon.json("pool plan daily --drive drive0");
    let log = daemon.ctl("backup store1 daily --drive drive0");
    let chosen = log.lines().find_map(|line| line.strip_prefix("found media label "));
    let chosen = chosen.and_then(|rest| rest.split(' ').next()).expect("a medium").to_owned();
    assert_eq!(
        log.contains("starting new media set"),
        plan["new-media-set"] == true && plan["reason"] != "the pool has no media set yet",
        "{plan}\n{log}"
    );
    (plan["next-media"].as_str().expect("a medium").to_owned(), chosen)
}

#[test]
fn a_plan_is_what_the_next_backup_does() {
    let home = Home::new();
    let daemon = labelled(&home, "--allocation continue --retention overwrite");
    let plan = daemon.json("pool plan daily --drive drive0");
    assert_eq!(
        (&plan["new-media-set"], &plan["reason"], &plan["next-media"]),
        (&json!(true), &json!("the pool has no media set yet"), &json!("EMU001L8"))
    );
    assert_eq!(plan["media"].as_array().unwrap().len(), 3);
    assert_eq!((plan.get("bytes-wanted"), plan.get("fits")), (None, None), "nothing is known");
    let by_store = daemon.json("pool plan daily --store store1");
    let wanted = by_store["bytes-wanted"].as_u64().unwrap();
    assert!((4 << 20..5 << 20).contains(&wanted), "{by_store}");
    assert_eq!(by_store["fits"], true);
    let (planned, written) = planned_and_written(&daemon);
    assert_eq!(planned, written);

    let plan = daemon.json("pool plan daily --drive drive0");
    assert_eq!(
        (&plan["new-media-set"], &plan["reason"]),
        (&json!(false), &json!("policy is Continue"))
    );
    assert_eq!(plan["media"][0]["kind"], "current");
    let wrote = plan["bytes-wanted"].as_u64().unwrap();
    assert!((4_000_000..5_000_000).contains(&wrote), "{plan}");
    assert_eq!(plan["estimated-by"], "the largest of the last backups to the pool (1)");
    assert_eq!(daemon.json("pool plan daily --store store1")["bytes-wanted"], 0);
    std::fs::write(home.join("disk.img"), noise(60 << 20, 2)).unwrap();
    add_snapshot(&daemon, "store1", SNAPSHOTS[1], &home.join("disk.img"));
    let large = daemon.json("pool plan daily --store store1 --drive drive0");
    assert!(large["bytes-wanted"].as_u64().unwrap() > 60 << 20, "{large}");
    assert_eq!(large["fits"], false, "three media of 16 MiB: {large}");

    // As a file, and as a table.
    let text = daemon.cat("pools/daily/plan");
    assert!(
        text.contains("new-media-set: false\nreason: policy is Continue\nnext-media: EMU001L8\n"),
        "{text}"
    );
    assert!(text.contains("media: EMU001L8 current online-sl3 free="), "{text}");
    let json: Value = serde_json::from_str(&daemon.cat("pools/daily/plan.json")).unwrap();
    assert_eq!(json["media"][1]["kind"], "empty");
    let table = daemon.ctl("pool plan daily --drive drive0");
    assert!(table.contains("EMU001L8 (current, online-sl3, ") && table.contains("fits"), "{table}");
}

#[test]
fn plans_tell_why_media_are_not_used() {
    let home = Home::new();
    let daemon = labelled(&home, "--allocation always --retention keep");
    daemon.ctl("backup store1 daily --drive drive0 --eject-media true");
    daemon.ctl("media mark EMU002L8 --status retired");
    daemon.ctl("export-media EMU003L8");
    daemon.ctl("media move EMU003L8 --vault office");
    let plan = daemon.json("pool plan daily --drive drive0");
    assert_eq!((&plan["reason"], plan.get("next-media")), (&json!("policy is AlwaysCreate"), None));
    let why: Vec<(&Value, &Value)> = plan["out-of-use"]
        .as_array()
        .unwrap()
        .iter()
        .map(|medium| (&medium["label-text"], &medium["reason"]))
        .collect();
    for (label, reason) in
        [("EMU001L8", "kept"), ("EMU002L8", "retired"), ("EMU003L8", "in vault 'office'")]
    {
        assert!(why.contains(&(&json!(label), &json!(reason))), "{label}: {plan}");
    }
    assert_eq!(plan["fits"], false, "there is no medium: {plan}");
    let set = only_set(&daemon);
    assert_eq!(plan["expiry"][0]["media-set-uuid"], set.as_str());
    let name = daemon.json("media-set list")[0]["media-set-name"].as_str().unwrap().to_owned();
    assert_eq!(daemon.ls("media-sets/by-name"), [&*name]);
    let link = std::fs::read_link(daemon.at(&format!("media-sets/by-name/{name}"))).unwrap();
    assert_eq!(link.to_str().unwrap(), format!("../{set}"));
    daemon.ctl_words(&["pool", "update", "daily", "--template", "%m/%d %id%"]);
    assert!(daemon.ls("media-sets/by-name")[0].ends_with(&set));
}

/// An offline last tape: PBS's manual has a new set begin, PBS 3.2.4 has the set go on with another tape, and so do we.
#[test]
fn an_offline_last_tape_makes_way_for_another_one_of_the_set() {
    let home = Home::new();
    let daemon = labelled(&home, "--allocation continue --retention keep");
    daemon.ctl("backup store1 daily --drive drive0");
    daemon.ctl("export-media EMU001L8");
    let plan = daemon.json("pool plan daily --drive drive0");
    assert_eq!(plan["new-media-set"], false);
    let reason = "policy is Continue; it goes on with another medium, for 'EMU001L8' is offline";
    assert_eq!((&plan["reason"], &plan["next-media"]), (&json!(reason), &json!("EMU002L8")));
    add_snapshot(&daemon, "store1", SNAPSHOTS[1], &home.join("disk.img"));
    let log = daemon.ctl("backup store1 daily --drive drive0");
    assert!(log.contains(&format!("continuing media set - reason: {reason}")), "{log}");
    only_set(&daemon);

    // In a vault nobody will bring it back tonight: then a new set begins.
    let last = "EMU002L8";
    daemon.ctl("changer transfer sl3 --from 5 --to 1");
    daemon.ctl(&format!("vault move office {last}"));
    let plan = daemon.json("pool plan daily --drive drive0");
    assert_eq!(plan["reason"], "writable media offsite in vault 'office'");
    assert_eq!((&plan["new-media-set"], &plan["next-media"]), (&json!(true), &json!("EMU003L8")));
}

#[test]
fn labels_are_printed() {
    let home = Home::new();
    let daemon = home.start();
    let svg = daemon.ctl("barcode-sheet EMU001L8 CLN001CU");
    assert!(
        svg.starts_with("<svg") && svg.contains("id=\"CLN001CU\"") && svg.ends_with("</svg>\n")
    );
    let many =
        daemon.ctl("barcode-sheet --prefix REEL --media-id L9 --paper letter --first 7 --count 3");
    assert!(many.contains("REEL09L9") && !many.contains("REEL10L9"), "{many}");
    assert!(
        refused(&daemon, "barcode-sheet --prefix A --media-id L8 --count 99").contains("4 pages")
    );
    assert!(daemon.ctl_fails("barcode-sheet A1").contains("six capital letters"));
}

#[test]
fn a_cleaning_and_a_transfer_say_what_pbs_says() {
    let home = Home::new();
    let daemon = start(&home);
    let log = daemon.ctl("clean --drive drive0");
    let said = lines(&log);
    assert_eq!(
        (said[0], said[said.len() - 2], said[said.len() - 1]),
        ("Starting drive clean", "Drive cleaned successfully", "TASK OK")
    );
    silent(&daemon, "changer transfer sl3 --from 3 --to 5");
    silent(&daemon, "load-media-from-slot 2 --drive drive0");
    assert!(refused(&daemon, "changer transfer sl3 --from 1 --to 6").contains("slot"));
}

/// The commands of docs/media.md, on a library of the size that the page has in mind.
#[test]
fn the_page_does_what_it_says() {
    let page = include_str!("../../docs/media.md");
    let home = Home::new();
    let daemon = start(&home);
    one_snapshot(&home, &daemon, 1);
    let blocks = page.split("```\n").skip(1).step_by(2);
    let commands: Vec<&str> = blocks.flat_map(str::lines).collect();
    assert!(commands.len() > 6, "{commands:?}");
    for command in commands {
        daemon.ctl(command.strip_prefix("reelctl ").expect("a command of reelctl"));
    }
    assert_eq!(row(&daemon, "EMU001L8")["location"], "vault-office");
}
