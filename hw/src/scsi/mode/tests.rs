//! Golden mode parameters; the traces are those of PBS with emulated replies.

use super::*;
use crate::fuzz::assert_round_trip;
use crate::scsi::protection::ProtectionMethod;
use crate::scsi::test_bytes::hex;
use proptest::prelude::*;

/// Recorded: PBS opens a drive (`proxmox-tape cartridge-memory`).
const COMPRESSION_SENSE: &str =
    "001e0010 00000008 5e000000 00000000 0f0ec080 000000ff 000000ff 00000000";
const COMPRESSION_SELECT: &str =
    "00000010 00000008 5e000000 00000000 0f0ec080 000000ff 000000ff 00000000";

/// Recorded: PBS formats a medium.
const MEDIUM_SENSE: &str = "002e0010 00000008 5e000000 00000000 1d1e0000 00000000 00000000 00000000
    00000000 00000000 00000000 00000000";

/// Recorded: PBS asks a changer for its elements.
const CHANGER_SENSE: &str = "17000000 1d120000 000103e8 000c0064 000201f4 00020000";

fn tape(form: CdbForm, text: &str) -> ModeData {
    ModeData::decode(form, DeviceType::Tape, &hex(text)).unwrap()
}

fn refusal(form: CdbForm, bytes: &[u8]) -> String {
    ModeData::decode(form, DeviceType::Tape, bytes).unwrap_err().to_string()
}

#[test]
fn compression_read_and_written_back() {
    let data = tape(CdbForm::Ten, COMPRESSION_SENSE);
    assert_eq!(data.device, DeviceSpecific { buffered_mode: 1, ..Default::default() });
    let descriptor = BlockDescriptor { density: 0x5E, ..Default::default() };
    assert_eq!(data.descriptor, Some(descriptor));
    let compression = data.compression().unwrap();
    assert!(compression.enabled && compression.capable && compression.decompression);
    assert_eq!(compression.algorithm, 0xFF);
    assert_eq!(data.encode(CdbForm::Ten), hex(COMPRESSION_SENSE));
    assert_eq!(data.encode_select(CdbForm::Ten), hex(COMPRESSION_SELECT));
    let select =
        ModeData::decode_select(CdbForm::Ten, DeviceType::Tape, &hex(COMPRESSION_SELECT)).unwrap();
    assert_eq!(select, data);
}

#[test]
fn six_byte_header_has_four_bytes() {
    let data = tape(CdbForm::Ten, COMPRESSION_SENSE);
    let bytes = data.encode(CdbForm::Six);
    assert_eq!(bytes[..4], [27, 0, 0x10, 8]);
    assert_eq!(ModeData::decode(CdbForm::Six, DeviceType::Tape, &bytes).unwrap(), data);
}

#[test]
fn medium_configuration_of_a_rewritable_medium() {
    let data = tape(CdbForm::Ten, MEDIUM_SENSE);
    assert_eq!(data.medium_configuration().unwrap(), MediumConfiguration::default());
    assert_eq!(data.encode(CdbForm::Ten), hex(MEDIUM_SENSE));
    assert!(data.compression().unwrap_err().to_string().contains("wrong page code"));
    let mut worm = hex(MEDIUM_SENSE);
    worm[18] = 0x01;
    let worm = ModeData::decode(CdbForm::Ten, DeviceType::Tape, &worm).unwrap();
    assert!(worm.medium_configuration().unwrap().worm);
}

#[test]
fn elements_of_a_changer() {
    let data = ModeData::decode(CdbForm::Six, DeviceType::Changer, &hex(CHANGER_SENSE)).unwrap();
    let addresses = data.element_addresses().unwrap();
    assert_eq!(addresses.transport, ElementRange { first: 0, count: 1 });
    assert_eq!(addresses.storage, ElementRange { first: 0x3E8, count: 12 });
    assert_eq!(addresses.import_export, ElementRange { first: 0x64, count: 2 });
    assert_eq!(addresses.drives, ElementRange { first: 0x1F4, count: 2 });
    assert!(addresses.storage.contains(0x3F3) && !addresses.storage.contains(0x3F4));
    assert_eq!(data.encode(CdbForm::Six), hex(CHANGER_SENSE));
}

#[test]
fn announced_length_decides() {
    let mut bytes = hex(COMPRESSION_SENSE);
    assert!(refusal(CdbForm::Ten, &bytes[..bytes.len() - 1]).contains("needed"));
    bytes.resize(4096, 0xEE);
    let cut = ModeData::decode(CdbForm::Ten, DeviceType::Tape, &bytes).unwrap();
    assert_eq!(cut.encode(CdbForm::Ten), hex(COMPRESSION_SENSE));
}

#[test]
fn wrong_lengths_are_named() {
    let mut bytes = hex(COMPRESSION_SENSE);
    bytes[17] = 0x0D;
    assert!(refusal(CdbForm::Ten, &bytes).contains("wrong page length"));
    bytes[7] = 4;
    assert!(refusal(CdbForm::Ten, &bytes).contains("wrong descriptor length"));
}

/// Spec scsi.md §18: both forms of the page, and the page for off.
#[test]
fn control_data_protection() {
    let page = ModePage {
        saveable: true,
        content: PageContent::ControlDataProtection(ControlDataProtection::crc32c(true, true)),
    };
    let descriptor = Some(BlockDescriptor { density: 0x5E, ..Default::default() });
    let data = ModeData { descriptor, pages: vec![page], ..Default::default() };
    let (ten, six) = (data.encode(CdbForm::Ten), data.encode(CdbForm::Six));
    assert_eq!((ten.len(), six.len()), (48, 44));
    assert_eq!(ten[16..23], hex("CA F0 001C 02 04 C0"));
    assert_eq!(six[12..19], hex("CA F0 001C 02 04 C0"));
    let select = data.encode_select(CdbForm::Ten);
    assert_eq!(select[..2], [0, 0]);
    assert_eq!(select[16..], [hex("4A F0 001C 02 04 C0 00"), vec![0; 24]].concat());
    let read = ModeData::decode(CdbForm::Six, DeviceType::Tape, &six).unwrap();
    let protection = read.data_protection().unwrap();
    assert_eq!(protection.method, ProtectionMethod::Crc32c);
    assert_eq!(protection, ControlDataProtection::crc32c(true, true));
}

#[test]
fn directions_of_protection() {
    let bits = |protection: ControlDataProtection| {
        let page = ModePage::from(PageContent::ControlDataProtection(protection));
        page.encode_select(Writer::new()).finish()[4..8].to_vec()
    };
    assert_eq!(bits(ControlDataProtection::crc32c(true, false)), [2, 4, 0x80, 0]);
    assert_eq!(bits(ControlDataProtection::crc32c(false, true)), [2, 4, 0x40, 0]);
    assert_eq!(bits(ControlDataProtection::crc32c(false, false)), [0; 4]);
    assert_eq!(bits(ControlDataProtection::OFF), [0; 4]);
}

#[test]
fn device_configuration_is_kept_as_it_is() {
    let page = hex("10 0E 00 00 00 00 0032 40 00 18 000000 00 00");
    let bytes = [hex("13000000"), page].concat();
    let data = ModeData::decode(CdbForm::Six, DeviceType::Tape, &bytes).unwrap();
    let Some(PageContent::DeviceConfiguration(page)) = data.first() else { panic!("{data:?}") };
    assert_eq!(page.write_delay_time(), 50);
    assert!(page.has_object_identifiers() && page.syncs_at_early_warning());
    assert!(!page.software_write_protect());
    assert_eq!(data.encode(CdbForm::Six), bytes);
}

#[test]
fn device_configuration_extension() {
    let extension = DeviceConfigurationExtension { write_mode: 1, ..Default::default() };
    let page = ModePage::from(PageContent::DeviceConfigurationExtension(extension));
    let data = ModeData { pages: vec![page], ..Default::default() };
    let bytes = data.encode(CdbForm::Six);
    assert_eq!(bytes[..12], hex("23 00 00 00 50 01 001C 00 10 0000"));
    assert_eq!(bytes.len(), 36);
    let read = ModeData::decode(CdbForm::Six, DeviceType::Tape, &bytes).unwrap();
    assert_eq!(read.pages, data.pages);
    assert!(read.data_protection().is_err());
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), changer: bool) {
        let device = if changer { DeviceType::Changer } else { DeviceType::Tape };
        for form in [CdbForm::Six, CdbForm::Ten] {
            let decode = |bytes: &[u8]| ModeData::decode(form, device, bytes);
            assert_round_trip(&bytes, decode, |data| data.encode(form));
            let decode = |bytes: &[u8]| ModeData::decode_select(form, device, bytes).map(unmarked);
            assert_round_trip(&bytes, decode, |data| data.encode_select(form));
        }
    }

    #[test]
    fn device_specific_byte_is_used_up(byte: u8) {
        prop_assert_eq!(DeviceSpecific::from_byte(byte).to_byte(), byte);
    }
}

/// Without PS, which MODE SELECT does not carry.
fn unmarked(mut data: ModeData) -> ModeData {
    data.pages.iter_mut().for_each(|page| page.saveable = false);
    data
}
