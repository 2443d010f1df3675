//! `media/`, `pools/` and `media-sets/` over the tapes of the fixtures.

use std::fs;
use std::path::Path;

use nix::libc;

use crate::support::{Daemon, fixtures, unpack};

/// The set of pool `poolA`: the whole datastore on four tapes.
fn set_of_pool_a(daemon: &Daemon) -> String {
    let sets = daemon.names("pools/poolA/sets");
    assert_eq!(sets.len(), 1);
    assert_eq!(
        daemon.link(&format!("pools/poolA/sets/{}", sets[0])),
        format!("../../../media-sets/{}", sets[0])
    );
    sets[0].clone()
}

/// A daemon that takes over the state of the PBS that wrote the tapes.
fn adopted(fixtures: &Path) -> Daemon {
    Daemon::new(|folders| {
        let fresh = tempfile::tempdir().unwrap();
        unpack(&fixtures.join("pbs-tape-public.tar.zst"), fresh.path());
        let lib = fresh.path().join("var-lib-proxmox-backup/tape");
        for entry in fs::read_dir(lib).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folders.tape_state().join(entry.file_name())).unwrap();
        }
        let base = folders.state.parent().unwrap();
        let copied = std::process::Command::new("cp")
            .arg("-r")
            .arg(fresh.path().join("vtape"))
            .arg(base)
            .status()
            .unwrap();
        assert!(copied.success());
        let drive =
            format!("virtual: vt0\n\tpath {}\n\tmax-size 8388608\n", base.join("vtape").display());
        fs::write(folders.config.join("tape.cfg"), drive).unwrap();
        let etc = fresh.path().join("etc-proxmox-backup");
        fs::copy(etc.join("media-pool.cfg"), folders.config.join("media-pool.cfg")).unwrap();
    })
}

#[test]
fn media_pools_and_sets_show_without_any_tape() {
    let Some(fixtures) = fixtures() else { return };
    let daemon = adopted(&fixtures);
    assert_eq!(daemon.cat("media/A00002L8/pool"), "poolA\n");
    assert_eq!(daemon.cat("media/A00002L8/seq"), "1\n");
    assert_eq!(daemon.cat("media/FREE11L8/pool"), "");
    let set = set_of_pool_a(&daemon);
    assert_eq!(daemon.cat("media/A00002L8/set").trim(), set);
    let content = daemon.cat("media/A00004L8/content");
    assert!(content.lines().count() > 0 && content.lines().all(|line| line.starts_with("store1:")));
    let tapes = daemon.cat(&format!("media-sets/{set}/tapes"));
    let labels: Vec<&str> = tapes.lines().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(labels, ["A00001L8", "A00002L8", "A00003L8", "A00004L8"]);
    let status = daemon.cat(&format!("media-sets/{set}/status"));
    assert!(status.contains("pool: poolA\n") && status.contains("complete: true\n"), "{status}");
    assert!(
        status.contains("stores: store1\n") && status.contains("without-catalog:\n"),
        "{status}"
    );
}

#[test]
fn a_pool_tells_of_the_media_of_its_own() {
    let Some(fixtures) = fixtures() else { return };
    let daemon = adopted(&fixtures);
    let labels = ["A00001L8", "A00002L8", "A00003L8", "A00004L8"];
    let never = labels.map(|label| format!("{label} none\n")).concat();
    assert_eq!(daemon.cat("pools/poolA/verified"), never);
    assert_eq!(daemon.cat("pools/poolA/verified.json").matches("verify-state").count(), 4);
    assert_eq!(
        (daemon.cat("pools/poolA/vault"), daemon.cat("pools/poolA/due")),
        Default::default()
    );
    assert_eq!(daemon.names("pools/poolA/barcodes"), ["1.svg"]);
    let sheet = daemon.cat("pools/poolA/barcodes/1.svg");
    let on_sheet = sheet.split("id=\"").skip(1).filter_map(|rest| rest.split_once('"'));
    let empty = ["A00005L8", "A00006L8"];
    assert_eq!(
        on_sheet.map(|(label, _)| label).collect::<Vec<_>>(),
        [&labels[..], &empty].concat()
    );
    for none in ["2.svg", "01.svg", "0.svg"] {
        let error = daemon.find(&format!("pools/poolA/barcodes/{none}")).unwrap_err();
        assert_eq!(error.errno(), libc::ENOENT, "{none}");
    }
    daemon.echo("move vault=office", "media/A00002L8/ctl").unwrap();
    assert!(daemon.cat("pools/poolA/vault").starts_with("A00002L8 office "));
    assert!(daemon.cat("pools/poolB/vault").starts_with("B00001L8 offsite full "));
    assert_eq!(daemon.cat("pools/poolC/vault"), "");
}

#[test]
fn snapshots_show_from_catalogs_and_say_what_has_not_been_read() {
    let Some(fixtures) = fixtures() else { return };
    let daemon = adopted(&fixtures);
    let set = set_of_pool_a(&daemon);
    let store = format!("media-sets/{set}/store1");
    assert_eq!(daemon.names(&store), ["ct", "host", "vm", "ns"]);
    assert_eq!(daemon.names(&format!("{store}/ns/a/ns/b/ns/c/ct")), ["201"]);
    let snapshot = format!("{store}/vm/100/2024-06-05T08:00:00Z");
    assert_eq!(
        daemon.names(&snapshot),
        ["ctl", "last-error", "last-task", "status", "status.json"]
    );
    let status = daemon.cat(&format!("{snapshot}/status"));
    assert!(status.contains("index: on A0000") && status.contains("cached: false\n"), "{status}");
    let error = daemon.find(&format!("{snapshot}/drive-scsi0.img")).unwrap_err();
    assert_eq!(error.errno(), libc::ENODATA);
    assert!(error.message().contains("'fetch'"), "{error}");
    assert_eq!(daemon.link(&format!("{store}/vm/100/latest")), "2024-06-07T08:05:36Z");
}

/// What PBS's own client restored, by path below a datastore's folder in the tree.
fn restored_by_pbs(fixtures: &Path) -> Vec<(String, String)> {
    crate::datastore::restored_by_pbs(fixtures).into_iter().collect()
}

#[test]
fn every_file_is_copied_out_of_the_set_once_its_index_was_fetched() {
    let Some(fixtures) = fixtures() else { return };
    let daemon = adopted(&fixtures);
    let set = set_of_pool_a(&daemon);
    let store = format!("media-sets/{set}/store1");
    daemon.echo("fetch", &format!("media-sets/{set}/ctl")).unwrap();
    assert_eq!(daemon.wait(&format!("media-sets/{set}")), "OK\n");
    let image = format!("{store}/vm/100/2024-06-05T08:00:00Z/drive-scsi0.img");
    assert!(daemon.xattr(&image, "user.reelfs.tapes").contains("A0000"));
    let bytes: u64 = daemon.xattr(&image, "user.reelfs.bytes").parse().unwrap();
    assert!(bytes > 0);
    let content = daemon.bytes(&image).unwrap();
    assert!(bytes < content.len() as u64, "holes are not read: {bytes} of {}", content.len());
    let mut compared = 0;
    for (path, sum) in restored_by_pbs(&fixtures) {
        let path = path.replace("datastores/store1", &store);
        match daemon.sha256(&path) {
            Ok(found) => {
                assert_eq!(found, sum, "{path}");
                compared += 1;
            }
            Err(error) => assert_eq!(error.errno(), libc::ENOKEY, "{path}: {error}"),
        }
    }
    assert!(compared > 10, "{compared}");
    let status = daemon.cat(&format!("{store}/vm/100/2024-06-05T08:00:00Z/status"));
    assert!(status.contains("cached: true\n") && status.contains("finished: true\n"), "{status}");
    assert!(daemon.cat(&format!("media-sets/{set}/plan")).contains("A00001L8: bytes="));
}

#[test]
fn a_tape_that_is_in_no_library_is_told_at_once() {
    let Some(fixtures) = fixtures() else { return };
    let daemon = adopted(&fixtures);
    let offline = daemon.names("media").into_iter().find(|name| name == "B00001L8").unwrap();
    assert!(daemon.cat(&format!("media/{offline}/location")).starts_with("vault-"));
    let set = daemon.cat(&format!("media/{offline}/set"));
    let set = set.trim();
    daemon.echo("fetch", &format!("media-sets/{set}/ctl")).unwrap();
    let upid = daemon.cat(&format!("media-sets/{set}/last-task"));
    let error = daemon.bytes(&format!("tasks/{}/wait", upid.trim())).unwrap_err();
    assert_eq!(error.errno(), libc::EIO);
    let log = daemon.cat(&format!("tasks/{}/log", upid.trim()));
    assert!(log.contains("B00001L8"), "{log}");
}
