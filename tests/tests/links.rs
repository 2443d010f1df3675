//! Scripts that were written for PBS's programs: `reelctl` by their names, in the order in which an operator meets the
//! commands.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails ends the test")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use reel_emu::{CartridgeFacts, CartridgeKind, LibraryShape, Maker};
use reel_tests::emulated::{medium, shape};
use reel_tests::said::Said;
use reel_tests::scene::{SNAPSHOTS, assert_says, fill};
use reel_tests::{Daemon, Home, emulated, program, sha256_of};
use serde_json::{Value, json};

const NAMES: [&str; 5] = ["proxmox-tape", "proxmox-backup-manager", "pmt", "pmtx", "sg-tape-cmd"];
/// Device nodes as a manual prints them; no machine has these.
const CHANGER_NODE: &str = "/dev/tape/by-id/scsi-CC2C52";
const DRIVE_NODE: &str = "/dev/tape/by-id/scsi-12345-sg";
const PASSPHRASE: &str = "correct horse";

/// A shell that finds the programs by their names, and no others.
struct Shell<'a> {
    home: &'a Home,
    daemon: &'a Daemon<'a>,
}

impl<'a> Shell<'a> {
    fn new(home: &'a Home, daemon: &'a Daemon<'a>) -> Self {
        fs::create_dir(home.join("bin")).unwrap();
        for name in NAMES {
            symlink(program("reelctl"), home.join("bin").join(name)).unwrap();
        }
        Self { home, daemon }
    }

    /// In the surroundings of a `reelctl` of the daemon.
    fn command(&self, shell: &str) -> Command {
        let mut command = Command::new(shell);
        for (name, value) in self.daemon.reelctl().get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let path = format!("{}:/usr/bin:/bin", self.home.join("bin").display());
        command.env("PATH", path).env("SHELL", "/bin/sh").stdin(Stdio::null());
        command
    }

    /// Runs a line as it stands.
    fn try_line(&self, line: &str) -> Said {
        self.command("/bin/sh").args(["-c", line]).output().unwrap().into()
    }

    /// Runs a line that must succeed; what it printed.
    fn line(&self, line: &str) -> String {
        let said = self.try_line(line);
        assert_eq!(said.code, Some(0), "{line}: {}{}", said.stdout, said.stderr);
        said.stdout
    }

    /// The same with the library of the home for the nodes of a manual.
    fn with_library(&self, line: &str) -> String {
        let library = emulated::path(self.home);
        self.line(&line.replace(CHANGER_NODE, &library).replace(DRIVE_NODE, &library))
    }

    fn refused(&self, line: &str) -> String {
        let said = self.try_line(line);
        assert_eq!((said.code, &*said.stdout), (Some(255), ""), "{line}: {}", said.stderr);
        said.stderr
    }

    fn json(&self, line: &str) -> Value {
        let text = self.line(&format!("{line} --output-format json"));
        serde_json::from_str(&text).unwrap()
    }

    /// Runs a line on a terminal of its own, where the passphrase is typed at each of so many prompts; all that the
    /// terminal shows.
    fn on_terminal(&self, line: &str, prompts: usize) -> String {
        let mut command = self.command("script");
        command.args(["--quiet", "--return", "--command", line, "/dev/null"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut keyboard, mut screen) =
            (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut shown = Vec::new();
        for _ in 0..prompts {
            let begin = shown.len();
            while !shown[begin..].ends_with(b"assword: ") {
                let mut byte = [0];
                screen.read_exact(&mut byte).expect("a prompt");
                shown.extend(byte);
            }
            writeln!(keyboard, "{PASSPHRASE}").unwrap();
        }
        screen.read_to_end(&mut shown).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        assert!(child.wait().unwrap().success(), "{line}: {shown}");
        shown
    }
}

/// A library with two drives, sixteen slots, three media and a cleaning cartridge.
fn make_library(home: &Home) {
    let mut media = [1, 2, 3].map(|number| medium(&format!("TAPE0{number}L8"))).to_vec();
    let kind = CartridgeKind::Cleaning { uses: 3 };
    media.push(CartridgeFacts { kind, ..medium("CLN001CU") });
    let shape = LibraryShape { storage_slots: 16, ..shape(&[Maker::Ibm, Maker::Hp]) };
    emulated::make(home, &shape, &media);
}

fn configure_devices(shell: &Shell<'_>) {
    shell.line("proxmox-tape changer scan");
    shell.with_library("proxmox-tape changer create sl3 --path /dev/tape/by-id/scsi-CC2C52");
    assert_says(&shell.line("proxmox-tape changer list"), &["sl3"]);
    shell.line("proxmox-tape changer update sl3 --export-slots 15,16");
    assert_says(&shell.line("proxmox-tape changer config sl3"), &["15,16"]);
    assert_says(&shell.line("proxmox-tape changer status sl3"), &["TAPE01L8", "import-export"]);
    shell.line("proxmox-tape drive scan");
    shell.with_library("proxmox-tape drive create mydrive --path /dev/tape/by-id/scsi-12345-sg");
    assert_says(&shell.line("proxmox-tape drive config mydrive"), &["mydrive"]);
    shell.line("proxmox-tape drive update mydrive --changer sl3");
    shell.with_library(
        "proxmox-tape drive create yourdrive --path /dev/tape/by-id/scsi-12345-sg --changer sl3 --changer-drivenum 1",
    );
    let drives = shell.json("proxmox-tape drive list");
    let of = |number: usize| (&drives[number]["name"], &drives[number]["changer"]);
    assert_eq!(of(0), (&json!("mydrive"), &json!("sl3")));
    assert_eq!(of(1), (&json!("yourdrive"), &json!("sl3")));
}

fn label_media(shell: &Shell<'_>) {
    let created = shell.try_line("proxmox-tape pool create daily --drive mydrive");
    assert_eq!((created.code, &*created.stdout), (Some(0), ""));
    assert_says(&created.stderr, &["WARN: a pool has no drive"]);
    shell.line("proxmox-tape pool create yourpool --allocation always --retention keep");
    assert_says(&shell.line("proxmox-tape pool list"), &["daily", "yourpool"]);
    shell.line("proxmox-tape load-media TAPE01L8 --drive mydrive");
    shell.line("proxmox-tape label --changer-id TAPE01L8 --pool yourpool --drive mydrive");
    assert_says(&shell.line("proxmox-tape read-label --drive mydrive"), &["TAPE01L8", "yourpool"]);
    assert_says(&shell.line("proxmox-tape status --drive mydrive"), &["LTO8"]);
    shell.line("proxmox-tape unload --drive mydrive");
    let labelled = shell.line("PROXMOX_TAPE_DRIVE=mydrive proxmox-tape barcode-label --pool daily");
    assert_says(&labelled, &["TAPE02L8", "TAPE03L8"]);
    assert_says(
        &shell.line("proxmox-tape inventory --read-labels --drive mydrive"),
        &["TAPE01L8", "TAPE02L8", "TAPE03L8"],
    );
    shell.line("proxmox-tape media list");
}

fn move_tapes(shell: &Shell<'_>) {
    shell.line("proxmox-tape unload --drive mydrive");
    shell.line("proxmox-tape load-media-from-slot 1 --drive mydrive");
    for line in ["rewind", "eod", "cartridge-memory", "volume-statistics", "scan", "eject", "clean"]
    {
        shell.line(&format!("PROXMOX_TAPE_DRIVE=mydrive proxmox-tape {line}"));
    }
    assert_says(
        &shell.line("PROXMOX_TAPE_DRIVE=yourdrive proxmox-tape changer status"),
        &["TAPE01L8"],
    );
    shell.line("PROXMOX_TAPE_DRIVE=yourdrive proxmox-tape changer transfer --from 1 --to 9");
    shell.line("proxmox-tape changer transfer sl3 --from 9 --to 1");
}

/// Backs up by hand and by a job; the media sets, the job's last.
fn back_up(shell: &Shell<'_>) -> [String; 2] {
    let log = shell
        .line("PROXMOX_TAPE_DRIVE=mydrive proxmox-tape backup store1 daily --ns tt --max-depth 0");
    assert_says(&log, &["found 1 groups (out of 1 total)", "tt/vm/100"]);
    let log = shell.line("proxmox-tape backup store1 daily --export-media --drive mydrive");
    assert_says(&log, &["end backup store1", "to import/export slot 15"]);
    let create = "proxmox-tape backup-job create job2 --store vmstore1 --pool yourpool --drive yourdrive --schedule daily";
    shell.line(create);
    shell.line("proxmox-tape backup-job update job2 --comment offsite --latest-only");
    assert_says(&shell.line("proxmox-tape backup-job list"), &["job2", "daily", "offsite"]);
    assert_says(&shell.line("proxmox-tape backup-job show job2"), &["vmstore1", "latest-only"]);
    assert_says(&shell.line("proxmox-tape backup-job run job2"), &["end backup vmstore1"]);
    shell.line("proxmox-tape backup-job remove job2");
    assert_says(&shell.line("proxmox-tape media content"), &["vmstore1", SNAPSHOTS[1], "store1"]);
    ["daily", "yourpool"].map(|pool| {
        let content = shell.json(&format!("proxmox-tape media content --pool {pool}"));
        content[0]["media-set-uuid"].as_str().unwrap().to_owned()
    })
}

fn restore(shell: &Shell<'_>, [daily, yours]: [String; 2]) {
    let (home, daemon) = (shell.home, shell.daemon);
    for store in ["mystore", "otherstore"] {
        let path = home.join(store);
        shell.line(&format!("proxmox-backup-manager datastore create {store} {}", path.display()));
    }
    shell.line(&format!("proxmox-tape restore {yours} mystore --drive yourdrive"));
    let newest = daemon.at(&format!("datastores/mystore/{}/disk.img", SNAPSHOTS[1]));
    let original = sha256_of(&home.join("source/disk.img")).unwrap();
    assert_eq!(sha256_of(&newest).unwrap(), original);
    assert!(!daemon.at(&format!("datastores/mystore/{}", SNAPSHOTS[0])).exists());
    shell.line("proxmox-tape changer transfer sl3 --from 15 --to 2");
    let snapshot = format!("store1:ns/tt/{}", SNAPSHOTS[0]);
    shell.line(&format!(
        "proxmox-tape restore {daily} \"store1=otherstore\" {snapshot} --drive yourdrive"
    ));
    let path = format!("datastores/otherstore/ns/tt/{}/vm.conf", SNAPSHOTS[0]);
    assert_eq!(daemon.cat(&path), reel_tests::scene::CONFIGURATION);
    shell.line("proxmox-tape catalog --drive yourdrive --force");
    shell.line("proxmox-tape format --drive yourdrive");
}

#[test]
fn the_lines_of_a_manual_in_their_order() {
    let home = Home::new();
    make_library(&home);
    let daemon = home.start();
    fill(&home, &daemon, "vmstore1", 1);
    fill(&home, &daemon, "store1", 1);
    fs::create_dir_all(home.join("store1/ns/tt")).unwrap();
    let files = format!("vm.conf={}", home.join("source/vm.conf").display());
    daemon
        .ctl(&format!("snapshot create store1 vm/100 {files} --time 2026-01-10T08:00:00Z --ns tt"));
    let shell = Shell::new(&home, &daemon);
    configure_devices(&shell);
    label_media(&shell);
    move_tapes(&shell);
    let sets = back_up(&shell);
    restore(&shell, sets);
}

#[test]
fn nodes_that_are_not_there_are_named() {
    let home = Home::new();
    let daemon = home.start();
    let shell = Shell::new(&home, &daemon);
    for (line, node) in [
        ("proxmox-tape changer create sl3 --path", CHANGER_NODE),
        ("proxmox-tape drive create mydrive --path", DRIVE_NODE),
    ] {
        let said = shell.refused(&format!("{line} {node}"));
        assert_says(&said, &[node, "No such file or directory"]);
    }
    assert_eq!(shell.json("proxmox-tape drive list"), json!([]));
    assert_eq!(shell.json("proxmox-tape changer list"), json!([]));
}

#[test]
fn keys_are_made_and_shown_on_a_terminal() {
    let home = Home::new();
    let daemon = home.start();
    let shell = Shell::new(&home, &daemon);
    let create = "proxmox-tape key create --hint \"tape pw 2020\" --kdf pbkdf2";
    assert_says(&shell.refused(create), &["no password input mechanism available"]);
    let shown = shell.on_terminal(create, 2);
    assert_says(&shown, &["Tape Encryption Key Password: ", "Verify password: "]);
    assert!(!shown.contains(PASSPHRASE), "{shown}");
    let key = shell.json("proxmox-tape key list")[0]["fingerprint"].as_str().unwrap().to_owned();
    assert_says(&shown, &[&format!("\"{key}\"")]);
    assert_says(&shell.line(&format!("proxmox-tape key show {key}")), &["tape pw 2020"]);
    let paper = format!("proxmox-tape key paperkey {key} --output-format text >paperkey.txt");
    shell.line(&format!("cd {} && {paper}", home.path().display()));
    shell.line(&format!("proxmox-tape pool create secret --encrypt {key}"));
    let change = format!("proxmox-tape key change-passphrase {key} --hint \"tape pw 2021\"");
    shell.on_terminal(&change, 3);
    assert_says(&shell.line("proxmox-tape key list"), &["tape pw 2021"]);
    shell.line("proxmox-tape pool remove secret");
    shell.line(&format!("proxmox-tape key remove {key}"));
    let restore = "proxmox-tape key restore --key-file paperkey.txt";
    shell.on_terminal(&format!("cd {} && {restore}", home.path().display()), 1);
    assert_eq!(shell.json("proxmox-tape key list")[0]["fingerprint"], json!(key));
}

#[test]
fn devices_by_the_tools_and_what_only_old_scripts_say() {
    let home = Home::new();
    make_library(&home);
    let daemon = home.start();
    emulated::configure(&home, &daemon, 1);
    let shell = Shell::new(&home, &daemon);
    assert_says(&shell.line("proxmox-tape changer status sl3"), &["TAPE01L8"]);
    let other = home.join("other");
    shell.line(&format!("proxmox-tape changer create other --path emulated:{}", other.display()));
    let transfer = "proxmox-tape changer transfer --from 2 --to 9";
    assert_says(&shell.refused(transfer), &["unable to get (default) changer name"]);
    shell.line(&format!("PROXMOX_TAPE_DRIVE=drive0 {transfer}"));
    shell.line("pmtx load 1 --changer sl3");
    let status = shell.line("pmt status --drive drive0 --output-format json");
    assert!(status.starts_with("{\"Ok\":{"), "{status}");
    shell.line("pmt rewind");
    assert_says(&shell.line("PROXMOX_TAPE_DRIVE=drive0 pmtx status"), &["VolumeTag(\"TAPE02L8\")"]);
    shell.line("proxmox-tape erase --drive drive0");
    let path = home.join("store1");
    shell.line(&format!("proxmox-backup-manager datastore create store1 {}", path.display()));
    assert_says(&shell.line("proxmox-backup-manager da li"), &["store1"]);
}

#[test]
fn usage_and_completion_are_those_of_the_program() {
    let home = Home::new();
    let daemon = home.start();
    let shell = Shell::new(&home, &daemon);
    assert_says(
        &shell.refused("pmtx nosuch"),
        &["no such command 'nosuch'\n", "\n pmtx load <slot>"],
    );
    assert_says(
        &shell.refused("proxmox-tape load-media"),
        &["'label-text': parameter is missing", "\nUsage: proxmox-tape load-media <label-text>"],
    );
    let help = shell.line("proxmox-tape help");
    assert_says(&help, &[" proxmox-tape status ", "'proxmox-tape help COMMAND'"]);
    assert!(!help.contains("remote") && !help.contains("reelctl"), "{help}");
    assert_eq!(shell.line("COMP_LINE='pmt fs' COMP_POINT=6 pmt bashcomplete"), "fsf\nfsfm\nfsr\n");
    let helper = shell.refused("sg-tape-cmd encryption --drive drive0");
    assert_says(&helper, &["sg-tape-cmd: no drive got or lost a key"]);

    shell.line("proxmox-tape pool create daily");
    let formatted = |variable: &str| shell.line(&format!("{variable} proxmox-tape pool list"));
    assert_eq!(formatted("PROXMOX_OUTPUT_FORMAT=json"), "[{\"name\":\"daily\"}]\n");
    assert!(formatted("PROXMOX_OUTPUT_NO_BORDER=1").starts_with("daily "));
    assert!(!formatted("PROXMOX_OUTPUT_NO_HEADER=1").contains("retention"));
    assert_eq!(
        shell.line("PBS_LOG=debug proxmox-tape pool list"),
        shell.line("proxmox-tape pool list")
    );
}
