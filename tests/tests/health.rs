//! How drives, media and cleaning cartridges do, through the daemon: kept over restarts, judged, shown at each door.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails ends the test")]

use std::fs;

use reel_emu::cartridge::MediumLife;
use reel_emu::{CartridgeFacts, CartridgeKind, Maker};
use reel_tests::emulated::{medium, shape};
use reel_tests::{Daemon, Home, emulated};
use serde_json::{Value, json};

/// A library of one drive: a good medium, one near the end of its life, a cleaning cartridge with that many uses.
fn start(home: &Home, cleanings: u32) -> Daemon<'_> {
    let life = MediumLife { beginning_passes: 13_000, ..MediumLife::default() };
    let kind = CartridgeKind::Cleaning { uses: cleanings };
    let media = [
        medium("GOOD01L8"),
        CartridgeFacts { loads: 900, life, ..medium("WORN01L8") },
        CartridgeFacts { kind, ..medium("CLN001CU") },
    ];
    emulated::make(home, &shape(&[Maker::Ibm]), &media);
    let daemon = home.start();
    emulated::configure(home, &daemon, 1);
    daemon
}

fn label(daemon: &Daemon<'_>, label: &str) -> String {
    daemon.ctl(&format!("load-media {label}"));
    daemon.ctl(&format!("label --label-text {label}"))
}

fn row<'r>(rows: &'r Value, label: &str) -> &'r Value {
    let mut rows = rows.as_array().unwrap().iter();
    rows.find(|row| row["label-text"] == label).expect(label)
}

#[test]
fn media_are_judged_and_remembered() {
    let home = Home::new();
    let daemon = start(&home, 3);
    label(&daemon, "GOOD01L8");
    let log = label(&daemon, "WORN01L8");
    assert!(log.contains("WARN: media 'WORN01L8': it has used 81 % of the passes"), "{log}");
    let rows = daemon.json("media health");
    let (good, worn) = (row(&rows, "GOOD01L8"), row(&rows, "WORN01L8"));
    assert_eq!((&good["verdict"], &worn["verdict"]), (&json!("good"), &json!("warn")));
    assert_eq!((&good["serial"], &worn["last-drive"]), (&json!("GOOD01L8"), &json!("drive0")));
    assert_eq!(worn["volume-mounts"], 901);
    assert_eq!(row(&rows, "CLN001CU")["uses-left"], 50, "it lies in the library");
    let table = daemon.ctl("media health");
    assert!(table.contains("│ WORN01L8   │ data     │ warn    │"), "{table}");
    daemon.ctl("unload");
    let before = daemon.json("media health WORN01L8");
    assert!(!before["history"].as_array().unwrap().is_empty());
    daemon.stop();

    let daemon = home.start();
    assert_eq!(daemon.json("media health WORN01L8"), before);
    let uuid = before["uuid"].as_str().unwrap();
    assert_eq!(daemon.json(&format!("media health --uuid {uuid}")), before);
    let fact = daemon.cat("media/WORN01L8/health");
    assert!(
        fact.contains("verdict: warn\n") && fact.contains("advice: it has used 81 %"),
        "{fact}"
    );
    assert!(daemon.cat("media/WORN01L8/health.json").contains("\"verdict\": \"warn\""));
    let text = daemon.ctl("media health WORN01L8");
    assert!(
        text.contains("│ medium-wearout") && text.contains("drive0 WORN01L8: 901 mounts"),
        "{text}"
    );
    assert!(daemon.ctl_fails("media health NOSUCH1").contains("NOSUCH1"));
    daemon.ctl("load-media WORN01L8");
    daemon.ctl("format --fast true");
    assert!(
        daemon.ctl_fails("media health WORN01L8").contains("WORN01L8"),
        "it is no medium of ours"
    );
    let kept = fs::read_dir(home.join("state/tape/health/media")).unwrap().count();
    assert_eq!(kept, 1, "what was formatted is forgotten");
}

#[test]
fn drives_are_looked_at_whenever_they_are_let_go() {
    let home = Home::new();
    let daemon = start(&home, 3);
    assert_eq!(daemon.json("drive health")[0]["verdict"], "unknown");
    label(&daemon, "GOOD01L8");
    let drive = daemon.json("drive health drive0");
    assert_eq!((&drive["verdict"], &drive["serial"]), (&json!("good"), &json!("DRIVE0000")));
    assert_eq!((&drive["drive-loads"], &drive["drive-cleanings"]), (&json!(1), &json!(0)));
    let looks = drive["history"].as_array().unwrap().len();
    daemon.ctl("tape-alert-flags");
    let again = daemon.json("drive health drive0");
    assert_eq!(again["history"].as_array().unwrap().len(), looks, "nothing new is kept twice");
    assert!(daemon.cat("drives/drive0/health").contains("verdict: good\n"));
    assert!(daemon.cat("drives/drive0/status").contains("cleaning:\n"));
    assert!(daemon.ctl_fails("drive health drive9").contains("no such drive"));
    daemon.stop();

    let records = home.join("state/tape/health/drives/drive0.jsonl");
    let cut = fs::read_to_string(&records).unwrap() + "{\"time\":1,\"dri";
    fs::write(&records, cut).unwrap();
    let daemon = home.start();
    assert_eq!(daemon.json("drive health drive0"), again, "a line that was cut off does no harm");
    daemon.ctl("unload");
    let text = fs::read_to_string(&records).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > looks, "{text}");
}

#[test]
fn uses_of_a_cleaning_cartridge_are_counted_until_it_is_expired() {
    let home = Home::new();
    let daemon = start(&home, 1);
    let log = daemon.ctl("clean");
    for words in ["Volume mounts: 1", "Cleaning tape wearout: 2%", "Drive cleaned successfully"] {
        assert!(log.contains(words), "{words}: {log}");
    }
    let cartridge = daemon.json("media health CLN001CU");
    assert_eq!((&cartridge["uses"], &cartridge["uses-left"]), (&json!(1), &json!(49)));
    assert_eq!(cartridge["kind"], "cleaning");
    let fact = daemon.cat("changers/sl3/slots/3/CLN001CU/health");
    assert!(fact.contains("uses-left: 49\n"), "{fact}");
    assert_eq!(daemon.json("drive health drive0")["drive-cleanings"], 1);

    // The drive finds it expired; from then on it is not taken.
    let log = task_that_fails(&daemon, "clean");
    assert!(log.contains("EXPIRED_CLEANING_MEDIA"), "{log}");
    assert!(log.contains("it is used up"), "{log}");
    daemon.stop();
    let daemon = home.start();
    let log = task_that_fails(&daemon, "clean");
    assert!(log.contains("used up (CLN001CU); put another one in"), "{log}");
    assert_eq!(daemon.json("media health CLN001CU")["verdict"], "replace");
}

/// Runs a task that must fail; what was said.
fn task_that_fails(daemon: &Daemon<'_>, line: &str) -> String {
    let output = daemon.try_ctl(line);
    assert!(!output.status.success(), "{line} must fail");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn cleaning_without_a_command_is_a_setting_of_ours() {
    let home = Home::new();
    let daemon = start(&home, 3);
    let before = fs::read(home.join("etc/tape.cfg")).unwrap();
    daemon.ctl("drive update drive0 --auto-clean true");
    assert_eq!(daemon.json("drive config drive0")["auto-clean"], true);
    assert_eq!(daemon.json("drive health drive0")["auto-clean"], true);
    assert_eq!(fs::read(home.join("etc/tape.cfg")).unwrap(), before, "a PBS would not read it");
    assert!(fs::read_to_string(home.join("etc/reelfs.cfg")).unwrap().contains("auto-clean true"));
    daemon.echo("update auto-clean=false", "drives/drive0/ctl").unwrap();
    assert_eq!(daemon.json("drive config drive0").get("auto-clean"), None);
    daemon.ctl("drive update drive0 --auto-clean true");
    daemon.ctl("drive remove drive0");
    assert!(!fs::read_to_string(home.join("etc/reelfs.cfg")).unwrap().contains("drive0"));
}
