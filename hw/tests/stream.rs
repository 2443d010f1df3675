//! The block stream on a medium: golden files, early warning, abandoned and damaged files.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::io::Read;

use openssl::sha::sha256;
use proptest::prelude::*;
use reel_hw::memory::{FailurePattern, MediumLimits, Operation, RecordedObject};
use reel_hw::stream::{BlockError, BlockReader, BlockWriter, OpenedFile, content_offset};
use reel_hw::{
    BlockNumber, Capacity, ContentHeader, ContentMagic, Error, FileNumber, MemoryDrive,
    MemoryLibrary, TAPE_BLOCK_PAYLOAD_SIZE, TAPE_BLOCK_SIZE, TapeDrive, VolumeTag,
};

const BLOCK: u64 = TAPE_BLOCK_SIZE as u64;

fn tag() -> VolumeTag {
    VolumeTag::new("TEST01L8").unwrap()
}

fn library(limits: MediumLimits) -> (MemoryLibrary, MemoryDrive) {
    MemoryLibrary::with_loaded_drive(&tag(), limits).unwrap()
}

/// The bytes of file 0, blocks one after the other.
fn recorded(library: &MemoryLibrary) -> Vec<u8> {
    let collect = |objects: &[RecordedObject]| {
        let mut bytes = Vec::new();
        for object in objects {
            match object {
                RecordedObject::Block { data, .. } => bytes.extend_from_slice(data),
                RecordedObject::Filemark => break,
            }
        }
        bytes
    };
    library.medium(&tag(), |medium| collect(medium.objects())).unwrap()
}

fn write_file(content: &[u8], incomplete: bool) -> (MemoryLibrary, MemoryDrive) {
    let (library, mut drive) = library(MediumLimits::NONE);
    let mut writer = BlockWriter::new(&mut drive);
    writer.write_all(content).unwrap();
    let written = writer.finish(incomplete).unwrap();
    let blocks = content.len() as u64 / TAPE_BLOCK_PAYLOAD_SIZE as u64 + 1;
    assert_eq!((written.blocks, written.bytes), (blocks, blocks * BLOCK));
    assert_eq!(drive.position().unwrap().file, FileNumber(1));
    drive.rewind().unwrap();
    (library, drive)
}

fn open(drive: &mut MemoryDrive) -> BlockReader<'_, MemoryDrive> {
    match BlockReader::open(drive).unwrap() {
        OpenedFile::Data(reader) => reader,
        OpenedFile::EndOfFile => panic!("filemark instead of a file"),
        OpenedFile::EndOfStream => panic!("end of data instead of a file"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter_map(|digit| char::from(digit).to_digit(16).map(|value| value as u8))
        .collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn golden_files_of_the_block_layer() {
    let hash = |content: &[u8], incomplete| {
        let (library, _) = write_file(content, incomplete);
        let bytes = recorded(&library);
        (bytes.len(), hex(&bytes[..16]), hex(&sha256(&bytes)))
    };
    let (size, header, sha) = hash(b"", false);
    assert_eq!((size, header.as_str()), (262_144, "dcbdafcaeba0a5280100000000000000"));
    assert_eq!(sha, "f8a6cc556c8b960b05d6948389a3c530d49eacebd8b7ecaf8bdc51463675274a");
    let (_, _, sha) = hash(b"ABC", false);
    assert_eq!(sha, "7a468dddba9de96b3942a5bbcf7df9c08d7c0f98401e86f6db799e119a2f0b14");
    let (_, header, _) = hash(b"ABC", true);
    assert_eq!(header, "dcbdafcaeba0a5280303000000000000");
    let (size, header, _) = hash(&vec![0; TAPE_BLOCK_PAYLOAD_SIZE], false);
    assert_eq!((size, header.as_str()), (524_288, "dcbdafcaeba0a52800f0ff0300000000"));
    let (size, _, _) = hash(&vec![7; 5 << 20], false);
    assert_eq!(size, 21 * TAPE_BLOCK_SIZE);
}

fn golden_header(magic: ContentMagic, ctime: i64, size: u32) -> Vec<u8> {
    let header = ContentHeader {
        content_magic: magic,
        uuid: bytes_of_hex("11111111222243338444555555555555").try_into().unwrap(),
        ctime,
        size,
    };
    header.to_bytes().to_vec()
}

#[test]
fn golden_label_files() {
    let media = "{\n  \"ctime\": 1609924071,\n  \"label_text\": \"vtape1\",\n  \"pool\": \"daily\",\n  \
                 \"uuid\": \"7f42c4dd-9626-4d89-9f2b-c7bc6da7d533\"\n}";
    let set = "{\n  \"ctime\": 1609924100,\n  \"pool\": \"daily\",\n  \"seq_nr\": 0,\n  \
               \"uuid\": \"9da37a55-aac7-4deb-91c6-482b3b675f30\"\n}";
    let cases = [
        (
            ContentMagic::MEDIA_LABEL,
            1_609_924_071,
            media,
            "c1affdca5a6b82a827626ff0ae9448ce43f8a396f83edb250308e6d051344f80",
        ),
        (
            ContentMagic::MEDIA_SET_LABEL,
            1_609_924_100,
            set,
            "f186dd288c571a9a2f5215ef4658771f27132e397ffe6b95f8c64e2f4c094bbd",
        ),
    ];
    for (magic, ctime, json, sha) in cases {
        let mut content = golden_header(magic, ctime, json.len() as u32);
        content.extend_from_slice(json.as_bytes());
        let (library, mut drive) = write_file(&content, false);
        assert_eq!(hex(&sha256(&recorded(&library))), sha, "{magic}");

        let mut reader = open(&mut drive);
        let header = ContentHeader::read_from(&mut reader).unwrap();
        assert_eq!((header.content_magic, header.ctime), (magic, ctime));
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, json);
        assert!(reader.has_end_marker().unwrap());
    }
}

#[test]
fn golden_chunk_archive_file() {
    let payload = bytes_of_hex(
        "63ee149fcdf29b0c6d31636dd70283bf11111111222243338444555555555555687ef55f0000000017000000000000007b0a20202273746f7265223a20
         2273746f726531220a7d48576df2de428fdcb5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df780f0000000000000042ab38
         07be8370a1480383a341424348576df2de428fdce3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8550c0000000000000042
         ab3807be8370a100000000",
    );
    assert_eq!(payload.len(), 194);
    let (library, _) = write_file(&payload, false);
    assert_eq!(
        hex(&sha256(&recorded(&library))),
        "ef8c9972bd71d336e037ea4f0314148557400eecd07df6d002eb679188f04dbb"
    );
}

/// A medium whose early warning comes with block `before + 1`, with one block more behind it: as `virtual:`.
fn limits(before: u64) -> MediumLimits {
    MediumLimits { early_warning: Capacity(before * BLOCK), end: Capacity((before + 2) * BLOCK) }
}

#[test]
fn early_warning_can_be_seen_after_every_block() {
    // Behind the longer beginnings, the first slice completes two blocks.
    for (before, beginning) in
        [(0, 48), (0, 262_112), (0, 262_127), (1, 262_112), (2, 262_127), (7, 48)]
    {
        let (_, mut drive) = library(limits(before));
        let mut writer = BlockWriter::new(&mut drive);
        writer.write_all(&vec![1; beginning]).unwrap();
        let slice = vec![2; TAPE_BLOCK_SIZE];
        while !writer.early_warning() {
            let taken = writer.write_until_warning(&slice).unwrap();
            assert!(taken == slice.len() || writer.early_warning());
        }
        assert_eq!(writer.blocks_written(), before + 1);
        let written = writer.finish(false).unwrap();
        assert!(written.early_warning);
        assert_eq!(written.blocks, before + 2);
    }
}

#[test]
fn the_last_block_is_padded_with_zeros() {
    let (library, _) = write_file(&vec![1; TAPE_BLOCK_PAYLOAD_SIZE + 5], false);
    let last = recorded(&library).split_off(TAPE_BLOCK_SIZE);
    assert_eq!(last[16..21], [1; 5]);
    assert!(last[21..].iter().all(|byte| *byte == 0));
}

#[test]
fn the_warning_of_the_last_block_is_reported() {
    let (_, mut drive) = library(limits(1));
    let mut writer = BlockWriter::new(&mut drive);
    writer.write_all(&vec![1; TAPE_BLOCK_PAYLOAD_SIZE]).unwrap();
    assert!(!writer.early_warning());
    assert!(writer.finish(false).unwrap().early_warning);
}

#[test]
fn past_the_end_a_file_is_closed_without_end_marker() {
    let (library, mut drive) = library(limits(1));
    let mut writer = BlockWriter::new(&mut drive);
    let end = writer.write_all(&vec![1; 4 * TAPE_BLOCK_SIZE]).unwrap_err();
    assert!(end.is_end_of_medium());
    assert!(matches!(writer.write(b"x"), Err(Error::StreamState(_))));
    assert!(matches!(writer.finish(true), Err(Error::StreamState(_))));
    assert_eq!(library.calls(Operation::WriteFilemarks), 1, "one filemark, not two");
    drive.rewind().unwrap();
    let mut reader = open(&mut drive);
    reader.skip_data().unwrap();
    assert!(!reader.has_end_marker().unwrap());
    assert!(reader.is_incomplete().is_err());
}

#[test]
fn a_failed_filemark_is_not_tried_twice() {
    let (library, mut drive) = library(MediumLimits::NONE);
    library.fail_at(Operation::WriteFilemarks, FailurePattern::Once(1), || Error::Cancelled);
    assert!(BlockWriter::new(&mut drive).finish(false).is_err());
    assert_eq!(library.calls(Operation::WriteFilemarks), 1);
}

#[test]
fn an_abandoned_file_has_its_filemark() {
    let (_, mut drive) = library(MediumLimits::NONE);
    let mut writer = BlockWriter::new(&mut drive);
    writer.write_all(&vec![1; TAPE_BLOCK_SIZE]).unwrap();
    drop(writer);
    assert_eq!(drive.position().unwrap().file, FileNumber(1));
    drive.rewind().unwrap();
    let mut content = Vec::new();
    let failed = open(&mut drive).read_to_end(&mut content).unwrap_err();
    assert!(failed.to_string().contains("stream without end marker"), "{failed}");
}

#[test]
fn the_end_is_known_once_the_filemark_was_consumed() {
    let (_, mut drive) = write_file(b"ABC", true);
    let mut reader = open(&mut drive);
    assert!(reader.has_end_marker().is_err());
    assert!(reader.is_incomplete().is_err());
    let mut buffer = [0; 8];
    assert_eq!(BlockReader::read(&mut reader, &mut buffer).unwrap(), 3);
    assert!(reader.has_end_marker().is_err());
    assert_eq!(BlockReader::read(&mut reader, &mut buffer).unwrap(), 0);
    assert!(reader.has_end_marker().unwrap() && reader.is_incomplete().unwrap());
    assert_eq!(BlockReader::read(&mut reader, &mut buffer).unwrap(), 0);
    assert_eq!(drive.position().unwrap().file, FileNumber(1));
}

#[test]
fn damaged_blocks_are_refused_and_end_the_reading() {
    type Damage = fn(&mut Vec<u8>);
    let cases: [(u64, Damage, BlockError); 7] = [
        (0, |block| block[0] = 0, BlockError::UnknownMagic),
        (1, |block| block[3] ^= 1, BlockError::UnknownMagic),
        (1, |block| block[8] = 0x10, BlockError::Flags(0x10)),
        (1, |block| block[12] = 9, BlockError::Sequence { expected: 1, found: 9 }),
        (1, |block| block[11] = 0xFF, BlockError::Size(0xFF_FFF0)),
        (1, |block| block[9..12].fill(0), BlockError::Empty),
        (2, |block| block.truncate(512), BlockError::Length(512)),
    ];
    for (object, damage, expected) in cases {
        let (library, mut drive) = write_file(&vec![1; 2 * TAPE_BLOCK_SIZE], false);
        let damaged =
            library.medium(&tag(), |medium| medium.damage_block(BlockNumber(object), damage));
        assert!(damaged.unwrap());
        let mut reader = match BlockReader::open(&mut drive) {
            Ok(OpenedFile::Data(reader)) => reader,
            Ok(_) => panic!("no file"),
            Err(error) => {
                assert_eq!((object, error.block_error()), (0, Some(expected)));
                continue;
            }
        };
        let failed = reader.read_to_end(&mut Vec::new()).unwrap_err();
        let error = failed.into_inner().unwrap().downcast::<Error>().unwrap();
        assert_eq!(error.block_error(), Some(expected));
        assert!(matches!(reader.fill(), Err(Error::StreamState(_))));
        assert!(reader.skip_data().is_err());
    }
}

#[test]
fn only_a_filemark_may_follow_the_last_block() {
    let (_, mut drive) = write_file(b"ABC", false);
    let mut block = vec![0; TAPE_BLOCK_SIZE];
    drive.read_block(&mut block).unwrap();
    drive.write_block(&block).unwrap();
    drive.rewind().unwrap();
    let failed = open(&mut drive).read_to_end(&mut Vec::new()).unwrap_err();
    assert!(failed.to_string().contains("a block follows the last block"), "{failed}");

    drive.locate(BlockNumber(1)).unwrap();
    drive.erase().unwrap();
    drive.rewind().unwrap();
    let failed = open(&mut drive).read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(failed.to_string(), "read block 1 of the file: unexpected end of data");
}

#[test]
fn blocks_of_a_foreign_size_are_no_file() {
    for length in [512, TAPE_BLOCK_SIZE + 1] {
        let (_, mut drive) = library(MediumLimits::NONE);
        drive.write_block(&vec![0; length]).unwrap();
        drive.rewind().unwrap();
        assert!(BlockReader::open(&mut drive).is_err(), "{length}");
    }
}

#[test]
fn encrypted_blocks_need_their_key() {
    let (_, mut drive) = library(MediumLimits::NONE);
    let key = reel_hw::EncryptionKey::new(&[7; 32]);
    drive.set_encryption_key(Some(&key)).unwrap();
    assert!(drive.encryption_active().unwrap());
    BlockWriter::new(&mut drive).finish(false).unwrap();
    drive.rewind().unwrap();
    open(&mut drive).skip_data().unwrap();
    drive.set_encryption_key(None).unwrap();
    drive.rewind().unwrap();
    assert!(matches!(BlockReader::open(&mut drive), Err(Error::WrongKey)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn content_comes_back(
        length in 0usize..900_000,
        pieces in proptest::collection::vec(1usize..300_000, 1..8),
        incomplete in any::<bool>(),
        resume in any::<proptest::sample::Index>(),
    ) {
        let content: Vec<u8> = (0..length).map(|n| (n % 253) as u8).collect();
        let (_library, mut drive) = library(MediumLimits::NONE);
        let mut writer = BlockWriter::new(&mut drive);
        let mut rest = content.as_slice();
        for piece in pieces.iter().cycle() {
            let (now, later) = rest.split_at(rest.len().min(*piece));
            writer.write_all(now).unwrap();
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(writer.content_bytes(), length as u64);
        let blocks = writer.finish(incomplete).unwrap().blocks;

        drive.rewind().unwrap();
        let mut reader = open(&mut drive);
        let mut back = Vec::new();
        reader.read_to_end(&mut back).unwrap();
        prop_assert!(back == content);
        prop_assert_eq!(reader.is_incomplete().unwrap(), incomplete);

        let sequence = resume.index(blocks as usize) as u32;
        drive.locate(BlockNumber(u64::from(sequence))).unwrap();
        let mut reader = BlockReader::resume_at(&mut drive, sequence).unwrap();
        back.clear();
        reader.read_to_end(&mut back).unwrap();
        prop_assert!(back == content[content_offset(sequence) as usize..]);
    }
}
