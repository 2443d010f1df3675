use std::io::Read;

use proptest::prelude::*;

use super::*;

/// Blob of a chunk, as a datastore has it.
fn blob(content: &[u8]) -> Vec<u8> {
    DataBlob::encode(content, None, false).unwrap().into_raw().to_vec()
}

fn digest(content: &[u8]) -> Digest {
    Digest(openssl::sha::sha256(content))
}

fn entry(content: &[u8]) -> Vec<u8> {
    let blob = blob(content);
    [&ChunkEntry::header(&digest(content), blob.len() as u64)[..], &blob].concat()
}

fn archive(contents: &[&[u8]]) -> Vec<u8> {
    contents.iter().flat_map(|content| entry(content)).collect()
}

fn reader(bytes: &[u8]) -> ChunkArchiveReader<&[u8]> {
    ChunkArchiveReader::new(bytes, ContentOffset(71))
}

/// The contents of the chunks that count, and whether the archive was cut short.
fn read_all(bytes: &[u8]) -> Result<(Vec<Vec<u8>>, bool)> {
    let mut reader = reader(bytes);
    let mut contents = Vec::new();
    while let Some((entry, blob)) = reader.next_chunk()? {
        let content = blob.decode(None, 1 << 20).unwrap().to_vec();
        assert_eq!(entry.digest, digest(&content));
        contents.push(content);
    }
    Ok((contents, reader.is_cut_short()))
}

fn digests(bytes: &[u8]) -> Vec<Digest> {
    let mut reader = reader(bytes);
    std::iter::from_fn(|| reader.next_checked().unwrap()).map(|entry| entry.digest).collect()
}

#[test]
fn entries_come_with_their_places() {
    let bytes = archive(&[b"ABC", b""]);
    let mut reader = reader(&bytes);
    let first = reader.next_entry().unwrap().unwrap();
    assert_eq!((first.digest, first.offset.0, first.blob_bytes), (digest(b"ABC"), 71, 15));
    let second = reader.next_entry().unwrap().unwrap();
    assert_eq!((second.digest, second.offset.0, second.blob_bytes), (digest(b""), 71 + 63, 12));
    assert_eq!(reader.next_entry().unwrap(), None);
    assert!(!reader.is_cut_short());
}

#[test]
fn a_place_is_a_block_and_a_byte() {
    assert_eq!(
        (ContentOffset(262_127).block(), ContentOffset(262_127).byte_in_block()),
        (0, 262_127)
    );
    assert_eq!((ContentOffset(262_128).block(), ContentOffset(262_128).byte_in_block()), (1, 0));
}

#[test]
fn the_three_ways_to_go_through_agree() {
    let bytes = archive(&[b"one", b"two", b"three"]);
    let expected = vec![b"one".to_vec(), b"two".to_vec(), b"three".to_vec()];
    assert_eq!(read_all(&bytes).unwrap(), (expected, false));
    let wanted: Vec<Digest> =
        [b"one".as_slice(), b"two", b"three"].into_iter().map(digest).collect();
    assert_eq!(digests(&bytes), wanted);
    let mut skipping = reader(&bytes);
    let mut found = Vec::new();
    while let Some(entry) = skipping.next_entry().unwrap() {
        assert!(skipping.skip_blob().unwrap());
        found.push(entry.digest);
    }
    assert_eq!(found, wanted);
}

#[test]
fn a_cut_blob_is_an_end_and_a_cut_header_is_damage() {
    let whole = archive(&[b"one", b"two"]);
    let first = entry(b"one").len();
    for len in 0..=whole.len() {
        let result = read_all(&whole[..len]);
        let into_entry = if len < first { len } else { len - first };
        if len == 0 || len == first || len == whole.len() {
            let (contents, cut_short) = result.unwrap();
            assert_eq!(
                (contents.len(), cut_short),
                (usize::from(len > 0) + usize::from(len > first), false)
            );
        } else if into_entry < CHUNK_ENTRY_HEADER_SIZE {
            assert!(result.unwrap_err().to_string().contains("ends after"), "{len}");
        } else {
            let (contents, cut_short) = result.unwrap();
            assert_eq!((contents.len(), cut_short), (usize::from(len > first), true), "{len}");
        }
    }
    let mut cut = reader(&whole[..whole.len() - 1]);
    assert!(cut.next_entry().unwrap().is_some() && cut.skip_blob().unwrap());
    assert!(cut.next_entry().unwrap().is_some() && !cut.skip_blob().unwrap());
    assert_eq!(cut.next_entry().unwrap(), None);
    assert!(cut.is_cut_short());
}

#[test]
fn damage_is_told_with_its_chunk_and_place() {
    let mut bytes = archive(&[b"one", b"two"]);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let error = read_all(&bytes).unwrap_err().to_string();
    assert!(error.contains(&digest(b"two").to_string()), "{error}");
    assert!(error.contains("at byte 134") && error.contains("CRC"), "{error}");

    let mut bytes = archive(&[b"one"]);
    bytes[0] ^= 1;
    let error = read_all(&bytes).unwrap_err().to_string();
    assert_eq!(error, "chunk archive: wrong magic number in the entry at byte 71");

    let mut unknown = archive(&[b"one"]);
    unknown[CHUNK_ENTRY_HEADER_SIZE] ^= 1;
    assert!(matches!(read_all(&unknown), Err(Error::Chunk { .. })));

    let short = [&ChunkEntry::header(&digest(b""), 11)[..], &blob(b"")[..11]].concat();
    assert!(matches!(read_all(&short), Err(Error::Chunk { .. })));
}

#[test]
fn an_absurd_length_is_a_cut_blob() {
    for length in [u64::MAX, 1 << 40, BLOB_BYTES_MAX + 1, BLOB_BYTES_MAX] {
        let bytes = [&ChunkEntry::header(&digest(b"x"), length)[..], &blob(b"x")].concat();
        assert_eq!(read_all(&bytes).unwrap(), (vec![], true), "{length}");
    }
}

#[test]
fn a_blob_larger_than_any_is_refused_without_being_held() {
    let length = BLOB_BYTES_MAX + 1;
    let header = ChunkEntry::header(&digest(b"x"), length);
    let content = header.as_slice().chain(io::BufReader::new(io::repeat(0)).take(length));
    let mut reader = ChunkArchiveReader::new(content, ContentOffset(0));
    assert!(reader.next_entry().unwrap().is_some());
    let error = reader.read_blob().unwrap_err().to_string();
    assert!(error.contains("larger than"), "{error}");
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..8),
        cut in any::<proptest::sample::Index>(),
    ) {
        let slices: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
        let bytes = archive(&slices);
        prop_assert_eq!(read_all(&bytes).unwrap(), (contents.clone(), false));
        if let Ok((found, _)) = read_all(&bytes[..cut.index(bytes.len() + 1)]) {
            prop_assert_eq!(found.as_slice(), &contents[..found.len()]);
        }
    }
}
