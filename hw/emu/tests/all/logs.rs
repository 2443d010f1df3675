//! Log pages and what makes their numbers change (spec scsi.md §7).

use reel_emu::time::{BadSpot, BadSpots, SpotReading};
use reel_emu::{CleaningWish, Device, EmulatedLibrary, Fault, Generation, Maker, Moment};
use reel_hw::conformance::{block, record};
use reel_hw::scsi::log::{
    self, DeviceStatus, ErrorCounters, LogPage, SequentialAccess, SupportedPages, TapeCapacity,
    VolumeStatisticsPage, page,
};
use reel_hw::scsi::{Sense, SenseKey};
use reel_hw::{BlockNumber, TapeDrive};

use crate::support::{Host, cartridge, library, model, open};

fn loaded(maker: Maker) -> (EmulatedLibrary, Host) {
    let library = library(model(maker, Generation::Lto8));
    library.insert(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    let host = Host::new(&library, Device::Drive(0));
    (library, host)
}

fn alerts(host: &mut Host) -> String {
    log::decode_alert_response(&host.log(page::ALERT_RESPONSE)).unwrap().to_string()
}

fn volume(host: &mut Host) -> VolumeStatisticsPage {
    VolumeStatisticsPage::decode(&host.log(page::VOLUME_STATISTICS)).unwrap()
}

#[test]
fn every_page_that_is_listed_can_be_read() {
    for (maker, count) in [(Maker::Ibm, 12), (Maker::Hp, 14)] {
        let (_library, mut host) = loaded(maker);
        let listed = SupportedPages::decode(&host.log(0)).unwrap();
        assert_eq!(listed.pages.len(), count);
        for (number, _) in &listed.pages {
            let bytes = host.log(*number);
            assert_eq!(bytes[0], *number);
            assert!(LogPage::decode(&bytes).is_ok() || *number == 0);
        }
        let with_subpages = host.ask(&[0x4D, 0, 0x40, 0xFF, 0, 0, 0, 1, 0, 0]).unwrap();
        let with_subpages = SupportedPages::decode(&with_subpages).unwrap();
        assert_eq!(with_subpages.pages.len(), count + 1);
        let unknown = host.ask(&[0x4D, 0, 0x40 | 0x3D, 0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(unknown, Err((5, 0x24, 0)));
    }
}

#[test]
fn parameters_begin_where_they_are_asked_for() {
    let (_library, mut host) = loaded(Maker::Ibm);
    let from = |host: &mut Host, code: u16| {
        let [a, b] = code.to_be_bytes();
        let bytes = host.ask(&[0x4D, 0, 0x42, 0, 0, a, b, 1, 0, 0])?;
        Ok(LogPage::decode(&bytes).unwrap().parameters[0].code)
    };
    assert_eq!(from(&mut host, 0), Ok(0));
    assert_eq!(from(&mut host, 5), Ok(5));
    assert_eq!(from(&mut host, 7), Err((5, 0x24, 0)));
}

#[test]
fn counters_follow_the_work() {
    let (library, mut host) = loaded(Maker::Ibm);
    let before = volume(&mut host);
    let mut drive = open(&library);
    record(&mut drive, &[&[b'x'; 40]]).unwrap();
    drive.sync().unwrap();
    drive.rewind().unwrap();
    let mut buffer = block(0);
    for _ in 0..20 {
        drive.read_block(&mut buffer).unwrap();
    }
    drop(drive);
    host.hear();
    let (written, read) = (40 << 18, 20 << 18);
    let writes = ErrorCounters::decode(&host.log(page::WRITE_ERRORS), page::WRITE_ERRORS).unwrap();
    let reads = ErrorCounters::decode(&host.log(page::READ_ERRORS), page::READ_ERRORS).unwrap();
    assert_eq!((writes.bytes, writes.uncorrected), (Some(written), Some(0)));
    assert_eq!((reads.bytes, reads.uncorrected), (Some(read), Some(0)));
    let access = SequentialAccess::decode(&host.log(page::SEQUENTIAL_ACCESS)).unwrap();
    assert_eq!(access.host_bytes_written, Some(written));
    assert_eq!(access.cleaning_requested, Some(0));
    let after = volume(&mut host);
    let mb = |bytes: u64| Some(bytes / 1_000_000 * 1_000_000);
    assert_eq!(after.last_mount_bytes_written, mb(written));
    assert_eq!(after.lifetime_bytes_read, mb(read));
    assert_eq!((before.volume_datasets_written, after.volume_datasets_written), (Some(0), Some(3)));
    assert_eq!(after.volume_mounts, Some(1));
    assert!(after.beginning_of_medium_passes > before.beginning_of_medium_passes);
    let capacity = TapeCapacity::decode(&host.log(page::TAPE_CAPACITY)).unwrap();
    assert_eq!(capacity.maximum, Some(1024));
    assert_eq!(capacity.remaining, Some(1024 - 11));
}

#[test]
fn a_host_can_set_counters_back() {
    let (library, mut host) = loaded(Maker::Ibm);
    let mut other = Host::new(&library, Device::Drive(0));
    host.write(&[1; 100_000]);
    host.send(&[0x01, 0, 0, 0, 0, 0]);
    host.read(&mut [0; 100_000]);
    let bytes = |host: &mut Host, number| {
        ErrorCounters::decode(&host.log(number), number).unwrap().bytes.unwrap()
    };
    assert_eq!((bytes(&mut host, 2), bytes(&mut host, 3)), (100_000, 100_000));
    assert!(host.send(&[0x4C, 2, 0x42, 0, 0, 0, 0, 0, 0, 0]).is_good());
    assert_eq!((bytes(&mut host, 2), bytes(&mut host, 3)), (0, 100_000));
    assert_eq!(other.send(&[0; 6]).triple(), (6, 0x2A, 2));
    assert!(host.send(&[0x4C, 2, 0x40, 0, 0, 0, 0, 0, 0, 0]).is_good());
    assert_eq!(bytes(&mut host, 3), 0);
    assert_eq!(host.put(&[0x4C, 2, 0x42, 0, 0, 0, 0, 0, 4, 0], &[0; 4]).triple(), (5, 0x24, 0));
    assert_eq!(volume(&mut host).volume_mounts, Some(1), "a medium's life is not set back");
}

#[test]
fn failures_raise_alerts_and_are_remembered() {
    let (library, mut host) = loaded(Maker::Ibm);
    host.write(&[1; 1000]);
    host.send(&[0x01, 0, 0, 0, 0, 0]);
    assert_eq!(alerts(&mut host), "(empty)");
    let sense = Sense::new(SenseKey::MediumError, 0x11, 0x00);
    library.plan_fault(Fault { moment: Moment::Once(library.commands() + 1), sense });
    assert_eq!(host.read(&mut [0; 1000]).triple(), (3, 0x11, 0));
    assert_eq!(alerts(&mut host), "HARD_ERROR | READ_FAILURE");
    assert_eq!(alerts(&mut host), "HARD_ERROR | READ_FAILURE", "reading this page clears nothing");
    let statistics = volume(&mut host);
    assert_eq!(statistics.last_mount_unrecovered_read_errors, Some(1));
    assert_eq!(statistics.volume_unrecovered_read_errors, Some(1));
    let history = LogPage::decode(&host.log(0x16)).unwrap();
    assert_eq!(history.parameters[0].value[13..16], [3, 0x11, 0]);
    let flags = log::decode_alerts(&host.log(page::ALERTS)).unwrap();
    assert_eq!(flags.to_string(), "HARD_ERROR | READ_FAILURE");
    assert_eq!(alerts(&mut host), "(empty)", "reading that one does");
}

#[test]
fn corrected_errors_are_counted_too() {
    let library = library(model(Maker::Ibm, Generation::Lto8));
    let mut tape = cartridge("TEST01L8", Generation::Lto8, 1 << 30);
    let spot = |first, reading| BadSpot {
        first: BlockNumber(first),
        objects: 1,
        speed_share: 0.5,
        room_per_object: 1.1,
        reading,
    };
    let spots = vec![spot(1, SpotReading::Slow), spot(2, SpotReading::ThirdTry)];
    tape.spots = Some(BadSpots::new(spots));
    library.insert(0, tape);
    let mut host = Host::new(&library, Device::Drive(0));
    for _ in 0..4 {
        host.write(&block(1));
    }
    host.send(&[0x01, 0, 0, 0, 0, 0]);
    let mut buffer = block(0);
    let ends: Vec<_> = (0..6).map(|_| host.read(&mut buffer).triple().0).collect();
    assert_eq!(ends, [0, 0, 3, 3, 0, 0]);
    let reads = ErrorCounters::decode(&host.log(3), 3).unwrap();
    assert_eq!((reads.corrected, reads.uncorrected), (Some(2), Some(2)));
    assert_eq!(volume(&mut host).volume_recovered_read_errors, Some(2));
}

#[test]
fn a_protected_medium_that_is_written_to_raises_an_alert() {
    let (library, mut host) = loaded(Maker::Ibm);
    library.set_write_protection(0, true);
    assert_eq!(host.write(&[1; 100]).triple(), (7, 0x27, 0));
    assert_eq!(alerts(&mut host), "WRITE_PROTECT");
    let status = DeviceStatus::decode(&host.log(page::DEVICE_STATUS)).unwrap();
    assert_ne!(status.flags & DeviceStatus::WRITE_PROTECTED, 0);
    library.set_write_protection(0, false);
    assert!(host.write(&[1; 100]).is_good());
    host.send(&[0x1B, 0, 0, 0, 0, 0]);
    host.send(&[0x1B, 0, 0, 0, 1, 0]);
    assert_eq!(alerts(&mut host), "(empty)", "the next load begins anew");
}

#[test]
fn a_medium_near_its_end_of_life_says_so() {
    for (passes, loads, expected) in [
        (100, 10, "(empty)"),
        (14_500, 10, "NEARING_MEDIA_LIFE"),
        (100, 18_100, "NEARING_MEDIA_LIFE"),
        (16_001, 10, "MEDIA_LIFE | NEARING_MEDIA_LIFE"),
    ] {
        let library = library(model(Maker::Ibm, Generation::Lto8));
        let mut worn = cartridge("TEST01L8", Generation::Lto8, 1 << 30);
        worn.facts.life.middle_passes = passes;
        worn.facts.loads = loads;
        library.insert(0, worn);
        let mut host = Host::new(&library, Device::Drive(0));
        assert_eq!(alerts(&mut host), expected, "{passes} passes, {loads} loads");
    }
}

#[test]
fn a_drive_that_wants_to_be_cleaned_shows_it_everywhere() {
    let (library, mut host) = loaded(Maker::Hp);
    library.set_bytes_until_dirty(0, 1_000_000);
    for _ in 0..4 {
        host.write(&block(1));
    }
    assert_eq!(alerts(&mut host), "CLEAN_PERIODIC");
    let status = |host: &mut Host| DeviceStatus::decode(&host.log(0x11)).unwrap().flags;
    assert_eq!(status(&mut host) & 0x06, DeviceStatus::CLEANING_REQUESTED);
    library.want_cleaning(0, CleaningWish::Now);
    assert_eq!(alerts(&mut host), "CLEAN_NOW | CLEAN_PERIODIC");
    assert_eq!(status(&mut host) & 0x06, 0x06);
    let access = SequentialAccess::decode(&host.log(0x0C)).unwrap();
    assert_eq!(access.cleaning_requested, Some(1));
}
