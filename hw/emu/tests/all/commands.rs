//! Commands that reelfs itself never sends, and wrong ones: what a real device answers.

use reel_emu::{CartridgeFacts, CartridgeKind, Device, EmulatedLibrary, Generation, Maker};
use reel_hw::conformance::block;
use reel_hw::scsi::inquiry::VpdData;
use reel_hw::scsi::mode::{ModeData, PageContent};
use reel_hw::scsi::{CdbForm, DeviceType, Sense};
use reel_hw::transport::{Data, Status};

use crate::support::{Host, blank_tape, cartridge, facts, library, model};

const REWIND: [u8; 6] = [0x01, 0, 0, 0, 0, 0];

fn loaded_as(maker: Maker) -> (EmulatedLibrary, Host) {
    let library = library(model(maker, Generation::Lto8));
    library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    let host = Host::new(&library, Device::Drive(0));
    (library, host)
}

fn loaded() -> (EmulatedLibrary, Host) {
    loaded_as(Maker::Ibm)
}

/// Two blocks, a filemark, a block.
fn recorded() -> (EmulatedLibrary, Host) {
    let (library, mut host) = loaded();
    host.write(&block(b'a'));
    host.write(&block(b'b'));
    host.send(&[0x10, 0, 0, 0, 1, 0]);
    host.write(&block(b'c'));
    host.send(&REWIND);
    (library, host)
}

fn opcodes(host: &mut Host, timeouts: bool) -> Vec<(u8, u16, u8, u16)> {
    let options = if timeouts { 0x80 } else { 0 };
    let bytes = host.ask(&[0xA3, 0x0C, options, 0, 0, 0, 0, 0, 0xFF, 0, 0, 0]).unwrap();
    assert_eq!(bytes.len(), 4 + u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize);
    let size = if timeouts { 20 } else { 8 };
    let all = bytes[4..].chunks_exact(size);
    assert!(all.remainder().is_empty());
    let word = |bytes: &[u8]| u16::from_be_bytes([bytes[0], bytes[1]]);
    all.map(|one| (one[0], word(&one[2..]), one[5], word(&one[6..]))).collect()
}

#[test]
fn what_a_device_says_it_knows_it_knows() {
    let (library, mut drive) = loaded();
    let mut robot = Host::new(&library, Device::Changer);
    for host in [&mut drive, &mut robot] {
        let listed = opcodes(host, false);
        assert_eq!(listed.len(), opcodes(host, true).len());
        for (code, action, flags, length) in listed {
            let mut cdb = vec![0; usize::from(length)];
            (cdb[0], cdb[1]) = (code, action as u8);
            if (code, action) == (0xA3, 0x1F) {
                cdb[2] = 0x45;
            }
            let ended = host.exchange(&cdb, Data::In(&mut [0; 4096]));
            assert_ne!(ended.triple(), (5, 0x20, 0), "{code:02X}/{action:02X}");
            assert_eq!(flags & 1 == 1, matches!(code, 0xA3 | 0xA4));
            host.hear();
        }
        let listed: Vec<u8> = opcodes(host, false).into_iter().map(|(code, ..)| code).collect();
        for code in (0..=0xFF).filter(|code| !listed.contains(code)) {
            let mut cdb = [0; 16];
            cdb[0] = code;
            assert_eq!(host.send(&cdb).triple(), (5, 0x20, 0), "{code:02X}");
        }
    }
}

#[test]
fn one_command_is_told_with_its_fields_and_times() {
    let (_library, mut host) = loaded();
    let one = |host: &mut Host, options, code, action| {
        host.ask(&[0xA3, 0x0C, options, code, 0, action, 0, 0, 1, 0, 0, 0])
    };
    let write = one(&mut host, 0x81, 0x0A, 0).unwrap();
    let expected =
        [0, 0x83, 0, 6, 0x0A, 1, 0xFF, 0xFF, 0xFF, 0, 0, 10, 0, 0, 0, 0, 2, 0xEE, 0, 0, 5, 0xDC];
    assert_eq!(write, expected);
    assert_eq!(one(&mut host, 1, 0x0F, 0).unwrap(), [0, 1, 0, 0], "no READ REVERSE");
    assert_eq!(one(&mut host, 3, 0xA3, 0x1F).unwrap()[1], 3);
    assert_eq!(one(&mut host, 3, 0xA3, 0x1D).unwrap()[1], 1, "no access order before LTO-9");
    assert_eq!(one(&mut host, 1, 0xA3, 0), Err((5, 0x24, 0)));
    assert_eq!(one(&mut host, 2, 0x0A, 0), Err((5, 0x24, 0)));
    assert_eq!(one(&mut host, 5, 0x0A, 0), Err((5, 0x24, 0)));
}

#[test]
fn what_no_lto_drive_has_is_unknown() {
    let (_library, mut host) = loaded();
    for opcode in [0x0F, 0x0B, 0xD1, 0x14, 0x18, 0xC5, 0xFF] {
        assert_eq!(host.send(&[opcode; 16]).triple(), (5, 0x20, 0), "{opcode:02X}");
    }
}

#[test]
fn there_is_one_logical_unit() {
    let (library, mut drive) = loaded();
    let mut robot = Host::new(&library, Device::Changer);
    for host in [&mut drive, &mut robot] {
        let units = host.ask(&[0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]).unwrap();
        assert_eq!(units, [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}

#[test]
fn verify_reads_without_a_transfer() {
    let (_library, mut host) = recorded();
    let verify = |flags, count| [0x13, flags, 0, 0, count, 0];
    assert!(host.send(&verify(0, 1)).is_good());
    assert_eq!(host.position(), 1);
    assert!(host.send(&verify(0x08, 1)).is_good());
    assert_eq!(host.position(), 3);
    assert!(host.send(&verify(0x20, 0)).is_good());
    assert_eq!(host.position(), 4);
    assert_eq!(host.send(&verify(0x08, 1)).triple(), (8, 0, 5));
    host.locate(2);
    assert_eq!(host.send(&verify(0, 1)).triple(), (0, 0, 1));
    assert_eq!(host.send(&verify(0x28, 0)).triple(), (5, 0x24, 0));
    assert_eq!(host.send(&verify(0x01, 1)).triple(), (5, 0x24, 0), "no block length is set");
}

#[test]
fn verify_compares_with_what_it_is_sent() {
    let (_library, mut host) = recorded();
    let compare = [0x13, 0x02, 4, 0, 0, 0];
    assert!(host.put(&compare, &block(b'a')).is_good());
    assert_eq!(host.put(&compare, &block(b'x')).triple(), (14, 0x1D, 0));
}

#[test]
fn a_medium_in_append_only_mode_is_overwritten_only_where_that_was_allowed() {
    let (_library, mut host) = recorded();
    let mut data = ModeData { pages: Vec::new(), ..ModeData::default() };
    data.device.buffered_mode = 1;
    let extension =
        reel_hw::scsi::mode::DeviceConfigurationExtension { write_mode: 1, ..Default::default() };
    data.pages = vec![PageContent::DeviceConfigurationExtension(extension).into()];
    let bytes = data.encode_select(CdbForm::Ten);
    assert!(host.put(&[0x55, 0x10, 0, 0, 0, 0, 0, 0, bytes.len() as u8, 0], &bytes).is_good());
    assert_eq!(host.write(&block(b'x')).triple(), (7, 0x27, 6));
    assert_eq!(host.send(&[0x04, 0, 0, 0, 0, 0]).triple(), (7, 0x27, 6));
    let allow = |kind, object| [0x82, 0, kind, 0, 0, 0, 0, 0, 0, 0, 0, object, 0, 0, 0, 0];
    assert_eq!(host.send(&allow(1, 2)).triple(), (5, 0x24, 0), "it is not there");
    host.locate(2);
    assert!(host.send(&allow(1, 2)).is_good());
    assert!(host.write(&block(b'x')).is_good());
    assert!(host.write(&block(b'y')).is_good());
    host.locate(2);
    assert_eq!(host.write(&block(b'z')).triple(), (7, 0x27, 6), "it was allowed once");
    host.send(&REWIND);
    assert_eq!(host.write(&block(b'x')).triple(), (7, 0x27, 6));
    assert!(host.send(&allow(2, 0)).is_good());
    assert!(host.send(&[0x04, 0, 0, 0, 0, 0]).is_good());
    assert!(host.write(&block(b'x')).is_good());
}

#[test]
fn a_host_can_be_warned_earlier() {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    library.insert(0, cartridge("TEST01L8", Generation::Lto8, 40 << 18));
    let mut host = Host::new(&library, Device::Drive(0));
    let extension = reel_hw::scsi::mode::DeviceConfigurationExtension {
        early_warning_mb: 2,
        ..Default::default()
    };
    let mut data = ModeData::default();
    data.device.buffered_mode = 1;
    data.pages = vec![PageContent::DeviceConfigurationExtension(extension).into()];
    let bytes = data.encode_select(CdbForm::Ten);
    assert!(host.put(&[0x55, 0x10, 0, 0, 0, 0, 0, 0, bytes.len() as u8, 0], &bytes).is_good());
    let ends: Vec<_> = (0..41).map(|_| host.write(&block(1)).triple()).collect();
    let count = |triple| ends.iter().filter(|end| **end == triple).count();
    let counts = [count((0, 0, 0)), count((0, 0, 7)), count((0, 0, 2)), count((13, 0, 2))];
    assert_eq!(counts, [24, 8, 8, 1]);
}

#[test]
fn diagnostics_pass() {
    let (_library, mut host) = loaded();
    assert!(host.send(&[0x1D, 4, 0, 0, 0, 0]).is_good());
    assert!(host.put(&[0x1D, 0x10, 0, 0, 4, 0], &[0; 4]).is_good());
    assert_eq!(host.put(&[0x1D, 0x10, 0, 0, 4, 0], &[9, 0, 0, 0]).triple(), (5, 0x26, 0));
    assert_eq!(host.ask(&[0x1C, 1, 0, 0, 0xFF, 0]).unwrap(), [0, 0, 0, 1, 0]);
    assert_eq!(host.ask(&[0x1C, 1, 9, 0, 0xFF, 0]), Err((5, 0x24, 0)));
}

fn control(host: &mut Host, descriptor_sense: bool) {
    let mut page = vec![0, 0, 0, 0x10, 0, 0, 0, 0, 0x0A, 10];
    page.extend([if descriptor_sense { 4 } else { 0 }, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert!(host.put(&[0x55, 0x10, 0, 0, 0, 0, 0, 0, page.len() as u8, 0], &page).is_good());
}

#[test]
fn sense_comes_in_the_format_that_was_set() {
    let (_library, mut host) = loaded();
    for (wanted, code) in [(true, 0x72), (false, 0x70)] {
        control(&mut host, wanted);
        let reply = host.reply(&[0x08, 0, 4, 0, 0, 0], Data::In(&mut [0; 1 << 18]));
        assert_eq!((reply.status, reply.sense[0] & 0x7F), (Status::CheckCondition, code));
        let sense = Sense::decode(&reply.sense).unwrap();
        assert_eq!((sense.key as u8, sense.information), (8, Some(1 << 18)));
        let page = host.ask(&[0x5A, 8, 0x0A, 0, 0, 0, 0, 1, 0, 0]).unwrap();
        assert_eq!(page[10] & 4 != 0, wanted);
    }
}

fn mode(host: &mut Host, control: u8, page: u8, subpage: u8) -> ModeData {
    let cdb = [0x5A, 0, control << 6 | page, subpage, 0, 0, 0, 16, 0, 0];
    ModeData::decode(CdbForm::Ten, DeviceType::Tape, &host.ask(&cdb).unwrap()).unwrap()
}

#[test]
fn mode_pages_tell_what_is_what_was_and_what_can_be() {
    let (_library, mut host) = loaded();
    let mut current = mode(&mut host, 0, 0x0F, 0);
    let mut page = current.compression().unwrap();
    assert!(page.enabled && page.capable);
    page.enabled = false;
    current.pages = vec![PageContent::Compression(page).into()];
    let bytes = current.encode_select(CdbForm::Ten);
    assert!(host.put(&[0x55, 0x10, 0, 0, 0, 0, 0, 0, bytes.len() as u8, 0], &bytes).is_good());
    assert!(!mode(&mut host, 0, 0x0F, 0).compression().unwrap().enabled);
    assert!(mode(&mut host, 2, 0x0F, 0).compression().unwrap().enabled);
    let mask = mode(&mut host, 1, 0x0F, 0).compression().unwrap();
    assert!(mask.enabled && !mask.capable);
    assert_eq!(host.ask(&[0x5A, 0, 0xCF, 0, 0, 0, 0, 16, 0, 0]), Err((5, 0x39, 0)));
    let all = mode(&mut host, 0, 0x3F, 0xFF);
    let codes: Vec<_> = all.pages.iter().map(|page| page.content.code()).collect();
    let expected = [
        (0x0A, None),
        (0x0A, Some(0xF0)),
        (0x0F, None),
        (0x10, None),
        (0x10, Some(1)),
        (0x1D, None),
    ];
    assert_eq!(codes, expected);
    let plain: Vec<_> =
        mode(&mut host, 0, 0x3F, 0).pages.iter().map(|page| page.content.code().0).collect();
    assert_eq!(plain, [0x0A, 0x0F, 0x10, 0x1D]);
}

#[test]
fn a_host_can_protect_the_medium_by_a_mode_page() {
    let (_library, mut host) = loaded();
    let mut data = mode(&mut host, 0, 0x10, 0);
    let Some(PageContent::DeviceConfiguration(page)) = data.pages.first().map(|one| &one.content)
    else {
        panic!("{data:?}")
    };
    assert!(page.has_object_identifiers() && page.syncs_at_early_warning());
    assert_eq!(page.write_delay_time(), 100);
    let mut page = *page;
    page.bytes[8] |= 4;
    data.pages = vec![PageContent::DeviceConfiguration(page).into()];
    let bytes = data.encode_select(CdbForm::Ten);
    assert!(host.put(&[0x55, 0x10, 0, 0, 0, 0, 0, 0, bytes.len() as u8, 0], &bytes).is_good());
    assert!(mode(&mut host, 0, 0x10, 0).device.write_protected);
    assert_eq!(host.write(&[1; 10]).triple(), (7, 0x27, 2));
}

#[test]
fn answers_are_cut_to_what_the_host_takes() {
    let (library, mut drive) = recorded();
    let mut robot = Host::new(&library, Device::Changer);
    let at_drive: [&dyn Fn(u8) -> Vec<u8>; 9] = [
        &|n| vec![0x12, 0, 0, 0, n, 0],
        &|n| vec![0x12, 1, 0x83, 0, n, 0],
        &|n| vec![0x03, 0, 0, 0, n, 0],
        &|n| vec![0x1A, 0, 0x3F, 0, n, 0],
        &|n| vec![0x5A, 0, 0x0F, 0, 0, 0, 0, 0, n, 0],
        &|n| vec![0x4D, 0, 0x57, 0, 0, 0, 0, 0, n, 0],
        &|n| vec![0x8C, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n, 0, 0],
        &|n| vec![0xA2, 0x20, 0, 0x10, 0, 0, 0, 0, 0, n, 0, 0],
        &|n| vec![0xA3, 0x0C, 0, 0, 0, 0, 0, 0, 0, n, 0, 0],
    ];
    let at_robot: [&dyn Fn(u8) -> Vec<u8>; 3] = [
        &|n| vec![0xB8, 0x10, 0, 0, 0xFF, 0xFF, 0, 0, 0, n, 0, 0],
        &|n| vec![0x1A, 8, 0x1D, 0, n, 0],
        &|n| vec![0xA0, 0, 0, 0, 0, 0, 0, 0, 0, n, 0, 0],
    ];
    let check = |host: &mut Host, cdb: &dyn Fn(u8) -> Vec<u8>| {
        let whole = host.ask(&cdb(0xFF)).unwrap();
        for bytes in [0, 1, 3, 5] {
            let part = host.ask(&cdb(bytes)).unwrap();
            assert_eq!(part, whole[..usize::from(bytes)], "{:02X?}", cdb(bytes));
        }
    };
    at_drive.iter().for_each(|cdb| check(&mut drive, *cdb));
    at_robot.iter().for_each(|cdb| check(&mut robot, *cdb));
}

#[test]
fn fields_that_mean_nothing_are_refused() {
    let (_library, mut host) = loaded();
    let invalid = (5, 0x24, 0);
    assert_eq!(host.send(&[0x11, 2, 0, 0, 1, 0]).triple(), invalid);
    assert_eq!(
        host.send(&[0x92, 0x28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).triple(),
        invalid
    );
    assert_eq!(host.send(&[0x92, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).triple(), invalid);
    assert_eq!(host.send(&[0x04, 0, 1, 0, 0, 0]).triple(), invalid);
    assert_eq!(host.ask(&[0x34, 3, 0, 0, 0, 0, 0, 0, 0, 0]), Err(invalid));
    assert_eq!(host.ask(&[0x12, 1, 0x99, 0, 0xFF, 0]), Err(invalid));
    assert_eq!(host.ask(&[0x5A, 0, 0x2A, 0, 0, 0, 0, 1, 0, 0]), Err(invalid));
    assert_eq!(host.exchange(&[0x08, 1, 0, 0, 1, 0], Data::In(&mut [0; 512])).triple(), invalid);
    assert_eq!(host.put(&[0x15, 0x10, 0, 0, 2, 0], &[0, 0]).triple(), (5, 0x1A, 0));
    let unknown_page = [0, 0, 0x10, 0, 0x2A, 2, 0, 0];
    assert_eq!(host.put(&[0x15, 0x10, 0, 0, 8, 0], &unknown_page).triple(), (5, 0x26, 0));
    let long_blocks = [0, 0, 0x10, 8, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF];
    assert_eq!(host.put(&[0x15, 0x10, 0, 0, 12, 0], &long_blocks).triple(), (5, 0x26, 0));
}

#[test]
fn everybody_else_is_told_what_one_host_changes() {
    let (library, mut host) = loaded();
    let mut other = Host::new(&library, Device::Drive(0));
    let told = |other: &mut Host| other.send(&[0; 6]).triple();
    control(&mut host, true);
    assert_eq!(told(&mut other), (6, 0x2A, 1));
    control(&mut host, false);
    assert_eq!(told(&mut other), (6, 0x2A, 1));
    let clear = [0, 0x10, 0, 0x10, 0x40, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert!(host.put(&[0xB5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 20, 0, 0], &clear).is_good());
    assert_eq!(told(&mut other), (6, 0x2A, 0x11));
    host.send(&[0x1B, 0, 0, 0, 0, 0]);
    host.send(&[0x1B, 0, 0, 0, 1, 0]);
    assert_eq!(told(&mut other), (6, 0x28, 0));
    library.reset(Device::Drive(0));
    assert_eq!(told(&mut other), (6, 0x29, 0));
    assert_eq!(told(&mut host), (6, 0x29, 0));
    assert_eq!(told(&mut host), (0, 0, 0));
}

#[test]
fn vital_pages_are_those_that_are_listed() {
    for (maker, count) in [(Maker::Ibm, 8), (Maker::Hp, 6)] {
        let (_library, mut host) = loaded_as(maker);
        let list = host.ask(&[0x12, 1, 0, 0, 0xFF, 0]).unwrap();
        assert_eq!(list[4..].len(), count);
        for page in &list[4..] {
            let bytes = host.ask(&[0x12, 1, *page, 1, 0, 0]).unwrap();
            assert_eq!(VpdData::decode(&bytes).unwrap().page.code(), *page);
        }
    }
}

fn holding(generation: Generation, facts: CartridgeFacts) -> (EmulatedLibrary, Host) {
    let library = library(model(Maker::Ibm, generation));
    library.insert(0, blank_tape(facts, 5));
    let host = Host::new(&library, Device::Drive(0));
    (library, host)
}

#[test]
fn older_media_are_read_or_written_or_neither() {
    use Generation::*;
    let cases = [
        (Lto5, Lto5, (0, 0, 0), (0, 0, 0)),
        (Lto6, Lto5, (0, 0, 0), (0, 0, 0)),
        (Lto7, Lto5, (0, 0, 0), (3, 0x30, 5)),
        (Lto8, Lto7, (0, 0, 0), (0, 0, 0)),
        (Lto8, Lto6, (3, 0x30, 0), (3, 0x30, 0)),
        (Lto9, Lto8, (0, 0, 0), (0, 0, 0)),
        (Lto9, Lto7, (3, 0x30, 0), (3, 0x30, 0)),
        (Lto8, Lto9, (3, 0x30, 0), (3, 0x30, 0)),
    ];
    for (drive, medium, reads, writes) in cases {
        let (_library, mut host) = holding(drive, facts("TEST01", medium, 1 << 30));
        assert_eq!(host.send(&[0; 6]).triple(), reads, "{drive:?} with {medium:?}");
        assert_eq!(host.read(&mut block(0)).triple(), reads);
        assert_eq!(host.write(&block(0)).triple(), writes);
        let alerts = reel_hw::scsi::log::decode_alert_response(&host.log(0x12)).unwrap();
        let expected = match (reads.0, writes.0) {
            (0, 0) => "(empty)",
            (0, _) => "READ_ONLY_FORMAT",
            _ => "UNSUPPORTED_FORMAT",
        };
        assert_eq!(alerts.to_string(), expected);
    }
}

#[test]
fn a_type_m_medium_is_for_lto_8_alone() {
    let type_m = CartridgeFacts { density: 0x5D, ..facts("TEST01M8", Generation::Lto7, 1 << 30) };
    for (drive, ready) in [(Generation::Lto8, 0), (Generation::Lto7, 3), (Generation::Lto9, 3)] {
        let (_library, mut host) = holding(drive, type_m.clone());
        assert_eq!(host.send(&[0; 6]).triple().0, ready, "{drive:?}");
    }
}

#[test]
fn a_worm_medium_is_only_appended_to() {
    let worm = CartridgeFacts {
        kind: CartridgeKind::Worm,
        ..facts("TEST01LW", Generation::Lto8, 1 << 30)
    };
    let (_library, mut host) = holding(Generation::Lto8, worm);
    assert_eq!(host.write(&block(0)).triple(), (7, 0x30, 0x0C));
    assert_eq!(host.send(&[0x19, 0, 0, 0, 0, 0]).triple(), (7, 0x30, 0x0C));
    assert_eq!(host.send(&[0x04, 0, 0, 0, 0, 0]).triple(), (7, 0x30, 0x0C));
    host.locate(5);
    assert!(host.send(&[0x10, 0, 0, 0, 1, 0]).is_good());
    host.locate(5);
    assert!(host.write(&block(0)).is_good(), "the last filemark may go");
    host.locate(5);
    assert_eq!(host.write(&block(0)).triple(), (7, 0x30, 0x0C), "a block may not");
    let page = host.ask(&[0x5A, 8, 0x1D, 0, 0, 0, 0, 1, 0, 0]).unwrap();
    assert_eq!(page[10] & 1, 1);
    let alerts = reel_hw::scsi::log::decode_alert_response(&host.log(0x12)).unwrap();
    assert_eq!(alerts.to_string(), "WORM_OVERWRITE_ATTEMPTED");
}
