//! Tapes that a real PBS wrote, taken up by an empty daemon: catalogued, restored, copied out of the mount.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails ends the test")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use reel_tests::{
    CLIENT_KEY_PASSWORD, Daemon, Home, client_key, contents_below, oracle, oracle_sums, run,
    sha256_of, unpack, unpack_tapes_of_pbs,
};
use serde_json::Value;

/// The media set of pool poolA: all of store1.
const SET_A: &str = "abcbc951-68b8-4596-9658-00823cb5cc8a";
/// The other media sets: parts of store1.
const OTHER_SETS: [&str; 4] = [
    "24a16224-e131-43fb-a4a5-06fdd4cd93bd",
    "2aaa9fae-18ef-4c07-9766-8dda208f1dea",
    "715569eb-bb74-4fbc-84ee-0916f5fc7d6f",
    "eb2705ba-cc74-4198-9bd9-f9336be9a6ad",
];

/// A catalog with nothing in it but its head.
const EMPTY_CATALOG_BYTES: u64 = 41;

/// An empty daemon's folders and PBS's tapes, those of the vault back in the library.
struct Adopted {
    home: Home,
    pbs: PathBuf,
}

impl Adopted {
    fn new() -> Option<Self> {
        let home = Home::new();
        let pbs = unpack_tapes_of_pbs(&home)?;
        let tapes = pbs.join("vtape");
        for entry in fs::read_dir(tapes.join("vault")).unwrap() {
            let entry = entry.unwrap();
            fs::rename(entry.path(), tapes.join(entry.file_name())).unwrap();
        }
        fs::remove_file(tapes.join("drive-status.json")).unwrap();
        Some(Self { home, pbs })
    }

    fn tapes(&self) -> PathBuf {
        self.pbs.join("vtape")
    }

    /// The labels of all tapes.
    fn labels(&self) -> Vec<String> {
        let entries = fs::read_dir(self.tapes()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let labels = names
            .filter_map(|name| Some(name.strip_prefix("tape-")?.strip_suffix(".json")?.to_owned()));
        let mut labels: Vec<String> = labels.collect();
        labels.sort();
        labels
    }

    fn create_drive(&self, daemon: &Daemon<'_>) {
        daemon.ctl(&format!(
            "drive create vt0 --path virtual:{} --max-size 8MiB",
            self.tapes().display()
        ));
    }

    /// Compares the catalog of each medium of a media set with the one that PBS had of it. Media of no set have none
    /// after they were read, with PBS as with us.
    fn compare_catalogs(&self) {
        let mut compared = 0;
        for entry in fs::read_dir(self.pbs.join("var-lib-proxmox-backup/tape")).unwrap() {
            let of_pbs = entry.unwrap().path();
            if of_pbs.extension() != Some(OsStr::new("log")) {
                continue;
            }
            let ours = self.home.join("state/tape").join(of_pbs.file_name().unwrap());
            if fs::metadata(&of_pbs).unwrap().len() <= EMPTY_CATALOG_BYTES {
                assert!(!ours.exists(), "{}", ours.display());
                continue;
            }
            oracle(&[OsStr::new("compare-catalog"), ours.as_os_str(), of_pbs.as_os_str()]);
            compared += 1;
        }
        assert_eq!(compared, 11);
    }
}

/// Takes up every tape by hand, as an operator would.
fn adopt_all(daemon: &Daemon<'_>, adopted: &Adopted, catalog: &str) {
    for label in adopted.labels() {
        daemon.ctl(&format!("load-media {label}"));
        let read = daemon.json("read-label --inventorize true");
        assert_eq!(read["label-text"], *label);
        daemon.ctl(catalog);
    }
}

#[test]
fn tapes_are_catalogued_as_pbs_has_them_by_their_catalogs_and_by_scanning() {
    let Some(adopted) = Adopted::new() else { return };
    let daemon = adopted.home.start();
    adopted.create_drive(&daemon);
    adopt_all(&daemon, &adopted, "catalog");
    adopted.compare_catalogs();
    oracle(&[OsStr::new("inventory"), adopted.home.join("state/tape/inventory.json").as_os_str()]);
    let content = daemon.json("media content");

    adopt_all(&daemon, &adopted, "catalog --force true --scan true");
    adopted.compare_catalogs();
    assert_eq!(reel_tests::sorted(daemon.json("media content")), reel_tests::sorted(content));
}

#[test]
fn media_sets_restore_and_every_file_copies_out_of_them() {
    let Some(adopted) = Adopted::new() else { return };
    assert!(unpack("pbs-datastore-store1.tar.zst", adopted.home.path()));
    let home = &adopted.home;
    let daemon = home.start();
    adopted.create_drive(&daemon);
    adopt_all(&daemon, &adopted, "catalog");

    let keys =
        ["enc-none.key", "enc-scrypt.key", "enc-pbkdf2.key"].map(|name| client_key(home, name));
    for (key, passphrase) in &keys {
        let (key, passphrase) = (key.display(), passphrase.display());
        daemon.ctl(&format!(
            "client-key add {key} --media-set {SET_A} --passphrase-file {passphrase}"
        ));
    }
    copies_out(&daemon, home, &keys.map(|(key, _)| key));
    restores(&daemon, home);
}

/// Fetches the set of poolA and reads every file in it.
fn copies_out(daemon: &Daemon<'_>, home: &Home, keys: &[PathBuf]) {
    let mut options = vec![OsStr::new("--password"), OsStr::new(CLIENT_KEY_PASSWORD)];
    for key in keys {
        options.extend([OsStr::new("--key"), key.as_os_str()]);
    }
    let sums = oracle_sums(&home.join("store1"), &options);
    let error = daemon.ctl_fails(&format!("media-set plan {SET_A}"));
    assert!(error.contains("never read") && error.contains("'fetch'"), "{error}");
    daemon.act("fetch", &format!("media-sets/{SET_A}"));
    daemon.ctl(&format!("media-set plan {SET_A}"));
    let names: Vec<String> = sums.keys().cloned().collect();
    let folder = daemon.at(&format!("media-sets/{SET_A}/store1"));
    assert_eq!(contents_below(&folder), names);
    for (path, sum) in &sums {
        assert_eq!(&sha256_of(&folder.join(path)).unwrap(), sum, "{path}");
    }
}

/// Restores all sets: poolA's into a datastore of its own, the others, which are parts, into a second one.
fn restores(daemon: &Daemon<'_>, home: &Home) {
    daemon.ctl(&format!("datastore create whole {}", home.join("whole").display()));
    daemon.ctl(&format!("restore {SET_A} whole"));
    daemon.ctl(&format!("datastore create parts {}", home.join("parts").display()));
    for set in OTHER_SETS {
        daemon.ctl(&format!("restore {set} parts"));
    }
    for name in ["whole", "parts"] {
        oracle(&[OsStr::new("datastore"), home.join(name).as_os_str()]);
    }
    let source = files_of(&home.join("store1"));
    let whole = files_of(&home.join("whole"));
    let parts = files_of(&home.join("parts"));
    assert_eq!(whole.keys().collect::<Vec<_>>(), source.keys().collect::<Vec<_>>());
    assert!(parts.keys().any(|name| name.starts_with("./ns/a/ns/b/vm/100/")), "{parts:?}");
    for restored in [&whole, &parts] {
        for (name, sum) in restored.iter().filter(|(name, _)| !name.ends_with("/index.json.blob")) {
            assert_eq!(source.get(name), Some(sum), "{name}");
        }
    }
    daemon.ctl(&format!(
        "datastore create store1 {} --reuse-datastore",
        home.join("store1").display()
    ));
    for name in source.keys() {
        if let Some(snapshot) = name.strip_suffix("/index.json.blob") {
            assert_eq!(
                manifest(daemon, "whole", snapshot),
                manifest(daemon, "store1", snapshot),
                "{snapshot}"
            );
        }
    }
}

/// Chunks and snapshot files of a datastore, by path, with their sums; not the locks and owners.
fn files_of(store: &Path) -> BTreeMap<String, String> {
    let script = "find . -type f \\( -path './.chunks/*' -o -name '*.?idx' -o -name '*.blob' \\) -exec sha256sum {} +";
    let list = run(std::process::Command::new("sh").current_dir(store).args(["-c", script]));
    let rows = list.lines().map(|line| line.split_once("  ").expect("a sum and a name"));
    rows.map(|(sum, name)| (name.to_owned(), sum.to_owned())).collect()
}

/// A snapshot's manifest without what a verification noted in it, which isn't restored.
fn manifest(daemon: &Daemon<'_>, store: &str, snapshot: &str) -> Value {
    let text = daemon.cat(&format!("datastores/{store}/{snapshot}/index.json"));
    let mut manifest: Value = serde_json::from_str(&text).unwrap();
    if let Some(unprotected) = manifest["unprotected"].as_object_mut() {
        unprotected.remove("verify_state");
    }
    manifest
}
