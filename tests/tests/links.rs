//! Scripts that were written for PBS's programs: `reelctl` by their names.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails ends the test")]

use std::os::unix::fs::symlink;
use std::process::{Command, Output};

use reel_emu::Maker;
use reel_tests::emulated::{medium, shape};
use reel_tests::scene::assert_says;
use reel_tests::{Daemon, Home, emulated, program};

/// A line as a script has it, its first word the program.
fn script(home: &Home, daemon: &Daemon<'_>, line: &str) -> Output {
    let mut words = line.split_whitespace();
    let link = home.join(words.next().unwrap());
    if !link.exists() {
        symlink(program("reelctl"), &link).unwrap();
    }
    let socket = home.join("run/api.sock");
    let mut command = Command::new(link);
    command.args(words).env("REELFS_SOCKET", socket).env_remove("PROXMOX_TAPE_DRIVE");
    assert!(daemon.pid() > 0);
    command.output().unwrap()
}

fn said(home: &Home, daemon: &Daemon<'_>, line: &str) -> String {
    let output = script(home, daemon, line);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn lines_of_the_manuals_run_by_the_names_of_their_programs() {
    let home = Home::new();
    emulated::make(&home, &shape(&[Maker::Ibm]), &[medium("EMU001L8"), medium("EMU002L8")]);
    let daemon = home.start();
    emulated::configure(&home, &daemon, 1);
    let created = script(&home, &daemon, "proxmox-tape pool create daily --drive drive0");
    assert_eq!(created.status.code(), Some(0));
    assert_says(&String::from_utf8(created.stderr).unwrap(), &["WARN: a pool has no drive"]);
    assert_says(&said(&home, &daemon, "proxmox-tape po li"), &["daily"]);
    assert_says(&said(&home, &daemon, "proxmox-tape changer status sl3"), &["EMU001L8"]);
    said(&home, &daemon, "proxmox-tape load-media EMU001L8");
    said(&home, &daemon, "proxmox-tape label --changer-id EMU001L8 --pool daily");
    assert_says(&said(&home, &daemon, "proxmox-tape read-label"), &["EMU001L8"]);
    assert_says(&said(&home, &daemon, "proxmox-tape med li"), &["EMU001L8"]);
    let status = said(&home, &daemon, "pmt status --drive drive0 --output-format json");
    assert!(status.starts_with("{\"Ok\":{"), "{status}");
    said(&home, &daemon, "pmt rewind --drive drive0");
    assert_says(&said(&home, &daemon, "pmtx status --changer sl3"), &["VolumeTag(\"EMU002L8\")"]);
    let store = home.join("store1");
    let create = format!("proxmox-backup-manager datastore create store1 {}", store.display());
    said(&home, &daemon, &create);
    assert_says(&said(&home, &daemon, "proxmox-backup-manager da li"), &["store1"]);
    said(&home, &daemon, "proxmox-tape erase --drive drive0");
    let refused = script(&home, &daemon, "pmtx nosuch");
    assert_eq!(refused.status.code(), Some(255));
}
