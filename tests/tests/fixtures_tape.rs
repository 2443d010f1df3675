//! The state that a real PBS left, taken up as it stands: every listing says what PBS's own said of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails ends the test")]

use std::fs;

use reel_tests::{Daemon, Home, printed_by_pbs, run, sorted, unpack_tapes_of_pbs};
use serde_json::Value;

/// When PBS's listings were recorded: 2026-11-23T14:33:02Z.
const RECORDED_AT: &str = "1795444382";

/// The listings: our command, and the name of the file with PBS's output.
const LISTINGS: [(&str, &str); 5] = [
    ("media list", "proxmox-tape_media_list"),
    ("media list --update-status false", "proxmox-tape_media_list_--update-status_false"),
    ("media content", "proxmox-tape_media_content"),
    ("pool list", "proxmox-tape_pool_list"),
    ("inventory", "proxmox-tape_inventory"),
];

/// A home with PBS's configuration, state and tapes; only the tapes' folder is another one.
fn home_of_pbs() -> Option<Home> {
    let home = Home::new();
    let pbs = unpack_tapes_of_pbs(&home)?;
    fs::rename(pbs.join("etc-proxmox-backup"), home.join("etc")).unwrap();
    fs::create_dir(home.join("state")).unwrap();
    fs::rename(pbs.join("var-lib-proxmox-backup/tape"), home.join("state/tape")).unwrap();
    let configuration = home.join("etc/tape.cfg");
    let text = fs::read_to_string(&configuration).unwrap();
    let tapes = pbs.join("vtape");
    let moved = text.replace("/srv/vtape/set1", tapes.to_str().unwrap());
    assert_ne!(moved, text);
    fs::write(&configuration, moved).unwrap();
    run(std::process::Command::new("chown").arg("-R").arg(owner()).arg(home.path()));
    Some(home)
}

fn owner() -> String {
    format!("{}:{}", nix::unistd::getuid(), nix::unistd::getgid())
}

fn recorded(name: &str, format: &str) -> String {
    printed_by_pbs(&format!("outputs/of-the-archive/{name}.{format}.txt")).unwrap()
}

fn compare(daemon: &Daemon<'_>, command: &str, name: &str) {
    let of_pbs: Value = serde_json::from_str(&recorded(name, "json")).unwrap();
    let ours = sorted(daemon.json(command));
    assert_eq!(ours, sorted(of_pbs), "{command}");
    assert_eq!(
        daemon.ctl(&format!("{command} --output-format text")),
        recorded(name, "text"),
        "{command}"
    );
}

#[test]
fn listings_are_those_of_pbs() {
    let Some(home) = home_of_pbs() else { return };
    let daemon = home.start_with(&["--clock", RECORDED_AT]);
    for (command, name) in LISTINGS {
        compare(&daemon, command, name);
    }
    let pretty = daemon.ctl("pool list --output-format json-pretty");
    let pretty_of_pbs = recorded("proxmox-tape_pool_list", "json-pretty");
    assert_eq!(lines(&pretty), lines(&pretty_of_pbs));
}

/// The lines, in an order of their own and without the commas between elements.
fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().map(|line| line.trim_end_matches(',')).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn media_in_a_vault_are_offline_and_their_content_has_no_medium() {
    let Some(home) = home_of_pbs() else { return };
    let daemon = home.start_with(&["--clock", RECORDED_AT]);
    assert_eq!(daemon.cat("media/B00001L8/location"), "vault-offsite\n");
    assert_eq!(daemon.cat("media/ODD_x-1/location"), "offline\n");
    let error = daemon.ctl_fails("load-media B00001L8");
    assert!(error.contains("B00001L8"), "{error}");
    let set = "24a16224-e131-43fb-a4a5-06fdd4cd93bd";
    assert!(daemon.cat(&format!("media-sets/{set}/tapes")).contains("0: B00001L8 vault-offsite "));
    let content = daemon.cat("media/B00001L8/content");
    assert!(content.contains("store1:ct/200/2024-06-05T15:00:49Z\n"), "{content}");
}
