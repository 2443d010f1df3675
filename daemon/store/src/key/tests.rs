//! Vectors, round trips and damage of key files (`formats.md` §6).

use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::symm::Cipher;
use proptest::prelude::*;

use super::*;
use crate::blob::DataBlob;
use crate::testing::{fixtures, k0, unhex};

const K0_DATA: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SCRYPT_DATA: &str = "EBESExQVFhcYGRobHB0eH83Wcqu9ePY5RwZpuW/gbKcTPdMc9OsvFjsfSvnJn69+\
                           SuKiJGlnM7m5Irf7JubSLQ==";
const PBKDF2_DATA: &str = "EBESExQVFhcYGRobHB0eH51xM8sO9qG0/9beWfUq++2NXo5lEilcGhGTLyq7gNH3\
                           0WVCRwacwghYxbGidwcrlQ==";

fn created() -> KeyTime {
    "2020-06-26T15:56:05+02:00".parse().unwrap()
}

fn randomness() -> KeyRandomness {
    KeyRandomness {
        salt: std::array::from_fn(|i| i as u8),
        iv: std::array::from_fn(|i| 0x10 + i as u8),
    }
}

fn protected(kdf: KdfKind, passphrase: &[u8], hint: Option<&str>) -> FormatResult<KeyFile> {
    let protection = Protection { kdf, passphrase, hint };
    KeyFile::protected(&k0(), &protection, created(), created(), &randomness())
}

fn text(kdf: &str, data: &str, more: &str) -> String {
    format!(
        "{{\"kdf\":{kdf},\"created\":\"2020-06-26T15:56:05+02:00\",\
         \"modified\":\"2020-06-26T15:56:05+02:00\",\"data\":\"{data}\"{more}}}"
    )
}

fn unlock(text: &str, passphrase: &str) -> FormatResult<CryptConfig> {
    KeyFile::parse(text.as_bytes())?.unlock(|| Ok(passphrase.into()))
}

fn never() -> std::io::Result<Vec<u8>> {
    panic!("asked for a pass phrase")
}

fn assert_corrupt<T: std::fmt::Debug>(result: FormatResult<T>) {
    assert!(matches!(result, Err(FormatError::Corrupt { .. })), "{result:?}");
}

fn assert_invalid<T: std::fmt::Debug>(result: FormatResult<T>) {
    assert!(matches!(result, Err(FormatError::InvalidInput { .. })), "{result:?}");
}

#[test]
fn vectors_of_derived_keys() {
    let salt = randomness().salt;
    for (kind, want) in [
        (KdfKind::Scrypt, "023e81b1ba22fde902ceef09b08f3d34d7964ade135dbb6af13f8509766a5c37"),
        (KdfKind::Pbkdf2, "243b3388a29d3c05c2162048613ae02aea9cdfe31564ba1b98bfe66279a4545f"),
    ] {
        let derived = Kdf::new(kind, &salt).derive(b"12345").unwrap();
        assert_eq!(derived.as_slice(), unhex(want), "{kind:?}");
    }
}

#[test]
fn vectors_of_key_files() {
    let plain = KeyFile::unprotected(&k0(), created(), created()).to_json().unwrap();
    let fingerprint = format!(",\"fingerprint\":\"{}\"", k0().fingerprint());
    assert_eq!(plain, text("null", K0_DATA, &fingerprint));
    let scrypt = protected(KdfKind::Scrypt, b"12345", None).unwrap().to_json().unwrap();
    let kdf = format!("{{\"Scrypt\":{{\"n\":65536,\"r\":8,\"p\":1,\"salt\":\"{K0_DATA}\"}}}}");
    assert_eq!(scrypt, text(&kdf, SCRYPT_DATA, &fingerprint));
    let pbkdf2 = protected(KdfKind::Pbkdf2, b"12345", Some("digits")).unwrap().to_json().unwrap();
    let kdf = format!("{{\"PBKDF2\":{{\"iter\":65535,\"salt\":\"{K0_DATA}\"}}}}");
    let more = format!("{fingerprint},\"hint\":\"digits\"");
    assert_eq!(pbkdf2, text(&kdf, PBKDF2_DATA, &more));
    for file in [scrypt, pbkdf2] {
        assert_eq!(unlock(&file, "12345").unwrap().enc_key(), k0().enc_key());
    }
    let key_file = KeyFile::parse(plain.as_bytes()).unwrap();
    assert_eq!(key_file.unlock(never).unwrap().enc_key(), k0().enc_key());
}

#[test]
fn a_file_without_fingerprint_loads_and_one_with_another_does_not() {
    assert!(unlock(&text("null", K0_DATA, ""), "").is_ok());
    let other = CryptConfig::new([1; 32]).unwrap().fingerprint();
    let lying = text("null", K0_DATA, &format!(",\"fingerprint\":\"{other}\""));
    match unlock(&lying, "") {
        Err(FormatError::WrongKey { want, have }) => {
            assert_eq!((want, have), (other, k0().fingerprint()));
        }
        result => panic!("{result:?}"),
    }
}

#[test]
fn a_wrong_pass_phrase_tells_the_hint() {
    let file = protected(KdfKind::Pbkdf2, b"12345", Some("digits")).unwrap();
    let error = file.unlock(|| Ok(b"54321".to_vec())).unwrap_err();
    assert!(matches!(error, FormatError::WrongPassphrase { .. }), "{error}");
    assert!(error.to_string().contains("digits"), "{error}");
    assert_invalid(file.unlock(|| Ok(b"1234".to_vec())));
    assert_invalid(protected(KdfKind::Pbkdf2, b"1234", None));
    for hint in ["", "a\nb", &"x".repeat(65)] {
        assert_invalid(protected(KdfKind::Pbkdf2, b"12345", Some(hint)));
    }
}

#[test]
fn damaged_files_are_corrupt() {
    let pbkdf2 = format!("{{\"PBKDF2\":{{\"iter\":1,\"salt\":\"{K0_DATA}\"}}}}");
    let both = r#"{"PBKDF2":{"iter":1,"salt":""},"Scrypt":{"n":2,"r":1,"p":1,"salt":""}}"#;
    for file in [
        "",
        "[]",
        &text("null", "AAECAw==", ""),
        &text("null", "not base64!", ""),
        &text(&pbkdf2, "AAECAw==", ""),
        &text("{\"Argon\":{}}", SCRYPT_DATA, ""),
        &text("{}", SCRYPT_DATA, ""),
        &text(both, SCRYPT_DATA, ""),
        &text("null", K0_DATA, ",\"fingerprint\":\"12:34\""),
        &text("null", K0_DATA, "").replace("2020-", "2020/"),
    ] {
        assert_corrupt(unlock(file, "12345"));
    }
    let huge = text("null", K0_DATA, &" ".repeat(KEY_FILE_LEN_MAX));
    assert!(matches!(unlock(&huge, ""), Err(FormatError::TooLarge { .. })));
}

#[test]
fn sealed_keys_of_a_wrong_length_are_corrupt() {
    let randomness = randomness();
    let kdf = Kdf::Pbkdf2 { iterations: 1, salt: Vec::new() };
    for length in [0, 31, 33] {
        let mut sealed = vec![7; length];
        let derived = kdf.derive(b"12345").unwrap();
        let tag = aes_seal(&derived, &randomness.iv, &mut sealed).unwrap();
        let data = STANDARD.encode([&randomness.iv[..], &tag, &sealed].concat());
        assert_corrupt(unlock(
            &text("{\"PBKDF2\":{\"iter\":1,\"salt\":\"\"}}", &data, ""),
            "12345",
        ));
    }
}

#[test]
fn absurd_parameters_are_refused_at_once() {
    for (n, r, p) in [
        (0, 8, 1),
        (1, 8, 1),
        (65_535, 8, 1),
        (65_536, 0, 1),
        (65_536, 8, 0),
        (1 << 24, 8, 1),
        (2u64, 1u64, 1u64 << 40),
        (1 << 63, 1 << 63, 1 << 63),
    ] {
        let kdf = format!("{{\"Scrypt\":{{\"n\":{n},\"r\":{r},\"p\":{p},\"salt\":\"\"}}}}");
        assert_corrupt(unlock(&text(&kdf, SCRYPT_DATA, ""), "12345"));
    }
    for iterations in [0, 10_000_001, u64::MAX] {
        let kdf = format!("{{\"PBKDF2\":{{\"iter\":{iterations},\"salt\":\"\"}}}}");
        assert_corrupt(unlock(&text(&kdf, PBKDF2_DATA, ""), "12345"));
    }
}

#[test]
fn neither_debug_nor_errors_show_the_key() {
    let shown = format!("{:?}", KeyFile::unprotected(&k0(), created(), created()));
    assert!(!shown.contains("AAECAw") && !shown.contains("data"), "{shown}");
    let misplaced = text(&format!("\"{K0_DATA}\""), "", "");
    let error = KeyFile::parse(misplaced.as_bytes()).unwrap_err();
    assert!(!format!("{error:?}").contains("AAECAw"), "{error:?}");
}

#[test]
fn a_master_key_opens_what_was_sealed_for_it() {
    let rsa = PKey::from_rsa(Rsa::generate(3072).unwrap()).unwrap();
    let public = rsa.public_key_to_pem().unwrap();
    let private =
        rsa.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), b"master").unwrap();
    let modified: KeyTime = "2021-01-01T00:00:00+00:00".parse().unwrap();
    let blob = seal_for_master(&k0(), created(), modified, &public).unwrap();
    assert_eq!(blob.raw().len(), 12 + 3072 / 8);
    assert!(!blob.is_compressed() && !blob.is_encrypted());
    let opened = open_with_master(blob.raw().clone(), &private, b"master").unwrap();
    assert_eq!((opened.created(), opened.modified()), (created(), modified));
    assert_eq!(opened.unlock(never).unwrap().enc_key(), k0().enc_key());

    assert_invalid(open_with_master(blob.raw().clone(), &private, b"mister"));
    assert_invalid(open_with_master(blob.raw().clone(), b"no PEM", b""));
    let other = PKey::from_rsa(Rsa::generate(3072).unwrap()).unwrap();
    let other = other.private_key_to_pem_pkcs8().unwrap();
    assert_corrupt(open_with_master(blob.into_raw(), &other, b""));
    let short = DataBlob::encode(b"short", None, false).unwrap();
    assert_corrupt(open_with_master(short.into_raw(), &other, b""));
}

#[test]
fn small_master_keys_are_refused() {
    let small = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let small = small.public_key_to_pem().unwrap();
    assert_invalid(seal_for_master(&k0(), created(), created(), &small));
    assert_invalid(seal_for_master(&k0(), created(), created(), b"no PEM"));
}

#[test]
fn key_files_of_pbs_open_and_print_as_they_were() {
    let Some(folder) = fixtures().map(|folder| folder.join("pbs-datastore-store1.keys")) else {
        return;
    };
    for name in ["enc-none.key", "enc-scrypt.key", "enc-pbkdf2.key"] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let file = KeyFile::parse(text.as_bytes()).unwrap();
        assert_eq!(file.to_json().unwrap(), text.trim_end());
        let key = file.unlock(|| Ok(b"key Pass-word 1".to_vec())).unwrap();
        assert_eq!(Some(key.fingerprint()), file.fingerprint());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn what_was_locked_unlocks(
        key: [u8; 32], passphrase in proptest::collection::vec(any::<u8>(), 5..40),
        salt: [u8; 32], iv: [u8; 16], hint in proptest::option::of("[^\\p{Cc}]{1,64}"),
        epoch in 0..4_000_000_000i64,
    ) {
        let crypt = CryptConfig::new(key).unwrap();
        let time = KeyTime::at(epoch, &jiff::tz::TimeZone::UTC).unwrap();
        let protection = Protection {
            kdf: KdfKind::Pbkdf2, passphrase: &passphrase, hint: hint.as_deref(),
        };
        let randomness = KeyRandomness { salt, iv };
        let made = KeyFile::protected(&crypt, &protection, time, time, &randomness).unwrap();
        let read = KeyFile::parse(made.to_json().unwrap().as_bytes()).unwrap();
        prop_assert_eq!(read.hint(), hint.as_deref());
        prop_assert_eq!((read.created(), read.kdf()), (time, made.kdf()));
        let unlocked = read.unlock(|| Ok(passphrase)).unwrap();
        prop_assert_eq!(unlocked.enc_key(), &key);
    }
}
