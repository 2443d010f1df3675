//! `datastores/` over the datastores of the fixtures.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::libc;
use reel_types::commands::FileName;
use reeld::content;

use crate::support::{Daemon, fixtures, unpacked};

const PASSPHRASE: &str = "key Pass-word 1\n";
const GOOD: &str = "datastores/damaged/vm/good/2024-07-03T09:46:40Z";

pub fn store1(fixtures: &Path) -> Daemon {
    let base = unpacked(fixtures, "pbs-datastore-store1.tar.zst");
    Daemon::with_store("store1", &base.join("store1"))
}

fn damaged(fixtures: &Path) -> Daemon {
    let base = unpacked(fixtures, "pbs-datastore-damaged.tar.zst");
    Daemon::with_store("damaged", &base.join("damaged"))
}

fn private(folder: &Path, name: &str, content: &[u8]) -> String {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

pub fn give_key(daemon: &Daemon, fixtures: &Path, name: &str) {
    let key = fs::read(fixtures.join("pbs-datastore-store1.keys").join(name)).unwrap();
    let key = private(daemon.base.path(), name, &key);
    let passphrase = private(daemon.base.path(), "passphrase", PASSPHRASE.as_bytes());
    let line = format!("client-key add {key} passphrase-file={passphrase}");
    daemon.echo(&line, "datastores/store1/ctl").unwrap();
}

/// Path in the tree and SHA-256 of every image and blob, as PBS's own client restored them.
pub fn restored_by_pbs(fixtures: &Path) -> BTreeMap<String, String> {
    let list = fixtures.join("pbs-datastore-store1.lists/plain.sha256.txt");
    let text = fs::read_to_string(list).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let (namespace, snapshot) = words[0].split_once(':').unwrap();
            let namespace = if namespace == "(root)" { "" } else { namespace };
            let prefix: String = namespace
                .split('/')
                .filter(|part| !part.is_empty())
                .map(|part| format!("ns/{part}/"))
                .collect();
            (format!("datastores/store1/{prefix}{snapshot}/{}", words[1]), words[3].to_owned())
        })
        .collect()
}

#[test]
fn every_listed_file_reads_as_pbs_restored_it() {
    let Some(fixtures) = fixtures() else { return };
    let daemon = store1(&fixtures);
    for key in ["enc-none.key", "enc-scrypt.key", "enc-pbkdf2.key"] {
        give_key(&daemon, &fixtures, key);
    }
    let restored = restored_by_pbs(&fixtures);
    assert!(restored.len() > 15);
    for (path, sum) in &restored {
        assert_eq!(daemon.sha256(path).as_ref(), Ok(sum), "{path}");
    }
    let walked = daemon.walk("datastores/store1");
    for path in walked.iter().filter(|path| path.ends_with(".pxar") || path.ends_with(".pcat1")) {
        let size = daemon.find(path).unwrap().size;
        assert_eq!(daemon.bytes(path).unwrap().len() as u64, size, "{path}");
    }
    for path in restored.keys() {
        assert!(walked.contains(path), "{path} is not listed");
        let stat = daemon.find(path).unwrap();
        assert_eq!(stat.size, daemon.bytes(path).unwrap().len() as u64, "{path}");
    }
}

#[test]
fn the_api_opens_the_same_content_by_either_name() {
    let Some(fixtures) = fixtures() else { return };
    let daemon = store1(&fixtures);
    let store = "store1".parse().unwrap();
    let snapshot = "vm/100/2024-06-05T08:00:00Z".parse().unwrap();
    let open = |name: &str| {
        let name: FileName = name.parse().unwrap();
        content::open(&daemon.reeld, &store, &snapshot, &name)
    };
    for name in ["drive-scsi0.img", "drive-scsi0.img.fidx"] {
        assert_eq!(open(name).unwrap().size(), 40 << 20);
    }
    let missing = open("other.img").err().unwrap();
    assert_eq!(missing.errno, libc::ENOENT);
    assert!(missing.message.contains("drive-scsi0.img"), "{missing}");
}

#[test]
fn encrypted_content_asks_for_its_key_and_raw_does_not() {
    let Some(fixtures) = fixtures() else { return };
    let daemon = store1(&fixtures);
    let folder = "datastores/store1/vm/300/2024-06-05T08:00:00Z";
    let image = format!("{folder}/drive-scsi0.img");
    assert_eq!(daemon.errno(&image), libc::ENOKEY);
    assert!(daemon.cat(&format!("{folder}/last-error")).contains("client-key add"));
    give_key(&daemon, &fixtures, "enc-scrypt.key");
    assert_eq!(daemon.errno(&image), libc::EKEYREJECTED);
    let stored = unpacked(&fixtures, "pbs-datastore-store1.tar.zst")
        .join("store1/vm/300/2024-06-05T08:00:00Z/drive-scsi0.img.fidx");
    let raw = daemon.bytes(&format!("{folder}/raw/drive-scsi0.img.fidx")).unwrap();
    assert_eq!(raw, fs::read(stored).unwrap());
    give_key(&daemon, &fixtures, "enc-none.key");
    assert!(daemon.bytes(&image).is_ok());
    // Signed only: the key is there now, and the signature fits.
    assert!(daemon.bytes("datastores/store1/host/signed/2024-06-05T08:00:00Z/fw.conf").is_ok());
}

#[test]
fn images_are_sparse_where_they_hold_zeros() {
    let Some(fixtures) = fixtures() else { return };
    let daemon = store1(&fixtures);
    let zeros = "datastores/store1/vm/101/2024-06-05T13:00:35Z/zero.img";
    let stat = daemon.find(zeros).unwrap();
    assert_eq!((stat.size, stat.allocated), (12 << 20, 0));
    let handle = daemon.open(zeros, libc::O_RDONLY).unwrap();
    assert_eq!(daemon.engine.seek(handle, 0, libc::SEEK_DATA).unwrap_err().errno(), libc::ENXIO);
    assert_eq!(daemon.engine.seek(handle, 5, libc::SEEK_HOLE), Ok(5));
    let full =
        daemon.find("datastores/store1/vm/101/2024-06-05T13:00:35Z/drive-virtio0.img").unwrap();
    assert!(full.allocated > 0 && full.allocated <= full.size);
}

#[test]
fn groups_and_snapshots_tell_about_themselves() {
    let Some(fixtures) = fixtures() else { return };
    let daemon = store1(&fixtures);
    let alpha = "datastores/store1/host/alpha";
    assert_eq!(daemon.cat(&format!("{alpha}/notes")), "group notes of alpha\n");
    assert_eq!(daemon.cat(&format!("{alpha}/owner")), "alice@pbs\n");
    assert_eq!(daemon.link(&format!("{alpha}/latest")), "2024-06-07T10:05:50Z");
    let third = format!("{alpha}/2024-06-05T10:00:14Z");
    assert_eq!(daemon.cat(&format!("{third}/protected")), "true\n");
    assert!(daemon.names(&third).contains(&"client.log".to_string()));
    let first = format!("{alpha}/2024-06-05T08:00:00Z");
    assert!(daemon.cat(&format!("{first}/verify-state")).starts_with("state: ok\nupid: UPID:"));
    assert_eq!(daemon.cat(&format!("{third}/verify-state")), "");
    let index: serde_json::Value =
        serde_json::from_str(&daemon.cat(&format!("{first}/index.json"))).unwrap();
    assert_eq!(index["backup-id"], "alpha");
    let status = daemon.cat(&format!("{third}/status"));
    assert!(
        status.contains("finished: true\n") && status.contains("owner: alice@pbs\n"),
        "{status}"
    );
    assert_eq!(daemon.names("datastores/store1/ns"), ["a"]);
    assert_eq!(daemon.names("datastores/store1/ns/a/ns/b"), ["vm", "ns"]);
}

#[test]
fn damage_is_eio_for_what_it_hits_and_named() {
    let Some(fixtures) = fixtures() else { return };
    let daemon = damaged(&fixtures);
    let manifest = fs::read_to_string(fixtures.join("pbs-datastore-damaged.MANIFEST.md")).unwrap();
    for id in ["badcrc", "baddigest", "missing", "truncated", "empty", "badmagic", "wronglen"] {
        let folder = format!("datastores/damaged/vm/{id}/2024-07-03T09:46:40Z");
        let line = manifest.lines().find(|line| line.contains(&format!("vm/{id}: chunk"))).unwrap();
        let bad = line.split(' ').find(|word| word.len() == 64).unwrap();
        let handle = daemon.open(&format!("{folder}/disk.img"), libc::O_RDONLY).unwrap();
        let pieces: Vec<bool> =
            (0..3).map(|chunk| daemon.read(handle, chunk << 22, 4096).is_ok()).collect();
        assert_eq!(pieces.iter().filter(|read| !**read).count(), 1, "{id}: {pieces:?}");
        let noted = daemon.cat(&format!("{folder}/last-error"));
        assert!(noted.contains(bad) && noted.contains(" EIO "), "{id}: {noted}");
    }
    for id in ["badindex", "shortindex", "noindex", "badmanifest", "nomanifest"] {
        let folder = format!("datastores/damaged/vm/{id}/2024-07-03T09:46:40Z");
        assert_eq!(daemon.errno(&format!("{folder}/disk.img")), libc::EIO, "{id}");
        assert!(daemon.cat(&format!("{folder}/last-error")).contains("disk.img.fidx"), "{id}");
        daemon.cat(&format!("{folder}/status"));
    }
    let wrong_csum = "datastores/damaged/vm/wrongcsum/2024-07-03T09:46:40Z/disk.img";
    assert!(daemon.bytes(wrong_csum).is_ok());
    let unfinished = "datastores/damaged/vm/unfinished/2024-07-03T09:46:40Z";
    assert!(daemon.cat(&format!("{unfinished}/status")).contains("finished: false\n"));
    assert!(daemon.names(&format!("{unfinished}/raw")).is_empty());
    assert!(!daemon.names("datastores/damaged/vm/unfinished").contains(&"latest".to_string()));
    let noindex = "datastores/damaged/vm/noindex/2024-07-03T09:46:40Z";
    assert!(daemon.cat(&format!("{noindex}/status")).contains("missing-files: disk.img.fidx\n"));
}

#[test]
fn a_snapshot_looks_like_this() {
    let Some(fixtures) = fixtures() else { return };
    let daemon = damaged(&fixtures);
    let shown: Vec<String> = daemon
        .walk("datastores/damaged/vm/good")
        .into_iter()
        .map(|path| path.replace("datastores/damaged/vm/good/", ""))
        .collect();
    let expected = "\
        ctl last-error last-task owner notes status status.json latest@ \
        2024-07-03T09:46:40Z/ 2024-07-03T09:46:40Z/ctl 2024-07-03T09:46:40Z/last-error \
        2024-07-03T09:46:40Z/last-task 2024-07-03T09:46:40Z/protected 2024-07-03T09:46:40Z/status \
        2024-07-03T09:46:40Z/status.json 2024-07-03T09:46:40Z/raw/ \
        2024-07-03T09:46:40Z/raw/disk.img.fidx 2024-07-03T09:46:40Z/raw/index.json.blob \
        2024-07-03T09:46:40Z/notes 2024-07-03T09:46:40Z/verify-state \
        2024-07-03T09:46:40Z/verify-state.json 2024-07-03T09:46:40Z/disk.img \
        2024-07-03T09:46:40Z/index.json";
    assert_eq!(shown.join(" "), expected);
    let modified = daemon.find(&format!("{GOOD}/disk.img")).unwrap().modified;
    let age = modified.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(age.as_secs(), 1_720_000_000);
}

#[test]
fn names_that_cannot_be_are_not_there() {
    let Some(fixtures) = fixtures() else { return };
    let daemon = damaged(&fixtures);
    let long = "x".repeat(255);
    for path in [
        "datastores/nothing",
        "datastores/damaged/vm/good/2024-07-03T09:46:41Z",
        "datastores/damaged/vm/good/2024-13-03T09:46:40Z",
        "datastores/damaged/vm/a\nb",
        "datastores/damaged/ct",
        "datastores/damaged/ns",
        "datastores/damaged/.chunks",
        &format!("datastores/damaged/vm/{long}"),
        "media-sets/9da37a55-aac7-4deb-91c6-482b3b675f30",
        "tasks/UPID:x",
        "drives/..",
    ] {
        assert_eq!(daemon.find(path).unwrap_err().errno(), libc::ENOENT, "{path:?}");
    }
}
