//! Datastores that a real PBS wrote, read through the mount and by `reelctl`: the intact one in full, of the damaged
//! one what is whole.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails ends the test")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use reel_tests::scene::errno;
use reel_tests::{
    CLIENT_KEY_PASSWORD, Daemon, Home, client_key, contents_below, fixtures, oracle_sums,
    sha256_of, unpack,
};

const CHUNK: u64 = 4 << 20;

/// Gives the daemon the keys of store1's encrypted snapshots.
fn add_keys(daemon: &Daemon<'_>, home: &Home) -> [PathBuf; 3] {
    ["enc-none.key", "enc-scrypt.key", "enc-pbkdf2.key"].map(|name| {
        let (key, passphrase) = client_key(home, name);
        let with = format!("--passphrase-file {}", passphrase.display());
        let with = if name == "enc-none.key" { "" } else { &with };
        daemon.ctl(&format!("client-key add {} --store store1 {with}", key.display()));
        key
    })
}

/// The sums that PBS's own client gave, by path in the tree.
fn sums_of_pbs() -> BTreeMap<String, String> {
    let list = fixtures().unwrap().join("pbs-datastore-store1.lists/plain.sha256.txt");
    let list = fs::read_to_string(list).unwrap();
    let rows = list.lines().filter(|line| !line.starts_with('#') && line.contains(':'));
    let sums = rows.filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [snapshot, name, _bytes, restored, ..] = words[..] else { return None };
        let (namespace, snapshot) = snapshot.split_once(':')?;
        let parts = namespace.split('/').filter(|part| *part != "(root)");
        let namespace: String = parts.map(|part| format!("ns/{part}/")).collect();
        Some((format!("{namespace}{snapshot}/{name}"), restored.to_owned()))
    });
    sums.collect()
}

/// The words of `reelctl snapshot cat` for a path in the tree.
fn cat_command(store: &str, path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    let (namespace, rest) = parts.split_at(parts.len() - 4);
    let namespace: Vec<&str> = namespace.iter().copied().filter(|part| *part != "ns").collect();
    let command = format!("snapshot cat {store} {} {}", rest[..3].join("/"), rest[3]);
    if namespace.is_empty() { command } else { format!("{command} --ns {}", namespace.join("/")) }
}

#[test]
fn every_file_of_the_intact_store_reads() {
    let home = Home::new();
    if !unpack("pbs-datastore-store1.tar.zst", home.path()) {
        return;
    }
    let daemon = home.start();
    let store = home.join("store1");
    daemon.ctl(&format!("datastore create store1 {} --reuse-datastore", store.display()));
    let locked = daemon.at("datastores/store1/vm/300/2024-06-05T08:00:00Z/drive-scsi0.img");
    assert_eq!(sha256_of(&locked).unwrap_err().raw_os_error(), Some(nix::libc::ENOKEY));
    let keys = add_keys(&daemon, &home);

    let mut options = vec![OsStr::new("--password"), OsStr::new(CLIENT_KEY_PASSWORD)];
    for key in &keys {
        options.extend([OsStr::new("--key"), key.as_os_str()]);
    }
    let sums = oracle_sums(&store, &options);
    let names: Vec<String> = sums.keys().cloned().collect();
    assert_eq!(contents_below(&daemon.at("datastores/store1")), names);
    for (path, sum) in &sums {
        assert_eq!(
            &sha256_of(&daemon.at(&format!("datastores/store1/{path}"))).unwrap(),
            sum,
            "{path}"
        );
        assert_eq!(&sum_of_cat(&daemon, "store1", path), sum, "snapshot cat {path}");
    }
    let of_pbs = sums_of_pbs();
    assert!(of_pbs.len() >= 17, "{of_pbs:?}");
    for (path, sum) in of_pbs {
        assert_eq!(sums.get(&path), Some(&sum), "{path}");
    }
}

fn sum_of_cat(daemon: &Daemon<'_>, store: &str, path: &str) -> String {
    let output = daemon.try_ctl(&cat_command(store, path));
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    reel_tests::sha256(&output.stdout[..]).unwrap()
}

/// What can be had of a damaged image.
enum Whole {
    /// All of it.
    All,
    /// Two of its three chunks.
    AllButAChunk,
    /// It can't be opened.
    Nothing,
}

/// The groups of the damaged store, as its MANIFEST has them.
const DAMAGED: [(&str, Whole); 14] = [
    ("good", Whole::All),
    ("wrongcsum", Whole::All),
    ("badcrc", Whole::AllButAChunk),
    ("baddigest", Whole::AllButAChunk),
    ("missing", Whole::AllButAChunk),
    ("truncated", Whole::AllButAChunk),
    ("empty", Whole::AllButAChunk),
    ("badmagic", Whole::AllButAChunk),
    ("wronglen", Whole::AllButAChunk),
    ("badindex", Whole::Nothing),
    ("shortindex", Whole::Nothing),
    ("noindex", Whole::Nothing),
    ("nomanifest", Whole::Nothing),
    ("badmanifest", Whole::Nothing),
];

#[test]
fn what_is_damaged_is_refused_and_the_rest_reads() {
    let home = Home::new();
    if !unpack("pbs-datastore-damaged.tar.zst", home.path()) {
        return;
    }
    let daemon = home.start();
    daemon.ctl(&format!(
        "datastore create damaged {} --reuse-datastore",
        home.join("damaged").display()
    ));
    let mut groups = daemon.ls("datastores/damaged/vm");
    groups.retain(|name| name != "unfinished");
    let mut expected: Vec<&str> = DAMAGED.iter().map(|(group, _)| *group).collect();
    expected.sort_unstable();
    assert_eq!(groups, expected);
    for (group, whole) in DAMAGED {
        let folder = format!("datastores/damaged/vm/{group}/2024-07-03T09:46:40Z");
        let image = daemon.at(&format!("{folder}/disk.img"));
        let command = cat_command("damaged", &format!("vm/{group}/2024-07-03T09:46:40Z/disk.img"));
        match whole {
            Whole::All => {
                assert_eq!(sha256_of(&image).unwrap(), plain_sum(group), "{group}");
                assert!(daemon.try_ctl(&command).status.success(), "{group}");
            }
            Whole::AllButAChunk => {
                assert_eq!(damaged_chunks(&image), 1, "{group}");
                let error = daemon.ctl_fails(&command);
                assert!(
                    error.contains(" of file 'disk.img.fidx'")
                        && error.contains("restore the snapshot"),
                    "{error}"
                );
                assert!(daemon.cat(&format!("{folder}/last-error")).contains(" EIO "), "{group}");
            }
            Whole::Nothing => {
                assert_eq!(
                    errno(File::open(&image).and_then(|file| sum_or_error(&file))),
                    nix::libc::EIO
                );
                daemon.ctl_fails(&command);
            }
        }
    }
    let unfinished = daemon.at("datastores/damaged/vm/unfinished/2024-07-03T09:46:40Z/disk.img");
    assert_eq!(errno(File::open(unfinished)), nix::libc::ENOENT);
}

fn sum_or_error(file: &File) -> io::Result<String> {
    reel_tests::sha256(file)
}

/// How many of the image's chunks don't read; each with EIO.
fn damaged_chunks(image: &Path) -> usize {
    let file = File::open(image).unwrap();
    let mut bytes = vec![0; CHUNK as usize];
    let results = (0..3).map(|number| file.read_exact_at(&mut bytes, number * CHUNK));
    let failures: Vec<io::Error> = results.filter_map(Result::err).collect();
    assert!(
        failures.iter().all(|error| error.raw_os_error() == Some(nix::libc::EIO)),
        "{failures:?}"
    );
    failures.len()
}

/// The sum of the image before it was damaged.
fn plain_sum(group: &str) -> String {
    let list = fixtures().unwrap().join("pbs-datastore-damaged.outputs/plain.sha256.txt");
    let list = fs::read_to_string(list).unwrap();
    let name = format!("{group}.raw");
    let row = list.lines().find_map(|line| line.split_once("  ").filter(|(_, file)| *file == name));
    row.unwrap().0.to_owned()
}
