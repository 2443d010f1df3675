//! What is kept of one look at a drive and at the medium in it.

use reel_hw::scsi::log::{ErrorCounters, VolumeStatisticsPage};
use reel_hw::{CleaningRequest, DriveHealth, DriveLife, TapeAlerts};
use reel_types::{DriveName, LabelText, MediaId};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// One look. Numbers are as the drive counts them; absent ones it does not tell.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HealthRecord {
    /// When, in seconds since 1970.
    pub time: i64,
    /// The drive.
    pub drive: DriveName,
    /// Its serial number.
    pub drive_serial: Option<String>,
    /// The medium in it, where it is one of the inventory.
    pub medium: Option<MediaId>,
    /// The label of that medium.
    pub label_text: Option<LabelText>,
    /// The serial number of the medium in it.
    pub medium_serial: Option<String>,
    /// Numbers of the TapeAlert flags that were set, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<u8>,
    /// Whether the drive asked to be cleaned.
    pub cleaning: Option<CleaningWish>,
    /// Media that the drive loaded in its life.
    pub drive_loads: Option<u64>,
    /// Times that it was cleaned.
    pub drive_cleanings: Option<u64>,
    /// Hours that it had power.
    pub power_on_hours: Option<u64>,
    /// Hours that it moved tape.
    pub motion_hours: Option<u64>,
    /// Hours that it moved tape since it was last cleaned.
    pub motion_hours_since_cleaning: Option<u64>,
    /// Errors of its life on writing that were not corrected.
    pub hard_write_errors: Option<u64>,
    /// Errors of its life on reading that were not corrected.
    pub hard_read_errors: Option<u64>,
    /// What was written since the drive last set its counters back.
    #[serde(default)]
    pub write: Transfers,
    /// What was read since the drive last set its counters back.
    #[serde(default)]
    pub read: Transfers,
    /// What was counted in the medium's life.
    pub volume: Option<VolumeCounters>,
}

/// How urgently a drive asks to be cleaned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CleaningWish {
    /// When there is time.
    Soon,
    /// Before it goes on.
    Now,
}

impl CleaningWish {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Soon => "soon",
            Self::Now => "now",
        }
    }
}

/// Errors in one direction, and the bytes that passed.
#[skip_serializing_none]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Transfers {
    /// Errors that were corrected.
    pub corrected: Option<u64>,
    /// Errors that were not.
    pub uncorrected: Option<u64>,
    /// Bytes.
    pub bytes: Option<u64>,
}

/// What was counted in a medium's life (spec scsi.md §7, page 17h).
#[skip_serializing_none]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VolumeCounters {
    /// Times that it was mounted.
    pub mounts: Option<u64>,
    /// How often the tape passed the head where it passes most.
    pub passes: Option<u64>,
    /// Bytes written.
    pub bytes_written: Option<u64>,
    /// Bytes read.
    pub bytes_read: Option<u64>,
    /// Datasets written: what the drive writes in one piece.
    pub datasets_written: Option<u64>,
    /// Datasets read.
    pub datasets_read: Option<u64>,
    /// Write errors that were corrected.
    pub recovered_write_errors: Option<u64>,
    /// Read errors that were corrected.
    pub recovered_read_errors: Option<u64>,
    /// Write errors that were not, those of the servo among them.
    pub unrecovered_write_errors: Option<u64>,
    /// Read errors that were not.
    pub unrecovered_read_errors: Option<u64>,
    /// Room for native data, bytes.
    pub native_capacity: Option<u64>,
}

impl HealthRecord {
    /// What `told` says of the drive and of a medium that nobody has named yet.
    pub fn of(drive: &DriveName, told: &DriveHealth, time: i64) -> Self {
        let DriveLife { loads, cleanings, power_on_hours, motion_hours, .. } = told.life;
        let serial = told.volume.as_ref().and_then(|volume| volume.serial.as_deref());
        let serial = serial.map(str::trim).filter(|serial| !serial.is_empty());
        Self {
            time,
            drive: drive.clone(),
            drive_serial: told.serial.clone(),
            medium: None,
            label_text: None,
            medium_serial: serial.map(Into::into),
            alerts: told.alerts.flags().collect(),
            cleaning: told.cleaning.map(CleaningWish::from),
            drive_loads: loads,
            drive_cleanings: cleanings,
            power_on_hours,
            motion_hours,
            motion_hours_since_cleaning: told.life.motion_hours_since_cleaning,
            hard_write_errors: told.life.hard_write_errors,
            hard_read_errors: told.life.hard_read_errors,
            write: Transfers::from(&told.write),
            read: Transfers::from(&told.read),
            volume: told.volume.as_ref().map(VolumeCounters::from),
        }
    }

    /// Whether `later` only counted on within the hour: the look after that tells it too. A reader who comes and goes all
    /// day would else push out what was seen last month.
    pub fn is_continued(&self, later: &Self) -> bool {
        const HOUR_S: i64 = 3600;
        later.time.saturating_sub(self.time) < HOUR_S && self.events() == later.events()
    }

    /// All that is more than counting on.
    fn events(&self) -> impl PartialEq + '_ {
        let lost =
            self.volume.map(|one| (one.unrecovered_write_errors, one.unrecovered_read_errors));
        (
            (&self.drive, &self.drive_serial, self.drive_loads, self.drive_cleanings),
            (self.medium, &self.medium_serial, &self.alerts, self.cleaning),
            (self.hard_write_errors, self.hard_read_errors, lost),
        )
    }

    /// Whether nothing but the time has changed.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let Self { time, .. } = *other;
        *other == Self { time, ..self.clone() }
    }

    /// The alerts that were set.
    pub fn tape_alerts(&self) -> TapeAlerts {
        TapeAlerts::from_flags(&self.alerts)
    }
}

impl From<CleaningRequest> for CleaningWish {
    fn from(request: CleaningRequest) -> Self {
        match request {
            CleaningRequest::Soon => Self::Soon,
            CleaningRequest::Now => Self::Now,
        }
    }
}

impl From<&ErrorCounters> for Transfers {
    fn from(counters: &ErrorCounters) -> Self {
        let ErrorCounters { corrected, uncorrected, bytes, .. } = *counters;
        Self { corrected, uncorrected, bytes }
    }
}

impl From<&VolumeStatisticsPage> for VolumeCounters {
    fn from(page: &VolumeStatisticsPage) -> Self {
        let servo = page.volume_unrecovered_write_servo_errors;
        let writing = page.volume_unrecovered_write_data_errors;
        Self {
            mounts: page.volume_mounts,
            passes: page.passes(),
            bytes_written: page.lifetime_bytes_written,
            bytes_read: page.lifetime_bytes_read,
            datasets_written: page.volume_datasets_written,
            datasets_read: page.volume_datasets_read,
            recovered_write_errors: page.volume_recovered_write_data_errors,
            recovered_read_errors: page.volume_recovered_read_errors,
            unrecovered_write_errors: sum(writing, servo),
            unrecovered_read_errors: page.volume_unrecovered_read_errors,
            native_capacity: page.total_native_capacity,
        }
    }
}

/// The sum of what is known.
fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> DriveHealth {
        DriveHealth {
            serial: Some("DRIVE0001".into()),
            alerts: TapeAlerts::from_flags(&[5, 0x14]),
            cleaning: Some(CleaningRequest::Now),
            volume: Some(VolumeStatisticsPage {
                serial: Some("A1      ".into()),
                volume_unrecovered_write_data_errors: Some(2),
                volume_unrecovered_write_servo_errors: Some(1),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    #[test]
    fn a_line_keeps_what_was_told_and_nothing_that_was_not() {
        let record = HealthRecord::of(&"drive0".parse().unwrap(), &told(), 7);
        let text = serde_json::to_string(&record).unwrap();
        let expected = concat!(
            r#"{"time":7,"drive":"drive0","drive-serial":"DRIVE0001","medium-serial":"A1","#,
            r#""alerts":[5,20],"cleaning":"now","write":{},"read":{},"#,
            r#""volume":{"unrecovered-write-errors":3}}"#
        );
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<HealthRecord>(&text).unwrap(), record);
        let least = r#"{"time":1,"drive":"drive0","from-later":1}"#;
        assert!(serde_json::from_str::<HealthRecord>(least).unwrap().alerts.is_empty());
    }

    #[test]
    fn a_look_that_shows_nothing_new_is_known_as_such() {
        let record = HealthRecord::of(&"drive0".parse().unwrap(), &told(), 7);
        let later = HealthRecord { time: 8, ..record.clone() };
        assert!(record.says_the_same(&later));
        assert!(!record.says_the_same(&HealthRecord { alerts: vec![5], ..later }));
    }
}
