//! A session that was recorded from PBS's own programs on LTO drives and a changer, once more on an emulated library of
//! the same shape by the same command lines: each says the same but for what is the library's own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails ends the test")]

mod shape;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use reel_emu::{CartridgeFacts, Generation, LibraryShape, Maker};
use reel_hw::{TAPE_BLOCK_SIZE, VolumeTag};
use reel_tests::emulated;
use reel_tests::said::{Said, called, recorded};
use reel_tests::{Daemon, Home, fixtures, unpack, write_private};
use regex::Regex;
use shape::{elements, regex, shape};

/// The media, with the block of each that brings the early warning, filemarks counted as blocks; what isn't filled in
/// the session has room. PBS was warned with the 31st block of data, whatever filemarks there were, and forgot warnings
/// at the end of an archive until the second medium had 37.
const MEDIA: [(&str, u64); 9] = [
    ("L00001L8", 31 + 6),
    ("L00002L8", 37 + 24),
    ("L00003L8", 31 + 13),
    ("L00004L8", 200),
    ("L00005L8", 200),
    ("L00006L8", 200),
    ("L00007L8", 200),
    ("L00008L8", 200),
    ("CLN001CU", 0),
];

/// Blocks behind the early warning of an emulated medium.
const BEHIND_WARNING: u64 = 8;

fn make_library(home: &Home) {
    let shape = LibraryShape {
        storage_slots: 12,
        import_export_slots: 2,
        ..LibraryShape::unique(2, Maker::Ibm, Generation::Lto8)
    };
    let media = MEDIA.map(|(label, blocks)| {
        let room = (blocks + BEHIND_WARNING) * TAPE_BLOCK_SIZE as u64 - 1;
        CartridgeFacts::labelled(&VolumeTag::new(label).unwrap(), Generation::Lto8, room)
    });
    emulated::make(home, &shape, &media);
}

/// What was configured before the session.
fn configure(home: &Home, daemon: &Daemon<'_>) {
    let path = emulated::path(home);
    daemon.ctl(&format!("changer create lib24 --path {path} --export-slots 11,12"));
    daemon.ctl(&format!("drive create ltoA --path {path} --changer lib24"));
    daemon.ctl(&format!("drive create ltoB --path {path} --changer lib24 --changer-drivenum 1"));
    let store = home.join("store1");
    daemon.ctl(&format!("datastore create store1 {} --reuse-datastore", store.display()));
    let password = home.join("password");
    write_private(&password, b"lto-Key-pw-1");
    let words = ["key", "create", "--hint", "lto key", "--passphrase-file"];
    let key = daemon.ctl_words(&[&words[..], &[password.to_str().unwrap()]].concat());
    daemon.ctl("pool create poolL --allocation continue");
    daemon.ctl("pool create poolX --allocation always --retention overwrite");
    daemon.ctl(&format!("pool create poolS --encrypt {}", key.trim().trim_matches('"')));
}

/// The recorded files, in the order of the session.
fn recordings() -> Vec<PathBuf> {
    let folder = fixtures().unwrap().join("lto/outputs");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What was done between the recorded commands.
fn prepare(home: &Home, daemon: &Daemon<'_>, number: u16) {
    if number == 120 {
        for store in ["ltorest1", "ltorest2"] {
            daemon.ctl(&format!("datastore create {store} {}", home.join(store).display()));
        }
    }
}

/// The media sets that the recorded lines name, with their pools.
const SETS: [(&str, &str); 2] = [
    ("41f043ea-7e75-473c-8903-84f58374960c", "poolL"),
    ("9cf2e1e5-04b7-4b36-b307-20fd005117c8", "poolS"),
];

/// A recorded line with the device and the media sets of ours.
fn line_of_ours(home: &Home, daemon: &Daemon<'_>, line: &str) -> String {
    let line = line.replace("/dev/emulated/changer.sg", &emulated::path(home));
    let Some((theirs, pool)) = SETS.iter().find(|(set, _)| line.contains(set)) else { return line };
    let sets = daemon.json("media-set list");
    let mut sets = sets.as_array().unwrap().iter();
    let ours = sets.find(|set| set["pool"] == *pool).unwrap();
    line.replace(theirs, ours["media-set-uuid"].as_str().unwrap())
}

/// Lines that one of both leaves out on purpose, by the commands that may write them (docs/differences.md).
static LEFT_OUT: LazyLock<[(Regex, Regex); 6]> = LazyLock::new(|| {
    [
        // The device is the daemon's.
        ("^pmtx? ", "^using device PATH$"),
        // A recorded device that no scan had found has no names.
        ("^proxmox-tape (drive|changer) list ", "^(vendor|model|serial|activity): "),
        // Which of the optional attributes there are is a matter of drive and medium.
        (" cartridge-memory ", r"^(│ )?(id: )?(9|523|548|549|1026|1027|1033)( name: | │ |\|)"),
        // A job says why.
        (
            "^proxmox-tape backup ",
            "^(starting|continuing) media set - reason: |^media '.*' was chosen - reason: ",
        ),
        // Places of chunks are known.
        ("^proxmox-tape restore ", "^was at file |^now at file "),
        // The recorded drive had no statistics then.
        ("^proxmox-tape clean ", "^Volume mounts: |^Cleaning tape wearout: "),
    ]
    .map(|(command, line)| (regex(command), regex(line)))
});

/// Recorded commands that end otherwise here, and why (docs/differences.md).
const EXEMPT: [(u16, &str); 8] = [
    (28, "an emulated library is no device of the kernel"),
    (29, "the same"),
    (30, "the same"),
    (39, "an empty slot is found before the robot is told"),
    (40, "so is a full drive"),
    (45, "an empty slot again"),
    (119, "errors name the drive and say what to do"),
    (122, "files of snapshots that were read before are there"),
];

/// Lists whose order is PBS's by chance, or the uuids'; and what is looked at attribute by attribute.
const UNORDERED: [&str; 4] = ["media list", "media content", "drive list", "cartridge-memory"];

/// The lines of both outputs and the status, without what is the library's own.
fn lines(line: &str, said: &Said) -> Vec<String> {
    let is_kept = |said: &String| {
        !LEFT_OUT.iter().any(|(command, of_one)| command.is_match(line) && of_one.is_match(said))
    };
    let stdout = without_key_config(&said.stdout);
    let mut lines: Vec<String> = shape(&stdout).into_iter().filter(is_kept).collect();
    if UNORDERED.iter().any(|list| line.contains(list)) {
        if stdout.starts_with(['[', '{']) {
            lines = elements(lines);
        }
        lines.retain(is_kept);
        lines.sort_unstable();
    }
    lines.extend(shape(&said.stderr).into_iter().filter(is_kept));
    lines.push(format!("exit {:?}", said.code));
    lines
}

/// A log without the protected key, which PBS writes there and reelfs does not.
fn without_key_config(log: &str) -> String {
    let parts = log.split_once("encryption key config: {\n").and_then(|(before, rest)| {
        let (_key, behind) = rest.split_once("\n}\n")?;
        Some(format!("{before}{behind}"))
    });
    parts.unwrap_or_else(|| log.to_owned())
}

/// The lines of one output that the other lacks.
fn only_in(one: &[String], other: &[String], mark: &str) -> String {
    let lines = one.iter().filter(|line| !other.contains(line));
    lines.map(|line| format!("{mark}{line}\n")).collect()
}

fn number_of(file: &Path) -> u16 {
    file.file_name().unwrap().to_str().unwrap()[..3].parse().unwrap()
}

#[test]
fn a_session_on_lto_drives_says_what_it_says_with_pbs() {
    let home = Home::new();
    if !unpack("pbs-datastore-store1.tar.zst", home.path()) {
        return;
    }
    make_library(&home);
    let daemon = home.start();
    configure(&home, &daemon);
    let mut wrong = Vec::new();
    for file in recordings() {
        prepare(&home, &daemon, number_of(&file));
        let (line, theirs) = recorded(&file);
        let ours = called(&daemon, &line_of_ours(&home, &daemon, &line));
        let (ours, theirs) = (lines(&line, &ours), lines(&line, &theirs));
        let number = number_of(&file);
        let is_exempt = EXEMPT.iter().any(|(exempt, _reason)| *exempt == number);
        if is_exempt == (ours == theirs) {
            let [more, less] = [only_in(&ours, &theirs, "+ "), only_in(&theirs, &ours, "- ")];
            wrong.push(format!("{number}: {line} (exempt: {is_exempt})\n{less}{more}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
