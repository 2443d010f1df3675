//! What drive and medium say of themselves.

use super::commands::COMPRESSION;
use super::ready::Readiness;
use super::{LtoDrive, timeouts};
use crate::device::DeviceError;
use crate::drive::{DriveFacts, HostAttribute, TapeAlerts, TapeDrive, VolumeStatistics};
use crate::error::{Error, Result};
use crate::scsi::attribute::{Attribute, AttributeList};
use crate::scsi::density::Density;
use crate::scsi::log::{
    DeviceActivity, DeviceStatus, VolumeStatisticsPage, decode_alert_response, page,
};
use crate::scsi::{Command, DeviceType};
use crate::transport::Data;

/// Cumulative values.
const CUMULATIVE: u8 = 1;

type Attempt<T> = std::result::Result<T, DeviceError>;

impl LtoDrive {
    pub(super) fn ask_write_protection(&mut self) -> Result<bool> {
        const WHAT: &str = "read write protection";
        if let Some(protected) = self.device.recall(&self.write_protected) {
            return Ok(*protected);
        }
        if !self.medium_loaded()? {
            return Err(Error::NoMedium { what: WHAT });
        }
        let (_, data) =
            self.device.mode_sense(COMPRESSION, 0).map_err(|error| self.explain(WHAT, error))?;
        Ok(data.device.write_protected)
    }

    pub(super) fn ask_statistics(&mut self) -> Result<VolumeStatistics> {
        match self.ask_volume_statistics() {
            Ok(page) => Ok(page.summary()),
            Err(error) if error.is_unsupported() => Ok(VolumeStatistics::default()),
            Err(error) => Err(self.explain("read statistics", error)),
        }
    }

    /// Everything that the volume statistics page tells (page 17h).
    pub(super) fn ask_volume_statistics(&mut self) -> Attempt<VolumeStatisticsPage> {
        let bytes = self.log_sense(page::VOLUME_STATISTICS, 8192, timeouts::QUICK)?;
        Ok(VolumeStatisticsPage::decode(&bytes)?)
    }

    /// By the page that leaves the flags as they are.
    pub(super) fn ask_alerts(&mut self) -> Result<TapeAlerts> {
        let alerts = self.alerts();
        alerts.map_err(|error| self.explain("read tape alerts", error))
    }

    /// A drive that knows of no alerts has none.
    fn alerts(&mut self) -> Attempt<TapeAlerts> {
        match self.log_sense(page::ALERT_RESPONSE, 512, timeouts::QUICK) {
            Ok(bytes) => Ok(decode_alert_response(&bytes)?),
            Err(error) if error.is_unsupported() => Ok(TapeAlerts::default()),
            Err(error) => Err(error),
        }
    }

    /// What the drive is doing; unknown where it does not tell at once.
    pub(super) fn activity(&mut self) -> Option<DeviceActivity> {
        let bytes = self.log_sense(page::DEVICE_STATUS, 8192, timeouts::ACTIVITY).ok()?;
        DeviceStatus::decode(&bytes).ok().map(|status| status.activity)
    }

    /// All attributes of the medium's memory.
    pub(super) fn attributes(&mut self) -> Attempt<AttributeList> {
        const BYTES: u32 = 32 << 10;
        let command =
            Command::ReadAttribute { service_action: 0, partition: 0, first: 0, allocation: BYTES };
        let bytes = self.device.ask_data(command, BYTES as usize, timeouts::QUICK)?;
        Ok(AttributeList::decode(&bytes)?)
    }

    /// Everything that `status` shows. Of a drive that is busy only what it tells at once.
    pub(super) fn look(&mut self) -> Attempt<DriveFacts> {
        let inquiry = self.device.inquire(DeviceType::Tape)?;
        let (_, data) = self.device.mode_sense(COMPRESSION, 0)?;
        let activity = self.activity();
        let descriptor = data.descriptor.unwrap_or_default();
        let mut facts = DriveFacts {
            vendor: inquiry.vendor,
            product: inquiry.product,
            revision: inquiry.revision,
            block_length: descriptor.block_length,
            compression: data.compression()?.enabled,
            buffer_mode: data.device.buffered_mode,
            density: Density::from_code(descriptor.density).ok().map(|one| one.name().to_owned()),
            activity: activity.map(|activity| activity.name().to_owned()),
            ..DriveFacts::default()
        };
        match activity {
            None | Some(DeviceActivity::NoActivity) => {}
            Some(DeviceActivity::Calibrating | DeviceActivity::Formatting) => {
                facts.progress = self.progress();
                return Ok(facts);
            }
            Some(_) => return Ok(facts),
        }
        facts.alerts = self.alerts().ok();
        if self.readiness().is_ok_and(|readiness| readiness == Readiness::Ready) {
            facts.write_protect = data.device.write_protected.then_some(true);
            self.look_at_medium(&mut facts);
        }
        Ok(facts)
    }

    /// How far a drive is that is getting ready, from 0 to 1.
    fn progress(&mut self) -> Option<f64> {
        let Ok(Readiness::Coming(sense)) = self.readiness() else { return None };
        sense.progress.map(|share| f64::from(share) / 65536.0)
    }

    /// What a medium does not tell stays absent.
    fn look_at_medium(&mut self, facts: &mut DriveFacts) {
        facts.position = self.ask_position().ok();
        if let Some(usage) = self.attributes().ok().and_then(|list| list.usage()) {
            facts.manufactured = Some(usage.manufactured);
            facts.bytes_written = Some(usage.bytes_written);
            facts.bytes_read = Some(usage.bytes_read);
        }
        if let Ok(statistics) = self.ask_volume_statistics() {
            facts.medium_passes = statistics.passes();
            facts.volume_mounts = statistics.volume_mounts;
        }
    }

    pub(super) fn is_calibrating(&mut self) -> bool {
        self.activity() == Some(DeviceActivity::Calibrating)
    }

    pub(super) fn log_sense(
        &mut self,
        page: u8,
        allocation: u16,
        timeout: std::time::Duration,
    ) -> Attempt<Vec<u8>> {
        let command =
            Command::LogSense { control: CUMULATIVE, page, subpage: 0, pointer: 0, allocation };
        self.device.ask_data(command, usize::from(allocation), timeout)
    }

    /// Writes attributes to the medium's memory, or deletes them, all at once; one by one where the drive takes them only so
    /// or does not have them all. A drive or medium without memory has nothing to write to.
    pub(super) fn set_attributes(
        &mut self,
        attributes: &[(HostAttribute, Option<&str>)],
    ) -> Result<()> {
        const WHAT: &str = "write attributes";
        self.must_be_ours(WHAT)?;
        match self.send_attributes(attributes) {
            Ok(()) => Ok(()),
            Err(error) if !error.is_unsupported() => Err(self.explain(WHAT, error)),
            Err(_) if attributes.len() < 2 => Ok(()),
            Err(_) => attributes.chunks(1).try_for_each(|one| self.set_attributes(one)),
        }
    }

    fn send_attributes(&mut self, attributes: &[(HostAttribute, Option<&str>)]) -> Attempt<()> {
        let of_host =
            |(which, value): &(HostAttribute, Option<&str>)| Attribute::of_host(*which, *value);
        let attributes = attributes.iter().map(of_host).collect();
        let list = AttributeList { attributes }.encode();
        let command = Command::WriteAttribute {
            write_through: true,
            partition: 0,
            length: list.len() as u32,
        };
        self.device.ask(command, Data::Out(&list), timeouts::QUICK).map(drop)
    }
}
