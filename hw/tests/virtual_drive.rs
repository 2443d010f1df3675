//! The `virtual:` drive as a directory: its files, limits, lock, damage, and what a crash leaves.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::Duration;

use reel_hw::conformance::{block, record};
use reel_hw::{
    BlockNumber, Cancel, Capacity, Changer, DriveNumber, ElementContent, EncryptionKey, Error,
    FileNumber, ReadOutcome, SlotNumber, TAPE_BLOCK_SIZE, TapeDrive, VirtualDrive, VirtualLibrary,
    VirtualOptions, VolumeTag, WriteOutcome, move_to_append_position,
};
use tempfile::TempDir;

const DRIVE: DriveNumber = DriveNumber(0);

fn tag(text: &str) -> VolumeTag {
    VolumeTag::new(text).unwrap()
}

fn slot(number: u32) -> SlotNumber {
    SlotNumber::new(number).unwrap()
}

fn options(directory: &Path) -> VirtualOptions {
    VirtualOptions { lock_timeout: Duration::ZERO, ..VirtualOptions::new(directory) }
}

fn open(directory: &Path) -> VirtualDrive {
    VirtualDrive::open(&options(directory), &Cancel::new()).unwrap()
}

fn open_error(directory: &Path) -> Error {
    VirtualDrive::open(&options(directory), &Cancel::new()).unwrap_err()
}

/// A directory with the tape A loaded and these files recorded and synced.
fn tape_with(files: &[&[u8]]) -> (TempDir, VirtualDrive) {
    let directory = tempfile::tempdir().unwrap();
    let mut drive = open(directory.path());
    drive.create_media(&tag("A")).unwrap();
    drive.load_media(&tag("A"), DRIVE).unwrap();
    record(&mut drive, files).unwrap();
    drive.sync().unwrap();
    (directory, drive)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn text(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join(name)).unwrap()
}

/// What another process, or the next start after `kill -9`, would find.
fn copy_of(directory: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in names(directory) {
        fs::copy(directory.join(&name), copy.path().join(&name)).unwrap();
    }
    copy
}

/// All objects from the beginning, a block as its first byte, a filemark as `|`.
fn objects(drive: &mut VirtualDrive) -> String {
    drive.rewind().unwrap();
    let mut buffer = block(0);
    let mut found = String::new();
    loop {
        match drive.read_block(&mut buffer).unwrap() {
            ReadOutcome::Block(_) => found.push(char::from(buffer[0])),
            ReadOutcome::Filemark => found.push('|'),
            ReadOutcome::EndOfData => return found,
        }
    }
}

#[test]
fn the_directory_is_laid_out_as_pbs_does() {
    let (directory, drive) = tape_with(&[b"a", b"bc", b""]);
    drop(drive);
    let directory = directory.path();
    let expected = [
        ".drive.lck",
        "drive-status.json",
        "tape-A.json",
        "tapefile-0-A.json",
        "tapefile-1-A.json",
        "tapefile-2-A.json",
    ];
    assert_eq!(names(directory), expected);
    assert_eq!(text(directory, "tape-A.json"), "{\n  \"files\": 3\n}");
    assert_eq!(
        text(directory, "drive-status.json"),
        "{\n  \"current_tape\": {\n    \"name\": \"A\",\n    \"pos\": 3\n  }\n}"
    );
    assert_eq!(fs::read(directory.join("tapefile-0-A.json")).unwrap(), block(b'a'));
    assert_eq!(
        fs::read(directory.join("tapefile-1-A.json")).unwrap(),
        [block(b'b'), block(b'c')].concat()
    );
    assert_eq!(text(directory, "tapefile-2-A.json"), "");
}

#[test]
fn the_stored_position_never_lies_inside_a_file() {
    let (directory, mut drive) = tape_with(&[b"ab", b"c"]);
    drive.rewind().unwrap();
    drive.read_block(&mut block(0)).unwrap();
    drop(drive);
    assert!(text(directory.path(), "drive-status.json").contains("\"pos\": 1"));
    let mut drive = open(directory.path());
    assert_eq!(drive.position().unwrap().file, FileNumber(1));
    drive.space_to_end_of_data().unwrap();
    drive.write_block(&block(b'd')).unwrap();
    drop(drive);
    assert!(text(directory.path(), "drive-status.json").contains("\"pos\": 2"));
}

#[test]
fn a_position_beyond_the_tape_is_its_end() {
    let (directory, drive) = tape_with(&[b"a"]);
    drop(drive);
    let status = "{\"current_tape\": {\"name\": \"A\", \"pos\": 99}}";
    fs::write(directory.path().join("drive-status.json"), status).unwrap();
    assert_eq!(open(directory.path()).position().unwrap().file, FileNumber(1));
}

/// Outcomes of writing blocks to one file until the end, `W` for an early warning.
fn write_to_the_end(max_size: u64, files_before: &[&[u8]]) -> String {
    let (directory, drive) = tape_with(files_before);
    drop(drive);
    let mut options = options(directory.path());
    options.max_size = Capacity(max_size);
    let mut drive = VirtualDrive::open(&options, &Cancel::new()).unwrap();
    let mut outcomes = String::new();
    loop {
        match drive.write_block(&block(b'x')) {
            Ok(WriteOutcome::Ok) => outcomes.push('.'),
            Ok(WriteOutcome::EarlyWarning) => outcomes.push('W'),
            Err(Error::EndOfMedium) => return outcomes,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn golden_limits() {
    assert_eq!(write_to_the_end(67_108_864, &[]), format!("{}WW", ".".repeat(256)));
    assert_eq!(write_to_the_end(0, &[]), "..WW");
    let block = TAPE_BLOCK_SIZE as u64;
    assert_eq!(write_to_the_end(8 * block - 1, &[b"abc"]), "....WW");
    assert_eq!(write_to_the_end(4 * block, &[b"abc"]), "..WW");
    assert_eq!(write_to_the_end(4 * block, &[b"abcdef"]), "..WW");
}

#[test]
fn the_limit_counts_blocks_of_a_file_that_is_written_on() {
    let (directory, mut drive) = tape_with(&[]);
    drive.write_block(&block(b'a')).unwrap();
    drop(drive);
    let mut options = options(directory.path());
    options.max_size = Capacity(0);
    let mut drive = VirtualDrive::open(&options, &Cancel::new()).unwrap();
    drive.space_to_end_of_data().unwrap();
    let mut write = || drive.write_block(&block(b'b'));
    assert_eq!(write().unwrap(), WriteOutcome::Ok);
    assert_eq!(write().unwrap(), WriteOutcome::EarlyWarning);
}

#[test]
fn only_whole_tape_blocks_are_written() {
    let (_directory, mut drive) = tape_with(&[b"a"]);
    let error = drive.write_block(&[0; 512]).unwrap_err();
    assert!(matches!(error, Error::WrongBlockSize { found: 512, .. }), "{error}");
    drive.rewind().unwrap();
    let error = drive.read_block(&mut [0; 512]).unwrap_err();
    assert!(matches!(error, Error::WrongBlockSize { expected: 512, .. }), "{error}");
    assert_eq!(drive.position().unwrap().block_in_file, Some(1));
}

#[test]
fn a_second_handle_is_told_which_lock_it_waits_for() {
    let (directory, drive) = tape_with(&[]);
    let error = open_error(directory.path());
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    assert!(error.to_string().contains(".drive.lck is locked"), "{error}");

    let cancel = Cancel::new();
    cancel.cancel();
    let waiting = VirtualOptions::new(directory.path());
    let error = VirtualDrive::open(&waiting, &cancel).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");

    let mut library = VirtualLibrary::new(options(directory.path()), Cancel::new());
    assert!(library.status().unwrap().drive_of(&tag("A")).is_some(), "status needs no lock");
    assert!(matches!(Changer::unload(&mut library, DRIVE, None), Err(Error::Busy { .. })));
    drop(drive);
    assert_eq!(Changer::unload(&mut library, DRIVE, None).unwrap(), slot(1));
}

#[test]
fn a_missing_directory_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let error = open_error(&directory.path().join("nowhere"));
    assert!(error.to_string().contains("nowhere: No such file or directory"), "{error}");
    fs::write(directory.path().join("file"), "").unwrap();
    let error = open_error(&directory.path().join("file"));
    assert!(error.to_string().contains("open directory of virtual drive"), "{error}");
}

#[test]
fn tapes_have_slots_in_the_order_of_their_labels() {
    let directory = tempfile::tempdir().unwrap();
    let mut drive = open(directory.path());
    for label in ["B", "A", "CLN1"] {
        drive.create_media(&tag(label)).unwrap();
    }
    assert!(matches!(drive.create_media(&tag("A")), Err(Error::MediumExists(_))));
    let status = Changer::status(&mut drive).unwrap();
    assert_eq!(status.slots.len(), 8);
    assert_eq!(status.slot_of(&tag("B")).unwrap().number, slot(2));
    assert_eq!(drive.online_media().unwrap(), [tag("A"), tag("B")]);

    drive.load_slot(slot(2), DRIVE).unwrap();
    let status = Changer::status(&mut drive).unwrap();
    let element = status.drive(DRIVE).unwrap();
    assert_eq!(element.content, ElementContent::VolumeTag(tag("B")));
    assert_eq!(element.loaded_slot, Some(slot(2)));
    assert!(status.slot(slot(2)).unwrap().content.is_empty());
    assert_eq!(drive.online_media().unwrap(), [tag("A"), tag("B")]);

    assert!(matches!(drive.load_slot(slot(1), DRIVE), Err(Error::DriveFull { .. })));
    drive.load_media(&tag("A"), DRIVE).unwrap();
    assert_eq!(drive.loaded_label(), Some(&tag("A")));
    assert!(matches!(drive.load_media(&tag("CLN1"), DRIVE), Err(Error::CleaningCartridge(_))));
    assert!(matches!(drive.load_media(&tag("Z"), DRIVE), Err(Error::MediumNotFound(_))));
    assert_eq!(drive.loaded_label(), Some(&tag("A")), "a failed load changes nothing");
    assert_eq!(Changer::unload(&mut drive, DRIVE, Some(slot(7))).unwrap(), slot(1));
    assert!(matches!(Changer::unload(&mut drive, DRIVE, None), Err(Error::DriveEmpty(_))));
    assert!(matches!(drive.load_slot(slot(8), DRIVE), Err(Error::SlotEmpty(_))));
    assert!(matches!(drive.load_slot(slot(9), DRIVE), Err(Error::NoSuchSlot { .. })));
    assert!(matches!(drive.transfer(slot(1), slot(2)), Err(Error::Unsupported { .. })));
    assert!(matches!(drive.export(&tag("A"), DRIVE), Err(Error::NoFreeExportSlot)));
    assert!(text(directory.path(), "drive-status.json").contains("null"));
}

#[test]
fn keys_are_refused_and_clearing_is_silent() {
    let (_directory, mut drive) = tape_with(&[]);
    assert!(!drive.can_encrypt().unwrap());
    drive.set_encryption_key(None).unwrap();
    let error = drive.set_encryption_key(Some(&EncryptionKey::new(&[1; 32]))).unwrap_err();
    assert_eq!(error.to_string(), "encryption is not supported by virtual drives");
    assert!(!drive.encryption_active().unwrap());
}

#[test]
fn statistics_follow_the_files() {
    let (_directory, mut drive) = tape_with(&[b"ab", b"c"]);
    let statistics = drive.statistics().unwrap();
    let bytes = Some(Capacity(3 * TAPE_BLOCK_SIZE as u64));
    assert_eq!(statistics.total_used_native_capacity, bytes);
    assert_eq!(statistics.last_mount_bytes_written, bytes);
    assert_eq!(statistics.last_mount_bytes_read, Some(Capacity(0)));
    assert_eq!(statistics.total_native_capacity, Some(Capacity(67_108_864)));
}

#[test]
fn foreign_files_are_left_alone() {
    let (directory, drive) = tape_with(&[b"a"]);
    drop(drive);
    let foreign = ["notes.txt", "tapefile-x-A.json", "tapefile-0-B.json", "tape-no good.json"];
    for name in foreign {
        fs::write(directory.path().join(name), "mine").unwrap();
    }
    fs::create_dir(directory.path().join("vault")).unwrap();
    let mut drive = open(directory.path());
    assert_eq!(drive.online_media().unwrap(), [tag("A")]);
    drive.format_medium(false).unwrap();
    record(&mut drive, &[b"b"]).unwrap();
    assert_eq!(objects(&mut drive), "b|");
    drop(drive);
    for name in foreign {
        assert_eq!(text(directory.path(), name), "mine");
    }
}

#[test]
fn broken_json_names_its_file() {
    let (directory, drive) = tape_with(&[b"a"]);
    drop(drive);
    let path = directory.path();
    let status = text(path, "drive-status.json");
    for garbage in
        ["", "{", "{\"current_tape\": 7}", "{\"current_tape\": {\"name\": \"../x\", \"pos\": 0}}"]
    {
        fs::write(path.join("drive-status.json"), garbage).unwrap();
        let error = open_error(path);
        assert!(error.to_string().contains("drive-status.json is damaged"), "{error}");
    }
    fs::write(path.join("drive-status.json"), status).unwrap();
    for garbage in ["nonsense", "{\"files\": 18446744073709551615}"] {
        fs::write(path.join("tape-A.json"), garbage).unwrap();
        let error = open_error(path);
        assert!(error.to_string().contains("tape-A.json is damaged"), "{error}");
    }
}

#[test]
fn a_lost_index_is_not_an_empty_tape() {
    let (directory, mut drive) = tape_with(&[b"a", b"b"]);
    TapeDrive::unload(&mut drive).unwrap();
    fs::write(directory.path().join("tape-A.json"), "").unwrap();
    let error = drive.load_media(&tag("A"), DRIVE).unwrap_err();
    assert!(error.to_string().contains("is empty, but 2 of its data files are there"), "{error}");
    fs::remove_file(directory.path().join("tape-A.json")).unwrap();
    let error = drive.create_media(&tag("A")).unwrap_err();
    assert!(error.to_string().contains("is missing, but 2 of its data files are there"), "{error}");
    assert!(directory.path().join("tapefile-0-A.json").exists());
    fs::write(directory.path().join("tape-A.json"), "{\"files\": 2}").unwrap();
    drive.load_media(&tag("A"), DRIVE).unwrap();
    assert_eq!(objects(&mut drive), "a|b|");
}

#[test]
fn a_tape_whose_files_were_taken_away_is_not_in_the_drive() {
    let (directory, drive) = tape_with(&[b"a"]);
    drop(drive);
    fs::remove_file(directory.path().join("tape-A.json")).unwrap();
    assert!(!open(directory.path()).medium_loaded().unwrap());
}

#[test]
fn damage_is_an_error_where_it_is_and_nowhere_else() {
    let (directory, drive) = tape_with(&[b"ab", b"c", b"d"]);
    drop(drive);
    let path = directory.path();
    let cut = fs::OpenOptions::new().write(true).open(path.join("tapefile-0-A.json")).unwrap();
    cut.set_len(TAPE_BLOCK_SIZE as u64 + 100).unwrap();
    fs::remove_file(path.join("tapefile-1-A.json")).unwrap();

    let mut drive = open(path);
    drive.rewind().unwrap();
    let mut buffer = block(0);
    drive.read_block(&mut buffer).unwrap();
    let error = drive.read_block(&mut buffer).unwrap_err();
    assert!(
        error.to_string().contains("tapefile-0-A.json is damaged: it was cut short"),
        "{error}"
    );
    assert_eq!(drive.read_block(&mut buffer).unwrap(), ReadOutcome::Filemark);
    let error = drive.read_block(&mut buffer).unwrap_err();
    assert!(error.to_string().contains("tapefile-1-A.json is damaged"), "{error}");
    assert!(error.to_string().contains("missing"), "{error}");
    drive.locate_file(FileNumber(2)).unwrap();
    assert_eq!(drive.read_block(&mut buffer).unwrap(), ReadOutcome::Block(TAPE_BLOCK_SIZE));
    assert_eq!(buffer[0], b'd');
}

#[test]
fn a_full_disk_is_its_own_error_and_leaves_no_part_of_a_block() {
    let (directory, mut drive) = tape_with(&[b"a"]);
    let data_file = directory.path().join("tapefile-1-A.json");
    symlink("/dev/full", &data_file).unwrap();
    let error = drive.write_block(&block(b'b')).unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error:?}");
    assert!(error.to_string().contains("tapefile-1-A.json: the disk is full"), "{error}");
    assert!(!error.is_end_of_medium());
    fs::remove_file(&data_file).unwrap();
    drive.write_block(&block(b'c')).unwrap();
    drive.write_filemarks(1, true).unwrap();
    assert_eq!(objects(&mut drive), "a|c|");
}

#[test]
fn a_failed_flush_is_never_taken_back() {
    let (directory, mut drive) = tape_with(&[b"a"]);
    symlink("/dev/null", directory.path().join("tapefile-1-A.json")).unwrap();
    record(&mut drive, &[b"b"]).unwrap();
    let error = drive.sync().unwrap_err();
    assert!(error.to_string().starts_with("flush a data file of "), "{error}");
    let error = drive.sync().unwrap_err();
    assert!(error.to_string().contains("an earlier flush failed"), "{error}");
    assert_eq!(text(directory.path(), "tape-A.json"), "{\n  \"files\": 1\n}");
    drive.load().unwrap();
    drive.sync().unwrap();
    assert_eq!(objects(&mut drive), "a|", "loaded again, the tape is what is on the disk");
}

#[test]
fn loading_again_loses_nothing() {
    let (_directory, mut drive) = tape_with(&[b"a"]);
    record(&mut drive, &[b"b", b"c"]).unwrap();
    drive.load().unwrap();
    assert_eq!(drive.position().unwrap().object.0, 0);
    assert_eq!(objects(&mut drive), "a|b|c|");
}

#[test]
fn a_block_beyond_the_limit_cuts_nothing_off() {
    let (directory, drive) = tape_with(&[b"abcdefgh"]);
    drop(drive);
    let mut options = options(directory.path());
    options.max_size = Capacity(0);
    let mut drive = VirtualDrive::open(&options, &Cancel::new()).unwrap();
    drive.locate(BlockNumber(5)).unwrap();
    assert!(drive.write_block(&block(b'x')).unwrap_err().is_end_of_medium());
    assert_eq!(objects(&mut drive), "abcdefgh|");
}

#[test]
fn looking_changes_nothing_in_the_directory() {
    let (directory, drive) = tape_with(&[b"a"]);
    drop(drive);
    let inode = || fs::metadata(directory.path().join("drive-status.json")).unwrap().ino();
    let before = inode();
    drop(open(directory.path()));
    assert_eq!(inode(), before, "the file was not replaced");
}

#[test]
fn a_crash_leaves_what_was_synced_and_an_unfinished_file() {
    let (directory, mut drive) = tape_with(&[b"a"]);
    record(&mut drive, &[b"bc", b"d"]).unwrap();
    drive.write_block(&block(b'e')).unwrap();
    let crashed = copy_of(directory.path());
    drive.sync().unwrap();
    let synced = copy_of(directory.path());

    let mut after = open(synced.path());
    assert_eq!(objects(&mut after), "a|bc|d|e");

    let mut after = open(crashed.path());
    assert_eq!(objects(&mut after), "a|bc", "unsynced files do not count, blocks may be there");
    assert_eq!(move_to_append_position(&mut after).unwrap(), FileNumber(2));
    record(&mut after, &[b"f"]).unwrap();
    after.sync().unwrap();
    drop(after);
    assert_eq!(objects(&mut open(crashed.path())), "a|bc|f|");
    assert!(!crashed.path().join("tapefile-3-A.json").exists(), "leftovers of the crash are gone");
}

#[test]
fn a_block_that_a_crash_cut_short_was_never_written() {
    let (directory, mut drive) = tape_with(&[b"a"]);
    drive.write_block(&block(b'b')).unwrap();
    drop(drive);
    let torn = directory.path().join("tapefile-1-A.json");
    let bytes = [block(b'b'), vec![b'c'; 1000]].concat();
    fs::write(torn, bytes).unwrap();
    let mut drive = open(directory.path());
    assert_eq!(objects(&mut drive), "a|b");
    drive.write_filemarks(1, false).unwrap();
    drop(drive);
    assert_eq!(objects(&mut open(directory.path())), "a|b|");
}

#[test]
fn overwritten_files_leave_the_index_before_they_are_touched() {
    let (directory, mut drive) = tape_with(&[b"a", b"b", b"c"]);
    drive.locate_file(FileNumber(1)).unwrap();
    drive.write_block(&block(b'x')).unwrap();
    let crashed = copy_of(directory.path());
    assert_eq!(objects(&mut open(crashed.path())), "a|x");
    assert_eq!(text(crashed.path(), "tape-A.json"), "{\n  \"files\": 1\n}");
    drive.write_filemarks(1, true).unwrap();
    drive.locate_file(FileNumber(1)).unwrap();
    drive.write_filemarks(1, false).unwrap();
    drop(drive);
    assert_eq!(objects(&mut open(directory.path())), "a||");
}

#[test]
fn many_files_without_a_sync_between_keep_few_descriptors() {
    let (directory, mut drive) = tape_with(&[]);
    drive.write_filemarks(300, true).unwrap();
    let descriptors = fs::read_dir("/proc/self/fd").unwrap();
    let ours = descriptors
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .filter(|target| target.starts_with(directory.path()));
    assert!(ours.count() < 100);
    let position = drive.position().unwrap();
    assert_eq!((position.object.0, position.file.0), (300, 300));
}
