//! Tape keys: made, listed, printed, changed, restored from tape and from paper, and removed, through `reelctl` and the
//! tree; and what of them is left behind nowhere.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails ends the test")]

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use nix::libc;
use nix::unistd::{User, geteuid};
use reel_emu::Maker;
use reel_tests::emulated::{medium, shape};
use reel_tests::said::{refused, say, silent};
use reel_tests::scene::{SNAPSHOTS, assert_says, errno, forget_chunks, one_snapshot, only_set};
use reel_tests::{
    Daemon, Home, emulated, printed_by_pbs, sha256_of, sorted, tape_key, unpack_tapes_of_pbs,
    write_private,
};
use serde_json::Value;

const PASSPHRASE: &str = "correct horse";
const OF_PBS: &str = "0d:19:de:6a:19:e7:af:32:6c:a8:3f:73:3f:e5:1d:7b:65:ad:e4:c9:15:61:f9:1a:b8:2f:88:d9:35:39:29:6f";
const BEGIN: &str = "-----BEGIN PROXMOX BACKUP KEY-----";

fn keys_file(home: &Home) -> PathBuf {
    tape_key::keys_file(&home.join("etc"))
}

fn config_file(home: &Home) -> PathBuf {
    home.join("etc/tape-encryption-key-config.json")
}

/// A file that only we can read, with a passphrase.
fn passphrase_file(home: &Home, passphrase: &str) -> String {
    let path = home.join(&format!("passphrase-{}", passphrase.replace(' ', "-")));
    write_private(&path, format!("{passphrase}\n").as_bytes());
    path.display().to_string()
}

/// Makes a key; its fingerprint.
fn create(home: &Home, daemon: &Daemon<'_>) -> String {
    let file = passphrase_file(home, PASSPHRASE);
    let words =
        ["key", "create", "--hint", "a vault", "--kdf", "pbkdf2", "--passphrase-file", &file];
    let printed = daemon.ctl_words(&words);
    serde_json::from_str(&printed).unwrap()
}

/// Runs `reelctl` with this on its standard input.
fn with_input(daemon: &Daemon<'_>, line: &str, input: &str) -> Output {
    let mut command = daemon.reelctl();
    command.args(line.split_whitespace()).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn recorded(name: &str) -> Option<String> {
    printed_by_pbs(&format!("outputs/{name}.txt"))
}

#[test]
fn the_keys_of_a_pbs() {
    let home = Home::new();
    let Some(pbs) = unpack_tapes_of_pbs(&home) else { return };
    fs::create_dir_all(home.join("etc")).unwrap();
    for name in ["tape-encryption-keys.json", "tape-encryption-key-config.json"] {
        fs::copy(pbs.join("etc-proxmox-backup").join(name), home.join("etc").join(name)).unwrap();
    }
    let daemon = home.start();
    let underscored = OF_PBS.replace(':', "_");
    for format in ["text", "json", "json-pretty"] {
        let option = format!("--output-format {format}");
        let show = recorded(&format!("proxmox-tape_key_show_{underscored}.{format}")).unwrap();
        assert_eq!(daemon.ctl(&format!("key show {OF_PBS} {option}")), show, "{format}");
    }
    // PBS ended where it had no program for the code.
    for (option, suffix) in [("", ""), ("--output-format text", "_--output-format_text")] {
        let theirs = recorded(&format!("proxmox-tape_key_paperkey_{underscored}{suffix}")).unwrap();
        let theirs = theirs.split("--- stderr").next().unwrap();
        let ours = daemon.ctl(&format!("key paperkey {OF_PBS} {option}"));
        let head: String = ours.chars().take(theirs.chars().count()).collect();
        assert_eq!(head, theirs);
        assert!(ours.len() > theirs.len() + 500, "the code is missing");
    }

    // What PBS wrapped, its passphrase opens, and what is written is read as PBS would have written it.
    let before: Value = serde_json::from_slice(&fs::read(config_file(&home)).unwrap()).unwrap();
    let keys = fs::read(keys_file(&home)).unwrap();
    let wrong = passphrase_file(&home, "not the one");
    let (current, new) =
        (passphrase_file(&home, "tape-Key-pw-1"), passphrase_file(&home, PASSPHRASE));
    let change = |current: &str| {
        format!(
            "key change-passphrase {OF_PBS} --passphrase-file {current} --new-passphrase-file {new}"
        )
    };
    assert_says(&refused(&daemon, &change(&wrong)), &["wrong pass phrase", "tape key hint 1"]);
    silent(&daemon, &change(&current));
    let after: Value = serde_json::from_slice(&fs::read(config_file(&home)).unwrap()).unwrap();
    assert_eq!(fs::read(keys_file(&home)).unwrap(), keys);
    assert_eq!(after[0], before[0]);
    for same in ["created", "fingerprint", "hint"] {
        assert_eq!(after[1][same], before[1][same]);
    }
    for other in ["modified", "data"] {
        assert_ne!(after[1][other], before[1][other]);
    }
    assert_eq!(after[1]["kdf"]["Scrypt"]["n"], 65536);
    // The first key is removed and comes back from PBS's own record of a paper key, under its former passphrase.
    silent(&daemon, &format!("key remove {OF_PBS} --force true"));
    let paper = recorded(&format!("proxmox-tape_key_paperkey_{underscored}_--output-format_text"));
    let paper_file = home.join("paper");
    fs::write(&paper_file, paper.unwrap()).unwrap();
    let restore = format!("key restore --key-file {} --passphrase-file", paper_file.display());
    assert_says(&refused(&daemon, &format!("{restore} {new}")), &["wrong pass phrase"]);
    silent(&daemon, &format!("{restore} {current}"));
    let restored = serde_json::from_slice::<Value>(&fs::read(keys_file(&home)).unwrap()).unwrap();
    assert_eq!(sorted(restored), sorted(serde_json::from_slice(&keys).unwrap()));
}

#[test]
fn a_key_from_its_making_to_its_removal() {
    let home = Home::new();
    let daemon = home.start();
    assert_eq!(
        (daemon.ctl("key list"), daemon.json("key list")),
        (String::new(), "[]".parse().unwrap())
    );
    let fingerprint = create(&home, &daemon);
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(keys_file(&home)), mode(config_file(&home))), (0o600, 0o640));
    let shown = daemon.json(&format!("key show {fingerprint}"));
    assert_eq!((&shown["kdf"], &shown["hint"]), (&"pbkdf2".into(), &"a vault".into()));

    let folder = format!("keys/{fingerprint}");
    assert_eq!(daemon.cat(&format!("{folder}/hint")), "a vault\n");
    assert_eq!(daemon.cat(&format!("{folder}/kdf")), "pbkdf2\n");
    assert!(daemon.cat(&format!("{folder}/created")).ends_with("Z\n"));
    assert_eq!(mode(daemon.at(&format!("{folder}/paperkey"))), 0o400);
    let paper = daemon.cat(&format!("{folder}/paperkey"));
    assert_eq!(paper, daemon.ctl(&format!("key paperkey {fingerprint} --output-format text")));
    assert!(daemon.cat(&format!("{folder}/paperkey.html")).contains("<svg "));
    let titled = daemon.ctl_words(&["key", "paperkey", &fingerprint, "--subject", "vault <1>"]);
    assert!(titled.contains("Subject: vault &lt;1&gt;"), "{titled}");
    assert_eq!(
        errno(fs::metadata(daemon.at(&folder.to_uppercase().replace("KEYS", "keys")))),
        libc::ENOENT
    );

    // The passphrase: from standard input, two lines for two; never from the command line, and never without.
    let change = format!("key change-passphrase {fingerprint}");
    let both = with_input(
        &daemon,
        &format!("{change} --passphrase-file - --new-passphrase-file - --hint other"),
        &format!("{PASSPHRASE}\nbattery staple\n"),
    );
    assert!(both.status.success(), "{both:?}");
    assert_eq!(daemon.json(&format!("key show {fingerprint}"))["hint"], "other");
    for line in [
        "key create --hint x --passphrase secret-1",
        &format!("{change} --new-passphrase secret-1"),
    ] {
        let said = refused(&daemon, line);
        assert!(said.contains("command line") && !said.contains("secret-1"), "{said}");
    }
    assert_eq!(
        refused(&daemon, "key create --hint x"),
        "Error: no password input mechanism available\n"
    );
    assert_eq!(refused(&daemon, &change), "Error: unable to change passphrase - no tty\n");
    let short = String::from_utf8(
        with_input(&daemon, "key create --hint x --passphrase-file -", "abcd\n").stderr,
    );
    assert!(short.unwrap().contains("at least 5 bytes"));
    let open = home.join("open");
    fs::write(&open, PASSPHRASE).unwrap();
    let said =
        refused(&daemon, &format!("key create --hint x --passphrase-file {}", open.display()));
    assert!(said.contains("others can read"), "{said}");
    for line in [
        "create hint=x passphrase=secret-1 secret-2",
        "create hint=x hint=y --passphrase secret-1",
        "restore key='{\"secret-1\": 1}' passphrase=secret-2",
        "restore key='{\n\"secret-1\": 1}'",
    ] {
        assert_eq!(errno(daemon.echo(line, "keys/ctl")), libc::EINVAL, "{line}");
    }
    // What is cut off is refused at the close, which tells nobody here.
    let cut = format!("restore key='secret-1 {}", "x".repeat(5000));
    fs::write(daemon.at("keys/ctl"), cut).unwrap();
    let remembered = daemon.cat("keys/last-error");
    assert!(remembered.contains("half a command"), "{remembered}");
    assert!(remembered.contains("hidden") && !remembered.contains("secret-"), "{remembered}");

    // By force without the passphrase, by the superuser; the paper that was printed before still opens with its own.
    let new = passphrase_file(&home, "third time");
    silent(&daemon, &format!("{change} --force true --new-passphrase-file {new}"));

    // A key that is needed stays.
    daemon.ctl(&format!("pool create crypt --encrypt {fingerprint}"));
    assert_says(
        &refused(&daemon, &format!("key remove {fingerprint}")),
        &["pool 'crypt'", "--force"],
    );
    daemon.ctl("pool update crypt --delete encrypt");
    let stale = format!("key remove {fingerprint} --digest {}", "0".repeat(64));
    assert_says(&refused(&daemon, &stale), &["changed by another user"]);
    silent(&daemon, &format!("key remove {fingerprint}"));
    assert_says(&refused(&daemon, &format!("key remove {fingerprint}")), &["no such tape key"]);
    assert_says(&refused(&daemon, &format!("key show {fingerprint}")), &["no such tape key"]);
    assert_says(&refused(&daemon, "key show 0e:ab"), &["fingerprint", "32 hexadecimal pairs"]);

    // Back from paper, over the tree: by the name of a file.
    let (paper_file, passphrase) = (home.join("paper"), passphrase_file(&home, PASSPHRASE));
    write_private(&paper_file, paper.as_bytes());
    let line = format!("restore key-file={} passphrase-file={passphrase}", paper_file.display());
    daemon.echo(&line, "keys/ctl").unwrap();
    assert_eq!(errno(daemon.echo(&line, "keys/ctl")), libc::EEXIST);
    assert_eq!(daemon.json(&format!("key show {fingerprint}"))["hint"], "a vault");
    let damaged = paper.replace("\"data\": \"", "\"data\": \"AAAA");
    for bad in [damaged, format!("{BEGIN}\n{{"), "no key".into(), String::new()] {
        fs::write(&paper_file, bad).unwrap();
        let before = fs::read(config_file(&home)).unwrap();
        refused(
            &daemon,
            &format!(
                "key restore --key-file {} --passphrase-file {passphrase}",
                paper_file.display()
            ),
        );
        assert_eq!(fs::read(config_file(&home)).unwrap(), before);
    }
    assert_eq!(
        errno(daemon.echo(&format!("remove {SHORT}"), &format!("{folder}/ctl"))),
        libc::EPERM
    );
    daemon.echo(&format!("remove {fingerprint}"), &format!("{folder}/ctl")).unwrap();
    assert!(daemon.json("key list").as_array().unwrap().is_empty());
}

#[test]
fn a_key_on_the_command_line_does_not_stay_in_the_list_of_processes() {
    let home = Home::new();
    let daemon = home.start_with(&["--no-mount"]);
    let mut command = daemon.reelctl();
    command.args(["key", "restore", "--key", "{\"a\": \"key\"}", "--passphrase-file", "-"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // What it says of the key comes before it waits for the passphrase.
    let mut said = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut said).unwrap();
    let listed = fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    drop(child.stdin.take());
    assert!(!child.wait().unwrap().success());
    assert!(said.contains("others can see a key") && said.contains("--key-file"), "{said}");
    let listed = String::from_utf8_lossy(&listed);
    assert!(listed.contains("restore") && !listed.contains("{\"a\""), "{listed}");
}

const SHORT: &str = "0e:ab";

/// An emulated library with an encrypted backup on its first medium; the fingerprint of its key.
fn encrypted_backup(home: &Home, daemon: &Daemon<'_>) -> String {
    emulated::make(home, &shape(&[Maker::Ibm]), &[medium("EMU001L8")]);
    emulated::configure(home, daemon, 1);
    one_snapshot(home, daemon, 4);
    let fingerprint = create(home, daemon);
    daemon.ctl(&format!("pool create crypt --retention keep --encrypt {fingerprint}"));
    daemon.ctl("load-media EMU001L8");
    daemon.ctl("label --label-text EMU001L8 --pool crypt");
    daemon.ctl("backup store1 crypt");
    fingerprint
}

fn image_of(daemon: &Daemon<'_>) -> PathBuf {
    let set = only_set(daemon);
    daemon.at(&format!("media-sets/{set}/store1/{}/disk.img", SNAPSHOTS[0]))
}

#[test]
fn a_key_comes_back_from_the_tape_that_it_opens() {
    let home = Home::new();
    let daemon = home.start();
    let fingerprint = encrypted_backup(&home, &daemon);
    let keys = fs::read(keys_file(&home)).unwrap();
    daemon.ctl("pool update crypt --delete encrypt");
    let said = refused(&daemon, &format!("key remove {fingerprint}"));
    assert_says(&said, &["media set", "pool 'crypt'"]);
    silent(&daemon, &format!("key remove {fingerprint} --force true"));
    daemon.stop();
    forget_chunks(&home);

    let daemon = home.start();
    assert_eq!(errno(fs::read(image_of(&daemon))), libc::ENOKEY);
    let wrong = passphrase_file(&home, "not the one");
    let said = refused(&daemon, &format!("key restore --passphrase-file {wrong}"));
    assert_says(&said, &["wrong pass phrase", "a vault"]);
    assert_eq!(fs::read(keys_file(&home)).unwrap(), b"[]");
    let right = passphrase_file(&home, PASSPHRASE);
    let both = format!("key restore --drive drive0 --key-file {right} --passphrase-file {right}");
    assert_says(&refused(&daemon, &both), &["only one of"]);
    // Without an option it is the only drive; once more is no error.
    silent(&daemon, &format!("key restore --passphrase-file {right}"));
    silent(&daemon, &format!("key restore --drive drive0 --passphrase-file {right}"));
    assert_eq!(fs::read(keys_file(&home)).unwrap(), keys);
    assert_eq!(sha256_of(&image_of(&daemon)).unwrap(), sha256_of(&home.join("disk.img")).unwrap());
    daemon.ctl("unload");
    let said = refused(&daemon, &format!("key restore --passphrase-file {right}"));
    assert!(said.contains("medium") || said.contains("empty"), "{said}");
}

/// The key of the file of keys, raw.
fn raw_key(home: &Home) -> (String, Vec<u8>) {
    let keys: Value = serde_json::from_slice(&fs::read(keys_file(home)).unwrap()).unwrap();
    let hex = keys[0]["key"].as_str().unwrap().to_owned();
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let raw = (0..64).step_by(2).map(byte).collect();
    (hex, raw)
}

/// What the drive has for a media set (`tape-format.md` §12).
fn drive_key(raw: &[u8], set: &str) -> Vec<u8> {
    let salt = openssl::bn::BigNum::from_hex_str(&set.replace('-', "")).unwrap().to_vec_padded(16);
    let mut key = vec![0; 32];
    let digest = openssl::hash::MessageDigest::sha256();
    openssl::pkcs5::pbkdf2_hmac(raw, &salt.unwrap(), 10, digest, &mut key).unwrap();
    key
}

/// All that a process has in memory, piece by piece; an error where the system doesn't let us look.
fn memory_of(pid: u32, mut look: impl FnMut(&str, &[u8])) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let memory = fs::File::open(format!("/proc/{pid}/mem"))?;
    for line in fs::read_to_string(format!("/proc/{pid}/maps"))?.lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        if !rest.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let from = u64::from_str_radix(from, 16).unwrap();
        let to = u64::from_str_radix(to, 16).unwrap();
        let mut piece = vec![0; usize::try_from(to - from).unwrap()];
        // Some ranges are the kernel's own.
        if memory.read_exact_at(&mut piece, from).is_ok() {
            look(line, &piece);
        }
    }
    Ok(())
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    place_of(bytes, needle).is_some()
}

fn place_of(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, mut from) = (*needle.first()?, 0);
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

fn files_below(folder: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            files_below(&path, look);
        } else if path.is_file() {
            look(&path, &fs::read(&path).unwrap());
        }
    }
}

#[test]
fn once_the_medium_is_unloaded_no_key_is_left_anywhere() {
    let home = Home::new();
    let daemon = home.start();
    let fingerprint = encrypted_backup(&home, &daemon);
    sha256_of(&image_of(&daemon)).unwrap();
    let right = passphrase_file(&home, PASSPHRASE);
    silent(&daemon, &format!("key restore --passphrase-file {right}"));
    let new = passphrase_file(&home, "battery staple");
    silent(
        &daemon,
        &format!(
            "key change-passphrase {fingerprint} --passphrase-file {right} --new-passphrase-file {new}"
        ),
    );
    let (hex, raw) = raw_key(&home);
    let of_set = drive_key(&raw, &only_set(&daemon));
    let needles = [
        ("the key", raw.as_slice()),
        ("the key in hex", hex.as_bytes()),
        ("the key of the media set", of_set.as_slice()),
        ("a passphrase", PASSPHRASE.as_bytes()),
        ("a passphrase", b"battery staple"),
    ];
    daemon.ctl("unload");

    // What is there for sure, so that a look which sees nothing is noticed.
    let control = home.join("library").display().to_string();
    let (mut looked, mut sees) = (0, false);
    let mut found = Vec::new();
    let seen = memory_of(daemon.pid(), |place, bytes| {
        looked += bytes.len();
        sees |= holds(bytes, control.as_bytes());
        for (what, needle) in needles {
            if holds(bytes, needle) {
                found.push(format!("{what} in {place}"));
            }
        }
    });
    match seen {
        Ok(()) => assert!(sees, "{looked} bytes of memory, without {control}"),
        // Whoever may not look, such as another user under Yama, has proved nothing; root always may.
        Err(error) if geteuid().is_root() => panic!("look into the daemon's memory: {error}"),
        Err(error) => eprintln!("SKIPPED: nobody looked into the daemon's memory: {error}"),
    }
    assert!(found.is_empty(), "in the daemon's memory: {found:#?}");

    let mut look = |path: &Path, bytes: &[u8]| {
        let is_key_file =
            path == keys_file(&home) || path.to_string_lossy().contains("passphrase-");
        for (what, needle) in needles {
            assert!(is_key_file || !holds(bytes, needle), "{what} in {}", path.display());
        }
    };
    for folder in ["etc", "state", "cache", "log", "run", "library"] {
        files_below(&home.join(folder), &mut look);
    }
    look(Path::new("reeld.log"), home.daemon_log().as_bytes());
    for name in ["keys", "pools", "drives", "media", "tasks"] {
        files_below(&daemon.at(name), &mut |path, bytes| {
            if path.file_name().is_some_and(|name| name != "wait") {
                look(path, bytes);
            }
        });
    }
    let arguments = fs::read(format!("/proc/{}/cmdline", daemon.pid())).unwrap();
    look(Path::new("cmdline"), &arguments);
}

/// What is listed, and whether the key opens what is on tape.
fn state_of(home: &Home) -> (Vec<u8>, Vec<u8>) {
    let read = |path: PathBuf| fs::read(path).unwrap_or_default();
    (read(keys_file(home)), read(config_file(home)))
}

#[test]
fn a_daemon_that_dies_while_it_changes_a_key() {
    for point in reel_config::COMMIT_POINTS {
        let home = Home::new();
        let daemon = home.start_with(&["--no-mount", "--crash-at", point]);
        let right = passphrase_file(&home, PASSPHRASE);
        let create = format!("key create --hint vault --kdf pbkdf2 --passphrase-file {right}");
        assert_ne!(say(&daemon, &create).code, Some(0), "{point}");
        daemon.wait_for_death();

        // A key without its wrapped copy is no key yet; the next one comes beside it.
        let daemon = home.start_with(&["--no-mount"]);
        let listed = daemon.json("key list").as_array().unwrap().len();
        assert_eq!(listed, usize::from(point == reel_config::COMMIT_POINTS[1]), "{point}");
        let fingerprint: String = serde_json::from_str(&daemon.ctl(&create)).unwrap();
        assert_eq!(daemon.json("key list").as_array().unwrap().len(), listed + 1);
        let paper = daemon.ctl(&format!("key paperkey {fingerprint} --output-format text"));
        write_private(&home.join("paper"), paper.as_bytes());
        daemon.stop();

        // Removing: what is half gone goes with the same command, or comes back from paper.
        let whole = state_of(&home);
        let remove = format!("key remove {fingerprint}");
        let restore = format!(
            "key restore --key-file {} --passphrase-file {right}",
            home.join("paper").display()
        );
        let daemon = home.start_with(&["--no-mount", "--crash-at", point]);
        assert_ne!(say(&daemon, &remove).code, Some(0), "{point}");
        daemon.wait_for_death();
        let daemon = home.start_with(&["--no-mount"]);
        let half_gone = say(&daemon, &format!("key show {fingerprint}")).code == Some(0);
        assert_eq!(half_gone, point == reel_config::COMMIT_POINTS[0], "{point}");
        if half_gone {
            silent(&daemon, &remove);
        }
        silent(&daemon, &restore);
        assert_eq!(sorted_json(&state_of(&home).0), sorted_json(&whole.0), "{point}");
        daemon.stop();

        // A changed passphrase is the former or the new one.
        let new = passphrase_file(&home, "battery staple");
        let change = |from: &str, to: &str| {
            format!(
                "key change-passphrase {fingerprint} --kdf pbkdf2 --passphrase-file {from} --new-passphrase-file {to}"
            )
        };
        let daemon = home.start_with(&["--no-mount", "--crash-at", reel_config::COMMIT_POINTS[1]]);
        assert_ne!(say(&daemon, &change(&right, &new)).code, Some(0), "{point}");
        daemon.wait_for_death();
        let daemon = home.start_with(&["--no-mount"]);
        silent(&daemon, &change(&new, &right));
        assert_eq!(sorted_json(&state_of(&home).0), sorted_json(&whole.0), "{point}");
    }
}

fn sorted_json(text: &[u8]) -> Vec<Value> {
    sorted(serde_json::from_slice(text).unwrap())
}

/// As with the folders of a PBS: root's key file, and a daemon that isn't root.
#[test]
fn a_daemon_that_may_not_read_roots_keys_is_handed_a_copy() {
    let user = User::from_name("backup").unwrap().filter(|_| geteuid().is_root());
    let Some(user) = user else {
        eprintln!("skipped: takes root and a user 'backup'");
        return;
    };
    let mut home = Home::new();
    emulated::make(&home, &shape(&[Maker::Ibm]), &[medium("EMU001L8")]);
    tape_key::put(&home.join("etc"));
    home.give_to(user.uid.as_raw());
    let own = |path: &Path| chown(path, Some(user.uid.as_raw()), None).unwrap();
    own(&home.join("etc"));
    files_and_folders(&home.join("library"), &mut |path| own(path));
    let credential = home.join("credential");
    fs::copy(keys_file(&home), &credential).unwrap();
    fs::set_permissions(&credential, fs::Permissions::from_mode(0o400)).unwrap();
    own(&credential);

    let daemon = home.start_with(&["--no-mount"]);
    emulated::configure(&home, &daemon, 1);
    one_snapshot(&home, &daemon, 2);
    daemon.ctl(&format!("pool create crypt --encrypt {}", tape_key::FINGERPRINT));
    daemon.ctl("load-media EMU001L8");
    daemon.ctl("label --label-text EMU001L8 --pool crypt");
    let said = daemon.ctl_fails("backup store1 crypt");
    assert_says(&said, &["Permission denied", "tape-encryption-keys.json", "docs/encryption.md"]);
    // Whoever can't read the keys doesn't write them either.
    let before = state_of(&home);
    let right = passphrase_file(&home, PASSPHRASE);
    own(Path::new(&right));
    for line in [
        format!("key create --hint x --passphrase-file {right}"),
        format!("key remove {} --force true", tape_key::FINGERPRINT),
    ] {
        assert_says(&refused(&daemon, &line), &["Permission denied"]);
    }
    assert!(state_of(&home) == before);
    daemon.stop();

    let copy = credential.display().to_string();
    let daemon = home.start_with(&["--no-mount", "--tape-keys", &copy]);
    let log = daemon.ctl("backup store1 crypt");
    assert!(log.contains("end backup store1"), "{log}");
    let remove = format!("key remove {} --force true", tape_key::FINGERPRINT);
    assert_says(&refused(&daemon, &remove), &["Permission denied"]);
    assert!(state_of(&home) == before);
}

fn files_and_folders(folder: &Path, each: &mut impl FnMut(&Path)) {
    each(folder);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_and_folders(&path, each);
        } else {
            each(&path);
        }
    }
}
