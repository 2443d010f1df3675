//! CDBs to the byte.

use super::*;
use crate::scsi::cdb::Cdb;
use crate::scsi::test_bytes::hex;
use proptest::prelude::*;
use proptest::sample::select;

/// The command, if its CDB gives back the same bytes.
fn command(device: DeviceType, text: &str) -> Command {
    let bytes = hex(text);
    let cdb = Cdb::new(&bytes).unwrap();
    let command = Command::from_cdb(device, &cdb).unwrap_or_else(|| panic!("{text} is unknown"));
    assert_eq!(command.to_cdb().as_bytes(), bytes, "{text} is {command:?}");
    command
}

/// Every CDB that PBS was recorded to send to an emulated drive.
const RECORDED_OF_DRIVES: &[&str] = &[
    "00 00 00 00 00 00",
    "01 00 00 00 00 00",
    "03 00 00 00 fc 00",
    "04 00 00 00 00 00",
    "08 02 00 02 00 00",
    "08 02 04 00 00 00",
    "0a 00 04 00 00 00",
    "10 00 00 00 00 00",
    "10 01 00 00 01 00",
    "11 00 00 00 01 00",
    "11 00 ff ff ff 00",
    "11 01 00 00 01 00",
    "11 01 00 00 02 00",
    "11 01 ff ff fe 00",
    "11 01 ff ff ff 00",
    "11 03 00 00 00 00",
    "12 00 00 00 24 00",
    "1b 00 00 00 00 00",
    "1e 00 00 00 00 00",
    "1e 00 00 00 01 00",
    "34 06 00 00 00 00 00 00 00 00",
    "4d 00 51 00 00 00 00 20 00 00",
    "4d 00 52 00 00 00 00 02 00 00",
    "4d 00 57 00 00 00 00 20 00 00",
    "55 10 00 00 00 00 00 00 20 00",
    "5a 00 0f 00 00 00 00 10 00 00",
    "5a 00 1d 00 00 00 00 10 00 00",
    "8c 00 00 00 00 00 00 00 00 00 00 00 80 00 00 00",
    "8d 01 00 00 00 00 00 00 00 00 00 00 00 09 00 00",
    "8d 01 00 00 00 00 00 00 00 00 00 00 00 11 00 00",
    "8d 01 00 00 00 00 00 00 00 00 00 00 00 29 00 00",
    "8d 01 00 00 00 00 00 00 00 00 00 00 00 a9 00 00",
    "92 08 00 00 00 00 00 00 00 00 00 02 00 00 00 00",
    "92 08 00 00 00 00 00 00 00 00 00 06 00 00 00 00",
    "92 08 00 00 00 00 00 00 00 00 00 0a 00 00 00 00",
    "a2 20 00 10 00 00 00 00 20 04 00 00",
    "a2 20 00 20 00 00 00 00 20 04 00 00",
    "b5 20 00 10 00 00 00 00 00 14 00 00",
    "b5 20 00 10 00 00 00 00 00 34 00 00",
];

/// Every CDB that PBS was recorded to send to an emulated changer, but for moves between other elements.
const RECORDED_OF_CHANGERS: &[&str] = &[
    "07 00 00 00 00 00",
    "12 00 00 00 24 00",
    "1a 08 1d 00 ff 00",
    "a5 00 00 00 01 f4 03 e8 00 00 00 00",
    "a5 00 00 00 03 e8 01 f4 00 00 00 00",
    "b8 04 00 00 03 e8 01 00 ff ff 00 00",
    "b8 11 00 00 03 e8 00 00 ff ff 00 00",
    "b8 12 00 00 03 e8 00 00 ff ff 00 00",
    "b8 13 00 00 03 e8 00 00 ff ff 00 00",
    "b8 14 00 00 03 e8 00 00 ff ff 00 00",
];

#[test]
fn recorded_cdbs_come_back() {
    for text in RECORDED_OF_DRIVES {
        command(DeviceType::Tape, text);
    }
    for text in RECORDED_OF_CHANGERS {
        command(DeviceType::Changer, text);
    }
}

/// Spec scsi.md §5 and §16.
#[test]
fn data_and_position() {
    let tape = |text| command(DeviceType::Tape, text);
    let read = |length| Command::Read { fixed: false, suppress_length: true, length };
    assert_eq!(tape("08 02 04 00 00 00"), read(262144));
    assert_eq!(tape("08 02 00 02 00 00"), read(512));
    assert_eq!(tape("08 02 04 00 04 00"), read(262148));
    assert_eq!(tape("0A 00 04 00 00 00"), Command::Write { fixed: false, length: 262144 });
    let filemark = Command::WriteFilemarks { immediate: true, count: 1 };
    assert_eq!(tape("10 01 00 00 01 00"), filemark);
    let space = |code, count| Command::Space6 { code, count };
    assert_eq!(tape("11 03 00 00 00 00"), space(SpaceCode::EndOfData, 0));
    assert_eq!(tape("11 01 FF FF FE 00"), space(SpaceCode::Filemarks, -2));
    assert_eq!(tape("11 01 00 00 01 00"), space(SpaceCode::Filemarks, 1));
    let count = -0x80_0000;
    let far = "91 01 00 00 FF FF FF FF FF 80 00 00 00 00 00 00";
    assert_eq!(tape(far), Command::Space16 { code: SpaceCode::Filemarks, count });
    let locate = |target| Command::Locate16 { immediate: false, partition: None, target };
    let file = "92 08 00 00 00 00 00 00 00 00 00 04 00 00 00 00";
    assert_eq!(tape(file), locate(LocateTarget::File(4)));
    let object = "92 00 00 00 00 00 00 00 00 00 00 04 00 00 00 00";
    assert_eq!(tape(object), locate(LocateTarget::Object(4)));
}

/// Spec scsi.md §4, §9 and §11.
#[test]
fn basic_commands() {
    let tape = |text| command(DeviceType::Tape, text);
    assert_eq!(tape("12 01 B5 01 00 00"), Command::Inquiry { page: Some(0xB5), allocation: 256 });
    assert_eq!(tape("05 00 00 00 00 00"), Command::ReadBlockLimits);
    assert_eq!(
        tape("1B 00 00 00 01 00"),
        Command::LoadUnload {
            immediate: false,
            hold: false,
            end_of_tape: false,
            retension: false,
            load: true
        }
    );
    assert_eq!(
        tape("44 00 00 00 00 00 00 20 00 00"),
        Command::ReportDensitySupport { medium: false, allocation: 8192 }
    );
    assert_eq!(tape("19 01 00 00 00 00"), Command::Erase { immediate: false, long: true });
    assert_eq!(
        tape("04 01 00 00 00 00"),
        Command::FormatMedium { immediate: true, verify: false, format: 0, length: 0 }
    );
    assert_eq!(
        tape("82 00 01 00 00 00 00 00 00 00 00 05 00 00 00 00"),
        Command::AllowOverwrite { allow: 1, partition: 0, object: 5 }
    );
}

/// Spec scsi.md §6, §7, §16 and §18.
#[test]
fn pages() {
    let tape = |text| command(DeviceType::Tape, text);
    let sense = |form, page, subpage, allocation| Command::ModeSense {
        form,
        no_descriptor: false,
        control: PageControl::Current,
        page,
        subpage,
        allocation,
    };
    let compression = sense(CdbForm::Ten, 0x0F, 0, 4096);
    assert_eq!(tape("5A 00 0F 00 00 00 00 10 00 00"), compression);
    let protection = sense(CdbForm::Ten, 0x0A, 0xF0, 48);
    assert_eq!(tape("5A 00 0A F0 00 00 00 00 30 00"), protection);
    assert_eq!(tape("1A 00 0A F0 2C 00"), sense(CdbForm::Six, 0x0A, 0xF0, 44));
    let select =
        |form, length| Command::ModeSelect { form, page_format: true, save: false, length };
    assert_eq!(tape("55 10 00 00 00 00 00 00 30 00"), select(CdbForm::Ten, 48));
    assert_eq!(tape("15 10 00 00 2C 00"), select(CdbForm::Six, 44));
    let changeable = tape("5A 00 4A F0 00 00 00 00 30 00");
    assert!(matches!(changeable, Command::ModeSense { control: PageControl::Changeable, .. }));
    assert_eq!(
        tape("4D 00 52 00 00 00 00 02 00 00"),
        Command::LogSense { control: 1, page: 0x12, subpage: 0, pointer: 0, allocation: 512 }
    );
}

#[test]
fn one_opcode_sends_data_to_a_drive_and_none_to_a_changer() {
    let sends = |device, bytes: &[u8]| {
        Command::from_cdb(device, &Cdb::new(bytes).unwrap()).unwrap().sends_data()
    };
    assert!(sends(DeviceType::Tape, &[0xB5; 12]) && !sends(DeviceType::Changer, &[0xB5; 12]));
    assert!(sends(DeviceType::Tape, &[0x0A; 6]) && !sends(DeviceType::Tape, &[0x08; 6]));
    assert!(!sends(DeviceType::Tape, &[0xA2; 12]) && !sends(DeviceType::Changer, &[0xB8; 12]));
}

/// Spec scsi.md §19.
#[test]
fn access_order() {
    let tape = |text| command(DeviceType::Tape, text);
    let receive =
        |limits, allocation| Command::ReceiveAccessOrder { limits, offset: 0, kind: 0, allocation };
    assert_eq!(tape("A3 9D 00 00 00 00 00 00 00 04 00 00"), receive(true, 4));
    assert_eq!(tape("A3 1D 00 00 00 00 00 00 00 48 00 00"), receive(false, 72));
    assert_eq!(
        tape("A4 1D 02 00 00 00 00 00 00 48 00 00"),
        Command::GenerateAccessOrder { process: 2, kind: 0, length: 72 }
    );
    assert_eq!(
        tape("A3 1F 45 02 00 00 00 00 20 00 00 00"),
        Command::ReadEndOfWrapPosition { wrap: None, all: true, allocation: 8192 }
    );
}

/// Spec scsi.md §16.
#[test]
fn moves_and_element_status() {
    let changer = |text| command(DeviceType::Changer, text);
    assert_eq!(
        changer("A5 00 00 01 10 02 01 00 00 00 00 00"),
        Command::MoveMedium { transport: 1, source: 0x1002, destination: 0x100, invert: false }
    );
    let status = |volume_tags, kind, device_ids| Command::ReadElementStatus {
        volume_tags,
        filter: ElementFilter::Type(kind),
        first: 0,
        count: 1000,
        current_data: false,
        device_ids,
        allocation: 65535,
    };
    assert_eq!(changer("B8 12 00 00 03 E8 00 00 FF FF 00 00"), status(true, 2, false));
    assert_eq!(changer("B8 04 00 00 03 E8 01 00 FF FF 00 00"), status(false, 4, true));
}

#[test]
fn one_opcode_is_two_commands() {
    let cdb = Cdb::new(&hex("B5 20 00 10 00 00 00 00 00 14 00 00")).unwrap();
    let of = |device| Command::from_cdb(device, &cdb).unwrap();
    assert!(matches!(of(DeviceType::Tape), Command::SecurityProtocolOut { .. }));
    assert!(matches!(of(DeviceType::Changer), Command::RequestVolumeElementAddress { .. }));
}

#[test]
fn short_and_unknown_cdbs_are_no_commands() {
    let none = |text| Command::from_cdb(DeviceType::Tape, &Cdb::new(&hex(text)).unwrap());
    assert_eq!(none("34 06 00 00 00 00"), None);
    assert_eq!(none("A5 00 00 00 00 00 00 00 00 00 00 00"), None);
    assert_eq!(none("0B 00 00 00 00 00"), None);
}

fn any_form() -> impl Strategy<Value = CdbForm> {
    select(vec![CdbForm::Six, CdbForm::Ten])
}

/// A length that a form has room for.
fn fitting(form: CdbForm, length: u16) -> u16 {
    match form {
        CdbForm::Six => length & 0xFF,
        CdbForm::Ten => length,
    }
}

fn any_space_code() -> impl Strategy<Value = SpaceCode> {
    let known = [SpaceCode::Blocks, SpaceCode::Filemarks, SpaceCode::EndOfData];
    select([&known[..], &[SpaceCode::Other(2), SpaceCode::Other(0xF)]].concat())
}

fn any_target() -> impl Strategy<Value = LocateTarget> {
    prop_oneof![
        any::<u64>().prop_map(LocateTarget::Object),
        any::<u64>().prop_map(LocateTarget::File),
        Just(LocateTarget::EndOfData),
        any::<u64>().prop_map(|number| LocateTarget::Other(2, number)),
    ]
}

fn any_of_both() -> impl Strategy<Value = Command> {
    let controls = vec![
        PageControl::Current,
        PageControl::Changeable,
        PageControl::Default,
        PageControl::Saved,
    ];
    prop_oneof![
        Just(Command::TestUnitReady),
        (any::<bool>(), any::<u8>())
            .prop_map(|(descriptor, allocation)| Command::RequestSense { descriptor, allocation }),
        (any::<Option<u8>>(), any::<u16>())
            .prop_map(|(page, allocation)| Command::Inquiry { page, allocation }),
        (any::<u8>(), any::<u32>())
            .prop_map(|(select, allocation)| Command::ReportLuns { select, allocation }),
        (any::<bool>(), 0u8..8, any::<u8>(), any::<u16>(), any::<u32>()).prop_map(
            |(timeouts, options, opcode, service_action, allocation)| {
                Command::ReportSupportedOpcodes {
                    timeouts,
                    options,
                    opcode,
                    service_action,
                    allocation,
                }
            }
        ),
        (any_form(), any::<bool>(), select(controls), 0u8..64, any::<u8>(), any::<u16>()).prop_map(
            |(form, no_descriptor, control, page, subpage, allocation)| Command::ModeSense {
                form,
                no_descriptor,
                control,
                page,
                subpage,
                allocation: fitting(form, allocation),
            }
        ),
        (any_form(), any::<bool>(), any::<bool>(), any::<u16>()).prop_map(
            |(form, page_format, save, length)| Command::ModeSelect {
                form,
                page_format,
                save,
                length: fitting(form, length),
            }
        ),
        (0u8..4, 0u8..64, any::<u8>(), any::<u16>(), any::<u16>()).prop_map(
            |(control, page, subpage, pointer, allocation)| Command::LogSense {
                control,
                page,
                subpage,
                pointer,
                allocation,
            }
        ),
        (any::<bool>(), 0u8..4, 0u8..64, any::<u8>(), any::<u16>()).prop_map(
            |(reset, control, page, subpage, length)| Command::LogSelect {
                reset,
                control,
                page,
                subpage,
                length,
            }
        ),
        any_form().prop_map(Command::Reserve),
        any_form().prop_map(Command::Release),
        (0u8..32, any::<u16>()).prop_map(|(service_action, allocation)| {
            Command::PersistentReserveIn { service_action, allocation }
        }),
        (0u8..32, any::<u8>(), any::<u32>()).prop_map(|(service_action, scope_type, length)| {
            Command::PersistentReserveOut { service_action, scope_type, length }
        }),
        (any::<bool>(), any::<u16>())
            .prop_map(|(self_test, length)| Command::SendDiagnostic { self_test, length }),
        (any::<u8>(), any::<u16>())
            .prop_map(|(page, allocation)| Command::ReceiveDiagnostic { page, allocation }),
        any::<bool>().prop_map(|prevent| Command::PreventRemoval { prevent }),
    ]
}

const U24: std::ops::Range<u32> = 0..0x100_0000;

fn any_of_data() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(Command::ReadBlockLimits),
        any::<bool>().prop_map(|immediate| Command::Rewind { immediate }),
        (any::<bool>(), any::<bool>(), 0u8..16, any::<u16>()).prop_map(
            |(immediate, verify, format, length)| Command::FormatMedium {
                immediate,
                verify,
                format,
                length,
            }
        ),
        (any::<bool>(), any::<bool>(), U24).prop_map(|(fixed, suppress_length, length)| {
            Command::Read { fixed, suppress_length, length }
        }),
        (any::<bool>(), U24).prop_map(|(fixed, length)| Command::Write { fixed, length }),
        (any::<u8>(), U24).prop_map(|(flags, length)| Command::Verify { flags, length }),
        (any::<bool>(), U24)
            .prop_map(|(immediate, count)| Command::WriteFilemarks { immediate, count }),
        (any_space_code(), -0x80_0000i32..0x80_0000)
            .prop_map(|(code, count)| Command::Space6 { code, count }),
        (any_space_code(), any::<i64>()).prop_map(|(code, count)| Command::Space16 { code, count }),
        (any::<bool>(), any::<u32>())
            .prop_map(|(immediate, object)| Command::Locate10 { immediate, object }),
        (any::<bool>(), any::<Option<u8>>(), any_target()).prop_map(
            |(immediate, partition, target)| Command::Locate16 { immediate, partition, target }
        ),
        (0u8..32, any::<u16>()).prop_map(|(service_action, allocation)| {
            Command::ReadPosition { service_action, allocation }
        }),
        (any::<bool>(), any::<bool>())
            .prop_map(|(immediate, long)| Command::Erase { immediate, long }),
        any::<[bool; 5]>().prop_map(|[immediate, hold, end_of_tape, retension, load]| {
            Command::LoadUnload { immediate, hold, end_of_tape, retension, load }
        }),
        (0u8..16, any::<u8>(), any::<u64>()).prop_map(|(allow, partition, object)| {
            Command::AllowOverwrite { allow, partition, object }
        }),
    ]
}

fn any_of_tape_parameters() -> impl Strategy<Value = Command> {
    prop_oneof![
        (any::<bool>(), any::<u16>())
            .prop_map(|(medium, allocation)| Command::ReportDensitySupport { medium, allocation }),
        (0u8..32, any::<u8>(), any::<u16>(), any::<u32>()).prop_map(
            |(service_action, partition, first, allocation)| Command::ReadAttribute {
                service_action,
                partition,
                first,
                allocation,
            }
        ),
        (any::<bool>(), any::<u8>(), any::<u32>()).prop_map(
            |(write_through, partition, length)| {
                Command::WriteAttribute { write_through, partition, length }
            }
        ),
        (any::<u8>(), any::<u16>(), any::<u32>()).prop_map(|(protocol, page, allocation)| {
            Command::SecurityProtocolIn { protocol, page, allocation }
        }),
        (any::<u8>(), any::<u16>(), any::<u32>()).prop_map(|(protocol, page, length)| {
            Command::SecurityProtocolOut { protocol, page, length }
        }),
        (any::<Option<u8>>(), any::<bool>(), any::<u32>()).prop_map(|(wrap, all, allocation)| {
            Command::ReadEndOfWrapPosition { wrap, all, allocation }
        }),
        (any::<bool>(), any::<u32>(), 0u8..8, any::<u32>()).prop_map(
            |(limits, offset, kind, allocation)| Command::ReceiveAccessOrder {
                limits,
                offset,
                kind,
                allocation,
            }
        ),
        (0u8..8, 0u8..8, any::<u32>()).prop_map(|(process, kind, length)| {
            Command::GenerateAccessOrder { process, kind, length }
        }),
    ]
}

fn any_of_changer() -> impl Strategy<Value = Command> {
    let filter = (0u8..16).prop_map(|kind| match kind {
        0 => ElementFilter::All,
        kind => ElementFilter::Type(kind),
    });
    prop_oneof![
        Just(Command::InitializeElementStatus),
        (any::<bool>(), any::<bool>(), any::<u16>(), any::<u16>()).prop_map(
            |(range, fast, first, count)| Command::InitializeElementStatusWithRange {
                range,
                fast,
                first,
                count,
            }
        ),
        (any::<[bool; 3]>(), filter, any::<u16>(), any::<u16>(), U24).prop_map(
            |([volume_tags, current_data, device_ids], filter, first, count, allocation)| {
                Command::ReadElementStatus {
                    volume_tags,
                    filter,
                    first,
                    count,
                    current_data,
                    device_ids,
                    allocation,
                }
            }
        ),
        (any::<[u16; 3]>(), any::<bool>()).prop_map(
            |([transport, source, destination], invert)| Command::MoveMedium {
                transport,
                source,
                destination,
                invert,
            }
        ),
        any::<[u16; 4]>().prop_map(|[transport, source, destination, second_destination]| {
            Command::ExchangeMedium { transport, source, destination, second_destination }
        }),
        any::<[u16; 2]>().prop_map(|[transport, destination]| Command::PositionToElement {
            transport,
            destination,
        }),
        (any::<u16>(), 0u8..32)
            .prop_map(|(element, action)| Command::OpenCloseImportExport { element, action }),
        (0u8..16, any::<[u16; 2]>(), U24).prop_map(|(element_type, [first, count], allocation)| {
            Command::RequestVolumeElementAddress { element_type, first, count, allocation }
        }),
    ]
}

proptest! {
    #[test]
    fn commands_of_drives_come_back(
        command in prop_oneof![any_of_both(), any_of_data(), any_of_tape_parameters()],
    ) {
        prop_assert_eq!(Command::from_cdb(DeviceType::Tape, &command.to_cdb()), Some(command));
    }

    #[test]
    fn commands_of_changers_come_back(command in prop_oneof![any_of_both(), any_of_changer()]) {
        prop_assert_eq!(Command::from_cdb(DeviceType::Changer, &command.to_cdb()), Some(command));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 1..33)) {
        let cdb = Cdb::new(&bytes).unwrap();
        for device in [DeviceType::Tape, DeviceType::Changer] {
            if let Some(command) = Command::from_cdb(device, &cdb) {
                prop_assert_eq!(Command::from_cdb(device, &command.to_cdb()), Some(command));
            }
        }
    }
}
