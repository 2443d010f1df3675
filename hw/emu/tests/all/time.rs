//! What the devices of a library take their time for (spec timing.md), by its clock.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use reel_emu::time::{BadSpot, BadSpots, EmuClock, Seed, SpotReading};
use reel_emu::{CartridgeFacts, Device, EmulatedLibrary, Generation, LibraryShape, Maker, Timing};
use reel_hw::scsi::Cdb;
use reel_hw::scsi::access_order::WrapEnds;
use reel_hw::scsi::log::{DeviceActivity, DeviceStatus, PerformanceData};
use reel_hw::transport::{Data, Transport, TransportError};
use reel_hw::{BlockNumber, Cancel, LtoDrive, LtoOptions, TapeDrive};

use crate::support::{
    Ended, Host, blank_tape, cartridge, facts, model, open, recorded, timed_library,
};

const BLOCK: usize = 256 << 10;
const REWIND: [u8; 6] = [0x01, 0, 0, 0, 0, 0];
const FLUSH: [u8; 6] = [0x10, 0, 0, 0, 0, 0];
const UNLOAD: [u8; 6] = [0x1B, 0, 0, 0, 0, 0];
const LOAD: [u8; 6] = [0x1B, 0, 0, 0, 1, 0];
const READY: [u8; 6] = [0; 6];

fn simulated(generation: Generation) -> EmulatedLibrary {
    timed_library(model(Maker::Ibm, generation), &Timing::simulated())
}

/// A medium with so many blocks, loaded and ready, and a host of its drive.
fn loaded(generation: Generation, blocks: u64) -> (EmulatedLibrary, Host) {
    let library = simulated(generation);
    library.insert(0, recorded(generation, blocks));
    library.wait_until_idle(0);
    let host = Host::new(&library, Device::Drive(0));
    (library, host)
}

fn clock(library: &EmulatedLibrary) -> &EmuClock {
    library.clock().unwrap()
}

/// How long something takes, s on the library's clock.
fn time_s<T>(library: &EmulatedLibrary, something: impl FnOnce() -> T) -> f64 {
    let before = clock(library).now_s();
    something();
    clock(library).now_s() - before
}

fn assert_near(found_s: f64, expected_s: f64) {
    assert!((found_s - expected_s).abs() < 0.01, "{found_s} s instead of {expected_s} s");
}

fn activity(host: &mut Host) -> DeviceActivity {
    DeviceStatus::decode(&host.log(0x11)).unwrap().activity
}

#[test]
fn a_kept_library_goes_by_the_time_of_its_shape() {
    let folder = tempfile::tempdir().unwrap();
    for (name, quickened) in [("none", None), ("quick", Some(1_000_000))] {
        let shape =
            LibraryShape { quickened, ..LibraryShape::unique(1, Maker::Ibm, Generation::Lto8) };
        let path = folder.path().join(name);
        EmulatedLibrary::create(&path, &shape).unwrap();
        for number in 0..2 {
            let library = EmulatedLibrary::open(&path).unwrap();
            assert_eq!(library.clock().is_some(), quickened.is_some());
            assert!(library.clock().is_none_or(|clock| !clock.is_simulated()));
            // What is kept of it changes.
            let added = facts(&format!("NEW00{number}L8"), Generation::Lto8, 1 << 20);
            library.add_cartridge(added).unwrap();
        }
    }
}

#[test]
fn nothing_takes_time_without_a_clock() {
    let library = timed_library(model(Maker::Ibm, Generation::Lto9), &Timing::none());
    library.insert(0, recorded(Generation::Lto9, 1000));
    let mut host = Host::new(&library, Device::Drive(0));
    assert!(host.send(&READY).is_good());
    assert!(host.locate(900).is_good());
    assert_eq!(library.drive_counts(0).unwrap().total_s(), 0.0);
}

#[test]
fn a_medium_is_ready_when_it_is_threaded() {
    let library = simulated(Generation::Lto8);
    library.insert(0, recorded(Generation::Lto8, 0));
    let mut host = Host(library.transport(Device::Drive(0)));
    host.send(&READY);
    let Ended::Check(sense) = host.send(&READY) else { panic!("ready at once") };
    assert_eq!((sense.key as u8, sense.asc, sense.ascq, sense.progress), (2, 4, 1, Some(0)));
    assert_near(clock(&library).now_s(), 15.0);
    assert!(host.send(&READY).is_good());
    assert_near(library.drive_counts(0).unwrap().seconds(DeviceActivity::Loading), 15.0);
}

#[test]
fn locates_and_rewinds_cost_what_the_spec_says() {
    let (library, mut host) = loaded(Generation::Lto8, 1_000_010);
    let locate_s =
        |host: &mut Host, object| time_s(&library, || assert!(host.locate(object).is_good()));
    assert_near(locate_s(&mut host, 1_000_000), 61.647);
    locate_s(&mut host, 100_000);
    assert_near(locate_s(&mut host, 105_000), 6.659);
    assert_near(locate_s(&mut host, 100_000), 17.979);
    assert_near(locate_s(&mut host, 100_000), 0.0);
    let rewind_s = 6.0 + 2.0 * 53.0 * 100_000.0 / 220_078.0;
    assert_near(time_s(&library, || host.send(&REWIND)), rewind_s);
    assert_near(time_s(&library, || host.send(&REWIND)), 0.1);
    let end_s = time_s(&library, || host.send(&[0x11, 3, 0, 0, 0, 0]));
    assert!(end_s > 50.0, "to the end of data in {end_s} s");
}

#[test]
fn a_stream_runs_at_the_speed_of_the_tape() {
    let (library, mut host) = loaded(Generation::Lto8, 231_400);
    host.locate(215_000);
    let mut block = vec![0; BLOCK];
    let read_s = time_s(&library, || {
        for _ in 0..16_384 {
            assert!(host.read(&mut block).is_good());
        }
    });
    assert!((read_s - 14.767).abs() < 0.1, "{read_s}");
    assert_eq!(library.drive_counts(0).unwrap().stops, 0);
}

#[test]
fn what_was_written_is_on_the_tape_after_a_flush() {
    let (library, mut host) = loaded(Generation::Lto6, 0);
    let block = vec![0; BLOCK];
    let write_s = time_s(&library, || {
        for _ in 0..16_384 {
            assert!(host.write(&block).is_good());
        }
    });
    let buffer_s = 512.0 * 1.048_576 / 163.2;
    assert!((write_s - (26.317 - buffer_s)).abs() < 0.5, "{write_s}");
    let flush_s = time_s(&library, || host.send(&FLUSH));
    assert!((write_s + flush_s - 26.317).abs() < 0.5, "{write_s} and {flush_s}");
    let counts = library.drive_counts(0).unwrap();
    assert_eq!((counts.stops, counts.underruns), (1, 0));
    assert_near(counts.seconds(DeviceActivity::Writing), write_s + flush_s);
}

#[test]
fn a_slow_host_makes_the_tape_stop() {
    let (library, mut host) = loaded(Generation::Lto9, 0);
    let block = vec![0; BLOCK];
    let pause = Duration::from_secs_f64(BLOCK as f64 / 100e6);
    for _ in 0..40_000 {
        clock(&library).advance(pause);
        assert!(host.write(&block).is_good());
    }
    let counts = library.drive_counts(0).unwrap();
    assert!((7..=9).contains(&counts.stops), "{counts:?}: 810 in a TB, and this is 10.5 GB");
    assert_eq!(counts.stops, counts.underruns);
}

#[test]
fn a_drive_that_tells_of_its_stops_does_so_for_each_100_mb() {
    let library = timed_library(model(Maker::Hp, Generation::Lto9), &Timing::simulated());
    library.insert(0, recorded(Generation::Lto9, 0));
    library.wait_until_idle(0);
    let mut host = Host::new(&library, Device::Drive(0));
    let told = |host: &mut Host| PerformanceData::decode(&host.log(0x34)).unwrap();
    assert_eq!(told(&mut host).repositions_per_100_mb, None, "nothing is written");
    for _ in 0..40 {
        (0..10).for_each(|_| assert!(host.write(&[0; BLOCK]).is_good()));
        assert!(host.send(&FLUSH).is_good());
    }
    assert_eq!(told(&mut host).repositions_per_100_mb, Some(38), "40 in 105 MB");
    assert_eq!(told(&mut host).native_rate, Some(4000));
}

#[test]
fn stops_for_want_of_data_are_seen_from_the_host() {
    for (mb_s, is_late) in [(200.0, false), (100.0, true), (50.0, true)] {
        let library = simulated(Generation::Lto9);
        library.insert(0, recorded(Generation::Lto9, 0));
        library.wait_until_idle(0);
        let clock = clock(&library).clone();
        let options = LtoOptions { clock: Arc::new(clock.clone()), ..LtoOptions::default() };
        let transport = Box::new(library.transport(Device::Drive(0)));
        let mut drive = LtoDrive::open(transport, options, &Cancel::new()).unwrap();
        let (block, pause) = (vec![0; BLOCK], Duration::from_secs_f64(BLOCK as f64 / 1e6 / mb_s));
        for number in 0..40_000 {
            clock.advance(pause);
            drive.write_block(&block).unwrap();
            if number == 20_000 {
                drive.sync().unwrap();
                clock.advance(Duration::from_secs(60));
            }
        }
        let counted = library.drive_counts(0).unwrap().underruns;
        let seen = drive.counters().underruns;
        assert!(seen.abs_diff(counted) <= 1, "{mb_s}: {seen} instead of {counted}");
        assert_eq!((counted > 0, seen > 0), (is_late, is_late), "{mb_s}: {counted} and {seen}");
    }
}

#[test]
fn the_first_load_of_an_lto_9_medium_cannot_be_cut_short() {
    let library = simulated(Generation::Lto9);
    let new = CartridgeFacts {
        initialized: false,
        ..facts("NEW001L9", Generation::Lto9, 18_000_000_000_000)
    };
    library.put(0, blank_tape(new, 0));
    let mut robot = Host::new(&library, Device::Changer);
    assert!(robot.move_medium(0x1000, 0x100).is_good());
    assert_near(clock(&library).now_s(), 10.0);
    clock(&library).advance(Duration::from_secs(17 + 1800));
    let mut host = Host(library.transport(Device::Drive(0)));
    host.send(&READY);
    assert_eq!(activity(&mut host), DeviceActivity::Calibrating);
    assert_eq!(robot.move_medium(0x100, 0x1000).triple(), (5, 0x53, 0x02));
    let mut progress = Vec::new();
    for command in [UNLOAD, LOAD, READY] {
        let Ended::Check(sense) = host.send(&command) else { panic!("{command:?}") };
        assert_eq!((sense.key as u8, sense.asc, sense.ascq), (2, 4, 1));
        progress.push(sense.progress.unwrap());
    }
    assert!(progress.is_sorted() && progress[0] > 0x7000 && progress[2] > progress[0]);
    library.wait_until_idle(0);
    assert_near(clock(&library).now_s(), 10.0 + 17.0 + 3600.0);
    host.hear();
    assert!(host.send(&READY).is_good());
    assert_eq!(activity(&mut host), DeviceActivity::NoActivity);
    assert!(library.cartridge(0, |cartridge| cartridge.facts.initialized).unwrap());
    assert!(host.send(&UNLOAD).is_good());
    assert_near(time_s(&library, || assert!(host.send(&LOAD).is_good())), 17.0);
}

#[test]
fn an_lto_9_medium_is_tensioned_anew_after_it_was_read_in_several_places() {
    let (library, mut host) = loaded(Generation::Lto9, 2_000_000);
    assert_near(time_s(&library, || host.send(&UNLOAD)), 30.1);
    host.send(&LOAD);
    let mut block = vec![0; BLOCK];
    for place in [1_000_000, 1_500_000] {
        host.locate(place);
        host.read(&mut block);
    }
    host.send(&REWIND);
    assert_near(time_s(&library, || host.send(&UNLOAD)), 140.1);
}

#[test]
fn an_immediate_command_is_answered_at_once_and_done_later() {
    let (library, mut host) = loaded(Generation::Lto8, 110_100);
    host.locate(110_039);
    assert_near(time_s(&library, || assert!(host.send(&[1, 1, 0, 0, 0, 0]).is_good())), 0.0);
    assert_eq!(activity(&mut host), DeviceActivity::Rewinding);
    clock(&library).advance(Duration::from_secs(30));
    let Ended::Check(sense) = host.send(&FLUSH) else { panic!("not busy") };
    assert_eq!((sense.key as u8, sense.asc, sense.ascq), (2, 4, 7));
    assert!((0x8000..0x8800).contains(&sense.progress.unwrap()), "{sense:?}");
    library.wait_until_idle(0);
    assert!(host.send(&READY).is_good());
    assert_eq!(host.position(), 0);
}

#[test]
fn the_robot_moves_while_a_drive_rewinds() {
    let clock = EmuClock::quickened(100);
    let library = timed_library(model(Maker::Ibm, Generation::Lto8), &Timing::on(clock));
    library.insert(0, recorded(Generation::Lto8, 110_100));
    library.put(0, cartridge("TEST02L8", Generation::Lto8, 1 << 30));
    library.wait_until_idle(0);
    let mut host = Host::new(&library, Device::Drive(0));
    host.locate(110_039);
    let rewinds = thread::spawn(move || {
        let begin = Instant::now();
        assert!(host.send(&REWIND).is_good());
        begin.elapsed()
    });
    let mut other = Host(library.transport(Device::Drive(0)));
    let mut robot = Host::new(&library, Device::Changer);
    other.ask(&[0x12, 0, 0, 0, 36, 0]).unwrap();
    // REQUEST SENSE takes the attention that it is due.
    other.ask(&[0x03, 0, 0, 0, 0xFC, 0]).unwrap();
    while activity(&mut other) != DeviceActivity::Rewinding {
        assert!(!rewinds.is_finished(), "it was never seen to rewind");
        thread::yield_now();
    }
    let begin = Instant::now();
    assert!(robot.move_medium(0x1000, 0x1001).is_good());
    assert!(begin.elapsed() >= Duration::from_millis(90));
    assert!(!rewinds.is_finished(), "the robot waited for the drive");
    assert!(rewinds.join().unwrap() >= Duration::from_millis(550));
}

#[test]
fn another_host_waits_for_the_tape() {
    let (library, mut host) = loaded(Generation::Lto8, 110_100);
    let mut other = Host::new(&library, Device::Drive(0));
    host.locate(110_039);
    host.send(&REWIND);
    assert!(other.send(&READY).is_good());
    assert_eq!(other.position(), 0);
}

#[test]
fn a_command_that_takes_longer_than_its_limit_is_given_up() {
    let (_library, mut host) = loaded(Generation::Lto8, 110_100);
    host.locate(110_039);
    let cdb = Cdb::new(&REWIND).unwrap();
    let limit = Duration::from_secs(20);
    let late = host.0.execute(&cdb, Data::None, limit).unwrap_err();
    assert!(matches!(late, TransportError::TimedOut { .. }), "{late}");
    assert!(host.send(&READY).is_good(), "the next command waits for the end of the rewind");
    assert_eq!(host.position(), 0);
}

fn spot(first: u64, reading: SpotReading) -> BadSpot {
    BadSpot {
        first: BlockNumber(first),
        objects: 10,
        speed_share: 0.1,
        room_per_object: 1.2,
        reading,
    }
}

#[test]
fn bad_spots_are_slow_or_worse() {
    let library = simulated(Generation::Lto8);
    let mut tape = recorded(Generation::Lto8, 1000);
    tape.spots = Some(BadSpots::new(vec![
        spot(100, SpotReading::Slow),
        spot(200, SpotReading::ThirdTry),
        spot(300, SpotReading::Unreadable),
    ]));
    library.insert(0, tape);
    library.wait_until_idle(0);
    let mut host = Host::new(&library, Device::Drive(0));
    let mut block = vec![0; BLOCK];
    let mut read = |host: &mut Host, object| {
        host.locate(object);
        host.read(&mut block).triple()
    };
    assert_eq!(read(&mut host, 100), (0, 0, 0));
    assert_eq!(read(&mut host, 305), (3, 0x11, 0));
    assert_eq!(host.position(), 305, "in front of what could not be read");
    let tries = [read(&mut host, 203), read(&mut host, 203), read(&mut host, 203)];
    assert_eq!(tries, [(3, 0x11, 0), (3, 0x11, 0), (0, 0, 0)]);
    host.send(&REWIND);
    let slow_s = time_s(&library, || {
        for _ in 0..200 {
            host.read(&mut block);
        }
    });
    assert!(slow_s > 4.0, "one stop at least: {slow_s} s");
}

#[test]
fn a_seed_decides_how_much_fits_and_where_wraps_end() {
    let full = |seed| {
        let timing = Timing::none().seeded(Seed(seed));
        let library = timed_library(model(Maker::Ibm, Generation::Lto8), &timing);
        library.insert(0, blank_tape(facts("TEST01L8", Generation::Lto8, 5_000_000_000), 0));
        let mut host = Host::new(&library, Device::Drive(0));
        let block = vec![0; BLOCK];
        let mut warned = 0;
        loop {
            match host.write(&block).triple() {
                (0, 0, 0) => {}
                (0, 0, 2) => warned += 1,
                other => {
                    assert_eq!(other, (13, 0, 2));
                    break;
                }
            }
        }
        let end = host.position();
        let answer = host.ask(&[0xA3, 0x1F, 0x45, 2, 0, 0, 0, 0, 0x20, 0, 0, 0]).unwrap();
        let ends: Vec<_> =
            WrapEnds::decode(&answer).unwrap().wraps.iter().map(|end| end.object).collect();
        assert_eq!((ends.len(), ends.last().copied()), (208, Some(end)));
        (end, warned, ends)
    };
    let (end, warned, ends) = full(5);
    let nominal = 5_000_000_000 / BLOCK as u64;
    assert!(end != nominal && end.abs_diff(nominal) < nominal / 40, "{end} of {nominal}");
    assert!((290..=310).contains(&warned), "{warned}");
    assert_eq!(full(5), (end, warned, ends));
    assert_ne!(full(6).0, end);
}

#[test]
fn inventories_and_moves_take_the_robots_time() {
    let library = simulated(Generation::Lto8);
    library.put(0, cartridge("TEST01L8", Generation::Lto8, 1 << 30));
    let mut robot = Host::new(&library, Device::Changer);
    assert_near(time_s(&library, || robot.send(&[7, 0, 0, 0, 0, 0])), 5.0 * 0.75);
    assert_near(time_s(&library, || assert!(robot.move_medium(0x1000, 0x10).is_good())), 15.0);
    let counts = library.robot_counts();
    assert_eq!((counts.moves, counts.move_s), (1, 15.0));
}

#[test]
fn the_driver_waits_out_a_first_load() {
    let timing = Timing { poll: Duration::from_secs(5000), ..Timing::simulated() };
    let library = timed_library(model(Maker::Ibm, Generation::Lto9), &timing);
    let mut tape = cartridge("NEW001L9", Generation::Lto9, 1 << 30);
    tape.facts.initialized = false;
    library.insert(0, tape);
    let mut drive = open(&library);
    assert!(drive.medium_loaded().unwrap());
    assert!(clock(&library).now_s() >= 3617.0);
}

#[test]
fn a_seed_bends_every_figure_a_little_and_always_the_same_way() {
    let locate_s = |seed| {
        let timing = Timing::simulated().seeded(Seed(seed));
        let library = timed_library(model(Maker::Ibm, Generation::Lto8), &timing);
        library.insert(0, recorded(Generation::Lto8, 1_000_010));
        library.wait_until_idle(0);
        let mut host = Host::new(&library, Device::Drive(0));
        time_s(&library, || host.locate(1_000_000))
    };
    let times_s: Vec<_> = (0..8).map(locate_s).collect();
    assert_eq!(times_s, (0..8).map(locate_s).collect::<Vec<_>>());
    let nominal_s = 61.647;
    assert!(times_s.iter().all(|s| (s / nominal_s - 1.0).abs() < 0.2), "{times_s:?}");
    let spread_s = times_s.iter().fold(0.0_f64, |most, s| most.max((s - times_s[0]).abs()));
    assert!(spread_s > 1.0, "{times_s:?}");
}

#[test]
fn formats_and_long_erases_take_their_time() {
    let (library, mut host) = loaded(Generation::Lto8, 100);
    let erase_s = time_s(&library, || assert!(host.send(&[0x19, 1, 0, 0, 0, 0]).is_good()));
    assert!((erase_s - 33_497.7).abs() < 0.1, "{erase_s}");
    assert!(time_s(&library, || host.send(&[0x19, 0, 0, 0, 0, 0])) < 10.0);
    let format_s = time_s(&library, || assert!(host.send(&[0x04, 0, 0, 0, 0, 0]).is_good()));
    assert!(format_s > 60.0 && format_s < 3000.0, "{format_s}");
    let (library, mut host) = loaded(Generation::Lto9, 100);
    assert!(host.send(&[0x04, 1, 0, 0, 0, 0]).is_good());
    assert_eq!(activity(&mut host), DeviceActivity::Calibrating);
    assert_eq!(host.send(&[0x1B, 0, 0, 0, 0, 0]).triple().0, 2);
    library.wait_until_idle(0);
    assert!(host.send(&READY).is_good());
}

#[test]
fn a_write_without_buffer_waits_for_the_tape() {
    let (library, mut host) = loaded(Generation::Lto8, 0);
    let block = vec![0; BLOCK];
    assert!(time_s(&library, || host.write(&block)) < 0.001);
    let unbuffered = [0, 0, 0, 0];
    assert!(host.put(&[0x15, 0x10, 0, 0, 4, 0], &unbuffered).is_good());
    assert!(time_s(&library, || host.write(&block)) > 0.001);
}
