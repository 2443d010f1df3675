//! What drive and medium say of themselves.

use super::{LtoDrive, timeouts};
use crate::device::DeviceError;
use crate::drive::{HostAttribute, TapeAlerts, TapeDrive, VolumeStatistics};
use crate::error::{Error, Result};
use crate::scsi::Command;
use crate::scsi::attribute::{Attribute, AttributeList};
use crate::scsi::log::{DeviceActivity, DeviceStatus, VolumeStatisticsPage, decode_alert_response};
use crate::transport::Data;

use super::settings::is_unsupported;

const DEVICE_STATUS: u8 = 0x11;
const ALERT_RESPONSE: u8 = 0x12;
const VOLUME_STATISTICS: u8 = 0x17;
const COMPRESSION: u8 = 0x0F;

/// Cumulative values.
const CUMULATIVE: u8 = 1;

type Attempt<T> = std::result::Result<T, DeviceError>;

impl LtoDrive {
    pub(super) fn ask_write_protection(&mut self) -> Result<bool> {
        const WHAT: &str = "read write protection";
        if !self.medium_loaded()? {
            return Err(Error::NoMedium { what: WHAT });
        }
        let (_, data) =
            self.mode_sense(COMPRESSION, 0).map_err(|error| self.explain(WHAT, error))?;
        Ok(data.device.write_protected)
    }

    pub(super) fn ask_statistics(&mut self) -> Result<VolumeStatistics> {
        let page = self.volume_statistics();
        let page = page.map_err(|error| self.explain("read statistics", error))?;
        Ok(page.summary())
    }

    /// Everything that the volume statistics page tells (page 17h).
    pub(super) fn volume_statistics(&mut self) -> Attempt<VolumeStatisticsPage> {
        let bytes = self.log_sense(VOLUME_STATISTICS, 8192, timeouts::QUICK)?;
        Ok(VolumeStatisticsPage::decode(&bytes)?)
    }

    /// By the page that leaves the flags as they are.
    pub(super) fn ask_alerts(&mut self) -> Result<TapeAlerts> {
        let alerts = self.alerts();
        alerts.map_err(|error| self.explain("read tape alerts", error))
    }

    fn alerts(&mut self) -> Attempt<TapeAlerts> {
        let bytes = self.log_sense(ALERT_RESPONSE, 512, timeouts::QUICK)?;
        Ok(decode_alert_response(&bytes)?)
    }

    /// What the drive is doing; unknown where it does not tell at once.
    pub(super) fn activity(&mut self) -> Option<DeviceActivity> {
        let bytes = self.log_sense(DEVICE_STATUS, 8192, timeouts::ACTIVITY).ok()?;
        DeviceStatus::decode(&bytes).ok().map(|status| status.activity)
    }

    pub(super) fn is_calibrating(&mut self) -> bool {
        self.activity() == Some(DeviceActivity::Calibrating)
    }

    fn log_sense(
        &mut self,
        page: u8,
        allocation: u16,
        timeout: std::time::Duration,
    ) -> Attempt<Vec<u8>> {
        let command =
            Command::LogSense { control: CUMULATIVE, page, subpage: 0, pointer: 0, allocation };
        self.device.ask_data(command, usize::from(allocation), timeout)
    }

    /// Writes an attribute to the medium's memory, or deletes it. A drive or medium without memory has nothing to
    /// write to.
    pub(super) fn set_attribute(
        &mut self,
        attribute: HostAttribute,
        value: Option<&str>,
    ) -> Result<()> {
        let attributes = vec![Attribute::of_host(attribute, value)];
        let list = AttributeList { attributes }.encode();
        let command = Command::WriteAttribute {
            write_through: true,
            partition: 0,
            length: list.len() as u32,
        };
        match self.device.ask(command, Data::Out(&list), timeouts::QUICK) {
            Ok(_) => Ok(()),
            Err(error) if is_unsupported(&error) => Ok(()),
            Err(error) => Err(self.explain("write attribute", error)),
        }
    }
}
