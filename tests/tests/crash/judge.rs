//! What must be true after a crash, and at the end of all.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use reel_tests::scene::SNAPSHOTS;
use reel_tests::{Daemon, Home, oracle, try_oracle};

/// Catalogs and inventory state exactly what is on the tapes.
pub fn state_agrees_with_tapes(home: &Home) {
    let (tapes, state) = (home.join("tapes"), home.join("state/tape"));
    oracle(&["vtape-vs-catalogs".as_ref(), tapes.as_os_str(), state.as_os_str()]);
}

/// No catalog claims what is not on tape. What a crash may leave there, no catalog claims: labels and archives that
/// were not committed, and a file that has no end yet.
pub fn nothing_is_claimed_that_is_not_on_tape(home: &Home) {
    let (tapes, state) = (home.join("tapes"), home.join("state/tape"));
    let command = ["vtape-vs-catalogs".as_ref(), tapes.as_os_str(), state.as_os_str()];
    let bad: Vec<String> =
        defects(&command).into_iter().filter(|defect| !is_left_by_a_crash(defect)).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

/// Every snapshot of the set has its chunks on it, and what is on its media is whole.
pub fn set_is_complete(home: &Home, set: &str) {
    let tapes = home.join("tapes");
    let defects = defects(&["set-complete".as_ref(), tapes.as_os_str(), OsStr::new(set)]);
    let bad: Vec<_> = defects.iter().filter(|defect| !is_left_by_a_crash(defect)).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

/// The set is complete; the archive that a killed writer left without its end mark is all that may be said of it.
pub fn nothing_but_a_cut_archive_is_wrong(home: &Home, set: &str) {
    let tapes = home.join("tapes");
    let defects = defects(&["set-complete".as_ref(), tapes.as_os_str(), OsStr::new(set)]);
    assert!(defects.iter().all(|line| line.ends_with("stream without end marker")), "{defects:#?}");
}

/// The datastore is whole but for unfinished snapshots and the one chunk that was being written.
pub fn nothing_but_unfinished_work_is_wrong(datastore: &Path) {
    let command = ["datastore".as_ref(), datastore.as_os_str(), "--allow-unfinished".as_ref()];
    let defects = defects(&command);
    // PBS's name for a chunk that has not got its own yet; no reader looks at it.
    let is_temporary = |line: &String| line.contains(".tmp_") && line.ends_with("is no chunk name");
    assert!(defects.len() <= 1 && defects.iter().all(is_temporary), "{defects:#?}");
}

fn defects(command: &[&OsStr]) -> Vec<String> {
    let judged = try_oracle(command);
    let text = String::from_utf8_lossy(&judged.stdout);
    let defects: Vec<String> =
        text.lines().filter(|line| line.starts_with("DEFECT")).map(str::to_owned).collect();
    let said = String::from_utf8_lossy(&judged.stderr);
    assert!(judged.status.success() || !defects.is_empty(), "{command:?}: {text}{said}");
    defects
}

fn is_left_by_a_crash(defect: &str) -> bool {
    if defect.contains(" files, there are [") || defect.contains("inventory.json: [Errno 2]") {
        return true;
    }
    // Who finds a medium without archives can't know whether all catalogs it should begin with are there.
    if defect.contains("catalogs of previous members at the start") {
        return true;
    }
    // A medium is given to a set in the records first, then on the tape.
    if defect.contains(" is missing")
        || defect.contains("media-set label on tape None, in the inventory")
    {
        return true;
    }
    let Some((before, after)) = defect.split_once(" against ") else { return false };
    let number = |word: Option<&str>| word.and_then(|word| word.parse::<u64>().ok());
    let counts = (number(before.split(' ').next_back()), number(after.split(' ').next()));
    let (Some(on_tape), Some(in_catalog)) = counts else { return false };
    // A new catalog begins with the set's label, which is written to the tape next.
    on_tape >= in_catalog || (on_tape, in_catalog) == (1, 2)
}

/// The media set gives the contents of the datastore.
pub fn set_agrees_with_datastore(daemon: &Daemon<'_>, set: &str, store: &str) {
    for snapshot in SNAPSHOTS {
        for file in ["disk.img", "vm.conf"] {
            let read = |path: String| {
                let path = daemon.at(&path);
                fs::read(&path).unwrap_or_else(|error| panic!("cat {}: {error}", path.display()))
            };
            let on_tape = read(format!("media-sets/{set}/{store}/{snapshot}/{file}"));
            let on_disk = read(format!("datastores/{store}/{snapshot}/{file}"));
            assert!(on_tape == on_disk, "{snapshot}/{file} differs on tape");
        }
    }
}

/// No temporary file of a killed daemon is in the folders of its successor.
pub fn nothing_is_left_over(home: &Home) {
    let mut left = Vec::new();
    for folder in ["etc", "state", "cache", "log", "tapes"] {
        add_leftovers(&home.join(folder), &mut left);
    }
    assert!(left.is_empty(), "{left:#?}");
}

fn add_leftovers(folder: &Path, left: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let is_temporary = name.contains(".tmp") || name.ends_with(".new");
        if is_temporary || path.parent().is_some_and(|parent| parent.ends_with(".filling")) {
            left.push(path);
        } else if path.is_dir() {
            add_leftovers(&path, left);
        }
    }
}

/// Nobody holds a lock or a mount of a daemon that is gone.
pub fn nothing_is_held(home: &Home) {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("the mounts");
    assert!(!mounts.contains(&*home.path().to_string_lossy()), "{mounts}");
    for folder in ["state", "state/tape", "cache", "run/proxmox-backup/drive-lock"] {
        for entry in fs::read_dir(home.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                let file = fs::File::open(&path).expect("a file");
                file.try_lock().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            }
        }
    }
}
