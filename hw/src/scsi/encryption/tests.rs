//! Golden encryption pages; the traces are those of PBS with an emulated drive.

use super::*;
use crate::fuzz::assert_round_trip;
use crate::scsi::test_bytes::hex;
use proptest::prelude::*;

/// Recorded: capabilities of an emulated drive, PBS clearing the key, and the status after that.
const CAPABILITIES: &str = "00100028 09000000 00000000 00000000 00000000
    01000014 ca300020 000c0020 41000000 00000000 00010014";
const CLEAR: &str = "00100010 40000000 01000000 00000000 00000000";
const STATUS: &str = "00200014 42000000 00000026 00000000 00000000 00000000";

#[test]
fn capabilities_of_a_drive() {
    let capabilities = EncryptionCapabilities::decode(&hex(CAPABILITIES)).unwrap();
    assert_eq!((capabilities.external_control, capabilities.configuration), (2, 1));
    let algorithm = capabilities.aes_gcm().unwrap();
    assert_eq!((algorithm.index, algorithm.key_bytes), (1, 32));
    assert_eq!((algorithm.unauthenticated_max, algorithm.authenticated_max), (32, 12));
    assert_eq!(capabilities.encode(), hex(CAPABILITIES));
}

#[test]
fn drives_without_the_algorithm() {
    let decode = |at: usize, byte: u8| {
        let mut bytes = hex(CAPABILITIES);
        bytes[at] = byte;
        EncryptionCapabilities::decode(&bytes)
    };
    for (at, byte) in [(43, 0x10), (24, 0xC6), (24, 0xC9), (31, 16)] {
        assert_eq!(decode(at, byte).unwrap().aes_gcm(), None);
    }
    let refused = |at, byte| decode(at, byte).unwrap_err().to_string();
    assert!(refused(23, 0x15).contains("got wrong key descriptor len"));
    assert!(refused(1, 0x11).contains("wrong page code"));
    assert!(refused(3, 0x29).contains("needed"));
}

#[test]
fn what_follows_the_page_is_cut_off() {
    let mut bytes = hex(CAPABILITIES);
    bytes.resize(8196, 0);
    assert_eq!(EncryptionCapabilities::decode(&bytes).unwrap().algorithms.len(), 1);
}

/// Spec scsi.md §16.
#[test]
fn a_key_is_set() {
    let set = SetDataEncryption::mixed(7, EncryptionKey::new(&[0xA5; 32]));
    let head = hex("0010 0030 40 00 02 03 07 00 0000000000000000 0020");
    assert_eq!(*set.encode(), [head, vec![0xA5; 32]].concat());
    assert_eq!(set.encode().len(), 52);
    assert_eq!(SetDataEncryption::decode(&set.encode()).unwrap(), set);
    assert!(!format!("{set:?}").contains("165"), "a key is printed");
}

#[test]
fn a_key_is_cleared() {
    assert_eq!(*SetDataEncryption::off(1).encode(), hex(CLEAR));
    let cleared = SetDataEncryption::decode(&hex(CLEAR)).unwrap();
    assert_eq!(cleared, SetDataEncryption::off(1));
}

#[test]
fn keys_of_other_lengths_are_refused() {
    let bytes = hex("0010 0011 40 00 02 03 01 00 0000000000000000 0001 FF");
    let refused = SetDataEncryption::decode(&bytes).unwrap_err().to_string();
    assert!(refused.contains("wrong key length (1)"));
    let cut = hex("0010 0030 40 00 02 03 01 00 0000000000000000 0020 FF");
    assert!(SetDataEncryption::decode(&cut).is_err());
}

#[test]
fn status_of_a_drive() {
    let status = EncryptionStatus::decode(&hex(STATUS)).unwrap();
    assert_eq!(status.mode().unwrap(), EncryptionMode::Off);
    assert_eq!((status.host_scope, status.key_scope, status.key_instance), (2, 2, 0x26));
    assert_eq!(status.encode(), hex(STATUS));
    let odd = EncryptionStatus { encryption: 1, ..status };
    assert!(odd.mode().unwrap_err().to_string().contains("unknown encryption mode"));
    assert!(EncryptionStatus::decode(&hex("0010 0000")).is_err());
}

#[test]
fn modes_keep_their_numbers() {
    use EncryptionMode::*;
    for mode in [Off, On, Mixed, RawRead] {
        let (encryption, decryption) = mode.numbers();
        assert_eq!(EncryptionMode::from_numbers(encryption, decryption).unwrap(), mode);
    }
}

#[test]
fn pages_that_there_are() {
    let bytes = hex("0000 0006 0000 0010 0020");
    let pages = SupportedPages::decode(&bytes, page::SUPPORTED_IN).unwrap();
    assert_eq!(pages.codes, [0, 0x10, 0x20]);
    assert_eq!(pages.encode(page::SUPPORTED_IN), bytes);
    assert!(SupportedPages::decode(&bytes, page::SUPPORTED_OUT).is_err());
}

proptest! {
    #[test]
    fn no_bytes_panic(content in proptest::collection::vec(any::<u8>(), 0..96), key_length in 0u8..2) {
        let page = |code: u16, content: &[u8]| close(code, Writer::new().bytes(content));
        let capabilities = page(page::CAPABILITIES, &content);
        let status = page(page::STATUS, &content);
        let mut set = content.clone();
        set.resize(set.len().max(50), 0);
        set[14..16].copy_from_slice(&[0, key_length * 32]);
        for bytes in [&content, &capabilities, &status, &page(page::SET, &set)] {
            assert_round_trip(bytes, EncryptionCapabilities::decode, EncryptionCapabilities::encode);
            assert_round_trip(bytes, EncryptionStatus::decode, EncryptionStatus::encode);
            assert_round_trip(bytes, SetDataEncryption::decode, |page| page.encode().to_vec());
            let decode = |bytes: &[u8]| SupportedPages::decode(bytes, page::CAPABILITIES);
            assert_round_trip(bytes, decode, |pages| pages.encode(page::CAPABILITIES));
        }
    }

    #[test]
    fn algorithms_come_back(bytes: [u8; 24]) {
        let mut bytes = bytes;
        bytes[2..4].copy_from_slice(&ALGORITHM_BYTES.to_be_bytes());
        let content = [vec![0; 16], bytes.to_vec()].concat();
        let page = close(page::CAPABILITIES, Writer::new().bytes(&content));
        assert_round_trip(&page, EncryptionCapabilities::decode, EncryptionCapabilities::encode);
        assert!(EncryptionCapabilities::decode(&page).is_ok());
    }
}
