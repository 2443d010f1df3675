//! The tree line by line: everything that docs/tree.md draws is there on a small scene, with its type, its mode and
//! content of the promised shape; and two promises about content in a media set, what a plan says and what damage says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use reel_tests::scene::{CONFIGURATION, add_snapshot, fill, forget_chunks, library, only_set};
use reel_tests::{Daemon, Home, noise, sha256_of};
use serde_json::Value;

const GROUP: &str = "vm/100";
const TIME: &str = "2026-01-10T08:00:00Z";
const LATEST: &str = "2026-01-11T08:00:00Z";
const LABEL: &str = "TREE01L8";
const MIB: usize = 1 << 20;

/// What stands at a name.
enum Shape<'a> {
    /// A folder.
    Folder,
    /// A link to there.
    Link(&'a str),
    /// A control file with these verbs, among others; `last-error` and `last-task` are beside it.
    Verbs(&'a [&'a str]),
    /// A fact of one line, which must fit.
    Line(fn(&str) -> bool),
    /// An absent value.
    Absent,
    /// Lines `key: value` with these keys, and the same as JSON.
    Keys(&'a [&'a str]),
    /// A line for each of so many things, each with this word in it, and an array.
    Rows(usize, &'a str),
    /// Content of so many bytes.
    Content(u64),
}

fn is_time(text: &str) -> bool {
    text.len() == 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T'
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.matches('-').count() == 4
}

fn is_number(text: &str) -> bool {
    text.parse::<u64>().is_ok()
}

impl Shape<'_> {
    fn check(&self, daemon: &Daemon<'_>, path: &str) {
        let metadata = fs::symlink_metadata(daemon.at(path))
            .unwrap_or_else(|error| panic!("{path} is not there: {error}"));
        let (kind, mode) = (metadata.file_type(), metadata.mode() & 0o7777);
        match self {
            Self::Folder => assert!(kind.is_dir() && mode == 0o555, "{path}: {kind:?} {mode:o}"),
            Self::Link(target) => {
                assert_eq!(fs::read_link(daemon.at(path)).unwrap(), Path::new(target), "{path}");
                assert!(daemon.at(path).exists(), "{path} leads nowhere");
            }
            Self::Verbs(verbs) => {
                assert!(kind.is_file() && mode == 0o600, "{path}: {kind:?} {mode:o}");
                check_verbs(daemon, path, verbs);
            }
            _ => {
                assert!(kind.is_file() && mode == 0o444, "{path}: {kind:?} {mode:o}");
                self.check_text(daemon, path);
            }
        }
    }

    fn check_text(&self, daemon: &Daemon<'_>, path: &str) {
        if let Self::Content(bytes) = self {
            assert_eq!(fs::read(daemon.at(path)).unwrap().len() as u64, *bytes, "{path}");
            return;
        }
        let text = daemon.cat(path);
        assert!(text.is_empty() || text.ends_with('\n'), "{path}: {text:?}");
        match self {
            Self::Line(fits) => {
                let line = text.strip_suffix('\n').unwrap_or_else(|| panic!("{path} is empty"));
                assert!(!line.contains('\n') && fits(line), "{path}: {text:?}");
            }
            Self::Absent => assert_eq!(text, "", "{path}"),
            Self::Keys(keys) => {
                let found: Vec<&str> =
                    text.lines().map(|line| line.split(':').next().unwrap()).collect();
                assert!(keys.iter().all(|key| found.contains(key)), "{path}: {text}");
                let json = json_beside(daemon, path);
                let in_json: BTreeSet<&str> =
                    json.as_object().unwrap().keys().map(String::as_str).collect();
                assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), in_json, "{path}.json");
            }
            Self::Rows(count, word) => {
                let rows: Vec<&str> = text.lines().collect();
                assert_eq!(rows.len(), *count, "{path}: {text}");
                assert!(rows.iter().all(|row| row.contains(word)), "{path}: {text}");
                assert_eq!(json_beside(daemon, path).as_array().unwrap().len(), *count, "{path}");
            }
            _ => unreachable!("no text"),
        }
    }
}

fn json_beside(daemon: &Daemon<'_>, path: &str) -> Value {
    serde_json::from_str(&daemon.cat(&format!("{path}.json"))).unwrap()
}

fn check_verbs(daemon: &Daemon<'_>, path: &str, verbs: &[&str]) {
    let grammar = daemon.cat(path);
    for verb in verbs {
        let told = grammar.lines().any(|line| {
            line.strip_prefix(verb).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        });
        assert!(told, "{path} does not tell of '{verb}':\n{grammar}");
    }
    let folder = path.strip_suffix("ctl").unwrap();
    assert!(daemon.echo("no-such-verb", path).is_err(), "{path}");
    let told = daemon.cat(&format!("{folder}last-error"));
    assert!(told.contains("no verb 'no-such-verb' here"), "{folder}last-error: {told}");
    assert!(daemon.at(&format!("{folder}last-task")).is_file());
}

fn check(daemon: &Daemon<'_>, folder: &str, lines: &[(&str, Shape<'_>)]) {
    for (name, shape) in lines {
        let slash = if folder.is_empty() { "" } else { "/" };
        shape.check(daemon, &format!("{folder}{slash}{name}"));
    }
}

/// A datastore with two snapshots of a group and one in a namespace, all of it on one tape.
fn scene(home: &Home, daemon: &Daemon<'_>) -> String {
    fill(home, daemon, "store1", 9);
    fs::create_dir_all(home.join("store1/ns/inner")).unwrap();
    let image = home.join("source/disk.img");
    let files = format!("disk.img={}", image.display());
    daemon.ctl(&format!("snapshot create store1 host/web {files} --ns inner --time {TIME}"));
    library(home, daemon, "1GiB", &[LABEL]);
    daemon.backup("store1", "backup daily");
    only_set(daemon)
}

#[test]
fn every_line_of_the_tree_is_there() {
    use Shape::{Absent, Content, Folder, Keys, Line, Link, Rows, Verbs};
    let home = Home::new();
    let daemon = home.start();
    let set = scene(&home, &daemon);
    let image_bytes = 9 * MIB as u64;

    check(
        &daemon,
        "",
        &[
            ("abi", Line(is_number)),
            ("version", Line(|text| text.contains('.'))),
            ("ctl", Verbs(&["reload"])),
        ],
    );
    assert!(daemon.cat("README").contains("echo 'backup POOL' > datastores/STORE/ctl"));

    let files_of_snapshot = [
        ("disk.img", Content(image_bytes)),
        ("vm.conf", Content(CONFIGURATION.len() as u64)),
        ("raw", Folder),
        ("raw/index.json.blob", Content(fs::metadata(manifest(&home)).unwrap().len())),
        ("raw/disk.img.fidx", Content(4096 + 3 * 32)),
        ("notes", Absent),
        ("verify-state", Keys(&[])),
    ];
    let store = "datastores/store1";
    let (group, snapshot) = (format!("{store}/{GROUP}"), format!("{store}/{GROUP}/{TIME}"));
    check(&daemon, "datastores", &[("ctl", Verbs(&["create", "remove"])), ("store1", Folder)]);
    check(
        &daemon,
        store,
        &[
            ("config", Keys(&["name", "path"])),
            ("status", Keys(&["path", "maintenance-mode", "total", "used", "available"])),
            ("ctl", Verbs(&["backup", "client-key add", "client-key remove", "snapshot create"])),
            ("ns/inner/host/web/latest", Link(TIME)),
        ],
    );
    check(
        &daemon,
        &group,
        &[
            ("owner", Line(|text| text == "root@pam")),
            ("notes", Absent),
            ("status", Keys(&["backup-count", "last-backup", "owner"])),
            ("ctl", Verbs(&["change-owner", "forget"])),
            ("latest", Link(LATEST)),
        ],
    );
    check(&daemon, &snapshot, &files_of_snapshot);
    check(
        &daemon,
        &snapshot,
        &[
            ("protected", Line(|text| text == "false")),
            ("status", Keys(&["backup-time", "finished", "size", "files", "crypt-mode"])),
            ("ctl", Verbs(&["protect", "unprotect", "notes", "forget"])),
        ],
    );
    is_manifest(&daemon, &snapshot);

    check(&daemon, "pools", &[("ctl", Verbs(&["create", "update", "remove"]))]);
    check(
        &daemon,
        "pools/daily",
        &[
            ("config", Keys(&["name", "allocation", "retention"])),
            ("status", Keys(&["sets", "latest-set", "bytes-used"])),
            ("vault", Rows(0, LABEL)),
            ("due", Rows(0, LABEL)),
            ("verified", Rows(1, LABEL)),
            ("barcodes", Folder),
            ("ctl", Verbs(&["update", "remove"])),
            (&format!("media/{LABEL}"), Link(&format!("../../../media/{LABEL}"))),
            (&format!("sets/{set}"), Link(&format!("../../../media-sets/{set}"))),
        ],
    );

    check(&daemon, "media", &[("ctl", Verbs(&["label", "inventory"]))]);
    check(
        &daemon,
        &format!("media/{LABEL}"),
        &[
            ("status", Keys(&["label-text", "status", "location", "pool", "media-set-uuid"])),
            ("health", Keys(&["label-text", "verdict", "advice", "last-drive", "uuid"])),
            ("location", Line(|text| text == "online-drive1")),
            ("pool", Line(|text| text == "daily")),
            ("set", Line(is_uuid)),
            ("seq", Line(|text| text == "0")),
            ("uuid", Line(is_uuid)),
            ("content", Rows(3, "store1:")),
            ("ctl", Verbs(&["catalog", "format", "destroy", "load-media"])),
        ],
    );

    let in_set = format!("media-sets/{set}");
    check(
        &daemon,
        &in_set,
        &[
            ("status", Keys(&["name", "pool", "ctime", "tapes", "complete", "stores"])),
            ("tapes", Rows(1, LABEL)),
            ("plan", Rows(1, LABEL)),
            ("ctl", Verbs(&["restore", "fetch", "client-key add", "client-key remove"])),
            ("store1/ns/inner/host/web/latest", Link(TIME)),
        ],
    );
    check(
        &daemon,
        &format!("{in_set}/store1/{GROUP}"),
        &[
            ("owner", Absent),
            ("notes", Absent),
            ("status", Keys(&["backup-count", "last-backup"])),
            ("plan", Rows(1, LABEL)),
            ("ctl", Verbs(&["fetch"])),
            ("latest", Link(LATEST)),
        ],
    );
    let snapshot_in_set = format!("{in_set}/store1/{GROUP}/{TIME}");
    check(
        &daemon,
        &snapshot_in_set,
        &[
            ("protected", Absent),
            ("status", Keys(&["backup-time", "index", "cached", "finished", "size"])),
            ("plan", Rows(1, LABEL)),
            ("ctl", Verbs(&["fetch"])),
        ],
    );
    check(&daemon, &snapshot_in_set, &files_of_snapshot);
    is_manifest(&daemon, &snapshot_in_set);

    check(&daemon, "drives", &[("ctl", Verbs(&["create", "remove"]))]);
    let verbs = ["rewind", "eject", "load-media", "unload", "label", "read-label", "inventory"];
    check(
        &daemon,
        "drives/drive1",
        &[
            ("config", Keys(&["name", "path", "max-size"])),
            ("status", Keys(&["state", "activity", "label", "cleaning"])),
            ("health", Keys(&["name", "verdict", "advice", "auto-clean"])),
            ("state", Line(|text| ["ready", "held"].contains(&text))),
            ("label", Line(|text| text == LABEL)),
            ("ctl", Verbs(&verbs)),
            ("ctl", Verbs(&["catalog", "format", "load-media-from-slot", "remove"])),
        ],
    );

    check(
        &daemon,
        "users",
        &[("ctl", Verbs(&["create", "update", "remove"])), ("root@pam", Folder)],
    );
    check(
        &daemon,
        "users/root@pam",
        &[
            ("config", Keys(&["comment", "email", "enable", "expire", "firstname", "lastname"])),
            ("permissions", Keys(&["/"])),
            ("ctl", Verbs(&["update", "delete-token", "remove"])),
        ],
    );
    check(&daemon, "acl", &[("ctl", Verbs(&["update"]))]);
    let verbs = ["create", "change-passphrase", "restore", "remove"];
    check(&daemon, "keys", &[("ctl", Verbs(&verbs))]);

    let task = daemon.cat(&format!("{store}/last-task"));
    let task = format!("tasks/{}", task.trim_end());
    check(&daemon, "tasks", &[("active", Folder)]);
    check(
        &daemon,
        &task,
        &[
            ("status", Keys(&["state", "exit-status", "worker-type", "start-time", "end-time"])),
            ("progress", Keys(&[])),
            ("wait", Line(|text| text == "OK")),
            ("ctl", Verbs(&["stop"])),
        ],
    );
    assert!(daemon.cat(&format!("{task}/log")).lines().count() > 3);
    assert!(is_time(&daemon.cat(&format!("{group}/latest/status"))[13..33]));
}

fn manifest(home: &Home) -> PathBuf {
    home.join(&format!("store1/{GROUP}/{TIME}/index.json.blob"))
}

fn is_manifest(daemon: &Daemon<'_>, snapshot: &str) {
    let json: Value = serde_json::from_str(&daemon.cat(&format!("{snapshot}/index.json"))).unwrap();
    assert_eq!(json["backup-id"], "100");
}

#[test]
fn a_real_name_that_meets_a_fixed_one_gets_a_tilde() {
    let home = Home::new();
    let daemon = home.start();
    fill(&home, &daemon, "plan", 1);
    library(&home, &daemon, "1GiB", &[LABEL]);
    daemon.backup("plan", "backup daily");
    let set = only_set(&daemon);
    assert!(daemon.cat(&format!("media-sets/{set}/plan")).contains(LABEL));
    let (one, other) = (
        format!("datastores/plan/{GROUP}/{TIME}"),
        format!("media-sets/{set}/plan~/{GROUP}/{TIME}"),
    );
    assert_eq!(daemon.cat(&format!("{one}/vm.conf")), daemon.cat(&format!("{other}/vm.conf")));
    daemon.ctl(&format!("datastore create ctl {}", home.join("ctl").display()));
    assert!(daemon.ls("datastores").contains(&"ctl~".to_string()));
    assert!(daemon.cat("datastores/ctl~/config").contains("name: ctl"));
}

#[test]
fn a_group_is_fetched_and_planned_alone() {
    let home = Home::new();
    let set = scene(&home, &home.start());
    fs::remove_dir_all(home.join("cache/snapshots")).unwrap();
    let daemon = home.start();
    let group = format!("media-sets/{set}/store1/{GROUP}");
    let other = format!("media-sets/{set}/store1/ns/inner/host/web");
    let refused = fs::read(daemon.at(&format!("{group}/plan"))).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(nix::libc::ENODATA));
    daemon.act("fetch", &group);
    let status = |folder: &str, time: &str| daemon.cat(&format!("{folder}/{time}/status"));
    assert!(status(&group, TIME).contains("cached: true\n"));
    assert!(status(&group, LATEST).contains("cached: true\n"));
    assert!(status(&other, TIME).contains("cached: false\n"));
    let bytes = |path: &str| json_beside(&daemon, path)[0]["bytes"].as_u64().unwrap();
    let each = [TIME, LATEST].map(|time| bytes(&format!("{group}/{time}/plan")));
    let both = bytes(&format!("{group}/plan"));
    assert!(both > each[0].max(each[1]) && both <= each[0] + each[1], "{both} of {each:?}");
}

/// 24 MiB: four chunks of data, then zeros, which are a chunk on tape and none for a reader.
fn sparse_image(home: &Home) -> PathBuf {
    let mut image = noise(16 * MIB, 77);
    image.resize(24 * MIB, 0);
    let path = home.join("sparse.img");
    fs::write(&path, image).unwrap();
    path
}

#[test]
fn a_plan_announces_what_a_reader_has_the_drive_read() {
    let home = Home::new();
    let snapshot = format!("vm/200/{TIME}");
    let set = {
        let daemon = home.start();
        fs::write(home.join("vm.conf"), CONFIGURATION).unwrap();
        daemon.ctl(&format!("datastore create store1 {}", home.join("store1").display()));
        add_snapshot(&daemon, "store1", &snapshot, &sparse_image(&home));
        library(&home, &daemon, "1GiB", &[LABEL]);
        daemon.backup("store1", "backup daily");
        only_set(&daemon)
    };
    forget_chunks(&home);
    let daemon = home.start();
    let folder = format!("media-sets/{set}/store1/{snapshot}");
    let plan = json_beside(&daemon, &format!("{folder}/plan"));
    assert_eq!(plan[0]["chunks"], 4, "no reader reads zeros: {plan}");
    let announced = plan[0]["bytes"].as_u64().unwrap();

    let before = daemon.bytes_read();
    let sum = sha256_of(&daemon.at(&format!("{folder}/disk.img"))).unwrap();
    let counted = daemon.bytes_read() - before;
    assert_eq!(sum, sha256_of(&home.join("sparse.img")).unwrap());
    // Beside the tape's blocks the daemon reads labels, indexes, requests, and what it cached itself.
    let beside = MIB as u64;
    assert!(counted >= announced, "{counted} of {announced}");
    assert!(counted <= 2 * announced + 2 * beside, "{counted} of {announced}");
}

/// Flips a byte of a chunk's data in the file of a virtual tape that holds it; the number of that file.
fn damage_on_tape(home: &Home, data: &[u8]) -> u64 {
    for entry in fs::read_dir(home.join("tapes")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let Some(at) = bytes.windows(64).position(|window| window == &data[..64]) else { continue };
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        return name.split('-').nth(1).unwrap().parse().unwrap();
    }
    panic!("no tape holds the data");
}

#[test]
fn damage_is_named_in_last_error_and_in_the_log_of_a_task() {
    let home = Home::new();
    let set = scene(&home, &home.start());
    forget_chunks(&home);
    // The second chunk of the first snapshot's image.
    let image = noise(9 * MIB, 1);
    let file = damage_on_tape(&home, &image[4 * MIB + 1000..]);
    let daemon = home.start();
    let folder = format!("media-sets/{set}/store1/{GROUP}/{TIME}");
    let mut content = fs::File::open(daemon.at(&format!("{folder}/disk.img"))).unwrap();
    let mut piece = vec![0; MIB];
    content.seek(SeekFrom::Start(4 * MIB as u64)).unwrap();
    let error = content.read_exact(&mut piece).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(nix::libc::EIO));
    for offset in [0, 3 * MIB, 8 * MIB] {
        content.seek(SeekFrom::Start(offset as u64)).unwrap();
        content.read_exact(&mut piece).unwrap();
        assert!(piece == image[offset..offset + MIB], "the rest still reads, at {offset}");
    }
    let digest = openssl::sha::sha256(&image[4 * MIB..8 * MIB]);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let names_it = |text: &str| {
        let file = format!("file {file}");
        [digest.as_str(), LABEL, &file, "CRC"].iter().all(|part| text.contains(part))
    };
    let told = daemon.cat(&format!("{folder}/last-error"));
    assert!(told.contains("read disk.img.fidx") && names_it(&told), "{told}");

    daemon.ctl(&format!("datastore create store2 {}", home.join("store2").display()));
    let restore = format!("restore {set} store1=store2 store1:{GROUP}/{TIME}");
    let said = daemon.try_ctl(&restore);
    assert!(!said.status.success());
    let log = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(log.lines().any(names_it), "{log}");
}
