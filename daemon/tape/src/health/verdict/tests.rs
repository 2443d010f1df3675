use super::super::CleaningWish;
use super::*;

const DAY_S: i64 = 24 * 3600;

fn record(change: impl FnOnce(&mut HealthRecord)) -> HealthRecord {
    let mut record: HealthRecord = serde_json::from_str(
        r#"{"time":0,"drive":"drive0","drive-serial":"D0","label-text":"A00001L8","medium-serial":"M1"}"#,
    )
    .unwrap();
    change(&mut record);
    record
}

fn with_volume(change: impl FnOnce(&mut VolumeCounters)) -> Vec<HealthRecord> {
    let mut volume = VolumeCounters::default();
    change(&mut volume);
    vec![record(|record| record.volume = Some(volume))]
}

fn with_alerts(drive: &str, label: &str, alerts: &[u8]) -> HealthRecord {
    record(|record| {
        record.drive = drive.parse().unwrap();
        record.label_text = Some(label.parse().unwrap());
        record.alerts = alerts.to_vec();
    })
}

#[test]
fn nothing_told_is_nothing_wrong() {
    assert_eq!(of_medium(&[]).verdict(), Verdict::Good);
    assert_eq!(of_drive(&[], 0).verdict(), Verdict::Good);
    let plain = [record(|_| ())];
    assert_eq!(of_medium(&plain), Health::new("media 'A00001L8'".into()));
    assert_eq!(of_drive(&plain, 0), Health::new("drive 'drive0'".into()));
}

#[test]
fn wear_by_passes_and_by_mounts() {
    let of = |passes, mounts| {
        of_medium(&with_volume(|volume| {
            volume.passes = Some(passes);
            volume.mounts = Some(mounts);
        }))
        .verdict()
    };
    assert_eq!(of(12_799, 15_999), Verdict::Good);
    assert_eq!(of(12_800, 0), Verdict::Warn);
    assert_eq!(of(0, 16_000), Verdict::Warn);
    assert_eq!(of(16_000, 0), Verdict::Replace);
    assert_eq!(of(0, u64::MAX), Verdict::Replace);
}

#[test]
fn what_nothing_corrected() {
    let of = |writing, reading| {
        of_medium(&with_volume(|volume| {
            volume.unrecovered_write_errors = Some(writing);
            volume.unrecovered_read_errors = reading;
        }))
    };
    assert_eq!(of(0, None).verdict(), Verdict::Good);
    let one = of(0, Some(1));
    assert_eq!(one.verdict(), Verdict::Warn);
    assert!(one.advice()[0].contains("0 on writing, 1 on reading"), "{one:?}");
    assert_eq!(of(2, Some(1)).verdict(), Verdict::Replace);
    assert_eq!(of(u64::MAX, Some(1)).verdict(), Verdict::Replace);
}

#[test]
fn what_was_done_again_counts_from_a_certain_amount_on() {
    let of = |errors, datasets| {
        of_medium(&with_volume(|volume| {
            volume.recovered_read_errors = Some(errors);
            volume.datasets_read = Some(datasets);
        }))
        .verdict()
    };
    assert_eq!(of(99, 2_000), Verdict::Good);
    assert_eq!(of(100, 2_000), Verdict::Warn);
    assert_eq!(of(1_999, 1_999), Verdict::Good);
}

#[test]
fn trouble_with_one_drive_is_watched_and_with_two_is_the_mediums() {
    let one = [with_alerts("drive0", "A1", &[3, 5]), with_alerts("drive0", "A1", &[6])];
    let health = of_medium(&one);
    assert_eq!(health.verdict(), Verdict::Warn);
    assert!(health.advice()[0].contains("HARD_ERROR, READ_FAILURE, WRITE_FAILURE"), "{health:?}");
    let two = [with_alerts("drive0", "A1", &[5]), with_alerts("drive1", "A1", &[5])];
    let health = of_medium(&two);
    assert_eq!(health.verdict(), Verdict::Replace);
    assert!(health.advice()[0].contains("drive0, drive1"), "{health:?}");
}

#[test]
fn trouble_with_one_medium_is_watched_and_with_two_is_the_drives() {
    let one = [with_alerts("drive0", "A00001L8", &[5]), with_alerts("drive0", "A00001L8", &[])];
    assert_eq!(of_drive(&one, 0).verdict(), Verdict::Warn);
    let mut two =
        [with_alerts("drive0", "A00001L8", &[5]), with_alerts("drive0", "A00002L8", &[6])];
    let health = of_drive(&two, 0);
    assert_eq!(health.verdict(), Verdict::Clean);
    assert!(health.advice()[0].contains("A00001L8, A00002L8"), "{health:?}");
    two[0].drive_cleanings = Some(1);
    two[1].drive_cleanings = Some(2);
    assert_eq!(of_drive(&two, 0).verdict(), Verdict::Warn, "it was cleaned in between");
}

#[test]
fn alerts_are_the_mediums_or_the_drives() {
    let mixed = [with_alerts("drive0", "A00001L8", &[0x04, 0x13, 0x26, 0x09])];
    let medium = of_medium(&mixed);
    assert_eq!(medium.verdict(), Verdict::Replace);
    let advice = medium.advice();
    assert!(advice[0].contains("tape alert MEDIA "), "the worst comes first: {advice:?}");
    assert!(advice[1].contains("NEARING_MEDIA_LIFE") && advice.len() == 2, "{advice:?}");
    let drive = of_drive(&mixed, 0);
    assert_eq!(drive.advice().len(), 1);
    assert!(drive.advice()[0].contains("PREDICTIVE_FAILURE"), "{drive:?}");
}

#[test]
fn a_drives_alerts_are_forgotten_and_those_of_the_one_before_it_do_not_count() {
    let records =
        [with_alerts("drive0", "A00001L8", &[0x1E]), record(|one| one.time = 200 * DAY_S)];
    assert_eq!(of_drive(&records, 80 * DAY_S).verdict(), Verdict::Warn);
    assert_eq!(of_drive(&records, 200 * DAY_S).verdict(), Verdict::Good);
    assert_eq!(
        of_medium(&[with_alerts("drive0", "A1", &[4]), record(|_| ())]).verdict(),
        Verdict::Replace
    );
    let exchanged = [records[0].clone(), record(|one| one.drive_serial = Some("D1".into()))];
    assert_eq!(of_drive(&exchanged, 0).verdict(), Verdict::Good);
}

#[test]
fn a_wish_to_be_cleaned_lasts_until_it_is_no_longer_told() {
    let wish = record(|record| record.cleaning = Some(CleaningWish::Now));
    let health = of_drive(std::slice::from_ref(&wish), 0);
    assert_eq!(health.verdict(), Verdict::Clean);
    assert!(health.advice()[0].contains("clean --drive drive0"), "{health:?}");
    assert_eq!(of_drive(&[wish, record(|_| ())], 0).verdict(), Verdict::Good);
}

#[test]
fn corrected_errors_count_by_what_passed() {
    let of = |corrected, gigabytes: u64| {
        let read = Transfers {
            corrected: Some(corrected),
            uncorrected: None,
            bytes: Some(gigabytes * 1_000_000_000),
        };
        of_drive(&[record(|record| record.read = read)], 0).verdict()
    };
    assert_eq!(of(100, 10), Verdict::Warn);
    assert_eq!(of(99, 10), Verdict::Good);
    assert_eq!(of(100_000, 9), Verdict::Good);
}

#[test]
fn cleaning_cartridges_come_to_an_end() {
    let tag = VolumeTag::new("CLN001CU").unwrap();
    let of = |uses, expired| of_cleaner(&tag, &Cleaner { uses, expired, last: None }).verdict();
    assert_eq!(of(44, false), Verdict::Good);
    assert_eq!(of(45, false), Verdict::Warn);
    assert_eq!(of(50, false), Verdict::Replace);
    assert_eq!(of(1, true), Verdict::Replace);
}

#[test]
fn only_what_is_new_or_worse_is_told_again() {
    let read = |errors| with_volume(|volume| volume.unrecovered_read_errors = Some(errors));
    let (none, one, two, three) = (read(0), read(1), read(2), read(3));
    let worse = of_medium(&one).worse_than(&of_medium(&none));
    assert_eq!(worse.len(), 1);
    assert!(worse[0].starts_with("media 'A00001L8': errors in its life"), "{worse:?}");
    assert_eq!(of_medium(&two).worse_than(&of_medium(&one)), [""; 0]);
    assert_eq!(of_medium(&three).worse_than(&of_medium(&two)).len(), 1);
    assert_eq!(of_medium(&none).worse_than(&of_medium(&three)), [""; 0]);
}
