//! Vectors, round trips and damage of manifests (`formats.md` §5).

use proptest::prelude::*;

use super::*;
use crate::key::Kdf;
use crate::testing::k0;

const CANONICAL: &str = concat!(
    r#"{"backup-id":"elsa","backup-time":1593179765,"backup-type":"host","files":["#,
    r#"{"crypt-mode":"encrypt","csum":"0101010101010101010101010101010101010101010101010101010101010101","#,
    r#""filename":"test1.img.fidx","size":200},"#,
    r#"{"crypt-mode":"none","csum":"0202020202020202020202020202020202020202020202020202020202020202","#,
    r#""filename":"abc.blob","size":200}]}"#,
);
const SIGNATURE_TEXT: &str = "d7b446fb7db081662081d4b40fedd858a1d6307a5aff4ecff7d5bf4fd35679e9";

fn snapshot() -> Snapshot {
    "host/elsa/2020-06-26T13:56:05Z".parse().unwrap()
}

fn vector_key() -> CryptConfig {
    let kdf = Kdf::Scrypt { n: 65_536, r: 8, p: 1, salt: Vec::new() };
    CryptConfig::from_slice(&*kdf.derive(b"test").unwrap()).unwrap()
}

fn file(name: &str, crypt_mode: CryptMode, size: u64, byte: u8) -> ManifestFile {
    ManifestFile { name: name.parse().unwrap(), crypt_mode, size, csum: [byte; 32] }
}

fn elsa() -> Manifest {
    let mut manifest = Manifest::new(snapshot());
    manifest.add_file(file("test1.img.fidx", CryptMode::Encrypt, 200, 1)).unwrap();
    manifest.add_file(file("abc.blob", CryptMode::None, 200, 2)).unwrap();
    manifest
}

fn parse(text: &str) -> FormatResult<Manifest> {
    Manifest::from_json(text.as_bytes())
}

fn reread(manifest: &Manifest) -> Manifest {
    let again = Manifest::from_raw(manifest.to_blob().unwrap().into_raw()).unwrap();
    assert_eq!(&again, manifest);
    again
}

#[test]
fn vector_of_the_key() {
    assert_eq!(
        vector_key().fingerprint().to_string(),
        "12:b9:b7:74:bb:3d:89:95:2b:97:cb:c2:82:f0:0c:14:\
         2b:83:ba:7f:96:62:6a:a1:5a:44:9a:63:e8:91:fe:25"
    );
}

#[test]
fn vector_of_the_signature() {
    let key = vector_key();
    let mut manifest = elsa();
    manifest.set_notes("not signed");
    manifest.sign(&key).unwrap();
    assert_eq!(manifest.signature(), Some(SIGNATURE_TEXT));
    assert_eq!(manifest.key_fingerprint().unwrap(), Some(key.fingerprint()));
    let bare = parse(CANONICAL).unwrap();
    assert_eq!(canonical_object(&bare.json).unwrap(), CANONICAL.as_bytes());
    assert_eq!(Digest(bare.expected_signature(&key).unwrap()).to_string(), SIGNATURE_TEXT);
    assert_eq!(reread(&manifest).check_signature(&key).unwrap(), SignatureCheck::Valid);
}

#[test]
fn the_signature_lives_through_changes_of_the_unprotected_part() {
    let mut manifest = elsa();
    manifest.sign(&k0()).unwrap();
    manifest.set_notes("Zeile 1\nZeile 2 ü");
    let state = VerifyState { upid: "UPID:x:".into(), state: VerifyOutcome::Failed };
    manifest.set_verify_state(&state);
    let stats = ChunkUploadStats { count: 1, size: 2, compressed_size: 3, duplicates: 4 };
    manifest.set_chunk_upload_stats(&stats);
    let read = reread(&manifest);
    assert_eq!(read.check_signature(&k0()).unwrap(), SignatureCheck::Valid);
    assert_eq!(read.notes(), Some("Zeile 1\nZeile 2 ü"));
    assert_eq!(read.verify_state().unwrap(), Some(state));
    assert_eq!(read.chunk_upload_stats().unwrap(), Some(stats));
    let restored = read.without_verify_state();
    assert_eq!(restored.verify_state().unwrap(), None);
    assert_eq!((restored.notes(), restored.files()), (read.notes(), read.files()));
}

#[test]
fn unknown_members_stay_and_are_signed() {
    let with_more = CANONICAL
        .replace("\"size\":200}]", "\"size\":200,\"later\":[1,2]}]")
        .replace("\"files\"", "\"zweck\":{\"b\":\"ü\",\"a\":-1},\"files\"");
    let mut manifest = parse(&with_more).unwrap();
    manifest.sign(&k0()).unwrap();
    let read = reread(&manifest);
    assert_eq!(read.check_signature(&k0()).unwrap(), SignatureCheck::Valid);
    let text = String::from_utf8(read.to_json().unwrap()).unwrap();
    assert!(text.contains("\"zweck\"") && text.contains("\"later\""), "{text}");
    for (from, to) in [("-1", "-2"), ("later", "later2"), ("zweck", "zwecke")] {
        let error = parse(&text.replace(from, to)).unwrap().check_signature(&k0()).unwrap_err();
        assert!(matches!(error, FormatError::Checksum { .. }), "{error}");
    }
}

#[test]
fn a_manifest_prints_as_pbs_prints_it() {
    let mut manifest = Manifest::new(snapshot());
    manifest.add_file(file("abc.blob", CryptMode::SignOnly, 7, 2)).unwrap();
    let want = format!(
        "{{\n  \"backup-id\": \"elsa\",\n  \"backup-time\": 1593179765,\n  \"backup-type\": \"host\",\n  \
         \"files\": [\n    {{\n      \"crypt-mode\": \"sign-only\",\n      \"csum\": \"{}\",\n      \
         \"filename\": \"abc.blob\",\n      \"size\": 7\n    }}\n  ],\n  \"signature\": null,\n  \
         \"unprotected\": {{}}\n}}",
        "02".repeat(32)
    );
    assert_eq!(String::from_utf8(manifest.to_json().unwrap()).unwrap(), want);
    assert!(manifest.to_blob().unwrap().is_compressed());
}

#[test]
fn a_manifest_that_could_not_be_read_again_is_not_made() {
    let mut manifest = elsa();
    manifest.set_notes(&"x".repeat(MANIFEST_JSON_MAX));
    assert!(matches!(manifest.to_blob(), Err(FormatError::TooLarge { .. })));
}

#[test]
fn very_old_manifests_lack_members() {
    let old = CANONICAL.replace("\"crypt-mode\":\"none\",", "");
    for text in [old.clone(), old.replace("\"files\"", "\"unprotected\":null,\"files\"")] {
        let mut manifest = parse(&text).unwrap();
        assert_eq!(manifest.file("abc.blob").unwrap().crypt_mode, CryptMode::None);
        assert_eq!((manifest.notes(), manifest.is_signed()), (None, false));
        manifest.remove_verify_state();
        manifest.set_notes("now");
        assert_eq!(reread(&manifest).notes(), Some("now"));
    }
}

#[test]
fn what_is_no_manifest_is_corrupt() {
    let csum = "02".repeat(32);
    for (from, to) in [
        ("\"backup-id\"", "\"id\""),
        ("\"elsa\"", "7"),
        ("\"elsa\"", "\"../elsa\""),
        ("1593179765", "\"1593179765\""),
        ("1593179765", "0"),
        ("\"host\"", "\"guest\""),
        ("\"files\"", "\"signature\":7,\"files\""),
        ("\"files\"", "\"unprotected\":[],\"files\""),
        ("\"files\"", "\"fils\""),
        ("\"filename\"", "\"name\""),
        ("\"crypt-mode\":\"none\"", "\"crypt-mode\":\"some\""),
        (":200", ":-200"),
        (":200", ":2.5"),
        (":200", ":\"200\""),
        (&csum, &csum[1..]),
        (&csum, "x"),
        ("]}", "]"),
    ] {
        assert!(CANONICAL.contains(from), "{from}");
        let result = parse(&CANONICAL.replace(from, to));
        assert!(matches!(result, Err(FormatError::Corrupt { .. })), "{from} {to}: {result:?}");
    }
    for text in ["", "[]", "null", "\u{7f}"] {
        assert!(matches!(parse(text), Err(FormatError::Corrupt { .. })), "{text}");
    }
}

#[test]
fn names_that_are_no_files_of_a_snapshot_are_refused() {
    for name in ["abc", "abc.conf", "../abc.blob", "a/b.blob", ""] {
        let result = parse(&CANONICAL.replace("abc.blob", name));
        assert!(matches!(result, Err(FormatError::InvalidInput { .. })), "{name}: {result:?}");
    }
}

#[test]
fn an_encrypted_or_damaged_blob_is_no_manifest() {
    let text = elsa().to_json().unwrap();
    let encrypted = DataBlob::encode(&text, Some(&k0()), true).unwrap();
    let result = Manifest::from_raw(encrypted.into_raw());
    assert!(matches!(result, Err(FormatError::Corrupt { .. })), "{result:?}");
    let mut raw = elsa().to_blob().unwrap().into_raw().to_vec();
    raw[20] ^= 1;
    let result = Manifest::from_raw(raw.into());
    assert!(matches!(result, Err(FormatError::Checksum { .. })), "{result:?}");
}

#[test]
fn files_are_found_by_name_and_listed_once() {
    let mut manifest = elsa();
    assert_eq!(manifest.file("test1.img.fidx").unwrap().size, 200);
    let error = manifest.file("none.blob").unwrap_err();
    assert!(matches!(error, FormatError::NotListed { .. }), "{error}");
    let again = manifest.add_file(file("abc.blob", CryptMode::None, 1, 1));
    assert!(matches!(again, Err(FormatError::InvalidInput { .. })), "{again:?}");
    assert_eq!(manifest.files().len(), 2);
}

#[test]
fn blobs_are_held_against_their_entry() {
    let raw = DataBlob::encode(b"conf", None, false).unwrap().into_raw();
    let entry = ManifestFile::of_blob("a.conf.blob".parse().unwrap(), CryptMode::None, &raw);
    entry.verify_blob(&raw).unwrap();
    let mut other = raw.to_vec();
    other[0] ^= 1;
    for bad in [&raw[1..], &other] {
        let result = entry.verify_blob(bad);
        assert!(matches!(result, Err(FormatError::Checksum { .. })), "{result:?}");
    }
}

#[test]
fn another_key_is_named_with_the_right_one() {
    let mut manifest = elsa();
    let unsigned = manifest.check_signature(&k0()).unwrap();
    assert_eq!(unsigned, SignatureCheck::Unsigned);
    assert!(manifest.check_key(None).is_ok() && manifest.check_key(Some(&k0())).is_ok());
    manifest.sign(&k0()).unwrap();
    let other = vector_key();
    assert!(manifest.check_key(Some(&k0())).is_ok());
    for result in [manifest.check_key(Some(&other)), manifest.check_signature(&other).map(|_| ())] {
        match result {
            Err(FormatError::WrongKey { want, have }) => {
                assert_eq!((want, have), (k0().fingerprint(), other.fingerprint()));
            }
            result => panic!("{result:?}"),
        }
    }
    match manifest.check_key(None) {
        Err(FormatError::MissingKey { fingerprint }) => {
            assert_eq!(fingerprint, Some(k0().fingerprint()));
        }
        result => panic!("{result:?}"),
    }
}

#[test]
fn a_wrong_signature_or_a_signed_null_is_an_error() {
    let mut manifest = elsa();
    manifest.sign(&k0()).unwrap();
    let text = String::from_utf8(manifest.to_json().unwrap()).unwrap();
    let signature = manifest.signature().unwrap();
    for bad in ["", "00", &signature.to_uppercase(), &"0".repeat(64)] {
        let result = parse(&text.replace(signature, bad)).unwrap().check_signature(&k0());
        assert!(matches!(result, Err(FormatError::Checksum { .. })), "{bad}: {result:?}");
    }
    let with_null = text.replacen("\"files\"", "\"new\": null, \"files\"", 1);
    let result = parse(&with_null).unwrap().check_signature(&k0());
    assert!(matches!(result, Err(FormatError::Corrupt { .. })), "{result:?}");
}

#[test]
fn unreadable_unprotected_members_are_told() {
    let more = r#""unprotected":{"verify_state":{"upid":"x","state":"maybe"},
        "chunk_upload_stats":[1],"key-fingerprint":"12:34"},"files""#;
    let manifest = parse(&CANONICAL.replace("\"files\"", more)).unwrap();
    assert!(matches!(manifest.verify_state(), Err(FormatError::Corrupt { .. })));
    assert!(matches!(manifest.chunk_upload_stats(), Err(FormatError::Corrupt { .. })));
    assert!(matches!(manifest.key_fingerprint(), Err(FormatError::Corrupt { .. })));
    assert!(matches!(manifest.check_key(None), Err(FormatError::Corrupt { .. })));
}

fn any_file() -> impl Strategy<Value = ManifestFile> {
    let mode =
        prop_oneof![Just(CryptMode::None), Just(CryptMode::Encrypt), Just(CryptMode::SignOnly)];
    let name = "[A-Za-z0-9_][A-Za-z0-9._-]{0,20}\\.(fidx|didx|blob)";
    (name, mode, any::<u64>(), any::<[u8; 32]>()).prop_map(|(name, crypt_mode, size, csum)| {
        ManifestFile { name: name.parse().unwrap(), crypt_mode, size, csum }
    })
}

proptest! {
    #[test]
    fn manifests_read_as_written(
        files in proptest::collection::vec(any_file(), 0..10), notes: String, signed: bool,
    ) {
        let mut manifest = Manifest::new(snapshot());
        let added: Vec<_> =
            files.into_iter().filter(|file| manifest.add_file(file.clone()).is_ok()).collect();
        manifest.set_notes(&notes);
        if signed {
            manifest.sign(&k0()).unwrap();
        }
        let read = reread(&manifest);
        prop_assert_eq!(read.files(), &added);
        prop_assert_eq!(read.notes(), Some(notes.as_str()));
        let want = if signed { SignatureCheck::Valid } else { SignatureCheck::Unsigned };
        prop_assert_eq!(read.check_signature(&k0()).unwrap(), want);
    }

    #[test]
    fn a_flipped_bit_of_the_signed_text_is_noticed(place: proptest::sample::Index) {
        let mut manifest = elsa();
        manifest.sign(&k0()).unwrap();
        let mut text = manifest.to_json().unwrap();
        let protected = text.windows(13).position(|part| part == b"\"unprotected\"").unwrap();
        let bit = place.index(8 * protected);
        text[bit / 8] ^= 1 << (bit % 8);
        // White space may become other white space, which changes nothing.
        let harmless = Manifest::from_json(&text).is_ok_and(|read| read == manifest);
        let noticed = Manifest::from_json(&text).and_then(|read| read.check_signature(&k0()));
        prop_assert!(harmless || !matches!(noticed, Ok(SignatureCheck::Valid)));
    }
}
