//! Scripts that were written for PBS's programs: `reelctl` by their names.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails ends the test")]

use reel_emu::Maker;
use reel_tests::emulated::{medium, shape};
use reel_tests::said::called;
use reel_tests::scene::assert_says;
use reel_tests::{Daemon, Home, emulated};

/// What a line prints that must succeed.
fn said(daemon: &Daemon<'_>, line: &str) -> String {
    let said = called(daemon, line);
    assert_eq!(said.code, Some(0), "{line}: {}", said.stderr);
    said.stdout
}

#[test]
fn lines_of_the_manuals_run_by_the_names_of_their_programs() {
    let home = Home::new();
    emulated::make(&home, &shape(&[Maker::Ibm]), &[medium("EMU001L8"), medium("EMU002L8")]);
    let daemon = home.start();
    emulated::configure(&home, &daemon, 1);
    let created = called(&daemon, "proxmox-tape pool create daily --drive drive0");
    assert_eq!(created.code, Some(0));
    assert_says(&created.stderr, &["WARN: a pool has no drive"]);
    assert_says(&said(&daemon, "proxmox-tape po li"), &["daily"]);
    assert_says(&said(&daemon, "proxmox-tape changer status sl3"), &["EMU001L8"]);
    said(&daemon, "proxmox-tape load-media EMU001L8");
    said(&daemon, "proxmox-tape label --changer-id EMU001L8 --pool daily");
    assert_says(&said(&daemon, "proxmox-tape read-label"), &["EMU001L8"]);
    assert_says(&said(&daemon, "proxmox-tape med li"), &["EMU001L8"]);
    let status = said(&daemon, "pmt status --drive drive0 --output-format json");
    assert!(status.starts_with("{\"Ok\":{"), "{status}");
    said(&daemon, "pmt rewind --drive drive0");
    assert_says(&said(&daemon, "pmtx status --changer sl3"), &["VolumeTag(\"EMU002L8\")"]);
    let store = home.join("store1");
    let create = format!("proxmox-backup-manager datastore create store1 {}", store.display());
    said(&daemon, &create);
    assert_says(&said(&daemon, "proxmox-backup-manager da li"), &["store1"]);
    said(&daemon, "proxmox-tape erase --drive drive0");
    let refused = called(&daemon, "pmtx nosuch");
    assert_eq!(refused.code, Some(255));
}
