//! Kills and stops that come while something is being written or read.

use std::fs;
use std::io::Read;
use std::process::{Child, Stdio};

use reel_tape::media_catalog::{CatalogExpectation, CatalogReader, CatalogRecord};
use reel_tests::scene::{SNAPSHOTS, fill, library, only_set, stores_agree};
use reel_tests::{Daemon, Home};

use super::judge;

const LABELS: [&str; 5] = ["T1", "T2", "T3", "T4", "T5"];

/// Starts `reelctl` with the words of `line`, and waits until it has said `word` so often.
fn run_until_said(daemon: &Daemon<'_>, line: &str, word: &str, times: usize) -> Child {
    let mut command = daemon.reelctl();
    command.args(line.split_whitespace()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("reelctl starts");
    let mut output = child.stdout.take().expect("its output");
    let (mut said, mut buffer) = (Vec::new(), [0; 256]);
    while String::from_utf8_lossy(&said).matches(word).count() < times {
        let length = output.read(&mut buffer).expect("read what reelctl says");
        assert!(length > 0, "never said '{word}': {}", String::from_utf8_lossy(&said));
        said.extend_from_slice(&buffer[..length]);
    }
    child.stdout = Some(output);
    child
}

/// Kills the daemon when `line` has said `word` in its log.
fn kill_when_said(home: &Home, line: &str, word: &str) {
    let daemon = home.start();
    let mut child = run_until_said(&daemon, line, word, 1);
    daemon.kill();
    child.wait().expect("reelctl ends");
}

#[test]
fn a_daemon_killed_in_the_middle_goes_on_at_the_next_start() {
    let home = Home::new();
    let daemon = home.start();
    fill(&home, &daemon, "store1", 60);
    library(&home, &daemon, "64MiB", &LABELS);
    daemon.ctl(&format!("datastore create store2 {}", home.join("store2").display()));
    daemon.stop();

    kill_when_said(&home, "backup store1 daily", "writing new media set label");
    let daemon = home.start();
    judge::nothing_is_claimed_that_is_not_on_tape(&home);
    daemon.ctl("backup store1 daily");
    let set = only_set(&daemon);
    daemon.stop();

    kill_when_said(&home, &format!("restore {set} store2"), "File 2: chunk archive");
    let daemon = home.start();
    judge::nothing_but_unfinished_work_is_wrong(&home.join("store2"));
    // By the catalogs: a restore of everything also reads the archive that the first crash left, and minds it.
    let snapshots = SNAPSHOTS.map(|snapshot| format!("store1:{snapshot}")).join(" ");
    daemon.ctl(&format!("restore {set} store2 {snapshots}"));
    stores_agree(&daemon, "store1", "store2");
    judge::nothing_but_a_cut_archive_is_wrong(&home, &set);
    judge::nothing_is_left_over(&home);

    killed_under_a_reader(&home, daemon, &set);
}

/// A reader of the mount gets an error, not an end; the next mount gives the whole file.
fn killed_under_a_reader(home: &Home, daemon: Daemon<'_>, set: &str) {
    let path = format!("media-sets/{set}/store1/{}/disk.img", SNAPSHOTS[0]);
    let mut file = fs::File::open(daemon.at(&path)).expect("open the image");
    let mut first = vec![0; 1 << 20];
    file.read_exact(&mut first).expect("its first MiB");
    daemon.kill();
    let mut rest = Vec::new();
    let error = file.read_to_end(&mut rest).expect_err("the daemon is gone");
    assert_eq!(error.raw_os_error(), Some(nix::libc::ENOTCONN), "{error}");
    drop(file);
    let daemon = home.start();
    let image = fs::read(daemon.at(&path)).expect("read the image");
    assert_eq!(image.len(), 60 << 20);
    assert!(image.starts_with(&first));
}

/// How many chunks the catalogs of all media name, and how many of them differ.
fn chunks_in_catalogs(home: &Home) -> (usize, usize) {
    let mut digests = Vec::new();
    for entry in fs::read_dir(home.join("state/tape")).expect("the state folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let file = std::io::BufReader::new(fs::File::open(&path).expect("a catalog"));
            let any = CatalogExpectation::default();
            let mut catalog = CatalogReader::new(file, any).expect("a catalog");
            while let Some(record) = catalog.next_record().expect("a record") {
                if let CatalogRecord::Chunk(digest) = record {
                    digests.push(digest);
                }
            }
        }
    }
    let all = digests.len();
    digests.sort();
    digests.dedup();
    (all, digests.len())
}

/// Two snapshots of an image of 25 chunks, and a small file that is no chunk.
const CHUNKS: usize = 50;

#[test]
fn a_backup_that_is_stopped_keeps_its_chunks_and_goes_on_at_the_next_start() {
    let home = Home::new();
    let daemon = home.start();
    fill(&home, &daemon, "store1", 100);
    library(&home, &daemon, "64MiB", &LABELS);

    // On the second medium the first chunk is on its way: a stop is looked for behind it.
    let mut follower = run_until_said(&daemon, "backup store1 daily", "arrived at end of media", 2);
    let stopped = daemon.stopped();
    assert!(stopped.success(), "{stopped}\n{}", home.daemon_log());
    follower.wait().expect("reelctl ends");
    judge::state_agrees_with_tapes(&home);
    judge::nothing_is_held(&home);
    let (before, _) = chunks_in_catalogs(&home);
    assert!((16..CHUNKS / 2).contains(&before), "{before} chunks");

    let daemon = home.start();
    let tasks = daemon.json("task list --all true");
    assert_eq!(tasks[0]["status"], "abort requested - aborting task", "{tasks}");
    let log = daemon.ctl("backup store1 daily");
    assert!(log.contains(&format!("wrote {} chunks", CHUNKS / 2 - before)), "{log}");
    assert_eq!(chunks_in_catalogs(&home), (CHUNKS, CHUNKS));
    let set = only_set(&daemon);
    judge::state_agrees_with_tapes(&home);
    judge::set_is_complete(&home, &set);
    judge::set_agrees_with_datastore(&daemon, &set, "store1");
}
