//! Vectors, round trips and damage of blobs (`formats.md` §1).

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::testing::{k0, unhex};

const LIMIT: usize = 1 << 20;

fn parse(raw: &[u8]) -> FormatResult<DataBlob> {
    DataBlob::from_raw(Bytes::copy_from_slice(raw))
}

fn iv() -> [u8; IV_LEN] {
    std::array::from_fn(|i| 0xa0 + i as u8)
}

#[test]
fn magics_are_the_digests_of_their_texts() {
    let texts = ["uncompressed", "zstd compressed", "encrypted", "zstd compressed encrypted"];
    for (kind, text) in BlobKind::ALL.into_iter().zip(texts) {
        let digest = plain_digest(format!("Proxmox Backup {text} blob v1.0").as_bytes());
        assert_eq!(kind.magic(), digest.0[..8], "{text}");
    }
}

#[test]
fn vectors_of_the_crc() {
    assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
    assert_eq!(crc32fast::hash(b""), 0);
}

#[test]
fn vectors_of_plain_blobs() {
    let raw = unhex("42ab3807be8370a1 86a61036 68656c6c6f");
    let blob = DataBlob::encode(b"hello", None, false).unwrap();
    assert_eq!(blob.raw(), &raw);
    assert_eq!(
        plain_digest(&raw).to_string(),
        "9c5944aba3379b450612203cafb5bf60c2358103550b7f799d197f4668f169d5"
    );
    assert_eq!(parse(&raw).unwrap().decode(None, LIMIT).unwrap(), "hello");
    let empty = DataBlob::encode(b"", None, true).unwrap();
    assert_eq!(empty.raw(), &unhex("42ab3807be8370a1 00000000"));
    assert_eq!(empty.decode(None, 0).unwrap(), "");
}

#[test]
fn vector_of_a_compressed_blob() {
    let raw = unhex("31b958426fb6a37f 21042155 28b52ffd00484d00001000000100fbf70116");
    let blob = parse(&raw).unwrap();
    assert!(blob.is_compressed() && !blob.is_encrypted());
    let digest = "ad7facb2586fc6e966c004d7d1d16b024f5805ff7cb47c7a85dabd8b48892ca7";
    let plain = blob.decode_chunk(None, &digest.parse().unwrap(), 4096).unwrap();
    assert_eq!(plain, vec![0; 4096]);
    assert_eq!(blob.decode(None, 128 << 20).unwrap(), plain);
}

#[test]
fn vector_of_an_encrypted_blob_needs_all_16_bytes_of_iv() {
    let raw = unhex(
        "7b6785be222d4cf0 93a6a883 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf \
         9df2249feea0c8e5eead5edf2badeb28 42c64fd077",
    );
    let blob = DataBlob::encode_with_iv(b"hello", Some(&k0()), true, &iv()).unwrap();
    assert_eq!(blob.raw(), &raw);
    assert_eq!(parse(&raw).unwrap().decode(Some(&k0()), LIMIT).unwrap(), "hello");
}

#[test]
fn a_plain_blob_decodes_without_a_copy() {
    let blob = DataBlob::encode(b"hello", None, false).unwrap();
    let plain = blob.decode(None, LIMIT).unwrap();
    assert_eq!(plain.as_ptr(), blob.raw()[PLAIN_HEADER_LEN..].as_ptr());
}

#[test]
fn fresh_ivs_differ() {
    let [a, b] = [0, 1].map(|_| DataBlob::encode(b"hello", Some(&k0()), false).unwrap());
    assert_ne!(a.raw(), b.raw());
}

#[test]
fn headers_that_are_none_are_corrupt() {
    let encrypted = DataBlob::encode(b"", Some(&k0()), false).unwrap();
    let mut strange = DataBlob::encode(b"x", None, false).unwrap().raw().to_vec();
    strange[7] ^= 1;
    for raw in [b"".as_slice(), &encrypted.raw()[..11], &encrypted.raw()[..43], &strange] {
        let error = parse(raw).unwrap_err();
        assert!(matches!(error, FormatError::Corrupt { .. }), "{error}");
    }
}

#[test]
fn a_wrong_crc_is_found_when_asked_for() {
    let mut raw = DataBlob::encode(b"hello", None, false).unwrap().raw().to_vec();
    raw[8..12].fill(0);
    assert!(matches!(parse(&raw), Err(FormatError::Checksum { .. })));
    let blob = DataBlob::from_raw_unverified(raw.into()).unwrap();
    assert!(matches!(blob.verify_crc(), Err(FormatError::Checksum { .. })));
    assert_eq!(blob.decode(None, LIMIT).unwrap(), "hello");
}

#[test]
fn the_crc_covers_what_follows_the_header_and_nothing_else() {
    for crypt in [None, Some(k0())] {
        let blob = DataBlob::encode(b"some content", crypt.as_ref(), false).unwrap();
        let header_len = blob.kind.header_len();
        for bit in 8 * PLAIN_HEADER_LEN..8 * blob.raw().len() {
            let covered = bit / 8 >= header_len;
            let flipped = flip(blob.raw(), bit);
            assert_eq!(parse(&flipped).is_err(), covered, "bit {bit}");
        }
    }
}

#[test]
fn encrypted_data_needs_its_key_and_shows_nothing_to_others() {
    let blob = DataBlob::encode(b"secret", Some(&k0()), false).unwrap();
    assert!(matches!(blob.decode(None, LIMIT), Err(FormatError::MissingKey { .. })));
    let other = CryptConfig::new([9; 32]).unwrap();
    let error = blob.decode(Some(&other), LIMIT).unwrap_err();
    assert!(matches!(error, FormatError::Checksum { .. }), "{error}");
    for bit in 8 * PLAIN_HEADER_LEN..8 * blob.raw().len() {
        let tampered = DataBlob::from_raw_unverified(flip(blob.raw(), bit).into()).unwrap();
        let error = tampered.decode(Some(&k0()), LIMIT).unwrap_err();
        assert!(matches!(error, FormatError::Checksum { .. }), "bit {bit}: {error}");
    }
}

#[test]
fn invalid_zstd_data_is_corrupt() {
    let mut raw = BlobKind { compressed: true, encrypted: false }.magic().to_vec();
    raw.extend(crc32fast::hash(b"rubbish!").to_le_bytes());
    raw.extend(b"rubbish!");
    let error = parse(&raw).unwrap().decode(None, LIMIT).unwrap_err();
    assert!(matches!(error, FormatError::Corrupt { .. }), "{error}");
}

#[test]
fn output_is_limited() {
    for crypt in [None, Some(k0())] {
        for compress in [false, true] {
            let blob = DataBlob::encode(&[0; 5000], crypt.as_ref(), compress).unwrap();
            assert_eq!(blob.is_compressed(), compress);
            assert!(blob.decode(crypt.as_ref(), 5000).is_ok());
            let error = blob.decode(crypt.as_ref(), 4999).unwrap_err();
            assert!(matches!(error, FormatError::TooLarge { limit: 4999, .. }), "{error}");
        }
    }
}

#[test]
fn input_is_limited() {
    let zeros = vec![0; BLOB_PLAIN_MAX + 1];
    let error = DataBlob::encode(&zeros, None, true).unwrap_err();
    assert!(matches!(error, FormatError::InvalidInput { .. }), "{error}");
    assert!(DataBlob::encode(&zeros[1..], None, true).is_ok());
    let mut raw = DataBlob::encode(b"", None, false).unwrap().raw().to_vec();
    raw.extend(zeros);
    let error = DataBlob::from_raw_unverified(raw.into()).unwrap_err();
    assert!(matches!(error, FormatError::TooLarge { .. }), "{error}");
}

#[test]
fn chunks_are_held_to_digest_and_length() {
    for crypt in [None, Some(k0())] {
        for compress in [false, true] {
            let data = [7; 3000];
            let digest = match &crypt {
                Some(crypt) => crypt.chunk_digest(&data),
                None => plain_digest(&data),
            };
            let blob = DataBlob::encode(&data, crypt.as_ref(), compress).unwrap();
            let decode = |digest, size| blob.decode_chunk(crypt.as_ref(), digest, size);
            assert_eq!(decode(&digest, 3000).unwrap(), data.as_slice());
            for size in [0, 2999, 3001, u64::MAX] {
                assert!(matches!(decode(&digest, size), Err(FormatError::Corrupt { .. })));
            }
            assert!(matches!(decode(&Digest([1; 32]), 3000), Err(FormatError::Checksum { .. })));
        }
    }
}

#[test]
fn a_plain_chunk_is_unkeyed_even_with_a_key_at_hand() {
    let blob = DataBlob::encode(b"hello", None, false).unwrap();
    assert!(blob.decode_chunk(Some(&k0()), &plain_digest(b"hello"), 5).is_ok());
    assert!(blob.decode_chunk(Some(&k0()), &k0().chunk_digest(b"hello"), 5).is_err());
}

fn flip(raw: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = raw.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let runs = proptest::collection::vec((any::<u8>(), 1..200usize), 0..20)
        .prop_map(|runs| runs.into_iter().flat_map(|(byte, n)| vec![byte; n]).collect());
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..2000), runs]
}

proptest! {
    #[test]
    fn a_check_in_pieces_says_what_a_check_of_the_whole_says(
        data in content(),
        encrypt: bool,
        damage in proptest::option::of(any::<proptest::sample::Index>()),
        piece in 1..70_usize,
    ) {
        let crypt = encrypt.then(k0);
        let mut raw = DataBlob::encode(&data, crypt.as_ref(), false).unwrap().into_raw().to_vec();
        if let Some(damage) = damage {
            let at = damage.index(raw.len());
            raw[at] ^= 1;
        }
        let mut check = BlobCheck::new();
        raw.chunks(piece).for_each(|piece| check.update(piece));
        let (whole, pieces) = (parse(&raw), check.finish());
        prop_assert_eq!(pieces.is_ok(), whole.is_ok());
        if let (Err(whole), Err(pieces)) = (whole, pieces) {
            prop_assert_eq!(pieces.to_string(), whole.to_string());
        }
    }

    #[test]
    fn what_was_encoded_decodes(data in content(), encrypt: bool, compress: bool) {
        let crypt = encrypt.then(k0);
        let blob = DataBlob::encode(&data, crypt.as_ref(), compress).unwrap();
        let again = parse(blob.raw()).unwrap();
        prop_assert_eq!(&again, &blob);
        prop_assert_eq!(again.is_encrypted(), encrypt);
        prop_assert!(again.raw().len() <= data.len() + again.kind.header_len());
        prop_assert_eq!(again.decode(crypt.as_ref(), data.len()).unwrap(), data);
    }

    #[test]
    fn any_flipped_bit_of_a_chunk_is_noticed(
        data in content(), encrypt: bool, compress: bool, place: proptest::sample::Index,
    ) {
        let crypt = encrypt.then(k0);
        let digest = crypt.as_ref().map_or_else(|| plain_digest(&data), |c| c.chunk_digest(&data));
        let blob = DataBlob::encode(&data, crypt.as_ref(), compress).unwrap();
        let flipped = flip(blob.raw(), place.index(8 * blob.raw().len()));
        let read = parse(&flipped).and_then(|blob| {
            blob.decode_chunk(crypt.as_ref(), &digest, data.len() as u64)
        });
        prop_assert!(read.is_err());
    }
}
