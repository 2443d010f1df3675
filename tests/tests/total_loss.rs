//! After a total loss: docs/total-loss.md run line by line on a bare machine, and the state that was exported put back.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails ends the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use reel_emu::Maker;
use reel_tests::emulated::{medium, shape};
use reel_tests::scene::{SNAPSHOTS, assert_says, one_snapshot, only_set};
use reel_tests::{Daemon, Home, emulated, run, sha256_of, write_private};

const PASSPHRASE: &str = "correct horse";
const MEDIA: [&str; 2] = ["REEL01L8", "REEL02L8"];

/// A daemon with an encrypted backup over two media.
fn fill(home: &Home, daemon: &Daemon<'_>) -> String {
    emulated::make(home, &shape(&[Maker::Ibm]), &MEDIA.map(medium));
    emulated::configure(home, daemon, 1);
    one_snapshot(home, daemon, 20);
    let file = passphrase_file(home);
    let create = ["key", "create", "--hint", "in the safe", "--passphrase-file", &file];
    let fingerprint: String = serde_json::from_str(&daemon.ctl_words(&create)).unwrap();
    daemon.ctl(&format!("pool create crypt --retention keep --encrypt {fingerprint}"));
    for label in MEDIA {
        daemon.ctl(&format!("load-media {label}"));
        daemon.ctl(&format!("label --label-text {label} --pool crypt"));
    }
    daemon.ctl("backup store1 crypt");
    daemon.ctl("unload");
    fingerprint
}

fn passphrase_file(home: &Home) -> String {
    let path = home.join("passphrase");
    write_private(&path, PASSPHRASE.as_bytes());
    path.display().to_string()
}

fn image_below(daemon: &Daemon<'_>, folder: &str) -> PathBuf {
    daemon.at(&format!("{folder}/{}/disk.img", SNAPSHOTS[0]))
}

/// The lines for `reelctl` of the part of the page that begins with this heading.
fn lines_of_page(heading: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/total-loss.md");
    let page = fs::read_to_string(page).unwrap();
    let part = page.split("\n## ").find(|part| part.starts_with(heading)).unwrap();
    let lines = part.lines().filter_map(|line| line.strip_prefix("reelctl "));
    lines.map(|line| line.split(" # ").next().unwrap().trim().to_owned()).collect()
}

#[test]
fn the_page_begins_with_nothing_but_tapes_and_the_passphrase() {
    let lost = Home::new();
    let daemon = lost.start_with(&["--no-mount"]);
    let fingerprint = fill(&lost, &daemon);
    let set = only_set(&daemon);
    daemon.stop();

    let home = Home::new();
    run(Command::new("cp").arg("-r").arg(lost.join("library")).arg(home.join("library")));
    let passphrase = passphrase_file(&home);
    let daemon = home.start();
    let store = home.join("store1").display().to_string();
    let lines = lines_of_page("From the tapes alone");
    assert!(lines.len() > 10, "{lines:?}");
    for line in lines {
        let line = line
            .replace("/dev/tape/by-id/scsi-ROBOT", &emulated::path(&home))
            .replace("/dev/tape/by-id/scsi-DRIVE", &emulated::path(&home))
            .replace("UUID", &set)
            .replace("/srv/store1", &store);
        let line = match line.as_str() {
            "key restore" => format!("key restore --passphrase-file {passphrase}"),
            _ => line,
        };
        eprintln!("reelctl {line}");
        let said = daemon.ctl(&line);
        match line.split(' ').next().unwrap() {
            "key" if line == "key list" => assert_says(&said, &[&fingerprint, "in the safe"]),
            "media" if line == "media list" => {
                assert_says(&said, &MEDIA);
                assert!(!said.contains("missing"), "{said}");
            }
            "media-set" => assert_says(&said, &[&set]),
            "read-label" => assert_says(&said, &[&fingerprint]),
            _ => {}
        }
    }
    let original = sha256_of(&lost.join("disk.img")).unwrap();
    let restored = image_below(&daemon, "datastores/store1");
    assert_eq!(sha256_of(&restored).unwrap(), original);
    assert_eq!(
        sha256_of(&image_below(&daemon, &format!("media-sets/{set}/store1"))).unwrap(),
        original
    );
}

/// All that the archive holds, by name.
fn unpacked(archive: &Path, folder: &Path) -> Vec<String> {
    fs::create_dir_all(folder).unwrap();
    run(Command::new("tar").arg("--zstd").arg("-xf").arg(archive).arg("-C").arg(folder));
    let listed = run(Command::new("tar").arg("--zstd").arg("-tf").arg(archive));
    listed.lines().map(ToOwned::to_owned).collect()
}

#[test]
fn the_exported_state_is_put_back_without_reading_a_tape() {
    let lost = Home::new();
    let export = lost.join("elsewhere.tar.zst");
    let daemon = lost.start_with(&["--no-mount", "--export-state", &export.display().to_string()]);
    let secret = passphrase_file(&lost);
    daemon.ctl(&format!("user create pete@pbs --password-file {secret}"));
    daemon.ctl("user generate-token pete@pbs tok");
    let remote = "remote create pbs2 --host 192.0.2.1 --auth-id sync@pbs --password-file";
    daemon.ctl(&format!("{remote} {secret}"));
    fill(&lost, &daemon);
    let set = only_set(&daemon);
    let (media, content) = (daemon.json("media list"), daemon.json("media content"));
    let by_command = lost.join("by-command.tar.zst");
    daemon.ctl(&format!("state export {}", by_command.display()));
    let nowhere = daemon.ctl_fails("state export /no-such-folder/state.tar.zst");
    assert_says(&nowhere, &["export the state to '/no-such-folder/state.tar.zst'", "No such file"]);
    daemon.stop();
    let left: Vec<_> =
        fs::read_dir(lost.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        !left.iter().any(|name| name.to_string_lossy().starts_with(".reelfs-state")),
        "{left:?}"
    );

    // After the job and by command it is the same; it holds no secret and is nobody else's.
    let names = unpacked(&export, &lost.join("exported"));
    assert_eq!(unpacked(&by_command, &lost.join("commanded")), names);
    assert_eq!(fs::metadata(&export).unwrap().permissions().mode() & 0o7777, 0o600);
    for wanted in [
        "config/tape.cfg",
        "config/user.cfg",
        "config/tape-encryption-key-config.json",
        "state/tape/inventory.json",
    ] {
        assert!(names.iter().any(|name| name == wanted), "{wanted} is not in {names:?}");
    }
    assert_eq!(names.iter().filter(|name| name.ends_with(".log")).count(), MEDIA.len());
    for secret in ["tape-encryption-keys.json", "shadow", "remote.cfg", "client-keys", ".lck"] {
        assert!(!names.iter().any(|name| name.contains(secret)), "{secret} is in {names:?}");
    }
    let readme = fs::read_to_string(lost.join("exported/README")).unwrap();
    assert_says(&readme, &["pbs2 at 192.0.2.1 as sync@pbs", "key restore"]);
    assert!(!readme.contains(PASSPHRASE));

    // On the new machine the library has its path, and the state says all that was known.
    let home = Home::new();
    for (folder, part) in [("etc", "config"), ("state", "state")] {
        fs::create_dir_all(home.join(folder)).unwrap();
        let mut tar = Command::new("tar");
        tar.arg("--zstd").arg("-xf").arg(&export).arg("-C").arg(home.join(folder));
        run(tar.args(["--strip-components=1", part]));
    }
    let daemon = home.start();
    assert_eq!((daemon.json("media list"), daemon.json("media content")), (media, content));
    let image = image_below(&daemon, &format!("media-sets/{set}/store1"));
    let without_key = daemon.ctl_fails(&format!("fetch {set}"));
    assert_says(&without_key, &["unable to find tape encryption key"]);
    daemon.ctl(&format!("load-media {}", MEDIA[0]));
    daemon.ctl(&format!("key restore --passphrase-file {}", passphrase_file(&home)));
    daemon.ctl(&format!("fetch {set}"));
    assert_eq!(sha256_of(&image).unwrap(), sha256_of(&lost.join("disk.img")).unwrap());
}
