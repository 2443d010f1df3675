//! Encrypted media sets on an emulated library, through the mount and `reelctl`: what a key opens, and what nobody can
//! do without it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails ends the test")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::unistd::{User, geteuid};
use reel_emu::Maker;
use reel_tests::emulated::{medium, shape};
use reel_tests::scene::{
    CONFIGURATION, SNAPSHOTS, assert_says, content_of, errno, forget_chunks, one_snapshot, only_set,
};
use reel_tests::tape_key::{FINGERPRINT, KEY, PROTECTED};
use reel_tests::{Daemon, Home, emulated, sha256_of, tape_key};

const MIB: usize = 1 << 20;
const SNAPSHOT: &str = SNAPSHOTS[0];
/// What messages have of the fingerprint.
const SHORT: &str = "0e:ab:d4:46:0b:6e:b9:ca";

/// The folder with the daemon's key files.
fn etc(home: &Home) -> PathBuf {
    home.join("etc")
}

/// A library with a drive and four media of 16 MiB.
fn make_library(home: &Home) {
    let media = [1, 2, 3, 4].map(|number| medium(&format!("EMU00{number}L8")));
    emulated::make(home, &shape(&[Maker::Ibm]), &media);
}

/// A datastore with a snapshot, an encrypted pool with the first two media and a pool in the clear with the others.
fn prepare(daemon: &Daemon<'_>, home: &Home, image_mib: usize) {
    emulated::configure(home, daemon, 1);
    one_snapshot(home, daemon, image_mib);
    daemon.ctl(&format!("pool create crypt --retention keep --encrypt {FINGERPRINT}"));
    daemon.ctl("pool create plain --retention keep");
    for (number, pool) in [(1, "crypt"), (2, "crypt"), (3, "plain"), (4, "plain")] {
        daemon.ctl(&format!("load-media EMU00{number}L8"));
        daemon.ctl(&format!("label --label-text EMU00{number}L8 --pool {pool}"));
    }
    daemon.ctl("unload");
}

fn image_of(daemon: &Daemon<'_>, set: &str) -> PathBuf {
    daemon.at(&format!("media-sets/{set}/store1/{SNAPSHOT}/disk.img"))
}

/// What is recorded on a medium, as the library's folder has it.
fn recorded(home: &Home, medium: &str) -> Vec<u8> {
    fs::read(home.join("library/cartridges").join(medium).join("data")).unwrap()
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return true };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        if rest[at..].starts_with(needle) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

/// Bytes that stand on a tape in the clear: a piece of each chunk, names of files, of the snapshot and the datastore.
fn plain_bytes(home: &Home) -> Vec<Vec<u8>> {
    let mut needles: Vec<Vec<u8>> =
        ["disk.img.fidx", "index.json.blob", "vm/100/2026-01-10", "store1", CONFIGURATION]
            .map(|name| name.as_bytes().to_vec())
            .into();
    let mut chunks = Vec::new();
    for folder in fs::read_dir(home.join("store1/.chunks")).unwrap() {
        let files = fs::read_dir(folder.unwrap().path()).unwrap();
        chunks.extend(files.map(|file| file.unwrap().path()));
    }
    assert!(chunks.len() > 1, "a datastore with chunks");
    needles.extend(chunks.iter().map(|path| fs::read(path).unwrap()[70_000..70_064].to_vec()));
    needles
}

/// Every file below `folder` with its content.
fn files_below(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.is_file() {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}

#[test]
fn an_encrypted_set_from_the_label_to_the_restore() {
    let home = Home::new();
    make_library(&home);
    tape_key::put(&etc(&home));
    let daemon = home.start();
    prepare(&daemon, &home, 20);
    let log = daemon.ctl("backup store1 crypt");
    assert!(log.contains("end backup store1"), "{log}");
    let set = only_set(&daemon);
    assert_eq!(daemon.cat(&format!("media-sets/{set}/tapes")).lines().count(), 2, "it spans media");
    let original = sha256_of(&home.join("disk.img")).unwrap();
    assert_eq!(sha256_of(&image_of(&daemon, &set)).unwrap(), original);

    // Labels are read without key; the set is restored; catalogs are made anew from the media and from their copies.
    daemon.ctl("load-media EMU001L8");
    let label = daemon.json("read-label");
    assert_eq!(label["encryption-key-fingerprint"], FINGERPRINT);
    daemon.ctl(&format!("datastore create store2 {}", home.join("store2").display()));
    daemon.ctl(&format!("restore {set} store2"));
    let restored = daemon.at(&format!("datastores/store2/{SNAPSHOT}/disk.img"));
    assert_eq!(sha256_of(&restored).unwrap(), original);
    let before = daemon.json("media content");
    for (medium, scan) in [("EMU001L8", true), ("EMU002L8", true), ("EMU002L8", false)] {
        daemon.ctl(&format!("catalog --label-text {medium} --force true --scan {scan}"));
    }
    assert_eq!(daemon.json("media content"), before);
    let again = daemon.ctl("backup store1 crypt");
    assert!(!again.contains("end backup store1"), "{again}");
    daemon.stop();

    forget_chunks(&home);
    let daemon = home.start();
    assert_eq!(sha256_of(&image_of(&daemon, &set)).unwrap(), original);
    daemon.ctl("backup store1 plain");
    daemon.stop();

    let encrypted = ["EMU001L8", "EMU002L8"].map(|medium| recorded(&home, medium)).concat();
    let clear = ["EMU003L8", "EMU004L8"].map(|medium| recorded(&home, medium)).concat();
    assert!(encrypted.len() > 20 * MIB && holds(&encrypted, SHORT.as_bytes()), "labels are clear");
    for needle in plain_bytes(&home) {
        let text = String::from_utf8_lossy(&needle);
        assert!(holds(&clear, &needle), "{text} is on the media in the clear");
        assert!(!holds(&encrypted, &needle), "{text} is on the encrypted media");
    }
    keys_are_nowhere(&home);
}

/// No file of the daemon, and nothing on tape, has the key; its protected copy is on tape alone.
fn keys_are_nowhere(home: &Home) {
    let mut files = BTreeMap::new();
    for folder in ["cache", "log", "run", "state"] {
        files_below(&home.join(folder), &mut files);
    }
    files.insert("reeld.log".into(), home.daemon_log().into_bytes());
    let copied = files.iter().find(|(_, content)| holds(content, PROTECTED.as_bytes()));
    assert_eq!(copied.map(|(path, _)| path), None, "the protected key");
    files_below(&home.join("library"), &mut files);
    let on_tape = files.values().filter(|content| holds(content, PROTECTED.as_bytes())).count();
    assert_eq!(on_tape, 2, "the set labels of both media");
    let bytes: Vec<u8> = (0..32).collect();
    for (path, content) in files {
        let leaks = holds(&content, &bytes) || holds(&content, KEY.as_bytes());
        assert!(!leaks, "the key is in {}", path.display());
    }
}

#[test]
fn without_its_key_a_set_is_neither_read_nor_written() {
    let home = Home::new();
    make_library(&home);
    tape_key::put(&etc(&home));
    let daemon = home.start();
    prepare(&daemon, &home, 8);
    daemon.ctl("backup store1 crypt");
    let set = only_set(&daemon);
    daemon.ctl(&format!("datastore create store2 {}", home.join("store2").display()));
    daemon.stop();
    tape_key::remove(&etc(&home));
    forget_chunks(&home);
    let inventory = fs::read(home.join("state/tape/inventory.json")).unwrap();
    let media = ["EMU001L8", "EMU002L8"];
    let tapes = media.map(|medium| recorded(&home, medium));

    let daemon = home.start();
    let folder = format!("media-sets/{set}/store1/{SNAPSHOT}");
    assert_eq!(errno(fs::read(image_of(&daemon, &set))), libc::ENOKEY);
    let said = daemon.cat(&format!("{folder}/last-error"));
    assert_says(&said, &["unable to find tape encryption key", SHORT, "tape-encryption-keys.json"]);
    assert_eq!(errno(daemon.echo("backup crypt", "datastores/store1/ctl")), libc::ENOKEY);
    for line in ["restore store2", "fetch"] {
        let refused = daemon.echo(line, &format!("media-sets/{set}/ctl"));
        assert_eq!(errno(refused), libc::ENOKEY, "{line}");
    }
    let said = daemon.ctl_fails("backup store1 crypt --force-media-set true");
    assert_says(&said, &[&format!("unable to find tape encryption key config '{SHORT}'")]);
    for line in [
        format!("restore {set} store2"),
        format!("restore {set} store2 store1:{SNAPSHOT}"),
        "catalog --label-text EMU001L8 --force true".into(),
        "catalog --label-text EMU001L8 --force true --scan true".into(),
    ] {
        let output = daemon.try_ctl(&line);
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(255), "{line}: {said}");
        assert_says(&said, &["unable to find tape encryption key", SHORT]);
    }
    assert_eq!(daemon.json("read-label")["encryption-key-fingerprint"], FINGERPRINT);
    assert!(!home.join("store2/vm").exists(), "nothing was restored");

    // The files count as soon as they are there.
    tape_key::put(&etc(&home));
    let original = sha256_of(&home.join("disk.img")).unwrap();
    assert_eq!(sha256_of(&image_of(&daemon, &set)).unwrap(), original);
    daemon.stop();
    assert_eq!(fs::read(home.join("state/tape/inventory.json")).unwrap(), inventory);
    assert!(media.map(|medium| recorded(&home, medium)) == tapes, "nothing was written");
}

#[test]
fn a_drive_without_encryption_and_a_key_of_others_are_refused() {
    let root = geteuid().is_root();
    let user = User::from_name("backup").unwrap().filter(|_| root);
    let mut home = Home::new();
    tape_key::put(&etc(&home));
    if let Some(user) = &user {
        home.give_to(user.uid.as_raw());
    }
    fs::create_dir(home.join("tapes")).unwrap();
    for folder in ["tapes", "etc"] {
        let owner = user.as_ref().map(|user| user.uid.as_raw());
        chown(home.join(folder), owner, None).unwrap();
    }
    let daemon = home.start_with(&["--no-mount"]);
    let tapes = home.join("tapes");
    daemon.ctl(&format!("drive create drive1 --path virtual:{} --max-size 64MiB", tapes.display()));
    one_snapshot(&home, &daemon, 4);
    daemon.ctl("pool create crypt");
    daemon.ctl(&format!("pool update crypt --encrypt {FINGERPRINT}"));
    assert_eq!(daemon.json("pool config crypt")["encrypt"], FINGERPRINT);
    daemon.ctl("label --label-text T1 --pool crypt");
    let before = (content_of(&tapes), fs::read(home.join("state/tape/inventory.json")).unwrap());
    if user.is_some() {
        let said = daemon.ctl_fails("backup store1 crypt");
        assert_says(&said, &["Permission denied", SHORT, "the daemon must run as a user who may"]);
        fs::set_permissions(tape_key::keys_file(&etc(&home)), fs::Permissions::from_mode(0o644))
            .unwrap();
    }
    let output = daemon.try_ctl("backup store1 crypt");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(255), "{said}");
    assert_says(&said, &["drive 'drive1' has no encryption"]);
    let after = (content_of(&tapes), fs::read(home.join("state/tape/inventory.json")).unwrap());
    assert!(before == after, "nothing was written");
}
