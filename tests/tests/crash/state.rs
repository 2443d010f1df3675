//! A daemon that dies while it writes its state into a file, after a job or by command.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use nix::libc::SIGKILL;
use reel_tests::scene::{SNAPSHOTS, off_tape, only_set};
use reel_tests::{Home, run};

use super::judge;

/// What an exported state says of the media; it must be a whole archive.
fn inventory_in(export: &Path) -> String {
    let mut tar = Command::new("tar");
    run(tar.arg("--zstd").arg("-xOf").arg(export).arg("state/tape/inventory.json"))
}

/// The names in the folder of the export.
fn beside(export: &Path) -> BTreeSet<std::ffi::OsString> {
    let entries = fs::read_dir(export.parent().expect("a folder")).expect("its entries");
    entries.map(|entry| entry.expect("an entry").file_name()).collect()
}

/// The file is the former one or the new one, whole; the job before is done; and nothing stays beside it for long.
pub fn die_after_a_backup(point: &str) {
    let home = Home::new();
    fs::create_dir(home.join("exports")).expect("a folder");
    let export = home.join("exports/state.tar.zst");
    let daemon = off_tape(&home);
    daemon.ctl(&format!("state export {}", export.display()));
    let former = fs::read(&export).expect("the export");
    daemon.stop();

    let after_jobs = ["--export-state", export.to_str().expect("UTF-8")];
    let daemon = home.start_with(&[&after_jobs[..], &["--crash-at", point]].concat());
    daemon.try_ctl("backup store1 daily");
    assert_eq!(daemon.wait_for_death().signal(), Some(SIGKILL), "{point}");
    let is_new = inventory_in(&export).contains("media_set_label\": {");
    assert_eq!(is_new, point == "state: replaced", "{point}");
    assert_eq!(fs::read(&export).expect("the export") == former, !is_new, "{point}");

    let daemon = home.start_with(&after_jobs);
    let set = only_set(&daemon);
    judge::state_agrees_with_tapes(&home);
    judge::set_agrees_with_datastore(&daemon, &set, "store1");
    let again = daemon.ctl("backup store1 daily");
    for snapshot in SNAPSHOTS {
        assert!(again.contains(&format!("skip snapshot {snapshot}")), "{again}");
    }
    assert_eq!(beside(&export), BTreeSet::from(["state.tar.zst".into()]), "{point}");
    assert!(inventory_in(&export).contains(&set), "{point}");
}
