//! Golden element status; the traces are those of PBS with an emulated changer.

use super::*;
use crate::changer::ElementContent;
use crate::fuzz::assert_round_trip;
use crate::scsi::mode::ElementRange;
use crate::scsi::test_bytes::hex;
use proptest::prelude::*;

/// Recorded: import/export elements, both empty.
const IMPORT_EXPORT: &str = "00640002 00000070 03800034 00000068
    00643800 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
    00000000 00000000 00000000
    00653800 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
    00000000 00000000 00000000";

/// Recorded: identifiers of two drives, a medium in the second.
const DRIVES: &str = "01f40002 0000006c 04000032 00000064
    01f40800 00000000 00000000 02010022 454d5543 4f525020 554c5452 49554d2d 48483820 20202020
    454d5544 52563030 3031
    01f5 09000000 00000080 03ea0201 0022454d 55434f52 5020554c 54524955 4d2d4848 38202020 2020454d
    55445256 30303032";

/// Recorded: the robot.
const TRANSPORT: &str = "00000001 0000003c 01800034 00000034
    00000800 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
    00000000 00000000 00000000";

fn decoded(text: &str) -> ElementStatus {
    let status = ElementStatus::decode(&hex(text), 0).unwrap();
    assert_eq!(status.encode(), hex(text));
    status
}

/// Two slots of spec scsi.md §16.
fn two_slots() -> Vec<u8> {
    let descriptor = |address: u8, tag: &str| {
        let mut bytes = vec![0, address, 1, 0, 0, 0, 0, 0, 0, 0x80, 0, address];
        bytes.extend(tag.bytes());
        bytes.resize(48, b' ');
        bytes[44..].fill(0);
        bytes
    };
    let header = hex("0000 0002 00 000068 02 80 0030 00 000060");
    [header, descriptor(0, "0123456789"), descriptor(1, "1234567890")].concat()
}

fn refusal(bytes: &[u8], first: u16) -> String {
    ElementStatus::decode(bytes, first).unwrap_err().to_string()
}

#[test]
fn slots_of_the_spec() {
    let status = ElementStatus::decode(&two_slots(), 0).unwrap();
    assert_eq!(status.encode(), two_slots());
    let tags: Vec<_> = status
        .elements()
        .map(|(kind, element)| (kind, element.content().to_string(), element.source))
        .collect();
    let wanted = [("'0123456789'", Some(0)), ("'1234567890'", Some(1))];
    assert_eq!(tags, wanted.map(|(tag, from)| (ElementType::Storage, tag.to_owned(), from)));
}

#[test]
fn cut_data_are_refused_and_trailing_bytes_are_not() {
    let mut bytes = two_slots();
    assert!(refusal(&bytes[..bytes.len() - 10], 0).contains("wrong amount of data"));
    bytes.extend([0; 5]);
    assert_eq!(ElementStatus::decode(&bytes, 0).unwrap().elements().count(), 2);
    for length in 0..two_slots().len() {
        assert!(ElementStatus::decode(&bytes[..length], 0).is_err(), "{length}");
    }
}

#[test]
fn recorded_import_export_elements() {
    let status = decoded(IMPORT_EXPORT);
    assert_eq!(status.pages.len(), 1);
    for (kind, element) in status.elements() {
        assert_eq!(kind, ElementType::ImportExport);
        assert!(element.import_enabled && element.export_enabled && element.accessible);
        assert_eq!(element.content(), ElementContent::Empty);
    }
}

#[test]
fn recorded_drives() {
    let status = decoded(DRIVES);
    let drives: Vec<_> = status.elements().map(|(_, drive)| drive).collect();
    let identity = drives[0].identifier.as_ref().unwrap().identity();
    assert_eq!(identity.vendor.as_deref(), Some("EMUCORP"));
    assert_eq!(identity.model.as_deref(), Some("ULTRIUM-HH8"));
    assert_eq!(identity.serial.as_deref(), Some("EMUDRV0001"));
    assert_eq!(drives[1].source, Some(0x3EA));
    assert_eq!(drives[1].content(), ElementContent::Full, "no bar codes were asked for");
    let built = DeviceIdentifier::of_drive("EMUCORP", "ULTRIUM-HH8", "EMUDRV0001");
    assert_eq!(drives[0].identifier.as_ref(), Some(&built));
}

#[test]
fn recorded_transport() {
    let status = decoded(TRANSPORT);
    assert_eq!(status.elements().next().unwrap().0, ElementType::Transport);
}

#[test]
fn identifiers_of_other_kinds_tell_less() {
    let identifier =
        |kind, data: &[u8]| DeviceIdentifier { code_set: 2, kind, data: data.to_vec() };
    let serial = identifier(0, b"SER1  ").identity();
    assert_eq!((serial.serial.as_deref(), serial.vendor), (Some("SER1"), None));
    assert_eq!(identifier(1, &[b'x'; 33]).identity(), DriveIdentity::default());
    assert_eq!(identifier(3, b"x").identity(), DriveIdentity::default());
    let mut cut = hex(DRIVES);
    cut[31] = 0x23;
    let status = ElementStatus::decode(&cut, 0).unwrap();
    assert_eq!(status.elements().next().unwrap().1.identifier, None);
}

#[test]
fn bar_codes_that_cannot_be_ours() {
    let content = |tag: &str| Element::with_medium(1, tag).content();
    assert_eq!(content("L00001L8").to_string(), "'L00001L8'");
    assert_eq!(content(""), ElementContent::Full);
    assert_eq!(content("a/b"), ElementContent::Full);
    let gone = Element { full: false, ..Element::with_medium(1, "L00001L8") };
    assert_eq!(gone.content(), ElementContent::Empty);
}

#[test]
fn header_and_pages_are_checked() {
    assert_eq!(ElementStatus::decode(&hex("0000 0000 00 000005"), 9).unwrap().pages, []);
    assert!(refusal(&two_slots(), 1).contains("wrong first element address"));
    let with = |at: usize, byte: u8| {
        let mut bytes = two_slots();
        bytes[at] = byte;
        bytes
    };
    assert!(refusal(&with(8, 5), 0).contains("unknown element type"));
    assert!(refusal(&with(8, 0), 0).contains("unknown element type"));
    assert!(refusal(&with(11, 0), 0).contains("descriptors without length"));
    assert!(refusal(&with(11, 47), 0).contains("needed"), "too short for a tag");
    let long_page = ElementStatus::decode(&with(15, 0xFF), 0).unwrap();
    assert_eq!(long_page.elements().count(), 2, "a page is cut to what there is");
    let cut = ElementStatus::decode(&with(11, 49), 0).unwrap();
    assert_eq!(cut.elements().count(), 1, "the last descriptor is not whole");
}

#[test]
fn long_lists_are_asked_for_in_parts() {
    let page = |addresses: std::ops::Range<u16>| {
        let elements = addresses.map(Element::empty).collect();
        ElementStatus { pages: vec![StatusPage::new(ElementType::Storage, true, elements)] }
    };
    assert_eq!(page(10..20).continue_at(10, 10).unwrap(), Some(20));
    assert_eq!(page(10..19).continue_at(10, 10).unwrap(), None);
    assert_eq!(page(0..0).continue_at(10, 10).unwrap(), None);
    let strange = page(0..10).continue_at(10, 10).unwrap_err().to_string();
    assert!(strange.contains("got strange element address"));
}

#[test]
fn counts_must_be_those_assigned() {
    let range = |first, count| ElementRange { first, count };
    let addresses = ElementAddresses {
        transport: range(0, 1),
        storage: range(0x100, 2),
        import_export: range(0x64, 1),
        drives: range(0x1F4, 1),
    };
    let elements = |range: ElementRange| {
        (range.first..range.first + range.count).map(Element::empty).collect()
    };
    let page = |kind, range| StatusPage::new(kind, true, elements(range));
    let status = ElementStatus {
        pages: vec![
            page(ElementType::Storage, addresses.storage),
            page(ElementType::ImportExport, addresses.import_export),
            page(ElementType::Drive, addresses.drives),
            page(ElementType::Transport, addresses.transport),
        ],
    };
    status.check_counts(&addresses).unwrap();
    let refused = |addresses| status.check_counts(&addresses).unwrap_err().to_string();
    let more = ElementAddresses { storage: range(0x100, 3), ..addresses };
    assert!(refused(more).contains("got wrong number of storage elements (2 of 3)"));
    let fewer = ElementAddresses { drives: range(0, 0), ..addresses };
    assert!(refused(fewer).contains("got wrong number of drive elements"));
    let nothing = ElementStatus::default().check_counts(&ElementAddresses::default());
    assert!(nothing.unwrap_err().to_string().contains("no data transfer elements"));
}

#[test]
fn built_pages_have_descriptors_as_long_as_needed() {
    let mut drive = Element::with_medium(0x100, "L00001L8");
    drive.identifier = Some(DeviceIdentifier::of_drive("IBM", "ULT3580-HH9", "1097000123"));
    let page = StatusPage::new(ElementType::Drive, true, vec![drive, Element::empty(0x101)]);
    assert_eq!(page.descriptor_bytes, 12 + 36 + 38);
    let status = ElementStatus { pages: vec![page] };
    assert_eq!(ElementStatus::decode(&status.encode(), 0).unwrap(), status);
}

proptest! {
    #[test]
    fn no_bytes_panic(
        kind in 0u8..6, bits: u8, descriptor_bytes in 0u8..100,
        content in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let length = content.len() as u8;
        let header = [0, 0, 0, 2, 0, 0, 0, length + 8, kind, bits, 0, descriptor_bytes, 0, 0, 0, length];
        let decode = |bytes: &[u8]| ElementStatus::decode(bytes, 0);
        assert_round_trip(&[&header[..], &content].concat(), decode, ElementStatus::encode);
        assert_round_trip(&content, decode, ElementStatus::encode);
    }
}
