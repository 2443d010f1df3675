//! The main job on data of the test's own: fill a datastore, back it up to tapes, look, copy out, restore; every
//! file that reelfs wrote on the way is judged by the independent reader.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails ends the test")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use reel_tests::scene::{CONFIGURATION, SNAPSHOTS, add_snapshot, only_set};
use reel_tests::{Daemon, Home, noise, oracle, run, sha256_of};
use serde_json::Value;

const MIB: usize = 1 << 20;
const FIRST: &str = SNAPSHOTS[0];
const SECOND: &str = SNAPSHOTS[1];

/// A disk of 40 MiB: 24 MiB that don't compress, a hole of 12 MiB, 4 MiB at the end.
fn write_disk(path: &Path) {
    let mut disk = noise(24 * MIB, 1);
    disk.resize(36 * MIB, 0);
    disk.extend(noise(4 * MIB, 2));
    fs::write(path, disk).unwrap();
}

/// A datastore with a snapshot, a pool and three tapes that hold 16 MiB each.
fn prepare(daemon: &Daemon<'_>, home: &Home) {
    write_disk(&home.join("disk.img"));
    fs::write(home.join("vm.conf"), CONFIGURATION).unwrap();
    daemon.ctl(&format!("datastore create store1 {}", home.join("store1").display()));
    add_snapshot(daemon, "store1", FIRST, &home.join("disk.img"));
    let tapes = home.join("tapes");
    daemon.ctl(&format!("drive create drive1 --path virtual:{} --max-size 16MiB", tapes.display()));
    daemon.ctl("pool create daily --allocation continue --retention keep");
    for number in 1..=3 {
        daemon.ctl(&format!("label --label-text MAIN0{number}L8 --pool daily"));
        daemon.ctl("unload");
    }
}

fn numbers(rows: &Value, key: &str) -> Vec<u64> {
    let rows = rows.as_array().unwrap().iter();
    let mut numbers: Vec<u64> = rows.filter_map(|row| row[key].as_u64()).collect();
    numbers.sort_unstable();
    numbers
}

/// Names of the chunk files of a datastore.
fn chunks(store: &Path) -> Vec<String> {
    let list = run(std::process::Command::new("find")
        .current_dir(store.join(".chunks"))
        .args([".", "-type", "f"]));
    let mut names: Vec<String> = list.lines().map(str::to_owned).collect();
    names.sort();
    names
}

fn judge_tapes(home: &Home, set: &str) {
    let (tapes, state) = (home.join("tapes"), home.join("state/tape"));
    oracle(&[OsStr::new("vtape"), tapes.as_os_str()]);
    oracle(&[OsStr::new("vtape-vs-catalogs"), tapes.as_os_str(), state.as_os_str()]);
    oracle(&[OsStr::new("set-complete"), tapes.as_os_str(), OsStr::new(set)]);
    oracle(&[OsStr::new("inventory"), state.join("inventory.json").as_os_str()]);
    let mut catalogs = 0;
    for entry in fs::read_dir(&state).unwrap() {
        let path = entry.unwrap().path();
        if path.extension() == Some(OsStr::new("log")) {
            oracle(&[OsStr::new("catalog"), path.as_os_str()]);
            catalogs += 1;
        }
    }
    assert_eq!(catalogs, 3);
}

/// What `log` says was written, in chunks.
fn chunks_written(log: &str) -> u64 {
    let told = log.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "wrote")?;
        (words.get(at + 2) == Some(&"chunks")).then(|| words[at + 1].parse::<u64>().unwrap())
    });
    told.sum()
}

#[test]
fn from_a_disk_to_tapes_and_back() {
    let home = Home::new();
    let daemon = home.start();
    prepare(&daemon, &home);
    oracle(&[OsStr::new("datastore"), home.join("store1").as_os_str(), OsStr::new("--modes")]);

    let log = daemon.backup("store1", "backup daily");
    assert_eq!(chunks_written(&log), 8, "seven of data and one of zeros: {log}");
    let set = only_set(&daemon);
    looks_right(&daemon, &set);
    judge_tapes(&home, &set);
    copies_out(&daemon, &home, &set, FIRST);

    let mut disk = fs::read(home.join("disk.img")).unwrap();
    disk[9 * MIB] ^= 1;
    fs::write(home.join("disk.img"), disk).unwrap();
    add_snapshot(&daemon, "store1", SECOND, &home.join("disk.img"));
    let log = daemon.backup("store1", "backup daily");
    assert_eq!(chunks_written(&log), 1, "{log}");
    assert_eq!(only_set(&daemon), set);
    judge_tapes(&home, &set);
    copies_out(&daemon, &home, &set, SECOND);

    let log = daemon.backup("store1", "backup daily");
    assert_eq!(chunks_written(&log), 0, "nothing is new: {log}");
    judge_tapes(&home, &set);

    restores(&daemon, &home, &set);
}

/// Media, content and plan, as they are after the first backup.
fn looks_right(daemon: &Daemon<'_>, set: &str) {
    let media = daemon.json("media list");
    assert_eq!(media.as_array().unwrap().len(), 3);
    assert_eq!(
        numbers(&media, "seq-nr"),
        (0..numbers(&media, "seq-nr").len() as u64).collect::<Vec<_>>()
    );
    assert!(numbers(&media, "seq-nr").len() >= 2, "one medium can't hold it: {media}");
    for medium in media.as_array().unwrap() {
        assert_eq!(medium["pool"], "daily");
        assert_eq!(medium["catalog"], true);
        assert_eq!(medium["location"], "online-drive1");
    }
    let content = daemon.json("media content");
    let content = content.as_array().unwrap();
    assert_eq!(content.len(), 1, "{content:?}");
    assert_eq!(content[0]["snapshot"], FIRST);
    assert_eq!(content[0]["store"], "store1");
    assert_eq!(content[0]["media-set-uuid"], *set);

    let plan = daemon.json(&format!("media-set plan {set}"));
    assert_eq!(numbers(&plan, "chunks").iter().sum::<u64>(), 7, "no reader reads zeros: {plan}");
    let bytes: u64 = numbers(&plan, "bytes").iter().sum();
    assert!((28 << 20..34 << 20).contains(&bytes), "28 MiB don't compress: {plan}");
    let plan_of_tree: Value =
        serde_json::from_str(&daemon.cat(&format!("media-sets/{set}/plan.json"))).unwrap();
    assert_eq!(plan_of_tree, plan);
    assert!(daemon.cat(&format!("media-sets/{set}/status")).contains("complete: true\n"));
}

/// `cp` out of the media set gives the source.
fn copies_out(daemon: &Daemon<'_>, home: &Home, set: &str, snapshot: &str) {
    let folder = daemon.at(&format!("media-sets/{set}/store1/{snapshot}"));
    let metadata = fs::metadata(folder.join("disk.img")).unwrap();
    assert_eq!(metadata.len(), 40 << 20);
    assert!(metadata.blocks() * 512 <= 28 << 20, "the hole takes no space: {}", metadata.blocks());
    for name in ["disk.img", "vm.conf"] {
        let copy = home.join(&format!("copy-{name}"));
        run(std::process::Command::new("cp")
            .args(["--sparse=auto", "--"])
            .arg(folder.join(name))
            .arg(&copy));
        assert_eq!(sha256_of(&copy).unwrap(), sha256_of(&home.join(name)).unwrap(), "{name}");
    }
    let copied = fs::metadata(home.join("copy-disk.img")).unwrap();
    assert!(copied.blocks() * 512 <= 30 << 20, "cp saw the hole: {}", copied.blocks());
}

/// The whole set into another datastore: the same chunks, the same snapshots.
fn restores(daemon: &Daemon<'_>, home: &Home, set: &str) {
    let store2 = home.join("store2");
    daemon.ctl(&format!("datastore create store2 {}", store2.display()));
    daemon.act("restore store2", &format!("media-sets/{set}"));
    oracle(&[OsStr::new("datastore"), store2.as_os_str(), OsStr::new("--modes")]);
    assert_eq!(chunks(&store2), chunks(&home.join("store1")));
    for snapshot in [FIRST, SECOND] {
        for file in ["disk.img.fidx", "vm.conf.blob", "index.json.blob"] {
            let path = format!("{snapshot}/{file}");
            let sums =
                ["store1", "store2"].map(|store| sha256_of(&home.join(store).join(&path)).unwrap());
            assert_eq!(sums[0], sums[1], "{path}");
        }
    }
    let latest = daemon.at("datastores/store2/vm/100/latest/disk.img");
    assert_eq!(sha256_of(&latest).unwrap(), sha256_of(&home.join("disk.img")).unwrap());
}
