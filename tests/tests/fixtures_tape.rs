//! The state that a real PBS left, taken up as it stands: every listing says what PBS's own said of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails ends the test")]

use std::fs;
use std::path::{Path, PathBuf};

use reel_tests::said::{Said, called, recorded};
use reel_tests::{Home, fixtures, run, sorted, unpack_tapes_of_pbs};
use serde_json::Value;

/// When PBS's listings were recorded: 2026-11-23T14:33:02Z.
const RECORDED_AT: &str = "1795444382";

/// The folder with the listings of this very state.
const OF_THE_ARCHIVE: &str = "outputs/of-the-archive";

/// The only file there that holds no command's output but an answer of PBS's API, and our command that gives the same.
const MEDIA_SETS: (&str, &str) = ("api_media-sets.txt", "media-set list");

/// Beside that folder: what was recorded of settings that are the same in this state.
const SETTINGS: [&str; 12] = [
    "proxmox-backup-manager_datastore_show_store1",
    "proxmox-backup-manager_remote_show_self1",
    "proxmox-backup-manager_sync-job_show_s-local1",
    "proxmox-backup-manager_sync-job_show_s-ns1",
    "proxmox-backup-manager_sync-job_show_s-pull1",
    "proxmox-backup-manager_user_list-tokens_alice_pbs",
    "proxmox-backup-manager_user_permissions_alice_pbs",
    "proxmox-backup-manager_user_permissions_alice_pbs_tok1",
    "proxmox-tape_backup-job_show_manual-1",
    "proxmox-tape_backup-job_show_nightly-1",
    "proxmox-tape_pool_config_nosuchpool",
    "proxmox-tape_pool_config_poolA",
];

/// A home with PBS's configuration, state, logs and tapes; only the tapes' folder is another one.
fn home_of_pbs() -> Option<Home> {
    let home = Home::new();
    let pbs = unpack_tapes_of_pbs(&home)?;
    for (theirs, ours) in [("etc", "etc"), ("var-lib", "state"), ("var-log", "log")] {
        fs::rename(pbs.join(format!("{theirs}-proxmox-backup")), home.join(ours)).unwrap();
    }
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

/// The files of a folder of the fixtures, by name.
fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A listing, to the letter. PBS prints the elements of a list in JSON in the order of its hash tables, another one each
/// time; so they get an order here, once the text is what their JSON is in one of the two layouts.
fn in_order(text: &str) -> String {
    let Ok(json @ Value::Array(_)) = serde_json::from_str::<Value>(text) else {
        return text.to_owned();
    };
    let pretty = format!("{json:#}\n");
    let is_pretty = text == pretty;
    assert!(is_pretty || text == format!("{json}\n"), "another layout: {text}");
    let sorted = Value::from(sorted(json));
    if is_pretty { format!("{sorted:#}\n") } else { format!("{sorted}\n") }
}

#[test]
fn listings_are_those_of_pbs() {
    let Some(home) = home_of_pbs() else { return };
    let daemon = home.start_with(&["--clock", RECORDED_AT]);
    let outputs = fixtures().unwrap().join("outputs");
    let is_command = |file: &PathBuf| !file.ends_with(MEDIA_SETS.0);
    let listings = files_of(&fixtures().unwrap().join(OF_THE_ARCHIVE)).into_iter();
    let settings = SETTINGS.iter().flat_map(|name| {
        ["text", "json", "json-pretty"].map(|format| outputs.join(format!("{name}.{format}.txt")))
    });
    let mut wrong = Vec::new();
    for file in listings.filter(is_command).chain(settings) {
        let (line, theirs) = recorded(&file);
        let ours = called(&daemon, &line);
        let all = |said: &Said| (said.code, in_order(&said.stdout), said.stderr.clone());
        if all(&ours) != all(&theirs) {
            wrong.push(format!("{line}\n{:?}\n{:?}\n", all(&ours), all(&theirs)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn media_sets_are_those_of_the_api() {
    let Some(home) = home_of_pbs() else { return };
    let daemon = home.start_with(&["--clock", RECORDED_AT]);
    let (file, command) = MEDIA_SETS;
    let text = fs::read_to_string(fixtures().unwrap().join(OF_THE_ARCHIVE).join(file)).unwrap();
    let (_request, answer) = text.split_once('\n').unwrap();
    let ours = daemon.ctl(&format!("{command} --output-format json-pretty"));
    assert_eq!(in_order(&ours), in_order(answer));
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
