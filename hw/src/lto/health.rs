//! What a drive and its medium say of their health (spec scsi.md §7).

use super::{LtoDrive, timeouts};
use crate::device::DeviceError;
use crate::drive::{CleaningRequest, DriveHealth, DriveLife, TapeAlerts};
use crate::error::Result;
use crate::scsi::Command;
use crate::scsi::inquiry::{VpdData, VpdPage};
use crate::scsi::log::{
    DeviceActivity, DeviceStatus, ErrorCounters, LogPage, VolumeStatisticsPage,
    decode_alert_response, page,
};

/// The page of vital product data with the serial number.
const UNIT_SERIAL_NUMBER: u8 = 0x80;

const WHAT: &str = "read health";

/// TapeAlert "clean now": the drive cannot go on well without.
const CLEAN_NOW: u8 = 0x14;

impl LtoDrive {
    /// All in a handful of LOG SENSE commands, none of which clears anything. None where the drive is at work: it
    /// might answer only when that is done, after up to two hours.
    ///
    /// # Errors
    /// What says that the drive is not as it was: a deferred error, a way that is gone. What was not flushed by then
    /// counts as lost. A page that the drive does not have is only absent.
    pub(super) fn ask_health(&mut self) -> Result<Option<DriveHealth>> {
        let status = self.page(page::DEVICE_STATUS, timeouts::ACTIVITY)?;
        let status = status.and_then(|bytes| DeviceStatus::decode(&bytes).ok());
        if status.is_some_and(|status| status.activity != DeviceActivity::NoActivity) {
            return Ok(None);
        }
        let alerts = self.page(page::ALERT_RESPONSE, timeouts::QUICK)?;
        let alerts = alerts.and_then(|bytes| decode_alert_response(&bytes).ok());
        let alerts = alerts.unwrap_or_default();
        Ok(Some(DriveHealth {
            serial: self.serial()?,
            alerts,
            cleaning: cleaning_request(alerts, status),
            life: self.life()?,
            write: self.errors(page::WRITE_ERRORS)?,
            read: self.errors(page::READ_ERRORS)?,
            volume: self.volume()?,
        }))
    }

    pub(super) fn serial(&mut self) -> Result<Option<String>> {
        if self.serial.is_none() {
            self.serial = self.ask_serial()?;
        }
        Ok(self.serial.clone())
    }

    fn ask_serial(&mut self) -> Result<Option<String>> {
        const BYTES: u16 = 252;
        let command = Command::Inquiry { page: Some(UNIT_SERIAL_NUMBER), allocation: BYTES };
        let answer = self.device.ask_data(command, usize::from(BYTES), timeouts::IMMEDIATE);
        let bytes = self.told(answer)?;
        let page = bytes.and_then(|bytes| VpdData::decode_page(&bytes, UNIT_SERIAL_NUMBER).ok());
        Ok(match page {
            Some(VpdPage::UnitSerialNumber(serial)) => Some(serial),
            _ => None,
        })
    }

    fn life(&mut self) -> Result<DriveLife> {
        let bytes = self.page(page::DEVICE_STATISTICS, timeouts::QUICK)?;
        let log = bytes.and_then(|it| LogPage::decode_page(&it, page::DEVICE_STATISTICS).ok());
        let count = |code| log.as_ref().and_then(|log| log.counter(code).ok().flatten());
        Ok(DriveLife {
            loads: count(0x0000),
            cleanings: count(0x0001),
            power_on_hours: count(0x0002),
            motion_hours: count(0x0003),
            motion_hours_since_cleaning: count(0x0008),
            hard_write_errors: count(0x000E),
            hard_read_errors: count(0x000F),
        })
    }

    fn errors(&mut self, code: u8) -> Result<ErrorCounters> {
        let bytes = self.page(code, timeouts::QUICK)?;
        let errors = bytes.and_then(|bytes| ErrorCounters::decode(&bytes, code).ok());
        Ok(errors.unwrap_or_default())
    }

    fn volume(&mut self) -> Result<Option<VolumeStatisticsPage>> {
        let bytes = self.page(page::VOLUME_STATISTICS, timeouts::QUICK)?;
        Ok(bytes.and_then(|bytes| VolumeStatisticsPage::decode(&bytes).ok()))
    }

    /// A log page; none where the drive refuses it.
    fn page(&mut self, code: u8, timeout: std::time::Duration) -> Result<Option<Vec<u8>>> {
        const BYTES: u16 = 8192;
        let answer = self.log_sense(code, BYTES, timeout);
        self.told(answer)
    }

    /// What the drive told, or nothing where it refused. Anything else that it says is about what was done before.
    fn told<T>(&mut self, answer: std::result::Result<T, DeviceError>) -> Result<Option<T>> {
        match answer {
            Ok(told) => Ok(Some(told)),
            Err(DeviceError::Sense(sense)) if !sense.deferred => Ok(None),
            Err(error) => Err(self.failed(WHAT, error)),
        }
    }
}

/// By the alerts, or by the bits of the device status where the drive has only those.
fn cleaning_request(alerts: TapeAlerts, status: Option<DeviceStatus>) -> Option<CleaningRequest> {
    let has_bit = |bit| status.is_some_and(|status| status.flags & bit != 0);
    let now = alerts.flags().any(|flag| flag == CLEAN_NOW);
    if now || has_bit(DeviceStatus::CLEANING_REQUIRED) {
        return Some(CleaningRequest::Now);
    }
    let soon = alerts.wants_cleaning() || has_bit(DeviceStatus::CLEANING_REQUESTED);
    soon.then_some(CleaningRequest::Soon)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning_is_asked_for_by_alerts_or_by_the_status() {
        let status =
            |flags| Some(DeviceStatus { flags, ..DeviceStatus::of(DeviceActivity::NoActivity) });
        let of = |flags: &[u8], bits| {
            cleaning_request(TapeAlerts::from_flags(flags), status(DeviceStatus::VALID | bits))
        };
        assert_eq!(of(&[], 0), None);
        assert_eq!(of(&[0x15], 0), Some(CleaningRequest::Soon));
        assert_eq!(of(&[0x14, 0x15], 0), Some(CleaningRequest::Now));
        assert_eq!(of(&[], DeviceStatus::CLEANING_REQUESTED), Some(CleaningRequest::Soon));
        let both = DeviceStatus::CLEANING_REQUESTED | DeviceStatus::CLEANING_REQUIRED;
        assert_eq!(of(&[], both), Some(CleaningRequest::Now));
        assert_eq!(cleaning_request(TapeAlerts::default(), None), None);
    }
}
