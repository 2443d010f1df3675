//! Virtual tapes that PBS wrote: every file is read, and written again to the same bytes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use reel_hw::stream::{BlockReader, BlockWriter, OpenedFile};
use reel_hw::{
    Cancel, Changer, ContentHeader, ContentMagic, DriveNumber, FileNumber, TapeDrive, VirtualDrive,
    VirtualOptions, VolumeTag,
};
use tempfile::TempDir;

const DRIVE: DriveNumber = DriveNumber(0);

/// The tapes of the fixtures in a directory of their own.
fn tapes() -> Option<TempDir> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures");
    let fixtures = std::env::var_os("REELFS_FIXTURES").map_or(default, PathBuf::from);
    let archive = fixtures.join("pbs-tape-public.tar.zst");
    if !archive.exists() {
        eprintln!("skipped: no fixtures at {}", fixtures.display());
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let status = Command::new("tar")
        .args(["--zstd", "--no-same-owner", "-xf"])
        .arg(&archive)
        .arg("-C")
        .arg(directory.path())
        .arg("vtape")
        .status()
        .unwrap();
    assert!(status.success(), "unpacking {}", archive.display());
    Some(directory)
}

fn open(directory: &Path) -> VirtualDrive {
    VirtualDrive::open(&VirtualOptions::new(directory), &Cancel::new()).unwrap()
}

/// Reads a whole tape and writes it to a new one of the same name. Returns how many files it has.
fn copy_tape(from: &mut VirtualDrive, to: &mut VirtualDrive, tag: &VolumeTag) -> u64 {
    from.load_media(tag, DRIVE).unwrap();
    from.rewind().unwrap();
    to.create_media(tag).unwrap();
    to.load_media(tag, DRIVE).unwrap();
    let mut files = 0;
    loop {
        let mut reader = match BlockReader::open(from).unwrap() {
            OpenedFile::Data(reader) => reader,
            OpenedFile::EndOfFile => panic!("{tag}: file {files} is empty"),
            OpenedFile::EndOfStream => return files,
        };
        let mut writer = BlockWriter::new(to);
        let content = reader.fill().unwrap();
        let header = ContentHeader::from_bytes(content.first_chunk().unwrap()).unwrap();
        check_kind(header.content_magic, files);
        while !reader.fill().unwrap().is_empty() {
            let content = reader.fill().unwrap();
            writer.write_all(content).unwrap();
            let length = content.len();
            reader.consume_bytes(length);
        }
        assert!(reader.has_end_marker().unwrap(), "{tag}: file {files}");
        writer.finish(reader.is_incomplete().unwrap()).unwrap();
        files += 1;
    }
}

fn check_kind(magic: ContentMagic, file: u64) {
    assert!(magic.name().is_some(), "{magic}");
    assert_eq!(magic == ContentMagic::MEDIA_LABEL, file == 0);
    assert_eq!(magic == ContentMagic::MEDIA_SET_LABEL, file == 1);
}

fn assert_same_files(one: &Path, other: &Path, tag: &VolumeTag, files: u64) {
    let data = (0..files).map(|file| format!("tapefile-{file}-{tag}.json"));
    for name in data.chain([format!("tape-{tag}.json")]) {
        let read = |directory: &Path| fs::read(directory.join(&name)).unwrap();
        assert!(read(one) == read(other), "{name} differs");
    }
}

#[test]
fn tapes_of_pbs_are_read_and_written_to_the_byte() {
    let Some(fixture) = tapes() else { return };
    let mut copied = 0;
    for directory in ["vtape", "vtape/vault"] {
        let directory = fixture.path().join(directory);
        let copy = tempfile::tempdir().unwrap();
        let mut from = open(&directory);
        let mut to = open(copy.path());
        for tag in from.online_media().unwrap() {
            let files = copy_tape(&mut from, &mut to, &tag);
            to.sync().unwrap();
            assert_eq!(to.position().unwrap().file, FileNumber(files));
            assert_same_files(&directory, copy.path(), &tag, files);
            copied += 1;
        }
    }
    assert_eq!(copied, 21, "tapes of the fixture");
}

#[test]
fn the_drive_is_found_as_pbs_left_it() {
    let Some(fixture) = tapes() else { return };
    let mut drive = open(&fixture.path().join("vtape"));
    assert_eq!(drive.loaded_label().map(VolumeTag::as_str), Some("A00001L8"));
    assert_eq!(drive.position().unwrap().file, FileNumber(7));
    let status = Changer::status(&mut drive).unwrap();
    assert_eq!(status.slots.len(), 24);
    let status_file = fixture.path().join("vtape/drive-status.json");
    let before = fs::read(&status_file).unwrap();
    drop(drive);
    assert!(fs::read(&status_file).unwrap() == before);
}
