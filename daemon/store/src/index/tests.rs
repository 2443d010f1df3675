//! Vectors, round trips and damage of indexes (`formats.md` §3, §4).

use std::io::Cursor;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::crypto::plain_digest;
use crate::testing::unhex;

const MIB: u64 = 1 << 20;
const CTIME: i64 = 1_600_000_000;
const UUID: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const ZEROS: &str = "bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8";
const TAIL: &str = "0c62f876ef1dea830de9f32c2f4b46dd6d74d50d15896e09ef5a2fcd4ac7e1d7";

fn digest(number: u64) -> Digest {
    plain_digest(&number.to_le_bytes())
}

fn csum(text: &str) -> [u8; 32] {
    text.parse::<Digest>().unwrap().0
}

fn vector_entries() -> [IndexEntry; 2] {
    [
        IndexEntry { digest: ZEROS.parse().unwrap(), start: 0, end: 4 * MIB },
        IndexEntry { digest: TAIL.parse().unwrap(), start: 4 * MIB, end: 4 * MIB + 4 },
    ]
}

fn write_fixed(size: u64, chunk_size: u64, entries: &[IndexEntry]) -> (IndexSummary, Vec<u8>) {
    let mut writer =
        FixedIndexWriter::create(Cursor::new(Vec::new()), size, chunk_size, UUID, CTIME).unwrap();
    for entry in entries {
        writer.add(entry.end, entry.size(), &entry.digest).unwrap();
    }
    let (summary, file) = writer.finish(None).unwrap();
    (summary, file.into_inner())
}

fn write_dynamic(entries: &[IndexEntry]) -> (IndexSummary, Vec<u8>) {
    let mut writer = DynamicIndexWriter::create(Cursor::new(Vec::new()), UUID, CTIME).unwrap();
    for entry in entries {
        writer.add(entry.start, entry.size(), &entry.digest).unwrap();
    }
    let (summary, file) = writer.finish(None).unwrap();
    (summary, file.into_inner())
}

/// A fixed index of `count` chunks, the last of them short.
fn fixed_entries(count: u64, chunk_size: u64, last: u64) -> (u64, Vec<IndexEntry>) {
    let size = (count - 1) * chunk_size + last;
    let entry = |i: u64| {
        let start = i * chunk_size;
        IndexEntry { digest: digest(i), start, end: size.min(start + chunk_size) }
    };
    (size, (0..count).map(entry).collect())
}

fn dynamic_entries(lengths: &[u64]) -> Vec<IndexEntry> {
    let mut start = 0;
    let entry = |(i, length): (usize, &u64)| {
        let entry = IndexEntry { digest: digest(i as u64), start, end: start + length };
        start = entry.end;
        entry
    };
    lengths.iter().enumerate().map(entry).collect()
}

fn assert_invalid<T: std::fmt::Debug>(result: FormatResult<T>) {
    assert!(matches!(result, Err(FormatError::InvalidInput { .. })), "{result:?}");
}

fn assert_corrupt<T: std::fmt::Debug>(result: FormatResult<T>) {
    assert!(matches!(result, Err(FormatError::Corrupt { .. })), "{result:?}");
}

#[test]
fn vector_of_a_fixed_index() {
    let (summary, file) = write_fixed(4 * MIB + 4, 4 * MIB, &vector_entries());
    let want = "ff9e6a72ea2517c73d02d6e0732d41a34001d8b638ac8c5e6734003f99912073";
    assert_eq!(summary.csum, csum(want));
    let head = unhex(
        "2f7f41ed91fd0fcd 000102030405060708090a0b0c0d0e0f 00105e5f00000000 \
         ff9e6a72ea2517c73d02d6e0732d41a34001d8b638ac8c5e6734003f99912073 0400400000000000 0000400000000000",
    );
    assert_eq!(file[..80], head);
    assert_eq!(file.len(), 4160);
    let whole = "d6becf0335072b4c6d1ccaa65ce670b20dd8bbab232498e4e20e3f16370e2a40";
    assert_eq!(plain_digest(&file).to_string(), whole);
    let index = FixedIndex::open(Bytes::from(file)).unwrap();
    assert_eq!((index.uuid(), index.ctime(), index.chunk_size()), (UUID, CTIME, 4 * MIB));
    index.verify(4 * MIB + 4, &summary.csum).unwrap();
}

#[test]
fn vector_of_a_dynamic_index() {
    let (summary, file) = write_dynamic(&vector_entries());
    let want = "debbcc98473512008c3d77fe2924aca69303ad9ffe4b46299cec22fccac7a202";
    assert_eq!(summary.csum, csum(want));
    let head = format!("1c914ea519bab3cd 000102030405060708090a0b0c0d0e0f 00105e5f00000000 {want}");
    assert_eq!(file[..64], unhex(&head));
    assert_eq!(file.len(), 4176);
    let whole = "60a7f1500bdddb37635ce227439c9a09a71c3e2b3b090d4b423e13f25d0a6bac";
    assert_eq!(plain_digest(&file).to_string(), whole);
    let index = DynamicIndex::open(Bytes::from(file)).unwrap();
    assert_eq!((index.uuid(), index.ctime()), (UUID, CTIME));
    index.verify(4 * MIB + 4, &summary.csum).unwrap();
}

#[test]
fn long_indexes_are_read_in_windows() {
    let count = 2 * WINDOW_ENTRIES + 7;
    let (size, entries) = fixed_entries(count, 64, 5);
    let fixed = Index::open(ArchiveKind::Fixed, write_fixed(size, 64, &entries).1).unwrap();
    let dynamic = Index::open(ArchiveKind::Dynamic, write_dynamic(&entries).1).unwrap();
    for index in [fixed, dynamic] {
        let read: Vec<_> = index.entries(0..u64::MAX).map(Result::unwrap).collect();
        assert_eq!(read, entries);
        let part: Vec<_> = index.entries(4000..4200).map(Result::unwrap).collect();
        assert_eq!(part, entries[4000..4200]);
        assert_eq!(index.entries(count..count + 5).count(), 0);
    }
}

#[test]
fn headers_and_lengths_that_are_none_are_corrupt() {
    let fixed = write_fixed(4 * MIB + 4, 4 * MIB, &vector_entries()).1;
    let dynamic = write_dynamic(&vector_entries()).1;
    for (kind, file) in [(ArchiveKind::Fixed, fixed), (ArchiveKind::Dynamic, dynamic)] {
        let open = |file: &[u8]| Index::open(kind, Bytes::copy_from_slice(file));
        assert!(open(&file).is_ok());
        for length in [0, 79, 4095, 4096, 4097, file.len() - 1] {
            assert_corrupt(open(&file[..length]));
        }
        assert_corrupt(open(&[&file[..], &[0]].concat()));
        let mut strange = file.clone();
        strange[0] ^= 1;
        assert_corrupt(open(&strange));
    }
}

#[test]
fn impossible_geometry_is_corrupt() {
    let file = write_fixed(4 * MIB + 4, 4 * MIB, &vector_entries()).1;
    let with = |offset: usize, value: u64| {
        let mut file = file.clone();
        file[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
        FixedIndex::open(Bytes::from(file))
    };
    for chunk_size in [0, 3, 4 * MIB + 1, 1 << 63, u64::MAX, MIB, 8 * MIB] {
        assert_corrupt(with(72, chunk_size));
    }
    for size in [0, 1, 8 * MIB + 1, u64::MAX, u64::MAX - 4 * MIB] {
        assert_corrupt(with(64, size));
    }
}

#[test]
fn ends_that_do_not_grow_or_leap_too_far_are_corrupt() {
    let file = write_dynamic(&dynamic_entries(&[10, 10, 10])).1;
    for bad in [0, 10, 9, 30, 31, u64::MAX, 10 + 16 * MIB + 1] {
        let mut file = file.clone();
        file[4096 + 40..4096 + 48].copy_from_slice(&bad.to_le_bytes());
        let touched = DynamicIndex::open(Bytes::from(file)).and_then(|index| {
            assert_corrupt(index.csum());
            assert!(index.entries(0..3).any(|entry| entry.is_err()));
            index.entry(1).and(index.entry(2))
        });
        assert_corrupt(touched);
    }
}

#[test]
fn a_largest_chunk_is_read() {
    let entries = dynamic_entries(&[16 * MIB, 1]);
    let index = DynamicIndex::open(Bytes::from(write_dynamic(&entries).1)).unwrap();
    assert_eq!(index.entry(0).unwrap(), entries[0]);
}

#[test]
fn a_search_among_unordered_ends_finds_what_covers_the_offset() {
    for bad in [5, 75] {
        let mut file = write_dynamic(&dynamic_entries(&[10; 8])).1;
        let at = 4096 + 3 * 40;
        file[at..at + 8].copy_from_slice(&u64::to_le_bytes(bad));
        let index = DynamicIndex::open(file).unwrap();
        for offset in 0..80 {
            let position = index.chunk_at(offset).unwrap().unwrap();
            match index.entry(position) {
                Ok(entry) => assert!((entry.start..entry.end).contains(&offset)),
                Err(error) => assert_corrupt::<()>(Err(error)),
            }
        }
    }
}

#[test]
fn size_and_csum_are_held_against_the_manifest() {
    let (summary, file) = write_dynamic(&vector_entries());
    let index = DynamicIndex::open(Bytes::from(file)).unwrap();
    for result in
        [index.verify(summary.size + 1, &summary.csum), index.verify(summary.size, &[0; 32])]
    {
        assert!(matches!(result, Err(FormatError::Checksum { .. })), "{result:?}");
    }
}

#[test]
fn entries_behind_the_end_are_refused() {
    let index = DynamicIndex::open(Bytes::from(write_dynamic(&vector_entries()).1)).unwrap();
    assert_invalid(index.entry(2));
    assert_invalid(index.entry(u64::MAX));
    assert_invalid(index.window(1..3));
    let backwards = Range { start: 2, end: 1 };
    assert_invalid(index.window(backwards));
}

#[test]
fn a_blob_is_no_index() {
    assert_invalid(Index::open(ArchiveKind::Blob, Bytes::new()));
}

#[test]
fn a_fixed_writer_takes_only_chunks_that_fit() {
    let new =
        || FixedIndexWriter::create(Cursor::new(Vec::new()), 10 * 64 + 3, 64, UUID, CTIME).unwrap();
    for (end, length) in
        [(64, 0), (65, 65), (643 + 64, 64), (3, 64), (65, 64), (63, 63), (643, 64), (704, 61)]
    {
        assert_invalid(new().add(end, length, &digest(0)));
    }
    for (end, length) in [(64, 64), (640, 64), (643, 3)] {
        new().add(end, length, &digest(0)).unwrap();
    }
}

#[test]
fn a_fixed_writer_refuses_images_that_cannot_be() {
    for (size, chunk_size) in
        [(0, 64), (1, 0), (1, 3), (1, 32 * MIB), (u64::MAX, 64), (1 << 60, 64)]
    {
        assert_invalid(
            FixedIndexWriter::create(Cursor::new(Vec::new()), size, chunk_size, UUID, CTIME)
                .map(|_| ()),
        );
    }
}

#[test]
fn a_fixed_index_with_a_hole_or_a_chunk_twice_is_not_closed() {
    for count in [3, 64, 65, 130] {
        let (size, entries) = fixed_entries(count, 64, 64);
        for missing in [0, count - 1] {
            let mut writer =
                FixedIndexWriter::create(Cursor::new(Vec::new()), size, 64, UUID, CTIME).unwrap();
            for entry in entries.iter().filter(|entry| entry.start != missing * 64) {
                writer.add(entry.end, 64, &entry.digest).unwrap();
            }
            let again = entries[1];
            writer.add(again.end, 64, &again.digest).unwrap();
            assert_invalid(writer.finish(None).map(|_| ()));
        }
    }
    let (size, entries) = fixed_entries(2, 64, 64);
    let mut writer =
        FixedIndexWriter::create(Cursor::new(Vec::new()), size, 64, UUID, CTIME).unwrap();
    for entry in [entries[0], entries[1], entries[0]] {
        writer.add(entry.end, 64, &entry.digest).unwrap();
    }
    assert_invalid(writer.finish(None).map(|_| ()));
}

#[test]
fn an_unclosed_index_has_no_csum() {
    let mut file = Cursor::new(Vec::new());
    let mut writer = FixedIndexWriter::create(&mut file, 64, 64, UUID, CTIME).unwrap();
    writer.add(64, 64, &digest(1)).unwrap();
    drop(writer);
    assert_eq!(file.into_inner()[32..64], [0; 32]);
}

#[test]
fn what_differs_from_the_announcement_is_not_closed() {
    let (fixed, _) = write_fixed(4 * MIB + 4, 4 * MIB, &vector_entries());
    let (dynamic, _) = write_dynamic(&vector_entries());
    let close_fixed = |announced: &IndexSummary| {
        let file = Cursor::new(Vec::new());
        let mut writer = FixedIndexWriter::create(file, 4 * MIB + 4, 4 * MIB, UUID, CTIME).unwrap();
        for entry in vector_entries() {
            writer.add(entry.end, entry.size(), &entry.digest).unwrap();
        }
        writer.finish(Some(announced)).map(|(summary, _)| summary)
    };
    let close_dynamic = |announced: &IndexSummary| {
        let mut writer = DynamicIndexWriter::create(Cursor::new(Vec::new()), UUID, CTIME).unwrap();
        for entry in vector_entries() {
            writer.add(entry.start, entry.size(), &entry.digest).unwrap();
        }
        writer.finish(Some(announced)).map(|(summary, _)| summary)
    };
    let changes: [fn(&mut IndexSummary); 3] =
        [|s| s.chunk_count += 1, |s| s.size -= 1, |s| s.csum[31] ^= 1];
    assert_eq!(close_fixed(&fixed).unwrap(), fixed);
    assert_eq!(close_dynamic(&dynamic).unwrap(), dynamic);
    for change in changes {
        let (mut other_fixed, mut other_dynamic) = (fixed, dynamic);
        change(&mut other_fixed);
        change(&mut other_dynamic);
        assert_invalid(close_fixed(&other_fixed));
        assert_invalid(close_dynamic(&other_dynamic));
    }
}

#[test]
fn an_incremental_index_adds_what_changed() {
    let (size, mut entries) = fixed_entries(9000, 64, 7);
    let (base_summary, base) = write_fixed(size, 64, &entries);
    let base = FixedIndex::open(base).unwrap();
    let start =
        || FixedIndexWriter::create(Cursor::new(Vec::new()), size, 64, [9; 16], CTIME + 1).unwrap();
    let mut writer = start();
    writer.copy_base(&base, &base_summary.csum).unwrap();
    entries[8999].digest = digest(77_777);
    writer.add(size, 7, &entries[8999].digest).unwrap();
    let (full, _) = write_fixed(size, 64, &entries);
    let announced = IndexSummary { chunk_count: 1, ..full };
    let (summary, file) = writer.finish(Some(&announced)).unwrap();
    assert_eq!(summary, full);
    let index = FixedIndex::open(file.into_inner()).unwrap();
    assert!(index.entries(0..9000).map(Result::unwrap).eq(entries.iter().copied()));

    assert_invalid(start().copy_base(&base, &[0; 32]));
    let mut longer =
        FixedIndexWriter::create(Cursor::new(Vec::new()), size + 64, 64, UUID, CTIME).unwrap();
    assert_invalid(longer.copy_base(&base, &base_summary.csum));
}

#[test]
fn a_dynamic_writer_appends_only_at_its_end() {
    let mut writer = DynamicIndexWriter::create(Cursor::new(Vec::new()), UUID, CTIME).unwrap();
    writer.add(0, 10, &digest(0)).unwrap();
    for (start, length) in [(0, 5), (9, 5), (11, 5), (10, 0), (10, 16 * MIB + 1), (10, u64::MAX)] {
        assert_invalid(writer.add(start, length, &digest(1)));
    }
    assert_eq!(writer.size(), 10);
    let empty = DynamicIndexWriter::create(Cursor::new(Vec::new()), UUID, CTIME).unwrap();
    assert_invalid(empty.finish(None).map(|_| ()));
}

fn check_reads(index: &impl ChunkIndex, entries: &[IndexEntry], summary: &IndexSummary) {
    let size = entries[entries.len() - 1].end;
    assert_eq!((index.chunk_count(), index.size()), (entries.len() as u64, size));
    assert_eq!(summary.chunk_count, entries.len() as u64);
    index.verify(summary.size, &summary.csum).unwrap();
    assert!(index.entries(0..u64::MAX).map(Result::unwrap).eq(entries.iter().copied()));
    for (position, entry) in entries.iter().enumerate() {
        let position = position as u64;
        assert_eq!(index.entry(position).unwrap(), *entry);
        for offset in [entry.start, entry.end - 1] {
            assert_eq!(index.chunk_at(offset).unwrap(), Some(position));
        }
    }
    for offset in [size, size + 1, u64::MAX] {
        assert_eq!(index.chunk_at(offset).unwrap(), None);
    }
}

proptest! {
    #[test]
    fn fixed_indexes_read_as_written(
        count in 1..200u64, power in 0..13u32, last: proptest::sample::Index, turn in 0..200usize,
    ) {
        let chunk_size = 1u64 << power;
        let last = 1 + last.index(chunk_size as usize) as u64;
        let (size, entries) = fixed_entries(count, chunk_size, last);
        let mut shuffled = entries.clone();
        shuffled.rotate_left(turn % entries.len());
        shuffled.reverse();
        let (summary, file) = write_fixed(size, chunk_size, &shuffled);
        check_reads(&FixedIndex::open(file).unwrap(), &entries, &summary);
    }

    #[test]
    fn dynamic_indexes_read_as_written(
        lengths in proptest::collection::vec(1..=CHUNK_SIZE_MAX, 1..200),
    ) {
        let entries = dynamic_entries(&lengths);
        let (summary, file) = write_dynamic(&entries);
        check_reads(&DynamicIndex::open(file).unwrap(), &entries, &summary);
    }

    #[test]
    fn any_flipped_bit_of_the_entries_or_the_geometry_is_noticed(
        lengths in proptest::collection::vec(1..=CHUNK_SIZE_MAX, 1..20),
        place: proptest::sample::Index,
    ) {
        let (size, entries) = fixed_entries(lengths.len() as u64, 4 * MIB, lengths[0].min(4 * MIB));
        let fixed = write_fixed(size, 4 * MIB, &entries);
        let dynamic = write_dynamic(&dynamic_entries(&lengths));
        for (kind, (summary, mut file)) in
            [(ArchiveKind::Fixed, fixed), (ArchiveKind::Dynamic, dynamic)]
        {
            let geometry = if kind == ArchiveKind::Fixed { 64..80 } else { 0..8 };
            let protected: Vec<usize> = geometry.chain(4096..file.len()).collect();
            let bit = place.index(8 * protected.len());
            file[protected[bit / 8]] ^= 1 << (bit % 8);
            let noticed = Index::open(kind, file)
                .and_then(|index| index.verify(summary.size, &summary.csum));
            prop_assert!(noticed.is_err());
        }
    }
}
