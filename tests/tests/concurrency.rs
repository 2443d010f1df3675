//! Many at once: readers that wait for a tape keep nobody else waiting, can be killed, and don't disturb each other.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what fails ends the test")]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reel_tests::scene::{SNAPSHOTS, forget_chunks, hold_drive, library, one_snapshot, only_set};
use reel_tests::{Daemon, Home, run, sha256_of};

const MIB: u64 = 1 << 20;
const IMAGE_BYTES: u64 = 48 * MIB;
const SNAPSHOT: &str = SNAPSHOTS[0];

/// A datastore whose one image is on a tape, too.
fn prepare(daemon: &Daemon<'_>, home: &Home) -> String {
    one_snapshot(home, daemon, (IMAGE_BYTES / MIB) as usize);
    library(home, daemon, "1GiB", &["MANY01L8"]);
    daemon.backup("store1", "backup daily");
    only_set(daemon)
}

/// A `dd` of one MiB of the image into a file of its own.
fn read_piece(image: &Path, home: &Home, number: u64) -> Child {
    let output = home.join(&format!("piece-{number}"));
    Command::new("dd")
        .arg(format!("if={}", image.display()))
        .arg(format!("of={}", output.display()))
        .args(["bs=1M", "count=1", &format!("skip={}", number % (IMAGE_BYTES / MIB))])
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn waiting_readers_keep_nobody_waiting_and_are_all_served() {
    let home = Home::new();
    let set = prepare(&home.start(), &home);
    forget_chunks(&home);
    let daemon = home.start();
    let image = daemon.at(&format!("media-sets/{set}/store1/{SNAPSHOT}/disk.img"));
    let held = hold_drive(&home);

    let first = read_piece(&image, &home, 0);
    for round in 0..334 {
        assert_eq!(fs::metadata(&image).unwrap().len(), IMAGE_BYTES, "round {round}");
        assert!(daemon.cat(&format!("media-sets/{set}/status")).contains("pool: daily\n"));
        assert_eq!(daemon.ls("media"), ["MANY01L8", "ctl", "last-error", "last-task"]);
    }
    let mut readers = vec![(0, first)];
    readers.extend((1..=64).map(|number| (number, read_piece(&image, &home, number))));
    for (number, reader) in &mut readers {
        assert!(reader.try_wait().unwrap().is_none(), "reader {number} has nothing to read yet");
    }
    assert_eq!(daemon.ls("datastores"), ["ctl", "last-error", "last-task", "store1"]);

    for (_, reader) in &mut readers[1..3] {
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            let pid = Pid::from_raw(i32::try_from(reader.id()).unwrap());
            kill(pid, signal).unwrap();
        }
        assert!(reader.wait().unwrap().signal().is_some(), "it ended while the drive is held");
    }
    drop(held);
    let source = fs::read(home.join("disk.img")).unwrap();
    for (number, mut reader) in readers.into_iter().filter(|(number, _)| ![1, 2].contains(number)) {
        assert!(reader.wait().unwrap().success(), "reader {number}");
        let start = (number % (IMAGE_BYTES / MIB) * MIB) as usize;
        let piece = fs::read(home.join(&format!("piece-{number}"))).unwrap();
        assert!(piece == source[start..start + MIB as usize], "reader {number}");
    }
}

#[test]
fn copies_beside_each_other_are_right_and_one_survives_the_death_of_the_other() {
    let home = Home::new();
    let set = prepare(&home.start(), &home);
    forget_chunks(&home);
    let daemon = home.start();
    let image = daemon.at(&format!("media-sets/{set}/store1/{SNAPSHOT}/disk.img"));
    let copy = |name: &str| Command::new("cp").arg(&image).arg(home.join(name)).spawn().unwrap();
    let (mut one, mut two, mut killed) = (copy("one"), copy("two"), copy("killed"));
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(one.wait().unwrap().success());
    assert!(two.wait().unwrap().success());
    let source = sha256_of(&home.join("disk.img")).unwrap();
    assert_eq!(sha256_of(&home.join("one")).unwrap(), source);
    assert_eq!(sha256_of(&home.join("two")).unwrap(), source);
}

#[test]
fn a_piece_of_an_image_reads_about_that_much_from_tape() {
    let home = Home::new();
    let set = prepare(&home.start(), &home);
    forget_chunks(&home);
    let daemon = home.start();
    let image = daemon.at(&format!("media-sets/{set}/store1/{SNAPSHOT}/disk.img"));
    let plan = daemon.json(&format!("media-set plan {set}"));
    let announced = plan[0]["bytes"].as_u64().unwrap();
    assert!((IMAGE_BYTES..IMAGE_BYTES + 2 * MIB).contains(&announced), "{plan}");
    let a_chunk = announced / plan[0]["chunks"].as_u64().unwrap();

    let before = daemon.bytes_read();
    let piece = format!("if={}", image.display());
    run(Command::new("dd").arg(piece).arg("of=/dev/null").args(["bs=4M", "count=1", "skip=6"]));
    let read = daemon.bytes_read() - before;
    assert!(read >= 4 * MIB, "it was not on disk: {read}");
    assert!(
        read <= 2 * a_chunk + 4 * MIB,
        "labels, requests and a chunk ahead at most: {read} of {announced}"
    );
}
