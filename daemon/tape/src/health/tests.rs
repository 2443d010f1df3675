use std::fs;

use reel_hw::scsi::log::VolumeStatisticsPage;
use reel_hw::{CleaningRequest, TapeAlerts};
use reel_types::ManualClock;

use super::*;

const UUID: &str = "7f42c4dd-9626-4d89-9f2b-c7bc6da7d533";

fn log(folder: &std::path::Path) -> HealthLog {
    let state = StateDir::new(folder);
    let label = format!(r#"{{"ctime":1,"label_text":"A00001L8","uuid":"{UUID}"}}"#);
    fs::write(state.inventory(), format!(r#"[{{"id":{{"label":{label}}}}}]"#)).unwrap();
    HealthLog::open(&state, Arc::new(ManualClock::at(1_000))).unwrap()
}

fn told(alerts: &[u8], serial: &str) -> DriveHealth {
    DriveHealth {
        alerts: TapeAlerts::from_flags(alerts),
        volume: Some(VolumeStatisticsPage {
            serial: Some(serial.into()),
            ..VolumeStatisticsPage::default()
        }),
        ..DriveHealth::default()
    }
}

fn names() -> (DriveName, LabelText, MediaId) {
    ("drive0".parse().unwrap(), "A00001L8".parse().unwrap(), UUID.parse().unwrap())
}

#[test]
fn a_look_is_kept_of_drive_and_medium_and_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    let (drive, label, medium) = names();
    let worse = log.note(&drive, Some(&label), &told(&[0x04], "M1")).unwrap();
    assert_eq!(worse.len(), 1, "{worse:?}");
    assert!(worse[0].contains("'A00001L8'") && worse[0].contains("MEDIA"), "{worse:?}");
    assert_eq!(log.note(&drive, Some(&label), &told(&[0x04], "M1")).unwrap(), [""; 0]);
    assert_eq!(log.of_drive(&drive).unwrap().len(), 1, "the same is not kept twice");
    assert_eq!(log.of_medium(medium).unwrap(), log.of_drive(&drive).unwrap());
    let again =
        HealthLog::open(&StateDir::new(folder.path()), Arc::new(ManualClock::at(0))).unwrap();
    assert_eq!(again.of_medium(medium).unwrap().len(), 1);
    again.forget_medium(medium).unwrap();
    again.forget_medium(medium).unwrap();
    assert_eq!(again.of_medium(medium).unwrap(), []);
}

#[test]
fn what_is_not_the_medium_is_not_kept_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    let (drive, label, medium) = names();
    let other = "B00001L8".parse().unwrap();
    log.note(&drive, Some(&other), &told(&[1], "M2")).unwrap();
    log.note(&drive, None, &told(&[2], "M1")).unwrap();
    let without_medium = DriveHealth { volume: None, ..told(&[3], "") };
    log.note(&drive, Some(&label), &without_medium).unwrap();
    assert_eq!((log.of_drive(&drive).unwrap().len(), log.of_medium(medium).unwrap().len()), (3, 0));
    log.note(&drive, Some(&label), &told(&[4], "M1")).unwrap();
    log.note(&drive, Some(&label), &told(&[4], "another cartridge")).unwrap();
    assert_eq!(log.of_medium(medium).unwrap().len(), 1);
    assert_eq!(log.of_drive(&drive).unwrap().len(), 5);
}

#[test]
fn a_wish_to_be_cleaned_outlives_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let (drive, ..) = names();
    let wish = DriveHealth { cleaning: Some(CleaningRequest::Soon), ..DriveHealth::default() };
    log(folder.path()).note(&drive, None, &wish).unwrap();
    let log = log(folder.path());
    assert_eq!(log.cleaning_wish(&drive).unwrap(), Some(CleaningWish::Soon));
    log.note(&drive, None, &DriveHealth::default()).unwrap();
    assert_eq!(log.cleaning_wish(&drive).unwrap(), None);
}

#[test]
fn uses_of_cleaning_cartridges_are_counted_by_their_bar_code() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    let (drive, ..) = names();
    let (one, other) = (VolumeTag::new("CLN001CU").unwrap(), VolumeTag::new("CLN..2").unwrap());
    log.note_cleaning(&one, &drive, false).unwrap();
    log.note_cleaning(&one, &drive, false).unwrap();
    log.note_cleaning(&other, &drive, true).unwrap();
    assert_eq!(log.cleaner(&one).unwrap().uses, 2);
    assert!(log.cleaner(&other).unwrap().is_used_up());
    assert_eq!(log.used_cleaners().unwrap(), [other, one]);
}
