use std::io::{Cursor, Read};

use proptest::prelude::*;

use super::*;
use crate::error::{FormatError, FormatResult};

/// `tape-format.md` §16: one file `index.json.blob` = `{}`.
const VECTOR: &str = "\
    efac88e5746495d53800000000000000b4410000000000000000000000000000000000000000000000000000\
    000000000000000000000000b3173906211170162000000000000000696e6465782e6a736f6e2e626c6f6200\
    efac88e5746495d53800000000000000a48100000000000000000000000000002200000022000000e42bfc5f\
    000000000000000000000000251a7c0b1b7a142812000000000000007b7d1d73d542a64fec2f400000000000\
    00009d257988818a5c6f6a000000000000006a0000000000000055153e755bed5eefa2000000000000004000\
    000000000000";

const STAT: FileStat =
    FileStat { mode: 0o100_644, uid: 34, gid: 34, mtime: 1_610_361_828, mtime_nanos: 0 };

fn vector() -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    VECTOR.as_bytes().chunks(2).map(|pair| (digit(pair[0]) << 4) | digit(pair[1])).collect()
}

fn write(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = FlatWriter::new(Vec::new(), &FileStat::SNAPSHOT_FOLDER).unwrap();
    for (name, content) in files {
        writer.add_file(name, &STAT, content.len() as u64, content.as_slice()).unwrap();
    }
    writer.finish().unwrap()
}

fn read(bytes: &[u8]) -> FormatResult<Vec<(String, Vec<u8>)>> {
    let mut reader = FlatReader::new(bytes)?;
    let mut files = Vec::new();
    while let Some(file) = reader.next_file()? {
        let mut content = Vec::new();
        reader.content().read_to_end(&mut content).map_err(FormatError::io("read"))?;
        assert_eq!(content.len() as u64, file.size);
        files.push((file.name, content));
    }
    Ok(files)
}

fn refusal(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

#[test]
fn the_vector_byte_for_byte() {
    let files = [("index.json.blob".to_owned(), b"{}".to_vec())];
    assert_eq!(write(&files), vector());
    assert_eq!(read(&vector()).unwrap(), files);
    let mut reader = FlatReader::new(Cursor::new(vector())).unwrap();
    assert_eq!(reader.next_file().unwrap().unwrap().stat, STAT);
    assert_eq!(reader.next_file().unwrap(), None);
    assert_eq!(reader.next_file().unwrap(), None);
    assert_eq!(FlatWriter::archive_len([("index.json.blob", 2)]), 226);
}

#[test]
fn files_that_change_their_size_are_refused() {
    let add = |size| {
        let mut writer = FlatWriter::new(Vec::new(), &FileStat::SNAPSHOT_FOLDER).unwrap();
        writer.add_file("x.blob", &STAT, size, b"abc".as_slice()).map_err(|e| e.to_string())
    };
    assert_eq!(add(3), Ok(()));
    assert!(add(2).unwrap_err().contains("grew"));
    assert!(add(4).unwrap_err().contains("shrank"));
    assert!(add(0).unwrap_err().contains("grew"));
}

#[test]
fn only_regular_files_with_plain_names_are_written() {
    let mut writer = FlatWriter::new(Vec::new(), &FileStat::SNAPSHOT_FOLDER).unwrap();
    for bad in ["", ".", "..", "a/b", "a\0b"] {
        assert!(writer.add_file(bad, &STAT, 0, [].as_slice()).is_err(), "{bad:?}");
    }
    let link = FileStat { mode: 0o120_777, ..STAT };
    assert!(writer.add_file("x", &link, 0, [].as_slice()).is_err());
    assert!(FlatWriter::new(Vec::new(), &STAT).is_err());
}

#[test]
fn every_way_to_cut_an_archive_short_is_noticed() {
    let whole = vector();
    for len in 0..whole.len() {
        assert!(read(&whole[..len]).is_err(), "{len}");
    }
    assert!(refusal(&[whole.as_slice(), b"\0"].concat()).contains("behind its end"));
}

#[test]
fn other_kinds_of_entries_are_refused() {
    let whole = vector();
    let with = |position: usize, bytes: &[u8]| {
        let mut changed = whole.clone();
        changed[position..position + bytes.len()].copy_from_slice(bytes);
        changed
    };
    let mode_of_file = 56 + 32 + 16;
    for mode in [0o040_755_u16, 0o120_777, 0o020_644, 0o010_644] {
        let text = refusal(&with(mode_of_file, &mode.to_le_bytes()));
        assert!(text.contains("wrong entry type / parent"), "{text}");
    }
    assert!(refusal(&with(16, &0o100_644_u16.to_le_bytes())).contains("begin with a folder"));
    assert!(refusal(&with(56, &PAYLOAD.to_le_bytes())).contains("wrong entry type"));
    assert!(refusal(&with(56 + 32, &GOODBYE.to_le_bytes())).contains("no entry"));
    assert!(refusal(&with(56 + 32 + 56, &FILENAME.to_le_bytes())).contains("no content"));
    assert!(refusal(&with(56 + 8, &15_u64.to_le_bytes())).contains("an item of 15 bytes"));
    assert!(refusal(&with(56 + 8, &u64::MAX.to_le_bytes())).contains("a file name of"));
    assert!(refusal(&with(56 + 16, b"../..")).contains("is no name of a file"));
    let payload_len = 56 + 32 + 56 + 8;
    assert!(refusal(&with(payload_len, &u64::MAX.to_le_bytes())).contains("read"));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        files in proptest::collection::btree_map("[a-z]{1,20}", proptest::collection::vec(any::<u8>(), 0..300), 0..20)
    ) {
        let files: Vec<(String, Vec<u8>)> = files.into_iter().collect();
        let archive = write(&files);
        let expected = FlatWriter::archive_len(files.iter().map(|(name, content)| (name.as_str(), content.len() as u64)));
        prop_assert_eq!(archive.len() as u64, expected);
        prop_assert_eq!(read(&archive).unwrap(), files);
    }

    #[test]
    fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..64), cut in 0..226_usize) {
        let _ = read(&bytes);
        let mut damaged = vector();
        damaged.truncate(cut);
        damaged.append(&mut bytes);
        let _ = read(&damaged);
    }
}
